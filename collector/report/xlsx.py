"""
The report as XLSX: real numbers and dates, frozen headers, and links from target to unit to day.

    summary ─▶ targets ─▶ units ─▶ days (minutes), tests      outages      visit list

Written row by row, so that a city's days need no more memory than a row.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.hyperlink import Hyperlink

from collector.report import sampled, xlsx_beside
from collector.report.cells import COUNT, DAY, PERCENT, RATE, TIME, Cell, Column, lines_in, lines_of
from collector.report.document import BadReport, document_of, packed, unpacked
from collector.report.looks import VERDICTS
from collector.report.model import Made, Page, Report, Strip, counts_of
from collector.report.origin import basis_of, correction_of, targets_moved, units_moved
from collector.report.tree import fingerprint, tree_of
from collector.report.views import View, ordered
from collector.terms import IN_REPORTS
from collector.verify.causes import Cause, as_text
from collector.verify.results import Interval, UnitResult, Verdict
from collector.words import Language, word

MOST_ROWS = 1_048_576  # of a sheet
ATTACHED, _MOST_TEXT = "santong-report", 32_000  # of the 32,767 characters that a cell can hold
_ACROSS = 190  # characters on a page of A4 across, so that they can be read
_LINE = 15  # height of a line in points
_FONT = "Calibri"  # as openpyxl's other cells
_HEAD = {
    "font": Font(name=_FONT, bold=True),
    "fill": PatternFill("solid", fgColor="E6EDF2"),
    "alignment": Alignment(wrap_text=True, vertical="center"),
    "border": Border(bottom=Side("medium")),
}
_COLOURS = {Verdict.PASS: "1F6F9F", Verdict.FAIL: "A83F00", Verdict.NOT_PROVEN: "4D4D4D"}
_LINK = Font(name=_FONT, color="1F6F9F", underline="single")


def write_xlsx(path: Path, report: Report, language: Language, made: Made) -> None:
    """Write the report."""
    book = Workbook(write_only=True)
    sheets = _Sheets(View(report, language), made)
    for name, columns, rows in sheets.all():
        _write_all(book, name, columns, rows)
    _attach(book, packed(document_of(report, made)))
    book.save(path)


def _attach(book: Workbook, text: str) -> None:
    """Put a document into a sheet that no menu shows: pieces of text, one below the other."""
    sheet = book.create_sheet(ATTACHED)
    sheet.sheet_state = "veryHidden"
    for at in range(0, len(text), _MOST_TEXT):
        sheet.append([text[at : at + _MOST_TEXT]])


def document_in(path: Path) -> bytes:
    """Return the document within a workbook; BadReport where there is none."""
    book = _opened(path)
    if ATTACHED not in book.sheetnames:
        raise BadReport("has no report within: what other programs make cannot be checked")
    return unpacked("".join(str(row[0]) for row in book[ATTACHED].iter_rows(values_only=True)))


def _opened(path: Path) -> Workbook:
    try:
        return load_workbook(path, read_only=True)
    except (BadZipFile, KeyError, ValueError, InvalidFileException):
        raise BadReport("is no workbook, or is damaged") from None


def _write_all(book: Workbook, name: str, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> None:
    """Write a sheet; rows beyond what one can hold go on in "name 2"."""
    rest, number = iter(rows), 0
    first: list[Sequence[Any]] = []
    while number == 0 or first:
        _sheet(book, sheet_name(name, number), columns, chain(first, islice(rest, MOST_ROWS - 1 - len(first))))
        first, number = list(islice(rest, 1)), number + 1


def sheet_name(name: str, number: int) -> str:
    """Return the name of the sheet that holds the rows of another one beyond what fits, from 0."""
    return f"{name} {number + 1}" if number else name


def _sheet(book: Workbook, name: str, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> None:
    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    across = -(-sum(column.width for column in columns) // _ACROSS)
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = int(across), 0
    if across > 1:
        sheet.print_title_cols = "A:A"
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"
    for number, column in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(number)].width = column.width
    sheet.row_dimensions[1].height = _LINE * max(lines_of(column.header, column.width) for column in columns)
    sheet.append([_head(sheet, column) for column in columns])
    last = 1
    for row in rows:
        last += 1
        if lines := lines_in(row, columns):
            sheet.row_dimensions[last].height = lines * _LINE
        sheet.append(
            [_cell(sheet, value, column, is_tall=lines > 1) for value, column in zip(row, columns, strict=False)]
        )
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{last}"


def _head(sheet: Any, column: Column) -> Any:
    cell = WriteOnlyCell(sheet, column.header)
    for name, style in _HEAD.items():
        setattr(cell, name, style)
    return cell


def _cell(sheet: Any, value: Any, column: Column, *, is_tall: bool) -> Any:
    one = value if isinstance(value, Cell) else Cell(value)
    cell = WriteOnlyCell(sheet, one.value)
    if isinstance(one.value, str):
        cell.data_type = "s"  # text of others is never a formula
    elif one.value is not None:
        cell.number_format = one.format or column.format
    if one.link:
        cell.hyperlink = Hyperlink(ref="A1", location=one.link)
        cell.font = _LINK
    if one.verdict is not None:
        cell.font = Font(name=_FONT, bold=True, color=_COLOURS[one.verdict])
    if one.wrap or is_tall:
        cell.alignment = Alignment(wrap_text=one.wrap, vertical="top")
    return cell


class _Sheets:
    """The sheets, in order; where units and days stand is known before their rows are made."""

    def __init__(self, view: View, made: Made) -> None:
        self._view, self._made, self._report = view, made, view.report
        self._t = view.text
        self._names = {
            key: self._t(phrase)
            for key, phrase in (
                ("summary", "summary"), ("targets", "sheet_targets"), ("units", "sheet_units"), ("days", "sheet_days"),
                ("tests", "sheet_tests"), ("outages", "outages"), ("visits", "visits"),
                ("disputes", "disputes_section"), ("samples", "samples_section"), ("classes", "sampled_class"),
                ("findings", "findings"), ("basis", "rests_on"), ("hashes", "sheet_hashes"), ("glossary", "glossary"),
            )
        }  # fmt: skip
        self._unit_row: dict[tuple[str, str], int] = {}
        self._detail: dict[tuple[str, str], str] = {}
        self._target_row = {str(page.target.id): number for number, page in enumerate(self._report.pages, 2)}
        rows = {"units": 2, "days": 2, "tests": 2}
        for page in self._report.pages:
            for unit in ordered(page.result.units):
                self._place(page, unit, rows)

    def _place(self, page: Page, unit: UnitResult, rows: dict[str, int]) -> None:
        key = (page.target.id, unit.id)
        self._unit_row[key] = rows["units"]
        rows["units"] += 1
        for sheet, some in (("days", page.strips.get(unit.id, ())), ("tests", page.tests.get(unit.id, ()))):
            if some:
                self._detail[key] = self._link(sheet, rows[sheet])
                rows[sheet] += len(some)

    def _link(self, sheet: str, row: int) -> str:
        """Return the place of a row, counted as if the first sheet could hold all; headers are row 1 of each."""
        number, place = divmod(row - 2, MOST_ROWS - 1)
        return f"'{sheet_name(self._names[sheet], number)}'!A{place + 2}"

    def all(self) -> Iterator[tuple[str, list[Column], Iterable[Sequence[Any]]]]:
        """Yield each sheet: its name, columns and rows."""
        for key, columns, rows in (
            ("summary", self._summary_columns(), self._summary()),
            ("targets", self._target_columns(), self._targets()),
            ("units", self._unit_columns(), self._units()),
            ("days", self._day_columns(), self._days()),
            ("tests", self._test_columns(), self._tests()),
            ("outages", self._outage_columns(), self._outages()),
            ("visits", self._visit_columns(), self._visits()),
            ("disputes", xlsx_beside.dispute_columns(self._view), xlsx_beside.disputes(self._view)),
            ("samples", xlsx_beside.sample_columns(self._view), xlsx_beside.samples(self._view)),
            ("classes", xlsx_beside.class_columns(self._view), xlsx_beside.classes(self._view)),
            ("findings", xlsx_beside.finding_columns(self._view), xlsx_beside.findings(self._view)),
            ("basis", [Column(self._t("item"), 44), Column(self._t("value"), 100)], self._basis()),
            ("hashes", self._hash_columns(), self._hashes()),
            ("glossary", [Column(self._t("item"), 22), Column(self._t("value"), 110)], self._glossary()),
        ):
            yield self._names[key], columns, rows

    # ---- summary

    def _summary_columns(self) -> list[Column]:
        return [Column(self._t("item"), 44), Column(self._t("value"), 100, COUNT)]

    def _summary(self) -> Iterator[Sequence[Any]]:
        head, verdicts = self._report.head, self._report.verdicts
        yield self._t("report_title"), self._t("report_subtitle")
        yield self._t("number"), head.number
        yield self._t("period"), f"{self._view.period()}{self._t('in_brackets', what=self._view.zone_name())}"
        yield self._t("scope"), self._view.scope()
        yield self._t("made_at"), self._view.instant_of(self._made.at)
        yield self._t("software"), f"santong {self._made.version}"
        yield self._t("fingerprint"), fingerprint(tree_of(self._report))
        for fact in correction_of(self._view):
            yield fact.name, fact.value
        for moved in (*targets_moved(self._view), *units_moved(self._view)):
            yield moved.name, f"{moved.before} → {moved.now}"
        for verdict, number in verdicts.items():
            yield Cell(f"{VERDICTS[verdict]} {self._view.verdict(verdict)}", verdict=verdict), number
        for page in self._report.pages:
            link = self._link("targets", self._target_row[page.target.id])
            yield Cell(self._title(page), link), Cell(self._view.sentence(page.result), wrap=True)
        yield from self._beside()
        yield self._t("definitions"), Cell(self._t("how_to_read"), wrap=True)
        for one in self._report.declared:
            name = f"{self._view.title(one.target.title)} ({self._t('declared')})"
            yield name, Cell(self._view.sentence(one), wrap=True)
        for one in self._report.outside:
            yield self._view.title(one.target.title), self._view.sentence(one)

    def _beside(self) -> Iterator[Sequence[Any]]:
        """Yield what was agreed and what inspectors saw, with the sheets that tell more."""
        agreed = self._report.agreed
        yield (
            Cell(self._t("disputes_section"), self._link("disputes", 2) if agreed.disputes else ""),
            len(agreed.disputes),
        )
        yield self._t("disputes_head").rstrip("： :"), agreed.head or "–"
        for number, one in enumerate(self._report.samples):
            row = 2 + sum(1 + len(before.found.strata) for before in self._report.samples[:number])
            yield Cell(f"{self._t('sample')} {one.id}", self._link("samples", row)), sampled.headline(one, self._view)

    def _title(self, page: Page) -> str:
        return self._view.title(page.target.title)

    # ---- what it rests on

    def _basis(self) -> Iterator[Sequence[Any]]:
        for fact in basis_of(self._view, self._made):
            yield fact.name, fact.value

    def _hash_columns(self) -> list[Column]:
        return [Column(self._t("day"), 12, DAY), Column(self._t("device"), 32), Column("SHA-256", 68)]

    def _hashes(self) -> Iterator[Sequence[Any]]:
        evidence = self._report.basis.evidence
        for day in sorted(evidence.leaves) if evidence else ():
            for device in sorted(evidence.leaves[day]) if evidence else ():
                yield date.fromisoformat(day), device, evidence.leaves[day][device] if evidence else ""

    # ---- targets

    def _target_columns(self) -> list[Column]:
        counts = [Column(self._t(key), 10, COUNT) for key in ("proven", "failing", "unproven", "all", "needed")]
        return [
            Column(self._t("target"), 44), Column(self._t("unit_id"), 22), Column(self._t("verdict"), 14), *counts,
            Column(self._t("proven_at_least"), 12, PERCENT), Column(self._t("possible_at_most"), 12, PERCENT),
            Column(self._t("verdict_without"), 14), Column(self._t("low_without"), 12, PERCENT),
            Column(self._t("high_without"), 12, PERCENT),
            Column(self._t("deadline"), 12, DAY), Column(self._t("to_pass"), 50), Column(self._t("sentence"), 70),
            Column(self._t("definition"), 80), *self._cause_columns(),
        ]  # fmt: skip

    def _cause_columns(self) -> list[Column]:
        return [Column(word(f"cause_{cause}", self._view.language).split("（")[0], 10, COUNT) for cause in Cause]

    def _targets(self) -> Iterator[Sequence[Any]]:
        for page in self._report.pages:
            first = ordered(page.result.units)[0].id
            link = self._link("units", self._unit_row[page.target.id, first])
            counts, minutes = page.counts, [page.minutes.get(cause, 0) for cause in Cause] if page.days else []
            yield (
                Cell(self._title(page), link), page.target.id, self._verdict(page.result.verdict),
                counts.proven, counts.failing, counts.unproven, counts.total, page.needed,
                *_bounds(counts.rate), *self._without(page), page.target.deadline,
                Cell(self._view.to_pass(page.minimal), wrap=True),
                Cell(self._view.sentence(page.result), wrap=True),
                Cell(self._view.title(page.target.definition), wrap=True), *minutes,
            )  # fmt: skip

    def _without(self, page: Page) -> Sequence[Any]:
        """Return verdict and rate without disputes and closures; the same again where they change nothing."""
        other = self._report.agreed.without.get(page.target.id)
        result = other.result if other else page.result
        return self._verdict(result.verdict), *_bounds(counts_of(result.units).rate)

    def _verdict(self, verdict: Verdict) -> Cell:
        return Cell(f"{VERDICTS[verdict]} {self._view.verdict(verdict)}", verdict=verdict)

    # ---- units

    def _unit_columns(self) -> list[Column]:
        names = ("tests", "inconclusive", "median", "lower", "upper", "threshold")
        days = ("days_counted", "days_good", "days_never_on")
        return [
            Column(self._t("unit"), 32), Column(self._t("unit_id"), 28), Column(self._t("target"), 36),
            Column(self._t("county"), 16), Column(self._t("site"), 24), Column(self._t("verdict"), 12),
            Column(self._t("proven_at_least"), 12, PERCENT), Column(self._t("possible_at_most"), 12, PERCENT),
            Column(self._t("sentence"), 60), *(Column(self._t(one), 10, COUNT) for one in days),
            *(Column(self._t(one), 10, COUNT if one in names[:2] else RATE) for one in names),
            *self._cause_columns(),
        ]  # fmt: skip

    def _units(self) -> Iterator[Sequence[Any]]:
        for page in self._report.pages:
            for unit in ordered(page.result.units):
                yield self._unit(page, unit)

    def _unit(self, page: Page, unit: UnitResult) -> Sequence[Any]:
        figures = unit.figures
        rate = _bounds(unit.rate) if unit.rate else (None, None)
        minutes = [unit.minutes.get(cause, 0) for cause in Cause] if page.days else []
        known = ("tests", "inconclusive", "median_mbps", "lower_mbps", "upper_mbps", "threshold_mbps")
        said = Cell(f"{VERDICTS[unit.verdict]} {self._view.of_unit(unit.verdict)}", verdict=unit.verdict)
        return (
            Cell(self._view.place(unit), self._detail.get((page.target.id, unit.id), "")), unit.id, self._title(page),
            self._view.county(unit.site.partition("-")[0]), self._view.site(unit.site), said,
            *rate, self._view.reason_of(unit, page.target),
            *(figures.get(name) for name in ("days", "days_good", "never_on")),
            *(figures.get(name) for name in known), *minutes,
        )  # fmt: skip

    # ---- days and tests

    def _day_columns(self) -> list[Column]:
        counted = ("minutes_good", "minutes_bad", "minutes_unknown", "minutes_excluded", "counted_minutes")
        return [
            Column(self._t("unit"), 32), Column(self._t("unit_id"), 28), Column(self._t("target"), 36),
            Column(self._t("device"), 28), Column(self._t("day"), 12, DAY), Column(self._t("kind"), 12),
            *(Column(self._t(one), 11, COUNT) for one in counted),
            Column(self._t("proven_at_least"), 12, PERCENT), *self._cause_columns(), Column(self._t("runs"), 80),
        ]  # fmt: skip

    def _days(self) -> Iterator[Sequence[Any]]:
        for page, unit in self._each():
            link = self._link("units", self._unit_row[page.target.id, unit.id])
            for strip in page.strips.get(unit.id, ()):
                yield (Cell(self._view.place(unit), link), unit.id, self._title(page), *self._day(page, strip))

    def _day(self, page: Page, strip: Strip) -> Sequence[Any]:
        counted = strip.good + strip.bad + strip.unknown
        minutes = strip.record.minutes()
        kind = self._t(f"kind_{strip.kind}") if page.target.rule.days is not None else None
        return (
            strip.device, strip.day, kind, strip.good, strip.bad, strip.unknown, strip.excluded, counted,
            strip.good / counted if counted else None, *(minutes.get(cause, 0) for cause in Cause),
            as_text(strip.record.runs, strip.record.day_start_ns),
        )  # fmt: skip

    def _each(self) -> Iterator[tuple[Page, UnitResult]]:
        for page in self._report.pages:
            for unit in ordered(page.result.units):
                yield page, unit

    def _test_columns(self) -> list[Column]:
        return [
            Column(self._t("unit"), 32), Column(self._t("unit_id"), 28), Column(self._t("target"), 36),
            Column(self._t("device"), 28), Column(self._t("time"), 18, TIME), Column(self._t("goodput"), 14, RATE),
            Column(self._t("limited_by"), 16), Column(self._t("threshold"), 12, RATE),
        ]  # fmt: skip

    def _tests(self) -> Iterator[Sequence[Any]]:
        for page, unit in self._each():
            link = self._link("units", self._unit_row[page.target.id, unit.id])
            for test in page.tests.get(unit.id, ()):
                yield (
                    Cell(self._view.place(unit), link), unit.id, self._title(page), test.device,
                    self._time(test.time_ns), test.goodput_mbps,
                    self._view.limited_by(test.limited_by), page.target.rule.throughput_mbps,
                )  # fmt: skip

    def _time(self, time_ns: int) -> datetime:
        """Return an instant as the programme's local time; a sheet knows no zones."""
        return datetime.fromtimestamp(time_ns // 10**9, self._view.zone).replace(tzinfo=None)

    # ---- outages and visits

    def _outage_columns(self) -> list[Column]:
        return [
            Column(self._t("site"), 24), Column(self._t("device"), 28), Column(self._t("target"), 36),
            Column(self._t("start"), 18, TIME), Column(self._t("end"), 18, TIME),
            Column(self._t("outage_minutes"), 12, COUNT), Column(self._t("why"), 30),
        ]  # fmt: skip

    def _outages(self) -> Iterator[Sequence[Any]]:
        for page in self._report.pages:
            for one in page.outages:
                site = self._view.site(one.device.partition(".")[0])
                times = self._time(one.start_ns), self._time(one.end_ns)
                reason = self._view.reason(str(one.cause), one.stage)
                yield site, one.device, self._title(page), *times, one.minutes, reason

    def _visit_columns(self) -> list[Column]:
        widths = (
            ("number_in_list", 6), ("site", 24), ("county", 16), ("contact", 14), ("phone", 16), ("address", 30),
            ("target", 36), ("unit", 36), ("why", 24), ("outage_minutes", 12), ("party", 18), ("action", 50),
            ("effort", 10), ("done", 8),
        )  # fmt: skip
        return [Column(self._t(key), width, COUNT) for key, width in widths]

    def _visits(self) -> Iterator[Sequence[Any]]:
        for number, visit in enumerate(self._report.visits, 1):
            site = visit.site
            who = self._view.county(site.county), site.contact, site.phone, site.address
            for fix in visit.fixes:
                page = self._report.pages[self._target_row[fix.target] - 2]
                link = self._link("units", self._unit_row[fix.target, fix.unit])
                yield (
                    number, self._view.site(site.id), *who, self._title(page), Cell(fix.title, link),
                    self._view.reason(fix.reason, fix.stage), fix.minutes or None, self._view.party(fix.party, site),
                    Cell(self._t(f"action_{fix.action}"), wrap=True), self._t(f"effort_{fix.effort}"),
                )  # fmt: skip

    def _glossary(self) -> Iterator[Sequence[Any]]:
        for one in IN_REPORTS.values():
            language = self._view.language
            yield one.name(language), Cell(one.meaning(language), wrap=True)


def _bounds(rate: Interval) -> tuple[float, float]:
    return rate.low, rate.high
