"""
A stranger's way into a hotspot, by stage: scan → associate → DHCP → DNS → portal → HTTP → throughput.

A journey (`wifi_join`) ends at the first stage that fails; the stages after it were not asked. Who has no account gets
no further than a login page: a portal that was reached is a success of that stage, and HTTP is not asked then. Beside
journeys there are the single stages `portal` and `http` of hotspots without a client beside them, and throughput tests
of hotspots against the least rate of a user: each a kind of its own, since they have other denominators.

Times are counted in steps of 1 %, so that a city's month is a few hundred numbers; quantiles are right to half of that.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from math import ceil, exp, log
from typing import NamedTuple

from collector.verify.results import Journey, Journeys, StageRate

# Of each kind its stages in order, and the field of `probe` with the time that each took.
STAGES: Mapping[str, Mapping[str, str]] = {
    "wifi_join": {
        "scan": "scan_ms", "signal": "", "associate": "associate_ms", "dhcp": "dhcp_ms", "dns": "dns_ms",
        "portal": "portal_ms", "http": "http_ms",
    },
    "portal": {"portal": "duration_ms"},
    "http": {"http": "duration_ms"},
    "throughput": {"throughput": ""},
}  # fmt: skip
# The rate of a user of public WiFi that other cities ask for; no norm: configuration.
LEAST_MBPS = 2.0
_STEP = log(1.01)


class Walk(NamedTuple):
    """
    An outcome of a probe of kind `wifi_join`, `portal` or `http`.

    `success` is None where nothing could be asked. `times_ms` are its fields that end with `_ms`, by their names; of
    stages that were not asked there is none.
    """

    device: str
    time_ns: int
    kind: str
    success: bool | None
    stage: str
    times_ms: Mapping[str, float] = {}


class Walks(NamedTuple):
    """
    Outcomes of one device and kind that are alike in `success` and `stage`, and in which times they have.

    `times_ms` has of each field as many times as there are outcomes.
    """

    device: str
    kind: str
    success: bool | None
    stage: str
    number: int
    times_ms: Mapping[str, Iterable[float]] = {}


class Tracer:
    """Takes outcomes of hotspots, in any order; those that are alike are taken together at a tenth of the cost."""

    def __init__(self, least_mbps: float = LEAST_MBPS) -> None:
        self._least_mbps = least_mbps
        self._kinds: dict[tuple[str, str], _Kind] = {}  # by site, of all sites together under ""

    def walk(self, walk: Walk) -> None:
        """Take an outcome; kinds that are no part of a journey are passed over."""
        times = {name: (ms,) for name, ms in walk.times_ms.items()}
        self.walks(Walks(walk.device, walk.kind, walk.success, walk.stage, 1, times))

    def walks(self, walks: Walks) -> None:
        """Take outcomes that are alike."""
        if walks.kind not in STAGES:
            return
        steps = {name: Counter(map(_step, times)) for name, times in walks.times_ms.items()}
        for site in ("", walks.device.partition(".")[0]):
            key = (site, walks.kind)
            if key not in self._kinds:
                self._kinds[key] = _Kind(walks.kind)
            self._kinds[key].take(walks, steps)

    def throughput(self, device: str, time_ns: int, goodput_mbps: float) -> None:
        """Take a conclusive throughput test of a hotspot's client."""
        self.walk(Walk(device, time_ns, "throughput", goodput_mbps >= self._least_mbps, "throughput"))

    def finish(self) -> Journeys:
        """Return the journeys, by kind in the order of the stages."""
        sites = sorted({site for site, _ in self._kinds})
        found = {site: tuple(self._of(site)) for site in sites}
        return Journeys(found.pop("", ()), found)

    def _of(self, site: str) -> Iterator[Journey]:
        for kind in STAGES:
            if (site, kind) in self._kinds:
                yield self._kinds[site, kind].journey()


class _Kind:
    """All outcomes of one kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._fields = STAGES[kind]
        self._done = self._unable = 0
        self._failed: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._passed: Counter[str] = Counter()
        self._times: dict[str, Counter[int]] = {stage: Counter() for stage in self._fields}

    def take(self, walks: Walks, steps: Mapping[str, Counter[int]]) -> None:
        """Take outcomes that are alike, and how often each step of time was in each field."""
        if walks.success is None:
            self._unable += walks.number
            return
        if walks.success:
            self._done += walks.number
        else:
            self._failed[walks.stage] += walks.number
        for stage, has_passed in _stages(walks, tuple(self._fields)):
            self._asked[stage] += walks.number
            if has_passed:
                self._passed[stage] += walks.number
                self._times[stage].update(steps.get(self._fields[stage], {}))

    def journey(self) -> Journey:
        rates = tuple(
            StageRate(stage, self._asked[stage], self._passed[stage], quantile(times, 0.5), quantile(times, 0.95))
            for stage, times in self._times.items()
            if self._asked[stage]
        )
        journeys = self._done + self._failed.total()
        return Journey(self._kind, journeys, self._done, self._unable, rates, dict(self._failed))


def _stages(walk: Walks, stages: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Yield the stages that were asked, and whether each was passed; a stage that nobody knows tells of none."""
    if len(stages) == 1:  # whatever the stages within this one
        yield stages[0], bool(walk.success)
    elif walk.success:
        for stage in stages:
            is_asked = stage != "http" or (walk.stage != "portal" and "http_ms" in walk.times_ms)
            if is_asked:
                yield stage, True
    elif walk.stage in stages:
        end = stages.index(walk.stage)
        for number in range(end + 1):
            yield stages[number], number < end


@lru_cache(maxsize=1 << 16)
def _step(time_ms: float) -> int:
    return round(log(max(time_ms, 0.1)) / _STEP)


def quantile(times: Mapping[int, int], share: float) -> float | None:
    """Return the time in ms that so large a share of all does not exceed (nearest rank); None without any."""
    wanted = ceil(share * sum(times.values()))
    for step in sorted(times):
        wanted -= times[step]
        if wanted <= 0:
            return round(exp(step * _STEP), 1)
    return None
