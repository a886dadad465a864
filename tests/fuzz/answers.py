"""
What an agent reads from the network: malformed answers, through decode_ack and a real Delivery with a real Spool.

An answer raises nothing but ValueError, and takes out exactly the batches that it names.
"""

import hashlib
import json
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from agent.config import PublishSettings
from agent.delivery import Delivery
from agent.publish import Answered, Connected
from agent.spool import Spool
from contract.topics import Ack, Refusal, decode_ack, encode_ack, ranges
from tests.agent.doubles import DEVICE, LinkDouble
from tests.fuzz.centre import Wrong
from tests.fuzz.grammar import pick
from tests.fuzz.lines import edit, flip

BATCHES = 12
WINDOW = 8
_ANSWERS_A_ROUND = 10
_LONGEST = 1000
_LINE = b"usage display_on=1i 1764000000000000000\n"
_DEEP = "[" * 100_000
_SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.0, 1.5, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400, 1e308),
    *(
        float("nan"),
        float("inf"),
        "",
        "5f0c9a1e",
        "5F0C9A1E",
        "x" * 20_000,
        "\ud800",
        "\0",
        "\n",
        "初一",
        "' OR 1=1 --",
        "1",
    ),
)
_TREES = ("[]", "{}", "[[]]", "[null]", '{"": null}', "[[[[[[]]]]]]", '{"a":{"b":[]}}', '["5f0c9a1e",1,2]', "[1,2,3]")
_TEXTS = (
    *(b"", b"null", b"{}", b"[]", b"0", b'"', b"{", b"\xff", b"\xef\xbb\xbf{}", b"NaN", b'{"stored":[],"refused":[]}'),
    *(_DEEP.encode(), b'{"stored":' + _DEEP.encode(), b'{"at":' + b"9" * 5000 + b"}", b"\0" * 100, b"santong"),
    *(b'{"stored":' + b'{"a":' * 50_000, b'{"stored":[],"refused":[[' + _DEEP.encode() + b"]],", b"\xff\xfe{\0}\0"),
)
Random = random.Random
AnswerMaker = Callable[[Random, dict[str, Any]], bytes]


# ---- what can be wrong with an answer


def _dump(answer: Any) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()


def odd_values(chance: Random, answer: dict[str, Any]) -> bytes:
    """Put something of another type or size at one to three places."""
    for _ in range(1 + int(chance.random() * 3)):
        node: Any = answer
        while True:
            key = pick(chance, list(node) if isinstance(node, dict) else range(len(node)))
            if not isinstance(node[key], list | dict) or not node[key] or chance.random() < 0.3:
                break
            node = node[key]
        node[key] = pick(chance, _SCALARS) if chance.random() < 0.8 else json.loads(pick(chance, _TREES))
        if not answer:
            break
    return _dump(answer)


def odd_shapes(chance: Random, answer: dict[str, Any]) -> bytes:
    """Lose keys, add some, lengthen and shorten lists."""
    key = pick(chance, list(answer))
    draw = int(chance.random() * 5)
    if draw == 0:
        del answer[key]
    elif draw == 1:
        answer[pick(chance, ("Stored", "stored ", "", "more", "refused2"))] = answer[key]
    elif draw == 2 and answer["stored"]:
        answer["stored"][0] = answer["stored"][0][: int(chance.random() * 3)]
    elif draw == 3 and answer["refused"]:
        answer["refused"][0] = [*answer["refused"][0], *[1] * int(chance.random() * 5)]
    else:
        answer[key] = [answer[key]]
    return _dump(answer)


def odd_ranges(chance: Random, answer: dict[str, Any]) -> bytes:
    """Name runs that are empty, reversed, huge, of nobody."""
    runs = answer["stored"]
    for _ in range(1 + int(chance.random() * 3)):
        epoch = pick(chance, runs)[0] if runs and chance.random() < 0.7 else pick(chance, ("00000000", "f" * 16))
        first, last = (pick(chance, (0, 1, 2, 3, 5, 10**9, 2**63 - 1, 2**63)) for _ in range(2))
        runs.append([epoch, first, last])
    return _dump(answer)


def odd_bytes(chance: Random, answer: dict[str, Any]) -> bytes:
    """Change, take out, double or put in bytes."""
    text = _dump(answer)
    return pick(chance, (edit(chance, text), flip(chance, text), text[: int(chance.random() * len(text))], text + text))


def other_encodings(chance: Random, answer: dict[str, Any]) -> bytes:
    """Write the same in UTF-16, UTF-32, with a byte order mark, with spaces, with doubled keys."""
    text = _dump(answer).decode()
    forms = (
        text.encode("utf-16"),
        text.encode("utf-32-be"),
        text.encode("utf-8-sig"),
        json.dumps(answer, indent=3).encode(),
    )
    return pick(chance, (*forms, text.replace("{", '{"stored":[],', 1).encode(), text.encode("latin-1")))


def something_else(chance: Random, _: dict[str, Any]) -> bytes:
    """Send what is no answer at all."""
    return pick(chance, (*_TEXTS, chance.randbytes(int(chance.random() * 200))))


def nothing_wrong(_: Random, answer: dict[str, Any]) -> bytes:
    """Send a good answer, so that the next ones meet another state."""
    return _dump(answer)


OF_AN_ANSWER: tuple[AnswerMaker, ...] = (
    *(odd_values, odd_values, odd_shapes, odd_ranges, odd_bytes, other_encodings, something_else, nothing_wrong),
)


# ---- the agent


class Reader:
    """An agent with batches of two epochs: some sent, some waiting, one open."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self.chance = chance
        self.spool = Spool(folder, 1 << 24)
        self.link = LinkDouble()
        self.delivery = Delivery(DEVICE, PublishSettings(window=WINDOW), self.spool, self.link)
        self.delivery.handle(Connected())
        self.names: dict[tuple[str, int], int] = {}  # of every batch that there ever was
        self.digests: dict[str, int] = {}
        self._fill()

    def close(self) -> None:
        """Close the spool."""
        self.spool.close()

    def _fill(self) -> None:
        """Begin an epoch now and then, close batches until there are enough, and send what the window lets go."""
        if not self.names or self.chance.random() < 0.2:
            with self.spool.transaction():
                self.spool.begin()
        while len(self.spool.backlog(0)) < BATCHES:
            with self.spool.transaction():
                self.spool.append(DEVICE, _LINE, "synced")
                closed = self.spool.close_batches()
                self.spool.append(DEVICE, _LINE, "synced")
            self.delivery.offer(closed)
        self.delivery.send()
        waiting = [found for found in map(self.spool.waiting, self.spool.backlog(0)) if found]
        self.waiting = [(found.epoch, found.seq) for found in waiting]
        self.names |= {(found.epoch, found.seq): found.id for found in waiting}
        self.digests |= {hashlib.sha256(found.payload).hexdigest()[:16]: found.id for found in waiting}
        known = {(batch.epoch, batch.seq) for batch in self.link.batches()}
        self.sent = {number for name, number in self.names.items() if name in known}

    def good(self) -> dict[str, Any]:
        """Return a good answer about some of the batches."""
        chance = self.chance
        some = [name for name in self.waiting if chance.random() < 0.3]
        stored = [name for name in some if chance.random() < 0.6]
        refused = [
            Refusal(*name, "wrong_type: line 1")
            if chance.random() < 0.7
            else Refusal(None, None, "bad_gzip", pick(chance, list(self.digests)))
            for name in some
            if name not in stored
        ]
        answer: dict[str, Any] = json.loads(encode_ack(Ack(ranges(stored), tuple(refused), 1_764_000_000_000)))
        return answer

    def take(self, payload: bytes) -> bool:
        """Take an answer; tell whether it could be read. Raise Wrong."""
        before = self.delivery.settled()
        try:
            ack = decode_ack(payload)
        except ValueError as error:
            if len(str(error)) > _LONGEST:
                raise Wrong(f"an error of {len(str(error))} characters") from None
            ack = None
        try:
            self.delivery.handle(Answered(payload))
        except Exception as error:
            raise Wrong(f"raises {error!r}") from error
        settled = self.delivery.settled()
        named, must = self._named(ack) if ack else (set(), set())
        if not before <= settled <= before | named:
            raise Wrong(f"settles {settled - before - named}, which nobody named")
        if not must <= settled:
            raise Wrong(f"does not settle {must - settled}, which was sent and named")
        return ack is not None

    def _named(self, ack: Ack) -> tuple[set[int], set[int]]:
        """Return the batches that an answer names, and those of them that must be settled: they were sent."""
        named = {
            number
            for (epoch, seq), number in self.names.items()
            if any(of == epoch and first <= seq <= last for of, first, last in ack.stored)
            or any((refusal.epoch, refusal.seq) == (epoch, seq) for refusal in ack.refused)
        }
        if any(len(refusal.reason.encode()) > 16 * _LONGEST for refusal in ack.refused):
            raise Wrong("a reason without bound")
        digests = {refusal.digest for refusal in ack.refused if refusal.epoch is None or refusal.seq is None}
        return named | {self.digests[digest] for digest in digests & self.digests.keys()}, named & self.sent

    def commit(self) -> None:
        """Write what was settled, as a round does: exactly that is gone, and what was refused is kept to be seen."""
        settled, before = self.delivery.settled(), set(self.spool.backlog(0))
        with self.spool.transaction():
            self.delivery.write_settled()
        self.delivery.forget_settled()
        if set(self.spool.backlog(0)) != before - settled:
            raise Wrong(f"{settled} were settled, and {before - set(self.spool.backlog(0))} are gone")
        self._fill()


def run_answers(folder: Path, seed: str, count: int) -> list[tuple[str, bytes]]:
    """Send malformed answers to an agent; return what was found, and the answer."""
    chance = random.Random(seed)
    found: list[tuple[str, bytes]] = []
    with closing(Reader(folder, chance)) as reader, _silence():
        for number in range(count):
            kind = pick(chance, OF_AN_ANSWER)
            payload = kind(chance, reader.good())
            try:
                reader.take(payload)
                if number % _ANSWERS_A_ROUND == 0:
                    reader.commit()
            except Wrong as error:
                found.append((f"answer, {kind.__name__}: {error}", payload))
    return found


@contextmanager
def _silence() -> Iterator[None]:
    """Leave out of the log what each malformed answer is."""
    log = logging.getLogger("santong.delivery")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
