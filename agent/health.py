"""Health without a server: a small file beside the spool, for `santong-agent health` and any supervisor."""

import json
import logging
from pathlib import Path
from typing import NamedTuple

FILE = "health.json"

log = logging.getLogger("santong.health")


class Health(NamedTuple):
    """When the centre last stored something (unix seconds, 0 never), and how it stands with the broker."""

    stored: float
    note: str


def write(directory: Path, health: Health) -> None:
    """Replace the file; a disk that refuses is no reason to stop measuring."""
    new = directory / f"{FILE}.new"
    try:
        new.write_text(json.dumps(health._asdict(), ensure_ascii=False), encoding="utf-8")
        new.replace(directory / FILE)
    except OSError as error:
        log.debug("%s: %s", directory / FILE, error.strerror)


def read(directory: Path) -> Health:
    """Return what the agent left; a note says so when it left nothing."""
    try:
        data = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return Health(float(data["stored"]), str(data["note"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Health(0.0, f"{directory / FILE} cannot be read: has the agent run?")
