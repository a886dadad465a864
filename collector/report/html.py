"""
The report as one HTML file: styles, charts and fonts' names within, no address outside; A4 when it is printed.

    View, charts ──▶ templates/report.html ──▶ one file ──▶ a browser, or pdf.py
"""

import re
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from collector.report import agreed, charts, sampled
from collector.report.document import BadReport, document_of, packed, unpacked
from collector.report.looks import VERDICTS
from collector.report.model import Made, Page, Report
from collector.report.origin import Fact, Moved, basis_of, correction_of, targets_moved, units_moved
from collector.report.tree import fingerprint, tree_of
from collector.report.views import View, anchors, detailed, ordered, with_details
from collector.terms import IN_REPORTS
from collector.verify.results import UnitResult, Verdict
from collector.words import Language

_TEMPLATES = Path(__file__).parent / "templates"
MOST_UNITS = 2000
MOST_FINDINGS = 30
_DOCUMENT = re.compile(r'<template id="santong-report">([A-Za-z0-9+/=]+)</template>')
ROWS_A_PIECE = 11  # of a heat strip: a page may break between pieces, not within


class Limits(NamedTuple):
    """
    How many units of a target a file shows, and of how many their minutes.

    `visits_only` shows the list alone; `rows` is how many device-days of a unit it shows: a school may have hundreds.
    With `has_document` the JSON document is in it, to be checked.
    """

    units: int = MOST_UNITS
    details: int = MOST_UNITS
    visits_only: bool = False
    has_document: bool = False
    rows: int = MOST_UNITS


def html_of(report: Report, language: Language, made: Made, limits: Limits) -> str:
    """Return the report as HTML."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["css"] = css_string
    environment.filters["dates"] = unbroken_dates
    environment.filters["breakable"] = breakable
    view = View(report, language)
    return environment.get_template("report.html").render(
        view=view,
        t=view.text,
        report=report,
        made=made,
        limits=limits,
        language=language,
        fingerprint=fingerprint(tree_of(report)),
        document=Markup(packed(document_of(report, made)) if limits.has_document else ""),  # noqa: S704  base64
        charts=_Charts(view, limits),
        origin=_Origin(view, made),
        parts=_Parts(limits),
        agreed=agreed,
        sampled=sampled,
        glossary=IN_REPORTS,
        marks=VERDICTS,
        verdicts=Verdict,
        most_findings=MOST_FINDINGS,
        style=Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704  our own file
    )


def document_in(text: str) -> bytes:
    """Return the document within a page; BadReport where there is none."""
    match = _DOCUMENT.search(text)
    if match is None:
        raise BadReport("has no report within: the visit list alone, and what other programs make, cannot be checked")
    return unpacked(match[1])


def css_string(text: str) -> Markup:
    """Return a text as a string of CSS: whatever is no letter or digit as its number."""
    escaped = "".join(char if char.isascii() and char.isalnum() else f"\\{ord(char):x} " for char in text)
    return Markup('"{}"').format(Markup(escaped))  # noqa: S704  letters, digits, numbers of characters


def unbroken_dates(text: str) -> Markup:
    """Return days or instants "from to" in which no line breaks but between the two."""
    parts = re.split(r"(?<=至)| (?=to )", text)
    return Markup(" ").join(Markup('<span class="w">{}</span>').format(part) for part in parts)


def breakable(name: str) -> Markup:
    """Return an id in which lines may break after its site and nowhere else."""
    return Markup().join(Markup('<span class="part">{}</span>').format(part) for part in re.split(r"(?<=[./])", name))


class _Charts:
    """The charts that a page of a target has."""

    def __init__(self, view: View, limits: Limits) -> None:
        self._view, self._limits = view, limits

    def by_day(self, page: Page) -> Markup:
        return charts.by_day(page, self._view.language)

    def causes(self, page: Page) -> Markup:
        return charts.causes(page, self._view.language)

    def tests(self, page: Page) -> Markup:
        some = (test for tests in page.tests.values() for test in tests)
        return charts.tests(some, page.target.rule.throughput_mbps or 0.0, self._view.language)

    def strips(self, page: Page, unit: UnitResult) -> Markup:
        some = page.strips[unit.id][: self._limits.rows]
        rows = -(-len(some) // -(-len(some) // ROWS_A_PIECE))  # as many in each piece, of as few pieces as can be
        pieces = (some[number : number + rows] for number in range(0, len(some), rows))
        return Markup().join(charts.strips(piece, some, self._view.zone, self._view.language) for piece in pieces)

    def journey(self, number: int) -> Markup:
        return charts.journey(self._view.report.rates.journeys.total[number], self._view.language)

    def key(self) -> Markup:
        return charts.key(self._view.language)


class _Origin:
    """Where the report comes from."""

    def __init__(self, view: View, made: Made) -> None:
        self._view, self._made = view, made

    def basis(self) -> list[Fact]:
        return list(basis_of(self._view, self._made))

    def correction(self) -> list[Fact]:
        return list(correction_of(self._view))

    def targets(self) -> list[Moved]:
        return list(targets_moved(self._view))

    def units(self) -> list[Moved]:
        return list(units_moved(self._view))


class _Parts:
    """What of a target is shown: units, details, and how many are left out."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.anchors = anchors

    def units(self, page: Page) -> list[UnitResult]:
        return ordered(page.result.units)[: self._limits.units]

    def details(self, page: Page) -> list[UnitResult]:
        return list(with_details(page, self._limits.details))

    def detailed(self, page: Page) -> int:
        return detailed(page)
