"""The report as PDF: what html.py makes, laid out for A4 by WeasyPrint, with page numbers and fingerprint below."""

import logging
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from collector.report import pdf_face
from collector.report.document import BadReport
from collector.report.html import Limits
from collector.words import Language
from contract.errors import SantongError

PDF_LIMITS = Limits(units=500, details=60, rows=31)
_NO_LIBRARY = (
    "a PDF needs WeasyPrint and pango: pip install 'santong[pdf]' and apt-get install libpango-1.0-0 libpangoft2-1.0-0 "
    "libharfbuzz-subset0; or write .html and print it"
)
_NO_READER = "to read a PDF pypdf is needed: pip install 'santong[pdf]'; or check the .json or .html of the same report"
ATTACHED = "report.json"
_NO_FONT = "a PDF in Chinese needs a Chinese font: apt-get install fonts-noto-cjk; or write .html and print it"


class PdfError(SantongError):
    """A PDF cannot be made on this machine; the message says what is missing."""


def check(language: Language) -> None:
    """Raise PdfError where library or font is missing: without a font each character would be an empty box."""
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # its own banner of several lines
            import weasyprint  # noqa: F401, PLC0415  needs libraries of the system
    except (ImportError, OSError) as error:
        raise PdfError(_NO_LIBRARY) from error
    if language == "zh" and not _has_chinese_font():
        raise PdfError(_NO_FONT)


def _has_chinese_font() -> bool:
    try:
        found = subprocess.run(["fc-list", ":lang=zh-cn", "family"], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return True  # nobody can tell: better a try
    return found.returncode != 0 or bool(found.stdout.strip())


def pdf_of(html: str, document: bytes | None = None) -> bytes:
    """Return HTML as PDF, with a JSON document attached. It has all that it needs within: nothing is fetched."""
    from weasyprint import HTML, Attachment  # noqa: PLC0415

    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # rules for screens that a PDF has no use for
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    attachments = [Attachment(string=document, name=ATTACHED)] if document else None
    return bytes(HTML(string=html, url_fetcher=_fetch_nothing).write_pdf(attachments=attachments) or b"")


def document_in(file: Path) -> bytes:
    """Return the document attached to a PDF; BadReport where there is none, PdfError where none can be read here."""
    attached = _opened(file).attachments.get(ATTACHED)
    if not attached:
        raise BadReport("has no report attached: the visit list alone, and what other programs make, cannot be checked")
    return bytes(attached[0])


def face_of(file: Path) -> dict[str, str]:
    """Return all that a PDF shows, by its place: each line of each page's text, then what pdf_face.py tells apart."""
    reader = _opened(file)
    found: dict[str, str] = {}
    for number, page in enumerate(reader.pages, 1):
        found |= {f"page {number}:{at}": line for at, line in enumerate(page.extract_text().splitlines(), 1)}
    return found | dict(pdf_face.parts_of(reader))


def _opened(file: Path) -> Any:
    try:
        from pypdf import PdfReader  # noqa: PLC0415
        from pypdf.errors import PyPdfError  # noqa: PLC0415
    except ImportError as error:
        raise PdfError(_NO_READER) from error
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it says of a damaged file is said in a line below
    try:
        return PdfReader(file)
    except (PyPdfError, ValueError):
        raise BadReport("is no PDF, or is damaged") from None


def _fetch_nothing(url: str, *_: object, **__: object) -> dict[str, object]:
    raise ValueError(f"a report has no address outside: {url}")
