"""The harness can fail: each kind of loss, doubling and alteration that is made up here must be found."""

from collections.abc import Callable

import pytest

from tests.faults.ledger import Exempt, Mark, Produced, Stored, Verdict, compare

DEVICE = "441802-3144001234.c00"
BOOT_NS = 3_600_000_000_000
OFFSET_NS = 1_795_529_168_825_876_017
ROUND_NS = 500_000_000
MINUTE_NS = 60_000_000_000
ROUNDS = 300

Change = Callable[[list[Stored]], list[Stored]]


def produce() -> list[Produced]:
    """Return what an agent produces in some minutes: presence, load and three numbers in each round."""
    samples = []
    for n in range(ROUNDS):
        at_ns = BOOT_NS + n * ROUND_NS
        offset = OFFSET_NS + n % 7  # no two readings of the clocks are the same
        samples.append(
            Produced(DEVICE, at_ns, offset, "presence", (), {"boot": "b", "uptime_s": at_ns / 1e9, "lan": n % 2})
        )
        samples.append(Produced(DEVICE, at_ns, offset, "host", (), {"load1": n / 8}))
        samples += [
            Produced(DEVICE, at_ns, offset, "sensor", (("name", f"ledger{tag}"),), {"value": n * 3.0 + tag})
            for tag in range(3)
        ]
    return samples


def store(samples: list[Produced]) -> list[Stored]:
    """Return what a store has of them when nothing is wrong: the first presence of each minute."""
    rows, minutes = [], set()
    for sample in samples:
        offset = OFFSET_NS + 3  # the product's own reading
        time_ns, fields = sample.at_ns + offset, sample.fields
        if sample.measurement == "presence":
            time_ns -= time_ns % MINUTE_NS
            fields = {**fields, "uptime_s": round((time_ns - offset) / 1e9, 3)}
            if time_ns in minutes:
                continue
            minutes.add(time_ns)
        rows.append(Stored(DEVICE, sample.measurement, sample.tags, time_ns, fields))
    rows.append(Stored(DEVICE, "delivery", (), BOOT_NS + OFFSET_NS, {"epoch": "e", "seq": 1}))
    rows.append(Stored(DEVICE, "delivery", (), BOOT_NS + OFFSET_NS, {"epoch": "e", "seq": 2}))
    rows.append(Stored(DEVICE, "late", (), BOOT_NS + OFFSET_NS + 2000 * 10**9, {"oldest": 1, "newest": 2}))
    mark: dict[str, float | str] = {"boot": "b", "uptime_s": (BOOT_NS + ROUND_NS) / 1e9, "reason": "signal 9 number 0"}
    rows.append(Stored(DEVICE, "stop", (), BOOT_NS + ROUND_NS + OFFSET_NS, mark))
    return rows


MARK = Mark(DEVICE, "signal 9 number 0", BOOT_NS, BOOT_NS + 2 * ROUND_NS)


def exempt() -> Exempt:
    """Nothing may be missing."""
    return Exempt(set(), set(), set(), set(), [])


def judge(rows: list[Stored], may_miss: Exempt | None = None) -> Verdict:
    """Compare with what was produced."""
    return compare(produce(), rows, [MARK], may_miss or exempt())


def found(verdict: Verdict) -> dict[str, int]:
    """Return what is wrong, by kind."""
    return {kind: verdict.counts[kind] for kind in ("lost", "doubled", "altered") if verdict.counts[kind]}


def test_nothing_is_wrong() -> None:
    """What is stored as it was produced is no offence, and is counted."""
    verdict = judge(store(produce()))
    assert found(verdict) == {}
    assert verdict.is_clean
    assert verdict.counts["produced"] == verdict.counts["stored"] == 3 * ROUNDS
    assert verdict.line() == "lost 0 doubled 0 altered 0"


def first(rows: list[Stored], measurement: str) -> Stored:
    """Return the first row of a measurement."""
    return next(row for row in rows if row.measurement == measurement)


def without(measurement: str) -> Change:
    """Lose the first row of a measurement."""
    return lambda rows: [row for row in rows if row is not first(rows, measurement)]


def again(measurement: str, later_ns: int) -> Change:
    """Store the first row of a measurement once more, at another time."""

    def change(rows: list[Stored]) -> list[Stored]:
        row = first(rows, measurement)
        return [*rows, row._replace(time_ns=row.time_ns + later_ns)]

    return change


def changed(measurement: str, **what: object) -> Change:
    """Alter the first row of a measurement."""

    def change(rows: list[Stored]) -> list[Stored]:
        row = first(rows, measurement)
        return [row._replace(**what) if other is row else other for other in rows]  # type: ignore[arg-type]

    return change


def later(measurement: str, ns: int) -> Change:
    """Give the first row of a measurement another time."""
    return lambda rows: changed(measurement, time_ns=first(rows, measurement).time_ns + ns)(rows)


def whole_round_later(rows: list[Stored]) -> list[Stored]:
    """Date all of the first round three seconds late, as a clock does that was stepped."""
    at = first(rows, "sensor").time_ns
    return [row._replace(time_ns=at + 3_100_000_000) if row.time_ns == at else row for row in rows]


OFFENCES: dict[str, tuple[Change, dict[str, int]]] = {
    "a number is lost": (without("sensor"), {"lost": 1}),
    "a reading is lost": (without("host"), {"lost": 1}),
    "a minute is lost": (without("presence"), {"lost": 1}),
    "a stop mark is lost": (without("stop"), {"lost": 1}),
    "a number is doubled": (again("sensor", 1), {"doubled": 1}),
    "a stop mark is doubled": (again("stop", 1), {"doubled": 1}),
    "a minute is doubled": (again("presence", 0), {"doubled": 1}),
    "a batch is doubled": (again("delivery", 1), {"doubled": 1}),
    "a reading is doubled": (again("host", 1), {"altered": 1}),
    "a number nobody produced": (changed("sensor", fields={"value": 1e9}), {"lost": 1, "altered": 1}),
    "a number under another tag": (changed("sensor", tags=(("name", "x"),)), {"altered": 1}),
    "a number a nanosecond late": (later("sensor", 1), {"altered": 1}),
    "a reading a nanosecond late": (later("host", 1), {"lost": 1, "altered": 1}),
    "a reading altered": (changed("host", fields={"load1": 9.5}), {"altered": 1}),
    "a field lost": (changed("presence", fields={"boot": "b", "lan": 0}), {"altered": 1}),
    "a minute beside the minute": (later("presence", 1), {"lost": 1, "altered": 1}),
    "a stop mark hours late": (later("stop", 3600 * 10**9), {"altered": 1}),
    "a round with the offset of another clock": (whole_round_later, {"altered": 3}),
    "a row of another device": (changed("host", device="441802-3144001234.c09"), {"lost": 1, "altered": 1}),
}


@pytest.mark.parametrize("case", OFFENCES)
def test_what_is_wrong_is_found(case: str) -> None:
    """One made-up offence is found, as what it is."""
    change, expected = OFFENCES[case]
    verdict = judge(change(store(produce())))
    assert found(verdict) == expected
    assert not verdict.is_clean
    assert verdict.offences


def test_a_lost_batch_is_found() -> None:
    """A round that is missing as a whole is as many lost samples as it had numbers."""
    rows = store(produce())
    at = first(rows, "sensor").time_ns
    assert found(judge([row for row in rows if row.time_ns != at])) == {"lost": 3}


def test_what_may_be_missing() -> None:
    """The round in flight at a kill -9, and what a damage took, are counted apart; nothing else is excused by them."""
    samples = produce()
    rows = store(samples)
    gone = sorted({row.time_ns for row in rows if row.measurement == "sensor"})[:3]
    left = [row for row in rows if row.time_ns not in gone]
    at = [gone_ns - OFFSET_NS - 3 for gone_ns in gone]
    line = "sensor,name=ledger{} value={} {}"
    taken = exempt()
    taken.in_flight.add((DEVICE, at[0]))
    taken.destroyed.update((DEVICE, line.format(tag, 3.0 + tag, gone[1])) for tag in range(3))
    taken.replaced.update((DEVICE, line.format(tag, 6.0 + tag, gone[2])) for tag in range(3))
    verdict = judge(left, taken)
    assert found(verdict) == {}
    assert {kind: verdict.counts[kind] for kind in ("in flight", "destroyed", "replaced")} == {
        "in flight": 3,
        "destroyed": 3,
        "replaced": 3,
    }
    assert verdict.damaged == {DEVICE: 3}
    assert found(judge(without("sensor")(left), taken)) == {"lost": 1}
    assert judge(rows, taken).counts["destroyed"] == 0


def test_samples_that_a_disk_took_late() -> None:
    """They are dated with a later round's offset; a sample that no disk kept waiting is not."""
    stepped_at = BOOT_NS + 20 * ROUND_NS
    step_ns = 10**10
    samples = [
        s._replace(offset_ns=OFFSET_NS + (step_ns if s.at_ns >= stepped_at else 0))
        for s in produce()
        if s.measurement != "presence"
    ]
    late = [Stored(s.device, s.measurement, s.tags, s.at_ns + OFFSET_NS + step_ns, s.fields) for s in samples]
    waited = exempt()
    waited.late.append((DEVICE, BOOT_NS, stepped_at))
    assert found(compare(samples, late, [], waited)) == {}
    assert found(compare(samples, late, [], exempt())) == {"altered": 3 * 20}
    early = [row._replace(time_ns=row.time_ns - step_ns) for row in late]
    assert found(compare(samples, early, [], waited)) == {"altered": 3 * (ROUNDS - 20)}
