"""
Files to a roster, and everything that is wrong with them at once.

    files ──▶ sheets ──▶ layout: which column is what ──▶ rows ──▶ sites and devices ──▶ rules ──▶ Reading

A sheet tells by its headers what it has: sites; devices; or devices with their sites' columns, repeated in each row.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from collector.roster import rules
from collector.roster.columns import DEVICE_COLUMNS, meant_id
from collector.roster.findings import Finding, Known, Where
from collector.roster.layout import SITE_FIELDS, Layout, headers_amiss, layout_of, no_header
from collector.roster.schema import Device, Roster, Site
from collector.roster.table import BadTable, Sheet, read_sheets
from contract.names import is_device, site_of

_DEVICE_NAMES = {column.name for column in DEVICE_COLUMNS}
_DEVICE_FIELDS = _DEVICE_NAMES - {"device"}
_QINGYUAN = Known()
_SITE_RULE = "<county>-<school code>, in a-z, 0-9 and '-'"
_PLACE_FOR_A_DEVICE = ".x"  # the shortest that follows a site's id in a device's


class Source(NamedTuple):
    """A file that was read, with its bytes."""

    file: Path
    content: bytes


class Reading(NamedTuple):
    """What files have: the roster, as far as it could be read, and what is wrong, in the order of the files."""

    roster: Roster
    findings: tuple[Finding, ...] = ()
    sources: tuple[Source, ...] = ()

    @property
    def errors(self) -> list[Finding]:
        """What stops an import."""
        return [finding for finding in self.findings if not finding.is_warning]

    @property
    def warnings(self) -> list[Finding]:
        """What stops no import."""
        return [finding for finding in self.findings if finding.is_warning]


def read(files: Sequence[Path], known: Known = _QINGYUAN) -> Reading:
    """Return the roster of files together, and all that is wrong; OSError when a file cannot be read at all."""
    reader = _Reader()
    sources = [Source(file, file.read_bytes()) for file in files]
    for file, content in sources:
        try:
            sheets = read_sheets(str(file), content)
        except BadTable as error:
            reader.findings.append(Finding(str(file), "", 0, -1, "", str(error)))
        else:
            reader.take(sheets)
    roster = reader.roster()
    checked = rules.check(roster, reader.site_places, reader.device_places, known)
    order = {str(file): number for number, file in enumerate(files)}
    sheets_seen = {name: number for number, name in enumerate(dict.fromkeys(reader.sheets))}

    def place(finding: Finding) -> tuple[int, int, int, int]:
        return order[finding.file], sheets_seen.get(finding.sheet, -1), finding.row, finding.at

    return Reading(roster, tuple(sorted([*reader.findings, *checked], key=place)), tuple(sources))


class _Reader:
    """Takes sheets, one after the other."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.sheets: list[str] = []
        self.site_places: dict[str, Where] = {}
        self.device_places: dict[str, Where] = {}
        self._sites: dict[str, dict[str, tuple[Any, Where]]] = {}
        self._listed: dict[str, Where] = {}  # sites with a row of their own
        self._devices: dict[str, Device] = {}
        self._first_devices: Where | None = None
        self._has_sites = False

    def take(self, sheets: Sequence[Sheet]) -> None:
        """Read the sheets of a file; those that are no roster are passed over where another one is."""
        self.sheets += [sheet.name for sheet in sheets]
        shown = [sheet for sheet in sheets if not sheet.is_hidden]
        filled = [sheet for sheet in shown if sheet.rows]
        layouts = [layout_of(sheet) for sheet in filled]
        for sheet in sheets:
            if sheet.is_hidden:
                self._note(sheet, "is hidden, and not read", is_warning=True)
        for sheet, layout in zip(filled, layouts, strict=True):
            if layout is None:
                self._note(sheet, no_header(sheet), is_warning=any(layouts))
            else:
                self._take_sheet(layout)
        if not filled:
            self._note(sheets[0], "is empty")

    def _note(self, sheet: Sheet, message: str, *, is_warning: bool = False) -> None:
        self.findings.append(Finding(sheet.file, sheet.name, 0, -1, "", message, is_warning))

    def _take_sheet(self, layout: Layout) -> None:
        sheet = layout.sheet
        self.findings += headers_amiss(layout)
        flawed: dict[int, set[int]] = {}
        header = layout.where(layout.header_row)
        titles = dict(layout.places.values())
        for number, index, message in sheet.flaws:
            if number > layout.header_row and index in titles:
                flawed.setdefault(number, set()).add(index)
                self.findings.append(Finding(sheet.file, sheet.name, number, index, titles[index], message))
        if layout.has_devices and "role" not in layout.places:
            self.findings.append(header.finding("role", "there is no column role 设备类型"))
        if layout.has_devices:
            self._first_devices = self._first_devices or header
        self._has_sites |= layout.has_sites
        for row in sheet.rows:
            if row.number > layout.header_row:
                self._take_row(layout, layout.where(row.number), row.cells, flawed.get(row.number, set()))

    def _take_row(self, layout: Layout, where: Where, cells: Sequence[str], flawed: set[int]) -> None:
        values: dict[str, Any] = {}
        failed = {column.name for index, column in layout.known if index in flawed}
        for index, column in layout.known:
            text = cells[index] if index < len(cells) else ""
            if not text or text.isspace():
                continue
            try:
                values[column.name] = column.read(text)
            except ValueError as error:
                failed.add(column.name)
                self._amiss(where, column.name, str(error))
        if not values and not failed:
            return
        site = self._site_id(where, values, failed)
        # A row that says nothing of a device, in a sheet with both, is a site that has none yet.
        is_site_alone = layout.has_sites and _DEVICE_NAMES.isdisjoint(values.keys() | failed)
        if layout.has_devices and not is_site_alone:
            site = self._take_device(where, values, failed, site) or site
        if layout.has_sites and site:
            self._take_site(where, site, values, is_listed=not layout.has_devices)

    def _amiss(self, where: Where, column: str, message: str) -> None:
        self.findings.append(where.finding(column, message))

    # ---- ids

    def _site_id(self, where: Where, values: Mapping[str, Any], failed: set[str]) -> str:
        """Return the site that a row names; nothing where it names none, or a wrong one."""
        text, county = values.get("site", ""), values.get("county", "")
        if not text:
            if "device" not in where.columns and "site" not in failed:
                self._amiss(where, "site", "is empty")
            return ""
        if "-" not in text and county:
            text = f"{county}-{text}"
        try:
            return _checked_site(text, county)
        except ValueError as error:
            self._amiss(where, "site", str(error))
            return ""

    def _take_device(self, where: Where, values: dict[str, Any], failed: set[str], site: str) -> str:
        """Keep the device of a row; return its site, nothing when its id cannot be told."""
        for name in ("device", "role"):
            if name not in values and name not in failed and name in where.columns:
                self._amiss(where, name, "is empty")
        if "device" not in values:
            return ""
        device = values["device"]
        if "." not in device and site:
            device = f"{site}.{device}"
        if not is_device(device):
            self._amiss(where, "device", _no_device(device))
            return ""
        own = site_of(device)
        if site and own != site:
            self._amiss(where, "site", f"is {site}, and by its id {device} stands on {own}")
        if device in self._devices:
            self._amiss(where, "device", f"{device} stands in {self._other(where, self.device_places[device])} already")
        else:
            self._devices[device] = _device(device, values)
            self.device_places[device] = where
        return own

    def _take_site(self, where: Where, site: str, values: Mapping[str, Any], *, is_listed: bool) -> None:
        """Keep what a row says of a site; rows that contradict each other are mistakes."""
        if is_listed and site in self._listed:
            self._amiss(where, "site", f"{site} stands in {self._other(where, self._listed[site])} already")
            return
        if is_listed:
            self._listed[site] = where
        self.site_places.setdefault(site, where)
        said = self._sites.setdefault(site, {})
        for name in SITE_FIELDS & values.keys():
            value, first = said.setdefault(name, (values[name], where))
            if value != values[name]:
                other = self._other(where, first)
                self._amiss(where, name, f"{values[name]} contradicts {value} in {other}: both are of {site}")

    @staticmethod
    def _other(where: Where, other: Where) -> str:
        """Name another row, with its file where it is another one."""
        return str(other) if other.file == where.file else f"{other} in {other.file}"

    def roster(self) -> Roster:
        """Return what was read; devices without any sheet of sites are one mistake, not one each."""
        sites = {
            site: Site(site, **{name: value for name, (value, _) in fields.items()})
            for site, fields in self._sites.items()
        }
        if self._first_devices and not self._has_sites:
            file, sheet = self._first_devices.file, self._first_devices.sheet
            message = "has devices, and no file has their sites: give that too, or columns such as name 学校名称"
            self.findings.append(Finding(file, sheet, 0, -1, "", message))
            sites = {site_of(device): Site(site_of(device)) for device in self._devices}
        return Roster(dict(sorted(sites.items())), dict(sorted(self._devices.items())))


def _checked_site(text: str, county: str) -> str:
    """Return a site id; ValueError says what is wrong with it."""
    if "-" not in text and is_device(f"0-{text.lower()}{_PLACE_FOR_A_DEVICE}"):
        raise ValueError(f"{text!r} is a school's code alone: write <county>-<code>, or add a column county 区县代码")
    if not is_device(text + _PLACE_FOR_A_DEVICE):
        meant = meant_id(text)
        hint = f", did you mean {meant}" if is_device(meant + _PLACE_FOR_A_DEVICE) else f": {_SITE_RULE}"
        raise ValueError(f"{text[:80]!r} is not a site id{hint}")
    if county and not text.startswith(f"{county}-"):
        raise ValueError(f"{text} is not in the county {county} of the same row")
    return text


def _device(device: str, values: Mapping[str, Any]) -> Device:
    """Return the device of a row; other devices that it names by their places alone are of its own site."""
    fields = {"role": ""} | {name: values[name] for name in _DEVICE_FIELDS & values.keys()}
    for name in ("agent", "successor"):
        if (other := fields.get(name)) and "." not in other:
            fields[name] = f"{site_of(device)}.{other}"
    if fields.get("agent") == device:
        del fields["agent"]
    return Device(device, **fields)


def _no_device(text: str) -> str:
    meant = meant_id(text)
    rule = ": <county>-<school code>.<place>, in a-z, 0-9 and '-', at most 64 characters"
    return f"{text[:80]!r} is not a device id{f', did you mean {meant}' if is_device(meant) else rule}"
