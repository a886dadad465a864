r"""
An outcome as people and scripts read it on the command line.

Servers write into it: whatever a terminal would obey instead of showing it is written as its escape, `\x1b`.
"""

import unicodedata

from agent.outcome import Outcome

_UNITS = {"_ms": "ms", "_percent": "%", "_mbps": "Mbit/s", "_dbm": "dBm", "_days": "days", "_s": "s"}


def as_json(kind: str, target: str, outcome: Outcome) -> dict[str, object]:
    """Return all of an outcome, in plain types; JSON alone would leave C1 and changes of direction as they are."""
    shown = {
        "kind": kind,
        "target": target,
        "success": outcome.success,
        "stage": outcome.stage,
        "code": outcome.code,
        "reason": outcome.reason,
        "fields": dict(outcome.fields),
        "details": dict(outcome.details),
        "samples": [{"measurement": m, "tags": dict(t), "fields": dict(f)} for m, t, f in outcome.extra],
    }
    return {name: _clean_all(value) for name, value in shown.items()}


def as_text(kind: str, target: str, outcome: Outcome) -> str:
    """Return a headline and one line a reading."""
    lines = [_headline(kind, target, outcome)]
    lines += [_line(name, value) for name, value in outcome.fields.items()]
    for measurement, tags, fields in outcome.extra:
        lines.append(f"  {measurement} {' '.join(tags.values())}")
        lines += ["  " + _line(name, value) for name, value in fields.items()]
    for name, value in outcome.details.items():
        if isinstance(value, list | tuple):
            lines += [f"  {name}", *(f"      {_row(row)}" for row in value)] if value else []
        else:
            lines.append(f"  {name:<22}{_row(value)}")
    return "\n".join(map(_clean, lines))


def _headline(kind: str, target: str, outcome: Outcome) -> str:
    word = {True: "works", False: f"fails at {outcome.stage}", None: "could not be asked"}[outcome.success]
    code = "" if outcome.code is None or outcome.success else f" (code {outcome.code})"
    reached = f", as far as {outcome.stage}" if outcome.success and outcome.stage != "done" else ""
    return f"{kind} {target}: {word}{reached}{code}{': ' if outcome.reason else ''}{outcome.reason}"


def _line(name: str, value: object) -> str:
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return f"  {name.removesuffix(ending):<22}{value} {unit}"
    return f"  {name:<22}{value}"


def _row(value: object) -> str:
    return "  ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _clean(text: str) -> str:
    """Write control characters (C0, C1), line ends, changes of direction and the like as escapes."""
    return "".join(char if _is_shown(char) else repr(char)[1:-1] for char in text)


def _is_shown(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _clean_all(value: object) -> object:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {_clean_all(key): _clean_all(inner) for key, inner in value.items()}
    return [_clean_all(inner) for inner in value] if isinstance(value, list | tuple) else value
