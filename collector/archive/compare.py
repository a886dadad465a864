"""
An archive against a store, row by row where a device-day differs.

    leaves of the store == leaves of the archive ──▶ the same: nothing more is looked at
                         └─ differ ──▶ lines of these devices, side by side ──▶ differences

Every difference has a kind:

    altered     the same device, measurement, tags and time; other values
    exchanged   two rows have each other's values, or a row stands at another time or under another name
    missing     in the archive, not in the store
    added       in the store, not in the archive, and nothing says that it came later
    late        in the store, not in the archive, and it came after the archive was made: a mark `late` of the collector
                says so, or the row itself is no older than what such marks are left for; or a batch that came again,
                whose receipt names the later time

Around the period the store may know nearer neighbours by now: a row that is no longer asked for is looked up itself.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from collector.archive.canonical import Head, head_of, line_of, parts_of
from collector.archive.read import Archive
from collector.archive.scope import MINUTE_NS, Scope, Span, lines_of
from collector.archive.tree import Leaves
from collector.store.base import Store
from contract.measurements import TABLE

DEVICES_AT_ONCE = 200
# Evidence that is stored sooner than this after it was taken leaves no mark `late`.
UNMARKED_NS = 15 * MINUTE_NS
_FOR_EVER_NS = 1 << 62
# What of a receipt tells how and when a batch came, not what is in it.
_OF_COMING = frozenset({b"received", b"lag_ms", b"by_hand", b"unverified"})
# The time of a delivery point is that of its newest sample and its number in nanoseconds.
_MOST_SEQ = 10**9
# Differences of a part that are looked through for exchanges; of more nobody reads the list.
_MOST_PAIRED = 100_000

ALTERED, EXCHANGED, MISSING, ADDED, LATE = KINDS = ("altered", "exchanged", "missing", "added", "late")

Progress = Callable[[int, int, str], None]
_Key = tuple[bytes, bytes]  # head and time of a line
_Rows = dict[_Key, bytes]  # to its fields


class Difference(NamedTuple):
    """
    One row in which archive and store differ; `part` is its day, or before, or after.

    `archived` and `stored` are its fields as text, empty where there is no such row. Of an exchanged one `other` says
    with which row: device, tags and time.
    """

    kind: str
    part: str
    head: Head
    time_ns: int
    archived: str = ""
    stored: str = ""
    other: tuple[Head, int] | None = None


class Compared(NamedTuple):
    """How many device-days are the same, and how many are not; what was compared includes before and after."""

    same: int
    different: int


class Comparison:
    """Compares an archive with a store: iterate it once for the differences, part by part; then `compared` counts."""

    def __init__(self, archive: Archive, store: Store, progress: Progress = lambda *_: None) -> None:
        self.compared = Compared(0, 0)
        self._archive = archive
        self._store = store
        self._scope: Scope = archive.scope
        self._progress = progress

    def __iter__(self) -> Iterator[Difference]:
        parts = self._scope.parts
        for number, part in enumerate(parts):
            self._progress(number, len(parts), part.name)
            archived = self._archive.leaves(part)
            stored = self._leaves(part)
            differing = sorted(one for one in archived.keys() | stored.keys() if archived.get(one) != stored.get(one))
            yield from _exchanged(self._differences(part, differing))
            same = len(archived.keys() | stored.keys()) - len(differing)
            self.compared = Compared(self.compared.same + same, self.compared.different + len(differing))
        self._progress(len(parts), len(parts), "")

    def _leaves(self, part: Span) -> dict[str, str]:
        leaves = Leaves()
        for device, line in lines_of(self._store, self._scope, part):
            leaves.add(device, line)
        return {device: leaf.hex() for device, leaf in leaves}

    def _differences(self, part: Span, devices: Sequence[str]) -> Iterator[Difference]:
        for at in range(0, len(devices), DEVICES_AT_ONCE):
            some = devices[at : at + DEVICES_AT_ONCE]
            archived = _by_device(self._archive.lines(part), some)
            stored = _by_device((line for _, line in lines_of(self._store, self._scope, part, some)), some)
            late = late_spans(self._store, self._scope.made_ns, some)
            for device in some:
                yield from self._of_device(part, archived[device], stored[device], late.get(device, ()))

    def _of_device(
        self, part: Span, archived: _Rows, stored: _Rows, late: Sequence[tuple[int, int]]
    ) -> Iterator[Difference]:
        for key in sorted(archived.keys() | stored.keys(), key=lambda key: (key[1], key[0])):
            before, now = archived.get(key), stored.get(key)
            head, time_ns = head_of(key[0]), int(key[1])
            if now is None and not self._is_day(part):
                now = self._looked_up(head, time_ns)
            if before == now:
                continue
            texts = (before or b"").decode(), (now or b"").decode()
            if before is None:
                is_late = time_ns >= self._scope.made_ns - UNMARKED_NS or any(a <= time_ns <= b for a, b in late)
                yield Difference(LATE if is_late else ADDED, part.name, head, time_ns, *texts)
            elif now is None:
                yield Difference(MISSING, part.name, head, time_ns, *texts)
            else:
                is_again = _is_delivered_again(head, before, now, self._scope.made_ns)
                yield Difference(LATE if is_again else ALTERED, part.name, head, time_ns, *texts)

    def _is_day(self, part: Span) -> bool:
        return part in self._scope.days

    def _looked_up(self, head: Head, time_ns: int) -> bytes | None:
        """Return the fields of a row, asked for by itself."""
        for row in self._store.select(head.measurement, time_ns, time_ns + 1, [head.device]):
            if (row.source, row.tags) == (head.source, head.tags):
                return parts_of(line_of(TABLE[head.measurement], row)).fields
        return None


def _is_delivered_again(head: Head, before: bytes, now: bytes, made_ns: int) -> bool:
    """
    Tell whether a receipt differs because the same batch came once more, after the archive was made.

    The receipt of a batch that is sent again takes the place of the first one: docs/contract.md.
    """
    if head.measurement != "delivery":
        return False
    (old, _), (new, received) = map(_receipt, (before, now))
    return old == new and received * 10**6 >= made_ns


def _receipt(fields: bytes) -> tuple[list[bytes], int]:
    """Return the fields that a batch has however often it comes, and when it was received, as unix ms."""
    every = fields.split(b",")
    found = [field for field in every if field.partition(b"=")[0] not in _OF_COMING]
    received = [field for field in every if field.startswith(b"received=")]
    return found, int(received[0].partition(b"=")[2].rstrip(b"i")) if received else 0


def late_spans(store: Store, since_ns: int, devices: Sequence[str]) -> Mapping[str, list[tuple[int, int]]]:
    """
    Return from when to when evidence of some devices is of which the store says that it came later than `since_ns`.

    Both ends are unix ns and included. Evidence younger than `UNMARKED_NS` before then leaves no mark.
    """
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for track in store.tracks("late", ("oldest", "newest"), since_ns, _FOR_EVER_NS, devices):
        for time_ns, oldest_ms, newest_ms in track.points:
            if oldest_ms is not None and newest_ms is not None:
                # The mark and the delivery points of these batches came with them.
                found[track.device] += [
                    (int(oldest_ms) * 10**6, (int(newest_ms) + 1) * 10**6 - 1 + _MOST_SEQ),
                    (int(time_ns), int(time_ns)),
                ]
    return found


def _by_device(lines: Iterable[bytes], devices: Sequence[str]) -> dict[str, _Rows]:
    found: dict[str, _Rows] = {device: {} for device in devices}
    for line in lines:
        head, fields, time = parts_of(line)
        rows = found.get(head_of(head).device)
        if rows is not None:
            rows[head, time] = fields
    return found


def _exchanged(differences: Iterator[Difference]) -> Iterator[Difference]:
    """Yield the differences of a part; two that are one exchange say so, where each has no other partner."""
    found = list(islice(differences, _MOST_PAIRED))
    swapped, gone, come = (_places(found, kind) for kind in (ALTERED, MISSING, ADDED))
    for one in found:
        name = one.head.measurement
        if one.kind == ALTERED:
            partner = _only(swapped[name, one.archived, one.stored], swapped[name, one.stored, one.archived])
        elif one.kind in (MISSING, ADDED):
            text = one.archived or one.stored
            lost, new = gone[name, text, ""], come[name, "", text]
            partner = _only(lost, new) if one.kind == MISSING else _only(new, lost)
            if partner and one.kind == ADDED:
                continue  # which its partner tells
        else:
            partner = None
        other = (partner.head, partner.time_ns) if partner else None
        yield one._replace(kind=EXCHANGED, other=other) if other else one
    yield from differences


def _places(found: Iterable[Difference], kind: str) -> dict[tuple[str, str, str], list[Difference]]:
    places: dict[tuple[str, str, str], list[Difference]] = defaultdict(list)
    for one in found:
        if one.kind == kind:
            places[one.head.measurement, one.archived, one.stored].append(one)
    return places


def _only(own: Sequence[Difference], others: Sequence[Difference]) -> Difference | None:
    return others[0] if len(own) == len(others) == 1 else None
