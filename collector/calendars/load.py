"""
A file of calendars, read and checked: every mistake at once, with file, line and path.

    calendars = load(Path("santong-data/calendars.yaml"))
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collector.calendars.calendar import Calendars
from collector.calendars.check import check
from collector.calendars.schema import Calendar, CalendarFile
from contract.errors import Problem
from contract.meant import did_you_mean
from firmware_profiles.load import Document, Flaw, Place, Refusal
from firmware_profiles.load import load as load_yaml
from firmware_profiles.typed import flaw_of, typed

SHIPPED = Path(__file__).parent / "guangdong.yaml"
FILE = "calendars.yaml"
_LISTS = ("service", "where")  # one of them may stand without brackets


def file_in(data: Path) -> Path:
    """Return the file of a data folder, the shipped example where it has none."""
    own = data / FILE
    return own if own.is_file() else SHIPPED


def load(file: Path) -> Calendars:
    """Read a file; ConfigError lists every mistake."""
    document = load_yaml(file, "file of calendars", "default: primary")
    tree = _uniform(document.tree, "", document)
    document = document._replace(tree=tree, places=document.places | _renamed(document))
    try:
        given = typed(CalendarFile, document)
    except Refusal as refusal:
        raise Refusal(_in_yaml(flaw) for flaw in refusal.flaws) from None
    flaws = list(_extending(given, document))
    whole = {} if flaws else {name: _inherited(given, document, name) for name in given.calendars}
    flaws += [flaw_of(document, problem) for problem in check(given, whole)]
    if flaws:
        raise Refusal(_in_yaml(flaw) for flaw in flaws)
    return Calendars(given._replace(calendars=whole), file)


def _uniform(value: Any, path: str, document: Document) -> Any:
    """
    Return values in the one form that the types have.

    A title of one text is the same in both languages; what is a list may be one of it; a county's code is text.
    """
    name = re.split(r"[.\]]", path)[-1]
    if isinstance(value, dict):
        below = {key: f"{path}.{key}" if path else key for key in value}
        return {_field(key, path): _uniform(inner, below[key], document) for key, inner in value.items()}
    if isinstance(value, list):
        return [_uniform(inner, f"{path}[{number}]", document) for number, inner in enumerate(value)]
    if name == "title" and isinstance(value, str):
        return {"zh": value, "en": value}
    if re.search(r"\.where(\[\d+\])?$", path) and isinstance(value, int):
        value = document.place(path).text or str(value)
    return [value] if name in _LISTS and isinstance(value, str) else value


def _field(name: str, path: str) -> str:
    return "from_" if name == "from" and path.endswith("]") else name


def _renamed(document: Document) -> dict[str, Place]:
    return {f"{path}_": place for path, place in document.places.items() if path.endswith("].from")}


def _in_yaml(flaw: Flaw) -> Flaw:
    """Return a mistake with the names that stand in the file."""
    path = re.sub(r"\bfrom_(?![a-z])", "from", flaw.place.path)
    return flaw._replace(
        place=flaw.place._replace(path=path), message=re.sub(r"\bfrom_(?![a-z])", "from", flaw.message)
    )


def _extending(given: CalendarFile, document: Document) -> Iterator[Flaw]:
    """Yield what is wrong with what calendars extend."""
    for name, calendar in given.calendars.items():
        above = calendar.extends
        if not above:
            continue
        path = f"calendars.{name}.extends"
        if above not in given.calendars:
            hint = did_you_mean(above, (other for other in given.calendars if other != name), " to extend")
            yield flaw_of(document, Problem(path, f"there is no calendar {above!r}{hint}"))
        elif name in (line := _line(given, above)):
            circle = " → ".join((name, *line[: line.index(name) + 1]))
            yield flaw_of(document, Problem(path, f"goes round in a circle: {circle}"))


def _line(given: CalendarFile, name: str) -> list[str]:
    """Return a calendar and those above it, to the first that is there twice."""
    line = [name]
    while (above := given.calendars[line[-1]].extends) in given.calendars and above not in line:
        line.append(above)
    return line


def _inherited(given: CalendarFile, document: Document, name: str) -> Calendar:
    """Return a calendar with what it does not give itself; answers and overrides are those of all, by their days."""
    own = given.calendars[name]
    if not own.extends:
        return own
    above = _inherited(given, document, own.extends)
    written = document.tree["calendars"][name]
    kept = {field: getattr(own, field) for field in Calendar._fields if field in written}
    makeup = {**above.makeup, **own.makeup}
    overrides = {**above.overrides, **own.overrides}
    return above._replace(**kept | {"makeup": makeup, "overrides": overrides, "extends": own.extends})
