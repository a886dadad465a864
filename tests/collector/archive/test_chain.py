"""Roots of days, chained: an archive is the same as what the centre had on the night after, or it is said where not."""

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from collector.archive.chain import BadRoots, Chain, Root, Rooted, beside, files_of, read_roots
from collector.archive.keys import Signer, create
from collector.archive.read import Archive
from collector.archive.write import Told, write_archive
from collector.store.base import Store
from collector.store.sqlite import SqliteStore
from tests.collector.archive.archives import scope_of
from tests.collector.commands import run
from tests.collector.verification.world import (
    CLASS_1,
    CLASS_2,
    MONDAY,
    SECOND_NS,
    TUESDAY,
    WEDNESDAY,
    ZONE,
    World,
    after,
    at,
)


def taken(store: Store, data: Path, *days: date) -> list[Root]:
    """Take the roots of some days, as if it were the night after the last."""
    (data / "evidence").mkdir(exist_ok=True)
    return list(Chain(data).take(store, scope_of(*days), after(days[-1], hours=3)))


def rooted(store: Store, data: Path, roots: Sequence[Root], *days: date) -> list[Rooted]:
    """Return an archive, made now, beside roots."""
    if not (data / "evidence/key.pem").exists():
        create(data)
    scope = scope_of(*days)
    file = data / "rooted.zip"
    write_archive(file, store, scope, Told(files_of(data, scope.days), ZONE.key, {}), Signer(data))
    with Archive(file) as archive:
        return list(beside(archive, roots))


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with three days of two classes."""
    world = World()
    for device in (CLASS_1, CLASS_2):
        for day in (MONDAY, TUESDAY, WEDNESDAY):
            world.works(device, day, "08:00", "08:30")
    world.write(store)
    return store


def test_each_root_covers_those_before(filled: Store, tmp_path: Path) -> None:
    """A line's chain is the SHA-256 of the chain before and of its own words; days are taken once, and go on later."""
    first = taken(filled, tmp_path, MONDAY, TUESDAY)
    second = taken(filled, tmp_path, MONDAY, TUESDAY, WEDNESDAY)
    assert [root.day for root in (*first, *second)] == [day.isoformat() for day in (MONDAY, TUESDAY, WEDNESDAY)]
    lines = (tmp_path / "evidence/roots.log").read_text().splitlines()
    before = "0" * 64
    for line in lines:
        *words, chain = line.split(" ")
        assert chain == hashlib.sha256(f"{before} {' '.join(words)}\n".encode()).hexdigest()
        before = chain
    assert Chain(tmp_path).roots() == [*first, *second]


def test_an_archive_is_the_same_as_its_roots(filled: Store, tmp_path: Path) -> None:
    """Days that nobody touched are the same; one whose root was never taken says so."""
    roots = taken(filled, tmp_path, MONDAY, TUESDAY)
    found = rooted(filled, tmp_path, roots, MONDAY, TUESDAY, WEDNESDAY)
    assert [(one.day, one.kind) for one in found] == [
        (MONDAY.isoformat(), "same"),
        (TUESDAY.isoformat(), "same"),
        (WEDNESDAY.isoformat(), "no_root"),
    ]


def test_what_was_altered_before_the_archive_was_made_is_found(filled: Store, tmp_path: Path) -> None:
    """An archive of a store that was altered after the night is signed and whole, and not that of the root."""
    roots = taken(filled, tmp_path, MONDAY, TUESDAY)
    world = World()
    world.add("presence", CLASS_2, at(TUESDAY, "08:10"), {"wan": 0})
    world.write(filled)
    found = rooted(filled, tmp_path, roots, MONDAY, TUESDAY)
    assert found == [Rooted(MONDAY.isoformat(), "same"), Rooted(TUESDAY.isoformat(), "altered", (CLASS_2,))]


def test_late_evidence_is_told_from_alteration(filled: Store, tmp_path: Path) -> None:
    """A device-day that differs is late when a mark says that its evidence was stored after the root was taken."""
    roots = taken(filled, tmp_path, MONDAY)
    world = World()
    world.works(CLASS_1, MONDAY, "09:00", "09:04", stop_marks=None)
    world.late(CLASS_1, at(MONDAY, "09:00"), at(MONDAY, "09:04"), roots[0].taken_ns + SECOND_NS)
    world.add("presence", CLASS_2, at(MONDAY, "09:00"), {"wan": 0})
    world.late(CLASS_2, at(MONDAY, "09:00"), at(MONDAY, "09:00"), roots[0].taken_ns - SECOND_NS)
    world.write(filled)
    found = rooted(filled, tmp_path, roots, MONDAY)
    assert found == [Rooted(MONDAY.isoformat(), "altered", (CLASS_2,)), Rooted(MONDAY.isoformat(), "late", (CLASS_1,))]


def test_leaves_that_were_changed_with_the_store_do_not_help(filled: Store, tmp_path: Path) -> None:
    """Who alters the store and the leaves in DATA has no root to it: the whole day is altered."""
    roots = taken(filled, tmp_path, MONDAY)
    world = World()
    world.add("presence", CLASS_2, at(MONDAY, "08:10"), {"wan": 0})
    world.write(filled)
    (tmp_path / "evidence/roots.log").unlink()
    taken(filled, tmp_path, MONDAY)
    assert rooted(filled, tmp_path, roots, MONDAY) == [Rooted(MONDAY.isoformat(), "altered")]


@pytest.mark.parametrize("number", [0, 1])
def test_a_changed_line_breaks_the_chain(filled: Store, tmp_path: Path, number: int) -> None:
    """A root that was written over is found by the line itself, or by the one after it."""
    taken(filled, tmp_path, MONDAY, TUESDAY, WEDNESDAY)
    log = tmp_path / "evidence/roots.log"
    lines = log.read_text().splitlines(keepends=True)
    lines[number] = lines[number].replace(" 2 ", " 3 ")
    log.write_text("".join(lines))
    with pytest.raises(BadRoots, match=f"roots.log:{number + 1}: "):
        Chain(tmp_path).roots()


def test_a_line_that_a_power_cut_left_half_is_taken_again(filled: Store, tmp_path: Path) -> None:
    """Half a line at the end of the log is no root: the day is taken anew."""
    first = taken(filled, tmp_path, MONDAY)
    log = tmp_path / "evidence/roots.log"
    with log.open("a") as opened:
        opened.write(f"{TUESDAY} 17")
    assert [root.day for root in taken(filled, tmp_path, MONDAY, TUESDAY)] == [TUESDAY.isoformat()]
    assert [root.day for root in read_roots(log)] == [first[0].day, TUESDAY.isoformat()]


def test_commands_take_roots_and_check_with_them(tmp_path: Path) -> None:
    """`evidence roots` prints what it took, once; `evidence check --roots` says of each day whether it is that."""
    with_days = SqliteStore(tmp_path / "santong.sqlite")
    with_days.prepare()
    world = World()
    world.works(CLASS_1, MONDAY, "08:00", "08:30")
    world.write(with_days)
    (tmp_path / "sites.csv").write_text(f"id,name\n{CLASS_1.partition('.')[0]},清城一小\n")
    (tmp_path / "devices.csv").write_text(f"id,role\n{CLASS_1},classroom\n")
    run("evidence", "key", "--data", tmp_path)
    said, _ = run("evidence", "roots", "--data", tmp_path, "--from", MONDAY)
    assert said.splitlines()[0].startswith(f"{MONDAY} ")
    assert run("evidence", "roots", "--data", tmp_path)[0] == ""
    assert run("evidence", "roots", "--data", tmp_path, "--all")[0] == said
    held, file = tmp_path / "held.txt", tmp_path / "monday.zip"
    held.write_text(said)
    files = ("--roster", tmp_path / "sites.csv", "--roster", tmp_path / "devices.csv")
    days = ("--from", MONDAY, "--to", MONDAY)
    run("evidence", "export", "--data", tmp_path, *days, *files, "--out", file)
    words = ("evidence", "check", file, "--data", tmp_path, "--roots", held, "--lang", "en")
    assert f"{MONDAY}  the same" in run(*words)[0]
    world.add("presence", CLASS_1, at(MONDAY, "08:10"), {"wan": 0})
    world.write(with_days)
    with_days.close()
    file.unlink()
    run("evidence", "export", "--data", tmp_path, *days, *files, "--out", file)
    assert f"altered since the root was taken  {CLASS_1}" in run(*words, code=1)[0]
    held.write_text(said.replace(f"\n{TUESDAY} ", "\n2001-01-01 "))
    assert "does not follow" in run(*words, code=2)[1]
