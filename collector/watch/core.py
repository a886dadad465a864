"""
The state machine of watch: events and times in, states, incidents and news out. No clock, no network, no store.

    said, seen ──▶ judge ──▶ tracks ──▶ uplink ──▶ places ──┐
    closures, calendars, faults, silence ───────────────────┼──▶ cases: device ⊂ site ⊂ operator ⊂ centre ──▶ news
    acknowledge, close ─────────────────────────────────────┘

What is wrong with many is one case: a site's takes up those of its devices, an operator's those of its sites, the
centre's all. A case that was taken up ends with the one that took it up. While the centre itself fails nothing is
judged: what is not heard then says nothing of those who would have spoken.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from collector.watch.cases import Cases
from collector.watch.groups import Groups, grouped
from collector.watch.judge import HOURS, Judged, is_bad, judge
from collector.watch.memory import CENTRE, GONE, ONLINE, Link, Memory, Moment, News, Place, Sight, Swing, Thing, Track
from collector.watch.rules import Rules, ns
from collector.watch.types import State
from collector.watch.uplink import NO_LESSON, is_of_the_site, uplink

_HEARD_AGAIN_NS = ns(3600)  # how exactly it is written down when something was heard


class Core:
    """
    Watch, over its memory. `plan` first, then events as they come; `step` gives the news since the last one.

    Whatever `step` changed is in the memory's `dirty`: it counts when it is durable.
    """

    def __init__(self, rules: Rules, memory: Memory) -> None:
        self.rules = rules
        self.memory = memory
        self.things: Mapping[str, Thing] = {}
        self._by_site: dict[str, list[Thing]] = {}
        self._sights: dict[str, Sight] = {}
        self._confirmed: set[str] = set()  # agents whose word came since the last subscription
        self._was_away_shortly = False
        self._silent: dict[str, int] | None = None  # None: not read yet
        self._faults: Mapping[str, tuple[str, ...]] | None = None
        self._lessons: dict[str, tuple[int, int]] = {}  # of each site the last that was seen: from, until
        self._looked_ns = 0

    # ---- what comes in

    def plan(self, things: Iterable[Thing]) -> None:
        """Take the devices that should exist; tracks of all others end."""
        self.things = {thing.device: thing for thing in things}
        by_site: dict[str, list[Thing]] = defaultdict(list)
        for thing in self.things.values():
            by_site[thing.site].append(thing)
        self._by_site = by_site
        for device in self.memory.tracks.keys() - self.things.keys():
            del self.memory.tracks[device]
            self.memory.dirty["tracks"].add(device)
        for thing in self.things.values():
            if thing.device not in self.memory.tracks:
                self.memory.track(Track(thing.device))

    def subscribed(self, away_ns: int) -> None:
        """
        Forget whose word is confirmed: a broker that was away may have lost what agents said.

        Who went while we were away for a few minutes only went then; after longer nobody knows when.
        """
        self._confirmed.clear()
        self._was_away_shortly = away_ns <= ns(self.rules.together)

    def said(self, agent: str, word: str, at_ns: int, *, is_retained: bool = False) -> None:
        """
        Take an agent's word: online, offline, stopped.

        A retained one, as it comes when one subscribes, is how it is, and nothing that happens.
        """
        self._confirmed.add(agent)
        known = self.memory.links.get(agent)
        if known is None or known.word != word:
            was_online = known is not None and known.word == ONLINE
            has_vanished = word == GONE and (not is_retained or (was_online and self._was_away_shortly))
            self.memory.link(Link(agent, word, at_ns, at_ns if has_vanished else 0))

    def seen(self, sights: Iterable[Sight]) -> None:
        """Take the newest evidence."""
        for sight in sights:
            known = self._sights.get(sight.device)
            if known is None or known.at_ns <= sight.at_ns:
                self._sights[sight.device] = sight

    @property
    def online(self) -> frozenset[str]:
        """The agents that are said to be online."""
        return frozenset(agent for agent in self._confirmed if self._word(agent) == ONLINE)

    # ---- what comes out

    def step(self, moment: Moment) -> list[News]:
        """Return what somebody is to be told now."""
        cases = Cases(self.rules, self.memory, self.things, moment)
        cases.hear()
        self._attend(moment)
        if self._centre_fails(cases, moment):
            return cases.news
        if moment.silent is not None:
            self._silent = dict(moment.silent)
        if moment.faults is not None:
            self._faults = moment.faults
        in_groups = grouped(self.memory.cases.values())
        places = (self._look(site, moment, is_grouped=site in in_groups) for site in self._by_site)
        down = [place for place in places if place is not None and place.swing.bad_ns]
        is_settled = not moment.is_settling and not self._settles(moment)
        groups = Groups(cases, self._by_site, down)
        if is_settled:
            groups.open()
            cases.open_devices()
        if self._faults is not None:
            cases.faults(self._faults_by_site(self._faults, moment), is_settled=is_settled)
        if self._silent is not None:
            cases.silences(self._silent_by_site(self._silent, moment), is_settled=is_settled)
        groups.close()
        cases.close_devices()
        cases.escalate()
        self._name_incidents()
        return cases.news

    def _centre_fails(self, cases: Cases, moment: Moment) -> bool:
        """Look at the centre itself; tell whether it fails now."""
        place = self.memory.places.get(CENTRE, Place(CENTRE))
        swing = place.swing
        swing = swing.bad(moment.now_ns, self.rules) if moment.centre else swing.good(moment.now_ns)
        self.memory.place(place._replace(why=moment.centre or place.why, swing=swing))
        cases.centre(self.memory.places[CENTRE])
        if moment.centre:
            cases.escalate()
        return bool(moment.centre)

    def _settles(self, moment: Moment) -> bool:
        """Tell whether the centre was down a moment ago: first its backlog comes in."""
        swing = self.memory.places[CENTRE].swing
        return bool(swing.dips) and moment.now_ns - swing.good_ns < ns(self.rules.settle)

    def _attend(self, moment: Moment) -> None:
        """Remember when lessons were: what is missed minutes later may have gone in one that is over by then."""
        self._looked_ns = self._looked_ns or moment.now_ns - ns(self.rules.together)
        for site in moment.lessons:
            since_ns, until_ns = self._lessons.get(site, NO_LESSON)
            self._lessons[site] = (since_ns if until_ns == self._looked_ns else self._looked_ns, moment.now_ns)
        self._looked_ns = moment.now_ns

    def _look(self, site: str, moment: Moment, *, is_grouped: bool) -> Place | None:
        """Judge a site and its devices; None where it owes nothing now."""
        judged = [self._judge(thing, moment) for thing in self._by_site[site]]
        if site not in moment.service:
            for one in judged:
                self._keep(one, None, moment)
            return None
        known = self.memory.places.get(site, Place(site))
        is_open = is_grouped or self.memory.of_subject(f"site:{site}") is not None
        lesson = self._lessons.get(site, NO_LESSON)
        place = uplink(known, judged, moment, self.rules, is_open=is_open, lesson=lesson)
        self.memory.place(place)
        for one in judged:
            self._keep(one, place, moment)
        return place

    def _judge(self, thing: Thing, moment: Moment) -> Judged:
        voice = thing.voice
        link = self.memory.links.get(voice) if voice in self._confirmed else None
        sight = self._sights.get(thing.device)
        heard_ns = max(self.memory.tracks[thing.device].heard_ns, sight.at_ns if sight else 0)
        return judge(thing, link, sight, heard_ns, moment, self.rules)

    def _keep(self, one: Judged, place: Place | None, moment: Moment) -> None:
        """Write down how a device is."""
        device, state, why = one.thing.device, one.state, one.why
        track = self.memory.tracks[device]
        if place is not None and place.swing.bad_ns and state is State.OFF and is_of_the_site(one, place, self.rules):
            state, why = State.OFFLINE, place.why
        elif self._silent and device in self._silent:
            if state in (State.OFF, State.UNKNOWN):
                state, why = State.SILENT, ""
            elif state is not State.QUIET:
                del self._silent[device]  # it was heard
        swing = self._swing(track, one._replace(state=state, why=why), moment)
        since_ns = track.since_ns
        if (state, why) != (track.state, track.why) or not since_ns:
            since_ns = max(track.since_ns, min(one.since_ns, moment.now_ns))
        sight = self._sights.get(device)
        heard_ns = max(track.heard_ns, sight.at_ns if sight else 0)
        new = Track(device, state, why, since_ns, track.incident, heard_ns, swing)
        if new != track:
            is_news = new[:5] != track[:5] or swing != track.swing or not track.heard_ns
            self.memory.track(new, is_news=is_news or heard_ns // _HEARD_AGAIN_NS != track.heard_ns // _HEARD_AGAIN_NS)

    def _swing(self, track: Track, one: Judged, moment: Moment) -> Swing:
        found = is_bad(one)
        if found is True:
            return track.swing.bad(min(one.since_ns, moment.now_ns), self.rules)
        if found is False:
            return track.swing.good(min(one.since_ns, moment.now_ns))
        goes_on = one.state is State.UNKNOWN or one.why == HOURS  # the night ends nothing
        return track.swing if goes_on else track.swing.neither()

    def _word(self, agent: str) -> str:
        link = self.memory.links.get(agent)
        return link.word if link else ""

    def _silent_by_site(self, silent: Iterable[str], moment: Moment) -> dict[str, tuple[str, ...]]:
        """Return who is silent, by site that owes service now."""
        found: dict[str, list[str]] = defaultdict(list)
        for device in sorted(silent):
            thing = self.things.get(device)
            if thing and thing.site in moment.service and self.memory.tracks[device].state is State.SILENT:
                found[thing.site].append(device)
        return {site: tuple(devices) for site, devices in found.items()}

    def _faults_by_site(
        self, faults: Mapping[str, tuple[str, ...]], moment: Moment
    ) -> dict[tuple[str, str], tuple[str, ...]]:
        """Return which devices have a fault, by site and code."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for device, codes in sorted(faults.items()):
            thing = self.things.get(device)
            if thing and device not in moment.quiet:
                for code in codes:
                    found[thing.site, code].append(device)
        return {key: tuple(devices) for key, devices in found.items()}

    def _name_incidents(self) -> None:
        """Let each device know the case that it is part of."""
        part_of: dict[str, str] = {}
        order = {"silent": 0, "fault": 1, "device": 2, "site": 3, "operator": 4, "centre": 5}
        for case in sorted(self.memory.cases.values(), key=lambda case: order[case.kind]):
            part_of.update(dict.fromkeys(case.devices, case.id))
        for device, track in self.memory.tracks.items():
            if track.incident != part_of.get(device, ""):
                self.memory.track(track._replace(incident=part_of.get(device, "")))
