"""What every store promises; each test runs over SQLite and over a real influxd."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.store.base import Poison, Row, Store, StoreMisconfigured, Summary
from collector.store.open import open_store
from contract.lines import clean_text
from contract.measurements import RETENTION_DAYS, TABLE, Kind, Measurement, Retention
from contract.sample import Value
from tests.collector.store.points import (
    ALL,
    BASE_NS,
    DAY_NS,
    DEVICE,
    EXTREMES,
    GATEWAY,
    MINUTE_NS,
    body,
    first_difference,
    in_order,
    line,
    presence,
    row,
)

# Ids whose order by site differs from their order as text: "." comes after "-".
DEVICES = ("441802-1.c2", "441802-1-a.c1", "441802-1.c10", "441802-10.c1", "441881-1.c1")


def own_tags(measurement: Measurement, value: str) -> dict[str, str]:
    """Give every own tag of a measurement a value."""
    return dict.fromkeys(measurement.tags, value)


# ---- what is written comes back


@pytest.mark.parametrize("name", TABLE)
def test_every_field_comes_back_with_its_type_and_value(store: Store, name: str) -> None:
    """Every measurement returns the extremes of every type exactly, and text in any script."""
    measurement = TABLE[name]
    points = []
    for at in range(max(len(values) for values in EXTREMES.values())):
        fields = {f.name: EXTREMES[f.kind][at % len(EXTREMES[f.kind])] for f in measurement.fields}
        points.append(row(at, fields, tags=own_tags(measurement, "网关 1,2=3")))

    assert store.write(*body(name, points)) == []

    found = list(store.select(name, *ALL))
    assert found == points
    kinds: dict[Kind, type] = {Kind.FLOAT: float, Kind.INTEGER: int, Kind.STRING: str}
    for point in found:
        for field, value in point.fields.items():
            assert type(value) is kinds[measurement.kind_of(field) or Kind.STRING], field


texts = st.text(max_size=40).map(clean_text)
VALUES_OF: dict[Kind, st.SearchStrategy[Value]] = {
    Kind.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    Kind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Kind.STRING: texts,
}


@st.composite
def measured(draw: st.DrawFn) -> tuple[str, Row]:
    """Draw any point that an agent can send."""
    measurement = draw(st.sampled_from([row for row in TABLE.values() if row.from_agent]))
    fields: dict[str, Value] = draw(
        st.fixed_dictionaries({}, optional={f.name: VALUES_OF[f.kind] for f in measurement.fields}).filter(bool)
    )
    clean = texts.map(lambda text: text.replace("'", "").strip()).filter(bool)
    return measurement.name, row(0, fields, tags={tag: draw(clean) for tag in measurement.tags})


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(points=st.lists(measured(), min_size=1, max_size=20))
def test_any_sample_of_an_agent_comes_back(store: Store, points: list[tuple[str, Row]]) -> None:
    """Whatever an agent can encode is stored without loss."""
    for name, drawn in points:
        point = drawn._replace(time_ns=time.time_ns() - DAY_NS)
        assert store.write(*body(name, [point])) == []
        assert list(store.select(name, point.time_ns, point.time_ns + 1)) == [point]


def test_minus_zero_is_zero(store: Store) -> None:
    """Rounding gives -0.0 on some agents; every store gives 0.0 back, or the same evidence would have two hashes."""
    store.write(*body("sensor", [row(0, {"value": -0.0}, tags={"name": "a"})]))
    assert [repr(point.fields["value"]) for point in store.select("sensor", *ALL)] == ["0.0"]


def test_writing_twice_stores_once(store: Store) -> None:
    """A batch that is sent again leaves the store as it was."""
    points = presence(range(100))
    for _ in range(3):
        assert store.write(*body("presence", points)) == []
    assert list(store.select("presence", *ALL)) == points
    assert list(store.summarise("presence", *ALL)) == [Summary(DEVICE, 100, points[0].time_ns, points[-1].time_ns)]


def test_fields_of_one_instant_are_merged(store: Store) -> None:
    """Fields that come later for the same series and time join those there; the later value wins."""
    store.write(*body("presence", [row(0, {"lan": 1, "wan": 0})]))
    store.write(*body("presence", [row(0, {"wan": 1, "boot": "b"})]))
    assert [point.fields for point in store.select("presence", *ALL)] == [{"lan": 1, "wan": 1, "boot": "b"}]


def test_a_closed_store_opens_again_with_everything(store: Store, url: str) -> None:
    """Closing loses nothing and may be done twice; a reader opens what a collector wrote."""
    points = presence(range(10))
    store.write(*body("presence", points))
    store.close()
    store.close()
    reader = open_store(url, create=False)
    reader.ready()
    assert list(reader.select("presence", *ALL)) == points
    reader.close()


def test_preparing_again_changes_nothing(store: Store) -> None:
    """A collector prepares the store at each start, whatever is in it."""
    points = presence(range(10))
    store.write(*body("presence", points))
    store.prepare()
    store.ready()
    assert list(store.select("presence", *ALL)) == points


def test_an_unprepared_store_is_the_operators_business(url: str) -> None:
    """Before `prepare` the store says what is wrong, and takes nothing as if it had stored it."""
    unprepared = open_store(url)
    for attempt in (unprepared.ready, lambda: unprepared.write(*body("presence", presence([0])))):
        with pytest.raises(StoreMisconfigured):
            attempt()
    unprepared.close()


def test_nothing_to_write_is_accepted(store: Store) -> None:
    """An empty body is no error."""
    assert store.write(Retention.EVIDENCE, b"") == []


# ---- reads


@pytest.mark.parametrize("name", ["presence", "probe", "fault", "interface", "throughput"])
def test_rows_come_in_canonical_order(store: Store, name: str) -> None:
    """Rows come by device, source, own tags and time as text, whatever order they were written in."""
    measurement = TABLE[name]
    field = measurement.fields[-1]
    points = [
        row(at, {field.name: EXTREMES[field.kind][0]}, device=device, source=source, tags=own_tags(measurement, tag))
        for device in DEVICES
        for source in (device, device.partition(".")[0] + ".a-gateway", device.partition(".")[0] + ".zz")
        for tag in (("网关", "Z", "a", "a b", "10", "9") if measurement.tags else ("",))
        for at in (0, 1, 2)
    ]
    shuffled = random.Random(7).sample(points, len(points))
    assert store.write(*body(name, shuffled)) == []
    assert list(store.select(name, *ALL)) == in_order(points)
    newest = in_order(point for point in points if point.time_ns == BASE_NS + 2 * MINUTE_NS)
    assert list(store.latest(name, *ALL)) == newest


def test_a_long_period_comes_in_order_too(store: Store) -> None:
    """More rows than a server puts into one piece of an answer, over many days, keep their order."""
    points = [
        row(-at, {"success": at % 2}, device=device, tags={"kind": "icmp", "target": target})
        for device in DEVICES[:2]
        for target in ("a", "b")
        for at in range(0, 60_000, 9)
    ]
    store.write(*body("probe", points))
    found = store.select("probe", BASE_NS - 100 * DAY_NS, BASE_NS + DAY_NS)
    assert first_difference(found, in_order(points)) is None


def test_periods_take_their_start_and_leave_their_end(store: Store) -> None:
    """A period is [start, end): adjoining periods share no row and miss none."""
    points = presence(range(10))
    store.write(*body("presence", points))
    start, end = points[3].time_ns, points[6].time_ns
    assert list(store.select("presence", start, end)) == points[3:6]
    assert list(store.select("presence", start, start)) == []
    assert list(store.select("presence", start, start + 1)) == points[3:4]
    assert [s[1:] for s in store.summarise("presence", start, end)] == [(3, start, points[5].time_ns)]
    assert list(store.latest("presence", start, end)) == points[5:6]
    assert store.devices(end, end + 1) == [DEVICE]
    assert store.devices(points[9].time_ns + 1, ALL[1]) == []


def test_only_the_devices_asked_for(store: Store) -> None:
    """Any number of devices may be asked for, in any order, twice, unknown ones too."""
    ids = [f"441802-1.c{at}" for at in range(130)]
    points = [point for device in ids for point in presence([0, 1], device)]
    store.write(*body("presence", points))
    asked = [*random.Random(7).sample(ids, 120), ids[0], ids[0], "441802-2.unknown"]
    wanted = in_order(point for point in points if point.device in asked)
    assert list(store.select("presence", *ALL, asked)) == wanted
    assert list(store.latest("presence", *ALL, asked)) == wanted[1::2]
    assert list(store.select("presence", *ALL, [])) == []


def test_a_device_id_is_never_query_text(store: Store) -> None:
    """Quotes and backslashes in an id find nothing and break nothing."""
    store.write(*body("presence", presence([0])))
    for text in ("x' OR device != '", "\\", "x\\' OR 1=1 --", '"', "'; DROP MEASUREMENT presence"):
        assert list(store.select("presence", *ALL, [text])) == []
    assert len(list(store.select("presence", *ALL))) == 1


def test_latest_is_one_whole_row_a_series(store: Store) -> None:
    """The newest row is the row of one instant: fields of older rows are not mixed in."""
    points = [
        row(0, {"success": 1, "rtt_ms": 3.0}, tags={"kind": "icmp", "target": "a"}),
        row(5, {"success": 0, "stage": "timeout"}, tags={"kind": "icmp", "target": "a"}),
        row(3, {"success": 1}, tags={"kind": "tcp", "target": "a"}),
        row(4, {"success": 1}, source=GATEWAY, tags={"kind": "icmp", "target": "a"}),
    ]
    store.write(*body("probe", points))
    assert list(store.latest("probe", *ALL)) == in_order(points[1:])


def test_devices_are_those_with_presence_or_delivery(store: Store) -> None:
    """A device counts as heard of when it has presence or delivery in the period, and for nothing else."""
    store.write(*body("presence", presence([0], "441802-1.c2")))
    store.write(*body("presence", [row(9, {"lan": 1}, device="441802-1.c10")]))
    store.write(*body("delivery", [row(0, {"seq": 1}, device="441802-1.c3", source="441802-1.gw")]))
    store.write(*body("host", [row(0, {"load1": 0.1}, device="441802-1.c4")]))
    assert store.devices(*ALL) == ["441802-1.c10", "441802-1.c2", "441802-1.c3"]
    assert store.devices(BASE_NS, BASE_NS + 1) == ["441802-1.c2", "441802-1.c3"]
    assert store.devices(*ALL, ["441802-1.c4", "441802-1.c3", "441802-1.c10"]) == ["441802-1.c10", "441802-1.c3"]
    assert store.devices(*ALL, []) == []


def test_summaries_count_points_not_values(store: Store) -> None:
    """A point counts once, whichever of its fields it has; all series of a device count together."""
    tags = {"kind": "icmp", "target": "a"}
    points = [
        row(0, {"success": 1}, tags=tags),
        row(1, {"rtt_ms": 1.0}, tags=tags),
        row(1, {"rtt_ms": 1.0, "success": 1}, source=GATEWAY, tags=tags),
        row(7, {"stage": "dns", "code": 2}, tags={"kind": "dns", "target": "b"}),
        row(2, {"success": 1}, device="441802-1.c1", tags=tags),
    ]
    store.write(*body("probe", points))
    assert list(store.summarise("probe", *ALL)) == [
        Summary("441802-1.c1", 1, BASE_NS + 2 * MINUTE_NS, BASE_NS + 2 * MINUTE_NS),
        Summary(DEVICE, 4, BASE_NS, BASE_NS + 7 * MINUTE_NS),
    ]


def test_an_empty_store_answers_every_question(store: Store) -> None:
    """Nothing measured is no error."""
    assert store.devices(*ALL) == []
    for name in TABLE:
        assert list(store.select(name, *ALL)) == []
        assert list(store.latest(name, *ALL, [DEVICE])) == []
        assert list(store.summarise(name, *ALL)) == []


def test_a_read_that_is_given_up_does_no_harm(store: Store) -> None:
    """Reads may be taken in turns and given up half-way; the store goes on reading and writing."""
    points = presence(range(100))
    store.write(*body("presence", points))
    first, second = store.select("presence", *ALL), store.select("presence", *ALL)
    assert [next(first), next(second), next(first)] == [points[0], points[0], points[1]]
    del first, second
    assert store.write(*body("presence", presence([200]))) == []
    assert len(list(store.select("presence", *ALL))) == 101


# ---- lines that are refused


def test_a_bad_line_among_thousands_is_named_and_the_rest_stored(store: Store) -> None:
    """One line of the wrong type among 3,000 is returned as it was, with words; 3,000 are stored."""
    points = presence(range(-3000, 0))
    store.write(*body("presence", points[:1]))
    lines = [line("presence", point) for point in points]
    bad = lines[1717].replace(b"lan=1i", b'lan="yes"')
    lines.insert(1718, bad)
    poison = store.write(Retention.EVIDENCE, b"".join(lines))
    assert [item.line for item in poison] == [bad.removesuffix(b"\n")]
    assert "lan" in poison[0].message
    assert first_difference(store.select("presence", BASE_NS - 3 * DAY_NS, BASE_NS), points) is None


def _too_old(good: bytes) -> bytes:
    return good[:-20] + b"%d\n" % (time.time_ns() - (RETENTION_DAYS[Retention.EVIDENCE] + 1) * DAY_NS)


BAD: dict[str, Callable[[bytes], bytes]] = {
    "too old": _too_old,
    "string for integer": lambda good: good.replace(b"lan=1i", b'lan="x"'),
    "float for integer": lambda good: good.replace(b"lan=1i", b"lan=1.5"),
    "integer for string": lambda good: good.replace(b'boot="5f0c9a1e"', b"boot=1i"),
    "integer for float": lambda good: good.replace(b"asleep_s=0.0", b"asleep_s=0i"),
    "not a number": lambda good: good.replace(b"asleep_s=0.0", b"asleep_s=NaN"),
    "beyond 64 bits": lambda good: good.replace(b"lan=1i", b"lan=9223372036854775808i"),
    "no value": lambda good: good.replace(b"lan=1i", b"lan="),
    "no field": lambda _: b"presence,device=441802-1.c1 1764000000000000000\n",
    "not a line": lambda _: b"hello\n",
    "open quote": lambda good: good.replace(b'boot="5f0c9a1e"', b'boot="5f0c9a1e'),
    "twice the same tag": lambda good: good.replace(b" ", b",device=441802-1.c1 ", 1),
    "time beyond 64 bits": lambda good: good[:-1] + b"0000\n",
}


@pytest.mark.parametrize("flaw", BAD)
def test_each_kind_of_bad_line_is_named_alone(store: Store, flaw: str) -> None:
    """A bad line neither passes as stored nor takes its neighbours with it."""
    before, spoilt, after = presence([0, 1, 2])
    store.write(*body("presence", [before]))
    bad = BAD[flaw](line("presence", spoilt))
    poison = store.write(Retention.EVIDENCE, line("presence", before) + bad + line("presence", after))
    assert [type(item) for item in poison] == [Poison]
    assert poison[0].line == bad.removesuffix(b"\n")
    assert poison[0].message
    assert "\n" not in poison[0].message
    assert list(store.select("presence", *ALL)) == [before, after]


def test_many_bad_lines_are_all_named(store: Store) -> None:
    """Every bad line is named, in the order of the body."""
    points = presence(range(100))
    store.write(*body("presence", points))
    lines = [line("presence", point) for point in presence(range(100))]
    lines[10::7] = [item.replace(b"wan=1i", b"wan=0.5") for item in lines[10::7]]
    poison = store.write(Retention.EVIDENCE, b"".join(lines))
    assert [item.line + b"\n" for item in poison] == lines[10::7]
    assert list(store.select("presence", *ALL)) == points


# ---- many lines, many threads


def test_a_write_may_be_of_any_size(store: Store) -> None:
    """More lines than one request takes, the last without its line feed, are all stored."""
    points = presence(range(-12_001, 0))
    retention, lines = body("presence", points)
    assert store.write(retention, lines.removesuffix(b"\n")) == []
    assert first_difference(store.select("presence", BASE_NS - 30 * DAY_NS, BASE_NS), points) is None


def test_threads_write_and_read_at_once(store: Store) -> None:
    """Eight threads that write, and read between, lose nothing and see no half of a row."""
    ids = [f"441802-1.c{at}" for at in range(8)]

    def work(device: str) -> int:
        for at in range(0, 200, 20):
            assert store.write(*body("presence", presence(range(at, at + 20), device))) == []
            assert all(len(found.fields) == 6 for found in store.select("presence", *ALL, [device]))
        return len(list(store.select("presence", *ALL, [device])))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, ids)) == [200] * 8
    assert [(s.device, s.points) for s in store.summarise("presence", *ALL)] == [(device, 200) for device in ids]
