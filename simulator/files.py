"""Writes what each agent publishes into a file that `santong import --trust` reads."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from contract import __version__
from contract.batchfile import Head, Writer
from simulator.delivery import Arrived

FOLDER = "batches"


def write(folder: Path, agent: str, exported_ms: int, arrived: Iterable[Arrived]) -> int:
    """Write the batches of an agent into a file of its own, unsigned; return how many there were."""
    folder.mkdir(parents=True, exist_ok=True)
    file = next(path for path in _names(folder, agent) if not path.exists())
    with file.open("wb") as out:
        writer = Writer(out, Head(agent, datetime.fromtimestamp(exported_ms / 1000, UTC), __version__))
        for one in arrived:
            writer.add(one.device, one.payload)
        return writer.seal().batches


def _names(folder: Path, agent: str) -> Iterable[Path]:
    """Yield names for the file: a cloned agent has more than one."""
    yield folder / f"{agent}.jsonl"
    number = 2
    while True:
        yield folder / f"{agent}.{number}.jsonl"
        number += 1
