"""Evidence that is stored long after it was measured leaves a mark, behind it: its day is to be judged again."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.chunk import Chunk
from collector.store.base import Late, Poison, Store
from collector.store.open import open_store
from collector.wire import Arrival
from contract import topics
from contract.batch import Batch, encode
from contract.measurements import Retention

AGENT = "441802-1.gw"
DEVICE = "441802-1.c1"
MINUTE_NS = 60 * 10**9
MS_NS = 10**6


class Written:
    """A store's `write` that notes what it gets, and when it was done."""

    def __init__(self, poison: Callable[[bytes], list[Poison]] = lambda _: []) -> None:
        self.bodies: list[tuple[Retention, bytes]] = []
        self.done_ns: list[int] = []
        self._poison = poison

    def __call__(self, retention: Retention, lines: bytes) -> list[Poison]:
        """Take it."""
        self.bodies.append((retention, lines))
        found = self._poison(lines)
        self.done_ns.append(time.time_ns())
        return found

    def late(self) -> list[bytes]:
        """Return the marks."""
        return [line for _, body in self.bodies for line in body.splitlines() if line.startswith(b"late,")]


def sent(*minutes_ago: float, seq: int = 1, device: str = AGENT, line: str = "presence lan=1i") -> Arrival:
    """Return a batch that arrives now, with a sample from each time."""
    now_ns = time.time_ns()
    lines = "".join(f"{line} {now_ns - int(ago * MINUTE_NS)}\n" for ago in minutes_ago)
    return arrival(Batch("5f0c9a1e", seq, "synced", lines.encode()), device)


def arrival(batch: Batch, device: str = AGENT) -> Arrival:
    """Return a batch as it arrives now."""
    return Arrival(topics.batch(AGENT, device), encode(batch, compress=False), time.time_ns())


def stored(*arrivals: Arrival, write: Written | None = None) -> Written:
    """Store arrivals together."""
    written = write or Written()
    chunk = Chunk()
    for one in arrivals:
        chunk.add(one)
    chunk.store(written)
    return written


@pytest.mark.parametrize(
    ("minutes_ago", "is_late"),
    [((0,), False), ((14,), False), ((16,), True), ((16, 0), True), ((0, 600, 0), True), ((600, 700), True)],
)
def test_the_oldest_sample_decides(minutes_ago: tuple[float, ...], is_late: bool) -> None:
    """A batch is late by its oldest sample: what was held for want of the time comes together with what is fresh."""
    assert bool(stored(sent(*minutes_ago)).late()) is is_late


def test_a_mark_says_which_time_the_evidence_is_of(tmp_path: Path) -> None:
    """From the oldest to the newest sample, not narrower; by device, also where a gateway speaks."""
    with closing(open_store(f"sqlite://{tmp_path}/store.db")) as store:
        store.prepare()
        began_ns = time.time_ns()
        stored_by(store, sent(100, 90, 95), sent(50, seq=2, device=DEVICE), sent(1, seq=3))
        found = list(store.late(began_ns - MINUTE_NS, time.time_ns() + MINUTE_NS))
        assert [one.device for one in found] == [DEVICE, AGENT]
        _holds(found[1], began_ns, 100, 90)
        _holds(found[0], began_ns, 50, 50)
        (row,) = (row for row in store.select("late", 0, 2**62) if row.device == DEVICE)
        assert row.source == AGENT


def _holds(late: Late, began_ns: int, oldest: float, newest: float) -> None:
    assert began_ns <= late.stored_ns <= time.time_ns() + MS_NS
    for at_ns, ago in ((late.oldest_ns, oldest), (late.newest_ns, newest)):
        assert abs(at_ns - (began_ns - int(ago * MINUTE_NS))) < 10**9


def stored_by(store: Store, *arrivals: Arrival) -> None:
    """Store arrivals together in a real store."""
    chunk = Chunk()
    for one in arrivals:
        chunk.add(one)
    chunk.store(store.write)


def test_the_mark_is_behind_the_evidence() -> None:
    """The mark is written when the evidence is durable, at a time not before: who reads the mark finds both."""
    written = stored(sent(60), sent(70, line="host load1=0.5"))
    assert [b"late," in body for _, body in written.bodies] == [False, False, True]
    assert written.bodies[-1][0] is Retention.EVIDENCE
    (mark,) = written.late()
    assert int(mark[-19:]) >= written.done_ns[-2]


def test_batches_of_one_device_leave_one_mark(tmp_path: Path) -> None:
    """A backlog of many batches in one write is one mark a device, as wide as all of them."""
    written = stored(
        *(sent(600 - n, seq=n) for n in range(1, 100)), *(sent(600 - n, seq=n, device=DEVICE) for n in (5, 6))
    )
    assert len(written.late()) == 2
    with closing(open_store(f"sqlite://{tmp_path}/store.db")) as store:
        store.prepare()
        for kind, body in written.bodies:
            store.write(kind, body)
        (other, found) = store.late(0, 2**62)
        assert (other.device, found.device) == (DEVICE, AGENT)
        assert round((found.newest_ns - found.oldest_ns) / MINUTE_NS) == 98


def test_what_is_refused_or_too_old_to_keep_leaves_no_mark() -> None:
    """Nothing is stored of such batches, so no day changes: bad lines, and telemetry beyond its retention."""
    assert stored(sent(600, line="presence lan=yes")).late() == []
    assert stored(sent(36 * 1440, line="host load1=0.5")).late() == []
    assert stored(arrival(Batch("5f0c9a1e", 1, "synced", b"rubbish\n"))).late() == []
    # One good line of now beside a bad one of long ago.
    now_ns = time.time_ns()
    lines = b"presence lan=yes %d\npresence lan=1i %d\n" % (now_ns - 600 * MINUTE_NS, now_ns)
    assert stored(arrival(Batch("5f0c9a1e", 1, "synced", lines))).late() == []


def test_a_bad_line_beside_late_evidence_changes_nothing() -> None:
    """The good lines of a batch with bad ones are late evidence like any."""
    now_ns = time.time_ns()
    lines = b"presence lan=yes %d\npresence lan=1i %d\n" % (now_ns - 900 * MINUTE_NS, now_ns - 600 * MINUTE_NS)
    (mark,) = stored(arrival(Batch("5f0c9a1e", 1, "synced", lines))).late()
    assert b"oldest=%di" % ((now_ns - 600 * MINUTE_NS) // MS_NS) in mark


def test_a_boot_without_a_clock_is_late_by_its_delivery() -> None:
    """A batch without lines is about the time at which it was delivered; it too can turn minutes to unknown."""
    then_ns = time.time_ns() - 90 * MINUTE_NS
    (mark,) = stored(arrival(Batch("5f0c9a1e", 1, "unsynced", b"", "", then_ns, 7))).late()
    assert b"newest=%di,oldest=%di" % (then_ns // MS_NS, then_ns // MS_NS) in mark
    assert stored(arrival(Batch("5f0c9a1e", 1, "unsynced", b"", "", time.time_ns(), 7))).late() == []


def test_lines_of_a_boot_without_a_clock_count_as_held() -> None:
    """Whoever sends lines without having the time is found by the same field as an agent that holds them back."""
    lines = b"presence lan=1i %d\n" % time.time_ns()
    written = stored(arrival(Batch("5f0c9a1e", 1, "unsynced", lines * 3)))
    (point,) = (line for _, body in written.bodies for line in body.splitlines())
    assert b",held=3i " in point


def test_a_line_that_the_store_refuses_leaves_the_mark_of_the_others() -> None:
    """The mark is of the batch as it was sent; wider than what was stored is right, narrower would not be."""
    written = Written(lambda lines: [Poison(x, "no") for x in lines.splitlines() if b"lan=1i" in x][:1])
    assert len(stored(sent(600, 500), write=written).late()) == 1
