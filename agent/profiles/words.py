"""Many words looked for in a text at once."""

from collections.abc import Iterator
from typing import Any

from agent.profiles.stand_ins import folded

ANYWHERE = 8  # a word as long as this is found within others too; a shorter one where it stands alone
_END = ""


class Words:
    """A tree of letters: the time that a text takes does not depend on how many words there are."""

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}

    def add(self, word: str) -> None:
        """Have a word looked for."""
        at = self._tree
        for letter in folded(word):
            at = at.setdefault(letter, {})
        at[_END] = True

    def found(self, text: str, *, anywhere: int = ANYWHERE) -> Iterator[tuple[int, int]]:
        """Yield beginning and end of each word that is found, the longest at each place, none within another."""
        letters = folded(text)
        start = 0
        while start < len(letters):
            end = self._longest(letters, start, anywhere)
            if end:
                yield start, end
            start = end or start + 1

    def _longest(self, letters: str, start: int, anywhere: int) -> int:
        at, longest = self._tree, 0
        if letters[start] not in at:
            return 0
        for place in range(start, len(letters)):
            if letters[place] not in at:
                break
            at = at[letters[place]]
            if _END in at and (place + 1 - start >= anywhere or _stands_alone(letters, start, place + 1)):
                longest = place + 1
        return longest


def _stands_alone(text: str, start: int, end: int) -> bool:
    return not (start and text[start - 1].isalnum()) and not text[end : end + 1].isalnum()
