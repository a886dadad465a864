"""
The centre's way of a message, from the topic to the answer, watched step by step.

    message ──▶ Chunk.add (decode, check, refuse) ──▶ as expected? ──▶ delivery_line, without, explain, answer
"""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from collector.check import BadLine, Checked, delivery_line, explain, without
from collector.chunk import Chunk
from collector.quarantine import Entry, Quarantine
from collector.wire import Arrival
from contract import topics
from contract.errors import Reason
from contract.measurements import Retention
from tests.fuzz.grammar import DAY_NS
from tests.fuzz.oracle import REFUSED, Expected, Fate, Header, expect, judge, oldest

_LONGEST_REASON = 4000
_LONGEST_NAME = 200
_STORE_REFUSES = 0.06  # in so many of the batches that are stored


class Wrong(Exception):
    """The centre did something that it must not do."""


class Wanted(NamedTuple):
    """What must become of the lines of a batch; `stored` holds (retention class, the line as sent, as stored)."""

    header: Header
    stored: list[tuple[Retention, bytes, bytes]]
    refused: list[tuple[int, bytes]]
    expired: int
    newest_ns: int


class Centre:
    """The chunks of a collector, without its threads; the quarantine is real. Counts what it sees."""

    def __init__(self, folder: Path, now_ns: int, seed: int = 0) -> None:
        self.now_ns = now_ns
        self.lines: Counter[str] = Counter()
        self.reasons: Counter[Reason] = Counter()
        self._quarantine = Quarantine(folder)
        self._chance = random.Random(seed)
        self._fates: dict[bytes, Fate] = {}
        self._entries: list[Entry] = []
        self._refusals: list[topics.Refusal] = []
        self._stored: list[tuple[str, int]] = []

    def close(self) -> None:
        """Close the quarantine."""
        self._quarantine.close()

    def begin(self, good: Iterable[bytes]) -> None:
        """Take over lines that must be accepted, whatever stands beside them."""
        self._fates = {line: judge(line, self.now_ns) for line in good}
        if unknown := [line for line, fate in self._fates.items() if fate.row is None]:
            raise Wrong(f"the grammar and the oracle disagree about {unknown[0]!r}")

    def take(self, topic: str, payload: bytes) -> tuple[list[bytes], bytes]:
        """Take a message; return the lines of it that are to be stored and its delivery point. Raise Wrong."""
        chunk = Chunk()
        try:
            chunk.add(Arrival(topic, payload, self.now_ns))
            expected = expect(topic, payload, self.now_ns)
            if expected.header is None:
                self._compare_refusal(chunk, payload, expected)
                return [], b""
            return self._compare_batch(chunk, expected, expected.header)
        except Wrong:
            raise
        except Exception as error:
            raise Wrong(f"raises {error!r}") from error

    def answer(self) -> None:
        """Quarantine what was refused, and tell the agent, as the pipeline does for each chunk. Raise Wrong."""
        self._quarantine.add(self._entries)
        ack = topics.Ack(topics.ranges(self._stored), tuple(self._refusals), 0)
        told = topics.decode_ack(topics.encode_ack(ack))
        for settled in (self._entries, self._stored, self._refusals):
            settled.clear()
        if told != ack:
            raise Wrong(f"the agent reads {told}, and the answer was {ack}")

    # ---- refused as a whole

    def _compare_refusal(self, chunk: Chunk, payload: bytes, expected: Expected) -> None:
        if chunk.checked or len(chunk.refused) != 1 or len(chunk.quarantined) != 1:
            raise Wrong("a message that must be refused as a whole is not")
        ((agent, refusal),), (entry,) = chunk.refused, chunk.quarantined
        digest = hashlib.sha256(payload).hexdigest()[:16]
        if refusal.epoch is None and (refusal.seq, refusal.digest) != (None, digest):
            raise Wrong(f"the refusal has the digest {refusal.digest}, and the message {digest}")
        if refusal.epoch is not None and (refusal.epoch, refusal.seq) != expected.named:
            raise Wrong(f"the refusal names {refusal.epoch} {refusal.seq}, and the message is {expected.named}")
        if agent not in ("", expected.agent):
            raise Wrong(f"the refusal goes to {agent}, and the agent is {expected.agent}")
        if max(len(refusal.reason), len(entry.detail)) > _LONGEST_REASON or "\n" in refusal.reason:
            raise Wrong(f"a reason of {len(refusal.reason)} characters: {refusal.reason[:100]!r}")
        if max(len(entry.agent), len(entry.device)) > _LONGEST_NAME:
            raise Wrong(f"quarantine keeps a name of {len(entry.agent)} characters")
        self.reasons[Reason(entry.reason)] += 1
        self._refusals.append(refusal)
        self._entries.append(entry)

    # ---- line by line

    def _compare_batch(self, chunk: Chunk, expected: Expected, header: Header) -> tuple[list[bytes], bytes]:
        if len(chunk.checked) != 1 or chunk.refused:
            raise Wrong(f"a message that can be read is refused as a whole: {chunk.refused}")
        ((checked, received_ns),) = chunk.checked
        if (checked.agent, checked.device, received_ns) != (expected.agent, expected.device, self.now_ns):
            raise Wrong(f"{checked.agent}, {checked.device} for {expected.agent}, {expected.device}")
        batch = checked.batch
        if (batch.epoch, batch.seq, batch.clock, batch.previous, batch.at_ns, batch.held) != header:
            raise Wrong(f"{batch._replace(lines=b'')} for {header}")
        wanted = self._wanted(expected, header)
        _compare_lines(checked, wanted)
        point = delivery_line(checked, self.now_ns)
        self._compare_point(point, checked, wanted)
        if wanted.stored and self._chance.random() < _STORE_REFUSES:
            self._let_the_store_refuse(checked, [line[:-1] for *_, line in wanted.stored])
        self._note(checked)
        self._entries += chunk.quarantined
        return [line for _, line, _ in wanted.stored], point

    def _wanted(self, expected: Expected, header: Header) -> Wanted:
        wanted = Wanted(header, [], [], 0, 0)
        expired = newest_ns = 0
        tags = _identity(expected.agent, expected.device)
        for number, line in enumerate(expected.lines, start=1):
            fate = REFUSED if header.clock == "unsynced" else self._fates.get(line) or judge(line, self.now_ns)
            newest_ns = max(newest_ns, fate.time_ns)
            if fate.row is None:
                wanted.refused.append((number, line))
            elif fate.is_expired:
                expired += 1
            else:
                size = len(fate.row.name)
                wanted.stored.append((fate.row.retention, line, b"%b%b%b\n" % (line[:size], tags, line[size:])))
        return wanted._replace(expired=expired, newest_ns=newest_ns)

    def _compare_point(self, point: bytes, checked: Checked, wanted: Wanted) -> None:
        """Check a delivery point, which every store must take."""
        header, device = wanted.header, checked.device
        at_ns = wanted.newest_ns or header.at_ns or self.now_ns
        if not oldest(Retention.EVIDENCE, self.now_ns) <= at_ns <= self.now_ns + DAY_NS:
            raise Wrong(f"no store takes this delivery point: {point!r}")
        number = header.held or (len(wanted.refused) if header.clock == "unsynced" else 0)
        held = f",held={number}i" if number else ""
        previous = f',previous="{header.previous}"' if header.previous else ""
        text = (
            f'delivery{_identity(device, device).decode()},agent={checked.agent} epoch="{header.epoch}",'
            f"seq={header.seq}i,lines={len(wanted.stored)}i,received={self.now_ns // 10**6}i,"
            f"lag_ms={(self.now_ns - at_ns) // 10**6}i,partial={len(wanted.refused)}i,expired={wanted.expired}i,"
            f'clock="{header.clock}"{held}{previous} {at_ns + header.seq}\n'
        )
        if point.decode() != text:
            raise Wrong(f"the delivery point is {point!r} and should be {text!r}")

    def _let_the_store_refuse(self, checked: Checked, stored: list[bytes]) -> None:
        """Let a store refuse some of the lines: exactly these join the bad lines, and none of another batch."""
        poison = {line for line in stored if self._chance.random() < 0.5} or {stored[0]}
        left = without(checked, {*poison, b"sensor,device=441802-9.c9,name=x value=1 1"})
        old, new = left.refused[: len(checked.refused)], left.refused[len(checked.refused) :]
        if {line.line for line in new} != poison or left.lines + len(new) != checked.lines:
            raise Wrong(f"the store refused {len(poison)} lines, {len(new)} were taken out")
        if old != checked.refused or {line.reason for line in new} != {Reason.STORE_REFUSED}:
            raise Wrong("what the store refused changed the reasons of other lines")
        self._count(new)
        delivery_line(left, self.now_ns)
        explain(left.refused)

    def _note(self, checked: Checked) -> None:
        """Count a batch, and remember its answer."""
        self.lines["accepted"] += checked.lines
        self.lines["refused"] += len(checked.refused)
        self.lines["expired"] += checked.expired
        self._count(checked.refused)
        name = (checked.batch.epoch, checked.batch.seq)
        if not checked.refused:
            self._stored.append(name)
            return
        text = explain(checked.refused)
        if len(text) > _LONGEST_REASON or "\n" in text:
            raise Wrong(f"an explanation of {len(text)} characters")
        self._refusals.append(topics.Refusal(*name, text))

    def _count(self, refused: tuple[BadLine, ...]) -> None:
        for line in refused:
            self.reasons[line.reason] += 1


def _compare_lines(checked: Checked, wanted: Wanted) -> None:
    """Compare what is stored, refused and expired with what must be: byte for byte, line by line."""
    if (refused := [(line.number, line.line) for line in checked.refused]) != wanted.refused:
        different = set(refused) ^ set(wanted.refused)
        raise Wrong(f"lines that must be refused and are not, or the other way round: {sorted(different)[:3]}")
    for kind in Retention:
        lines = b"".join([stored for retention, _, stored in wanted.stored if retention is kind])
        if checked.bodies.get(kind, b"") != lines:
            raise Wrong(f"the lines to store are not the lines sent: {checked.bodies.get(kind)!r} for {lines!r}")
    if (checked.lines, checked.expired) != (len(wanted.stored), wanted.expired):
        raise Wrong(f"{checked.lines} lines and {checked.expired} expired ones")
    if checked.newest_ns != wanted.newest_ns:
        raise Wrong(f"the newest is of {checked.newest_ns}, and should be of {wanted.newest_ns}")


def _identity(agent: str, device: str) -> bytes:
    """Return the tags that say who a line is of."""
    site, _, _ = device.partition(".")
    by = f",agent={agent}" if agent != device else ""
    return f",device={device},site={site},county={site.partition('-')[0]}{by}".encode()
