"""What stands beside figures in a report: what was agreed about minutes, and what inspectors saw on site."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from collector.disputes.schema import Dispute
from collector.sampling.agreement import Agreement
from collector.sampling.draw import Question
from collector.verify.integrity import Finding
from collector.verify.results import TargetFigures, TargetResult


class Without(NamedTuple):
    """What a target comes to without disputes and closures."""

    result: TargetResult
    figures: TargetFigures


class Agreed(NamedTuple):
    """
    The approved disputes and closures that a report's figures are with.

    `head` is the hash of the newest of all records, empty while there is none; `without` are the targets that come to
    something else without them, by id; `decided` are findings that doubt nothing of the period any more.
    """

    disputes: tuple[Dispute, ...] = ()
    head: str = ""
    without: Mapping[str, Without] = {}
    decided: Sequence[Finding] = ()


class Stored(NamedTuple):
    """Results as they were stored: `sha256` is that of the file as it came, `visits` how many it has."""

    number: int
    at: datetime
    by: str
    file: str
    sha256: str
    previous: str
    visits: int


class Sample(NamedTuple):
    """
    A sample that was drawn, its results, and how far they agree with evidence.

    `county`: of this county's classes alone, where the report is of one and the sample of several; its strata are.
    `outside` counts visits that were made on days which the report is not of: they are not compared.
    """

    id: str
    at: datetime
    by: str
    question: Question
    results: tuple[Stored, ...]
    found: Agreement
    county: str = ""
    outside: int = 0

    @property
    def sha256(self) -> str:
        """Of the file of the last results; empty where there are none."""
        return self.results[-1].sha256 if self.results else ""
