r"""
An agent's answer as people and scripts read it.

Devices and servers write into it: what a terminal would obey instead of showing it is written as its escape, `\x1b`.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from collector.words import Language, word
from contract.asking import Found, Reply

_UNITS = {"_ms": "ms", "_percent": "%", "_mbps": "Mbit/s", "_dbm": "dBm", "_days": "days", "_s": "s"}


def as_json(agent: str, reply: Reply) -> dict[str, Any]:
    """Return all of a reply, in plain types."""
    shown: dict[str, Any] = {"agent": agent, "version": reply.version, "at_ms": reply.at_ms}
    if reply.found is not None:
        samples = [{"measurement": m, "tags": dict(t), "fields": dict(f)} for m, t, f in reply.found.samples]
        shown["found"] = reply.found._asdict() | {"samples": samples}
    elif reply.diagnosis is not None:
        shown["diagnosis"] = reply.diagnosis
    else:
        shown |= {"refused": reply.refused, "reason": reply.reason}
    cleaned: dict[str, Any] = _cleaned(shown)
    return cleaned


def as_text(agent: str, reply: Reply, language: Language) -> str:
    """Return a headline and one line a value."""
    lines = [f"{agent}: {headline(reply, language)}"]
    if reply.found is not None:
        lines += _found(reply.found)
    elif reply.diagnosis is not None:
        lines += _tree(reply.diagnosis, "  ")
    return "\n".join(map(clean, lines))


def headline(reply: Reply, language: Language) -> str:
    """Return in short what came of it."""
    found = reply.found
    if reply.diagnosis is not None:
        return clean(f"{word('ask_diagnosed', language)} ({reply.version})")
    if found is None:
        said = word("ask_refused", language).format(name=reply.refused)
        return clean(f"{said}{': ' if reply.reason else ''}{reply.reason}")
    key = {True: "ask_works", False: "ask_fails", None: "ask_unable"}[found.success]
    code = "" if found.code is None or found.success else f" (code {found.code})"
    said = word(key, language).format(stage=found.stage)
    return clean(f"{said}{code}{': ' if found.reason else ''}{found.reason}")


def _found(found: Found) -> Iterator[str]:
    for name, value in found.fields.items():
        yield _line(name, value)
    for measurement, tags, fields in found.samples:
        yield f"  {measurement} {' '.join(tags.values())}"
        yield from ("  " + _line(name, value) for name, value in fields.items())


def _line(name: str, value: object) -> str:
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return f"  {name.removesuffix(ending):<22}{value} {unit}"
    return f"  {name:<22}{value}"


def _tree(tree: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}"
            yield from _tree(value, indent + "  ")
        elif isinstance(value, list):
            yield f"{indent}{name}{'' if value else '  -'}"
            yield from (f"{indent}  {_row(one)}" for one in value)
        else:
            yield f"{indent}{name:<22}{_row(value)}"


def _row(value: object) -> str:
    if isinstance(value, Mapping):
        return "  ".join(f"{name} {inner}" for name, inner in value.items() if inner not in (None, ""))
    return "-" if value is None else str(value)


def clean(text: str) -> str:
    """Write control characters (C0, C1), line ends, changes of direction and the like as escapes."""
    return "".join(char if _is_shown(char) else repr(char)[1:-1] for char in text)


def _is_shown(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(name)): _cleaned(inner) for name, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list | tuple) else value
