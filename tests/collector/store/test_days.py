"""Device-days that were judged: written to and read from both stores."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.days import DAYS_A_WRITE, Judged, StoredDay, day_line, read_days, unsynced_ns, write_days
from collector.store.base import Poison, Store, StoreMisconfigured
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.evidence import DayRecord
from contract.measurements import TABLE
from contract.sample import Value
from tests.collector.store.points import BASE_NS, DAY_NS, DEVICE, GATEWAY, body, row
from tests.collector.test_pipeline import StoreDouble

DAY = BASE_NS - 40 * DAY_NS
CRITERION = "service-0a1b2c3d4e"
MONTH = (DAY, DAY + 31 * DAY_NS)


def run(minute: int, minutes: int, cause: Cause = Cause.WORKING, stage: str = "") -> Run:
    """Return a run that begins at a minute of DAY."""
    return Run(DAY + minute * MINUTE_NS, minutes, cause, stage)


def judged(*runs: Run, device: str = DEVICE, day: int = 0, criterion: str = CRITERION, is_open: bool = False) -> Judged:
    """Return a day that was judged."""
    start_ns = DAY + day * DAY_NS
    moved = tuple(one._replace(start_ns=one.start_ns + day * DAY_NS) for one in runs)
    return Judged(DayRecord(device, start_ns, criterion, moved, is_open), 1_764_000_000_123, "deadbeef0123")


def test_a_day_comes_back_as_it_was_judged(store: Store) -> None:
    """Runs with their causes and stages, whether it is open, when it was judged and by which inputs."""
    day = judged(run(480, 45), run(525, 10, Cause.SERVICE_DOWN, "dns"), run(600, 1, Cause.UNKNOWN), is_open=True)
    assert write_days(store, [day]) == 1
    (found,) = read_days(store, *MONTH)
    text = "480+45w 525+10s:dns 600+1u"
    assert found == StoredDay(DEVICE, "service-0a1b2c3d4e", DAY, text, True, 1_764_000_000_123, "deadbeef0123")
    assert found.record() == day.record


def test_the_minutes_of_every_cause_are_stored(store: Store) -> None:
    """Other programs can add up the minutes of a cause; one that has none is 0, not absent."""
    day = judged(run(480, 45), run(525, 10, Cause.WAN_DOWN), run(600, 5))
    write_days(store, [day])
    (point,) = store.select("availability", *MONTH)
    assert point.fields.keys() == {field.name for field in TABLE["availability"].fields}
    assert [point.fields[cause] for cause in (Cause.WORKING, Cause.WAN_DOWN)] == [50, 10]
    assert sum(int(point.fields[cause]) for cause in Cause) == 60


def test_a_day_that_is_judged_again_replaces_the_first_judgement(store: Store) -> None:
    """Nothing of the first judgement is left: no minutes, no cause, not that it was open."""
    write_days(store, [judged(run(480, 45, Cause.UNKNOWN), run(525, 9, Cause.ASLEEP), is_open=True)])
    again = judged(run(480, 54))._replace(judged_ms=1_764_000_999_999, inputs="")
    for _ in range(2):
        write_days(store, [again])
    (found,) = read_days(store, *MONTH)
    assert (found.record(), found.judged_ms, found.inputs) == again
    (point,) = store.select("availability", *MONTH)
    assert [point.fields[cause] for cause in (Cause.UNKNOWN, Cause.ASLEEP, Cause.WORKING)] == [0, 0, 54]


def test_a_day_without_any_minutes_replaces_too(store: Store) -> None:
    """A day of which nothing is asked any more leaves no runs of the first judgement."""
    write_days(store, [judged(run(480, 45))])
    write_days(store, [judged()])
    (found,) = read_days(store, *MONTH)
    assert (found.runs, found.record().runs) == ("", ())


def test_days_come_by_device_criterion_and_day(store: Store) -> None:
    """Two criteria of one device are two judgements; only the days that begin in the period come."""
    days = [
        judged(run(480, day + 1), device=device, day=day, criterion=criterion)
        for device in (DEVICE, GATEWAY)
        for criterion in ("lessons-b", "service-a")
        for day in range(4)
    ]
    write_days(store, reversed(days))
    found = [one.record() for one in read_days(store, DAY + DAY_NS, DAY + 3 * DAY_NS)]
    assert found == [day.record for day in days if day.record.day_start_ns in (DAY + DAY_NS, DAY + 2 * DAY_NS)]
    assert {one.device for one in read_days(store, *MONTH, [GATEWAY])} == {GATEWAY}


def test_more_days_than_one_write(store: Store) -> None:
    """Any number of days is written, from a stream, and read as a stream."""
    names = [f"441802-1.c{n:04d}" for n in range(DAYS_A_WRITE + 1)]
    assert write_days(store, (judged(run(480, 45), device=name) for name in names)) == len(names)
    assert [one.device for one in read_days(store, *MONTH)] == names


def test_a_store_that_refuses_days_is_no_success() -> None:
    """A day that the store does not take is an error with its words; an unverified month is never taken for stored."""
    store = StoreDouble()
    store.fate = lambda lines: [Poison(lines, "field type conflict")]
    with pytest.raises(StoreMisconfigured, match="refuses days as they were judged: field type conflict"):
        write_days(store, [judged(run(480, 45))])


causes = st.sampled_from(Cause)
stages = st.sampled_from(["", "dns", "http", "connect-2"])


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(pieces=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 90), causes, stages), max_size=20))
def test_any_day_comes_back(store: Store, pieces: list[tuple[int, int, Cause, str]]) -> None:
    """Whatever causes a day has in whatever order, its minutes are the same after the store."""
    runs, minute = [], 0
    for pause, minutes, cause, stage in pieces:
        runs.append(run(minute + pause, minutes, cause, stage))
        minute += pause + minutes
    day = judged(*runs)
    write_days(store, [day])
    (found,) = read_days(store, *MONTH)
    assert found.record() == day.record


def test_the_line_of_a_day() -> None:
    """The line has the identity that all lines have, and its time is the day's local midnight."""
    line = day_line(judged(run(480, 45)))
    assert line.startswith(
        b"availability,device=441802-3144001234.c0703,site=441802-3144001234,county=441802,criterion=service-0a1b2c3d4e"
    )
    assert line.endswith(b" %d\n" % DAY)


# ---- boots without a clock


def test_when_batches_of_boots_without_a_clock_came(store: Store) -> None:
    """Of each agent the times at which it delivered such batches; what it delivered otherwise does not count."""
    store.write(*body("delivery", [row(n, {"seq": n, "lines": 30, "clock": "synced"}) for n in range(10)]))
    for n, device, source in ((3, DEVICE, ""), (8, DEVICE, ""), (5, DEVICE, GATEWAY), (4, GATEWAY, "")):
        fields: dict[str, Value] = {"seq": n, "lines": 0, "clock": "unsynced", "held": 9}
        store.write(*body("delivery", [row(n, fields, device=device, source=source)]))
    minute = MINUTE_NS
    assert list(unsynced_ns(store, BASE_NS, BASE_NS + DAY_NS)) == [
        (DEVICE, [BASE_NS + 3 * minute, BASE_NS + 8 * minute]), (GATEWAY, [BASE_NS + 4 * minute]),
    ]  # fmt: skip
    assert list(unsynced_ns(store, BASE_NS, BASE_NS + 4 * minute, [DEVICE])) == [(DEVICE, [BASE_NS + 3 * minute])]
