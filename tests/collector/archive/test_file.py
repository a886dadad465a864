"""The archive file: always the same, opened with standard tools, and refused in one line when it is not as signed."""

import hashlib
import json
import re
import stat
import subprocess
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from collector.archive.keys import BadKey, Signer, create, fingerprint
from collector.archive.load import load
from collector.archive.manifest import BadArchive
from collector.archive.read import Archive
from collector.archive.whole import check_whole
from collector.archive.write import Told, write_archive
from collector.store.sqlite import SqliteStore
from tests.collector.archive.archives import archived, scope_of
from tests.collector.verification.world import CLASS_1, CLASS_2, MONDAY, TUESDAY, ZONE, World

ROOT = Path(__file__).parents[3]
DAY = MONDAY.isoformat()


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """Return a store with two classes on two days."""
    opened = SqliteStore(tmp_path / "store.sqlite")
    opened.prepare()
    world = World()
    for device in (CLASS_1, CLASS_2):
        for day in (MONDAY, TUESDAY):
            world.works(device, day, "08:00", "09:00")
    world.write(opened)
    return opened


@pytest.fixture
def file(store: SqliteStore, tmp_path: Path) -> Path:
    """Return an archive of it."""
    archived(store, tmp_path).__exit__()
    store.close()
    return tmp_path / "archive.zip"


def key_of(file: Path) -> bytes:
    """Return the public key that an archive of these tests is signed with."""
    return (file.parent / "evidence/public.pem").read_bytes()


def rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Return a copy of an archive with members changed, or left out for None."""
    copy = file.with_name("changed.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if (content := change(name, old.read(name))) is not None:
                new.writestr(name, content)
    return copy


def test_the_same_evidence_gives_the_same_file(store: SqliteStore, tmp_path: Path) -> None:
    """Written twice with one key and horizon, an archive has the same bytes: nothing of it depends on the moment."""
    scope = scope_of()
    for name in ("a.zip", "b.zip"):
        archived(store, tmp_path, scope, name).__exit__()
    store.close()
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_archive_is_whole_and_small_in_its_names(file: Path) -> None:
    """A device-day a leaf, before and after among them; a member for each day and for its leaves."""
    with Archive(file, key_of(file)) as archive:
        assert check_whole(archive) == archive.manifest.leaves == 4
        assert {"evidence/before.lp", f"evidence/{DAY}.lp", "evidence/after.lp"} <= set(archive.names())
        assert archive.manifest.key == fingerprint(key_of(file))


def test_the_recipe_of_the_docs_checks_an_archive_with_standard_tools(file: Path, tmp_path: Path) -> None:
    """The commands in docs/archive.md, run as they stand there, accept a good archive and find a changed byte."""
    text = (ROOT / "docs/archive.md").read_text(encoding="utf-8")
    recipe = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0].replace("FILE", str(file))
    recipe = recipe.replace("DEVICE", CLASS_1).replace("DAY", DAY)
    done = subprocess.run(["bash", "-e", "-c", recipe], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert fingerprint(key_of(file)) in done.stdout
    assert "Signature Verified Successfully" in done.stdout
    leaves = re.findall(rf"^([0-9a-f]{{64}})  (?:-|{re.escape(CLASS_1)})$", done.stdout, re.MULTILINE)
    assert leaves[-1] == leaves[-2], "the leaf of a device-day is told by sha256sum"
    member = tmp_path / "archive/evidence" / f"{DAY}.lp"
    member.write_bytes(member.read_bytes().replace(b"lan=1i", b"lan=0i", 1))
    check = next(line for line in recipe.splitlines() if "sha256sum -c" in line)
    again = subprocess.run(["bash", "-c", check], cwd=tmp_path / "archive", capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert f"evidence/{DAY}.lp: FAILED" in again.stdout
    inside = (tmp_path / "archive/README.txt").read_text(encoding="utf-8")
    assert all(line.split("#")[0].strip() in inside for line in recipe.replace(str(file), "FILE").splitlines()[:4])


@pytest.mark.parametrize("member", [f"evidence/{DAY}.lp", f"leaves/{DAY}.txt", "targets.yaml", "README.txt"])
def test_a_changed_member_is_named(file: Path, member: str) -> None:
    """One changed byte of any member is found, and the member named."""
    bad = rewritten(file, lambda name, body: body[:-2] + b"X" + body[-1:] if name == member else body)
    with Archive(bad, key_of(file)) as archive, pytest.raises(BadArchive) as raised:
        check_whole(archive)
    assert str(raised.value) == f"{bad}: {member} is not what was signed"


@pytest.mark.parametrize("length", [-1, +1])
def test_a_member_that_is_shorter_or_longer_is_named(file: Path, length: int) -> None:
    """A line cut off, or one put behind, is found; what is behind is not read for ever."""
    member = f"evidence/{DAY}.lp"

    def change(name: str, body: bytes) -> bytes:
        last = body.splitlines(keepends=True)[-1:]
        cut = body[: -len(last[0])] if length < 0 and last else body + b"".join(last) * 1000
        return cut if name == member else body

    bad = rewritten(file, change)
    with Archive(bad, key_of(file)) as archive, pytest.raises(BadArchive, match=re.escape(f"{member} is not what was")):
        check_whole(archive)


@pytest.mark.parametrize("member", [f"evidence/{DAY}.lp", "manifest.json", "manifest.sig", "public.pem"])
def test_a_member_that_was_taken_out_is_named(file: Path, member: str) -> None:
    """An archive without one of its members is refused."""
    bad = rewritten(file, lambda name, body: None if name == member else body)
    with pytest.raises(BadArchive, match=re.escape(member)):
        Archive(bad, key_of(file))


def test_a_member_that_was_put_in_is_named(file: Path) -> None:
    """What was not signed must not stand in an archive as if it were part of it."""
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("evidence/2030-01-01.lp", b"")
    with pytest.raises(BadArchive, match=re.escape("'evidence/2030-01-01.lp' is in it and was not signed")):
        Archive(file)


def test_a_changed_manifest_is_found(file: Path) -> None:
    """The signature covers every byte of the manifest."""
    bad = rewritten(file, lambda name, body: body.replace(b'"rules": "0"', b'"rules": "1"') if "json" in name else body)
    with pytest.raises(BadArchive, match=r"its signature is wrong: manifest\.json was changed after it was signed"):
        Archive(bad)


def test_an_archive_that_was_signed_again_is_refused_by_who_knows_the_key(file: Path, tmp_path: Path) -> None:
    """Whoever makes an archive of other evidence with a key of their own is found out by the published key."""
    other = tmp_path / "other"
    create(other)
    store = SqliteStore(tmp_path / "store.sqlite")
    forged = tmp_path / "forged.zip"
    write_archive(forged, store, scope_of(), Told({}, ZONE.key, {}), Signer(other))
    store.close()
    with Archive(forged) as archive:
        assert not archive.is_by_known_key
    with pytest.raises(BadArchive, match="is signed by another key"):
        Archive(forged, key_of(file))


def test_a_damaged_file_is_refused_in_one_line(file: Path, tmp_path: Path) -> None:
    """Cut off, full of zeros, not a ZIP at all, or with any single byte of it changed: one line, never a traceback."""
    content = file.read_bytes()
    bad = tmp_path / "bad.zip"
    cases = [b"", b"PK", content[: len(content) // 2], bytes(1000)]
    cases += [content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :] for at in range(0, len(content), 41)]
    found = 0
    for case in cases:
        bad.write_bytes(case)
        try:
            with Archive(bad, key_of(file)) as archive:
                check_whole(archive)
        except BadArchive as flaw:
            found += 1
            assert "\n" not in str(flaw)
    # All others are bytes that say nothing of the content, such as times: what was signed is read from these files.
    assert found > len(cases) * 0.75


def test_an_archive_is_never_written_over(file: Path, tmp_path: Path) -> None:
    """A file that is there stays, and nothing else is left in the folder."""
    store = SqliteStore(tmp_path / "store.sqlite")
    with pytest.raises(BadArchive, match="is there already"):
        archived(store, tmp_path)
    store.close()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_key_is_private_and_made_once(tmp_path: Path) -> None:
    """The key's file is for its owner alone; making another is refused: archives are checked with the first."""
    known = create(tmp_path)
    file = tmp_path / "evidence/key.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(BadKey, match="there is a key already"):
        create(tmp_path)
    assert fingerprint(Signer(tmp_path).public) == known


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_key_that_cannot_be_read_is_not_repeated(tmp_path: Path, content: bytes) -> None:
    """What is wrong with a key is said without any of it."""
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/key.pem").write_bytes(content)
    with pytest.raises(BadKey) as raised:
        Signer(tmp_path)
    assert str(raised.value) == f"{tmp_path}/evidence/key.pem: is no private key in PEM without a password"


def resigned(file: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Return an archive with changes that its maker signed: what is wrong with it is not found by its hashes."""
    changed = rewritten(file, change)
    with zipfile.ZipFile(changed) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    tree = json.loads(content["manifest.json"])
    for member in tree["members"]:
        if body := content.get(member["name"]):
            member |= {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    text = json.dumps(tree).encode()
    fresh = {"manifest.json": text, "manifest.sig": Signer(file.parent).sign(text)}
    return rewritten(changed.rename(file.with_name("old.zip")), lambda name, body: fresh.get(name) or body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"bytes": ', '"bytes": -'),
        ('"name": "README.txt"', '"name": "../README.txt"'),
        ('"name": "README.txt"', '"name": "/etc/passwd"'),
        ('"name": "README.txt"', '"name": "targets.yaml"'),
        ('"zone": "Asia/Shanghai"', '"zone": "Asia/Nowhere"'),
        (f'"name": "{DAY}"', f'"name": "{TUESDAY}"'),
        ('"made_ns": ', '"made_ns": -'),
        ('"made_ns": ', '"made_ns": 1'),
        ('"holding_ns": ', '"holding_ns": -'),
        ('"format": "santong-evidence/1"', '"format": "santong-evidence/2"'),
        ('"members": [', '"members": [null, '),
        ('"days": [', '"days": "", "x": ['),
        ("{", "["),
    ],
)
def test_a_manifest_that_nobody_would_write_is_refused(file: Path, old: str, new: str) -> None:
    """Whoever signs it: names that lead elsewhere, sizes below nothing, days that are none are said in one line."""

    def change(name: str, body: bytes) -> bytes:
        return body.replace(old.encode(), new.encode(), 1) if name == "manifest.json" else body

    bad = rewritten(file, change)
    with zipfile.ZipFile(bad) as archive:
        text = archive.read("manifest.json")
    assert new.encode() in text
    signature = Signer(file.parent).sign(text)
    bad = rewritten(bad.rename(file.with_name("old.zip")), lambda n, b: signature if n == "manifest.sig" else b)
    with pytest.raises(BadArchive) as raised:
        Archive(bad, key_of(file))
    assert str(raised.value).startswith(f"{bad}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("fault", ["twice", "swapped", "elsewhere", "leaf", "root"])
def test_what_its_maker_signed_has_to_follow_from_the_evidence(file: Path, fault: str) -> None:
    """A row twice, lines out of order or of another day, leaves and a root that do not follow: all are said."""

    def change(name: str, body: bytes) -> bytes:
        lines = body.splitlines(keepends=True)
        if name == f"evidence/{DAY}.lp":
            if fault == "twice":
                return b"".join([*lines, lines[-1]])
            if fault == "swapped":
                return b"".join([*lines[:-2], lines[-1], lines[-2]])
            if fault == "elsewhere":
                return b"".join([*lines[:-1], lines[-1][:-20] + b"1000000000000000000\n"])
        if fault == "leaf" and name == f"leaves/{DAY}.txt":
            return b"0" * 64 + body[64:]
        if fault == "root" and name == "manifest.json":
            return re.sub(rb'"root": "[0-9a-f]{64}"', b'"root": "%b"' % (b"0" * 64), body)
        return body

    said = {
        "twice": "is out of order",
        "swapped": "is out of order",
        "elsewhere": "is evidence of another day",
        "leaf": f"leaves of {DAY} do not follow from its evidence",
        "root": "its root does not follow from its leaves",
    }
    with Archive(resigned(file, change), key_of(file)) as archive, pytest.raises(BadArchive, match=said[fault]):
        check_whole(archive)


def test_an_archive_outlives_the_retention_of_stores(tmp_path: Path) -> None:
    """Evidence that no store would take any more is read from its archive as before."""
    old = MONDAY - timedelta(days=5 * 365)
    store = SqliteStore(tmp_path / "old.sqlite", is_scratch=True)
    store.prepare()
    world = World()
    world.works(CLASS_1, old, "08:00", "09:00")
    world.write(store)
    with archived(store, tmp_path, scope_of(old)) as archive:
        loaded = load(archive, tmp_path / "loaded.sqlite")
        (day,) = archive.manifest.days
        assert len(list(loaded.select("presence", day.start_ns, day.end_ns))) == 61
        loaded.close()
    store.close()
