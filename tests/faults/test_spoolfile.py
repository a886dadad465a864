"""The harness's own reader of spool files finds what the product wrote, and tells what a damage leaves of it."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from agent.spool import Spool
from contract.sample import Sample
from tests.faults.spool_faults import _flip
from tests.faults.spoolfile import MAIN, WAL, Damage, Row, SpoolCopy, reason_of

DEVICE = "441802-3144001234.c00"


def line(n: int) -> bytes:
    """Return the lines of a batch; every tenth is so long, packed too, that it lies on several pages."""
    chance = random.Random(n)
    values = [n, *(chance.random() for _ in range(600 if n % 10 == 0 else 0))]
    return b"".join(b"sensor,name=ledger0 value=%r %d\n" % (value, 1_795_529_168_825_876_017) for value in values)


def fill(folder: Path, batches: int) -> list[str]:
    """Write batches into a spool that is not closed; return their lines."""
    spool = Spool(folder, 10**9)
    with spool.transaction():
        spool.begin()
        spool.hold("boot", DEVICE, [Sample("stop", {"reason": "signal 9 number 4"}, 5)])
    for n in range(batches):
        with spool.transaction():
            spool.append(DEVICE, line(n), "synced")
            if n % 5:  # some stay open for a while
                spool.close_batches()
    spool._connection = None  # as kill -9 leaves it: the log is not merged
    return [text for n in range(batches) for text in line(n).decode().splitlines()]


def lines_of(rows: list[Row]) -> set[str]:
    """Return the lines of the batches."""
    return {text for row in rows if row.table == "batch" for text in row.lines}


def merged(folder: Path) -> None:
    """Merge the log into the file."""
    with closing(sqlite3.connect(folder / MAIN)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_every_row_is_found(tmp_path: Path) -> None:
    """Rows in the log, in the file, on one page, on many: each is found, with the place of its copies."""
    written = set(fill(tmp_path, 120))
    copy = SpoolCopy.of(tmp_path)
    assert lines_of(copy.rows()) == lines_of(copy.current_rows()) == written
    assert {image.file for row in copy.rows() for images in row.copies for image in images} == {WAL}
    assert any(len(row.copies) > 1 for row in copy.rows())
    (held,) = [row for row in copy.current_rows() if row.table == "held"]
    assert reason_of(held.lines[0]) == "signal 9 number 4"
    merged(tmp_path)
    copy = SpoolCopy.of(tmp_path)
    assert lines_of(copy.current_rows()) == written
    assert {image.file for row in copy.rows() for images in row.copies for image in images} == {MAIN}


def test_a_row_that_is_forgotten(tmp_path: Path) -> None:
    """It is not in the newest state; its remnants may still be."""
    fill(tmp_path, 8)
    spool = Spool(tmp_path, 10**9)
    with spool.transaction():
        spool.acknowledged(set(spool.backlog(0)))
        spool.close_batches()
    spool._connection = None
    assert lines_of(SpoolCopy.of(tmp_path).current_rows()) <= {
        text for n in (0, 5) for text in line(n).decode().split("\n")
    }


def test_what_a_log_with_a_hole_has_kept(tmp_path: Path) -> None:
    """Where pages were written into a hole the newest state is not whole: rows that are left stand in older images."""
    written = set(fill(tmp_path, 40))
    log = (tmp_path / WAL).read_bytes()
    main = (tmp_path / MAIN).read_bytes()
    frame = 4096 + 24
    incomplete = 0
    for start in range(32 + 20 * frame, len(log) - 6 * frame, frame):
        copy = SpoolCopy(main, log[:start] + bytes(4 * frame) + log[start + 4 * frame :])
        current = {text for _, text in copy.kept(is_damaged=False)} & written
        left = {text for _, text in copy.kept(is_damaged=True)} & written
        assert left == lines_of(copy.rows())
        incomplete += current < left
    assert incomplete
    copy = SpoolCopy(main, log)
    assert copy.kept(is_damaged=False) == copy.kept(is_damaged=True)


def test_what_a_damage_takes(tmp_path: Path) -> None:
    """A row with an untouched copy is not destroyed; one without is."""
    fill(tmp_path, 40)
    merged(tmp_path)
    rows = SpoolCopy.of(tmp_path).rows()
    size = (tmp_path / MAIN).stat().st_size
    assert all(Damage(MAIN, cut=0).destroys(row) for row in rows)
    assert not any(Damage(WAL, cut=0).destroys(row) for row in rows)
    assert not any(Damage(MAIN, flips=(50,)).destroys(row) for row in rows)  # the file's header holds no row
    cut = Damage(MAIN, cut=size // 2)
    assert 0 < sum(map(cut.destroys, rows)) < len(rows)
    (one,) = {row for row in rows if "value=33 " in row.lines[0] and row.table == "batch"}
    flip = Damage(MAIN, flips=(one.copies[0][0].start + 100,))
    assert flip.destroys(one)
    flip.apply(tmp_path)
    cut.apply(tmp_path)
    assert (tmp_path / MAIN).stat().st_size == size // 2


def test_a_changed_copy_is_not_a_copy(tmp_path: Path) -> None:
    """A row in whose name an earlier damage changed a byte reads well: it does not count as left any more."""
    fill(tmp_path, 3)
    merged(tmp_path)
    file = tmp_path / MAIN
    before = lines_of(SpoolCopy.of(tmp_path).rows())
    at = file.read_bytes().rindex(DEVICE.encode() + b"synced")
    Damage(MAIN, flips=(at - 1,)).apply(tmp_path)
    after = lines_of(SpoolCopy.of(tmp_path).rows())
    assert after < before


def test_a_file_of_which_almost_nothing_is_left_can_be_damaged_again() -> None:
    """No more bytes change than there are: a file that was cut down may be the next fault's too."""
    for seed in range(20):
        assert set(_flip(MAIN, 2, random.Random(seed)).flips) <= {0, 1}


def test_a_damaged_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """Whatever bytes are there, reading ends and raises nothing."""
    fill(tmp_path, 60)
    log = (tmp_path / WAL).read_bytes()
    for seed in range(60):
        at = seed * len(log) // 60
        broken = SpoolCopy(log[: seed * 100], log[:at] + bytes([seed * 4]) * 40 + log[at + 40 :])
        broken.rows()
        broken.current_rows()
    assert SpoolCopy(b"", b"").rows() == []
