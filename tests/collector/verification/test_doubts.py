"""Findings of integrity from a store: those of all that agents said, though only some of it is read row by row."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.doubts import LOOK_BACK_NS, read_findings
from collector.store.base import Store
from collector.verify.evidence import Identified
from collector.verify.integrity import Concern, Finding, findings
from contract.sample import Value
from tests.collector.verification.lives import Shelf
from tests.collector.verification.world import MONDAY, SATURDAY, World, at

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
START_NS, END_NS = at(MONDAY), at(SATURDAY)
SITES = ("441802-9990000001", "441802-9990000002", "441881-9990000003")
ONE, TWO, OTHER = f"{SITES[0]}.c1", f"{SITES[0]}.c2", f"{SITES[1]}.c1"
GATEWAYS = ("94:83:c4:00:00:01", "94:83:c4:00:00:02", "94-83-C4-00-00-02", "00:00:5e:00:01:0a", "")


class Said(NamedTuple):
    """What a device said of itself, hours after the period's begin."""

    hour: int
    device: str
    serial: str = "S"
    gateway: str = GATEWAYS[0]
    subnet: str = "10.1.1.0/24"
    source: str = ""


def write(store: Store, said: Sequence[Said]) -> None:
    """Write rows of identity; what is empty was not seen."""
    world = World()
    for one in said:
        fields = {"serial": one.serial, "gateway_mac": one.gateway, "subnet": one.subnet, "model": "m"}
        world.add(
            "identity",
            one.device,
            START_NS + one.hour * HOUR_NS,
            {name: value for name, value in fields.items() if value},
            source=one.source,
        )
    world.write(store)


def found(store: Store) -> tuple[Finding, ...]:
    """Return the findings of the week."""
    return read_findings(store, START_NS, END_NS)


class Counted:
    """A store that notes which agents' rows are read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.read: list[tuple[str, Sequence[str]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def tracks(self, measurement: str, *rest: Any) -> Iterator[Any]:
        """Note the question, and ask."""
        self.read.append((measurement, rest[3]))
        return self._store.tracks(measurement, *rest)


def rows_read(store: Store) -> list[tuple[str, Sequence[str]]]:
    """Return which agents' rows are read for the findings."""
    counted = Counted(store)
    found(cast("Store", counted))
    return counted.read


def test_who_always_says_the_same_is_not_read_row_by_row(store: Store) -> None:
    """A city in which nothing moves costs a question a field, however many agents there are; and finds nothing."""
    write(store, [Said(hour, f"{SITES[n % 2]}.c{n}", f"S{n}", GATEWAYS[n % 2]) for n in range(20) for hour in (0, 30)])
    assert found(store) == ()
    assert rows_read(store) == []


def test_an_empty_store_has_no_findings(store: Store) -> None:
    """Nobody said anything: nothing is to be checked."""
    assert found(store) == ()


def test_all_of_a_site_are_read_where_one_has_moved(store: Store) -> None:
    """Whether others stay tells a moved device from a new gateway: all rows of its site are read, and no more."""
    write(store, [Said(0, ONE), Said(0, TWO), Said(9, ONE, gateway=GATEWAYS[1]), Said(20, TWO)])
    write(store, [Said(0, f"{SITES[2]}.c1", gateway="94:83:c4:00:00:07")])
    (finding,) = found(store)
    assert (finding.kind, finding.devices, finding.doubted) == (Concern.PLACE, (ONE,), (ONE,))
    assert finding.since_ns == START_NS + 9 * HOUR_NS
    assert rows_read(store) == [("identity", [ONE, TWO])]


def test_boots_are_read_of_agents_whose_hardware_changed(store: Store) -> None:
    """Serials that change are looked at more closely: whether the boots of two machines take turns."""
    world = World()
    for hour in range(1, 7):
        fields: dict[str, Value] = {"boot": "AB"[hour % 2], "uptime_s": 60.0 * hour, "asleep_s": 0.0}
        world.add("presence", ONE, START_NS + hour * HOUR_NS, fields)
    world.write(store)
    write(store, [Said(0, ONE, "S1"), Said(3, ONE, "S2"), Said(0, TWO)])
    assert rows_read(store) == [("identity", [ONE, TWO]), ("presence", [ONE])]
    (finding,) = found(store)
    assert (finding.kind, finding.seen) == (Concern.NUMBER_CLASH, ("A", "B"))


def test_gateways_are_one_however_they_are_written(store: Store) -> None:
    """Two schools behind one gateway, whose address one writes in capitals with dashes: from when both were there."""
    write(store, [Said(0, ONE, gateway=GATEWAYS[1]), Said(3, OTHER, gateway=GATEWAYS[2])])
    (finding,) = found(store)
    assert (finding.kind, finding.devices) == (Concern.SHARED_GATEWAY, (ONE, OTHER))
    assert finding.since_ns == START_NS + 3 * HOUR_NS


def test_what_others_say_of_a_device_is_none_of_its_place(store: Store) -> None:
    """A gateway that watches a projector may name it: where the projector's agent is, is told by the agent alone."""
    write(store, [Said(0, ONE), Said(5, ONE, "S9", GATEWAYS[1], source=TWO), Said(0, TWO, gateway=GATEWAYS[0])])
    assert found(store) == ()


def test_a_week_before_the_period_is_looked_at(store: Store) -> None:
    """A device that moved on the Friday before is still away on Monday; what was over before Monday is not told."""
    write(store, [Said(-100, ONE), Said(-72, ONE, gateway=GATEWAYS[1]), Said(-100, TWO), Said(50, TWO)])
    (finding,) = found(store)
    assert (finding.since_ns, finding.until_ns) == (START_NS - 72 * HOUR_NS, None)
    write(store, [Said(-5, ONE)])
    assert found(store) == ()


def test_what_was_said_longer_ago_is_forgotten(store: Store) -> None:
    """More than a week before the period: where it is now is where it belongs, for all that is known."""
    hours = -LOOK_BACK_NS // HOUR_NS - 1
    write(store, [Said(hours, ONE), Said(0, ONE, gateway=GATEWAYS[1]), Said(0, TWO), Said(50, TWO)])
    assert found(store) == ()


# ---- whatever agents say


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Return one store for all examples."""
    found = Shelf(tmp_path_factory.mktemp("doubts") / "store.db")
    yield found
    found.store.close()


@st.composite
def said(draw: st.DrawFn) -> list[Said]:
    """Return what agents of some sites say over a week; most say the same all the time."""
    rows = []
    for number in range(draw(st.integers(1, 5))):
        device = f"{SITES[draw(st.integers(0, 2))]}.c{number}"
        usual = Said(0, device, f"S{number}", draw(st.sampled_from(GATEWAYS)))
        for hour in draw(st.lists(st.integers(0, 110), min_size=1, max_size=6, unique=True)):
            change = draw(st.sampled_from(["none", "none", "none", "serial", "gateway", "subnet"]))
            row = usual._replace(hour=hour)
            if change == "serial":
                row = row._replace(serial=draw(st.sampled_from(["", "T1", "T2"])))
            elif change == "gateway":
                row = row._replace(gateway=draw(st.sampled_from(GATEWAYS)))
            elif change == "subnet":
                row = row._replace(subnet=draw(st.sampled_from(["", "10.2.2.0/24"])))
            rows.append(row)
    return rows


@settings(max_examples=150, deadline=None)
@given(rows=said())
def test_what_is_found_is_what_all_rows_say(shelf: Shelf, rows: list[Said]) -> None:
    """Reading only some agents row by row misses no finding and makes none up."""
    store = shelf.emptied()
    write(store, rows)
    identified: dict[str, list[Identified]] = defaultdict(list)
    for one in sorted(rows, key=lambda row: row.hour):
        at_ns = START_NS + one.hour * HOUR_NS
        identified[one.device].append(Identified(at_ns, one.serial, one.gateway, one.subnet))
    assert found(store) == findings(identified)
