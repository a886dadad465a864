"""Stations become numbers: how many, and how well they are heard."""

import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.gather.stations import of_assoclist, of_clients, quantile, summary

_NAMES = st.sampled_from(["clients", "results", "signal", "authorized"])
_ANSWERS = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner),
)
_SIGNALS = st.lists(st.floats(-127, -1), min_size=1)


def test_summary() -> None:
    """The median and the weak tail, one in ten is heard worse; a tenth of a dB is enough."""
    found = summary([-48.0, -55.0, -61.0, -64.0, -79.0])
    assert found == {"stations": 5, "rssi_p50_dbm": -61.0, "rssi_p10_dbm": -73.0}
    assert summary([-50.0, -61.0])["rssi_p50_dbm"] == -55.5


def test_nobody_is_zero_and_has_no_signal() -> None:
    """An access point without stations has 0 of them; a signal that is not there is absent."""
    assert summary([]) == {"stations": 0}


@pytest.mark.parametrize("signal", [None, 0.0, -128.0, -200.0, 55.0])
def test_a_driver_without_dbm(signal: float | None) -> None:
    """A station whose signal is not known counts, and what the driver says instead of one is not taken for it."""
    assert summary([signal]) == {"stations": 1}
    assert summary([signal, -60.0]) == {"stations": 2, "rssi_p50_dbm": -60.0, "rssi_p10_dbm": -60.0}


@given(st.lists(st.floats(-127, -1), min_size=2), st.sampled_from(range(1, 10)))
def test_quantile_is_the_one_of_the_standard_library(values: list[float], tenths: int) -> None:
    """It is type 7, which Python calls inclusive."""
    known = statistics.quantiles(values, n=10, method="inclusive")[tenths - 1]
    assert quantile(values, tenths / 10) == pytest.approx(known)


@given(_SIGNALS)
def test_quantiles_lie_within(values: list[float]) -> None:
    """No quantile is beyond the values, and the weak tail is not better than the median."""
    assert min(values) - 1e-9 <= quantile(values, 0.1) <= quantile(values, 0.5) + 1e-9 <= max(values) + 2e-9


def test_quantile_of_nothing() -> None:
    """There is none."""
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)


def test_clients_and_assoclist_of_openwrt() -> None:
    """Who has not the key yet is not counted; where firmware does not say, all are."""
    clients = {
        "a": {"authorized": True, "signal": -50},
        "b": {"authorized": False, "signal": -40},
        "c": {"signal": -60},
    }
    assert of_clients({"freq": 2412, "clients": clients})["stations"] == 2
    results = [{"mac": "x", "signal": -70, "noise": -95}, {"mac": "y", "signal": 0}]
    assert of_assoclist({"results": results}) == {"stations": 2, "rssi_p50_dbm": -70.0, "rssi_p10_dbm": -70.0}


@given(_ANSWERS)
def test_any_answer(answer: Any) -> None:
    """Whatever a device answers, there are numbers or there is nothing."""
    for found in (of_clients(answer), of_assoclist(answer)):
        assert set(found) <= {"stations", "rssi_p50_dbm", "rssi_p10_dbm"}
