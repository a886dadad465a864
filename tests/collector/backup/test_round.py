"""`santong backup` and `santong restore`: what was there is there again, and what was not asked for is left alone."""

import io
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from collector.archive.keys import Signer
from collector.backup import snapshot as snapshot_module
from collector.backup.place import Restoring
from tests.collector.backup.conftest import Centre
from tests.collector.backup.trees import HEAD, contents, folder_entry, rows
from tests.collector.commands import run
from tests.collector.test_migrate import everything

KILLED_WRITER = """
import os, sqlite3, sys
opened = sqlite3.connect(sys.argv[1], isolation_level=None)
for text in ("PRAGMA journal_mode = WAL", "CREATE TABLE t(n)", "INSERT INTO t VALUES (7)"):
    opened.execute(text)
os._exit(9)
"""


def only_backup(folder: Path) -> Path:
    """Return the one backup of a folder."""
    (found,) = folder.glob("santong-backup-*")
    return found


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_centre_comes_back_as_it_was(centre: Centre, tmp_path: Path, is_sealed: bool) -> None:
    """Every file with its mode, every row of every file of SQLite; also where the authority is among the settings."""
    sealed = ("--passphrase-file", centre.passphrase) if is_sealed else ()
    centre.back_up(tmp_path / "out", *sealed)
    file = only_backup(tmp_path / "out")
    assert file.name.endswith(".sealed") is is_sealed
    assert "good" in run("backup", "check", file, *sealed)[0]
    new = tmp_path / "new"
    places = ("--data", new / "data", "--config", new / "etc", "--authority", new / "etc/authority")
    run("restore", file, *places, *sealed)
    assert contents(new / "data") == contents(centre.data)
    before = contents(centre.config)
    assert contents(new / "etc") == before
    assert before["tls/current.toml"] == before["collect.toml"]  # a link comes back as the file that it led to
    assert "li.na" in run("user", "list", "--data", new / "data")[0]
    assert Signer(new / "data").public == Signer(centre.data).public
    assert run("status", "--data", new / "data", "--hours", 1000, "--json") == run(
        "status", "--data", centre.data, "--hours", 1000, "--json"
    )


def test_an_authority_goes_on_where_it_was(tmp_path: Path) -> None:
    """From a backup: the same certificates, the same who is revoked, new serial numbers that none had before."""
    authority, new = tmp_path / "authority", tmp_path / "new/authority"
    (tmp_path / "data").mkdir()
    run("ca", "init", "--folder", authority)
    issued = {}
    for name in ("441802-1.c1", "441802-1.c2"):
        made = run("ca", "issue", name, "--out", tmp_path / name, "--folder", authority, "--json")[0]
        issued[name] = json.loads(made)
    run("ca", "revoke", "441802-1.c2", "--folder", authority)
    run("backup", "--out", tmp_path / "out", "--data", tmp_path / "data", "--authority", authority)
    run("restore", only_backup(tmp_path / "out"), "--data", tmp_path / "new/data", "--authority", new)
    assert contents(new) == contents(authority) and new.stat().st_mode & 0o777 == 0o700
    for words in (("list", "--all", "--json"), ("crl",)):
        assert run("ca", *words, "--folder", new) == run("ca", *words, "--folder", authority)
    more = json.loads(run("ca", "issue", "441802-1.c3", "--out", tmp_path / "c3", "--folder", new, "--json")[0])
    assert more["authority"] == issued["441802-1.c1"]["authority"]
    assert more["serial"] not in {one["serial"] for one in issued.values()}
    again = run("ca", "issue", "441802-1.c1", "--out", tmp_path / "441802-1.c1", "--folder", new, "--json")[0]
    assert json.loads(again)["certificate"] == issued["441802-1.c1"]["certificate"]


def test_nobody_else_can_read_a_backup(centre: Centre, tmp_path: Path) -> None:
    """The file has keys: 0600 whatever the umask is, in a folder that is 0700 when it is made for it."""
    before = os.umask(0)
    try:
        centre.back_up(tmp_path / "out")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in (tmp_path / "out").iterdir()} == {0o600}


def test_a_sealed_backup_has_nothing_that_can_be_read(centre: Centre, tmp_path: Path) -> None:
    """Neither names nor contents; and a file of it is not the same twice."""
    for _ in range(2):
        centre.back_up(tmp_path / "out", "--passphrase-file", centre.passphrase)
    one, other = sorted((tmp_path / "out").glob("santong-backup-*"))
    head, body = one.read_bytes().split(b"\n", 2)[1:]
    assert json.loads(head)["kdf"] == "scrypt"
    assert not any(word in body for word in (b"\x1f\x8b\x08", b"ustar", b"santong", b"ca.key", b"a key"))
    assert body[:64] != other.read_bytes().split(b"\n", 2)[2][:64]


def test_what_no_backup_has_is_left_out_and_all_else_is_in(centre: Centre, tmp_path: Path) -> None:
    """Locks, what SQLite has beside an open file, unfinished imports, sockets, backups; what is new to us is in."""
    (centre.data / "rollout").mkdir()
    (centre.data / "rollout/state.json").write_text("{}", encoding="utf-8")
    (centre.data / "什么.txt").write_text("中文", encoding="utf-8")
    (centre.data / os.fsdecode(b"\xff\xfe.bin")).write_bytes(b"not UTF-8")
    (centre.data / "watch.lock").write_text("1\n", encoding="utf-8")
    (centre.data / "roster/.new-1").mkdir()
    (centre.data / "elsewhere").symlink_to("/etc")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(os.path.relpath(centre.data / "door"))
    said = centre.back_up(centre.data / "backups")[1]
    assert said == f"{centre.data / 'elsewhere'}: a link to a folder is not followed\n"
    run("restore", only_backup(centre.data / "backups"), "--data", tmp_path / "new")
    found = contents(tmp_path / "new")
    assert found["rollout/state.json"] == (0o644, b"{}")
    assert found["什么.txt"] == (0o644, "中文".encode())
    assert found[os.fsdecode(b"\xff\xfe.bin")] == (0o644, b"not UTF-8")
    assert not {"watch.lock", "roster/.new-1", "elsewhere", "door", "backups"} & found.keys()


def test_owners_come_back_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root: the user of the same name, whatever its number here; a name that is not here is said: root has it."""
    owners: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, user, group: owners.update({Path(path).name: (user, group)}))
    restoring = Restoring({"data": tmp_path / "new"})
    restoring.begin(HEAD)
    restoring.take(folder_entry("data"), io.BytesIO())
    for name, user in (("here", "root"), ("gone", "nobody-of-this-name"), ("number", "")):
        info = tarfile.TarInfo(f"data/{name}")
        info.uname, info.gname, info.uid, info.gid = user, user, 4711, 4712
        restoring.take(info, io.BytesIO(b"x"))
    assert restoring.finish().unknown == ("nobody-of-this-name",)
    assert (owners["here"], owners["gone"], owners["number"]) == ((0, 0), (0, 0), (4711, 4712))


def test_without_store_and_without_what_was_not_asked_for(centre: Centre, tmp_path: Path) -> None:
    """--no-store leaves out evidence alone; parts without a folder stay in the file, and it is said."""
    told = json.loads(centre.back_up(tmp_path / "out", "--no-store", "--json")[0])
    assert told["store"] == {"kind": "none", "points": {}}
    said = run("restore", told["file"], "--data", tmp_path / "new")[1]
    assert re.findall(r"^(\S+): from ", said, re.MULTILINE) == ["authority", "config/1"]
    wanted = contents(centre.data)
    del wanted["santong.sqlite"]
    assert contents(tmp_path / "new") == wanted


def test_evidence_goes_into_any_store(centre: Centre, tmp_path: Path, influx_url: str) -> None:
    """From a file of SQLite into a real InfluxDB, from there as lines, and from these into SQLite again: the same."""
    here = everything(f"sqlite://{centre.data}/santong.sqlite")
    assert here["presence"]
    centre.back_up(tmp_path / "one")
    told = json.loads(
        run("restore", only_backup(tmp_path / "one"), "--data", tmp_path / "a", "--store", influx_url, "--json")[0]
    )
    assert told["evidence"]["points"] == sum(map(len, here.values()))
    assert not (tmp_path / "a/santong.sqlite").exists()
    assert everything(influx_url) == here
    lines = json.loads(
        run("backup", "--out", tmp_path / "two", "--data", tmp_path / "a", "--store", influx_url, "--json")[0]
    )
    assert lines["store"]["kind"] == "lines"
    assert lines["store"]["points"] == {name: len(rows) for name, rows in here.items() if rows}
    run("restore", lines["file"], "--data", tmp_path / "b")
    assert everything(f"sqlite://{tmp_path}/b/santong.sqlite") == here
    # An InfluxDB that has evidence is no empty place; with --force the same points stay one.
    said = run("restore", lines["file"], "--data", tmp_path / "c", "--store", influx_url, code=2)[1]
    assert "has evidence already" in said and len(said.splitlines()) == 1
    run("restore", lines["file"], "--data", tmp_path / "c", "--store", influx_url, "--force")
    assert everything(influx_url) == here


def test_a_store_in_another_file_comes_back_where_it_is_wanted(centre: Centre, tmp_path: Path) -> None:
    """Named by --store on either side: in DATA under another name, or elsewhere."""
    here = everything(f"sqlite://{centre.data}/santong.sqlite")
    (centre.data / "santong.sqlite").rename(centre.data / "other.db")
    for end in ("-wal", "-shm"):
        (centre.data / f"santong.sqlite{end}").unlink(missing_ok=True)
    centre.back_up(tmp_path / "out", "--store", f"sqlite://{centre.data}/other.db")
    for data, store in (("a", tmp_path / "a/inner.db"), ("b", tmp_path / "elsewhere/outer.db")):
        run("restore", only_backup(tmp_path / "out"), "--data", tmp_path / data, "--store", f"sqlite://{store}")
        assert everything(f"sqlite://{store}") == here
        assert not (tmp_path / data / "other.db").exists()
        said = run(
            "restore", only_backup(tmp_path / "out"), "--data", tmp_path / "c", "--store", f"sqlite://{store}", code=2
        )
        assert f"{store}: is not empty" in said[1]


def test_only_backups_are_removed_the_oldest_first_and_never_the_new_one(centre: Centre, tmp_path: Path) -> None:
    """--keep counts what has the name of a backup; other files stay, and so do all when the new one failed."""
    out = tmp_path / "out"
    out.mkdir()
    old = [out / f"santong-backup-2020010{n}T000000Z.tar.gz" for n in range(1, 5)]
    future = out / "santong-backup-20990101T000000Z.tar.gz.sealed"
    others = [
        out / "notes.txt",
        out / "santong-backup-of-mine.tar.gz",
        out / "x-santong-backup-20200101T000000Z.tar.gz",
    ]
    for one in [*old, future, *others]:
        one.write_bytes(b"")
    told = json.loads(centre.back_up(out, "--keep", 3, "--json")[0])
    assert told["removed"] == [str(one) for one in old[:3]]
    assert all(one.exists() for one in [old[3], future, *others, Path(told["file"])])
    centre.back_up(out, "--keep", 1, "--store", f"sqlite://{tmp_path}/nothing.db", code=2)
    assert all(one.exists() for one in [old[3], future, Path(told["file"])])
    newest = json.loads(centre.back_up(out, "--keep", 1, "--json")[0])
    assert sorted(newest["removed"]) == sorted(map(str, [old[3], future, told["file"]]))
    assert Path(newest["file"]).exists() and all(one.exists() for one in others)


def test_a_file_in_a_folder_that_cannot_be_written_is_read_from_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a unit that may only read DATA: with what a killed writer left in its log, and nothing is written there."""
    (tmp_path / "data").mkdir()
    file = tmp_path / "data/x.sqlite"
    subprocess.run([sys.executable, "-c", KILLED_WRITER, str(file)], check=False)
    file.with_name("x.sqlite-shm").unlink()
    before = {one.name: one.read_bytes() for one in file.parent.iterdir()}
    assert before.keys() == {"x.sqlite", "x.sqlite-wal"}
    copy = snapshot_module._copy

    def refused(source: Path, how: str, into: Path) -> None:
        if source == file:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        copy(source, how, into)

    monkeypatch.setattr(snapshot_module, "_copy", refused)
    assert snapshot_module.snapshot(file, tmp_path / "copy") == ""
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy", "data"]
    assert {one.name: one.read_bytes() for one in file.parent.iterdir()} == before
    assert 'INSERT INTO "t" VALUES(7);' in rows(tmp_path / "copy")


def test_a_file_that_is_damaged_already_is_copied_as_it_is_and_said(centre: Centre, tmp_path: Path) -> None:
    """The rest of the centre must not be without a backup for it: exit code 1, no older backup is removed."""
    (centre.data / "quarantine.sqlite").write_bytes(b"SQLite format 3\0" + b"rubbish" * 1000)
    out = tmp_path / "out"
    out.mkdir()
    (out / "santong-backup-20200101T000000Z.tar.gz").write_bytes(b"")
    text, said = centre.back_up(out, "--keep", 1, "--json", code=1)
    told = json.loads(text)
    assert told["damaged"] == ["data/quarantine.sqlite"] and "quarantine.sqlite: " in said
    assert (out / "santong-backup-20200101T000000Z.tar.gz").exists()
    run("backup", "check", told["file"])
    run("restore", told["file"], "--data", tmp_path / "new")
    assert (tmp_path / "new/quarantine.sqlite").read_bytes() == (centre.data / "quarantine.sqlite").read_bytes()
