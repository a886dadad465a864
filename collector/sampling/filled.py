"""
The form as it comes back: what was seen of each class, and when. Everything that is wrong is said at once.

A row without anything seen is a class that was not visited: no mistake.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.roster.columns import day, header_key, meant_id, tidy_code
from collector.roster.findings import Finding, Where
from collector.sampling.draw import Draw
from collector.sampling.sheets import Cells, Heading, rows_of
from contract.meant import did_you_mean

MINUTE_NS = 60_000_000_000


class Seen(StrEnum):
    """What an inspector saw of a class's platform."""

    USABLE = "usable"
    UNUSABLE = "unusable"  # on, and a lesson could not be held with it
    OFF = "off"
    ABSENT = "absent"
    NOT_ACCESSIBLE = "not_accessible"


HEADINGS = (
    Heading("sample", ("抽查编号",), is_needed=False),
    Heading("inspector", ("检查人员",), is_needed=False),
    Heading("class_id", ("班级编号", "class id")),
    Heading("seen", ("检查结果", "现场情况")),
    Heading("date", ("检查日期", "日期"), is_needed=False),
    Heading("time", ("检查时间", "时间")),
    Heading("remarks", ("备注", "说明"), is_needed=False),
)
# What may stand in a cell, besides the number that stands on the form: the order of `Seen`, from 1.
SAID: Mapping[str, Seen] = {
    **{str(number): seen for number, seen in enumerate(Seen, start=1)},
    **{str(seen): seen for seen in Seen},
    **dict.fromkeys(("开机可用", "可用", "正常", "正常可用", "on and usable"), Seen.USABLE),
    **dict.fromkeys(("开机不可用", "不可用", "故障", "on but unusable"), Seen.UNUSABLE),
    **dict.fromkeys(("未开机", "关机"), Seen.OFF),
    **dict.fromkeys(("无设备", "没有设备", "未安装"), Seen.ABSENT),
    **dict.fromkeys(("无法进入", "未能进入", "无法检查", "not accessible"), Seen.NOT_ACCESSIBLE),
}
_TIME = re.compile(r"(\d{1,2})[:时点](\d{1,2})(?:[:分](?:\d\d秒?)?)?")


class Visit(NamedTuple):
    """What was seen of a class; `time_ns` begins the minute of it, None where nobody could look."""

    room: str
    seen: Seen
    time_ns: int | None
    inspector: str = ""
    remarks: str = ""


class Filled(NamedTuple):
    """The visits of a file, and what is wrong with it."""

    visits: tuple[Visit, ...]
    findings: tuple[Finding, ...]


def read_filled(file: str, content: bytes, draw: Draw, zone: ZoneInfo, now: datetime) -> Filled:
    """Return what a file says of the classes of a sample; local times are those of `zone`."""
    rows, findings = rows_of(file, content, HEADINGS)
    reader = _Reader(draw, zone, now, findings)
    visits = [visit for row in rows if (visit := reader.visit(row))]
    if not visits and not findings:
        findings.append(Finding(file, "", 0, -1, "", "says of no class what was seen"))
    order = sorted(findings, key=lambda one: (one.sheet, one.row, one.at))
    return Filled(tuple(visits), tuple(order))


class _Reader:
    """Reads rows, one after the other."""

    def __init__(self, draw: Draw, zone: ZoneInfo, now: datetime, findings: list[Finding]) -> None:
        self._draw, self._zone, self._now, self._findings = draw, zone, now, findings
        self._rooms = {drawn.one.room: drawn for drawn in draw.classes}
        self._seen_in: dict[str, Where] = {}

    def visit(self, row: Cells) -> Visit | None:
        """Return what a row says; None where it says nothing, or something that is wrong."""
        before = len(self._findings)
        room = self._room(row)
        seen = self._seen(row)
        time_ns = self._time(row, seen) if seen else None
        if len(self._findings) > before or seen is None:
            return None
        return Visit(room, seen, time_ns, row.of("inspector") or self._rooms[room].inspector, row.of("remarks"))

    def _wrong(self, row: Cells, column: str, message: str) -> None:
        self._findings.append(row.where.finding(column, message))

    def _room(self, row: Cells) -> str:
        if (sample := tidy_code(row.of("sample"))) and sample != self._draw.id:
            self._wrong(row, "sample", f"{sample} is another sample; this one is {self._draw.id}")
        text = tidy_code(row.of("class_id"))
        room = text if text in self._rooms else meant_id(text)
        if not text:
            self._wrong(row, "class_id", "is empty")
        elif room not in self._rooms:
            self._wrong(row, "class_id", f"{text!r} is not in the sample{did_you_mean(text, self._rooms)}")
        elif room in self._seen_in:
            self._wrong(row, "class_id", f"{room} stands in {self._seen_in[room]} already")
        else:
            self._seen_in[room] = row.where
        return room

    def _seen(self, row: Cells) -> Seen | None:
        text = row.of("seen")
        known = SAID.get(text) or SAID.get(header_key(text)) or SAID.get(tidy_code(text).lower())
        if text and known is None:
            allowed = ", ".join(f"{number} {seen}" for number, seen in enumerate(Seen, start=1))
            self._wrong(row, "seen", f"{text!r} is none of {allowed}{did_you_mean(text, SAID)}")
        elif not text and row.of("time"):
            self._wrong(row, "seen", "is empty, and the row has a time")
        return known

    def _time(self, row: Cells, seen: Seen) -> int | None:
        """Return the minute of a visit."""
        if seen is Seen.NOT_ACCESSIBLE and not row.of("time"):
            return None
        date_text, time_text = row.of("date"), row.of("time")
        parts = re.split(r"[ T](?=\d{1,2}[:：时点])|(?<=日)(?=\d)", tidy_code(time_text), maxsplit=1)
        if len(parts) == 2:
            date_text, time_text = parts
        column = "time" if len(parts) == 2 or "date" not in row.where.columns else "date"
        try:
            if not time_text:
                raise ValueError("is empty: the time of the visit, such as 10:05, is what the evidence is asked for")
            hour, minute = _clock(time_text)
        except ValueError as error:
            self._wrong(row, "time", str(error))
            return None
        try:
            if not date_text:
                raise ValueError("is empty: write the date before the time, or in a column date 检查日期")
            on = day(date_text)
        except ValueError as error:
            self._wrong(row, column, str(error))
            return None
        at = datetime(on.year, on.month, on.day, hour, minute, tzinfo=self._zone)
        if at > self._now:
            self._wrong(row, column, f"{at:%Y-%m-%d %H:%M} is not over yet")
        elif on.isoformat() < self._draw.question.day:
            self._wrong(row, column, f"{on} is before {self._draw.question.day}, the day of the sample")
        return int(at.timestamp()) // 60 * MINUTE_NS


def _clock(text: str) -> tuple[int, int]:
    """Return hour and minute of 10:05, 10:05:00, 10时5分."""
    match = _TIME.fullmatch(tidy_code(text).replace(" ", ""))
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f"{text!r} is not a time such as 10:05")
    return int(match[1]), int(match[2])
