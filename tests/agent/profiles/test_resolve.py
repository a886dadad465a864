"""Profiles for the loop, by a real process that ends: what is wanted, filled, or every mistake with its setting."""

import subprocess
import sys
from pathlib import Path

import pytest

from agent import resolved
from agent.devices import Wanted
from agent.resolved import profiles_for
from contract.errors import ConfigError
from tests.firmware_profiles.profiles import write

WORDS = {"device": "441802-3144001234.c0703", "address": "192.0.2.7"}
DEFAULT = Path("/etc/santong/profiles.d")
AP = """\
parameters: {ap_name: {title: {zh: 名称, en: Name}}}
probes: {icmp: [{target: "{address}", name: "{ap_name}"}]}
"""


def said(folder: Path, *wanted: Wanted) -> list[str]:
    """Return what is said of profiles that cannot be had."""
    with pytest.raises(ConfigError) as caught:
        profiles_for(folder, wanted)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_profiles_come_filled_and_in_their_order(tmp_path: Path) -> None:
    """One process brings all that is wanted: typed, and with the settings' texts in the place of placeholders."""
    write(tmp_path, "my-ap", AP)
    wanted = [
        Wanted("my-ap", {**WORDS, "ap_name": "A1"}, "observe[0]"),
        Wanted("ping-only", {**WORDS, "address": "192.0.2.8"}, "observe[1]"),
        Wanted("my-ap", {**WORDS, "ap_name": "A2"}, "observe[2]"),
    ]
    found = profiles_for(tmp_path, wanted)
    assert [profile.id for profile in found] == ["my-ap", "ping-only", "my-ap"]
    assert [profile.probes["icmp"][0]["name"] for profile in found] == ["A1", "management", "A2"]
    assert found[1].probes["icmp"][0]["target"] == "192.0.2.8"


def test_nothing_wanted_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent without profiles needs no process."""
    monkeypatch.setattr(resolved, "COMMAND", ("/nowhere",))
    assert profiles_for(DEFAULT, []) == []


def test_auto_is_what_fits_this_machine(tmp_path: Path) -> None:
    """The machine's own profile is found by what it is; an operator's more specific one goes before the shipped one."""
    auto = Wanted("auto", WORDS, "profile")
    write(tmp_path, "mine", "match: [{system: '*', os_id: '*'}]\n")
    assert profiles_for(tmp_path, [auto])[0].id == "mine"


def test_a_tie_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    """Where two fit equally well the operator says which: nothing is chosen by chance."""
    write(tmp_path, "mine-a", "match: [{system: '*', os_id: '*', os_like: ''}]\n")
    write(tmp_path, "mine-b", "match: [{system: '**', os_id: '*'}]\n")
    assert said(tmp_path, Wanted("auto", WORDS, "profile")) == [
        "profile.id: mine-a, mine-b fit this machine equally well: name one of them"
    ]


def test_every_mistake_names_its_setting(tmp_path: Path) -> None:
    """Unknown profiles, missing and unknown parameters, and files with mistakes: all of them at once."""
    write(tmp_path, "my-ap", AP)
    write(tmp_path, "broken", "colect: {}\nnotes: 3\n")
    assert said(
        tmp_path,
        Wanted("my-app", WORDS, "observe[0]"),
        Wanted("my-ap", {**WORDS, "ap_nmae": "A1"}, "observe[1]"),
        Wanted("broken", WORDS, "observe[2]"),
        Wanted("ping-only", {**WORDS, "address": ""}, "profile"),
    ) == [
        "observe[0].profile: my-app: there is no such profile, did you mean my-ap",
        "observe[1].parameters.ap_nmae: is not a parameter of my-ap, did you mean ap_name",
        "observe[1].parameters.ap_name: is missing: Name (名称)",
        'observe[2]: broken.yaml:5: colect: is not known, did you mean collect',
        'observe[2]: broken.yaml:6: notes: 3 is not text: write it in quotes, "3"',
        "profile.id: ping-only is for another device: name it in [[observe]]",
    ]  # fmt: skip


def test_auto_says_what_is_broken(tmp_path: Path) -> None:
    """A broken file might be the one that fits: with `auto` it is a mistake, not left out."""
    write(tmp_path, "broken", "colect: {}\n")
    problem = "profile: broken.yaml:5: colect: is not known, did you mean collect"
    assert said(tmp_path, Wanted("auto", WORDS, "profile")) == [problem]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A mistyped folder is a mistake."""
    assert said(tmp_path / "none", Wanted("ping-only", WORDS, "profile")) == ["profile.folder: no such folder"]


def test_a_process_that_breaks_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever becomes of the process, the agent says one line."""
    wanted = Wanted("ping-only", WORDS, "profile")
    monkeypatch.setattr(resolved, "COMMAND", (sys.executable, "-c", "raise SystemExit('no memory')"))
    assert said(DEFAULT, wanted) == ["profile: profiles cannot be read: no memory"]
    monkeypatch.setattr(resolved, "COMMAND", ("/nowhere/python",))
    (line,) = said(DEFAULT, wanted)
    assert "No such file or directory" in line


def test_the_loop_does_not_load_yaml() -> None:
    """What reads YAML costs 4 MB, which the agent's loop does not spend."""
    program = "import sys, agent.pipeline, agent.resolved; sys.exit('yaml' in sys.modules or 'typer' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", program], check=False).returncode == 0
