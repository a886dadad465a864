"""Quarantine: what was refused is kept for an operator, bounded, newest first."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.quarantine import FILE, KEPT_BYTES, KEPT_ENTRIES, Entry, Quarantine, QuarantineError

GATEWAY = "441802-3144001234.gw"


def entry(n: int, device: str = "441802-3144001234.c0703", content: bytes = b"x") -> Entry:
    """Return an entry that can be told from others by `n`."""
    return Entry(
        1_764_000_000_000_000_000 + n,
        GATEWAY,
        device,
        "5f0c9a1e",
        n,
        2,
        "wrong_type",
        f"说明 {n}",
        len(content),
        content,
    )


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[Quarantine]:
    """Open an empty quarantine in a folder that does not exist yet."""
    opened = Quarantine(tmp_path / "new" / "folder")
    yield opened
    opened.close()


def test_entries_come_back_as_they_were_newest_first(quarantine: Quarantine) -> None:
    """Every part of an entry is kept, any bytes and any text; the newest stands first."""
    entries = [entry(1), entry(2, content=bytes(range(256))), entry(3)._replace(epoch="", seq=-1, line=0, detail="")]
    quarantine.add(entries[:2])
    quarantine.add(entries[2:])
    assert quarantine.newest() == entries[::-1]
    assert quarantine.newest(2) == [entries[2], entries[1]]
    assert quarantine.total() == 3


def test_an_empty_quarantine(quarantine: Quarantine) -> None:
    """Nothing refused is nothing, not an error; adding nothing changes nothing."""
    quarantine.add([])
    assert quarantine.newest() == []
    assert quarantine.total() == 0


def test_long_content_is_cut_and_its_size_is_told(quarantine: Quarantine) -> None:
    """16 KiB of a refused payload are kept, and how long it was; shorter ones whole."""
    long = b"ab" * KEPT_BYTES
    quarantine.add([entry(1, content=long), entry(2, content=long[:KEPT_BYTES])])
    exact, cut = quarantine.newest()
    assert (cut.content, cut.size) == (long[:KEPT_BYTES], 2 * KEPT_BYTES)
    assert (exact.content, exact.size) == (long[:KEPT_BYTES], KEPT_BYTES)


def test_by_device_and_by_agent(quarantine: Quarantine) -> None:
    """An operator asks for one device, or for an agent and gets what it sent for any device."""
    other = "441881-9.c1"
    mine, its = entry(1), entry(2, device=other)._replace(agent=other)
    quarantine.add([mine, its])
    assert quarantine.newest(device=mine.device) == [mine]
    assert quarantine.newest(device=GATEWAY) == [mine]
    assert quarantine.newest(device=other) == [its]
    assert quarantine.newest(device="441881-9.c2") == []
    assert quarantine.newest(device="") == [its, mine]


def test_the_newest_twenty_thousand_are_kept(quarantine: Quarantine, tmp_path: Path) -> None:
    """Older entries make room and stay counted, so the file is bounded however much is refused."""
    for start in range(0, KEPT_ENTRIES + 500, 500):
        quarantine.add(entry(n) for n in range(start, start + 500))
    kept = quarantine.newest(KEPT_ENTRIES * 2)
    assert [kept[0].seq, kept[-1].seq] == [KEPT_ENTRIES + 499, 500]
    assert len(kept) == KEPT_ENTRIES
    assert quarantine.total() == KEPT_ENTRIES + 500


def test_more_than_fits_at_once(quarantine: Quarantine) -> None:
    """One addition larger than the quarantine leaves its newest part, and no more."""
    quarantine.add(entry(n) for n in range(KEPT_ENTRIES + 7))
    kept = quarantine.newest(KEPT_ENTRIES * 2)
    assert [len(kept), kept[-1].seq] == [KEPT_ENTRIES, 7]


def test_threads_add_and_read_at_once(quarantine: Quarantine) -> None:
    """Workers add while a screen reads: nothing is lost, nothing fails, each addition is seen whole or not at all."""
    failures: list[BaseException] = []

    def add(worker: int) -> None:
        try:
            for n in range(25):
                quarantine.add([entry(worker * 1000 + n * 2), entry(worker * 1000 + n * 2 + 1)])
                assert len(quarantine.newest(1000)) % 2 == 0
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=add, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    expected = {worker * 1000 + n for worker in range(8) for n in range(50)}
    assert sorted(e.seq for e in quarantine.newest(1000)) == sorted(expected)


def test_a_failing_addition_leaves_nothing_of_itself(quarantine: Quarantine) -> None:
    """What cannot be kept whole is not kept by halves, and the next addition works."""

    def torn() -> Iterator[Entry]:
        yield entry(1)
        yield entry(2)._replace(seq=2**80)  # no database takes this number

    with pytest.raises((OverflowError, sqlite3.Error)):
        quarantine.add(torn())
    quarantine.add([entry(3)])
    assert [e.seq for e in quarantine.newest()] == [3]


def test_another_process_sees_it_and_a_restart_keeps_it(quarantine: Quarantine, tmp_path: Path) -> None:
    """`santong quarantine` reads while the collector writes; a restart goes on with the same entries and count."""
    quarantine.add([entry(1)])
    other = Quarantine(tmp_path / "new" / "folder")
    assert other.newest() == [entry(1)]
    quarantine.add([entry(2)])
    assert [e.seq for e in other.newest()] == [2, 1]
    other.add([entry(3)])
    assert [e.seq for e in quarantine.newest()] == [3, 2, 1]
    assert quarantine.total() == other.total() == 3
    other.close()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A data folder that is a file is one clear line that says which option to change."""
    (tmp_path / "file").touch()
    with pytest.raises(QuarantineError, match=r"file: .*: choose another folder with --data"):
        Quarantine(tmp_path / "file")


def test_a_file_that_is_no_quarantine(tmp_path: Path) -> None:
    """A damaged file is named, and left as it is."""
    (tmp_path / FILE).write_bytes(b"not a database " * 1000)
    with pytest.raises(QuarantineError, match=f"{FILE}: file is not a database"):
        Quarantine(tmp_path)
    assert (tmp_path / FILE).read_bytes().startswith(b"not a database")
