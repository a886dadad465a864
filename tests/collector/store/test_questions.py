"""What verification asks of a store: every answer is the same from SQLite and from a real influxd."""

from collections.abc import Callable, Mapping

import pytest

from collector.store.base import Distinct, Late, Life, PresenceSummary, ReadingSummary, Row, Store, Track
from collector.store.tracks import HOUR_NS
from contract.measurements import Retention
from contract.sample import Value
from tests.collector.store.points import ALL, BASE_NS, DAY_NS, DEVICE, GATEWAY, MINUTE_NS, body, line, presence, row

HTTP = {"kind": "http", "target": "http://a.cn/x?y=1"}
LIFE = ("boot", "uptime_s", "asleep_s")


def at(minute: float) -> int:
    """Return a time, in minutes after BASE_NS."""
    return BASE_NS + int(minute * MINUTE_NS)


def lived(minutes: range, device: str = DEVICE, *, boot: str = "b", source: str = "", **fields: Value) -> list[Row]:
    """Return a presence at each minute of a machine that was switched on at BASE_NS."""
    return [
        row(
            n,
            {"boot": boot, "uptime_s": 60.0 * n, "asleep_s": 0.0, "lan": 1, "wan": 1, **fields},
            device=device,
            source=source,
        )
        for n in minutes
    ]


def foreign(points: list[Row]) -> bytes:
    """Return lines of rows as somebody else would write them, who gives the device another site."""
    return b"".join(line("presence", point).replace(b",site=441802-3144001234", b",site=elsewhere") for point in points)


# ---- tracks


def test_a_track_has_the_fields_that_were_asked_for(store: Store) -> None:
    """Each point is a tuple of its time and the fields in the order of the question; an absent one is None."""
    points = [row(0, {"lan": 1, "wan": 0, "boot": "a"}), row(1, {"wan": 1}), row(2, {"lan": 0, "uptime_s": 2.5})]
    store.write(*body("presence", points))
    assert list(store.tracks("presence", ["uptime_s", "wan", "boot"], *ALL)) == [
        Track(DEVICE, DEVICE, (), [(at(0), None, 0, "a"), (at(1), None, 1, None), (at(2), 2.5, None, None)])
    ]


def test_points_without_any_of_the_fields_are_left_out(store: Store) -> None:
    """A question about a rare field gives the rare points alone, and no track where there are none."""
    store.write(*body("delivery", [row(n, {"seq": n, "lines": 30}) for n in range(50)]))
    store.write(*body("delivery", [row(60, {"seq": 60, "held": 7, "clock": "unsynced"})]))
    store.write(*body("delivery", [row(1, {"seq": 1}, device=GATEWAY)]))
    assert list(store.tracks("delivery", ["held"], *ALL)) == [Track(DEVICE, DEVICE, (), [(at(60), 7)])]


def test_tracks_come_by_device_source_and_tags(store: Store) -> None:
    """Each series is a track of its own, in the order of `select`, and has its points in the order of time."""
    series = [
        (device, source, {"kind": kind, "target": "t"})
        for device in ("441802-1.c10", "441802-1.c2")
        for source in (device, "441802-1.a-gw", "441802-1.zz")
        for kind in ("dns", "http")
    ]
    points = [row(n, {"success": n % 2}, device=d, source=s, tags=t) for n in (3, 1, 2) for d, s, t in reversed(series)]
    store.write(*body("probe", points))
    wanted = [Track(d, s, tuple(t.items()), [(at(1), 1), (at(2), 0), (at(3), 1)]) for d, s, t in series]
    assert list(store.tracks("probe", ["success"], *ALL)) == sorted(wanted)
    assert list(store.tracks("probe", ["success"], *ALL, ["441802-1.c2", "441802-1.nobody"])) == sorted(wanted)[6:]


def test_tracks_of_any_number_of_devices(store: Store) -> None:
    """More devices than one query names, long and short tracks among them, come whole and in order."""
    names = [f"441802-1.c{n:03d}" for n in range(170)]
    lengths = {name: 400 if n % 17 == 0 else n % 3 for n, name in enumerate(names)}
    points = {name: presence(range(-lengths[name], 0), name) for name in names}
    store.write(*body("presence", [point for some in points.values() for point in some]))
    wanted = [(name, [(p.time_ns, p.fields["uptime_s"]) for p in some]) for name, some in points.items() if some]
    for devices in (None, names):
        found = store.tracks("presence", ["uptime_s"], BASE_NS - DAY_NS, BASE_NS, devices)
        assert [(track.device, track.points) for track in found] == wanted


def test_periods_of_tracks_take_their_start_and_leave_their_end(store: Store) -> None:
    """A period is [start, end)."""
    store.write(*body("presence", presence(range(10))))
    (track,) = store.tracks("presence", ["lan"], at(3), at(6))
    assert [time_ns for time_ns, _ in track.points] == [at(3), at(4), at(5)]


PATTERNS: list[tuple[Mapping[str, str], set[str]]] = [
    ({}, {"http://a.cn/x?y=1", "http://b.cn/", "tcp:443", "网关 (1)"}),
    ({"target": "http://*"}, {"http://a.cn/x?y=1", "http://b.cn/"}),
    ({"target": "http://?.cn/"}, {"http://b.cn/"}),
    ({"target": "http://a.cn/x?y=1"}, {"http://a.cn/x?y=1"}),
    ({"target": "http://acn/*"}, set()),
    ({"target": "*443"}, {"tcp:443"}),
    ({"target": "443"}, set()),
    ({"target": "网关 (1)"}, {"网关 (1)"}),
    ({"target": "网* (?)"}, {"网关 (1)"}),
    ({"target": "*", "kind": "dns"}, set()),
    ({"target": "' OR 1=1 --"}, set()),
    ({"target": "*/ OR 1=1 --"}, set()),
]


def _in_order(value: object) -> str:
    """Return a name that is the same in every process: sets have no order."""
    return str(sorted(value) if isinstance(value, set | frozenset) else value)


def test_tracks_of_all_devices_of_some_sites(store: Store) -> None:
    """Whoever stands on a site is in, known or not, and nobody whose site only begins alike; sorted by device."""
    names = [f"441802-{site}.{place}" for site in ("1", "1-a", "10", "2") for place in ("c1", "c2")]
    store.write(*body("presence", [point for name in names for point in presence(range(3), name)]))
    store.write(*body("presence", [row(9, {"lan": 1}, device=names[0])]))
    found = list(store.of_sites("presence", ["lan"], at(0), at(2), ["441802-1", "441802-1-a", "441802-3"]))
    wanted = sorted(name for name in names if name.startswith(("441802-1.", "441802-1-a.")))
    assert found == [Track(name, name, (), [(at(0), 1), (at(1), 1)]) for name in wanted]
    assert list(store.of_sites("presence", ["lan"], at(0), at(2), [])) == []


def test_tracks_of_any_number_of_sites(store: Store) -> None:
    """Beyond what one query names they still come in order."""
    names = [f"441802-{number:03d}.c1" for number in range(120)]
    store.write(*body("presence", [row(0, {"lan": 1}, device=name) for name in names]))
    sites = [name.partition(".")[0] for name in names]
    assert [one.device for one in store.of_sites("presence", ["lan"], *ALL, sites[::-1])] == names


@pytest.mark.parametrize(("where", "wanted"), PATTERNS, ids=_in_order)
def test_patterns_of_tags(store: Store, where: Mapping[str, str], wanted: set[str]) -> None:
    """`*` is any text and `?` any sign; all other signs are themselves, and the whole tag must fit."""
    targets = ("http://a.cn/x?y=1", "http://b.cn/", "tcp:443", "网关 (1)")
    store.write(*body("probe", [row(0, {"success": 1}, tags={"kind": "http", "target": t}) for t in targets]))
    found = store.tracks("probe", ["success"], *ALL, None, where)
    assert {dict(track.tags)["target"] for track in found} == wanted


@pytest.mark.parametrize(
    "question",
    [
        lambda store: store.tracks("presence", ["lan", "latency"], *ALL),
        lambda store: store.tracks("presence", [], *ALL),
        lambda store: store.tracks("presence", ["lan"], *ALL, None, {"kind": "http"}),
        lambda store: store.last_before("presence", ["latency"], at(0)),
        lambda store: store.last_before("probe", ["success"], at(0)),
        lambda store: store.readings("display", 'power" FROM x --', *ALL),
    ],
)
def test_names_that_are_not_in_the_table_are_defects(store: Store, question: Callable[[Store], object]) -> None:
    """A field or tag that a measurement does not have never becomes part of a query."""
    with pytest.raises(ValueError, match=r"has (no|the tags)"):
        list(question(store))  # type: ignore[call-overload]


def test_an_instant_in_two_series_is_one_point(store: Store) -> None:
    """Points that others wrote for the same device under another site join those there, as in `select`."""
    store.write(*body("presence", presence(range(3))))
    store.write(Retention.EVIDENCE, foreign([row(1, {"broker": 0}), row(5, {"broker": 0})]))
    (track,) = store.tracks("presence", ["lan", "broker"], *ALL)
    assert [time_ns for time_ns, *_ in track.points] == [at(0), at(1), at(2), at(5)]
    assert [lan for _, lan, _ in track.points] == [1, 1, 1, None]


def test_tracks_that_are_given_up_do_no_harm(store: Store) -> None:
    """A reader may stop after the first track; the store goes on."""
    names = [f"441802-1.c{n:03d}" for n in range(300)]
    store.write(*body("presence", [point for name in names for point in presence([0], name)]))
    tracks = store.tracks("presence", ["lan"], *ALL, names)
    assert next(tracks).device == names[0]
    tracks.close()  # type: ignore[attr-defined]
    assert store.write(*body("presence", presence([1]))) == []


# ---- neighbours


def test_the_last_before_and_the_first_from(store: Store) -> None:
    """The neighbours of an instant: before it without it, from it with it; of each device its own whole row."""
    other = "441802-1.c1"
    store.write(*body("presence", [*lived(range(10)), *lived(range(5), other)]))
    store.write(*body("presence", lived(range(30), source=GATEWAY)))
    assert [(t.device, t.points) for t in store.last_before("presence", LIFE, at(7))] == [
        (other, [(at(4), "b", 240.0, 0.0)]),
        (DEVICE, [(at(6), "b", 360.0, 0.0)]),
    ]
    assert [(t.device, t.points) for t in store.first_from("presence", ["lan", "uptime_s"], at(4))] == [
        (other, [(at(4), 1, 240.0)]),
        (DEVICE, [(at(4), 1, 240.0)]),
    ]
    assert [t.device for t in store.first_from("presence", LIFE, at(5))] == [DEVICE]
    assert list(store.first_from("presence", LIFE, at(10))) == []
    assert list(store.last_before("presence", LIFE, at(0))) == []


@pytest.mark.parametrize("named", [True, False])
def test_neighbours_are_found_however_far_within_reach(store: Store, named: bool) -> None:
    """What is hours, days or months away is found, the nearest of each device, and nothing beyond the reach."""
    away = {"441802-1.a": 0.1, "441802-1.b": 1, "441802-1.c": 3, "441802-1.d": 20, "441802-1.e": 80, "441802-1.f": 91}
    now_ns = BASE_NS - 100 * DAY_NS
    points = []
    for name, days in away.items():
        for sign in (-1, 1):
            near, far = (now_ns + sign * int(some * DAY_NS) for some in (days, days + 3))
            points += [row(0, {"boot": "near"}, device=name)._replace(time_ns=near)]
            points += [row(0, {"boot": "far"}, device=name)._replace(time_ns=far)]
    store.write(*body("presence", points))
    devices = [*away, "441802-1.nobody"] if named else None
    for ask, sign in ((store.last_before, -1), (store.first_from, 1)):
        found = {track.device: track.points for track in ask("presence", ["boot"], now_ns, devices)}
        assert list(found) == list(away)[:5]
        assert found == {name: [(now_ns + sign * int(away[name] * DAY_NS), "near")] for name in found}
        assert [t.device for t in ask("presence", ["boot"], now_ns, devices, 2 * DAY_NS)] == list(away)[:2]
        assert list(ask("presence", ["boot"], now_ns, [])) == []


def test_neighbours_of_many_devices(store: Store) -> None:
    """More devices than a query can name are asked for all at once; none that was not asked for comes."""
    names = [f"441802-1.c{n:04d}" for n in range(1300)]
    store.write(*body("presence", [row(0, {"boot": "b"}, device=name) for name in names]))
    found = store.last_before("presence", ["boot"], at(1), names[::2])
    assert [track.device for track in found] == names[::2]


# ---- presences of a window


def test_a_summary_of_presences(store: Store) -> None:
    """How many minutes are proven, in how many gateway and internet answered, and the first and last presence."""
    points = [*lived(range(1, 5)), *lived(range(5, 9), wan=0), *lived(range(9, 11), lan=0, wan=0)]
    store.write(*body("presence", points))
    assert list(store.presences(at(0), at(10), [DEVICE])) == [
        PresenceSummary(
            DEVICE, DEVICE, presences=10, lan=8, wan=4, uptime_sum_s=3300.0,
            first=Life(at(1), "b", 60.0, 0.0), last=Life(at(10), "b", 600.0, 0.0),
        )
    ]  # fmt: skip
    (found,) = store.presences(at(0), at(10), [DEVICE, "441802-1.nobody"], ["wan"])
    assert (found.lan, found.wan) == (0, 4)


@pytest.mark.parametrize("missing", [1, 10])
def test_what_was_not_there_at_both_ends_is_left_out(store: Store, missing: int) -> None:
    """A window cannot be proven whole by an agent that came later, went earlier, or started anew in between."""
    store.write(*body("presence", [point for point in lived(range(1, 11)) if point.time_ns != at(missing)]))
    restarted = [*lived(range(1, 6), GATEWAY), *lived(range(6, 11), GATEWAY, boot="other")]
    store.write(*body("presence", restarted))
    assert list(store.presences(at(0), at(10), [DEVICE, GATEWAY])) == []


def test_a_window_is_proven_by_the_labels_at_its_ends(store: Store) -> None:
    """The presence labelled T proves the minute before T: at the window's start it is outside, at its end inside."""
    store.write(*body("presence", lived(range(61))))
    (found,) = store.presences(at(10), at(20), [DEVICE])
    assert (found.presences, found.first.time_ns, found.last.time_ns) == (10, at(11), at(20))


def test_presences_that_do_not_say_everything(store: Store) -> None:
    """Presence without a gateway counts as a minute; one without an uptime proves nothing; an absent sleep is none."""
    first, second = "441802-1.c1", "441802-1.c2"
    store.write(*body("presence", [row(n, {"boot": "b", "uptime_s": 60.0 * n}, device=first) for n in (1, 2, 3)]))
    store.write(*body("presence", [row(n, {"boot": "b", "lan": 1}, device=second) for n in (1, 2, 3)]))
    (found,) = store.presences(at(0), at(3), [first, second])
    assert (found.device, found.presences, found.lan, found.wan) == (first, 3, 0, 0)
    assert found.last == Life(at(3), "b", 180.0, 0.0)


def test_summaries_of_each_source_are_apart(store: Store) -> None:
    """What an agent says of another device is not added to what that says itself."""
    store.write(*body("presence", lived(range(1, 4))))
    store.write(*body("presence", [*lived(range(1, 2), source=GATEWAY), *lived(range(3, 4), source=GATEWAY)]))
    store.write(*body("presence", lived(range(1, 4), "441802-1.c1")))
    names = [DEVICE, "441802-1.c1"]
    found = [(one.device, one.source, one.presences) for one in store.presences(at(0), at(3), names)]
    assert found == [("441802-1.c1", "441802-1.c1", 3), (DEVICE, DEVICE, 3), (DEVICE, GATEWAY, 2)]


def test_a_minute_never_counts_twice(store: Store) -> None:
    """Ten minutes of which nine are proven stay nine, whoever else wrote one of them under another site."""
    store.write(*body("presence", [point for point in lived(range(1, 11)) if point.time_ns != at(5)]))
    store.write(Retention.EVIDENCE, foreign(lived(range(1, 3))))
    (found,) = store.presences(at(0), at(10), [DEVICE])
    assert found.presences == 9


# ---- readings


def test_a_summary_of_readings(store: Store) -> None:
    """How many, which values, first and last, and the widest gap to the nanosecond."""
    times = [0, 5, 10.5, 22.25, 27]
    store.write(*body("probe", [row(0, {"success": 1}, tags=HTTP)._replace(time_ns=at(n) + 7) for n in times]))
    store.write(*body("display", [row(n, {"power": "on" if n < 3 else "standby"}) for n in range(5)]))
    assert list(store.readings("probe", "success", *ALL, {"kind": "http"})) == [
        ReadingSummary(
            DEVICE, DEVICE, tuple(HTTP.items()), 5, (1,), False, at(0) + 7, at(27) + 7, int(11.75 * MINUTE_NS)
        )
    ]
    assert list(store.readings("display", "power", at(1), at(5))) == [
        ReadingSummary(DEVICE, DEVICE, (), 4, ("on", "standby"), False, at(1), at(4), MINUTE_NS)
    ]
    assert list(store.readings("probe", "success", *ALL, {"kind": "dns"})) == []


def test_a_single_reading_has_no_gap(store: Store) -> None:
    """One reading is its own first and last; a reading without the field is none."""
    store.write(*body("probe", [row(0, {"success": 1}, tags=HTTP), row(9, {"stage": "unasked"}, tags=HTTP)]))
    (found,) = store.readings("probe", "success", *ALL)
    assert (found.points, found.first_ns, found.last_ns, found.gap_ns) == (1, at(0), at(0), 0)


def test_many_different_values_are_a_range(store: Store) -> None:
    """Of a measured quantity the least and the greatest value are told."""
    store.write(*body("probe", [row(n, {"rtt_ms": 20.5 - n / 4}, tags=HTTP) for n in range(40)]))
    (found,) = store.readings("probe", "rtt_ms", *ALL, devices=[DEVICE])
    assert (found.values, found.is_range) == ((10.75, 20.5), True)


# ---- different values


def test_which_different_values_there_are(store: Store) -> None:
    """Of each device and source, of all devices or of some; what does not have the field is not there."""
    points = [row(n, {"serial": "a" if n < 3 else "b", "subnet": "x"}) for n in range(5)]
    points += [row(0, {"serial": "c"}, device=DEVICE, source=GATEWAY), row(0, {"serial": "d"}, device="441802-1.c1")]
    store.write(*body("identity", [*points, row(0, {"subnet": "y"}, device="441802-1.c2")]))
    own, told = Distinct(DEVICE, DEVICE, ("a", "b")), Distinct(DEVICE, GATEWAY, ("c",))
    assert list(store.distinct("identity", "serial", *ALL)) == [
        Distinct("441802-1.c1", "441802-1.c1", ("d",)), own, told
    ]  # fmt: skip
    assert list(store.distinct("identity", "serial", *ALL, [DEVICE, "441802-1.nobody"])) == [own, told]
    assert list(store.distinct("identity", "serial", at(3), at(5), [DEVICE])) == [own._replace(values=("b",))]
    assert list(store.distinct("identity", "serial", *ALL, [])) == []


# ---- late


def hour_of(time_ns: int) -> int:
    """Return the hour that a time lies in."""
    return time_ns // HOUR_NS


def test_late_marks_are_folded_by_device_and_hour(store: Store) -> None:
    """However many batches came late in an hour, it is one answer, as wide as all of them; the last one to the ns."""
    hour = -(-BASE_NS // HOUR_NS) * HOUR_NS
    marks = [(-3600, 20, 30), (60, 5, 9), (120, 2, 4), (180, 7, 50), (7000, 1, 1)]  # stored (s), oldest, newest (min)
    for second, oldest, newest in marks:
        fields: dict[str, Value] = {"oldest": at(oldest) // 10**6, "newest": at(newest) // 10**6}
        store.write(*body("late", [row(0, fields)._replace(time_ns=hour + second * 10**9 + 5)]))
    store.write(*body("late", [row(0, {"oldest": 1000, "newest": 1000}, device=GATEWAY)._replace(time_ns=hour)]))
    found = list(store.late(hour - DAY_NS, hour + DAY_NS))
    ms = 10**6 - 1
    assert [one[2:] for one in found if one.device == DEVICE] == [
        (at(20), at(30) + ms), (at(2), at(50) + ms), (at(1), at(1) + ms),
    ]  # fmt: skip
    for one, wanted_ns in zip(found, (hour - 3600 * 10**9 + 5, hour + 180 * 10**9 + 5), strict=False):
        assert one.stored_ns >= wanted_ns
        assert hour_of(one.stored_ns) == hour_of(wanted_ns)
    assert found[2].stored_ns == hour + 7000 * 10**9 + 5
    assert found[3] == Late(GATEWAY, hour, 10**9, 10**9 + ms)


def test_late_marks_since_an_instant(store: Store) -> None:
    """The period is that of storing, [since, until), within an hour too; of what an agent said for others as well."""
    for n in range(10):
        fields: dict[str, Value] = {"oldest": at(-n) // 10**6, "newest": at(-n) // 10**6}
        store.write(*body("late", [row(n, fields, source=GATEWAY if n % 2 else "")]))
    found = list(store.late(at(3), at(7)))
    assert {one.device for one in found} == {DEVICE}
    assert max(one.stored_ns for one in found) == at(6)
    assert (min(one.oldest_ns for one in found), max(one.newest_ns for one in found)) == (at(-6), at(-3) + 10**6 - 1)
    assert list(store.late(at(10), at(20))) == []


def test_an_empty_store_answers_these_questions_too(store: Store) -> None:
    """Nothing measured is no error."""
    assert list(store.tracks("presence", ["lan"], *ALL)) == []
    assert list(store.tracks("presence", ["lan"], *ALL, [DEVICE])) == []
    assert list(store.last_before("presence", ["lan"], at(0), [DEVICE])) == []
    assert list(store.first_from("presence", ["lan"], at(0))) == []
    assert list(store.presences(*ALL, [DEVICE])) == []
    assert list(store.readings("probe", "success", *ALL)) == []
    assert list(store.late(*ALL)) == []
