"""docs/operations.md tells of everything that people meet: each panel, each alert, in both languages."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from collector.stages import STEPS
from collector.verify.causes import Cause
from collector.watch import judge
from collector.watch.routes import Kind
from collector.watch.texts import WHYS, Voice
from collector.words import WORDS
from tests.deploy.grafana import dashboards, provisioning

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "operations.md").read_text(encoding="utf-8")
ZH, EN = Voice("zh"), Voice("en")
TITLES = {"city": "City overview", "school": "School", "device": "Device", "hotspots": "Hotspots", "centre": "Centre"}
# Of the verifier's causes those of a device that runs and does not work, and of an agent that must not end.
BAD = (Cause.SERVICE_DOWN, Cause.WAN_DOWN, Cause.LAN_DOWN, Cause.AGENT_DOWN)


def section(name: str) -> list[str]:
    """Return the rows of the table of a dashboard."""
    part = TEXT.partition("## Dashboards")[2]
    found = next(
        one for one in re.split(r"^### ", part, flags=re.MULTILINE)[1:] if one.split("\n")[0].endswith(f"· {name}")
    )
    return [line for line in re.split(r"^## ", found, flags=re.MULTILINE)[0].split("\n") if line.startswith("| ")][1:]


@pytest.mark.parametrize("name", TITLES)
def test_each_panel_has_a_row_with_what_it_means_and_what_to_do(name: str) -> None:
    """In the table of its dashboard, in its order, by both names; and no row is of a panel that is gone."""
    boards = dashboards()
    zh, en = (
        [panel["title"] for panel in boards[f"{language}/{name}"]["panels"] if panel.get("title")]
        for language in ("zh", "en")
    )
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in section(TITLES[name])]
    assert [cells[0] for cells in rows] == [" · ".join(pair) for pair in zip(zh, en, strict=True)]
    for cells in rows:
        assert len(cells) == 3, cells
        assert all(len(cell) > 3 for cell in cells), cells


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_kind_of_incident_has_a_row(kind: str) -> None:
    """By the words that messages have."""
    assert f"\n| {ZH.kind(kind)} · {EN.kind(kind)} | " in TEXT


@pytest.mark.parametrize("why", [*map(str, BAD), *WHYS, judge.UNREACHABLE, judge.NO_EVIDENCE])
def test_each_reason_of_an_incident_has_a_row(why: str) -> None:
    """What watch itself finds, and the causes that it takes from the verifier; a reason has words in both languages."""
    assert ZH.why(why) != why
    assert f"\n| {ZH.why(why)} · {EN.why(why)} | " in TEXT


@pytest.mark.parametrize("stage", sorted(key.removeprefix("stage_") for key in WORDS if key.startswith("stage_")))
def test_each_stage_that_can_fail_is_told(stage: str) -> None:
    """By name, and how a message says of each that it failed: what is a step only is told as what fails at it."""
    assert f"{ZH.word(f'stage_{stage}')} · {EN.word(f'stage_{stage}')}" in TEXT
    for voice in (ZH, EN):
        name = voice.word(f"stage_{stage}")
        assert voice.why(stage) == (voice.word("fails_at_step", step=name) if stage in STEPS else name)
    assert f"{ZH.why('associate')} · {EN.why('associate')}" in TEXT


def stages_of_probes() -> set[str]:
    """Return the stages that docs/probes.md names for what the shipped targets ask: http, portal, tcp, icmp, WiFi."""
    text = (DOCS / "probes.md").read_text(encoding="utf-8")
    found: set[str] = set()
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        if part.split("\n")[0].strip("` ").split(" ")[0].strip("`:") in ("icmp", "tcp", "http", "portal", "wifi_join"):
            for table in re.findall(r"^\| stage.*\n(?:\|.*\n)+", part, flags=re.MULTILINE):
                for row in table.split("\n")[2:]:
                    found |= set(re.findall(r"`([a-z_]+)`", row.split("|")[1] if "|" in row else ""))
    return found


def test_each_stage_of_a_probe_that_a_target_asks_has_words() -> None:
    """Nobody on call is to be told `login_page`."""
    found = stages_of_probes()
    assert {"resolve", "login_page", "dhcp", "signal", "reply"} <= found
    assert [stage for stage in sorted(found) if f"stage_{stage}" not in WORDS] == []
    assert sorted(stage for stage in STEPS if f"stage_{stage}" not in WORDS) == []


def test_each_alert_of_grafana_is_told_with_what_to_do() -> None:
    """By name here, with when and what in docs/grafana.md."""
    rules = yaml.safe_load(provisioning("alerting/santong.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    assert len(rules) == 6
    table = (DOCS / "grafana.md").read_text(encoding="utf-8")
    for rule in rules:
        zh = rule["title"].partition(" · ")[0]
        name = re.sub(r"^15 分钟内|\s*\d+\s*(秒|条|%)?$|，.*$", "", zh)
        assert name in TEXT, zh
        assert name in table, zh
