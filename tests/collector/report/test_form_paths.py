"""What paths of a mapping file lead to in a tree of any keys, and what is said of those that lead nowhere."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from collector.report.form_paths import BadPath, Record, listed, scalar, steps_of, walk
from collector.report.form_records import Rows, Source, normal, sites_of
from collector.report.form_schema import Form, Table, Value
from collector.report.form_schema import Rows as Range
from collector.report.form_schema import Source as Each
from collector.report.form_words import Vocabulary
from collector.roster.schema import Site
from contract.errors import Problem

REPORT: dict[str, Any] = {
    "number": "R-1",
    "from": "2026-03-02",
    "basis": {"roster": {"sha256": "ab.cd"}, "odd.key": 1},
    "targets": [
        {"id": "online", "rate": {"low": 0.29, "high": 1.0}, "verdict": "fail", "title": {"zh": "联网", "en": "online"},
         "counts": {"proven": 3, "total": 0}, "minutes": {"wan_down": 5},
         "units": [{"id": "441802-1.c1", "site": "441802-1", "verdict": "fail", "rate": None},
                   {"id": "441803-2.c1", "site": "441803-2", "verdict": "pass", "rate": {"low": 0.5}, "extra": 7},
                   {"id": "441803-2.c2", "site": "441803-2", "verdict": "pass", "rate": {"low": 0.7}}]},
        {"id": "fast", "rate": None, "units": [], "counts": {"proven": 1, "total": 2}, "minutes": {},
         "sites": [{"id": "441803-2", "counts": {"proven": 9}}]},
    ],
    "disputes": [{"number": 4, "open": True, "scope": {"site": "441802-1"}}, {"number": 5, "open": False, "scope": {}}],
    "visits": [{"site": {"id": "441802-1", "name": "一小"}, "fixes": [{"unit": "a"}, {"unit": "b"}]},
               {"site": {"id": "441803-2", "name": ""}, "fixes": []}],
    "contracts": [{"operator": "电信", "counts": {"pass": 2}}],
    "outside": [{"id": "villages"}],
    "made": {"at": "2026-04-01T09:30:00+08:00"},
}  # fmt: skip
ROOT = Record(REPORT, None, is_entry=True)
FORM = Form(Path("x.xlsx"), names={"市一小": "441802-1"})
WORDS = Vocabulary({"pass": "是"}, {"441802": "清城区"})
SOURCE = Source(ROOT, sites_of(REPORT, {"441803-2": Site("441803-2", "二小", operator="移动")}, FORM), WORDS)


def of(path: str) -> Any:
    """Return what a value is in the report."""
    return SOURCE.value(Value.parse(path), None)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("number", "R-1"),
        ("targets.online.rate.low", 0.29),
        ("targets.fast.rate.low", None),
        ("targets[online].counts.proven", 3),
        ("targets.online.units[441802-1.c1].verdict", "fail"),
        ("targets.online.units[verdict=fail].site", "441802-1"),
        ("targets.online.units[verdict=pass] | count", 2),
        ("targets.online.units[] | count", 3),
        ("targets.online.units | count", 3),
        ("targets.online.minutes | count", 1),
        ("targets.online.units[verdict=fail] | count", 1),
        ("targets.fast.rate | count", None),
        ("targets.villages.counts.proven", None),
        ("visits[].fixes[] | count", 2),
        ("visits[site.id=441802-1].site.name", "一小"),
        ("visits.441802-1.site.name", "一小"),
        ("disputes.4.open", True),
        ("disputes[number=4].scope.site", "441802-1"),
        ("basis.roster.sha256", "ab.cd"),
        ("basis[odd.key]", 1),
        ("contracts.电信.counts.pass", 2),
        ("contracts.电信.counts.fail", 0),
        ("targets.online.minutes.lan_down", 0),
        ("targets.fast.minutes.lan_down", None),
        ("targets.fast.counts.proven / targets.fast.counts.total", 0.5),
        ("targets.fast.counts.proven / targets.fast.counts.total | percent", 50),
        ("targets.online.counts.proven / targets.online.counts.total", None),
        ("targets.online.rate.low | percent", 29.0),
        ("targets.online.title | en", "online"),
        ("targets.online.verdict | zh", "不达标"),
        ("disputes.4.open | zh", "是"),
        ("disputes.5.open | en", "no"),
        ("from | date", date(2026, 3, 2)),
        ("from | date-zh", "2026年3月2日"),
        ("made.at | time", datetime(2026, 4, 1, 9, 30)),  # noqa: DTZ001  as people's clocks show it
        (
            "自{from | date-zh}起，{targets.online.rate.low | percent}，{targets.fast.rate.low}",
            "自2026年3月2日起，29%，–",
        ),
    ],
)
def test_paths_lead_to_values(path: str, value: object) -> None:
    """Keys, entries by their identity or by a condition, counts, ratios, formats; what is not there is nothing."""
    assert of(path) == value
    assert type(of(path)) in {type(value), int, float}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tragets", "has no 'tragets', did you mean targets"),
        ("targets.onlin.rate", "targets has no 'onlin', did you mean online"),
        ("targets.online.counts.xyz", "targets.online.counts has no 'xyz'; there are proven, total"),
        ("targets.online.minutes.lan_up", "has no 'lan_up'; there are wan_down, agent_down, asleep"),
        ("targets.online.counts.pass", "targets.online.counts has no 'pass'"),
        ("number.low", "number.low: number is no table of names and values"),
        ("basis[]", "basis[]: basis is no list"),
        ("targets.online.units[verdct=fail].id", "its entries have no 'verdct', did you mean verdict"),
        ("targets.online.units[verdict=pass].id", "leads to 2 entries, not one: name one by [key=value]"),
        ("targets.online.units[verdict=none].id", "leads to nothing"),
        ("targets.online.units", "is a list: take `| count`, or an entry, which no cell can hold"),
        ("targets.online.rate", "is a table of low, high, which no cell can hold"),
        ("number | percent", "'R-1' is no number"),
        ("number | date", "'R-1' is no date"),
        ("number / number", "number is no number"),
        ("targets.fast.counts.proven | zh", "1 has no words: leave `| zh` off"),
        ("targets.online.units[=site].id", "stands outside a table"),
    ],
)
def test_paths_that_lead_nowhere_say_where_they_end(path: str, said: str) -> None:
    """With what is there, or what was meant."""
    with pytest.raises(BadPath, match=r".") as caught:
        of(path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", ["a b", "a |", "a / b / c", "{a", "a}", "a | xx", "a..b", "a / b | zh", "", "{}", "a]"]
)
def test_what_is_no_value_is_refused(text: str) -> None:
    """Before any report is there."""
    with pytest.raises(ValueError, match=r"."):
        Value.parse(text)


@pytest.mark.parametrize("text", ["0", "7-6", "a", "5-", "1-1048577", "99999999"])
def test_what_are_no_rows_is_refused(text: str) -> None:
    """A sheet has rows 1 to 1,048,576."""
    with pytest.raises(ValueError, match="rows"):
        Range.parse(text)


def rows(problems: list[Problem], each: str, **more: Any) -> Rows:
    """Return the entries of a table."""
    return Rows(SOURCE, Table("s", Range(1), Each.parse(each), {}, **more), "t", problems)


def column(some: Rows, text: str) -> list[Any]:
    """Return a column of a table."""
    return some.column("A", Value.parse(text))


def test_columns_of_entries() -> None:
    """Fields, the row's number, the entry around, the site, the same site elsewhere; keys that only some have."""
    problems: list[Problem] = []
    units = rows(problems, "targets.online.units")
    assert column(units, "row") == [1, 2, 3]
    assert column(units, "extra") == [None, 7, None]
    assert column(units, "rate.low") == [None, 0.5, 0.7]
    assert column(units, "up.id") == ["online"] * 3
    assert column(units, "report.number") == ["R-1"] * 3
    assert column(units, "of_site.name") == ["市一小", "二小", "二小"]
    assert column(units, "of_site.operator") == [None, "移动", "移动"]
    assert column(units, "of_site.county | zh") == ["清城区", "441803", "441803"]
    assert column(units, "report.targets.fast.sites[=site].counts.proven") == [None, 9, 9]
    assert column(units, "verdict | zh") == ["不达标", "是", "是"]
    assert column(rows(problems, "visits[].fixes"), "{row}. {unit} {up.site.id}") == ["1. a 441802-1", "2. b 441802-1"]
    assert column(units, "report.targets.villages.sites[=site].id") == [None] * 3
    assert rows(problems, "targets.villages.units").records == []
    assert not problems


def test_entries_are_chosen_and_sorted() -> None:
    """By one or several values of a field, by several fields, descending with -, what has no value last."""
    problems: list[Problem] = []
    assert column(rows(problems, "targets.online.units", where={"of_site.county": 441803}), "id") == [
        "441803-2.c1", "441803-2.c2"
    ]  # fmt: skip
    assert len(rows(problems, "targets.online.units", where={"verdict": ["pass", "fail"]}).records) == 3
    assert column(rows(problems, "targets.online.units", sort=("-rate.low",)), "rate.low") == [0.7, 0.5, None]
    assert column(rows(problems, "targets.online.units", sort=("verdict", "-id")), "id") == [
        "441802-1.c1", "441803-2.c2", "441803-2.c1"
    ]  # fmt: skip
    assert not problems


def test_mistakes_in_tables_are_said_once_each() -> None:
    """A field that no entry has, a list that is none, a filter or an order by a key that is not there."""
    problems: list[Problem] = []
    some = rows(problems, "targets.online.units", where={"sit": "x"}, sort=("idd",))
    assert [one.path for one in problems] == ["t.where.sit"]
    some = rows(problems, "targets.online.units", sort=("idd",))
    column(some, "verdickt")
    rows(problems, "number")
    column(rows(problems, "contracts"), "of_site.name")
    assert problems[1:] == [
        Problem("t.sort[0]", "has no 'idd', did you mean id"),
        Problem("t.columns.A", "has no 'verdickt', did you mean verdict"),
        Problem("t.each", "number is no list"),
        Problem("t.columns.A", "of_site: these entries are of no site"),
    ]


def test_names_are_compared_as_people_read_them() -> None:
    """Width, blanks and capitals make no difference; a code that Excel holds as a number is one."""
    assert normal("清城 一小（东区）A") == normal("清城一小(东区)ａ")
    assert normal(441802.0) == normal("441802")


def test_steps_keep_what_stands_in_brackets() -> None:
    """An id with dots and slashes is one step."""
    found = walk(ROOT, steps_of("targets[online].units[441803-2.c1].rate.low"))
    assert scalar(found, "x") == 0.5
    assert [one.value["id"] for one in listed(walk(ROOT, steps_of("targets")), "targets")] == ["online", "fast"]
