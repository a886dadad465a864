"""
Lots that anybody can draw again, with `sha256sum` and `sort` alone.

Each name has a ticket: the SHA-256 of the lines `santong-sample/1`, kind, seed, name (UTF-8, parted by line feeds, none
at the end), in hexadecimal. The smallest tickets are drawn. Whoever does not know the seed beforehand cannot prefer any
name, so every set of names of one size is as likely as any other: simple random sampling without replacement, by
permanent random numbers (Ohlsson 1995, in Business Survey Methods, chapter 9).

The roster's hash is no part of a ticket: else a changed telephone number would be another sample, and somebody who
knows the seed could try until one pleases.
"""

import hashlib
import secrets
from collections.abc import Iterable

FORM = "santong-sample/1"
MOST_LETTERS = 200


def ticket(seed: str, kind: str, *names: str) -> str:
    """Return the ticket of a name, or of several that belong together."""
    return hashlib.sha256("\n".join((FORM, kind, seed, *names)).encode()).hexdigest()


def in_order(seed: str, kind: str, names: Iterable[str]) -> list[str]:
    """Return names in the order in which they are drawn."""
    return sorted(names, key=lambda name: (ticket(seed, kind, name), name))


def new_seed() -> str:
    """Return a seed that nobody could know: 128 bits of the system's randomness, in hexadecimal."""
    return secrets.token_hex(16)


def seed_of(text: str) -> str:
    """Return a seed as it is used, without blanks around it; ValueError for one that cannot be typed again."""
    seed = text.strip()
    if not seed or len(seed) > MOST_LETTERS or not seed.isprintable():
        raise ValueError(f"a seed is 1 to {MOST_LETTERS} characters that can be printed, in one line")
    return seed
