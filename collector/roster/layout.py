"""Which column of a sheet is which: told by its headers, which stand near the top, under titles maybe."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from collector.roster import columns
from collector.roster.columns import DEVICE_COLUMNS, IGNORED, SITE_COLUMNS, Column, header_key
from collector.roster.findings import Finding, Where
from collector.roster.table import Sheet
from contract.meant import did_you_mean

SITE_FIELDS = frozenset(column.name for column in SITE_COLUMNS) - {"site", "county"}
_HEADER_WITHIN = 10


class Layout(NamedTuple):
    """Which column stands where in a sheet: (index, column) of each that is known, the row of the headers, its rows."""

    sheet: Sheet
    header_row: int
    known: tuple[tuple[int, Column], ...]
    places: Mapping[str, tuple[int, str]]

    @property
    def has_devices(self) -> bool:
        """Tell whether each row is a device."""
        return "device" in self.places

    @property
    def has_sites(self) -> bool:
        """Tell whether the rows say something of sites."""
        return not self.has_devices or not SITE_FIELDS.isdisjoint(self.places)

    def where(self, row: int) -> Where:
        """Return a row's place."""
        return Where(self.sheet.file, self.sheet.name, row, self.places)


def layout_of(sheet: Sheet) -> Layout | None:
    """Return where the columns are: the headers are the row, near the top, with most of them; None without any."""
    best: list[Column | None] = []
    best_row = None
    for row in sheet.rows[:_HEADER_WITHIN]:
        found = columns.recognised(row.cells)
        if len(set(found) - {None}) > len(set(best) - {None}):
            best, best_row = found, row
    ids = {column.name for column in best if column} & {"site", "device"}
    if best_row is None or not ids:
        return None
    known: dict[str, tuple[int, Column]] = {}
    for index, column in enumerate(best):
        if column:
            known.setdefault(column.name, (index, column))
    places = {name: (index, columns.tidy(best_row.cells[index])) for name, (index, _) in known.items()}
    return Layout(sheet, best_row.number, tuple(known.values()), places)


def headers_amiss(layout: Layout) -> Iterator[Finding]:
    """Yield the headers that stand twice, that nobody knows, and that are nearly one that is known."""
    sheet = layout.sheet
    cells = next(row.cells for row in sheet.rows if row.number == layout.header_row)
    known = {index for index, _ in layout.known}
    for index, (text, column) in enumerate(zip(cells, columns.recognised(cells), strict=True)):
        title = columns.tidy(text)
        if not title or index in known or header_key(text) in IGNORED:
            continue
        is_warning = False
        if column:
            message = f"is the column {column.name} again: {layout.places[column.name][1]} is it already"
        elif near := columns.near_header(text):
            message = f"is not a column of the roster, did you mean {near}"
        else:
            message, is_warning = "is not a column of the roster, and not read", True
        yield Finding(sheet.file, sheet.name, layout.header_row, index, title, message, is_warning)


def no_header(sheet: Sheet) -> str:
    """Say that a sheet has no headers, and which ones were meant."""
    first = max(sheet.rows[:_HEADER_WITHIN], key=lambda row: sum(map(bool, row.cells)))
    named = [columns.tidy(text) for text in first.cells if text.strip()]
    shown = ", ".join(named[:6]) + (", …" if len(named) > 6 else "")
    meant = _meant(named)
    return f"has no column site 学校代码 or device 设备编号; its first ones are {shown}{meant}"


def _meant(titles: Iterable[str]) -> str:
    ids = {
        header_key(text) for column in (SITE_COLUMNS[0], DEVICE_COLUMNS[0]) for text in (column.name, *column.headers)
    }
    return next((hint for title in titles if (hint := did_you_mean(header_key(title), ids))), "")
