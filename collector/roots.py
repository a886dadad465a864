"""
The root of each day, taken and handed to somebody outside.

    store ──▶ Chain.take ──▶ roots.log ──▶ due at each address ──▶ Address.send ──▶ handed.log

A root is on disk before anybody is told of it, and each try is written down before the next one begins. What was not
taken, the network being down, is due again at the next run.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from collector.archive.chain import Chain, Root
from collector.archive.handed import Handed, HandedLog, add, due
from collector.channels.service import Address, Message

MOST_MESSAGES = 10  # an address and run: the bots of 企业微信 and 钉钉 take 20 a minute


class Delivery(NamedTuple):
    """What came of handing roots to an address: these went, by one message, with this outcome."""

    address: str
    roots: tuple[Root, ...]
    outcome: str
    is_taken: bool


def hand_out(
    data: Path, addresses: Sequence[Address], new: Collection[Root], title: str, said: str = ""
) -> Iterator[Delivery]:
    """
    Send each address the roots that it has not taken, all in one message where they fit, and yield what came of it.

    `title` stands above them, with their days, and `said`, what they are, in the line before them. Raises BadRoots and
    OSError; what was sent by then is written down.
    """
    roots, log, above = Chain(data).roots(), HandedLog(data), f"{said}\n" if said else ""
    if not roots:
        return
    with log.alone() as descriptor:
        handed = log.read()
        for address in addresses:
            pieces = _pieces(due(roots, handed, address.name, new), address, title, above)
            for piece in pieces[:MOST_MESSAGES]:
                text = above + "".join(root.line() for root in piece)
                outcome = address.send(Message(_title(title, piece), text))
                now_ns = time.time_ns()
                tries = [Handed(root.day, root.chain, address.name, now_ns, outcome) for root in piece]
                add(descriptor, tries)
                yield Delivery(address.name, piece, outcome, tries[0].is_taken)
                if not tries[0].is_taken:
                    break


def _pieces(roots: Sequence[Root], address: Address, title: str, above: str) -> list[tuple[Root, ...]]:
    """Part roots into messages that an address has room for; a line is never cut."""
    pieces: list[tuple[Root, ...]] = []
    left = 0
    for root in roots:
        size = len(root.line())
        if size > left or not pieces:
            pieces.append(())
            left = address.room(_title(title, (root, root))) - len(above.encode())
        pieces[-1] += (root,)
        left -= size
    return pieces


def _title(title: str, roots: Sequence[Root]) -> str:
    first, last = roots[0].day, roots[-1].day
    return f"{title} {first}" if len(roots) == 1 else f"{title} {first} … {last}"
