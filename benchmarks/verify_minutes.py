"""
What it costs to judge a device-day, in microseconds a minute: perfect days, and days in which all is amiss.

    python -m benchmarks.verify_minutes [--minutes 1440]
"""

import argparse
import time
from collections.abc import Callable
from datetime import date

from collector.calendars.schedule import DayKind, DaySchedule, Hours, Window
from collector.roster.schema import Device
from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import MINUTE_NS
from collector.verify.day import judge, perfect
from collector.verify.evidence import DaySummary, Evidence, Presence, Reading, ReadingSummary

START_NS = 1_788_220_800_000_000_000
DEVICE = Device("441802-3144001234.c0703", "panel")
CRITERION = Criterion(
    (Proof((Condition("presence.lan", equals=("1",)), Condition("probe.success", equals=("1",)))),), Hours.SERVICE
)


def evidence_of(minutes: int, *, is_perfect: bool) -> Evidence:
    """Return a day in which nothing happens, or one with a gap each seven minutes and failures in most others."""
    presence = [
        Presence(START_NS + n * MINUTE_NS, "A", 90_000 + n * 60.0, 0.0, 1, 1 if is_perfect else n % 2)
        for n in range(-1, minutes + 2)
        if is_perfect or n % 7
    ]
    readings = [
        Reading(START_NS + n * MINUTE_NS + 7_000_000_000, 1.0 if is_perfect or n % 3 else 0.0, "dns")
        for n in range(-1, minutes)
    ]
    return Evidence(presence, readings={(0, 1): readings})


def seconds(work: Callable[[], object]) -> float:
    """Return the best of twenty runs."""
    best = float("inf")
    for _ in range(20):
        before = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - before)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=1440)
    minutes = parser.parse_args().minutes
    end_ns = START_NS + minutes * MINUTE_NS
    schedule = DaySchedule(
        date(2026, 9, 1), DayKind.WORKDAY, "", START_NS, START_NS + 1440 * MINUTE_NS, (Window(START_NS, end_ns),)
    )
    for is_perfect in (True, False):
        evidence = evidence_of(minutes, is_perfect=is_perfect)
        runs = len(judge(DEVICE, schedule, CRITERION, evidence, end_ns).runs)
        cost = seconds(lambda evidence=evidence: judge(DEVICE, schedule, CRITERION, evidence, end_ns))  # type: ignore[misc]
        print(f"judge, {runs} runs in {minutes} minutes: {cost / minutes * 1e6:.2f} µs a minute")
    first, last = (Presence(at, "A", at / 1e9, 0.0, 1, 1) for at in (START_NS - MINUTE_NS, end_ns))
    readings = ReadingSummary(minutes + 1, minutes + 1, START_NS - 53 * 10**9, end_ns - 53 * 10**9, MINUTE_NS)
    summary = DaySummary(minutes + 2, first, last, minutes + 2, minutes + 2, None, {(0, 1): readings})
    assert perfect(DEVICE, schedule, CRITERION, summary)
    print(f"perfect: {seconds(lambda: perfect(DEVICE, schedule, CRITERION, summary)) * 1e6:.1f} µs a device-day")


if __name__ == "__main__":
    main()
