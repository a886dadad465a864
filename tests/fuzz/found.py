"""What was found once: a file a message, replayed by the tests for ever."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ANSWER = "ack"  # the topic of a message that an agent reads
FOLDER = Path(__file__).parent / "found"


class Found(NamedTuple):
    """A message of which the centre made something that it must not, and when (unix ns) it arrived."""

    what: str
    topic: str
    payload: bytes
    now_ns: int


def keep(found: Found) -> Path:
    """Write a message down; return where."""
    path = FOLDER / f"{hashlib.sha256(found.payload + found.topic.encode()).hexdigest()[:12]}.json"
    content = {**found._asdict(), "payload": found.payload.decode("latin-1")}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n", encoding="ascii")
    return path


def kept() -> Iterator[tuple[str, Found]]:
    """Yield every message that was kept, with the name of its file."""
    for path in sorted(FOLDER.glob("*.json")):
        content = json.loads(path.read_text(encoding="ascii"))
        yield path.stem, Found(**{**content, "payload": content["payload"].encode("latin-1")})


def moved(found: Found, now_ns: int) -> Found:
    """Return a message as if it arrived at `now_ns`: the times in it move along, where it is plain text."""
    shift = now_ns - found.now_ns
    payload = re.sub(rb"(?<=[ =])1\d{18}(?=\s|$)", lambda time: b"%d" % (int(time[0]) + shift), found.payload)
    return found._replace(payload=payload, now_ns=now_ns)
