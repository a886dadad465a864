"""
What a minute really was, from the states of the truth, by a definition of its own.

A minute [m, m + 60 s) of a machine was good when the machine was on and awake all through it, and the network, asked at
m + 60 s + `asks_ms` (up to three times, a second apart; at another phase while the machine's clock is unset), answered.
Of a hotspot, when a guest's journey of that minute (at `reads_ms`) reached its end; of a panel, when its display was on
at `reads_ms` of that minute.

Of what was not good the first of these is why: off, asleep, lan, wan, service (with its stage), standby.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from simulator.places import Role
from simulator.readings import tries
from simulator.spans import MINUTE, Span, Times


class Minute(NamedTuple):
    """A minute: was it good, else why not; `is_seen`: the agent was there to say so."""

    start: int
    is_good: bool
    why: str
    stage: str
    is_seen: bool


class Known(NamedTuple):
    """A device and all of its states."""

    device: str
    site: str
    role: Role
    speaker: str
    is_there: bool
    has_marks: bool
    asks_ms: int
    reads_ms: int
    layers: dict[str, dict[str, Times]]
    unset: Mapping[int, int] = MappingProxyType({})

    def times(self, layer: str, state: str) -> Times:
        """Return when a layer was in a state."""
        return self.layers.get(layer, {}).get(state, Times())

    def asked(self, start: int) -> int:
        """Return when the network is asked for a minute: an agent that begins in the next one asks at once."""
        begin, end = start + MINUTE, start + 2 * MINUTE
        measuring, unset = self.times("agent", "measuring"), self.times("clock", "unset")
        usual = begin + self.asks_ms
        due = [] if unset.has(usual) else [usual]
        for span in unset.within(begin - MINUTE, end):
            early = _of_minute(begin, self.unset[unset.begin(span.start)])
            if span.start <= early < span.end:
                due.append(early)
            elif early >= span.end and measuring.touches(max(span.start, early - MINUTE), span.end):
                # The clock was set meanwhile: the agent still waits for the round that it had put down before.
                due = [early]
        for span in measuring.within(begin, end):
            if measuring.begin(span.start) > begin:
                return span.start
            if inside := [at for at in due if span.start <= at < span.end]:
                return min(inside)
        return usual

    def minute(self, start: int, speaker: "Known | None" = None) -> Minute:
        """Return what a minute was; of a panel `speaker` is the gateway that asks."""
        asked = self.asked(start)
        if self.role is Role.PANEL:
            return self._shown(start, speaker)
        is_seen = self.times("agent", "measuring").has(asked)
        if not self.times("power", "on").covers(start, start + MINUTE):
            is_off = self.times("power", "off").touches(start, start + MINUTE)
            return Minute(start, False, "off" if is_off else "asleep", "", is_seen)
        if self.role is Role.HOTSPOT:
            return self._journey(start, is_seen=is_seen)
        for layer in ("lan", "wan"):
            if not tries(self.times(layer, "up"), asked):
                return Minute(start, False, layer, "", is_seen)
        return Minute(start, True, "", "", is_seen)

    def _journey(self, start: int, *, is_seen: bool) -> Minute:
        at = _of_minute(start, self.reads_ms)
        is_seen = is_seen and self.times("agent", "measuring").has(at)
        for layer in ("lan", "wan"):
            if not self.times(layer, "up").has(at):
                return Minute(start, False, layer, "", is_seen)
        for stage, times in self.layers["journey"].items():
            if stage != "done" and times.has(at):
                return Minute(start, False, "service", stage, is_seen)
        return Minute(start, True, "", "", is_seen)

    def _shown(self, start: int, speaker: "Known | None") -> Minute:
        at = _of_minute(start, self.reads_ms)
        measuring = speaker.times("agent", "measuring") if speaker else Times()
        is_seen = (
            measuring.has(at) and measuring.has(start + MINUTE + self.asks_ms) and self.times("answers", "yes").has(at)
        )
        state = next((name for name, times in self.layers["display"].items() if times.has(at)), "off")
        return Minute(start, state == "on", "" if state == "on" else state, "", is_seen)


def _of_minute(start: int, phase_ms: int) -> int:
    return start + (phase_ms - start) % MINUTE


class Truth:
    """A file of truth, opened for reading."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        facts = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        self.span = Span(facts["start_ms"], facts["end_ms"])

    def known(self, device: str) -> Known:
        """Return a device and its states."""
        row = self._db.execute("SELECT * FROM device WHERE device = ?", (device,)).fetchone()
        spans: dict[str, dict[str, list[tuple[int, int]]]] = {}
        unset: dict[int, int] = {}
        text = "SELECT layer, start_ms, end_ms, state, why FROM state WHERE device = ?"
        for layer, start, end, state, why in self._db.execute(text, (device,)):
            if layer == "clock" and state == "unset":
                unset[start] = int(why)
            spans.setdefault(layer, {}).setdefault(state, []).append((start, end))
        layers = {layer: {state: Times(some) for state, some in states.items()} for layer, states in spans.items()}
        return Known(row[0], row[1], Role(row[2]), row[3], bool(row[4]), bool(row[5]), row[6], row[7], layers, unset)

    def devices(self) -> list[str]:
        """Return the ids of all devices."""
        return [row[0] for row in self._db.execute("SELECT device FROM device ORDER BY device")]

    def faults(self, device: str) -> Iterator[tuple[str, Span, str]]:
        """Yield (kind, when, detail) of the faults of a device and of its site."""
        text = (
            "SELECT kind, start_ms, end_ms, detail FROM fault "
            "WHERE device = ? OR (device = '' AND site = ?) ORDER BY start_ms"
        )
        for kind, start, end, detail in self._db.execute(text, (device, device.partition(".")[0])):
            yield kind, Span(start, end), detail

    def oddities(self) -> dict[str, tuple[str, int, int]]:
        """Return what is strange: kind, since when, until when, by device."""
        return {row[0]: row[1:] for row in self._db.execute("SELECT device, kind, since_ms, until_ms FROM oddity")}

    def close(self) -> None:
        """Close the file."""
        self._db.close()
