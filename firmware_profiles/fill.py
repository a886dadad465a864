"""
Placeholders: `{ap_name}` in the texts of a profile's `collect`, `faults` and `probes` is what the settings give.

`{address}` and `{device}` are always there: the address and the id of the device. In the tags of a reading `{key}` and
`{raw name}` are filled by each row, and stay. `{{name}}` is the text `{name}` itself. In a pattern a text stands for
itself, whatever characters it has; a fault's value that is a placeholder and nothing else may turn out to be a number.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from contract.errors import ConfigError, Problem
from contract.meant import did_you_mean
from contract.measurements import TABLE, Kind
from contract.settings import checked, plain
from firmware_profiles.schema import Profile

BUILT_IN = ("address", "device")
PARTS = ("collect", "faults", "probes")
_PLACEHOLDER = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}", re.ASCII)
_OF_A_ROW = re.compile(r"collect\..*\.read\[\d+\]\.tags\.")


def fill(profile: Profile, parameters: Mapping[str, str]) -> Profile:
    """Return the profile with its placeholders filled; ConfigError names parameters that are missing or unknown."""
    source = f"profile {profile.id}"
    words = {name: given.default for name, given in profile.parameters.items() if given.default is not None}
    words |= dict(parameters)
    used = {name for _, text in texts(profile) for name in names_in(text)}
    if problems := [*_unknown(profile, parameters), *_missing(profile, words, used)]:
        raise ConfigError(source, problems)

    def put(path: str, text: str) -> str:
        of_a_row, of_a_pattern = _OF_A_ROW.match(path), path.endswith(".pattern")

        def word(match: "re.Match[str]") -> str:
            if match[1]:
                return match[0] if of_a_row else f"{{{match[1]}}}"
            given = words.get(match[2], match[0])
            return re.escape(given) if of_a_pattern else given

        return _PLACEHOLDER.sub(word, text)

    tree = plain(profile)
    for part in PARTS:
        tree[part] = _mapped(tree[part], part, put)
    if problems := list(_limits(profile, tree["faults"])):
        raise ConfigError(source, problems)
    return checked(Profile, tree, source)


def number_of(text: str) -> float | None:
    """Return the number that a text writes, a whole one as int; None when it is none."""
    if re.fullmatch(r"[-+]?[0-9]{1,18}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}", text) else None


def _limits(profile: Profile, faults: list[dict[str, Any]]) -> Iterator[Problem]:
    """Make numbers of the values of faults that parameters give; yield those that are not what the fault compares."""
    for fault, filled in zip(profile.faults, faults, strict=True):
        if not isinstance(fault.value, str) or not names_in(fault.value):
            continue
        field_kind = TABLE[fault.field.measurement].kind_of(fault.field.field)
        if field_kind is Kind.STRING:
            continue
        if (number := number_of(filled["value"])) is None:
            yield Problem(names_in(fault.value)[0], f"{filled['value']!r} is not a number, which {fault.code} needs")
        filled["value"] = number


def texts(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield the path of each text that may hold placeholders, and the text."""
    found: list[tuple[str, str]] = []

    def note(path: str, text: str) -> str:
        found.append((path, text))
        return text

    for part in PARTS:
        _mapped(plain(getattr(profile, part)), part, note)
    yield from found


def names_in(text: str) -> list[str]:
    """Return the names of a text's placeholders."""
    return [match[2] for match in _PLACEHOLDER.finditer(text) if match[2]]


def is_of_a_row(path: str) -> bool:
    """Tell whether placeholders at this path may be raw names too."""
    return _OF_A_ROW.match(path) is not None


def _mapped(value: Any, path: str, change: Callable[[str, str], str]) -> Any:
    if isinstance(value, str):
        return change(path, value)
    if isinstance(value, dict):
        return {name: _mapped(inner, f"{path}.{name}", change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, f"{path}[{number}]", change) for number, inner in enumerate(value)]
    return value


def _unknown(profile: Profile, parameters: Mapping[str, str]) -> Iterator[Problem]:
    for name in parameters:
        if name not in profile.parameters and name not in BUILT_IN:
            known = f"; there are {', '.join(profile.parameters)}" if profile.parameters else "; it has none"
            yield Problem(name, f"is not a parameter of {profile.id}{did_you_mean(name, profile.parameters, known)}")


def _missing(profile: Profile, words: Mapping[str, str], used: set[str]) -> Iterator[Problem]:
    for name, parameter in profile.parameters.items():
        if name not in words:
            yield Problem(name, f"is missing: {parameter.title.en} ({parameter.title.zh})")
    for name in BUILT_IN:
        if name in used and not words.get(name):
            reason = "is for another device: name it in [[observe]]" if name == "address" else "needs the device's id"
            yield Problem(name, f"{profile.id} {reason}")
