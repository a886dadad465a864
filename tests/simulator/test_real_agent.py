"""A simulated agent and a real one live the same scripted day, and say the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agent import stopmark
from agent.clock import phase_ns, until_next_round
from agent.pipeline import Agent
from agent.spool import Spool
from contract.batch import Batch, decode
from simulator.agents import Agent as SimulatedAgent
from simulator.agents import Sent
from simulator.faults import Mains
from simulator.machine import KILLED, SHUTDOWN, Boot, Machine, Run
from simulator.people import Wishes
from simulator.places import Habit, Role, Thing
from simulator.readings import phase
from simulator.spans import MINUTE, SECOND, Times
from simulator.world import Body, DeviceLife, Hang
from tests.agent.doubles import DEVICE, UNIX_NS, FakeClocks, settings_for, waiting
from tests.contract.parser import parse_all

START = UNIX_NS // 1_000_000
MS = 1_000_000


class Told(NamedTuple):
    """What is compared of a batch: its place among the epochs, and what of its lines does not hang on the machine."""

    epoch: int
    seq: int
    clock: str
    previous: tuple[int, int] | None
    has_held: bool
    presences: list[tuple[object, ...]]
    stops: list[tuple[object, ...]]


def _at(minutes: float) -> int:
    return START + round(minutes * MINUTE)


def _day() -> Machine:
    """
    Return a day of four boots.

    One whose time comes late, with a sleep and a killed agent, shut down in good order; one that never gets the time,
    cut off; one in which the agent is killed before the time comes; and one in which nothing happens.
    """
    first = Boot("boot-a", _at(0) + 700, _at(125), "shutdown", _at(9.1), 130)
    second = Boot("boot-b", _at(140.3), _at(152), "cut", None, -90)
    third = Boot("boot-c", _at(170), _at(200), "cut", _at(178), 0)
    fourth = Boot("boot-d", _at(210.2), _at(260), "cut", _at(211), 55)
    asleep = Times([(_at(30.4), _at(61.2))])
    runs = [
        Run(first, _at(0.6), _at(90.25), KILLED, False, Times(), "1"),
        Run(first, _at(90.43), _at(124.95), SHUTDOWN, True, Times(), "1"),
        Run(second, _at(140.9), _at(152), "", False, Times(), "1"),
        Run(third, _at(170.5), _at(174.3), KILLED, False, Times(), "1"),
        Run(third, _at(174.5), _at(200), "", False, Times(), "1"),
        Run(fourth, _at(210.7), _at(260), "", False, Times(), "1"),
    ]
    boots = [first, second, third, fourth]
    awake = Times((boot.start, boot.end) for boot in boots).without(asleep)
    return Machine(boots, awake, asleep, runs, [])


def _simulated(day: Machine) -> list[Batch]:
    whole = Times([(day.boots[0].start, day.boots[-1].end)])
    nowhere = Mains(whole, whole, whole, Times(), Times(), [], None)
    thing = Thing(DEVICE, Role.PLATFORM, DEVICE, "", "", Habit.BY_DAY, True, True, (1, 2), "1", 100)
    body = Body("1", day, nowhere, (Hang(0, "02:00:00:00:00:01", "192.0.2.0/24"),))
    life = DeviceLife(thing, Wishes([], Times(), Times()), (body,), Times(), Times(), (), (), None)
    sent = SimulatedAgent(1, life, body, Times(), iter(()), lean=False).batches()
    return [decode(one.payload) for one in sent if isinstance(one, Sent)]


def _real(day: Machine, folder: Path) -> list[Batch]:
    """Let the real agent live the day, with a clock that stands still between its rounds."""
    settings = settings_for(folder)
    for run in day.runs:
        spool = Spool(folder, 256 << 20)
        clocks = FakeClocks(run.boot.id, "", (run.boot.start + run.boot.offset_ms) * MS)
        agent = Agent(settings, clocks, spool)
        for at in _rounds(run, day, clocks):
            slept = day.asleep.length(run.boot.start, at)
            clocks.since_boot_ns = (at - run.boot.start - run.boot.offset_ms) * MS
            clocks.asleep_ns = slept * MS
            clocks.word = "kernel" if run.boot.dated is not None and at >= run.boot.dated else ""
            agent.round()
        spool.close()
        if run.mark:
            boottime_ns = (run.end - run.boot.start - run.boot.offset_ms) * MS
            slept = day.asleep.length(run.boot.start, run.end)
            mark = {"boot": run.boot.id, "boottime_ns": boottime_ns, "reason": run.mark, "asleep_ns": slept * MS}
            (folder / stopmark.FILE).write_text(json.dumps(mark) + "\n")
    spool = Spool(folder, 256 << 20)
    found = waiting(spool)
    spool.close()
    return found


def _rounds(run: Run, day: Machine, clocks: FakeClocks) -> Iterator[int]:
    """Yield when the real agent's loop calls for a round: agent/pipeline.py, `run` and `_next_round`."""
    due = run.start
    while due < run.end:
        asleep = day.asleep.within(due, due + 1)
        at = asleep[0].end if asleep and not day.awake.has(due) else due
        at = next((span.end + 7 * SECOND for span in day.asleep if span.start <= due < span.end), at)
        yield at
        is_dated = clocks.word == "kernel"
        clock_ns = (at if is_dated else at - run.boot.start - run.boot.offset_ms) * MS
        due = at - -until_next_round(clock_ns, 60 * 10**9, phase_ns(DEVICE, 60 * 10**9)) // MS


def _told(batches: list[Batch]) -> list[Told]:
    epochs: list[str] = []
    found = []
    for one in batches:
        if one.epoch not in epochs:
            epochs.append(one.epoch)
        name, _, last = one.previous.partition(":")
        lines = parse_all(one.lines)
        rows: list[tuple[object, ...]] = [
            (line.time_ns // MS, *(line.fields.get(key) for key in ("boot", "uptime_s", "asleep_s")))
            for line in lines
            if line.measurement == "presence"
        ]
        stops: list[tuple[object, ...]] = [
            (line.time_ns // MS, *(line.fields.get(key) for key in ("boot", "uptime_s", "reason", "asleep_s")))
            for line in lines
            if line.measurement == "stop"
        ]
        previous = (epochs.index(name), int(last)) if one.previous else None
        told = Told(epochs.index(one.epoch), one.seq, one.clock, previous, one.held > 0, rows, stops)
        found.append(told)
    return sorted(found, key=lambda told: (told.epoch, told.seq))


def test_both_tell_the_same_day(tmp_path: Path) -> None:
    """
    Batches of a simulated agent are those of a real one.

    Names, chain of epochs, what is held, dated and told of boots without the time, each presence with its label, uptime
    and sleep, each stop mark.
    """
    day = _day()
    simulated, real = _told(_simulated(day)), _told(_real(day, tmp_path / "spool"))
    assert len(simulated) > 150
    assert len([told for told in simulated if told.clock == "unsynced"]) == 1
    assert len([stop for told in simulated for stop in told.stops]) == 3
    for one, other in zip(simulated, real, strict=True):
        assert one == other


def test_telemetry_has_the_fields_of_a_real_agent(tmp_path: Path) -> None:
    """A round's measurements and their fields are those of a real round, where the machine has them."""

    def fields(batches: list[Batch]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for line in parse_all(b"".join(batch.lines for batch in batches[:20])):
            found.setdefault(line.measurement, set()).update(line.fields)
        return found

    day = _day()
    simulated, real = fields(_simulated(day)), fields(_real(day, tmp_path / "spool"))
    for name in ("host", "interface", "agent", "presence", "identity"):
        missing = real[name] - simulated[name]
        assert not missing - {"damaged_total", "load1"}, name


def test_phases_are_those_of_agents() -> None:
    """A simulated agent asks at the phase that a real one takes from its name, to the millisecond."""
    for name in (DEVICE, "441802-3144001234.gw1", "x pjlink display"):
        assert phase(name, MINUTE) == phase_ns(name, 60 * 10**9) // MS
    assert re.fullmatch(r"[a-z0-9.-]+", DEVICE)
