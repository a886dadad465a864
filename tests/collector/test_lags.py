"""How late batches come, in a few counters."""

import random

import pytest

from collector.lags import Lags


@pytest.mark.parametrize("spread", [10, 1000, 86_400_000])
def test_half_and_most_are_within_what_is_said(spread: int) -> None:
    """Both figures are those of the sorted lags, but for 3 %, be they milliseconds or days."""
    chance, lags = random.Random(7), Lags()
    said = sorted(chance.randint(spread, 10 * spread) for _ in range(5000))
    for at in range(0, len(said), 100):
        lags.add(said[at : at + 100])
    found = lags.take()
    assert found
    assert found.p50_ms == pytest.approx(said[2499], rel=0.03, abs=1)
    assert found.p99_ms == pytest.approx(said[4949], rel=0.03, abs=1)


def test_what_was_told_is_not_told_again() -> None:
    """Each figure is about what came since the last one, and where nothing came there is none."""
    lags = Lags()
    assert lags.take() is None
    lags.add([100])
    assert lags.take() is not None
    assert lags.take() is None


def test_a_clock_that_is_ahead_is_not_late() -> None:
    """What came before its time, or at once, counts as a millisecond."""
    lags = Lags()
    lags.add([-5000, 0, 1])
    assert lags.take() == (1, 1)


def test_one_that_is_very_late_is_not_what_half_are() -> None:
    """A hundredth that waited for a day changes neither the half nor, alone, the 99 %."""
    lags = Lags()
    lags.add([200] * 99 + [86_400_000])
    found = lags.take()
    assert found
    assert found.p50_ms == found.p99_ms == pytest.approx(200, rel=0.03)
