"""Pieces of the board's pages."""

import re
from zoneinfo import ZoneInfo

import pytest

from collector.board.draw import Eyes, badge, why_text
from collector.watch.types import Now, State
from collector.words import Language

NOON_NS = 1_764_561_600 * 10**9  # 2025-12-01 12:00 in Shanghai
HOUR_NS = 3600 * 10**9
ZH: Language = "zh"
EN: Language = "en"


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "failing | Internet down, since 09:00 (3 h)"), ("zh", "有故障 | 外网中断，09:00 起（3 小时）")],
)
def test_a_state_says_why_and_since_when(language: Language, said: str) -> None:
    """A word, a reason, a time and how long that is, in the language of who looks."""
    now = Now("441802-1.c1", State.FAILING, NOON_NS - 3 * HOUR_NS, "wan_down")
    drawn = badge(now, Eyes(language, ZoneInfo("Asia/Shanghai"), NOON_NS))
    assert " | ".join(re.findall(r">([^<>]+)<", drawn)) == said


@pytest.mark.parametrize(
    ("why", "zh", "en"),
    [
        ("associate", "“关联”环节失败", "fails at associate"),
        ("status", "“网页应答”环节失败", "fails at answer of the page"),
        ("certificate", "证书将到期", "certificate about to expire"),
        ("standby", "屏幕未亮", "its screen is off"),
        ("lamp-failed", "lamp-failed", "lamp-failed"),
    ],
)
def test_a_stage_is_said_as_what_fails(why: str, zh: str, en: str) -> None:
    """A state's reason says that the step failed, where its name alone could be one that was passed."""
    for language, said in ((ZH, zh), (EN, en)):
        assert why_text(why, Eyes(language, ZoneInfo("Asia/Shanghai"), NOON_NS)) == said
