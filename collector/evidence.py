"""
Archives of evidence, joined with what a period is judged by: roster, calendars, targets, profiles.

    DATA, store ──▶ archive file          archive file ──▶ a folder like DATA, a store ──▶ the ordinary verification

A file in an archive has the name that it has in a data folder, so that what reads one reads the other.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib import metadata
from itertools import dropwhile
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.archive.chain import Chain, Root, files_of
from collector.archive.keys import Signer
from collector.archive.load import load as load_evidence
from collector.archive.manifest import BadArchive, Manifest
from collector.archive.read import Archive
from collector.archive.scope import HOUR_NS, Scope, Span
from collector.archive.write import Told, write_archive
from collector.asked import RULES, days_between
from collector.calendars.load import FILE as CALENDARS
from collector.calendars.load import file_in
from collector.calendars.load import load as load_calendars
from collector.calendars.zone import day_window
from collector.disputes.ledger import FOLDER as DISPUTES
from collector.disputes.ledger import HEAD, Ledger
from collector.disputes.ledger import RECORDS as RECORDS_OF_DISPUTES
from collector.roster import canonical
from collector.roster.read import read as read_roster
from collector.roster.schema import Roster
from collector.roster.versions import FOLDER as ROSTER
from collector.roster.versions import RECORD, BadVersion, Version, Versions
from collector.sampling.kept import FOLDER as SAMPLING
from collector.sampling.kept import Samples
from collector.store.base import Store
from collector.targets.load import SHIPPED as SHIPPED_TARGETS
from collector.targets.load import load as load_targets
from collector.targets.schema import Target
from collector.verification import last_whole_day
from collector.verify.conditions import holding_ns
from contract import __version__
from contract.errors import SantongError
from firmware_profiles.library import SHIPPED as SHIPPED_PROFILES

TARGETS, PROFILES = "targets.yaml", "profiles"
_SHIPPED, _OWN = "shipped", "own"

# Longer than the quarter of an hour within which evidence is stored without a mark: else that would look altered.
ROOT_AFTER_NS = HOUR_NS // 2

Progress = Callable[[int, int, str], None]


class BadRoster(SantongError):
    """A roster that cannot be read: every mistake, a line each."""


class Sources(NamedTuple):
    """
    Where a period's inputs are: by default those of the data folder, the shipped ones where it has none.

    `more` are further files that an archive is to have, by name.
    """

    data: Path
    roster: Sequence[Path] = ()
    calendars: Path | None = None
    targets: Path | None = None
    profiles: Sequence[Path] = ()
    more: Mapping[str, bytes] = {}


class Opened(NamedTuple):
    """An archive, ready for verification: its evidence in `store`, all else in files of a folder that will be gone."""

    manifest: Manifest
    store: Store
    data: Path
    calendars: Path
    targets: Path
    profiles: tuple[Path, ...]
    archive: Archive

    @property
    def is_of_other_rules(self) -> bool:
        """Tell whether it was made under other rules of judging than this program has."""
        return self.manifest.software.get("rules") != str(RULES)


def export(
    out: Path,
    store: Store,
    sources: Sources,
    period: tuple[date, date],
    now_ns: int,
    progress: Progress = lambda *_: None,
) -> Manifest:
    """
    Write the archive of a period, both days included, with what is known at `now_ns`; return its manifest.

    Raises SantongError (no key, no roster, a mistake in a file, a store that fails, a file that is there already) and
    OSError; then nothing is written.
    """
    signer = Signer(sources.data)
    zone = load_calendars(sources.calendars or file_in(sources.data)).zone
    targets = load_targets(sources.targets or SHIPPED_TARGETS, sources.profiles).targets
    files, rosters = _inputs(sources, period, now_ns)
    days = spans_of(period, zone)
    scope = Scope(days, _holding_ns(targets), now_ns, _observed(rosters))
    told = Told({**files, **files_of(sources.data, days), **sources.more}, zone.key, software())
    try:
        return write_archive(out, store, scope, told, signer, progress)
    except BadArchive as flaw:
        raise BadArchive(f"{out}: {flaw}") from None


def changed_inputs(archive: Archive, sources: Sources, period: tuple[date, date], now_ns: int) -> tuple[str, ...]:
    """
    Return which files and versions are not those of an archive any more: roster, calendars, targets, profiles.

    Raises what `export` does.
    """
    found, _ = _inputs(sources, period, now_ns)
    now = {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    inputs = (CALENDARS, TARGETS, f"{ROSTER}/", f"{PROFILES}/", f"{DISPUTES}/", f"{SAMPLING}/")
    then = {one.name: one.sha256 for one in archive.manifest.members if one.name.startswith(inputs)}
    names = {name for name in now.keys() | then.keys() if now.get(name) != then.get(name)}
    # The record of a version of files that were named says when they were read.
    changed = {name.partition("/")[0] for name in names if not name.endswith(f"/000000/{RECORD}")}
    return tuple(sorted(one.removesuffix(".yaml") for one in changed))


def _inputs(sources: Sources, period: tuple[date, date], now_ns: int) -> tuple[dict[str, bytes], list[Roster]]:
    """Return all that a period is judged by besides its evidence, by name, and its rosters."""
    files, rosters = _roster(sources, period, now_ns)
    found = {
        CALENDARS: (sources.calendars or file_in(sources.data)).read_bytes(),
        TARGETS: (sources.targets or SHIPPED_TARGETS).read_bytes(),
        **files,
        **profiles_of(sources.profiles),
        **_disputes(sources.data),
        **Samples(sources.data).files(),
    }
    return found, rosters


def roots(store: Store, data: Path, calendars: Path | None, first: date | None, now_ns: int) -> Iterator[Root]:
    """
    Take the roots of the days that are over and have none yet, and yield each when it is on disk.

    They go on from the last one; the chain begins with the day `first`, or with the last day that is over, and not
    before there is evidence. A day is over half an hour after its midnight: what is stored of it later has a mark that
    it came late.
    """
    zone = zone_of(data, calendars)
    chain = Chain(data)
    over = last_whole_day(now_ns - ROOT_AFTER_NS, zone)
    taken = chain.roots()
    begin = date.fromisoformat(taken[-1].day) if taken else first or over
    days = spans_of((begin, over), zone) if begin <= over else []
    if not taken:  # a root of nothing, said of a centre that was not there, is of no use to anybody
        days = list(dropwhile(lambda day: not store.devices(0, day.end_ns), days))
    if days:
        yield from chain.take(store, Scope(days, HOUR_NS, now_ns), now_ns)


def zone_of(data: Path, calendars: Path | None) -> ZoneInfo:
    """Return the zone whose days have roots: that of the calendars."""
    return load_calendars(calendars or file_in(data)).zone


def spans_of(period: tuple[date, date], zone: ZoneInfo) -> list[Span]:
    """Return the days of a period, both included."""
    return [Span(day.isoformat(), *day_window(day, zone)) for day in days_between(*period)]


@contextmanager
def opened(file: Path, public: bytes | None = None, progress: Progress = lambda *_: None) -> Iterator[Opened]:
    """Yield an archive with its evidence in a store of its own; BadArchive, before that, when it is not as signed."""
    with Archive(file, public) as archive, tempfile.TemporaryDirectory(prefix="santong-evidence-") as name:
        folder = Path(name) / "data"
        for path in archive.files():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with (folder / path).open("wb") as written:
                written.writelines(archive.pieces(path))
        _check_names(archive)
        store = load_evidence(archive, Path(name) / "evidence.sqlite", progress)
        profiles = tuple(folder / PROFILES / layer for layer in (_SHIPPED, _OWN))
        for layer in profiles:
            layer.mkdir(parents=True, exist_ok=True)
        try:
            yield Opened(archive.manifest, store, folder, folder / CALENDARS, folder / TARGETS, profiles, archive)
        finally:
            store.close()


def _check_names(archive: Archive) -> None:
    if missing := {CALENDARS, TARGETS} - set(archive.names()):
        raise BadArchive(f"{archive.file}: has no {missing.pop()}")


def software() -> dict[str, str]:
    """Return the versions of what decides of a verdict besides evidence and files."""
    return {
        "santong": __version__,
        "rules": str(RULES),
        "chinesecalendar": metadata.version("chinesecalendar"),
        "tzdata": metadata.version("tzdata"),
    }


def _holding_ns(targets: Iterable[Target]) -> int:
    """Return how long a reading holds at most, by any condition of the targets."""
    proofs = (proof for target in targets for proof in target.good_when)
    return max((holding_ns(condition) for proof in proofs for condition in proof.all), default=0) + HOUR_NS


def _disputes(data: Path) -> dict[str, bytes]:
    """Return what people agreed on, all of it: a record vouches for those before; BadRecords where one was changed."""
    records = Ledger(data)
    if not records.read().hashes:
        return {}
    # The head first: another process may add a record between.
    files = [records.folder / name for name in (HEAD, RECORDS_OF_DISPUTES)]
    return {f"{DISPUTES}/{file.name}": file.read_bytes() for file in files if file.exists()}


def _observed(rosters: Iterable[Roster]) -> list[str]:
    """Return the devices that others speak for, by any of some rosters."""
    devices = (device for roster in rosters for device in roster.devices.values())
    return sorted({device.id for device in devices if device.speaker != device.id})


def _roster(sources: Sources, period: tuple[date, date], now_ns: int) -> tuple[dict[str, bytes], list[Roster]]:
    """Return the versions in force on any day of the period, as they lie in a data folder, and what they say."""
    if sources.roster:
        return _given_roster(sources.roster, period[0], now_ns)
    versions = Versions(sources.data)
    in_force = {version.number: version for day in days_between(*period) if (version := versions.in_force(day))}
    if not in_force:
        raise BadVersion(
            f"{versions.folder}: there is no roster: import one with `santong roster import`, or name it with --roster"
        )
    found, rosters = {}, []
    for version in in_force.values():
        rosters.append(versions.roster(version))  # BadVersion when it is not what was imported
        name = f"{version.number:06}"
        for file in (RECORD, canonical.SITES, canonical.DEVICES):
            found[f"{ROSTER}/{name}/{file}"] = (versions.folder / name / file).read_bytes()
    return found, rosters


def _given_roster(files: Sequence[Path], effective: date, now_ns: int) -> tuple[dict[str, bytes], list[Roster]]:
    """Return a roster of files as a version of number 0."""
    reading = read_roster(list(files))
    if reading.errors:
        raise BadRoster("\n".join(map(str, reading.errors)))
    content = canonical.files(reading.roster)
    made = datetime.fromtimestamp(now_ns // 10**9, UTC)
    sizes = len(reading.roster.sites), len(reading.roster.devices)
    version = Version(0, effective, made, "--roster", canonical.digest_of(content), *sizes, ())
    found = {f"{ROSTER}/000000/{name}": body for name, body in content.items()}
    return found | {f"{ROSTER}/000000/{RECORD}": _json(version)}, [reading.roster]


def _json(version: Version) -> bytes:
    return (json.dumps(version.as_json(), ensure_ascii=False, indent=2) + "\n").encode()


def profiles_of(folders: Sequence[Path]) -> dict[str, bytes]:
    """Return every profile, by its name in an archive: they extend each other, and a target's check reads any."""
    layers = [(_SHIPPED, [SHIPPED_PROFILES]), (_OWN, folders)]
    return {
        f"{PROFILES}/{layer}/{file.name}": file.read_bytes()
        for layer, some in layers
        for folder in some
        for file in sorted(folder.glob("*.yaml"))
        if re.fullmatch("[a-z0-9-]{1,64}", file.stem)  # as ids are; others are nobody's profile
    }
