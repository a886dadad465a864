"""
Where messages go: the addresses that somebody wrote down, as URLs of apprise.

    --notify URL, else SANTONG_NOTIFY, else DATA/notify.urls ──▶ Written ──▶ Address ──send──▶ outcome

A URL is a secret: there is a key or a password in it. No error shows more of it than its kind; whatever else shows an
address shows its `name`.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from collector.channels.service import Address, Unknown, address_of
from contract.errors import ConfigError, Problem

FILE = "notify.urls"
VARIABLE = "SANTONG_NOTIFY"
OPTION = "--notify"


class Written(NamedTuple):
    """A URL, and the place where it is written."""

    place: str
    url: str


def written(given: Sequence[str], environment: Mapping[str, str], data: Path) -> list[Written]:
    """
    Return the URLs of the option, else those of the variable, else those of the file in the data folder.

    ConfigError where others than its owner can read the file.
    """
    if given:
        return [Written(OPTION, url) for url in given]
    if urls := environment.get(VARIABLE, "").split():
        return [Written(VARIABLE, url) for url in urls]
    file = data / FILE
    try:
        with file.open(encoding="utf-8-sig") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            lines = opened.read().splitlines()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        raise ConfigError(str(file), [Problem("", "is not UTF-8")]) from None
    if mode & 0o077:
        problem = Problem("", f"others can read the secrets in it (mode {mode:04o}): chmod 600 {file}")
        raise ConfigError(str(file), [problem])
    numbered = ((f"{file}:{number}", line.strip()) for number, line in enumerate(lines, start=1))
    return [Written(place, line) for place, line in numbered if line and not line.startswith("#")]


def addresses(urls: Sequence[Written]) -> tuple[list[Address], ConfigError | None]:
    """Return the addresses, each once, and every mistake: of a URL it says no more than its kind."""
    found: dict[str, Address] = {}
    problems, places = [], []
    for place, url in urls:
        try:
            address = address_of(url)
        except Unknown as flaw:
            places.append(place)
            problems.append(Problem("", str(flaw)))
        else:
            found.setdefault(address.name, address)
    return list(found.values()), ConfigError("", problems, places) if problems else None
