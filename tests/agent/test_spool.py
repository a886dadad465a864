"""The spool: what it keeps through crashes, clones and damage; one fsync a round."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.spool import DAMAGED, FILE, Spool, SpoolDamaged, SpoolError
from agent.spoolfile import lock, mend, open_for, peek
from contract.batch import Batch, decode
from contract.sample import Sample
from tests.agent.doubles import DEVICE, epoch_of, waiting

ROOT = Path(__file__).parents[2]
LINE = b"usage display_on=1i 1764000000000000000\n"
CAP = 1 << 20


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Return a spool in its first epoch."""
    made = Spool(tmp_path / "spool", CAP)
    with made.transaction():
        made.begin()
    yield made
    made.close()


def _queue(spool: Spool, count: int = 1) -> list[int]:
    """Commit some batches; return their ids."""
    closed: list[int] = []
    for _ in range(count):
        with spool.transaction():
            spool.append(DEVICE, LINE, "synced")
            closed += spool.close_batches()
    return closed


def _garble(directory: Path) -> None:
    """Overwrite the spool's file with what is no database; its journals go, as after a damaged card."""
    (directory / FILE).write_bytes(b"no database any more " * 1000)
    for suffix in ("-wal", "-shm"):
        (directory / (FILE + suffix)).unlink(missing_ok=True)


def _asides(directory: Path, kind: str = "aside") -> list[Path]:
    return sorted(path for path in directory.glob(f"{FILE}.{kind}-*") if path.suffix[-4:] not in ("-wal", "-shm"))


# ---- the queue


def test_rounds_join_one_batch_until_it_is_closed(spool: Spool) -> None:
    """What several rounds measured goes out together, in the order it was measured."""
    for minute in range(3):
        with spool.transaction():
            spool.append(DEVICE, LINE.replace(b"=1i", b"=%di" % minute), "synced")
    assert waiting(spool) == []
    with spool.transaction():
        spool.close_batches()
    lines = b"".join(LINE.replace(b"=1i", b"=%di" % minute) for minute in range(3))
    assert waiting(spool) == [Batch(spool.epoch, 1, "synced", lines)]


def test_devices_and_clocks_have_batches_of_their_own(spool: Spool) -> None:
    """A batch speaks for one device and under one word about the clock; seqs are counted over all."""
    other = "441802-3144001234.c0704"
    with spool.transaction():
        for device, clock in ((DEVICE, "trusted"), (other, "synced"), (DEVICE, "synced"), (DEVICE, "trusted")):
            spool.append(device, LINE, clock)
        ids = spool.close_batches()
    got = [(w.device, decode(w.payload).clock, w.seq) for w in map(spool.waiting, ids) if w]
    assert got == [(DEVICE, "trusted", 1), (other, "synced", 2), (DEVICE, "synced", 3)]
    assert waiting(spool)[0].lines == LINE * 2


def test_a_batch_is_never_too_large_for_the_collector(spool: Spool) -> None:
    """However much is appended before a batch is closed, every batch is one that the collector accepts."""
    block = LINE * 2000
    with spool.transaction():
        for _ in range(20):
            spool.append(DEVICE, block, "synced")
        spool.close_batches()
    batches = waiting(spool)
    assert len(batches) > 1
    assert b"".join(batch.lines for batch in batches) == block * 20


def test_a_large_append_is_split_for_the_collector(spool: Spool) -> None:
    """Days of samples that are dated at once are split between lines, into batches that the collector accepts."""
    lines = LINE * 60_000
    with spool.transaction():
        spool.append(DEVICE, lines, "synced")
        spool.close_batches()
    batches = waiting(spool)
    assert b"".join(batch.lines for batch in batches) == lines
    assert all(batch.lines.endswith(b"\n") for batch in batches)


def test_what_is_acknowledged_is_gone(spool: Spool) -> None:
    """A batch leaves when the store has it, and is counted."""
    first, second = _queue(spool, 2)
    with spool.transaction():
        spool.acknowledged({first})
    assert spool.backlog(0) == [second]
    assert (spool.status().batches, spool.status().acknowledged_total) == (1, 1)


def test_what_is_refused_is_kept_and_counted(spool: Spool) -> None:
    """A refused batch is not sent again, but stays visible with its reason, and is counted for ever."""
    first, second = _queue(spool, 2)
    with spool.transaction():
        spool.refuse(first, "wrong_type: line 3")
        spool.refuse(second, "too_old")
        spool.refuse(second, "too_old")
        spool.refuse(99, "never was")
    assert spool.backlog(0) == []
    assert spool.refused() == [(spool.epoch, 2, DEVICE, "too_old"), (spool.epoch, 1, DEVICE, "wrong_type: line 3")]
    assert (spool.status().refused, spool.status().refused_total) == (2, 2)


def test_refused_batches_do_not_fill_the_disk(tmp_path: Path) -> None:
    """Of thousands of refused batches the last thousand are kept; the count goes on."""
    spool = Spool(tmp_path, CAP)
    with spool.transaction():
        spool.begin()
        for _ in range(1100):
            spool.append(DEVICE, LINE, "synced")
            for number in spool.close_batches():
                spool.refuse(number, "too_old")
    assert (spool.status().refused, spool.status().refused_total) == (1000, 1100)
    assert spool.refused()[0][1] == 1100
    spool.close()


def test_at_the_size_cap_the_oldest_go_counted(tmp_path: Path) -> None:
    """A spool at its cap drops the oldest batches, keeps the newest, and says how many it dropped."""
    spool = Spool(tmp_path, 1000)
    with spool.transaction():
        spool.begin()
    _queue(spool, 50)
    status, kept = spool.status(), waiting(spool)
    assert status.bytes <= 1000
    assert 0 < status.batches < 50
    assert status.dropped_total == 50 - status.batches
    assert [batch.seq for batch in kept] == list(range(51 - status.batches, 51))
    spool.close()


def test_the_first_presence_of_a_minute_wins(spool: Spool) -> None:
    """A device has one presence a minute, the first, across restarts of the agent."""
    with spool.transaction():
        assert spool.claim_slot(DEVICE, 60)
        assert not spool.claim_slot(DEVICE, 60)
        assert spool.claim_slot(DEVICE, 120)
        assert spool.claim_slot("441802-3144001234.c0704", 60)
    again = Spool(spool.directory, CAP)
    with again.transaction():
        assert not again.claim_slot(DEVICE, 120)
    again.close()


def test_claimed_minutes_are_remembered_for_days_not_for_ever(spool: Spool) -> None:
    """Minutes are remembered for three days: longer than any clock correction, shorter than any disk."""
    minute_ns = 60 * 10**9
    with spool.transaction():
        for minute in range(4400):
            assert spool.claim_slot(DEVICE, minute * minute_ns)
        assert not spool.claim_slot(DEVICE, (4399 - 4000) * minute_ns)
        assert spool.claim_slot(DEVICE, 0)


def test_held_samples_come_out_as_they_went_in(spool: Spool) -> None:
    """Samples that wait for the time come out by boot and device, in order, once."""
    samples = [
        Sample("sensor", {"value": 0.1, "n": 1, "text": "三通", "flag": True}, at, {"name": "a"}) for at in range(3)
    ]
    with spool.transaction():
        spool.hold("boot-1", DEVICE, samples[:2])
        spool.hold("boot-2", DEVICE, samples[:1])
        spool.hold("boot-1", DEVICE, samples[2:])
    assert (spool.has_held(), spool.status().held) == (True, 4)
    with spool.transaction():
        assert spool.release() == {("boot-1", DEVICE): samples, ("boot-2", DEVICE): samples[:1]}
    assert (spool.has_held(), spool.status().held) == (False, 0)


def test_offsets_of_recent_boots_are_remembered(spool: Spool) -> None:
    """The time of the last eight boots is kept, so that what they left behind can be dated."""
    with spool.transaction():
        for boot in range(10):
            spool.remember_offset(f"boot-{boot}", boot * 10**9, "synced")
        spool.remember_offset("boot-9", 9 * 10**9 + 5, "synced")  # less than a second: not written again
        spool.remember_offset("boot-8", 8 * 10**9 + 2 * 10**9, "synced")
    known = spool.offsets()
    assert set(known) == {f"boot-{boot}" for boot in range(2, 10)}
    assert known["boot-9"] == (9 * 10**9, "synced")
    assert known["boot-8"] == (10 * 10**9, "synced")


def test_settled_batches_do_not_count_any_more(spool: Spool) -> None:
    """The status leaves out what is acknowledged but not yet written as such."""
    first, _ = _queue(spool, 2)
    assert spool.status([first]).batches == 1
    assert spool.status([first]).bytes < spool.status().bytes


# ---- crashes and restarts


def test_an_interrupted_round_leaves_nothing(spool: Spool) -> None:
    """What happens inside a round is committed together or not at all."""

    class _Interrupt(Exception):
        pass

    ids = _queue(spool)
    with pytest.raises(_Interrupt), spool.transaction():
        spool.append(DEVICE, LINE, "synced")
        spool.acknowledged(set(ids))
        spool.claim_slot(DEVICE, 60)
        spool.hold("boot-1", DEVICE, [Sample("host", {"load1": 1.0}, 1)])
        raise _Interrupt
    assert spool.backlog(0) == ids
    assert (spool.status().seq, spool.status().held, spool.status().acknowledged_total) == (1, 0, 0)
    with spool.transaction():
        assert spool.claim_slot(DEVICE, 60)


def test_a_killed_agent_leaves_what_it_committed(tmp_path: Path) -> None:
    """After kill -9 in the middle of a round, everything committed before is there and nothing of that round."""
    script = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from agent.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), 1 << 20)\n"
        "with spool.transaction():\n    spool.begin()\n"
        "for _ in range(5):\n"
        "    with spool.transaction():\n"
        f"        spool.append({DEVICE!r}, {LINE!r}, 'synced'); spool.close_batches()\n"
        "with spool.transaction():\n"
        f"    spool.append({DEVICE!r}, {LINE!r}, 'synced'); spool.close_batches()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, check=False, timeout=60)
    assert died.returncode == -9
    spool = Spool(tmp_path, CAP)
    assert [batch.seq for batch in waiting(spool)] == [1, 2, 3, 4, 5]
    spool.close()


def test_a_restart_names_what_was_open(spool: Spool) -> None:
    """An open batch goes out after a restart as the first of the new epoch, which names the one before."""
    _queue(spool)
    with spool.transaction():
        spool.append(DEVICE, LINE * 2, "synced")
    old = spool.epoch
    again = Spool(spool.directory, CAP)
    with again.transaction():
        again.begin()
        again.append(DEVICE, LINE, "synced")
        again.append(DEVICE, LINE, "trusted")
        again.close_batches()
    assert waiting(again) == [
        Batch(old, 1, "synced", LINE),
        Batch(again.epoch, 1, "synced", LINE * 2, previous=f"{old}:1"),
        Batch(again.epoch, 2, "synced", LINE),
        Batch(again.epoch, 3, "trusted", LINE),
    ]
    assert re.fullmatch(r"[0-9a-f]{8,16}", again.epoch)
    again.close()


def test_an_older_copy_of_a_card_never_names_a_batch_twice(spool: Spool, tmp_path: Path) -> None:
    """A batch that was open when a card was copied is completed on one and not on the other: two names."""
    with spool.transaction():
        spool.append(DEVICE, LINE, "synced")
    shutil.copytree(spool.directory, tmp_path / "copy")
    _queue(spool)
    (completed,) = waiting(spool)
    with epoch_of(Spool(tmp_path / "copy", CAP)) as older:
        (torn,) = waiting(older)
        assert (torn.lines, completed.lines) == (LINE, LINE * 2)
        assert torn.epoch != completed.epoch


def test_two_copies_of_a_card_never_make_the_same_batch(spool: Spool, tmp_path: Path) -> None:
    """A cloned card, or a restored image, goes on in an epoch of its own: no two batches can be confused."""
    _queue(spool, 3)
    names: set[tuple[str, int]] = set()
    for copy in ("one", "two"):
        shutil.copytree(spool.directory, tmp_path / copy)
        clone = Spool(tmp_path / copy, CAP)
        with clone.transaction():
            clone.begin()
        _queue(clone, 3)
        mine = {(batch.epoch, batch.seq) for batch in waiting(clone) if batch.epoch == clone.epoch}
        assert len(mine) == 3
        assert not mine & names
        names |= mine
        clone.close()


# ---- whose spool it is


def test_a_spool_of_other_hardware_is_set_aside(tmp_path: Path) -> None:
    """A card that moves to other hardware does not speak for it: its spool is set aside, whole, and said so."""
    spool, why = open_for(tmp_path, CAP, "serial-1")
    assert why == ""
    with spool.transaction():
        spool.begin()
    _queue(spool, 2)
    spool.close()
    spool, why = open_for(tmp_path, CAP, "serial-2")
    assert why == "spool of other hardware (serial-1), this is serial-2"
    assert waiting(spool) == []
    spool.close()
    spool, why = open_for(tmp_path, CAP, "serial-2")
    assert why == ""
    spool.close()
    (aside,) = _asides(tmp_path)
    with sqlite3.connect(aside) as db:
        assert db.execute("SELECT count(*) FROM batch").fetchone() == (2,)
    db.close()


def test_an_unclean_spool_of_other_hardware_is_set_aside_whole(tmp_path: Path) -> None:
    """A card pulled out of a running agent keeps its last batches when its spool is set aside."""
    spool, _ = open_for(tmp_path / "a", CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    _queue(spool, 2)
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # as the power cut leaves it: the journal is not merged
    spool.close()
    assert (tmp_path / "b" / f"{FILE}-wal").stat().st_size > 0
    other, why = open_for(tmp_path / "b", CAP, "serial-2")
    assert why
    other.close()
    (aside,) = _asides(tmp_path / "b")
    with sqlite3.connect(aside) as db:
        assert db.execute("SELECT count(*) FROM batch").fetchone() == (2,)
    db.close()


def test_the_same_hardware_keeps_its_spool(tmp_path: Path) -> None:
    """A restart on the same hardware goes on with what waits."""
    spool, _ = open_for(tmp_path, CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    _queue(spool, 2)
    spool.close()
    spool, why = open_for(tmp_path, CAP, "serial-1")
    assert (why, len(waiting(spool))) == ("", 2)
    spool.close()


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    """A file that is no database any more is kept under another name, and the agent measures on."""
    spool, _ = open_for(tmp_path, CAP, "serial-1")
    spool.close()
    _garble(tmp_path)
    spool, why = open_for(tmp_path, CAP, "serial-1")
    assert why.startswith("spool damaged: ")
    with spool.transaction():
        spool.begin()
    assert len(_queue(spool)) == 1
    spool.close()
    (aside,) = _asides(tmp_path, "damaged")
    assert aside.read_bytes().startswith(b"no database any more")


def test_a_damaged_file_is_set_aside_with_its_journal(tmp_path: Path) -> None:
    """The journal of a damaged spool goes with it: kept for whoever repairs it, and not in the new spool's way."""
    open_for(tmp_path, CAP, "serial-1")[0].close()
    _garble(tmp_path)
    (tmp_path / f"{FILE}-wal").write_bytes(b"no journal any more " * 1000)
    spool, why = open_for(tmp_path, CAP, "serial-1")
    assert why.startswith("spool damaged: ")
    with spool.transaction():
        spool.begin()
    assert len(_queue(spool)) == 1
    spool.close()
    (aside,) = _asides(tmp_path, "damaged")
    assert aside.with_name(f"{aside.name}-wal").read_bytes().startswith(b"no journal any more")


def test_an_intact_journal_repairs_a_damaged_file(tmp_path: Path) -> None:
    """A spool whose file was damaged while its journal still has everything loses nothing."""
    spool, _ = open_for(tmp_path / "a", CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    _queue(spool, 3)
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # as the power cut leaves it: the journal is not merged
    spool.close()
    (tmp_path / "b" / FILE).write_bytes(b"no database any more " * 1000)
    spool, why = open_for(tmp_path / "b", CAP, "serial-1")
    assert (why, [batch.seq for batch in waiting(spool)]) == ("", [1, 2, 3])
    spool.close()


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    """Another program's database under the spool's name is neither used nor moved: one line says what is wrong."""
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("CREATE TABLE batch (colour TEXT)")
        db.execute("INSERT INTO batch VALUES ('red')")
    db.close()
    with pytest.raises(SpoolError) as caught:
        open_for(tmp_path, CAP, "serial-1")
    assert str(caught.value).startswith(f"{tmp_path / FILE}: ")
    assert _asides(tmp_path) == []
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("SELECT colour FROM batch").fetchone() == ("red",)
    db.close()


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    """Setting a spool aside moves the spool and nothing else."""
    (tmp_path / "notes.txt").write_text("mine")
    open_for(tmp_path, CAP, "serial-1")[0].close()
    open_for(tmp_path, CAP, "serial-2")[0].close()
    assert (tmp_path / "notes.txt").read_text() == "mine"


# ---- rows and files that a failing disk changed


def _change(spool: Spool, statement: str) -> None:
    """Change a row behind the spool's back."""
    with sqlite3.connect(spool.file) as db:
        db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    "change",
    ["body = CAST(x'00' || substr(body, 2) AS BLOB)", "seq = 7", "device = 'x'", "bytes = 3", "body = NULL", "crc = 1"],
)
def test_a_changed_batch_is_never_sent(spool: Spool, change: str) -> None:
    """A batch that fails its checksum, everywhere, is moved to the refused ones and counted; its neighbours go on."""
    first, second, third = _queue(spool, 3)
    _change(spool, f"UPDATE batch SET {change} WHERE id = {second}")
    with pytest.raises(SpoolDamaged):
        spool.waiting(second)
    assert spool.waiting(second) is None, "others can be sent, even where nothing can be mended"
    assert spool.status().batches == 3, "it is not given up before it was looked for in the log"
    assert mend(spool) is None
    assert spool.waiting(second) is None
    assert spool.backlog(0) == [first, third]
    with spool.transaction():
        pass
    status = spool.status()
    assert (status.batches, status.refused, status.damaged_total, status.refused_total) == (2, 1, 1, 0)
    assert spool.refused()[0][3] == DAMAGED


def test_a_changed_batch_is_found_at_the_start(tmp_path: Path) -> None:
    """A restart reads every batch: what fails its checksum is not announced, and the rest is."""
    spool, _ = open_for(tmp_path, CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    _, second, _ = _queue(spool, 3)
    _change(spool, f"UPDATE batch SET seq = 9 WHERE id = {second}")
    spool.close()
    spool, why = open_for(tmp_path, CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    assert (why, [batch.seq for batch in waiting(spool)], spool.status().damaged_total) == ("", [1, 3], 1)
    spool.close()


def test_a_changed_open_batch_is_not_closed(spool: Spool) -> None:
    """An open batch that fails its checksum gets no name."""
    with spool.transaction():
        spool.append(DEVICE, LINE, "synced")
    _change(spool, "UPDATE batch SET body = CAST(replace(body, '=1i', '=0i') AS BLOB)")
    with pytest.raises(SpoolDamaged), spool.transaction():
        spool.close_batches()
    with pytest.raises(SpoolDamaged), spool.transaction():
        spool.append(DEVICE, LINE, "synced")
    assert mend(spool) is None
    with spool.transaction():
        spool.append(DEVICE, LINE, "synced")
        (number,) = spool.close_batches()
    batch = spool.waiting(number)
    assert batch is not None
    assert decode(batch.payload).lines == LINE
    assert (spool.status().batches, spool.status().damaged_total, spool.status().seq) == (1, 1, 1)


def test_changed_facts_and_samples_are_not_used(spool: Spool) -> None:
    """A held sample that fails its checksum is left out and counted; a fact is as good as never remembered."""
    with spool.transaction():
        spool.hold("boot-1", DEVICE, [Sample("host", {"load1": float(n)}, n) for n in range(3)])
        spool.remember("serial", "one")
        assert spool.claim_slot(DEVICE, 60)
    _change(spool, "UPDATE held SET sample = replace(sample, '1.0', '9.0')")
    _change(spool, "UPDATE meta SET value = 'two' WHERE key = 'fact.serial'")
    _change(spool, "UPDATE slot SET minute = 120")
    assert spool.recall("serial") is None
    with pytest.raises(SpoolDamaged), spool.transaction():
        spool.release()
    assert mend(spool) is None
    with spool.transaction():
        assert [s.fields for s in spool.release()["boot-1", DEVICE]] == [{"load1": 0.0}, {"load1": 2.0}]
        assert spool.claim_slot(DEVICE, 120)
    assert spool.status().damaged_total == 1


def _damage(file: Path, page: int, count: int = 1) -> None:
    with file.open("r+b") as stream:
        stream.seek((page - 1) * 4096)
        stream.write(b"\xa5" * 4096 * count)


def test_a_running_spool_is_mended(spool: Spool) -> None:
    """Pages that fail under a running agent cost their rows; ids, epoch and seq go on, and the loss is counted."""
    with spool.transaction():
        for number in range(600):
            spool.append(f"441802-1.c{number}", os.urandom(500).hex().encode() + b"\n", "synced")
        ids = spool.close_batches()
    epoch, before = spool.epoch, {w.id: w for w in map(spool.waiting, ids) if w}
    spool.close()  # so that everything is in the file
    spool.open()
    _damage(spool.file, 8)
    with pytest.raises(SpoolDamaged):
        for number in ids:
            spool.waiting(number)
    mended = mend(spool)
    assert mended is not None
    after = {w.id: w for w in map(spool.waiting, spool.backlog(0, 1000)) if w}
    assert 590 < len(after) < 600
    assert all(before[number] == batch for number, batch in after.items())
    assert spool.status().damaged_total == mended.lost > 0
    with spool.transaction():
        spool.append(DEVICE, LINE, "synced")
        (closed,) = spool.close_batches()
    new = spool.waiting(closed)
    assert new is not None
    assert (new.epoch, new.seq, new.id) == (epoch, 601, max(ids) + 1)
    assert len(_asides(spool.directory, "damaged")) == 1


def test_only_the_last_damaged_files_are_kept(tmp_path: Path) -> None:
    """A card that fails again and again does not fill itself with damaged files."""
    for _ in range(6):
        open_for(tmp_path, CAP, "serial-1")[0].close()
        _garble(tmp_path)
    assert len(_asides(tmp_path, "damaged")) == 3


def test_a_full_disk_does_not_lose_a_damaged_spool(tmp_path: Path) -> None:
    """While there is no place for the mended file, the damaged one stays where it is; then it is mended."""
    spool, _ = open_for(tmp_path, CAP, "serial-1")
    with spool.transaction():
        spool.begin()
        for number in range(60):
            spool.append(f"441802-1.c{number}", LINE * 10, "synced")
        spool.close_batches()
    spool.close()
    _damage(tmp_path / FILE, 8)
    (tmp_path / "rebuilding").write_text("in the way of the new folder")
    with pytest.raises(SpoolError):
        open_for(tmp_path, CAP, "serial-1")
    (tmp_path / "rebuilding").unlink()
    spool, why = open_for(tmp_path, CAP, "serial-1")
    assert why.startswith("spool damaged: ")
    assert len(waiting(spool)) > 30
    spool.close()


def test_a_power_cut_between_two_renames(tmp_path: Path) -> None:
    """The rebuilt file takes its place at the next start, without the journal of the damaged one."""
    spool, _ = open_for(tmp_path, CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    _queue(spool, 3)
    spool.close()
    (tmp_path / "rebuilding").mkdir()
    (tmp_path / FILE).rename(tmp_path / "rebuilding" / FILE)
    (tmp_path / f"{FILE}-wal").write_bytes(b"of the damaged file " * 1000)
    spool, why = open_for(tmp_path, CAP, "serial-1")
    assert (why, [batch.seq for batch in waiting(spool)]) == ("", [1, 2, 3])
    spool.close()
    assert not (tmp_path / "rebuilding").exists()


# ---- what the user is told


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    """A folder that cannot be created is one line with the folder and the setting that changes it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError) as caught:
        Spool(tmp_path / "file/spool", CAP)
    assert str(caught.value) == f"{tmp_path / 'file/spool'}: Not a directory: choose another folder with spool.path"


def test_a_folder_that_cannot_be_written_says_what_to_do() -> None:
    """A folder in which no file can be made is one line with the folder and the setting that changes it."""
    with pytest.raises(SpoolError) as caught:
        open_for(Path("/proc/self"), CAP, "serial-1")  # even root makes no file there
    assert str(caught.value).startswith("/proc/self")
    assert "choose another folder with spool.path" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_peek_reads_what_another_process_uses(spool: Spool) -> None:
    """The status can be read while the agent runs, and reading it changes nothing."""
    ids = _queue(spool, 3)
    with spool.transaction():
        spool.refuse(ids[0], "too_old")
    status, refused = peek(spool.directory)
    assert status == spool.status()
    assert refused == [(spool.epoch, 1, DEVICE, "too_old")]


def test_peek_where_no_agent_ran(tmp_path: Path) -> None:
    """Asking for a spool where there is none is one line, and makes no spool."""
    with pytest.raises(SpoolError) as caught:
        peek(tmp_path)
    assert str(caught.value) == f"{tmp_path / FILE}: no spool here: has the agent run? (--spool names its folder)"
    assert list(tmp_path.iterdir()) == []


def test_peek_while_the_file_is_being_made(tmp_path: Path) -> None:
    """An agent that is just starting for the first time has an empty file, which nobody has to repair."""
    (tmp_path / FILE).touch()
    with pytest.raises(SpoolError) as caught:
        peek(tmp_path)
    assert "repair" not in str(caught.value)


def test_peek_at_garbage(tmp_path: Path) -> None:
    """Asking for the status of a damaged spool is one line."""
    (tmp_path / FILE).write_bytes(b"no database any more " * 100)
    with pytest.raises(SpoolError, match="file is not a database"):
        peek(tmp_path)


def test_only_the_user_reads_the_spool(spool: Spool) -> None:
    """The folder that the agent makes for its spool is readable by its user only."""
    assert spool.directory.stat().st_mode & 0o777 == 0o700


# ---- cost


def test_one_fsync_a_round(tmp_path: Path) -> None:
    """A round is one fsync on the flash card: samples, acknowledgements and slots are committed together."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from agent.spool import Spool\n"
        "from contract.sample import Sample\n"
        "spool = Spool(Path(sys.argv[1]), 1 << 20)\n"
        "def round_(n, done):\n"
        "    with spool.transaction():\n"
        "        spool.acknowledged(done)\n"
        f"        spool.claim_slot({DEVICE!r}, n)\n"
        f"        spool.append({DEVICE!r}, {LINE!r}, 'synced')\n"
        f"        spool.hold('boot-1', {DEVICE!r}, [Sample('host', {{'load1': 1.0}}, n)])\n"
        "        return set(spool.close_batches())\n"
        "with spool.transaction():\n    spool.begin()\n"
        "done = set()\n"
        "for n in range(5): done = round_(n, done)\n"
        "os.write(1, b'warm')\n"
        "for n in range(5, 25): done = round_(n, done)\n"
        "os.write(1, b'done')\n"
    )
    log = tmp_path / "strace.log"
    command = ["strace", "-f", "-o", str(log), "-e", "trace=fsync,fdatasync,write", sys.executable, "-c", script]
    ended = subprocess.run([*command, tmp_path / "spool"], cwd=ROOT, check=True, timeout=60, capture_output=True)
    assert ended.stdout == b"warmdone"
    calls = log.read_text()
    measured = calls[calls.index('"warm"') : calls.index('"done"')]
    syncs = len(re.findall(r"\b(?:fsync|fdatasync)\(", measured))
    # 20 rounds; SQLite merges its journal (two fsyncs more) once in 1000 pages, which these rounds do not write.
    assert syncs == 20


def test_a_working_spool_stays_small(tmp_path: Path) -> None:
    """Hundreds of rounds keep the spool's files small while the centre answers."""
    spool = Spool(tmp_path, CAP)
    with spool.transaction():
        spool.begin()
    done: set[int] = set()
    for minute in range(500):
        with spool.transaction():
            spool.acknowledged(done)
            spool.claim_slot(DEVICE, minute)
            spool.append(DEVICE, LINE * 5, "synced")
            done = set(spool.close_batches())
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    spool.close()
    assert size < 6 << 20


def test_two_agents_cannot_use_one_spool(tmp_path: Path) -> None:
    """A second agent on the same folder ends with one line; when the first is gone the folder is free."""
    held = lock(tmp_path)
    with pytest.raises(SpoolError, match="another agent is using this spool"):
        lock(tmp_path)
    os.close(held)
    os.close(lock(tmp_path))
