"""What `santong evidence` says: of an archive, and of a check."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from collector.screen import console
from collector.words import Language, word

if TYPE_CHECKING:
    from collector.archive.chain import Rooted
    from collector.archive.compare import Compared, Difference
    from collector.archive.manifest import Manifest
    from collector.archive.read import Archive

_KINDS = {
    "altered": "evidence_altered",
    "exchanged": "evidence_exchanged",
    "missing": "evidence_missing",
    "added": "evidence_added",
    "late": "evidence_late",
}
_ROOTED = {"same": "root_same", "no_root": "root_none", "late": "root_late", "altered": "root_altered"}
_MOST_DEVICES = 10
PARTS = {"before": "before_period", "after": "after_period"}


class Outcome:
    """What a check found: the first differences, and how many there are of each kind."""

    def __init__(self, archive: "Archive", compared: "Compared | None" = None) -> None:
        self.file = archive.file
        self.manifest = archive.manifest
        self.is_by_known_key = archive.is_by_known_key
        self.compared = compared
        self.differences: list[Difference] = []
        self.counts: Counter[str] = Counter()
        self.rooted: list[Rooted] | None = None

    @property
    def is_altered(self) -> bool:
        """Tell whether anything differs that is not said to have come late."""
        is_rooted_otherwise = any(one.kind == "altered" for one in self.rooted or ())
        return is_rooted_otherwise or self.counts.total() > self.counts["late"]

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        zone = ZoneInfo(self.manifest.zone)
        return {
            "file": str(self.file),
            "root": self.manifest.root,
            "device_days": self.manifest.leaves,
            "key": self.manifest.key,
            "key_compared": self.is_by_known_key,
            "compared": self.compared._asdict() if self.compared else None,
            "counts": {kind: self.counts[kind] for kind in _KINDS},
            "differences": [_difference(one, zone) for one in self.differences],
            "roots": None if self.rooted is None else [one._asdict() for one in self.rooted],
        }


def _difference(one: "Difference", zone: ZoneInfo) -> dict[str, Any]:
    other = one.other
    return {
        "kind": one.kind,
        "day": one.part,
        "device": one.head.device,
        "agent": one.head.source,
        "measurement": one.head.measurement,
        "tags": dict(one.head.tags),
        "time": _time(one.time_ns, zone),
        "time_ns": one.time_ns,
        "archived": one.archived,
        "stored": one.stored,
        "with": {"device": other[0].device, "tags": dict(other[0].tags), "time": _time(other[1], zone)}
        if other
        else None,
    }


def print_outcome(outcome: Outcome, language: Language) -> None:
    """Print what a check found."""
    screen, manifest = console(), outcome.manifest
    compared_key = word("as_expected" if outcome.is_by_known_key else "not_compared", language)
    rows = [
        ("signature", f"{manifest.key}  {compared_key}"),
        ("files", f"{len(manifest.members)}  {word('as_signed', language)}"),
        ("device_days", f"{manifest.leaves:,}  {word('root', language)} {manifest.root}"),
    ]
    if outcome.compared:
        same, different = outcome.compared
        parts = (f"{same:,} {word('the_same', language)}", f"{different:,} {word('different', language)}")
        rows.append(("with_the_store", word("and", language).join(parts)))
    _print_rows(rows, language)
    for day in outcome.rooted or ():
        devices = f"{', '.join(day.devices[:_MOST_DEVICES])}{' …' if len(day.devices) > _MOST_DEVICES else ''}"
        text = f"{word('root_of', language)} {day.day}  {word(_ROOTED[day.kind], language)}  {devices}"
        screen.print(text.rstrip(), soft_wrap=True, markup=False, highlight=False)
    for kind, name in _KINDS.items():
        if not (count := outcome.counts[kind]):
            continue
        screen.print(
            f"\n{word(name, language)}: {count:,}", style="yellow" if kind == "late" else "red", highlight=False
        )
        shown = [one for one in outcome.differences if one.kind == kind]
        for one in shown:
            screen.print(
                f"  {_sentence(one, ZoneInfo(manifest.zone), language)}", soft_wrap=True, markup=False, highlight=False
            )
        if count > len(shown):
            screen.print(f"  {count - len(shown):,} {word('more', language)}", highlight=False)
    screen.print(f"\n{in_short(outcome, language)}", style="bold", soft_wrap=True, markup=False, highlight=False)


def in_short(outcome: Outcome, language: Language) -> str:
    """Return what a check comes to, in a sentence."""
    late = outcome.counts["late"]
    if other := outcome.counts.total() - late:
        return word("check_altered", language).format(rows=f"{other:,}")
    if outcome.is_altered:
        return word("check_roots_altered", language)
    if late:
        return word("check_late", language)
    return word("check_same" if outcome.compared else "check_as_signed", language)


def _sentence(one: "Difference", zone: ZoneInfo, language: Language) -> str:
    tags = "".join(f" {tag}={value}" for tag, value in one.head.tags)
    part = f"  {word(PARTS[one.part], language)}" if one.part in PARTS else ""
    place = f"{_time(one.time_ns, zone)}  {one.head.device}  {one.head.measurement}{tags}{part}"
    if one.other:
        head, time_ns = one.other
        there = " ".join(value for _, value in head.tags)
        return f"{place}  ⇄  {_time(time_ns, zone)}  {head.device}  {there}".rstrip()
    if one.archived and one.stored:
        return f"{place}  {_changed(one.archived, one.stored)}"
    return f"{place}  {one.archived or one.stored}"


def _changed(archived: str, stored: str) -> str:
    """Return the fields that differ, before and now."""
    before, now = archived.split(","), stored.split(",")
    if len(before) != len(now):
        return f"{archived} → {stored}"
    return ", ".join(f"{a} → {b.partition('=')[2]}" for a, b in zip(before, now, strict=True) if a != b)


def _time(time_ns: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, zone).isoformat(sep=" ", timespec="seconds")


def print_manifest(file: Path, manifest: "Manifest", language: Language) -> None:
    """Print what an archive says of itself."""
    evidence = sum(member.bytes for member in manifest.members)
    software = ", ".join(f"{name} {version}" for name, version in manifest.software.items())
    rows = [
        ("file", f"{file}  {file.stat().st_size:,} B  ({evidence:,} B)"),
        ("period", f"{manifest.first} … {manifest.last}  {manifest.zone}"),
        ("exported", _time(manifest.made_ns, ZoneInfo(manifest.zone))),
        ("version", software),
        ("device_days", f"{manifest.leaves:,}  {word('root', language)} {manifest.root}"),
        ("signature", manifest.key),
    ]
    _print_rows(rows, language)


def _print_rows(rows: list[tuple[str, str]], language: Language) -> None:
    for name, text in rows:
        console().print(f"{word(name, language)}  {text}", soft_wrap=True, markup=False, highlight=False)
