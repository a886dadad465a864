"""
Malformed messages by the thousand. A block of them follows from a seed, its number and the time alone.

    good lines ──▶ damaged ones among them ──▶ body ──▶ header ──▶ pack ──▶ payload
                          └── each message gets one kind of damage, somewhere on this way
"""

import random
from collections.abc import Callable, Iterator

from tests.fuzz.grammar import Grammar, pick
from tests.fuzz.lines import OF_A_LINE
from tests.fuzz.messages import OF_A_MESSAGE, OF_A_PAYLOAD, OF_A_SIZE, Message

BLOCK = 1000
TOPICS = (
    *("santong/v1/441802-1.gw/441802-1.gw/batch", "santong/v1/441802-1.gw/441802-1.c0703/batch"),
    *("santong/v1/0-0.0/0-0.0/batch", f"santong/v1/a-b--c.{'x' * 57}/a-b--c.y/batch"),
)
_EPOCHS = (b"5f0c9a1e", b"00c0ffee00c0ffee", b"0badcafe0", b"ffffffffffffffff")
_LINES_A_BLOCK = 250
_BLOCKS_A_SIZE = 3  # one message of a size near the limits in so many blocks: it costs as much as a thousand others


class Maker:
    """Makes messages that all arrive at `now_ns`."""

    def __init__(self, seed: int, now_ns: int) -> None:
        self.seed = seed
        self.now_ns = now_ns

    def block(self, number: int) -> tuple[list[bytes], Iterator[tuple[str, str, bytes]]]:
        """Return the good lines of a block, and its messages as (kind, topic, payload)."""
        chance = random.Random(f"{self.seed}:{number}")
        grammar = Grammar(chance, self.now_ns, is_usual=number % 2 == 0)
        good = [grammar.draft().line() for _ in range(_LINES_A_BLOCK)]
        return good, (_message(grammar, good, number * BLOCK + n) for n in range(BLOCK))


def _message(grammar: Grammar, good: list[bytes], number: int) -> tuple[str, str, bytes]:
    chance = grammar.chance
    lines = [pick(chance, good) for _ in range(1 + int(3 * chance.random() ** 2))]
    header = b"#santong/1 epoch=%b seq=%d clock=synced" % (pick(chance, _EPOCHS), number)
    if chance.random() < 0.05:
        header += b" previous=5f0c9a1e:7"
    message = Message(pick(chance, TOPICS), header, b"\n".join(lines) + b"\n", chance.random() < 0.25)
    if number % (BLOCK * _BLOCKS_A_SIZE) == BLOCK // 2:
        size = pick(chance, OF_A_SIZE)
        return _name(size), message.topic, size(chance, message)
    draw = chance.random()
    if draw < 0.115:
        damage = pick(chance, OF_A_PAYLOAD)
        return _name(damage), message.topic, damage(chance, message)
    if draw < 0.38:
        change = pick(chance, OF_A_MESSAGE["topic" if draw < 0.15 else "header" if draw < 0.28 else "body"])
        message = change(chance, message)
        return _name(change), message.topic, message.payload()
    accident = pick(chance, OF_A_LINE)
    for _ in range(pick(chance, (1, 1, 1, 2))):
        lines.insert(int(chance.random() * (len(lines) + 1)), accident(chance, grammar.draft(), grammar))
    message = message._replace(body=b"\n".join(lines) + b"\n")
    return _name(accident), message.topic, message.payload()


def _name(kind: Callable[..., object]) -> str:
    return kind.__name__.replace("_", " ")
