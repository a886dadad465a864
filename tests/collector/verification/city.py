"""
The page `golden_city.md`: its cases, and what stands in them as files and evidence.

    roster, school, calendar ─▶ sites.csv, devices.csv, calendars.yaml, targets.yaml     events ─▶ lines of a store

Nothing is computed here that the verifier computes: a sign of life has the time and the uptime that the page gives it.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from collector.calendars.calendar import Calendars
from collector.calendars.load import load as load_calendars
from collector.roster.read import read
from collector.roster.schema import Roster
from collector.roster.versions import Versions
from collector.targets.load import load as load_targets
from collector.targets.schema import Target
from contract.sample import Value
from tests.collector.verification.world import MINUTE_NS, MONDAY, SECOND_NS, World, at

PAGE = (Path(__file__).parent / "golden_city.md").read_text(encoding="utf-8")
SITES = {"a": "441802-9990000001", "b": "441802-9990000002", "s": "441802-9990000101"}
_NAMES = {"a": "示例小学", "b": "示例中学", "s": "示例广场"}
_ROLES = {
    "c": ("classroom", "windows-classroom-pc"),
    "p": ("projector", "pjlink-projector"),
    "ap": ("access-point", ""),
    "gw": ("gateway", ""),
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_COLUMNS = ("device", "role", "room_id", "class_name", "profile", "agent", "valid_from", "valid_to", "commissioned_on")
_WORDS = {
    "room": "room_id",
    "class": "class_name",
    "built": "commissioned_on",
    "from": "valid_from",
    "to": "valid_to",
    "agent": "agent",
}


class Case(NamedTuple):
    """One case: its lines, each as the cells that stand two blanks apart."""

    name: str
    lines: tuple[tuple[str, ...], ...]


def cases() -> list[Case]:
    """Return the cases of the page."""
    found = re.findall(r"^### (.+?)\n.*?```\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    return [case_of(name, block) for name, block in found]


def case_of(name: str, block: str) -> Case:
    """Return the case of a block of lines."""
    return Case(name, tuple(_cells(line) for line in block.strip().splitlines()))


def _cells(line: str) -> tuple[str, ...]:
    return tuple(re.split(r" {2,}", line.strip()))


def day(text: str) -> date:
    """Return the date of `Mon 1`."""
    name, number = text.split()
    return MONDAY + timedelta(days=_DAYS.index(name) + 7 * (int(number) - 1))


def name_of(short: str) -> str:
    """Return the id of a device, a room or a site: `a.c1`, `a/701`, `a`."""
    return SITES[short[0]] + short[1:]


def instant(text: str, on: date | None = None) -> int:
    """Return the instant of `Tue 1 08:30:10`, or of a time of the day `on`."""
    *named, clock = text.split()
    hour, minute, *second = map(int, clock.split(":"))
    found = day(" ".join(named)) if named else on
    assert found, f"{text}: of which day"
    return at(found) + (hour * 60 + minute) * MINUTE_NS + (second[0] if second else 0) * SECOND_NS


# ---- files


TARGETS = re.findall(r"```yaml\n# targets\n(.*?)```", PAGE, re.DOTALL)[0]


def targets_of(folder: Path) -> tuple[Target, ...]:
    """Return the targets of the page, read as an operator's file."""
    file = folder / "targets.yaml"
    file.write_text(TARGETS, encoding="utf-8")
    return load_targets(file).targets


def calendars_of(folder: Path, said: Sequence[str]) -> Calendars:
    """Return the calendars of the city, with what a case says of its days, read as an operator's file."""
    term, overrides, closures = ("Mon 0", "Sun 4"), [], []
    for text in said:
        kind, _, rest = text.partition(" ")
        if kind == "term":
            first, last = rest.split(" to ")
            term = first, last
        elif kind in ("holiday", "workday"):
            overrides.append(f"{day(rest)}: {{kind: {kind}, title: 示例}}")
        elif kind == "closed":
            where, _, on = rest.partition(" ")
            closures.append(f"{{where: {SITES[where]}, from: {day(on)}, to: {day(on)}, title: 停课}}")
        else:
            match = re.fullmatch(r"(\w) (\w+ \d) ([\d:]+) to ([\d:]+)", rest)
            assert kind == "maintenance", text
            assert match, text
            on = str(day(match[2]))
            window = f"from: {on} {match[3]}, to: {on} {match[4]}"
            closures.append(f"{{where: {SITES[match[1]]}, {window}, kind: maintenance, title: 检修}}")
    file = folder / "calendars.yaml"
    file.write_text(
        "holidays: none\ndefault: school\n"
        "calendars:\n"
        "  school:\n"
        "    title: 学校\n"
        f"    terms: [{{from: {day(term[0])}, to: {day(term[1])}, title: 学期}}]\n"
        f"    terms_from: {day('Mon 0')}\n"
        f"    terms_to: {day('Sun 4')}\n"
        "    service: 08:00-10:00\n"
        "    lessons: {mon-fri: [08:00-08:40, 08:50-09:30]}\n"
        "  square: {title: 广场, service: always, every_day: true}\n"
        f"overrides: {{{', '.join(overrides)}}}\n"
        f"closures: [{', '.join(closures)}]\n",
        encoding="utf-8",
    )
    return load_calendars(file)


def rosters_of(folder: Path, said: Sequence[tuple[str, str]], declared: str) -> list[tuple[date, Roster]]:
    """Return the versions of a roster, imported from CSV files as an operator does."""
    sites = folder / "sites.csv"
    rows = [("site", "name", "kind", "calendar", "declared_classes", "declared_source")]
    for short, site in SITES.items():
        how = ("public", "square") if short == "s" else ("school", "")
        rows.append((site, _NAMES[short], *how, *((declared, "示例报表") if short == "a" and declared else ("", ""))))
    _save(sites, rows)
    found: dict[date, list[tuple[str, ...]]] = {day("Mon 0"): []}
    for short, what in said:
        if short.startswith("since "):
            found[day(short.removeprefix("since "))] = []
        else:
            found[max(found)].append(_device(short, what))
    versions, devices = Versions(folder / "data"), folder / "devices.csv"
    for since, some in found.items():
        _save(devices, [_COLUMNS, *some])
        reading = read([sites, devices])
        assert not reading.findings, reading.findings
        versions.add(reading, since, "test")
    return [(version.effective, versions.roster(version)) for version in versions.every()]


def _save(file: Path, rows: Sequence[Sequence[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text).writerows(rows)


def _device(short: str, said: str) -> tuple[str, ...]:
    """Return the row of a device: `room 701, class 七(1)班, built Wed 1`."""
    kind = re.sub(r"\d", "", short.partition(".")[2])
    role, profile = _ROLES[kind]
    row = {"device": name_of(short), "role": role, "profile": profile}
    for part in said.split(", ") if said != "-" else ():
        word, _, value = part.partition(" ")
        column = _WORDS[word]
        is_date = column in ("valid_from", "valid_to", "commissioned_on")
        row[column] = str(day(value)) if is_date else name_of(value) if column == "agent" else value
    return tuple(row.get(column, "") for column in _COLUMNS)


# ---- evidence


class Evidence:
    """Turns events of a case into lines; what one `brings` late is all that came since the last time it was asked."""

    def __init__(self, agents: dict[str, str]) -> None:
        self.world = World()
        self._agents = agents
        self._fresh: list[int] = []

    def asked(self) -> None:
        """Note that it was asked."""
        self._fresh.clear()

    def add(self, on: str, short: str, said: str) -> None:
        """Add one event."""
        what, *rest = said.split(", ")
        kind, _, words = what.partition(" ")
        {
            "signs": self._signs,
            "stop": self._stop,
            "clockless": self._clockless,
            "behind": self._identity,
            "serial": self._identity,
            "display": self._display,
            "brings": self._brings,
        }[kind](day(on), short, (kind, words, *rest))

    def _point(self, measurement: str, short: str, time_ns: int, fields: dict[str, Value], reader: str = "") -> None:
        self.world.add(measurement, name_of(short), time_ns, fields, source=name_of(reader or short))
        self._fresh.append(time_ns)

    def _signs(self, on: date, short: str, said: tuple[str, ...]) -> None:
        since, until = _span(on, said[1])
        options = dict(_option(part) for part in said[2:])
        booted_ns = instant(options["booted"], on)
        said_first: dict[str, Value] = {"version": "0.1.0", "stop_marks": 1}
        self._point("identity", short, since, said_first)
        silent = [_span(on, options[name]) for name in ("gateway",) if name in options]
        for time_ns in range(since, until + 1, MINUTE_NS):
            fields: dict[str, Value] = {
                "boot": f"boot-{booted_ns}",
                "uptime_s": (time_ns - booted_ns) / SECOND_NS,
                "asleep_s": float(options.get("slept", "0 s").split()[0]),
                "lan": int(not any(a < time_ns <= b for a, b in silent)),
                "wan": 1,
                "broker": 1,
            }
            self._point("presence", short, time_ns, fields)

    def _stop(self, on: date, short: str, said: tuple[str, ...]) -> None:
        booted_ns = instant(_option(said[2])[1], on)
        self._point(
            "stop", short, instant(said[1], on), {"boot": f"boot-{booted_ns}", "reason": said[3], "asleep_s": 0.0}
        )

    def _clockless(self, on: date, short: str, said: tuple[str, ...]) -> None:
        fields: dict[str, Value] = {"epoch": "e", "seq": 7, "lines": 3, "held": 3, "clock": "unsynced"}
        self._point("delivery", short, instant(said[1], on), fields)

    def _identity(self, on: date, short: str, said: tuple[str, ...]) -> None:
        kind, what = said[:2]
        field, value = ("serial", what) if kind == "serial" else ("gateway_mac", f"94:83:c4:00:00:0{what[1]}")
        for part in said[2:]:
            self._point("identity", short, instant(part.removeprefix("at "), on), {field: value})

    def _display(self, on: date, short: str, said: tuple[str, ...]) -> None:
        power, _, times = said[1].partition(" ")
        since, until = _span(on, times)
        reader = said[2].removeprefix("read by ") if said[2:] else self._agents[short]
        for time_ns in range(since, until + 1, 5 * MINUTE_NS):
            self._point("display", short, time_ns + 5 * SECOND_NS, {"power": power}, reader)

    def _brings(self, on: date, short: str, said: tuple[str, ...]) -> None:
        assert self._fresh, "brings nothing"
        self.world.late(name_of(short), min(self._fresh), max(self._fresh), instant(said[1], on))


def _option(text: str) -> tuple[str, str]:
    """Return `booted 07:45` as a pair; `gateway silent 08:30 to 08:42` as that of `gateway`."""
    word, _, rest = text.partition(" ")
    return word, rest.removeprefix("silent ")


def _span(on: date, text: str) -> tuple[int, int]:
    since, until = text.split(" to ")
    return instant(since, on), instant(until, on)


def is_event(cells: Sequence[str]) -> bool:
    """Tell whether a line begins with a day."""
    return re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d", cells[0]) is not None


def index() -> Iterator[tuple[str, list[str], str, str]]:
    """Yield the rows of the index: rule, cases here, another page, a case there."""
    for line in PAGE.splitlines():
        if match := re.fullmatch(r"\| (.+?) \| (.+?) \| (golden\w*\.md): (.+?) \|", line):
            yield match[1], match[2].split(" · "), match[3], match[4]
