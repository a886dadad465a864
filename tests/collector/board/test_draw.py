"""Pieces of the board's pages."""

import re
from zoneinfo import ZoneInfo

import pytest

from collector.board.draw import Eyes, badge
from collector.watch.types import Now, State
from collector.words import Language

NOON_NS = 1_764_561_600 * 10**9  # 2025-12-01 12:00 in Shanghai
HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "failing | Internet down, since 09:00 (3 h)"), ("zh", "有故障 | 外网中断，09:00 起（3 小时）")],
)
def test_a_state_says_why_and_since_when(language: Language, said: str) -> None:
    """A word, a reason, a time and how long that is, in the language of who looks."""
    now = Now("441802-1.c1", State.FAILING, NOON_NS - 3 * HOUR_NS, "wan_down")
    drawn = badge(now, Eyes(language, ZoneInfo("Asia/Shanghai"), NOON_NS))
    assert " | ".join(re.findall(r">([^<>]+)<", drawn)) == said
