"""
Does a profile make sense? The rules beyond the types: each mistake says what to do.

    check(profile) ──▶ sources, readings ──▶ faults, firmware ──▶ match, titles, parameters, probes

A profile is checked with all that it inherits.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from contract.errors import Problem
from contract.meant import did_you_mean
from firmware_profiles import check_faults, check_readings, check_sources
from firmware_profiles.fill import BUILT_IN, is_of_a_row, names_in, texts
from firmware_profiles.match import OF_DEVICE, OF_MACHINE, patterns
from firmware_profiles.schema import Match, Profile, Title
from firmware_profiles.sources import REMOTE
from firmware_profiles.version import key

# Says what is wrong with one probe of a kind, with the path below it: who runs probes knows.
ProbeCheck = Callable[[str, Mapping[str, Any]], list[Problem]]
_ENTRY_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]*")
# What a parameter without a default may turn out to be: one of these must do.
_EXAMPLES = ("192.0.2.1", "80", "192.0.2.1:80", "http://192.0.2.1/", "wlan0", "60s")


def check(profile: Profile, probes: ProbeCheck | None = None) -> list[Problem]:
    """Return every mistake of a profile; kinds and settings of probes are looked at where `probes` is given."""
    return [
        *_titles(profile),
        *_verified(profile),
        *_observes(profile),
        *_matches(profile.match),
        *_parameters(profile),
        *_collect(profile),
        *check_faults.problems(profile),
        *_firmware(profile),
        *_placeholders(profile),
        *(_probes(profile, probes) if probes else ()),
    ]


def _titles(profile: Profile) -> Iterator[Problem]:
    titles: list[tuple[str, Title]] = [("title", profile.title)]
    titles += [(f"parameters.{name}.title", given.title) for name, given in profile.parameters.items()]
    titles += [(f"faults[{number}].title", fault.title) for number, fault in enumerate(profile.faults)]
    for path, title in titles:
        for language, text in title._asdict().items():
            if not text.strip():
                yield Problem(f"{path}.{language}", "is empty")


def _verified(profile: Profile) -> Iterator[Problem]:
    if profile.verified and not profile.verified_on.strip():
        yield Problem("verified_on", "is missing: where and when was it tried on the hardware itself?")
    if profile.verified_on and not profile.verified:
        yield Problem("verified_on", "says where it was tried, but verified is false")


def _observes(profile: Profile) -> Iterator[Problem]:
    remote = [name for name, source in profile.collect.items() if source.source in REMOTE - {"ubus"}]
    of_machine = any(patterns(match).keys() & set(OF_MACHINE) for match in profile.match)
    of_device = any(patterns(match).keys() & set(OF_DEVICE) for match in profile.match)
    if profile.observes == "itself" and (remote or of_device):
        yield Problem(
            "observes", "is itself, but the profile is of a device that is asked over the network: say remote"
        )
    if profile.observes == "remote":
        local = [name for name, source in profile.collect.items() if source.source not in REMOTE]
        if local:
            yield Problem("observes", f"is remote, but collect.{local[0]} is read on the machine itself")
        elif of_machine:
            yield Problem("observes", "is remote, but match is of a machine")


def _matches(matches: Sequence[Match]) -> Iterator[Problem]:
    for number, match in enumerate(matches):
        given = patterns(match)
        if not given:
            yield Problem(f"match[{number}]", f"has no pattern; there are {', '.join(Match._fields)}")
        if given.keys() & set(OF_MACHINE) and given.keys() & set(OF_DEVICE):
            names = ", ".join(given)
            yield Problem(f"match[{number}]", f"can never fit: {names} are not known of one and the same device")
        if match in matches[:number]:
            yield Problem(f"match[{number}]", "is there twice")


def _parameters(profile: Profile) -> Iterator[Problem]:
    used = {name for _, text in texts(profile) for name in names_in(text)}
    raws = {raw for source in profile.collect.values() for raw in check_sources.raw_names(source) or ()}
    for name in profile.parameters:
        if name in BUILT_IN:
            yield Problem(f"parameters.{name}", f"{{{name}}} is always there: leave it out")
        elif not _PARAMETER_NAME.fullmatch(name):
            yield Problem(f"parameters.{name}", "is not a name in a-z, 0-9 and '_'")
        elif name in raws or name == "key":
            yield Problem(f"parameters.{name}", "is a raw name, too: give it another name")
        elif name not in used:
            yield Problem(f"parameters.{name}", f"is used nowhere: write {{{name}}}, or leave it out")


def _collect(profile: Profile) -> Iterator[Problem]:
    for name, source in profile.collect.items():
        at = f"collect.{name}"
        if not _ENTRY_NAME.fullmatch(name):
            yield Problem(at, "is not a name in a-z, 0-9, '_' and '-'")
        for path, message in check_sources.problems(source):
            yield Problem(f"{at}.{path}", message)
        for number, reading in enumerate(source.read):
            for path, message in check_readings.problems(source, reading, profile.parameters):
                yield Problem(f"{at}.read[{number}].{path}", message)


def _firmware(profile: Profile) -> Iterator[Problem]:
    rule = profile.firmware
    if not rule.minimum and not rule.known_bad:
        return
    if not any(reading.field == "firmware.version" for source in profile.collect.values() for reading in source.read):
        yield Problem("firmware", "is judged by firmware.version, which nothing in collect reads")
    for path, version in [("minimum", rule.minimum)] * bool(rule.minimum) + [
        (f"known_bad[{number}]", version) for number, version in enumerate(rule.known_bad)
    ]:
        if key(version) is None:
            yield Problem(f"firmware.{path}", f"{version!r} has no number that versions could be compared by")
    least = key(rule.minimum)
    for number, version in enumerate(rule.known_bad):
        own = key(version)
        if least and own and own < least:
            yield Problem(f"firmware.known_bad[{number}]", f"{version} is bad anyway: minimum is {rule.minimum}")


def _placeholders(profile: Profile) -> Iterator[Problem]:
    known = [*profile.parameters, *BUILT_IN]
    for path, text in texts(profile):
        for name in () if is_of_a_row(path) else names_in(text):
            if name not in known:
                hint = did_you_mean(name, known, f"; there are {', '.join(known)}")
                yield Problem(path, f"{{{name}}} is not a parameter{hint}; for the text itself write {{{{{name}}}}}")


def _probes(profile: Profile, judge: ProbeCheck) -> Iterator[Problem]:
    """Yield what is wrong with probes, whichever example stands in the place of a placeholder."""
    for kind, asks in profile.probes.items():
        for number, given in enumerate(asks):
            for path, message in min((judge(kind, ask) for ask in _examples(profile, given)), key=len):
                yield Problem(f"probes.{kind}[{number}].{path}".rstrip("."), message)


def _examples(profile: Profile, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a probe with its placeholders filled, once for each example."""
    words = {"address": _EXAMPLES[0], "device": "441802-1.c1"}
    words |= {name: one.default for name, one in profile.parameters.items() if one.default is not None}
    for example in _EXAMPLES:
        yield {name: _filled(value, words, example) for name, value in given.items()}


def _filled(value: Any, words: Mapping[str, str], example: str) -> Any:
    if isinstance(value, str):
        for name in names_in(value):
            value = value.replace(f"{{{name}}}", words.get(name, example))
    elif isinstance(value, list | tuple):
        return [_filled(inner, words, example) for inner in value]
    return value
