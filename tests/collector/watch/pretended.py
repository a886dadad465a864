"""
A simulated district under a watch, in a time of its own: hours pass in seconds, by the shipped rules.

    district = Pretended(tmp_path, monkeypatch, receiver, schools=12)
    district.cut(district.with_gateway[0], 60, 100)     # minutes after its beginning
    district.live(150)
    district.told                                       # lines of the messages that somebody got

What agents send and say is the simulator's; check, store, roster, calendars, watch, outbox and receiver are real. Only
the broker is not: it would deliver in our time.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collector import watching as watching_module
from collector.chunk import Chunk
from collector.instructed import Instructions
from collector.listen import Subscribed, Word, word_of
from collector.roster.read import read
from collector.roster.versions import Versions
from collector.store.sqlite import SqliteStore
from collector.targets.load import load
from collector.watching import Sources, Watching
from collector.wire import Arrival
from contract import topics
from contract.broker import BrokerSettings, BrokerUrl
from simulator import paper
from simulator.faults import Mains
from simulator.living import Event, events
from simulator.places import Place, Role
from simulator.rates import Kind, Rates
from simulator.spans import MINUTE, SECOND, Times
from simulator.world import World
from tests.collector.channels.receivers import Web
from tests.collector.watch.test_instructed import addresses_in

# Monday, 10:05 in Qingyuan, at the beginning of a lesson; long ago, so that what is due is due by every clock.
SINCE = int(datetime(2026, 3, 2, 2, 5, tzinfo=UTC).timestamp()) * 1000
LOOK = 15 * SECOND
SETTINGS = 'language = "en"\n[digest]\nat = ""\n'
_NEVER = Kind(0.0, (60, 120))
CALM = Rates(**{name: _NEVER for name in Rates._fields if name != "killed_before_end"}, killed_before_end=0.0)


class Story(World):
    """A world in which nothing breaks but what is told; schools are small, and in turn of two operators."""

    def __init__(self, schools: int, devices_each: int) -> None:
        super().__init__(1, schools * 40, date(2026, 3, 2), 3, CALM, living_since=SINCE)
        self.seed = 1
        self.oddities = {}
        some = [place for place in self.places if place.is_school][:schools]
        self.places = tuple(
            place._replace(
                operator=f"operator-{'ab'[number % 2]}",
                boxed=False,
                things=tuple(thing._replace(exists=True, clock_s=(3, 40)) for thing in place.things[:devices_each]),
            )
            for number, place in enumerate(some)
        )
        self.cuts: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def _mains(self, place: Place) -> Mains:
        mains = super()._mains(place)
        return mains._replace(line=mains.line.without(Times(self.cuts[place.id])))


class Hearing:
    """Hands on what agents said by now, in place of a listener at a broker."""

    is_connected = is_settled = True

    def __init__(self, _settings: BrokerSettings) -> None:
        self.waiting: list[Word | Subscribed] = [Subscribed(None)]

    def heard(self) -> list[Word | Subscribed]:
        """Return what was said since the last time."""
        found, self.waiting = self.waiting, []
        return found

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


class Pretended:
    """The district, its watch and whom it tells."""

    def __init__(
        self,
        data: Path,
        patch: pytest.MonkeyPatch,
        receiver: Web,
        schools: int,
        devices_each: int = 6,
        settings: str = SETTINGS,
    ) -> None:
        self.world = Story(schools, devices_each)
        self._receiver, self._data = receiver, data
        (data / "watch.toml").write_text(settings, encoding="utf-8")
        urls = data / "notify.urls"
        urls.write_text(f"json://127.0.0.1:{receiver.port}/\n")
        urls.chmod(0o600)
        paper.write(self.world, data)
        reading = read([data / "sites.csv", data / "devices.csv"])
        assert not reading.errors
        Versions(data).add(reading, date(2026, 3, 2), "tests")
        self._store = SqliteStore(data / "santong.sqlite")
        self._store.prepare()
        patch.setattr(watching_module, "Listener", self._listener)
        self._hearing: Hearing | None = None
        self._chunk = Chunk()
        self._stream: Iterator[Event] | None = None
        self._next: Event | None = None
        self._at = SINCE
        self.start()

    def _listener(self, settings: BrokerSettings) -> Hearing:
        self._hearing = Hearing(settings)
        return self._hearing

    def start(self) -> None:
        """Start a watch: the first, or another one over the same folder."""
        sources = Sources(self._store, BrokerSettings(BrokerUrl("mqtt://none.invalid")), load().targets)
        self.watching = Watching(self._data, sources, Instructions(self._data, addresses_in(self._data)))

    @property
    def with_gateway(self) -> list[str]:
        """The schools whose gateway has an agent."""
        return [one.id for one in self.world.places if any(thing.role is Role.GATEWAY for thing in one.things)]

    @property
    def without_gateway(self) -> list[str]:
        """The schools of which classes alone are heard."""
        return [one.id for one in self.world.places if one.id not in self.with_gateway]

    def name(self, site: str) -> str:
        """Return what a school is called."""
        return next(one.title for one in self.world.places if one.id == site)

    @property
    def told(self) -> list[str]:
        """What somebody was told, line by line."""
        found = [line for text in self._receiver.texts for line in text.split("\n")]
        return [line for line in found if line and not line.startswith("message ")]

    def cut(self, site: str, begin: float, end: float) -> None:
        """Cut the uplink of a site between two minutes; before the district lives."""
        assert self._stream is None
        self.world.cuts[site].append((SINCE + round(begin * MINUTE), SINCE + round(end * MINUTE)))

    def live(self, minutes: float, look: int = LOOK) -> None:
        """Let time pass, with a look every 15 s of it, or so many ms."""
        self._stream = self._stream or events(self.world, lean=True)
        until = self._at + round(minutes * MINUTE)
        while self._at < until:
            self._at += look
            self._take(self._stream)
            self.watching.look(self._at * 10**6)
            if any(one["done_ns"] is None for one in self.watching.journal.messages(1)) or self._has_entries():
                self.watching.send()

    def _has_entries(self) -> bool:
        with self.watching.journal.transaction() as connection:
            return bool(connection.execute("SELECT 1 FROM entry WHERE message IS NULL LIMIT 1").fetchone())

    def _take(self, stream: Iterator[Event]) -> None:
        """Take what reached broker and centre by now."""
        assert self._hearing
        event = self._next or next(stream)
        while event.at <= self._at:
            if event.device:
                topic = topics.batch(event.agent, event.device)
                self._chunk.add(Arrival(topic, event.payload, event.at * 10**6))
            else:
                self._hearing.waiting.append(
                    Word(event.agent, word_of(event.payload), event.at * 10**6, is_retained=False)
                )
            event = next(stream)
        self._next = event
        if self._chunk.lines:
            self._chunk.store(self._store.write)
            assert not self._chunk.quarantined
            self._chunk = Chunk()

    def shut(self) -> None:
        """End it."""
        self.watching.stop()
        self._store.close()
