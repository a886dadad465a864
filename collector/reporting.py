"""
From a verification to a report with its basis: joins verdicts, throughput tests, and hashes of what they rest on.

    store ──▶ verify ──▶ Verified ─┬─▶ build ──▶ Report ──▶ a file: collector/report/files.py
          └─▶ tests ───────────────┤
          └─▶ hashes ──────────────╯
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.archive.read import Archive
from collector.archive.scope import Span
from collector.asked import Promise
from collector.basis import Inputs, basis_of, devices_of, evidence_of_archive, evidence_of_store, sampling_of
from collector.evidence import software, spans_of
from collector.rates import AT_ONCE, device_days, tests
from collector.report.basis import Evidence
from collector.report.beside import Agreed, Sample, Without
from collector.report.build import Found, build
from collector.report.model import Head, Made, Report
from collector.roster.columns import COUNTIES
from collector.samples import Scope, samples_of
from collector.store.base import Store
from collector.verification import Verified
from contract import __version__

Progress = Callable[[int, int, str], None]


class Hashing(NamedTuple):
    """
    Whether evidence is hashed, None: up to so many device-days as further rates are read; and the zone of its days.

    Of an archive it always is: the hashes are there already.
    """

    zone: ZoneInfo
    is_asked: bool | None = None
    archive: Archive | None = None

    def of(self, store: Store, promise: Promise, progress: Progress) -> Evidence | None:
        """Return the hashes of a period's evidence, None where it is not hashed."""
        if self.archive:
            return evidence_of_archive(self.archive, self._days(promise), devices_of(promise.period))
        if self.is_asked is False or (self.is_asked is None and device_days(promise) > AT_ONCE):
            return None
        return evidence_of_store(store, self._days(promise), devices_of(promise.period), progress)

    def _days(self, promise: Promise) -> list[Span]:
        return spans_of((promise.period.first, promise.period.last), self.zone)


class Rest(NamedTuple):
    """
    What a report rests on besides verdicts: files and versions, the hash of the newest dispute, whether to hash.

    `data` is the folder of the samples that were drawn, `now_ns` when everything was known.
    """

    inputs: Inputs
    disputes: str
    hashing: Hashing
    data: Path
    now_ns: int


def report_of(
    store: Store, promise: Promise, found: Verified, head: Head, rest: Rest, progress: Progress = lambda *_: None
) -> Report:
    """Return the report of a verification; its store is still open. StoreError when it fails, OSError of files."""
    some = [test for test in tests(store, promise.start_ns, promise.end_ns) if found.takes(test)]
    evidence = rest.hashing.of(store, promise, progress)
    basis = basis_of(rest.inputs, promise.period.first, evidence, rest.hashing.archive)
    basis = basis._replace(disputes=rest.disputes, sampling=sampling_of(rest.data))
    doubts = [finding for finding in found.findings if finding not in found.decided]
    parts = (found.period, found.targets, found.records, some, doubts, found.rates, found.left_out, COUNTIES, basis)
    without = {str(name): Without(*other) for name, other in found.differing.items()}
    agreed = Agreed(tuple(found.disputes), rest.disputes, without, tuple(found.decided))
    return build(Found(*parts), head)._replace(agreed=agreed, samples=_samples(store, found, head, rest))


def _samples(store: Store, found: Verified, head: Head, rest: Rest) -> tuple[Sample, ...]:
    """Return the samples of a report; none of a single site, of which a few classes say nothing."""
    if head.site:
        return ()
    measured = [result.target for result, _ in found.targets if result.units and result.target.evidence == "measured"]
    return samples_of(store, rest.data, measured, Scope(found.period, rest.hashing.zone, head.county), rest.now_ns)


def made_at(now_ns: int, known_ns: int, zone: ZoneInfo) -> Made:
    """Return what a report made at an instant says of its making; evidence is as it was known at `known_ns`."""
    return Made(_iso(now_ns, zone), __version__, _iso(known_ns, zone), software())


def _iso(time_ns: int, zone: ZoneInfo) -> str:
    at = datetime.fromtimestamp(time_ns // 10**9, zone)
    return at.replace(microsecond=time_ns % 10**9 // 1000).isoformat()
