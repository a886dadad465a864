"""
A YAML file as plain values, and where each of them stands.

    events of the parser ──▶ values (dict, list, text, numbers, true/false, null), and the line of every path

Scalars are those of YAML 1.2's core schema: only `true` and `false` are booleans, so that on, off, yes, 1:30 and dates
stay text; `.inf` and `.nan` do too. Keys are text, as they are written. Every mistake is found at once. Aliases are
allowed, within a bound: 256 KiB of file and 20,000 values, 30 deep.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from contract.errors import ConfigError, Problem
from firmware_profiles.syntax import explained

MOST_BYTES, MOST_VALUES, DEEPEST = 256 << 10, 20_000, 30
_NULLS, _TRUE, _FALSE = ("", "~", "null", "Null", "NULL"), ("true", "True", "TRUE"), ("false", "False", "FALSE")
_WHOLE, _OCTAL, _HEX = re.compile(r"[-+]?[0-9]+"), re.compile(r"0o[0-7]+"), re.compile(r"0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LARGEST = 1 << 63  # beyond it a number is no reading of anything: it stays text, and its rule refuses it
_TEXT_TAG = "tag:yaml.org,2002:str"
_Event = Any  # the library's own type does not say what each event has
_C_LOADER = getattr(yaml, "CSafeLoader", None)


class Place(NamedTuple):
    """Where something stands: the file, the line, and its path in that file; `text` is a scalar as it was written."""

    file: str
    line: int
    path: str
    text: str | None = None


class Flaw(NamedTuple):
    """One mistake, and where it stands; `heir` is the profile of another file, which inherits it."""

    place: Place
    message: str
    heir: str = ""

    @property
    def text(self) -> str:
        """What is wrong, and for whom."""
        return f"{self.message} (inherited by {self.heir})" if self.heir else self.message

    def __str__(self) -> str:
        where = f"{self.place.file}:{self.place.line}"
        return f"{where}: {self.place.path}: {self.text}" if self.place.path else f"{where}: {self.text}"


class Document(NamedTuple):
    """The values of a file, and the place of each path (`collect.ports.read[0].field`); "" is the whole."""

    file: Path
    tree: dict[str, Any]
    places: dict[str, Place]

    def place(self, path: str) -> Place:
        """Return the place of a path, or of what is nearest above it; its own path says all of it."""
        rest = ""
        while path not in self.places:
            head = path[: max(path.rfind("."), path.rfind("["), 0)]
            path, rest = head, path[len(head) :] + rest
        found = self.places[path]
        return found._replace(path=(found.path + rest).lstrip("."), text=None if rest else found.text)


class Refusal(ConfigError):
    """All mistakes in files at once, each with its line."""

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        self.flaws = sorted(
            set(flaws), key=lambda flaw: (flaw.place.file, flaw.place.line, flaw.place.path, flaw.message)
        )
        problems = [Problem(flaw.place.path, flaw.text) for flaw in self.flaws]
        places = [f"{flaw.place.file}:{flaw.place.line}" for flaw in self.flaws]
        super().__init__(self.flaws[0].place.file, problems, places)


def load(file: Path, what: str = "profile", example: str = "id: my-model") -> Document:
    """Read a file; ConfigError lists every mistake. `what` the file is, and an `example` of a line, are for these."""
    text = _text_of(file)
    builder = _Builder(str(file), what)
    try:
        tree = builder.build(_events(text))
    except yaml.YAMLError as error:
        line, message = _syntax_error(text, error)
        builder.refuse(line, "", message)
    except _Bound as bound:
        builder.refuse(bound.line, "", str(bound))
    else:
        if not isinstance(tree, dict) and not builder.flaws:
            builder.refuse(0, "", f"is not a {what}: lines such as `{example}` are needed")
        elif isinstance(tree, dict) and not builder.flaws:
            return Document(file, tree, builder.places)
    raise Refusal(builder.flaws)


def dump(value: dict[str, Any] | list[Any]) -> str:
    """Return plain values as YAML, as people would write it: in blocks, and what is innermost in one line."""
    if isinstance(value, list):
        return _dumped(value, None)
    return "".join(
        _dumped({name: inner}, None if isinstance(inner, dict | list) else False) for name, inner in value.items()
    )


def _dumped(value: object, flow: bool | None) -> str:
    text: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, default_flow_style=flow, width=110)
    return text


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise Refusal([Flaw(Place(str(file), 1, ""), "no such file")]) from None
    except OSError as error:
        raise Refusal([Flaw(Place(str(file), 1, ""), f"cannot be read: {error.strerror}")]) from None
    if len(content) > MOST_BYTES:
        raise Refusal([Flaw(Place(str(file), 1, ""), f"is larger than {MOST_BYTES >> 10} KiB")])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Refusal([Flaw(Place(str(file), line, ""), "is not UTF-8: save the file as UTF-8")]) from None


def _events(text: str) -> list[_Event]:
    """Parse with the library's C half where it is there; what that refuses, and how it is said, is the other's word."""
    if _C_LOADER is not None:
        try:
            return list(_bounded(yaml.parse(text, Loader=_C_LOADER)))
        except yaml.YAMLError:
            pass
    return list(_bounded(yaml.parse(text, Loader=yaml.SafeLoader)))


def _bounded(events: Iterable[_Event]) -> Iterator[_Event]:
    """Yield the events as they are parsed; the parser's time grows with the square of the depth."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _Bound(event, f"is nested more than {DEEPEST} deep")
        yield event


def _syntax_error(text: str, error: yaml.YAMLError) -> tuple[int, str]:
    if isinstance(error, yaml.reader.ReaderError):
        code = f"U+{ord(text[error.position]):04X}"
        return text.count("\n", 0, error.position), f"is not YAML: the character {code} is not allowed"
    said = " ".join(str(getattr(error, "problem", None) or error).split())
    lines = [mark.line for name in ("problem_mark", "context_mark") if (mark := getattr(error, name, None))]
    is_block = str(getattr(error, "context", "")).startswith("while parsing a block")  # which may be the whole file
    return explained(text, said, lines[0] if lines else 0, min(lines[:1] if is_block else lines, default=0))


def _line(event: _Event) -> int:
    line: int = event.start_mark.line
    return line


class _Bound(Exception):
    """More than a file can be; nothing further of the file is read."""

    def __init__(self, event: _Event, message: str) -> None:
        super().__init__(message)
        self.line = _line(event)


class _Builder:
    """Makes values of a parser's events."""

    def __init__(self, file: str, what: str) -> None:
        self._what = what
        self.places = {"": Place(file, 1, "")}
        self.flaws: list[Flaw] = []
        self._file = file
        self._count = 0
        self._anchors: dict[str, tuple[Any, int]] = {}  # the value, and how many it is made of
        self._events: Iterator[_Event] = iter(())

    def refuse(self, line: int, path: str, message: str) -> None:
        """Note a mistake; the parser counts lines from 0."""
        self.flaws.append(Flaw(Place(self._file, line + 1, path), message))

    def build(self, events: list[_Event]) -> Any:
        """Return the value of the one document that there should be."""
        starts = [event for event in events if isinstance(event, yaml.DocumentStartEvent)]
        if len(starts) > 1:
            self.refuse(_line(starts[1]), "", f"is a second document: one file is one {self._what}")
        self._events = iter(events)
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                return self._value(next(self._events), "")
        return None

    def _value(self, event: _Event, path: str) -> Any:
        self._count += 1
        if isinstance(event, yaml.AliasEvent):
            value, size = self._anchors.get(event.anchor or "", (None, 0))
            if not size:
                self.refuse(_line(event), path, f"*{event.anchor} is not the name of anything above")
            self._count += size
        else:
            before = self._count
            value = self._own_value(event, path)
            if event.anchor:
                self._anchors[event.anchor] = (value, self._count - before + 1)
        if self._count > MOST_VALUES:
            raise _Bound(event, f"has more than {MOST_VALUES} values, aliases counted as what they stand for")
        return value

    def _own_value(self, event: _Event, path: str) -> Any:
        if event.tag not in (None, "!", _TEXT_TAG):
            self.refuse(_line(event), path, f"{event.tag} is a tag: write plain values")
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._items(path))
        if isinstance(event, yaml.MappingStartEvent):
            return self._table(path)
        return plain_scalar(event.value) if event.implicit[0] and event.tag is None else event.value

    def _note(self, path: str, event: _Event, value: _Event = None) -> None:
        text = value.value if isinstance(value, yaml.ScalarEvent) else None
        self.places[path] = Place(self._file, _line(event) + 1, path, text)

    def _items(self, path: str) -> Iterator[Any]:
        number = 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            inner = f"{path}[{number}]"
            self._note(inner, event, event)
            yield self._value(event, inner)
            number += 1

    def _table(self, path: str) -> dict[str, Any]:
        table: dict[str, Any] = {}
        first: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            inner = f"{path}.{key}" if path else key
            line = _line(event)
            if key in first:
                self.refuse(line, inner, f"is there twice, first in line {first[key] + 1}")
            first.setdefault(key, line)
            value = next(self._events)
            self._note(inner, event, value)
            if "：" in key and isinstance(value, yaml.ScalarEvent) and not value.value and value.implicit[0]:
                self.refuse(line, inner, "has no value: write ':' and a blank for the full-width ：")
            table[key] = self._value(value, inner)
        return table

    def _key(self, event: _Event, path: str) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self.refuse(_line(event), path, "a name before ':' must be text: quote what begins with { or [")
            return str(self._value(event, path))
        if event.value == "<<" and event.implicit[0]:
            self.refuse(_line(event), path, "<< is not part of YAML 1.2: write the entries, or use extends")
        self._value(event, path)  # counts it, and takes its anchor
        return str(event.value)


def plain_scalar(text: str) -> Any:
    """Return what an unquoted word is by YAML 1.2's core schema (§10.3.2)."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    for pattern, base in ((_WHOLE, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(text):
            number = int(text.removeprefix("0o"), base) if len(text) <= 20 else _LARGEST
            return number if abs(number) < _LARGEST else text
    if _NUMBER.fullmatch(text):
        number_ = float(text)
        return number_ if abs(number_) != float("inf") else text
    return text
