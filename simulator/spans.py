"""Spans of time: [start, end) in unix milliseconds, disjoint and in order."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FAR = 1 << 62


class Span(NamedTuple):
    """A piece of time."""

    start: int
    end: int


class Times:
    """Times at which something was so; asked in any order."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self.spans = _joined(spans)
        self._starts = [span.start for span in self.spans]

    def __iter__(self) -> Iterator[Span]:
        return iter(self.spans)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def has(self, at: int) -> bool:
        """Tell whether it was so at an instant."""
        place = bisect_right(self._starts, at) - 1
        return place >= 0 and at < self.spans[place].end

    def covers(self, start: int, end: int) -> bool:
        """Tell whether it was so all the time from start to end."""
        place = bisect_right(self._starts, start) - 1
        return place >= 0 and end <= self.spans[place].end

    def touches(self, start: int, end: int) -> bool:
        """Tell whether it was so at any time from start to end."""
        place = bisect_right(self._starts, end - 1) - 1
        return place >= 0 and self.spans[place].end > start

    def within(self, start: int, end: int) -> list[Span]:
        """Return the spans of a period, clipped to it."""
        place = max(0, bisect_right(self._starts, start) - 1)
        found = []
        for span in self.spans[place:]:
            if span.start >= end:
                break
            if span.end > start:
                found.append(Span(max(span.start, start), min(span.end, end)))
        return found

    def begin(self, at: int) -> int:
        """Return when that began which was so at `at`."""
        return self.spans[bisect_right(self._starts, at) - 1].start

    def next(self, at: int) -> int | None:
        """Return the first instant at or after `at` at which it was so."""
        if self.has(at):
            return at
        place = bisect_right(self._starts, at)
        return self.spans[place].start if place < len(self.spans) else None

    def change(self, at: int) -> int:
        """Return when that which is so at `at` ends; a far day where it never does."""
        place = bisect_right(self._starts, at) - 1
        if place >= 0 and at < self.spans[place].end:
            return self.spans[place].end
        return self.spans[place + 1].start if place + 1 < len(self.spans) else FAR

    def length(self, start: int, end: int) -> int:
        """Return how long it was so within a period, ms."""
        return sum(span.end - span.start for span in self.within(start, end))

    def without(self, others: "Times") -> "Times":
        """Return the times less those of others."""
        found = []
        for start, end in self.spans:
            at = start
            for other in others.within(start, end):
                if other.start > at:
                    found.append((at, other.start))
                at = other.end
            if at < end:
                found.append((at, end))
        return Times(found)

    def both(self, others: "Times") -> "Times":
        """Return the times at which both were so."""
        return Times(span for start, end in self.spans for span in others.within(start, end))

    def either(self, others: "Times") -> "Times":
        """Return the times at which any of the two was so."""
        return Times([*self.spans, *others.spans])


def _joined(spans: Iterable[tuple[int, int]]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if found and start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, end))
        else:
            found.append(Span(start, end))
    return found
