"""
Versions of firmware as vendors write them, in order: `V200R019C00SPC500`, `2.3.4-rc1`, `RouterOS 6.49.7`.

A version is cut into numbers and words; what stands between them, and words before the first number, do not count.
Then piece by piece: words of a version that is not out yet (dev, alpha, beta, pre, rc) < the end < other words (in the
order of the alphabet, capitals or not) < numbers. So 2.3.4-rc1 < 2.3.4 < 2.3.4b < 2.3.4.1, and 6.49 = 6.49.0.

A version that is known to be bad is meant with every word behind it: 5.20.1 is also 5.20.1 (RG-AP720), but neither
5.20.10 nor 5.20.1.3, which may be where it was mended.
"""

import re

from firmware_profiles.schema import Firmware

MOST_CHARACTERS = 200
_BEFORE = {"dev": 0, "snapshot": 1, "alpha": 2, "beta": 3, "pre": 4, "preview": 4, "rc": 5}
_UNFINISHED, _END, _WORD, _NUMBER = range(4)
Key = tuple[tuple[int, int, str], ...]


def key(version: str) -> Key | None:
    """Return what versions are compared by; None for a text that has no number in it."""
    if not (pieces := _pieces(version)):
        return None
    kept: list[str] = []
    for piece in [*pieces, ""]:
        if not _is_number(piece):
            _drop_zeros(kept)
        kept.append(piece)
    return (*(_rank(piece) for piece in kept[:-1]), (_END, 0, ""))


def is_compliant(version: str, rule: Firmware) -> bool | None:
    """Tell whether a version is a good one; None where nothing is asked of it, or it cannot be compared."""
    own = key(version)
    if own is None or not (rule.minimum or rule.known_bad):
        return None
    least = key(rule.minimum)
    return (least is None or own >= least) and not any(_is_of(version, bad) for bad in rule.known_bad)


def _is_of(version: str, bad: str) -> bool:
    """Tell whether a version is the bad one, or that with a word behind it."""
    begins = [_rank(piece) for piece in _pieces(bad)]
    own = [_rank(piece) for piece in _pieces(version)]
    has_word_next = own[len(begins) : len(begins) + 1] and own[len(begins)][0] != _NUMBER
    return bool(begins) and (key(version) == key(bad) or (bool(has_word_next) and own[: len(begins)] == begins))


def _pieces(version: str) -> list[str]:
    """Return the numbers and words of a version, from its first number on."""
    pieces = re.findall(r"[0-9]+|[^\W\d_]+", version[:MOST_CHARACTERS].lower())
    while pieces and not _is_number(pieces[0]):
        del pieces[0]
    return pieces


def _is_number(piece: str) -> bool:
    return piece.isascii() and piece.isdigit()


def _drop_zeros(kept: list[str]) -> None:
    """Drop zeros at the end of a row of numbers, but never its first number."""
    while len(kept) > 1 and _is_number(kept[-1]) and int(kept[-1]) == 0 and _is_number(kept[-2]):
        del kept[-1]


def _rank(piece: str) -> tuple[int, int, str]:
    if _is_number(piece):
        return (_NUMBER, int(piece), "")
    if piece in _BEFORE:
        return (_UNFINISHED, _BEFORE[piece], "")
    return (_WORD, 0, piece)
