"""
A profile tried on a device: everything that it asks is asked once, and what becomes of each raw value is told.

    profile ──questions──▶ worker, as in the field ──▶ rows ──▶ mapper ──▶ fields, or why there is none
                                                        └────▶ the names that no reading takes

Nothing is kept or sent. A fault's condition counts at once, however long it would have to hold.
"""

import importlib
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from agent.devices import at_port
from agent.gather.read import LIGHT, Read, Way
from agent.mapping import Mapped, Mapper
from agent.observing import Observing
from agent.outcome import Outcome, Row, outcome_of
from agent.probing import NOT_HERE
from agent.questions import Device, Question, questions_of
from agent.worker.client import Answer, Client
from contract.sample import Sample, Value
from contract.settings import Seconds
from firmware_profiles.schema import Fault, Profile
from firmware_profiles.sources import Reading

ID = "device"  # what stands for {device}, where nobody says
_OBSERVER = "agent"
_NO_TIME = Seconds(0)
Tell = Callable[[str, float], None]  # what is being done, and how much of it is done, 0 to 1


class Entry(NamedTuple):
    """One entry of `collect`, or one probe: what came of it. `unmapped` are raw names that no reading takes."""

    name: str
    kind: str
    is_probe: bool
    outcome: Outcome
    traced: Sequence[Mapped] = ()
    unmapped: Mapping[str, Value] = {}


class Attempt(NamedTuple):
    """What came of all entries. `faults` are those that would be active; `needs_two` entries need a second read."""

    profile: Profile
    host: str
    entries: Sequence[Entry]
    samples: Sequence[Sample]
    faults: Sequence[Fault]
    needs_two: Sequence[str]

    @property
    def mapped(self) -> int:
        """How many readings gave a field."""
        return sum(mapped.value is not None for entry in self.entries for mapped in entry.traced)

    @property
    def absent(self) -> int:
        """How many did not."""
        return sum(mapped.value is None for entry in self.entries for mapped in entry.traced)

    @property
    def exit_code(self) -> int:
        """0: something was mapped; 1: the device does not answer, or with nothing; 2: it could not even be asked."""
        readings = [entry for entry in self.entries if not entry.is_probe]
        asked = readings or self.entries  # a profile that only probes
        if self.mapped or (not readings and any(entry.outcome.success for entry in asked)):
            return 0
        return 2 if asked and all(entry.outcome.success is None for entry in asked) else 1


def attempt(
    profile: Profile, way: Way, port: int | None = None, wait_s: float | None = None, tell: Tell = lambda *_: None
) -> Attempt:
    """
    Ask a device everything; with `wait_s` what needs an increase is asked again after it.

    ConfigError says what is wrong with the profile's probes.
    """
    profile = at_port(profile, port) if port else profile
    device = Device(ID, profile, way)
    questions = questions_of(device)
    twice = [question for question in questions if _needs_two(question)]
    with _Asker(tell) as ask:
        answers = [(question, ask(question, len(questions))) for question in questions]
        again = []
        if wait_s is not None and twice:
            _wait(wait_s, tell)
            again = [(question, ask(question, len(twice))) for question in twice]
    at_once = profile._replace(
        faults=tuple(fault._replace(hold=_NO_TIME, clear_hold=_NO_TIME) for fault in profile.faults)
    )
    observing = Observing([Device(ID, at_once, way)], _OBSERVER if way.address else ID, "")
    entries, samples = _mapped(observing, answers, again)
    judged = observing.judged((ID, sample) for sample in samples)
    active = {fault.tags["code"] for _, fault in judged if fault.fields["active"]}
    return Attempt(
        profile,
        way.address,
        entries,
        samples,
        [fault for fault in profile.faults if fault.code in active],
        [question.tag for question in twice] if wait_s is None else [],
    )


def _needs_two(question: Question) -> bool:
    return isinstance(question.ask, Read) and any(reading.per for reading in question.ask.what.read)


def _wait(wait_s: float, tell: Tell) -> None:
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < wait_s:
        tell(f"waits {wait_s:g} s for the second read", passed / wait_s)
        time.sleep(min(0.1, wait_s - passed))


class _Asker:
    """Asks one question after the other, in the worker or, as the agent does, in its own process."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._client = Client(with_details=True)
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __call__(self, question: Question, total: int) -> Answer:
        self._tell(f"{question.kind} {question.tag}", self._done % total / total)
        self._done += 1
        ask: Any = question.ask
        if question.kind in LIGHT:
            at_ns = time.monotonic_ns()
            module = importlib.import_module(f"agent.gather.{question.kind}")
            return Answer(0, at_ns, outcome_of(lambda: module.read(ask)))
        if sys.platform == "win32":
            return Answer(0, time.monotonic_ns(), NOT_HERE)
        self._client.ask(question.kind, ask)
        while True:
            for answer in self._client.answers(1.0):
                return answer


def _mapped(
    observing: Observing, answers: Sequence[tuple[Question, Answer]], again: Sequence[tuple[Question, Answer]]
) -> tuple[list[Entry], list[Sample]]:
    """Return what came of each entry, and the samples that an agent would send."""
    mapper = Mapper()
    entries: dict[tuple[str, str], Entry] = {}
    samples: dict[tuple[str, str], list[Sample]] = {}
    for question, answer in (*answers, *again):
        at = (question.kind, question.tag)
        samples[at] = [sample for _, sample in observing.found([(question, answer)])]
        rows = answer.outcome.rows
        readings: Sequence[Reading] = question.ask.what.read if isinstance(question.ask, Read) else ()
        entries[at] = Entry(
            question.tag,
            question.kind,
            not isinstance(question.ask, Read),
            answer.outcome,
            concerned(mapper.trace(question.tag, readings, rows), rows) if answer.outcome.success and rows else (),
            unmapped(readings, rows),
        )
    return list(entries.values()), [sample for found in samples.values() for sample in found]


def concerned(traced: Sequence[Mapped], rows: Sequence[Row]) -> list[Mapped]:
    """Leave out the absences of rows of another table: an access point has no channel of its own, its radios have."""
    names = {row.key: row.values.keys() for row in rows}

    def is_of_another(mapped: Mapped) -> bool:
        if mapped.raw is not None or mapped.key not in names:
            return False
        having = [there for there in names.values() if mapped.reading.raw in there]
        return bool(having) and all(there.isdisjoint(names[mapped.key]) for there in having)

    return [mapped for mapped in traced if mapped.reading.rows != "each" or not is_of_another(mapped)]


def unmapped(readings: Sequence[Reading], rows: Sequence[Row]) -> dict[str, Value]:
    """Return the raw names that no reading takes, neither as value nor in a tag, each with the first value it has."""
    taken = {name for reading in readings for name in (reading.raw, reading.per)}
    for reading in readings:
        taken.update(name for text in reading.tags.values() for name in re.findall(r"\{(\w+)\}", text))
    found: dict[str, Value] = {}
    for row in rows:
        for name, value in row.values.items():
            if name not in taken:
                found.setdefault(name, value)
    return found
