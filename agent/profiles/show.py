"""Profiles, and how they fit, as people and scripts read them."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.profiles.facts import facts
from agent.profiles.resolve import library, matched
from contract.errors import ConfigError
from contract.settings import Seconds, plain
from firmware_profiles.inherit import BY_NAME
from firmware_profiles.library import SHIPPED, Library
from firmware_profiles.load import Document, dump
from firmware_profiles.match import Fit, best

_LISTS = ("faults", "match")
_ALWAYS = ("source", "every", "timeout")


def where_from(file: Path) -> str:
    """Return where a profile comes from: the shipped ones, or a file of the operator."""
    return "shipped" if file.parent == SHIPPED else str(file)


def row_of(profiles: Library, name: str) -> dict[str, Any]:
    """Return one profile as the list has it."""
    profile = profiles.get(name)
    file, *below = profiles.files(name)
    return {
        "id": name,
        "title": plain(profile.title),
        "role": profile.role,
        "verified": profile.verified,
        "extends": profile.extends,
        "from": where_from(file),
        "replaces": [where_from(other) for other in below],
    }


def as_table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the list, a line a profile."""
    cells = [("id", "role", "verified", "from", "title")]
    for row in rows:
        title = f"{row['title']['zh']} / {row['title']['en']}"
        origin = row["from"] + (f", replaces {', '.join(row['replaces'])}" if row["replaces"] else "")
        origin += f", extends {row['extends']}" if row["extends"] else ""
        cells.append((row["id"], row["role"], "yes" if row["verified"] else "no", origin, title))
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    for line in cells:
        yield "  ".join([*(text.ljust(width) for text, width in zip(line[:4], widths, strict=True)), line[4]])


def origins_of(document: Document) -> dict[str, str]:
    """Return the file and line of each part of a profile: its own, or those of a profile that it extends."""
    found: dict[str, str] = {}
    for part, value in document.tree.items():
        paths = [part]
        if part in BY_NAME and isinstance(value, dict):
            paths = [f"{part}.{name}" for name in value]
        elif part in _LISTS and isinstance(value, list):
            paths = [f"{part}[{number}]" for number in range(len(value))]
        found |= {path: f"{document.place(path).file}:{document.place(path).line}" for path in paths}
    return found


def as_yaml(profiles: Library, name: str) -> Iterator[str]:
    """Yield the lines of a profile with all that it inherits, before each part where it stands."""
    profile, document = profiles.get(name), profiles.document(name)
    origins = origins_of(document)
    for file in profiles.files(name)[1:]:
        yield f"# in the place of {where_from(file)}"
    last = ""
    for part, value in told(profile).items():
        is_named, is_list = part in BY_NAME, part in _LISTS
        if not is_named and not is_list:
            last = yield from _headed(origins.get(part, last), last, dump({part: value}), "")
            continue
        yield f"{part}:"
        for key, inner in value.items() if is_named else enumerate(value):
            origin = origins.get(f"{part}.{key}" if is_named else f"{part}[{key}]", last)
            last = yield from _headed(origin, last, dump({str(key): inner} if is_named else [inner]), "  ")


def _headed(origin: str, last: str, text: str, indent: str) -> Generator[str, None, str]:
    """Yield lines of YAML, below the place where they stand unless that is the file of the lines before."""
    file = origin.rpartition(":")[0]
    if file != last.rpartition(":")[0]:
        yield f"{indent}# {origin}"
    yield from (indent + line for line in text.splitlines())
    return origin


def told(value: Any) -> Any:
    """Return settings as plain values, without what is as it would be anyway."""
    if hasattr(value, "_asdict"):
        defaults = value._field_defaults
        return {
            name: told(inner)
            for name, inner in value._asdict().items()
            if name in _ALWAYS or name not in defaults or inner != defaults[name]
        }
    if isinstance(value, Mapping):
        return {str(name): told(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [told(inner) for inner in value]
    if isinstance(value, Seconds):
        return f"{value:g}s"
    return str(value) if isinstance(value, str) else value


def fits_as_lines(found: Sequence[Fit], top: Sequence[Fit], *, with_all: bool) -> Iterator[str]:
    """Yield the best fit with its reasons, then the others that fit, then, when asked, those that do not."""
    if not top:
        yield "no profile fits"
    elif len(top) > 1:
        yield f"{', '.join(fit.id for fit in top)} fit equally well: name one of them in the settings"
    for fit in found:
        if fit.score:
            yield f"{fit.id}{'' if fit in top else ' (less specific)'}"
        elif with_all:
            yield f"{fit.id} does not fit"
        else:
            continue
        yield from (f"    {reason}" for reason in fit.reasons)


def fits_as_json(found: Sequence[Fit], top: Sequence[Fit]) -> dict[str, Any]:
    """Return what came of every profile; `profile` is null where none is best."""
    return {
        "profile": top[0].id if len(top) == 1 else None,
        "best": [fit.id for fit in top],
        "profiles": [{"id": fit.id, "fits": fit.score is not None, "reasons": list(fit.reasons)} for fit in found],
    }


def fit_of_machine() -> dict[str, Any]:
    """Return which profile fits this machine, None where none or several do, and why."""
    try:
        found = matched(library(), facts())
    except ConfigError as error:
        return {"profile": None, "profile_reasons": str(error).splitlines()}
    top = best(found)
    reasons = top[0].reasons if len(top) == 1 else fits_as_lines(found, top, with_all=False)
    return {"profile": top[0].id if len(top) == 1 else None, "profile_reasons": list(reasons)}
