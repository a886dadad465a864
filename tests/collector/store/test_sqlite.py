"""What only the SQLite store has: a file that other processes read, can spoil, or fill the disk with."""

import contextlib
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.store.base import StoreMisconfigured, StoreUnavailable
from collector.store.open import open_store
from collector.store.sqlite import EXPIRY_INTERVAL_S, SqliteStore
from contract.measurements import RETENTION_DAYS, Retention
from tests.collector.store.points import ALL, BASE_NS, DAY_NS, DEVICE, GATEWAY, MINUTE_NS, body, line, presence, row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a store that does not exist yet."""
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """Open and prepare an empty store."""
    with closing(SqliteStore(path)) as opened:
        opened.prepare()
        yield opened


# ---- the file


def test_a_reader_is_told_that_there_is_no_store(path: Path) -> None:
    """A reader of a file that does not exist gets an error that names it, and creates none."""
    with pytest.raises(StoreMisconfigured, match=r"store\.db: no such store"):
        open_store(f"sqlite://{path}", create=False)
    assert not path.exists()


def test_the_file_is_for_its_owner_alone(store: SqliteStore, path: Path) -> None:
    """Evidence is not readable for others, nor is the log beside it."""
    store.write(*body("presence", presence([0])))
    files = list(path.parent.iterdir())
    assert {file.name for file in files} >= {"store.db", "store.db-wal"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    """Another file of that name is named and not touched."""
    path.write_text("title,month\n" * 100, encoding="utf-8")
    with closing(SqliteStore(path)) as store:
        for attempt in (store.prepare, store.ready, lambda: store.write(*body("presence", presence([0])))):
            with pytest.raises(StoreMisconfigured, match=r"store\.db: .*not a database"):
                attempt()
    assert path.read_text(encoding="utf-8") == "title,month\n" * 100


def test_a_directory_in_place_of_the_file_is_named(path: Path) -> None:
    """The message names the path and what to look at; it holds for root too, whom permissions do not stop."""
    path.mkdir()
    with closing(SqliteStore(path)) as store:
        for attempt in (store.prepare, store.ready, lambda: store.write(*body("presence", presence([0])))):
            with pytest.raises(StoreMisconfigured, match=r"store\.db: .*check that it is a file"):
                attempt()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """A mistyped folder is an error, never a new place for evidence."""
    store = SqliteStore(tmp_path / "typo" / "store.db")
    with pytest.raises(StoreMisconfigured, match="No such file or directory; check that"):
        store.prepare()
    assert not (tmp_path / "typo").exists()


def test_a_new_version_adds_its_fields_and_keeps_the_rows(store: SqliteStore, path: Path) -> None:
    """A file of an older version gets the columns that it lacks; its rows read as before."""
    points = presence([0, 1])
    store.write(*body("presence", points))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE presence DROP COLUMN broker")
        connection.execute("DROP TABLE probe")
    old = [point._replace(fields={k: v for k, v in point.fields.items() if k != "broker"}) for point in points]
    with closing(open_store(f"sqlite://{path}", create=False)) as reader:
        assert list(reader.select("presence", *ALL)) == old
        assert list(reader.select("probe", *ALL)) == []
        with pytest.raises(StoreMisconfigured, match="no table probe"):
            reader.ready()
    store.prepare()
    store.ready()
    store.write(*body("presence", points[1:]))
    assert list(store.select("presence", *ALL)) == [old[0], points[1]]


def test_what_is_past_its_retention_goes(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each class is deleted after its own time: at the start, and at most hourly while lines come in."""
    store.write(*body("presence", presence([0])))
    store.write(*body("host", [row(0, {"load1": 0.5})]))
    passed_s = (RETENTION_DAYS[Retention.TELEMETRY] + 1) * 86_400.0
    now_ns, now_s = time.time_ns, time.monotonic
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + int(passed_s * 1e9))
    store.write(*body("presence", presence([1])))
    assert len(list(store.select("host", *ALL))) == 1, "within the hour nothing is searched"
    monkeypatch.setattr(time, "monotonic", lambda: now_s() + EXPIRY_INTERVAL_S)
    store.write(*body("presence", presence([2])))
    assert list(store.select("host", *ALL)) == []
    assert len(list(store.select("presence", *ALL))) == 3


# ---- lines that only this store must judge itself


@pytest.mark.parametrize(
    ("line_of", "says"),
    [
        (b"weather,device=441802-1.c1 rain=1i", "unknown measurement"),
        (b"host,device=441802-1.c1 load1=0.5", "not of the retention class evidence"),
        (b"presence,site=441802-1 lan=1i", "has the tags device"),
        (b"presence,device=441802-1.c1,colour=red lan=1i", "has the tags device"),
        (b"probe,device=441802-1.c1,kind=icmp success=1i", "has the tags device, kind, target"),
        (b"presence,device=441802-1.c1 lan=1i,lan=0i", "each at most once"),
        (b"presence,device=441802-1.c1 hue=1i", "has the fields boot"),
        (b'presence,device=441802-1.c1 boot="\xff"', "utf-8"),
        (b"presence,device=441802-1.c1 uptime_s=1_0", "uptime_s is float"),
        (b"presence,device=441802-1.c1 uptime_s=1e999", "uptime_s is float"),
        (b"#presence,device=441802-1.c1 lan=1i", "malformed"),
    ],
)
def test_lines_are_not_trusted(store: SqliteStore, line_of: bytes, says: str) -> None:
    """A line that slipped through the check is poison with the reason, whatever is wrong with it."""
    bad = line_of + b" %d" % BASE_NS
    (poison,) = store.write(Retention.EVIDENCE, line("presence", presence([0])[0]) + bad + b"\n")
    assert poison.line == bad
    assert says in poison.message
    assert len(list(store.select("presence", *ALL))) == 1


def test_an_agent_that_names_itself_is_the_device(store: SqliteStore) -> None:
    """`delivery` always names the agent: where it is the device itself, source and device are one."""
    lines = f"delivery,device={DEVICE},agent={DEVICE} seq=1i {BASE_NS}\n"
    lines += f"delivery,device={DEVICE},agent={GATEWAY} seq=2i {BASE_NS}\n"
    assert store.write(Retention.EVIDENCE, lines.encode()) == []
    found = [(point.source, point.fields["seq"]) for point in store.select("delivery", *ALL)]
    assert found == [(DEVICE, 1), (GATEWAY, 2)]


# ---- other processes


READER = """
import sys
from collector.store.open import open_store
store = open_store(sys.argv[1], create=False)
for _ in range(20):
    rows = list(store.select("presence", 0, 2**62))
    assert len(rows) % 500 == 0, len(rows)
    assert sum(item.points for item in store.summarise("presence", 0, 2**62)) >= len(rows)
print(len(rows))
"""


def test_another_process_reads_while_this_one_writes(store: SqliteStore, path: Path) -> None:
    """`santong status` beside a running `santong up` sees whole writes only, and neither waits for the other."""
    store.write(*body("presence", presence(range(500))))
    stop = threading.Event()

    def write() -> None:
        for at in range(500, 500_000, 500):
            if stop.is_set():
                return
            store.write(*body("presence", presence(range(-at, -at + 500))))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = subprocess.run(
            [sys.executable, "-c", READER, f"sqlite://{path}"], capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        stop.set()
        writer.join()
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 500


def test_a_reader_needs_no_running_collector(store: SqliteStore, path: Path) -> None:
    """A file left behind, without its log, is read as it is."""
    store.write(*body("presence", presence([0])))
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    with closing(open_store(f"sqlite://{path}", create=False)) as reader:
        reader.ready()
        assert len(list(reader.select("presence", *ALL))) == 1


WRITER = """
import sys
from collector.store.open import open_store
from tests.collector.store.points import body, presence
store = open_store(sys.argv[1])
for at in range(100000):
    points = presence(range(-at * 10 - 10, -at * 10))
    store.write(*body("presence", points))
    print(points[0].time_ns, flush=True)
"""


def test_what_was_accepted_survives_kill_9(store: SqliteStore, path: Path) -> None:
    """Every write that returned is in the file after the process was killed, and the file opens as if closed."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, f"sqlite://{path}"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as output:
        accepted = [output.readline() for _ in range(30)]
        process.send_signal(signal.SIGKILL)
        accepted += output.readlines()
    process.wait()
    starts = [int(text) for text in accepted if text.endswith("\n")]
    found = {point.time_ns for point in store.select("presence", 0, 2**62)}
    assert len(starts) >= 30
    assert found >= {start + at * MINUTE_NS for start in starts for at in range(10)}


def test_a_locked_file_is_unavailable_and_then_written(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process holds the write lock nothing is lost: the same is tried again; reads go on."""
    monkeypatch.setattr("collector.store.sqlite.BUSY_TIMEOUT_S", 0.05)
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"store\.db: .*locked"):
            store.write(*body("presence", presence([0])))
        assert list(store.select("presence", *ALL)) == []
    assert store.write(*body("presence", presence([0]))) == []


# ---- disks


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let this process write no file beyond `size` bytes, as a failing disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fails_keeps_what_was_stored(store: SqliteStore, path: Path) -> None:
    """A write that the disk does not take is an alarm; nothing of it is seen, all else stays, and the next works."""
    store.write(*body("presence", presence([0])))
    log = path.with_name("store.db-wal")
    with largest_file(log.stat().st_size), pytest.raises(StoreMisconfigured, match="check its disk"):
        store.write(*body("presence", presence(range(1, 5000))))
    assert len(list(store.select("presence", *ALL))) == 1
    assert store.write(*body("presence", presence(range(5000)))) == []
    assert len(list(store.select("presence", BASE_NS, BASE_NS + 5 * DAY_NS))) == 5000


def test_a_full_disk_says_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, for which SQLite's own limit on pages stands in, is an alarm that asks for space."""
    connect = sqlite3.connect

    def small(*args: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)  # type: ignore[call-overload]
        connection.execute("PRAGMA max_page_count = 60")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    with closing(SqliteStore(path)) as store:
        store.prepare()
        with pytest.raises(StoreMisconfigured, match=r"store\.db: .*full; free space on its disk"):
            store.write(*body("presence", presence(range(20_000))))
        assert list(store.select("presence", *ALL)) == []
        assert store.write(*body("presence", presence(range(10)))) == []
