"""What can go wrong with a backup or a restore: a clear line, and nothing that is half there."""

import fcntl
import random
import resource
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.backing import Asked, Wanted, back_up, restore
from collector.backup.manifest import BadBackup, Member
from collector.backup.names import LOCK
from collector.backup.read import check_backup
from collector.backup.seal import BadPassphrase
from contract import __version__
from contract.errors import SantongError
from tests.collector.backup.conftest import Centre
from tests.collector.backup.test_round import only_backup
from tests.collector.backup.trees import HEAD, contents, folder_entry, link_entry, write_tar
from tests.collector.commands import run

SHA_OF_X = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def names_in(folder: Path) -> list[str]:
    """Return what is in a folder, but for the lock of backups."""
    return sorted(one.name for one in folder.iterdir() if one.name != LOCK)


@pytest.fixture(scope="module", params=["plain", "sealed"])
def backup(request: pytest.FixtureRequest, made_centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a backup of a centre, without its store, so that it is read in no time."""
    out = tmp_path_factory.mktemp("wrong")
    passphrase = made_centre.passphrase.read_bytes().strip() if request.param == "sealed" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collector.backup.seal._COST", 1 << 10)  # which the file itself tells
        asked = Asked(made_centre.data, made_centre.authority, (made_centre.config,), None)
        back_up(out, asked, passphrase)
    return only_backup(out)


@pytest.fixture
def passphrase(backup: Path, made_centre: Centre) -> bytes | None:
    """Return the passphrase of that backup, if it has one."""
    return made_centre.passphrase.read_bytes().strip() if backup.suffix == ".sealed" else None


# ---- damage


def damaged(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a backup with a byte changed in each of its regions, cut at each, and with something behind it."""
    chance = random.Random(9)
    size = len(content)
    edges = [*range(24), *range(size - 40, size)]
    for at in sorted({*edges, *(chance.randrange(size) for _ in range(60))}):
        bad = bytearray(content)
        bad[at] ^= 1 << chance.randrange(8)
        yield f"byte {at}", bytes(bad)
    for at in [0, 1, 20, 40, *(chance.randrange(size) for _ in range(20)), size - 9, size - 1]:
        yield f"cut at {at}", content[:at]
    yield "another byte", content + b"x"
    middle = size // 2
    yield "a hole", content[:middle] + content[middle + 4096 :]
    yield "twice", content[:middle] + content[middle - 4096 :]


def test_damage_anywhere_is_noticed_or_changes_nothing(backup: Path, passphrase: bytes | None, tmp_path: Path) -> None:
    """
    A flipped bit, a cut, a hole: refused in one line.

    Or it unpacks to the very same, as where only the header of gzip is another; of a sealed one nothing may change.
    """
    good = check_backup(backup, passphrase)
    harmless = 0
    for number, (what, content) in enumerate(damaged(backup.read_bytes())):
        file, new = tmp_path / "damaged", tmp_path / f"new{number}"
        file.write_bytes(content)
        try:
            manifest = check_backup(file, passphrase)
        except (BadBackup, BadPassphrase) as error:
            assert str(error).startswith(f"{file}: ") and "\n" not in str(error)
            if number % 5 == 0:
                with pytest.raises(SantongError):
                    restore(file, passphrase, Wanted(new))
                assert names_in(tmp_path) == ["damaged"], what
        else:
            harmless += 1
            assert manifest == good, what
    assert harmless <= (0 if passphrase else 40)


def test_another_passphrase_or_none_is_said_as_such(backup: Path, passphrase: bytes | None, tmp_path: Path) -> None:
    """Wrong, missing, empty: each its line; and a backup that is not sealed needs none."""
    if passphrase is None:
        assert check_backup(backup, b"whatever")
        return
    for wrong, words in ((None, "--passphrase-file"), (b"wrong", "another passphrase")):
        with pytest.raises(BadPassphrase, match=words):
            check_backup(backup, wrong)
    (tmp_path / "empty").touch()
    said = run("restore", backup, "--data", tmp_path / "new", "--passphrase-file", tmp_path / "empty", code=2)[1]
    assert "first line" in said and len(said.splitlines()) == 1


# ---- what nobody would write


def members_that_lead_out(elsewhere: Path) -> dict[str, list[tarfile.TarInfo | tuple[str, bytes]]]:
    """Return members that would write outside of the folder."""
    device = link_entry("data/null", "", tarfile.CHRTYPE)
    return {
        "absolute": [(f"{elsewhere}/x", b"x")],
        "parent": [("data/../../x", b"x")],
        "parent at the end": [("data/..", b"x")],
        "another part": [("etc/passwd", b"x")],
        "settings without a number": [("config", b"x")],
        "link": [link_entry("data/link", str(elsewhere)), ("data/link/x", b"x")],
        "hard link": [link_entry("data/link", str(elsewhere / "there"), tarfile.LNKTYPE)],
        "device": [device],
        "twice": [("data/x", b"x"), ("data/x", b"x")],
        "not in the manifest": [("data/y", b"x")],
        "without its folder": [("data/a/b/x", b"x")],
    }


@pytest.mark.parametrize("kind", list(members_that_lead_out(Path("/"))))
def test_a_backup_that_leads_out_of_its_folder_is_refused(tmp_path: Path, kind: str) -> None:
    """Paths upwards, absolute ones, links, devices: nothing is written, neither there nor here."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "there").write_text("as it was", encoding="utf-8")
    told = [Member("data/a/b/x", 1, SHA_OF_X)] if kind == "without its folder" else [Member("data/x", 1, SHA_OF_X)]
    write_tar(tmp_path / "bad.tar.gz", [folder_entry("data"), *members_that_lead_out(elsewhere)[kind]], told)
    said = run("restore", tmp_path / "bad.tar.gz", "--data", tmp_path / "new", code=2)[1]
    assert len(said.splitlines()) == 1
    assert names_in(tmp_path) == ["bad.tar.gz", "elsewhere"]
    assert names_in(elsewhere) == ["there"] and (elsewhere / "there").read_text() == "as it was"


def test_a_newer_backup_says_which_version_it_needs(tmp_path: Path) -> None:
    """Refused before anything is read of it; one of the same or an older version is taken."""
    newer = HEAD._replace(version=f"{int(__version__.partition('.')[0]) + 1}.0.0")
    members: list[tarfile.TarInfo | tuple[str, bytes]] = [folder_entry("data"), ("data/x", b"x")]
    write_tar(tmp_path / "new.tar.gz", members, [Member("data/x", 1, SHA_OF_X)], newer)
    said = run("restore", tmp_path / "new.tar.gz", "--data", tmp_path / "new", code=2)[1]
    assert newer.version in said and len(said.splitlines()) == 1 and not (tmp_path / "new").exists()
    write_tar(tmp_path / "old.tar.gz", members, [Member("data/x", 1, SHA_OF_X)], HEAD._replace(version="0.0.9"))
    run("restore", tmp_path / "old.tar.gz", "--data", tmp_path / "new")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x1f\x8b" + bytes(100)])
def test_what_is_no_backup_is_said_in_one_line(tmp_path: Path, content: bytes) -> None:
    """Any other file, and one that is not there."""
    (tmp_path / "file").write_bytes(content)
    for name in ("file", "nothing"):
        said = run("backup", "check", tmp_path / name, code=2)[1]
        assert len(said.splitlines()) == 1 and said.startswith(str(tmp_path / name))


# ---- places that are not empty


def test_a_place_that_is_not_empty_is_left_as_it_is(centre: Centre, tmp_path: Path) -> None:
    """Refused in one line; with --force what was there is aside, whole, and the backup in its place."""
    centre.back_up(tmp_path / "out", "--no-store")
    file, new = only_backup(tmp_path / "out"), tmp_path / "new/data"
    new.mkdir(parents=True)
    run("restore", file, "--data", new)  # an empty folder is as good as none
    (new / "mine.txt").write_text("mine", encoding="utf-8")
    before = contents(new)
    said = run("restore", file, "--data", new, code=2)[1]
    assert said == f"{new}: is not empty; with --force what is there is moved aside\n"
    assert contents(new) == before and names_in(tmp_path / "new") == ["data"]
    run("restore", file, "--data", new, "--force")
    (aside,) = (tmp_path / "new").glob("data.before-*")
    assert contents(aside) == before and not (new / "mine.txt").exists()


def test_a_folder_of_a_watch_that_runs_is_not_moved_away(centre: Centre, tmp_path: Path) -> None:
    """It would go on writing into what is aside: refused, with the process."""
    centre.back_up(tmp_path / "out", "--no-store")
    with (centre.data / "watch.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = run("restore", only_backup(tmp_path / "out"), "--data", centre.data, "--force", code=2)[1]
    assert "another watch" in said and list(centre.data.parent.glob("data.before-*")) == []


# ---- no room, and force


def test_a_full_disk_leaves_nothing_half_written(centre: Centre, tmp_path: Path) -> None:
    """At any size: one line, exit code 2, no file but those that were there before."""
    out = tmp_path / "out"
    centre.back_up(out)
    before = only_backup(out)
    full = before.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most in (0, 1000, 200_000, full // 2):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
            said = centre.back_up(out, "--keep", 1, code=2)[1]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert len(said.splitlines()) == 1 and "nothing was left" in said
        assert names_in(out) == [before.name]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        said = run("restore", before, "--data", tmp_path / "new", code=2)[1]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(said.splitlines()) == 1
    assert names_in(tmp_path) == ["centre", "out"]


def killed(point: str, *words: object) -> None:
    """Run `santong` until it kills itself at a point."""
    command = [sys.executable, "-m", "tests.collector.backup.killed", point, *map(str, words)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == -9, done


def test_a_backup_that_was_killed_is_no_backup_and_the_next_one_cleans_up(centre: Centre, tmp_path: Path) -> None:
    """What has the name of a backup is whole; what was left of the other is gone."""
    out = tmp_path / "out"
    killed("1", "backup", "--out", out, "--data", centre.data, "--config", centre.config)
    assert len([one for one in names_in(out) if one.endswith(".partial")]) == 1
    assert not list(out.glob("*.gz"))
    centre.back_up(out)
    assert names_in(out) == [only_backup(out).name]


def test_two_backups_into_one_folder_do_not_mix(centre: Centre, tmp_path: Path) -> None:
    """The second one is refused while the first is written."""
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = centre.back_up(tmp_path / "out", code=2)[1]
    assert "another backup" in said and names_in(tmp_path / "out") == []


@pytest.mark.parametrize("point", ["3 read", "1", "2", "3"])
def test_a_restore_that_was_killed_is_run_again(centre: Centre, tmp_path: Path, point: str) -> None:
    """At whatever step: no folder is half there, DATA is the last that comes, and the same command finishes it."""
    centre.back_up(tmp_path / "out")
    file, new = only_backup(tmp_path / "out"), tmp_path / "new"
    words = ("restore", file, "--data", new / "data", "--config", new / "etc", "--authority", new / "authority")
    killed(point, *words)
    assert not (new / "data").exists()
    for name, wanted in (("etc", contents(centre.config)), ("authority", contents(centre.authority))):
        inner = {one: what for one, what in wanted.items() if not one.startswith("authority")}
        assert not (new / name).exists() or contents(new / name) == inner
    run(*words)
    assert names_in(new) == ["authority", "data", "etc"]
    assert contents(new / "data") == contents(centre.data)
    assert contents(new / "authority") == contents(centre.authority)
