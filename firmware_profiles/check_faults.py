"""What a fault must say so that a reading can ever mean it."""

import re
from collections.abc import Iterator

from contract.errors import Problem
from contract.meant import did_you_mean
from contract.measurements import TABLE, Kind
from firmware_profiles.check_readings import FREE_UNIT, fits, kind_of, not_a
from firmware_profiles.fill import names_in, number_of, texts
from firmware_profiles.match import OF_MACHINE
from firmware_profiles.schema import Fault, Profile
from firmware_profiles.sources import REMOTE, Reading

# What an agent measures of the machine it runs on, whatever its profile reads.
OF_THE_AGENT = ("presence", "identity", "host", "interface", "agent", "probe", "throughput")
_ABOVE, _BELOW = ("above", "at_least"), ("below", "at_most")


def problems(profile: Profile) -> Iterator[Problem]:
    """Yield what is wrong with the faults of a profile that has all that it inherits."""
    readings = [reading for source in profile.collect.values() for reading in source.read]
    seen: set[str] = set()
    for number, fault in enumerate(profile.faults):
        at = f"faults[{number}]"
        if fault.code in seen:
            yield Problem(f"{at}.code", f"{fault.code} is there twice")
        seen.add(fault.code)
        for path, message in _fault(profile, fault, readings):
            yield Problem(f"{at}.{path}", message)


def is_of_machine(profile: Profile) -> bool:
    """Tell whether a profile is for the machine that the agent runs on, so that what it measures anyway is there."""
    if any(source.source in REMOTE - {"ubus"} for source in profile.collect.values()):
        return False
    if profile.match:
        return any(getattr(match, name) for match in profile.match for name in OF_MACHINE)
    return not any("address" in names_in(text) for _, text in texts(profile))


def _fault(profile: Profile, fault: Fault, readings: list[Reading]) -> Iterator[Problem]:
    of_field = [reading for reading in readings if reading.field == fault.field]
    yield from _tags(fault, of_field)
    if not of_field and not _is_there_anyway(profile, fault, readings):
        known = sorted({str(reading.field) for reading in readings})
        there = f"; read are {', '.join(known)}" if known else "; nothing is read"
        yield Problem("field", f"{fault.field} is never read{did_you_mean(fault.field, known, there)}")
    yield from _value(_with_default(profile, fault))
    yield from _clear(fault)
    yield from _known_value(fault, of_field)


def _is_there_anyway(profile: Profile, fault: Fault, readings: list[Reading]) -> bool:
    if fault.field == "firmware.compliant":
        return any(reading.field == "firmware.version" for reading in readings)
    if is_of_machine(profile):
        return fault.field.measurement in OF_THE_AGENT
    asks = any(source.source in REMOTE for source in profile.collect.values())
    return fault.field.measurement == "probe" and (asks or bool(profile.probes))


def _tags(fault: Fault, of_field: list[Reading]) -> Iterator[Problem]:
    own = TABLE[fault.field.measurement].tags
    names = {reading.tags.get("name", "") for reading in of_field}
    if fault.field == FREE_UNIT and not fault.tags and len(names) > 1:
        yield Problem("tags", f"is missing: which sensor? tags: {{name: …}}; there are {', '.join(sorted(names))}")
    for tag, value in fault.tags.items():
        if tag not in own:
            there = f"; it has {', '.join(own)}" if own else ": leave tags out"
            yield Problem(f"tags.{tag}", f"{fault.field.measurement} has no such tag{did_you_mean(tag, own, there)}")
            continue
        given = {reading.tags.get(tag, "") for reading in of_field}
        if given and value not in given and not any(names_in(text) for text in (*given, value)):
            there = f"; there are {', '.join(sorted(given))}"
            yield Problem(f"tags.{tag}", f"{fault.field} never has {value!r}{did_you_mean(value, given, there)}")


def _with_default(profile: Profile, fault: Fault) -> Fault:
    """Return a fault with a value that a parameter gives: its default, or where it has none any number."""
    name = re.fullmatch(r"\{([A-Za-z_]\w*)\}", fault.value) if isinstance(fault.value, str) else None
    if name is None or name[1] not in profile.parameters or kind_of(fault.field) is Kind.STRING:
        return fault
    default = profile.parameters[name[1]].default
    number = 0 if default is None else number_of(default)
    return fault if number is None else fault._replace(value=number)


def _value(fault: Fault) -> Iterator[Problem]:
    kind = kind_of(fault.field)
    if fault.operator in (*_ABOVE, *_BELOW):
        if kind is Kind.STRING:
            yield Problem(
                "operator", f"{fault.operator} compares numbers, but {fault.field} is text: use is, or is_not"
            )
        elif not fits(fault.value, Kind.FLOAT) or abs(fault.value) == float("inf"):
            yield Problem("value", f"{fault.value!r} is not a number, which {fault.operator} needs")
    elif not fits(fault.value, kind):
        yield Problem("value", not_a(fault.value, kind, fault.field))


def _clear(fault: Fault) -> Iterator[Problem]:
    if fault.clear is None:
        return
    if fault.operator in ("is", "is_not"):
        yield Problem("clear", f"is for above, at_least, below and at_most: {fault.operator} has nothing in between")
    elif not fits(fault.value, Kind.FLOAT):
        return
    elif fault.operator in _ABOVE and not fault.clear < fault.value:
        yield Problem("clear", f"{fault.clear:g} must be less than value, {fault.value:g}: it is clear below")
    elif fault.operator in _BELOW and not fault.clear > fault.value:
        yield Problem("clear", f"{fault.clear:g} must be more than value, {fault.value:g}: it is clear above")


def _known_value(fault: Fault, of_field: list[Reading]) -> Iterator[Problem]:
    """Yield a value that no enum of the field's readings gives."""
    meant = [reading for reading in of_field if all(_may_be(reading, tag, value) for tag, value in fault.tags.items())]
    if fault.operator not in ("is", "is_not") or not meant or names_in(str(fault.value)):
        return
    if any(not one.enum or (one.scale, one.offset) != (1, 0) or one.rows != "each" or one.sticky for one in meant):
        return
    values = {str(value) for reading in meant for value in reading.enum.values()}
    if str(fault.value) not in values:
        there = f"; there are {', '.join(sorted(values))}"
        yield Problem("value", f"{fault.field} is never {fault.value!r}{did_you_mean(str(fault.value), values, there)}")


def _may_be(reading: Reading, tag: str, value: str) -> bool:
    text = reading.tags.get(tag, "")
    return text == value or bool(names_in(text) or names_in(value))
