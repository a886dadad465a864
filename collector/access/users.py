"""
The people who may do something: DATA/access/users.json, for its owner's eyes alone.

    {"format": "santong-users/1", "users": {"li.na": {"role": "county", "county": "441802", "site": "",
                                                      "password": "scrypt$…", "changed": "2026-…", "generation": 3}}}

`generation` rises with each change of password: sessions of before it end. Without a password somebody comes in by the
header of a reverse proxy alone. The file is written whole or not at all, by one writer at a time.
"""

import json
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from collector.access import passwords
from collector.access.files import BadFile, alone, make_private, read_private, write_private
from collector.access.types import Role, Who, flaw_of_scope
from contract.errors import SantongError
from contract.names import is_device

FOLDER, FILE = "access", "users.json"
FORMAT = "santong-users/1"
MOST_NAME = 64


class Refused(SantongError):
    """A change that cannot be made; the message says why."""


class User(NamedTuple):
    """Somebody, with what is kept of the password; `changed` is the instant of the last change, ISO 8601."""

    who: Who
    password: str = ""
    changed: str = ""
    generation: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return what is written down under the name."""
        return {
            "role": str(self.who.role),
            "county": self.who.county,
            "site": self.who.site,
            "password": self.password,
            "changed": self.changed,
            "generation": self.generation,
        }

    def shown(self) -> dict[str, Any]:
        """Return what may be shown of it."""
        shown = {"name": self.who.name} | self.as_json()
        del shown["generation"]
        return shown | {"password": bool(self.password)}


class Users:
    """The users of a data folder, which may have none yet. What was read is kept as long as the file is the same."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER
        self.file = self.folder / FILE
        self._read: tuple[tuple[int, int, int], dict[str, User]] | None = None

    def every(self) -> Mapping[str, User]:
        """Return all, by name; BadFile where the file is not as it is written, or others can read it."""
        stamp = self._stamp()
        if stamp is None:
            return {}
        if self._read is None or self._read[0] != stamp:
            self._read = (stamp, self._users())
        return self._read[1]

    def change(self, make: Callable[[dict[str, User]], None]) -> None:
        """Have `make` change the users, and write them durably; it may raise Refused. OSError: nothing was changed."""
        make_private(self.folder)
        with alone(self.folder):
            found = dict(self._users())
            make(found)
            tree = {"format": FORMAT, "users": {name: found[name].as_json() for name in sorted(found)}}
            write_private(self.file, (json.dumps(tree, ensure_ascii=False, indent=1) + "\n").encode())

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self.file.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadFile(f"{self.file}: {error.strerror}") from None
        return found.st_ino, found.st_mtime_ns, found.st_mode

    def _users(self) -> dict[str, User]:
        content = read_private(self.file)
        if content is None:
            return {}
        try:
            tree = json.loads(content)
            if tree["format"] != FORMAT:
                raise ValueError(f"its format is {tree['format']!r}")
            return {name: _user(name, one) for name, one in tree["users"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadFile(f"{self.file}: is not what was written: {error}") from None


def _user(name: str, tree: Mapping[str, Any]) -> User:
    who = Who(name, Role(tree["role"]), str(tree["county"]), str(tree["site"]))
    found = User(who, str(tree["password"]), str(tree["changed"]), int(tree["generation"]))
    if flaw := flaw_of_name(name) or flaw_of_scope(who):
        raise ValueError(f"{name!r}: {flaw}")
    if found.password and not passwords.is_kept_form(found.password):
        raise ValueError(f"{name!r}: the password is not as it is kept")
    return found


# ---- changes, for Users.change


def added(user: User) -> Callable[[dict[str, User]], None]:
    """Return the change that adds somebody."""

    def make(users: dict[str, User]) -> None:
        _check(user.who)
        if near := next((name for name in users if _folded(name) == _folded(user.who.name)), None):
            raise Refused(f"{near} is there already; `santong user passwd` and `santong user scope` change somebody")
        users[user.who.name] = user

    return make


def with_password(name: str, password: str, now: str) -> Callable[[dict[str, User]], None]:
    """Return the change of what is kept of a password; sessions end."""

    def make(users: dict[str, User]) -> None:
        before = known(users, name)
        users[name] = before._replace(password=password, changed=now, generation=before.generation + 1)

    return make


def scoped(who: Who, now: str) -> Callable[[dict[str, User]], None]:
    """Return the change of role and scope."""

    def make(users: dict[str, User]) -> None:
        _check(who)
        users[who.name] = known(users, who.name)._replace(who=who, changed=now)

    return make


def removed(name: str) -> Callable[[dict[str, User]], None]:
    """Return the change that takes somebody away."""

    def make(users: dict[str, User]) -> None:
        known(users, name)
        del users[name]

    return make


def known(users: Mapping[str, User], name: str) -> User:
    """Return a user by name; Refused where there is none."""
    if name not in users:
        raise Refused(f"{name!r} is nobody here; `santong user list` names everybody")
    return users[name]


def flaw_of_name(name: str) -> str:
    """Say why a name is not taken, nothing when it is."""
    if not 1 <= len(name) <= MOST_NAME or name != unicodedata.normalize("NFKC", name).strip():
        return f"a name is 1 to {MOST_NAME} characters, without blanks around it, in their usual width"
    if ":" in name or any(unicodedata.category(letter)[0] == "C" for letter in name):
        return "a name has no ':' and no character that cannot be seen"
    return ""


def _check(who: Who) -> None:
    flaw = flaw_of_name(who.name) or flaw_of_scope(who)
    if not flaw and who.county and not is_device(f"{who.county}-x.x"):
        flaw = f"{who.county!r} is no county's code, such as 441802"
    if not flaw and who.site and not is_device(f"{who.site}.x"):
        flaw = f"{who.site!r} is no site's id, such as 441802-3144001234"
    if flaw:
        raise Refused(flaw)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
