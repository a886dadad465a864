"""The faults of access points: what is wrong is told once it has lasted, and taken back when it is over."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from agent.mapping import Mapper
from agent.outcome import Row
from agent.watch import Watch
from contract.measurements import TABLE
from contract.sample import Sample, Value
from firmware_profiles.library import Library

MINUTE_NS = 60_000_000_000


class Case(NamedTuple):
    """A fault and the reading it is judged by: a bad value, one that changes nothing (if any), a good one."""

    profile: str
    code: str
    at: tuple[str, str, str]  # measurement, its tag's value, field
    values: tuple[float, float | None, float]
    minutes: int  # that it must last


_CASES = [
    Case("openwrt", "radio-down", ("sensor", "radios-down", "value"), (1.0, None, 0.0), 5),
    Case("openwrt", "no-ssid", ("sensor", "access-points", "value"), (0.0, None, 2.0), 5),
    Case("openwrt", "access-point-not-enabled", ("sensor", "access-points-enabled", "value"), (0.0, None, 1.0), 15),
    Case("openwrt", "high-utilization", ("radio", "phy0-ap0", "utilization_percent"), (81.0, 75.0, 60.0), 10),
    Case("hostapd-ap", "no-ssid", ("sensor", "access-points", "value"), (0.0, None, 1.0), 5),
    Case("hostapd-ap", "radio-down", ("sensor", "access-points-enabled", "value"), (0.0, None, 1.0), 15),
    Case("hostapd-ap", "high-utilization", ("radio", "wlan0", "utilization_percent"), (81.0, 75.0, 60.0), 10),
]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: f"{case.profile} {case.code}")
def test_fault(case: Case) -> None:
    """It becomes active after its minutes and not before, stays so in between, and ends when all is well again."""
    measurement, tag, field = case.at
    bad, between, good = case.values
    tags = {TABLE[measurement].tags[0]: tag}
    watch = Watch(Library().get(case.profile).faults)

    def told(value: float, begin: int, end: int) -> Iterator[tuple[int, Value]]:
        for minute in range(begin, end):
            for fault in watch.see([Sample(measurement, {field: value}, minute * MINUTE_NS, tags)]):
                if fault.tags["code"] == case.code:
                    yield minute, fault.fields["active"]

    assert [active for _, active in told(good, 0, 10)] == [0], "that there is none is evidence too"
    assert list(told(bad, 10, 10 + case.minutes)) == []
    assert list(told(bad, 10 + case.minutes, 30)) == [(10 + case.minutes, 1)]
    if between is not None:
        assert list(told(between, 30, 50)) == []
    assert [active for _, active in told(good, 50, 60)] == [0]


@pytest.mark.parametrize("name", ["huawei-ac-ap", "huawei-ac-ap-by-name"])
def test_a_controller_in_standby_says_nothing_of_its_access_points(name: str) -> None:
    """After a switch-over the controller that is asked has every AP in state 11: no fault of any of them."""
    readings = [reading for reading in Library().get(name).collect["ap"].read if reading.raw == "state"]
    found = [Mapper().samples("ap", readings, [Row("", {"state": state})], 0) for state in (11, 8, 4)]
    assert [[sample.fields["value"] for sample in samples] for samples in found] == [[], [8.0], [4.0]]


def test_openwrt_over_http_has_the_same_faults_and_readings() -> None:
    """It extends the other profile: the readings of the radios are the very same, host and ports are its own."""
    near, far = Library().get("openwrt"), Library().get("openwrt-http")
    assert far.faults == near.faults
    assert far.collect.keys() - near.collect.keys() == {"system", "ports"}
    assert {name for name in near.collect if near.collect[name] != far.collect[name]} == {"board"}


def test_the_agents_own_business_is_not_read_again() -> None:
    """On the device itself memory, load, ports and model come from the agent's own sources."""
    for name in ("openwrt", "hostapd-ap"):
        fields = {reading.field.measurement for entry in Library().get(name).collect.values() for reading in entry.read}
        assert not fields & {"host", "interface", "identity"}, name
