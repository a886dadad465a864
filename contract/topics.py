"""MQTT topics of contract v1 and the JSON of the two small messages, state and ack."""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from contract.batch import is_epoch
from contract.errors import BadName
from contract.names import is_device

ROOT = "santong/v1"
ALL_BATCHES = f"{ROOT}/+/+/batch"
ALL_STATES = f"{ROOT}/+/state"
WILL_DELAY_S = 30
MOST_COMMAND_BYTES = 8 << 10
_LONGEST_REASON = 4000


def batch(agent: str, device: str) -> str:
    """Return the topic of the batches that `agent` sends for `device`."""
    return f"{ROOT}/{agent}/{device}/batch"


def state(agent: str) -> str:
    """Return the topic of an agent's retained state, which is its last will too."""
    return f"{ROOT}/{agent}/state"


def ack(agent: str) -> str:
    """Return the topic on which the collector answers an agent."""
    return f"{ROOT}/{agent}/ack"


def command(agent: str) -> str:
    """Return the topic on which an agent is asked something: `contract.asking`."""
    return f"{ROOT}/{agent}/command"


def reply(agent: str) -> str:
    """Return the topic on which an agent answers what it was asked."""
    return f"{ROOT}/{agent}/reply"


@lru_cache(1 << 16)  # the same topics come again every minute
def parse_batch(topic: str) -> tuple[str, str]:
    """Return (agent, device) of a batch topic; BadName when it is none or an id in it is wrong."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[:2] != ROOT.split("/") or parts[4] != "batch":
        raise BadName(f"{topic[:200]!r} is not the topic of a batch")
    for name in parts[2:4]:
        if not is_device(name):
            raise BadName(f"{name[:80]!r} in topic {topic[:200]!r} is not a device id")
    return parts[2], parts[3]


class Refusal(NamedTuple):
    """
    One refused batch.

    Epoch and seq are None when the payload could not be read that far; then `digest`, the first 16 hex digits of the
    payload's SHA-256, tells the agent which of its batches is meant.
    """

    epoch: str | None
    seq: int | None
    reason: str
    digest: str = ""


class Ack(NamedTuple):
    """What the collector did with batches of one agent. `stored` holds (epoch, first seq, last seq)."""

    stored: tuple[tuple[str, int, int], ...]
    refused: tuple[Refusal, ...]
    at_ms: int


def ranges(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int, int], ...]:
    """Fold (epoch, seq) pairs into (epoch, first, last) runs."""
    runs: list[tuple[str, int, int]] = []
    for epoch, seq in sorted(set(pairs)):
        if runs and runs[-1][0] == epoch and runs[-1][2] == seq - 1:
            runs[-1] = (epoch, runs[-1][1], seq)
        else:
            runs.append((epoch, seq, seq))
    return tuple(runs)


def encode_ack(message: Ack) -> bytes:
    """Return the JSON of an ack. Built by hand where it is only numbers and epochs: one is sent for each batch."""
    stored = ",".join([f'["{epoch}",{first},{last}]' for epoch, first, last in message.stored])
    refused = [[*item[:3], item.digest] if item.epoch is None else item[:3] for item in message.refused]
    words = json.dumps(refused, separators=(",", ":"), ensure_ascii=False) if refused else "[]"
    return f'{{"stored":[{stored}],"refused":{words},"at":{message.at_ms}}}'.encode()


def decode_ack(payload: bytes) -> Ack:
    """Return the ack of a payload; ValueError for anything that is none."""
    try:
        data = json.loads(payload)
        stored = tuple((_epoch(epoch), _number(first), _number(last)) for epoch, first, last in data["stored"])
        refused = tuple(_refusal(*item) for item in data["refused"])
        return Ack(stored, refused, _number(data["at"]))
    except (KeyError, TypeError, RecursionError, ValueError) as error:
        raise ValueError(f"not an ack: {error!r:.200}") from error


def _refusal(epoch: object, seq: object, reason: object, digest: object = "", *_: object) -> Refusal:
    if epoch is None or seq is None:
        return Refusal(None, None, _text(reason), str(digest))
    return Refusal(_epoch(epoch), _number(seq), _text(reason))


def _epoch(value: object) -> str:
    if isinstance(value, str) and is_epoch(value):
        return value
    raise ValueError(f"{value!r} is not an epoch")


def _number(value: object) -> int:
    if isinstance(value, int) and 0 <= value < 2**63:
        return value
    raise ValueError(f"{value!r} is not a number of 63 bits")


def _text(value: object) -> str:
    """Return text that can be written down: JSON can carry half a character, and a megabyte."""
    return str(value)[:_LONGEST_REASON].encode(errors="replace").decode()


def encode_state(name: str, boot: str, version: str) -> bytes:
    """Return the JSON of an agent's state: online, offline or stopped."""
    return json.dumps({"state": name, "boot": boot, "version": version}, separators=(",", ":")).encode()
