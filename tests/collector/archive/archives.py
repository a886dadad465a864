"""What tests of archives share: days of the small world as a scope, and an archive of a store."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from collector.archive.keys import Signer, create
from collector.archive.read import Archive
from collector.archive.scope import HOUR_NS, Scope, Span, lines_of
from collector.archive.write import Told, write_archive
from collector.calendars.zone import day_window
from collector.store.base import Store
from tests.collector.verification.world import MONDAY, TUESDAY, ZONE, now_ns


def scope_of(*days: date, made_ns: int = 0) -> Scope:
    """Return the scope of days in a row, of Monday and Tuesday where none are given."""
    spans = [Span(day.isoformat(), *day_window(day, ZONE)) for day in days or (MONDAY, TUESDAY)]
    return Scope(spans, HOUR_NS, made_ns or now_ns())


def everything(store: Store, scope: Scope) -> dict[str, bytes]:
    """Return all lines of each part."""
    return {part.name: b"".join(line for _, line in lines_of(store, scope, part)) for part in scope.parts}


def archived(store: Store, folder: Path, scope: Scope | None = None, name: str = "archive.zip") -> Archive:
    """Write an archive of a store, signed with the key of a folder, and open it."""
    if not (folder / "evidence").exists():
        create(folder)
    told = Told({"targets.yaml": b"id: none\n"}, ZONE.key, {"santong": "0", "rules": "0"})
    write_archive(folder / name, store, scope or scope_of(), told, Signer(folder))
    return Archive(folder / name, (folder / "evidence" / "public.pem").read_bytes())


def lines_around(archive: Archive, parts: Sequence[str]) -> dict[str, list[bytes]]:
    """Return the lines of some parts."""
    return {part.name: list(archive.lines(part)) for part in archive.manifest.scope.parts if part.name in parts}
