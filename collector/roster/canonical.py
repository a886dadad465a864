"""
A roster as CSV, always the same bytes for the same roster: sorted by id, English headers, UTF-8, LF.

`collector.roster.read` reads it back, every field as it was. Columns that came later (`_LATER`) are there only where a
device has something in them, so that rosters without them keep their bytes, and the SHA-256 that reports know them by.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from typing import Any

from collector.roster.columns import DEVICE_COLUMNS, SITE_COLUMNS
from collector.roster.schema import Device, Roster, Site

SITES, DEVICES = "sites.csv", "devices.csv"
_SITE_NAMES = tuple(column.name for column in SITE_COLUMNS if column.name != "county")  # which the id has
_LATER = ("host", "reach")


def files(roster: Roster) -> dict[str, bytes]:
    """Return a roster as two files, by name."""
    sites = [_site_cells(roster.sites[site]) for site in sorted(roster.sites)]
    names = _device_names(roster)
    devices = [_device_cells(roster.devices[device], names) for device in sorted(roster.devices)]
    return {SITES: _csv([_SITE_NAMES, *sites]), DEVICES: _csv([names, *devices])}


def table(roster: Roster) -> bytes:
    """Return a roster as one file: a row for each device, with its site's columns, and for each site without any."""
    rows: list[Sequence[str]] = []
    equipped = {device.site for device in roster.devices.values()}
    names = _device_names(roster)
    nothing = [""] * len(names)
    rows += [[*_site_cells(roster.sites[site]), *nothing] for site in roster.sites if site not in equipped]
    for device in roster.devices.values():
        rows.append([*_site_cells(roster.site_of(device.id)), *_device_cells(device, names)])
    return _csv([(*_SITE_NAMES, *names), *sorted(rows, key=lambda row: (row[0], row[len(_SITE_NAMES)]))])


def digest(roster: Roster) -> str:
    """Return the SHA-256 that a roster is known by, the same for the same sites and devices."""
    return digest_of(files(roster))


def digest_of(content: dict[str, bytes]) -> str:
    """Return the SHA-256 of what `files` returned."""
    total = hashlib.sha256()
    for name in (SITES, DEVICES):
        total.update(hashlib.sha256(content[name]).digest())
    return total.hexdigest()


def text_of(value: Any) -> str:
    """Return a value as a cell has it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def _site_cells(site: Site) -> list[str]:
    return [site.id, *(text_of(getattr(site, name)) for name in _SITE_NAMES[1:])]


def _device_names(roster: Roster) -> tuple[str, ...]:
    """Return the columns of devices that a roster has."""
    unused = {name for name in _LATER if not any(getattr(device, name) for device in roster.devices.values())}
    return tuple(column.name for column in DEVICE_COLUMNS if column.name not in unused)


def _device_cells(device: Device, names: Sequence[str]) -> list[str]:
    return [device.id, *(text_of(getattr(device, name)) for name in names[1:])]


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
