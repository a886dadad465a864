"""
Watch with its own parts, over a real store and journal, at instants of a test's own; agents' words come from the test.

    joined = Joined(tmp_path, monkeypatch)
    joined.deliver()
    joined.say("online", *joined.agents)
    joined.look(60)             # seconds after its beginning
    joined.kinds                # of the incidents that are open
"""

import time
from datetime import date
from pathlib import Path

import pytest

from collector import watching as watching_module
from collector.instructed import Instructions
from collector.listen import Subscribed, Word
from collector.roster.read import read
from collector.roster.versions import Versions
from collector.store.sqlite import SqliteStore
from collector.watch.memory import News
from collector.watching import Sources, Watching
from contract.broker import BrokerSettings, BrokerUrl
from contract.measurements import Retention
from contract.sample import Value
from tests.collector.watch.district import CALENDARS, stored
from tests.collector.watch.pretended import Hearing

NOW_NS = 1_772_416_800 * 10**9  # a Monday morning, on a whole minute
SETTINGS = 'language = "en"\n[digest]\nat = ""\n'


class Joined:
    """Some sites of three agents each, all of one operator: a gateway and two classes."""

    def __init__(self, data: Path, patch: pytest.MonkeyPatch, sites: int = 2) -> None:
        self.data = data
        self.sites = [f"441802-{3000 + number}" for number in range(sites)]
        self.agents = [f"{site}.{place}" for site in self.sites for place in ("gw", "c1", "c2")]
        (data / "watch.toml").write_text(SETTINGS, encoding="utf-8")
        (data / "calendars.yaml").write_text(CALENDARS, encoding="utf-8")
        sheets = {
            "sites.csv": ["site,name,kind,operator", *(f"{site},{site},school,operator-a" for site in self.sites)],
            "devices.csv": [
                "device,role,valid_from",
                *(f"{one},{'gateway' if one.endswith('gw') else 'classroom'},2025-09-01" for one in self.agents),
            ],
        }
        for name, lines in sheets.items():
            (data / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        Versions(data).add(read([data / name for name in sheets]), date(2025, 9, 1), "tests")
        self.store = SqliteStore(data / "santong.sqlite")
        self.store.prepare()
        self.now_ns = NOW_NS
        patch.setattr(watching_module, "Listener", self._listener)
        patch.setattr(time, "time_ns", lambda: self.now_ns)
        broker = BrokerSettings(BrokerUrl("mqtt://none.invalid"))
        self.watching = Watching(data, Sources(self.store, broker, []), Instructions(data, list))

    def _listener(self, settings: BrokerSettings) -> Hearing:
        self._hearing = Hearing(settings)
        return self._hearing

    def at(self, seconds: float) -> int:
        """Return an instant after the beginning."""
        return NOW_NS + round(seconds * 10**9)

    def say(self, word: str, *agents: str) -> None:
        """Let agents say a word now."""
        self._hearing.waiting += [Word(agent, word, self.now_ns, is_retained=False) for agent in agents]

    def subscribe(self, away_s: float | None = None) -> None:
        """Let the broker be back."""
        self._hearing.waiting.append(Subscribed(away_s))

    def deliver(self, *agents: str, seconds: float = 0, ahead_s: float = 0) -> None:
        """Store a presence of some agents, or of all, of an instant; of a clock that is ahead by so much."""
        fields: dict[str, Value] = {"boot": "b", "uptime_s": 600.0, "asleep_s": 0.0, "lan": 1, "wan": 1, "broker": 1}
        some = agents or tuple(self.agents)
        lines = [stored("presence", agent, {}, fields, self.at(seconds + ahead_s)) for agent in some]
        self.store.write(Retention.EVIDENCE, b"".join(lines))

    def look(self, seconds: float) -> list[News]:
        """Look at an instant."""
        self.now_ns = self.at(seconds)
        return self.watching.look(self.now_ns)

    def live(self, since: int, until: int, *delivering: str) -> list[News]:
        """Look every 15 s, with a presence a minute of those that deliver."""
        news = []
        for second in range(since, until, 15):
            if second % 60 == 0 and delivering:
                self.deliver(*delivering, seconds=second)
            news += self.look(second)
        return news

    @property
    def kinds(self) -> list[str]:
        """The kinds of incidents that are open."""
        return [one.kind for one in self.watching.journal.incidents(open_only=True)]

    def shut(self) -> None:
        """End it."""
        self.watching.stop()
        self.store.close()
