"""What a reading must say so that a raw value becomes the field it names."""

from collections.abc import Iterable, Iterator

from contract.errors import Problem
from contract.meant import did_you_mean
from contract.measurements import TABLE, Kind
from firmware_profiles.check_sources import has_rows, raw_names
from firmware_profiles.fill import BUILT_IN, names_in
from firmware_profiles.sources import REMOTE, Reading, Source

# What an agent says of itself, and what follows from readings: no profile can claim it.
NOT_READ = ("presence", "probe", "throughput", "fault", "stop", "agent")
FREE_UNIT = "sensor.value"

# Other spellings of the same unit.
_SAME = dict.fromkeys(("c", "℃", "celsius", "degc"), "°C") | dict.fromkeys(("percent", "pct", "％"), "%")


def kind_of(field: str) -> Kind | None:
    """Return the type of a field, `interface.rx_bytes`."""
    measurement, _, name = field.partition(".")
    return TABLE[measurement].kind_of(name)


def problems(source: Source, reading: Reading, parameters: Iterable[str]) -> Iterator[Problem]:
    """Yield what is wrong with a reading, with the path below it."""
    if reading.field.measurement in NOT_READ:
        yield Problem("field", f"{reading.field} is the agent's own: a profile cannot read it")
        return
    yield from _raw(source, reading)
    yield from _unit(reading)
    yield from _tags(source, reading, parameters)
    yield from _rows(source, reading)
    yield from _taking(reading)
    yield from _sticky(source, reading)
    yield from _numbers(reading)
    yield from _enum(reading)


def _raw(source: Source, reading: Reading) -> Iterator[Problem]:
    names = raw_names(source)
    for where, name in (("raw", reading.raw), ("per", reading.per)):
        if name and name != "key" and names is not None and name not in names:
            there = f"; there are {', '.join(sorted(names))}" if names else ""
            yield Problem(where, f"{name!r} is not a raw name of this entry{did_you_mean(name, names, there)}")
    if not reading.raw:
        yield Problem("raw", "is empty")
    if reading.raw == "key" and not has_rows(source, "key"):
        yield Problem("raw", "key is what tells rows apart: this entry has only one")


def _unit(reading: Reading) -> Iterator[Problem]:
    measurement = TABLE[reading.field.measurement]
    unit = next(field.unit for field in measurement.fields if field.name == reading.field.field)
    if reading.field == FREE_UNIT or reading.unit == unit:
        return
    if not unit:
        yield Problem("unit", f"{reading.field} has no unit: leave it out")
    elif reading.unit:
        hint = f"write {unit}" if _SAME.get(reading.unit.lower()) == unit else "convert with scale and offset"
        yield Problem("unit", f"{reading.field} is in {unit}, not {reading.unit}: {hint}")
    else:
        yield Problem("unit", f"is missing: {reading.field} is in {unit}; write it when the result is")


def _tags(source: Source, reading: Reading, parameters: Iterable[str]) -> Iterator[Problem]:
    own = TABLE[reading.field.measurement].tags
    name = reading.field.measurement
    for tag in own:
        if not reading.tags.get(tag):
            yield Problem("tags", f"{name} needs the tag {tag}: tags: {{{tag}: …}}")
    for tag in reading.tags:
        if tag not in own:
            there = f"; it has {', '.join(own)}" if own else ": leave tags out"
            yield Problem(f"tags.{tag}", f"{name} has no such tag{did_you_mean(tag, own, there)}")
    names = raw_names(source)
    if names is None:
        return
    known = {*names, "key", *parameters, *BUILT_IN}
    for tag, text in reading.tags.items():
        for used in names_in(text):
            if used not in known:
                there = f"; there are {', '.join(sorted(known))}"
                yield Problem(
                    f"tags.{tag}", f"{{{used}}} is neither a raw name nor a parameter{did_you_mean(used, known, there)}"
                )


def _rows(source: Source, reading: Reading) -> Iterator[Problem]:
    several = has_rows(source, reading.raw)
    if reading.rows != "each":
        if not several:
            yield Problem("rows", f"{reading.rows} is for several rows: {reading.raw} comes in one")
        return
    if not several or (getattr(source, "where", None)):
        return
    own = {*(raw_names(source) or ()), "key"}
    if not any(name in own for text in reading.tags.values() for name in names_in(text)):
        ways = []
        if TABLE[reading.field.measurement].tags:
            ways.append("tell them apart by a tag with {key} or a {raw name}")
        if kind_of(reading.field) is not Kind.STRING:
            ways.append("make them one (rows: sum, max, min, any, count)")
        if hasattr(source, "where") or not ways:
            ways.append("choose one (where)" if hasattr(source, "where") else "read what comes in one")
        yield Problem("rows", f"{reading.raw} comes in several rows: {', or '.join(ways)}")


def _taking(reading: Reading) -> Iterator[Problem]:
    """Yield what is wrong with how a value is taken out of the raw one."""
    if reading.pattern is not None:
        groups = _groups(reading.pattern)
        if groups != 1:
            yield Problem(
                "pattern", f"has {groups or 'no'} group{'s' * (groups > 1)}: exactly one (…) says what is taken"
            )
    if reading.base != 0 and not 2 <= reading.base <= 36:
        yield Problem("base", f"{reading.base} is not 2 to 36, or 0 for a number with a prefix such as 0x")
    if reading.mask is not None and reading.mask < 1:
        yield Problem("mask", f"{reading.mask} has no bit")
    if reading.per:
        yield from _per(reading)
    if reading.mask is not None and (reading.scale != 1 or reading.offset != 0):
        yield Problem("mask", "gives 0 or 1: leave out scale and offset")
    if reading.mask is not None and (strange := sorted(reading.enum.keys() - {"0", "1"})):
        yield Problem(f"enum.{strange[0]}", "never comes: mask gives 0 or 1")


def _sticky(source: Source, reading: Reading) -> Iterator[Problem]:
    if reading.sticky and source.source in REMOTE - {"ubus"}:
        yield Problem("sticky", "is for the machine itself: nobody tells when another device has begun anew")


def _groups(pattern: str) -> int:
    import re  # noqa: PLC0415

    return re.compile(pattern).groups


def _per(reading: Reading) -> Iterator[Problem]:
    if reading.per == reading.raw:
        yield Problem("per", f"is {reading.raw} itself: the ratio would always be 1")
    for name in ("pattern", "mask"):
        if getattr(reading, name) is not None:
            yield Problem(name, "cannot be used with per, which needs two counters")
    if reading.base != 10:
        yield Problem("base", "cannot be used with per, which needs two counters")
    if reading.enum:
        yield Problem("enum", "cannot be used with per, which gives a ratio")
    if reading.sticky:
        yield Problem("sticky", "cannot be used with per, which gives a ratio")


def _numbers(reading: Reading) -> Iterator[Problem]:
    """Yield what is for numbers but stands at a text, and numbers that make no sense."""
    for name in ("scale", "offset"):
        if abs(getattr(reading, name)) == float("inf"):
            yield Problem(name, "is not a number")
    if reading.scale == 0:
        yield Problem("scale", "is 0: every value would be the same")
    if kind_of(reading.field) is Kind.STRING:
        is_number = {
            "scale": reading.scale not in (0, 1),
            "offset": reading.offset != 0,
            "mask": reading.mask is not None and not reading.enum,
            "per": bool(reading.per),
            "sticky": reading.sticky,
            "rows": reading.rows != "each",
        }
        for name in (name for name, has in is_number.items() if has):
            yield Problem(name, f"gives a number, but {reading.field} is text")
    elif reading.sticky and (reading.scale != 1 or reading.offset != 0):
        yield Problem("sticky", "is for whole numbers: leave out scale and offset")


def _enum(reading: Reading) -> Iterator[Problem]:
    kind = kind_of(reading.field)
    for key, value in reading.enum.items():
        if not fits(value, kind):
            yield Problem(f"enum.{key}", not_a(value, kind, reading.field))


WORDS = {Kind.STRING: "text", Kind.INTEGER: "a whole number", Kind.FLOAT: "a number", None: ""}


def not_a(value: object, kind: Kind | None, field: str) -> str:
    """Say that a value is not one of a field."""
    hint = ": write 1 or 0" if isinstance(value, bool) else ""
    if kind is Kind.STRING:
        hint = ": write it in quotes"
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"{shown} is not {WORDS[kind]}, which {field} is{hint}"


def fits(value: object, kind: Kind | None) -> bool:
    """Tell whether a value of YAML can be one of a field of this type."""
    if kind is Kind.STRING:
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (kind is Kind.FLOAT and isinstance(value, float))
