"""Docs that fail when they are stale."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from agent.cli import app as agent_app
from agent.config import Settings
from agent.probe.settings import KINDS
from collector.cli import CollectSettings
from collector.cli import app as centre_app
from collector.commands.panels import PANELS
from collector.commands.watch import Connections as WatchSettings
from collector.foreign import Foreign
from collector.roster.columns import DEVICE_COLUMNS, SITE_COLUMNS
from collector.words import WORDS
from contract.measurements import as_markdown
from contract.settings import leaves, variable
from firmware_profiles.reference import as_markdown as profiles_as_markdown

ROOT = Path(__file__).parents[1]
COMMON = ("target", "every", "timeout", "name", "interface")
COMMANDS = ROOT / "docs/cli.md"


def commands(app: typer.Typer) -> dict[str, Any]:
    """Return every command of an application by the words that call it."""
    found: dict[str, Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", {})
        for name, one in inner.items():
            walk(one, (*words, name))
        if not inner:
            found[" ".join(words)] = command

    walk(typer.main.get_command(app), ())
    return found


@pytest.mark.parametrize("app", [agent_app, centre_app], ids=["santong-agent", "santong"])
def test_every_command_and_option_has_help_and_stands_in_the_docs(app: typer.Typer) -> None:
    """`docs/cli.md` names every command with every option, and each explains itself with --help."""
    text = COMMANDS.read_text(encoding="utf-8")
    rows = {match[1]: match[0] for match in re.finditer(r"^\| `([a-z ]+)` \|.*$", text, re.MULTILINE)}
    for name, command in commands(app).items():
        assert command.help, f"{name} has no help"
        assert name in rows, f"{name} is not in docs/cli.md"
        for parameter in command.params:
            option = max(parameter.opts, key=len)
            assert option in rows[name], f"{name} {option} is not in docs/cli.md"


def test_every_command_has_its_panel() -> None:
    """`santong --help` has each command once, among those of its subject; none is in a panel and not there."""
    known = {name for names in PANELS.values() for name in names}
    assert known == {name.split()[0] for name in commands(centre_app)}
    shown = CliRunner().invoke(centre_app, ["--help"], env={"COLUMNS": "100", "NO_COLOR": "1"}).stdout
    places = [shown.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert "─ Commands ─" not in shown


def test_every_command_that_has_a_data_folder_takes_it_from_the_environment() -> None:
    """What docs/operations.md and docs/watch.md export once holds for each command: SANTONG_DATA."""
    settings = {"collect": CollectSettings, "watch": WatchSettings}  # these take all variables themselves
    folders = {
        name: parameter
        for name, command in commands(centre_app).items()
        for parameter in command.params
        if "--data" in parameter.opts
    }
    assert {"incident list", "incident ack", "quarantine", "notify test", "watch", "board"} <= folders.keys()
    for name, parameter in folders.items():
        if name in settings:
            assert "SANTONG_DATA" in {variable(path) for path, _ in leaves(settings[name])}
        else:
            assert parameter.envvar == "SANTONG_DATA", name
    for file in ("operations", "watch"):
        text = (ROOT / f"docs/{file}.md").read_text(encoding="utf-8")
        assert "\nexport SANTONG_DATA=/var/lib/santong " in text.partition("\n## ")[0], file


def test_the_table_of_measurements_is_the_one_in_the_code() -> None:
    """`docs/contract.md` ends with the table that everything is made from."""
    assert (ROOT / "docs/contract.md").read_text(encoding="utf-8").endswith(as_markdown())


def test_the_reference_of_profiles_is_the_one_in_the_code() -> None:
    """`docs/profiles-reference.md` is what `python -m firmware_profiles.reference` prints."""
    assert (ROOT / "docs/profiles-reference.md").read_text(encoding="utf-8") == profiles_as_markdown()


def test_every_setting_is_documented_with_its_default() -> None:
    """`docs/settings.md` has a row for each setting of the agent and of the centre."""
    text = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    for path, _ in leaves(Settings):
        assert f"`{path}`" in text, path
        assert variable(path) == "SANTONG_" + path.upper().replace(".", "_")
    for path, _ in leaves(CollectSettings):
        assert f"`{path}`" in text or path.startswith("broker."), path
    for name in Foreign._fields:
        assert f"`foreign[].{name}`" in text, name


def test_every_dependency_has_its_reason() -> None:
    """`docs/dependencies.md` says why each direct dependency was taken."""
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in re.findall(r'^\s+"([a-z0-9-]+)[><=]?[^"]*",$', project.split("[project.scripts]")[0], re.MULTILINE):
        assert name in text or name.startswith("santong"), name


def test_every_document_that_is_pointed_at_exists() -> None:
    """No link within the project leads nowhere."""
    for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", file.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (file.parent / link).exists(), f"{file.name}: {link}"


def test_screens_use_the_glossary_and_the_glossary_is_used() -> None:
    """Every word of a screen comes from the glossary in both languages, and none of it is dead."""
    centre = ROOT / "collector"
    rooms = ("screen", "up", "cli", "agreements", "roster/diff", "sampling/form", "watch/texts", "telling", "watching")
    files = [*(centre / f"{name}.py" for name in (*rooms, "stages", "access/pages"))]
    files += [*centre.glob("commands/*.py"), *centre.glob("board/*.py")]
    screens = "".join(file.read_text(encoding="utf-8") for file in files)
    for key, (chinese, english) in WORDS.items():
        families = (key[: match.end()] for match in re.finditer("_", key))
        is_used = f'"{key}"' in screens or f"'{key}'" in screens or any(f"{one}{{" in screens for one in families)
        assert is_used, f"{key} is used nowhere"
        assert chinese and english
    people_never_see = re.compile(r"\b(slot|spool|epoch|batch|A_low)\b", re.IGNORECASE)
    assert not [word for word in WORDS.values() if people_never_see.search(word[1])]


def test_every_header_of_a_roster_is_documented() -> None:
    """`docs/roster.md` has a row for each column with every header that is accepted."""
    text = (ROOT / "docs/roster.md").read_text(encoding="utf-8")
    for column in (*SITE_COLUMNS, *DEVICE_COLUMNS):
        (row,) = re.findall(rf"^\| .*`{column.name}`.* \|.*\|$", text, re.MULTILINE)[:1]
        for header in column.headers:
            assert re.search(rf"[ `]{re.escape(header)}[ `,]", row), f"{column.name}: {header}"


def test_every_setting_of_every_probe_is_documented() -> None:
    """`docs/probes.md` has a section for each kind of probe, which names each of its settings."""
    text = (ROOT / "docs/probes.md").read_text(encoding="utf-8")
    head, *sections = re.split(r"^## `(\w+)`", text, flags=re.MULTILINE)
    by_kind = dict(zip(sections[::2], sections[1::2], strict=True))
    assert by_kind.keys() == KINDS.keys()
    for kind, asked in KINDS.items():
        for name in asked._fields:
            where = head + by_kind["tcp"] if name in COMMON else by_kind[kind]
            assert re.search(rf"`{name}[` ]", where), f"{kind} {name}"
