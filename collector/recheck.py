"""
A report against what there is now: every difference named, and told whether it is late or altered.

    document ─┬─ of itself: does its fingerprint follow, do its counts? ─────────────────╮
              ├─ leaves ── evidence now: the same; late; altered ────────────────────────┤
              ├─ hashes ── roster, disputes: later versions, or other ones; files ───────┼─▶ differences
              └─ figures ─ recomputed ones: explained by the differences above, or not ──╯

    late      it came after the report was made, and what was there before is as it was
    altered   anything else: evidence that was changed, a figure that does not follow from its evidence
    unclear   evidence came late, and what was there before is not as it was, or cannot be told apart from it
    program   other rules of judging, or other tables of holidays or time zones
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from collector.archive.canonical import parts_of
from collector.archive.compare import UNMARKED_NS, late_spans
from collector.archive.scope import HOUR_NS, Scope, Span, lines_of
from collector.archive.tree import Leaves
from collector.basis import root_of, sampling_of
from collector.disputes.ledger import Ledger
from collector.report.basis import Basis
from collector.report.tree import fingerprint
from collector.roster.versions import Versions
from collector.store.base import Store
from contract.names import site_of

LATE, ALTERED, UNCLEAR, PROGRAM = KINDS = ("late", "altered", "unclear", "program")
FILE, EVIDENCE, FIGURES, SOFTWARE = "file", "evidence", "figures", "software"
INPUTS = ("roster", "calendars", "targets", "profiles", "disputes", "sampling")
_VERDICTS = {"proven": "pass", "failing": "fail", "unproven": "not_proven"}
_SECOND_NS = 10**9
_AT_ONCE = 200  # devices that are asked for together
_NOT_COMPARED = frozenset({"basis", "corrects"})
# What the things of a list are known by, the first that they have: two lists are compared thing by thing.
_KEYS = (
    ("id",), ("target", "unit"), ("device", "day"), ("device", "time"), ("device", "start"), ("operator",), ("kind",),
    ("device",), ("day",),
)  # fmt: skip


class Difference(NamedTuple):
    """
    What differs: `part` is one of FILE, EVIDENCE, FIGURES, SOFTWARE, INPUTS; `place` says where in it.

    `reported` is what the report has, `found` what there is now; empty where there is nothing.
    """

    kind: str
    part: str
    place: str
    reported: str = ""
    found: str = ""


def of_itself(document: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield where a document does not follow from itself: whatever is so was not written by this program."""
    report = document["report"]
    now = fingerprint(report)
    if now != document["fingerprint"]:
        yield Difference(ALTERED, FILE, "fingerprint", document["fingerprint"], now)
    evidence, leaves = _evidence_of(document), document.get("leaves")
    if evidence:
        root = _root(leaves)
        if root != evidence.get("root"):
            yield Difference(ALTERED, FILE, "basis.evidence.root", str(evidence.get("root")), root)
    for target in _dicts(report.get("targets")):
        tally = Counter(str(unit.get("verdict")) for unit in _dicts(target.get("units")))
        counts = target.get("counts")
        for name, verdict in _VERDICTS.items():
            said = counts.get(name) if isinstance(counts, dict) else None
            if said != tally[verdict]:
                yield Difference(
                    ALTERED, FILE, f"targets[{target.get('id')}].counts.{name}", str(said), str(tally[verdict])
                )


class Now(NamedTuple):
    """
    What a report is compared with: a store or an opened archive, its days, and the files beside it.

    `known_ns` is when the report's evidence was known as it has it. `is_its_own` is an archive that was made then:
    nothing in it can have come later.
    """

    store: Store
    data: Path
    days: Sequence[Span]
    known_ns: int
    is_its_own: bool = False


def of_evidence(document: Mapping[str, Any], basis: Basis, now: Now) -> Iterator[Difference]:
    """Yield each device-day whose evidence is not what the report was made of; StoreError when the store fails."""
    before = document.get("leaves")
    if basis.evidence is None or not isinstance(before, dict):
        return
    after = basis.evidence.leaves
    for day in now.days:
        had, has = before.get(day.name) or {}, after.get(day.name) or {}
        differing = sorted(device for device in had.keys() | has.keys() if had.get(device) != has.get(device))
        for at in range(0, len(differing), _AT_ONCE):
            for device, kind in _kinds(now, day, differing[at : at + _AT_ONCE], had):
                yield Difference(kind, EVIDENCE, f"{day.name} {device}", had.get(device, ""), has.get(device, ""))


def of_inputs(document: Mapping[str, Any], basis: Basis, now: Now) -> Iterator[Difference]:
    """Yield which of roster, calendars, targets, profiles and disputes are not those of the report."""
    said = document["report"].get("basis") or {}
    files = {name: getattr(basis, name) for name in INPUTS[1:4]}
    versions = [f"{one.effective} {one.sha256}" for one in basis.roster]
    reported = [f"{one.get('effective')} {one.get('sha256')}" for one in _dicts(said.get("roster"))]
    if versions != reported:
        kind = LATE if _are_later(now, reported, versions) else ALTERED
        yield Difference(kind, "roster", "", ", ".join(reported), ", ".join(versions))
    for name, sha256 in files.items():
        if said.get(name) != sha256:
            yield Difference(ALTERED, name, "", str(said.get(name, "")), sha256)
    if (head := said.get("disputes", "")) != basis.disputes:
        hashes = Ledger(now.data).examine().hashes
        kind = LATE if (head in hashes or not head) and basis.disputes else ALTERED
        yield Difference(kind, "disputes", "", head, basis.disputes)
    if (drawn := said.get("sampling", "")) != basis.sampling:
        kind = LATE if drawn == sampling_of(now.data, now.known_ns + _SECOND_NS) else ALTERED
        yield Difference(kind, "sampling", "", drawn, basis.sampling)


def of_software(document: Mapping[str, Any], now: Mapping[str, str]) -> Iterator[Difference]:
    """Yield which versions that decide of a verdict are others."""
    said = document["made"].get("software") or {}
    for name in sorted(said.keys() | now.keys()):
        if name != "santong" and said.get(name) != now.get(name):
            yield Difference(PROGRAM, SOFTWARE, name, str(said.get(name, "")), now.get(name, ""))


def of_figures(
    document: Mapping[str, Any], tree: Mapping[str, Any], known: Sequence[Difference]
) -> Iterator[Difference]:
    """
    Yield each value of a report that is another one when it is recomputed.

    `known` are the differences of all that it rests on. A figure of a unit is explained by what came late of its own
    site, or by a roster or disputes that are later ones; one above the units by anything that came late. What nothing
    explains was altered.
    """
    by_site = defaultdict(set)
    for one in known:
        if one.part == EVIDENCE:
            by_site[site_of(one.place.partition(" ")[2])].add(one.kind)
    others = {one.kind for one in known if one.part in INPUTS or one.part == SOFTWARE}
    every = others.union(*by_site.values())
    for place, site, reported, found in _walk(document["report"], tree, "", ""):
        kinds = others | by_site.get(site, set()) if site else every
        kind = next((kind for kind in (ALTERED, UNCLEAR, PROGRAM, LATE) if kind in kinds), ALTERED)
        yield Difference(kind, FIGURES, place, _text(reported), _text(found))


def _kinds(now: Now, day: Span, devices: Sequence[str], had: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield why the evidence of some devices differs: without what came late it must be what it was."""
    if now.is_its_own:
        yield from ((device, ALTERED) for device in devices)
        return
    late = late_spans(now.store, now.known_ns, devices)
    young = (now.known_ns - UNMARKED_NS, day.end_ns)
    rest, is_late = Leaves(), Counter[str]()
    for device, line in lines_of(now.store, Scope([day], HOUR_NS, 0), day, devices):
        time_ns = int(parts_of(line).time)
        if any(start <= time_ns <= end for start, end in (*late.get(device, ()), young)):
            is_late[device] += 1
        else:
            rest.add(device, line)
    leaves = {device: leaf.hex() for device, leaf in rest}
    for device in devices:
        is_as_before = leaves.get(device) == had.get(device)
        yield device, ALTERED if not is_late[device] else LATE if is_as_before else UNCLEAR


def _are_later(now: Now, reported: Sequence[str], versions: Sequence[str]) -> bool:
    """Tell whether what the report has is still there, and all that is new was imported after it was made."""
    imported = {one.sha256: one.imported_at.timestamp() * 1e9 for one in Versions(now.data).every()}
    before, new = ({text.partition(" ")[2] for text in some} for some in (reported, versions))
    return (
        bool(before) and before <= imported.keys() and all(imported.get(one, 0) >= now.known_ns for one in new - before)
    )


def _evidence_of(document: Mapping[str, Any]) -> dict[str, Any]:
    basis = document["report"].get("basis")
    found = basis.get("evidence") if isinstance(basis, dict) else None
    return found if isinstance(found, dict) else {}


def _root(leaves: Any) -> str:
    try:
        return root_of(leaves)
    except (ValueError, TypeError, AttributeError):
        return ""


def _walk(one: Any, other: Any, place: str, site: str) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield the leaves in which two trees differ: where, of which site, and both."""
    if isinstance(one, dict) and isinstance(other, dict):
        here = one.get("site") if isinstance(one.get("site"), str) else site
        for key in sorted(one.keys() | other.keys()):
            if place or key not in _NOT_COMPARED:
                yield from _walk(one.get(key), other.get(key), f"{place}.{key}" if place else key, str(here))
    elif isinstance(one, list) and isinstance(other, list):
        mine, theirs = _by_key(one), _by_key(other)
        for key in [*mine, *(key for key in theirs if key not in mine)]:
            yield from _walk(mine.get(key), theirs.get(key), f"{place}[{key}]", site)
    elif one != other or type(one) is not type(other):
        yield place, site, one, other


def _by_key(some: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, one in enumerate(some):
        names = next((names for names in _KEYS if isinstance(one, dict) and one.keys() >= set(names)), None)
        key = " ".join(str(one[name]) for name in names) if names else str(number)
        found[key if key not in found else f"{key} {number}"] = one
    return found


def _dicts(some: Any) -> list[dict[str, Any]]:
    return [one for one in some if isinstance(one, dict)] if isinstance(some, list) else []


def _text(value: Any) -> str:
    """Return a value in short; of a whole part that is not there, that it is one."""
    if value is None:
        return ""
    return "…" if isinstance(value, (dict, list)) else str(value)


def known_at(document: Mapping[str, Any]) -> int | None:
    """Return when a report's evidence was known as it has it, as unix ns; None where it does not say so."""
    try:
        return int(datetime.fromisoformat(document["made"]["known"]).timestamp()) * 10**9
    except (KeyError, TypeError, ValueError):
        return None
