"""
InfluxDB line protocol, as an agent writes it.

    measurement[,tag=value…] field=value[,field=value…] <unix ns>

Source of the format: InfluxDB 1.x "Line protocol reference". What is narrower here: own tags and fields of the table
only, in the table's order; strings without backslash, quote or control character; an explicit time.
"""

import re
import sys
from collections.abc import Mapping

from contract.errors import BadSample
from contract.measurements import TABLE, Kind, Measurement
from contract.sample import Value

MAX_LINE_BYTES = 4096
INTEGER_RANGE = range(-(2**63), 2**63)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_TAG_SPECIAL = re.compile(r"([ ,=])")
_TEXT_LIMIT = 512
_LARGEST_FLOAT = sys.float_info.max


def clean_text(text: str) -> str:
    """Make any text fit for a field: no control character, backslash or double quote, at most 512 characters."""
    return _UNSAFE.sub(" ", text).replace("\\", "/").replace('"', "'")[:_TEXT_LIMIT]


def clean_tag(text: str) -> str:
    """Make any text fit for a tag's value: as for a field, without quotes and outer spaces; it may end up empty."""
    return clean_text(text).replace("'", "").strip()


def encode_stored(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], time_ns: int) -> bytes:
    """Return the line of a stored point, exactly as it was: what was accepted once needs no cleaning."""
    row = TABLE[measurement]
    head = measurement + "".join(f",{tag}={_escape(tags[tag])}" for tag in row.tags)
    kinds = {field.name: field.kind for field in row.fields}
    encoded = ",".join(f"{name}={_exact(kinds[name], value)}" for name, value in fields.items())
    return f"{head} {encoded} {time_ns:019d}".encode()


def _exact(kind: Kind, value: Value) -> str:
    return f'"{value}"' if kind is Kind.STRING else f"{value}i" if kind is Kind.INTEGER else repr(float(value))


def _escape(tag: str) -> str:
    return _TAG_SPECIAL.sub(r"\\\1", tag)


def encode_line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], time_ns: int) -> bytes:
    """
    Return one line without its line feed.

    Raises BadSample for a measurement, tag, field or type that the table does not have, and when no field is left.
    A reading that is not finite is left out: absent, never zero.
    """
    row = TABLE.get(measurement)
    if row is None:
        raise BadSample(f"{measurement!r} is not a measurement")
    head = measurement + "".join(f",{tag}={_tag_value(row, tag, tags)}" for tag in row.tags)
    if unknown := (tags.keys() - set(row.tags)) | (fields.keys() - {f.name for f in row.fields}):
        raise BadSample(f"{measurement} has no {', '.join(sorted(unknown))}")
    encoded = [
        f"{field.name}={text}"
        for field in row.fields
        if field.name in fields and (text := _value(row, field.name, field.kind, fields[field.name])) is not None
    ]
    if not encoded:
        raise BadSample(f"{measurement} has no usable field")
    line = f"{head} {','.join(encoded)} {time_ns:019d}".encode()
    if len(line) > MAX_LINE_BYTES:
        raise BadSample(f"{measurement}: a line of {len(line)} bytes, {MAX_LINE_BYTES} are allowed")
    return line


def _tag_value(row: Measurement, tag: str, tags: Mapping[str, str]) -> str:
    value = clean_tag(tags.get(tag, ""))
    if not value:
        raise BadSample(f"{row.name} needs the tag {tag}")
    return _escape(value)


def _value(row: Measurement, field: str, kind: Kind, value: Value) -> str | None:
    if kind is Kind.STRING and isinstance(value, str):
        return f'"{clean_text(value)}"'
    if kind is Kind.INTEGER and isinstance(value, int) and int(value) in INTEGER_RANGE:
        return f"{int(value)}i"
    if kind is Kind.FLOAT and isinstance(value, float | int) and abs(value) <= _LARGEST_FLOAT:
        return repr(float(value))
    if kind is Kind.FLOAT and isinstance(value, float):
        return None  # not finite
    raise BadSample(f"{row.name}.{field} is {kind}, not {value!r}")
