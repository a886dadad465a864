"""
Who asks: joins listener, users, sessions and throttle, and writes down who came in.

    request ──▶ proxy's header? ──▶ on this machine? ──▶ cookie? ──▶ password? ──▶ Found(who, …)

Knows nothing of a web framework: `door.py` speaks ASGI.
"""

import base64
import binascii
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from collector.access import passwords
from collector.access.listener import Listener, client_of, host_of, is_here, is_secure
from collector.access.log import Entry, Log
from collector.access.sessions import Session, Sessions
from collector.access.throttle import Throttle, keys_of
from collector.access.types import LOCAL, Who
from collector.access.users import User, Users

COOKIE = "santong_session"
_SEEN_S = 300.0  # a password that was right is not hashed again for so long
_MOST_SEEN = 1000
_LOCAL = "local"  # what stands for a session on this machine
_HASHES_AT_ONCE = 2  # each takes 32 MiB and a core


class Asked(NamedTuple):
    """A request: the address it came from, its scheme, its headers by lower-case names (several values: joined)."""

    peer: str
    scheme: str
    headers: Mapping[str, str]


class Found(NamedTuple):
    """
    Who asks; `who` None: nobody that is known, and `why` says what to do, `wait_s` how long to wait before.

    `session` names what forms are tied to; `address` is where it came from.
    """

    who: Who | None
    address: str
    session: str = ""
    why: str = ""
    wait_s: float = 0.0


class Login(NamedTuple):
    """What came of a login: a value for the cookie and how long it holds, or how long to wait before the next try."""

    cookie: str = ""
    seconds: int = 0
    wait_s: float = 0.0


class Gate:
    """
    The gate of one listener. `refresh` nothing: users who are added, changed or removed count from the next request on.

    Raises BadFile where the users cannot be read.
    """

    def __init__(
        self,
        data: Path,
        listener: Listener,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.listener = listener
        self.users = Users(data)
        self.log = Log(data)
        self._sessions = Sessions(data)
        self._throttle = Throttle()
        self._clock, self._now = clock, now
        self._hashing = threading.Semaphore(_HASHES_AT_ONCE)
        self._seen: dict[str, float] = {}
        self._noted: dict[tuple[str, str, str], float] = {}

    def find(self, asked: Asked) -> Found:
        """Return who asks."""
        address = client_of(self.listener, asked.peer, asked.headers)
        if self.listener.header and self.listener.trusts(asked.peer) and self.listener.header in asked.headers:
            return self._named(asked.headers[self.listener.header], address)
        if self.listener.asks_nobody:
            if is_here(asked.peer, asked.headers):
                return Found(LOCAL, address, _LOCAL)
            return Found(None, address, why="this page answers to http://127.0.0.1 and http://localhost alone")
        if (session := self.session_of(asked)) and (user := self._user_of(session)):
            return Found(user.who, address, session.id)
        if asked.headers.get("authorization", "")[:6].lower() == "basic ":
            return self._with_password(asked.headers["authorization"][6:], address)
        return Found(None, address, why="log in first")

    def holds(self, found: Found, asked: Asked) -> bool:
        """
        Tell whether somebody who was let in is still who they were: for pages that stay open for hours.

        Not after a logout, the end of a session, another password, role or scope, or when they were removed.
        """
        if found.who is None:
            return False
        if found.session == _LOCAL:
            return True
        user = self.users.every().get(found.who.name)
        if user is None or user.who != found.who:
            return False
        way, _, name = found.session.partition(":")
        if way == "proxy":
            return True
        if way == "password":
            return name.partition(":")[0] == str(user.generation)
        session = self.session_of(asked)
        return session is not None and self._user_of(session) == user

    def session_of(self, asked: Asked) -> Session | None:
        """Return the session of a request's cookie, None without any that holds."""
        cookies = (one.strip().partition("=") for one in asked.headers.get("cookie", "").split(";"))
        values = [value for name, _, value in cookies if name == COOKIE]
        return self._sessions.read(values[0], int(self._now())) if len(values) == 1 else None

    def login(self, name: str, password: str, asked: Asked) -> Login:
        """Let somebody in whose password is right; what came of it is written down."""
        address = client_of(self.listener, asked.peer, asked.headers)
        user, wait_s = self._checked(name, password, address)
        if user is None:
            return Login(wait_s=wait_s)
        self.note(user.who, address, "login")
        seconds = int(self.listener.hours * 3600)
        return Login(self._sessions.begin(name, user.generation, int(self._now()), seconds), seconds)

    def logout(self, asked: Asked) -> None:
        """End the session of a request; written down."""
        session = self.session_of(asked)
        if session and (user := self._user_of(session)):
            self._sessions.end(session, int(self._now()))
            self.note(user.who, client_of(self.listener, asked.peer, asked.headers), "logout")

    def note(self, who: Who | None, address: str, what: str, on: str = "", text: str = "") -> None:
        """Write down what somebody did, durably: before it is done where it must not go unseen."""
        name = who.name if who else ""
        self.log.add(lambda: Entry(datetime.fromtimestamp(int(self._now()), UTC), name, address, what, on, text))

    def form_token(self, found: Found) -> str:
        """Return what the forms that somebody is shown carry."""
        return self._sessions.form_token(found.session)

    def is_form_token(self, found: Found, token: str) -> bool:
        """Tell whether a form is one that this person was shown."""
        return bool(found.session) and self._sessions.is_form_token(found.session, token)

    def is_own_page(self, asked: Asked) -> bool:
        """Tell whether a request that changes something, or a websocket, comes from a page of ours, or from no page."""
        site = asked.headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        origin = asked.headers.get("origin")
        host = host_of(self.listener, asked.peer, asked.headers)
        return origin is None or origin.lower().partition("://")[2] == host

    def is_secure(self, asked: Asked) -> bool:
        """Tell whether the browser asked over TLS."""
        return is_secure(self.listener, asked.peer, asked.scheme, asked.headers)

    # ---- inside

    def _named(self, name: str, address: str) -> Found:
        """Return whom the reverse proxy names."""
        user = self.users.every().get(name)
        if user is None:
            return Found(None, address, why="the reverse proxy names somebody whom nobody added")
        self._note_once(user.who, address, "by the reverse proxy")
        return Found(user.who, address, f"proxy:{name}")

    def _with_password(self, encoded: str, address: str) -> Found:
        """Return whose password a request carries (RFC 7617)."""
        try:
            name, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Found(None, address, why="Authorization cannot be read")
        user = self.users.every().get(name)
        trace = self._sessions.trace(f"{name}:{user.password if user else ''}:{password}")
        if user and self._seen.get(trace, 0.0) > self._clock():
            return Found(user.who, address, f"password:{user.generation}:{name}")
        user, wait_s = self._checked(name, password, address)
        if user is None:
            return Found(
                None, address, why="name or password is wrong" if not wait_s else "too many tries", wait_s=wait_s
            )
        self._note_once(user.who, address, "by password, without a session")
        self._see(trace)
        return Found(user.who, address, f"password:{user.generation}:{name}")

    def _note_once(self, who: Who, address: str, text: str) -> None:
        """Write down who comes without a session: once in the time that a session would hold, not with each request."""
        now, key = self._clock(), (who.name, address, text)
        if self._noted.get(key, -1.0) < now:
            self.note(who, address, "login", text=text)
            if len(self._noted) >= _MOST_SEEN:
                self._noted.clear()
            self._noted[key] = now + self.listener.hours * 3600

    def _see(self, trace: str) -> None:
        now = self._clock()
        if len(self._seen) >= _MOST_SEEN:
            self._seen = {one: until for one, until in self._seen.items() if until > now}
        if len(self._seen) < _MOST_SEEN:
            self._seen[trace] = now + _SEEN_S

    def _checked(self, name: str, password: str, address: str) -> tuple[User | None, float]:
        """Return whose password it is; None: nobody's, or so long to wait before the next try."""
        keys = keys_of(address, name)
        if wait_s := self._throttle.begin(keys, self._clock()):
            return None, wait_s
        user = self.users.every().get(name)
        with self._hashing:
            is_right = passwords.is_right(password, user.password if user else "")
        if user is None or not is_right:
            # What was typed as an unknown name may be somebody's password.
            self.note(user.who if user else None, address, "refused", text="" if user else "a name that nobody has")
            return None, 0.0
        self._throttle.right(keys)
        if not passwords.is_of_today(user.password):
            self._renew(user, password)
        return user, 0.0

    def _renew(self, user: User, password: str) -> None:
        """Keep a password by today's parameters; its sessions go on."""
        kept = passwords.hashed(password)

        def make(users: dict[str, User]) -> None:
            if users.get(user.who.name) == user:
                users[user.who.name] = user._replace(password=kept)

        self.users.change(make)

    def _user_of(self, session: Session) -> User | None:
        user = self.users.every().get(session.name)
        return user if user and user.generation == session.generation else None
