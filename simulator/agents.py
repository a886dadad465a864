"""
What the agent on a machine publishes: the same batches as a real one, by docs/contract.md and what agents do.

    runs of the agent ──▶ rounds ──▶ presence, identity, telemetry ─┐
                          answers (readings.py) ────────────────────┴▶ held until dated ──▶ batches, named when closed
"""

import zlib
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from contract.sample import Value
from simulator import lines
from simulator.chance import Chance, hexadecimal
from simulator.machine import Boot, Run
from simulator.places import Role, Thing
from simulator.readings import Answer, phase, tries
from simulator.spans import FAR, HOUR, MINUTE, SECOND, Times
from simulator.world import Body, DeviceLife

_MODELS = {
    Role.PLATFORM: ("Simulated Classroom PC", "windows-classroom-pc"),
    Role.GATEWAY: ("Raspberry Pi 4 Model B Rev 1.5", "raspberry-pi-4"),
    Role.HOTSPOT: ("Simulated Access Point", "openwrt"),
}
_NOTICES_WAKE_S = 15
_GRAIN = 100  # ms, to which the offset of held samples is cut
_KEPT = 3  # batches that a restored image still has


class Sent(NamedTuple):
    """A batch, closed at an instant; `again`: it stood in an older spool, and is sent once more."""

    closed: int
    device: str
    payload: bytes
    again: bool = False


class Lost(NamedTuple):
    """An image was restored: what waited in the spool then is gone."""

    at: int


class _Held(NamedTuple):
    boot: str
    device: str
    lines: bytes
    samples: int


class Agent:
    """
    The agent of one machine through all of its runs. `batches` yields what it publishes.

    `rounds_a_batch` is `publish.every` ÷ `round.every`. `broker` is when its broker ran.
    """

    def __init__(
        self, seed: int, life: DeviceLife, body: Body, broker: Times, answers: Iterator[Answer], *, lean: bool
    ) -> None:
        self.thing: Thing = life.thing
        self._body, self._broker, self._lean = body, broker, lean
        self._answers = answers
        self._answer = next(answers, None)
        self._chance = Chance(seed, life.thing.id, "agent", body.serial)
        self._phase = phase(life.thing.id, MINUTE)
        self._salt = zlib.crc32(life.thing.id.encode())
        self._model, self._profile = _MODELS[life.thing.role]
        self._restored_at = life.oddity.since if life.oddity and life.oddity.kind == "restored" else FAR
        # What the spool knows; an image that is restored has an older one of these.
        self._epoch, self._seq, self._previous = "", 0, ""
        self._name = ""  # of the last batch that got one
        self._held: list[_Held] = []
        self._open: dict[str, list[bytes]] = {}
        self._known: set[str] = set()  # boots with the time
        self._marks: list[tuple[str, int, str]] = []
        self._label = 0
        self._latest: deque[Sent] = deque(maxlen=_KEPT)
        # What the process knows.
        self._identified = 0
        self._place: tuple[str, str] = ("", "")
        self._tail, self._tail_until = "", 0

    def batches(self, rounds_a_batch: int = 1) -> Iterator[Sent | Lost]:
        """Yield the batches in the order in which they are closed."""
        boot = ""
        for run in self._body.machine.runs:
            if run.boot.start >= self._restored_at and run.boot.id != boot and boot:
                yield from self._restore(run)
            boot = run.boot.id
            for sent in self._run(run, rounds_a_batch):
                self._latest.append(sent)
                yield sent
            if run.mark:
                self._marks.append((run.boot.id, run.end, run.mark))

    def _restore(self, run: Run) -> Iterator[Sent | Lost]:
        """Put the card back to what it was some batches ago: what it had not delivered by then is sent again."""
        self._restored_at = FAR
        yield Lost(run.start)
        for sent in self._latest:
            yield Sent(run.start, sent.device, sent.payload, again=True)
        self._name = f"{self._epoch}:{max(1, self._seq - _KEPT)}"
        self._held.clear()
        self._open.clear()
        self._marks.clear()

    def _run(self, run: Run, rounds_a_batch: int) -> Iterator[Sent]:
        self._begin()
        yield from self._close(run.start)
        is_dated = run.boot.id in self._known
        for boot, at, reason in self._marks:
            offset = self._boot_start(boot)
            uptime_s = (at - offset) / 1000
            slept_s = self._slept(at) / 1000
            fields: dict[str, Value] = {"boot": boot, "uptime_s": uptime_s, "reason": reason, "asleep_s": slept_s}
            self._held.append(_Held(boot, self.thing.id, lines.line("stop", fields, at - offset % _GRAIN), 1))
        self._marks.clear()
        self._identified, self._tail_until = 0, 0
        while self._answer and self._answer.at < run.start:
            self._answer = next(self._answers, None)
        at = run.start
        for number, at in enumerate(self._rounds(run), start=1):
            is_dated = is_dated or (run.boot.dated is not None and at >= run.boot.dated)
            if is_dated:
                if self._held:
                    self._known.add(run.boot.id)
                    yield from self._release(at)
                self._known.add(run.boot.id)
            self._gather(run, at, is_dated=is_dated)
            if number % rounds_a_batch == 0:
                yield from self._close(at)
        if run.is_clean:
            yield from self._close(run.end)

    # ---- rounds

    def _rounds(self, run: Run) -> Iterator[int]:
        """Yield the instants of rounds: at once, then at the agent's phase; a sleep is noticed late."""
        dated = FAR if run.boot.dated is None else run.boot.dated
        knew = run.boot.id in self._known
        due = run.start
        awake = Times([(run.start, run.end)]).both(self._body.machine.awake).without(run.pauses)
        asleep = self._body.machine.asleep
        for start, end in awake:
            if due < start:
                due = start + (self._chance.between(0, _NOTICES_WAKE_S) if asleep.has(start - 1) else 0)
            while due < end:
                yield due
                clock = due if knew or due >= dated else due - run.boot.start
                due += MINUTE - (clock - self._phase) % MINUTE

    def _gather(self, run: Run, at: int, *, is_dated: bool) -> None:
        """Take a round: presence, identity, telemetry, and what was answered since the last one."""
        boot = run.boot
        own, samples = [], 0
        shown = at if is_dated else at - (boot.start + boot.offset_ms) % _GRAIN
        label = at - at % MINUTE
        uptime = label - boot.start - boot.offset_ms
        if uptime > 0 and label > self._label:
            self._label = label
            if at >= self._tail_until:
                self._look(at)
            own.append(lines.presence(boot.id, uptime, self._tail, label))
        samples += 1
        if identity := self._identity(run, at, shown):
            own.append(identity)
            samples += 1
        if not self._lean:
            own.append(lines.telemetry(shown, self._salt, self.thing.nic_mbps, (at - boot.start) // SECOND))
            samples += 3
        self._put(boot, self.thing.id, own, samples, is_dated=is_dated)
        while self._answer and self._answer.at <= at:
            if self._answer.at >= run.start:
                self._put(boot, self._answer.device, [self._answer.lines], 1, is_dated=is_dated)
            self._answer = next(self._answers, None)

    def _look(self, at: int) -> None:
        """See what the network is like, and for how long that stays so."""
        network, asleep = self._body.network, self._body.machine.asleep
        lan, wan = tries(network.gateway, at), tries(network.line, at)
        is_connected = network.line.has(at - 5 * SECOND) and self._broker.has(at)
        slept = self._slept(at)
        self._tail = lines.presence_tail(slept, lan=lan, wan=wan, broker=is_connected and wan)
        changes = (network.gateway.change(at), network.line.change(at), self._broker.change(at), asleep.change(at))
        self._tail_until = min(changes) - 3 * SECOND if wan and is_connected else at + 1

    def _slept(self, at: int) -> int:
        boot = next((one for one in reversed(self._body.machine.boots) if one.start <= at), None)
        return self._body.machine.asleep.length(boot.start, at) if boot else 0

    def _identity(self, run: Run, at: int, shown: int) -> bytes:
        hang = next(hang for hang in reversed(self._body.hangs) if hang.since <= at or hang is self._body.hangs[0])
        place = (hang.mac, hang.subnet)
        if at - self._identified < HOUR and place == self._place:
            return b""
        if not self._body.network.gateway.has(at) and self._identified:
            return b""  # nobody who would tell another address
        self._identified, self._place = at, place
        fields: dict[str, Value] = {
            "serial": self._body.serial, "model": self._model, "gateway_mac": hang.mac, "subnet": hang.subnet,
            "version": run.version, "profile": self._profile,
        }  # fmt: skip
        if not self._body.network.gateway.has(at):
            del fields["gateway_mac"]
        if self.thing.has_marks:
            fields["stop_marks"] = 1
        return lines.line("identity", fields, shown)

    def _put(self, boot: Boot, device: str, found: list[bytes], samples: int, *, is_dated: bool) -> None:
        if is_dated:
            self._open.setdefault(device, []).extend(found)
        else:
            self._held.append(_Held(boot.id, device, b"".join(found), samples))

    # ---- the spool

    def _begin(self) -> None:
        self._previous = self._name
        self._epoch, self._seq = hexadecimal(self._chance, 8), 0

    def _boot_start(self, boot: str) -> int:
        found = next((one for one in self._body.machine.boots if one.id == boot), None)
        return found.start + found.offset_ms if found else 0

    def _release(self, at: int) -> Iterator[Sent]:
        """Date what was held; of boots that never got the time only how much it was is told."""
        forgotten: dict[tuple[str, str], int] = {}
        for held in self._held:
            if held.boot in self._known:
                self._open.setdefault(held.device, []).append(held.lines)
            else:
                key = (held.boot, held.device)
                forgotten[key] = forgotten.get(key, 0) + held.samples
        self._held.clear()
        for (_, device), samples in forgotten.items():
            yield Sent(at, device, self._payload("unsynced", b"", f" at={at}000000 held={samples}"))

    def _close(self, at: int) -> Iterator[Sent]:
        for device, found in self._open.items():
            if body := b"".join(found):
                yield Sent(at, device, self._payload("synced", body))
        self._open.clear()

    def _payload(self, clock: str, body: bytes, rest: str = "") -> bytes:
        self._seq += 1
        self._name = f"{self._epoch}:{self._seq}"
        previous = f" previous={self._previous}" if self._seq == 1 and self._previous else ""
        return f"#santong/1 epoch={self._epoch} seq={self._seq} clock={clock}{previous}{rest}\n".encode() + body
