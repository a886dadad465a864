"""
Which profile fits what is known of a machine or a device.

A profile fits when all patterns of one entry of its `match` do. Of several the most specific one is best, by

1. how many patterns of the entry are about the hardware or the device itself (not `system`, `os_id`, `os_like`),
2. how many patterns it has,
3. how many characters of them are neither `*` nor `?` nor in brackets.

Patterns are shell patterns; capitals do not count. `os_like` is a list of names, of which one is enough.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from firmware_profiles.schema import Match, Profile

OF_MACHINE = ("device_tree", "dmi_vendor", "dmi_product", "system", "os_id", "os_like")
OF_DEVICE = ("sys_object_id", "sys_descr", "pjlink_manufacturer", "pjlink_model")
_GENERAL = ("system", "os_id", "os_like")


class Score(NamedTuple):
    """How specific an entry of `match` is: the larger, the more."""

    hardware: int
    patterns: int
    characters: int


class Fit(NamedTuple):
    """What came of one profile: `score` is None where it does not fit. `reasons` are in words, one a pattern."""

    id: str
    score: Score | None
    reasons: tuple[str, ...]


def fits(profiles: Iterable[Profile], facts: Mapping[str, str]) -> list[Fit]:
    """Return what came of every profile that has a `match`: the best first, those that do not fit last."""
    found = [_fit(profile, facts) for profile in profiles if profile.match]
    return sorted(found, key=lambda fit: ([-n for n in fit.score] if fit.score else [1], fit.id))


def best(found: Iterable[Fit]) -> list[Fit]:
    """Return the best fit; several where they fit equally well, none where nothing fits."""
    fitting = [fit for fit in found if fit.score]
    top = max((fit.score for fit in fitting if fit.score), default=None)
    return [fit for fit in fitting if fit.score == top]


def patterns(match: Match) -> dict[str, str]:
    """Return the patterns that an entry has."""
    return {name: pattern for name, pattern in match._asdict().items() if pattern}


def score(match: Match) -> Score:
    """Return how specific an entry is."""
    given = patterns(match)
    characters = sum(len(re.sub(r"\[[^]]*\]|[*?]", "", pattern)) for pattern in given.values())
    return Score(sum(name not in _GENERAL for name in given), len(given), characters)


def _fit(profile: Profile, facts: Mapping[str, str]) -> Fit:
    tried = [(_misfits(match, facts), match) for match in profile.match]
    fitting = [match for misfits, match in tried if not misfits]
    if fitting:
        chosen = max(fitting, key=score)
        reasons = tuple(f"{name} {facts[name]!r} fits {pattern}" for name, pattern in patterns(chosen).items())
        return Fit(profile.id, score(chosen), reasons)
    nearest, _ = min(tried, key=lambda one: len(one[0]))
    return Fit(profile.id, None, tuple(nearest))


def _misfits(match: Match, facts: Mapping[str, str]) -> list[str]:
    misfits = []
    for name, pattern in patterns(match).items():
        if not (fact := facts.get(name, "")):
            misfits.append(f"{name} is not known; {pattern} is needed")
        elif not _is_like(name, fact, pattern):
            misfits.append(f"{name} {fact!r} does not fit {pattern}")
    return misfits


def _is_like(name: str, fact: str, pattern: str) -> bool:
    words = fact.split() if name == "os_like" else [fact.lstrip(".") if name == "sys_object_id" else fact]
    wanted = pattern.lstrip(".") if name == "sys_object_id" else pattern
    return any(fnmatchcase(word.lower(), wanted.lower()) for word in words)
