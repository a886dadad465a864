"""Which different values devices have: the same from SQLite and from a real influxd."""

import pytest

from collector.store.base import Distinct, Store
from contract.sample import Value
from tests.collector.store.points import ALL, BASE_NS, DEVICE, GATEWAY, MINUTE_NS, body, row


def test_each_value_comes_once_and_sorted(store: Store) -> None:
    """However often something was said, in whichever order: each value once, sorted; other fields do not matter."""
    said = ["G2", "G1", "G2", "", "G10", "G1"]
    store.write(*body("identity", [row(n, {"gateway_mac": mac, "serial": f"S{n}"}) for n, mac in enumerate(said)]))
    assert list(store.distinct("identity", "gateway_mac", *ALL)) == [Distinct(DEVICE, DEVICE, ("", "G1", "G10", "G2"))]


def test_devices_and_sources_are_told_apart_in_order(store: Store) -> None:
    """What a device says itself is not what another agent says of it; order is that of their ids."""
    points = [
        row(0, {"serial": "of the gateway"}, device=GATEWAY),
        row(0, {"serial": "by the gateway"}, source=GATEWAY),
        row(0, {"serial": "by itself"}),
        row(0, {"serial": "elsewhere"}, device="441802-1.c1"),
    ]
    store.write(*body("identity", points))
    assert list(store.distinct("identity", "serial", *ALL)) == [
        Distinct("441802-1.c1", "441802-1.c1", ("elsewhere",)),
        Distinct(DEVICE, DEVICE, ("by itself",)),
        Distinct(DEVICE, GATEWAY, ("by the gateway",)),
        Distinct(GATEWAY, GATEWAY, ("of the gateway",)),
    ]


def test_series_of_one_device_are_joined(store: Store) -> None:
    """Measurements with tags of their own have several series: their values are those of the device together."""
    points = [
        row(n, {"stage": stage, "success": 0}, tags={"kind": kind, "target": "t"})
        for n, (kind, stage) in enumerate([("http", "dns"), ("dns", "dns"), ("http", "tls")])
    ]
    store.write(*body("probe", points))
    assert list(store.distinct("probe", "stage", *ALL)) == [Distinct(DEVICE, DEVICE, ("dns", "tls"))]


def test_periods_take_their_start_and_leave_their_end(store: Store) -> None:
    """A period is [start, end)."""
    store.write(*body("identity", [row(n, {"serial": f"S{n}"}) for n in range(6)]))
    found = store.distinct("identity", "serial", BASE_NS + MINUTE_NS, BASE_NS + 3 * MINUTE_NS)
    assert list(found) == [Distinct(DEVICE, DEVICE, ("S1", "S2"))]
    assert list(store.distinct("identity", "serial", BASE_NS + 9 * MINUTE_NS, BASE_NS + 99 * MINUTE_NS)) == []


def test_a_field_that_nobody_said(store: Store) -> None:
    """Devices without the field are left out, and so is everything in an empty store."""
    assert list(store.distinct("identity", "serial", *ALL)) == []
    store.write(*body("identity", [row(0, {"subnet": "10.1.1.0/24"}), row(1, {"serial": "S"}, device=GATEWAY)]))
    assert list(store.distinct("identity", "serial", *ALL)) == [Distinct(GATEWAY, GATEWAY, ("S",))]


@pytest.mark.parametrize(
    ("measurement", "field", "values"),
    [("presence", "lan", (0, 1)), ("presence", "uptime_s", (0.5, 60.0, 1e9)), ("display", "power", ("off", "开"))],
)
def test_values_of_every_type(store: Store, measurement: str, field: str, values: tuple[Value, ...]) -> None:
    """Integers, floats and texts come back as what was written."""
    store.write(*body(measurement, [row(n, {field: value}) for n, value in enumerate((*values, *values))]))
    assert list(store.distinct(measurement, field, *ALL)) == [Distinct(DEVICE, DEVICE, values)]


@pytest.mark.parametrize(
    ("measurement", "field"), [("identity", "nothing"), ("identity", 'serial"; DROP TABLE identity')]
)
def test_a_field_that_the_contract_does_not_have(store: Store, measurement: str, field: str) -> None:
    """A name that is not of the contract's table never reaches the server."""
    with pytest.raises(ValueError, match="identity has no"):
        list(store.distinct(measurement, field, *ALL))


def test_many_devices(store: Store) -> None:
    """A city's devices come whole and in order."""
    names = [f"441802-{n % 7}.c{n:03d}" for n in range(400)]
    store.write(*body("identity", [row(n % 5, {"serial": f"S{n % 3}"}, device=name) for n, name in enumerate(names)]))
    found = list(store.distinct("identity", "serial", *ALL))
    assert [one.device for one in found] == sorted(names)
    assert {one.device: one.values for one in found} == {name: (f"S{n % 3}",) for n, name in enumerate(names)}
