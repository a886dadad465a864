"""
Throughput: how many bytes a second really come through, with parallel TCP streams (RFC 6349, LibreSpeed's protocol).

Each direction is warmed up, so that slow start (RFC 5681) is over, then measured: goodput = payload bytes × 8 ÷
seconds. With each goes what limited it, for a slow card or a busy machine is no fault of the line.

Stages: `resolve`, `connect`, `tls` (codes as with http), `download` and `upload` (HTTP status; errno). `budget`: the
limit of bytes came before a second was measured, which says nothing of the target.
"""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from agent.deadline import Deadline
from agent.outcome import Failed, Outcome, Unable
from agent.probe import limits, sense
from agent.probe.base import Via
from agent.probe.net import interface_of, milliseconds
from agent.probe.settings import Throughput
from agent.probe.streams import STALLED, Download, Group, Upload
from agent.probe.values import Url
from agent.probe.web import Connection, How
from contract.sample import Value

ROOT = Path("/")
_CHUNK_MIB = 100  # what a LibreSpeed backend is asked for at once
_LEAST_S = 1.0  # less than that is no measurement
_LOOK_S = 0.01


class _Server(NamedTuple):
    """Where to: addresses of both directions, and the way there."""

    host: str
    download: Url
    upload: Url | None
    via: Via
    how: How


class _Moment(NamedTuple):
    """What has been moved by each stream, and the machine's counters, at one moment."""

    payload: list[int]
    glance: limits.Glance


class _Spent(Exception):
    """The limit of bytes came before anything was measured; the text says how."""


def probe(ask: Throughput, via: Via, root: Path = ROOT) -> Outcome:
    """Measure download, then upload where the server has it; `rtt_ms` is the time of the first handshake."""
    server = _server(ask, via)
    directions, patience_s = sense.directions(ask), sense.patience_s(ask)
    if words := sense.throughput_time(ask):
        raise Unable(f"timeout: {words}")
    test = _Test(ask, server, root)
    found: list[tuple[str, dict[str, str], dict[str, Value]]] = []
    outcome = Outcome(True)
    for number, direction in enumerate(directions, 1):
        try:
            fields = test.measure(direction, patience_s, ask.max_bytes * number // len(directions))
            found.append(("throughput", {"direction": direction, "server": server.host}, fields))
        except Failed as failed:
            outcome = failed.outcome()
            break
        except _Spent as spent:
            outcome = Outcome(None, "budget", reason=str(spent))
            break
    details = {**test.details, **outcome.details}
    return outcome._replace(fields=test.fields, details=details, extra=tuple(found))


def _server(ask: Throughput, via: Via) -> _Server:
    """Tell what the address is: with / at its end a LibreSpeed backend, else a file, which can only be downloaded."""
    how, host = How(ca=ask.ca, verify=ask.verify), urlsplit(ask.target).hostname or ""
    if not sense.is_backend(ask.target):
        return _Server(host, ask.target, None, via, how)
    base = ask.target.rstrip("/")
    upload = Url(f"{base}/empty.php?r={{random}}") if ask.upload else None
    return _Server(host, Url(f"{base}/garbage.php?ckSize={_CHUNK_MIB}&r={{random}}"), upload, via, how)


class _Test:
    """A run of the probe: what is known after each direction."""

    def __init__(self, ask: Throughput, server: _Server, root: Path) -> None:
        self._ask, self._server, self._root = ask, server, root
        self._total = 0
        self.fields: dict[str, Value] = {}
        self.details: dict[str, object] = {"total_bytes": 0}

    def measure(self, direction: str, patience_s: float, most_bytes: int) -> dict[str, Value]:
        """
        Measure one direction and return the sample's fields; Failed as above, or _Spent.

        `patience_s` is how long connecting and the first byte may take, `most_bytes` what may be moved since the start.
        """
        ask, server = self._ask, self._server
        url = server.upload if direction == "upload" and server.upload else server.download
        until = Deadline(patience_s)
        deadline = Deadline(patience_s + ask.warm_up + ask.seconds + sense.SPARE_S)
        task = Upload(url) if direction == "upload" else Download(url)
        first = self._connect(url, until, task)
        first.deadline = deadline
        interface = server.via.interface or interface_of(first.sock.getsockname()[0])
        how = server.how._replace(address=first.peer.address)
        group = Group(direction, max(0, most_bytes - self._total))
        group.start(lambda: Connection(url, deadline, server.via, how), task, first, ask.streams)
        try:
            self._warm_up(group, until)
            before = self._moment(group, interface)
            group.over.wait(ask.seconds)
            after = self._moment(group, interface)
            failures = group.failures
        finally:
            group.stop()
            self._total += max(group.moved, group.counts.bytes)
            self.details["total_bytes"] = self._total
        self._tell(group, before, after, failures, interface)
        return self._fields(group, before, after, interface)

    def _connect(self, url: Url, deadline: Deadline, task: Upload | Download) -> Connection:
        """Open the first connection; where there is an upload, see whether it is taken at all."""
        server = self._server
        connection = Connection(url, deadline, server.via, server.how)
        self.fields.setdefault("rtt_ms", milliseconds(connection.connect_s))
        self.details["address"] = connection.peer.address
        if isinstance(task, Download):
            return connection
        try:
            if task.try_out(connection):
                return connection
        except Failed:
            connection.close()
            raise
        connection.close()
        return Connection(url, deadline, server.via, server.how)

    def _warm_up(self, group: Group, patience: Deadline) -> None:
        """Wait for the first byte, then for slow start to be over; Failed or _Spent when all is over before."""
        while not group.payload and not group.over.is_set():
            if patience.is_over:
                raise Failed(group.direction, "not a single byte comes through", STALLED)
            group.over.wait(_LOOK_S)
        if not group.over.wait(self._ask.warm_up):
            return
        if group.is_spent:
            raise _Spent(f"{self._allowed(group)} were used up before the warm-up ended")
        raise group.failures[0]

    def _allowed(self, group: Group) -> str:
        return f"the {group.most_bytes} bytes that {group.direction} may move (max_bytes = {self._ask.max_bytes})"

    def _moment(self, group: Group, interface: str) -> _Moment:
        payload = [stream.payload for stream in group.streams]
        return _Moment(payload, limits.look(self._root, interface, group.counts))

    def _tell(self, group: Group, before: _Moment, after: _Moment, failures: list[Failed], interface: str) -> None:
        """Put into the details what a reader wants to know of a direction; Failed or _Spent when it is not measured."""
        seconds = after.glance.at_s - before.glance.at_s
        if len(failures) == len(group.streams):
            raise failures[0]
        needed_s = min(_LEAST_S, self._ask.seconds)
        if group.is_spent and seconds < needed_s:
            raise _Spent(f"{self._allowed(group)} were used up after {seconds:.2f} s, {needed_s:g} s is needed")
        if sum(after.payload) <= sum(before.payload):
            raise Failed(group.direction, f"no byte comes through for {seconds:.0f} s", STALLED)
        row: dict[str, object] = {"streams": len(group.streams), "interface": interface}
        if failures:
            row |= {"failed_streams": len(failures), "reason": str(failures[0])}
        still = sum(there == here for here, there in zip(before.payload, after.payload, strict=True)) - len(failures)
        if still > 0:
            row["silent_streams"] = still
        if group.is_spent:
            row["ended_by"] = "max_bytes"
        self.details[group.direction] = row

    def _fields(self, group: Group, before: _Moment, after: _Moment, interface: str) -> dict[str, Value]:
        seconds = after.glance.at_s - before.glance.at_s
        moved = sum(after.payload) - sum(before.payload)
        goodput_mbps = moved * 8 / seconds / 1e6
        load = limits.load_of(before.glance, after.glance, goodput_mbps, limits.speed_mbps(self._root, interface))
        fields: dict[str, Value] = {
            "goodput_mbps": round(goodput_mbps, 3),
            "bytes": moved,
            "seconds": round(seconds, 3),
            "limited_by": limits.limited_by(load),
        }
        if group.min_rtt_s < float("inf"):
            fields["rtt_min_ms"] = milliseconds(group.min_rtt_s)
        row = self.details[group.direction]
        if isinstance(row, dict):
            known = load._replace(goodput_mbps=round(goodput_mbps, 3))._asdict()
            row |= {name: round(value, 3) for name, value in known.items() if value is not None}
        return fields
