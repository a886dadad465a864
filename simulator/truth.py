"""
The truth of a city, written apart from all evidence: one SQLite file.

    meta(key, value)                                                seed, days, start_ms, end_ms, and what was asked for
    device(device, site, role, speaker, is_there, has_marks, asks_ms, reads_ms)
    state(device, layer, start_ms, end_ms, state, why)              each layer of a device without holes or overlaps
    fault(kind, site, device, start_ms, end_ms, detail)             what was injected; of the centre: neither
    oddity(device, kind, since_ms, until_ms, other)

Layers of a machine: `power` (on, asleep, off), `agent` (measuring, away), `clock` (right, unset: `why` is the phase at
which its agent asks meanwhile, ms), `lan`, `wan` (up, down), of a hotspot also `journey` (done, or the stage that
fails). Of a panel: `display` (on, standby, off) and `answers` (yes, no).

`asks_ms` and `reads_ms` are the phases of the minute at which the agent asks for the network, and for the device's own
service. `simulator/minutes.py` says what a minute was.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from simulator.faults import Fault
from simulator.places import Role
from simulator.readings import journey_phase, panel_phase, phase
from simulator.spans import MINUTE, Span, Times
from simulator.world import Body, DeviceLife, SiteLife, World

FILE = "truth.sqlite"
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE device (device TEXT PRIMARY KEY, site TEXT, role TEXT, speaker TEXT, is_there INTEGER, has_marks INTEGER,
                     asks_ms INTEGER, reads_ms INTEGER) WITHOUT ROWID;
CREATE TABLE state (device TEXT, layer TEXT, start_ms INTEGER, end_ms INTEGER, state TEXT, why TEXT,
                    PRIMARY KEY (device, layer, start_ms)) WITHOUT ROWID;
CREATE TABLE fault (kind TEXT, site TEXT, device TEXT, start_ms INTEGER, end_ms INTEGER, detail TEXT);
CREATE TABLE oddity (device TEXT, kind TEXT, since_ms INTEGER, until_ms INTEGER, other TEXT);
"""


def facts(file: Path) -> dict[str, int | float | str]:
    """Return what a file of truth says of its city; nothing where it was not finished."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
        try:
            return dict(db.execute("SELECT key, value FROM meta").fetchall())
        except sqlite3.OperationalError:
            return {}


class State(NamedTuple):
    """What was so of one layer of a device, from start to end, and why."""

    layer: str
    start: int
    end: int
    state: str
    why: str = ""


class Writer:
    """Writes the truth of a world, site by site."""

    def __init__(self, file: Path, world: World, facts: Mapping[str, int | float | str] | None = None) -> None:
        file.unlink(missing_ok=True)
        self._db = sqlite3.connect(file)
        self._db.executescript(_TABLES)
        self._world = world
        known = {
            "seed": world.seed,
            "days": world.calendar.days,
            "start_ms": world.span.start,
            "end_ms": world.span.end,
        }
        self._db.executemany("INSERT INTO meta VALUES (?, ?)", {**(facts or {}), **known}.items())
        self._faults(world.centre.faults, "")
        odd = [(name, *oddity) for name, oddity in world.oddities.items()]
        self._db.executemany("INSERT INTO oddity VALUES (?, ?, ?, ?, ?)", odd)

    def add(self, site: SiteLife) -> None:
        """Write a site."""
        self._faults(site.mains.faults, site.place.id)
        if site.mains.mac_changed:
            at = site.mains.mac_changed
            self._faults([Fault("gateway_changed", site.place.id, at, at)], site.place.id)
        for life in site.devices:
            self._device(site, life)
            self._faults(life.faults, site.place.id)

    def close(self) -> None:
        """Commit and close."""
        self._db.commit()
        self._db.close()

    def _device(self, site: SiteLife, life: DeviceLife) -> None:
        thing = life.thing
        reads = {Role.HOTSPOT: journey_phase, Role.PANEL: panel_phase}.get(thing.role)
        row = (thing.id, site.place.id, thing.role, thing.speaker, thing.exists, thing.has_marks)
        asks = phase(thing.speaker, MINUTE)
        self._db.execute(
            "INSERT INTO device VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, asks, reads(thing.id) if reads else asks)
        )
        states = ((thing.id, *state) for state in states_of(site, life, self._world.span) if state.end > state.start)
        self._db.executemany("INSERT INTO state VALUES (?, ?, ?, ?, ?, ?)", states)

    def _faults(self, faults: Iterable[Fault], site: str) -> None:
        rows = ((f.kind, site, f.where if "." in f.where else "", f.start, f.end, f.detail) for f in faults)
        self._db.executemany("INSERT INTO fault VALUES (?, ?, ?, ?, ?, ?)", rows)


def states_of(site: SiteLife, life: DeviceLife, span: Span) -> Iterator[State]:
    """Yield the states of a device; each layer fills the whole period."""
    if not life.thing.exists:
        return
    if life.thing.role is Role.PANEL:
        off, standby = Times([span]).without(site.mains.power), site.mains.power.without(life.shown)
        yield from _layer("display", {"off": off, "on": life.shown, "standby": standby})
        yield from _layer("answers", {"yes": life.answers, "no": Times([span]).without(life.answers)})
        return
    bodies = life.bodies[:1] if life.oddity and life.oddity.kind == "clone" else life.bodies
    network = bodies[0].network
    asleep, on, measuring = Times(), Times(), Times()
    for body in bodies:
        asleep, on = asleep.either(body.machine.asleep), on.either(body.machine.running)
        measuring = measuring.either(body.machine.measuring)
    yield from _layer("power", {"asleep": asleep, "on": on.without(asleep)})
    yield from _off(
        site, [(boot.end, boot.how) for body in bodies for boot in body.machine.boots], Times([span]).without(on)
    )
    yield from _layer("agent", {"measuring": measuring, "away": Times([span]).without(measuring)})
    yield from _clock(life, bodies, span)
    for layer, times in (("lan", network.gateway), ("wan", network.line)):
        yield from _layer(layer, {"up": times, "down": Times([span]).without(times)})
    if life.thing.role is Role.HOTSPOT:
        failing = Times(one for _, times in life.journey for one in times)
        for stage, times in life.journey:
            yield from _layer("journey", {stage: times})
        yield from _layer("journey", {"done": Times([span]).without(failing)})


def _clock(life: DeviceLife, bodies: tuple[Body, ...], span: Span) -> Iterator[State]:
    """Yield when a machine's clock was right; until then its agent goes by the time since the boot."""
    own = phase(life.thing.id, MINUTE)
    at = span.start
    for boot in (boot for body in bodies for boot in body.machine.boots):
        yield State("clock", at, boot.start, "right")
        at = boot.end if boot.dated is None else boot.dated
        yield State("clock", boot.start, at, "unset", str((boot.start + own) % MINUTE))
    yield State("clock", at, span.end, "right")


def _layer(layer: str, states: dict[str, Times]) -> Iterator[State]:
    for state, times in states.items():
        for start, end in times:
            yield State(layer, start, end, state)


def _off(site: SiteLife, ends: list[tuple[int, str]], off: Times) -> Iterator[State]:
    """Yield the times in which a machine was off, and why: what took the power, else how its last boot ended."""
    how = dict(ends)
    for start, end in off:
        why = how.get(start, "not_on_yet")
        if why == "cut" or (why == "not_on_yet" and not site.mains.power.has(start)):
            why = "power_cut" if site.mains.breaker.has(start) else "breaker"
        yield State("power", start, end, "off", why)
