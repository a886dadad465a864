"""Small rosters for the tests, good ones and parts to spoil."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

SITE = "441802-9990000001"
SITES_CSV = f"site,name,area\n{SITE},示例小学,urban\n441802-9990000002,示例中学,rural\n"
DEVICE = f"{SITE}.c0101"


def save(folder: Path, text: str, name: str = "devices.csv", encoding: str = "utf-8") -> Path:
    """Write a file as it is, line ends included."""
    file = folder / name
    file.write_bytes(text.encode(encoding))
    return file


def sites(folder: Path, text: str = SITES_CSV) -> Path:
    """Write the two sites of the tests."""
    return save(folder, text, "sites.csv")


def as_csv(rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    """Return rows as CSV."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()
