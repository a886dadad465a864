"""The form as it comes back, and everything that people may do to it."""

from collections.abc import Sequence
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.sampling.filled import SAID, Filled, Seen, Visit, read_filled
from collector.sampling.form import table
from collector.words import Language
from tests.collector.roster.tables import as_csv
from tests.collector.sampling.schools import drawn, workbook

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 9, 5, 12, tzinfo=ZONE)
DRAW = drawn(10, "第2026135期 03 09 14")
ROOMS = [one.one.room for one in DRAW.classes]
HEAD = ["抽查编号", "检查人员", "班级编号", "检查结果", "检查日期", "检查时间", "备注"]


def at(hour: int, minute: int, day: int = 2) -> int:
    """Return an instant of September 2026, ns."""
    return int(datetime(2026, 9, day, hour, minute, tzinfo=ZONE).timestamp()) * 10**9


def filled(content: bytes) -> Filled:
    """Return what a file says."""
    return read_filled("back.csv", content, DRAW, ZONE, NOW)


def rows(*some: Sequence[str]) -> Filled:
    """Return what rows below the usual headers say."""
    return filled(as_csv([HEAD, *some]).encode())


def said(found: Filled) -> list[str]:
    """Return what is wrong."""
    return [str(one).removeprefix("back.csv:") for one in found.findings]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_table_that_was_handed_out(language: Language, encoding: str) -> None:
    """What `draw` writes is read back in both languages, in every encoding that spreadsheets save; empty is empty."""
    text = table(DRAW, language).decode("utf-8-sig").replace("\r\n", "\n")
    assert said(filled(text.encode(encoding))) == [" says of no class what was seen"]
    lines = text.splitlines()
    lines[1] = lines[1].removesuffix(",,,,") + ",1,2026-09-02,10:05,好"
    found = filled("\n".join(lines).encode(encoding))
    assert found == Filled((Visit(ROOMS[0], Seen.USABLE, at(10, 5), "", "好"),), ())


@pytest.mark.parametrize(
    ("date", "time_"),
    [
        ("2026-09-02", "10:05"), ("2026/9/2", "10:05:30"), ("2026年9月2日", "10时5分"), ("", "2026-09-02 10:05"),
        ("", "2026/9/2 10:05"), ("", "2026年9月2日 10：05"), ("", "2026年9月2日10:05"), ("20260902", "１０：０５"),
    ],
)  # fmt: skip
def test_times_as_people_write_them(date: str, time_: str) -> None:
    """Date and time in two columns or in one, as Chinese and as machines write them."""
    found = rows(["", "", ROOMS[0], "可用", date, time_, ""])
    assert said(found) == []
    assert found.visits[0].time_ns == at(10, 5)


def test_what_was_seen_may_be_a_number_or_a_word() -> None:
    """The number on the form, the words of the form in both languages, and what people say instead."""
    expected = {
        "1": "usable",
        "２": "unusable",
        "未开机": "off",
        "无设备": "absent",
        "Not accessible": "not_accessible",
    }
    found = rows(
        *([DRAW.id, "", room, seen, "2026-9-2", "9:00", ""] for room, seen in zip(ROOMS, expected, strict=False))
    )
    assert said(found) == []
    assert [str(visit.seen) for visit in found.visits] == list(expected.values())
    assert set(SAID.values()) == set(Seen)


def test_a_spreadsheet_with_its_dates_and_times(tmp_path: Path) -> None:
    """In an XLSX dates and times are no text; the sheet beside it does not matter."""
    some = [
        HEAD,
        [DRAW.id, "甲组", ROOMS[0], 1, datetime(2026, 9, 2), time(10, 5), None],  # noqa: DTZ001
        [DRAW.id, "甲组", ROOMS[1], 3, None, datetime(2026, 9, 2, 10, 7), "停电"],  # noqa: DTZ001
        [DRAW.id, "甲组", ROOMS[2], None, None, None, None],
    ]
    file = workbook(tmp_path / "back.xlsx", {"结果": some, "说明": [["请填写"]]})
    assert filled(file.read_bytes()) == Filled(
        (
            Visit(ROOMS[0], Seen.USABLE, at(10, 5), "甲组", ""),
            Visit(ROOMS[1], Seen.OFF, at(10, 7), "甲组", "停电"),
        ),
        (),
    )


def test_all_mistakes_at_once() -> None:
    """Each with its row and column; nothing of such a file is stored."""
    near = ROOMS[3].replace("4418", "4481")
    found = rows(
        ["c29880ea53db", "", ROOMS[0], "1", "2026-9-2", "9:00", ""],
        ["", "", ROOMS[0], "1", "2026-9-2", "9:00", ""],
        ["", "", near, "1", "2026-9-2", "9:00", ""],
        ["", "", "", "1", "2026-9-2", "9:00", ""],
        ["", "", ROOMS[4], "坏了", "2026-9-2", "9:00", ""],
        ["", "", ROOMS[5], "2", "2026-9-2", "", ""],
        ["", "", ROOMS[6], "2", "", "9:00", ""],
        ["", "", ROOMS[7], "2", "2026-9-2", "9.30", ""],
        ["", "", ROOMS[8], "", "2026-9-2", "9:30", ""],
        ["", "", ROOMS[9], "3", "2026-9-5", "12:01", ""],
        ["", "", ROOMS[2], "3", "2026-8-31", "25:01", ""],
        ["", "", ROOMS[1], "3", "2026-8-31", "9:00", ""],
    )
    assert said(found) == [
        f"2: 抽查编号: c29880ea53db is another sample; this one is {DRAW.id}",
        f"3: 班级编号: {ROOMS[0]} stands in row 2 already",
        f"4: 班级编号: {near!r} is not in the sample, did you mean {ROOMS[3]}",
        "5: 班级编号: is empty",
        "6: 检查结果: '坏了' is none of 1 usable, 2 unusable, 3 off, 4 absent, 5 not_accessible",
        "7: 检查时间: is empty: the time of the visit, such as 10:05, is what the evidence is asked for",
        "8: 检查日期: is empty: write the date before the time, or in a column date 检查日期",
        "9: 检查时间: '9.30' is not a time such as 10:05",
        "10: 检查结果: is empty, and the row has a time",
        "11: 检查日期: 2026-09-05 12:01 is not over yet",
        "12: 检查时间: '25:01' is not a time such as 10:05",
        "13: 检查日期: 2026-08-31 is before 2026-09-01, the day of the sample",
    ]


def test_nobody_let_them_in() -> None:
    """A class that was not accessible needs no time; one that was not visited is no mistake."""
    found = rows(["", "", ROOMS[0], "5", "", "", "放假"], ["", "", ROOMS[1], "", "", "", ""])
    assert found == Filled((Visit(ROOMS[0], Seen.NOT_ACCESSIBLE, None, "", "放假"),), ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0xx", "is an .xls of old Excel, or locked with a password: save it as .xlsx without one"),
        ("班级编号,时间\nx,y\n".encode(), "has no column seen 检查结果"),
        (b"", "has no column class_id 班级编号, seen 检查结果, time 检查时间; its first row has nothing"),
    ],
)
def test_a_file_that_is_no_table(content: bytes, message: str) -> None:
    """What cannot be read at all is said in one line."""
    (one,) = said(filled(content))
    assert one.endswith(message)
