"""low ≤ truth ≤ high by way of a store: what is read around the hours of a day is enough, and none of it is wrong."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.around import Around
from collector.calendars.schedule import Hours, Window
from collector.store.base import Store
from collector.verify.causes import Cause
from collector.verify.day import judge
from collector.verify.evidence import DayRecord, Evidence
from tests.collector.verification.lives import (
    BASE_NS,
    NOW_NS,
    InStore,
    Shelf,
    criterion,
    hours,
    questions,
    schedule,
    stored,
)
from tests.collector.verify.minutes import minutes_in
from tests.collector.verify.test_truth import unlucky_worlds, worlds
from tests.collector.verify.world import MINUTE, NS, Life, World


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Return one store for all examples."""
    found = Shelf(tmp_path_factory.mktemp("truth") / "store.db")
    yield found
    found.store.close()


def judged(store: Store, found: InStore, asks: tuple[str, ...], service: tuple[Window, ...]) -> list[DayRecord]:
    """Return the record of the host, judged from what is read around these hours; and that of all that there is."""
    (asked,) = questions(found.host, schedule(service), [criterion(asks, found.life.world.every, Hours.SERVICE)])
    around = Around(store, [asked], {found.host.id: found.unsynced_ns})
    every = Evidence(
        [one._replace(time_ns=BASE_NS + one.time_ns) for one in sorted(found.life.presence)],
        [one._replace(time_ns=BASE_NS + one.time_ns) for one in sorted(found.life.stops)],
        {
            (0, len(asks[0].split("+")) - 1): [
                one._replace(time_ns=BASE_NS + one.time_ns)
                for one in sorted(found.life.readings, key=lambda one: one.time_ns)
            ]
        }
        if asks
        else {},
        found.unsynced_ns,
    )
    return [
        judge(asked.device, asked.schedule, asked.criterion, evidence, NOW_NS)
        for evidence in (around.evidence(asked), every)
    ]


@settings(max_examples=150, deadline=None)
@given(
    world=worlds() | unlucky_worlds(),
    asks=st.sampled_from([(), ("lan",), ("service",), ("lan+service",)]),
    service=hours(),
)
def test_the_interval_contains_the_truth_whatever_the_hours(
    shelf: Shelf, world: World, asks: tuple[str, ...], service: tuple[Window, ...]
) -> None:
    """Whatever happened before, in and after some hours: no minute that is certain is wrong, and none is lost."""
    store = shelf.emptied()
    found = stored(store, Life(world), watches=False)
    record, whole = judged(store, found, asks, service)
    assert record.runs == whole.runs
    names = "+".join(asks)
    for start_ns, cause, _ in minutes_in(record.runs):
        minute = (start_ns - BASE_NS) // NS
        was_good, may_be_good = found.life.truth(minute, asks_lan="lan" in names, asks_service="service" in names)
        if cause is Cause.WORKING:
            assert may_be_good, f"minute {minute // MINUTE} was not good"
        elif cause not in (Cause.UNKNOWN, Cause.AGENT_DOWN):
            assert not was_good, f"minute {minute // MINUTE} was good, not {cause}"
