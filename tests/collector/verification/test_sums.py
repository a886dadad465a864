"""Days that are told from sums over a city: the same as when each of their minutes is looked at."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import sums
from collector.around import Around
from collector.asked import Asked
from collector.calendars.schedule import Hours, Window
from collector.store.base import Store
from collector.sums import Sums, blocks
from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.day import judge
from collector.verify.evidence import DayRecord
from tests.collector.verification.lives import (
    NOW_NS,
    InStore,
    Shelf,
    criterion,
    hours,
    questions,
    schedule,
    stored,
    window,
)
from tests.collector.verify.test_perfect import quiet_worlds
from tests.collector.verify.test_truth import worlds
from tests.collector.verify.world import MINUTE, NS, Life, World

ASKS: tuple[tuple[str, ...], ...] = (
    (), ("lan",), ("service",), ("lan+service",), ("service", "lan"), ("a", "b"), ("a+b",), ("lan+a", "service"),
)  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Return one store for all examples."""
    found = Shelf(tmp_path_factory.mktemp("sums") / "store.db")
    yield found
    found.store.close()


def by_minute(store: Store, asked: Sequence[Asked], found: InStore) -> list[DayRecord]:
    """Return the records of days whose every minute is looked at."""
    around = Around(store, asked, {found.host.id: found.unsynced_ns})
    return [judge(one.device, one.schedule, one.criterion, around.evidence(one), NOW_NS) for one in asked]


QUIET = World(40 * MINUTE, 20_000, start_delay=10_000, sync_delay=0)


def told(store: Store, world: World, asks: Sequence[str], *, is_watched: bool = False, **how: object) -> Cause | None:
    """Return the cause that sums tell of all minutes from the 5th to the 30th, None when they do not."""
    life = Life(world)
    if how.get("without_readings"):
        life.readings.clear()
    found = stored(store, life, watches=is_watched)
    doubted = [window(29, 30)] if how.get("is_doubted") else []
    day = schedule([window(5, 30)])
    device = found.watched if is_watched else found.host
    asked = list(questions(device, day, [criterion(asks, world.every)], doubted))
    record = Sums(store, asked).record(asked[0])
    if record is None:
        return None
    assert [record] == by_minute(store, asked, found)
    (run,) = record.runs
    assert run.minutes == 25
    return run.cause


@pytest.mark.parametrize(
    ("world", "asks", "is_watched", "how", "cause"),
    [
        (QUIET, (), False, {}, Cause.WORKING),
        (QUIET, ("lan",), False, {}, Cause.WORKING),
        (QUIET, ("lan+service",), False, {}, Cause.WORKING),
        (QUIET, ("service",), True, {}, Cause.WORKING),
        (QUIET, (), True, {}, Cause.UNKNOWN),
        (QUIET, ("lan",), True, {}, Cause.UNKNOWN),
        (QUIET, ("service",), False, {"without_readings": True}, Cause.UNKNOWN),
        (QUIET, ("service",), True, {"without_readings": True}, Cause.UNKNOWN),
        (QUIET, ("service", "lan"), False, {"without_readings": True}, Cause.WORKING),
        (QUIET, ("lan+service",), False, {"without_readings": True}, Cause.UNKNOWN),
        (QUIET._replace(lan_down=((0, 40 * MINUTE),)), ("lan+service",), False, {"without_readings": True}, None),
        (QUIET, ("lan",), False, {"is_doubted": True}, None),
        (QUIET._replace(lan_down=((10 * MINUTE, 11 * MINUTE),)), ("lan",), False, {}, None),
        (QUIET._replace(lan_down=((10 * MINUTE, 11 * MINUTE),)), (), False, {}, Cause.WORKING),
        (QUIET._replace(service_down=((10 * MINUTE, 11 * MINUTE),)), ("service",), False, {}, None),
        (QUIET._replace(service_down=((10 * MINUTE, 11 * MINUTE),)), ("service",), True, {}, None),
        (QUIET._replace(off=((10 * MINUTE, 11 * MINUTE),)), (), False, {}, None),
        (QUIET._replace(off=((10 * MINUTE, 11 * MINUTE),)), ("service",), True, {}, None),
        (QUIET._replace(asleep=((10 * MINUTE, 10 * MINUTE + 5_000),)), (), False, {}, None),
        (QUIET._replace(off=((0, 3 * MINUTE), (32 * MINUTE, 39 * MINUTE))), (), False, {}, Cause.WORKING),
        (QUIET._replace(off=((0, 5 * MINUTE + 1_500),)), (), False, {}, None),
    ],
)  # fmt: skip
def test_which_days_sums_tell(
    shelf: Shelf, world: World, asks: Sequence[str], is_watched: bool, how: dict[str, bool], cause: Cause | None
) -> None:
    """All well, or nothing read at all: one cause for the whole day; whatever is amiss in it must be looked at."""
    assert told(shelf.emptied(), world, asks, is_watched=is_watched, **how) == cause


class Questions(NamedTuple):
    """What is asked of a life, and what else its agent found."""

    service: tuple[Window, ...]
    lessons: tuple[Window, ...]
    excluded: tuple[Window, ...]
    criteria: tuple[tuple[tuple[str, ...], Hours], ...]
    second: str
    is_read: bool


def anything() -> st.SearchStrategy[Questions]:
    """Return any questions: hours of some windows, several criteria, readings of a second target, or none at all."""
    criteria = st.tuples(st.sampled_from(ASKS), st.sampled_from(list(Hours)))
    return st.builds(
        Questions,
        hours(),
        hours(),
        st.just(()) | hours(1),
        st.lists(criteria, min_size=1, max_size=3, unique=True).map(tuple),
        st.sampled_from(["none", "same", "better"]),
        st.sampled_from([True, True, False]),
    )


@settings(max_examples=150, deadline=None)
@given(world=quiet_worlds() | worlds(), asks=anything(), bridged=st.sampled_from([2, 30]))
def test_what_sums_tell_is_what_every_minute_says(shelf: Shelf, world: World, asks: Questions, bridged: int) -> None:
    """Whatever happens, and whatever is asked of a device or of what it watches: sums tell the same, or nothing."""
    life = Life(world)
    if not asks.is_read:
        life.readings.clear()
    second = [one._replace(time_ns=one.time_ns + 3_000 * NS) for one in life.readings if asks.second != "none"]
    if asks.second == "better":
        second = [one._replace(value=1.0, stage="") for one in second]
    store = shelf.emptied()
    found = stored(store, life, second=second)
    day = schedule(asks.service, asks.lessons, asks.excluded)
    criteria = [criterion(names, world.every, which) for names, which in asks.criteria]
    asked = [one for device in (found.host, found.watched) for one in questions(device, day, criteria)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "BRIDGED_NS", bridged * MINUTE_NS)
        ours = Sums(store, asked)
        records = [ours.record(one) for one in asked]
    for one, record, expected in zip(asked, records, by_minute(store, asked, found), strict=True):
        assert record in (None, expected), one.criterion


def test_hours_close_to_each_other_are_one_block() -> None:
    """A break of half an hour is bridged, a longer one is not; overlapping hours join."""
    some = [window(0, 5), window(3, 9), window(39, 50), window(81, 90)]
    assert blocks(some) == (window(0, 50), window(81, 90))
    assert blocks(()) == ()
    assert Counter(blocks([window(0, 5), window(0, 5)])) == {window(0, 5): 1}
