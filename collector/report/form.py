"""
A city's own form, filled from a report that was written as JSON.

    mapping file ─▶ Form ─┐
    template.xlsx ────────┼─▶ check ─▶ values of all cells ─▶ cells, then tables from the bottom up ─▶ filled workbook
    report.json ──────────┘              (every mistake at once; nothing is written with one)
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.utils import column_index_from_string

from collector.report.form_check import check, placed
from collector.report.form_heights import fit
from collector.report.form_insert import insert
from collector.report.form_paths import BadPath, Record
from collector.report.form_records import Content, Rows, Source, normal, sites_of
from collector.report.form_schema import MOST_ROWS, Form, Table
from collector.report.form_template import BadTemplate, open_template
from collector.report.form_words import Vocabulary
from collector.report.tree import FORMAT, fingerprint
from collector.roster.schema import Site
from contract.errors import Problem, SantongError
from contract.meant import did_you_mean
from firmware_profiles.load import Document, Refusal
from firmware_profiles.load import load as load_yaml
from firmware_profiles.typed import flaw_of, typed


class BadReport(SantongError):
    """A file that is no report, or no more the one that was written."""


class Mapped(NamedTuple):
    """A mapping file that is right, with its template opened; `lost` is what of the template cannot be kept."""

    form: Form
    document: Document
    book: Any
    template: Path
    lost: Sequence[str]


class Filled(NamedTuple):
    """
    A workbook to be saved, and what people should know of it.

    `empty` are cells whose value the report has not; `unmatched` rows of the form and entries of the report that found
    no other half.
    """

    book: Any
    empty: Sequence[str]
    unmatched: Sequence[str]

    def save(self, out: Path) -> None:
        """Write the file whole or not at all; OSError when it cannot be written."""
        part = out.with_name(f".{out.name}.part")
        try:
            self.book.save(part)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)


class _Rows(NamedTuple):
    """What is written into rows of a sheet: `columns` by number, a content for each of `at`."""

    table: Table
    at: Sequence[int]
    columns: Mapping[int, Sequence[Content]]
    more: int = 0


def load(file: Path) -> Mapped:
    """Read a mapping file and open its template; ConfigError lists every mistake."""
    document = load_yaml(file, "mapping file of a form", "template: form.xlsx")
    form = typed(Form, document)
    template = file.parent / form.template
    try:
        book, lost = open_template(template)
    except BadTemplate as error:
        raise Refusal([flaw_of(document, Problem("template", str(error)))]) from None
    if problems := check(form, book):
        raise Refusal(flaw_of(document, problem) for problem in problems)
    return Mapped(form, document, book, template, lost)


def read_report(file: Path) -> dict[str, Any]:
    """
    Return what stands in a report's JSON file: the keys of `report`, beside these `fingerprint` and `made`.

    BadReport when it is none, or its contents are not those of its fingerprint.
    """
    try:
        document = json.loads(file.read_bytes())
    except ValueError:
        raise BadReport(f"{file}: is not JSON: `santong report --out {file.stem}.json` writes it") from None
    report = document.get("report") if isinstance(document, dict) else None
    if not isinstance(report, dict) or document.get("format") != FORMAT:
        raise BadReport(f"{file}: is no report of {FORMAT}: `santong report --out {file.stem}.json` writes it")
    if document.get("fingerprint") != fingerprint(report):
        raise BadReport(
            f"{file}: its contents have another fingerprint than it says: it was altered after it was written"
        )
    return {**report, "fingerprint": document["fingerprint"], "made": document.get("made")}


def fill(mapped: Mapped, report: Mapping[str, Any], roster: Mapping[str, Site], counties: Mapping[str, str]) -> Filled:
    """Fill the form; ConfigError lists everything of the mapping file that the report has not."""
    form, book = mapped.form, mapped.book
    source = Source(
        Record(report, None, is_entry=True), sites_of(report, roster, form), Vocabulary(form.words, counties)
    )
    problems: list[Problem] = []
    unmatched: list[str] = _strangers(form, source)
    contents = _contents(form, source, problems)
    filled = [_rows(number, table, source, book, (problems, unmatched)) for number, table in enumerate(form.tables)]
    if problems:
        raise Refusal(flaw_of(mapped.document, problem) for problem in problems)
    for place, content in contents.items():
        sheet, row, column = placed(place)
        _put(book[sheet].cell(row, column), content)
        fit(book[sheet], row, [book[sheet].cell(row, column)])
    for rows in sorted(filled, key=lambda one: one.table.rows, reverse=True):
        _write(book, rows)
    book.calculation.fullCalcOnLoad = True
    return Filled(book, [place for place, content in contents.items() if content is None], unmatched)


def _strangers(form: Form, source: Source) -> list[str]:
    """Return names of the form for sites of which neither report nor roster knows anything."""
    known = {name for name, site in source.sites.items() if len(site) > 2} | {
        entry["id"] for target in source.root.value.get("targets", []) for entry in target.get("sites", [])
    }
    return [
        f"names: {own}: no site {name}{did_you_mean(name, known)}"
        for own, name in form.names.items()
        if name not in known
    ]


def _contents(form: Form, source: Source, problems: list[Problem]) -> dict[str, Content]:
    found: dict[str, Content] = {}
    for place, value in form.cells.items():
        try:
            found[place] = source.value(value, None)
        except BadPath as error:
            problems.append(Problem(f"cells.{place}", str(error)))
    return found


def _rows(number: int, table: Table, source: Source, book: Any, said: tuple[list[Problem], list[str]]) -> _Rows:
    problems, unmatched = said
    path = f"tables[{number}]"
    rows = Rows(source, table, path, problems)
    columns = {column_index_from_string(name): rows.column(name, value) for name, value in table.columns.items()}
    if table.match:
        return _matched(table, rows, columns, book[table.sheet], (path, problems, unmatched))
    room, needed = table.rows.last - table.rows + 1, len(rows.records)
    more = max(needed - room, 0)
    if more and not table.insert:
        message = f"are {room} rows, and {table.each} has {needed} entries: {more} too many"
        problems.append(Problem(f"{path}.rows", message))
    if max(table.rows.last, book[table.sheet].max_row) + more > MOST_ROWS:
        problems.append(Problem(f"{path}.rows", f"{needed} entries are more than a sheet has rows"))
        more = 0
    used = max(table.rows + needed - 1, min(table.rows.last, book[table.sheet].max_row))
    at = range(table.rows, used + 1)
    padded = {column: [*contents, *[None] * (len(at) - needed)] for column, contents in columns.items()}
    return _Rows(table, at, padded, more)


def _matched(
    table: Table,
    rows: Rows,
    columns: Mapping[int, Sequence[Content]],
    sheet: Any,
    said: tuple[str, list[Problem], list[str]],
) -> _Rows:
    path, problems, unmatched = said
    name, value = next(iter(table.match.items()))
    keys = rows.keys(name, value)
    entries: dict[str, list[int]] = {}
    for number, texts in enumerate(keys):
        for text in {normal(one) for one in texts}:
            entries.setdefault(text, []).append(number)
    skipped = {normal(text) for text in table.skip}
    taken: dict[int, int] = {}
    for row in range(table.rows, min(table.rows.last, sheet.max_row) + 1):
        cell = sheet[f"{name}{row}"]
        text = normal("" if cell.value is None else cell.value)
        found = entries.get(text, [])
        if not text or text in skipped:
            continue
        if len(found) > 1:
            which = ", ".join(rows.said(rows.records[one]) for one in found)
            problems.append(Problem(f"{path}.match.{name}", f"{cell.coordinate} {cell.value} may be any of {which}"))
        elif not found:
            near = did_you_mean(str(cell.value), [one for texts in keys for one in texts])
            unmatched.append(f"{table.sheet}!{cell.coordinate} {cell.value}: not in {table.each}{near}")
        elif found[0] in taken:
            first = sheet[f"{name}{taken[found[0]]}"].coordinate
            problems.append(
                Problem(f"{path}.match.{name}", f"{cell.coordinate} {cell.value} is there twice, first in {first}")
            )
        else:
            taken[found[0]] = row
    unmatched += (
        f"{table.sheet}: no row for {rows.said(one)}, of {table.each}"
        for number, one in enumerate(rows.records)
        if number not in taken
    )
    chosen = {column: [contents[number] for number in taken] for column, contents in columns.items()}
    return _Rows(table, list(taken.values()), chosen)


def _write(book: Any, rows: _Rows) -> None:
    sheet, table = book[rows.table.sheet], rows.table
    if rows.more:
        insert(book, sheet, table.rows, table.rows.last, rows.more)
    for column, contents in rows.columns.items():
        for row, content in zip(rows.at, contents, strict=True):
            _put(sheet.cell(row, column), content)
    for row in rows.at:
        fit(sheet, row, [sheet.cell(row, column) for column in rows.columns])


def _put(cell: Any, content: Content) -> None:
    """Write a content; the format of the cell stays, and text of others is never a formula."""
    if not isinstance(content, str):
        cell.value = content
        return
    text = ILLEGAL_CHARACTERS_RE.sub(" ", content)
    cell.value = text
    cell.data_type = "s"
    if re.match(r"[=+\-@]", text):
        cell.quotePrefix = True  # it stays text when somebody edits the cell
