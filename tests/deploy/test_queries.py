"""Every query of every dashboard, run as Grafana runs it against a real influxd that holds a simulated city."""

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from collector.days import read_days
from collector.verify.causes import Cause
from collector.verify.units import Sums, day_kind
from deploy.grafana.promises import promises
from tests.deploy.city import City
from tests.deploy.grafana import Rows, Target, Value, config_of, dashboards, expand, options, panel_of, shown, targets

# A query that has nothing to say of this city, and why.
EMPTY_ON_PURPOSE: dict[str, str] = {}
PROMISED = promises()
# What a value of a unit can be at all: from, to.
BOUNDS = {
    "percentunit": (0, 1), "percent": (0, 100), "short": (0, 1e7), "ms": (0, 4 * 86_400_000), "s": (0, 5 * 86_400),
    "bps": (0, 1e10), "Mbits": (0, 1000), "bytes": (1e6, 1e9), "celsius": (0, 100), "dBm": (-100, 0),
    "suffix: 分钟": (0, 1e5), "suffix: min": (0, 1e5),
}  # fmt: skip
BOARDS = dashboards()


def choices(city: City, name: str) -> Iterator[dict[str, Value]]:
    """Yield what may be chosen in a dashboard: one device of each role, all counties or two of them."""
    criteria: dict[str, Value] = {"classes": PROMISED.classes, "hotspots": PROMISED.hotspots}
    if name.endswith(("/city", "/hotspots", "/centre")):
        counties = sorted({device.partition("-")[0] for device in city.roster.devices})
        sites = sorted({device.partition(".")[0] for device in city.of_role("access-point")})
        yield {**criteria, "county": ".*", "site": ".*"}
        yield {**criteria, "county": counties, "site": sites}
        return
    for profile in ("windows-classroom-pc", "pjlink-panel", "openwrt", "raspberry-pi-4"):
        for device in city.of_profile(profile)[:3]:
            site = device.partition(".")[0]
            yield {**criteria, "county": site.partition("-")[0], "site": site, "device": device}


def answer(city: City, name: str, target: Target) -> Rows:
    """Return what a query gives, all that may be chosen taken together."""
    found: Rows = []
    for variables in choices(city, name):
        query = expand(target.text, city.period, variables, target.panel.get("interval", ""))
        found += city.server.rows(query)
    return found


@pytest.mark.parametrize(
    ("name", "target"),
    [(name, one) for name in BOARDS for one in targets(name, BOARDS[name])],
    ids=lambda one: one.where if isinstance(one, Target) else "",
)
def test_every_query_of_a_panel_has_an_answer_of_the_right_size(city: City, name: str, target: Target) -> None:
    """Variables and macros expanded as Grafana does, a query is no error, is not empty, and its values can be so."""
    rows = answer(city, name, target)
    if target.where in EMPTY_ON_PURPOSE:
        assert not rows, f"{target.where} is not empty any more"
        return
    assert rows, target.where
    if "transformations" not in target.panel:
        _hold(target.panel, rows)


@pytest.mark.parametrize(
    ("name", "panel"),
    [
        (name, one)
        for name in BOARDS
        for one in BOARDS[name]["panels"]
        if "transformations" in one or "panelId" in json.dumps(one)
    ],
    ids=lambda one: one["title"] if isinstance(one, dict) else "",
)
def test_every_joined_table_shows_what_can_be_so(city: City, name: str, panel: dict[str, Any]) -> None:
    """What is joined, divided and sorted in the browser has every column that is kept, and values of their units."""
    rows: Rows = []
    for variables in choices(city, name):
        rows += shown(city.server, BOARDS[name], panel, city.period, variables)
    reduced = panel["options"].get("reduceOptions", {}).get("fields", "").strip("/")
    _hold(panel, [{k: v for k, v in row.items() if not reduced or re.fullmatch(reduced, k)} for row in rows])


def _hold(panel: Mapping[str, Any], rows: Rows) -> None:
    """Hold that there are rows, and that each number is possible in the unit that the panel gives it."""
    default, own = config_of(panel, "unit")
    numbers = [
        (column, own.get(column, default), value)
        for row in rows
        for column, value in row.items()
        if column.lower() != "time" and isinstance(value, int | float)
    ]
    assert rows, panel["title"]
    assert not numbers or any(value for _, _, value in numbers), f"{panel['title']}: nothing but zeros"
    for column, unit, value in numbers:
        low, high = BOUNDS[unit] if unit else (0, 1e7)
        assert low <= value <= high, f"{panel['title']} {column}: {value} {unit}"


@pytest.mark.parametrize("name", BOARDS)
def test_every_variable_offers_something_and_what_it_offers_is_real(city: City, name: str) -> None:
    """Counties, sites, devices and criteria are those of the city; people choose by name, queries get the id."""
    known = {
        "county": {device.partition("-")[0] for device in city.roster.devices},
        "site": {device.partition(".")[0] for device in city.roster.devices},
        "device": set(city.roster.devices),
    }
    for variable in BOARDS[name]["templating"]["list"]:
        if variable["type"] != "query":
            continue
        found: set[tuple[str, str]] = set()
        for chosen in choices(city, name):
            found |= set(
                options(
                    city.server.rows(expand(variable["query"]["query"], city.period, chosen)), variable.get("regex", "")
                )
            )
        assert found, f"{name} {variable['name']}"
        if variable["name"] in known:
            assert {value for _, value in found} <= known[variable["name"]]
            assert all(text and "|" not in text for text, _ in found)
        else:
            assert variable["current"]["value"] in {value for _, value in found}, "the criterion of the shipped targets"


@pytest.mark.parametrize("name", BOARDS)
def test_a_period_of_an_hour_has_names_and_choices(city: City, name: str) -> None:
    """In the middle of a day, where no midnight is: variables offer something, tables name what they list."""
    hour = city.period._replace(start=city.period.end - 3_600_000)
    for variable in BOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            found = [
                row
                for chosen in choices(city, name)
                for row in city.server.rows(expand(variable["query"]["query"], hour, chosen))
            ]
            assert found, f"{name} {variable['name']}"
    for panel in BOARDS[name]["panels"]:
        asked = [target["query"] for target in panel.get("targets", ()) if '"site_name"' in target.get("query", "")]
        for query in asked:
            rows = [row for chosen in choices(city, name) for row in city.server.rows(expand(query, hour, chosen))]
            assert rows, f"{name} {panel['title']}"


@pytest.mark.parametrize("name", BOARDS)
def test_every_annotation_has_marks(city: City, name: str) -> None:
    """Outages, faults and ends are marked where there were some, and the column that is shown is there."""
    for annotation in BOARDS[name]["annotations"]["list"]:
        target = annotation["target"]
        if "query" not in target:
            continue
        rows: Rows = []
        for chosen in choices(city, name):
            rows += city.server.rows(expand(target["query"], city.period, chosen))
        assert rows, f"{name} {annotation['name']}"
        assert all(target["textColumn"] in row for row in rows)
        assert all(not target["tagsColumn"] or target["tagsColumn"] in row for row in rows)


def test_classes_that_worked_are_those_of_the_judged_days(city: City) -> None:
    """The rate of a day is what the verifier makes of each platform: good, among those that were not off all day."""
    start, end = city.period.start * 10**6, city.period.end * 10**6
    kinds: dict[int, list[str]] = defaultdict(list)
    causes: Mapping[str, str] = {Cause.POWER_OFF: "excluded", Cause.ASLEEP: "excluded", Cause.EXCLUDED: "excluded"}
    for day in read_days(city.store(), start, end):
        if day.criterion == PROMISED.classes:
            minutes = day.record().minutes()
            kinds[day.day_start_ns // 10**6].append(_kind(minutes, causes))
    wanted = {day: some.count("good") / sum(kind != "never_on" for kind in some) for day, some in kinds.items()}
    rows = _rate(city, ".*")
    assert {row["Time"]: row["proven"] for row in rows} == pytest.approx(wanted)
    assert all(row["proven"] <= row["at best"] for row in rows)


def _kind(minutes: Mapping[str, int], causes: Mapping[str, str]) -> str:
    names: Mapping[str, str] = {Cause.WORKING: "good", Cause.AGENT_DOWN: "unknown", Cause.UNKNOWN: "unknown"}
    found: dict[str, int] = defaultdict(int)
    for cause, number in minutes.items():
        found[causes.get(cause) or names.get(cause, "bad")] += number
    return day_kind(
        Sums(**{"good": 0, "bad": 0, "unknown": 0, "excluded": 0} | found, agreed=minutes.get(Cause.EXCLUDED, 0)),
        PROMISED.minutes,
    )


def _rate(city: City, county: Value) -> Rows:
    panel = panel_of(BOARDS["en/city"], "Classes that worked, by day")
    chosen = {"county": county, "classes": PROMISED.classes}
    return shown(city.server, BOARDS["en/city"], panel, city.period, chosen)


def test_what_the_city_adds_up_is_what_its_devices_say(city: City) -> None:
    """Hotspots by day and lost minutes, read from the sums of sites, are those of the single devices."""
    board = BOARDS["en/city"]
    chosen: dict[str, Value] = {"county": ".*", "classes": PROMISED.classes, "hotspots": PROMISED.hotspots}
    counted = " + ".join(f"sum({cause})" for cause in PROMISED.hotspots_count)
    days = f'SELECT sum(working) * 1.0 / ({counted}) AS works FROM "evidence"."availability" '
    days += "WHERE criterion = '$hotspots' AND $timeFilter GROUP BY time(1d) fill(none) tz('Asia/Shanghai')"
    shown_days = shown(city.server, board, panel_of(board, "Hotspots, by day"), city.period, chosen)
    assert {row["Time"]: row["works"] for row in shown_days} == pytest.approx(
        {row["time"]: row["works"] for row in city.server.rows(expand(days, city.period, chosen))}
    )
    names = {"service_down": "S service down", "wan_down": "N Internet down", "lan_down": "L LAN down"}
    lost = ", ".join(f"sum({cause}) AS {cause}" for cause in names)
    (wanted,) = city.server.rows(
        expand(
            f'SELECT {lost} FROM "evidence"."availability" WHERE criterion = \'$classes\' AND $timeFilter',
            city.period,
            chosen,
        )
    )
    schools = shown(city.server, board, panel_of(board, "Schools, the worst first"), city.period, chosen)
    assert any(wanted[cause] for cause in names)
    for cause, name in names.items():
        assert sum(row[name] for row in schools) == wanted[cause]


def test_choosing_a_county_leaves_the_others_out(city: City) -> None:
    """The platforms of two counties chosen together are those of each, and fewer than those of the city."""
    panel = panel_of(BOARDS["en/city"], "Classroom platforms (roster)")
    counties = sorted({device.partition("-")[0] for device in city.of_role("classroom")})[:2]

    def platforms(county: Value) -> int:
        rows = city.server.rows(expand(panel["targets"][0]["query"], city.period, {"county": county}))
        return int(rows[-1]["sum"])

    one, other = (platforms([county]) for county in counties)
    assert platforms(counties) == one + other
    assert platforms(".*") == len(city.of_role("classroom")) > one + other


def test_hotspots_that_work_are_those_that_really_did(city: City) -> None:
    """At the end of the period as many hotspots are up as the truth has, but for one that just changes."""
    panel = panel_of(BOARDS["en/city"], "Hotspots that work")
    (row,) = city.server.rows(expand(panel["targets"][0]["query"], city.period, {"county": ".*"}))
    with sqlite3.connect(city.folder / "truth.sqlite") as truth:
        at = city.period.end - 60_000
        (up,) = truth.execute(
            "SELECT count(*) FROM state JOIN device USING (device) WHERE role = 'hotspot' AND layer = 'journey' "
            "AND state = 'done' AND start_ms <= ? AND end_ms > ?",
            (at, at),
        ).fetchone()
    assert abs(row["count"] - up) <= 1
    assert 0 < up <= len(city.of_role("access-point"))


def test_the_worst_schools_come_first_and_lead_to_their_page(city: City) -> None:
    """Rows are sorted by the share that works, have names from the roster, and the ids that a link needs."""
    panel = panel_of(BOARDS["en/city"], "Schools, the worst first")
    rows = shown(city.server, BOARDS["en/city"], panel, city.period, {"county": ".*", "classes": PROMISED.classes})
    assert [row["works"] for row in rows] == sorted(row["works"] for row in rows)
    assert {row["school"] for row in rows} <= {site.name for site in city.roster.sites.values()}
    assert {row["site"] for row in rows} == {device.partition(".")[0] for device in city.of_role("classroom")}
    assert all(0 <= row["works"] <= 1 for row in rows)


def test_counties_are_the_sums_of_their_schools(city: City) -> None:
    """What is added up in the browser comes to the same as if the store had added it up."""
    board = BOARDS["en/city"]
    chosen: dict[str, Value] = {"county": ".*", "classes": PROMISED.classes}
    counties = shown(city.server, board, panel_of(board, "By county"), city.period, chosen)
    counted = " + ".join(f"sum({cause})" for cause in PROMISED.classes_count)
    query = expand(
        f'SELECT sum(working) * 1.0 / ({counted}) AS works FROM "evidence"."availability" '
        "WHERE criterion = '$classes' AND $timeFilter GROUP BY county",
        city.period,
        chosen,
    )
    assert {row["county"]: row["works"] for row in counties} == pytest.approx(
        {row["county"]: row["works"] for row in city.server.rows(query)}
    )


def test_a_school_without_any_evidence_is_among_the_worst(city: City) -> None:
    """What is unknown counts: a school that never reported works for nothing, it is not left out."""
    panel = panel_of(BOARDS["en/school"], "Classes")
    never = {device for device in city.of_role("classroom") if device not in _reported(city)}
    assert never, "two classes in a hundred exist on paper alone"
    for device in never:
        site = device.partition(".")[0]
        chosen = {"county": site.partition("-")[0], "site": site, "classes": PROMISED.classes}
        rows = {row["device"]: row for row in shown(city.server, BOARDS["en/city"], panel, city.period, chosen)}
        assert rows[device]["works"] == 0
        assert rows[device]["? no evidence"] > 0
        assert rows[device]["class"] == city.roster.devices[device].class_name


def _reported(city: City) -> set[str]:
    return set(city.store().devices(city.period.start * 10**6, city.period.end * 10**6))


def test_interface_rates_are_those_of_the_counters(city: City) -> None:
    """A simulated machine takes 9,000 bytes a second: 72 kbit/s on the panel, and never below zero after a reboot."""
    panel = panel_of(BOARDS["en/device"], "Interface rates")
    device = city.of_role("access-point")[0]
    query = expand(panel["targets"][0]["query"], city.period, {"device": device}, panel["interval"])
    values = sorted(
        row["non_negative_derivative"] if "non_negative_derivative" in row else _only(row)
        for row in city.server.rows(query)
    )
    assert values[0] >= 0
    assert values[len(values) // 2] == pytest.approx(72_000, rel=0.05)


def _only(row: Mapping[str, Any]) -> float:
    return float(next(value for name, value in row.items() if name not in ("time", "name")))


def test_points_a_second_are_those_that_the_collector_counted(city: City) -> None:
    """3,000 points a minute are 50 a second."""
    panel = panel_of(BOARDS["en/centre"], "Points stored a second")
    rows = city.server.rows(expand(panel["targets"][0]["query"], city.period, {}, panel["interval"]))
    assert [_only({k: v for k, v in row.items() if k != "device"}) for row in rows] == pytest.approx([50.0] * len(rows))


@pytest.mark.parametrize("name", BOARDS)
def test_no_query_of_weeks_reads_single_minutes(name: str) -> None:
    """What may show a city over weeks reads sums by site and day; minutes are read of one site, or of hours."""
    if not name.endswith("/city"):
        return
    for target in targets(name, BOARDS[name]):
        measurements = set(re.findall(r'"(?:evidence|telemetry)"\."(\w+)"', target.text))
        assert measurements <= {"site_availability", "site_roster"} or "${__to}ms - 15m" in target.text, target.where
