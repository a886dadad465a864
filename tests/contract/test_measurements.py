"""The measurement table: one table, append-only."""

import re
from pathlib import Path

from contract.measurements import IDENTITY_TAGS, RETENTION_DAYS, TABLE, Retention, as_markdown

GOLDEN = Path(__file__).parent / "golden/v1/measurements.txt"


def _rows() -> list[str]:
    rows = []
    for m in TABLE.values():
        rows.append(f"{','.join((m.name, *m.tags))} {m.retention}{'' if m.from_agent else ' by the centre'}")
        rows += [f"{m.name} {field.name} {field.kind} {field.unit}".rstrip() for field in m.fields]
    return rows


def test_nothing_sent_once_changes_its_type() -> None:
    """Every measurement, tag, field, type, unit and retention that was once sent is still exactly that."""
    gone = set(GOLDEN.read_text(encoding="utf-8").splitlines()) - set(_rows())
    assert not gone


def test_everything_new_is_recorded() -> None:
    """A row that joins the table joins the golden list too, so that it can never change silently afterwards."""
    new = set(_rows()) - set(GOLDEN.read_text(encoding="utf-8").splitlines())
    assert not new, f"append to {GOLDEN}"


def test_identity_tags_are_the_centres_alone() -> None:
    """No measurement has an identity tag of its own: an agent cannot say who it is in a line."""
    assert IDENTITY_TAGS == ("device", "site", "county", "agent")
    assert not [m.name for m in TABLE.values() if set(m.tags) & set(IDENTITY_TAGS)]


def test_no_field_is_named_like_a_tag() -> None:
    """Field and tag names of a measurement never clash: InfluxDB would mix them up."""
    for m in TABLE.values():
        names = [*m.tags, *IDENTITY_TAGS, *(field.name for field in m.fields)]
        assert len(names) == len(set(names)), m.name


def test_names_need_no_escaping() -> None:
    """Names are plain words in every store and every query: small letters, digits, underscore; none is `time`."""
    for m in TABLE.values():
        for name in (m.name, *m.tags, *(field.name for field in m.fields)):
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name
            assert name != "time"


def test_names_of_measurements_are_unique() -> None:
    """Two rows of the table never share a name."""
    assert all(name == m.name for name, m in TABLE.items())
    assert len([line for line in as_markdown().splitlines() if line.startswith("| `")]) == len(TABLE)


def test_every_retention_class_has_its_days() -> None:
    """Evidence is kept three years, telemetry 35 days."""
    assert RETENTION_DAYS == {Retention.EVIDENCE: 1096, Retention.TELEMETRY: 35}


def test_kind_of_a_field() -> None:
    """The type of a field can be asked by name; of a field that does not exist there is none."""
    assert TABLE["presence"].kind_of("uptime_s") == "float"
    assert TABLE["presence"].kind_of("lan") == "integer"
    assert TABLE["presence"].kind_of("colour") is None


def test_documentation_has_every_field_once() -> None:
    """The generated table shows every measurement with its retention, tags, types and units."""
    head, rule, *rows = as_markdown().splitlines()
    assert head.count("|") == rule.count("|") == 5
    for row, m in zip(rows, TABLE.values(), strict=True):
        _, name, kept, tags, fields, _ = (cell.strip() for cell in row.split("|"))
        assert name == (f"`{m.name}`" if m.from_agent else f"`{m.name}` (by the centre)")
        assert kept == m.retention
        assert tags == (", ".join(f"`{tag}`" for tag in m.tags) or "–")
        for field in m.fields:
            assert fields.count(f"`{field.name}` {field.kind}") == 1
            assert not field.unit or f"`{field.name}` {field.kind}, {field.unit}" in fields
