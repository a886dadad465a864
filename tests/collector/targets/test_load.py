"""Files of targets as they are read, and the shipped programme."""

import re
from datetime import date
from pathlib import Path

import pytest

from agent.probe.settings import KINDS
from collector.calendars.schedule import Hours
from collector.targets.check_conditions import PROBE_KINDS, SOURCE_KINDS
from collector.targets.load import SHIPPED, load
from collector.targets.schema import Programme, Target
from collector.verify.causes import Cause
from firmware_profiles.sources import REMOTE

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def programme() -> Programme:
    """Return the shipped programme."""
    return load()


def target(programme: Programme, name: str) -> Target:
    """Return one target."""
    return next(one for one in programme.targets if one.id == name)


def test_the_shipped_programme_has_every_project_and_goal(programme: Programme) -> None:
    """All sixteen projects of the plan and its overall goals, the latter without a number."""
    assert {one.project for one in programme.targets} == {None, *range(1, 17)}
    goals = [one.id for one in programme.targets if one.project is None]
    assert goals == [
        "broadband-urban", "broadband-rural", "internet-penetration", "schools-online", "village-reach", "cable-tv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "evidence", "deadline", "share", "at_least"),
    [
        ("broadband-urban", "measured", "2016-12-31", 1.0, None),
        ("broadband-rural", "measured", "2016-12-31", 1.0, None),
        ("internet-penetration", "declared", "2016-12-31", 0.75, None),
        ("schools-online", "measured", "2016-12-31", 1.0, None),
        ("village-reach", "measured", "2016-12-31", 0.8, None),
        ("cable-tv", "declared", "2016-12-31", 0.9, None),
        ("free-wifi-centre", "measured", "2014-06-30", None, 270),
        ("free-wifi-counties", "measured", "2014-12-31", 1.0, None),
        ("school-private-network", "measured", "2014-12-31", 1.0, None),
        ("banbantong", "measured", "2016-12-31", 1.0, None),
        ("fibre-reach", "declared", "2016-12-31", 1.0, None),
        ("three-network", "declared", "2016-12-31", 0.9, None),
        ("digital-enterprises-2014", "declared", "2014-12-31", 1.0, None),
        ("digital-enterprises-2016", "declared", "2016-12-31", 1.0, None),
    ],
)
def test_figures_of_the_plan(
    programme: Programme, name: str, evidence: str, deadline: str, share: float | None, at_least: int | None
) -> None:
    """Thresholds and deadlines are those of the plan."""
    one = target(programme, name)
    assert (one.evidence, one.deadline, one.share, one.at_least) == (
        evidence,
        date.fromisoformat(deadline),
        share,
        at_least,
    )


def test_banbantong_is_as_designed(programme: Programme) -> None:
    """On 90 % of school days the platform of every class worked for 40 minutes of lessons; off is not broken."""
    one = target(programme, "banbantong")
    assert (one.unit, one.hours, one.share) == ("class", Hours.LESSONS, 1.0)
    assert (one.rule.days, one.rule.minutes) == (0.9, 40)
    assert one.meaning(Cause.POWER_OFF) == one.meaning(Cause.ASLEEP) == "excluded"
    assert one.meaning(Cause.WORKING) == "good"
    assert one.meaning(Cause.AGENT_DOWN) == one.meaning(Cause.UNKNOWN) == "unknown"
    panel = next(proof for proof in one.good_when if "pjlink-panel" in proof.profile)
    assert panel.all[0].otherwise["standby"] is Cause.ASLEEP


def test_hotspots_count_every_service_minute(programme: Programme) -> None:
    """Off is broken for a public hotspot; the whole way of a client, or what is behind the access point, is proof."""
    one = target(programme, "free-wifi-centre")
    assert (one.unit, one.hours) == ("device", Hours.SERVICE)
    assert one.meaning(Cause.POWER_OFF) == "bad"
    assert [[condition.where["kind"] for condition in proof.all] for proof in one.good_when] == [
        ["wifi_join"],
        ["portal", "http"],
    ]
    assert one.scope.county == ("441802", "441803")
    assert one.criterion == target(programme, "free-wifi-counties").criterion


def test_every_target_says_which_meaning_was_taken(programme: Programme) -> None:
    """Each has a definition in both languages and its place in the plan; nothing is declared that nobody declared."""
    for one in programme.targets:
        assert all(one.definition), one.id
        assert one.source.startswith("清远市"), one.id
        assert one.deadline, one.id
        assert (one.declared.value, one.declared.source, one.declared.on) == (None, "", None)
        assert not re.search(r"[，。；：] ", one.definition.zh), one.id
    partly = [one for one in programme.targets if "部分可测" in one.definition.zh]
    assert all("不证明" in one.definition.zh and re.search("not|neither", one.definition.en) for one in partly)
    assert len(partly) == 7


def test_a_criterion_changes_with_its_content(programme: Programme) -> None:
    """What was judged by another criterion is never taken for this one's."""
    asked = [one for one in programme.targets if one.good_when]
    names = {one.criterion.id for one in asked}
    assert len(names) == len(asked) - 1  # the hotspots of the centre and of the counties are judged alike


def test_kinds_of_probes_are_those_that_agents_have() -> None:
    """A kind that a condition may name is one that can be measured, and every one can be named."""
    assert set(PROBE_KINDS) == set(KINDS)
    assert set(SOURCE_KINDS) == REMOTE


def test_the_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    """What docs/targets.md shows can be copied."""
    text = (ROOT / "docs/targets.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(id: .*?)```", text, re.DOTALL)
    file = tmp_path / "targets.yaml"
    file.write_text(example, encoding="utf-8")
    assert [one.id for one in load(file).targets] == ["panels", "hotspots", "uplinks", "online", "penetration"]


def test_the_documentation_names_every_key() -> None:
    """docs/targets.md explains each key of a target, a condition and a rule."""
    text = (ROOT / "docs/targets.md").read_text(encoding="utf-8")
    for name in re.findall(r"^    (\w+): ", (ROOT / "collector/targets/schema.py").read_text(), re.MULTILINE):
        if name not in ("criterion", "all"):
            assert f"`{name}`" in text or f"`{name}:" in text, name
    assert SHIPPED.name in text
