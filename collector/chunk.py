"""A chunk: batches that are checked and stored together, received ones and those that come in a file."""

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from collector.check import BadLine, Checked, check, check_delivery_time, delivery_line, is_late, late_line, without
from collector.quarantine import Entry
from collector.store.base import Poison
from collector.wire import Arrival
from contract import batch, topics
from contract.errors import BadBatch, BadName, Reason
from contract.measurements import Retention
from contract.names import is_device, may_speak

log = logging.getLogger("santong.collect")

CHUNK_LINES = 5000
CHUNK_BYTES = 4 << 20  # six times what 5,000 usual lines have
# Enough to see what is wrong; one bad batch must not push all else out of quarantine.
QUARANTINED_LINES = 100

Write = Callable[[Retention, bytes], list[Poison]]
Speakers = Callable[[], Mapping[str, str]]


def nobody() -> Mapping[str, str]:
    """Name no agent of any device: there is no roster."""
    return {}


class Refused(NamedTuple):
    """A payload refused as a whole; `agent` is empty where the topic names none."""

    agent: str
    refusal: topics.Refusal


class Chunk:
    """
    Checked batches on their way to the store together: `add` until it is full, `store`, set `quarantined` aside.

    `marks` names fields of the delivery points that are 1 for all of them: how the batches came. `speakers` returns
    the devices for which the roster names an agent: nobody else may speak for them.
    """

    def __init__(self, marks: tuple[str, ...] = (), speakers: Speakers = nobody) -> None:
        self.checked: list[tuple[Checked, int]] = []
        self.refused: list[Refused] = []
        self.quarantined: list[Entry] = []
        self.lines = 0
        self.bytes = 0
        self._marks = marks
        self._speakers = speakers

    def is_full(self) -> bool:
        """Tell whether it is time to store."""
        return self.lines >= CHUNK_LINES or self.bytes >= CHUNK_BYTES

    def add(self, arrival: Arrival) -> None:
        """Check an arrival; it joins those to be stored, or those refused."""
        agent = device = ""
        self.bytes += len(arrival.payload)
        try:
            agent, device = topics.parse_batch(arrival.topic)
            content = batch.decode(arrival.payload)
            self._check_speaker(agent, device, content)
            check_delivery_time(content, arrival.received_ns)
            checked = check(agent, device, content, arrival.received_ns)
        except BadName as error:
            agent = arrival.topic.split("/")[2] if arrival.topic.count("/") >= 2 else ""
            self._refuse(arrival, agent, device, BadBatch(Reason.BAD_TOPIC, str(error)))
            return
        except BadBatch as flaw:
            self._refuse(arrival, agent, device, flaw)
            return
        self.checked.append((checked, arrival.received_ns))
        self.lines += checked.lines + 1
        self.bytes += len(content.lines)
        if checked.refused:
            some = checked.refused[:QUARANTINED_LINES]
            self.quarantined += [_entry_of(checked, bad, arrival.received_ns) for bad in some]

    def _check_speaker(self, agent: str, device: str, content: batch.Batch) -> None:
        """Raise BadBatch when the names, or the roster, give the device to somebody else."""
        reason = f"{agent} may not speak for {device}"
        if not may_speak(agent, device):
            raise BadBatch(Reason.FOREIGN_DEVICE, reason, content.epoch, content.seq)
        if (speaker := self._speakers().get(device, agent)) != agent:
            raise BadBatch(Reason.FOREIGN_DEVICE, f"{reason}, {speaker} does", content.epoch, content.seq)

    def store(self, write: Write) -> None:
        """Write all that may be stored; lines that the store refuses join the quarantined ones."""
        poison = {p.line: p.message for kind, body in self._bodies().items() for p in write(kind, body)}
        if poison:
            log.error("the store refuses %d lines, the first: %s", len(poison), next(iter(poison.values())))
            self.checked = [(self._take_out(checked, at, poison, write), at) for checked, at in self.checked]
        # Behind the evidence and at the time of now: who reads the mark after it reads all that it is about.
        if late := self._late(time.time_ns()):
            write(Retention.EVIDENCE, late)

    def _late(self, stored_ns: int) -> bytes:
        """Return a mark for each device of which evidence came late."""
        by_device: dict[tuple[str, str], list[Checked]] = defaultdict(list)
        for checked, _ in self.checked:
            if is_late(checked, stored_ns):
                by_device[checked.agent, checked.device].append(checked)
        return b"".join(late_line(some, stored_ns) for some in by_device.values())

    def _bodies(self) -> dict[Retention, bytes]:
        """Return what to write, by retention class; the delivery points are evidence."""
        parts: dict[Retention, list[bytes]] = {kind: [] for kind in Retention}
        for checked, received_ns in self.checked:
            for kind, body in checked.bodies.items():
                parts[kind].append(body)
            parts[Retention.EVIDENCE].append(delivery_line(checked, received_ns, self._marks))
        return {kind: b"".join(bodies) for kind, bodies in parts.items() if bodies}

    def _take_out(self, checked: Checked, at: int, poison: Mapping[bytes, str], write: Write) -> Checked:
        """Move the lines that the store refused from a batch to quarantine, and correct its delivery point."""
        left = without(checked, poison.keys())
        if left is checked:
            return checked
        self.quarantined += [
            _entry_of(checked, bad, at)._replace(detail=poison[bad.line])
            for bad in left.refused[len(checked.refused) :]
        ]
        write(Retention.EVIDENCE, delivery_line(left, at, self._marks))
        return left

    def _refuse(self, arrival: Arrival, agent: str, device: str, flaw: BadBatch) -> None:
        digest = hashlib.sha256(arrival.payload).hexdigest()[:16]
        is_named = flaw.epoch is not None and flaw.seq is not None
        refusal = topics.Refusal(
            flaw.epoch if is_named else None, flaw.seq if is_named else None, str(flaw), "" if is_named else digest
        )
        self.lines += 1
        self.refused.append(Refused(agent if is_device(agent) else "", refusal))
        self.quarantined.append(
            Entry(
                arrival.received_ns,
                (agent or arrival.topic)[:200],
                device,
                flaw.epoch or "",
                -1 if flaw.seq is None else flaw.seq,
                0,
                flaw.reason,
                flaw.detail,
                len(arrival.payload),
                arrival.payload,
            )
        )


def _entry_of(checked: Checked, bad: BadLine, received_ns: int) -> Entry:
    name = checked.batch
    return Entry(
        received_ns,
        checked.agent,
        checked.device,
        name.epoch,
        name.seq,
        bad.number,
        bad.reason,
        "",
        len(bad.line),
        bad.line,
    )
