"""The report as JSON, for programs and for who recomputes it; its keys are told by docs/report.md."""

import json

from collector.report.html import Made
from collector.report.model import Report
from collector.report.tree import FORMAT, fingerprint, tree_of


def document_of(report: Report, made: Made) -> bytes:
    """Return the file: the report, its fingerprint, and apart from these when it was made, by which version."""
    tree = tree_of(report)
    document = {"format": FORMAT, "fingerprint": fingerprint(tree), "made": made._asdict(), "report": tree}
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()
