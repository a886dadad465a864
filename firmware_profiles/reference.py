"""The reference of all that can stand in a profile, from the code: `python -m firmware_profiles.reference`."""

import sys
from collections.abc import Iterator, Mapping
from inspect import getdoc
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from contract.settings import OneOf, Pattern, Seconds
from firmware_profiles import fill, inherit, load, match, version
from firmware_profiles.check_faults import OF_THE_AGENT
from firmware_profiles.check_readings import NOT_READ
from firmware_profiles.schema import Fault, Firmware, Match, Parameter, Profile, Slug, Title
from firmware_profiles.sources import GIVES, REMOTE, SOURCES, UBUS_DERIVED, FieldName, Oid, Reading

_HEAD = """\
# Profiles: reference

Made from the code by `python -m firmware_profiles.reference`; `santong-agent profiles check` holds files to it.
A profile is one file `<id>.yaml`.
"""
_OF_COLLECT = """\
## `collect`

Each entry reads one source, named by `source`, every `every` (`60s`; at least `1s`, and no less than `timeout`)
for at most `timeout` (`5s`), and maps what it finds by `read`.
"""
_OF_FAULTS = """\
`field` is one that `collect` reads, or `firmware.compliant` where it reads `firmware.version`. A profile of the machine
itself may also name what its agent measures anyway: {}. It is one
when its `match` names something of a machine or, without a `match`, when it has no `{{address}}`; and it reads no other
device. A profile of another device may also name fields of `probe`.
"""
_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "text, number, true or false",
    Seconds: "duration (`60s`, `2m`)",
    Slug: "name in a-z, 0-9, `-`",
    FieldName: "`measurement.field`",
    Oid: "OID in numbers",
    Pattern: "regular expression",
    Title: "`{zh: …, en: …}`",
    Match: "entry of `match`",
    Parameter: "parameter",
    Fault: "fault",
    Firmware: "section `firmware`",
    Reading: "entry of `read`",
}
_OF_ALL = ("source", "every", "timeout", "read")


def as_markdown() -> str:
    """Return the whole reference."""
    return "\n".join([_HEAD, *_parts()]) + "\n"


def _parts() -> Iterator[str]:
    yield from _section("Profile", Profile)
    yield from _section("`match`", Match)
    yield _prose(match)
    yield from _section("`parameters`", Parameter)
    yield _prose(fill)
    yield _OF_COLLECT
    for name, kind in SOURCES.items():
        yield from _section(f"`source: {name}`", kind, level=3, leave_out=_OF_ALL)
        if name in GIVES:
            yield f"Raw names: {', '.join(f'`{raw}`' for raw in GIVES[name])}.\n"
        if name == "ubus":
            for (objects, method), raws in UBUS_DERIVED.items():
                yield f"Worked out of `{objects}` `{method}`: {', '.join(f'`{raw}`' for raw in raws)}.\n"
        if name in REMOTE:
            yield "Every read of another device is also a `probe` of this kind: success, stage, round trip.\n"
    yield from _section("`read`", Reading)
    yield f"What the agent says of itself is not for a profile to read: {', '.join(NOT_READ)}.\n"
    yield from _section("`faults`", Fault)
    yield _OF_FAULTS.format(", ".join(OF_THE_AGENT))
    yield from _section("`firmware`", Firmware)
    yield _prose(version)
    yield f"## `extends`\n\n{_prose(inherit)}"
    yield f"## YAML\n\n{_prose(load)}"


def _prose(module: Any) -> str:
    """Return what a module says of itself, without its title and drawing."""
    paragraphs = (getdoc(module) or "").split("\n\n")
    return "\n\n".join(text for text in paragraphs[1:] if not text.startswith("    ")) + "\n"


def _section(title: str, kind: Any, level: int = 2, leave_out: tuple[str, ...] = ()) -> Iterator[str]:
    yield f"{'#' * level} {title}\n\n{getdoc(kind)}\n"
    hints = get_type_hints(kind, include_extras=True)
    rows = [
        f"| `{name}` | {_type(hint)} | {_default(kind, name)} |"
        for name, hint in hints.items()
        if name not in leave_out
    ]
    if rows:
        yield "\n".join(["| key | is | without it |", "|---|---|---|", *rows, ""])


def _type(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return "entry of `collect`" if isinstance(arguments[1], OneOf) else _type(arguments[0])
    if origin in (Union, UnionType):
        return _type(next(one for one in arguments if one is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        return f"list: {_type(arguments[0])}"
    if origin is Mapping:
        return f"names, each with: {_type(arguments[1])}"
    return _WORDS[hint]


def _default(kind: Any, name: str) -> str:
    if name not in kind._field_defaults:
        return "needed"
    value = kind._field_defaults[name]
    if value in ("", (), {}, None) or hasattr(value, "_asdict"):
        return ""
    if isinstance(value, Seconds):
        return f"`{value:g}s`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
