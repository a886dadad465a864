"""
What watch remembers: all of it is rows of the journal, so that a restart goes on where the last commit ended.

    Thing   who should exist, of the roster        Link    what an agent said last of itself
    Sight   what evidence says of a device         Track   how a device is, and since when it is bad or good
    Place   the uplink of a site                   Case    an incident with what is needed to end it
"""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Self

from collector.watch.rules import Rules, ns
from collector.watch.types import Incident, Note, Now, State

_SELDOM = 6  # times `steady`: failures further apart than that are none that belong together
CENTRE = ""  # the place that is the centre itself
ONLINE, GONE, STOPPED = "online", "offline", "stopped"  # the words of the topic `state`
OPENED, RECOVERED, ESCALATED = "opened", "recovered", "escalated"
ENDED = "ended"  # in titles, of what is over and has not recovered
TAKEN_UP, BY_HAND, AGREED, RETIRED = "taken_up", "by_hand", "agreed", "retired"  # how a case can end but by recovery


class Thing(NamedTuple):
    """A device that should exist. `speaker` is the agent that speaks for it, itself when empty."""

    device: str
    site: str
    county: str
    operator: str = ""
    speaker: str = ""
    may_be_off: bool = False  # a classroom: being off is no failure
    is_gateway: bool = False

    @property
    def voice(self) -> str:
        """The agent whose word counts."""
        return self.speaker or self.device

    @property
    def is_observed(self) -> bool:
        """Tell whether another agent speaks for it."""
        return self.voice != self.device


class Sight(NamedTuple):
    """
    What the newest evidence says of a device: a cause of the verifier, and the stage that failed.

    It says so of `at_ns`, and until `until_ns`, which is when something newer is due; 0: for the usual time.
    """

    device: str
    at_ns: int
    cause: str
    stage: str = ""
    until_ns: int = 0


class Link(NamedTuple):
    """What an agent said last; `vanished_ns` is when its will came, 0 where nobody saw it come."""

    agent: str
    word: str
    at_ns: int
    vanished_ns: int = 0


class Swing(NamedTuple):
    """Since when something is bad, or good (0: it is not), and when it became bad the last times."""

    bad_ns: int = 0
    good_ns: int = 0
    dips: tuple[int, ...] = ()

    def bad(self, at_ns: int, rules: Rules) -> Self:
        """Return it as bad."""
        if self.bad_ns:
            return self
        return self._replace(bad_ns=at_ns, good_ns=0, dips=(*self.dips, at_ns)[-rules.flaps :])

    def good(self, at_ns: int) -> Self:
        """Return it as good."""
        return self if self.good_ns else self._replace(bad_ns=0, good_ns=at_ns)

    def neither(self) -> Self:
        """Return it as neither: nothing goes on being bad or good meanwhile."""
        return self._replace(bad_ns=0, good_ns=0)

    def is_flapping(self, now_ns: int, rules: Rules) -> bool:
        """
        Tell whether it has failed too often lately to call it good.

        It has to be good for twice the time that lay between its last failures, and for `steady` at least: what comes
        and goes regularly is one incident.
        """
        if len(self.dips) < max(2, rules.flaps):
            return False
        apart_ns = (self.dips[-1] - self.dips[0]) // (len(self.dips) - 1)
        steady_ns = ns(rules.steady)
        return apart_ns <= _SELDOM * steady_ns and now_ns - self.dips[-1] < max(steady_ns, 2 * apart_ns)

    def is_ripe(self, now_ns: int, hold_s: float, rules: Rules, floor_ns: int = 0) -> bool:
        """Tell whether it is bad for long enough, or too often; what was before `floor_ns` does not count."""
        if not self.bad_ns:
            return False
        is_often = self.is_flapping(now_ns, rules) and self.dips[-1] - self.dips[0] < ns(rules.steady)
        return is_often or now_ns - max(self.bad_ns, floor_ns) >= ns(hold_s)

    def is_over(self, now_ns: int, rules: Rules) -> bool:
        """Tell whether it is good for long enough."""
        is_held = self.good_ns > 0 and now_ns - self.good_ns >= ns(rules.recovery)
        return is_held and not self.is_flapping(now_ns, rules)


class Track(NamedTuple):
    """One device: what the board shows of it, and what its alerts follow from."""

    device: str
    state: State = State.UNKNOWN
    why: str = ""
    since_ns: int = 0
    incident: str = ""
    heard_ns: int = 0
    swing: Swing = Swing()

    @property
    def now(self) -> Now:
        """What others see of it."""
        return Now(self.device, self.state, self.since_ns, self.why, self.incident)


class Place(NamedTuple):
    """The uplink of one site; `vanish_ns` is when all of its agents went at once, 0: they did not."""

    site: str
    why: str = ""
    vanish_ns: int = 0
    swing: Swing = Swing()


class Case(NamedTuple):
    """
    An incident. `subject` is what it is about: one case at a time is open for each.

    It began at `began_ns`, somebody was told from `opened_ns` on. `clear_ns` is since when there is nothing left of it,
    0: there is. `includes` are cases that it has taken up: they end with it. `told` are the addresses of those who know
    of it, or of one of these: whoever does is told that it is over. `minutes` of service were lost by all its devices;
    `since` and `lost` are what they follow from (`losses.py`).
    """

    id: str
    kind: str
    subject: str
    county: str
    site: str
    operator: str
    devices: tuple[str, ...]
    why: str
    began_ns: int
    opened_ns: int
    closed_ns: int | None = None
    clear_ns: int = 0
    minutes: int = 0
    parent: str = ""
    includes: tuple[str, ...] = ()
    ended: str = ""
    is_escalated: bool = False
    acknowledged_by: str = ""
    told: tuple[str, ...] = ()
    since: tuple[int, ...] = ()
    lost: int = 0

    def incident(self, notes: tuple[Note, ...] = ()) -> Incident:
        """Return what others see of it."""
        return Incident(
            self.id,
            self.opened_ns,
            self.closed_ns,
            self.kind,
            self.county,
            self.site,
            self.operator,
            self.devices,
            self.why,
            self.minutes,
            self.acknowledged_by,
            notes,
            self.began_ns,
        )


class Said(NamedTuple):
    """What somebody did about an incident, in order: `ack`, `note`, `close`."""

    number: int
    at_ns: int
    incident: str
    what: str
    by: str
    text: str = ""


class News(NamedTuple):
    """
    What somebody is to be told: a case was opened, has recovered, or waits for an answer for too long.

    `to` are the addresses that it is for; without any it is for those whom the routes name.
    """

    what: str
    case: Case
    at_ns: int
    to: tuple[str, ...] = ()

    @property
    def told_as(self) -> str:
        """What a title counts it as: what ended otherwise than by recovery is no recovery."""
        return ENDED if self.what == RECOVERED and self.case.ended in (BY_HAND, AGREED, RETIRED) else self.what


class Moment(NamedTuple):
    """
    What is known beside events when watch looks.

    `service` has the sites that owe service now, with the instant since when; `lessons` those with a lesson. `quiet`
    are devices of closures, disputes and maintenance. `faults` are the active ones that alert, by device; `silent` the
    devices without a word for so many school days; None: not read now. `centre` says what of the centre fails.
    `lost` counts the service minutes of a site in a period; `addresses` are those that are told such news of a case.
    """

    now_ns: int
    service: Mapping[str, int] = {}
    lessons: frozenset[str] = frozenset()
    quiet: frozenset[str] = frozenset()
    faults: Mapping[str, tuple[str, ...]] | None = None
    silent: Mapping[str, int] | None = None
    centre: str = ""
    is_settling: bool = False
    said: tuple[Said, ...] = ()
    lost: Callable[[str, int, int], int] = lambda _site, since_ns, until_ns: max(0, until_ns - since_ns) // ns(60)
    addresses: Callable[[str, Case], Collection[str]] = lambda _what, _case: ()


class Memory:
    """Everything, with what of it has changed since it was last written. Only open cases are kept."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self.tracks: dict[str, Track] = {}
        self.places: dict[str, Place] = {}
        self.cases: dict[str, Case] = {}
        self.muted: set[str] = set()  # subjects whose case was closed by hand, until they are good again
        self.last_id = 0
        self.last_said = 0
        self.dirty: dict[str, set[str]] = {"links": set(), "tracks": set(), "places": set(), "muted": set()}
        self.changed_cases: dict[str, Case] = {}  # closed ones, too
        self.just_closed: dict[str, Case] = {}  # by the last look: who did something meanwhile saw them open
        self._by_subject: dict[str, str] = {}

    def link(self, link: Link) -> None:
        """Keep a link."""
        self.links[link.agent] = link
        self.dirty["links"].add(link.agent)

    def track(self, track: Track, *, is_news: bool = True) -> None:
        """Keep a track; what is no news need not be written."""
        self.tracks[track.device] = track
        if is_news:
            self.dirty["tracks"].add(track.device)

    def place(self, place: Place) -> None:
        """Keep a place."""
        if self.places.get(place.site) != place:
            self.places[place.site] = place
            self.dirty["places"].add(place.site)

    def case(self, case: Case) -> None:
        """Keep a case; a closed one is forgotten once it is written."""
        self.changed_cases[case.id] = case
        if case.closed_ns is None:
            self.cases[case.id] = case
            self._by_subject[case.subject] = case.id
        else:
            self.cases.pop(case.id, None)
            self._by_subject.pop(case.subject, None)

    def mute(self, subject: str, *, is_muted: bool) -> None:
        """Let nothing be opened about a subject, or let it again."""
        if (subject in self.muted) is not is_muted:
            (self.muted.add if is_muted else self.muted.discard)(subject)
            self.dirty["muted"].add(subject)

    def of_subject(self, subject: str) -> Case | None:
        """Return the open case of a subject."""
        return self.cases.get(self._by_subject.get(subject, ""))

    def written(self) -> None:
        """Forget what has changed: it is durable."""
        for names in self.dirty.values():
            names.clear()
        self.just_closed = {name: case for name, case in self.changed_cases.items() if case.closed_ns is not None}
        self.changed_cases.clear()
