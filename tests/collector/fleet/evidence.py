"""
What agents leave in a store around an upgrade: simulated minute by minute, written as the collector writes it.

Time is counted in minutes of a city whose upgrade begins at 60 and whose present is 90, unless a test says otherwise.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from collector.fleet.facts import MINUTE_NS, NS
from collector.fleet.judgement import Release
from collector.store.base import Row, Store
from contract.sample import Value
from tests.collector.store.points import body

OLD, NEW = "1.0.0", "1.1.0"
UPGRADE, NOW = 60, 90
Minutes = Callable[[int], bool]


def always(_minute: int) -> bool:
    """Return that a minute is there."""
    return True


class Behaviour(NamedTuple):
    """
    How one agent behaves.

    `upgraded` at a minute, None: never; `version` is what it says from then on, `back` when it is on the old one again.
    `there` tells whether a minute is proven, `powered` whether the machine is on: each time begins a boot. `lines` a
    minute; `more` starts of the agent at these minutes; `refused` lines a minute since the upgrade; `fault` what it
    reports of itself since then. `mute`: minutes in which all comes but the presence. `is_numbered`: minutes that are
    not there have numbers, as what is still to come has.
    """

    upgraded: int | None = None
    version: str = NEW
    back: int | None = None
    there: Minutes = always
    powered: Minutes = always
    lines: Callable[[int], int] = lambda _minute: 10
    more: tuple[int, ...] = ()
    refused: int = 0
    fault: str = ""
    mute: Minutes = lambda _minute: False
    is_numbered: bool = False


class City:
    """Agents and their evidence, of which the present is minute `now`."""

    def __init__(self, now: int = NOW) -> None:
        self.base_ns = (time.time_ns() // MINUTE_NS - now) * MINUTE_NS
        self.now = now
        self._rows: dict[str, list[Row]] = {name: [] for name in ("presence", "identity", "delivery", "fault")}

    def at(self, minute: float) -> int:
        """Return an instant."""
        return self.base_ns + int(minute * MINUTE_NS)

    def release(self, version: str = NEW) -> Release:
        """Return what was rolled out at the minute of the upgrade, as it is looked at now."""
        return Release(version, self.at(UPGRADE), self.at(self.now))

    def lives(self, agents: Iterable[str], behaviour: Behaviour | None = None, **of: object) -> None:
        """Have some agents live as they do."""
        for agent in agents:
            self._live(agent, behaviour or Behaviour(**of))  # type: ignore[arg-type]

    def write(self, store: Store) -> None:
        """Put everything into a store."""
        for name, rows in self._rows.items():
            if rows:
                retention, lines = body(name, rows)
                assert store.write(retention, lines) == []

    def _live(self, agent: str, how: Behaviour) -> None:
        boots = starts = seq = 0
        was_on, on_since = False, 0
        for minute in range(1, self.now + 1):
            is_on = how.powered(minute)
            begins = (is_on and not was_on) or minute in (how.upgraded, how.back, *how.more)
            if is_on and not was_on:
                boots, on_since = boots + 1, minute - 1 if minute > 1 else -1000
            was_on = is_on
            if not is_on:
                continue
            starts += begins
            is_new = how.upgraded is not None and minute >= how.upgraded and (how.back is None or minute < how.back)
            if begins or minute % 60 == 7:
                version = how.version if is_new else OLD
                self._add("identity", agent, minute + 0.1, {"version": version, "profile": "openwrt"})
            restarts = begins and minute == how.upgraded
            if how.there(minute) and not restarts and not how.mute(minute):
                uptime = 60.0 * (minute - on_since)
                self._add("presence", agent, minute, {"boot": f"boot{boots}", "uptime_s": uptime, "asleep_s": 0.0})
            seq += how.is_numbered or how.there(minute)
            if how.there(minute):
                delivery: Mapping[str, Value] = {
                    "epoch": f"e{starts}",
                    "seq": seq,
                    "lines": how.lines(minute),
                    "received": (self.at(minute) + 30 * NS) // 1_000_000,
                    "lag_ms": 30_000,
                    "partial": how.refused if is_new else 0,
                }
                self._add("delivery", agent, minute, delivery)
            if how.fault and is_new and minute == how.upgraded:
                row = Row(agent, agent, (("code", how.fault),), self.at(minute), {"active": 1, "severity": "warning"})
                self._rows["fault"].append(row)

    def _add(self, measurement: str, agent: str, minute: float, fields: Mapping[str, Value]) -> None:
        self._rows[measurement].append(Row(agent, agent, (), self.at(minute), dict(fields)))
