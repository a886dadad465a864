"""
What verification found, kept so that it can be shown at once: a month of a city takes it minutes.

    santong verify ──▶ DATA/verdicts/2026-03-01_2026-03-30.json     the newest result of each period
    santong close  ──▶ DATA/reports/ST-2026-03/ST-2026-03.json      signed; stands above what was verified

Only a verification of the whole roster, with what is in force in the data folder, is kept. Of a part of the city, a
county or a site, its units are counted anew: the same that verification of this part alone would say.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from collector.closings import BadClosing, Closings
from collector.verify.results import Interval, Verdict
from collector.verify.units import verdict_of
from contract.errors import SantongError

FOLDER = "verdicts"
MOST_KEPT = 100


class Unit(NamedTuple):
    """A unit of a target: a site, a class or a device. `minutes` by cause, `figures` as `UnitResult` has them."""

    id: str
    title: str
    site: str
    verdict: Verdict
    why: str
    rate: Interval | None
    minutes: Mapping[str, float]
    figures: Mapping[str, float]


class Kept(NamedTuple):
    """A target with its verdict and units; `share` and `at_least` as `Target` has them."""

    id: str
    title: Mapping[str, str]
    project: str
    unit: str
    evidence: str
    verdict: Verdict
    why: str
    share: float | None
    at_least: int | None
    rate: Interval | None
    units: tuple[Unit, ...]

    def count(self, verdict: Verdict) -> int:
        """Return how many units have a verdict."""
        return sum(unit.verdict is verdict for unit in self.units)


class Verification(NamedTuple):
    """
    What was found of a period, both days included, with the evidence there was at `made_at` (ISO 8601).

    `source` is `verify`, or the id of a closing.
    """

    first: date
    last: date
    made_at: str
    source: str
    targets: tuple[Kept, ...]


def part_of(target: Kept, takes: Callable[[str], bool]) -> Kept | None:
    """
    Return a target for those of its units whose sites are taken; None where it promises nothing to a part.

    A number that the whole programme owes is no promise of a part of it; a declared figure stays what was declared.
    """
    if target.at_least is not None and target.share is None:
        return None
    if target.evidence == "declared":
        return target._replace(at_least=None)
    units = tuple(unit for unit in target.units if takes(unit.site))
    if not units:
        why = target.why if not target.units else "empty_scope"
        return target._replace(at_least=None, units=(), verdict=Verdict.NOT_PROVEN, rate=None, why=why)
    good = sum(unit.verdict is Verdict.PASS for unit in units)
    unknown = sum(unit.verdict is Verdict.NOT_PROVEN for unit in units)
    share = target.share if target.share is not None else 1.0
    verdict = verdict_of(good, unknown, len(units), share)
    rate = Interval.of(good, unknown, len(units))
    return target._replace(at_least=None, units=units, verdict=verdict, rate=rate, why=f"units_{verdict}")


def keep(data: Path, tree: Mapping[str, Any]) -> Path:
    """Keep what `santong verify --json` prints, whole or not at all, in the place of an older one. OSError."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{tree['from']}_{tree['to']}.json"
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            json.dump(tree, opened, ensure_ascii=False, separators=(",", ":"))
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    for old in sorted(_files(folder), key=lambda one: one.stat().st_mtime_ns)[:-MOST_KEPT]:
        old.unlink(missing_ok=True)
    return file


class BadVerdicts(SantongError):
    """What is kept of a verification is not as it was written; the message names the file."""


class Verdicts:
    """What is kept in a data folder; the last ones that were read stay in memory as long as their files do."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER
        self._closings = Closings(data)
        self._read: dict[Path, tuple[tuple[int, int], Verification]] = {}

    def periods(self) -> dict[tuple[date, date], tuple[str, Path]]:
        """Return the periods of which there is something, each with its source and file."""
        found = {}
        for file in _files(self._folder):
            first, _, last = file.stem.partition("_")
            found[date.fromisoformat(first), date.fromisoformat(last)] = ("verify", file)
        for closing in self._closings.every():  # in their order: a correction comes after what it corrects
            year, month = map(int, closing.month.split("-"))
            first_day = date(year, month, 1)
            end = date(year + month // 12, month % 12 + 1, 1)
            period = (first_day, date.fromordinal(end.toordinal() - 1))
            found[period] = (closing.id, self._closings.folder / closing.id / closing.document)
        return found

    def get(self, first: date | None = None, last: date | None = None) -> Verification | None:
        """Return what is kept of a period, of several that fit the one that ends last; None where there is nothing."""
        fitting = [
            (period[1], period[0], source, file)
            for period, (source, file) in self.periods().items()
            if first in (None, period[0]) and last in (None, period[1])
        ]
        if not fitting:
            return None
        _, _, source, file = max(fitting, key=lambda one: one[:2])
        return self._verification(source, file)

    def _verification(self, source: str, file: Path) -> Verification:
        found = file.stat()
        stamp = (found.st_ino, found.st_mtime_ns)
        known = self._read.get(file)
        if known is None or known[0] != stamp:
            try:
                made = self._of_closing(source) if source != "verify" else _of_verify(json.loads(file.read_bytes()))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise BadVerdicts(f"{file}: is not what `santong verify` keeps: remove it, and verify again") from error
            while len(self._read) >= 2:
                self._read.pop(next(iter(self._read)))
            self._read[file] = known = (stamp, made)
        return known[1]

    def _of_closing(self, name: str) -> Verification:
        closing = next(one for one in self._closings.every() if one.id == name)
        document = json.loads(self._closings.file(closing, closing.document).read_bytes())
        tree = document.get("report") if isinstance(document, dict) else None
        if not isinstance(tree, dict):
            raise BadClosing(f"{name}: {closing.document} is no report")
        targets = (*map(_target, tree["targets"]), *map(_target, tree["declared"]))
        return Verification(
            date.fromisoformat(tree["from"]), date.fromisoformat(tree["to"]), closing.closed_at, name, targets
        )


def _files(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.glob("????-??-??_????-??-??.json")))


def _of_verify(tree: Mapping[str, Any]) -> Verification:
    targets = tuple(map(_target, tree["targets"]))
    return Verification(
        date.fromisoformat(tree["from"]), date.fromisoformat(tree["to"]), tree["verified_at"], "verify", targets
    )


def _target(tree: Mapping[str, Any]) -> Kept:
    return Kept(
        tree["id"],
        tree["title"],
        str(tree["project"] or ""),
        tree["unit"],
        tree["evidence"],
        Verdict(tree["verdict"]),
        tree["why"],
        tree["share"],
        tree["at_least"],
        _rate(tree["rate"]),
        tuple(map(_unit, tree.get("units", ()))),
    )


def _unit(tree: Mapping[str, Any]) -> Unit:
    verdict, rate = Verdict(tree["verdict"]), _rate(tree["rate"])
    return Unit(tree["id"], tree["title"], tree["site"], verdict, tree["why"], rate, tree["minutes"], tree["figures"])


def _rate(tree: Mapping[str, float] | None) -> Interval | None:
    return None if tree is None else Interval(tree["low"], tree["high"])
