"""
The agent: measure, keep, publish, forget what is stored.

    sources ──samples──▶ date ──lines──▶ spool ──batches──▶ delivery ──▶ link ══ MQTT ══▶ centre
    (gather/)     ▲    (clock)      (SQLite, one fsync     (≤ 8 unacked)                    ║
                  │                     a round)   ◀──── acknowledged, refused ◀════════════╝
    probing ──answers──▶ observing (mapping, faults)

One thread owns all state and takes one step at a time: a round, something to send, an event of the link. Probes and
readings of profiles run in a process of their own (`probing.py`); a round only takes what was answered.
This module is what `santong-agent run` becomes; it imports nothing that a round does not need.
"""

import json
import logging
import os
import queue
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from agent import health, privileges, stopmark
from agent.clock import Clocks, Offset, Timeline, date, machine_clocks, round_phase_ns, until_next_round
from agent.config import Settings
from agent.delivery import Delivery
from agent.devices import all_questions, those_that_work
from agent.gather.base import Source
from agent.gather.host import Host
from agent.gather.identity import Identity, serial
from agent.gather.interface import Interface
from agent.gather.myself import Myself
from agent.gather.presence import Presence
from agent.gather.read import Read
from agent.lately import Lately, short
from agent.observing import Observing, recalled
from agent.probing import Done, Probing, read_once
from agent.publish import Commanded, Event, Link
from agent.questions import Device
from agent.resolved import profiles_for
from agent.spool import Spool, SpoolDamaged, SpoolError
from agent.spoolfile import lock, mend, open_for
from agent.supervisor import Supervisor
from contract import __version__
from contract.errors import BadSample, ConfigError, SantongError
from contract.lines import encode_line
from contract.sample import Sample, Value
from contract.settings import load

if TYPE_CHECKING:
    from agent.commands import Commands

log = logging.getLogger("santong.agent")

if sys.platform == "win32":
    _LONGEST_WAIT_S = 1.0  # a thread that waits is told of no signal there
    _ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGBREAK)
else:
    _LONGEST_WAIT_S = 15.0
    _ENDING = (signal.SIGTERM, signal.SIGINT)
_MOST_UNSPOOLED = 10_000
_MOST_EVENTS = 64  # that are handled before the loop looks at the time again, however fast they come
_DISK_PAUSE_S = 1.0
_MEND_PAUSE_S = 300.0
_HELD_GRAIN_NS = 100_000_000


class Stop(Exception):
    """The supervisor asked the agent to end."""


class Agent:
    """One agent. `run` returns when it is asked to stop."""

    def __init__(
        self,
        settings: Settings,
        clocks: Clocks,
        spool: Spool,
        set_aside: str = "",
        devices: Sequence[Device] = (),
        *,
        has_all_profiles: bool = True,
    ) -> None:
        self.settings = settings
        self.supervisor = Supervisor({})  # nobody, until somebody says whom there is to tell
        self.device = str(settings.agent)
        self.clocks = clocks
        self.spool = spool
        self.is_stopping = False
        self.timeline = Timeline(clocks, settings.clock.trust, _offset(spool.offsets().get(clocks.boot)))
        self.events: queue.SimpleQueue[Event | Commanded | Done | None] = queue.SimpleQueue()
        self.link = Link(settings.broker, self.device, clocks.boot, __version__, self.events.put)
        self.delivery = Delivery(self.device, settings.publish, spool, self.link)
        self._every_ns = max(1_000_000, int(settings.round.every * 1e9))
        self._phase_ns = round_phase_ns(self.device, self._every_ns)
        self._rounds_a_batch = max(1, round(settings.publish.every / settings.round.every))
        self._rounds = 0
        self._unspooled: list[tuple[str, str, Sample]] = []  # (boot, device, sample) that the disk did not take yet
        self._set_aside = set_aside
        self._has_all_profiles = has_all_profiles
        self._disk_trouble = ""
        self._mend_at = 0.0
        self._uncounted = 0  # samples that memory could not hold while the disk refused
        self._waiting = 0  # batches, as of the last round
        questions = all_questions(settings, devices)
        self.probing = Probing(questions, self.device, clocks, lambda: self.timeline.offset, settings.spool.path)
        known = recalled(spool.recall("observing"))
        self.observing = Observing(devices, self.device, clocks.boot, known, questions, settings.round.every)
        own = next((str(device.profile.id) for device in devices if device.id == self.device), "")
        self._sources = [
            *sources_of(settings, clocks, lambda: self.link.is_connected, own),
            Myself(self._counts),
        ]
        self._devices = devices
        self._presence: Mapping[str, Value] = {}
        self.lately = Lately()  # hears nothing until somebody adds it to a log
        self.link.takes_commands = bool(settings.commands.allow)
        self.commands: Commands | None = None  # until the first one comes

    # ---- the loop

    def run(self) -> None:
        """Measure and publish until `stop`, or until the boot is over; `is_stopping` tells which."""
        self._start()
        due_ns = self.clocks.boottime_ns()
        while not self.clocks.is_over():
            if self.clocks.boottime_ns() >= due_ns:
                self.round()
                due_ns = self._next_round()
                self.supervisor.status(self._standing())
            self.supervisor.alive()
            if self.commands:
                self.commands.tick()
            due_s = (due_ns - self.clocks.boottime_ns()) / 1e9
            wait_s = min(due_s, self._send(), self.supervisor.longest_wait_s)
            if self.commands:
                wait_s = min(wait_s, self.commands.wait_s())
            try:
                self._take(min(max(wait_s, 0.0), _LONGEST_WAIT_S))
            except Stop:
                break
        self.supervisor.stopping()
        self._finish()

    def stop(self) -> None:
        """Ask `run` to end; may be called from a signal handler."""
        self.is_stopping = True
        self.events.put(None)

    def _start(self) -> None:
        """Begin, as far as the disk lets us: where it refuses, the first round that it takes begins the epoch."""
        if self._set_aside:
            log.warning("%s: set aside in %s, a new one was begun", self._set_aside, self.spool.directory)
            self._report("spool-set-aside")
        if not self._has_all_profiles or self.spool.recall("profiles"):
            self._report("profiles-unusable", is_active=not self._has_all_profiles)
        try:
            with self.spool.transaction():
                self._begin()
            stopmark.clear(self.spool.directory)
        except SpoolError as error:
            self._meet(error)
        log.info("agent %s, boot %s", self.device, self.clocks.boot)
        self.link.start()
        self.probing.start()

    def _begin(self) -> None:
        """Begin a new epoch, and take over what the supervisor wrote about the last end; inside a transaction."""
        self.spool.begin()
        self.spool.remember("profiles", "" if self._has_all_profiles else "unusable")
        for mark in stopmark.read(self.spool.directory):
            fields: dict[str, Value] = {"boot": mark.boot, "uptime_s": mark.boottime_ns / 1e9, "reason": mark.reason}
            if mark.asleep_ns is not None:
                fields["asleep_s"] = mark.asleep_ns / 1e9
            self.spool.hold(mark.boot, self.device, [Sample("stop", fields, mark.boottime_ns)])

    def _finish(self) -> None:
        """Say that we stop, keep the acknowledgements and what probes found; it waits for the next start."""
        self.probing.stop()
        self.link.stop()
        while not self.events.empty():
            event = self.events.get()
            if event is not None and not isinstance(event, Commanded | Done):
                self.delivery.handle(event)
        try:
            with self.spool.transaction():
                self.delivery.write_settled()
                if self.spool.epoch:
                    self._add([])
                    self._keep()
                    self._remember()
                self.spool.close_batches()
        except SpoolError as error:
            log.error("%s", error)  # noqa: TRY400  one line is enough
        self._write_health()
        self.spool.close()

    def _next_round(self) -> int:
        """Return the boot time of the next round: at the agent's own phase of the minute, once that is known."""
        now_ns = self.clocks.boottime_ns()
        offset_ns = self.timeline.offset.ns if self.timeline.offset else 0
        return now_ns + until_next_round(now_ns + offset_ns, self._every_ns, self._phase_ns)

    def _send(self) -> float:
        """Send what is due; return the seconds until something will be."""
        try:
            self.delivery.send()
        except SpoolError as error:
            self._meet(error)
            return _DISK_PAUSE_S
        return self.delivery.wait_s()

    def _take(self, wait_s: float) -> None:
        """Handle the events that are there, waiting for the first."""
        news = False
        try:
            for number in range(_MOST_EVENTS):
                event = self.events.get(timeout=wait_s) if wait_s > 0 and not number else self.events.get_nowait()
                if event is None:
                    raise Stop
                news |= self._handle(event)
        except queue.Empty:
            pass
        if news:
            self._tell()

    def _handle(self, event: Event | Commanded | Done) -> bool:
        if isinstance(event, Commanded):
            self._commanded().take(self.link.commands.popleft())
            return False
        if isinstance(event, Done):
            self._commanded().finish(event)
            return False
        try:
            return self.delivery.handle(event)
        except SpoolError as error:  # an answer that is lost only means one more delivery
            self._meet(error)
            return False

    def _meet(self, error: SpoolError) -> bool:
        """Mend a damaged spool, and tell whether it can be used again; say what is wrong with it when it cannot."""
        if isinstance(error, SpoolDamaged) and time.monotonic() >= self._mend_at:
            try:
                mended = mend(self.spool, self.supervisor.busy)
            except SpoolError as another:
                error = another
                self._mend_at = time.monotonic() + _MEND_PAUSE_S  # it reads and writes all of the spool
            else:
                if mended:
                    log.error("%s", mended)
                    self._report("spool-damaged")
                return True
        if str(error) != self._disk_trouble:
            log.error("%s: samples wait in memory until it takes them", error)
        self._disk_trouble = str(error)
        return False

    def _report(self, code: str, *, is_active: bool = True) -> None:
        fault: dict[str, Value] = {"active": int(is_active), "severity": "warning"}
        sample = Sample("fault", fields=fault, at_ns=self.clocks.boottime_ns(), tags={"code": code})
        self._unspooled.append((self.clocks.boot, self.device, sample))

    def _tell(self) -> None:
        """Say how it stands, for `santong-agent health` and for the service manager."""
        self._write_health()
        self.supervisor.status(self._standing())

    def _standing(self) -> str:
        disk = f"; {self._disk_trouble}" if self._disk_trouble else ""
        return f"{self.delivery.note}; {self._waiting} batches wait{disk}"

    def _write_health(self) -> None:
        health.write(self.spool.directory, health.Health(self.delivery.stored_at, self.delivery.note))

    def _commanded(self) -> "Commands":
        """Return what takes commands: an agent that is never asked does not load it."""
        if self.commands is None:
            from agent.commands import Commands  # noqa: PLC0415

            self.commands = Commands(
                self.settings.commands, self.timeline, self.probing, self.link, self._diagnosis, self.events.put
            )
        return self.commands

    def _diagnosis(self) -> dict[str, object]:
        """Return what is known here and now, for somebody who asks from afar."""
        from agent import diagnosis  # noqa: PLC0415

        now_ns, stored_at = self.clocks.boottime_ns(), self.delivery.stored_at
        try:
            spool: dict[str, object] = dict(self.spool.status(self.delivery.settled())._asdict())
        except SpoolError as error:
            spool = {"trouble": str(error)}
        network = diagnosis.of_network(Interface(self.settings.interface.exclude).gather(now_ns))
        return {
            "agent": self.device,
            "version": __version__,
            "boot": self.clocks.boot,
            "uptime_s": round(now_ns / 1e9, 1),
            "asleep_s": max(0.0, round((now_ns - self.clocks.awake_ns()) / 1e9, 1)),
            "clock": diagnosis.of_clock(self.timeline, self.delivery.clock_offset_ms),
            **network,
            "presence": {name: self._presence[name] for name in ("lan", "wan", "broker") if name in self._presence},
            "health": {
                "stored_seconds_ago": round(time.time() - stored_at, 1) if stored_at else None,
                "note": short(self.delivery.note),
            },
            "spool": spool | ({"disk": short(self._disk_trouble)} if self._disk_trouble else {}),
            "profiles": diagnosis.of_profiles(self._devices),
            "faults": diagnosis.of_faults(self.observing.state()),
            "probes": diagnosis.of_probes(self.probing.latest(), now_ns),
            "errors": self.lately.shown([self.link.password]),
        }

    # ---- a round

    def round(self) -> None:
        """Read every source once and commit all of it, with what was settled meanwhile, in one transaction."""
        self.timeline.refresh()
        at_ns = self.clocks.boottime_ns()
        self._add(self._gather(at_ns))
        self._rounds += 1
        closed = self._commit()
        if closed is None:
            self._uncounted += max(0, len(self._unspooled) - _MOST_UNSPOOLED)
            del self._unspooled[:-_MOST_UNSPOOLED]
            return
        if self._disk_trouble:
            log.info("the spool takes samples again")
        self._disk_trouble = ""
        self._unspooled.clear()
        self._uncounted = 0
        self.delivery.forget_settled()
        self.delivery.offer(closed)

    def _commit(self) -> list[int] | None:
        """Write the round, once more where the spool had to be mended first; return what `_write` does or None."""
        try:
            return self._write()
        except SpoolError as error:
            if not self._meet(error):
                return None
        try:
            return self._write()
        except SpoolError as error:
            self._meet(error)
            return None

    def _write(self) -> list[int]:
        """Write the round; return the batches that were closed with it."""
        is_first = not self.spool.epoch
        with self.spool.transaction():
            if is_first:
                self._begin()
            self.delivery.write_settled()
            self.spool.count_dropped(self._uncounted)
            self._keep()
            self._remember()
            closed = self.spool.close_batches() if self._rounds % self._rounds_a_batch == 0 else []
        if is_first:
            stopmark.clear(self.spool.directory)
        return closed

    def _add(self, own: Iterable[Sample]) -> None:
        """Take our own samples, those of answers, and the faults that follow from both."""
        fresh = [(self.device, sample) for sample in own]
        self._presence = next((one.fields for _, one in fresh if one.measurement == "presence"), self._presence)
        fresh += self.observing.found(self.probing.take())
        fresh += self.observing.judged(fresh)
        self._unspooled += [(self.clocks.boot, device, sample) for device, sample in fresh]

    def _gather(self, at_ns: int) -> Iterable[Sample]:
        for source in self._sources:
            try:
                yield from source.gather(at_ns)
            except Exception as error:  # noqa: BLE001  one broken source must not cost the evidence of the others
                log.warning("%s: %s: left out of this round", source.name, error)

    def _remember(self) -> None:
        """Keep what must outlive a restart: faults, bits that were once set."""
        if (state := json.dumps(self.observing.state())) != self.spool.recall("observing"):
            self.spool.remember("observing", state)

    def _keep(self) -> None:
        """Append what can be dated, hold what cannot."""
        offset = self.timeline.offset
        if offset and self.spool.has_held():
            self._date(self.spool.release(), offset, were_held=True)
        fresh: dict[tuple[str, str], list[Sample]] = {}
        for boot, device, sample in self._unspooled:
            fresh.setdefault((boot, device), []).append(sample)
        self._date(fresh, offset)
        if offset:
            self.spool.remember_offset(self.clocks.boot, offset.ns, offset.clock)

    def _date(
        self, by_boot: Mapping[tuple[str, str], list[Sample]], offset: Offset | None, *, were_held: bool = False
    ) -> None:
        for (boot, device), samples in by_boot.items():
            if offset is None:
                self.spool.hold(boot, device, samples)
            elif known := offset if boot == self.clocks.boot else _offset(self.spool.offsets().get(boot)):
                grains = [(sample, _roughly(sample, known) if were_held else known) for sample in samples]
                lines = [line for sample, at in grains if (line := self._line(device, sample, at))]
                if lines:
                    self.spool.append(device, b"\n".join(lines) + b"\n", known.clock)
            else:  # that boot never got the time: no evidence, but said so
                self.spool.append_unsynced(device, self.clocks.boottime_ns() + offset.ns, len(samples))

    def _line(self, device: str, sample: Sample, offset: Offset) -> bytes | None:
        """Return the dated line; None for a presence whose minute is proven already, or was not lived through."""
        dated = date(sample, offset)
        if dated is None:
            return None
        if sample.measurement == "presence" and not self.spool.claim_slot(device, dated.time_ns):
            return None
        try:
            return encode_line(sample.measurement, sample.tags, dated.fields, dated.time_ns)
        except BadSample as error:
            log.warning("%s: left out", error)
            return None

    def _counts(self) -> Mapping[str, Value]:
        status = self.spool.status(self.delivery.settled())
        self._waiting = status.batches
        counts: dict[str, Value] = {
            "spool_batches": status.batches,
            "spool_bytes": status.bytes,
            "dropped_total": status.dropped_total,
            "refused_total": status.refused_total,
            "damaged_total": status.damaged_total,
        }
        if self.delivery.clock_offset_ms is not None:
            counts["clock_offset_ms"] = self.delivery.clock_offset_ms
        return counts


def _roughly(sample: Sample, offset: Offset) -> Offset:
    """
    Return the offset by which a held sample is dated: to 0.1 s, but for presence, whose minute must be right.

    An older copy of the spool, or what was read out of a damaged one, may hold samples again that were dated before:
    with another reading of the clocks they would be stored twice, some microseconds apart.
    """
    return offset if sample.measurement == "presence" else offset._replace(ns=offset.ns - offset.ns % _HELD_GRAIN_NS)


def _offset(known: tuple[int, str] | None) -> Offset | None:
    return Offset(*known) if known else None


def sources_of(settings: Settings, clocks: Clocks, is_connected: Callable[[], bool], profile: str = "") -> list[Source]:
    """Return the sources that the settings ask for."""
    presence = settings.presence
    return [
        Presence(
            clocks.boot,
            lambda: (clocks.boottime_ns() - clocks.awake_ns()) / 1e9,
            is_connected,
            presence.gateway,
            presence.references,
            presence.timeout,
        ),
        Identity(profile=profile, stop_marks=settings.spool.stop_marks),
        Host(settings.host.disk),
        Interface(settings.interface.exclude),
    ]


def one_round(settings: Settings, devices: Sequence[Device] = ()) -> list[tuple[str, Sample]]:
    """
    Read every source and every profile once, each sample with its device; nothing is connected, sent or kept.

    Probes of the settings are not run: `santong-agent probe` is for that.
    """
    clocks = machine_clocks()
    at_ns, own = clocks.boottime_ns(), str(settings.agent)
    profile = next((str(device.profile.id) for device in devices if device.id == own), "")
    sources = [*sources_of(settings, clocks, lambda: False, profile), Myself(dict)]
    found = [(own, sample) for source in sources for sample in source.gather(at_ns)]
    readings = [question for question in all_questions(settings, devices) if isinstance(question.ask, Read)]
    return found + list(Observing(devices, own, clocks.boot).found(read_once(readings, at_ns)))


def main(arguments: list[str] | None = None) -> int:
    """Run the agent with the settings file given, if any, until a signal; return 0, 2 (settings) or 3 (spool)."""
    given = sys.argv[1:] if arguments is None else arguments
    supervisor = Supervisor(os.environ)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    lately = Lately()
    logging.getLogger().addHandler(lately)
    try:
        settings = load(Settings, Path(given[0]) if given else None, os.environ)
        devices, wrong = those_that_work(settings, profiles_for)
        for problem in wrong:
            log.error("left out: %s", problem)
        if sys.platform != "win32":
            privileges.lower()
        lock(settings.spool.path)
        while _run_one_boot(settings, devices, supervisor, lately, has_all_profiles=not wrong):
            log.info("the machine slept so long that another boot has begun")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except SantongError as error:
        print(error, file=sys.stderr)
        return 3
    except (sqlite3.Error, OSError) as error:
        print(f"{settings.spool.path}: {error}", file=sys.stderr)
        return 3
    return 0


def _run_one_boot(
    settings: Settings,
    devices: Sequence[Device],
    supervisor: Supervisor,
    lately: Lately,
    *,
    has_all_profiles: bool,
) -> bool:
    """Run an agent until a signal, or until the boot is over: then return True."""
    spool, set_aside = open_for(settings.spool.path, settings.spool.max_size, serial(), supervisor.busy)
    agent = Agent(settings, machine_clocks(), spool, set_aside, devices, has_all_profiles=has_all_profiles)
    agent.supervisor, agent.lately = supervisor, lately

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        agent.stop()

    for number in _ENDING:
        signal.signal(number, on_signal)
    agent.run()
    return not agent.is_stopping


if __name__ == "__main__":
    sys.exit(main())
