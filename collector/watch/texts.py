"""What people are told, in a line an incident: the id first, so that it can be said on the telephone."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.stages import stage_as_reason
from collector.watch.memory import AGREED, BY_HAND, ENDED, ESCALATED, OPENED, RECOVERED, RETIRED, Case, News
from collector.watch.rules import SECOND_NS
from collector.watch.types import Now, State
from collector.words import WORDS, Language, word

_LONGEST = 300  # characters: a message of 企业微信 has room for several such lines
_KINDS = {
    "device": "incident_device",
    "site": "incident_site",
    "operator": "incident_operator",
    "fault": "incident_fault",
    "silent": "incident_silent",
    "centre": "incident_centre",
}
WHYS = {
    "unreachable": "why_unreachable",
    "no_evidence": "why_no_evidence",
    "everyone_gone": "why_everyone_gone",
    "broker_down": "why_broker_down",
    "store_down": "why_store_down",
    "collector_down": "why_collector_down",
}
_ENDINGS = {BY_HAND: "ended_by_hand", AGREED: "ended_agreed", RETIRED: "ended_retired"}
_TOLD = {OPENED: "told_opened", RECOVERED: "told_recovered", ENDED: "told_over_otherwise", ESCALATED: "told_escalated"}


class Names(NamedTuple):
    """
    What things are called, by id: sites, devices, counties; whom to call at a site.

    What is not named is called by its id; `fault` gives the title of a device's fault.
    """

    sites: Mapping[str, str] = {}
    devices: Mapping[str, str] = {}
    contacts: Mapping[str, str] = {}
    fault: Callable[[str, str, Language], str] = lambda _device, code, _language: code


class Voice(NamedTuple):
    """In which language, with which names, in whose time people are told, and where the board is, "" nobody knows."""

    language: Language = "zh"
    names: Names = Names()
    zone: ZoneInfo = ZoneInfo("Asia/Shanghai")
    board: str = ""

    def word(self, key: str, **parts: object) -> str:
        """Return a word of the screens, filled in."""
        return word(key, self.language).format(**parts)

    def state(self, state: State) -> str:
        """Return what a state is called."""
        return self.word(f"state_{state}")

    def kind(self, kind: str) -> str:
        """Return what a kind of incident is called."""
        return self.word(_KINDS[kind])

    def why(self, why: str) -> str:
        """Return a cause, a stage or a trouble in words, as a reason; what has none, as it is."""
        keys = [WHYS.get(why, ""), f"cause_{why}"]
        known = next((self.word(key) for key in keys if key in WORDS), "")
        return known or stage_as_reason(why, self.language) or why

    def clock(self, at_ns: int, now_ns: int) -> str:
        """Return a time: of today the hour alone."""
        at, now = (datetime.fromtimestamp(one / SECOND_NS, self.zone) for one in (at_ns, now_ns))
        return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%m-%d %H:%M}"

    def line(self, news: News) -> str:
        """Return what is told of an incident."""
        case = news.case
        parts: dict[str, object] = {
            "id": case.id,
            "kind": self.kind(case.kind),
            "where": self.where(case),
            "why": self.cause(case),
            "since": self.clock(case.began_ns, news.at_ns),
            "more": self._more(case, is_over=news.what == RECOVERED),
        }
        if news.what == OPENED:
            text = self.word("told_line", **parts)
        elif news.what == ESCALATED:
            text = self.word("told_waiting", **parts)
        else:
            lost = self.word("told_lost_by_all" if len(case.devices) > 1 else "told_lost", minutes=case.minutes)
            parts |= {"until": self.clock(case.clear_ns, news.at_ns), "lost": lost}
            how = _ENDINGS.get(case.ended)
            text = self.word("told_ended", how=self.word(how), **parts) if how else self.word("told_over", **parts)
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

    def link(self, case: Case) -> str:
        """Return where an incident is acknowledged, noted and closed on the board; "" nobody knows the board."""
        return f"{self.board}/incident/{case.id}" if self.board else ""

    def linked(self, news: News) -> str:
        """Return what is told of an incident, with its link in a line below."""
        return "\n".join(filter(None, (self.line(news), self.link(news.case))))

    def where(self, case: Case) -> str:
        """Return what an incident is about."""
        sites = {device.partition(".")[0] for device in case.devices}
        if case.kind == "operator" or (case.kind == "centre" and sites):
            who = [self.word("told_operator", operator=case.operator)] if case.operator else []
            return self._list([*who, self.word("told_sites", number=len(sites)), self._devices(case)])
        if case.kind == "centre":
            return self.word("data")
        site = f"{self.names.sites.get(case.site, '')} {case.site}".strip()
        if case.kind == "device":
            return f"{site} {self.device(case.devices[0])}"
        return (
            f"{site} {self.device(case.devices[0])}"
            if len(case.devices) == 1
            else self._list([site, self._devices(case)])
        )

    def cause(self, case: Case) -> str:
        """Return why, in words."""
        if case.kind == "fault" and case.devices:
            return self.names.fault(case.devices[0], case.why, self.language)
        if case.kind == "silent":
            return self._list([self.device(device) for device in case.devices[:5]])
        return self.why(case.why)

    def device(self, device: str) -> str:
        """Return a device with the name of its place."""
        place = device.partition(".")[2]
        return f"{self.names.devices.get(device, '')} {place}".strip()

    def _devices(self, case: Case) -> str:
        return self.word("told_devices", number=len(case.devices))

    def _more(self, case: Case, *, is_over: bool) -> str:
        more = []
        if is_over and case.includes:
            more.append(self.word("told_includes", ids=self._list(case.includes[:20])))
        if case.operator and case.kind != "operator":
            more.append(self.word("told_operator", operator=case.operator))
        if not is_over and case.kind != "operator" and (contact := self.names.contacts.get(case.site)):
            more.append(self.word("told_contact", contact=contact))
        return "".join(self._comma() + one for one in more)

    def _comma(self) -> str:
        return word("and", self.language)

    def _list(self, texts: Iterable[str]) -> str:
        return self._comma().join(texts)

    def title(self, whats: Iterable[str]) -> str:
        """Return the title of a message with so many of each kind of news."""
        told = list(whats)
        counts = [self.word(key, number=told.count(what)) for what, key in _TOLD.items() if what in told]
        return self.word("told_title", what=self._list(counts))

    def digest(self, cases: Iterable[Case], now: Mapping[str, Now], at_ns: int) -> list[str]:
        """Return the lines of the morning: how many, and by county of these devices what is open of these incidents."""
        some = list(cases)
        silent = [device for device, one in now.items() if one.state is State.SILENT]
        working = sum(one.state is State.WORKING for one in now.values())
        lines = [self.word("digest_summary", devices=len(now), working=working, open=len(some), silent=len(silent))]
        concerned = {county for case in some for county in _counties(case)} | {_county(device) for device in silent}
        for county in sorted(concerned & {_county(device) for device in now}):
            number = sum(county in _counties(case) for case in some)
            quiet = sum(_county(device) == county for device in silent)
            lines.append(self.word("digest_county", county=county, open=number, silent=quiet))
        # The link stands in the same line: what does not fit into a message is counted by lines.
        lines += [f"{self.line(News(OPENED, case, at_ns))} {self.link(case)}".rstrip() for case in some]
        return lines if some else [*lines, self.word("no_open_incidents")]


def _county(device: str) -> str:
    return device.partition("-")[0]


def _counties(case: Case) -> frozenset[str]:
    return frozenset(map(_county, case.devices)) or frozenset({case.county} - {""})
