"""
A town in memory for the tests of the state machine: schools, operators, an evening, and a clock that is put forward.

    town = Town(schools=3)
    town.run(minutes=10)                # everything works
    town.cut("441802-1001")             # its uplink is gone: wills come, evidence ends
    town.run(minutes=10)
    town.told                           # what somebody was told, as (what, kind, subject)
"""

from collections.abc import Iterable
from pathlib import Path

from collector.watch.core import Core
from collector.watch.journal import Entry, Journal
from collector.watch.memory import Memory, Moment, News, Said, Sight, Thing
from collector.watch.rules import Rules, ns

MINUTE_NS = ns(60)
START_NS = 1_764_000_000 * 10**9
WILL_S = 30
RULES = Rules()


def school(number: int) -> str:
    """Return the id of a school."""
    return f"441802-{1000 + number}"


class Town:
    """Schools with a gateway and classes, in turn of two operators; a step every half minute."""

    def __init__(
        self,
        schools: int = 3,
        classes: int = 4,
        rules: Rules = RULES,
        *,
        gateways: bool = True,
        operators: int = 2,
        journal: Path | None = None,
    ) -> None:
        self.rules = rules
        self.now_ns = START_NS
        self.things: dict[str, Thing] = {}
        for number in range(schools):
            site = school(number)
            operator = f"operator-{number % operators}"
            if gateways:
                self.add(Thing(f"{site}.gw", site, "441802", operator, is_gateway=True))
            for place in range(classes):
                self.add(Thing(f"{site}.c{place}", site, "441802", operator, may_be_off=True))
        self.causes: dict[str, str] = {}  # what is wrong with a device; working where it is not named
        self.away: set[str] = set()  # devices whose agents are not there
        self.closed_hours: set[str] = set()
        self.no_lessons: set[str] = set()
        self.quiet: set[str] = set()
        self.faults: dict[str, tuple[str, ...]] = {}
        self.silent: dict[str, int] | None = None
        self.centre = ""
        self.said: list[Said] = []
        self.wills: list[tuple[int, str]] = []
        self.stored: dict[str, Sight] = {}  # the newest evidence of each
        self.news: list[News] = []
        self.service_ns = START_NS - ns(7200)
        self.journal = Journal(journal, create=True) if journal else None
        self.core = Core(rules, self.journal.load() if self.journal else Memory())
        self.core.plan(self.things.values())
        self.core.subscribed(0)
        for device in self.things:
            self.core.said(device, "online", self.now_ns, is_retained=True)

    def add(self, thing: Thing) -> None:
        """Let a device exist."""
        self.things[thing.device] = thing

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """What somebody was told: what, of which kind, about what."""
        return [(news.what, news.case.kind, news.case.subject) for news in self.news]

    # ---- what happens

    def of(self, site: str) -> list[str]:
        """Return the devices of a site."""
        return [device for device, thing in self.things.items() if thing.site == site]

    def cut(self, *sites: str) -> None:
        """Cut the uplink of sites: each agent's will comes at a moment of its own."""
        for site in sites:
            self.lose(self.of(site))

    def lose(self, devices: Iterable[str], word: str = "offline") -> None:
        """Let agents go, without a word until the broker misses them."""
        for device in devices:
            if device not in self.away:
                self.away.add(device)
                silent_s = 45 + hash_of(device) % 90 if word == "offline" else 0
                delay_s = WILL_S if word == "offline" else 0
                self.wills.append((self.now_ns + ns(silent_s + delay_s), f"{device} {word}"))

    def mend(self, *sites: str) -> None:
        """Repair the uplink of sites."""
        for site in sites:
            self.find(self.of(site))

    def find(self, devices: Iterable[str]) -> None:
        """Let agents come back."""
        for device in devices:
            if device in self.away:
                self.away.discard(device)
                self.wills = [one for one in self.wills if one[1].split()[0] != device]
                self.core.said(device, "online", self.now_ns)

    # ---- time

    def run(self, minutes: float) -> list[News]:
        """Put the clock forward, looking every half minute; return the news of that time."""
        begun = len(self.news)
        until_ns = self.now_ns + ns(minutes * 60)
        while self.now_ns < until_ns:
            self.now_ns += ns(30)
            self.step()
        return self.news[begun:]

    def step(self) -> list[News]:
        """Look once."""
        for at_ns, text in [one for one in self.wills if one[0] <= self.now_ns]:
            device, word = text.split()
            self.core.said(device, word, at_ns)
        self.wills = [one for one in self.wills if one[0] > self.now_ns]
        label_ns = self.now_ns - self.now_ns % MINUTE_NS
        for device in self.things.keys() - self.away:
            self.stored[device] = Sight(device, label_ns, self.causes.get(device, "working"))
        self.core.seen(self.stored.values())
        news = self.core.step(self.moment())
        self.said = []
        if self.journal:
            self.journal.commit(self.core.memory, map(entry, news))
        else:
            self.core.memory.written()
        self.news += news
        return news

    def moment(self) -> Moment:
        """Return what is known beside events now."""
        sites = {thing.site for thing in self.things.values()} - self.closed_hours
        return Moment(
            self.now_ns,
            dict.fromkeys(sites, self.service_ns),
            frozenset(sites - self.no_lessons),
            frozenset(self.quiet),
            self.faults,
            self.silent,
            self.centre,
            said=tuple(self.said),
        )

    def restart(self, away_s: float = 1) -> None:
        """Kill watch and start it again: from the journal, and what is retained."""
        assert self.journal is not None
        self.core = Core(self.rules, self.journal.load())
        self.core.plan(self.things.values())
        self.core.subscribed(ns(away_s))
        waiting = {text.split()[0] for _, text in self.wills}
        for device in self.things:
            is_gone = device in self.away and device not in waiting
            self.core.said(device, "offline" if is_gone else "online", self.now_ns, is_retained=True)


def entry(news: News) -> Entry:
    """Return what one address is told of news."""
    return Entry("everybody", news.case.id, news.what, "info", f"[{news.case.id}] {news.what}", news.at_ns)


def hash_of(text: str) -> int:
    """Return a number that is the same in every run."""
    return sum(ord(letter) * (place + 7) for place, letter in enumerate(text)) * 2654435761 % 2**32
