"""
Probes on time: a thread that asks the worker what is due and keeps the answers for the next round.

    settings ──due──▶ Client ══ worker process ══▶ answers ──▶ [kept] ──next round──▶ samples

A round only takes what is there: however a probe hangs, presence is never late. A probe whose last run has not ended
is not asked again. Throughput waits for the device's slot of the off-lesson window and for its byte budget.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from agent.clock import Clocks, Offset, phase_ns, until_next_round
from agent.outcome import Outcome
from agent.probe.sense import problems
from agent.probe.settings import Ask, ProbeSettings, Throughput
from agent.probe.turns import Turns
from agent.worker.client import Answer, Client
from contract.errors import ConfigError, Problem
from contract.lines import clean_tag
from contract.sample import Sample, Value

log = logging.getLogger("santong.agent")

IDLE_S = 90.0  # a worker that is not needed for longer is ended: its memory is worth more than a start
_LONGEST_WAIT_S = 5.0
_LEAST_WAIT_S = 0.05
_ANSWER_WAIT_S = 0.5  # an agent that is told to stop waits no longer than this
_MOST_KEPT = 1000
MOST_TAG_BYTES = 200
_STOP_S = 10.0


class Entry(NamedTuple):
    """One probe of the settings: its kind, the tag `target` of its points, what is asked."""

    kind: str
    tag: str
    ask: Ask


def entries(settings: ProbeSettings) -> list[Entry]:
    """Return every probe of the settings; ConfigError lists each that cannot work, or would write another's points."""
    found: dict[tuple[str, str], Entry] = {}
    mistakes = []
    for kind, asks in settings._asdict().items():
        for number, ask in enumerate(asks):
            tag = str(ask.name or ask.target)
            reasons = [*problems(ask, is_repeated=True), *_problems_of_tag(tag)]
            if (kind, clean_tag(tag)) in found:
                reasons.append(Problem("name", f"{tag!r} is there twice: give one a name"))
            mistakes += [Problem(f"probe.{kind}[{number}].{path}", message) for path, message in reasons]
            found[kind, clean_tag(tag)] = Entry(kind, tag, ask)
    if mistakes:
        raise ConfigError("settings", mistakes)
    return list(found.values())


def _problems_of_tag(tag: str) -> Iterator[Problem]:
    if not clean_tag(tag):
        yield Problem("name", f"{tag!r} has nothing that a tag can hold: give it a name with letters")
    elif len(tag.encode(errors="replace")) > MOST_TAG_BYTES:
        yield Problem("name", f"{tag[:40]!r}… is longer than {MOST_TAG_BYTES} bytes: give it a shorter name")


def samples_of(entry: Entry, answer: Answer) -> Iterator[Sample]:
    """Yield the samples of an answer: that of `probe`, and those of other measurements."""
    outcome = answer.outcome
    fields: dict[str, Value] = {**outcome.fields, "stage": outcome.stage}
    if outcome.success is not None:
        fields["success"] = int(outcome.success)
    if outcome.code is not None:
        fields["code"] = outcome.code
    if outcome.reason:
        fields["reason"] = outcome.reason
    yield Sample("probe", fields, answer.at_ns, {"kind": entry.kind, "target": entry.tag})
    for measurement, tags, values in outcome.extra:
        yield Sample(measurement, values, answer.at_ns, tags)


class Probing:
    """Source `probe`, and the thread behind it."""

    name = "probe"

    def __init__(
        self, settings: ProbeSettings, device: str, clocks: Clocks, offset: Callable[[], Offset | None], folder: Path
    ) -> None:
        self._device = device
        self._clocks = clocks
        self._offset = offset
        self._client = Client()
        self._due: dict[Entry, int] = dict.fromkeys(entries(settings), 0)  # boot ns
        self._asked: dict[int, Entry] = {}
        tests = [entry.tag for entry in self._due if isinstance(entry.ask, Throughput)]
        self._turns = Turns(device, folder, tests)
        self._kept: deque[Sample] = deque(maxlen=_MOST_KEPT)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probing", daemon=True)

    def start(self) -> None:
        """Begin to probe, where there is anything to probe."""
        if self._due:
            for entry in self._due:
                self._due[entry] = self._next(entry)
            self._thread.start()

    def stop(self) -> None:
        """End the worker; a probe that runs is forgotten."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def gather(self, at_ns: int) -> Iterator[Sample]:  # noqa: ARG002  the answers have times of their own
        """Yield what was found since the last round."""
        while self._kept:
            yield self._kept.popleft()

    # ---- the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._step()
            except Exception:
                log.exception("probing: begun anew")
                self._client.close()
                self._asked.clear()
                self._turns.forget()
                self._stopping.wait(_LONGEST_WAIT_S)
        self._client.close()

    def _step(self) -> None:
        """Ask what is due, take what is answered, and wait for whichever comes first."""
        for entry, due_ns in self._due.items():
            if isinstance(entry.ask, Throughput):
                self._due[entry] = self._next(entry)  # anew each time: clocks are corrected, machines sleep
                now_s = self._unix_s()
                if now_s is not None and self._turns.is_now(entry.ask, entry.tag, now_s):
                    self._ask(entry)
            elif due_ns <= self._clocks.boottime_ns() and not self._turns.is_running:  # a test has the line for itself
                self._ask(entry)
                self._due[entry] = self._after(entry, due_ns)
        idle_s = (min(self._due.values()) - self._clocks.boottime_ns()) / 1e9
        if self._client.open_questions:
            for answer in self._client.answers(max(_LEAST_WAIT_S, min(idle_s, _ANSWER_WAIT_S))):
                if not self._stopping.is_set():  # what is ended with the agent says nothing
                    self._take(answer)
            return
        if idle_s > IDLE_S:
            self._client.close()
        self._stopping.wait(max(0.0, min(idle_s, _LONGEST_WAIT_S)))

    def _next(self, entry: Entry) -> int:
        """Return the boot time at which a probe is due: at a phase of its own, so that a city does not ask at once."""
        now_ns = self._clocks.boottime_ns()
        offset = self._offset()
        every_ns = max(1_000_000, int(entry.ask.every * 1e9))
        if isinstance(entry.ask, Throughput):
            if offset is None:
                return now_ns + 60_000_000_000  # nobody knows whether lessons are going on
            return int(self._turns.next_s(entry.ask, entry.tag, (now_ns + offset.ns) / 1e9) * 1e9) - offset.ns
        phase = phase_ns(f"{self._device} {entry.kind} {entry.tag}", every_ns)
        return now_ns + until_next_round(now_ns + (offset.ns if offset else 0), every_ns, phase)

    def _after(self, entry: Entry, due_ns: int) -> int:
        """Return when a probe that was due is due again: a clock that is set back a little does not ask it twice."""
        every_ns = int(entry.ask.every * 1e9)
        next_ns = self._next(entry)
        return next_ns if next_ns - due_ns >= every_ns // 2 else next_ns + every_ns

    def _unix_s(self) -> float | None:
        """Return the time, None as long as nobody vouches for it."""
        offset = self._offset()
        return (self._clocks.boottime_ns() + offset.ns) / 1e9 if offset else None

    def _ask(self, entry: Entry) -> None:
        if entry in self._asked.values():
            return
        ask = entry.ask
        if isinstance(ask, Throughput):
            if (within := self._turns.begin(ask, entry.tag, self._unix_s() or 0.0)) is None:
                spent = Outcome(None, "budget", reason=f"the {ask.budget} bytes of this month are spent")
                self._kept.extend(samples_of(entry, Answer(0, self._clocks.boottime_ns(), spent)))
                return
            ask = within
        self._asked[self._client.ask(entry.kind, ask)] = entry

    def _take(self, answer: Answer) -> None:
        entry = self._asked.pop(answer.id, None)
        if entry is None:
            return
        self._kept.extend(samples_of(entry, answer))
        if isinstance(entry.ask, Throughput):
            self._turns.end(entry.tag, answer.outcome.details.get("total_bytes"))
