"""
Questions on time: a thread that asks the worker what is due and keeps the answers for the next round.

    questions ──due──▶ Client ══ worker process ══▶ answers ──▶ [kept] ──next round──▶ observing.py ──▶ samples

A round only takes what is there: however a probe hangs, presence is never late. What has not ended is not asked again,
and a device that does not answer delays no other. Throughput waits for the device's slot of the off-lesson window and
for its byte budget. An order, which somebody gave by hand, is asked beside all of these, one at a time, and its answer
goes to whoever gave it.
"""

import importlib
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.clock import Clocks, Offset, phase_ns, until_next_round
from agent.gather.read import LIGHT, Read
from agent.outcome import Outcome, outcome_of
from agent.probe.settings import Ask, Throughput
from agent.probe.turns import Turns
from agent.questions import Question
from agent.worker.client import MOST_AT_ONCE, Answer, Client
from contract.settings import Size

log = logging.getLogger("santong.agent")

IDLE_S = 90.0  # a worker that is not needed for longer is ended: its memory is worth more than a start
_LONGEST_WAIT_S = 5.0
_LEAST_WAIT_S = 0.05
_ANSWER_WAIT_S = 0.5  # an agent that is told to stop waits no longer than this
MOST_KEPT = 5000
_STOP_S = 10.0
_MINUTE_S = 60.0
_SILENCE_MS = 1000.0
_TEST_SPARE_S = 5.0  # between an order's test and one of the settings
MOST_SILENT = MOST_AT_ONCE * 3 // 4  # of those asked at once
NOT_HERE = Outcome(None, "unable", reason="probes need Linux: the worker forks, with few privileges and little memory")


# Two refusals of contract.asking, which an agent that is never asked need not load.
BUSY, WORKER_GONE = "busy", "worker_gone"
ORDERED = "command"  # under which name an order's bytes are booked
_RADIO = ("wifi_scan", "wifi_join")  # two at a time would take the radio from each other


class Order(NamedTuple):
    """One probe by hand; `done` is called once with its outcome, or with why there is none (else empty)."""

    kind: str
    ask: Ask
    done: Callable[[Outcome, str], None]


class Done(NamedTuple):
    """An order came to its end: its number, and what was found, or why nothing was."""

    number: int
    outcome: Outcome
    refused: str = ""


class Latest(NamedTuple):
    """What a question found last."""

    device: str
    kind: str
    tag: str
    at_ns: int
    success: bool | None
    stage: str
    reason: str


class Probing:
    """Asks the questions, each in its time, and keeps the answers; `device` is the agent's own."""

    def __init__(
        self,
        questions: Sequence[Question],
        device: str,
        clocks: Clocks,
        offset: Callable[[], Offset | None],
        folder: Path,
    ) -> None:
        self._questions = tuple(questions)
        self._clocks = clocks
        self._offset = offset
        self._client = Client()
        self._due = [0] * len(self._questions)  # boot ns, by the place of each question
        self._silent: set[int] = set()  # places of what ended without success, and took its time for it
        self._asked: dict[int, int] = {}  # the place of a question by the number of its answer
        tests = [question.tag for question in self._questions if isinstance(question.ask, Throughput)]
        self._turns = Turns(device, folder, tests)
        self._kept: deque[tuple[Question, Answer]] = deque(maxlen=MOST_KEPT)
        self._is_full = False
        self._latest: dict[tuple[str, str, str], Latest] = {}
        self._order: Order | None = None  # from the instant it is given until it is done
        self._order_number = 0  # of its answer, 0 before it is asked
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probing", daemon=True)

    def start(self) -> None:
        """Begin to probe, where there is anything to probe."""
        if self._due:
            self._due = [self._first(question) for question in self._questions]
            self._thread.start()

    def stop(self) -> None:
        """End the worker; a probe that runs is forgotten."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    @property
    def has_order(self) -> bool:
        """Tell whether an order is not done yet."""
        return self._order is not None

    def order(self, order: Order) -> None:
        """Have one probe run by hand, while no other order is; its `done` is called by the thread."""
        self._order = order
        self._wake.set()
        if self._thread.ident is None:
            self._thread.start()

    def latest(self) -> list[Latest]:
        """Return what each question found last."""
        return list(self._latest.copy().values())

    def take(self) -> Iterator[tuple[Question, Answer]]:
        """Yield what was answered since the last round."""
        self._is_full = False
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
                self._end_order(Outcome(None, "unable", reason="the worker was begun anew"), WORKER_GONE)
                self._stopping.wait(_LONGEST_WAIT_S)
        self._client.close()

    def _step(self) -> None:
        """Ask what is due, take what is answered, and wait for whichever comes first."""
        self._wake.clear()
        self._ask_order()
        waiting = set()
        for place in sorted(range(len(self._due)), key=self._due.__getitem__):
            question = self._questions[place]
            if isinstance(question.ask, Throughput):
                self._due[place] = self._next(question)  # anew each time: clocks are corrected, machines sleep
                now_s = self._unix_s()
                if now_s is not None and self._turns.is_now(question.ask, question.tag, now_s):
                    self._ask(place)
            elif self._due[place] <= self._clocks.boottime_ns() and not self._turns.is_running:
                if self._is_talking(place) or self._is_too_slow(place) or self._is_on_air(question.kind):
                    waiting.add(place)  # its turn comes with another's answer
                    continue
                self._ask(place)  # but not during a test, which has the line for itself
                self._due[place] = self._after(question, self._due[place])
        due_ns = (due_ns for place, due_ns in enumerate(self._due) if place not in waiting)
        idle_s = (min(due_ns, default=2**62) - self._clocks.boottime_ns()) / 1e9
        if self._client.open_questions:
            for answer in self._client.answers(max(_LEAST_WAIT_S, min(idle_s, _ANSWER_WAIT_S))):
                if not self._stopping.is_set():  # what is ended with the agent says nothing
                    self._take(answer)
            return
        if idle_s > IDLE_S:
            self._client.close()
        self._wake.wait(max(0.0, min(idle_s, _LONGEST_WAIT_S)))

    # ---- an order

    def _ask_order(self) -> None:
        """Begin the order that was given, if any, as soon as nothing that needs all of the line or the radio runs."""
        order = self._order
        if order is None or self._order_number or self._turns.is_running or self._is_radio_asked(order.kind):
            return
        if sys.platform == "win32":
            self._end_order(NOT_HERE, "")
            return
        ask = order.ask
        if isinstance(ask, Throughput):
            if self._is_test_near(ask.timeout):
                reason = "a test of the device's own begins soon, and needs the line: ask again afterwards"
                self._end_order(Outcome(None, "unable", reason=reason), BUSY)
                return
            if (within := self._turns.begin(self._limited(ask), ORDERED, self._unix_s() or 0.0)) is None:
                self._end_order(Outcome(None, "budget", reason="the bytes of this month are spent"), "")
                return
            ask = within
        self._order_number = self._client.ask(order.kind, ask)

    def _limited(self, ask: Throughput) -> Throughput:
        """Return a test that moves no more bytes than the settings let the device's own move, else the defaults."""
        own = [question.ask for question in self._questions if isinstance(question.ask, Throughput)]
        known = own or [Throughput(ask.target)]
        budget = min(ask.budget, max(one.budget for one in known))
        return ask._replace(budget=Size(budget), max_bytes=Size(min(ask.max_bytes, *(one.max_bytes for one in known))))

    def _is_test_near(self, timeout_s: float) -> bool:
        """Tell whether a test of the settings begins before one of this length is over."""
        tests = [place for place, question in enumerate(self._questions) if isinstance(question.ask, Throughput)]
        until_ns = self._clocks.boottime_ns() + int((timeout_s + _TEST_SPARE_S) * 1e9)
        return any(self._next(self._questions[place]) <= until_ns for place in tests)

    def _is_radio_asked(self, kind: str) -> bool:
        return kind in _RADIO and any(self._questions[place].kind in _RADIO for place in self._asked.values())

    def _is_on_air(self, kind: str) -> bool:
        """Tell whether an order has the radio that this kind needs; it has it no longer than its timeout."""
        return kind in _RADIO and bool(self._order_number) and self._order is not None and self._order.kind in _RADIO

    def _end_order(self, outcome: Outcome, refused: str) -> None:
        order, self._order, self._order_number = self._order, None, 0
        if order is not None:
            order.done(outcome, refused)

    def _take_order(self, answer: Answer) -> None:
        if self._order is not None and isinstance(self._order.ask, Throughput):
            self._turns.end(ORDERED, answer.outcome.details.get("total_bytes"))
        self._end_order(answer.outcome, WORKER_GONE if answer.is_lost else "")

    # ---- questions

    def _is_talking(self, place: int) -> bool:
        """Tell whether a device is being read in the same way just now: many projectors talk with one at a time."""
        question = self._questions[place]
        if not isinstance(question.ask, Read):
            return False
        others = (self._questions[other] for other in self._asked.values() if other != place)
        return any((one.device, one.kind) == (question.device, question.kind) for one in others)

    def _is_too_slow(self, place: int) -> bool:
        """Tell whether so many silent ones are being asked that this one, silent too, must leave room for others."""
        return place in self._silent and len(self._silent.intersection(self._asked.values())) >= MOST_SILENT

    def _first(self, question: Question) -> int:
        """Return when something is asked first: what is read once an hour, within the first minute."""
        if isinstance(question.ask, Read) and question.every_s > _MINUTE_S:
            phase = phase_ns(f"{question.device} {question.kind} {question.tag}", int(_MINUTE_S * 1e9))
            return self._clocks.boottime_ns() + phase
        return self._next(question)

    def _next(self, question: Question) -> int:
        """Return the boot time at which a probe is due: at a phase of its own, so that a city does not ask at once."""
        now_ns = self._clocks.boottime_ns()
        offset = self._offset()
        every_ns = max(1_000_000, int(question.every_s * 1e9))
        if isinstance(question.ask, Throughput):
            if offset is None:
                return now_ns + 60_000_000_000  # nobody knows whether lessons are going on
            return int(self._turns.next_s(question.ask, question.tag, (now_ns + offset.ns) / 1e9) * 1e9) - offset.ns
        phase = phase_ns(f"{question.device} {question.kind} {question.tag}", every_ns)
        return now_ns + until_next_round(now_ns + (offset.ns if offset else 0), every_ns, phase)

    def _after(self, question: Question, due_ns: int) -> int:
        """Return when a probe that was due is due again: a clock that is set back a little does not ask it twice."""
        every_ns = int(question.every_s * 1e9)
        next_ns = self._next(question)
        return next_ns if next_ns - due_ns >= every_ns // 2 else next_ns + every_ns

    def _unix_s(self) -> float | None:
        """Return the time, None as long as nobody vouches for it."""
        offset = self._offset()
        return (self._clocks.boottime_ns() + offset.ns) / 1e9 if offset else None

    def _ask(self, place: int) -> None:
        if place in self._asked.values():
            return
        question = self._questions[place]
        ask = question.ask
        if question.kind in LIGHT:
            self._keep(question, _read_here(question, self._clocks.boottime_ns()))
            return
        if sys.platform == "win32":
            self._keep(question, Answer(0, self._clocks.boottime_ns(), NOT_HERE))
            return
        if isinstance(ask, Throughput):
            if (within := self._turns.begin(ask, question.tag, self._unix_s() or 0.0)) is None:
                spent = Outcome(None, "budget", reason=f"the {ask.budget} bytes of this month are spent")
                self._keep(question, Answer(0, self._clocks.boottime_ns(), spent))
                return
            ask = within
        self._asked[self._client.ask(question.kind, ask)] = place

    def _keep(self, question: Question, answer: Answer) -> None:
        if len(self._kept) == MOST_KEPT and not self._is_full:
            self._is_full = True
            log.warning("more than %d answers since the last round: the oldest are lost", MOST_KEPT)
        self._kept.append((question, answer))
        outcome = answer.outcome
        self._latest[question.device, question.kind, question.tag] = Latest(
            question.device, question.kind, question.tag, answer.at_ns, outcome.success, outcome.stage, outcome.reason
        )

    def _take(self, answer: Answer) -> None:
        if self._order_number and answer.id == self._order_number:
            self._take_order(answer)
            return
        place = self._asked.pop(answer.id, None)
        if place is None:
            return
        question = self._questions[place]
        self._keep(question, answer)
        is_silent = not answer.outcome.success and float(answer.outcome.fields.get("duration_ms", 0)) > _SILENCE_MS
        (self._silent.add if is_silent else self._silent.discard)(place)
        if isinstance(question.ask, Throughput):
            self._turns.end(question.tag, answer.outcome.details.get("total_bytes"))


def _read_here(question: Question, at_ns: int) -> Answer:
    """Answer a light question in this process."""
    module = importlib.import_module(f"agent.gather.{question.kind}")
    return Answer(0, at_ns, outcome_of(lambda: module.read(question.ask)))


def read_once(questions: Iterable[Question], at_ns: int) -> Iterator[tuple[Question, Answer]]:
    """Answer each of some readings once, for the eye."""
    client = Client()
    asked: dict[int, Question] = {}
    try:
        for question in questions:
            if question.kind in LIGHT:
                yield question, _read_here(question, at_ns)
            elif sys.platform == "win32":
                yield question, Answer(0, at_ns, NOT_HERE)
            else:
                asked[client.ask(question.kind, question.ask)] = question
        while asked:
            for answer in client.answers(1.0):
                yield asked.pop(answer.id), answer
    finally:
        client.close()
