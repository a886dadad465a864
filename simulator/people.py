"""What people do: caretakers at the breaker, teachers at the panel."""

from itertools import pairwise
from typing import NamedTuple

from simulator.chance import Chance
from simulator.places import Habit, Place, Role, Thing
from simulator.spans import HOUR, MINUTE, SECOND, Span, Times
from simulator.timetable import Calendar, midnight

_UNUSED_DAY = 0.05  # of days on which nobody switches a machine on
_UNUSED_LESSON = 0.2
_CLEAN = 0.75  # of ends that are a shutdown, and not the button


class Use(NamedTuple):
    """A time in which somebody wants a machine on; `is_clean`: it is shut down at its end, else it is just cut off."""

    start: int
    end: int
    is_clean: bool


class Wishes(NamedTuple):
    """What people want of a classroom's machine: when it is on, in use, and left alone long enough to fall asleep."""

    uses: list[Use]
    lessons: Times
    idle: Times


def breaker(seed: int, place: Place, calendar: Calendar) -> Times:
    """Return when the breaker of a site is on."""
    if not place.night_off or calendar.is_always:
        return Times([calendar.span])
    chance = Chance(seed, place.id, "breaker")
    found = []
    for day in calendar.school_days(place.county):
        begin = midnight(day)
        found.append((begin + 7 * HOUR + chance.between(-1800, 900), begin + 18 * HOUR + chance.between(-300, 9000)))
    return Times(found).both(Times([calendar.span]))


def wishes(seed: int, place: Place, thing: Thing, calendar: Calendar) -> Wishes:
    """Return what people want of a machine; of gateways and hotspots that they run."""
    if thing.role in (Role.GATEWAY, Role.HOTSPOT):
        first = calendar.span.start + Chance(seed, thing.id, "installed").between(0, 600)
        return Wishes([Use(first, calendar.span.end, is_clean=False)], Times(), Times())
    chance = Chance(seed, thing.id, "people")
    uses: list[Use] = []
    used: list[Span] = []
    idle: list[Span] = []
    for day in calendar.school_days(place.county):
        lessons = calendar.hours(place.calendar).lessons_of(midnight(day))
        taken = [lesson for lesson in lessons if not chance.happens(_UNUSED_LESSON)]
        if thing.habit is not Habit.LEFT_ON and (chance.happens(_UNUSED_DAY) or not taken):
            continue
        used += [Span(lesson.start + chance.between(-60, 240), lesson.end - chance.between(0, 300)) for lesson in taken]
        if thing.habit is Habit.BY_LESSON:
            uses += [_by_lesson(chance, lesson) for lesson in taken]
        elif thing.habit is not Habit.LEFT_ON:
            uses.append(_by_day(chance, taken))
        if thing.habit is Habit.SLEEPS:
            idle += _idle(chance, taken)
    if thing.habit is Habit.LEFT_ON:
        first = calendar.span.start + chance.between(0, 600)
        uses = [Use(first, calendar.span.end, is_clean=False)]
    return Wishes(_apart(uses), Times(used), Times(idle))


def _by_lesson(chance: Chance, lesson: Span) -> Use:
    start, end = lesson.start + chance.between(-150, 200), lesson.end + chance.between(-120, 150)
    return Use(start, end, chance.happens(_CLEAN))


def _by_day(chance: Chance, lessons: list[Span]) -> Use:
    start, end = lessons[0].start - chance.between(60, 1500), lessons[-1].end + chance.between(-60, 3600)
    return Use(start, end, chance.happens(_CLEAN))


def _idle(chance: Chance, lessons: list[Span]) -> list[Span]:
    """Return the times between lessons in which a machine that is left alone falls asleep."""
    found = []
    for before, after in pairwise(lessons):
        asleep = before.end + chance.between(600, 900)
        woken = after.start + chance.between(-240, 240)
        if woken - asleep > 2 * MINUTE:
            found.append(Span(asleep, woken))
    return found


def _apart(uses: list[Use]) -> list[Use]:
    """Return uses that do not overlap: who comes while it is on leaves it on."""
    found: list[Use] = []
    for use in uses:
        if found and use.start <= found[-1].end + 30 * SECOND:
            found[-1] = use._replace(start=found[-1].start)
        else:
            found.append(use)
    return found
