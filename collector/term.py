"""A word of the glossary, and how it is not to be called."""

from typing import Literal, NamedTuple

Language = Literal["zh", "en"]


class Term(NamedTuple):
    """A word and what it means, in both languages; and names of the same thing that nobody is to read."""

    zh: str
    en: str
    means_zh: str
    means_en: str
    never_zh: tuple[str, ...] = ()
    never_en: tuple[str, ...] = ()

    def name(self, language: Language) -> str:
        """Return the word."""
        return self.zh if language == "zh" else self.en

    def meaning(self, language: Language) -> str:
        """Return what it means, as a sentence."""
        return self.means_zh if language == "zh" else self.means_en

    def never(self, language: Language) -> tuple[str, ...]:
        """Return what it is not to be called."""
        return self.never_zh if language == "zh" else self.never_en

    @property
    def pair(self) -> tuple[str, str]:
        """The word as screens have their words: Chinese, English."""
        return self.zh, self.en

    @property
    def heading(self) -> tuple[str, str]:
        """The word as reports have their headings: English with a capital."""
        return self.zh, self.en[:1].upper() + self.en[1:]
