"""
The glossary as screens and reports use it, and what no text for people may say.

The words themselves are in `collector/terms.py`. People never see slot, spool, epoch, batch, A_low; every report
explains on its last page what they see instead, and `santong glossary` prints it.
"""

import re
from collections.abc import Iterator

from collector.terms import GLOSSARY, Language, Term

__all__ = ["GLOSSARY", "Language", "Term", "misnamed", "term"]

# The words within the program, with what they would be in Chinese.
_INNER = {
    "en": re.compile(r"\b(slots?|spool(ed|s)?|epochs?|batch(es)?|A_low|A_high)\b", re.IGNORECASE),
    "zh": re.compile(r"\b(slots?|spool|epochs?|batch(es)?|A_low|A_high)\b|时隙|假脱机|纪元|批次", re.IGNORECASE),
}
_COMMAND = re.compile(r"santong-agent spool|--spool")


def term(key: str, language: Language) -> str:
    """Return a word of the glossary; KeyError for one that is not in it."""
    return GLOSSARY[key].name(language)


def misnamed(text: str, language: Language) -> Iterator[str]:
    """Yield what a text for people must not say: words within the program, and other names of what has a name."""
    said = _COMMAND.sub("", text)
    for found in _INNER[language].finditer(said):
        yield f"{found[0]}: a word within the program"
    for key, one in GLOSSARY.items():
        for other in one.never(language):
            if _has(said, other, language):
                yield f"{other}: {key} is called {one.name(language)}"


def _has(text: str, name: str, language: Language) -> bool:
    if language == "zh":
        return name in text
    return re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) is not None
