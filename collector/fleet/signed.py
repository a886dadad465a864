"""
What devices fetch and obey, each as one file, so that nobody ever reads a text with the signature of another one.

    {"format":"santong-plan/1","number":7,…}
    3q2+7w…==        the Ed25519 signature of the line above without its line feed, in base64

The first line is JSON in UTF-8 without a line feed in it; the second ends with one. `format` keeps a signature of one
kind of text from being taken for one of another. Numbers only grow: a device obeys nothing older than what it has seen.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

Sign = Callable[[bytes], bytes]


def encode(tree: Mapping[str, Any], sign: Sign) -> bytes:
    """Return the file of a text, the same for the same text and key."""
    line = json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()
    return line + b"\n" + base64.b64encode(sign(line)) + b"\n"


def next_number(before: int, now_ms: int) -> int:
    """
    Return a number above one that was used: the time, unless that is not above it.

    So numbers grow even where a centre is made anew from a backup, which knows nothing of those given out since.
    """
    return max(before + 1, now_ms)


def tree_of(content: bytes, kind: str) -> dict[str, Any]:
    """Return what a file says, unverified: for those who wrote it themselves. Nothing of anything else."""
    try:
        tree = json.loads(content.split(b"\n", 1)[0])
        return tree if tree["format"] == kind else {}
    except (ValueError, KeyError, TypeError):
        return {}
