"""
What the centre asks of an agent, and what the agent answers: the JSON of `command` and `reply`.

    centre ──command, correlation data──▶ agent ──reply, the same correlation data──▶ centre

A request carries when it expires and who asks; a reply has exactly one of an outcome, a diagnosis and a refusal.
Readers ignore keys that they do not know. Whatever the bytes are, decoding returns one of these or raises ValueError.
"""

import json
import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn

from contract.topics import MOST_COMMAND_BYTES

MOST_REQUEST_BYTES = MOST_COMMAND_BYTES
MOST_REPLY_BYTES = 64 << 10
MOST_LIFETIME_S = 900.0  # from asking to expiry
CORRELATION_BYTES = (8, 64)  # length of MQTT 5 correlation data, the least and the most
_MOST_TIME_MS = 1 << 53
_MOST_SETTINGS = 40
_LONGEST_NAME, _LONGEST_TEXT, _LONGEST_REASON = 64, 1000, 2000
_MOST_SAMPLES, _MOST_VALUES, _DEEPEST = 200, 4000, 6
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")

Plain = str | int | float | bool | None


class Command(StrEnum):
    """What can be asked."""

    PROBE = "probe"
    THROUGHPUT = "throughput"
    DIAGNOSE = "diagnose"


class Refused(StrEnum):
    """Why nothing was found."""

    EXPIRED = "expired"  # it was too old when it came
    BUSY = "busy"  # another one runs, or there were too many of late
    UNKNOWN = "unknown_command"
    NOT_ALLOWED = "not_allowed"  # by the agent's settings
    BAD_ARGUMENTS = "bad_arguments"
    TOO_LATE = "too_late"  # there was no answer, or can be none, before it expires
    WORKER_GONE = "worker_gone"  # the process that asked has died
    UNABLE = "unable"  # a defect of the agent's


class Request(NamedTuple):
    """
    One question. `command` is one of Command, or a word that this version does not know.

    `expires_ms` is unix time by the asker's clock; `who` is a name for logs. `probe` is the kind of probe, `target`
    what it asks, `given` its settings as texts.
    """

    command: str
    expires_ms: int
    who: str
    probe: str = ""
    target: str = ""
    given: Mapping[str, str] = {}


class Found(NamedTuple):
    """What a probe found, as `agent.outcome` has it, less what never leaves the device; `success` None: not asked."""

    success: bool | None
    stage: str
    code: int | None = None
    reason: str = ""
    fields: Mapping[str, Plain] = {}
    samples: tuple[tuple[str, Mapping[str, str], Mapping[str, Plain]], ...] = ()


class Reply(NamedTuple):
    """
    The answer: `found`, `diagnosis`, or `refused` with a reason for people. `version` is the agent's.

    `at_ms` is unix time by the agent's clock, None where nobody vouches for it.
    """

    version: str
    at_ms: int | None = None
    found: Found | None = None
    diagnosis: Mapping[str, Any] | None = None
    refused: str = ""
    reason: str = ""


def encode_request(request: Request) -> bytes:
    """Return the JSON of a request; ValueError where it is none that can be decoded again."""
    tree: dict[str, Any] = {"command": request.command, "expires": request.expires_ms, "who": request.who}
    if request.probe:
        tree |= {"probe": request.probe}
    if request.target or request.given:
        tree |= {"target": request.target, "set": dict(request.given)}
    payload = _dumped(tree, MOST_REQUEST_BYTES)
    decode_request(payload)
    return payload


def decode_request(payload: bytes) -> Request:
    """Return the request of a payload; ValueError for anything that is none."""
    try:
        tree = _loaded(payload, MOST_REQUEST_BYTES)
        given = _table(tree.get("set", {}))
        if len(given) > _MOST_SETTINGS:
            raise ValueError("too many settings")
        return Request(
            _word(tree["command"]),
            _time(tree["expires"]),
            _text(tree["who"], _LONGEST_NAME),
            _word(tree["probe"]) if tree.get("probe") else "",
            _text(tree.get("target", ""), _LONGEST_TEXT),
            {_text(name, _LONGEST_NAME): _text(value, _LONGEST_TEXT) for name, value in given.items()},
        )
    except (KeyError, TypeError, RecursionError, ValueError) as error:
        raise ValueError(f"not a command: {error!r:.200}") from error


def encode_reply(reply: Reply) -> bytes:
    """Return the JSON of a reply; ValueError where it is none that can be decoded again, or is too large."""
    tree: dict[str, Any] = {"version": reply.version, "at": reply.at_ms}
    if reply.found is not None:
        found = reply.found
        samples = [{"measurement": m, "tags": dict(t), "fields": dict(f)} for m, t, f in found.samples]
        tree["found"] = found._asdict() | {"fields": dict(found.fields), "samples": samples}
    if reply.diagnosis is not None:
        tree["diagnosis"] = reply.diagnosis
    if reply.refused:
        tree |= {"refused": reply.refused, "reason": reply.reason}
    payload = _dumped(tree, MOST_REPLY_BYTES)
    decode_reply(payload)
    return payload


def decode_reply(payload: bytes) -> Reply:
    """Return the reply of a payload; ValueError for anything that is none."""
    try:
        tree = _loaded(payload, MOST_REPLY_BYTES)
        if sum(name in tree for name in ("found", "diagnosis", "refused")) != 1:
            raise ValueError("it is not exactly one of found, diagnosis and refused")
        diagnosis = _table(tree["diagnosis"]) if "diagnosis" in tree else None
        if diagnosis is not None and _size(diagnosis) > _MOST_VALUES:
            raise ValueError("too many values")
        return Reply(
            _text(tree["version"], _LONGEST_NAME),
            None if tree["at"] is None else _time(tree["at"]),
            _found(_table(tree["found"])) if "found" in tree else None,
            diagnosis,
            _word(tree["refused"]) if "refused" in tree else "",
            _text(tree.get("reason", ""), _LONGEST_REASON),
        )
    except (KeyError, TypeError, RecursionError, ValueError) as error:
        raise ValueError(f"not a reply: {error!r:.200}") from error


def _found(tree: Mapping[str, Any]) -> Found:
    success, code, samples = tree["success"], tree["code"], tree.get("samples", [])
    if success is not None and not isinstance(success, bool):
        raise ValueError(f"{success!r:.40} is no success")
    if not isinstance(samples, list) or len(samples) > _MOST_SAMPLES:
        raise ValueError("too many samples, or none")
    return Found(
        success,
        _text(tree["stage"], _LONGEST_NAME),
        None if code is None else _number(code),
        _text(tree.get("reason", ""), _LONGEST_REASON),
        _values(tree.get("fields", {})),
        tuple(
            (_text(one["measurement"], _LONGEST_NAME), _texts(one["tags"]), _values(one["fields"])) for one in samples
        ),
    )


def _dumped(tree: Mapping[str, Any], most: int) -> bytes:
    try:
        payload = json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(f"cannot be written as JSON: {error!r:.200}") from error
    return _within(payload, most)


def _loaded(payload: bytes, most: int) -> Mapping[str, Any]:
    return _table(json.loads(_within(payload, most).decode(), parse_constant=_no_number))


def _within(payload: bytes, most: int) -> bytes:
    if len(payload) > most:
        raise ValueError(f"{len(payload)} bytes, more than {most}")
    return payload


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _table(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise ValueError(f"{value!r:.40} is no table")


def _values(value: object) -> dict[str, Plain]:
    return {_text(name, _LONGEST_NAME): _plain(one) for name, one in _table(value).items()}


def _texts(value: object) -> dict[str, str]:
    return {_text(name, _LONGEST_NAME): _text(one, _LONGEST_TEXT) for name, one in _table(value).items()}


def _plain(value: object) -> Plain:
    match value:
        case str():
            return _text(value, _LONGEST_REASON)
        case None | bool():
            return value
        case int():
            return _number(value)
        case float() if math.isfinite(value):
            return value
    raise ValueError(f"{value!r:.40} is no value")


def _size(value: object, depth: int = 0) -> int:
    """Count the values of a tree, and look at each; ValueError for what is too deep."""
    if depth > _DEEPEST:
        raise ValueError("too deep")
    if isinstance(value, dict):
        for name in value:
            _text(name, _LONGEST_TEXT)
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return sum(1 + _size(one, depth + 1) for one in inner)
    _plain(value)
    return 1


def _word(value: object) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    raise ValueError(f"{value!r:.80} is no word")


def _text(value: object, longest: int) -> str:
    """Return a text that can be written down: JSON can carry half a character."""
    if isinstance(value, str) and len(value) <= longest:
        value.encode()
        return value
    raise ValueError(f"{value!r:.80} is no text of at most {longest} characters")


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
        return value
    raise ValueError(f"{value!r:.40} is not a number of 63 bits")


def _time(value: object) -> int:
    if 0 <= (number := _number(value)) < _MOST_TIME_MS:
        return number
    raise ValueError(f"{number} is no time")
