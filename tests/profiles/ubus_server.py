r"""
A double of an OpenWrt device's bus over HTTP, on 127.0.0.1; it follows uhttpd-mod-ubus and rpcd, it is neither.

    ubus.json   {"login": {"username": …, "password": …},         who may; without it, session 0 may everything
                 "denied": ["system board"],                        what the ACL forbids
                 "objects": {"system": {"board": {…},               what a method answers
                                        "info": 7},                 a status of ubus
                             "iwinfo": {"info {\"device\": \"phy0-ap0\"}": {…}}}}   … with these arguments

What follows them: statuses and errors by their numbers, arrays of questions, `list` without a session, chunked answers,
ubus_rpc_session among the arguments refused, a session that ends is unknown.
"""

import http.server
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NOBODY = "0" * 32
_OK, _NO_METHOD, _DENIED = 0, 3, 6
_PARSE, _METHOD, _PARAMS, _OBJECT, _ACCESS = -32700, -32601, -32602, -32000, -32002
_MESSAGES = {
    _PARSE: "Parse error",
    _METHOD: "Method not found",
    _PARAMS: "Invalid parameters",
    _OBJECT: "Object not found",
    _ACCESS: "Access denied",
}
Question = dict[str, Any]


class Device:
    """The bus: what was recorded, who is logged in, and every question it was asked (`asked`)."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        self._recorded = recorded
        self._objects: dict[str, dict[str, Any]] = {"session": {"login": None}, **recorded["objects"]}
        self._sessions: set[str] = set()
        self.asked: list[Question] = []

    def answer(self, question: Question) -> dict[str, Any]:
        """Return the answer to one question of JSON-RPC."""
        self.asked.append(question)
        head = {"jsonrpc": "2.0", "id": question.get("id")}
        if question.get("jsonrpc") != "2.0":
            return {**head, **_error(_PARSE)}
        if question.get("method") == "list":
            return {**head, "result": sorted(self._objects)}
        if question.get("method") != "call":
            return {**head, **_error(_METHOD)}
        params = question.get("params")
        if not isinstance(params, list) or len(params) != 4 or not isinstance(params[3], dict):
            return {**head, **_error(_PARSE)}
        return {**head, **self._call(*params)}

    def _call(self, session: str, object_: str, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if object_ not in self._objects:
            return _error(_OBJECT)
        if not self._may(session, object_, method):
            return _error(_ACCESS)
        if "ubus_rpc_session" in arguments:
            return _error(_PARAMS)
        if (object_, method) == ("session", "login"):
            return self._login(arguments)
        methods = self._objects[object_]
        exact = f"{method} {json.dumps(arguments, sort_keys=True)}"
        answer = methods.get(exact, methods.get(method, _NO_METHOD))
        return {"result": [answer] if isinstance(answer, int) else [_OK, answer]}

    def _may(self, session: str, object_: str, method: str) -> bool:
        if (object_, method) == ("session", "login"):
            return True
        is_known = session in self._sessions or (session == NOBODY and "login" not in self._recorded)
        return is_known and f"{object_} {method}" not in self._recorded.get("denied", ())

    def _login(self, arguments: dict[str, Any]) -> dict[str, Any]:
        wanted = self._recorded.get("login")
        if wanted is None or any(arguments.get(name) != wanted[name] for name in ("username", "password")):
            return {"result": [_DENIED]}
        session = secrets.token_hex(16)
        self._sessions.add(session)
        timeout = arguments.get("timeout", 300)
        return {"result": [_OK, {"ubus_rpc_session": session, "timeout": timeout, "expires": timeout, "acls": {}}]}


def _error(code: int) -> dict[str, Any]:
    return {"error": {"code": code, "message": _MESSAGES[code]}}


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        """Answer a question or an array of them."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, text = self.server.script(self.path, body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in (text[:7], text[7:]):
            if chunk:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in the standard library
        """Say nothing."""


Script = Callable[[str, bytes], tuple[int, bytes]]


class Server(http.server.ThreadingHTTPServer):
    """The web server of a device; `script` answers path and body with status and body."""

    block_on_close = True
    daemon_threads = False

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Be the device of `ubus.json`; yield its port."""
    device = Device(json.loads((folder / "ubus.json").read_text(encoding="utf-8")))
    with answering(script_of(device)) as port:
        yield port


def script_of(device: Device) -> Script:
    """Return what answers POST /ubus for a device; any other path is 404."""

    def script(path: str, body: bytes) -> tuple[int, bytes]:
        if path not in ("/ubus", "/ubus/"):
            return 404, b""
        asked = json.loads(body)
        answer = list(map(device.answer, asked)) if isinstance(asked, list) else device.answer(asked)
        return 200, json.dumps(answer).encode()

    return script


@contextmanager
def answering(script: Script) -> Iterator[int]:
    """Answer every POST by a script; yield the port."""
    with Server(script) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
