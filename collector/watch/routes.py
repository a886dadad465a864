"""
DATA/watch.toml: who is told of what, when, and how often.

    [[route]]
    to = ["wecombot#7ba8fa17"]      names of addresses as `santong notify test` prints them; * for any text
    county = ["441802"]             none: all; the same with `operator` and `kind`
    quiet = "22:00-07:00"
    escalate_to = ["mailto*"]

Every route that fits counts; without any, all addresses are told of everything.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from collector.watch.memory import ESCALATED, RECOVERED, Case, News, Thing, Track
from collector.watch.rules import SECOND_NS, Rules
from collector.watch.types import Now
from contract.errors import ConfigError, Problem
from contract.meant import did_you_mean
from contract.names import county_of
from contract.settings import POSITIVE, Seconds

FILE = "watch.toml"
Kind = Literal["device", "site", "operator", "fault", "silent", "centre"]
Severity = Literal["info", "warning", "critical"]
_LONGEST_URL = 150  # characters: the link stands below each incident
_CLOCK = r"([01]?\d|2[0-3]):([0-5]\d)"


class Clock(str):
    """A time of day, `07:45`; empty: never."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return it; ValueError says how one is written."""
        if text and not re.fullmatch(_CLOCK, text):
            raise ValueError(f"{text!r} is not a time of day such as 07:45")
        return cls(text)

    @property
    def minute(self) -> int:
        """The minute of the day."""
        hour, _, minute = self.partition(":")
        return int(hour) * 60 + int(minute)


class Quiet(str):
    """Hours in which nobody is woken, `22:00-07:00`; empty: none."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return them; ValueError says how they are written."""
        if text and not re.fullmatch(f"{_CLOCK}-{_CLOCK}", text):
            raise ValueError(f"{text!r} are no hours such as 22:00-07:00")
        return cls(text)

    def end_ns(self, now_ns: int, zone: ZoneInfo) -> int:
        """Return when these hours end, if it is quiet now; else now."""
        if not self:
            return now_ns
        start, end = (Clock(part).minute for part in self.split("-"))
        now = datetime.fromtimestamp(now_ns / SECOND_NS, zone)
        minute = now.hour * 60 + now.minute
        is_quiet = start <= minute < end if start < end else minute >= start or minute < end
        if not is_quiet:
            return now_ns
        over = now.replace(hour=end // 60, minute=end % 60, second=0, microsecond=0)
        return int((over if over > now else over + timedelta(days=1)).timestamp()) * SECOND_NS


class Board(str):
    """Where people open the board, `https://board.example.org`; empty: messages have no links."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return it without a slash at its end; ValueError says how one is written."""
        if text and not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", text):
            raise ValueError(f"{text!r} is no address such as https://board.example.org")
        if len(text) > _LONGEST_URL:
            raise ValueError(f"is longer than {_LONGEST_URL} characters")
        return cls(text.rstrip("/"))


class Route(NamedTuple):
    """Who is told of the incidents that fit."""

    to: tuple[str, ...]
    county: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    kind: tuple[Kind, ...] = ()
    quiet: Quiet = Quiet("")
    escalate_to: tuple[str, ...] = ()
    digest: bool = True

    def sees(self, thing: Thing) -> bool:
        """Tell whether it is about a device at all."""
        return (not self.county or thing.county in self.county) and (
            not self.operator or thing.operator in self.operator
        )

    def takes(self, case: Case) -> bool:
        """Tell whether it is about an incident."""
        counties = {county_of(device) for device in case.devices} | {case.county} - {""}
        return (
            (not self.county or not counties or not counties.isdisjoint(self.county))
            and (not self.operator or case.operator in self.operator)
            and (not self.kind or case.kind in self.kind)
        )


class Part(NamedTuple):
    """What of everything an address is told in the morning: what any of its routes is about."""

    routes: tuple[Route, ...]

    def cases(self, cases: Iterable[Case]) -> list[Case]:
        """Return the incidents that it is told of."""
        return [case for case in cases if any(route.takes(case) for route in self.routes)]

    def now(self, things: Iterable[Thing], tracks: Mapping[str, Track]) -> dict[str, Now]:
        """Return how its devices are."""
        mine = (thing.device for thing in things if any(route.sees(thing) for route in self.routes))
        return {device: tracks[device].now for device in mine if device in tracks}


class Digest(NamedTuple):
    """The morning's message of what is open."""

    at: Clock = Clock("07:45")


class Heartbeat(NamedTuple):
    """An address outside that notices when nothing comes any more; its URL is a secret."""

    url: str = ""
    every: Annotated[Seconds, POSITIVE] = Seconds(300)
    method: Literal["GET", "POST"] = "GET"


class WatchSettings(NamedTuple):
    """
    The file: how often watch looks, and how often it asks the store.

    `board` is where people open it: messages link to it. `always_on` are roles that are alerted when they are off,
    `faults` severities that are; `gather` is how long news wait for others that go into the same message.
    """

    language: Literal["zh", "en"] = "zh"
    board: Board = Board("")
    every: Annotated[Seconds, POSITIVE] = Seconds(15)
    read: Annotated[Seconds, POSITIVE] = Seconds(60)
    always_on: tuple[str, ...] = ("access-point", "gateway", "switch", "controller")
    faults: tuple[Severity, ...] = ("critical",)
    silent_days: Annotated[int, POSITIVE] = 2
    gather: Seconds = Seconds(20)
    per_minute: Annotated[int, POSITIVE] = 15
    rules: Rules = Rules()
    digest: Digest = Digest()
    heartbeat: Heartbeat = Heartbeat()
    route: tuple[Route, ...] = ()


class Recipient(NamedTuple):
    """An address, and when it is told at the earliest."""

    address: str
    due_ns: int


class Routing:
    """The routes over the addresses that there are; ConfigError names every address that is none of them."""

    def __init__(self, settings: WatchSettings, addresses: Sequence[str], source: str = FILE) -> None:
        self._routes = settings.route or (Route(to=("*",)),)
        self._addresses = addresses
        problems = [
            Problem(f"route[{number}].{name}", _unknown(pattern, addresses))
            for number, route in enumerate(settings.route)
            for name in ("to", "escalate_to")
            for pattern in getattr(route, name)
            if not self._named([pattern])
        ]
        if problems:
            raise ConfigError(source, problems)

    def recipients(self, news: News, zone: ZoneInfo) -> list[Recipient]:
        """
        Return who is told: each once, at the earliest that any route allows.

        Who knows of a case is told how it ends, by whatever route they are told of anything. Where such an address is
        gone, as that of a bot whose key was changed, those whom the routes name now are told, too.
        """
        found = self._dues(news, zone, [route for route in self._routes if route.takes(news.case)])
        if news.to:
            others = self._dues(news, zone, self._routes)
            known = {one for one in self._addresses if one in news.to}
            named = set() if known.issuperset(news.to) else found.keys()
            found = {one: found.get(one, others.get(one, news.at_ns)) for one in sorted(known | named)}
        return [Recipient(address, due_ns) for address, due_ns in found.items()]

    def addresses(self, what: str, case: Case) -> list[str]:
        """Return the addresses that are told such news of a case."""
        names = {name for route in self._routes if route.takes(case) for name in _names(route, what, case)}
        return self._named(names)

    def _dues(self, news: News, zone: ZoneInfo, routes: Iterable[Route]) -> dict[str, int]:
        """Return whom routes name, and when each of them may be told."""
        found: dict[str, int] = {}
        for route in routes:
            due_ns = news.at_ns if news.case.kind == "centre" else route.quiet.end_ns(news.at_ns, zone)
            for address in self._named(_names(route, news.what, news.case)):
                found[address] = min(due_ns, found.get(address, due_ns))
        return found

    def digests(self) -> dict[str, Part]:
        """Return who gets the digest, and of what."""
        found: dict[str, Part] = {}
        for route in self._routes:
            for address in self._named(route.to) if route.digest else ():
                found[address] = Part((*found.get(address, Part(())).routes, route))
        return found

    def _named(self, patterns: Iterable[str]) -> list[str]:
        return [one for one in self._addresses if any(fnmatchcase(one, pattern) for pattern in patterns)]


def _names(route: Route, what: str, case: Case) -> tuple[str, ...]:
    """Return whom a route names for some news: whoever was woken hears that it is over, too."""
    if what == ESCALATED:
        return route.escalate_to or route.to
    return (*route.to, *route.escalate_to) if what == RECOVERED and case.is_escalated else route.to


def _unknown(pattern: str, addresses: Collection[str]) -> str:
    known = f"; there are {', '.join(addresses)}" if addresses else "; notify.urls has none"
    return f"{pattern!r} is no address{did_you_mean(pattern, addresses) or known}"
