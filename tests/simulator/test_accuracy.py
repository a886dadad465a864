"""The benchmark of accuracy: a small city is judged right, and the document names the command."""

from pathlib import Path

import pytest

from benchmarks.accuracy import Figures, city, table
from collector.verify.causes import Cause

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def figures() -> Figures:
    """Return what is counted of a small city."""
    found = Figures()
    city(2, found, devices=30, rate=6.0)
    return found


def test_what_is_said_of_a_city_is_so(figures: Figures) -> None:
    """Nearly every minute that is called good was good, and nearly every one that is called bad was bad."""
    assert figures.days > 80
    assert figures.outages > 100
    judged = sum(n for (_, said, _), n in figures.minutes.items() if said is not Cause.UNKNOWN)
    assert judged > 20_000
    assert sum(figures.false_good.values()) + sum(figures.false_bad.values()) < judged / 1000


def test_classes_on_paper_alone_are_never_called_good(figures: Figures) -> None:
    """A class without a machine, or whose agent is elsewhere, is unknown, whatever is sent in its name."""
    assert not figures.on_paper.keys() - {"unknown", "excluded"}


def test_the_table_is_complete(figures: Figures) -> None:
    """The table has a row for each cause, the naive figure beside ours, and how many intervals contain the truth."""
    text = "\n".join(table(figures))
    for cause in ("working", "power_off", "asleep", "lan_down", "wan_down", "service_down", "agent_down"):
        assert f"| {cause} |" in text
    assert "pings every 15 min" in text
    assert "intervals that contain the truth" in text


def test_the_document_names_the_command() -> None:
    """docs/accuracy.md says by which command its table is printed."""
    assert "python -m benchmarks.accuracy" in (ROOT / "docs/accuracy.md").read_text(encoding="utf-8")
