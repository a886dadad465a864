"""The committed dashboards: current, of the types of Grafana's schema, in words of the glossary, readable by all."""

import json
import re
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins, runtime
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard, datasource

from collector.glossary import misnamed
from collector.report.looks import CAUSES, GOOD
from collector.terms import GLOSSARY
from collector.words import Language
from contract.measurements import TABLE
from deploy.grafana.__main__ import HERE, made, stale
from deploy.grafana.influx import InfluxQuery
from deploy.grafana.parts import PAGES
from deploy.grafana.promises import promises
from deploy.grafana.texts import TEXTS
from tests.deploy.grafana import dashboards, panel_of, targets

BOARDS = dashboards()
LANGUAGES: tuple[Language, ...] = ("zh", "en")
SHOWN = ("title", "description", "label", "content", "text", "displayName")  # keys whose values people read
HALF_WIDTH = re.compile(r"[一-鿿]\s*[,;:!?()]|[,;:!?()]\s*[一-鿿]")


def test_the_files_are_what_the_generator_writes() -> None:
    """Whoever changes the generator and not the files is told which, and by which command they become current."""
    assert stale() == []
    assert set(BOARDS) == {f"{language}/{page}" for language in LANGUAGES for page in PAGES}


def test_the_command_says_which_file_is_not_current(tmp_path: Path) -> None:
    """`python -m deploy.grafana --check` changes nothing, and its exit code tells a script."""
    code = (
        "import sys; from pathlib import Path; import deploy.grafana.__main__ as m; "
        f"m.HERE = Path({str(tmp_path)!r}); sys.argv = ['grafana', *sys.argv[1:]]; m.main()"
    )
    command = [sys.executable, "-c", code]
    root = HERE.parents[1]
    check = subprocess.run([*command, "--check"], cwd=root, capture_output=True, text=True, check=False)
    assert check.returncode == 1
    assert "dashboards/zh/city.json: is not current: run `make grafana`" in check.stdout
    assert not list(tmp_path.iterdir())
    subprocess.run(command, cwd=root, capture_output=True, check=True)
    (tmp_path / "dashboards/zh/old.json").write_text("{}")
    assert subprocess.run([*command, "--check"], cwd=root, capture_output=True, check=False).returncode == 1
    subprocess.run(command, cwd=root, capture_output=True, check=True)
    assert sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*.*")) == sorted(file for file, _ in made())


@pytest.mark.parametrize("name", BOARDS)
def test_the_sdk_reads_every_dashboard_and_loses_nothing(name: str) -> None:
    """Read into the types that are made from Grafana's schema, it is written with all it had: no key is unknown."""
    plugins.register_default_plugins()
    runtime.register_dataquery_variant(runtime.DataqueryConfig("influxdb", InfluxQuery.from_json))
    original = BOARDS[name]
    read = dashboard.Dashboard.from_json(json.loads(json.dumps(original)))
    again = json.loads(JSONEncoder().encode(read))
    lost = [one for one in _lost(original, again, name) if ".target." not in one]  # of an event: a data source's own
    assert not lost
    found = [target for panel in read.panels or [] for target in getattr(panel, "targets", None) or []]
    assert {type(target) for target in found} <= {InfluxQuery, datasource.Dataquery}


def _lost(original: Any, again: Any, where: str) -> Iterator[str]:
    """Yield what is not there again: what is added are the schema's defaults."""
    if isinstance(original, dict) and isinstance(again, dict):
        for key, value in original.items():
            if key in again:
                yield from _lost(value, again[key], f"{where}.{key}")
            else:
                yield f"{where}.{key} is lost"
    elif isinstance(original, list) and isinstance(again, list) and len(original) == len(again):
        for at, value in enumerate(original):
            yield from _lost(value, again[at], f"{where}.{at}")
    elif original != again:
        yield f"{where}: {original!r} became {again!r}"


@pytest.mark.parametrize("name", BOARDS)
def test_every_value_has_the_type_of_the_schema(name: str) -> None:
    """Numbers, texts, choices and lists are where Grafana's schema has them, in panels' own options, too."""
    plugins.register_default_plugins()
    read = dashboard.Dashboard.from_json(json.loads(json.dumps(BOARDS[name])))
    wrong = list(_mistyped(read, name))
    assert not wrong


def _mistyped(thing: Any, where: str) -> Iterator[str]:
    """Yield each attribute of a value of the SDK that is not of the type that its class declares."""
    module = sys.modules[type(thing).__module__]
    for attribute, declared in typing.get_type_hints(type(thing), vars(module)).items():
        if attribute.startswith("_"):
            continue
        value = getattr(thing, attribute)
        if not _fits(value, declared):
            yield f"{where}.{attribute}: {value!r} is no {declared}"
        for inner in value if isinstance(value, list) else [value]:
            if type(inner).__module__.startswith("grafana_foundation_sdk.models") and not isinstance(inner, Enum):
                yield from _mistyped(inner, f"{where}.{attribute}")


def _fits(value: Any, declared: Any) -> bool:
    origin, inner = typing.get_origin(declared), typing.get_args(declared)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if origin is list:
        return isinstance(value, list) and all(_fits(one, inner[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(one, inner[1]) for one in value.values())
    return declared in (Any, object) or _is_a(value, declared)


def _is_a(value: Any, declared: Any) -> bool:
    """Tell whether a value is one of a plain type, a choice, or a class of the schema."""
    if isinstance(declared, type) and issubclass(declared, Enum):
        return isinstance(value, declared) or value in [one.value for one in declared]
    if declared is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, dict) and isinstance(declared, type) and hasattr(declared, "from_json"):
        return declared.from_json(value).to_json() is not None  # lists of these are left as they were read
    return isinstance(declared, type) and isinstance(value, declared)


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_names_meanings_and_places_of_their_own(name: str) -> None:
    """No two panels have one id or overlap; none is wider than the page."""
    panels = BOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel.get("title")
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel.get("title") or panel["type"] == "text"


def test_both_languages_show_the_same() -> None:
    """A dashboard in Chinese and in English has the same panels with the same queries but for the names of columns."""
    for page in PAGES:
        chinese, english = (BOARDS[f"{language}/{page}"] for language in LANGUAGES)
        assert [panel["type"] for panel in chinese["panels"]] == [panel["type"] for panel in english["panels"]]
        pairs = zip(targets("zh", chinese), targets("en", english), strict=True)
        for one, other in pairs:
            assert _without_names(one.text) == _without_names(other.text)


def _without_names(query: str) -> str:
    """Return a query without the names of columns that people read: those that are no plain words."""
    plain = {name for row in TABLE.values() for name in (row.name, *row.tags, *(field.name for field in row.fields))}
    plain |= {"evidence", "telemetry", "device", "site", "county", "agent"}
    query = re.sub(r'AS "[^"]+"', "AS named", query)
    return re.sub(r'"([^"]+)"', lambda match: match[0] if match[1] in plain else '""', query)


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(value, str) and key in SHOWN:
                yield value
            yield from _texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _texts(value)


@pytest.mark.parametrize("name", BOARDS)
def test_dashboards_speak_the_words_of_the_glossary(name: str) -> None:
    """No text says a word within the program, or another name of what has a name."""
    language: Language = "zh" if name.startswith("zh") else "en"
    columns = [one for target in targets(name, BOARDS[name]) for one in re.findall(r'AS "([^"]+)"', target.text)]
    wrong = [f"{said}: {found}" for said in (*_texts(BOARDS[name]), *columns) for found in misnamed(said, language)]
    assert not wrong


def test_every_text_is_in_both_languages_and_used() -> None:
    """The dashboards' own words exist in Chinese and English, with Chinese punctuation, and none is dead."""
    sources = "".join(file.read_text(encoding="utf-8") for file in HERE.glob("*.py") if file.name != "texts.py")
    built = {f"{page}_{part}" for page in PAGES for part in ("title", "about")}
    built |= {f"{name}_source" for name in ("evidence", "telemetry")} | {
        f"{name}_criterion" for name in ("classes", "hotspots")
    }
    for key, (chinese, english) in TEXTS.items():
        rest = key.removeprefix("alert_").removesuffix("_do")
        assert (
            f'"{key}"' in sources
            or f"'{key}'" in sources
            or key in built
            or (key.startswith("alert_") and f'"{rest}"' in sources)
        ), key
        assert chinese and english
        assert not HALF_WIDTH.search(chinese.removeprefix("? ")), chinese
        assert key not in GLOSSARY


def test_thresholds_are_those_of_the_targets() -> None:
    """The lines that panels draw, and the criteria that they ask for, come from the shipped file of targets."""
    promised = promises()
    assert (promised.days_share, promised.minutes, promised.works_share, promised.contract_share) == (
        0.9,
        40,
        0.95,
        0.8,
    )
    city, school = BOARDS["en/city"], BOARDS["en/school"]
    for title, share in (("Classes that worked, by day", 0.9), ("Hotspots, by day", 0.95)):
        assert [step["value"] for step in _steps(panel_of(city, title))] == [None, share]
    assert [step["value"] for step in _steps(panel_of(school, "Lesson minutes that worked, by classroom and day"))] == [
        None,
        40,
    ]
    (_, _, least) = panel_of(school, "Throughput against the contract")["targets"]
    assert 'last("contracted_mbps") * 0.8' in least["query"]


def _steps(panel: dict[str, Any]) -> list[dict[str, Any]]:
    return list(panel["fieldConfig"]["defaults"]["thresholds"]["steps"])


@pytest.mark.parametrize("name", BOARDS)
def test_states_are_told_by_more_than_colour(name: str) -> None:
    """Each state of a strip has a text that begins with a sign of its own, and colours are those of Okabe and Ito."""
    known = {look.fill for look in CAUSES.values()} | {GOOD, "#8a8a8a", "#6e6e6e", "transparent"}
    known |= {"#e69f00", "#cc79a7", "#009e73", "#56b4e9", "#f0e442", "#d55e00"}
    for panel in BOARDS[name]["panels"]:
        assert set(re.findall(r"#[0-9a-fA-F]{6}", json.dumps(panel))) <= known, panel["title"]
        if panel["type"] == "state-timeline":
            results = [
                result
                for mapping in panel["fieldConfig"]["defaults"]["mappings"]
                for result in (
                    mapping["options"].values() if mapping["type"] == "value" else [mapping["options"]["result"]]
                )
            ]
            signs = [result["text"].split()[0] for result in results]
            assert len(set(signs)) == len(signs) > 1
            assert len({result["color"] for result in results}) == len(results)


@pytest.mark.parametrize("name", BOARDS)
def test_every_link_leads_to_a_dashboard_and_carries_what_it_knows(name: str) -> None:
    """Links keep period and data sources, name a dashboard that exists, and variables that it has."""
    pages = {board["uid"]: {one["name"] for one in board["templating"]["list"]} for board in BOARDS.values()}
    links = re.findall(r"/d/([a-z-]+)(\?[^\"]*)?", json.dumps(BOARDS[name]))
    assert links
    for uid, variables in links:
        assert uid in pages
        assert set(re.findall(r"var-(\w+)=", variables)) <= pages[uid]
        if variables:
            assert "${__url_time_range}" in variables
            assert set(re.findall(r"\$\{(\w+):queryparam\}", variables)) == {"evidence", "telemetry"}
    (others, translated) = BOARDS[name]["links"]
    assert others["includeVars"] and others["keepTime"] and others["tags"] == [f"santong-{name[:2]}"]
    assert translated["includeVars"] and translated["url"] in {f"/d/{uid}" for uid in pages}


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_asks_the_data_source_of_its_retention(name: str) -> None:
    """Evidence is asked of the one, telemetry of the other: on InfluxDB 3 they are two databases."""
    for target in targets(name, BOARDS[name]):
        (wanted,) = {policy for policy in ("evidence", "telemetry") if f'"{policy}".' in target.text}
        sources = [target.panel["datasource"], *(one["datasource"] for one in target.panel["targets"])]
        assert {source["uid"] for source in sources} == {f"${{{wanted}}}"}
        assert not re.search(r'FROM "(?!evidence"|telemetry")', target.text), "a measurement without its policy"


def test_a_device_is_asked_for_without_patterns() -> None:
    """
    Its id has a dot, which a pattern would take for any sign.

    And between two slashes Grafana escapes it, wherever they stand: no query of a device may have two of them before
    and behind.
    """
    for name in ("zh/device", "en/device"):
        for target in targets(name, BOARDS[name]):
            for part in target.text.split("$device")[:-1]:
                assert part.endswith('"device" = \'')
            before, _, behind = target.text.partition("$device")
            assert not ("/" in before and "/" in behind), target.where
