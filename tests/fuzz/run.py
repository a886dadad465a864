"""A run of the fuzzer: blocks of messages in one or more processes, one proof of what they accept, and the report."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from contract.errors import Reason
from tests.fuzz.answers import run_answers
from tests.fuzz.centre import Centre, Wrong
from tests.fuzz.found import ANSWER, Found, keep
from tests.fuzz.maker import BLOCK, Maker
from tests.fuzz.proof import Parsed, Proof, parsed

ENOUGH = 30_000  # as many batches show every reason
_USUAL_POINTS = 20  # one usual delivery point in so many is stored, and all unusual ones
ANSWERS_A_BLOCK = 100
_MOST_KEPT = 20
_PROGRESS = 50


class Settings(NamedTuple):
    """What a run does; all batches arrive at `now_ns` (unix ns), and `first` is the block to begin with."""

    batches: int
    seed: int
    now_ns: int
    first: int = 0
    jobs: int = 1


class Outcome(NamedTuple):
    """What became of one block."""

    kinds: Counter[str]
    lines: Counter[str]
    reasons: Counter[Reason]
    found: list[Found]
    lines_to_prove: list[Parsed]
    points: list[Parsed]


class Report:
    """What a run saw."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()
        self.reasons: Counter[Reason] = Counter()
        self.verified: Counter[str] = Counter()
        self.findings: list[str] = []
        self.answers = 0
        self.kept: list[Path] = []

    def add(self, outcome: Outcome) -> None:
        """Count a block, and keep what was found in it."""
        self.kinds += outcome.kinds
        self.answers += ANSWERS_A_BLOCK
        self.lines += outcome.lines
        self.reasons += outcome.reasons
        self.findings += [found.what for found in outcome.found]
        self.kept += [keep(found) for found in outcome.found[: max(0, _MOST_KEPT - len(self.kept))]]

    def add_proof(self, proof: Proof) -> None:
        """Take over what the stores said."""
        self.verified = proof.verified
        self.findings += [f"{flaw.what}: {flaw.line!r}" for flaw in proof.flaws]

    def unseen(self) -> list[Reason]:
        """Return the reasons that were never given, though there were batches enough."""
        return [reason for reason in Reason if reason not in self.reasons] if self.kinds.total() >= ENOUGH else []

    def lines_of_text(self) -> Iterator[str]:
        """Yield the report line by line."""
        yield f"batches tried: {self.kinds.total()}"
        yield from (f"  {count:>9} {kind}" for kind, count in self.kinds.most_common())
        yield f"answers tried on an agent: {self.answers}"
        yield "lines of them: " + ", ".join(f"{self.lines[fate]} {fate}" for fate in ("accepted", "refused", "expired"))
        yield f"reasons seen: {len(self.reasons)} of {len(Reason)}"
        yield from (f"  {count:>9} {reason}" for reason, count in self.reasons.most_common())
        verified = self.verified
        yield f"to verify: {verified['lines']} different lines and {verified['delivery points']} delivery points"
        yield f"  verified: {verified['influxd']} in influxd, {verified['SQLite']} in SQLite"
        yield from (f"not seen: {reason}" for reason in self.unseen())
        yield from (f"FOUND {what[:500]}" for what in self.findings[:_MOST_KEPT])
        yield from (f"kept {path}" for path in self.kept)
        yield f"findings: {len(self.findings)}"


def run_block(folder: Path, seed: int, now_ns: int, number: int) -> Outcome:
    """Send one block of messages through a centre of its own."""
    kinds: Counter[str] = Counter()
    found: list[Found] = []
    stored: dict[bytes, None] = {}
    points: list[Parsed] = []
    with tempfile.TemporaryDirectory(dir=folder) as own, closing(Centre(Path(own), now_ns, number)) as centre:
        good, messages = Maker(seed, now_ns).block(number)
        centre.begin(good)
        for kind, topic, payload in messages:
            kinds[kind] += 1
            try:
                lines, point = centre.take(topic, payload)
            except Wrong as error:
                found.append(Found(f"{kind}: {error}", topic, payload, now_ns))
                continue
            stored.update(dict.fromkeys(lines))
            if point and (_is_unusual(point) or kinds.total() % _USUAL_POINTS == 0):
                points.append(parsed(point[:-1]))
        centre.answer()
        found += [
            Found(what, ANSWER, payload, now_ns)
            for what, payload in run_answers(Path(own) / "agent", f"{seed}:{number}", ANSWERS_A_BLOCK)
        ]
    return Outcome(kinds, centre.lines, centre.reasons, found, list(map(parsed, stored)), points)


def _is_unusual(point: bytes) -> bool:
    return b"held=" in point or b"lines=0i" in point or b'"synced"' not in point


def _blocks(folder: Path, settings: Settings) -> Iterator[Outcome]:
    numbers = range(settings.first, settings.first + -(-settings.batches // BLOCK))
    one = partial(run_block, folder, settings.seed, settings.now_ns)
    if settings.jobs == 1:
        yield from map(one, numbers)
        return
    with get_context("spawn").Pool(settings.jobs) as pool:
        yield from pool.imap(one, numbers)


def run(settings: Settings, *, is_quiet: bool = False) -> Report:
    """Run, and print the progress."""
    report = Report()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="santong-fuzz-") as name:
        proof = Proof(Path(name), settings.now_ns)
        try:
            for number, outcome in enumerate(_blocks(Path(name), settings), 1):
                report.add(outcome)
                proof.add(outcome.lines_to_prove, outcome.points)
                if number % _PROGRESS == 0 and not is_quiet:
                    _print_progress(report, time.monotonic() - began)
            proof.finish()
        finally:
            proof.close()
        report.add_proof(proof)
    return report


def _print_progress(report: Report, seconds: float) -> None:
    count = report.kinds.total()
    print(f"{count:>9} batches, {count / seconds:,.0f}/s, {len(report.findings)} findings", flush=True)
