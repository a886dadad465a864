"""
The newest that the store has of each device, kept up to date row by row.

Rows come again and again, the last minutes of them at each look: what is older than what is known changes nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple

from contract.sample import Value

Tags = tuple[tuple[str, str], ...]


class Outcome(NamedTuple):
    """How a probe ended; `success` None: it could not be asked. `took` are the ms of its stages, in order."""

    time_ns: int
    success: bool | None
    stage: str = ""
    took: tuple[tuple[str, float], ...] = ()


class Fault(NamedTuple):
    """A fault, when it was last told of, and whether it was active then."""

    time_ns: int
    active: bool
    severity: str = ""


class Test(NamedTuple):
    """A throughput test: Mbit/s, and what limited it (none: the line)."""

    time_ns: int
    mbps: float
    limited_by: str = ""


_NO_PROBES: dict[tuple[str, str], Outcome] = {}
_NO_FAULTS: dict[str, Fault] = {}
_NO_TESTS: dict[str, Test] = {}


class Newest:
    """
    What is newest of one device. Times are unix ns, 0: never.

    `heard_ns` is when any word of the device itself came: a presence, or an answer to another agent.
    """

    __slots__ = (
        "answered_ns", "display", "display_ns", "faults", "lan", "model", "presence_ns", "probes", "profile",
        "stop_ns", "stopped_by", "tests", "uptime_s", "version", "wan",
    )  # fmt: skip

    def __init__(self) -> None:
        self.presence_ns = self.answered_ns = self.stop_ns = self.display_ns = 0
        self.lan: int | None = None
        self.wan: int | None = None
        self.uptime_s = 0.0
        self.stopped_by = self.display = self.profile = self.version = self.model = ""
        self.probes, self.faults, self.tests = _NO_PROBES, _NO_FAULTS, _NO_TESTS

    @property
    def heard_ns(self) -> int:
        """When the device was last heard."""
        return max(self.presence_ns, self.answered_ns)

    def take(self, measurement: str, tags: Tags, time_ns: int, fields: Mapping[str, Value], *, is_own: bool) -> bool:
        """Take in a row; tell whether it was news. `is_own`: the device itself said it."""
        taker = _TAKERS.get(measurement)
        return taker(self, tags, time_ns, fields, is_own) if taker else False


def _presence(one: Newest, _: Tags, time_ns: int, fields: Mapping[str, Value], is_own: bool) -> bool:
    if not is_own or time_ns <= one.presence_ns:
        return False
    one.presence_ns = time_ns
    one.lan, one.wan = _flag(fields.get("lan")), _flag(fields.get("wan"))
    one.uptime_s = float(fields.get("uptime_s") or 0.0)
    return True


def _flag(value: Value | None) -> int | None:
    return None if value is None else int(value)


def _probe(one: Newest, tags: Tags, time_ns: int, fields: Mapping[str, Value], is_own: bool) -> bool:
    named = dict(tags)
    key = named["kind"], named["target"]
    known = one.probes.get(key)
    if known and time_ns <= known.time_ns:
        return False
    success = None if fields.get("success") is None else bool(fields["success"])
    took = tuple((name[:-3], float(value)) for name, value in fields.items() if name.endswith("_ms"))
    if one.probes is _NO_PROBES:
        one.probes = {}
    one.probes[key] = Outcome(time_ns, success, str(fields.get("stage") or ""), took)
    if success and not is_own:
        one.answered_ns = max(one.answered_ns, time_ns)
    return True


def _display(one: Newest, _: Tags, time_ns: int, fields: Mapping[str, Value], is_own: bool) -> bool:
    if time_ns <= one.display_ns:
        return False
    one.display_ns, one.display = time_ns, str(fields.get("power") or "")
    if not is_own:
        one.answered_ns = max(one.answered_ns, time_ns)
    return True


def _stop(one: Newest, _: Tags, time_ns: int, fields: Mapping[str, Value], is_own: bool) -> bool:
    if not is_own or time_ns <= one.stop_ns:
        return False
    one.stop_ns, one.stopped_by = time_ns, str(fields.get("reason") or "")
    return True


def _fault(one: Newest, tags: Tags, time_ns: int, fields: Mapping[str, Value], is_own: bool) -> bool:  # noqa: ARG001
    code = dict(tags)["code"]
    known = one.faults.get(code)
    if known and time_ns <= known.time_ns:
        return False
    if one.faults is _NO_FAULTS:
        one.faults = {}
    one.faults[code] = Fault(time_ns, bool(fields.get("active")), str(fields.get("severity") or ""))
    return True


def _identity(one: Newest, _: Tags, _time_ns: int, fields: Mapping[str, Value], is_own: bool) -> bool:  # noqa: ARG001
    one.profile = str(fields.get("profile") or one.profile)
    one.version = str(fields.get("version") or one.version)
    one.model = str(fields.get("model") or one.model)
    return True


def _test(one: Newest, tags: Tags, time_ns: int, fields: Mapping[str, Value], is_own: bool) -> bool:  # noqa: ARG001
    way = dict(tags)["direction"]
    known, mbps = one.tests.get(way), fields.get("goodput_mbps")
    if mbps is None or (known and time_ns <= known.time_ns):
        return False
    if one.tests is _NO_TESTS:
        one.tests = {}
    one.tests[way] = Test(time_ns, float(mbps), str(fields.get("limited_by") or ""))
    return True


_TAKERS = {
    "presence": _presence,
    "probe": _probe,
    "display": _display,
    "stop": _stop,
    "fault": _fault,
    "identity": _identity,
    "throughput": _test,
}
