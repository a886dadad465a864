"""
What all pages show, made from the newest evidence: counted for the city, its counties and its sites.

    rows of the store ─▶ Newest of each device ─┐
    roster, hours, closures ────────────────────┼─▶ Now of each device ─▶ counts ─▶ Picture
    watch, where it runs ───────────────────────┘

One task makes a picture every some seconds, whoever looks; a picture does not change, but that `newest` goes on while
the next look reads; pages are drawn from it alone.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from collector.board.newest import Newest
from collector.board.state import CLASSROOM, HOTSPOT, Hours, derive, good_ns, since
from collector.calendars.schedule import Window
from collector.disputes.schema import Dispute
from collector.quarantine import Entry
from collector.roster.schema import Device, Roster, Site, SiteKind
from collector.store.base import Row
from collector.verify.integrity import Finding
from collector.watch.types import Incident, Now, State
from contract.names import county_of

STATES = tuple(State)
# From what somebody must look at to what is well: the state of a room is that of its worst device.
WORST_FIRST = (
    State.FAILING, State.OFFLINE, State.SILENT, State.UNKNOWN, State.OFF, State.QUIET, State.WORKING,
)  # fmt: skip
# As they stand on a page.
SHOWN = (
    State.WORKING, State.FAILING, State.OFFLINE, State.SILENT, State.OFF, State.UNKNOWN, State.QUIET,
)  # fmt: skip
_RANK = {state: number for number, state in enumerate(WORST_FIRST)}
TROUBLE = (State.FAILING, State.OFFLINE, State.SILENT)
NOBODY = Newest()
_NO_ROSTER = Roster({}, {})
_GONE = (State.OFFLINE, State.OFF)
_NEVER, _NO_EVIDENCE, _NOT_HEARD, _OBSERVER = "never_reported", "no_evidence", "not_heard", "observer"
# What is said of an agent alone; of what it observes it means that nothing is said.
_OF_AGENTS = ("", _NOT_HEARD, _NO_EVIDENCE, _NEVER)
# What evidence may say where watch leaves it open. Watch asks the store once a minute: until then what is fresh there
# is news. Of what owes no service it says no more than that; here it is a difference whether it works.
_INSTEAD = {
    State.UNKNOWN: (State.WORKING, State.FAILING),
    State.QUIET: (State.WORKING, State.SILENT, State.QUIET, State.UNKNOWN),
}
_REPORTS_NS, _PROVEN_NS = 3 * 86_400_000_000_000, 7 * 86_400_000_000_000

Counts = Mapping[State, int]


class SiteNow(NamedTuple):
    """
    A site: how many of its devices are in which state, and since when the oldest trouble lasts (0: none).

    `lost` are those of unknown state that were heard before: what should tell of them is gone, or delivers nothing.
    """

    site: Site
    counts: Counts
    total: int
    since_ns: int = 0
    lost: int = 0

    @property
    def trouble(self) -> int:
        """How many of its devices need a look."""
        return sum(self.counts.get(state, 0) for state in TROUBLE) + self.lost


class Rollout(NamedTuple):
    """How far devices of the roster have come; each number is part of the one before."""

    roster: int = 0
    installed: int = 0
    reporting: int = 0
    proven: int = 0

    def plus(self, other: "Rollout") -> "Rollout":
        """Return the sum of two."""
        return Rollout(*(a + b for a, b in zip(self, other, strict=True)))


class Watched(NamedTuple):
    """
    What watch says, where it runs: states of devices, and incidents, those that ended within some days, too.

    Where it stands still it says nothing, and `ended_ns` is when it looked last. While `centre` fails ("" nothing does)
    its states are those of `judged_ns`.
    """

    now: Mapping[str, Now] = {}
    incidents: Sequence[Incident] = ()
    ended_ns: int = 0
    centre: str = ""
    judged_ns: int = 0


NOT_WATCHED = Watched()


class Picture(NamedTuple):
    """Everything at an instant. `trouble` says what could not be read; `version` goes up with each picture."""

    version: int = 0
    at_ns: int = 0
    roster: Roster = _NO_ROSTER
    now: Mapping[str, Now] = {}
    newest: Mapping[str, Newest] = {}
    sites: Mapping[str, SiteNow] = {}
    places: Mapping[str, Sequence[Device]] = {}  # the devices of each site that should exist now, by their ids
    rollout: Mapping[str, Rollout] = {}  # by site
    unregistered: Sequence[tuple[str, int]] = ()  # device, last heard
    watched: Watched = NOT_WATCHED
    trouble: str = ""

    @property
    def incidents(self) -> Sequence[Incident]:
        """Incidents as watch has them: those that are open, and those of the last days."""
        return self.watched.incidents

    def counts(self, sites: Iterable[SiteNow]) -> Counter[State]:
        """Return the sum over some sites."""
        found: Counter[State] = Counter()
        for one in sites:
            found.update(one.counts)
        return found


class Rest(NamedTuple):
    """
    What changes slowly: findings, quarantine (newest first, and how many ever), disputes.

    `fault_titles` says what a fault is called in Chinese and English, by profile and code; `profile_titles` what a
    profile is called.
    """

    findings: Sequence[Finding] = ()
    quarantined: Sequence[Entry] = ()
    quarantined_ever: int = 0
    disputes: Sequence[Dispute] = ()
    fault_titles: Callable[[str, str], tuple[str, str]] = lambda _profile, code: (code, code)
    profile_titles: Callable[[str], tuple[str, str]] = lambda profile: (profile, profile)


class Rooms(NamedTuple):
    """A room, what people call it, its devices, and the state of the worst of them."""

    name: str
    room: str
    devices: Sequence[Device]
    now: Now


def rooms_of(picture: Picture, site: str) -> list[Rooms]:
    """Return the rooms of a site; what has no class's name is called by its place."""
    found: dict[str, list[Device]] = defaultdict(list)
    for device in picture.places.get(site, ()):
        found[device.room].append(device)
    rooms = []
    for room, devices in found.items():
        name = next((one.class_name for one in devices if one.class_name), "") or room.rpartition(".")[2]
        rooms.append(Rooms(name, room, devices, worst(picture.now[one.id] for one in devices)))
    return sorted(rooms, key=lambda one: one.devices[0].id)


def worst(states: Iterable[Now]) -> Now:
    """Return the worst of some states."""
    return min(states, key=lambda one: _RANK[one.state])


def is_hotspot(device: Device, site: Site | None) -> bool:
    """Tell whether a device is one of public WiFi."""
    return device.role == HOTSPOT or (site is not None and site.kind is SiteKind.PUBLIC)


class Paper(NamedTuple):
    """
    What should be so.

    `devices` are those of the roster that should exist today; `closed` the closures by the id of a county, site, room
    or device.
    """

    roster: Roster
    devices: Sequence[Device]
    hours_of: Callable[[Site], Hours]
    closed: Mapping[str, Sequence[Window]] = {}


class Model:
    """The newest of all devices and how they were: takes rows, makes pictures. Not thread-safe: one task has it."""

    def __init__(self) -> None:
        self.newest: dict[str, Newest] = {}
        self.proven: set[str] = set()  # those of which a day of this week that was verified has a good minute
        self._worked_ns: dict[str, int] = {}
        # What evidence alone says, with the time since which it does: at this look, and at the one before.
        self._evident: dict[str, Now] = {}
        self._before: dict[str, Now] = {}
        self._version = 0

    def take(self, measurement: str, rows: Iterable[Row]) -> None:
        """Take in rows of the store."""
        for row in rows:
            known = self.newest.get(row.device)
            if known is None:
                known = self.newest[row.device] = Newest()
            known.take(measurement, row.tags, row.time_ns, row.fields, is_own=row.source == row.device)

    def failing_since(self, device: str, since_ns: int) -> None:
        """Say since when a device fails, where that was looked up."""
        known = self._evident.get(device)
        if known is not None and known.state is State.FAILING:
            self._evident[device] = known._replace(since_ns=since_ns)

    def picture(self, paper: Paper, now_ns: int, watched: Watched = NOT_WATCHED, trouble: str = "") -> Picture:
        """Return how everything is now; what watch says counts where it knows a device."""
        roster, said = paper.roster, watched.now
        self._version += 1
        self._before, self._evident = self._evident, {}
        states: dict[str, Now] = {}
        places: dict[str, list[Device]] = defaultdict(list)
        rollout: dict[str, Rollout] = defaultdict(Rollout)
        hours: dict[str, Hours] = {}
        observed: list[Device] = []
        for device in paper.devices:
            site = device.site
            if site not in hours:
                hours[site] = paper.hours_of(roster.sites[site])
            found = self._state(device, hours[site], _closures(paper.closed, device), said, now_ns)
            states[device.id] = found
            places[site].append(device)
            if device.speaker != device.id:
                observed.append(device)
            rollout[site] = rollout[site].plus(self._stage(device, found, now_ns))
        for device in observed:
            states[device.id] = self._by_observer(states[device.id], states.get(device.speaker))
        for some in places.values():
            some.sort(key=lambda device: device.id)
        sites = {name: self._site(one, places.get(name, ()), states, roster) for name, one in roster.sites.items()}
        unregistered = sorted(
            (name, one.heard_ns) for name, one in self.newest.items() if name not in roster.devices and one.heard_ns
        )
        return Picture(
            version=self._version,
            at_ns=now_ns,
            roster=roster,
            now=states,
            newest=self.newest,
            sites=sites,
            places=places,
            rollout=rollout,
            unregistered=unregistered,
            watched=watched,
            trouble=trouble,
        )

    def _state(
        self,
        device: Device,
        hours: Hours,
        closed: Sequence[Window],
        watched: Mapping[str, Now],
        now_ns: int,
    ) -> Now:
        said = watched.get(device.id)
        if said is not None and said.state is State.WORKING:
            return said  # as most are: evidence has nothing to add
        own, speaker = self.newest.get(device.id), self.newest.get(device.speaker)
        found = since(self._before.get(device.id), derive(device, own, speaker, hours, closed, now_ns))
        self._evident[device.id] = found
        if said is None or said.why == _NEVER:
            return found
        if _leaves_open(said) and found.state in _INSTEAD[said.state]:
            return found
        if said.state is State.UNKNOWN and not said.why:
            return self._unsaid(said, found, is_observed=device.speaker != device.id)
        # A watch that has just begun knows how a device is, and the store since when.
        is_since = 0 < found.since_ns < said.since_ns and _is_as_bad(said, found.state)
        return said._replace(since_ns=found.since_ns) if is_since else said

    def _unsaid(self, said: Now, found: Now, *, is_observed: bool) -> Now:
        """Return what is said of a device that watch has no evidence of, as of an agent that has just come back."""
        if found.state in (State.UNKNOWN, State.QUIET):
            return found
        heard_ns = self.newest.get(said.device, NOBODY).heard_ns
        return said._replace(why=found.why if is_observed else _NOT_HEARD, since_ns=heard_ns or said.since_ns)

    def _by_observer(self, now: Now, observer: Now | None) -> Now:
        """Return how a device is that another observes: that one's reason is why there is no evidence of it."""
        if now.state is not State.UNKNOWN:
            return now
        heard_ns = self.newest.get(now.device, NOBODY).heard_ns
        if not heard_ns:
            return now._replace(why=_NEVER, since_ns=0)
        why = now.why
        if observer is None or observer.state not in (State.WORKING, State.FAILING):
            why = observer.why if observer and observer.why not in _OF_AGENTS else _OBSERVER
        return now._replace(why=why, since_ns=heard_ns)

    def _site(self, site: Site, devices: Sequence[Device], states: Mapping[str, Now], roster: Roster) -> SiteNow:
        lost = [states[one.id] for one in devices if self._is_lost(one, states, roster)]
        bad = [*(states[one.id] for one in devices if states[one.id].state in TROUBLE), *lost]
        since_ns = min((one.since_ns for one in bad if one.since_ns), default=0)
        counts = Counter(states[one.id].state for one in devices)
        return SiteNow(site, counts, len(devices), since_ns, len(lost))

    def _is_lost(self, device: Device, states: Mapping[str, Now], roster: Roster) -> bool:
        """
        Tell whether there was evidence of a device, and is none because who tells of it is gone or delivers nothing.

        A classroom's computer may be off, and needs a moment when it starts.
        """
        if states[device.id].state is not State.UNKNOWN or not self.newest.get(device.id, NOBODY).heard_ns:
            return False
        teller, known = states.get(device.speaker), roster.devices.get(device.speaker)
        if teller is None or teller.state in (State.OFFLINE, State.SILENT) or teller.why == _NO_EVIDENCE:
            return True
        may_be_off = known is not None and known.role == CLASSROOM
        return teller.state in (State.OFF, State.UNKNOWN) and not may_be_off

    def worked(self, device: str, time_ns: int) -> None:
        """Say that a device was seen working at a time, or later."""
        self._worked_ns[device] = max(time_ns, self._worked_ns.get(device, 0))

    def is_proven(self, device: Device, now_ns: int) -> bool:
        """Tell whether a device is known to have worked within a week."""
        own = self.newest.get(device.id)
        if own is not None and now_ns - self._worked_ns.get(device.id, 0) >= _PROVEN_NS:
            self.worked(device.id, good_ns(device, own))
        return device.id in self.proven or now_ns - self._worked_ns.get(device.id, 0) < _PROVEN_NS

    def _stage(self, device: Device, now: Now, now_ns: int) -> Rollout:
        """Return how far one device has come."""
        if now.state is State.WORKING:
            self.worked(device.id, now_ns)
        heard_ns = self.newest.get(device.id, NOBODY).heard_ns
        is_reporting = bool(heard_ns) and now.state is not State.SILENT and now_ns - heard_ns < _REPORTS_NS
        return Rollout(1, int(heard_ns > 0), int(is_reporting), int(is_reporting and self.is_proven(device, now_ns)))


def _leaves_open(said: Now) -> bool:
    """Tell whether watch does not say how a device is."""
    return said.state is State.QUIET or (said.state is State.UNKNOWN and not said.why)


def _is_as_bad(said: Now, found: State) -> bool:
    """Tell whether evidence says of a device that does not work what watch does."""
    if found in _GONE:
        return said.state in _GONE or said.why == _NO_EVIDENCE
    return said.state is found


def _closures(closed: Mapping[str, Sequence[Window]], device: Device) -> Sequence[Window]:
    if not closed:
        return ()
    names = (county_of(device.id), device.site, device.room, device.id)
    return [window for name in dict.fromkeys(names) for window in closed.get(name, ())]
