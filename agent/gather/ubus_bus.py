"""
The two ways to OpenWrt's bus: the program `ubus` on the device itself, and JSON-RPC 2.0 over HTTP (rpcd, uhttpd).

    POST /ubus {"jsonrpc": "2.0", "id": 1, "method": "call", "params": [session, object, method, arguments]}
    → {"jsonrpc": "2.0", "id": 1, "result": [0, {…}]}     a status of ubus (`Status`) and the data
    → {"jsonrpc": "2.0", "id": 1, "error": {"code": -32002, "message": "Access denied"}}

Several questions are one POST, an array. A session is asked for by `session login`, and ends by itself after 30 s.
"""

import json
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from agent.deadline import Deadline
from agent.gather.read import Way, secret
from agent.gather.web import Answer, Request, exchange, json_of
from agent.outcome import Failed, Unable
from agent.programs import run
from contract.sample import Value
from firmware_profiles.sources import Ubus

NOBODY = "0" * 32  # the session of who has not logged in
_SESSION_S = 30
_OBJECT_NOT_FOUND, _DENIED = -32000, frozenset({-32001, -32002})  # codes of uhttpd's errors


class Status(IntEnum):
    """The answers of ubus (ubusmsg.h)."""

    OK = 0
    INVALID_COMMAND = 1
    INVALID_ARGUMENT = 2
    METHOD_NOT_FOUND = 3
    NOT_FOUND = 4
    NO_DATA = 5
    PERMISSION_DENIED = 6
    TIMEOUT = 7
    NOT_SUPPORTED = 8
    UNKNOWN_ERROR = 9
    CONNECTION_FAILED = 10


_NOT_THERE = frozenset({Status.METHOD_NOT_FOUND, Status.NOT_FOUND, Status.NO_DATA, Status.NOT_SUPPORTED})


class Call(NamedTuple):
    """A method of an object, with its arguments."""

    object: str
    method: str
    arguments: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.object} {self.method}"


class Bus(Protocol):
    """A way to the bus; `fields` are what was measured on the way."""

    fields: dict[str, Value]

    def objects(self) -> list[str]:
        """Return the names of all objects."""

    def call(self, calls: Sequence[Call]) -> list[object]:
        """Return the answer to each call, None where the device has no such object, method or data."""


class Local:
    """
    The bus of this device.

    Unable: there is no program, no bus behind it, it may not be used, or does not answer in time.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self.fields: dict[str, Value] = {}

    def objects(self) -> list[str]:
        """Return the names of all objects."""
        return (self._said(["ubus", "list"]) or "").split()

    def call(self, calls: Sequence[Call]) -> list[object]:
        """Return the answer to each call, None where the device has none."""
        return [self._call(call) for call in calls]

    def _call(self, call: Call) -> object:
        text = self._said(["ubus", "call", call.object, call.method, json.dumps(call.arguments)])
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise Unable(f"ubus call {call}: what it prints is not JSON") from None

    def _said(self, argv: list[str]) -> str | None:
        """Return what ubus prints; None where what is asked for is not there. Its exit code is the status."""
        said = run(argv, self._deadline)
        what = " ".join(argv[:4])
        if said.code == Status.OK:
            return said.out
        if said.code in _NOT_THERE:
            return None
        if said.code is None or said.code == Status.TIMEOUT:
            raise Unable(f"{what} is not answered in time")
        if said.code == Status.PERMISSION_DENIED:
            raise Unable(f"{what}: this user may not: give it a file in /usr/share/acl.d, or run the agent as root")
        raise Unable(f"{what}: {said.last_words}")


class Remote:
    """
    The bus of another device.

    Failed `resolve`, `connect`, `tls` (as `http_json`), `auth` (6: the login is refused; -32002: it may not call this),
    `answer` (HTTP status, status of ubus, code of JSON-RPC). Unable: the password is not there.
    """

    def __init__(self, what: Ubus, way: Way, deadline: Deadline) -> None:
        self._request = Request(what.scheme, way.address, what.port, what.path, verify=what.verify)
        self._way = way
        self._deadline = deadline
        self._session = ""
        self.fields: dict[str, Value] = {}

    def objects(self) -> list[str]:
        """Return the names of all objects; nobody need log in for that."""
        (answer,) = self._ask([{"method": "list"}])
        result = answer.get("result")
        if not isinstance(result, list):
            raise self._failed("list", answer)
        return [name for name in result if isinstance(name, str)]

    def call(self, calls: Sequence[Call]) -> list[object]:
        """Return the answer to each call, None where the device has none."""
        if not calls:
            return []
        if not self._session:
            self._session = self._login() if self._way.username else NOBODY
        answers = self._ask([_question(self._session, call) for call in calls])
        return [self._data(call, answer) for call, answer in zip(calls, answers, strict=True)]

    def _login(self) -> str:
        password = secret(self._way.password_file, "password of ubus over HTTP")
        arguments = {"username": self._way.username, "password": password, "timeout": _SESSION_S}
        call = Call("session", "login", arguments)
        (answer,) = self._ask([_question(NOBODY, call)])
        data = self._data(call, answer)
        session = data.get("ubus_rpc_session") if isinstance(data, Mapping) else None
        if not isinstance(session, str):
            raise Failed("answer", "session login: no session comes: is rpcd running?", fields=self.fields)
        return session

    def _data(self, call: Call, answer: Mapping[str, object]) -> object:
        """Return the data of an answer to a call, None where the device has none."""
        result = answer.get("result")
        if not isinstance(result, list) or not result or not isinstance(result[0], int):
            if _code_of(answer) == _OBJECT_NOT_FOUND:
                return None
            raise self._failed(str(call), answer)
        status, *data = result
        if status == Status.OK:
            return data[0] if data else {}
        if status in _NOT_THERE:
            return None
        if status == Status.PERMISSION_DENIED:
            refused = "the login is refused" if call.object == "session" else f"may not call {call}"
            raise Failed("auth", refused, status, self.fields)
        raise Failed("answer", f"{call}: {_name_of(status)}", status, self.fields)

    def _failed(self, what: str, answer: Mapping[str, object]) -> Failed:
        """Return what an error of JSON-RPC means."""
        code = _code_of(answer)
        if code in _DENIED:
            who = "this user" if self._way.username else "who has not logged in"
            return Failed("auth", f"{who} may not call {what}: see the ACL of rpcd", code, self.fields)
        error = answer.get("error")
        message = str(error.get("message"))[:60] if isinstance(error, Mapping) else "no answer of JSON-RPC"
        return Failed("answer", f"{what}: {message}", code, self.fields)

    def _ask(self, questions: list[dict[str, Any]]) -> list[Mapping[str, object]]:
        """Send questions in one request; return the answers in their order."""
        numbered = [{"jsonrpc": "2.0", "id": number, **question} for number, question in enumerate(questions)]
        body = json.dumps(numbered if len(numbered) > 1 else numbered[0]).encode()
        headers = {"Content-Type": "application/json"}
        answer = exchange(self._request._replace(headers=headers, body=body), self._deadline)
        self.fields.setdefault("rtt_ms", answer.rtt_ms)
        given = self._json_of(answer)
        found = {
            _id_of(one): one for one in (given if isinstance(given, list) else [given]) if isinstance(one, Mapping)
        }
        if any(number not in found for number in range(len(questions))):
            raise Failed("answer", "what it sends is not JSON-RPC", answer.status, self.fields)
        return [found[number] for number in range(len(questions))]

    def _json_of(self, answer: Answer) -> object:
        if answer.status in (401, 403):
            raise Failed("auth", "the web server refuses", answer.status, self.fields)
        if answer.status != 200:
            hint = f": is uhttpd-mod-ubus installed, and {self._request.path} its path?" if answer.status == 404 else ""
            raise Failed("answer", f"answers {answer.status}{hint}", answer.status, self.fields)
        return json_of(answer)


def _question(session: str, call: Call) -> dict[str, Any]:
    return {"method": "call", "params": [session, call.object, call.method, dict(call.arguments)]}


def _id_of(answer: Mapping[str, object]) -> int:
    number = answer.get("id")
    return number if isinstance(number, int) else -1


def _code_of(answer: Mapping[str, object]) -> int | None:
    error = answer.get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) else None


def _name_of(status: int) -> str:
    return Status(status).name.lower().replace("_", " ") if status in set(Status) else f"status {status}"
