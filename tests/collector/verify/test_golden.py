"""The page of cases that people check by hand, `golden.md`, checked by the machine."""

import re
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from collector.calendars.schedule import DayKind, DaySchedule, Hours, Window
from collector.roster.schema import Device
from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.day import judge
from collector.verify.evidence import Evidence, Identified, Presence, Reading, Stop
from collector.verify.integrity import doubted, findings
from contract.settings import Seconds
from tests.collector.verify.minutes import minutes_in

SECOND_NS = 1_000_000_000
START_NS = 1_788_220_800 * SECOND_NS  # 2026-09-01T00:00:00Z, 08:00 in Qingyuan
DAY_NS = 1440 * MINUTE_NS
LETTERS = {
    "w": Cause.WORKING, "s": Cause.SERVICE_DOWN, "n": Cause.WAN_DOWN, "l": Cause.LAN_DOWN, "p": Cause.POWER_OFF,
    "z": Cause.ASLEEP, "a": Cause.AGENT_DOWN, "u": Cause.UNKNOWN, "x": Cause.EXCLUDED,
}  # fmt: skip
SITES = {"a": "441802-3144000001", "b": "441802-3144000002"}
PAGE = (Path(__file__).parent / "golden.md").read_text()


class Case(NamedTuple):
    """One case of the page: its lines, by their first word."""

    name: str
    lines: dict[str, list[list[str]]]

    def words(self, name: str) -> list[str]:
        """Return the words of a line that stands there once at most."""
        return self.lines[name][0] if name in self.lines else []


def cases(with_line: str) -> list[Case]:
    """Return the cases of the page that have such a line."""
    found = []
    for name, block in re.findall(r"^### (.+?)\n.*?```\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE):
        lines = defaultdict(list)
        for line in block.splitlines():
            word, *rest = line.split()
            lines[word].append(rest)
        if with_line in lines:
            found.append(Case(name, dict(lines)))
    return found


def instant(text: str) -> int:
    """Return the instant of `minute:second`."""
    minute, second = text.split(":")
    return START_NS + int(minute) * MINUTE_NS + int(second) * SECOND_NS


def presences(words: list[str]) -> list[Presence]:
    """Return the signs of life of a line."""
    found = []
    booted: dict[str, float] = {}
    asleep = 0.0
    for number, word in enumerate(words):
        if word == ".":
            continue
        parts = re.fullmatch(r"([A-Z])([\d.]*)(?:~(\d+))?(![ln])?", word)
        assert parts, word
        boot, uptime, slept, fails = parts.groups()
        end_s = (number + 1) * 60.0
        booted.setdefault(boot, end_s - float(uptime or 86_400))
        asleep += float(slept or 0)
        time_ns = START_NS + (number + 1) * MINUTE_NS
        lan, wan = int(fails != "!l"), int(fails is None)
        found.append(Presence(time_ns, boot, end_s - booted[boot], asleep if boot == "A" else 0.0, lan, wan))
    return found


def stop(at: str, boot: str, *why: str) -> Stop:
    """Return a stop mark; `~90` among the words: the machine had slept 90 s, `~?`: the mark does not say."""
    slept = next((word[1:] for word in why if word.startswith("~")), "0")
    reason = " ".join(word for word in why if not word.startswith("~"))
    return Stop(instant(at), boot, reason, None if slept == "?" else float(slept))


def windows(words: list[str]) -> tuple[Window, ...]:
    """Return the windows of `from-to` columns, both included."""
    pairs = [word.split("-") for word in words if word != "none"]
    return tuple(Window(START_NS + int(a) * MINUTE_NS, START_NS + (int(b) + 1) * MINUTE_NS) for a, b in pairs)


def conditions(case: Case) -> tuple[tuple[Condition, ...], dict[tuple[int, int], list[Reading]]]:
    """Return what a case asks for, and the readings of it."""
    asked: list[Condition] = []
    readings = {}
    if "network" in case.lines:
        asked += [Condition("presence.lan", equals=("1",)), Condition("presence.wan", equals=("1",))]
    if "probe" in case.lines:
        rows = [
            Reading(START_NS + n * MINUTE_NS + 40 * SECOND_NS, float(word[0]), word[2:])
            for n, word in enumerate(case.words("probe"))
            if word != "."
        ]
        readings[0, len(asked)] = rows
        asked.append(Condition("probe.success", equals=("1",)))
    if "display" in case.lines:
        rows = [
            Reading(START_NS + n * MINUTE_NS + 5 * SECOND_NS, word)
            for n, word in enumerate(case.words("display"))
            if word != "."
        ]
        readings[0, len(asked)] = rows
        asked.append(
            Condition("display.power", equals=("on",), every=Seconds(300), otherwise={"standby": Cause.ASLEEP})
        )
    return tuple(asked), readings


@pytest.mark.parametrize("case", cases("causes"), ids=lambda case: case.name)
def test_minutes(case: Case) -> None:
    """Each case on the page has the causes that stand there."""
    columns = len(case.words("seen"))
    end_ns = START_NS + columns * MINUTE_NS
    asked, readings = conditions(case)
    evidence = Evidence(
        presences(case.words("seen")),
        tuple(stop(*words) for words in case.lines.get("stop", [])),
        readings,
        tuple(instant(word) for word in case.words("clockless")),
        tuple(windows(case.words("doubted"))),
        has_marks="marks" not in case.lines,
    )
    device = Device(f"{SITES['a']}.c0101", "panel", agent=f"{SITES['a']}.gateway" if "beside" in case.lines else "")
    criterion = Criterion((Proof(asked),) if asked else (), Hours.SERVICE)
    horizon_ns = START_NS + int((case.words("asked") or [str(columns)])[0]) * MINUTE_NS
    hours = windows(case.words("hours")) if "hours" in case.lines else (Window(START_NS, end_ns),)
    split_ns = START_NS + int((case.words("midnight") or ["0"])[0]) * MINUTE_NS
    found = ["-"] * columns
    records = []
    for since_ns, until_ns in ((split_ns - DAY_NS, split_ns), (split_ns, split_ns + DAY_NS)):
        parts = [Window(max(a, since_ns), min(b, until_ns)) for a, b in hours if a < until_ns and b > since_ns]
        schedule = DaySchedule(
            date(2026, 9, 1), DayKind.WORKDAY, "", since_ns, until_ns, tuple(parts), (), windows(case.words("excluded"))
        )
        records.append(judge(device, schedule, criterion, evidence, horizon_ns))
    letters = {cause: letter for letter, cause in LETTERS.items()}
    for record in records:
        for minute in minutes_in(record.runs):
            stage = f":{minute.stage}" if minute.stage else ""
            found[(minute.start_ns - START_NS) // MINUTE_NS] = letters[minute.cause] + stage
    assert " ".join(found) == " ".join(case.words("causes"))
    assert any(record.is_open for record in records) == ("open" in case.lines)


def identified(case: Case) -> dict[str, list[Identified]]:
    """Return what the agents of a case said: twice a day."""
    words = {(kind, line[0]): line[1:] for kind in ("serial", "gateway") for line in case.lines.get(kind, [])}
    found: dict[str, list[Identified]] = defaultdict(list)
    for (kind, device), days in words.items():
        for day, word in enumerate(days):
            for hour in (1, 9) if word != "." else ():
                at_ns = START_NS + day * DAY_NS + hour * 60 * MINUTE_NS
                mac = f"00:00:5e:00:01:0{word[1]}" if word[0] == "V" else f"94:83:c4:00:00:0{word[1]}"
                row = Identified(at_ns, serial=word) if kind == "serial" else Identified(at_ns, gateway_mac=mac)
                found[full_id(device)].append(row)
    return found


def full_id(short: str) -> str:
    """Return the device of `a.1`."""
    site, place = short.split(".")
    return f"{SITES[site]}.c{place}"


@pytest.mark.parametrize("case", cases("finds"), ids=lambda case: case.name)
def test_integrity(case: Case) -> None:
    """Each case on the page has the findings that stand there, and doubts the devices and days that stand there."""
    found = findings(identified(case))
    expected = [[kind, *map(full_id, devices)] for kind, *devices in case.lines["finds"] if kind != "nothing"]
    assert sorted([str(one.kind), *one.devices] for one in found) == sorted(expected)
    periods = doubted(found)
    for device, *days in case.lines["doubt"]:
        noon = [START_NS + day * DAY_NS + 5 * 60 * MINUTE_NS for day in range(len(days))]
        marks = [
            "d" if any(since <= at < until for since, until in periods.get(full_id(device), ())) else "." for at in noon
        ]
        assert " ".join(marks) == " ".join(days), device


def test_every_rule_about_minutes_has_a_case() -> None:
    """No rule that the page must show is missing, and each case has a name of its own."""
    names = [case.name for case in (*cases("causes"), *cases("finds"))]
    assert len(names) == len(set(names)) == PAGE.count("\n### ")
    rules = (
        "midnight", "make-up workday", "holiday", "maintenance", "two boots in a minute", "agent killed, then reboot",
        "stop mark missing", "sleep", "off between lessons", "observer gone", "never seen", "late evidence",
        "replaced hardware", "number clash", "moved device", "whole school's gateway changed", "shared gateway",
    )  # fmt: skip
    assert not set(rules) - set(names)
