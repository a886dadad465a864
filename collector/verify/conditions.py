"""
What readings say of each minute: a proof holds, something failed, or nothing is known.

A reading at r holds from its minute until the next one, at most one and a half of its interval: [r, r + 1.5 × every).
Of a minute in which several lie the last one counts. A presence's `lan` and `wan` belong to the minute before it.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.evidence import Evidence, Presence, Reading

HOLD = 1.5
_STAGES = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.-")
_NETWORK = frozenset({"probe", "throughput"})  # what a dead gateway or line explains
_OWN = {"lan": Cause.LAN_DOWN, "wan": Cause.WAN_DOWN}


class Answer(NamedTuple):
    """What one condition says of a minute: `cause` is WORKING where it fits."""

    cause: Cause
    stage: str = ""
    is_network: bool = False


_FITS = Answer(Cause.WORKING)
_UNKNOWN = Answer(Cause.UNKNOWN)
Pieces = list[tuple[int, int, Answer]]  # whole minutes [start, end), in order


def fits(condition: Condition, value: float | str) -> bool:
    """Tell whether a value is what the condition asks for."""
    if condition.equals:
        return _text(value) in condition.equals
    if isinstance(value, str):
        return False
    return (condition.at_least is None or value >= condition.at_least) and (
        condition.at_most is None or value <= condition.at_most
    )


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def matches(condition: Condition, tags: Mapping[str, str]) -> bool:
    """Tell whether the own tags of a reading are those that the condition asks about."""
    return all(fnmatchcase(tags.get(name, ""), pattern) for name, pattern in condition.where.items())


def applies(proof: Proof, profile: str) -> bool:
    """Tell whether a proof is one for devices of this profile."""
    return not proof.profile or any(fnmatchcase(profile, pattern) for pattern in proof.profile)


class Judge:
    """
    Answers for one device-day: `at(minute)` says what its proofs make of it, minutes being asked in order.

    `is_observed`: another agent speaks for the device, so that presence alone proves nothing of it.
    """

    def __init__(self, criterion: Criterion, profile: str, evidence: Evidence, *, is_observed: bool) -> None:
        self._proofs = [
            _Proof(number, proof, evidence, is_observed=is_observed)
            for number, proof in enumerate(criterion.good_when)
            if applies(proof, profile)
        ]
        self._network = _Cursor(_network(evidence.presence))

    def at(self, minute_ns: int) -> Answer:
        """Return the first proof's answer that has evidence; UNKNOWN when none has."""
        for proof in self._proofs:
            if answer := proof.at(minute_ns):
                break
        else:
            return _UNKNOWN
        if answer.is_network and (explained := self._network.at(minute_ns)):
            return explained
        return answer


class _Proof:
    """All conditions of one proof."""

    def __init__(self, number: int, proof: Proof, evidence: Evidence, *, is_observed: bool) -> None:
        self._own: list[_Cursor] = []
        self._of_device: list[_Cursor] = []
        for place, condition in enumerate(proof.all):
            if condition.measurement == "presence":
                self._own.append(_Cursor(_of_presence(condition, evidence.presence)))
            else:
                self._of_device.append(_Cursor(pieces(condition, evidence.readings.get((number, place), ()))))
        self._can_presence_prove = not is_observed and not self._of_device

    def at(self, minute_ns: int) -> Answer | None:
        """Return None when there is no evidence for this proof."""
        own = [cursor.at(minute_ns) for cursor in self._own]
        answers = [cursor.at(minute_ns) for cursor in self._of_device]
        if not any(answers) and not (self._can_presence_prove and (any(own) or not own)):
            return None
        failed = [answer for answer in (*own, *answers) if answer and answer.cause is not Cause.WORKING]
        if failed:
            return failed[0]
        return _UNKNOWN if None in own or None in answers else _FITS


class _Cursor:
    """Pieces that are asked for in order."""

    def __init__(self, found: Pieces) -> None:
        self._found = found
        self._at = 0

    def at(self, minute_ns: int) -> Answer | None:
        found = self._found
        while self._at < len(found) and found[self._at][1] <= minute_ns:
            self._at += 1
        if self._at < len(found) and found[self._at][0] <= minute_ns:
            return found[self._at][2]
        return None


def pieces(condition: Condition, readings: Sequence[Reading]) -> Pieces:
    """Return from when to when a condition's readings say what."""
    hold_ns = round(condition.every * HOLD * 1e9)
    found: Pieces = []
    for number, reading in enumerate(readings):
        start_ns = reading.time_ns - reading.time_ns % MINUTE_NS
        end_ns = -(-(reading.time_ns + hold_ns) // MINUTE_NS) * MINUTE_NS
        if number + 1 < len(readings):
            following = readings[number + 1].time_ns
            end_ns = min(end_ns, following - following % MINUTE_NS)
        if start_ns < end_ns:
            _append(found, start_ns, end_ns, _answer(condition, reading))
    return found


def _append(found: Pieces, start_ns: int, end_ns: int, answer: Answer) -> None:
    if found and found[-1][1] == start_ns and found[-1][2] == answer:
        found[-1] = (found[-1][0], end_ns, answer)
    else:
        found.append((start_ns, end_ns, answer))


def _answer(condition: Condition, reading: Reading) -> Answer:
    if fits(condition, reading.value):
        return _FITS
    if meant := condition.otherwise.get(_text(reading.value)):
        return Answer(meant)
    is_down = condition.cause is Cause.SERVICE_DOWN
    stage = _stage(condition.stage or reading.stage or condition.measurement) if is_down else ""
    return Answer(condition.cause, stage, is_down and condition.measurement in _NETWORK)


def _stage(text: str) -> str:
    """Return a stage as it can stand in the text of a stored day."""
    return "".join(letter if letter in _STAGES else "-" for letter in text.lower())[:24]


def _of_presence(condition: Condition, presence: Sequence[Presence]) -> Pieces:
    found: Pieces = []
    cause = _OWN.get(condition.field, condition.cause)
    for one in presence:
        value = one.lan if condition.field == "lan" else one.wan
        if value is not None:
            answer = _FITS if fits(condition, float(value)) else Answer(cause)
            _append(found, one.time_ns - MINUTE_NS, one.time_ns, answer)
    return found


def _network(presence: Sequence[Presence]) -> Pieces:
    """Return the minutes in which the gateway, or all beyond it, did not answer."""
    found: Pieces = []
    for one in presence:
        down = Cause.LAN_DOWN if one.lan == 0 else Cause.WAN_DOWN if one.wan == 0 else None
        if down:
            _append(found, one.time_ns - MINUTE_NS, one.time_ns, Answer(down))
    return found
