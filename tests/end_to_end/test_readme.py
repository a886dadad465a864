"""The READMEs' blocks, run as a newcomer would: in a fresh copy of the project, from nothing."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.agent_footprint import make_certificates

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".build", ".*_cache", "__pycache__", "santong-data", ".hypothesis")
# A reader's own servers and paths, as they are called here.
PLACES = {"broker.example:8883": "127.0.0.1:1", "127.0.0.1:8086": "127.0.0.1:1"}


def blocks(readme: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, comments removed."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r" *#.*", "", block) for block in found]


def commands(readme: str) -> list[str]:
    """Return the shell commands of a README, continued lines joined."""
    lines = "".join(blocks(readme, "sh")).replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def test_both_languages_give_the_same_commands_and_settings() -> None:
    """A Chinese reader types exactly what an English reader types."""
    assert commands("README.md") == commands("README.zh-CN.md")
    assert blocks("README.md", "toml") == blocks("README.zh-CN.md", "toml")


@pytest.mark.parametrize("readme", READMES)
def test_the_two_commands_stand_at_the_top(readme: str) -> None:
    """The first block is the two commands that set up, run and test everything."""
    assert commands(readme)[:2] == ['make up ARGS="--for 60"', "make test"]


def test_a_newcomer_sees_this_machine_from_a_fresh_copy(tmp_path: Path) -> None:
    """In a fresh copy `make up` sets everything up and shows this machine; `santong status` reads what was stored."""
    home = tmp_path / "santong"
    shutil.copytree(ROOT, home, ignore=NOT_COPIED)
    environment = os.environ | {"SANTONG_PRESENCE_GATEWAY": "127.0.0.1", "SANTONG_LANG": "en"}
    environment.pop("MAKEFLAGS", None)
    environment.pop("MAKELEVEL", None)
    first, second, *rest = commands("README.md")
    shown = subprocess.run(
        shlex.split(first), cwd=home, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert re.search(r"local-pilot\.\S+ .* yes / ", shown.stdout), shown.stdout
    tested = subprocess.run(
        [*shlex.split(second), "--dry-run"], cwd=home, env=environment, capture_output=True, text=True, check=True
    )
    assert ".venv/bin/pytest" in tested.stdout
    for line in (line for line in rest if line.startswith(".venv/bin/santong status")):
        status = subprocess.run(
            shlex.split(line), cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        assert "local-pilot." in status.stdout


def test_the_settings_of_the_readme_are_fine(tmp_path: Path) -> None:
    """The example agent.toml passes the check that stands below it, once its files are there."""
    (tmp_path / "password").write_text("secret")
    make_certificates(tmp_path)
    (settings,) = blocks("README.md", "toml")
    file = tmp_path / "agent.toml"
    file.write_text(settings.replace("/etc/santong", str(tmp_path)))
    (check,) = [line for line in commands("README.md") if line.endswith("--check")]
    words = shlex.split(check.replace("/etc/santong", str(tmp_path)))
    done = subprocess.run(
        [str(ROOT / ".venv/bin" / words[0]), *words[1:]], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "settings are fine\n"), done.stderr


def test_the_collect_command_of_the_readme_is_understood(tmp_path: Path) -> None:
    """The example of `santong collect` gets as far as its certificate, which is not there: no flag is mistaken."""
    (tmp_path / "password").write_text("secret")
    (line,) = [line for line in commands("README.md") if line.startswith("santong collect")]
    for theirs, ours in {**PLACES, "/etc/santong": str(tmp_path)}.items():
        line = line.replace(theirs, ours)
    (store,) = [line.partition("=")[2] for line in commands("README.md") if line.startswith("export SANTONG_STORE=")]
    process = subprocess.Popen(
        [str(ROOT / ".venv/bin/santong"), *shlex.split(line)[1:], "--data", str(tmp_path / "data")],
        env=os.environ | {"SANTONG_STORE": store.replace("127.0.0.1:8086", PLACES["127.0.0.1:8086"])},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        words = process.stderr.readline()
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()
    assert "127.0.0.1" in words and "secret" not in words, words
