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
from collector.board.state import Hours, derive, since
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
_NEVER = "never_reported"
# What evidence may say where watch leaves it open. Watch asks the store once a minute: until then what is fresh there
# is news. Of what owes no service it says no more than that; here it is a difference whether it works.
_INSTEAD = {
    State.UNKNOWN: (State.WORKING, State.FAILING),
    State.QUIET: (State.WORKING, State.SILENT, State.QUIET, State.UNKNOWN),
}
_REPORTS_NS, _PROVEN_NS = 3 * 86_400_000_000_000, 7 * 86_400_000_000_000

Counts = Mapping[State, int]


class SiteNow(NamedTuple):
    """A site: how many of its devices are in which state, and since when the oldest trouble lasts (0: none)."""

    site: Site
    counts: Counts
    total: int
    since_ns: int = 0

    @property
    def trouble(self) -> int:
        """How many of its devices need a look."""
        return sum(self.counts.get(state, 0) for state in TROUBLE)


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

    `fault_titles` says what a fault is called in Chinese and English, by profile and code.
    """

    findings: Sequence[Finding] = ()
    quarantined: Sequence[Entry] = ()
    quarantined_ever: int = 0
    disputes: Sequence[Dispute] = ()
    fault_titles: Callable[[str, str], tuple[str, str]] = lambda _profile, code: (code, code)


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
    return device.role == "access-point" or (site is not None and site.kind is SiteKind.PUBLIC)


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
        self._now: dict[str, Now] = {}
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
        if device in self._now:
            self._now[device] = self._now[device]._replace(since_ns=since_ns)

    def picture(self, paper: Paper, now_ns: int, watched: Watched = NOT_WATCHED, trouble: str = "") -> Picture:
        """Return how everything is now; what watch says counts where it knows a device."""
        roster, said = paper.roster, watched.now
        self._version += 1
        states: dict[str, Now] = {}
        places: dict[str, list[Device]] = defaultdict(list)
        rollout: dict[str, Rollout] = defaultdict(Rollout)
        hours: dict[str, Hours] = {}
        for device in paper.devices:
            site = device.site
            if site not in hours:
                hours[site] = paper.hours_of(roster.sites[site])
            found = self._state(device, hours[site], _closures(paper.closed, device), said, now_ns)
            states[device.id] = found
            places[site].append(device)
            rollout[site] = rollout[site].plus(self._stage(device.id, found, now_ns))
        self._now = states
        for some in places.values():
            some.sort(key=lambda device: device.id)
        sites = {
            name: _site(one, [states[device.id] for device in places.get(name, ())])
            for name, one in roster.sites.items()
        }
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
        if said is not None and not _leaves_open(said) and said.state not in _GONE:
            return said
        own, speaker = self.newest.get(device.id), self.newest.get(device.speaker)
        found = since(self._now.get(device.id), derive(device, own, speaker, hours, closed, now_ns))
        if said is None or said.why == _NEVER or found.state in _INSTEAD.get(said.state, ()):
            return found
        # A watch that has just begun knows that a device is gone, and the store since when.
        is_since = said.state in _GONE and 0 < found.since_ns < said.since_ns and found.state in _GONE
        return said._replace(since_ns=found.since_ns) if is_since else said

    def _stage(self, device: str, now: Now, now_ns: int) -> Rollout:
        """Return how far one device has come."""
        if now.state is State.WORKING:
            self._worked_ns[device] = now_ns
        is_proven = device in self.proven or now_ns - self._worked_ns.get(device, 0) < _PROVEN_NS
        heard_ns = self.newest.get(device, NOBODY).heard_ns
        is_reporting = bool(heard_ns) and now.state is not State.SILENT and now_ns - heard_ns < _REPORTS_NS
        return Rollout(1, int(heard_ns > 0), int(is_reporting), int(is_reporting and is_proven))


def _leaves_open(said: Now) -> bool:
    """Tell whether watch does not say how a device is."""
    return said.state is State.QUIET or (said.state is State.UNKNOWN and said.why in ("", _NEVER))


def _closures(closed: Mapping[str, Sequence[Window]], device: Device) -> Sequence[Window]:
    if not closed:
        return ()
    names = (county_of(device.id), device.site, device.room, device.id)
    return [window for name in dict.fromkeys(names) for window in closed.get(name, ())]


def _site(site: Site, states: Sequence[Now]) -> SiteNow:
    counts = Counter(one.state for one in states)
    since_ns = min((one.since_ns for one in states if one.state in TROUBLE and one.since_ns), default=0)
    return SiteNow(site, counts, len(states), since_ns)
