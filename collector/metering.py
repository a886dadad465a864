"""What a running collector counts, for Prometheus: `santong collect --metrics` listens with the standard library."""

import threading
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from collector.metrics import TYPE, Family, as_text, single
from collector.pipeline import Collector
from contract.errors import ConfigError, Problem

_TEXTS = {
    "received": "Batches that came from the broker.",
    "dropped": "Batches for which there was no room; their agents send them again.",
    "stored_batches": "Batches that were stored.",
    "stored_lines": "Lines that were stored.",
    "refused": "Batches and lines that were refused, and are in quarantine.",
    "foreign_stored": "Lines of others that were stored.",
    "foreign_refused": "Lines of others that were refused.",
    "foreign_dropped": "Messages of others for which there was no room.",
}


def families_of(collector: Collector) -> Sequence[Family]:
    """Return what a collector did since its start, and whether anything troubles it."""
    return list(_families(collector))


def _families(collector: Collector) -> Iterator[Family]:
    for name, value in collector.counters()._asdict().items():
        yield single(f"santong_collector_{name}_total", "counter", _TEXTS[name], value)
    about = "Whether the store takes no writes now, and nothing is acknowledged."
    yield single("santong_collector_in_trouble", "gauge", about, float(bool(collector.trouble)))


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
