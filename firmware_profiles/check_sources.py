"""What an entry of `collect` must say for its source, and the raw names that it gives."""

import re
from collections.abc import Iterator, Mapping

from contract.errors import Problem
from firmware_profiles.fill import BUILT_IN, names_in
from firmware_profiles.sources import (
    GIVES,
    Command,
    File,
    Hostapd,
    HttpJson,
    Iw,
    Screen,
    Snmp,
    Source,
    Ubus,
    derived_names,
)

_RAW_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LEAST_EVERY_S = 1.0


def raw_names(source: Source) -> frozenset[str] | None:
    """Return the names of the raw values, without `key`; None where only the device's answer tells them."""
    if source.source in GIVES:
        return frozenset(GIVES[source.source])
    if isinstance(source, Command):
        return _of_command(source)
    chosen = [name for part in ("files", "get", "columns", "values") for name in getattr(source, part, {})]
    return frozenset(chosen).union(derived_names(source) if isinstance(source, Ubus) else ())


def _of_command(source: Command) -> frozenset[str] | None:
    if source.format == "json":
        return frozenset(source.values)
    if source.format == "regex":
        return frozenset(re.compile(source.pattern).groupindex if source.pattern else ())
    return frozenset({"text"}) if source.format == "text" else None


def has_rows(source: Source, raw: str) -> bool:
    """Tell whether a raw value comes in several rows."""
    if isinstance(source, File):
        return any("*" in path for path in source.files.values())
    if isinstance(source, Snmp):
        return raw in source.columns or (raw == "key" and bool(source.columns))
    if isinstance(source, Ubus):
        return bool(source.rows) or "*" in source.object or "*" in source.arguments.values()
    if isinstance(source, HttpJson | Command):
        return bool(source.rows) and getattr(source, "format", "json") in ("json", "regex")
    if isinstance(source, Iw | Hostapd):
        return "*" in source.interface
    return isinstance(source, Screen)


def problems(source: Source) -> Iterator[Problem]:
    """Yield what is wrong with an entry but for its readings, with the path below the entry."""
    if source.every < _LEAST_EVERY_S:
        yield Problem("every", f"{source.every:g} s is too often: at least 1s is needed")
    elif source.every < source.timeout:
        yield Problem("every", f"{source.every:g} s is shorter than timeout, {source.timeout:g} s")
    if not source.read:
        yield Problem("read", "is empty: name at least one raw value and its field, or leave the entry out")
    if not 0 <= getattr(source, "port", 0) <= 65535:
        yield Problem("port", f"{source.port} is not a port: 1 to 65535")  # type: ignore[union-attr]
    yield from _named(source)
    if isinstance(source, File):
        yield from _file(source)
    elif isinstance(source, Command):
        yield from _command(source)
    elif isinstance(source, HttpJson | Ubus):
        yield from _web(source)
    elif isinstance(source, Snmp):
        yield from _snmp(source)


def _named(source: Source) -> Iterator[Problem]:
    """Yield what is wrong with the names that the profile chose itself."""
    for part in ("files", "values", "get", "columns"):
        names: Mapping[str, str] = getattr(source, part, {})
        for name in names:
            if name == "key" or name in BUILT_IN:
                yield Problem(f"{part}.{name}", f"{{{name}}} means something else: give it another name")
            elif not _RAW_NAME.fullmatch(name):
                yield Problem(f"{part}.{name}", "is not a name in letters, digits and '_'")


def _file(source: File) -> Iterator[Problem]:
    if not source.files:
        yield Problem("files", "is empty: name at least one file")
    for name, path in source.files.items():
        if not path.startswith("/") or "/.." in path:
            yield Problem(f"files.{name}", f"{path!r} is not a path from the root, without ..")
        elif path.count("*") > 1:
            yield Problem(f"files.{name}", f"{path!r} has more than one *")
    yield from _where(source, source.files, "a file")
    if source.where and not has_rows(source, "key"):
        yield Problem("where", "chooses among rows: no path has a *")


def _command(source: Command) -> Iterator[Problem]:
    if not source.argv or not source.argv[0]:
        yield Problem("argv", "is empty: name a program")
    elif names_in(source.argv[0]):
        yield Problem("argv[0]", f"{source.argv[0]!r}: the program itself is fixed, without a placeholder")
    of_json, of_regex = source.format == "json", source.format == "regex"
    if of_json and not source.values:
        yield Problem("values", "is empty: format json needs names and their paths")
    if source.values and not of_json:
        yield Problem("values", f"is for format json, not {source.format}")
    if source.rows and not of_json and not of_regex:
        yield Problem("rows", f"is for the formats json and regex, not {source.format}")
    elif source.rows and of_regex and source.rows != "each":
        yield Problem("rows", f"{source.rows!r}: with format regex it is each (a row for each match), or nothing")
    if of_regex and not (source.pattern and re.compile(source.pattern).groupindex):
        yield Problem("pattern", "needs named groups for format regex, as in (?P<name>[0-9]+)")
    if source.pattern and not of_regex:
        yield Problem("pattern", f"is for format regex, not {source.format}; a reading may have a pattern of its own")
    if source.format == "pairs" and not source.separator:
        yield Problem("separator", "is empty: format pairs needs what stands between name and value")


def _web(source: HttpJson | Ubus) -> Iterator[Problem]:
    if not raw_names(source):
        yield Problem("values", "is empty: name at least one value and its path")
    if not source.path.startswith("/"):
        yield Problem("path", f"{source.path!r} does not begin with /")
    if isinstance(source, Ubus) and (not source.object or source.object.count("*") > 1):
        yield Problem("object", f"{source.object!r} is not the name of an object, with one * at most")
    if isinstance(source, Ubus) and not source.method:
        yield Problem("method", "is empty")


def _snmp(source: Snmp) -> Iterator[Problem]:
    if not source.get and not source.columns:
        yield Problem("get", "is empty, and so is columns: name at least one OID")
    for name in source.get.keys() & source.columns.keys():
        yield Problem(f"columns.{name}", "is a name of get, too: give it another one")
    yield from _where(source, source.columns, "a column")
    if source.where and not source.columns:
        yield Problem("where", "chooses among rows: columns is empty")


def _where(source: File | Snmp, names: Mapping[str, str], what: str) -> Iterator[Problem]:
    for name in source.where:
        if name not in names and name != "key":
            yield Problem(f"where.{name}", f"is not {what}; there are {', '.join({**names, 'key': ''})}")
