"""
The list of inspectors 检查人员名录: CSV or XLSX with a column of names, and one of where each belongs.

Somebody belongs to a site (its id or name) or to a whole county (its code or name), several parted by a semicolon or
in rows of their own; there they are never sent.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from collector.roster.columns import COUNTIES, meant_id
from collector.roster.findings import Finding
from collector.roster.schema import Roster
from collector.sampling.draw import Inspector
from collector.sampling.sheets import Cells, Heading, rows_of
from contract.meant import did_you_mean

HEADINGS = (
    Heading("inspector", ("检查人员", "姓名", "检查员", "执法人员", "检查组", "name")),
    Heading("belongs_to", ("回避单位", "所属单位", "所属学校", "工作单位", "belongs"), is_needed=False),
)
_PARTED = re.compile(r"[;；、,，\n]+")


class Listed(NamedTuple):
    """The inspectors of a file, by their order in it, and what is wrong with it."""

    inspectors: tuple[Inspector, ...]
    findings: tuple[Finding, ...]


def read_inspectors(file: Path, roster: Roster) -> Listed:
    """Return the inspectors of a file; OSError when it cannot be read at all."""
    rows, findings = rows_of(str(file), file.read_bytes(), HEADINGS)
    places = _places(roster)
    found: dict[str, tuple[str, ...]] = {}
    name = ""
    for row in rows:
        name = row.of("inspector") or name  # the cells under a merged one are empty
        if not name:
            findings.append(row.where.finding("inspector", "is empty"))
            continue
        found[name] = found.get(name, ()) + _belongings(row, places, findings)
    if not found and not findings:
        findings.append(Finding(str(file), "", 0, -1, "", "names no inspector"))
    inspectors = (Inspector(name, tuple(dict.fromkeys(some))) for name, some in found.items())
    return Listed(tuple(inspectors), tuple(findings))


def _places(roster: Roster) -> Mapping[str, tuple[str, ...]]:
    """Return what a place may be called, and the sites or the county that it is."""
    counties = {one.county for one in roster.sites.values()}
    found: dict[str, tuple[str, ...]] = {}
    for site in roster.sites.values():
        if site.name:
            found[site.name] = (*found.get(site.name, ()), site.id)
    found |= {site: (site,) for site in roster.sites}
    found |= {county: (county,) for county in counties}
    return found | {name: (code,) for code, name in COUNTIES.items() if code in counties}


def _belongings(row: Cells, places: Mapping[str, tuple[str, ...]], findings: list[Finding]) -> tuple[str, ...]:
    found: list[str] = []
    for part in map(str.strip, _PARTED.split(row.of("belongs_to"))):
        if not part:
            continue
        known = places.get(part) or places.get(meant_id(part))
        if known:
            found += known  # schools of one name: to none of them
        else:
            message = f"{part!r} is neither a site nor a county of the roster{did_you_mean(part, places)}"
            findings.append(row.where.finding("belongs_to", message))
    return tuple(found)
