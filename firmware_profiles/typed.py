"""A document of `load.py` as settings: each value of the wrong type is said with its file and line."""

import re
from typing import TypeVar

from contract.errors import ConfigError, Problem
from contract.settings import checked
from firmware_profiles.load import Document, Flaw, Refusal

T = TypeVar("T")


def typed(kind: type[T], document: Document) -> T:
    """Return the settings; ConfigError names file and line of each value that has the wrong type."""
    try:
        return checked(kind, document.tree, str(document.file))
    except ConfigError as error:
        raise Refusal(flaw_of(document, problem) for problem in error.problems) from None


def flaw_of(document: Document, problem: Problem) -> Flaw:
    """Return a mistake with its place, said as one of YAML rather than of TOML."""
    place, message = document.place(problem.path), problem.message
    if message.endswith("is not text") and place.text is not None:
        message = f'{place.text} is not text: write it in quotes, "{place.text}"'
    if brace := re.fullmatch(r"\{'([a-z0-9_]+)': None\} is not text", message):
        message = f'{{{brace[1]}}} without quotes is a section: write "{{{brace[1]}}}"'
    if message.startswith("is a section, not") and re.search(r"(^|\.)(title|definition)$", place.path):
        message += ": write {zh: …, en: …}"
    if message.startswith("is a list of sections"):
        message = "is a list: each entry begins with '- '"
    is_inherited = place.file != str(document.file)
    return Flaw(place, message, document.file.stem if is_inherited else "")
