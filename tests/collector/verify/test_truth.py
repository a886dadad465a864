"""low ≤ truth ≤ high, for whatever happens: the verifier against a world whose truth is known."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.calendars.schedule import DayKind, DaySchedule, Hours, Window
from collector.roster.schema import Device
from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import Cause
from collector.verify.day import judge
from collector.verify.evidence import DayRecord, Evidence
from contract.settings import Seconds
from tests.collector.verify.minutes import minutes_in
from tests.collector.verify.world import MINUTE, NS, Kill, Life, Times, World

MANY = settings(max_examples=1000, deadline=None)
LENGTH = 40 * MINUTE
PANEL = Device("441802-3144001234.c0703", "panel")
LAN = Condition("presence.lan", equals=("1",))


def spans(most: int, shortest: int, longest: int, apart: int) -> st.SearchStrategy[Times]:
    """Return times that do not meet, from the second minute on."""

    def laid(pairs: list[tuple[int, int]]) -> Times:
        found, at = [], MINUTE
        for gap, length in pairs:
            since = at + gap
            at = since + length + apart
            if at < LENGTH:
                found.append((since, since + length))
        return tuple(found)

    return st.lists(st.tuples(st.integers(0, 8 * MINUTE), st.integers(shortest, longest)), max_size=most).map(laid)


def kills() -> st.SearchStrategy[tuple[Kill, ...]]:
    """Return ends of the agent."""
    again = st.none() | st.integers(500, 4 * MINUTE)
    one = st.builds(Kill, st.integers(0, LENGTH), again)
    return st.lists(one, max_size=4).map(lambda some: tuple(sorted(some, key=lambda kill: kill.at)))


@st.composite
def worlds(draw: st.DrawFn, *, has_kills: bool = True, has_clockless: bool = True) -> World:
    """Return any world: faults of every length, at any instant, at the same time or one right after the other."""
    off = draw(spans(4, 800, 6 * MINUTE, 300))
    asleep = draw(spans(3, 600, 8 * MINUTE, 300))
    killed = draw(kills()) if has_kills else ()
    numbers = st.sets(st.integers(0, len(off)), max_size=3).map(lambda some: tuple(sorted(some)))
    return World(
        LENGTH,
        draw(st.integers(5_000, 49_999)),
        off,
        draw(numbers),
        tuple((a, b) for a, b in asleep if not any(a < until and since < b for since, until in off)),
        tuple(kill for kill in killed if not any(a <= kill.at < b for a, b in asleep)),
        draw(spans(3, 1_000, 6 * MINUTE, 1_000)),
        draw(spans(3, 1_000, 12 * MINUTE, 1_000)),
        draw(st.integers(8_000, 45_000)),
        draw(st.integers(0, 4 * MINUTE)),
        draw(numbers) if has_clockless else (),
        draw(st.sampled_from([MINUTE, 5 * MINUTE])),
        draw(st.integers(0, MINUTE - 1)),
        shutdown_takes=draw(st.integers(0, MINUTE)),
    )


@st.composite
def unlucky_worlds(draw: st.DrawFn) -> World:
    """Return worlds in which one fault comes just when another one hides it."""
    world = draw(worlds(has_clockless=False))
    at = draw(st.integers(5 * MINUTE, 10 * MINUTE))
    later = at + draw(st.integers(0, 12 * MINUTE))
    what = draw(st.sampled_from(["killed, then off", "killed among sleeps", "killed with what it just asked"]))
    if what == "killed, then off":
        return world._replace(
            off=((later, later + draw(st.integers(800, 5 * MINUTE))),), asleep=(), kills=(Kill(at, None),)
        )
    if what == "killed among sleeps":
        awake = draw(st.integers(MINUTE, 3 * MINUTE))
        asleep = ((at + 1_000, later + 2_000), (later + 2_000 + awake, later + 9 * MINUTE))
        again = later - at + 9 * MINUTE + draw(st.integers(0, MINUTE))
        return world._replace(off=(), asleep=asleep, kills=(Kill(at, again),))
    asked = at - at % world.every + world.ask_phase
    return world._replace(
        off=(),
        asleep=(),
        kills=(Kill(asked + draw(st.integers(1, 30_000)), draw(st.integers(500, 20_000))),),
        service_down=((asked - draw(st.integers(0, 30_000)), later + MINUTE),),
    )


def criterion_of(world: World, *, asks_lan: bool, asks_service: bool) -> Criterion:
    """Return what is asked for."""
    service = Condition("probe.success", equals=("1",), every=Seconds(world.every / 1000))
    conditions = (LAN,) * asks_lan + (service,) * asks_service
    return Criterion((Proof(conditions),) if conditions else (), Hours.SERVICE)


def judged(life: Life, criterion: Criterion, since: int, until: int, device: Device = PANEL) -> DayRecord:
    """Return the judgement of a piece of the world, from all that was reported."""
    schedule = DaySchedule(
        date(2026, 9, 1), DayKind.WORKDAY, "", since * NS, until * NS, (Window(since * NS, until * NS),)
    )
    number = len(criterion.good_when[0].all) - 1 if criterion.good_when else 0
    evidence = Evidence(
        sorted(life.presence),
        sorted(life.stops),
        {(0, number): sorted(life.readings, key=lambda one: one.time_ns)},
        life.unsynced_ns,
    )
    return judge(device, schedule, criterion, evidence, until * NS)


def check(world: World, *, asks_lan: bool, asks_service: bool, since: int = 0, until: int = LENGTH) -> None:
    """Find low ≤ truth ≤ high; and each minute that is certain is certain of the truth."""
    life = Life(world)
    criterion = criterion_of(world, asks_lan=asks_lan, asks_service=asks_service)
    for start_ns, cause, _ in minutes_in(judged(life, criterion, since, until).runs):
        minute = start_ns // NS
        was_good, may_be_good = life.truth(minute, asks_lan=asks_lan, asks_service=asks_service)
        if cause is Cause.WORKING:
            assert may_be_good, f"minute {minute // MINUTE} was not good"
        elif cause not in (Cause.UNKNOWN, Cause.AGENT_DOWN):
            assert not was_good, f"minute {minute // MINUTE} was good, not {cause}"


@MANY
@given(world=worlds() | unlucky_worlds(), asks_lan=st.booleans(), asks_service=st.booleans())
def test_the_interval_contains_the_truth(world: World, asks_lan: bool, asks_service: bool) -> None:
    """
    Whatever happens to power, sleep, agent, clock, network and service, no minute that is certain is wrong.

    So for any hours of any day: good ≤ truth ≤ good + unknown.
    """
    check(world, asks_lan=asks_lan, asks_service=asks_service)


@settings(max_examples=300, deadline=None)
@given(world=worlds(has_kills=False, has_clockless=False))
def test_few_minutes_are_unknown(world: World) -> None:
    """
    While the agent lives and has the time, each begin and each end of a fault costs at most one unknown minute.

    Two more where a boot began upon the full minute, by a second; one for the rest of the minute in which the system
    was shut down; and the end of the world, which nothing follows.
    """
    life = Life(world._replace(sync_delay=0))
    record = judged(life, Criterion((), Hours.SERVICE), 0, LENGTH)
    if not life.presence:
        return
    last = max(row.time_ns for row in life.presence) // NS
    unknown = sum(
        cause in (Cause.UNKNOWN, Cause.AGENT_DOWN) and start_ns // NS < last
        for start_ns, cause, _ in minutes_in(record.runs)
    )
    upon_the_minute = sum(min(until % MINUTE, -until % MINUTE) <= 1_000 for _, until in world.off)
    before = min(row.time_ns for row in life.presence) // MINUTE // NS
    assert unknown <= 2 * (len(world.off) + len(world.asleep)) + upon_the_minute + before + 2 * len(world.shutdowns)


@settings(max_examples=300, deadline=None)
@given(
    world=worlds(has_kills=False, has_clockless=False),
    ahead=st.integers(-4_000, 4_000),
    right_after=st.integers(1, 3).map(lambda minutes: minutes * MINUTE),
)
def test_a_clock_that_is_set_right_spoils_no_minute(world: World, ahead: int, right_after: int) -> None:
    """A clock that is some seconds wrong at first, and set right while the boot goes on, spoils no certain minute."""
    long_on: list[tuple[int, int]] = []
    on = 0
    for since, until in world.off:
        if since - on > right_after + 3 * MINUTE:
            long_on.append((since, until))
            on = until
    check(
        world._replace(off=tuple(long_on), shutdowns=(), ahead=ahead, right_after=right_after),
        asks_lan=False,
        asks_service=False,
    )


@settings(max_examples=300, deadline=None)
@given(world=worlds())
def test_of_a_watched_device_the_watchers_faults_say_nothing(world: World) -> None:
    """A device beside the agent is judged while the agent ran all through the minute; else it is unknown."""
    life = Life(world)
    asked = judged(life, criterion_of(world, asks_lan=False, asks_service=True), 0, LENGTH)
    ran = judged(life, Criterion((), Hours.SERVICE), 0, LENGTH)
    watched = judged(
        life,
        criterion_of(world, asks_lan=False, asks_service=True),
        0,
        LENGTH,
        PANEL._replace(agent="441802-3144001234.gw"),
    )
    expected = [
        minute if state.cause is Cause.WORKING else minute._replace(cause=Cause.UNKNOWN, stage="")
        for minute, state in zip(minutes_in(asked.runs), minutes_in(ran.runs), strict=True)
    ]
    assert list(minutes_in(watched.runs)) == expected
