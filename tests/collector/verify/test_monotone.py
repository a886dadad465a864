"""Whatever is cut, and whatever is learnt later: sums stay the same, and no verdict is ever taken back."""

from itertools import accumulate, groupby, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.roster.schema import Device
from collector.targets.schema import Rule, Target
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.conclude import Conclusion, Period
from collector.verify.evidence import DayRecord
from collector.verify.outages import Tracker
from collector.verify.results import TargetResult, Verdict
from collector.verify.throughput import bounds
from collector.verify.units import Meanings, Sums, minutes_of, verdict_of
from tests.collector.verify.golden import CLASSES, DAY_NS, FIRST, HOTSPOTS, LAST, SITE, START_NS, roster_of

causes = st.sampled_from(list(Cause))
days = st.lists(causes, min_size=1, max_size=12)
thresholds = st.integers(1, 20).map(lambda twentieths: twentieths / 20)


def runs(found: list[Cause], number: int = 0) -> tuple[Run, ...]:
    """Return the runs of minutes with these causes."""
    start_ns = START_NS + number * DAY_NS
    ends = accumulate(len(list(same)) for _, same in groupby(found))
    return tuple(Run(start_ns + a * MINUTE_NS, b - a, found[a]) for a, b in pairwise([0, *ends]))


@given(days, st.lists(st.integers(0, 12), max_size=4))
def test_sums_do_not_mind_how_time_is_cut(found: list[Cause], cuts: list[int]) -> None:
    """The minutes and the interval of any time are the sums of those of its parts, wherever it is cut."""
    meanings = Meanings(HOTSPOTS)
    whole = meanings.sums(minutes_of(runs(found)))
    edges = sorted({0, len(found), *(cut for cut in cuts if cut < len(found))})
    parts = [meanings.sums(minutes_of(runs(found[one:two]))) for one, two in pairwise(edges)]
    assert Sums(*map(sum, zip(*parts, strict=True))) == whole
    assert sum(whole) == len(found)
    assert 0 <= whole.rate.low <= whole.rate.high <= 1


@given(st.lists(days, min_size=1, max_size=5))
def test_outages_do_not_mind_where_days_end(found: list[list[Cause]]) -> None:
    """A device has the same failures, up and down time in one long day as in the days that it is cut into."""

    def total(parts: list[list[Cause]]) -> tuple[int, ...]:
        tracker = Tracker("x", Meanings(HOTSPOTS))
        for number, part in enumerate(parts):
            tracker.add(runs(part, number))
        return tuple(tracker.finish())

    assert total(found) == total([[cause for part in found for cause in part]])


@given(days)
def test_quiet_days_are_those_without_bad_minutes(found: list[Cause]) -> None:
    """The short way for days on which nothing is bad gives the same as the long one."""
    quiet = [cause for cause in found if HOTSPOTS.meaning(cause) != "bad"]
    one, other = (Tracker("x", Meanings(HOTSPOTS)) for _ in range(2))
    down = runs([Cause.WAN_DOWN])
    sums = Meanings(HOTSPOTS).sums(minutes_of(runs(quiet)))
    one.add(down)
    other.add(down)
    one.add(runs(quiet, 1))
    if sums.good or sums.unknown:
        other.quiet(sums.good)
    one.add(runs([Cause.WAN_DOWN], 2))
    other.add(runs([Cause.WAN_DOWN], 2))
    assert one.finish() == other.finish()
    assert one.outages == other.outages


@st.composite
def learnt(draw: st.DrawFn, *, later: list[Cause], most_devices: int) -> tuple[list[list[list[Cause]]], ...]:
    """Return device-days (by device and day), before and after some of their unknown minutes became something else."""
    minutes = draw(st.integers(1, 8))
    day = st.lists(causes, min_size=minutes, max_size=minutes)
    devices = st.lists(st.lists(day, min_size=1, max_size=3), min_size=1, max_size=most_devices)
    before = draw(devices)
    unknown = (Cause.UNKNOWN, Cause.AGENT_DOWN)
    choice = st.sampled_from([*unknown, *later])
    after = [[[draw(choice) if c in unknown else c for c in one] for one in device] for device in before]
    agreed = [draw(st.booleans()) for _ in range(minutes)]  # the same for all devices of a site
    for side in (before, after):
        for device in side:
            for one in device:
                one[:] = [
                    Cause.EXCLUDED if is_agreed else (Cause.UNKNOWN if cause is Cause.EXCLUDED else cause)
                    for cause, is_agreed in zip(one, agreed, strict=True)
                ]
    return before, after


def concluded(target: Target, found: list[list[list[Cause]]], rooms: int) -> TargetResult:
    """Return the verdict over devices, which share rooms."""
    devices = [Device(f"{SITE}.c{n}", "classroom", f"r{n % rooms}") for n in range(len(found))]
    conclusion = Conclusion([target], Period(FIRST, LAST, [(FIRST, roster_of(*devices))]))
    for device, some in zip(devices, found, strict=True):
        for number, one in enumerate(some):
            record = DayRecord(device.id, START_NS + number * DAY_NS, target.criterion.id, runs(one, number))
            conclusion.add(record)
    ((result, _),) = conclusion.finish()
    return result


def is_kept(before: TargetResult, after: TargetResult) -> None:
    """Check that nothing that was said is taken back."""
    assert before.verdict is Verdict.NOT_PROVEN or after.verdict is before.verdict
    for old, new in zip(before.units, after.units, strict=True):
        assert old.id == new.id
        assert old.verdict is Verdict.NOT_PROVEN or new.verdict is old.verdict
        assert old.rate and new.rate
        assert old.rate.low <= new.rate.low + 1e-12
        assert new.rate.high <= old.rate.high + 1e-12


BAD, GOOD, OFF = Cause.SERVICE_DOWN, Cause.WORKING, Cause.POWER_OFF


@settings(max_examples=300, deadline=None)
@given(learnt(later=[GOOD, BAD], most_devices=4), thresholds, thresholds, st.integers(1, 3))
def test_what_is_learnt_later_takes_no_availability_back(
    found: tuple[list[list[list[Cause]]], ...], rate: float, share: float, rooms: int
) -> None:
    """Unknown minutes that turn out to be good or bad never make FAIL of PASS or PASS of FAIL, nor widen a rate."""
    target = CLASSES._replace(rule=Rule(availability=rate), share=share, at_least=1)
    is_kept(*(concluded(target, side, rooms) for side in found))


@settings(max_examples=300, deadline=None)
@given(learnt(later=[GOOD, BAD], most_devices=4), st.integers(1, 8), thresholds, thresholds, st.integers(1, 3))
def test_what_is_learnt_later_takes_no_school_day_back(
    found: tuple[list[list[list[Cause]]], ...], minutes: int, rate: float, share: float, rooms: int
) -> None:
    """The same of school days, with several platforms in a room."""
    target = CLASSES._replace(rule=Rule(days=rate, minutes=minutes), share=share)
    is_kept(*(concluded(target, side, rooms) for side in found))


@settings(max_examples=300, deadline=None)
@given(learnt(later=[GOOD, BAD, OFF], most_devices=1), st.integers(1, 8), thresholds, st.booleans())
def test_what_turns_out_to_be_off_takes_nothing_back(
    found: tuple[list[list[list[Cause]]], ...], minutes: int, rate: float, is_by_days: bool
) -> None:
    """Unknown minutes of a platform that turn out to be off, which is not broken, take no verdict back either."""
    rule = Rule(days=rate, minutes=minutes) if is_by_days else Rule(availability=rate)
    before, after = (concluded(CLASSES._replace(rule=rule), side, 1) for side in found)
    assert before.verdict is Verdict.NOT_PROVEN or before.verdict is after.verdict


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(1, 1000))
def test_a_threshold_that_is_reached_is_passed(good: int, unknown: int, bad: int, thousandths: int) -> None:
    """The verdict on a share is that of whole numbers: thousandths of the total, without any rounding."""
    total = good + unknown + bad
    verdict = verdict_of(good, unknown, total, thousandths / 1000)
    if total and good * 1000 >= thousandths * total:
        assert verdict is Verdict.PASS
    elif total and (good + unknown) * 1000 < thousandths * total:
        assert verdict is Verdict.FAIL
    else:
        assert verdict is Verdict.NOT_PROVEN


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=60))
def test_bounds_lie_around_the_median(goodputs: list[float]) -> None:
    """Lower ≤ median ≤ upper, both are tests that were made, and there are none below five tests alone."""
    found = bounds(goodputs)
    assert found
    assert (found.lower is None) == (found.upper is None) == (len(goodputs) < 5)
    if found.lower is not None and found.upper is not None:
        assert found.lower <= found.median <= found.upper
        assert {found.lower, found.upper} <= set(goodputs)
