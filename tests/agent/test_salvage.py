"""
A damaged spool: what the test's own reading of the file says is untouched must come back, unaltered, and go on.

The oracle works on bytes: it finds in the undamaged file (and its log) the pages on which a batch's payload lies. A
batch all of whose places were hit may be lost; any other may not.
"""

import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent.export import export
from agent.mark import FILE as MARK
from agent.rows import is_right_record
from agent.salvage import Salvage
from agent.spool import FILE, Spool, SpoolDamaged, SpoolError
from agent.spoolfile import lock, mend, open_for, peek
from agent.writeahead import Log
from contract.sample import Sample
from tests.agent.doubles import DEVICE
from tests.processes import BIN

PAGE = 4096
CAP = 64 << 20
FRAME = PAGE + 24


def _lines(chance: random.Random) -> bytes:
    """Return lines that gzip cannot make small, some larger than a page."""
    size = chance.choice([20, 100, 400, 400, 3000, 9000])
    return b"sensor,name=%s value=1 1764000000000000000\n" % chance.randbytes(size).hex().encode()


def _waiting(spool: Spool) -> dict[tuple[str, int], bytes]:
    return {(w.epoch, w.seq): w.payload for w in map(spool.waiting, spool.backlog(0, 10_000)) if w}


def _fill(folder: Path, chance: random.Random) -> dict[tuple[str, int], bytes]:
    """Leave a spool as a power cut does, its log not merged; return the payloads that wait, by name."""
    spool, _ = open_for(folder / "made", CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    for _ in range(chance.randrange(20, 120)):
        with spool.transaction():
            spool.acknowledged({n for n in spool.backlog(0, 1000) if chance.random() < 0.1})
            for _ in range(chance.randrange(1, 4)):
                spool.append(f"441802-1.c{chance.randrange(3)}", _lines(chance), "synced")
            if chance.random() < 0.8:
                spool.close_batches()
    with spool.transaction():
        spool.hold("boot-1", DEVICE, [Sample("host", {"load1": float(n)}, n) for n in range(50)])
        spool.remember_offset("boot-1", 1_764_000_000_000_000_000, "synced")
        spool.close_batches()
    waiting = _waiting(spool)
    if chance.random() < 0.5:
        spool.close()  # everything is merged into the file
    shutil.copytree(folder / "made", folder / "spool", dirs_exist_ok=True)
    spool.close()
    return waiting


def _flip(path: Path, chance: random.Random) -> list[tuple[Path, int]]:
    """Change some bytes; return which."""
    content = bytearray(path.read_bytes())
    places = [chance.randrange(len(content)) for _ in range(chance.randrange(1, 6))]
    for place in places:
        content[place] ^= chance.randrange(1, 256)
    path.write_bytes(content)
    return [(path, place) for place in places]


def _overwrite(path: Path, chance: random.Random) -> list[tuple[Path, int]]:
    """Overwrite some pages with noise, as a failing card does."""
    content = bytearray(path.read_bytes())
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.randrange(1, 4) * PAGE)
    content[start:end] = chance.randbytes(end - start)
    path.write_bytes(content)
    return [(path, place) for place in {*range(start, end, 512), end - 1}]


def _truncate(path: Path, chance: random.Random) -> list[tuple[Path, int]]:
    """Cut the file off; everything behind is hit."""
    size = path.stat().st_size
    left = chance.randrange(size)
    with path.open("r+b") as stream:
        stream.truncate(left)
    return [(path, place) for place in {*range(left, size, 512), size - 1}]


class _Places:
    """Where the payloads lie, read from the undamaged bytes."""

    def __init__(self, folder: Path) -> None:
        self._contents = {path: path.read_bytes() for path in (folder / FILE, folder / f"{FILE}-wal") if path.exists()}

    def unit(self, path: Path, place: int) -> int:
        """Return the page, or the frame of the log, in which a byte lies."""
        return (place - 32) // FRAME if path.name.endswith("-wal") else place // PAGE

    def untouched(self, payload: bytes, hits: list[tuple[Path, int]]) -> bool:
        """Tell whether a payload that fits into one page has a place that was not hit."""
        hit = {(path, self.unit(path, place)) for path, place in hits}
        for path, content in self._contents.items():
            at = content.find(payload)
            while at >= 0:
                # A cell that begins and ends on one page has its row's other columns there too.
                first, last = self.unit(path, max(0, at - 80)), self.unit(path, at + len(payload) + 8)
                if first == last and (path, first) not in hit:
                    return True
                at = content.find(payload, at + 1)
        return False


@pytest.mark.parametrize("damage", [_flip, _overwrite, _truncate])
@pytest.mark.parametrize("seed", range(12))
def test_what_was_not_hit_comes_back(
    tmp_path: Path, damage: Callable[[Path, random.Random], list[tuple[Path, int]]], seed: int
) -> None:
    """After any damage the spool opens; every untouched batch is there, none is altered, and what is lost is said."""
    chance = random.Random(f"{damage.__name__} {seed}")
    waiting = _fill(tmp_path, chance)
    folder = tmp_path / "spool"
    places = _Places(folder)
    log = folder / f"{FILE}-wal"
    target = log if log.exists() and log.stat().st_size > 0 and chance.random() < 0.6 else folder / FILE
    hits = damage(target, chance)
    safe = {name for name, payload in waiting.items() if len(payload) < 900 and places.untouched(payload, hits)}
    spool, why = open_for(folder, CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    found = _waiting(spool)
    status = spool.status()
    spool.close()
    assert safe <= found.keys(), f"lost although untouched: {sorted(safe - found.keys())}: {why}"
    assert all(found[name] == payload for name, payload in waiting.items() if name in found), "altered"
    if not waiting.keys() <= found.keys():
        assert status.damaged_total > 0, why
    again, why = open_for(folder, CAP, "serial-1")
    assert why == "", "a mended spool is sound"
    assert len(again.backlog(0, 10_000)) == len(found)
    again.close()


@pytest.mark.parametrize("size", [100, 2600], ids=["in its page", "with overflow pages"])
def test_a_row_that_reads_well_and_is_not_right_comes_from_an_older_image(tmp_path: Path, size: int) -> None:
    """A changed byte in the body of a batch leaves a page that makes sense: the log has the row once more."""
    spool, _ = open_for(tmp_path / "made", CAP, "serial-1")
    text = random.Random(7).randbytes(size).hex()
    with spool.transaction():
        spool.append(DEVICE, f"sensor,name={text} value=1 1764000000000000000\n".encode(), "synced")
        spool.close_batches()
    (payload,) = _waiting(spool).values()
    with closing(sqlite3.connect(tmp_path / "made" / FILE)) as db:
        for body in (bytes(len(payload)), payload):  # its pages stand in the log a second time
            db.execute("UPDATE batch SET body = ?", (body,))
            db.commit()
    shutil.copytree(tmp_path / "made", tmp_path / "spool")
    spool.close()
    log = tmp_path / "spool" / f"{FILE}-wal"
    content = bytearray(log.read_bytes())
    tail = payload[-40:]
    assert content.count(tail) >= 2
    content[content.rindex(tail) + 20] ^= 0xFF
    log.write_bytes(content)
    spool, why = open_for(tmp_path / "spool", CAP, "serial-1")
    assert "write-ahead log is damaged" in why
    assert list(_waiting(spool).values()) == [payload]
    spool.close()


def test_a_long_row_is_put_together_from_what_is_left_of_each_page(tmp_path: Path) -> None:
    """Its newest copy has a changed byte on one overflow page, an older one on another: each page has a good image."""
    spool, _ = open_for(tmp_path / "made", CAP, "serial-1")
    text = random.Random(8).randbytes(9000).hex()
    with spool.transaction():
        spool.append(DEVICE, f"sensor,name={text} value=1 1764000000000000000\n".encode(), "synced")
        spool.close_batches()
    (payload,) = _waiting(spool).values()
    with closing(sqlite3.connect(tmp_path / "made" / FILE)) as db:
        for body in (bytes(len(payload)), payload):
            db.execute("UPDATE batch SET body = ?", (body,))
            db.commit()
    shutil.copytree(tmp_path / "made", tmp_path / "spool")
    spool.close()
    log = tmp_path / "spool" / f"{FILE}-wal"
    content = bytearray(log.read_bytes())
    first, last = payload[-5000:-4980], payload[-40:]
    content[content.index(first)] ^= 0xFF
    content[content.rindex(last)] ^= 0xFF
    log.write_bytes(content)
    spool, _ = open_for(tmp_path / "spool", CAP, "serial-1")
    assert list(_waiting(spool).values()) == [payload]
    spool.close()


def _small(chance: random.Random) -> bytes:
    """Return a line of which some fit on one page."""
    return b"sensor,name=%s value=1 1764000000000000000\n" % chance.randbytes(150).hex().encode()


def _queue(spool: Spool, count: int, chance: random.Random) -> None:
    for _ in range(count):
        with spool.transaction():
            spool.append(DEVICE, _small(chance), "synced")
            spool.close_batches()


def test_a_hole_in_the_log_costs_what_was_in_it_alone(tmp_path: Path) -> None:
    """
    Where a page was divided, its newest image has none of the rows any more that moved to a page in the hole.

    A hole of zeros is what is left where a log was cut off and written on. Its older images have these rows.
    """
    spool, _ = open_for(tmp_path / "made", CAP, "serial-1")
    _queue(spool, 20, random.Random(1))
    waiting = _waiting(spool)
    shutil.copytree(tmp_path / "made", tmp_path / "copy")
    spool.close()
    places = _Places(tmp_path / "copy")
    content = (tmp_path / "copy" / f"{FILE}-wal").read_bytes()
    for frame in range(4, (len(content) - 32) // FRAME - 3):
        folder = tmp_path / str(frame)
        shutil.copytree(tmp_path / "copy", folder)
        start, end = 32 + frame * FRAME, 32 + (frame + 3) * FRAME
        (folder / f"{FILE}-wal").write_bytes(content[:start] + bytes(end - start) + content[end:])
        hits = [(tmp_path / "copy" / f"{FILE}-wal", place) for place in range(start, end, FRAME)]
        safe = {name for name, payload in waiting.items() if places.untouched(payload, hits)}
        spool, why = open_for(folder, CAP, "serial-1")
        found = _waiting(spool)
        spool.close()
        assert safe <= found.keys(), f"lost although untouched: {sorted(safe - found.keys())}: hole at {frame}: {why}"


@pytest.mark.parametrize("is_changed", [False, True], ids=["cut off and written on", "a changed byte"])
def test_a_damaged_log_is_not_merged_at_the_end(tmp_path: Path, is_changed: bool) -> None:
    """An agent that never came across a damage of its log, and is stopped, leaves the file below as it is."""
    spool, _ = open_for(tmp_path / "spool", CAP, "serial-1")
    chance = random.Random(2)
    _queue(spool, 30, chance)
    spool.close()  # all of it is in the file
    spool.open()
    _queue(spool, 6, chance)
    log = tmp_path / "spool" / f"{FILE}-wal"
    shutil.copytree(tmp_path / "spool", tmp_path / "copy")
    waiting, places = _waiting(spool), _Places(tmp_path / "copy")
    content = log.read_bytes()
    middle = len(content) // 2
    with log.open("r+b") as stream:
        if is_changed:
            stream.seek(middle)
            stream.write(bytes([content[middle] ^ 0xFF]))
        else:
            stream.truncate(middle)
    hits = [(tmp_path / "copy" / log.name, n) for n in range(middle, middle + 1 if is_changed else len(content), 512)]
    safe = {name for name, payload in waiting.items() if places.untouched(payload, hits)}
    assert len(safe) >= 30
    _queue(spool, 4, chance)
    below = (tmp_path / "spool" / FILE).read_bytes()
    spool.close()
    assert (tmp_path / "spool" / FILE).read_bytes() == below
    spool, why = open_for(tmp_path / "spool", CAP, "serial-1")
    assert "write-ahead log is damaged" in why
    assert safe <= _waiting(spool).keys()
    spool.close()


def test_a_long_log_is_merged_unless_it_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not grow for ever; a changed byte in it is noticed before it gets into the file, and mended."""
    monkeypatch.setattr("agent.writeahead._LONG", 40 * FRAME)
    spool, _ = open_for(tmp_path / "spool", CAP, "serial-1")
    log, chance = tmp_path / "spool" / f"{FILE}-wal", random.Random(3)
    sizes = []
    for _ in range(100):
        _queue(spool, 1, chance)
        sizes.append(log.stat().st_size)
    assert 40 * FRAME <= max(sizes) < 60 * FRAME
    _queue(spool, 6, chance)
    waiting = _waiting(spool)
    content = log.read_bytes()
    newest = next(payload for payload in reversed(waiting.values()) if content.count(payload) > 1)
    with log.open("r+b") as stream:
        stream.seek(content.rindex(newest) + 20)
        stream.write(b"\xff\xfe\xfd")
    with pytest.raises(SpoolDamaged, match="write-ahead log is damaged"):
        _queue(spool, 100, chance)
    assert mend(spool) is not None
    after = _waiting(spool)
    assert all(after[name] == payload for name, payload in waiting.items())
    spool.close()


def test_a_batch_that_changed_in_the_log_of_a_running_agent(tmp_path: Path) -> None:
    """It is found when it is to be sent, and comes back from an older image: it is not given up."""
    spool, _ = open_for(tmp_path / "spool", CAP, "serial-1")
    _queue(spool, 6, random.Random(4))
    ids = spool.backlog(0)
    waiting = {number: spool.waiting(number) for number in ids}
    batch = waiting[ids[2]]
    assert batch is not None
    with closing(sqlite3.connect(tmp_path / "spool" / FILE)) as db:
        for clock in ("other", "synced"):  # what SQLite has in memory is old now
            db.execute("UPDATE batch SET clock = ? WHERE id = ?", (clock, ids[0]))
            db.commit()
    log = tmp_path / "spool" / f"{FILE}-wal"
    with log.open("r+b") as stream:
        stream.seek(log.read_bytes().rindex(batch.payload) + 20)
        stream.write(b"\xff\xfe\xfd")
    with pytest.raises(SpoolDamaged):
        for number in ids:
            spool.waiting(number)
    mended = mend(spool)
    assert mended is not None
    assert {number: spool.waiting(number) for number in ids} == waiting
    spool.close()


def test_a_name_that_a_mended_file_has_is_not_given_again(tmp_path: Path) -> None:
    """A transaction that failed may be in the log, and is read: the next batch has another name than those in it."""
    spool, _ = open_for(tmp_path / "spool", CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    before = spool._tally
    _queue(spool, 2, random.Random(5))
    spool._tally = before  # as after a transaction that failed
    with spool.file.open("r+b") as stream:
        stream.truncate(100)
    log = tmp_path / "spool" / f"{FILE}-wal"
    with log.open("r+b") as stream:
        stream.seek(40)
        stream.write(b"\xff\xfe\xfd")
    assert mend(spool) is not None
    _queue(spool, 1, random.Random(6))
    names = [(batch.epoch, batch.seq) for batch in map(spool.waiting, spool.backlog(0)) if batch]
    assert names == [(spool.epoch, 1), (spool.epoch, 2), (spool.epoch, 3)]
    spool.close()


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("is_mended", [False, True], ids=["stopped", "mended"])
def test_a_log_outlives_its_file_in_a_running_agent(tmp_path: Path, left: int, is_mended: bool) -> None:
    """The file is cut down to nothing, the log has a changed byte: it is not merged, and all its other images count."""
    spool, _ = open_for(tmp_path / "spool", CAP, "serial-1")
    _queue(spool, 12, random.Random(9))
    waiting = _waiting(spool)
    log = tmp_path / "spool" / f"{FILE}-wal"
    content = log.read_bytes()
    newest = content.rindex(next(iter(waiting.values())))
    with log.open("r+b") as stream:
        stream.seek(newest + 20)
        stream.write(b"\xff\xfe\xfd")
    os.truncate(spool.file, left)
    if is_mended:
        assert mend(spool) is not None
    else:
        spool.close()
        spool, _ = open_for(tmp_path / "spool", CAP, "serial-1")
    assert _waiting(spool) == waiting
    spool.close()


@pytest.mark.parametrize("left", [0, 1])
def test_looking_at_a_file_that_was_cut_down_to_nothing_leaves_its_log(tmp_path: Path, left: int) -> None:
    """The status of a spool whose file is empty is not known; the next start reads its log."""
    spool, _ = open_for(tmp_path / "made", CAP, "serial-1")
    _queue(spool, 3, random.Random(7))
    shutil.copytree(tmp_path / "made", tmp_path / "spool")
    spool.close()
    os.truncate(tmp_path / "spool" / FILE, left)
    with pytest.raises(SpoolError, match="spool repair"):
        peek(tmp_path / "spool")
    with pytest.raises(SpoolError, match="spool repair"):
        export(tmp_path / "spool", DEVICE, tmp_path / "out", None, with_refused=False)
    spool, _ = open_for(tmp_path / "spool", CAP, "serial-1")
    assert len(spool.backlog(0)) == 3
    spool.close()


def test_facts_and_held_samples_are_read_too(tmp_path: Path) -> None:
    """Besides batches: held samples, the times of boots, the last name, the totals."""
    chance = random.Random(1)
    _fill(tmp_path, chance)
    with closing(sqlite3.connect(tmp_path / "spool" / FILE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (name,) = db.execute("SELECT value FROM meta WHERE key = 'name'").fetchone()
    with (tmp_path / "spool" / FILE).open("r+b") as stream:
        stream.write(b"\x00" * 100)  # the file's header: no table can be found through it
    spool, why = open_for(tmp_path / "spool", CAP, "serial-1")
    assert why.startswith("spool damaged: ")
    with spool.transaction():
        spool.begin()
        (held,) = spool.release().values()
        spool.append(DEVICE, b"usage display_on=1i 1764000000000000000\n", "synced")
        (number,) = spool.close_batches()[-1:]
    assert [sample.fields["load1"] for sample in held] == [float(n) for n in range(50)]
    assert spool.offsets() == {"boot-1": (1_764_000_000_000_000_000, "synced")}
    batch = spool.waiting(number)
    assert batch is not None
    assert spool.recall("serial") == "serial-1"
    assert str(name).split(":")[0] != spool.epoch
    spool.close()


def test_an_intact_file_and_log_have_no_flaw(tmp_path: Path) -> None:
    """What SQLite left, also in the middle of a transaction that never ended, is not taken for damage."""
    for seed in range(6):
        folder = tmp_path / str(seed)
        waiting = _fill(folder, random.Random(seed))
        assert Log(folder / "spool" / FILE).flaw() == ""
        salvage = Salvage(folder / "spool" / FILE, is_right_record)
        bodies = {r.values[8] for r in salvage.records() if len(r.values) == 10 and r.values[6] == 0}
        assert set(waiting.values()) <= bodies
        assert salvage.flaws == 0


def test_a_torn_last_transaction_is_no_damage(tmp_path: Path) -> None:
    """A log that ends in the middle of a frame, as when the power went during a write, opens without a report."""
    spool, _ = open_for(tmp_path / "made", CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    for _ in range(5):
        mark = (tmp_path / "made" / MARK).read_bytes()
        with spool.transaction():
            spool.append(DEVICE, b"usage display_on=1i 1764000000000000000\n", "synced")
            spool.close_batches()
    shutil.copytree(tmp_path / "made", tmp_path / "spool")
    (tmp_path / "spool" / MARK).write_bytes(mark)  # it is written when the transaction is on the disk
    spool.close()
    log = tmp_path / "spool" / f"{FILE}-wal"
    with log.open("r+b") as stream:
        stream.truncate(log.stat().st_size - 1000)
    spool, why = open_for(tmp_path / "spool", CAP, "serial-1")
    assert (why, len(spool.backlog(0))) == ("", 4)
    assert spool.status().damaged_total == 0
    spool.close()


def test_nothing_of_a_foreign_file_is_taken_for_a_row(tmp_path: Path) -> None:
    """Noise, zeros and another program's database yield no batch."""
    (tmp_path / "noise").write_bytes(random.Random(3).randbytes(40 * PAGE))
    (tmp_path / "zeros").write_bytes(bytes(40 * PAGE))
    with closing(sqlite3.connect(tmp_path / "other")) as db:
        db.execute("CREATE TABLE batch (a, b, c, d, e, f, g, h, i, j)")
        db.execute("INSERT INTO batch VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)")
        db.commit()
    spool = Spool(tmp_path / "spool", CAP)
    for name in ("noise", "zeros", "other"):
        with spool.transaction():
            assert not any(spool.adopt(r.rowid, r.values) for r in Salvage(tmp_path / name, is_right_record).records())
    spool.close()


def test_repair_says_what_it_found(tmp_path: Path) -> None:
    """`santong-agent spool repair` mends a stopped agent's spool, and refuses while an agent has it."""

    def repair() -> subprocess.CompletedProcess[str]:
        command = [str(BIN / "santong-agent"), "spool", "repair", "--spool", str(tmp_path / "spool")]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    waiting = _fill(tmp_path, random.Random(5))
    assert repair().stdout.splitlines() == ["the spool is sound", f"{len(waiting)} batches wait"]
    with (tmp_path / "spool" / FILE).open("r+b") as stream:
        stream.write(bytes(100))
    (tmp_path / "spool" / f"{FILE}-wal").unlink(missing_ok=True)
    told = repair()
    assert told.returncode == 0
    assert told.stdout.startswith("spool damaged: ")
    assert f"the damaged file is {tmp_path}" in told.stdout
    held = lock(tmp_path / "spool")
    told = repair()
    os.close(held)
    assert (told.returncode, told.stdout) == (2, "")
    assert "another agent is using this spool" in told.stderr
    assert "Traceback" not in told.stderr


def _closed(folder: Path) -> dict[tuple[str, int], bytes]:
    """Leave a closed spool with five batches; return them."""
    spool, _ = open_for(folder, CAP, "serial-1")
    with spool.transaction():
        spool.begin()
    for number in range(5):
        with spool.transaction():
            spool.append(DEVICE, b"usage display_on=%di 1764000000000000000\n" % number, "synced")
            spool.close_batches()
    waiting = _waiting(spool)
    spool.close()
    return waiting


@pytest.mark.parametrize("page", [0, 1])
def test_no_single_bit_stops_an_agent(tmp_path: Path, page: int) -> None:
    """Whichever bit of the schema or of the page of the batches is changed: the agent starts, and says what it lost."""
    chance = random.Random(page)
    waiting = _closed(tmp_path / "made")
    content = (tmp_path / "made" / FILE).read_bytes()
    used = [n for n in range(page * PAGE, (page + 1) * PAGE) if content[n]]
    for number, place in enumerate(chance.sample(used, min(120, len(used)))):
        folder = tmp_path / str(number)
        folder.mkdir()
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        (folder / FILE).write_bytes(changed)
        shutil.copy(tmp_path / "made" / MARK, folder / MARK)
        found: dict[tuple[str, int], bytes] = {}
        for _ in range(2):
            spool, _ = open_for(folder, CAP, "serial-1")
            with spool.transaction():
                spool.begin()
            found, status = _waiting(spool), spool.status()
            spool.close()
        assert all(found[name] == payload for name, payload in waiting.items() if name in found), place
        assert waiting.keys() <= found.keys() or status.damaged_total, f"lost in silence: byte {place}"


def test_an_id_is_never_given_twice(tmp_path: Path) -> None:
    """Ids go on where they were, also when the queue was empty: a page that was freed has none of those that wait."""
    names = _closed(tmp_path)
    spool, _ = open_for(tmp_path, CAP, "serial-1")
    with spool.transaction():
        spool.acknowledged(set(spool.backlog(0)))
    spool.close()
    spool, _ = open_for(tmp_path, CAP, "serial-1")
    with spool.transaction():
        spool.begin()
        spool.append(DEVICE, b"usage display_on=1i 1764000000000000000\n", "synced")
        (number,) = spool.close_batches()
    spool.close()
    assert number > len(names)
