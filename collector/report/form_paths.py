"""
Paths: how a mapping file names a value of a report.

    targets.banbantong.counts.proven     keys; an entry of a list by what identifies it
    targets.banbantong.units[verdict=fail]      the entries of which a key is so; [] is all of them
    report.targets.fast.sites[=site].rate.low   in a table: from the top, the entry whose id is this entry's `site`

They work on any key of a tree of plain values, whether it was known when this was written or not.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from collector.verify.causes import Cause
from collector.verify.results import Verdict
from contract.meant import did_you_mean

_NAME, _BRACKET = r"[^\s.\[\]/|{}]+", r"\[[^\[\]{}]*\]"
PATH = rf"(?:{_NAME}|{_BRACKET})(?:\.{_NAME}|{_BRACKET})*"
_STEP = re.compile(rf"\.?({_NAME})|\[([^\[\]{{}}]*)\]")
# What tells the entries of a list apart, the first that an entry has.
_IDENTITIES = ("id", "number", "kind", "operator", "unit", "day", "device", "site")
# Tables that have only the keys that occurred: another one that could have is none of them, 0, and no mistake.
_COULD_OCCUR: Mapping[str, frozenset[str]] = {
    "minutes": frozenset(Cause),
    "counts": frozenset(Verdict),
    "units": frozenset(("good", "bad", "unknown", "never_on", "none")),
}
_MOST_NAMED = 12


class BadPath(ValueError):
    """A path that leads nowhere; the message says where it ends and what is there."""


class NoKey(BadPath):
    """A key that is not in a table, and may be in the one beside it."""


class Record(NamedTuple):
    """A value, and the entry of a list that it is in; `up` of an entry is the one around it."""

    value: Any
    up: "Record | None" = None
    is_entry: bool = False

    @property
    def around(self) -> "Record | None":
        """The entry that what is in this value belongs to."""
        return self if self.is_entry else self.up


class Step(NamedTuple):
    """One step: `key`; `all` entries; entries `where` key = value; the entry that is this one's `own` field."""

    kind: str
    key: str
    value: str = ""


def is_plain(key: str) -> bool:
    """Tell whether a key can be a step of its own; others stand in brackets."""
    return re.fullmatch(_NAME, key) is not None


@cache
def steps_of(path: str) -> tuple[Step, ...]:
    """Return the steps of a path, which `PATH` matches."""
    return tuple(_step_of(match) for match in _STEP.finditer(path))


def _step_of(match: re.Match[str]) -> Step:
    if match[1] is not None:
        return Step("key", match[1])
    name, equals, value = match[2].partition("=")
    if equals:
        return Step("where", name.strip(), value.strip()) if name.strip() else Step("own", value.strip())
    return Step("key", match[2]) if match[2] else Step("all", "")


def walk(start: Record, steps: Sequence[Step], own: Record | None = None, said: str = "") -> list[Record]:
    """Return what a path leads to; `own` is the entry of the table's row, `said` the path before `start`."""
    found = [start]
    for step in steps:
        found = [inner for record in found for inner in _taken(record, step, own, said)]
        said = _joined(said, step)
    return found


def _joined(said: str, step: Step) -> str:
    if step.kind == "key":
        return f"{said}.{step.key}" if said else step.key
    return said + {"all": "[]", "own": f"[={step.key}]"}.get(step.kind, f"[{step.key}={step.value}]")


def _taken(record: Record, step: Step, own: Record | None, said: str) -> Iterator[Record]:
    value = record.value
    if value is None:
        yield Record(None, record.up)
    elif step.kind == "key" and isinstance(value, Mapping):
        yield Record(_of_table(value, step.key, said), record.around)
    elif isinstance(value, list):
        yield from _entries(value, step, record.around, own, said)
    else:
        raise BadPath(f"{_joined(said, step)}: {said or 'the top'} is no {_kind_needed(step)}")


def _kind_needed(step: Step) -> str:
    return "table of names and values" if step.kind == "key" else "list"


def _of_table(value: Mapping[str, Any], key: str, said: str) -> Any:
    if key in value:
        return value[key]
    could = _COULD_OCCUR.get(said.rpartition(".")[2], frozenset())
    if not could.issuperset(value):  # another table of that name: targets count by proven, failing, unproven
        could = frozenset()
    if key in could:
        return 0 if value else None
    raise NoKey(f"{said} has no {key!r}{_near(key, [*value, *sorted(could - set(value))])}".lstrip())


def _near(key: str, known: Iterable[object]) -> str:
    names = [str(one) for one in known]
    more = f" … {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    there = f"; there are {', '.join(names[:_MOST_NAMED])}{more}" if names else "; it is empty"
    return did_you_mean(key, names, there)


def _entries(value: list[Any], step: Step, around: Record | None, own: Record | None, said: str) -> Iterator[Record]:
    if step.kind == "all":
        found = value
    elif step.kind == "where":
        if value and not any(_has(one, step.key) for one in value):
            raise BadPath(f"{said}: its entries have no {step.key!r}{_near(step.key, _keys(value))}")
        found = [one for one in value if str(_inner(one, step.key)) == step.value]
    elif step.kind == "own":
        if own is None:
            raise BadPath(f"{said}[={step.key}] stands outside a table: there is no row whose {step.key} it could be")
        wanted = str(scalar(field(own, step.key, None), step.key))
        found = [one for one in value if identity(one) == wanted] or [None]
    else:
        found = [one for one in value if identity(one) == step.key]
        if not found:
            raise BadPath(f"{said} has no {step.key!r}{_near(step.key, dict.fromkeys(map(identity, value)))}")
    return (Record(one, around, is_entry=True) for one in found)


def _inner(entry: Any, key: str) -> Any:
    for name in key.split("."):
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    return entry


def _has(entry: Any, key: str) -> bool:
    outer, _, name = key.rpartition(".")
    table = _inner(entry, outer) if outer else entry
    return isinstance(table, Mapping) and name in table


def _keys(value: list[Any]) -> list[str]:
    return list(dict.fromkeys(name for one in value if isinstance(one, Mapping) for name in one))


def identity(entry: Any) -> str:
    """Return what tells an entry from others of its list; of a visit that is the id of its site."""
    if not isinstance(entry, Mapping):
        return str(entry)
    for key in _IDENTITIES:
        if key in entry:
            inner = entry[key]
            return str(inner.get("id")) if isinstance(inner, Mapping) else str(inner)
    return ""


def field(record: Record, path: str, root: Record | None) -> list[Record]:
    """Return what a path leads to from an entry: `report.…` begins at the top, `up.…` at the entry around."""
    steps = list(steps_of(path))
    start, said = record, ""
    if steps[0].key == "report" and root is not None and not _has(record.value, "report"):
        start, steps = root, steps[1:]
    while steps and steps[0].key == "up" and not _has(start.value, "up"):
        if start.up is None:
            raise BadPath(f"{path}: there is no entry around it")
        start, steps, said = start.up, steps[1:], f"{said}.up".lstrip(".")
    return walk(start, steps, record, said)


def scalar(found: Sequence[Record], path: str) -> Any:
    """Return the one value that a path leads to; BadPath where it is none, or several."""
    if len(found) != 1:
        what = f"{len(found)} entries, not one: name one by [key=value]" if found else "nothing"
        raise BadPath(f"{path} leads to {what}")
    return found[0].value


def listed(found: Sequence[Record], path: str) -> list[Record]:
    """Return the entries that a path leads to: those of a list, or of each of several lists."""
    entries: list[Record] = []
    for record in found:
        if isinstance(record.value, list):
            entries += (Record(one, record.around, is_entry=True) for one in record.value)
        elif record.is_entry and record.up is not None:
            entries.append(record)
        elif record.value is not None:
            raise BadPath(f"{path} is no list")
    return entries
