"""What the commands at the centre share: options, and the store that is there already."""

import os
import signal
import threading
from datetime import date
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from collector.store.base import Store
from collector.store.open import open_store
from collector.up import store_url
from collector.words import Language, default_language
from contract.command_line import fail

if TYPE_CHECKING:
    from collector.calendars.calendar import Calendars

Data = Annotated[Path, typer.Option("--data", envvar="SANTONG_DATA", help="Folder of store and quarantine.")]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="influxdb://user:password@host:8086/santong or sqlite:///path; else DATA's own."),
]
CalendarsOption = Annotated[
    Path | None,
    typer.Option("--calendars", help="File of calendars; else calendars.yaml in DATA, else the shipped example."),
]
RosterOption = Annotated[
    list[Path] | None,
    typer.Option("--roster", help="CSV or XLSX, instead of the versions in DATA; can be repeated."),
]
TargetsOption = Annotated[Path | None, typer.Option("--targets", help="File of targets; else the shipped one.")]
FolderOption = Annotated[Path | None, typer.Option("--folder", help="Your own profiles, which targets may name.")]
EvidenceOption = Annotated[
    Path | None,
    typer.Option("--evidence", help="An archive of evidence: everything is read from it, no store is needed."),
]
KeyOption = Annotated[
    Path | None, typer.Option("--key", help="Public key that the archive must be signed with, PEM; else DATA's.")
]
Depot = Annotated[Path, typer.Option("--depot", envvar="SANTONG_DEPOT", help="Folder that devices fetch from.")]
Authority = Annotated[
    Path, typer.Option("--authority", envvar="SANTONG_AUTHORITY", help="Folder of the authority, which signs.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lang = Annotated[str | None, typer.Option("--lang", help="zh or en; else that of the terminal.")]
Zone = Annotated[str, typer.Option("--zone", envvar="SANTONG_ZONE", help="Time zone of what is shown.")]
DEFAULT_DATA = Path("santong-data")
DEFAULT_DEPOT = Path("/var/lib/santong-depot")
DEFAULT_AUTHORITY = Path("/etc/santong/authority")
DEFAULT_ZONE = "Asia/Shanghai"


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


def on_stop_signals() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return stopping


def calendars_of(file: Path | None, data: Path) -> "Calendars":
    """Return the calendars of a file, else those of the data folder, else the example; ConfigError has the mistakes."""
    from collector.calendars.load import file_in, load  # noqa: PLC0415  loads YAML

    return load(file or file_in(data))


def open_for_reading(data: Path, store: str | None) -> Store:
    """Return the store of `--store`, `SANTONG_STORE` or the data folder; nothing is created."""
    url = store or os.environ.get("SANTONG_STORE") or store_url(data)
    opened = open_store(url, create=False)
    opened.ready()
    return opened


def known_key(data: Path, file: Path | None) -> bytes | None:
    """Return the public key that archives must be signed with: of `--key`, else the data folder's; None without any."""
    from collector.archive.keys import public_in  # noqa: PLC0415  brings 9 MB that few commands need

    known = file or public_in(data)
    return known.read_bytes() if known else None


def days_asked(first: str | None, last: str | None, over: date, begin: date | None = None) -> tuple[date, date]:
    """
    Return the days of --from and --to: by default those of the month that are over; all of them must be over.

    `begin` is the first day of an archive: there is nothing before it.
    """
    end = min(day_of("--to", last), over) if last else over
    start = day_of("--from", first) if first else begin or end.replace(day=1)
    if begin and start < begin:
        fail(f"--from: the archive begins on {begin}")
    if start > end:
        fail(f"--from: {start} is not before --to, or not over yet: the last day that is over is {over}")
    return start, end


def day_of(option: str, text: str) -> date:
    """Return the day of an option."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option}: {text!r} is not a date such as 2026-03-02")
