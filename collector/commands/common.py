"""What the commands at the centre share: options, one-line errors, the store that is there already."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from collector.store.base import Store
from collector.store.open import open_store
from collector.up import store_url
from collector.words import Language, default_language
from contract.errors import SantongError

Data = Annotated[Path, typer.Option("--data", envvar="SANTONG_DATA", help="Folder of store and quarantine.")]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="influxdb://user:password@host:8086/santong or sqlite:///path; else DATA's own."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lang = Annotated[str | None, typer.Option("--lang", help="zh or en; else that of the terminal.")]
Zone = Annotated[str, typer.Option("--zone", envvar="SANTONG_ZONE", help="Time zone of what is shown.")]
DEFAULT_DATA = Path("santong-data")
DEFAULT_ZONE = "Asia/Shanghai"


def fail(error: object, code: int = 2) -> NoReturn:
    """Print one line to stderr and end with `code`."""
    typer.echo(str(error), err=True)
    raise typer.Exit(code)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the product's own errors, and the system's, into one line and exit code 2."""
    try:
        yield
    except (SantongError, sqlite3.Error) as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))


def language_of(text: str | None) -> Language:
    """Return the language of `--lang`, else that of the terminal."""
    if text not in (None, "zh", "en"):
        fail(f"--lang: {text!r} is none of zh, en")
    return default_language() if text is None else text  # type: ignore[return-value]


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of `--zone`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fail(f"--zone: {name!r} is not a time zone such as Asia/Shanghai")


def open_for_reading(data: Path, store: str | None) -> Store:
    """Return the store of `--store`, `SANTONG_STORE` or the data folder; nothing is created."""
    url = store or os.environ.get("SANTONG_STORE") or store_url(data)
    opened = open_store(url, create=False)
    opened.ready()
    return opened
