"""
The proof of what the check accepts: a real influxd and the SQLite store take each line and return it as it was sent.

    accepted lines ──▶ devices of their own where two would overwrite each other ──▶ check ──▶ bodies of 5,000 lines
                                               ┌──▶ influxd ──▶ InfluxQL ──┐
                                               └──▶ SQLite ───▶ select ────┴──▶ value by value, by the tests' parser
"""

import json
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from collector.check import check
from collector.store.open import open_store
from collector.store.sqlite import SqliteStore
from contract.batch import Batch
from contract.measurements import TABLE, Kind, Retention
from tests.contract.parser import Value, parse
from tests.services import HOST, Influxd

LINES_A_BODY = 5000
LINES_AT_ONCE = 50_000
MOST_DEVICES = 200
_LIMITS = ("max-values-per-tag = 0", "max-series-per-database = 0")
_FOREVER = 2**63 - 1


class Key(NamedTuple):
    """What makes a point one of its own, with its device."""

    measurement: str
    device: str
    source: str
    tags: tuple[tuple[str, str], ...]
    time_ns: int


class Parsed(NamedTuple):
    """A line, and what it says."""

    line: bytes
    key: Key
    fields: dict[str, Value]


def parsed(line: bytes) -> Parsed:
    """Take a line apart; its device is empty before it is tagged."""
    name, tags, fields, time_ns = parse(line)
    own = tuple(sorted((tag, value) for tag, value in tags.items() if tag in TABLE[name].tags))
    device = tags.get("device", "")
    return Parsed(line, Key(name, device, tags.get("agent", device), own, time_ns), fields)


class Flaw(NamedTuple):
    """A line that a store refuses, or gives back as something else."""

    what: str
    line: bytes


class Proof:
    """Two stores, and the lines that they have not seen yet."""

    def __init__(self, folder: Path, now_ns: int) -> None:
        self.now_ns = now_ns
        self.influxd = Influxd(folder / "influxd", data=_LIMITS)
        self.influxd.start()
        store = open_store(self.influxd.url("fuzz"))
        store.prepare()
        store.close()
        self.sqlite = SqliteStore(folder / "fuzz.db")
        self.sqlite.prepare()
        self.verified: Counter[str] = Counter()
        self.flaws: list[Flaw] = []
        self._known: set[int] = set()
        self._waiting: list[Parsed] = []
        self._points: dict[Key, Parsed] = {}
        self._rounds = 0

    def close(self) -> None:
        """Stop both."""
        self.sqlite.close()
        self.influxd.stop()

    def add(self, lines: Iterable[Parsed], points: Iterable[Parsed]) -> None:
        """Take accepted lines and delivery points; those seen before are left out."""
        for line in lines:
            if (number := hash(line.line)) not in self._known:
                self._known.add(number)
                self._waiting.append(line)
        for point in points:
            self._points.setdefault(point.key, point)
        while len(self._waiting) >= LINES_AT_ONCE:
            self._verify_some()

    def finish(self) -> None:
        """Verify what waits, and the delivery points."""
        while self._waiting:
            self._verify_some()
        self._verify({Retention.EVIDENCE: [point.line for point in self._points.values()]}, self._points)
        self.verified["delivery points"] += len(self._points)

    def _verify_some(self) -> None:
        """Give lines that would overwrite each other devices of their own; those of too many devices wait."""
        self._rounds += 1
        some, self._waiting = self._waiting[:LINES_AT_ONCE], self._waiting[LINES_AT_ONCE:]
        turns: Counter[Key] = Counter()
        by_device: dict[str, list[Parsed]] = defaultdict(list)
        for line in some:
            if turns[line.key] == MOST_DEVICES:
                self._waiting.append(line)
                continue
            by_device[f"441802-{self._rounds}.d{turns[line.key]}"].append(line)
            turns[line.key] += 1
        bodies: dict[Retention, list[bytes]] = defaultdict(list)
        sent: dict[Key, Parsed] = {}
        for device, lines in by_device.items():
            batch = Batch("5f0c9a1e", 1, "synced", b"".join([line.line + b"\n" for line in lines]))
            checked = check(device, device, batch, self.now_ns)
            self.flaws += [Flaw(f"refused among others: {bad.reason}", bad.line) for bad in checked.refused]
            for kind, body in checked.bodies.items():
                bodies[kind] += body.split(b"\n")[:-1]
            sent |= {line.key._replace(device=device, source=device): line for line in lines}
        self._verify(bodies, sent)
        self.verified["lines"] += len(sent)

    # ---- both stores

    def _verify(self, bodies: Mapping[Retention, list[bytes]], sent: Mapping[Key, Parsed]) -> None:
        """Write tagged lines into both stores; compare what these return with what was sent."""
        for kind, lines in bodies.items():
            for at in range(0, len(lines), LINES_A_BODY):
                some = lines[at : at + LINES_A_BODY]
                self.flaws += [Flaw(f"influxd refuses: {words}", line) for line, words in self._write(kind, some)]
                poison = self.sqlite.write(kind, b"".join([line + b"\n" for line in some]))
                self.flaws += [Flaw(f"SQLite refuses: {item.message}", item.line) for item in poison]
        devices = {key.device for key in sent}
        for measurement in sorted({key.measurement for key in sent}):
            mine = {key: line for key, line in sent.items() if key.measurement == measurement}
            self._compare("influxd", mine, dict(self._in_influxd(measurement, devices)))
            self._compare("SQLite", mine, dict(self._in_sqlite(measurement, devices)))

    def _compare(self, store: str, sent: Mapping[Key, Parsed], found: Mapping[Key, dict[str, Value]]) -> None:
        for key, line in sent.items():
            if key not in found:
                self.flaws.append(Flaw(f"{store} does not return it", line.line))
            elif found[key] != line.fields or not _have_same_types(found[key], line.fields):
                self.flaws.append(Flaw(f"{store} returns {found[key]}", line.line))
        for key in found.keys() - sent.keys():
            self.flaws.append(Flaw(f"{store} returns {key}, which nobody sent", b""))
        self.verified[store] += len(sent.keys() & found.keys())

    def _write(self, kind: Retention, lines: list[bytes]) -> list[tuple[bytes, str]]:
        """Write straight to influxd; return the lines that it refuses, with its words."""
        url = f"http://{HOST}:{self.influxd.port}/write?db=fuzz&rp={kind}&precision=ns"
        try:
            urllib.request.urlopen(urllib.request.Request(url, b"\n".join(lines)), timeout=60).close()
        except urllib.error.HTTPError as error:
            with error:
                words = str(json.load(error)["error"])[:300]
            if len(lines) == 1:
                return [(lines[0], words)]
            half = len(lines) // 2
            return self._write(kind, lines[:half]) + self._write(kind, lines[half:])
        return []

    def _in_influxd(self, measurement: str, devices: set[str]) -> Iterator[tuple[Key, dict[str, Value]]]:
        row = TABLE[measurement]
        floats = {field.name for field in row.fields if field.kind is Kind.FLOAT}
        sites = " OR ".join(f"site = '{site}'" for site in sorted({device.split(".")[0] for device in devices}))
        text = f'SELECT * FROM "{measurement}" WHERE {sites} GROUP BY *'
        for series in self.influxd.query(text, "fuzz", row.retention):
            tags, columns = series["tags"], series["columns"][1:]
            own = tuple(sorted((tag, tags[tag]) for tag in row.tags))
            source = tags.get("agent") or tags["device"]
            for time_ns, *values in series["values"]:
                # JSON has one kind of number: a float without a fraction comes as an integer.
                fields = {
                    name: float(value) if name in floats else value
                    for name, value in zip(columns, values, strict=True)
                    if value is not None
                }
                yield Key(measurement, tags["device"], source, own, time_ns), fields

    def _in_sqlite(self, measurement: str, devices: set[str]) -> Iterator[tuple[Key, dict[str, Value]]]:
        for row in self.sqlite.select(measurement, 0, _FOREVER, devices):
            yield Key(measurement, row.device, row.source, tuple(sorted(row.tags)), row.time_ns), dict(row.fields)


def _have_same_types(one: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    return all(type(value) is type(other[name]) for name, value in one.items())
