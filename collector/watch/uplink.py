"""
Whether the uplink of a site is down, from what is known of its devices.

Down is: nobody is reached any more, and what is always on is gone or cut off; or more are cut off than not; or all
agents that were there went at once, with their wills, in the middle of a lesson. Up is: somebody is reached who says
so. Else, where everything is simply off, nobody knows.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from collector.watch.judge import CUT, UNREACHABLE, Judged
from collector.watch.memory import GONE, ONLINE, Moment, Place
from collector.watch.rules import Rules, ns
from collector.watch.types import State

LEAST_AT_ONCE = 3  # agents: fewer may be switched off at once by chance
_REMEMBERED_NS = ns(1800)  # what went at once and was not alerted by then was not missed
NO_LESSON = (0, 0)


class _Counts(NamedTuple):
    alive: int
    cut: int
    gone: int
    has_backbone: bool  # a gateway is cut off or gone, or all that is always on
    first_ns: int  # since when the first of them is
    why: str


def uplink(
    place: Place,
    judged: Sequence[Judged],
    moment: Moment,
    rules: Rules,
    *,
    is_open: bool,
    lesson: tuple[int, int] = NO_LESSON,
) -> Place:
    """Return the place as it is now; `is_open`: there is an incident of it; `lesson`: when its last one was seen."""
    if all(one.state is State.QUIET for one in judged):  # closed: what was before says nothing of afterwards
        return place._replace(vanish_ns=0, swing=place.swing.neither())
    known = [one for one in judged if not one.thing.is_observed]
    counts = _counts(known)
    vanish_ns = 0 if counts.alive else _vanished(place, known, moment, rules, is_open=is_open, lesson=lesson)
    if counts.alive == 0 and (counts.has_backbone or counts.cut + counts.gone >= 2):
        return place._replace(why=counts.why, vanish_ns=vanish_ns, swing=place.swing.bad(counts.first_ns, rules))
    if counts.cut >= 2 and counts.cut > counts.alive:
        return place._replace(why=counts.why, vanish_ns=vanish_ns, swing=place.swing.bad(counts.first_ns, rules))
    if vanish_ns:
        return place._replace(why=UNREACHABLE, vanish_ns=vanish_ns, swing=place.swing.bad(vanish_ns, rules))
    if counts.alive:
        return place._replace(vanish_ns=0, swing=place.swing.good(moment.now_ns))
    return place._replace(vanish_ns=0, swing=place.swing.neither()) if place.vanish_ns else place


def is_of_the_site(one: Judged, place: Place, rules: Rules) -> bool:
    """Tell whether what is wrong with a device is explained by the uplink of its site, which is down."""
    if one.state is State.OFFLINE or (one.state is State.FAILING and one.why in CUT):
        return True
    return one.state is State.OFF and _went_with(one, place, rules)


def _went_with(one: Judged, place: Place, rules: Rules) -> bool:
    """Tell whether an agent that may be off went when the uplink did: it was not switched off."""
    link = one.link
    if link is None or link.word != GONE or not link.vanished_ns or not place.swing.bad_ns:
        return False
    return abs(link.vanished_ns - place.swing.bad_ns) <= ns(rules.together)


def _counts(known: Sequence[Judged]) -> _Counts:
    alive = sum(one.state is State.WORKING or (one.state is State.FAILING and one.why not in CUT) for one in known)
    cut = [one for one in known if one.state is State.FAILING and one.why in CUT]
    gone = [one for one in known if one.state is State.OFFLINE]
    bad = cut + gone
    fixed = sum(not one.thing.may_be_off for one in known)
    whys = Counter(one.why for one in cut or gone)
    return _Counts(
        alive,
        len(cut),
        len(gone),
        any(one.thing.is_gateway for one in bad)
        or (fixed > 0 and fixed == sum(not one.thing.may_be_off for one in bad)),
        min((one.since_ns for one in bad), default=0),
        whys.most_common(1)[0][0] if whys else "",
    )


def _vanished(
    place: Place, known: Sequence[Judged], moment: Moment, rules: Rules, *, is_open: bool, lesson: tuple[int, int]
) -> int:
    """
    Return when the agents of a site that were there went at once, 0: they did not.

    That is when the middle one of them went: one that was switched off shortly before says nothing of the others. It
    is remembered for a while, or until it is over.
    """
    if any(one.link and one.link.word == ONLINE for one in known):
        return 0
    if place.vanish_ns:
        return place.vanish_ns if is_open or moment.now_ns - place.vanish_ns < _REMEMBERED_NS else 0
    went = sorted(one.link.vanished_ns for one in known if one.link and one.link.word == GONE and one.link.vanished_ns)
    last = [at_ns for at_ns in went if went[-1] - at_ns <= ns(rules.together)]
    if len(last) < LEAST_AT_ONCE or moment.now_ns - last[-1] >= _REMEMBERED_NS:
        return 0
    at_ns = last[len(last) // 2]
    return at_ns if lesson[0] < at_ns <= lesson[1] else 0
