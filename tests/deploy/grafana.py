"""
What Grafana 11.6 and later do with a dashboard of ours, as far as its data source for InfluxDB goes.

    variables ▶ macros ▶ POST /query ▶ the first result ▶ table or series ▶ join, divide, sort, keep columns

Written from what its documentation and behaviour say, for want of a Grafana: no server can be installed where these
tests run. What is left in `$` after that is a mistake, and raises.
"""

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from deploy.grafana.__main__ import HERE

DASHBOARDS = HERE / "dashboards"
Rows = list[dict[str, Any]]
Value = str | list[str]
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
_SPECIAL = re.compile(r"([\\^$*+?.()|{}\[\]/])")
_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
MOST_SERIES = 1000  # what the data source reads of one answer, where nothing else is set


class Period(NamedTuple):
    """The chosen period, unix ms, and how wide a panel is in points."""

    start: int
    end: int
    points: int = 1000

    def interval_ms(self, least: str = "") -> int:
        """Return `$__interval_ms`: the period over the width, rounded up to what people count in, not below `least`."""
        wanted = (self.end - self.start) / self.points
        steps = (1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000)
        found = next((step for step in steps if step >= wanted), 3_600_000)
        return max(found, _MS[least[-1]] * int(least[:-1]) if least else 0)


class Target(NamedTuple):
    """A query in a dashboard: where it stands, its text, its form, and the panel it belongs to."""

    where: str
    text: str
    form: str
    panel: dict[str, Any]


def dashboards(language: str = "*") -> dict[str, dict[str, Any]]:
    """Return the committed dashboards, by language and name."""
    files = sorted(DASHBOARDS.glob(f"{language}/*.json"))
    return {f"{file.parent.name}/{file.stem}": json.loads(file.read_text(encoding="utf-8")) for file in files}


def targets(name: str, board: Mapping[str, Any]) -> Iterator[Target]:
    """Yield every query of every panel."""
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            if "query" not in target:
                continue  # it shows what another panel asks for
            where = f"{name} {panel.get('title', '')!r} {target['refId']}"
            yield Target(where, target["query"], target["resultFormat"], panel)


def config_of(panel: Mapping[str, Any], key: str) -> tuple[Any, dict[str, Any]]:
    """Return what a panel says of all its fields, and of some by their names: unit, mappings."""
    config = panel.get("fieldConfig", {})
    own = {
        override["matcher"]["options"]: one["value"]
        for override in config.get("overrides", ())
        for one in override["properties"]
        if one["id"] == key
    }
    return config.get("defaults", {}).get(key), own


def panel_of(board: Mapping[str, Any], title: str) -> dict[str, Any]:
    """Return the panel with a title."""
    found = [panel for panel in board["panels"] if panel.get("title") == title]
    assert len(found) == 1, title
    return dict(found[0])


# ---- variables and macros


def expand(text: str, period: Period, variables: Mapping[str, Value], least: str = "") -> str:
    """Return the text that goes to InfluxDB; LookupError for a variable that the dashboard does not have."""
    many = {name for name, value in variables.items() if isinstance(value, list)}

    def value_of(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        if name in ("timeFilter", "__interval", "__interval_ms"):
            return match[0]  # macros are for the server half
        if name in ("__from", "__to"):
            return str(period.start if name == "__from" else period.end)
        value = variables[name]
        if isinstance(value, list):
            return f"({'|'.join(map(_escaped, value))})"
        in_pattern = re.search(rf"/[^/]*\${name}\b[^/]*/", text) is not None
        as_it_is = value == ".*" or not in_pattern or name in many or _begins_with_a_number(value)
        return value if as_it_is else _escaped(value)

    interval = period.interval_ms(least)
    said = _VARIABLE.sub(value_of, text)
    said = said.replace("$timeFilter", f"time >= {period.start}ms and time <= {period.end}ms")
    said = said.replace("$__interval_ms", str(interval)).replace("$__interval", _duration(interval))
    left = re.search(r"\$\{?\w+", said)
    if left:
        raise LookupError(f"{left[0]} in {text}")
    return said


def _escaped(value: str) -> str:
    return _SPECIAL.sub(r"\\\1", value)


def _begins_with_a_number(value: str) -> bool:
    """Tell what Grafana takes for a number, and never escapes: county codes and ids of ours begin with one."""
    return re.match(r"\s*-?\d", value) is not None


def _duration(ms: int) -> str:
    unit = next(unit for unit in ("d", "h", "m", "s") if ms % _MS[unit] == 0)
    return f"{ms // _MS[unit]}{unit}"


def options(rows: list[dict[str, Any]], pattern: str) -> list[tuple[str, str]]:
    """Return what a variable can be chosen from, (text, value), by its pattern with the groups `text` and `value`."""
    found = []
    python = re.sub(r"\(\?<(\w+)>", r"(?P<\1>", pattern.strip("/"))
    for row in rows:
        said = next(str(value) for name, value in row.items() if name not in ("time", "key"))
        match = re.search(python, said) if python else None
        groups = match.groupdict() if match else {"text": said, "value": said}
        found.append((groups["text"], groups["value"]))
    return sorted(set(found))


# ---- the wire


class Server(NamedTuple):
    """The data source: an InfluxDB and its database, asked as Grafana's server half does."""

    url: str
    database: str

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the series of the first result; AssertionError for an error, or more series than are read."""
        where = urllib.parse.urlencode({"db": self.database, "epoch": "ms"})
        body = urllib.parse.urlencode({"q": query}).encode()
        with urllib.request.urlopen(f"{self.url}/query?{where}", body, timeout=60) as answer:  # noqa: S310
            (result, *others) = json.load(answer)["results"]
        assert not others, f"of several statements the first alone is shown: {query}"
        assert "error" not in result, f"{result.get('error')}: {query}"
        series = list(result.get("series", []))
        assert len(series) <= MOST_SERIES, f"{len(series)} series: {query}"
        return series

    def rows(self, query: str) -> Rows:
        """Return the answer as rows: the tags of a series, and its columns."""
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
            for series in self.ask(query)
            for values in series["values"]
        ]


def shown(
    server: Server, board: Mapping[str, Any], panel: Mapping[str, Any], period: Period, variables: Mapping[str, Value]
) -> Rows:
    """Return the rows of a panel of tables, its transformations applied; of another panel's where it shows those."""
    tables = []
    for target in panel["targets"]:
        if "panelId" in target:
            (other,) = (one for one in board["panels"] if one["id"] == target["panelId"])
            assert target["withTransforms"] and other is not panel
            tables.append(shown(server, board, other, period, variables))
            continue
        rows = server.rows(expand(target["query"], period, variables, panel.get("interval", "")))
        tables.append([{("Time" if name == "time" else name): value for name, value in row.items()} for row in rows])
    joined = tables[0]
    for step in panel.get("transformations", ()):
        joined = _TRANSFORMATIONS[step["id"]](tables, joined, step["options"])
    return joined


def _join(tables: list[Rows], _rows: Rows, how: Mapping[str, Any]) -> Rows:
    field, is_inner = how["byField"], how["mode"] == "inner"
    first, *others = tables
    empty = dict.fromkeys(name for table in others for row in table for name in row)
    kept = []
    for row in first:
        matches = [next((other for other in table if other[field] == row[field]), None) for table in others]
        if is_inner and None in matches:
            continue
        kept.append({**empty, **{k: v for match in matches for k, v in (match or {}).items() if k != "Time"}, **row})
    return kept


def _divide(_tables: list[Rows], rows: Rows, how: Mapping[str, Any]) -> Rows:
    left, right = (how["binary"][side]["matcher"]["options"] for side in ("left", "right"))
    return [{**row, how["alias"]: row[left] / row[right]} for row in rows]


def _keep(tables: list[Rows], rows: Rows, how: Mapping[str, Any]) -> Rows:
    names = how["include"]["names"]
    for row in rows:
        assert row.keys() >= set(names) or not all(tables), f"{sorted(set(names) - row.keys())} are not there"
    return [{name: row[name] for name in names if name in row} for row in rows]


def _group(_tables: list[Rows], rows: Rows, how: Mapping[str, Any]) -> Rows:
    by = [name for name, field in how["fields"].items() if field["operation"] == "groupby"]
    added = [name for name, field in how["fields"].items() if field["aggregations"] == ["sum"]]
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        group = found.setdefault(tuple(row[name] for name in by), {name: row[name] for name in by})
        for name in added:
            group[f"{name} (sum)"] = group.get(f"{name} (sum)", 0) + row[name]
    return list(found.values())


def _order(_tables: list[Rows], rows: Rows, how: Mapping[str, Any]) -> Rows:
    (by,) = how["sort"]
    return sorted(rows, key=lambda row: row[by["field"]], reverse=by["desc"])


_TRANSFORMATIONS = {
    "joinByField": _join,
    "calculateField": _divide,
    "groupBy": _group,
    "filterFieldsByName": _keep,
    "organize": lambda _tables, rows, _how: rows,
    "sortBy": _order,
}


def local_time(ms: int) -> str:
    """Return the day of an instant in the people's zone, which is China's."""
    days = (ms + 8 * _MS["h"]) // _MS["d"]
    return str(timedelta(days=days).days)


def provisioning(name: str) -> Path:
    """Return a provisioning file."""
    return HERE / "provisioning" / name
