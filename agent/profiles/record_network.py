"""Devices that are asked over TCP into a recording: PJLink, ubus over HTTP, JSON over HTTP."""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from agent.deadline import Deadline
from agent.gather import http_json
from agent.gather.pjlink import COMMANDS
from agent.gather.pjlink_link import Link
from agent.gather.read import Read, Way
from agent.gather.ubus_bus import Call, Remote
from agent.gather.web import json_of
from agent.outcome import Failed
from agent.profiles.record import Told
from agent.profiles.redact import Redactor
from agent.profiles.redact_json import as_bytes, cleaned, is_telling
from contract.errors import ConfigError, Problem
from firmware_profiles.library import Library
from firmware_profiles.sources import HttpJson, Ubus

PATIENCE_S = 5.0  # for one answer
_WORDS = ("NAME", "SNUM")  # of PJLink: what people call the device, its serial number
_PASSWORD = "recorded"  # noqa: S105  with which the recording is replayed
_USER = "santong"
_LOGINS = {"http": ["digest"], "https": ["digest", "basic"]}  # of who has a user's name
_NO_BASIC = "HTTP Basic would show the password to all on the way: --kind https"
_CALLS = (  # what is known to change nothing; further ones are those of the profiles
    Call("system", "board"),
    Call("system", "info"),
    Call("network.device", "status"),
    Call("network.interface", "dump"),
    Call("iwinfo", "devices"),
    Call("hostapd.*", "get_status"),
    Call("hostapd.*", "get_clients"),
)
_OF_DEVICES = ("info", "assoclist")  # of iwinfo, for each of its devices
Tell = Callable[[str, float], None]


class PjlinkCaptured:
    """What a projector answered, command → what stands behind `=`."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers

    def files(self, redactor: Redactor) -> Mapping[str, bytes]:
        """Return the answers; the greeting is one without a password."""
        lines = ["PJLINK 0"]
        for command, text in self._answers.items():
            is_word = command[2:] in _WORDS and not text.upper().startswith("ERR")
            lines.append(f"{command}={redactor.learn(text) if is_word else redactor.text(text)}")
        return {"pjlink.txt": "".join(f"{line}\n" for line in lines).encode()}


class JsonCaptured:
    """One JSON file, and the files that name a user where one is needed."""

    def __init__(self, name: str, tree: Any, *, user: bool = False, password: bool = False) -> None:
        self._name, self._tree = name, tree
        self._user, self._password = user, password

    def files(self, redactor: Redactor) -> Mapping[str, bytes]:
        """Return the recording."""
        if self._name == "http.json":
            _learn_queries(self._tree, redactor)
        tree = cleaned(self._tree, redactor)
        found: dict[str, bytes] = {}
        if self._name == "ubus.json":
            login = {"username": _USER, "password": _PASSWORD}
            tree = {"login": login, "objects": tree} if self._user else {"objects": tree}
        if self._user or self._password:
            user = f'username = "{_USER}"\n' if self._user else ""
            found["parameters.toml"] = f'{user}password_file = "password"\n'.encode()
            found["password"] = f"{_PASSWORD}\n".encode()
        return {self._name: as_bytes(tree), **found}


def _learn_queries(paths: Iterable[str], redactor: Redactor) -> None:
    """Learn the values in the queries of paths whose names are telling: tokens, keys, names."""
    for path in paths:
        for name, value in re.findall("[?&]([^=&]+)=([^&]+)", path):
            if is_telling(name):
                redactor.learn(value, everywhere=True)


def pjlink(way: Way, port: int, tell: Tell) -> tuple[PjlinkCaptured, Told]:
    """Ask a projector each of its questions; Failed when it does not answer one."""
    answers: dict[str, str] = {}
    silent: list[str] = []
    link: Link | None = None
    for number, command in enumerate(COMMANDS):
        question = f"%{command.level}{command.name}"
        tell(f"PJLink {command.name}", number / len(COMMANDS))
        if command.level == "2" and answers.get("%1CLSS") != "2":
            continue
        for _ in range(2):  # many close after each answer
            try:
                link = link or Link(way.address, port, way.password_file, Deadline(PATIENCE_S))
                answers[question] = _answered(link, question)
                break
            except OSError:
                if link:
                    link.close()
                link = None
        else:
            silent.append(command.name)
    if link:
        link.close()
    if not answers:
        raise Failed("answer", "no answer to any question of PJLink")
    partial = f"no answer to {', '.join(silent)}" if silent else ""
    return PjlinkCaptured(answers), Told("PJLink", "every question", f"{len(answers)} answers", (), partial)


def _answered(link: Link, question: str) -> str:
    patience = Deadline(PATIENCE_S)
    line = link.ask(f"{question} ?", patience)
    while not line.upper().startswith(f"{question}="):  # a late answer to an earlier question
        line = link.line(patience)
    return line.partition("=")[2]


def ubus(way: Way, port: int, library: Library, tell: Tell) -> tuple[JsonCaptured, Told]:
    """Call what changes nothing of the objects that a device has; what it forbids is left out, and said."""
    what = Ubus("", "", {}, (), port=port)
    bus = Remote(what, way, Deadline(60))
    names = bus.objects()
    objects: dict[str, dict[str, Any]] = {}
    refused: list[str] = []
    calls = list(_calls(names, library))
    for number, call in enumerate(calls):
        tell(f"ubus {call}", number / len(calls))
        answer = _called(bus, call, refused)
        if answer is None:
            continue
        arguments = f" {json.dumps(call.arguments, sort_keys=True)}" if call.arguments else ""
        objects.setdefault(call.object, {})[call.method + arguments] = answer
        if call == Call("iwinfo", "devices") and isinstance(answer, Mapping):
            devices = [name for name in answer.get("devices", ()) if isinstance(name, str)]
            calls += [Call("iwinfo", method, {"device": name}) for name in devices for method in _OF_DEVICES]
    if not objects:
        raise Failed("auth" if refused else "answer", f"nothing may be called: {', '.join(refused) or 'no object'}")
    left_out = [f"what the device forbids: {', '.join(refused)}"] if refused else []
    found = f"{sum(map(len, objects.values()))} answers of {len(objects)} objects"
    return JsonCaptured("ubus.json", objects, user=bool(way.username)), Told(
        "ubus over HTTP", ", ".join(sorted({str(call) for call in calls})), found, left_out
    )


def _called(bus: Remote, call: Call, refused: list[str]) -> object:
    try:
        (answer,) = bus.call([call])
    except Failed as failed:
        if failed.stage != "auth" or failed.code == 6:  # the login itself
            raise
        refused.append(str(call))
        return None
    return answer


def _calls(names: Iterable[str], library: Library) -> Iterator[Call]:
    """Yield what is to be called, each once: the usual calls, and those of the profiles there are."""
    wanted = list(_CALLS)
    for name in library.ids():
        with contextlib.suppress(ConfigError):
            wanted += [
                Call(asked.object, asked.method, asked.arguments)
                for asked in library.get(name).collect.values()
                if isinstance(asked, Ubus) and "*" not in map(str, asked.arguments.values())
            ]
    seen: list[Call] = []
    for call in wanted:
        for name in names:
            one = call._replace(object=name)
            if fnmatchcase(name, call.object) and one not in seen:
                seen.append(one)
                yield one


def http(way: Way, port: int, paths: Sequence[str], scheme: str, tell: Tell) -> tuple[JsonCaptured, Told]:
    """Get the paths; Failed when the device gives none of them."""
    if not paths:
        raise ConfigError("--root", [Problem("", "is missing: which paths, such as /api/status?")])
    pages: dict[str, Any] = {}
    missing: list[str] = []
    last: Failed | None = None
    for number, path in enumerate(paths):
        tell(path, number / len(paths))
        try:
            pages[path] = _page(way, port, path, scheme)
        except Failed as failed:
            last = failed
            missing.append(f"{path}: {failed.reason}")
    if last and not pages:
        raise last
    found = f"{len(pages)} answers"
    told = Told(f"JSON over {scheme.upper()}", ", ".join(paths), found, (), "; ".join(missing))
    return JsonCaptured("http.json", pages, user=bool(way.username), password=bool(way.password_file)), told


def _page(way: Way, port: int, path: str, scheme: str) -> Any:
    """
    Get one path, with the login that the device asks for; Failed `auth` when that is Basic without TLS.

    Digest is tried first (RFC 7616); Basic shows the password to everybody on the way (RFC 7617 §4).
    """
    logins = _LOGINS[scheme] if way.username else ["bearer"] if way.password_file else ["none"]
    for login in logins:
        what = HttpJson(path, {}, (), port=port, scheme=scheme, login=login, verify=False)  # type: ignore[arg-type]
        try:
            answer = http_json.fetch(Read(what, way, PATIENCE_S))
        except Failed as failed:
            if failed.stage == "auth" and login != logins[-1]:
                continue
            if failed.stage == "auth" and login == "digest":
                raise Failed("auth", f"{failed.reason}; {_NO_BASIC}", failed.code) from None
            raise
        if answer.status in (401, 403) and login != logins[-1]:
            continue
        if not 200 <= answer.status < 300:
            stage = "auth" if answer.status in (401, 403) else "answer"
            raise Failed(stage, f"answers {answer.status}", answer.status)
        return json_of(answer)
    raise AssertionError(logins)
