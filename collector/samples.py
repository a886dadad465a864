"""
The samples that a report tells of: those drawn of or on its days, and those of which a visit was made on one.

    DATA/sampling ──▶ samples of the report's targets and days ──▶ evidence of the visits' minutes ──▶ agreement

All that were drawn are there, also those without results: nobody draws until a sample pleases and is not seen.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.at_minutes import day_of
from collector.report.beside import Sample, Stored
from collector.sampled import Measure, compare
from collector.sampling.agreement import agreement
from collector.sampling.draw import Draw
from collector.sampling.kept import OnRecord, Results, Samples, latest
from collector.store.base import Store
from collector.targets.schema import Target
from collector.verify.period import Period


class Scope(NamedTuple):
    """Which samples are told of: those of a period, with its zone, and of a county where one is named."""

    period: Period
    zone: ZoneInfo
    county: str = ""

    def has(self, day: date) -> bool:
        """Tell whether a day is in the period."""
        return self.period.first <= day <= self.period.last

    def is_inside(self, time_ns: int | None) -> bool:
        """Tell whether a visit was made in the period, or never."""
        return time_ns is None or self.has(day_of(time_ns, self.zone))


def samples_of(store: Store, data: Path, targets: Sequence[Target], scope: Scope, now_ns: int) -> tuple[Sample, ...]:
    """
    Return the samples of these targets' classes, in the order in which they were drawn, with the evidence there is.

    Raises BadSampling when any sample of DATA was altered, StoreError when the store fails.
    """
    samples = Samples(data)
    judged = {str(one.id): one for one in targets if one.unit == "class" and one.good_when}
    found = []
    for record in samples.every():
        kept, target = samples.results(record.draw), judged.get(record.draw.question.target)
        drawn = of_county(record.draw, scope.county)
        if target and drawn.classes and _is_of(record, kept, scope):
            by = Measure(target, scope.period.roster_on, scope.zone, now_ns)
            found.append(_sample(store, record._replace(draw=drawn), kept, by, scope)._replace(id=record.draw.id))
    return tuple(found)


def of_county(draw: Draw, county: str) -> Draw:
    """Return a sample's classes of one county: strata are drawn each for itself, so that they are a sample of it."""
    if not county:
        return draw
    strata = tuple(one for one in draw.strata if one.name.partition("/")[0] == county)
    return draw._replace(strata=strata, classes=tuple(one for one in draw.classes if one.one.county == county))


def _is_of(record: OnRecord, kept: Sequence[Results], scope: Scope) -> bool:
    """Tell whether a sample was drawn of, or on, a day of the period, or any of its visits was made on one."""
    drawn = (date.fromisoformat(record.draw.question.day), record.at.astimezone(scope.zone).date())
    return any(map(scope.has, (*drawn, *_days(kept, scope.zone))))


def _days(kept: Sequence[Results], zone: ZoneInfo) -> Iterator[date]:
    return (day_of(visit.time_ns, zone) for visit in latest(kept).values() if visit.time_ns is not None)


def _sample(store: Store, record: OnRecord, kept: Sequence[Results], by: Measure, scope: Scope) -> Sample:
    rooms = {one.one.room for one in record.draw.classes}
    visits = {room: visit for room, visit in latest(kept).items() if room in rooms}
    # Of other days an archive of the period has no evidence: what is compared must not depend on where it is read.
    inside = {
        room: one for room, one in visits.items() if one.time_ns is None or scope.has(day_of(one.time_ns, scope.zone))
    }
    return Sample(
        record.draw.id,
        record.at,
        record.by,
        record.draw.question,
        tuple(Stored(**one.in_short() | {"at": one.at}) for one in kept),
        agreement(record.draw, compare(store, record.draw, inside, by)),
        "" if scope.county in ("", record.draw.question.county) else scope.county,
        len(visits) - len(inside),
    )
