"""The commands about profiles, as people and scripts use them: real programs, clear words, exit codes that mean it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.profiles.show import as_yaml
from firmware_profiles.library import SHIPPED, Library
from tests.firmware_profiles.profiles import write
from tests.processes import BIN

AGENT, CENTRE = ("santong-agent", "profiles"), ("santong", "profiles")


def run(*words: object, by: tuple[str, ...] = AGENT, code: int = 0) -> tuple[str, str]:
    """Run a command, and return what it says on stdout and stderr."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("SANTONG_")} | {"LANG": "C.UTF-8"}
    line = [str(BIN / by[0]), *by[1:], *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, env=known)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done
    return done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an operator's folder: one profile of their own, and one in the place of a shipped one."""
    write(tmp_path, "my-ap", "extends: ping-only\nmatch: [{sys_descr: 'My AP*'}]\nnotes: of ours\n")
    write(tmp_path, "ping-only", "extends: ping-only\nprobes: {tcp: [{target: '{address}:80', every: 30s}]}\n")
    return tmp_path


def test_the_list_has_every_profile_and_where_it_comes_from(folder: Path) -> None:
    """Each profile is a line with role, state, origin and both titles; what replaces a shipped one says so."""
    lines = {line.split()[0]: line for line in run("list", "--folder", folder)[0].splitlines()}
    assert lines.keys() == {"id", "my-ap", *Library().ids()}
    assert str(folder / "my-ap.yaml") in lines["my-ap"]
    assert ", extends ping-only " in lines["my-ap"]
    assert lines["my-ap"].endswith("  型号my-ap / Model my-ap")
    assert "replaces shipped" in lines["ping-only"]
    assert "shipped" in lines["generic-linux"]


def test_the_list_for_scripts(folder: Path) -> None:
    """With --json each profile is an object."""
    rows = {row["id"]: row for row in json.loads(run("list", "--folder", folder, "--json")[0])}
    assert rows["my-ap"] == {
        "id": "my-ap",
        "title": {"zh": "型号my-ap", "en": "Model my-ap"},
        "role": "other",
        "verified": False,
        "extends": "ping-only",
        "from": str(folder / "my-ap.yaml"),
        "replaces": [],
    }
    assert rows["ping-only"]["replaces"] == ["shipped"]


def test_the_list_has_what_can_be_read_and_says_what_cannot(folder: Path) -> None:
    """A broken file costs nobody the list, but the exit code tells."""
    write(folder, "broken", "colect: {}\n")
    shown, said = run("list", "--folder", folder, code=2)
    assert "generic-linux" in shown
    assert said == f"{folder}/broken.yaml:5: colect: is not known, did you mean collect\n"


def test_a_profile_is_shown_with_where_each_part_stands(folder: Path) -> None:
    """What is inherited has the file and line where it stands; what is shown can be saved as a profile."""
    shown, _ = run("show", "my-ap", "--folder", folder)
    assert (
        shown
        == f"""\
# {folder}/my-ap.yaml:1
id: my-ap
title: {{zh: 型号my-ap, en: Model my-ap}}
role: other
verified: false
extends: ping-only
notes: of ours
match:
  - {{sys_descr: My AP*}}
probes:
  # {SHIPPED}/ping-only.yaml:7
  icmp:
  - {{target: '{{address}}', name: management}}
  # {folder}/ping-only.yaml:6
  tcp:
  - {{target: '{{address}}:80', every: 30s}}
"""
    )
    (folder / "my-ap.yaml").write_text(shown)
    assert run("check", folder / "my-ap.yaml", "--folder", folder)[0] == "1 profile is fine\n"


def test_every_shipped_profile_can_be_shown_and_read_again(tmp_path: Path) -> None:
    """What `show` prints of any profile is a profile that says the same."""
    library = Library()
    for name in library.ids():
        shown = "\n".join(as_yaml(library, name))
        own = shown.replace(f"extends: {library.get(name).extends}\n", "")  # all that is inherited is there
        (tmp_path / f"{name}.yaml").write_text(own)
    again = Library([tmp_path])
    for name in library.ids():
        assert again.get(name)._replace(extends="") == library.get(name)._replace(extends="")


def test_a_profile_for_scripts(folder: Path) -> None:
    """With --json: the profile as the agent takes it, and file:line of each part."""
    shown = json.loads(run("show", "my-ap", "--folder", folder, "--json")[0])
    assert shown["profile"]["probes"]["icmp"] == [{"target": "{address}", "name": "management"}]
    assert shown["origins"]["probes.icmp"] == f"{SHIPPED}/ping-only.yaml:7"
    assert shown["origins"]["match[0]"] == f"{folder}/my-ap.yaml:6"


def test_a_profile_that_is_not_there_is_one_line() -> None:
    """A mistyped id gets a suggestion, and exit code 2."""
    _, said = run("show", "ping-olny", code=2)
    assert said == "profile: ping-olny: there is no such profile, did you mean ping-only\n"


def test_check_says_how_many_are_fine(folder: Path) -> None:
    """Without files: the shipped ones and the folder's."""
    assert run("check", "--folder", folder)[0] == f"{len(Library().ids()) + 1} profiles are fine\n"


def test_check_says_every_mistake_with_its_line(folder: Path) -> None:
    """Exit code 1, a line for each mistake, of files and of folders; probes are checked by who runs them."""
    write(folder, "one", "colect: {}\nnotes: 3\n")
    two = write(folder, "two", "probes: {imcp: [{target: 192.0.2.1}]}\n")
    _, said = run("check", "--folder", folder, code=1)
    expected = (
        f"{folder}/one.yaml:5: colect: is not known, did you mean collect\n"
        f'{folder}/one.yaml:6: notes: 3 is not text: write it in quotes, "3"\n'
        f"{folder}/two.yaml:5: probes.imcp[0]: there is no kind of probe imcp, did you mean icmp\n"
    )
    assert said == expected
    assert run("check", folder, code=1)[1] == expected
    assert run("check", two, code=1)[1] == expected.splitlines(keepends=True)[2]


def test_check_of_files_that_are_no_profiles(tmp_path: Path) -> None:
    """A missing file, an empty folder and a file of another name are said in one line."""
    assert run("check", tmp_path / "none.yaml", code=1)[1] == f"{tmp_path}/none.yaml:1: no such file\n"
    assert run("check", tmp_path, code=2)[1] == f"{tmp_path}: no file *.yaml in it\n"
    (tmp_path / "a.txt").write_text("id: a\n")
    assert run("check", tmp_path / "a.txt", code=2)[1] == f"{tmp_path}/a.txt: a profile's file is called a.yaml\n"
    assert run("check", "--folder", tmp_path / "none", code=2)[1] == f"{tmp_path}/none: no such folder\n"


def test_match_says_which_and_why(folder: Path) -> None:
    """The best profile for given facts, with its reasons, and the less specific ones below it."""
    shown, _ = run("match", "--folder", folder, "-f", "sys_descr=My AP 2000", "-f", "system=linux")
    assert shown.splitlines() == [
        "my-ap",
        "    sys_descr 'My AP 2000' fits My AP*",
        "generic-linux (less specific)",
        "    system 'linux' fits linux",
    ]
    every, _ = run("match", "--folder", folder, "-f", "system=linux", "--all")
    assert "my-ap does not fit\n    sys_descr is not known; My AP* is needed\n" in every


def test_match_without_a_fit_or_with_two(folder: Path) -> None:
    """Exit code 1 where there is no single answer; both of a tie are named."""
    assert run("match", "-f", "system=plan9", code=1)[0] == "no profile fits\n"
    write(folder, "your-ap", "match: [{sys_descr: '*My AP'}]\n")
    shown, _ = run("match", "--folder", folder, "-f", "sys_descr=My AP", "--json", code=1)
    found = json.loads(shown)
    assert (found["profile"], found["best"]) == (None, ["my-ap", "your-ap"])


def test_a_mistyped_fact_is_one_line() -> None:
    """Facts have names, which are guessed."""
    _, said = run("match", "-f", "sys_desc=x", "-f", "system", code=2)
    assert said == "--fact: sys_desc: is not a fact, did you mean sys_descr\n--fact: system: is not NAME=VALUE\n"


def test_match_and_detect_know_this_machine() -> None:
    """Without facts they are this machine's; `detect` says what it did before, and the profile with its reasons."""
    best = json.loads(run("match", "--json")[0])["profile"]
    shown = json.loads(run("--json", by=("santong-agent", "detect"))[0])
    assert shown["profile"] == best
    assert shown["profile_reasons"]
    assert shown["serial"] and shown["readings"]
    assert f"profile             {best}\n" in run(by=("santong-agent", "detect"))[0]


def test_the_centre_has_the_same_commands(folder: Path) -> None:
    """`santong profiles` is the same program, under its own name, with the same exit codes."""
    for words in (("list", "--folder", folder), ("show", "my-ap", "--folder", folder), ("check", "--folder", folder)):
        assert run(*words, by=CENTRE) == run(*words)
    assert "Usage: santong profiles check" in run("check", "--help", by=CENTRE)[0]
    assert "Usage: santong profiles " in run("--help", by=CENTRE)[0]
    run("check", folder / "none.yaml", by=CENTRE, code=1)
    run("show", "nothing-like-it", by=CENTRE, code=2)


def test_the_agents_commands_start_without_yaml() -> None:
    """A stop mark or a look at the queue does not wait for what only commands about profiles need."""
    program = "import sys, agent.cli; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True).stdout
    assert {"agent.cli", "agent.profiles.cli"} <= set(loaded.split())
    assert not {"yaml", "firmware_profiles.load"} & set(loaded.split())
