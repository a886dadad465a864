"""
What goes together: sites that are down, an operator's cut over many of them, everything at once.

Sites that went within a few minutes are looked at when the first of them is ripe. A group's case ends when only few of
its sites are left, of those that owe service now; these get cases of their own.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from collector.watch.cases import Cases
from collector.watch.judge import AGENT_DOWN, CUT
from collector.watch.memory import RECOVERED, Case, Place, Thing, Track
from collector.watch.rules import ns
from collector.watch.types import State

EVERYONE = "everyone_gone"
_EVERYONE = "centre:everyone"
_LEFT_SHARE = 0.2  # so few sites of a group are no group any more


class Groups:
    """The sites of one step that are down, in cases of their own or of many."""

    def __init__(self, cases: Cases, by_site: Mapping[str, Sequence[Thing]], down: Sequence[Place]) -> None:
        self._cases, self._by_site, self._down = cases, by_site, down
        self._memory, self._rules, self._moment = cases.memory, cases.rules, cases.moment

    def open(self) -> None:
        """Open cases of groups, then those of sites by themselves."""
        self._join()
        free = self._free()
        if any(map(self._is_ripe, free)):
            self._everyone(free)
            for operator in sorted({self._operator(place) for place in self._free()} - {""}):
                self._of_operator(operator)
        for place in self._free():
            if self._is_ripe(place) and self._cases.is_free(f"site:{place.site}"):
                self._of_site(place)

    def close(self) -> None:
        """Close what is over, and count the minutes of the rest."""
        for place in self._memory.places.values():
            if place.swing.good_ns and self._memory.muted:
                self._cases.memory.mute(f"site:{place.site}", is_muted=False)
        for case in list(self._memory.cases.values()):
            if case.kind == "site":
                self._close_site(case)
            elif _is_group(case):
                self._close_group(case)
        for subject in [one for one in self._memory.muted if one.startswith("operator:") or one == _EVERYONE]:
            operator = subject.partition(":")[2]
            if not any(operator in (self._operator(place), "everyone") for place in self._down):
                self._memory.mute(subject, is_muted=False)

    # ---- sites

    def _of_site(self, place: Place) -> None:
        thing = self._by_site[place.site][0]
        devices = self._devices(place.site)
        children = [case for case in self._memory.cases.values() if self._is_child(case, {place.site}, ("device",))]
        where = (thing.county, place.site, thing.operator)
        case = Case("", "site", f"site:{place.site}", *where, devices, place.why, place.swing.bad_ns, 0)
        self._cases.open(case, children)

    def _close_site(self, case: Case) -> None:
        place = self._memory.places.get(case.site, Place(case.site))
        if how := self._cases.gone(case):
            self._cases.end(case, how, self._moment.now_ns)
        elif place.swing.is_over(self._moment.now_ns, self._rules):
            self._cases.end(case, RECOVERED, place.swing.good_ns)
        else:
            is_down = place.swing.bad_ns and case.site in self._moment.service
            children = [one for one in self._memory.cases.values() if self._is_child(one, {case.site}, ("device",))]
            grown = self._cases.grow(case, self._devices(case.site), children) if is_down else case
            self._cases.age(grown, place.swing.good_ns or self._moment.now_ns)

    def _devices(self, site: str) -> tuple[str, ...]:
        """Return the devices of a site that its uplink takes along."""
        tracks = (self._memory.tracks[thing.device] for thing in self._by_site.get(site, ()))
        return tuple(track.device for track in tracks if _goes_along(track))

    def _is_child(self, case: Case, sites: Collection[str], kinds: Collection[str]) -> bool:
        """Tell whether a case is explained by these sites being down."""
        if case.kind not in kinds or case.site not in sites:
            return False
        track = self._memory.tracks.get(case.devices[0]) if case.kind == "device" else None
        return case.kind != "device" or (track is not None and _goes_along(track))

    # ---- groups

    def _everyone(self, free: Sequence[Place]) -> None:
        together = self._together(free)
        operators = {self._operator(place) for place in together}
        heard = sum(1 for site in self._moment.service if self._is_heard(site))
        is_most = len(together) >= self._rules.centre_share * heard
        if is_most and len(operators) >= 2 and len(together) >= 2 * self._rules.operator_sites:
            self._of_group("centre", _EVERYONE, "", together)

    def _of_operator(self, operator: str) -> None:
        together = self._together([place for place in self._free() if self._operator(place) == operator])
        if len(together) >= self._rules.operator_sites:
            self._of_group("operator", f"operator:{operator}", operator, together)

    def _together(self, places: Sequence[Place]) -> list[Place]:
        """Return those that went within some minutes of one that is ripe: the largest such group."""
        near_ns = ns(self._rules.together)
        groups = [
            [place for place in places if abs(place.swing.bad_ns - ripe.swing.bad_ns) <= near_ns]
            for ripe in places
            if self._is_ripe(ripe)
        ]
        return max(groups, key=len, default=[])

    def _of_group(self, kind: str, subject: str, operator: str, places: Sequence[Place]) -> None:
        if not self._cases.is_free(subject):
            return
        sites = {place.site for place in places}
        children = [case for case in self._memory.cases.values() if self._is_child(case, sites, ("device", "site"))]
        devices = tuple(device for site in sorted(sites) for device in self._devices(site))
        counties = {self._by_site[site][0].county for site in sites}
        county = counties.pop() if len(counties) == 1 else ""
        first = min(places, key=lambda place: place.swing.bad_ns)
        why = EVERYONE if kind == "centre" else first.why
        case = Case("", kind, subject, county, first.site, operator, devices, why, first.swing.bad_ns, 0)
        self._cases.open(case, children)

    def _join(self) -> None:
        """Let sites that go a little later, or go again, be part of the case that is open."""
        for case in [case for case in self._memory.cases.values() if _is_group(case)]:
            members, near_ns = self._members(case), 3 * ns(self._rules.together)
            more = [
                place.site
                for place in self._down
                if (place.site in members or abs(place.swing.bad_ns - case.began_ns) <= near_ns)
                and case.operator in ("", self._operator(place))
            ]
            children = [one for one in self._memory.cases.values() if self._is_child(one, more, ("device", "site"))]
            devices = [device for site in more for device in self._devices(site)]
            self._cases.grow(case, devices, children)

    def _close_group(self, case: Case) -> None:
        now_ns = self._moment.now_ns
        if how := self._cases.gone(case):
            self._cases.end(case, how, now_ns)
            return
        places = [self._memory.places.get(site, Place(site)) for site in self._members(case) if self._counts(site)]
        left = [place for place in places if not place.swing.is_over(now_ns, self._rules)]
        good_ns = max((place.swing.good_ns for place in places), default=0)
        if places and len(left) <= _LEFT_SHARE * len(places):
            self._cases.end(case, RECOVERED, good_ns)
        else:
            self._cases.age(case, now_ns)

    def _counts(self, site: str) -> bool:
        """Tell whether a site can say anything of its line now: it owes service, and is not closed."""
        is_quiet = all(thing.device in self._moment.quiet for thing in self._by_site[site])
        return site in self._moment.service and not is_quiet

    def _members(self, case: Case) -> set[str]:
        """Return the sites of a case that are still in the roster."""
        return {site for device in case.devices if (site := device.partition(".")[0]) in self._by_site}

    def _free(self) -> list[Place]:
        """Return the sites that are down and in no group."""
        taken = grouped(self._memory.cases.values())
        return [place for place in self._down if place.site not in taken]

    def _operator(self, place: Place) -> str:
        return self._by_site[place.site][0].operator

    def _is_ripe(self, place: Place) -> bool:
        floor_ns = self._cases.floor_ns(place.site, place.swing.bad_ns, self._rules.site)
        return place.swing.is_ripe(self._moment.now_ns, self._rules.site, self._rules, floor_ns)

    def _is_heard(self, site: str) -> bool:
        place = self._memory.places.get(site)
        return place is not None and bool(place.swing.good_ns or place.swing.bad_ns)


def grouped(cases: Iterable[Case]) -> set[str]:
    """Return the sites that are part of a group's case."""
    return {device.partition(".")[0] for case in cases if _is_group(case) for device in case.devices}


def _is_group(case: Case) -> bool:
    return case.kind == "operator" or case.subject == _EVERYONE


def _goes_along(track: Track) -> bool:
    """Tell whether a device is down with the uplink of its site."""
    return (
        track.state is State.OFFLINE or (track.state is State.FAILING and track.why in CUT) or track.why == AGENT_DOWN
    )
