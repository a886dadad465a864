"""`santong glossary`: what the words of screens and reports mean."""

import json
from typing import Annotated

import typer
from rich.text import Text

from collector.commands.common import AsJson, Lang, language_of
from collector.glossary import GLOSSARY, Language, Term
from collector.screen import console
from contract.command_line import fail


def glossary(
    text: Annotated[str, typer.Argument(metavar="[WORD]", help="Only terms with this in their name.")] = "",
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Say what the words of screens and reports mean, in Chinese or English. Exit code 1: there is no such word."""
    language = language_of(lang)
    found = {key: one for key, one in GLOSSARY.items() if _is_meant(key, one, text.lower())}
    if not found:
        fail(f"{text!r} is no word of the glossary; `santong glossary` prints all of them", 1)
    if as_json:
        typer.echo(json.dumps([_as_json(key, one) for key, one in found.items()], ensure_ascii=False, indent=2))
        return
    for one in found.values():
        console().print(_line(one, language), soft_wrap=True)


def _is_meant(key: str, one: Term, text: str) -> bool:
    """Tell whether a term has a word in its name; headings of pages have the plural."""
    names = f"{key} {key.replace('_', ' ')} {one.zh} {one.en}".lower()
    return text in names or (len(text) > 2 and text.endswith("s") and text[:-1] in names)


def _line(one: Term, language: Language) -> Text:
    """Return a term, with its name in the other language, and what it means."""
    other: Language = "en" if language == "zh" else "zh"
    return Text.assemble(
        (one.name(language), "bold"), f" ({one.name(other)})", f"\n  {one.meaning(language)}",
    )  # fmt: skip


def _as_json(key: str, one: Term) -> dict[str, object]:
    return {
        "term": key,
        "name": {"zh": one.zh, "en": one.en},
        "means": {"zh": one.means_zh, "en": one.means_en},
        "never": {"zh": list(one.never_zh), "en": list(one.never_en)},
    }
