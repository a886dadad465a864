"""Medians, contracts, outages, journeys, silence, use, delivery against tables computed by hand: golden_units.md."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.calendars.schedule import DayKind, DaySchedule, Window
from collector.roster.schema import Device, Site
from collector.verify import throughput
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.conclude import Conclusion, Observed, Period, conclude
from collector.verify.delivery import Arrival, Deliveries, Ledger
from collector.verify.equipment import Heard, equipment
from collector.verify.firmware import firmware
from collector.verify.journey import Tracer, Walk
from collector.verify.operators import Contracts
from collector.verify.reporting import AT_RISK_DAYS, silent_days
from collector.verify.throughput import LEAST_TESTS, rank, unit_result
from collector.verify.usage import Used, Users, lessons_of
from tests.collector.verify.golden import (
    DAY_NS,
    FIRST,
    HOTSPOTS,
    LAST,
    SITE,
    START_NS,
    records,
    roster_of,
    rows,
)  # fmt: skip

AP = Device(f"{SITE}.ap1", "access-point", profile="unifi-ap")
UNIT = (SITE, "示例小学", SITE)


@pytest.mark.parametrize("row", rows("Medians"), ids=lambda row: row[0])
def test_medians_have_the_bounds_of_the_table(row: list[str]) -> None:
    """Bounds and verdict are those of the order statistics; tests that say nothing of the line are counted apart."""
    _, tests, lower, median, upper, threshold, verdict = row
    conclusive = [float(test) for test in tests.split() if not test.startswith("x")]
    limited = tests.count("x")
    unit = unit_result(UNIT, conclusive, limited, float(threshold))
    found = [unit.figures.get(name) for name in ("lower_mbps", "median_mbps", "upper_mbps")]
    assert (unit.verdict, found) == (verdict, [float(cell) if cell else None for cell in (lower, median, upper)])
    assert (unit.figures["tests"], unit.figures["inconclusive"]) == (len(conclusive), limited)


def test_five_tests_are_the_fewest() -> None:
    """Below five tests no order statistic bounds the median at 95 %; with 5, 6, 8 and 20 it is that of the table."""
    assert [rank(tests) for tests in (0, 1, LEAST_TESTS - 1, LEAST_TESTS, 6, 7, 8, 20)] == [0, 0, 0, 1, 1, 1, 2, 6]


@pytest.mark.parametrize("row", rows("Contracts"), ids=lambda row: row[0])
def test_contracts_are_kept_at_four_fifths(row: list[str]) -> None:
    """80 % of the contracted rate keeps a contract."""
    _, contracted, tests, verdict = row
    contracts = Contracts()
    for goodput in map(float, tests.split()):
        contracts.add(throughput.Test(f"{SITE}.c1", START_NS, "download", goodput))
        contracts.add(throughput.Test(f"{SITE}.c1", START_NS, "upload", 1.0))
    site = Site(SITE, "示例小学", operator="示例电信", contracted_mbps=float(contracted))
    other = Site("441802-2", operator="示例电信")
    (operator,) = contracts.finish([site, other])
    assert [unit.verdict for unit in operator.sites] == [verdict]
    assert operator.no_contract == 1


@pytest.mark.parametrize("row", rows("Outages"), ids=lambda row: row[0])
def test_outages_are_counted_as_by_hand(row: list[str]) -> None:
    """Failures, MTBF, MTTR and the longest outage are those of the table, of the target and of the unit."""
    _, days, *expected = row
    conclusion = Conclusion([HOTSPOTS], Period(FIRST, LAST, [(FIRST, roster_of(AP))]))
    for record in records(HOTSPOTS, AP.id, days):
        conclusion.add(record)
    ((result, figures),) = conclusion.finish()
    found = figures.reliability
    numbers = (*found, found.mtbf_minutes, found.mttr_minutes)
    assert [f"{number:g}" if number is not None else "" for number in numbers] == expected
    (unit,) = result.units
    names = ("failures", "longest_minutes", "mtbf_minutes", "mttr_minutes")
    assert [unit.figures.get(name) for name in names] == [numbers[0], numbers[3], numbers[4], numbers[5]]
    assert sum(outage.minutes for outage in figures.outages) == found.down_minutes


def test_the_longest_outages_are_kept() -> None:
    """Of many outages the longest are told, each with its begin, its end and what it was mostly due to."""
    conclusion = Conclusion([HOTSPOTS], Period(FIRST, LAST, [(FIRST, roster_of(AP))]), most_outages=2)
    for record in records(HOTSPOTS, AP.id, "9w 5s 9w 7n 2s 9w 1s 9w / 9w 6l"):
        conclusion.add(record)
    ((_, figures),) = conclusion.finish()
    assert figures.reliability.failures == 4
    assert [(one.minutes, one.cause, (one.start_ns - START_NS) // MINUTE_NS) for one in figures.outages] == [
        (9, Cause.WAN_DOWN, 23), (6, Cause.LAN_DOWN, 1449),
    ]  # fmt: skip
    assert figures.minutes == {"working": 45, "service_down": 8, "wan_down": 7, "lan_down": 6}


@pytest.mark.parametrize("row", rows("Journeys"), ids=lambda row: row[0])
def test_journeys_end_where_the_table_says(row: list[str]) -> None:
    """Each stage was asked and passed as often as by hand; a login page that was reached is a success."""
    _, outcomes, done, stages, failed = row
    tracer = Tracer()
    for outcome in outcomes.split(", "):
        success = None if outcome == "unable" else outcome.startswith("ok ")
        stage = outcome.removeprefix("ok ")
        times = {"http_ms": 80.0} if stage.endswith("+http") else {}
        tracer.walk(Walk(AP.id, START_NS, "wifi_join", success, stage.removesuffix("+http"), times))
    (journey,) = tracer.finish().total
    assert f"{journey.done}/{journey.journeys}" == done
    assert ", ".join(f"{one.stage} {one.passed}/{one.asked}" for one in journey.stages) == stages
    assert ", ".join(f"{stage} {number}" for stage, number in sorted(journey.failed.items())) == failed
    assert tracer.finish().by_site == {SITE: (journey,)}


def test_times_of_a_stage_are_right_to_a_percent() -> None:
    """The median and the 95th of a hundred leases, 10 ms to 1000 ms, are the 50th and the 95th of them."""
    tracer = Tracer()
    for number in range(1, 101):
        tracer.walk(Walk(AP.id, START_NS, "wifi_join", True, "done", {"dhcp_ms": 10.0 * number}))
    dhcp = next(stage for stage in tracer.finish().total[0].stages if stage.stage == "dhcp")
    assert dhcp.p50_ms == pytest.approx(500, rel=0.01)
    assert dhcp.p95_ms == pytest.approx(950, rel=0.01)


def test_hotspots_without_a_client_tell_of_single_stages() -> None:
    """Portal, http and throughput have rows of their own; a school's http probe and foreign devices are none of it."""
    classroom = Device(f"{SITE}.c1", "classroom")
    conclusion = Conclusion([], Period(FIRST, LAST, [(FIRST, roster_of(AP, classroom))]))
    for device in (AP.id, classroom.id, f"{SITE}.c9"):
        conclusion.walk(Walk(device, START_NS, "portal", True, "portal", {"duration_ms": 30.0}))
        conclusion.walk(Walk(device, START_NS, "http", False, "connect"))
        conclusion.walk(Walk(device, START_NS, "icmp", True, "done"))
        conclusion.test(throughput.Test(device, START_NS, "download", 1.9))
        conclusion.test(throughput.Test(device, START_NS, "download", 2.0))
        conclusion.test(throughput.Test(device, START_NS, "download", 90.0, "nic"))
    found = conclusion.rates(START_NS).journeys.total
    assert [(one.kind, one.done, one.journeys, dict(one.failed)) for one in found] == [
        ("portal", 1, 1, {}), ("http", 0, 1, {"connect": 1}), ("throughput", 1, 2, {"throughput": 1}),
    ]  # fmt: skip


def schedules(marks: str) -> list[DaySchedule]:
    """Return days of service, `S`, and days off, `-`, from the first day on."""
    found = []
    for number, mark in enumerate(marks.split()):
        start_ns = START_NS + number * DAY_NS
        hours = Window(start_ns + 480 * MINUTE_NS, start_ns + 1020 * MINUTE_NS)
        kind = DayKind.WORKDAY if mark.startswith("S") else DayKind.WEEKEND
        service = (hours,) if mark.startswith("S") else ()
        day = FIRST + timedelta(days=number)
        found.append(DaySchedule(day, kind, "", start_ns, start_ns + DAY_NS, service, service))
    return found


@pytest.mark.parametrize("row", rows("Silence"), ids=lambda row: row[0])
def test_silence_is_counted_in_days_of_service(row: list[str]) -> None:
    """Silent days, and who is at risk, are those of the table."""
    _, marks, silent, at_risk = row
    days = schedules(marks)
    seen = [day.start_ns + 500 * MINUTE_NS for day, mark in zip(days, marks.split(), strict=True) if "*" in mark]
    closed = [day for day, mark in zip(days, marks.split(), strict=True) if "c" in mark]
    found = silent_days(seen[-1] if seen else None, days, closed.__contains__)
    assert (found, found >= AT_RISK_DAYS) == (int(silent), at_risk == "yes")


def test_who_is_at_risk() -> None:
    """Devices silent for two days of service are listed, the longest silence first; days not over do not count."""
    days = {day.day: day for day in schedules("S S S S")}
    old = [Device(f"{SITE}.c{number}", "classroom") for number in (1, 2, 3)]
    new = Device(f"{SITE}.c4", "classroom", commissioned_on=date(2026, 9, 3))
    period = Period(FIRST, date(2026, 9, 4), [(FIRST, roster_of(*old, new))])
    observed = Observed(
        seen=[old[0].id, old[1].id, f"{SITE}.c9"],
        heard=[Heard(old[0].id, START_NS + 500 * MINUTE_NS), Heard(old[1].id, START_NS + 2 * DAY_NS + 600 * MINUTE_NS)],
    )
    horizon_ns = START_NS + 3 * DAY_NS + 1  # the fourth day has just begun
    result = conclude([], period, [], observed, horizon_ns=horizon_ns, schedule_of=lambda _, day: days[day])
    found = result.rates.reporting
    assert (found.devices, found.reporting) == (4, 2)
    assert [(one.device, one.days) for one in found.at_risk] == [(old[2].id, 3), (old[0].id, 2)]
    assert (result.first, result.last, result.horizon_ns) == (FIRST, date(2026, 9, 4), horizon_ns)


def test_a_closed_day_is_that_of_the_device() -> None:
    """What was agreed of one room keeps its device from being at risk, and nobody else's."""
    days = {day.day: day for day in schedules("S S")}
    devices = [Device(f"{SITE}.c{number}", "classroom") for number in (1, 2)]
    last = FIRST + timedelta(days=1)
    conclusion = Conclusion([], Period(FIRST, last, [(FIRST, roster_of(*devices))]))
    horizon_ns = START_NS + 2 * DAY_NS

    def is_closed(device: str, day: DaySchedule) -> bool:
        return device == devices[0].id and day.day == last

    found = conclusion.rates(horizon_ns, lambda _, day: days[day], is_closed).reporting
    assert found.devices == 2
    assert [(one.device, one.days) for one in found.at_risk] == [(devices[1].id, 2)]


@pytest.mark.parametrize("row", rows("Use"), ids=lambda row: row[0])
def test_lessons_are_used_as_by_hand(row: list[str]) -> None:
    """Used, unused and unknown lessons are those of the table."""
    _, text, *expected = row
    windows, readings, runs = [], [], []
    for number, said in enumerate(text.split("/")):
        window = Window(START_NS + number * 60 * MINUTE_NS, START_NS + (number * 60 + 40) * MINUTE_NS)
        windows.append(window)
        if said.strip() == "off":
            runs.append(Run(window.start_ns, 40, Cause.POWER_OFF))
        for at, reading in enumerate(re.findall(r"([ds])(\d)", said)):
            value = int(reading[1])
            on, active = (value, None) if reading[0] == "d" else (None, value)
            readings.append(Used(window.start_ns + at * MINUTE_NS, on, active))
    schedule = DaySchedule(FIRST, DayKind.WORKDAY, "", START_NS, START_NS + DAY_NS, tuple(windows), tuple(windows))
    users = Users()
    for lesson in lessons_of(f"{SITE}.c1", schedule, readings, runs):
        users.add(lesson)
    usage = users.finish()
    site = usage.by_site[SITE]
    assert [str(number) for number in (site.used, site.unused, site.unknown)] == expected
    assert [lesson.number for lesson in usage.lessons] == list(range(1, len(windows) + 1))


def test_a_lesson_of_maintenance_is_not_asked_about() -> None:
    """A lesson that an agreed interruption takes away is left out, and the next one keeps its number."""
    one, two = (Window(START_NS + at * MINUTE_NS, START_NS + (at + 40) * MINUTE_NS) for at in (0, 60))
    schedule = DaySchedule(FIRST, DayKind.WORKDAY, "", START_NS, START_NS + DAY_NS, (one, two), (one, two), (one,))
    assert [lesson.number for lesson in lessons_of(f"{SITE}.c1", schedule, [], [])] == [2]


@pytest.mark.parametrize("row", rows("Delivery"), ids=lambda row: row[0])
def test_what_is_missing_is_counted_as_by_hand(row: list[str]) -> None:
    """Batches that came and those that never did are those of the table."""
    _, batches, came, missing = row
    deliveries = Deliveries()
    for epoch, seq, end in re.findall(r"([a-z])(\d+)(?:\((\w+)\))?", batches):
        deliveries.add(Arrival(f"{SITE}.c1", epoch, int(seq), f"{end[0]}:{end[1:]}" if end else ""))
    (found,) = deliveries.finish()
    assert (found.batches, found.missing) == (int(came), int(missing))
    assert found.share == found.batches / (found.batches + found.missing)


@pytest.mark.parametrize("row", rows("Ledger"), ids=lambda row: row[0])
def test_sums_tell_that_nothing_is_missing(row: list[str]) -> None:
    """Whether sums prove it is that of the table; where they do, looking at each batch finds nothing missing either."""
    _, text, came, total, _, _, whole = row
    batches = [(epoch, int(seq), end) for epoch, seq, end in re.findall(r"([a-z])(\d+)(?:\((\w+)\))?", text)]
    numbers = [seq for _, seq, _ in batches]
    assert (len(numbers), sum(numbers)) == (int(came), int(total))
    ends = tuple(int(end[1:]) for _, _, end in batches[1:] if end)
    is_chained = batches[0][0] in {batches[-1][0], *(end[0] for _, _, end in batches[1:] if end)}
    ledger = Ledger(len(numbers), sum(numbers), numbers[0], numbers[-1], bool(batches[0][2]), ends, is_chained)
    assert ledger.is_whole is (whole == "yes")
    one_by_one = Deliveries()
    for epoch, seq, end in batches:
        one_by_one.add(Arrival(f"{SITE}.c1", epoch, seq, f"{end[0]}:{end[1:]}" if end else ""))
    at_once = Deliveries()
    at_once.whole(f"{SITE}.c1", len(numbers))
    if ledger.is_whole:
        assert one_by_one.finish() == at_once.finish()


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=5), st.booleans())
def test_sums_never_hide_what_one_by_one_finds(epochs: list[list[bool]], is_begun: bool) -> None:
    """Whatever is lost, but for first batches of starts: sums that are whole mean that nothing is missing."""
    came: list[tuple[int, int]] = []
    for epoch, numbers in enumerate(epochs, 1):
        first_always = numbers if epoch == 1 and is_begun else [True, *numbers[1:]]
        came += [(epoch, seq) for seq, has_come in enumerate(first_always, 1) if has_come]
    told = {(epoch, 1): len(epochs[epoch - 2]) if epoch > 1 else 9 for epoch, _ in enumerate(epochs, 1)}
    deliveries = Deliveries()
    for epoch, seq in came:
        previous = f"{epoch - 1}:{told[epoch, seq]}" if (epoch, seq) in told else ""
        deliveries.add(Arrival(f"{SITE}.c1", str(epoch), seq, previous))
    if not came:
        return
    seqs = [seq for _, seq in came]
    ends = tuple(told[one] for one in came[1:] if one in told)
    is_chained = came[0][0] in {came[-1][0], *(epoch - 1 for epoch, seq in came[1:] if seq == 1)}
    ledger = Ledger(len(seqs), sum(seqs), seqs[0], seqs[-1], came[0] in told, ends, is_chained)
    (found,) = deliveries.finish()
    assert ledger.is_whole is (found.missing == 0)


def test_equipment_is_what_the_roster_says() -> None:
    """Right, of another model, of unknown model, never seen: only the first is proven, the last two may be right."""
    devices = [AP._replace(id=f"{SITE}.ap{number}") for number in range(1, 6)]
    devices[4] = devices[4]._replace(profile="")
    heard = [Heard(devices[0].id, 1, "unifi-ap"), Heard(devices[1].id, 1, "tplink-eap"), Heard(devices[2].id, 1)]
    found = equipment(devices, {one.device: one for one in [*heard, Heard(devices[4].id, 1, "unifi-ap")]})
    assert (found.right, found.without_profile, found.never) == (2, 1, (devices[3].id,))
    assert found.other == ((devices[1].id, "unifi-ap", "tplink-eap"),)
    assert found.rate == (0.4, 0.8)


def test_firmware_by_profile() -> None:
    """Each profile tells how many devices are good, behind, or unknown; a device is of the profile it was seen with."""
    devices = [AP._replace(id=f"{SITE}.ap{number}") for number in range(1, 5)]
    heard = [
        Heard(devices[0].id, 1, "unifi-ap", "6.5", 1),
        Heard(devices[1].id, 1, "", "4.0", 0),
        Heard(devices[2].id, 1, "tplink-eap", "1.0"),
    ]
    other, own = firmware(devices, {one.device: one for one in heard})
    assert (other.profile, other.compliant, other.behind, other.unknown) == ("tplink-eap", 0, 0, 1)
    assert (own.compliant, own.behind, own.unknown, own.versions) == (1, 1, 1, {"4.0": 1, "6.5": 1})
    assert own.rate == (1 / 3, 2 / 3)
