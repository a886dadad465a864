"""
What the newest evidence in the store says of each device: the verifier's own conditions, asked of this very minute.

    presence (lan, wan) ─┐
    readings of targets ─┴─▶ decide ─▶ the worst cause that is known ─▶ Sight        fault ─▶ which are active

The store is asked, once a minute, instead of subscribing to batches a second time: what is in it was checked, and said
by who may say it; the broker sends each batch once; and a restart reads the same.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from collector.roster.schema import Device, Roster, Site
from collector.store.base import Reads, Row
from collector.store.tracks import fitting
from collector.targets.schema import Condition, Criterion, Target
from collector.verify.causes import Cause
from collector.verify.conditions import Network, Outcome, asked, decide, holding_ns, is_presence, outcome
from collector.verify.scope import in_scope
from collector.watch.memory import Sight
from collector.watch.rules import Rules, ns

_FAULTS_NS = ns(14 * 86_400)  # a fault is said once an hour by an agent that runs; it lasts while nothing else is said
_AGAIN_NS = ns(300)  # how often it is asked far back what became of faults that are there
_AHEAD_NS = ns(120)  # what a clock may be ahead; what is further ahead says nothing of now, until it is now
# The first of these that any criterion gives, where the network is up.
_ORDER = (Cause.SERVICE_DOWN, Cause.WAN_DOWN, Cause.LAN_DOWN, Cause.POWER_OFF, Cause.ASLEEP, Cause.WORKING)


class Sighted:
    """Reads sights and faults; of both it knows what it read before."""

    def __init__(self, targets: Iterable[Target], rules: Rules, severities: Collection[str]) -> None:
        self._targets = [target for target in targets if target.good_when and target.evidence == "measured"]
        self._rules = rules
        self._severities = severities
        self._faults: dict[str, dict[str, bool]] = defaultdict(dict)
        self._faults_read_ns = self._faults_asked_ns = 0
        self._criteria: dict[tuple[str, str, str], tuple[Criterion, ...]] = {}
        self.newest_ns = 0

    def read(self, store: Reads, roster: Roster, now_ns: int) -> list[Sight]:
        """Return what the newest evidence says of the roster's devices; StoreError when the store fails."""
        network: dict[str, Row] = {}
        self.newest_ns = min(self.newest_ns, now_ns)  # the clock may have been set back
        # At first so far back that what is mute is told from what was heard a moment ago.
        back_s = 2 * self._rules.fresh if self.newest_ns else self._rules.mute + self._rules.fresh
        for row in store.latest("presence", now_ns - ns(back_s), now_ns + _AHEAD_NS):
            if row.source == row.device:
                network[row.device] = row
                self.newest_ns = max(self.newest_ns, min(row.time_ns, now_ns))
        readings = self._readings(store, now_ns)
        self._criteria.clear()
        found = (
            self._sight(device, roster, network.get(device.id), readings, now_ns) for device in roster.devices.values()
        )
        return [sight for sight in found if sight]

    def faults(self, store: Reads, now_ns: int) -> dict[str, tuple[str, ...]]:
        """Return the active faults that alert, by device."""
        since_ns = max(min(self._faults_read_ns, now_ns) - ns(1800), now_ns - _FAULTS_NS)
        rows = list(store.latest("fault", since_ns, now_ns + _AHEAD_NS))
        if not 0 <= now_ns - self._faults_asked_ns < _AGAIN_NS:
            # An agent that was cut off says afterwards, of hours ago, that a fault is over.
            some = sorted(device for device, codes in self._faults.items() if any(codes.values()))
            rows += store.latest("fault", now_ns - _FAULTS_NS, now_ns + _AHEAD_NS, some) if some else ()
            self._faults_asked_ns = now_ns
        for row in rows:
            is_active = bool(row.fields.get("active")) and row.fields.get("severity") in self._severities
            self._faults[row.device][dict(row.tags)["code"]] = is_active
        self._faults_read_ns = now_ns
        active = {
            device: tuple(sorted(code for code, on in codes.items() if on)) for device, codes in self._faults.items()
        }
        return {device: codes for device, codes in active.items() if codes}

    # ---- one device

    def _sight(
        self, device: Device, roster: Roster, presence: Row | None, readings: "_Readings", now_ns: int
    ) -> Sight | None:
        is_observed = device.speaker != device.id
        if presence is None and not is_observed:
            return None
        lan, wan = (presence.fields.get(name) if presence else None for name in ("lan", "wan"))
        network = Network(_number(lan), _number(wan))
        causes: dict[Cause, str] = {}
        times: list[tuple[int, int]] = []
        for criterion in self._criteria_of(device, roster.sites[device.site]):
            proofs = asked(criterion, device.profile, is_observed=is_observed)
            outcomes: dict[tuple[int, int], Outcome | None] = {}
            for proof in proofs:
                for number in proof.readings:
                    condition = proof.proof.all[number]
                    row = readings.newest(device.id, condition, now_ns, self._holding_ns(condition))
                    outcomes[proof.number, number] = _outcome(condition, row) if row else None
                    times += [(row.time_ns, row.time_ns + self._holding_ns(condition))] if row else []
            cause, stage = decide(proofs, outcomes, network)
            causes.setdefault(cause, stage)
        if presence is not None and not is_observed:
            cause, stage = (network.down, "") if network.down else _worst(causes, Cause.WORKING)
            return Sight(device.id, min(presence.time_ns, now_ns), cause, stage)
        if not times:
            return None
        cause, stage = _worst(causes, Cause.UNKNOWN)
        return Sight(device.id, min(max(times)[0], now_ns), cause, stage, max(until_ns for _, until_ns in times))

    def _criteria_of(self, device: Device, site: Site) -> tuple[Criterion, ...]:
        key = (device.role, device.profile, site.id)
        if key not in self._criteria:
            found = {t.criterion.id: t.criterion for t in self._targets if in_scope(t.scope, device, site)}
            self._criteria[key] = tuple(found.values())
        return self._criteria[key]

    def _holding_ns(self, condition: Condition) -> int:
        """Return how long a reading says how it is now: what is asked every minute comes as late as all evidence."""
        return max(holding_ns(condition), ns(self._rules.fresh))

    def _readings(self, store: Reads, now_ns: int) -> "_Readings":
        longest: dict[str, int] = {}
        for target in self._targets:
            for proof in target.good_when:
                for condition in proof.all:
                    if not is_presence(condition):
                        known = longest.get(condition.measurement, 0)
                        longest[condition.measurement] = max(known, self._holding_ns(condition))
        return _Readings(
            {
                measurement: store.latest(measurement, now_ns - reach_ns, now_ns + _AHEAD_NS)
                for measurement, reach_ns in longest.items()
            }
        )


class _Readings:
    """The newest rows of some measurements, by device."""

    def __init__(self, rows: Mapping[str, Iterator[Row]]) -> None:
        self._rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for measurement, some in rows.items():
            for row in some:
                self._rows[measurement, row.device].append(row)

    def newest(self, device: str, condition: Condition, now_ns: int, holding_ns: int) -> Row | None:
        """Return the newest reading that a condition is about, if it still holds."""
        rows = self._rows.get((condition.measurement, device), ())
        fitting = [row for row in rows if condition.field in row.fields and _fits(condition, row)]
        newest = max(fitting, key=lambda row: row.time_ns, default=None)
        return newest if newest and now_ns - newest.time_ns <= holding_ns else None


def _fits(condition: Condition, row: Row) -> bool:
    return _fitting(tuple(condition.where.items()))(dict(row.tags))


@lru_cache
def _fitting(where: tuple[tuple[str, str], ...]) -> Callable[[Mapping[str, str]], bool]:
    return fitting(dict(where))


def _outcome(condition: Condition, row: Row) -> Outcome:
    return outcome(condition, row.fields[condition.field], str(row.fields.get("stage", "")))


def _worst(causes: Mapping[Cause, str], otherwise: Cause) -> tuple[Cause, str]:
    return next(((cause, causes[cause]) for cause in _ORDER if cause in causes), (otherwise, ""))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def last_heard(store: Reads, devices: Sequence[str], now_ns: int, reach_ns: int) -> dict[str, int]:
    """Return when each of some devices was heard last, of those that were within the reach."""
    found: dict[str, int] = {}
    for track in store.last_before("presence", ("uptime_s",), now_ns, devices, reach_ns, own=False):
        found[track.device] = int(track.points[0][0])
    others = [device for device in devices if device not in found]
    for measurement in ("display", "firmware", "usage", "identity"):
        for row in store.latest(measurement, now_ns - reach_ns, now_ns, others) if others else ():
            found[row.device] = max(found.get(row.device, 0), row.time_ns)
    return found
