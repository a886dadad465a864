"""
Incidents as they are opened, taken up and ended, one step at a time.

Each case that is opened is news once, and ends once: as news of its own, or within that of the case that took it up.
"""

from collections.abc import Collection, Iterable, Mapping

from collector.watch.judge import NO_EVIDENCE
from collector.watch.memory import (
    AGREED,
    BY_HAND,
    CENTRE,
    ESCALATED,
    OPENED,
    RECOVERED,
    RETIRED,
    TAKEN_UP,
    Case,
    Memory,
    Moment,
    News,
    Place,
    Said,
    Thing,
    Track,
)
from collector.watch.rules import Rules, ns
from collector.watch.types import State

FAULT = "fault:"


class Cases:
    """The cases of one step; `news` is what it comes to."""

    def __init__(self, rules: Rules, memory: Memory, things: Mapping[str, Thing], moment: Moment) -> None:
        self.rules, self.memory, self.things, self.moment = rules, memory, things, moment
        self.news: list[News] = []

    # ---- what people do

    def hear(self) -> None:
        """Take up what people did since the last step."""
        for said in self.moment.said:
            self.memory.last_said = max(self.memory.last_said, said.number)
            case = self.memory.cases.get(said.incident)
            if case is not None:
                self._take(case, said)

    def _take(self, case: Case, said: Said) -> None:
        if said.what == "ack" and not case.acknowledged_by:
            self.memory.case(case._replace(acknowledged_by=said.by))
        elif said.what == "close":
            self.memory.mute(case.subject, is_muted=True)
            if case.kind in ("operator", "centre"):
                for site in {thing.site for thing in self._things_of(case)}:
                    self.memory.mute(f"site:{site}", is_muted=True)
            self.end(case, BY_HAND, said.at_ns)

    # ---- a case

    def is_free(self, subject: str) -> bool:
        """Tell whether a case may be opened about a subject."""
        return subject not in self.memory.muted and self.memory.of_subject(subject) is None

    def open(self, case: Case, children: Iterable[Case] = ()) -> Case:
        """Open a case, which takes up others; its id is given here."""
        self.memory.last_id += 1
        taken = list(children)
        includes = [name for child in taken for name in (child.id, *child.includes)]
        names = [device for child in taken for device in child.devices]
        case = case._replace(
            id=str(self.memory.last_id),
            opened_ns=self.moment.now_ns,
            devices=tuple(sorted({*case.devices, *names})),
            includes=tuple(includes),
        )
        for child in taken:
            self._close(child._replace(parent=case.id), TAKEN_UP, self.moment.now_ns)
        case = case._replace(minutes=self._minutes(case, self.moment.now_ns))
        self.memory.case(case)
        self.news.append(News(OPENED, case, self.moment.now_ns))
        return case

    def grow(self, case: Case, devices: Collection[str], children: Iterable[Case] = ()) -> Case:
        """Let an open case have more devices, and take up others; nobody is told."""
        taken = list(children)
        names = {*case.devices, *devices, *(device for child in taken for device in child.devices)}
        includes = [name for child in taken for name in (child.id, *child.includes)]
        for child in taken:
            self._close(child._replace(parent=case.id), TAKEN_UP, self.moment.now_ns)
        grown = case._replace(devices=tuple(sorted(names)), includes=(*case.includes, *includes))
        if grown != case:
            self.memory.case(grown)
        return grown

    def end(self, case: Case, how: str, until_ns: int) -> None:
        """End a case, and tell of it; it lasted until `until_ns`."""
        self.news.append(News(RECOVERED, self._close(case, how, until_ns), self.moment.now_ns))

    def age(self, case: Case, until_ns: int) -> None:
        """Count the minutes of an open case."""
        minutes = self._minutes(case, until_ns)
        if minutes != case.minutes:
            self.memory.case(case._replace(minutes=minutes))

    def _close(self, case: Case, how: str, until_ns: int) -> Case:
        until_ns = min(max(until_ns, case.began_ns), self.moment.now_ns)
        minutes = self._minutes(case, until_ns)
        closed = case._replace(closed_ns=self.moment.now_ns, clear_ns=until_ns, minutes=minutes, ended=how)
        self.memory.case(closed)
        return closed

    def _minutes(self, case: Case, until_ns: int) -> int:
        return self.moment.lost(case.site, case.began_ns, until_ns)

    def _things_of(self, case: Case) -> list[Thing]:
        return [self.things[device] for device in case.devices if device in self.things]

    def gone(self, case: Case) -> str:
        """Return how a case ends because nobody is to be alerted any more about any of its devices; "": it does not."""
        left = self._things_of(case)
        if not left:
            return RETIRED
        return AGREED if all(thing.device in self.moment.quiet for thing in left) else ""

    # ---- the centre itself

    def centre(self, place: Place) -> None:
        """Open and close the case of the centre: nothing comes in, and that says nothing of those outside."""
        subject, now_ns = "centre:", self.moment.now_ns
        case = self.memory.of_subject(subject)
        if place.swing.good_ns:
            self.memory.mute(subject, is_muted=False)
        if case is None and self.is_free(subject) and place.swing.is_ripe(now_ns, self.rules.centre, self.rules):
            began_ns = place.swing.bad_ns
            self.open(Case("", "centre", subject, "", CENTRE, "", (), place.why, began_ns, now_ns))
        elif case is not None and place.swing.is_over(now_ns, self.rules):
            self.end(case, RECOVERED, place.swing.good_ns)
        elif case is not None:
            self.age(case, place.swing.good_ns or now_ns)

    # ---- devices

    def floor_ns(self, site: str, bad_ns: int, hold_s: float) -> int:
        """Return from when on a hold-down counts: what was not there when service began has some time to come."""
        start_ns = self.moment.service.get(site, 0)
        return start_ns + ns(self.rules.begin) - ns(hold_s) if bad_ns < start_ns else 0

    def open_devices(self) -> None:
        """Open what is wrong with single devices, where the uplink of their site does not explain it."""
        for track in list(self.memory.tracks.values()):
            if track.swing.good_ns and self.memory.muted:
                self.memory.mute(f"device:{track.device}", is_muted=False)
            elif track.swing.bad_ns and self._is_ripe(track):
                thing = self.things[track.device]
                place = (thing.county, thing.site, thing.operator)
                why = track.why or track.state.value
                subject, began_ns = f"device:{track.device}", track.swing.bad_ns
                if self.is_free(subject):
                    self.open(Case("", "device", subject, *place, (track.device,), why, began_ns, 0))

    def _is_ripe(self, track: Track) -> bool:
        site = self.things[track.device].site
        if site not in self.moment.service or (track.state is State.UNKNOWN and track.why != NO_EVIDENCE):
            return False
        if track.state is State.QUIET or self._is_explained(site):
            return False
        floor_ns = self.floor_ns(site, track.swing.bad_ns, self.rules.device)
        return track.swing.is_ripe(self.moment.now_ns, self.rules.device, self.rules, floor_ns)

    def _is_explained(self, site: str) -> bool:
        place = self.memory.places.get(site)
        return place is not None and place.swing.bad_ns > 0

    def close_devices(self) -> None:
        """Close what is over."""
        for case in [case for case in self.memory.cases.values() if case.kind == "device"]:
            track = self.memory.tracks.get(case.devices[0])
            if how := self.gone(case):
                self.end(case, how, self.moment.now_ns)
            elif track and track.swing.is_over(self.moment.now_ns, self.rules):
                self.end(case, RECOVERED, track.swing.good_ns)
            elif track:
                self.age(case, track.swing.good_ns or self.moment.now_ns)

    # ---- faults and silence

    def faults(self, active: Mapping[tuple[str, str], tuple[str, ...]], *, is_settled: bool) -> None:
        """Open and close faults that profiles report: one case for a site and a code."""
        now_ns = self.moment.now_ns
        known = {key for key in self.memory.places if key.startswith(FAULT)}
        for key in known | {f"{FAULT}{site} {code}" for site, code in active}:
            site, _, code = key.removeprefix(FAULT).partition(" ")
            devices = active.get((site, code), ())
            place = self.memory.places.get(key, Place(key, code))
            swing = place.swing.bad(now_ns, self.rules) if devices else place.swing.good(now_ns)
            self.memory.place(place._replace(swing=swing))
            case = self.memory.of_subject(key)
            if swing.good_ns:
                self.memory.mute(key, is_muted=False)
            if case is None and devices and is_settled and site in self.moment.service and self.is_free(key):
                if swing.is_ripe(now_ns, self.rules.fault, self.rules):
                    thing = self.things[devices[0]]
                    place_of = (thing.county, site, thing.operator)
                    self.open(Case("", "fault", key, *place_of, devices, code, swing.bad_ns, 0))
            elif case is not None:
                self._end_or_age(case, swing.good_ns, is_over=swing.is_over(now_ns, self.rules), more=devices)

    def silences(self, silent: Mapping[str, tuple[str, ...]], *, is_settled: bool) -> None:
        """Open and close what has fallen silent: one case a site."""
        for site, devices in silent.items():
            subject = f"silent:{site}"
            if is_settled and self.is_free(subject):
                thing = self.things[devices[0]]
                began_ns = min(self.memory.tracks[device].since_ns for device in devices)
                place = (thing.county, site, thing.operator)
                self.open(Case("", "silent", subject, *place, devices, "", began_ns, 0))
        for case in [case for case in self.memory.cases.values() if case.kind == "silent"]:
            devices = silent.get(case.site, ())
            is_over = not devices and case.site in self.moment.service
            self._end_or_age(case, self.moment.now_ns if is_over else 0, is_over=is_over, more=devices)
        for subject in [one for one in self.memory.muted if one.startswith("silent:")]:
            site = subject.partition(":")[2]
            if site not in silent and site in self.moment.service:
                self.memory.mute(subject, is_muted=False)

    def _end_or_age(self, case: Case, good_ns: int, *, is_over: bool, more: Collection[str]) -> None:
        if how := self.gone(case):
            self.end(case, how, self.moment.now_ns)
        elif is_over:
            self.end(case, RECOVERED, good_ns)
        else:
            self.age(self.grow(case, more), good_ns or self.moment.now_ns)

    # ---- nobody answers

    def escalate(self) -> None:
        """Tell of cases that nobody has acknowledged for too long, once."""
        for case in list(self.memory.cases.values()):
            is_waiting = not case.acknowledged_by and not case.is_escalated and case.kind != "silent"
            is_late = self.moment.now_ns - case.opened_ns >= ns(self.rules.escalate)
            if is_waiting and is_late and (not case.site or case.site in self.moment.service):
                told = case._replace(is_escalated=True)
                self.memory.case(told)
                self.news.append(News(ESCALATED, told, self.moment.now_ns))
