"""
A city in continuous time, as it really was. Nothing here knows what is measured, or how it is judged.

    places ──▶ mains, gateway, line of each site ─┐
    calendar ─▶ what people want of each machine ─┴▶ boots, sleep, runs of agents, displays, journeys
    strange: clones, moved and parked agents, restored images, replaced hardware, classes on paper
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from simulator import faults as fault_room
from simulator.chance import Chance, hexadecimal
from simulator.faults import Centre, Fault, Mains
from simulator.machine import Machine, Software, live
from simulator.people import Use, Wishes, wishes
from simulator.places import Place, Role, Thing, places
from simulator.rates import Rates
from simulator.spans import DAY, HOUR, MINUTE, Span, Times
from simulator.timetable import Calendar, Closure, Maintenance, midnight

STAGES = ("scan", "associate", "dhcp", "dns", "portal", "http")


class Oddity(NamedTuple):
    """What is strange about a device: clone, moved, parked, restored or replaced; since and until when; who else."""

    kind: str
    since: int
    until: int
    other: str = ""


class Hang(NamedTuple):
    """From when on a machine hung behind which gateway."""

    since: int
    mac: str
    subnet: str


class Body(NamedTuple):
    """One piece of hardware with an agent, and the network it hung on."""

    serial: str
    machine: Machine
    network: Mains
    hangs: tuple[Hang, ...]


class DeviceLife(NamedTuple):
    """
    All of a device's life. `bodies` are the machines that were it; none where it exists on paper alone, or is a panel.

    `shown` is when a panel's display was on, `answers` when it answered at all; `journey` the stages at which a hotspot
    failed its guests.
    """

    thing: Thing
    wishes: Wishes
    bodies: tuple[Body, ...]
    shown: Times
    answers: Times
    journey: tuple[tuple[str, Times], ...]
    faults: tuple[Fault, ...]
    oddity: Oddity | None


class SiteLife(NamedTuple):
    """A site with its devices."""

    place: Place
    mains: Mains
    devices: tuple[DeviceLife, ...]


class World:
    """
    A city of so many devices for so many days, made site by site.

    With `living_since` (unix ms) it begins then, and has lessons round the clock: one to be looked at while it lives.
    """

    def __init__(
        self,
        seed: int,
        devices: int,
        start: date,
        days: int,
        rates: Rates = Rates(),  # noqa: B008  it never changes
        living_since: int = 0,
    ) -> None:
        self.seed, self.rates = seed, rates
        self.places = tuple(places(seed, devices))
        self.calendar = (
            Calendar(start, days, begins=living_since, is_always=True)
            if living_since
            else _calendar(seed, self.places, start, days)
        )
        if living_since:  # the same places whenever it is started, and lives of their own each time
            self.seed = seed = living_since // 1000
        self.centre: Centre = fault_room.centre(seed, self.calendar, rates)
        self.oddities = _oddities(seed, self.places, self.calendar)
        self._exchanged = _exchanged(seed, self.places, self.calendar)
        self._by_id = {place.id: place for place in self.places}

    @property
    def span(self) -> Span:
        """All of its time."""
        return self.calendar.span

    def sites(self) -> Iterator[SiteLife]:
        """Yield the lives of all sites, one after the other."""
        for place in self.places:
            mains = self._mains(place)
            yield SiteLife(place, mains, tuple(self._device(place, mains, thing) for thing in place.things))

    def _mains(self, place: Place) -> Mains:
        return fault_room.mains(self.seed, place, self.calendar, self.rates, self._exchanged.get(place.id))

    def _device(self, place: Place, mains: Mains, thing: Thing) -> DeviceLife:
        wanted = wishes(self.seed, place, thing, self.calendar)
        life = DeviceLife(thing, wanted, (), Times(), Times(), (), (), self.oddities.get(thing.id))
        if not thing.exists:
            return life
        if thing.role is Role.PANEL:
            return self._panel(life, mains)
        bodies = tuple(self._bodies(life, place, mains))
        found = [fault for body in bodies for fault in body.machine.faults]
        if thing.role is Role.HOTSPOT:
            life, journey = self._journey(life)
            found += journey
        return life._replace(bodies=bodies, faults=tuple(found))

    def _panel(self, life: DeviceLife, mains: Mains) -> DeviceLife:
        chance = Chance(self.seed, life.thing.id, "panel")
        kind = self.rates.panel
        dead = [Fault("panel_silent", life.thing.id, *one) for one in chance.faults(*kind, *self.span)]
        answers = mains.power.without(Times((fault.start, fault.end) for fault in dead))
        shown = mains.power.both(Times((use.start + 8000, use.end) for use in life.wishes.uses))
        return life._replace(answers=answers, shown=shown, faults=tuple(dead))

    def _journey(self, life: DeviceLife) -> tuple[DeviceLife, list[Fault]]:
        chance = Chance(self.seed, life.thing.id, "journey")
        taken, found, journey = Times(), [], []
        for start, end in chance.faults(*self.rates.journey, *self.span):
            stage = chance.choice(STAGES)
            free = Times([(start, end)]).without(taken)
            taken = taken.either(free)
            journey.append((stage, free))
            found.append(Fault("journey_fault", life.thing.id, start, end, stage))
        return life._replace(journey=tuple(journey)), found

    # ---- machines, and where they hang

    def _bodies(self, life: DeviceLife, place: Place, mains: Mains) -> Iterator[Body]:
        thing, odd = life.thing, life.oddity
        hangs = [Hang(self.span.start, place.mac, place.subnet)]
        if mains.mac_changed:
            mac = f"{place.mac[:-2]}{(int(place.mac[-2:], 16) + 1) % 256:02x}"
            hangs.append(Hang(mains.mac_changed, mac, place.subnet))
        wanted = life.wishes
        if odd and odd.kind in ("moved", "parked"):
            other = self._by_id[odd.other] if odd.kind == "moved" else _office(self.seed)
            mains = _first_then(mains, self._mains(other), odd.since, self.span)
            hangs = [hang for hang in hangs if hang.since < odd.since]
            hangs.append(Hang(odd.since, other.mac, other.subnet))
            if odd.kind == "parked":
                uses = [Use(odd.since + MINUTE, self.span.end, is_clean=False)]
                wanted = Wishes(uses, Times(), Times())
        whole = Body(thing.serial, self._live(thing, wanted, mains), mains, tuple(hangs))
        if odd and odd.kind == "replaced":
            yield from _replaced(whole, odd, Chance(self.seed, thing.id, "new"))
            return
        yield whole
        if odd and odd.kind == "clone":
            yield self._clone(thing, odd)

    def _live(self, thing: Thing, wanted: Wishes, mains: Mains) -> Machine:
        chance = Chance(self.seed, thing.id, "upgrade")
        at = midnight(self.calendar.start + timedelta(days=self.calendar.days // 2)) + 9 * HOUR
        return live(
            self.seed, thing, wanted, mains, self.rates, Software("0.0.9", "0.1.0", at + chance.between(0, 25200))
        )

    def _clone(self, thing: Thing, odd: Oddity) -> Body:
        """Return the other machine that runs with a copy of this one's card."""
        other = self._by_id[odd.other]
        mains = self._mains(other)
        twin = thing._replace(serial=f"10000000{hexadecimal(Chance(self.seed, thing.id, 'twin'), 8)}")
        wanted = Wishes([Use(odd.since, odd.until, is_clean=True)], Times(), Times())
        chance_name = thing._replace(id=f"{thing.id} twin")  # its troubles are its own
        machine = self._live(chance_name, wanted, mains)
        faults = [fault._replace(where=thing.id, detail="twin") for fault in machine.faults]
        return Body(twin.serial, machine._replace(faults=faults), mains, (Hang(odd.since, other.mac, other.subnet),))


def _first_then(first: Mains, then: Mains, at: int, span: Span) -> Mains:
    """Return a network that is another one from an instant on."""
    before, after = Times([(span.start, at)]), Times([(at, span.end)])

    def joined(one: Times, other: Times) -> Times:
        return one.both(before).either(other.both(after))

    return Mains(
        joined(first.breaker, then.breaker),
        joined(first.power, then.power),
        joined(first.gateway, then.gateway),
        joined(first.line, then.line),
        joined(first.time, then.time),
        first.faults + then.faults,
        None,
    )


def _office(seed: int) -> Place:
    """Return the office in which agents were left: no school, and a network that nobody switches off at night."""
    chance = Chance(seed, "office")
    mac = "02:" + ":".join(hexadecimal(chance, 2) for _ in range(5))
    return Place("441802-office", "", False, "urban", "", 100, 95.0, "hotspot", False, False, mac, ())


def _replaced(whole: Body, odd: Oddity, chance: Chance) -> Iterator[Body]:
    """Yield the old hardware, then the new one, which begins with an empty card."""
    for serial, is_new in ((whole.serial, False), (f"10000000{hexadecimal(chance, 8)}", True)):
        runs = [run for run in whole.machine.runs if (run.boot.start >= odd.since) is is_new]
        boots = [boot for boot in whole.machine.boots if (boot.start >= odd.since) is is_new]
        faults = [fault for fault in whole.machine.faults if (fault.start >= odd.since) is is_new]
        times = Times((boot.start, boot.end) for boot in boots)
        machine = Machine(boots, whole.machine.awake.both(times), whole.machine.asleep.both(times), runs, faults)
        yield whole._replace(serial=serial, machine=machine)


def _calendar(seed: int, city: tuple[Place, ...], start: date, days: int) -> Calendar:
    """Return the period with a day of heavy rain in one county, and a night's and a morning's work on two lines."""
    chance = Chance(seed, "calendar")
    closures: tuple[Closure, ...] = ()
    if days >= 5:
        closures = (Closure(chance.choice(city).county, start + timedelta(days=chance.randrange(1, days))),)
    schools = [place for place in city if place.is_school]
    work = []
    for place in chance.sample(schools, min(2, len(schools))):
        begin = midnight(start + timedelta(days=chance.randrange(days))) + chance.randrange(0, 20) * HOUR
        work.append(Maintenance(place.id, Span(begin, begin + 90 * MINUTE)))
    return Calendar(start, days, closures, tuple(work))


def _oddities(seed: int, city: tuple[Place, ...], calendar: Calendar) -> dict[str, Oddity]:
    """Choose the strange ones among classrooms with an agent of their own; small cities have none."""
    chance = Chance(seed, "odd")
    schools = [place for place in city if place.is_school]
    own = [thing for place in schools for thing in place.things if thing.role is Role.PLATFORM and thing.exists]
    if len(own) < 24 or calendar.days < 2:
        return {}
    total = sum(len(place.things) for place in city)
    kinds = [
        *(["clone"] * max(1, total // 400)),
        *(["moved"] * max(1, total // 300)),
        *(["parked"] * max(2, total // 250)),
        *(["restored"] * max(1, total // 100)),
        *(["replaced"] * max(1, total // 200)),
    ]
    start, end = calendar.span
    found = {}
    for kind, thing in zip(kinds, _mixed(chance, own)[: len(own) // 2], strict=False):
        since = start + chance.randrange(1, calendar.days) * DAY + 10 * HOUR
        until = min(end, since + 2 * DAY) if kind == "clone" else end
        site = thing.id.partition(".")[0]
        other = chance.choice([place.id for place in schools if place.id != site] or [site])
        found[thing.id] = Oddity(
            kind, start if kind == "parked" else since, until, "office" if kind == "parked" else other
        )
    return found


def _exchanged(seed: int, city: tuple[Place, ...], calendar: Calendar) -> dict[str, int]:
    """Choose the schools whose gateway is exchanged, and when: one in fifty, at least one."""
    chance = Chance(seed, "exchanged")
    schools = [place.id for place in city if place.is_school]
    if calendar.days < 3 or not schools:
        return {}
    some = chance.sample(schools, max(1, len(schools) // 50))
    return {site: calendar.span.start + chance.randrange(1, calendar.days) * DAY + 6 * HOUR for site in some}


def _mixed(chance: Chance, things: list[Thing]) -> list[Thing]:
    """Return things in an order by chance, those of one school as far apart as can be."""
    by_site: dict[str, list[Thing]] = {}
    for thing in chance.sample(things, len(things)):
        by_site.setdefault(thing.id.partition(".")[0], []).append(thing)
    turns = max(map(len, by_site.values()))
    return [some[turn] for turn in range(turns) for some in by_site.values() if turn < len(some)]
