"""A report as a file of one of four kinds: whole, or not there at all."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collector.report import html, pdf, xlsx, xlsx_face
from collector.report.document import BadReport, document_of, read_document
from collector.report.html import Limits, html_of
from collector.report.model import Made, Report
from collector.report.pdf import PDF_LIMITS, check, pdf_of
from collector.report.xlsx import write_xlsx
from collector.words import Language
from contract.errors import SantongError

KINDS = ("html", "pdf", "xlsx", "json")


def can_be_made(file: Path, language: Language) -> None:
    """Raise PdfError where a file of this kind cannot be made on this machine, before anything is verified for it."""
    if _kind(file) == "pdf":
        check(language)


def write(out: Path, report: Report, language: Language, made: Made, *, only_visits: bool = False) -> None:
    """
    Write the file, by the end of its name: what is there already is replaced by a whole one.

    `only_visits`: the visit list alone, as HTML or PDF. Raises OSError.
    """
    kind = _kind(out)
    part = out.with_name(f".{out.name}.part")
    try:
        if kind == "html":
            limits = Limits(visits_only=only_visits, has_document=not only_visits)
            part.write_text(html_of(report, language, made, limits), encoding="utf-8")
        elif kind == "json":
            part.write_bytes(document_of(report, made))
        elif kind == "xlsx":
            write_xlsx(part, report, language, made)
        else:
            document = None if only_visits else document_of(report, made)
            limits = PDF_LIMITS._replace(visits_only=only_visits)
            part.write_bytes(pdf_of(html_of(report, language, made, limits), document))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def read(file: Path) -> dict[str, Any]:
    """Return the document of a file of any kind; BadReport, with the file's name, where there is none in it."""
    kind = _kind(file)
    with _is_readable(file):
        if kind == "html":
            return read_document(html.document_in(file.read_text(encoding="utf-8", errors="replace")))
        if kind == "pdf":
            return read_document(pdf.document_in(file))
        if kind == "xlsx":
            return read_document(xlsx.document_in(file))
        return read_document(file.read_bytes())


@contextmanager
def _is_readable(file: Path) -> Iterator[None]:
    """Raise BadReport with a file's name for whatever its readers stumble over: any bytes may be in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what readers think of parts that they do not know
            yield
    except BadReport as flaw:
        raise BadReport(f"{file}: {flaw}") from None
    except (SantongError, OSError):
        raise
    except Exception:  # noqa: BLE001  pypdf and openpyxl raise nearly anything, and late
        raise BadReport(f"{file}: is damaged, and cannot be read") from None


def faces_differ(file: Path, others: Iterable[Path]) -> list[tuple[str, str, str]]:
    """
    Return where a file shows something else than each of `others`: place, what it shows, what the nearest shows.

    Of JSON there is nothing to see but the document. An empty list: it shows the same as one of them, and those behind
    that one are not asked for.
    """
    nearest: list[tuple[str, str, str]] = []
    with _is_readable(file):
        face = _face(file)
    for other in others:
        found = [(at, a, b) for at, a, b in _side_by_side(face, _face(other)) if a != b]
        if not found:
            return []
        nearest = found if not nearest or len(found) < len(nearest) else nearest
    return nearest


def _face(file: Path) -> dict[str, str]:
    """Return all that a file shows, by its place: line, page and line, cell, or a part that is no text."""
    kind = _kind(file)
    if kind == "html":
        return {f"line {number}": line for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)}
    if kind == "pdf":
        return pdf.face_of(file)
    return xlsx_face.face_of(file) if kind == "xlsx" else {}


def _side_by_side(one: dict[str, str], other: dict[str, str]) -> list[tuple[str, str, str]]:
    return [(place, one.get(place, ""), other.get(place, "")) for place in dict.fromkeys([*one, *other])]


def _kind(file: Path) -> str:
    return file.suffix.removeprefix(".").lower()
