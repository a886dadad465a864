"""
Proofs and their conditions: whether there is such evidence, can have such a value, and whom it is about.

A Pi beside a panel proves the Pi. A target for classes therefore takes as proof of the platform:

- of an agent on the platform itself (profiles with `observes: itself`) anything, its presence too;
- of a device that is asked over the network (`observes: remote`) what was read of it, not the presence of who asks;
- of all others only what they read of a screen: `display.power`, `display.input`, `usage.display_on`.
"""

import difflib
import re
from collections.abc import Iterator

from collector.targets.schema import Condition, Proof, Target
from collector.verify.causes import Cause
from contract.errors import ConfigError, Problem
from contract.meant import did_you_mean
from contract.measurements import TABLE, Kind, Measurement, Retention
from firmware_profiles.library import Library

OF_A_SCREEN = ("display.power", "display.input", "usage.display_on")
OF_PRESENCE = ("lan", "wan")
PROBE_KINDS = ("icmp", "tcp", "dns", "dhcp", "arp", "http", "portal", "throughput", "wifi_scan", "wifi_join")
SOURCE_KINDS = ("snmp", "pjlink", "http_json", "ubus")  # reads of an observed device are points `probe`, too
NEEDED_TAGS = {"probe": "kind", "fault": "code"}
SHORTEST, LONGEST = 10, 86_400
OBSERVER_ALONE = (
    "an agent beside the platform could satisfy it without the platform: limit it by profile to profiles with "
    "observes: itself, or ask for evidence of the platform (display.power, usage.display_on; probes of profiles with "
    "observes: remote)"
)
_FAILED = (Cause.SERVICE_DOWN, Cause.WAN_DOWN, Cause.LAN_DOWN, Cause.POWER_OFF, Cause.ASLEEP)
_STAGE = re.compile(r"[a-z0-9_.-]+")


def proofs(target: Target, library: Library) -> Iterator[Problem]:
    """Yield every mistake of the proofs of a target."""
    for number, proof in enumerate(target.good_when):
        at = f"good_when[{number}]"
        for place, name in enumerate(proof.profile):
            if name not in library.ids():
                yield Problem(
                    f"{at}.profile[{place}]", f"there is no profile {name!r}{did_you_mean(name, library.ids())}"
                )
        if not proof.all:
            yield Problem(f"{at}.all", "is empty: a proof without conditions proves nothing")
        for place, condition in enumerate(proof.all):
            for path, message in _condition(condition, library):
                yield Problem(f"{at}.all[{place}].{path}", message)
        if proof in target.good_when[:number]:
            yield Problem(at, "is there twice")
        if target.unit == "class" and proof.all and not _proves_platform(proof, target, library):
            yield Problem(at, OBSERVER_ALONE)


def observes(library: Library, name: str) -> str:
    """Return whom the evidence of a profile is about; for one that cannot be had, what proves least."""
    try:
        return library.get(name).observes
    except ConfigError:
        return "beside"


def _proves_platform(proof: Proof, target: Target, library: Library) -> bool:
    """Tell whether a proof has a condition about the platform, whichever of its profiles a device has."""
    profiles = proof.profile or target.scope.profile
    kinds = {observes(library, name) for name in profiles} or {"beside"}
    return all(any(_is_about_platform(one, kind) for one in proof.all) for kind in kinds)


def _is_about_platform(condition: Condition, kind: str) -> bool:
    if kind == "itself":
        return True
    return condition.measurement != "presence" if kind == "remote" else condition.reading in OF_A_SCREEN


def _condition(one: Condition, library: Library) -> Iterator[Problem]:
    row = TABLE.get(one.measurement)
    kind = row.kind_of(one.field) if row else None
    if refusal := _reading(one, row, kind):
        yield Problem("reading", refusal)
    elif row and kind:
        yield from _where(one, row)
        yield from _values(one, kind, library)
    if not SHORTEST <= one.every <= LONGEST:
        yield Problem("every", f"{one.every:g} s: readings are from 10 s to 1 d apart")
    elif one.measurement == "presence" and float(one.every) != 60.0:
        yield Problem("every", "is 60s for presence: leave it out")
    if one.cause not in _FAILED:
        yield Problem("cause", f"cannot be {one.cause}: what failed is one of {', '.join(_FAILED)}")
    if one.stage and not _STAGE.fullmatch(one.stage):
        yield Problem("stage", f"{one.stage!r} is not a name in a-z, 0-9, '_', '.' and '-'")


def _reading(one: Condition, row: Measurement | None, kind: Kind | None) -> str:
    """Return what is wrong with the reading itself, "" for nothing."""
    if row is None:
        known = [name for name, other in TABLE.items() if other.retention is Retention.EVIDENCE and other.from_agent]
        hint = did_you_mean(one.measurement, known, f"; there are {', '.join(known)}")
        return f"there is no measurement {one.measurement!r}{hint}"
    if kind is None:
        names = [field.name for field in row.fields]
        found = difflib.get_close_matches(one.field, names, 1)
        hint = f", did you mean {row.name}.{found[0]}" if found else f"; there are {', '.join(names)}"
        return f"{row.name} has no field {one.field!r}{hint}"
    if not row.from_agent:
        return f"{row.name} is written by the centre: it is no evidence of a device"
    if row.retention is not Retention.EVIDENCE:
        return f"{row.name} is kept for 35 days only: a verdict must be provable for years"
    if row.name == "presence" and one.field not in OF_PRESENCE:
        return f"of presence only {', '.join(OF_PRESENCE)} can be asked: that the device ran is asked anyway"
    return ""


def _where(one: Condition, row: Measurement) -> Iterator[Problem]:
    for tag, pattern in one.where.items():
        if tag not in row.tags:
            hint = did_you_mean(tag, row.tags, f"; there are {', '.join(row.tags)}" if row.tags else "")
            yield Problem(f"where.{tag}", f"is not a tag of {row.name}{hint}")
        elif not pattern:
            yield Problem(f"where.{tag}", "is empty: leave it out, or write a pattern such as *")
    needed = NEEDED_TAGS.get(row.name)
    if needed and needed not in one.where:
        yield Problem("where", f"is missing: which {needed} of {row.name}? Write {{{needed}: …}}")
    probe = one.where.get("kind", "") if row.name == "probe" else ""
    known = [*PROBE_KINDS, *SOURCE_KINDS]
    if probe and not re.search(r"[*?\[]", probe) and probe not in known:
        yield Problem("where.kind", f"there is no kind of probe {probe!r}{did_you_mean(probe, known)}")


def _values(one: Condition, kind: Kind, library: Library) -> Iterator[Problem]:
    bounds = [name for name in ("at_least", "at_most") if getattr(one, name) is not None]
    if kind is Kind.STRING:
        yield from _texts(one, bounds, library)
        return
    if one.equals:
        yield Problem("equals", f"is for text, and {one.reading} is a number: write at_least, at_most")
    elif not bounds:
        yield Problem("reading", "is asked for nothing: write at_least or at_most")
    elif one.at_least is not None and one.at_most is not None and one.at_least > one.at_most:
        yield Problem("at_most", f"{one.at_most:g} is below at_least, {one.at_least:g}: nothing would fit")
    for word in one.otherwise:
        yield from _otherwise(word, _number_refused(one, kind, word), one.otherwise[word])


def _number_refused(one: Condition, kind: Kind, word: str) -> str:
    """Return why a number cannot be one that does not fit, "" where it can."""
    try:
        value = int(word) if kind is Kind.INTEGER else float(word)
    except ValueError:
        return f"is no {'whole ' if kind is Kind.INTEGER else ''}number, and {one.reading} is one"
    is_low = one.at_least is not None and value < one.at_least
    is_high = one.at_most is not None and value > one.at_most
    return "" if is_low or is_high else "fits, so it is never otherwise"


def _texts(one: Condition, bounds: list[str], library: Library) -> Iterator[Problem]:
    for name in bounds:
        yield Problem(name, f"is for numbers, and {one.reading} is text: write equals")
    if not bounds and not one.equals:
        yield Problem("reading", "is asked for nothing: write equals")
    known = _known_values(one.reading, library)
    there_are = f"; there are {', '.join(known)}"
    for number, word in enumerate(one.equals):
        if known and word not in known:
            yield Problem(f"equals[{number}]", f"no profile reads {word!r}{did_you_mean(word, known, there_are)}")
    for word, cause in one.otherwise.items():
        refusal = "fits, so it is never otherwise" if word in one.equals else ""
        if not refusal and known and word not in known:
            refusal = f"is read by no profile{did_you_mean(word, known, there_are)}"
        yield from _otherwise(word, refusal, cause)


def _otherwise(word: str, refusal: str, cause: Cause) -> Iterator[Problem]:
    if refusal:
        yield Problem(f"otherwise.{word}", refusal)
    elif cause not in (*_FAILED, Cause.UNKNOWN):
        yield Problem(f"otherwise.{word}", f"cannot be {cause}: it is one of {', '.join((*_FAILED, Cause.UNKNOWN))}")


def _known_values(reading: str, library: Library) -> list[str]:
    """Return the texts that profiles make of a reading; none where one of them takes it as it comes."""
    found: dict[str, None] = {}
    for name in library.ids():
        try:
            profile = library.get(name)
        except ConfigError:
            continue  # `santong profiles check` says what is wrong with it
        for source in profile.collect.values():
            for one in source.read:
                if one.field == reading:
                    if not one.enum:
                        return []
                    found.update(dict.fromkeys(str(value) for value in one.enum.values()))
    return list(found)
