"""The file of users: private, whole or not at all, one writer at a time."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from collector.access.files import BadFile
from collector.access.passwords import hashed
from collector.access.types import Role, Who
from collector.access.users import Refused, User, Users, added, removed, scoped, with_password

NOW = "2026-03-02T08:00:00+00:00"
KEPT = hashed("correct horse battery")


def li(role: Role = Role.COUNTY, county: str = "441802", site: str = "") -> User:
    """Return somebody."""
    return User(Who("li.na", role, county, site), KEPT, NOW)


def test_who_was_added_is_there_for_the_owner_alone(tmp_path: Path) -> None:
    """The file and its folder are 0600 and 0700; another process reads the same."""
    users = Users(tmp_path)
    assert users.every() == {}
    users.change(added(li()))
    assert stat.S_IMODE(users.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(users.folder.stat().st_mode) == 0o700
    assert Users(tmp_path).every() == {"li.na": li()}
    users.change(scoped(Who("li.na", Role.VIEWER), NOW))
    assert users.every()["li.na"].who == Who("li.na", Role.VIEWER)
    users.change(with_password("li.na", hashed("another horse battery"), NOW))
    assert users.every()["li.na"].generation == 1
    users.change(removed("li.na"))
    assert users.every() == {}


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (li(county=""), "needs a county"),
        (li(Role.CITY), "whole city"),
        (li(Role.VIEWER, "441803", "441802-1"), "not in the county"),
        (li(Role.VIEWER, "44 1802"), "no county's code"),
        (li(Role.VIEWER, "", "../etc"), "no site's id"),
        (User(Who("a:b", Role.ADMIN)), "':'"),
        (User(Who("", Role.ADMIN)), "1 to 64"),
        (User(Who(" x", Role.ADMIN)), "blanks"),
        (User(Who("x\u200b", Role.ADMIN)), "cannot be seen"),
    ],
)
def test_who_cannot_be_added(tmp_path: Path, user: User, said: str) -> None:
    """A scope that does not fit the role, a place that is none, a name nobody can type: refused, nothing written."""
    with pytest.raises(Refused, match=said):
        Users(tmp_path).change(added(user))
    assert Users(tmp_path).every() == {}


def test_two_people_cannot_look_alike(tmp_path: Path) -> None:
    """`Li.Na` beside `li.na` is refused: who did it must be one person."""
    users = Users(tmp_path)
    users.change(added(li()))
    with pytest.raises(Refused, match="is there already"):
        users.change(added(User(Who("Li.NA", Role.ADMIN))))


def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """Hashes in others' hands are guessed at leisure: nobody comes in until it is mended, and the line says how."""
    users = Users(tmp_path)
    users.change(added(li()))
    users.file.chmod(0o644)
    with pytest.raises(BadFile, match=r"chmod 600"):
        users.every()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"format":"other","users":{}}', b'{"format":"santong-users/1","users":{"x":{}}}', b"\xff"]
)
def test_a_file_that_is_not_as_it_was_written_lets_nobody_in(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in it: an error in a line, never an empty list or a guess."""
    users = Users(tmp_path)
    users.change(added(li()))
    users.file.write_bytes(content)
    with pytest.raises(BadFile, match="is not what was written"):
        users.every()


def test_a_scope_that_was_written_wrong_by_hand_lets_nobody_in(tmp_path: Path) -> None:
    """A county's role whose county was deleted by hand is no role for the whole city."""
    users = Users(tmp_path)
    users.change(added(li()))
    tree = json.loads(users.file.read_text())
    tree["users"]["li.na"]["county"] = ""
    users.file.write_text(json.dumps(tree))
    with pytest.raises(BadFile, match="needs a county"):
        users.every()


def test_a_write_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the users are those of before, and no half file is left."""
    users = Users(tmp_path)
    users.change(added(li()))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        users.change(removed("li.na"))
    monkeypatch.undo()
    assert list(users.every()) == ["li.na"]
    assert [file.name for file in users.folder.iterdir()] == ["users.json"]


def test_many_writers_lose_nobody(tmp_path: Path) -> None:
    """Twenty people added at once from four threads are all there."""

    def add(part: int) -> None:
        for number in range(5):
            Users(tmp_path).change(added(User(Who(f"user{part}{number}", Role.VIEWER))))

    threads = [threading.Thread(target=add, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(Users(tmp_path).every()) == 20
