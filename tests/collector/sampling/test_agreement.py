"""Agreement and its interval, against published values and by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sampling.agreement import (
    Agreement,
    Compared,
    Evident,
    StratumAgreement,
    Table,
    agreement,
    estimate,
    of_class,
)
from collector.sampling.filled import Seen, Visit
from collector.sampling.wilson import wilson
from collector.verify.causes import Cause
from tests.collector.sampling.schools import drawn


@pytest.mark.parametrize(
    ("good", "cases", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_values(good: int, cases: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 857–872, table I, method 3 (score, without correction)."""
    assert wilson(good / cases, cases) == pytest.approx((low, high), abs=5e-5)


def test_the_ends_are_ends() -> None:
    """All of them is at most 1, none at least 0, and nothing at all is anything."""
    assert wilson(1.0, 20)[1] == 1.0
    assert wilson(0.0, 20)[0] == 0.0
    assert wilson(1.0, 20)[0] == pytest.approx(1 - 0.1611, abs=5e-5)
    assert wilson(0.5, 0) == (0.0, 1.0)


@given(st.integers(1, 500), st.data(), st.floats(0.5, 0.999))
def test_an_interval_contains_its_share(cases: int, data: st.DataObject, confidence: float) -> None:
    """It is within 0 and 1, and wider for more confidence."""
    share = data.draw(st.integers(0, cases)) / cases
    low, high = wilson(share, cases, confidence)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    assert high - low <= wilson(share, cases, 0.9999)[1] - wilson(share, cases, 0.9999)[0]


def test_strata_weigh_as_they_have_classes() -> None:
    """300 classes with 9 of 10, 100 with 4 of 5: 0.75 × 0.9 + 0.25 × 0.8; n = 1 ÷ (0.75²/10 + 0.25²/5) = 14.55."""
    found = estimate([StratumAgreement("a", 300, 10, 10, 9), StratumAgreement("b", 100, 5, 5, 4)], 0.95)
    assert found is not None
    assert found.share == pytest.approx(0.875)
    assert found.cases == pytest.approx(1 / (0.05625 + 0.0125))
    assert (found.low, found.high) == wilson(found.share, found.cases)
    assert found.covered == 1


def test_a_sample_in_proportion_has_as_many_cases_as_classes() -> None:
    """Nothing is gained and nothing lost by strata that were drawn in proportion."""
    found = estimate([StratumAgreement("a", 300, 30, 30, 30), StratumAgreement("b", 100, 10, 10, 10)], 0.95)
    assert found is not None
    assert found.cases == pytest.approx(40)
    assert (found.share, found.high) == (1.0, 1.0)


def test_a_stratum_without_comparison_is_not_spoken_for() -> None:
    """What could not be compared is left out of the weights, and how much that is, is said."""
    found = estimate([StratumAgreement("a", 300, 3, 3, 3), StratumAgreement("b", 100, 1, 0, 0)], 0.95)
    assert found is not None
    assert found.covered == 0.75
    assert found.cases == pytest.approx(3)
    assert estimate([StratumAgreement("b", 100, 1, 0, 0)], 0.95) is None


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), min_size=1, max_size=6))
def test_the_variance_is_never_taken_too_small(strata: list[tuple[int, int]]) -> None:
    """In proportion, p(1 − p) ÷ n is at least the variance of the stratified estimate (Cochran, chapter 5)."""
    rows = [StratumAgreement(str(n), size * 10, size, size, min(size, good)) for n, (size, good) in enumerate(strata)]
    found = estimate(rows, 0.95)
    assert found is not None
    total = sum(row.classes for row in rows)
    shares = [row.agreed / row.compared for row in rows]
    stratified = sum(
        (row.classes / total) ** 2 * p * (1 - p) / row.compared for row, p in zip(rows, shares, strict=True)
    )
    assert found.share * (1 - found.share) / found.cases >= stratified - 1e-12


def test_kappa_by_hand() -> None:
    """Cohen's table of 20, 5, 10, 15: agreement 0.7, by chance 0.5, kappa 0.4; without variation there is none."""
    assert Table(20, 5, 10, 15).kappa == pytest.approx(0.4)
    assert Table(9, 0, 0, 0).kappa is None
    assert Table().kappa is None
    assert Table(0, 5, 5, 0).kappa == pytest.approx(-1)


def test_a_class_is_as_good_as_its_best_device() -> None:
    """Working when any works; else unknown when any is; and never more certain than that."""
    down, off, unknown, works = map(Evident, (Cause.WAN_DOWN, Cause.POWER_OFF, Cause.UNKNOWN, Cause.WORKING))
    assert of_class([off, works, unknown]) == works
    assert of_class([down, unknown]).is_working is None
    assert of_class([off, down]) == down
    assert of_class([]) == Evident()
    for cause in Cause:
        if cause is not Cause.EXCLUDED:
            assert of_class([Evident(cause)]).cause is cause


def compared(*pairs: tuple[Seen | None, Cause]) -> Agreement:
    """Return what so many classes come to, of a sample of as many."""
    draw = drawn(len(pairs))
    rows = [
        Compared(one, Visit(one.one.room, seen, 60_000_000_000) if seen else None, Evident(cause))
        for one, (seen, cause) in zip(draw.classes, pairs, strict=True)
    ]
    return agreement(draw, rows)


def test_who_is_compared() -> None:
    """Unknown, not accessible and not visited are neither agreement nor disagreement, and all are counted."""
    found = compared(
        (Seen.USABLE, Cause.WORKING),
        (Seen.OFF, Cause.POWER_OFF),
        (Seen.UNUSABLE, Cause.POWER_OFF),
        (Seen.ABSENT, Cause.WORKING),
        (Seen.USABLE, Cause.WAN_DOWN),
        (Seen.USABLE, Cause.UNKNOWN),
        (Seen.ABSENT, Cause.AGENT_DOWN),
        (Seen.NOT_ACCESSIBLE, Cause.WORKING),
        (None, Cause.UNKNOWN),
    )
    assert found.table == Table(both=1, only_evidence=1, only_seen=1, neither=2)
    assert found.unknown == {Seen.USABLE: 1, Seen.ABSENT: 1}
    assert (found.not_accessible, found.not_visited) == (1, 1)
    assert [one.evident.cause for one in found.disagreements] == [Cause.WORKING, Cause.WAN_DOWN]
    assert sum(one.compared for one in found.strata) == 5
    assert sum(one.agreed for one in found.strata) == 3


def test_nothing_seen_is_no_share() -> None:
    """Without any comparison there is no estimate."""
    assert compared((None, Cause.UNKNOWN), (Seen.NOT_ACCESSIBLE, Cause.UNKNOWN)).estimate is None
