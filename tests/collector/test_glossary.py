"""One glossary: every screen and report calls a thing by one name, in words of the field, in Chinese and English."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from agent.cli import app as agent_app
from collector.board_words import BOARD
from collector.cli import app as centre_app
from collector.glossary import GLOSSARY, Language, misnamed
from collector.report.phrases import PHRASES
from collector.targets.load import SHIPPED, load
from collector.terms import IN_REPORTS
from collector.titles import OWN
from collector.verify.causes import Cause
from collector.verify.results import Verdict
from collector.watch.types import State
from collector.words import OWN as OWN_WORDS
from collector.words import SENTENCES, WORDS
from firmware_profiles.library import Library
from tests.collector.commands import run

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "collector/report/templates").glob("*.html"))
FINDINGS = ("number_clash", "place", "shared_gateway")
LANGUAGES: tuple[Language, ...] = ("zh", "en")

# Units, protocols, names of files and what is typed: the same in every language.
SAME_IN_CHINESE = re.compile(
    r"\b(kbit/s|Mbit/s|TCP|WiFi|HTTP|SHA-256|XLSX|JSON|HTML|PDF|docs/acceptance\.md|santong( [a-z]+){0,2}|report)\b"
    r"|`[a-z.]+`|--[a-z-]+"
    r"|\{[^}]*\}|^斜线 \?$|^灰色 P$"  # signs of a chart's key
)
HALF_WIDTH = re.compile(r"[一-鿿]\s*[,;:!?()]|[,;:!?()]\s*[一-鿿]")


def titles() -> Iterator[tuple[str, str, str]]:
    """Yield what shipped targets and profiles say, with where it stands."""
    for target in load(SHIPPED, []).targets:
        yield f"target {target.id}", target.title.zh, target.title.en
        if target.definition:
            yield f"target {target.id}", target.definition.zh, target.definition.en
    library = Library()
    for name in library.ids():
        profile = library.get(name)
        for title in (profile.title, *(fault.title for fault in profile.faults)):
            yield f"profile {name}", title.zh, title.en
    for code, title in OWN.items():
        yield f"fault {code}", title.zh, title.en


def own_texts() -> Iterator[tuple[str, str, str]]:
    """Yield every text of screens and reports, with its key, in Chinese and English."""
    for table in (WORDS, SENTENCES, PHRASES):
        for key, (chinese, english) in table.items():
            yield key, chinese, english
    for key, one in GLOSSARY.items():
        yield f"term {key}", one.zh, one.en
        yield f"term {key}", one.means_zh, one.means_en


def helps(app: typer.Typer) -> Iterator[tuple[str, str]]:
    """Yield what every command and option says with --help."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        yield " ".join(words), command.help or ""
        for parameter in command.params:
            yield " ".join((*words, parameter.opts[0])), getattr(parameter, "help", None) or ""
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*words, name))

    return walk(typer.main.get_command(app), ())


def test_nothing_has_two_names() -> None:
    """No text says a word within the program (slot, spool, batch …) or another name of what the glossary names."""
    wrong = [
        f"{where}: {text}: {found}"
        for where, chinese, english in (*own_texts(), *titles())
        for text, language in zip((chinese, english), LANGUAGES, strict=True)
        for found in misnamed(text, language)
    ]
    assert not wrong


@pytest.mark.parametrize("app", [agent_app, centre_app], ids=["santong-agent", "santong"])
def test_help_has_the_same_words(app: typer.Typer) -> None:
    """So do the help texts of all commands; `santong-agent spool` and `--spool` are what one types."""
    assert not [f"{where}: {text}: {found}" for where, text in helps(app) for found in misnamed(text, "en")]


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("the spool is full", "en", "spool: a word within the program"),
        ("3 Batches", "en", "Batches: a word within the program"),
        ("A_low of each slot", "en", "slot: a word within the program"),
        ("批次缺失", "zh", "批次: a word within the program"),
        ("代理停止", "zh", "代理: agent is called 采集程序"),
        ("a daemon stopped", "en", "daemon: agent is called agent"),
    ],
)
def test_what_is_misnamed_is_found(text: str, language: Language, found: str) -> None:
    """A text with such a word is named with the word, and with how the thing is called."""
    assert found in list(misnamed(text, language))


@pytest.mark.parametrize("text", ["santong-agent spool export", "--spool FOLDER", "spoolers", "epochal", "agents"])
def test_what_is_typed_may_be_said(text: str) -> None:
    """Commands may be named, and words that only begin alike are no finding."""
    assert not list(misnamed(text, "en"))


def test_a_term_is_explained_in_a_sentence_of_its_language() -> None:
    """Each term has a name of its own and one short explanation in each language, which ends with a full stop."""
    for language, stop in (("zh", "。"), ("en", ".")):
        names = [one.name(language) for one in GLOSSARY.values()]  # type: ignore[arg-type]
        assert len(set(names)) == len(names)
        for key, one in GLOSSARY.items():
            assert one.meaning(language).endswith(stop), key  # type: ignore[arg-type]
            assert not set(one.never(language)) & set(names), key  # type: ignore[arg-type]


def test_verdicts_causes_and_findings_are_terms() -> None:
    """Whatever a verdict, a minute's cause or a finding can be is in the glossary, and screens call it so."""
    keys = [f"verdict_{one}" for one in Verdict] + [f"cause_{one}" for one in Cause]
    for key in (*keys, *(f"finding_{kind}" for kind in FINDINGS)):
        assert GLOSSARY[key].pair == WORDS[key]


def test_words_and_phrases_that_are_terms_are_those_of_the_glossary() -> None:
    """A word of a screen, or of a report, with the key of a term is that term."""
    own = {"sample", "throughput", "journey"}  # a sample that is drawn, not measured; two headings of charts
    for table in (WORDS, PHRASES):
        for key in (table.keys() & GLOSSARY.keys()) - own:
            assert tuple(text.lower() for text in table[key]) == tuple(t.lower() for t in GLOSSARY[key].pair), key


def test_no_word_is_told_in_two_places() -> None:
    """The board's words and those of all other screens share no key: neither takes the other's place unseen."""
    assert not BOARD.keys() & OWN_WORDS.keys()


def test_chinese_is_chinese_and_english_english() -> None:
    """Chinese texts have full-width punctuation and no English but units and what is typed; English has no Chinese."""
    for where, chinese, english in own_texts():
        if chinese not in ("–", english):
            plain = SAME_IN_CHINESE.sub("", chinese)
            assert not re.search(r"[A-Za-z]", plain), f"{where}: {chinese}"
            assert not HALF_WIDTH.search(plain), f"{where}: {chinese}"
        assert not re.search(r"[一-鿿，。；：（）、]", english), f"{where}: {english}"
    for where, _, english in titles():
        assert not re.search("[一-鿿]", english), f"{where}: {english}"


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_templates_have_no_words_of_their_own(file: Path) -> None:
    """All that a template writes comes from the phrases: between its tags stand signs and the program's name alone."""
    text = re.sub(r"<style>.*?</style>|\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "\0", file.read_text("utf-8"), flags=re.DOTALL)
    said = re.sub(r"<[^>]*>", "\0", text)
    assert set(re.findall(r"[A-Za-z一-鿿]{2,}", said)) <= {"santong", "TCP"}


def test_the_command_prints_the_glossary() -> None:
    """`santong glossary` says every term with its meaning, in the language that is asked for; --json has both."""
    chinese, _ = run("glossary", "--lang", "zh")
    english, _ = run("glossary", "--lang", "en")
    for one in GLOSSARY.values():
        assert f"{one.zh} ({one.en})\n  {one.means_zh}\n" in chinese
        assert f"{one.en} ({one.zh})\n  {one.means_en}\n" in english
    rows = json.loads(run("glossary", "--json")[0])
    assert [row["term"] for row in rows] == list(GLOSSARY)
    assert rows[0]["name"] == {"zh": "站点", "en": "site"}


def test_one_word_can_be_asked_for() -> None:
    """A word in either language shows the terms that have it; one that is not there is a mistake."""
    assert run("glossary", "台账", "--lang", "en")[0].startswith("roster (台账)\n  The sites, rooms and devices")
    assert run("glossary", "nonsense", code=1)[1] == (
        "'nonsense' is no word of the glossary; `santong glossary` prints all of them\n"
    )


def names_on_the_board() -> Iterator[str]:
    """Yield what states, pages and headings of the operators' view are called, in both languages."""
    for key in [*(f"state_{state}" for state in State), *(key for key in BOARD if re.match("board_(?!title)", key))]:
        for name in WORDS[key]:
            yield from re.split("与|, ", name)
    for key in ("incident", "hotspot", "uplink", "rollout", "board", "stage", "state"):
        yield from WORDS[key]
    yield from ("班班通率", "Classes that worked", "rollout", "incidents")


@pytest.mark.parametrize("name", dict.fromkeys(names_on_the_board()))
def test_what_states_and_pages_are_called_can_be_asked_for(name: str) -> None:
    """Whoever reads a word on the board, in a message or on a dashboard finds out what it means."""
    printed, _ = run("glossary", name, "--lang", "en")
    assert any(name.lower().rstrip("s") in line.lower() for line in printed.splitlines() if line.endswith(")")) or (
        name == "To check" and printed.startswith("to be checked (待核实)\n")
    )


def test_a_report_explains_its_own_words_alone() -> None:
    """The last page of a report has no words of what is so now; the glossary has all."""
    assert IN_REPORTS.keys() < GLOSSARY.keys()
    assert "verdict" in IN_REPORTS
    assert not {"state_offline", "incident", "rollout"} & IN_REPORTS.keys()
