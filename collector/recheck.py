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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from collector.archive.canonical import parts_of
from collector.archive.compare import UNMARKED_NS, late_spans
from collector.archive.scope import HOUR_NS, Scope, Span, lines_of
from collector.archive.tree import Leaves
from collector.basis import root_of
from collector.report.basis import Basis, tree_of_basis
from collector.report.tree import fingerprint
from collector.store.base import Store
from contract.names import site_of

LATE, ALTERED, UNCLEAR, PROGRAM = KINDS = ("late", "altered", "unclear", "program")
FILE, EVIDENCE, FIGURES, SOFTWARE = "file", "evidence", "figures", "software"
INPUTS = ("roster", "calendars", "targets", "profiles", "disputes", "sampling")
_VERDICTS = {"proven": "pass", "failing": "fail", "unproven": "not_proven"}
_AT_ONCE = 200  # devices that are asked for together
_NOT_COMPARED = frozenset({"basis"})  # which is compared by its parts
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
        days = sum(map(len, leaves.values())) if isinstance(leaves, dict) else 0
        if days != evidence.get("device_days"):
            yield Difference(ALTERED, FILE, "basis.evidence.device_days", str(evidence.get("device_days")), str(days))
    elif leaves is not None:
        yield Difference(ALTERED, FILE, "leaves", "…", "")
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
    What a report is compared with: a store, or an opened archive of evidence, and its days.

    `known_ns` is when the report's evidence was known as it has it. Of an archive nothing can have come late: what
    differs is altered in one that was made then (`is_its_own`), and unclear in any other.
    """

    store: Store
    days: Sequence[Span]
    known_ns: int
    is_archive: bool = False
    is_its_own: bool = False

    @property
    def worst(self) -> str:
        """What is called that which is not explained."""
        return UNCLEAR if self.is_archive and not self.is_its_own else ALTERED


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


def of_inputs(document: Mapping[str, Any], then: Basis, latest: Basis, now: Now) -> Iterator[Difference]:
    """
    Yield which of roster, calendars, targets, profiles, disputes and samples are not those of the report.

    `then` is what they were when the report was made, as is known now, `latest` what they are: what differs from the
    report's own is altered; what only came since is late, and explains no figure, since figures are recomputed with
    what there was then.
    """
    said = document["report"].get("basis") or {}
    before, after = tree_of_basis(then), tree_of_basis(latest)
    for name in INPUTS:
        if said.get(name) != before[name]:
            yield Difference(now.worst, name, "", _short(said.get(name)), _short(before[name]))
        elif before[name] != after[name]:
            yield Difference(LATE, name, "", _short(before[name]), _short(after[name]))


def late_sites(now: Now, devices: Iterable[str]) -> frozenset[str]:
    """Return the sites of which any evidence came after a report was made; StoreError when the store fails."""
    if now.is_archive:
        return frozenset()
    names = sorted(devices)
    some = (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE))
    found = (late_spans(now.store, now.known_ns, piece) for piece in some)
    return frozenset(site_of(device) for spans in found for device, times in spans.items() if times)


def of_making(document: Mapping[str, Any], end_ns: int, now_ns: int) -> Iterator[Difference]:
    """Yield what a report says of its making that cannot be so: its days were over then, and it is not made yet."""
    made = document["made"]
    known_ns = known_at(document)
    if known_ns is None or not end_ns <= known_ns <= now_ns:
        yield Difference(ALTERED, FILE, "made.known", str(made.get("known")), "")
    if made.get("version") != (made.get("software") or {}).get("santong"):
        yield Difference(ALTERED, FILE, "made.version", str(made.get("version")), "")


def of_software(document: Mapping[str, Any], now: Mapping[str, str]) -> Iterator[Difference]:
    """Yield which versions that decide of a verdict are others."""
    said = document["made"].get("software") or {}
    for name in sorted(said.keys() | now.keys()):
        if name != "santong" and said.get(name) != now.get(name):
            yield Difference(PROGRAM, SOFTWARE, name, str(said.get(name, "")), now.get(name, ""))


def of_figures(
    document: Mapping[str, Any], tree: Mapping[str, Any], known: Sequence[Difference], late: Collection[str], worst: str
) -> Iterator[Difference]:
    """
    Yield each value of a report that is another one when it is recomputed with what there was then.

    `known` are the differences of all that it rests on. A figure of a unit is explained by evidence of its own site
    that came late (`late` are such sites), or by other rules; one above the units by those of any. What nothing
    explains is `worst`.
    """
    by_site = defaultdict(set)
    for one in known:
        if one.part == EVIDENCE:
            by_site[site_of(one.place.partition(" ")[2])].add(one.kind)
    for site in late:
        by_site[site].add(LATE)
    program = {one.kind for one in known if one.part == SOFTWARE}
    every = program.union(*by_site.values())
    for place, site, reported, found in _walk(document["report"], tree, "", ""):
        kinds = program | by_site.get(site, set()) if site else every
        kind = next((kind for kind in (ALTERED, UNCLEAR, PROGRAM, LATE) if kind in kinds), worst)
        yield Difference(kind, FIGURES, place, _text(reported), _text(found))


def of_the_rest(
    document: Mapping[str, Any], tree: Mapping[str, Any], known: Sequence[Difference]
) -> Iterator[Difference]:
    """Yield whether a report of which nothing is another one has another fingerprint all the same: its order, say."""
    now = fingerprint(tree)
    if not known and now != document["fingerprint"]:
        yield Difference(ALTERED, FILE, "report", document["fingerprint"], now)


def _kinds(now: Now, day: Span, devices: Sequence[str], had: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield why the evidence of some devices differs: without what came late it must be what it was."""
    if now.is_archive:
        yield from ((device, now.worst) for device in devices)
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


def _short(value: Any) -> str:
    """Return an input's hash, of versions of the roster each with its day."""
    if isinstance(value, list):
        return ", ".join(f"{one.get('effective')} {one.get('sha256')}" for one in _dicts(value))
    return str(value or "")


def _text(value: Any) -> str:
    """Return a value in short; of a whole part that is not there, that it is one."""
    if value is None:
        return ""
    return "…" if isinstance(value, (dict, list)) else str(value)


def known_at(document: Mapping[str, Any]) -> int | None:
    """Return when a report's evidence was known as it has it, as unix ns; None where it does not say so."""
    try:
        at = datetime.fromisoformat(document["made"]["known"])
        return int(at.replace(microsecond=0).timestamp()) * 10**9 + at.microsecond * 1000
    except (KeyError, TypeError, ValueError):
        return None
