"""
The report as JSON, for programs and for who recomputes it; its keys are told by docs/report.md.

Every other kind of file has this document within, so that each of them can be checked by itself.
"""

import base64
import binascii
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from collector.report.model import Made, Report
from collector.report.tree import FORMAT, fingerprint, tree_of
from contract.errors import SantongError

_HASH = re.compile("[0-9a-f]{64}")
MOST_BYTES = 1 << 30  # of a document that is unpacked


class BadReport(SantongError):
    """A file that is no report, or has none within; the message is one line without the file's name."""


def document_of(report: Report, made: Made) -> bytes:
    """Return the file: the report, its fingerprint, and apart from these how it was made, and its evidence's hashes."""
    tree = tree_of(report)
    told = made._asdict() | {"software": dict(made.software)}
    document = {"format": FORMAT, "fingerprint": fingerprint(tree), "made": told, "report": tree}
    if report.basis.evidence:
        document["leaves"] = report.basis.evidence.leaves
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def packed(document: bytes) -> str:
    """Return a document as letters for a file of another kind: gzip, then base64; always the same for the same one."""
    return base64.b64encode(gzip.compress(document, mtime=0)).decode()


def unpacked(text: str) -> bytes:
    """Return the document of `packed`; BadReport where it is damaged."""
    try:
        content = zlib.decompressobj(wbits=31).decompress(base64.b64decode(text, validate=True), MOST_BYTES)
    except (binascii.Error, zlib.error):
        raise BadReport("the document within is damaged") from None
    return content


def read_document(content: bytes) -> dict[str, Any]:
    """Return the document of a file; BadReport where it is none, or of another format."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict) or not isinstance(tree.get("format"), str):
        raise BadReport("is no report of `santong report`")
    if tree["format"] != FORMAT:
        raise BadReport(f"is of the format {tree['format'][:40]!r}; this program reads {FORMAT}")
    parts = {"fingerprint": str, "made": dict, "report": dict}
    if lacking := [name for name, kind in parts.items() if not isinstance(tree.get(name), kind)]:
        raise BadReport(f"has no {lacking[0]}")
    if flaw := next(_flaws(tree), ""):
        raise BadReport(f"is of no shape that a report has: {flaw}")
    return tree


def _flaws(tree: dict[str, Any]) -> Iterator[str]:
    """Yield what of a document is not of the shape that whoever recomputes it relies on."""
    made, leaves = tree["made"], tree.get("leaves")
    software = made.get("software")
    if not isinstance(made.get("version"), str) or not all(_is_instant(made.get(name)) for name in ("at", "known")):
        yield "made"
    if not isinstance(software, dict) or not all(isinstance(one, str) for one in software.values()):
        yield "made.software"
    if not isinstance(tree["report"].get("basis"), dict):
        yield "report.basis"
    if leaves is not None and not (isinstance(leaves, dict) and all(map(_are_hashes, leaves.values()))):
        yield "leaves"


def _is_instant(text: Any) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _are_hashes(some: Any) -> bool:
    return isinstance(some, dict) and all(isinstance(one, str) and _HASH.fullmatch(one) for one in some.values())
