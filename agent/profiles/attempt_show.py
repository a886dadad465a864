"""An attempt as people and scripts read it: from each raw value to its field, or why there is none."""

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.mapping import Mapped
from agent.probe.show import as_json as outcome_as_json
from agent.probe.show import as_text as outcome_as_text
from agent.profiles.attempt import Attempt, Entry
from contract.lines import clean_text
from contract.measurements import TABLE
from contract.sample import Value
from firmware_profiles.schema import Fault
from firmware_profiles.sources import Reading

_LONGEST = 48
_HEAD = ("key", "raw", "value", "field", "tags", "becomes")


def as_text(attempt: Attempt) -> Iterator[str]:
    """Yield the lines for people."""
    title = attempt.profile.title
    yield f"{attempt.profile.id}: {title.zh} / {title.en}, asked at {attempt.host or 'this machine'}"
    for entry in attempt.entries:
        yield ""
        yield from _probe(entry) if entry.is_probe else _entry(entry)
    yield ""
    yield from _judgement(attempt)
    yield f"{attempt.mapped} readings are mapped, {attempt.absent} are absent"
    if attempt.needs_two:
        yield f"an increase needs two reads: --twice ({', '.join(attempt.needs_two)})"


def as_json(attempt: Attempt) -> dict[str, Any]:
    """Return all of it in plain types."""
    version, compliant = _firmware(attempt)
    return {
        "profile": attempt.profile.id,
        "host": attempt.host,
        "mapped": attempt.mapped,
        "absent": attempt.absent,
        "entries": [_entry_as_json(entry) for entry in attempt.entries],
        "samples": [
            {"measurement": s.measurement, "tags": dict(s.tags), "fields": dict(s.fields)} for s in attempt.samples
        ],
        "faults": [{"code": fault.code, "severity": fault.severity, "hold_s": fault.hold} for fault in attempt.faults],
        "firmware": {"version": version, "compliant": compliant},
        "needs_two_reads": list(attempt.needs_two),
    }


def unit_of(reading: Reading) -> str:
    """Return the unit of the field that a reading gives."""
    fields = TABLE[reading.field.measurement].fields
    return reading.unit or next((field.unit for field in fields if field.name == reading.field.field), "")


def _probe(entry: Entry) -> Iterator[str]:
    lines = outcome_as_text(entry.kind, entry.name, entry.outcome).splitlines()
    yield f"probe {lines[0]}"
    yield from lines[1:]


def _entry(entry: Entry) -> Iterator[str]:
    outcome = entry.outcome
    head = f"{entry.name} ({entry.kind})"
    took = f"{outcome.fields['duration_ms']} ms" if "duration_ms" in outcome.fields else ""
    if outcome.success is not True:
        word = "could not be asked" if outcome.success is None else f"fails at {outcome.stage}"
        code = f" (code {outcome.code})" if outcome.code is not None else ""
        yield f"{head}: {word}{code}: {clean_text(outcome.reason)}{f', {took}' if took else ''}"
        return
    yield f"{head}: {took}{f', {clean_text(outcome.reason)}' if outcome.reason else ''}"
    cells = [_cells(mapped) for mapped in entry.traced]
    yield from _table([_HEAD, *cells]) if cells else ["  it gave nothing"]
    if entry.unmapped:
        yield f"  not mapped: {', '.join(f'{name} = {_short(value)}' for name, value in entry.unmapped.items())}"
    absent = outcome.details.get("absent")
    for file, why in absent.items() if isinstance(absent, Mapping) else ():
        yield f"  not there: {clean_text(str(file))}: {clean_text(str(why))}"


def _cells(mapped: Mapped) -> tuple[str, ...]:
    reading = mapped.reading
    value = f"{_short(mapped.value)} {unit_of(reading)}".strip() if mapped.value is not None else f"– {mapped.why}"
    tags = " ".join(f"{name}={text}" for name, text in mapped.tags.items())
    key = mapped.key if reading.rows == "each" else f"({reading.rows})"
    raw = "–" if mapped.raw is None else _short(mapped.raw)
    return key, reading.raw, raw, str(reading.field), clean_text(tags), value


def _judgement(attempt: Attempt) -> Iterator[str]:
    rules = attempt.profile.faults
    if rules:
        active = ", ".join(map(_fault, attempt.faults)) or "none"
        yield f"faults that would be active, of {len(rules)}: {active}"
    version, compliant = _firmware(attempt)
    if version is not None:
        word = {None: "nobody says which versions are good", True: "good", False: "not a good one"}[compliant]
        yield f"firmware {clean_text(version)}: {word}"


def _fault(fault: Fault) -> str:
    return f"{fault.code} ({fault.severity}{f', once it holds for {fault.hold:g} s' if fault.hold else ''})"


def _firmware(attempt: Attempt) -> tuple[str | None, bool | None]:
    for sample in attempt.samples:
        if sample.measurement == "firmware" and "version" in sample.fields:
            compliant = sample.fields.get("compliant")
            return str(sample.fields["version"]), None if compliant is None else bool(compliant)
    return None, None


def _entry_as_json(entry: Entry) -> dict[str, Any]:
    shown = outcome_as_json(entry.kind, entry.name, entry.outcome)
    shown |= {"name": entry.name, "is_probe": entry.is_probe}
    del shown["target"], shown["samples"]
    if not entry.is_probe:
        shown["readings"] = [_mapped_as_json(mapped) for mapped in entry.traced]
        shown["unmapped"] = dict(entry.unmapped)
    return shown


def _mapped_as_json(mapped: Mapped) -> dict[str, Any]:
    return {
        "key": mapped.key,
        "raw": mapped.reading.raw,
        "raw_value": mapped.raw,
        "field": str(mapped.reading.field),
        "tags": dict(mapped.tags),
        "value": mapped.value,
        "unit": unit_of(mapped.reading),
        "absent": mapped.why,
    }


def _short(value: Value) -> str:
    plain = (
        json.dumps(value) if isinstance(value, bool) else f"{value:.12g}" if isinstance(value, float) else str(value)
    )
    text = clean_text(plain)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows in columns; a column that is empty but for its head is left out."""
    used = [place for place in range(len(rows[0])) if any(row[place] for row in rows[1:])]
    widths = {place: max(_width(row[place]) for row in rows) for place in used}
    for row in rows:
        cells = [row[place] + " " * (widths[place] - _width(row[place])) for place in used]
        yield ("  " + "  ".join(cells)).rstrip()


def _width(text: str) -> int:
    """Return how many columns a text takes on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
