"""What the fault harness found in the spool: damaged text is no crash, and held samples are dated once."""

from pathlib import Path

import pytest

from agent.pipeline import Agent
from agent.spool import FILE, Spool
from agent.spoolfile import open_for, peek
from contract.sample import Sample
from tests.agent.doubles import DEVICE, SECOND_NS, FakeClocks, epoch_of, lines_of, settings_for, waiting

CAP = 64 << 20
LINE = b"sensor,name=x value=%d.0 1795000020000000000\n"
SERIAL = "serial-1"


def _fill(folder: Path) -> None:
    """Leave a closed spool with ten batches."""
    spool, _ = open_for(folder, CAP, SERIAL)
    with spool.transaction():
        spool.begin()
        for n in range(10):
            spool.append(DEVICE, LINE % n, "synced")
            spool.close_batches()
    spool.close()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"441802-3144001234", b"441802-31440\x86\xb1234"),  # a device
        (SERIAL.encode(), b"serial\xd21"),  # a fact
        (b"CREATE TABLE batch", b"CREATE TA\xbdLE batch"),  # the schema, which SQLite quotes in its message
    ],
)
def test_text_that_is_none_any_more(tmp_path: Path, before: bytes, after: bytes) -> None:
    """The agent starts, nine batches at least are as they were, the damage is counted; `peek` has one line for it."""
    _fill(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    assert before in content and len(before) == len(after)
    (tmp_path / FILE).write_bytes(content.replace(before, after, 1))
    if b"TABLE" in before:
        with pytest.raises(Exception, match="spool repair"):
            peek(tmp_path)
    spool, _ = open_for(tmp_path, CAP, SERIAL)
    with spool.transaction():
        spool.begin()
        spool.append(DEVICE, LINE % 10, "synced")
        spool.close_batches()
    status = spool.status()
    left = {batch.lines for batch in waiting(spool)}
    spool.close()
    assert left <= {LINE % n for n in range(11)}
    assert len(left) >= 10
    if before == b"441802-3144001234":
        assert status.damaged_total == 1
    again, why = open_for(tmp_path, CAP, SERIAL)
    again.close()
    assert why == ""


def test_what_was_released_is_not_released_again(tmp_path: Path) -> None:
    """A damaged file gives back what was deleted from it: held samples that were dated already stay what they are."""
    spool, _ = open_for(tmp_path, CAP, SERIAL)
    with spool.transaction():
        spool.hold("boot-1", DEVICE, [Sample("host", {"load1": 1.0}, 5)])
    (row,) = spool._db.execute("SELECT * FROM held").fetchall()
    with spool.transaction():
        assert len(spool.release()) == 1
    with spool.transaction():
        assert spool.adopt(row[0], row)
        spool.hold("boot-1", DEVICE, [Sample("host", {"load1": 2.0}, 6)])
        assert [s.fields for s in spool.release()["boot-1", DEVICE]] == [{"load1": 2.0}]
    spool.close()


def test_held_samples_are_dated_the_same_twice(tmp_path: Path) -> None:
    """A start that is undone with its spool, and the next, come to the same time for what waited for the time."""
    settings = settings_for(tmp_path / "spool")
    times = []
    for reading_ns in (0, 300, -70_000):
        clocks = FakeClocks()
        clocks.offset_ns += 50_000_000 + reading_ns
        with epoch_of(Spool(settings.spool.path, CAP)) as spool:
            with spool.transaction():
                spool.hold("boot-1", DEVICE, [Sample("stop", {"boot": "boot-1", "reason": "x"}, 100 * SECOND_NS)])
            clocks.advance(120)
            Agent(settings, clocks, spool).round()
            times.append(lines_of(waiting(spool), "stop")[-1].time_ns)
        for file in settings.spool.path.iterdir():
            file.unlink()
    assert len(set(times)) == 1
