"""
A data folder and a store as they were at an instant: what a report that was made then rests on.

    DATA ──▶ versions of the roster, records of disputes, samples, results until then ──▶ another folder
    store ──▶ points of samples until then; nothing is written to it

What came late is older than the instant, and stays: whether it was there is told by hashes and the collector's marks.
"""

import hashlib
import inspect
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from collector.calendars.load import FILE as CALENDARS
from collector.disputes.chain import Head, digest, head_text
from collector.disputes.ledger import FOLDER as DISPUTES
from collector.disputes.ledger import HEAD, RECORDS
from collector.roster.versions import FOLDER as ROSTER
from collector.roster.versions import Versions
from collector.sampling.draw import Draw
from collector.sampling.kept import FOLDER as SAMPLING
from collector.sampling.kept import RECORD, RESULTS, Results, Samples, write_head
from collector.store.base import Store


def folder_as_of(data: Path, into: Path, until_ns: int) -> None:
    """
    Copy what a data folder had at an instant, but for its store, into another one.

    Raises BadVersion, BadSampling for what is not as it was written, OSError.
    """
    until = datetime.fromtimestamp(until_ns // 10**9, UTC).replace(microsecond=until_ns % 10**9 // 1000)
    if (data / CALENDARS).is_file():
        shutil.copy(data / CALENDARS, into / CALENDARS)
    for version in Versions(data).every():
        if version.imported_at <= until:
            name = f"{version.number:06}"
            shutil.copytree(data / ROSTER / name, into / ROSTER / name)
    _disputes(data / DISPUTES, into / DISPUTES, until)
    samples = Samples(data)
    for record in samples.every():
        if record.at <= until:
            results = samples.results(record.draw)
            shutil.copytree(data / SAMPLING / record.draw.id, into / SAMPLING / record.draw.id)
            _results(into / SAMPLING / record.draw.id, record.draw, [one for one in results if one.at > until])


def _results(folder: Path, draw: Draw, later: Sequence[Results]) -> None:
    """Take results that came later out of a copied sample, and set its head to the newest of the others."""
    for one in later:
        shutil.rmtree(folder / RESULTS / f"{one.number:04}")
    if later:
        newest = later[0].number - 1
        content = (folder / RESULTS / f"{newest:04}" / RECORD).read_bytes() if newest else draw.canonical()
        write_head(folder / RESULTS, newest, hashlib.sha256(content).hexdigest())


def _disputes(folder: Path, into: Path, until: datetime) -> None:
    """Copy the records until an instant, with the head that they had then."""
    if not (folder / RECORDS).is_file():
        return
    kept: list[bytes] = []
    for line in (folder / RECORDS).read_bytes().splitlines(keepends=True):
        try:
            at = datetime.fromisoformat(json.loads(line)["at"])
        except (ValueError, KeyError, TypeError):
            at = until  # what is wrong with it is said by whoever reads the records
        if at > until:
            break
        kept.append(line)
    if kept:
        into.mkdir(parents=True)
        (into / RECORDS).write_bytes(b"".join(kept))
        (into / HEAD).write_bytes(head_text(Head(len(kept), digest(kept[-1]))))


def store_as_of(store: Store, until_ns: int) -> Store:
    """Return a store whose points end at an instant, and into which nothing is written."""
    return cast(Store, _AsOf(store, until_ns))


class _AsOf:
    """Asks the store for periods that are cut off: every question names them by `end_ns`, or `at_ns` and `reach_ns`."""

    def __init__(self, store: Store, until_ns: int) -> None:
        self._store, self._until_ns = store, until_ns

    def write(self, *_: Any) -> list[Any]:
        """Take nothing."""
        return []

    def __getattr__(self, name: str) -> Any:
        """Return a question of the store, cut off."""
        method = getattr(self._store, name)
        signature = inspect.signature(method)
        if {"end_ns", "reach_ns"} & signature.parameters.keys():
            return self._cut(method, signature)
        return method

    def _cut(self, method: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
        def asked(*some: Any, **named: Any) -> Any:
            bound = signature.bind(*some, **named)
            bound.apply_defaults()
            given = bound.arguments
            if "end_ns" in given:
                given["end_ns"] = min(given["end_ns"], self._until_ns)
                given["start_ns"] = min(given["start_ns"], given["end_ns"])
            elif method.__name__ == "first_from":
                given["reach_ns"] = max(0, min(given["reach_ns"], self._until_ns - given["at_ns"]))
            else:
                given["at_ns"] = min(given["at_ns"], self._until_ns)
            return method(*bound.args, **bound.kwargs)

        return asked
