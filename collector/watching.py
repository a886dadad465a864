"""
Watch: what is wrong now, and who is told. A process of its own beside the collector.

    MQTT state, wills ──▶ listen ──┐                              ┌──▶ journal ──▶ outbox ──▶ addresses (thread)
    store, once a minute ▶ sighted ┼──▶ core.step ──▶ news ──▶ routes        (one transaction)
    roster, calendars, disputes ───┘   (pure)          ▲          └──▶ board, API: read the journal
                          watch.toml, notify.urls ─────┘

Each look ends in one transaction: states, incidents and what is to be told of them are on disk together or not at all.
What is killed in between is looked at again at the next start, from the journal, the retained words and the store.
Where the journal takes nothing for a while, all that was heard and found stays in memory until it does.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from collector.calendars.zone import instant_ns
from collector.instructed import Instructions
from collector.listen import Listener, Subscribed, Word
from collector.planned import Planned
from collector.sighted import Sighted, last_heard
from collector.store.base import Reads, StoreError
from collector.targets.schema import Target
from collector.telling import Beats, Sender, paper
from collector.watch.core import Core
from collector.watch.journal import CENTRE, EVERY, JUDGED, LOOKED, TROUBLE, Entry, Journal
from collector.watch.memory import Moment, News
from collector.watch.outbox import DIGEST, Outbox, Paper
from collector.watch.routes import WatchSettings
from collector.watch.rules import ns
from collector.watch.texts import Voice
from contract.broker import BrokerSettings
from contract.errors import SantongError

log = logging.getLogger("santong.watch")

_BACK_NS = ns(30 * 86_400)
_LATE_DIGEST_NS = ns(3 * 3600)
_FORGET_NS = ns(86_400)
_TICK_S = 0.2
_PATIENCE_S = 5.0
_SEVERAL = 3  # agents: what one or two of them say may be their own fault
_DIGEST_DAY = "digest_day"
BROKER_DOWN, STORE_DOWN, COLLECTOR_DOWN = "broker_down", "store_down", "collector_down"


class Sources(NamedTuple):
    """Where watch looks. Without a broker the store alone is asked."""

    store: Reads
    broker: BrokerSettings | None
    targets: Sequence[Target]
    calendars: Path | None = None


class Watching:
    """One watch over a data folder: `run` until it is to stop, or `look` once. Unplanned without roster, calendars."""

    def __init__(self, data: Path, sources: Sources, instructions: Instructions) -> None:
        self._instructions = instructions
        self._sources = sources
        self.planned = Planned(data, sources.calendars, self.settings.always_on)
        self.planned.refresh(time.time_ns())
        self.planned.insist()
        self.journal = Journal(data, create=True)
        self._store = sources.store
        self._sighted = self._reader()
        self._listener = Listener(sources.broker) if sources.broker else None
        self._beats = Beats(self.settings.heartbeat)
        self._is_running = False
        self._read_ns = 0
        self._began_at = time.monotonic()
        self._online_ns = 0
        self._store_trouble = ""
        self._silent_day = ""
        self._forgot_ns = 0
        self._settle_until_ns = 0
        self._unwritten: list[Entry] = []
        self._journal_trouble = ""
        self.core = Core(self.settings.rules, self.journal.load())
        looked_ns = self.journal.looked_ns()
        self._has_looked = looked_ns > 0
        self._away_ns = abs(time.time_ns() - looked_ns)
        self.outbox = Outbox(self.journal, self._paper(), self.settings.per_minute)
        self._sender = Sender(self.outbox, instructions.addresses)

    @property
    def settings(self) -> WatchSettings:
        """Who is told of what, when, and how often; as the file has it now."""
        return self._instructions.settings

    @property
    def voice(self) -> Voice:
        """How people are told."""
        return Voice(self.settings.language, self.planned.names(), self.planned.zone, self.settings.board)

    @property
    def trouble(self) -> str:
        """What of watch itself does not work."""
        parts = (self._instructions.trouble, self.planned.trouble, self._store_trouble, self._beats.trouble)
        return "; ".join(filter(None, parts))

    def _paper(self) -> Paper:
        return paper(self.voice, self._instructions.addresses)

    def _reader(self) -> Sighted:
        return Sighted(self._sources.targets, self.settings.rules, self.settings.faults)

    # ---- the loop

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Look, and tell, until `is_stopping`."""
        self.start()
        self._is_running = True
        self._sender.start()
        self._beats.start()
        due = 0.0
        while not is_stopping():
            if time.monotonic() >= due and self.is_ready():
                due = time.monotonic() + self.settings.every
                self._look_once()
            time.sleep(_TICK_S)
        self._sender.stop()
        self.stop()

    def _look_once(self) -> None:
        try:
            self.look(time.time_ns())
        except (SantongError, OSError) as error:
            if str(error) != self._journal_trouble:
                log.error("%s: what was heard is kept, and written when it can be", error)  # noqa: TRY400  one line
            self._journal_trouble = str(error)
        else:
            self._journal_trouble = ""

    def start(self) -> None:
        """Begin to listen."""
        if self._listener:
            self._listener.start()

    def stop(self) -> None:
        """End."""
        self._beats.stop()
        if self._listener:
            self._listener.stop()
        self.journal.shut()

    def is_ready(self) -> bool:
        """Tell whether a look is worth it: what was retained has come, or the broker is not there."""
        if self._listener is None or self._listener.is_settled:
            return True
        return not self._listener.is_connected and time.monotonic() - self._began_at > _PATIENCE_S

    def send(self) -> None:
        """Send what is due, and return when it was tried."""
        self._sender.send_all()

    def look(self, now_ns: int, *, is_last: bool = False) -> list[News]:
        """Look once; what it comes to is durable when this returns. News of a last look wait for no others."""
        if self._instructions.refresh():
            self._take_up()
        self.planned.refresh(now_ns)
        self._hear(now_ns)
        self._read(now_ns)
        moment = self._moment(now_ns)
        news = self.core.step(moment)
        gather_ns = 0 if is_last else ns(self.settings.gather)
        self._unwritten += [entry for one in news for entry in self._entries(one, gather_ns)]
        remember = {LOOKED: str(now_ns), EVERY: str(ns(self.settings.every)), CENTRE: moment.centre}
        remember[TROUBLE] = self.trouble
        if not moment.centre:
            remember[JUDGED] = str(now_ns)
        entries = [*self._unwritten, *self._digest(now_ns, remember)]
        self.journal.commit(self.core.memory, entries, remember)
        self._unwritten, self._has_looked = [], True
        if not moment.centre and not self.planned.unread:
            self._beats.well()
        if now_ns - self._forgot_ns > _FORGET_NS:
            self._forgot_ns = now_ns
            self.outbox.forget(now_ns)
        return news

    def _take_up(self) -> None:
        """Go on by what the files say now."""
        settings, heartbeat = self.settings, self._beats.heartbeat
        self.core.rules = settings.rules
        self.planned.always_on = settings.always_on
        self._sighted, self._read_ns, self._silent_day = self._reader(), 0, ""
        self.outbox.per_minute, self.outbox.paper = settings.per_minute, self._paper()
        self._sender.addresses = self._instructions.addresses
        if settings.heartbeat != heartbeat:
            self._beats.stop()
            self._beats = Beats(settings.heartbeat)
            if self._is_running:
                self._beats.start()

    # ---- what comes in

    def _hear(self, now_ns: int) -> None:
        """Take what agents said, and the devices there are."""
        for event in self._listener.heard() if self._listener else ():
            if isinstance(event, Word):
                self.core.said(event.agent, event.word, event.at_ns, is_retained=event.is_retained)
            else:
                self._subscribed(event, now_ns)
        if not self.planned.roster.sites:
            self.planned.adopt(self.core.memory.links)
        if self.planned.is_new:
            self.core.plan(self.planned.things())
            self.outbox.paper = self._paper()
            self._read_ns = 0

    def _subscribed(self, event: Subscribed, now_ns: int) -> None:
        away_ns = self._away_ns if event.away_s is None else ns(event.away_s)
        self.core.subscribed(away_ns)
        if away_ns > ns(self.settings.rules.together) and self._has_looked:
            self._settle_until_ns = now_ns + ns(self.settings.rules.settle)

    def _read(self, now_ns: int) -> None:
        """Ask the store, where it is time."""
        if 0 <= now_ns - self._read_ns < ns(self.settings.read):  # less than 0: the clock was set back
            return
        try:
            if self._read_ns == 0:
                self._recall(now_ns)
            self.core.seen(self._sighted.read(self._store, self.planned.watched, now_ns))
            self._faults = self._sighted.faults(self._store, now_ns)
        except StoreError as error:
            if not self._store_trouble:
                log.warning("%s", error)
            self._store_trouble = str(error)
        else:
            self._store_trouble = ""
            self._read_ns = now_ns

    _faults: dict[str, tuple[str, ...]] | None = None

    def _recall(self, now_ns: int) -> None:
        """Find out when devices were heard of which the journal knows nothing yet."""
        tracks = self.core.memory.tracks
        unknown = [device for device in self.planned.roster.devices if device in tracks and not tracks[device].heard_ns]
        for device, heard_ns in last_heard(self._store, unknown, now_ns, _BACK_NS).items():
            self.core.memory.track(tracks[device]._replace(heard_ns=heard_ns))

    def _moment(self, now_ns: int) -> Moment:
        said = self.journal.unheard(self.core.memory.last_said)  # first: it may fail, and nothing else is begun
        owed = self.planned.owed(now_ns)
        settling_ns = self._settle_until_ns - now_ns
        return Moment(
            now_ns,
            owed.service,
            owed.lessons,
            owed.quiet,
            self._faults,
            self._silent(now_ns),
            self._centre(now_ns),
            0 < settling_ns <= ns(self.settings.rules.settle),
            said,
            self.planned.lost,
            self._instructions.routing.addresses,
        )

    def _silent(self, now_ns: int) -> dict[str, int] | None:
        """Return who has fallen silent, once a day."""
        today = str(self.planned.today(now_ns))
        if today == self._silent_day or self._read_ns == 0:
            return None
        self._silent_day = today
        tracks = self.core.memory.tracks
        return self.planned.silent(
            lambda device: tracks[device].heard_ns if device in tracks else 0, now_ns, self.settings.silent_days
        )

    def _centre(self, now_ns: int) -> str:
        """Return what of the centre fails, "" nothing."""
        if self._listener and not self._listener.is_connected:
            return BROKER_DOWN
        if self._store_trouble:
            return STORE_DOWN
        if not self._is_told_by_agents():
            self._online_ns = 0
            return ""
        self._online_ns = min(self._online_ns or now_ns, now_ns)
        patience_ns = ns(self.settings.rules.fresh)
        since_ns = max(self._online_ns, self._sighted.newest_ns)
        return COLLECTOR_DOWN if now_ns - since_ns > patience_ns else ""

    def _is_told_by_agents(self) -> bool:
        """
        Tell whether so many agents are online that evidence must come from one of them.

        Only those of the roster count of which anything was ever stored, all of them where nothing was of any. One that
        delivers nothing alone in the night, as it has no time yet, says nothing of the collector; where there are only
        a few, most of them do.
        """
        things, tracks = self.core.things.values(), self.core.memory.tracks
        heard = {one.voice for one in things if tracks[one.device].heard_ns} or {one.voice for one in things}
        online = len(heard & self.core.online)
        return online >= _SEVERAL or online > len(heard) / 2

    # ---- what goes out

    def _entries(self, news: News, gather_ns: int) -> Iterable[Entry]:
        urgency = "info" if news.what == "recovered" else "warning" if news.case.kind == "device" else "critical"
        line = self.voice.linked(news)
        for address, due_ns in self._instructions.routing.recipients(news, self.planned.zone):
            yield Entry(address, news.case.id, news.told_as, urgency, line, due_ns + gather_ns)

    def _digest(self, now_ns: int, remember: dict[str, str]) -> list[Entry]:
        """Return the morning's messages, once a day; what was missed for hours is left out."""
        at, zone = self.settings.digest.at, self.planned.zone
        today = self.planned.today(now_ns)
        if not at or self.journal.known(_DIGEST_DAY) == str(today):
            return []
        due_ns = instant_ns(today, at.minute, zone)
        if now_ns < due_ns:
            return []
        remember[_DIGEST_DAY] = str(today)
        if now_ns - due_ns > _LATE_DIGEST_NS:
            return []
        memory = self.core.memory
        title = self.voice.word("digest_title", day=f"{datetime.combine(today, datetime.min.time()):%m-%d}")
        found = []
        for address, part in self._instructions.routing.digests().items():
            now = part.now(self.core.things.values(), memory.tracks)
            lines = self.voice.digest(part.cases(memory.cases.values()), now, now_ns)
            if self.trouble:
                lines.append(f"{self.voice.word('trouble')}: {self.trouble}")
            found.append(Entry(address, "", DIGEST, "info", "\n".join([title, *lines]), now_ns))
        return found
