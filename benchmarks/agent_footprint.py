"""
What an agent costs: memory, processor time, fsyncs a round, bytes on the wire a day.

A real agent process, a real mosquitto with TLS, a real collector in this process. Rounds are taken every second instead
of every minute; a minute's cost is that of one round plus a minute of waiting, which is measured apart. Bytes on the
wire are the kernel's own count for the agent's TCP connection (bytes and segments, each segment with 52 bytes of IP and
TCP headers), taken by a forwarding proxy.

    python -m benchmarks.agent_footprint [--rounds 60]
"""

import argparse
import contextlib
import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import Figure, print_figures
from collector.pipeline import Collector
from collector.quarantine import Quarantine
from collector.store.open import open_store
from contract.batch import Batch, encode
from contract.broker import BrokerSettings, BrokerUrl
from contract.lines import encode_line
from tests.services import Mosquitto

DEVICE = "441802-3144001234.c0703"
HEADER_BYTES = 52  # IPv4 20, TCP 20, timestamps 12
_TCP_INFO_BYTES = 240


class Wire(NamedTuple):
    """What went over the agent's connection so far, both directions together."""

    bytes: int
    segments: int

    @property
    def total(self) -> int:
        """Bytes with headers."""
        return self.bytes + self.segments * HEADER_BYTES

    def __sub__(self, other: object) -> "Wire":
        """Return what went over between two readings."""
        if not isinstance(other, Wire):
            return NotImplemented
        return Wire(self.bytes - other.bytes, self.segments - other.segments)


class Proxy:
    """Forwards one TCP connection and reads the kernel's counts of its agent side."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._agent_side: socket.socket | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._agent_side = near
                threading.Thread(target=self._forward, args=(near, far), daemon=True).start()

    @staticmethod
    def _forward(near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with near, far, contextlib.suppress(OSError):
            while True:
                for end in select.select([near, far], [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    other[end].sendall(data)

    def read(self) -> Wire:
        """Return the counts of tcp_info (linux/tcp.h): bytes acked and received, segments out and in."""
        if self._agent_side is None:
            raise RuntimeError("no agent connected")
        info = self._agent_side.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        acked, received = struct.unpack_from("=QQ", info, 120)
        segments_out, segments_in = struct.unpack_from("=II", info, 136)
        return Wire(acked + received, segments_out + segments_in)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def make_certificates(folder: Path, address: str = "127.0.0.1") -> None:
    """Make a private authority and the certificate of a broker at this address with openssl."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
    _openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=benchmark")
    _openssl(folder, "req", *curve, "-keyout", "broker.key", "-out", "broker.csr", "-subj", f"/CN={address}")
    (folder / "names").write_text(f"subjectAltName=IP:{address}\n")
    signer = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30")
    _openssl(folder, "x509", "-req", "-in", "broker.csr", *signer, "-extfile", "names", "-out", "broker.crt")


@contextlib.contextmanager
def centre(folder: Path) -> Iterator[int]:
    """Run mosquitto with TLS and a collector with a SQLite store; yield the broker's port."""
    make_certificates(folder)
    tls = (f"cafile {folder}/ca.crt", f"certfile {folder}/broker.crt", f"keyfile {folder}/broker.key")
    broker = Mosquitto(folder / "mosquitto", extra=tls)
    broker.start()
    store = open_store(f"sqlite:///{folder}/store.sqlite")
    store.prepare()
    url = BrokerUrl(f"mqtts://127.0.0.1:{broker.port}")
    collector = Collector(BrokerSettings(url, ca=folder / "ca.crt"), store, Quarantine(folder))
    collector.start()
    try:
        yield broker.port
    finally:
        collector.stop()
        broker.stop()


def memory_kb(pid: int) -> tuple[int, int]:
    """Return (private, resident) memory of a process in kB, as the kernel counts it."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    return sizes["Private_Clean"] + sizes["Private_Dirty"], sizes["Rss"]


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class AgentRun:
    """One agent process with its own settings."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        self.spool = folder / f"spool-{time.monotonic_ns()}"
        cache = folder / "bytecode"
        environment = os.environ | {
            "SANTONG_AGENT": DEVICE,
            "SANTONG_BROKER_URL": f"mqtts://127.0.0.1:{port}",
            "SANTONG_BROKER_CA": str(folder / "ca.crt"),
            "SANTONG_SPOOL_PATH": str(self.spool),
            "SANTONG_CLOCK_TRUST": "always",
            "SANTONG_PRESENCE_GATEWAY": "127.0.0.1",
            "PYTHONPYCACHEPREFIX": str(cache),
            **settings,
        }
        # An installed agent has its bytecode beside it; compiling at start would count as the agent's memory.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [str(Path(sys.executable).with_name("santong-agent")), "run"]
        subprocess.run([*command, "--check"], env=environment, check=True, capture_output=True)
        self.log = (folder / "agent.log").open("ab")
        self.process = subprocess.Popen(command, env=environment, stderr=self.log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.log.close()
        shutil.rmtree(self.spool, ignore_errors=True)


def count_fsyncs(pid: int, seconds: float) -> int:
    """Count fsync and fdatasync of a process and its threads with strace."""
    with tempfile.NamedTemporaryFile("r") as out:
        tracer = subprocess.Popen(
            ["strace", "-f", "-q", "-e", "trace=fsync,fdatasync", "-o", out.name, "-p", str(pid)],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        tracer.terminate()
        tracer.wait()
        return sum("sync(" in line and "resumed" not in line for line in out)


def measure_rounds(folder: Path, port: int, rounds: int) -> list[Figure]:
    """Measure memory, processor time and fsyncs."""
    busy = AgentRun(folder, port, SANTONG_ROUND_EVERY="1s", SANTONG_PUBLISH_EVERY="1s")
    time.sleep(5)
    started = cpu_seconds(busy.pid)
    time.sleep(rounds)
    cpu_a_round = (cpu_seconds(busy.pid) - started) / rounds
    private_kb, rss_kb = memory_kb(busy.pid)
    traced_s = min(30, rounds)
    fsyncs = count_fsyncs(busy.pid, traced_s)
    busy.stop()
    idle = AgentRun(folder, port)
    time.sleep(5)
    started = cpu_seconds(idle.pid)
    time.sleep(min(60, rounds))
    cpu_waiting = (cpu_seconds(idle.pid) - started) / min(60, rounds)
    idle.stop()
    an_hour = 60 * cpu_a_round + 3600 * cpu_waiting
    return [
        Figure("private memory, host + interface + presence, TLS", private_kb / 1024, 20, "MiB"),
        Figure("resident memory", rss_kb / 1024, 27, "MiB"),
        Figure("processor seconds an hour at 60 s rounds (0.1 % = 3.6)", an_hour, 3.6, "s/h"),
        Figure("fsyncs a round", fsyncs / traced_s, 1.1, ""),
    ]


def measure_wire(folder: Path, port: int, rounds: int) -> list[Figure]:
    """Measure bytes on the wire: a batch with its answers; add up a day with one connect and the keep-alives."""
    of_two = _bytes_a_batch(folder, port, rounds, 2)
    of_one = _bytes_a_batch(folder, port, rounds, 1)
    of_thirty = of_one + _extra_bytes(25)
    print(f"  a batch of 2 rounds {of_two:.0f}, of 1 round {of_one:.0f} bytes with answers and headers;")
    print(f"  30 lines instead of 5 are {_extra_bytes(25)} bytes more in a batch (encoded, not sent)")
    return [
        Figure("network a day, 5 lines a round, sent every 120 s", _a_day(of_two, 720, PING_BYTES), 1.0, "MB"),
        Figure("network a day, 30 lines a minute, sent every 60 s", _a_day(of_thirty, 1440, 0), 2.3, "MB"),
    ]


def _a_day(a_batch: float, batches: int, a_ping: int) -> float:
    """Return MB a day; a keep-alive of 90 s falls due once between batches that are 120 s apart."""
    return (CONNECT_BYTES + batches * (a_batch + a_ping)) / 1e6


def _bytes_a_batch(folder: Path, port: int, rounds: int, rounds_a_batch: int) -> float:
    proxy = Proxy(port)
    agent = AgentRun(
        folder, proxy.port, SANTONG_ROUND_EVERY="1s", SANTONG_PUBLISH_EVERY=f"{rounds_a_batch}s",
        SANTONG_BROKER_KEEPALIVE="3600s",
    )  # fmt: skip
    time.sleep(6)
    before = proxy.read()
    time.sleep(rounds)
    used = proxy.read() - before
    agent.stop()
    proxy.close()
    return used.total / (rounds / rounds_a_batch)


def _extra_bytes(more: int) -> int:
    """Return by how much a batch grows with `more` lines like those of an access point's stations and sensors."""
    chance = random.Random(1)
    now_ns = time.time_ns()

    def size(lines: int) -> int:
        body = b"".join(
            encode_line("sensor", {"name": f"reading{n}"}, {"value": round(chance.uniform(0, 100), 2)}, now_ns + n)
            + b"\n"
            for n in range(lines)
        )
        return len(encode(Batch("5f0c9a1e", 41, "synced", body)))

    return size(5 + more) - size(5)


# PINGREQ and PINGRESP: 2 bytes each in a TLS 1.3 record (22 more), and a bare acknowledgement: three segments.
PING_BYTES = 2 * (2 + 22) + 3 * HEADER_BYTES
# TLS 1.3 handshake with a small private chain, CONNECT, SUBSCRIBE, state; once a day is enough for a breaker.
CONNECT_BYTES = 6000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with centre(folder) as port:
            print_figures("agent: memory, processor, disk", measure_rounds(folder, port, rounds))
            print_figures("agent: network", measure_wire(folder, port, rounds))


if __name__ == "__main__":
    main()
