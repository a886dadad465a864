"""
What a correction corrects, kept in its own archive: the report before, and what came since, but for the figures.

    correction/before.json        the JSON document of the report before
    correction/correction.json    number, fingerprint, rows, inputs, reason
"""

import json
from pathlib import Path
from typing import Any

from collector.report.correction import Correction, correction_from, with_figures
from collector.report.document import BadReport, read_document
from collector.report.model import Report
from collector.report.tree import canonical, tree_of

FOLDER, BEFORE, CORRECTION = "correction", "before.json", "correction.json"


def files_of(correction: Correction, before: bytes) -> dict[str, bytes]:
    """Return what goes into the archive of a correction, by name; `before` is the document of what it corrects."""
    text = json.dumps(correction.as_tree(), ensure_ascii=False, indent=1) + "\n"
    return {f"{FOLDER}/{BEFORE}": before, f"{FOLDER}/{CORRECTION}": text.encode()}


def corrected_by(report: Report, folder: Path) -> Report:
    """
    Return a report with what it corrects, where the folder of an opened archive has that; else as it is.

    Raises BadReport when that is not what a correction has.
    """
    own = folder / FOLDER
    if not own.is_dir():
        return report
    try:
        correction = correction_from(json.loads((own / CORRECTION).read_bytes()))
    except (OSError, ValueError) as error:
        raise BadReport(f"{FOLDER}/{CORRECTION} of the archive: {error}") from None
    before = read_document((own / BEFORE).read_bytes())
    return report._replace(correction=with_figures(correction, before["report"], plain(report)))


def plain(report: Report) -> dict[str, Any]:
    """Return a report as the tree that its document has."""
    found: dict[str, Any] = json.loads(canonical(tree_of(report)))
    return found
