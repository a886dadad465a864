"""
What the centre writes of itself, beside a running collector: its own health, and what the roster says today.

    collector, quarantine ──▶ centre point, once a minute ──────────────────────┐
    roster's versions ──▶ roster points, at the start, each day, each version ──┴▶ store

A thread of its own: a store that is away, or slow, holds up nothing else. What could not be written is no loss:
counters go on, and the roster is written when the store is back.
"""

import logging
import os
import resource
import socket
import threading
import time
from pathlib import Path

from collector.check import identity_tags
from collector.pipeline import Collector
from collector.quarantine import Quarantine
from collector.roster_points import RosterPoints
from collector.store.base import Store, StoreMisconfigured
from contract.lines import encode_line
from contract.measurements import Retention
from contract.names import suggest

log = logging.getLogger("santong.centre")

EVERY_S = 60.0
_NAME = b"centre"
_STATM = Path("/proc/self/statm")


def name_of_this_centre() -> str:
    """Return the device id under which this machine's collector writes of itself."""
    return f"centre-{suggest(socket.gethostname())}.collector"


def figures(collector: Collector, quarantine: Quarantine) -> dict[str, float]:
    """
    Return what a collector says of itself, by fields of `centre`; sqlite3.Error where quarantine is unreadable.

    Lags are those of its last point: a second reader takes none away.
    """
    counters = collector.counters()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "received": counters.received,
        "dropped": counters.dropped,
        "stored_batches": counters.stored_batches,
        "stored_lines": counters.stored_lines,
        "refused": counters.refused,
        "waiting": collector.waiting,
        "quarantine": quarantine.total(),
        "trouble": int(bool(collector.trouble)),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
    }
    if (rss := _rss_bytes()) is not None:
        found["rss_bytes"] = rss
    if lag := collector.lags.last:
        found |= {"lag_p50_ms": lag.p50_ms, "lag_p99_ms": lag.p99_ms}
    return found


def centre_line(collector: Collector, quarantine: Quarantine, name: str, now_ns: int) -> bytes:
    """Return the point of a collector, with its line feed; lags are those of what came since the last point."""
    collector.lags.take()
    line = encode_line("centre", {}, figures(collector, quarantine), now_ns)
    return _NAME + identity_tags(name, name) + line[len(_NAME) :] + b"\n"


def _rss_bytes() -> int | None:
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


class CentrePoints:
    """Writes what there is to write every `every_s` seconds, until `stop`."""

    def __init__(
        self, collector: Collector, quarantine: Quarantine, store: Store, roster: RosterPoints, every_s: float = EVERY_S
    ) -> None:
        self._collector, self._quarantine, self._store, self._roster = collector, quarantine, store, roster
        self._every_s = every_s
        self._name = name_of_this_centre()
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="centre", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a write that is under way is waited for some seconds."""
        self._stopping.set()
        self._thread.join(5)

    def look(self) -> None:
        """Write once what there is to write; what fails is logged, once, and due again."""
        try:
            line = centre_line(self._collector, self._quarantine, self._name, time.time_ns())
            if poison := self._store.write(Retention.TELEMETRY, line):
                raise StoreMisconfigured(poison[0].message)
            if devices := self._roster.write_when_due(self._store):
                log.info("what the roster says of today is stored: %d devices", devices)
        except Exception as error:  # noqa: BLE001  a thread that ended would say nothing of the centre any more
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("what the centre says of itself is not stored: %s", error)
        else:
            self._trouble = ""

    def _run(self) -> None:
        while True:
            self.look()
            if self._stopping.wait(self._every_s):
                return
