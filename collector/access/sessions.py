"""
Sessions: a cookie that says who logged in and until when, signed with a key of this data folder.

    <name, session, generation, since, until as JSON, base64url>.<HMAC-SHA-256, base64url>

    DATA/access/key          32 bytes, made at the first use; another one ends all sessions
                ended.json   sessions that were logged out before their end

A changed password or a removed user ends what began before; so nothing of a session needs to be kept.
"""

import base64
import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import NamedTuple

from collector.access.files import BadFile, alone, make_private, read_private, write_private
from collector.access.users import FOLDER

KEY, ENDED = "key", "ended.json"
_KEY_BYTES = 32
_MOST_COOKIE = 1024
_COOKIE, _FORM, _SEEN = b"cookie", b"form", b"seen"


class Session(NamedTuple):
    """A login: whose, its own id, the generation of the password that it was made with, from when to when (unix s)."""

    name: str
    id: str
    generation: int
    since_s: int
    until_s: int


class Sessions:
    """Makes and reads cookies; several processes of one data folder share their key and what was ended."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER
        self._key = self._key_of()
        self._ended: tuple[tuple[int, int], dict[str, int]] = ((0, 0), {})

    def begin(self, name: str, generation: int, now_s: int, seconds: int) -> str:
        """Return the cookie of a new session."""
        session = Session(name, secrets.token_hex(16), generation, now_s, now_s + seconds)
        body = _text(json.dumps(session, ensure_ascii=False, separators=(",", ":")).encode())
        return f"{body}.{self._sign(_COOKIE, body)}"

    def read(self, cookie: str, now_s: int) -> Session | None:
        """Return the session of a cookie; None where it is not ours, over, or was ended."""
        body, _, signature = cookie.partition(".")
        if len(cookie) > _MOST_COOKIE or not self._is_signed(_COOKIE, body, signature):
            return None
        found = Session(*json.loads(_bytes(body)))
        return None if now_s >= found.until_s or found.id in self._ended_now() else found

    def end(self, session: Session, now_s: int) -> None:
        """End a session before its time, durably."""
        file = self._folder / ENDED
        with alone(self._folder):
            still = {name: until for name, until in _ended(file).items() if until > now_s}
            write_private(file, json.dumps(still | {session.id: session.until_s}).encode())

    def form_token(self, session: str) -> str:
        """Return what the forms of a session carry, which no page of others can know."""
        return self._sign(_FORM, session)

    def is_form_token(self, session: str, token: str) -> bool:
        """Tell whether a form carries what those of this session do."""
        return self._is_signed(_FORM, session, token)

    def trace(self, secret: str) -> str:
        """Return a trace of a secret that tells nothing of it, to see it again."""
        return self._sign(_SEEN, secret)

    def _sign(self, what: bytes, text: str) -> str:
        return _text(hmac.digest(self._key, what + b":" + text.encode(errors="replace"), hashlib.sha256))

    def _is_signed(self, what: bytes, text: str, signature: str) -> bool:
        return hmac.compare_digest(self._sign(what, text).encode(), signature.encode(errors="replace"))

    def _key_of(self) -> bytes:
        file = self._folder / KEY
        make_private(self._folder)
        with alone(self._folder):
            key = read_private(file)
            if key is None:
                key = secrets.token_bytes(_KEY_BYTES)
                write_private(file, key)
        if len(key) != _KEY_BYTES:
            raise BadFile(f"{file}: is no key: remove it, and everybody logs in again")
        return key

    def _ended_now(self) -> dict[str, int]:
        file = self._folder / ENDED
        try:
            found = file.stat()
        except FileNotFoundError:
            return {}
        stamp = (found.st_ino, found.st_mtime_ns)
        if self._ended[0] != stamp:
            self._ended = (stamp, _ended(file))
        return self._ended[1]


def _ended(file: Path) -> dict[str, int]:
    """Return the sessions that were ended; a file that cannot be read ends nothing and is said."""
    content = read_private(file)
    try:
        tree = json.loads(content) if content else {}
        return {str(name): int(until) for name, until in tree.items()}
    except (ValueError, TypeError, AttributeError):
        raise BadFile(f"{file}: is not what was written: remove it and `{KEY}` beside it") from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
