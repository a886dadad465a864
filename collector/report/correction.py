"""
What a numbered correction 更正 says of the report that it corrects: what came since, and which figures that moved.

    JSON document of the report before ─┐
    the report now ─────────────────────┴─▶ targets and units of another verdict or rate
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

ROWS = ("late", "altered", "exchanged", "missing", "added")
INPUTS = ("roster", "calendars", "targets", "profiles", "disputes", "sampling")


class Change(NamedTuple):
    """A figure of before and of now: verdicts by their names, the bounds of a rate as shares, None without one."""

    verdict_before: str
    verdict_now: str
    low_before: float | None = None
    high_before: float | None = None
    low_now: float | None = None
    high_now: float | None = None


class OfTarget(NamedTuple):
    """A target whose figure moved."""

    id: str
    change: Change


class OfUnit(NamedTuple):
    """A unit that has another verdict: `title` as people call it, `site` by its id."""

    target: str
    id: str
    title: str
    site: str
    change: Change


class Correction(NamedTuple):
    """
    What is corrected, and why.

    `number`, `fingerprint` and `made_at` are those of the report before. `rows` counts the rows of evidence that differ
    by kind (late; altered, missing, added, exchanged), `inputs` names the files and versions that are others: roster,
    calendars, targets, profiles, disputes, sampling. `reason` is what who closed it wrote.
    """

    number: str
    fingerprint: str
    made_at: str
    rows: Mapping[str, int]
    inputs: tuple[str, ...]
    reason: str
    targets: tuple[OfTarget, ...] = ()
    units: tuple[OfUnit, ...] = ()

    def as_tree(self) -> dict[str, Any]:
        """Return plain values."""
        return self._asdict() | {
            "rows": dict(self.rows),
            "inputs": list(self.inputs),
            "targets": [{"id": one.id, **one.change._asdict()} for one in self.targets],
            "units": [
                {name: getattr(one, name) for name in OfUnit._fields[:-1]} | one.change._asdict() for one in self.units
            ],
        }


def correction_from(tree: Mapping[str, Any]) -> Correction:
    """Return the correction of plain values; ValueError for what is none."""
    try:
        if unknown := [*set(tree["rows"]) - set(ROWS), *set(tree["inputs"]) - set(INPUTS)]:
            raise ValueError(f"is no correction: {unknown[0]!r} cannot differ")
        return Correction(
            str(tree["number"]),
            str(tree["fingerprint"]),
            str(tree["made_at"]),
            {str(kind): int(number) for kind, number in tree["rows"].items()},
            tuple(map(str, tree["inputs"])),
            str(tree["reason"]),
            tuple(OfTarget(one["id"], _change(one)) for one in tree["targets"]),
            tuple(OfUnit(one["target"], one["id"], one["title"], one["site"], _change(one)) for one in tree["units"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is no correction: {type(error).__name__} {error}") from None


def with_figures(correction: Correction, before: Mapping[str, Any], now: Mapping[str, Any]) -> Correction:
    """Return a correction with the figures that moved between two reports, as trees."""
    targets, units = moved(before, now)
    return correction._replace(targets=targets, units=units)


def moved(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[tuple[OfTarget, ...], tuple[OfUnit, ...]]:
    """Return the targets and units of which two reports, as trees, have other figures, those of the newer one first."""
    olds, news = _by_id(before.get("targets")), _by_id(now.get("targets"))
    names = [*news, *(name for name in olds if name not in news)]
    targets = tuple(OfTarget(name, change) for name in names if (change := _moved(olds.get(name), news.get(name))))
    return targets, tuple(_units(names, olds, news))


def _units(
    names: Sequence[str], olds: Mapping[str, dict[str, Any]], news: Mapping[str, dict[str, Any]]
) -> Iterator[OfUnit]:
    for name in names:
        then, here = (_by_id(some.get(name, {}).get("units")) for some in (olds, news))
        for unit in [*here, *(unit for unit in then if unit not in here)]:
            change = _moved(then.get(unit), here.get(unit))
            if change and change.verdict_before != change.verdict_now:
                told = here.get(unit) or then[unit]
                yield OfUnit(name, unit, str(told.get("title", "")), str(told.get("site", "")), change)


def _by_id(some: Any) -> dict[str, dict[str, Any]]:
    return {str(one["id"]): one for one in some or ()}


def _moved(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> Change | None:
    """Return the change of a figure; None where there is none."""
    (old, *old_rate), (new, *new_rate) = _figure(before), _figure(now)
    if (old, old_rate) == (new, new_rate):
        return None
    return Change(old, new, *old_rate, *new_rate)


def _figure(one: Mapping[str, Any] | None) -> tuple[Any, ...]:
    if one is None:
        return "", None, None
    rate = one.get("rate") or {}
    return str(one.get("verdict")), rate.get("low"), rate.get("high")


def _change(tree: Mapping[str, Any]) -> Change:
    before, now, *bounds = (tree[name] for name in Change._fields)
    return Change(str(before), str(now), *(None if one is None else float(one) for one in bounds))
