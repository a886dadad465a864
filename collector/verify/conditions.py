"""
What a criterion asks of a minute in which the device, or who speaks for it, ran: readings against conditions.

Of a minute the latest reading before its end counts, when it lies in the minute or still holds at its begin. A reading
holds until the next one, if that comes within 1.5 × `every`; else until the minute in which the next one was due: of
that nothing is known. Where the agent ended meanwhile it holds to the minute of that end, or to when the next one was
due, whichever is later. The values of a presence are those of the minute that it proves.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.evidence import Presence, Reading
from collector.verify.steps import NEVER, Steps, minute_of

# The conditions on presence, and what it means when they fail.
_NETWORK = {"presence.lan": Cause.LAN_DOWN, "presence.wan": Cause.WAN_DOWN}


class Outcome(NamedTuple):
    """What a reading says of a condition: it fits, or the cause that a minute has by it."""

    cause: Cause
    stage: str = ""
    is_said: bool = True  # by the condition itself: whether the network was down meanwhile does not matter


FITS = Outcome(Cause.WORKING)


class Asked(NamedTuple):
    """A proof that is asked of a device, its number in the criterion, and the numbers of its conditions on readings."""

    number: int
    proof: Proof
    readings: tuple[int, ...]


def is_presence(condition: Condition) -> bool:
    """Tell whether a condition is about the presence of who speaks for the device."""
    return condition.measurement == "presence"


def asked(criterion: Criterion, profile: str, *, is_observed: bool) -> list[Asked]:
    """
    Return the proofs that apply to a device.

    One that asks nothing but presence proves who speaks, so it is none of an observed device.
    """
    found = []
    for number, proof in enumerate(criterion.good_when):
        if proof.profile and profile not in proof.profile:
            continue
        readings = tuple(n for n, condition in enumerate(proof.all) if not is_presence(condition))
        if readings or not is_observed:
            found.append(Asked(number, proof, readings))
    return found


def text_of(value: float | str) -> str:
    """Return a value as targets write it: `1`, `0.5`, `standby`."""
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) else repr(value)


def fits(condition: Condition, value: float | str) -> bool:
    """Tell whether a value is what the condition wants; a text is never within bounds."""
    if condition.equals and text_of(value) not in condition.equals:
        return False
    if condition.at_least is None and condition.at_most is None:
        return True
    if isinstance(value, str):
        return False
    return (condition.at_least is None or value >= condition.at_least) and (
        condition.at_most is None or value <= condition.at_most
    )


def outcome(condition: Condition, value: float | str, stage: str = "") -> Outcome:
    """Return what a value says of a condition."""
    if fits(condition, value):
        return FITS
    if condition.reading in _NETWORK:
        return Outcome(_NETWORK[condition.reading])
    if said := condition.otherwise.get(text_of(value)):
        return FITS if said is Cause.WORKING else Outcome(said)
    return Outcome(condition.cause, _slug(condition.stage or stage), is_said=False)


def _slug(stage: str) -> str:
    """Return a stage in the letters that a stored day has."""
    return re.sub(r"[^a-z0-9_.-]+", "-", stage.lower())


def over_time(condition: Condition, readings: Sequence[Reading], breaks: Sequence[int] = ()) -> Steps[Outcome | None]:
    """
    Return the outcome that counts of each minute; None: nothing is known.

    `breaks` are the ends of the agent, sorted: the reading that was due just before one may have been lost with it. A
    minute that a presence proves before such an end has all of its readings, for a round keeps both together.
    """
    steps: Steps[Outcome | None] = Steps(None)
    known: dict[tuple[float | str, str], Outcome] = {}
    holds_ns, every_ns = holding_ns(condition), round(condition.every * 1e9)
    until_ns = minute_of(readings[0].time_ns) if readings else 0
    for number, (time_ns, value, stage) in enumerate(readings, start=1):
        next_ns = readings[number].time_ns if number < len(readings) else NEVER
        minute_ns = time_ns - time_ns % MINUTE_NS
        if until_ns < minute_ns:
            steps.add(until_ns, None)
        found = known.get((value, stage))
        if found is None:
            found = known[value, stage] = outcome(condition, value, stage)
        steps.add(minute_ns, found)
        until_ns, due_ns = next_ns, minute_of(time_ns + every_ns)
        if next_ns - time_ns > holds_ns:
            until_ns = max(minute_ns + MINUTE_NS, due_ns)
        elif breaks and (at := bisect_right(breaks, time_ns)) < len(breaks) and breaks[at] < next_ns:
            until_ns = max(minute_ns + MINUTE_NS, due_ns, minute_of(breaks[at]))
    if readings:
        steps.add(until_ns, None)
    return steps


def holding_ns(condition: Condition) -> int:
    """Return how long a reading holds at the most: its interval, and half of it for a next one that comes late."""
    return round(condition.every * 1.5e9)


class Network(NamedTuple):
    """
    Gateway and Internet by a minute's presence: 1 answered, 0 did not, None where nobody asked.

    `before` is what was down when the presence of the minute before asked. A reading of the minute was taken between
    these two, so what failed it may be over when the later one asks.
    """

    lan: int | None = None
    wan: int | None = None
    before: Cause | None = None

    @property
    def down(self) -> Cause | None:
        """What was down in the minute; behind a gateway that does not answer nobody reaches the Internet either."""
        return _down(self.lan, self.wan) or self.before


def _down(lan: int | None, wan: int | None) -> Cause | None:
    return Cause.LAN_DOWN if lan == 0 else Cause.WAN_DOWN if wan == 0 else None


def network_over_time(presence: Sequence[Presence]) -> Steps[Network]:
    """Return the network of the minutes that have a presence; of others this says nothing that counts."""
    steps: Steps[Network] = Steps(Network())
    known: dict[tuple[int | None, ...], Network] = {}
    former_ns: int = 0
    former: tuple[int | None, int | None] = (None, None)
    for time_ns, _, _, _, lan, wan in presence:
        lan_before, wan_before = former if time_ns - former_ns == MINUTE_NS else (None, None)
        key = (lan, wan, lan_before, wan_before)
        found = known.get(key)
        if found is None:
            found = known[key] = Network(lan, wan, _down(lan_before, wan_before))
        steps.add(time_ns - MINUTE_NS, found)
        former_ns, former = time_ns, (lan, wan)
    return steps


def of_presence(condition: Condition, network: Network) -> Outcome | None:
    """Return what a minute's presence says of a condition on it; None: nothing."""
    value = {"presence.lan": network.lan, "presence.wan": network.wan}.get(condition.reading)
    return None if value is None else outcome(condition, value)


def decide(
    proofs: Sequence[Asked], readings: Mapping[tuple[int, int], Outcome | None], network: Network
) -> tuple[Cause, str]:
    """
    Return the cause of a minute in which the device ran, and the stage: the first proof with evidence decides.

    A proof that fits needs all of its conditions known; one that does not fit, a condition that failed, beside any
    reading. Where presence alone failed, the minute is bad if no other proof may have fitted. A network that was down
    explains what failed beyond it.
    """
    alone: tuple[Cause, str] | None = None
    is_open = False
    for number, proof, own in proofs:
        outcomes = [
            of_presence(condition, network) if is_presence(condition) else readings[number, n]
            for n, condition in enumerate(proof.all)
        ]
        failed = next((one for one in outcomes if one and one != FITS), None)
        if failed is None:
            if None not in outcomes:
                return Cause.WORKING, ""
            is_open = True
        elif not own or any(outcomes[n] for n in own):
            return _cause_of(failed, network)
        else:
            alone = alone or _cause_of(failed, network)
    return alone if alone and not is_open else (Cause.UNKNOWN, "")


def _cause_of(failed: Outcome, network: Network) -> tuple[Cause, str]:
    """Return the cause and stage of what failed: a network that was down explains what lies beyond it."""
    if failed.is_said:
        is_gateway = failed.cause is Cause.WAN_DOWN and network.lan == 0
        return (Cause.LAN_DOWN, "") if is_gateway else (failed.cause, failed.stage)
    return (network.down, "") if network.down else (failed.cause, failed.stage)
