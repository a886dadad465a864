"""Values over time that change now and then: days are joined piece by piece where nothing changes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from collector.verify.causes import MINUTE_NS

T = TypeVar("T")
ALWAYS, NEVER = -(1 << 63), 1 << 63  # before and after all time


def minute_of(time_ns: int) -> int:
    """Return the start of the minute that an instant lies in."""
    return time_ns - time_ns % MINUTE_NS


def minute_after(time_ns: int) -> int:
    """Return the first full minute at or after an instant."""
    return time_ns + -time_ns % MINUTE_NS


class Steps(Generic[T]):
    """A value that holds from its start to the next one; `first` holds before all."""

    __slots__ = ("starts", "values")

    def __init__(self, first: T) -> None:
        self.starts: list[int] = [ALWAYS]
        self.values: list[T] = [first]

    def add(self, start_ns: int, value: T) -> None:
        """Let a value hold from now on; starts come in order, the last word of an instant counts."""
        if self.values[-1] == value:
            return
        if self.starts[-1] == start_ns:
            self.starts.pop()
            self.values.pop()
            self.add(start_ns, value)
            return
        self.starts.append(start_ns)
        self.values.append(value)

    @classmethod
    def within(cls, periods: Sequence[tuple[int, int]], outside: T, inside: T) -> "Steps[T]":
        """Return what is `inside` in the minutes that the periods touch; these may overlap."""
        steps = cls(outside)
        end_ns = ALWAYS
        for since_ns, until_ns in sorted(periods):
            if since_ns >= until_ns:
                continue
            if minute_of(since_ns) > end_ns:
                steps.add(end_ns, outside)
            steps.add(max(minute_of(since_ns), steps.starts[-1]), inside)
            end_ns = max(end_ns, minute_after(until_ns))
        steps.add(end_ns, outside)
        return steps


def together(start_ns: int, end_ns: int, steps: Sequence[Steps[Any]]) -> Iterator[tuple[int, int, list[Any]]]:
    """Yield the pieces of [start, end) in which no value changes, each with all of them."""
    changes: list[tuple[int, int, int]] = []
    values = []
    for number, one in enumerate(steps):
        first, last = bisect_right(one.starts, start_ns), bisect_left(one.starts, end_ns)
        values.append(one.values[first - 1])
        changes += [(one.starts[at], number, at) for at in range(first, last)]
    changes.sort()
    since_ns = start_ns
    for at_ns, number, at in changes:
        if at_ns > since_ns:
            yield since_ns, at_ns, values
            since_ns = at_ns
        values[number] = steps[number].values[at]
    if since_ns < end_ns:
        yield since_ns, end_ns, values
