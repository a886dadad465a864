"""What waits in a spool, carried out by hand: all of it, as it would be published, and the spool stays as it is."""

import io
import os
import re
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.export import Exported, ExportError, export
from agent.sign import Signer, signer
from agent.spool import FILE, Place, Spool, SpoolError
from contract.batch import Batch, decode, encode
from contract.batchfile import Carried, carried, read, signed_text
from contract.broker import BrokerSettings, BrokerUrl
from tests.certificates import Wish, authority, issue

AGENT, DEVICE = "441802-3144001234.gw1", "441802-3144001234.c0703"
BASE_NS = 1764000000 * 10**9
MINUTE_NS = 60 * 10**9


def line(minute: int, measurement: str = "presence lan=1i") -> bytes:
    """Return a line of a minute."""
    return b"%b %d\n" % (measurement.encode(), BASE_NS + minute * MINUTE_NS)


def fill(spool: Spool, minutes: range, device: str = DEVICE) -> list[int]:
    """Close a batch of two lines for each minute; return their ids."""
    ids = []
    for minute in minutes:
        with spool.transaction():
            spool.append(device, line(minute) + line(minute, "host load1=0.5"), "synced")
            ids += spool.close_batches()
    return ids


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Open a new spool."""
    opened = Spool(tmp_path / "spool", 1 << 28)
    with opened.transaction():
        opened.begin()
    yield opened
    opened.close()


def run(spool: Path, out: Path | None, key: Signer | None = None, *, refused: bool = False) -> Exported:
    """Export."""
    return export(spool, AGENT, out, key, with_refused=refused)


def contents(file: Path) -> list[Carried]:
    """Return the batches of a file."""
    copy = io.BytesIO()
    with file.open("rb") as source:
        head, _ = read(source, copy)
    assert head.agent == AGENT
    return list(carried(copy))


def batches(file: Path) -> list[Batch]:
    """Return the batches of a file, decoded."""
    return [decode(payload) for _, payload in contents(file)]


def rows(spool: Path) -> list[tuple[object, ...]]:
    """Return all that a spool holds."""
    with closing(sqlite3.connect(spool / FILE)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return [row for name in names for row in db.execute(f"SELECT * FROM {name}")]


def test_what_waits_comes_out_as_it_would_be_published(spool: Spool, tmp_path: Path) -> None:
    """Every closed batch is in the file once, oldest first, byte for byte; the spool is left as it was."""
    fill(spool, range(30))
    fill(spool, range(30, 40), AGENT)
    before = rows(spool.directory)
    done = run(spool.directory, tmp_path / "out.jsonl")
    assert done == Exported(tmp_path / "out.jsonl", 40, 0, BASE_NS, BASE_NS + 39 * MINUTE_NS)
    waiting = [spool.waiting(number) for number in spool.backlog(0)]
    assert contents(done.file) == [Carried(one.device, one.payload) for one in waiting if one]
    assert [batch.seq for batch in batches(done.file)] == list(range(1, 41))
    assert rows(spool.directory) == before


def test_an_open_batch_stays_where_it_is(spool: Spool, tmp_path: Path) -> None:
    """What is still being gathered is not in the file; it has no name of its own yet."""
    fill(spool, range(2))
    with spool.transaction():
        spool.append(DEVICE, line(2), "synced")
    assert run(spool.directory, tmp_path / "out.jsonl").batches == 2
    with spool.transaction():
        spool.close_batches()
    assert run(spool.directory, tmp_path / "again.jsonl").batches == 3


def test_what_the_centre_refused_is_taken_along_when_asked_for(spool: Spool, tmp_path: Path) -> None:
    """Refused batches are in the file only with --refused, behind those that wait."""
    first, *_ = fill(spool, range(3))
    with spool.transaction():
        spool.refuse(first, "wrong_type")
    assert [batch.seq for batch in batches(run(spool.directory, tmp_path / "a").file)] == [2, 3]
    assert [batch.seq for batch in batches(run(spool.directory, tmp_path / "b", refused=True).file)] == [2, 3, 1]


def test_a_boot_that_never_got_the_time(spool: Spool, tmp_path: Path) -> None:
    """A batch without lines is carried like any other; its time is that of its delivery."""
    with spool.transaction():
        spool.append_unsynced(DEVICE, BASE_NS, 1440)
        spool.close_batches()
    done = run(spool.directory, tmp_path / "out.jsonl")
    assert (done.batches, done.first_ns, done.last_ns) == (1, BASE_NS, BASE_NS)
    assert batches(done.file)[0].held == 1440


DAMAGE = [
    "body = 'x'",
    "body = 7",
    "body = NULL",
    "body = zeroblob(30)",
    "body = :altered",
    "device = '441802-3144001234.c0704'",
    "device = CAST(x'ff00' AS TEXT)",
    "epoch = NULL",
    "seq = 9",
    "crc = 'x'",
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_row_is_left_out_and_counted(tmp_path: Path, spool: Spool, damage: str) -> None:
    """One batch that is not what it was spoils none of the others, nor the file; it is not carried as evidence."""
    _, second, _ = fill(spool, range(3))
    waiting = spool.waiting(second)
    assert waiting
    batch = decode(waiting.payload)
    altered = encode(batch._replace(lines=batch.lines.replace(b"lan=1i", b"lan=0i")), compress=False)
    with closing(sqlite3.connect(spool.directory / FILE)) as db:
        db.execute(f"UPDATE batch SET {damage} WHERE id = :id", {"id": second, "altered": altered})
        db.commit()
    done = run(spool.directory, tmp_path / "out.jsonl")
    assert (done.batches, done.skipped) == (2, 1)
    assert [batch.seq for batch in batches(done.file)] == [1, 3]


def test_a_damaged_row_is_not_evidence_among_the_refused_ones_either(tmp_path: Path, spool: Spool) -> None:
    """A row that failed its checksum, and was moved away, is not carried with --refused."""
    _, second, third = fill(spool, range(3))
    spool.suspect({Place("batch", second)})
    with spool.transaction():
        spool.refuse(third, "wrong_type")
    done = run(spool.directory, tmp_path / "out.jsonl", refused=True)
    assert (done.batches, done.skipped) == (2, 1)
    assert [batch.seq for batch in batches(done.file)] == [1, 3]


def test_a_damaged_file_is_one_clear_line(tmp_path: Path, spool: Spool) -> None:
    """Where SQLite itself cannot read on there is no file: half of it would look like all; repair is named."""
    fill(spool, range(400))
    spool.close()
    content = bytearray((spool.directory / FILE).read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    (spool.directory / FILE).write_bytes(content)
    with pytest.raises(SpoolError, match="spool repair"):
        run(spool.directory, tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["spool"]


def test_a_signed_file(spool: Spool, tmp_path: Path) -> None:
    """The last line holds the certificate, and a signature over the digest that `openssl` verifies."""
    certificate, key = issue(Wish(AGENT), authority()).save(tmp_path, "agent")
    settings = BrokerSettings(BrokerUrl("mqtts://127.0.0.1"), certificate=certificate, key=key)
    fill(spool, range(2))
    done = run(spool.directory, tmp_path / "out.jsonl", signer(settings, AGENT))
    with done.file.open("rb") as source:
        _, seal = read(source, io.BytesIO())
    assert seal.certificate == certificate.read_text()
    for name, content in (("text", signed_text(seal.sha256)), ("signature", seal.signature)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "public").write_bytes(_openssl(tmp_path, "x509", "-in", "agent.crt", "-noout", "-pubkey"))
    assert b"OK" in _openssl(tmp_path, "dgst", "-sha256", "-verify", "public", "-signature", "signature", "text")


def _openssl(folder: Path, *words: str) -> bytes:
    return subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True).stdout


def test_names_of_files(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name, or with that of a folder, the file is named after agent and time; none is ever overwritten."""
    fill(spool, range(1))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "stick").mkdir()
    for out, folder in ((None, Path()), (tmp_path / "stick", tmp_path / "stick")):
        file = run(spool.directory, out).file
        assert file.parent == folder
        assert re.fullmatch(re.escape(AGENT) + r"\.\d{8}-\d{6}\.jsonl", file.name)
        assert [one.name for one in folder.iterdir()] == [file.name], "something else is left beside it"
    before = file.read_bytes()
    with pytest.raises(ExportError, match="exists already"):
        run(spool.directory, file)
    assert file.read_bytes() == before


def test_nothing_waits(spool: Spool, tmp_path: Path) -> None:
    """Of an empty spool there is no file: it would prove nothing."""
    done = run(spool.directory, tmp_path / "out.jsonl")
    assert (done.batches, done.first_ns, done.last_ns) == (0, 0, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["spool"]


def test_no_spool(tmp_path: Path) -> None:
    """A folder without a spool, or with a file that is none, is one line; nothing is written."""
    with pytest.raises(SpoolError, match="no spool here"):
        run(tmp_path, tmp_path / "out.jsonl")
    (tmp_path / FILE).write_bytes(b"not a database" * 500)
    with pytest.raises(SpoolError, match="file is not a database"):
        run(tmp_path, tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_place_that_cannot_be_written(spool: Spool, tmp_path: Path) -> None:
    """A folder that is not there, or a name that is too long, is one line that names the file."""
    fill(spool, range(1))
    for out in (tmp_path / "none" / "out.jsonl", tmp_path / ("x" * 300)):
        with pytest.raises((ExportError, OSError)) as caught:
            run(spool.directory, out)
        assert str(out) in str(caught.value)


def test_a_full_disk(spool: Spool, tmp_path: Path) -> None:
    """A memory stick that is too small gets nothing at all, and the line says what is wrong."""
    stick = tmp_path / "stick"
    stick.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(stick)], check=True)
    try:
        with spool.transaction():
            for minute in range(10):
                spool.append(
                    DEVICE, b"".join(line(minute, f"sensor,name={n} value={n}.5") for n in range(2000)), "synced"
                )
            spool.close_batches()
        with pytest.raises(ExportError, match="No space left on device: nothing was written"):
            run(spool.directory, stick)
        assert list(stick.iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", str(stick)], check=True)
    assert run(spool.directory, tmp_path / "out.jsonl").batches > 0


def _write_until(stopping: threading.Event, directory: Path, closed: list[int]) -> None:
    """Do what an agent does, without a pause."""
    mine = Spool(directory, 1 << 28)
    with mine.transaction():
        mine.begin()
    minute = 0
    while not stopping.is_set():
        fill(mine, range(minute, minute + 1))
        minute += 1
        closed.append(minute)
        if minute > 20:
            with mine.transaction():
                mine.acknowledged({mine.backlog(0, 1)[0]})
        if minute % 5 == 0:
            with mine.transaction():
                mine.append(AGENT, line(minute), "synced")
    mine.close()


def wait(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_agent_may_be_writing(spool: Spool, tmp_path: Path) -> None:
    """Beside a busy agent each file is one moment of the spool: no hole in it, nothing twice; the agent goes on."""
    closed: list[int] = []
    stopping = threading.Event()
    writer = threading.Thread(target=_write_until, args=(stopping, spool.directory, closed))
    writer.start()
    try:
        wait(lambda: len(closed) > 30)
        for number in range(15):
            before = len(closed)
            found = batches(run(spool.directory, tmp_path / f"{number}.jsonl").file)
            seqs = [batch.seq for batch in found]
            assert len(seqs) >= 20
            assert seqs == sorted(set(seqs)), "twice"
            assert {batch.lines.count(b"\n") for batch in found} <= {1, 2}
            wait(lambda before=before: len(closed) > before)  # type: ignore[misc]
    finally:
        stopping.set()
        writer.join()


def test_the_spool_of_an_agent_that_was_killed(spool: Spool, tmp_path: Path) -> None:
    """What stands only in the journal of a file that nobody closed is found, and the journal stays."""
    fill(spool, range(5))
    names = (FILE, f"{FILE}-wal")
    dead = tmp_path / "dead"
    dead.mkdir()
    for name in names:
        (dead / name).write_bytes((spool.directory / name).read_bytes())
    before = {name: (dead / name).read_bytes() for name in names}
    assert run(dead, tmp_path / "out.jsonl").batches == 5
    assert {name: (dead / name).read_bytes() for name in names} == before


def test_the_file_is_on_the_disk_before_it_has_its_name(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stick may be pulled once the name is there: the content was forced to the disk before."""
    fill(spool, range(1))
    out = tmp_path / "out.jsonl"
    synced: list[bool] = []
    real = os.fsync

    def fsync(number: int) -> None:
        synced.append(out.exists())
        real(number)

    monkeypatch.setattr("agent.export.os.fsync", fsync)
    run(spool.directory, out)
    assert synced == [False, True], "first the content, then the folder"
