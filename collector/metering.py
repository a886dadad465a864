"""What a running collector counts, for Prometheus: `santong collect --metrics` listens with the standard library."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from collector.centre_points import figures
from collector.metrics import TYPE, Family, as_text, single
from collector.pipeline import Collector
from collector.quarantine import Quarantine
from contract.errors import ConfigError, Problem

# Fields of the `centre` points and of Counters: the metric without `santong_collector_`, what it counts.
METRICS = {
    "received": ("received_total", "Batches that came from the broker."),
    "dropped": ("dropped_total", "Batches for which there was no room; their agents send them again."),
    "stored_batches": ("stored_batches_total", "Batches that were stored."),
    "stored_lines": ("stored_lines_total", "Lines that were stored."),
    "refused": ("refused_total", "Batches and lines that were refused, and are in quarantine."),
    "waiting": ("waiting_batches", "Batches that wait in memory."),
    "quarantine": ("quarantined_total", "Entries that quarantine ever took, also before this start."),
    "trouble": ("in_trouble", "Whether the store takes no writes now, and nothing is acknowledged."),
    "cpu_seconds": ("cpu_seconds_total", "Processor time of the collector."),
    "rss_bytes": ("resident_memory_bytes", "Memory of the collector."),
    "lag_p50_ms": ("lag_p50_seconds", "Within which half of the batches came that were stored in the last minute."),
    "lag_p99_ms": ("lag_p99_seconds", "Within which 99 % of them came."),
    "foreign_stored": ("foreign_stored_total", "Lines of others that were stored."),
    "foreign_refused": ("foreign_refused_total", "Lines of others that were refused."),
    "foreign_dropped": ("foreign_dropped_total", "Messages of others for which there was no room."),
}


def families_of(collector: Collector, quarantine: Quarantine) -> Sequence[Family]:
    """Return what a collector did since its start, what it needs, and whether anything troubles it."""
    return list(_families({**collector.counters()._asdict(), **figures(collector, quarantine)}))


def _families(found: Mapping[str, float]) -> Iterator[Family]:
    for field, value in found.items():
        name, about = METRICS[field]
        kind = "counter" if name.endswith("_total") else "gauge"
        yield single(f"santong_collector_{name}", kind, about, value / 1000 if field.endswith("_ms") else value)


class Meter:
    """Serves `/metrics` in threads of its own until stopped. ConfigError where it cannot listen."""

    def __init__(self, address: str, families: Callable[[], Sequence[Family]]) -> None:
        host, _, port = address.rpartition(":")
        try:
            handler = type("Handler", (_Handler,), {"families": staticmethod(families)})
            self._server = ThreadingHTTPServer((host or "127.0.0.1", int(port)), handler)
        except (ValueError, OverflowError, OSError) as error:
            what = error.strerror if isinstance(error, OSError) else "is neither a port nor host:port"
            raise ConfigError("settings", [Problem("metrics", f"{address!r}: {what}")]) from None
        self.url = f"http://{self._server.server_address[0]!s}:{self._server.server_address[1]}/metrics"
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    families: ClassVar[Callable[[], Sequence[Family]]]
    timeout = 10
    server_version = "santong"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        is_known = self.path.partition("?")[0] == "/metrics"
        body = as_text(type(self).families()) if is_known else b"there is /metrics alone\n"
        self.send_response(HTTPStatus.OK if is_known else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Type", TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as http.server calls it
        """Say nothing of each request."""
