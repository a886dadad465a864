"""The source `screen`: is a screen connected, and is a picture sent to it."""

from pathlib import Path

import pytest

from agent.gather.read import Read, Way
from agent.gather.screen import read
from agent.outcome import Row
from contract.sample import Value
from firmware_profiles.sources import GIVES, Screen


def _rows(root: Path) -> dict[str, dict[str, Value]]:
    rows: tuple[Row, ...] = read(Read(Screen(()), Way(root=str(root)), 5.0)).rows
    return {row.key: dict(row.values) for row in rows}


def _connector(root: Path, name: str, status: str = "", enabled: str = "", dpms: str = "") -> None:
    folder = root / "sys/class/drm" / name
    folder.mkdir(parents=True)
    for file, word in (("status", status), ("enabled", enabled), ("dpms", dpms)):
        if word:
            (folder / file).write_text(f"{word}\n")


@pytest.mark.parametrize(
    ("status", "enabled", "dpms", "expected"),
    [
        ("connected", "enabled", "On", {"connected": 1, "display_on": 1}),
        ("connected", "enabled", "Off", {"connected": 1, "display_on": 0}),
        ("connected", "enabled", "Standby", {"connected": 1, "display_on": 0}),
        ("connected", "enabled", "Suspend", {"connected": 1, "display_on": 0}),
        ("connected", "disabled", "On", {"connected": 1, "display_on": 0}),
        ("connected", "enabled", "", {"connected": 1, "display_on": 1}),
        ("connected", "", "On", {"connected": 1, "display_on": 1}),
        ("connected", "", "", {"connected": 1}),
        ("disconnected", "disabled", "Off", {"connected": 0, "display_on": 0}),
        ("disconnected", "enabled", "On", {"connected": 0, "display_on": 0}),
        ("unknown", "enabled", "On", {}),
        ("something new", "enabled", "On", {}),
    ],
)
def test_a_connector(tmp_path: Path, status: str, enabled: str, dpms: str, expected: dict[str, Value]) -> None:
    """A screen is on when it is connected, sent a picture, and not saving power; what nobody knows is absent."""
    _connector(tmp_path, "card0-HDMI-A-1", status, enabled, dpms)
    assert _rows(tmp_path) == {"card0-HDMI-A-1": {"connector": "HDMI-A-1", **expected}}


def test_every_connector_is_a_row(tmp_path: Path) -> None:
    """Two graphics cards may have a connector of the same name: their rows stay apart."""
    _connector(tmp_path, "card0-HDMI-A-1", "connected", "enabled", "On")
    _connector(tmp_path, "card1-HDMI-A-1", "disconnected", "disabled", "Off")
    rows = _rows(tmp_path)
    assert sorted(rows) == ["card0-HDMI-A-1", "card1-HDMI-A-1"]
    assert {row["connector"] for row in rows.values()} == {"HDMI-A-1"}
    assert set().union(*rows.values()) == set(GIVES["screen"])


def test_what_is_no_screen(tmp_path: Path) -> None:
    """Cards themselves, render nodes and connectors that copy into memory are no screens."""
    _connector(tmp_path, "card0", "connected", "enabled", "On")
    _connector(tmp_path, "renderD128", "connected", "enabled", "On")
    _connector(tmp_path, "card0-Writeback-1", "unknown", "enabled", "On")
    assert _rows(tmp_path) == {}


def test_a_machine_without_graphics(tmp_path: Path) -> None:
    """A machine without graphics says nothing about a screen, least of all that it is off."""
    assert _rows(tmp_path) == {}
