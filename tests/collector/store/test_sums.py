"""What a store adds up or looks up at the ends of a period: the same from SQLite and from a real influxd."""

from collector.store.base import Row, Store, Tally, Track
from tests.collector.store.points import ALL, BASE_NS, DAY_NS, DEVICE, GATEWAY, MINUTE_NS, body, line, row

FIELDS = ("display_on", "session_active")
OTHER = "441802-3144001234.c0801"


def at(minute: float) -> int:
    """Return a time, in minutes after BASE_NS."""
    return BASE_NS + int(minute * MINUTE_NS)


def usage(minute: int, *, device: str = DEVICE, source: str = "", **fields: int) -> Row:
    """Return a reading of use."""
    return row(minute, fields, device=device, source=source)


def test_counts_and_sums_are_those_of_the_period(store: Store) -> None:
    """Each field is counted for itself; the start belongs to the period and the end does not; nothing else is told."""
    points = [usage(0, display_on=1), usage(1, session_active=1), usage(2, session_active=0, display_on=0)]
    store.write(*body("usage", [*points, usage(3, session_active=1), usage(-1, session_active=1)]))
    assert list(store.tallies("usage", FIELDS, at(0), at(3))) == [Tally(DEVICE, DEVICE, (), (2, 2), (1, 1))]
    assert list(store.tallies("usage", FIELDS, at(1), at(2))) == [Tally(DEVICE, DEVICE, (), (0, 1), (0, 1))]
    assert list(store.tallies("usage", FIELDS, at(4), at(9))) == []


def test_sums_are_of_each_device_and_source(store: Store) -> None:
    """What another agent says of a device is a sum of its own; devices that are not asked about are left out."""
    points = [usage(0, session_active=1), usage(1, source=GATEWAY, display_on=1), usage(2, device=OTHER, display_on=0)]
    store.write(*body("usage", points))
    own, told = Tally(DEVICE, DEVICE, (), (0, 1), (0, 1)), Tally(DEVICE, GATEWAY, (), (1, 0), (1, 0))
    other = Tally(OTHER, OTHER, (), (1, 0), (0, 0))
    assert sorted(store.tallies("usage", FIELDS, *ALL)) == sorted([own, told, other])
    assert sorted(store.tallies("usage", FIELDS, *ALL, [DEVICE, "441802-1.nobody"])) == sorted([own, told])


def test_sums_of_many_days_are_one(store: Store) -> None:
    """A period of several days, which is added up day by day, gives one sum a series: of numbers in the thousands."""
    store.write(*body("delivery", [row(minute, {"seq": minute + 5000}) for minute in range(-4000, 0, 100)]))
    (tally,) = store.tallies("delivery", ["seq"], BASE_NS - 3 * DAY_NS - 7, BASE_NS)
    assert (tally.counts, tally.sums) == ((40,), (sum(range(1000, 5000, 100)),))


def test_series_with_own_tags_are_summed_apart(store: Store) -> None:
    """A measurement with tags of its own has a sum for each of them."""
    kinds = [{"kind": kind, "target": "t"} for kind in ("dns", "http", "http")]
    store.write(*body("probe", [row(n, {"success": 1}, tags=tags) for n, tags in enumerate(kinds)]))
    found = [(dict(one.tags)["kind"], one.counts) for one in store.tallies("probe", ["success"], *ALL)]
    assert found == [("dns", (1,)), ("http", (2,))]


def test_what_somebody_wrote_twice_is_summed_once(store: Store) -> None:
    """The same points once more under another site, from a foreign writer, do not count again."""
    points = [usage(n, session_active=1) for n in range(5)]
    store.write(*body("usage", points))
    twice = b"".join(line("usage", point).replace(b",site=441802-3144001234", b",site=elsewhere") for point in points)
    store.write(body("usage", points)[0], twice)
    assert [one.counts for one in store.tallies("usage", FIELDS, *ALL)] == [(0, 5)]


def test_edges_are_the_first_and_the_last_point(store: Store) -> None:
    """A series has its first and last point with any of the fields; one point is one; the end is outside the period."""
    points = [row(n, {"seq": n + 1} | ({"previous": "ab:7"} if n == 0 else {})) for n in range(9)]
    store.write(*body("delivery", [*points, row(-1, {"lines": 3}), row(3, {"seq": 70}, device=OTHER)]))
    assert list(store.edges("delivery", ["seq", "previous"], BASE_NS - DAY_NS, at(8))) == [
        Track(DEVICE, DEVICE, (), [(at(0), 1, "ab:7"), (at(7), 8, None)]),
        Track(OTHER, OTHER, (), [(at(3), 70, None)]),
    ]
    assert list(store.edges("delivery", ["seq"], at(20), at(30))) == []


def test_the_last_word_on_a_device_may_be_anybodys(store: Store) -> None:
    """Asked for what anybody said, the newest point counts whoever said it; else only what the device said itself."""
    said = [
        row(0, {"profile": "own"}), row(5, {"profile": "told"}, source=GATEWAY),
        row(1, {"profile": "panel"}, device=OTHER, source=GATEWAY),
    ]  # fmt: skip
    store.write(*body("identity", said))
    for devices in (None, [DEVICE, OTHER]):
        found = store.last_before("identity", ["profile"], at(10), devices, own=False)
        assert {track.device: track.points[0][1] for track in found} == {DEVICE: "told", OTHER: "panel"}
        found = store.last_before("identity", ["profile"], at(10), devices)
        assert {track.device: track.points[0][1] for track in found} == {DEVICE: "own"}
