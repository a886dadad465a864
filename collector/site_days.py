"""
What the judged days of a site add up to: points of `site_availability`, by day and criterion, for dashboards of a city.

    days that are written now ────────────┐
    all others of their sites, as stored ─┴▶ sums ──▶ in the same write as the days

A sum is made anew, from all days of its site, whenever one of them is written: none is added to. What was written by an
older version, or beside another verification, is found by comparing sums with the days that a verification reads.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from collector.check import identity_tags
from collector.store.base import Reads, Store, StoreMisconfigured
from collector.targets.schema import DEFAULT_COUNTS, Counted, Target
from collector.verify.causes import Cause
from collector.verify.evidence import DayRecord
from collector.verify.units import CAUSES, Minutes, minutes_of
from contract.lines import encode_line
from contract.measurements import Retention
from contract.names import site_of
from contract.sample import Value

SUMS = "site_availability"
_LINES_A_WRITE = 5000
_PLACE = "site"  # of the device id under which a site's points stand: a name that needs no device


_USUAL: tuple[Counted, ...] = tuple(DEFAULT_COUNTS[cause] for cause in Cause)


class Owed(NamedTuple):
    """What makes a device-day count, and be good: how many minutes are owed, and what each cause counts as."""

    minutes: int = 40
    counts: tuple[Counted, ...] = _USUAL

    @property
    def text(self) -> str:
        """Return it as sums keep it: minutes, and the first letter of what each cause counts as."""
        return f"{self.minutes} {''.join(counted[0] for counted in self.counts)}"

    def of(self, minutes: Minutes, *counted: Counted) -> int:
        """Return how many of a day's minutes count as one of these."""
        return sum(number for number, one in zip(minutes, self.counts, strict=True) if one in counted)


class Key(NamedTuple):
    """A site, a criterion, and the start of a day."""

    site: str
    criterion: str
    day_start_ns: int


class Told(NamedTuple):
    """The minutes of a device-day, and when it was judged (unix ms)."""

    minutes: Minutes
    judged_ms: int


class Seen(NamedTuple):
    """How many device-days a site has at least, and when the newest of them was judged (unix ms)."""

    days: int = 0
    judged_ms: int = 0

    def beside(self, judged_ms: int) -> "Seen":
        """Return it with one more day."""
        return Seen(self.days + 1, max(self.judged_ms, judged_ms))


OwedBy = Mapping[str, Owed]
NOTHING_OWED: OwedBy = {}


def owed_by(targets: Iterable[Target]) -> dict[str, Owed]:
    """Return what is owed by criterion: of several targets with one criterion, by the first whose rule is of days."""
    found: dict[str, Owed] = {}
    for target in sorted(targets, key=lambda one: one.rule.days is None):
        owed = Owed(target.rule.minutes, tuple(map(target.meaning, Cause)))
        found.setdefault(target.criterion.id, owed)
    return found


def name_of(site: str) -> str:
    """Return the device id under which the points of a site stand."""
    return f"{site}.{_PLACE}"


def site_lines(store: Reads, days: Iterable[tuple[DayRecord, int]], owed: OwedBy = NOTHING_OWED) -> Iterator[bytes]:
    """Yield the sums of all sites that days (with when they were judged, unix ms) belong to, as if they were stored."""
    written: dict[int, dict[Key, dict[str, Told]]] = defaultdict(lambda: defaultdict(dict))
    for record, judged_ms in days:
        key = Key(site_of(record.device), record.criterion, record.day_start_ns)
        written[record.day_start_ns][key][record.device] = Told(minutes_of(record.runs), judged_ms)
    for start_ns, by_key in written.items():
        stored = _stored(store, start_ns, {key.site for key in by_key})
        for key, some in by_key.items():
            yield _line(key, {**stored.get(key, {}), **some}, owed)


def mend(store: Store, start_ns: int, end_ns: int, seen: Mapping[Key, Seen], owed: OwedBy) -> int:
    """
    Write the sums of a period that are missing, know less than was `seen` or follow another rule; return how many.

    Raises StoreError when the store does not take them.
    """
    stale = dict(seen)
    names = {name_of(key.site) for key in seen}
    for track in store.tracks(SUMS, ("days", "judged", "rule"), start_ns, end_ns, names):
        ((_, criterion),) = track.tags
        for time_ns, days, judged_ms, rule in track.points:
            key = Key(site_of(track.device), criterion, time_ns)
            if key in stale and _is_current(Seen(days or 0, judged_ms or 0), stale[key], rule, owed.get(criterion)):
                del stale[key]
    by_day: dict[int, set[Key]] = defaultdict(set)
    for key in stale:
        by_day[key.day_start_ns].add(key)
    lines = (
        _line(key, some, owed)
        for day_ns, keys in sorted(by_day.items())
        for key, some in _stored(store, day_ns, {key.site for key in keys}).items()
        if key in keys
    )
    while piece := list(islice(lines, _LINES_A_WRITE)):
        if poison := store.write(Retention.EVIDENCE, b"".join(piece)):
            raise StoreMisconfigured(f"the store refuses sums of sites: {poison[0].message}")
    return len(stale)


def _is_current(known: Seen, seen: Seen, rule: str, owed: Owed | None) -> bool:
    return known.days >= seen.days and known.judged_ms >= seen.judged_ms and rule == (owed or Owed()).text


def _stored(store: Reads, start_ns: int, sites: Collection[str]) -> dict[Key, dict[str, Told]]:
    """Return the stored days of sites that begin at an instant, by device."""
    found: dict[Key, dict[str, Told]] = defaultdict(dict)
    for track in store.of_sites("availability", (*CAUSES, "judged"), start_ns, start_ns + 1, sites):
        ((_, criterion),) = track.tags
        for _, *minutes, judged_ms in track.points:
            told = Told(tuple(int(one or 0) for one in minutes), int(judged_ms or 0))
            found[Key(site_of(track.device), criterion, start_ns)][track.device] = told
    return found


def _line(key: Key, days: Mapping[str, Told], owed_by_criterion: OwedBy) -> bytes:
    owed = owed_by_criterion.get(key.criterion, Owed())
    minutes = [told.minutes for told in days.values()]
    good = [owed.of(one, "good") for one in minutes]
    possible = [owed.of(one, "good", "unknown") for one in minutes]
    counted = [owed.of(one, "good", "unknown", "bad") for one in minutes]
    fields: dict[str, Value] = {
        **{str(cause): sum(one) for cause, one in zip(CAUSES, zip(*minutes, strict=True), strict=True)},
        "days": len(minutes),
        "counted": sum(one > 0 for one in counted),
        "proven": sum(one >= owed.minutes for one in good),
        "possible": sum(one >= owed.minutes for one in possible),
        "judged": max(told.judged_ms for told in days.values()),
        "rule": owed.text,
    }
    line = encode_line(SUMS, {"criterion": key.criterion}, fields, key.day_start_ns)
    head = SUMS.encode()
    return head + identity_tags(name_of(key.site), name_of(key.site)) + line[len(head) :] + b"\n"
