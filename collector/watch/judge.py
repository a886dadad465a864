"""
How a device is now, and whether that is bad.

    closed, or out of hours ─▶ QUIET
    its agent is gone ───────▶ OFF where it may be, else OFFLINE
    fresh evidence ──────────▶ WORKING, FAILING, OFF
    else ────────────────────▶ UNKNOWN, or gone without a word
"""

from typing import NamedTuple

from collector.watch.memory import GONE, ONLINE, STOPPED, Link, Moment, Sight, Thing
from collector.watch.rules import Rules, ns
from collector.watch.types import State

CUT = frozenset(("wan_down", "lan_down"))  # what a dead uplink looks like from behind it
NO_EVIDENCE, NEVER, AGENT_DOWN, POWER_OFF = "no_evidence", "never_reported", "agent_down", "power_off"
UNREACHABLE = "unreachable"
CLOSED, HOURS = "excluded", "out_of_hours"
_OFF = frozenset(("power_off", "asleep"))


class Judged(NamedTuple):
    """A device with its state, why, and since when at the earliest (unix ns)."""

    thing: Thing
    state: State
    why: str
    since_ns: int
    link: Link | None


def judge(thing: Thing, link: Link | None, sight: Sight | None, heard_ns: int, moment: Moment, rules: Rules) -> Judged:
    """
    Return how a device is.

    `link` is None where its agent's word is not known; `heard_ns` is when anything was heard of it, 0: never.
    """
    now_ns = moment.now_ns
    if thing.device in moment.quiet:
        return Judged(thing, State.QUIET, CLOSED, now_ns, link)
    if thing.site not in moment.service:
        return Judged(thing, State.QUIET, HOURS, now_ns, link)
    seen_ns = sight.at_ns if sight else 0
    if link is not None and link.word in (GONE, STOPPED) and seen_ns <= link.at_ns:
        return Judged(thing, *_gone(thing, link.word), link.at_ns, link)
    back_ns = link.at_ns if link else 0
    if sight is not None and now_ns <= (sight.until_ns or seen_ns + ns(rules.fresh)):
        return Judged(thing, *_seen(sight), max(seen_ns, back_ns), link)
    state, why = _unseen(thing, link, now_ns - max(back_ns, seen_ns, heard_ns), heard_ns, rules)
    return Judged(thing, state, why, max(seen_ns, back_ns, heard_ns) or now_ns, link)


def _unseen(thing: Thing, link: Link | None, quiet_ns: int, heard_ns: int, rules: Rules) -> tuple[State, str]:
    """Return how a device is of which there is no evidence for so long."""
    if link is not None and link.word == ONLINE:
        is_mute = quiet_ns >= ns(rules.mute) and not thing.is_observed
        return State.UNKNOWN, NO_EVIDENCE if is_mute else ""
    return _gone(thing, GONE) if heard_ns else (State.UNKNOWN, NEVER)


def _gone(thing: Thing, word: str) -> tuple[State, str]:
    if thing.is_observed:
        return State.UNKNOWN, AGENT_DOWN
    if thing.may_be_off:
        return State.OFF, POWER_OFF
    return (State.OFF, AGENT_DOWN) if word == STOPPED else (State.OFFLINE, UNREACHABLE)


def _seen(sight: Sight) -> tuple[State, str]:
    if sight.cause == "working":
        return State.WORKING, ""
    if sight.cause in _OFF:
        return State.OFF, sight.cause
    if sight.cause == "unknown":
        return State.UNKNOWN, ""
    return State.FAILING, sight.stage or sight.cause


def is_bad(judged: Judged) -> bool | None:
    """Tell whether a device is to be alerted, by itself; None: this says neither."""
    thing, state, why = judged[:3]
    if state is State.WORKING:
        return False
    if state is State.FAILING or why == NO_EVIDENCE:
        return True
    if state in (State.OFFLINE, State.OFF) and not thing.may_be_off and why not in _OFF:
        return True
    return None
