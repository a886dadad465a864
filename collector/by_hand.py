"""
Evidence by hand: a file of batches, carried here from a site without any network.

    file ──copy──▶ whole and signed? ──▶ record ──▶ check ──▶ store      the same check, store and quarantine
                                                      └──▶ quarantine    as for batches that were received

Nothing of a file is stored before all of it was checked. Importing it again, or batches that came over the network
too, changes nothing but their `delivery` points, which say that they came by hand.
"""

import errno
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast
from zoneinfo import ZoneInfo

from collector import signature
from collector.chunk import Chunk, Speakers, nobody
from collector.quarantine import Quarantine
from collector.store.base import Poison, Store, StoreMisconfigured
from collector.whoami import operator
from collector.wire import Arrival
from contract import batchfile, topics
from contract.batchfile import Head, Seal
from contract.measurements import Retention

RECORD = "imports.jsonl"
BY_HAND, UNVERIFIED = "by_hand", "unverified"  # fields of `delivery`


class Trust(NamedTuple):
    """
    What is believed: signatures under the authorities in the file `ca`; with `vouched` also what none proves.

    `crl` is the authority's list of revoked certificates, by which nothing is believed.
    """

    ca: Path | None
    vouched: bool
    crl: Path | None = None


class Imported(NamedTuple):
    """
    What became of a file: batches and lines that were stored, and what was refused, counted by reason.

    `signer` is empty where somebody vouched for it.
    """

    head: Head
    seal: Seal
    signer: str
    stored: int
    lines: int
    refused: dict[str, int]

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return what `santong import --json` prints for a file."""
        return {
            "agent": self.head.agent,
            "exported_at": self.head.exported_at.astimezone(zone).isoformat(),
            "signed_by": self.signer or None,
            "batches": self.seal.batches,
            "stored": self.stored,
            "lines": self.lines,
            "refused": self.refused,
        }


class Importer:
    """
    Imports files into one store, one after the other.

    `speakers` returns the devices for which the roster names an agent, and that agent: nobody else may speak for them.
    """

    def __init__(self, store: Store, data: Path, trust: Trust, speakers: Speakers = nobody) -> None:
        self._store = store
        self._data = data
        self._vouched = trust.vouched
        self._speakers = speakers
        self._authorities = signature.read_authorities(trust.ca) if trust.ca else []
        self._revoked = signature.read_revocations(trust.crl, self._authorities) if trust.crl else []
        self._quarantine = Quarantine(data)

    def close(self) -> None:
        """Close the quarantine."""
        self._quarantine.close()

    def run(self, file: Path, checked: Callable[[int], None], stored: Callable[[int, int], None]) -> Imported:
        """
        Import a file; `checked` is told bytes that were read, `stored` batches out of how many.

        BadFile and Untrusted before anything is stored; StoreError when the store fails, maybe after a part was: then
        the whole file can be imported again.
        """
        with file.open("rb") as source, tempfile.TemporaryFile(dir=self._data) as copy:
            try:
                head, seal = batchfile.read(source, cast(BinaryIO, copy), checked)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    error.filename = str(self._data)
                raise
            signer = self._believe(head, seal)
            self._record(file, head, seal, signer)
            return self._store_all(cast(BinaryIO, copy), Imported(head, seal, signer, 0, 0, {}), stored)

    def _believe(self, head: Head, seal: Seal) -> str:
        """Return who signed, nothing where somebody vouches; Untrusted when nobody does."""
        if not seal.certificate:
            if self._vouched:
                return ""
            raise signature.Untrusted(
                "is not signed: nothing proves who wrote it; --trust imports it, and records that"
            )
        signed = signature.Signed(batchfile.signed_text(seal.sha256), seal.signature, seal.certificate)
        chain = signature.check_signature(signed)
        if self._authorities:
            signature.check_owner(chain, head.agent, self._authorities, head.exported_at)
            signature.check_not_revoked(chain, self._revoked, head.exported_at)
            return signature.describe(chain[0])
        if self._vouched:
            return ""
        raise signature.Untrusted("is signed: name the authority of the agents' certificates with --ca")

    def _record(self, file: Path, head: Head, seal: Seal, signer: str) -> None:
        """Write down, durably, what is about to be imported on whose word."""
        line = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "file": str(file),
            "sha256": seal.sha256,
            "agent": head.agent,
            "exported_at": head.exported_at.isoformat(),
            "batches": seal.batches,
            "signed_by": signer or None,
            "vouched_by": None if signer else operator(),
        }
        with (self._data / RECORD).open("a", encoding="utf-8") as record:
            record.write(json.dumps(line) + "\n")
            record.flush()
            os.fsync(record.fileno())

    def _store_all(self, copy: BinaryIO, done: Imported, stored: Callable[[int, int], None]) -> Imported:
        marks = (BY_HAND,) if done.signer else (BY_HAND, UNVERIFIED)
        chunk = Chunk(marks, self._speakers)
        for number, carried in enumerate(batchfile.carried(copy), start=1):
            topic = topics.batch(done.head.agent, carried.device)
            chunk.add(Arrival(topic, carried.payload, time.time_ns()))
            if chunk.is_full():
                done = self._finish(chunk, done)
                chunk = Chunk(marks, self._speakers)
                stored(number, done.seal.batches)
        return self._finish(chunk, done)

    def _finish(self, chunk: Chunk, done: Imported) -> Imported:
        """Store a chunk and set aside what is refused; return what was done so far."""
        chunk.store(self._write)
        self._quarantine.add(chunk.quarantined)
        refused = Counter(done.refused)
        refused.update(item.refusal.reason.partition(":")[0] for item in chunk.refused)
        refused.update(str(bad.reason) for checked, _ in chunk.checked for bad in checked.refused)
        lines = sum(checked.lines for checked, _ in chunk.checked)
        return done._replace(stored=done.stored + len(chunk.checked), lines=done.lines + lines, refused=dict(refused))

    def _write(self, retention: Retention, lines: bytes) -> list[Poison]:
        poison = self._store.write(retention, lines)
        if own := [p for p in poison if p.line.startswith((b"delivery,", b"late,"))]:
            raise StoreMisconfigured(f"the store refuses points of the centre: {own[0].message}")
        return poison
