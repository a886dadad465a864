"""
The ledger's comparison with the store: what is lost, what is doubled, what is altered. Pure: no process, no clock.

    ledger files ──▶ Produced ─┐
    kills, damage ──▶ Exempt  ─┼──▶ compare ──▶ Verdict
    influxd       ──▶ Stored  ─┘

A round is dated with one offset, which the product measures for itself. What the clocks said beside it is in the
ledger; the numbers of a round tell which nanosecond the product came to, and that one must be within
`TOLERANCE_NS` of the ledger's. All other samples of the round must then stand at exactly that offset.
"""

import itertools
import json
import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from contract.lines import clean_text
from contract.measurements import TABLE, Kind

MINUTE_NS = 60_000_000_000
TOLERANCE_NS = 100_000_000
ROUGHLY_NS = 100_000_000
# A stop mark is dated by the next start.
LATER_NS = 20_000_000_000
NUMBER = "sensor"
# Not from a source: what the centre adds, and what the product says about itself.
_OWN_ROWS = frozenset({"delivery", "late", "stop", "fault", "centre", "roster"})
_MOST_OFFENCES = 10

Tags = tuple[tuple[str, str], ...]
Fields = Mapping[str, float | str]


class Produced(NamedTuple):
    """A sample in the ledger. `offset_ns`: unix time - boot time as the clocks had it, None before the first."""

    device: str
    at_ns: int
    offset_ns: int | None
    measurement: str
    tags: Tags
    fields: Fields


class Stored(NamedTuple):
    """A row in the store."""

    device: str
    measurement: str
    tags: Tags
    time_ns: int
    fields: Fields


class Mark(NamedTuple):
    """A stop mark that was left for the agent, between two instants of the boot time; its reason is its name."""

    device: str
    reason: str
    first_ns: int
    last_ns: int


class Exempt(NamedTuple):
    """
    What may be missing.

    `in_flight`: (device, at_ns) of the last round before a kill -9. `destroyed` and `replaced`: (device, line) of what
    a damage took from a spool, or an older copy that was put in its place; `reasons`: of the stop marks among it.
    Not missing but late, `late`: (device, from, to) when a disk was full, whose samples are dated when it takes them.
    """

    in_flight: set[tuple[str, int]]
    destroyed: set[tuple[str, str]]
    replaced: set[tuple[str, str]]
    reasons: set[str]
    late: list[tuple[str, int, int]]


class Offence(NamedTuple):
    """One sample that is lost, doubled or altered. `at_ns` is a boot time, 0 where none is known."""

    kind: str
    device: str
    at_ns: int
    what: str


class Verdict:
    """What the comparison found."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.damaged: Counter[str] = Counter()  # samples that a damage destroyed, by device
        self.offences: list[Offence] = []

    def offend(self, kind: str, device: str, at_ns: int, what: str) -> None:
        """Count one lost, doubled or altered sample, and keep the first ones."""
        self.counts[kind] += 1
        if self.counts[kind] <= _MOST_OFFENCES:
            self.offences.append(Offence(kind, device, at_ns, what))

    def line(self) -> str:
        """Return the result in one line."""
        return " ".join(f"{kind} {self.counts[kind]}" for kind in ("lost", "doubled", "altered"))

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing is lost, doubled or altered."""
        return not any(self.counts[kind] for kind in ("lost", "doubled", "altered"))


# ---- reading a ledger's file


def read(file: Path, device: str) -> Iterator[Produced]:
    """Yield what an agent produced, in order."""
    with file.open(encoding="ascii") as lines:
        for line in lines:
            at_ns, offset_ns, measurement, tags, fields = json.loads(line)
            known = as_stored(measurement, fields)
            yield Produced(device, at_ns, offset_ns, measurement, tuple(sorted(tags.items())), known)


def last_round(file: Path) -> int | None:
    """Return the boot time of the newest round in a ledger's file."""
    if not file.exists():
        return None
    with file.open("rb") as lines:
        lines.seek(max(0, file.stat().st_size - 8192))
        rows = lines.read().split(b"\n")[:-1]
    return int(json.loads(rows[-1])[0]) if rows else None


def as_stored(measurement: str, fields: Mapping[str, float | str]) -> dict[str, float | str]:
    """Return the fields as a store has to give them back."""
    kinds = {field.name: field.kind for field in TABLE[measurement].fields}
    known: dict[str, float | str] = {}
    for name, value in fields.items():
        if kinds[name] is Kind.STRING:
            known[name] = clean_text(str(value))
        elif math.isfinite(float(value)):
            known[name] = value
    return known


# ---- comparing


def compare(produced: Iterable[Produced], stored: Iterable[Stored], marks: Collection[Mark], exempt: Exempt) -> Verdict:
    """Compare everything that was produced with everything that is stored."""
    verdict = Verdict()
    samples, rows = defaultdict(list), defaultdict(list)
    for sample in produced:
        samples[sample.device].append(sample)
    for row in stored:
        rows[row.device].append(row)
    for device in samples.keys() | rows.keys() | {mark.device for mark in marks}:
        own_marks = [mark for mark in marks if mark.device == device]
        _Device(device, samples[device], rows[device], exempt, verdict).compare(own_marks)
    return verdict


class _Taken:
    """What is gone from the spool of one device: numbers with their times, and minutes of presence."""

    def __init__(self, device: str, taken: set[tuple[str, str]]) -> None:
        lines = [line for owner, line in taken if owner == device]
        self.numbers = {_value(line): _time(line) for line in lines if line.startswith(f"{NUMBER},")}
        self.minutes = {_time(line) for line in lines if line.startswith("presence ")}


class _Device:
    """The comparison of one device."""

    def __init__(
        self, device: str, samples: list[Produced], rows: list[Stored], exempt: Exempt, verdict: Verdict
    ) -> None:
        self.device = device
        self.samples = samples
        self.exempt = exempt
        self.verdict = verdict
        self.rows: dict[str, list[Stored]] = defaultdict(list)
        for row in rows:
            self.rows[row.measurement].append(row)
        self.offsets = sorted({(s.at_ns, s.offset_ns) for s in samples if s.offset_ns is not None})
        self.actual: dict[int, int] = {}  # at_ns of a round: the offset that the product came to
        self.gone: set[int] = set()  # rounds that a damage took
        self.destroyed = _Taken(device, exempt.destroyed)
        self.replaced = _Taken(device, exempt.replaced)

    def compare(self, marks: list[Mark]) -> None:
        self._numbers()
        self._others()
        self._minutes()
        self._marks(marks)
        self._deliveries()

    # ---- the numbers

    def _numbers(self) -> None:
        found: dict[float | str, list[Stored]] = defaultdict(list)
        for row in self.rows[NUMBER]:
            found[row.fields.get("value", "none")].append(row)
        expected = {s.fields["value"]: s for s in self.samples if s.measurement == NUMBER}
        self.verdict.counts["produced"] += len(expected)
        self._find_offsets(expected, found)
        for value, sample in expected.items():
            self._number(sample, found.pop(value, []))
        for rows in found.values():
            for row in rows:
                self._offend("altered", 0, f"nobody produced {row}")

    def _find_offsets(
        self, expected: Mapping[float | str, Produced], found: Mapping[float | str, list[Stored]]
    ) -> None:
        """Take for the offset of a round what most of its numbers stand at."""
        votes: dict[int, Counter[int]] = defaultdict(Counter)
        for value, sample in expected.items():
            votes[sample.at_ns].update(row.time_ns - sample.at_ns for row in found.get(value, ()))
        self.actual = {at_ns: offsets.most_common(1)[0][0] for at_ns, offsets in votes.items() if offsets}

    def _number(self, sample: Produced, rows: list[Stored]) -> None:
        value = sample.fields["value"]
        if not rows:
            self._missing(sample, float(value))
            return
        self.verdict.counts["stored"] += 1
        if len(rows) > 1:
            self._offend("doubled", sample.at_ns, f"{value} is stored {len(rows)} times: {rows}")
            return
        (row,) = rows
        offset = self.actual[sample.at_ns]
        if row.tags != sample.tags or row.fields != sample.fields:
            self._offend("altered", sample.at_ns, f"{sample} is stored as {row}")
        elif row.time_ns != sample.at_ns + offset or not self._is_right(sample, offset):
            self._offend("altered", sample.at_ns, f"{sample} has another time: {row}")

    def _missing(self, sample: Produced, value: float) -> None:
        for kind, taken in (("destroyed", self.destroyed), ("replaced", self.replaced)):
            if value in taken.numbers:
                self.verdict.counts[kind] += 1
                if kind == "destroyed":
                    self.verdict.damaged[self.device] += 1
                self.gone.add(sample.at_ns)
                self.actual.setdefault(sample.at_ns, taken.numbers[value] - sample.at_ns)
                return
        if (self.device, sample.at_ns) in self.exempt.in_flight:
            self.verdict.counts["in flight"] += 1
        else:
            self._offend("lost", sample.at_ns, f"{sample}")

    def _is_right(self, sample: Produced, offset: int) -> bool:
        """Tell whether an offset is that of the round; a disk that was full, of a later one."""
        own = sample.offset_ns
        if own is not None and abs(offset - own) <= TOLERANCE_NS:
            return True
        ends = [
            end for device, start, end in self.exempt.late if device == self.device and start <= sample.at_ns <= end
        ]
        if own is None:
            ends.append(sample.at_ns + LATER_NS)  # the clocks said nothing yet
        return bool(ends) and any(abs(offset - other) <= TOLERANCE_NS for other in self._later(sample.at_ns, max(ends)))

    def _later(self, start_ns: int, end_ns: int) -> Iterator[int]:
        """Yield what the clocks said in the rounds of a time."""
        later = itertools.islice(self.offsets, bisect_left(self.offsets, (start_ns, 0)), None)
        return (offset for at, offset in itertools.takewhile(lambda pair: pair[0] <= end_ns, later))

    def _is_mark_right(self, mark: Mark, offset: int) -> bool:
        """
        Tell whether the offset of a stop mark is one of the next start, or of the last end where that said nothing.

        What was held may be dated a little roughly, so that releasing it once more changes nothing.
        """
        first = bisect_left(self.offsets, (mark.first_ns, 0))
        candidates = [other for _, other in self.offsets[max(0, first - 1) : first]]
        if first < len(self.offsets):
            candidates = list(self._later(mark.first_ns, self.offsets[first][0] + LATER_NS))
        return any(-TOLERANCE_NS - ROUGHLY_NS <= offset - other <= TOLERANCE_NS for other in candidates)

    # ---- the product's own sources

    def _others(self) -> None:
        """Every other sample of a round that is stored stands beside its numbers, as it was read."""
        expected: dict[tuple[str, Tags, int], Produced] = {}
        for sample in self.samples:
            if sample.measurement not in (NUMBER, "presence") and sample.at_ns in self.actual:
                expected[sample.measurement, sample.tags, sample.at_ns + self.actual[sample.at_ns]] = sample
        for measurement in self.rows.keys() - _OWN_ROWS - {NUMBER, "presence"}:
            for row in self.rows[measurement]:
                own = expected.pop((measurement, row.tags, row.time_ns), None)
                if own is None or row.fields != own.fields:
                    self._offend("altered", 0 if own is None else own.at_ns, f"{own} is stored as {row}")
        for sample in expected.values():
            if sample.at_ns not in self.gone:
                self._offend("lost", sample.at_ns, f"{sample}")

    def _minutes(self) -> None:
        """Every minute with a round that was kept has its presence: once, on the minute, as one of its rounds read."""
        expected: dict[int, list[Produced]] = defaultdict(list)
        for sample in self.samples:
            offset = self.actual.get(sample.at_ns)
            if sample.measurement == "presence" and offset is not None:
                time_ns = sample.at_ns + offset
                minute = time_ns - time_ns % MINUTE_NS
                if minute > offset:  # one that began before the boot proves nothing
                    expected[minute].append(sample)
        stored = Counter(row.time_ns for row in self.rows["presence"])
        for row in self.rows["presence"]:
            candidates = [self._at_minute(sample, row.time_ns) for sample in expected.get(row.time_ns, [])]
            if row.fields not in candidates:
                self._offend("altered", 0, f"no round of its minute explains {row}")
        for minute, times in stored.items():
            if times > 1:
                self._offend("doubled", 0, f"the minute {minute} is stored {times} times")
        for minute in expected.keys() - stored.keys() - self.destroyed.minutes - self.replaced.minutes:
            self._offend("lost", expected[minute][0].at_ns, f"the minute {minute} was lived, and has no presence")

    def _at_minute(self, sample: Produced, minute: int) -> Fields:
        uptime_ns = minute - self.actual[sample.at_ns]
        return {**sample.fields, "uptime_s": round(uptime_ns / 1e9, 3)}

    # ---- what the product says of itself

    def _marks(self, marks: list[Mark]) -> None:
        """Each end of the agent is told once, with its time."""
        told: dict[str, list[Stored]] = defaultdict(list)
        for row in self.rows["stop"]:
            told[str(row.fields["reason"])].append(row)
        for mark in marks:
            rows = told.pop(mark.reason, [])
            if len(rows) != 1:
                if rows or mark.reason not in self.exempt.reasons:
                    kind = "doubled" if rows else "lost"
                    self._offend(kind, mark.last_ns, f"{mark} is stored {len(rows)} times: {rows}")
                continue
            offset = rows[0].time_ns - round(float(rows[0].fields["uptime_s"]) * 1e9)
            is_within = mark.first_ns <= rows[0].time_ns - offset <= mark.last_ns
            if not is_within or not self._is_mark_right(mark, offset):
                self._offend("altered", mark.last_ns, f"{mark} has another time: {rows[0]}")
        for rows in told.values():
            self._offend("altered", 0, f"no end of the agent explains {rows}")

    def _deliveries(self) -> None:
        """No batch has two delivery points."""
        names = Counter((row.fields["epoch"], row.fields["seq"]) for row in self.rows["delivery"])
        for name, times in names.items():
            if times > 1:
                self._offend("doubled", 0, f"batch {name} has {times} delivery points")

    def _offend(self, kind: str, at_ns: int, what: str) -> None:
        self.verdict.offend(kind, self.device, at_ns, what)


def _value(line: str) -> float:
    return float(line.partition(" value=")[2].partition(" ")[0])


def _time(line: str) -> int:
    return int(line.rpartition(" ")[2])
