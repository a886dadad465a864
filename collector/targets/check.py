"""
Do targets make sense? The rules beyond the types: each mistake says what to do.

    check(programme) ──▶ ids, titles, dates ──▶ scope ──▶ measured: rule, proofs, counts ──▶ shares
                                                    └──▶ declared: figure, who, when
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_type_hints

from collector.calendars.schedule import Hours
from collector.roster.schema import Area, SiteKind
from collector.targets import check_conditions
from collector.targets.schema import Programme, Rule, Scope, Target
from collector.verify.causes import Cause
from contract.errors import Problem
from contract.meant import did_you_mean
from contract.names import is_device
from firmware_profiles.library import Library
from firmware_profiles.schema import Profile, Title

_RULES = ("availability", "days", "throughput_mbps", "reporting")
_ROLES = get_args(get_type_hints(Profile)["role"])
_MOST_MINUTES = 24 * 60


def check(programme: Programme, library: Library, tree: Mapping[str, Any]) -> list[Problem]:
    """Return every mistake of a programme; `tree` is the file, which tells what was written from what is a default."""
    found = [*_title(programme.title, "title")]
    if not programme.targets:
        found.append(Problem("targets", "is empty: there must be one at least"))
    first: dict[str, int] = {}
    for number, target in enumerate(programme.targets):
        at = f"targets[{number}]"
        if target.id in first:
            found.append(Problem(f"{at}.id", f"{target.id} is there twice, first as targets[{first[target.id]}]"))
        first.setdefault(target.id, number)
        written = tree["targets"][number]
        found += [Problem(f"{at}.{path}", message) for path, message in _target(target, library, written)]
    return found


def _target(target: Target, library: Library, written: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _title(target.title, "title")
    if "definition" in written:
        yield from _title(target.definition, "definition")
    yield from _dates(target)
    yield from _scope(target.scope, library)
    yield from _shares(target)
    if target.evidence == "declared":
        yield from _declared(target, written)
    else:
        yield from _measured(target, library, written)


def _title(title: Title, path: str) -> Iterator[Problem]:
    for language, text in title._asdict().items():
        if not text.strip():
            yield Problem(f"{path}.{language}", "is empty")


def _dates(target: Target) -> Iterator[Problem]:
    if target.project is not None and target.project < 1:
        yield Problem("project", f"{target.project} is no number of a project")
    if target.deadline and not 2000 <= target.deadline.year <= 2100:
        yield Problem("deadline", f"{target.deadline} is not from 2000 to 2100")
    if target.after_deadline == "fail" and not target.deadline:
        yield Problem("after_deadline", "is fail, but there is no deadline")


def _scope(scope: Scope, library: Library) -> Iterator[Problem]:
    known: dict[str, Iterable[str]] = {
        "role": _ROLES,
        "kind": [kind.value for kind in SiteKind],
        "area": [area.value for area in Area],
        "profile": library.ids(),
    }
    for name, names in known.items():
        for number, word in enumerate(getattr(scope, name)):
            if word not in names:
                hint = did_you_mean(word, names, "" if name == "profile" else f"; there are {', '.join(names)}")
                yield Problem(f"scope.{name}[{number}]", f"there is no {name} {word!r}{hint}")
    for number, county in enumerate(scope.county):
        if not re.fullmatch("[a-z0-9]+", county):
            yield Problem(f"scope.county[{number}]", f"{county!r} is not a county's code, such as 441802")
    for number, site in enumerate(scope.site):
        if not is_device(f"{site}.x"):
            yield Problem(f"scope.site[{number}]", f"{site!r} is not a site's id, such as 441802-3144001234")


def _shares(target: Target) -> Iterator[Problem]:
    if target.share is None and target.at_least is None:
        yield Problem("share", "is missing: write the share of units that must be good, 1.0 for all, or at_least")
    if target.share is not None:
        yield from _share(target.share, "share")
    if target.at_least is not None and target.at_least < 1:
        yield Problem("at_least", f"{target.at_least} would be kept by nothing: 1 is the least")


def _share(value: float, path: str) -> Iterator[Problem]:
    if value > 1:
        hint = f": write {value / 100:g} for {value:g} %" if value <= 100 else ""
        yield Problem(path, f"{value:g} is more than all{hint}")
    elif value <= 0:
        yield Problem(path, f"{value:g} would be kept by nothing: it is above 0, to 1")


def _declared(target: Target, written: Mapping[str, Any]) -> Iterator[Problem]:
    for name in ("unit", "hours", "good_when", "counts", "rule", "after_deadline", "at_least"):
        if name in written:
            yield Problem(name, "is for measured targets: a declared one has a share, and the figure in declared")
    declared = target.declared
    if declared.value is None:
        for name in ("source", "on"):
            if getattr(declared, name):
                yield Problem(f"declared.{name}", "is given, but no value: leave it out until somebody declares one")
        return
    if not 0 <= declared.value <= 1:
        hint = f": write {declared.value / 100:g} for {declared.value:g} %" if 1 < declared.value <= 100 else ""
        yield Problem("declared.value", f"{declared.value:g} is not a share, from 0 to 1{hint}")
    if not declared.source.strip():
        yield Problem("declared.source", "is missing: who declared it, in which document?")
    if not declared.on:
        yield Problem("declared.on", "is missing: when was it declared?")


def _measured(target: Target, library: Library, written: Mapping[str, Any]) -> Iterator[Problem]:
    if "declared" in written:
        yield Problem("declared", "is for targets with evidence: declared")
    yield from _rule(target, written)
    is_by_minute = target.rule.availability is not None or target.rule.days is not None
    if is_by_minute:
        if not target.good_when:
            yield Problem("good_when", "is missing: which evidence proves that it works?")
        yield from check_conditions.proofs(target, library)
        yield from _counts(target)
    else:
        for name in ("good_when", "counts", "hours"):
            if name in written and _given(target.rule):
                yield Problem(name, f"is not asked by rule.{_given(target.rule)[0]}: leave it out")
    if target.rule.reporting and target.unit == "class" and not _is_of_platforms(target, library):
        yield Problem("rule.reporting", check_conditions.OBSERVER_ALONE)


def _is_of_platforms(target: Target, library: Library) -> bool:
    profiles = target.scope.profile
    return bool(profiles) and all(check_conditions.observes(library, name) != "beside" for name in profiles)


def _given(rule: Rule) -> list[str]:
    """Return which rules are given."""
    return [name for name in _RULES if getattr(rule, name) is not None and getattr(rule, name) is not False]


def _rule(target: Target, written: Mapping[str, Any]) -> Iterator[Problem]:
    rule, own = target.rule, written.get("rule", {})
    given = _given(rule)
    if len(given) != 1:
        said = f"has {' and '.join(given)}" if given else "is missing" if "rule" not in written else "has none"
        yield Problem("rule", f"{said}: exactly one of {', '.join(_RULES)}")
    for name in ("availability", "days"):
        if (value := getattr(rule, name)) is not None:
            yield from _share(value, f"rule.{name}")
    if rule.throughput_mbps is not None and rule.throughput_mbps <= 0:
        yield Problem("rule.throughput_mbps", f"{rule.throughput_mbps:g} would be kept by nothing: Mbit/s above 0")
    for name, of in (("minutes", "days"), ("direction", "throughput_mbps")):
        if name in own and given and of not in given:
            yield Problem(f"rule.{name}", f"is for rule.{of}")
    if rule.days is not None:
        yield from _days(target)


def _days(target: Target) -> Iterator[Problem]:
    if target.hours is not Hours.LESSONS:
        yield Problem("hours", "must be lessons: rule.days counts minutes of lessons")
    if target.unit == "site":
        yield Problem("unit", "must be class or device: rule.days is about one platform a day")
    if target.rule.minutes > _MOST_MINUTES:
        yield Problem("rule.minutes", f"{target.rule.minutes} is more than a day has")


def _counts(target: Target) -> Iterator[Problem]:
    causes = [cause.value for cause in Cause]
    for name, meaning in target.counts.items():
        at = f"counts.{name}"
        if name not in causes:
            yield Problem(at, f"is not a cause{did_you_mean(name, causes)}; there are {', '.join(causes)}")
        elif (meaning == "good") != (name == Cause.WORKING):
            yield Problem(at, f"cannot be {meaning}: working is good, and nothing else is")
        elif name == Cause.EXCLUDED and meaning != "excluded":
            yield Problem(at, f"cannot be {meaning}: agreed interruptions count neither way")
        elif name in (Cause.UNKNOWN, Cause.AGENT_DOWN) and meaning == "excluded":
            yield Problem(at, "cannot be excluded: what nobody knows would count as if it had worked")
