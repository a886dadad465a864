"""
Incidents as they are opened, taken up and ended, one step at a time.

Each case that is opened is news once, and ends once: as news of its own, or within that of the case that took it up.
"""

from collections.abc import Collection, Iterable, Mapping

from collector.watch.judge import CLOSED, NO_EVIDENCE
from collector.watch.losses import Loss, Losses, joined
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
        self._losses = Losses(moment.lost)

    # ---- what people do

    def hear(self) -> None:
        """Take up what people did since the last step."""
        for said in self.moment.said:
            self.memory.last_said = max(self.memory.last_said, said.number)
            case = self.memory.cases.get(said.incident)
            if case is not None:
                self._take(case, said)
            elif said.what == "close" and (case := self.memory.just_closed.get(said.incident)):
                self._mute(case)

    def _take(self, case: Case, said: Said) -> None:
        if said.what == "ack":
            self.memory.case(case._replace(acknowledged_by=said.by))
        elif said.what == "close":
            self._mute(case)
            self.end(case, BY_HAND, said.at_ns)

    def _mute(self, case: Case) -> None:
        """Let nothing more be opened about a case until it was good."""
        self.memory.mute(case.subject, is_muted=True)
        if case.kind in ("operator", "centre"):
            for site in {thing.site for thing in self._things_of(case)}:
                self.memory.mute(f"site:{site}", is_muted=True)

    # ---- a case

    def is_free(self, subject: str) -> bool:
        """Tell whether a case may be opened about a subject."""
        return subject not in self.memory.muted and self.memory.of_subject(subject) is None

    def open(self, case: Case, children: Iterable[Case] = ()) -> Case:
        """Open a case, which takes up others; its id is given here."""
        self.memory.last_id += 1
        taken = list(children)
        includes = [name for child in taken for name in (child.id, *child.includes)]
        case = joined(case._replace(devices=()), case.devices, taken)._replace(
            id=str(self.memory.last_id), opened_ns=self.moment.now_ns, includes=tuple(includes)
        )
        for child in taken:
            self._close(child._replace(parent=case.id), TAKEN_UP, self.moment.now_ns)
        told = {*self.moment.addresses(OPENED, case), *(one for child in taken for one in child.told)}
        case = self._counted(case._replace(told=tuple(sorted(told))), self.moment.now_ns)
        self.memory.case(case)
        self.news.append(News(OPENED, case, self.moment.now_ns))
        return case

    def grow(self, case: Case, devices: Collection[str], children: Iterable[Case] = ()) -> Case:
        """Let an open case have more devices, and take up others; who was not told of it yet and should be now, is."""
        taken = list(children)
        includes = [name for child in taken for name in (child.id, *child.includes)]
        for child in taken:
            self._close(child._replace(parent=case.id), TAKEN_UP, self.moment.now_ns)
        grown = joined(case, devices, taken)._replace(includes=(*case.includes, *includes))
        if grown != case:
            grown = self._tell_more(case, grown, taken)
            self.memory.case(grown)
        return grown

    def _tell_more(self, case: Case, grown: Case, taken: Iterable[Case]) -> Case:
        """Tell those of a case whom it did not concern before it grew."""
        known = {*(case.told or self.moment.addresses(OPENED, case))}
        more = tuple(sorted({*self.moment.addresses(OPENED, grown)} - known))
        told = {*known, *more, *(one for child in taken for one in child.told)}
        grown = grown._replace(told=tuple(sorted(told)))
        if more:
            self.news.append(News(OPENED, grown, self.moment.now_ns, more))
        return grown

    def end(self, case: Case, how: str, until_ns: int) -> None:
        """End a case, and tell those who know of it; it lasted until `until_ns`."""
        self.news.append(News(RECOVERED, self._close(case, how, until_ns), self.moment.now_ns, case.told))

    def age(self, case: Case, until_ns: int, active: Collection[str] | None = None) -> None:
        """Count the minutes of an open case; `active`: the devices that a fault or silence is about now."""
        counted = self._counted(case, until_ns, active)
        if counted != case:
            self.memory.case(counted)

    def _close(self, case: Case, how: str, until_ns: int) -> Case:
        until_ns = min(max(until_ns, case.began_ns), self.moment.now_ns)
        counted = self._counted(case, until_ns)
        closed = counted._replace(closed_ns=self.moment.now_ns, clear_ns=until_ns, ended=how, since=())
        self.memory.case(closed)
        return closed

    def _counted(self, case: Case, until_ns: int, active: Collection[str] | None = None) -> Case:
        if case.kind in ("fault", "silent"):
            return self._losses.count(case, until_ns, lambda device: self._loss_of_site(case, device, active))
        return self._losses.count(case, until_ns, lambda device: self._loss(case, device))

    def _loss_of_site(self, case: Case, device: str, active: Collection[str] | None) -> Loss:
        """Return how a device is for a fault or silence."""
        is_active = None if active is None else device in active
        track = self.memory.tracks.get(device)
        if any(case.since) or is_active is False or track is None:
            return Loss(is_active, self.moment.now_ns)
        return Loss(is_active, track.since_ns if case.kind == "silent" else case.began_ns)

    def _loss(self, case: Case, device: str) -> Loss:
        """Return how a device is for a case of it, of its site or of many."""
        track, now_ns = self.memory.tracks.get(device), self.moment.now_ns
        if track is None or (track.state is State.QUIET and track.why == CLOSED):
            return Loss(False, now_ns)
        if track.state is State.WORKING:
            return Loss(False, track.since_ns)
        if case.kind != "device":
            place = self.memory.places.get(device.partition(".")[0])
            if place is not None and place.swing.good_ns:
                return Loss(False, place.swing.good_ns)
        elif track.state is State.OFF and not track.swing.bad_ns:  # switched off: that is no loss, nor a repair
            return Loss(False, track.since_ns)
        is_losing = track.state in (State.FAILING, State.OFFLINE) or track.swing.bad_ns > 0
        return Loss(is_losing or None, track.swing.bad_ns or track.since_ns)

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
            self.age(self.grow(case, more), good_ns or self.moment.now_ns, more)

    # ---- nobody answers

    def escalate(self) -> None:
        """Tell of cases that nobody has acknowledged for too long, once."""
        for case in list(self.memory.cases.values()):
            is_waiting = not case.acknowledged_by and not case.is_escalated and case.kind != "silent"
            is_late = self.moment.now_ns - case.opened_ns >= ns(self.rules.escalate)
            if is_waiting and is_late and self._owes(case):
                told = {*(case.told or self.moment.addresses(OPENED, case)), *self.moment.addresses(ESCALATED, case)}
                waiting = case._replace(is_escalated=True, told=tuple(sorted(told)))
                self.memory.case(waiting)
                self.news.append(News(ESCALATED, waiting, self.moment.now_ns))

    def _owes(self, case: Case) -> bool:
        """Tell whether anybody has to look after a case now: of many sites one that owes service is enough."""
        return not case.site or any(thing.site in self.moment.service for thing in self._things_of(case))
