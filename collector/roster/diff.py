"""The difference of two rosters: what came, what ended, what changed, field by field, as text and as JSON."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from collector.roster.canonical import text_of
from collector.roster.schema import Device, Roster, Site
from collector.words import Language, word

T = TypeVar("T", Site, Device)


class Change(NamedTuple):
    """A field that has another value, as cells have it: an empty one is none."""

    id: str
    field: str
    old: str
    new: str


class Move(NamedTuple):
    """A hint: what ended at one site and what begins at another have the same role, room, class and profile."""

    old: str
    new: str


class Count(NamedTuple):
    """How many devices of a role a county has, before and after."""

    county: str
    role: str
    old: int
    new: int


class Difference(NamedTuple):
    """
    What a roster has other than one before.

    `retired` devices have no row any more, or got an end that they had not: the latter are in `changed_devices` too.
    """

    added_sites: tuple[Site, ...]
    retired_sites: tuple[Site, ...]
    changed_sites: tuple[Change, ...]
    added_devices: tuple[Device, ...]
    retired_devices: tuple[Device, ...]
    changed_devices: tuple[Change, ...]
    moves: tuple[Move, ...]
    counts: tuple[Count, ...]

    @property
    def is_empty(self) -> bool:
        """Tell whether both are the same."""
        return not any(self[:6])

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "sites": {
                "added": [site.id for site in self.added_sites],
                "retired": [site.id for site in self.retired_sites],
                "changed": [change._asdict() for change in self.changed_sites],
            },
            "devices": {
                "added": [device.id for device in self.added_devices],
                "retired": [device.id for device in self.retired_devices],
                "changed": [change._asdict() for change in self.changed_devices],
            },
            "moves": [move._asdict() for move in self.moves],
            "counts": [count._asdict() for count in self.counts],
        }


def compare(old: Roster, new: Roster) -> Difference:
    """Return what `new` has other than `old`."""
    added = _without(new.devices, old.devices)
    ended = [
        device
        for device in _both(new.devices, old.devices)
        if device.valid_to is not None and old.devices[device.id].valid_to is None
    ]
    retired = tuple(sorted([*_without(old.devices, new.devices), *ended]))
    return Difference(
        _without(new.sites, old.sites),
        _without(old.sites, new.sites),
        tuple(_changes(old.sites, new.sites)),
        added,
        retired,
        tuple(_changes(old.devices, new.devices)),
        tuple(_moves(retired, added)),
        tuple(_counts(old, new)),
    )


def _without(some: Mapping[str, T], others: Mapping[str, Any]) -> tuple[T, ...]:
    return tuple(some[name] for name in sorted(some) if name not in others)


def _both(some: Mapping[str, Device], others: Mapping[str, Device]) -> Iterator[Device]:
    return (some[name] for name in sorted(some) if name in others)


def _changes(old: Mapping[str, Site] | Mapping[str, Device], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted(old):
        before, after = old[name], new.get(name)
        if after is None or before == after:
            continue
        for field, was, now in zip(before._fields, before, after, strict=True):
            if was != now:
                yield Change(name, field, text_of(was), text_of(now))


def _moves(retired: Sequence[Device], added: Sequence[Device]) -> Iterator[Move]:
    """Yield pairs that are alike, where nothing else could be meant."""
    gone, come = _by_likeness(retired), _by_likeness(added)
    for likeness, (old, *more) in gone.items():
        new, *others = come.get(likeness, [old])
        if not more and not others and new.site != old.site:
            yield Move(old.id, new.id)


def _by_likeness(devices: Iterable[Device]) -> dict[tuple[str, ...], list[Device]]:
    found: dict[tuple[str, ...], list[Device]] = {}
    for device in devices:
        if device.class_name or device.profile:
            likeness = (device.role, device.room_id, device.class_name, device.profile)
            found.setdefault(likeness, []).append(device)
    return found


def _counts(old: Roster, new: Roster) -> Iterator[Count]:
    before, after = (
        Counter((old_or_new.site_of(device.id).county, device.role) for device in old_or_new.devices.values())
        for old_or_new in (old, new)
    )
    for county, role in sorted(before.keys() | after.keys()):
        yield Count(county, role, before[county, role], after[county, role])


# ---- as text


def as_text(difference: Difference, language: Language, most: int | None = None) -> str:
    """Return a difference in people's words; of each kind at most so many lines, and how many more there are."""

    def say(key: str) -> str:
        return word(key, language)

    more = say("more")

    if difference.is_empty:
        return say("same_roster")
    lines = [
        _headline(say("sites"), difference.added_sites, difference.retired_sites, difference.changed_sites, language),
        _headline(
            say("devices"), difference.added_devices, difference.retired_devices, difference.changed_devices, language
        ),
    ]
    sections = [
        (say("added"), [f"+ {_site_line(site)}" for site in difference.added_sites]),
        (say("added"), [f"+ {_device_line(device)}" for device in difference.added_devices]),
        (say("retired"), [f"− {_site_line(site)}" for site in difference.retired_sites]),
        (say("retired"), [f"− {_device_line(device)}" for device in difference.retired_devices]),
        (say("changed"), [_change_line(change) for change in difference.changed_sites]),
        (say("changed"), [_change_line(change) for change in difference.changed_devices]),
        (say("maybe_moved"), [f"↷ {move.old} → {move.new}" for move in difference.moves]),
        (say("devices_by_county"), [_count_line(count) for count in difference.counts]),
    ]
    for title, entries in sections:
        if entries:
            shown = entries if most is None else entries[:most]
            lines += ["", title, *(f"  {entry}" for entry in shown)]
            if len(shown) < len(entries):
                lines.append(f"  … {len(entries) - len(shown):,} {more}")
    return "\n".join(lines)


def _headline(what: str, added: Sequence[Any], retired: Sequence[Any], changes: Sequence[Change], at: Language) -> str:
    changed = len({change.id for change in changes})
    counts = (("added", len(added)), ("retired", len(retired)), ("changed", changed))
    return f"{what}: " + ", ".join(f"{word(key, at)} {number:,}" for key, number in counts)


def _site_line(site: Site) -> str:
    return f"{site.id}  {site.name}".rstrip()


def _device_line(device: Device) -> str:
    end = f"→ {device.valid_to}" if device.valid_to else ""
    return "  ".join(part for part in (device.id, device.role, device.class_name, device.profile, end) if part)


def _change_line(change: Change) -> str:
    return f"~ {change.id}  {change.field}: {change.old or '–'} → {change.new or '–'}"


def _count_line(count: Count) -> str:
    change = f"  ({count.new - count.old:+,})" if count.new != count.old else ""
    return f"{count.county}  {count.role}: {count.old:,} → {count.new:,}{change}"
