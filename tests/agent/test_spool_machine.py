"""The spool against a simple model: whatever happens in whatever order, nothing is lost, doubled or confused."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.spool import Spool
from contract.batch import Batch, decode, encode
from contract.sample import Sample
from tests.agent.doubles import DEVICE

CAP = 2500
MEMORY = Path("/dev/shm")  # noqa: S108  a power cut is a copy of the files here: no disk is needed
DEVICES = st.sampled_from([DEVICE, "441802-3144001234.c0704"])
CLOCKS = st.sampled_from(["synced", "trusted"])
BOOTS = st.sampled_from(["boot-1", "boot-2"])
FATES = st.sampled_from(["commit", "commit", "commit", "abort", "power cut"])
LINES = st.integers(1, 2**63 - 1).map(lambda n: b"sensor,name=a value=%d 1764000000000000000\n" % n)


class _Interrupt(Exception):
    """The round does not come to its end."""


class _Queued(NamedTuple):
    device: str
    batch: Batch
    is_open: bool

    def size(self) -> int:
        return len(self.batch.lines) if self.is_open else len(encode(self.batch))


def _name(text: str) -> tuple[str, int]:
    epoch, _, seq = text.partition(":")
    return epoch, int(seq or 0)


class _Model:
    """What a spool should hold."""

    def __init__(self) -> None:
        self.queue: list[_Queued] = []
        self.refused: list[tuple[str, int, str, str]] = []
        self.held: list[tuple[str, str, Sample]] = []
        self.slots: set[tuple[str, int]] = set()
        self.epoch, self.seq, self.previous = "", 0, ""
        self.refused_total = self.dropped_total = self.acknowledged_total = 0

    def copy(self) -> "_Model":
        twin = _Model()
        twin.__dict__.update({k: v.copy() if isinstance(v, list | set) else v for k, v in self.__dict__.items()})
        return twin

    def begin(self, epoch: str) -> None:
        self.previous = f"{self.epoch}:{self.seq}" if self.seq else self.previous
        self.epoch, self.seq = epoch, 0
        self.close()

    def add(self, device: str, clock: str, lines: bytes, at_ns: int = 0, held: int = 0) -> None:
        for place, queued in enumerate(self.queue):
            if lines and queued.is_open and (queued.device, queued.batch.clock) == (device, clock):
                self.queue[place] = queued._replace(batch=queued.batch._replace(lines=queued.batch.lines + lines))
                return
        batch = Batch("", 0, clock, lines, "", at_ns, held)
        self.queue.append(_Queued(device, batch if lines else self._named(batch), is_open=bool(lines)))

    def _named(self, batch: Batch) -> Batch:
        self.seq += 1
        return batch._replace(epoch=self.epoch, seq=self.seq, previous=self.previous if self.seq == 1 else "")

    def close(self) -> list[Batch]:
        closed = []
        for place, queued in enumerate(self.queue):
            if queued.is_open:
                closed.append(self._named(queued.batch))
                self.queue[place] = queued._replace(batch=closed[-1], is_open=False)
        while sum(queued.size() for queued in self.queue) > CAP:
            self.queue.pop(0)
            self.dropped_total += 1
        return closed

    def settle(self, names: set[tuple[str, int]], reason: str) -> None:
        for queued in [q for q in self.queue if q.batch[:2] in names]:
            self.queue.remove(queued)
            if reason:
                self.refused.insert(0, (*queued.batch[:2], queued.device, reason))
                self.refused_total += 1
            else:
                self.acknowledged_total += 1


class SpoolMachine(RuleBasedStateMachine):
    """Rounds that are committed, given up, or cut off with the power, against the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="santong-spool-", dir=MEMORY if MEMORY.is_dir() else None))
        self.copies = 0
        self.model = _Model()
        self.payloads: dict[tuple[str, int], bytes] = {}
        self.epochs: set[str] = set()
        self.spool = Spool(self.folder / "0", CAP)
        self._begin()

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.spool.close()
        shutil.rmtree(self.folder)

    def _begin(self) -> None:
        with self.spool.transaction():
            self.spool.begin()
        assert self.spool.epoch not in self.epochs, "an epoch came twice"
        self.epochs.add(self.spool.epoch)
        self.model.begin(self.spool.epoch)

    def _round(self, fate: str, work: Callable[[_Model], None]) -> None:
        """Do a round's work on spool and model; let it end as fate wills."""
        model = self.model.copy()
        cut_off = self.folder / str(self.copies + 1)
        with contextlib.suppress(_Interrupt), self.spool.transaction():
            work(model)
            if fate == "power cut":
                shutil.copytree(self.spool.directory, cut_off)
            if fate != "commit":
                raise _Interrupt
        if fate == "commit":
            self.model = model
        elif fate == "power cut":
            self.copies += 1
            self.spool.close()
            self.spool = Spool(cut_off, CAP)
            self._begin()

    @rule(fate=FATES, device=DEVICES, clock=CLOCKS, lines=st.lists(LINES, min_size=1, max_size=4), close=st.booleans())
    def append(self, fate: str, device: str, clock: str, lines: list[bytes], close: bool) -> None:
        """Append what a round measured, and close the batch or not."""

        def work(model: _Model) -> None:
            for line in lines:
                self.spool.append(device, line, clock)
                model.add(device, clock, line)
            if close:
                self._close(model)

        self._round(fate, work)

    @rule(fate=FATES)
    def close(self, fate: str) -> None:
        """Close the open batches."""
        self._round(fate, self._close)

    def _close(self, model: _Model) -> None:
        found = map(self.spool.waiting, self.spool.close_batches())
        closed = model.close()
        # What the cap dropped at once may be announced, but cannot be sent.
        assert [decode(w.payload) for w in found if w] == [b for b in closed if b in [q.batch for q in model.queue]]

    @rule(fate=FATES, device=DEVICES, held=st.integers(0, 5000), at_ns=st.integers(10**18, 10**19 - 1))
    def append_unsynced(self, fate: str, device: str, held: int, at_ns: int) -> None:
        """Queue the header-only batch of a boot without time."""

        def work(model: _Model) -> None:
            self.spool.append_unsynced(device, at_ns, held)
            model.add(device, "unsynced", b"", at_ns, held)

        self._round(fate, work)

    @rule(fate=FATES, data=st.data(), reason=st.sampled_from(["", "too_old", "wrong_type: line 2"]))
    def settle(self, fate: str, data: st.DataObject, reason: str) -> None:
        """Acknowledge or refuse a range of what waits, by name as an ack does."""
        closed = [queued.batch for queued in self.model.queue if not queued.is_open]
        if not closed:
            return
        epoch = data.draw(st.sampled_from([batch.epoch for batch in closed]))
        first = data.draw(st.sampled_from([batch.seq for batch in closed]))
        last = first + data.draw(st.integers(0, 3))
        names = {b[:2] for b in closed if b.epoch == epoch and first <= b.seq <= last}

        def work(model: _Model) -> None:
            found = [w for w in map(self.spool.waiting, self.spool.backlog(0, 10_000)) if w]
            ids = [w.id for w in found if (w.epoch, w.seq) in names]
            if reason:
                for number in ids:
                    self.spool.refuse(number, reason)
            else:
                self.spool.acknowledged(set(ids))
            model.settle(names, reason)

        self._round(fate, work)

    @rule(fate=FATES, boot=BOOTS, device=DEVICES, at=st.lists(st.integers(0, 2**62), max_size=3))
    def hold(self, fate: str, boot: str, device: str, at: list[int]) -> None:
        """Hold samples without time."""
        samples = [Sample("sensor", {"value": 0.1}, at_ns, {"name": "三通"}) for at_ns in at]

        def work(model: _Model) -> None:
            self.spool.hold(boot, device, samples)
            model.held += [(boot, device, sample) for sample in samples]

        self._round(fate, work)

    @rule(fate=FATES)
    def release(self, fate: str) -> None:
        """Release all held samples."""

        def work(model: _Model) -> None:
            expected: dict[tuple[str, str], list[Sample]] = {}
            for boot, device, sample in model.held:
                expected.setdefault((boot, device), []).append(sample)
            assert self.spool.release() == expected
            model.held.clear()

        self._round(fate, work)

    @rule(fate=FATES, device=DEVICES, minute=st.integers(0, 5))
    def claim(self, fate: str, device: str, minute: int) -> None:
        """Claim a minute for a presence: the first wins."""

        def work(model: _Model) -> None:
            assert self.spool.claim_slot(device, minute) == ((device, minute) not in model.slots)
            model.slots.add((device, minute))

        self._round(fate, work)

    @rule()
    def restart(self) -> None:
        """Stop the agent and start it again."""
        self.spool.close()
        self.spool = Spool(self.spool.directory, CAP)
        self._begin()

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """Everything that was committed is there, byte for byte, in order; and nothing else."""
        model, spool = self.model, self.spool
        found = [w for w in map(spool.waiting, spool.backlog(0, 10_000)) if w]
        expected = [queued for queued in model.queue if not queued.is_open]
        assert [(w.device, decode(w.payload)) for w in found] == [(q.device, q.batch) for q in expected]
        assert [(w.epoch, w.seq) for w in found] == [q.batch[:2] for q in expected]
        for batch in found:
            assert self.payloads.setdefault((batch.epoch, batch.seq), batch.payload) == batch.payload, "a name twice"
        assert spool.refused() == model.refused
        status = spool.status()
        name = (model.epoch, model.seq) if model.seq else _name(model.previous)
        assert status[:3] == (*name, len(model.queue))
        assert status.bytes == sum(queued.size() for queued in model.queue)
        assert (status.held, status.refused) == (len(model.held), len(model.refused))
        assert status[6:] == (model.refused_total, model.dropped_total, model.acknowledged_total, 0)


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
