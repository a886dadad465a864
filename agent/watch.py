"""
Faults: readings that mean trouble, as the profile's rules say, for as long as they say.

    sample ──rule──▶ holds for `hold`? ──▶ fault active=1 ── clear for `clear_hold`? ──▶ fault active=0

A fault is written when it changes, and once an hour, so that its absence is evidence too. Where the reading is absent
nothing is written: it is unknown. What is known survives a restart of the agent; what was only on its way to a change
survives it within one boot.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from contract.sample import Sample, Value
from firmware_profiles.schema import Fault

_REPEAT_NS = 3_600_000_000_000
_FORGOTTEN_NS = 2 * 86_400_000_000_000
_GONE_NS = 1_800_000_000_000  # of what was only known from before a restart
_LONGEST_GAP_NS = 300_000_000_000  # a condition that nobody saw for longer has not held
_MISSED = 2.5  # reads of a field: one may fail before nobody saw it


class _Series(NamedTuple):
    """What is known of one rule for samples of the same tags; times are boot ns."""

    active: bool | None = None
    since_ns: int | None = None  # the condition for a change holds since then
    seen_ns: int = 0


class Watch:
    """Judges the samples of one device; used by one thread."""

    def __init__(
        self,
        rules: Sequence[Fault],
        known: Mapping[str, Any] | None = None,
        *,
        is_same_boot: bool = True,
        every_s: Callable[[str], float] = lambda _field: 0.0,
    ) -> None:
        """
        `known` is what `state()` once returned, in this boot of the machine or in another.

        `every_s` tells how often a field is read: readings further apart than a rule's `hold` still follow each other.
        """
        self._rules = rules
        self._every_ns: dict[str, int] = {rule.code: int(every_s(rule.field) * 1e9) for rule in rules}
        self._begun_ns: dict[str, int] = {}  # when a rule first judged anything in this run
        self._series: dict[str, dict[str, _Series]] = {rule.code: {} for rule in rules}
        self._told: dict[str, tuple[bool, int]] = {}  # what was written last, and when
        # active when their rules were taken out of the profile: nobody else will ever say that they are over
        self._over = {code: kept for code, kept in (known or {}).items() if code not in self._series and _is_bad(kept)}
        for code in self._series.keys() & (known or {}).keys():
            for tags, values in _tables((known or {})[code]).items():
                if (series := _kept(values)) is not None:
                    is_on_its_way = is_same_boot and series.since_ns is not None
                    self._series[code][tags] = series if is_on_its_way else _Series(series.active, None, -1)

    def state(self) -> dict[str, Any]:
        """Return what is worth keeping across a restart, as JSON can hold it; instants only where they will matter."""
        return {
            code: {tags: one if one.since_ns is not None else _Series(one.active) for tags, one in known.items()}
            for code, known in self._series.items()
            if known
        } | self._over

    def see(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Judge samples in their order, and yield the faults that are to be written."""
        for sample in samples:
            while self._over:
                code, _ = self._over.popitem()
                yield Sample("fault", {"active": 0}, sample.at_ns, {"code": code})
            for rule in self._rules:
                if rule.field.measurement == sample.measurement and rule.field.field in sample.fields:
                    yield from self._judge(rule, sample)

    def _judge(self, rule: Fault, sample: Sample) -> Iterator[Sample]:
        if any(sample.tags.get(tag) != value for tag, value in rule.tags.items()):
            return
        known = self._series[rule.code]
        tags = ",".join(f"{tag}={value}" for tag, value in sorted(sample.tags.items()))
        before = known.get(tags, _Series())
        known[tags] = _next(rule, before, sample.fields[rule.field.field], sample.at_ns, self._every_ns[rule.code])
        self._forget(rule.code, sample.at_ns)
        states = [series.active for series in known.values() if series.active is not None]
        if not states:
            return
        is_active = any(states)
        told, told_ns = self._told.get(rule.code, (None, 0))
        if told is not is_active or sample.at_ns - told_ns >= _REPEAT_NS:
            self._told[rule.code] = (is_active, sample.at_ns)
            fields: dict[str, Value] = {"active": int(is_active), "severity": rule.severity}
            yield Sample("fault", fields, sample.at_ns, {"code": rule.code})

    def _forget(self, code: str, at_ns: int) -> None:
        """
        Forget series that are not there any more: a port that was renamed, a card that was taken out.

        What was not seen since the restart has less time: a machine that is switched off daily would never forget it.
        """
        begun_ns = self._begun_ns.setdefault(code, at_ns)
        patience_ns = max(_GONE_NS, 3 * self._every_ns[code])
        known = self._series[code]
        for name, one in list(known.items()):
            is_of_this_run = one.seen_ns >= begun_ns
            limit_ns = _FORGOTTEN_NS if is_of_this_run else patience_ns
            if at_ns - (one.seen_ns if is_of_this_run else begun_ns) > limit_ns:
                del known[name]


def _is_bad(kept: object) -> bool:
    """Tell whether what was kept of a rule says that it was active."""
    return any(series.active for values in _tables(kept).values() if (series := _kept(values)) is not None)


def _tables(kept: object) -> Mapping[str, object]:
    return kept if isinstance(kept, Mapping) else {}


def _kept(values: object) -> _Series | None:
    """Return what was kept of a series; None where another version, or a failing disk, left something else."""
    if not isinstance(values, list | tuple) or not 1 <= len(values) <= len(_Series._fields):
        return None
    kinds = (bool | None, int | None, int)
    return _Series(*values) if all(map(isinstance, values, kinds)) else None


def _next(rule: Fault, before: _Series, value: Value, at_ns: int, every_ns: int) -> _Series:
    """Return what is known after one more value."""
    wanted = _verdict(rule, value, is_active=bool(before.active))
    if wanted is None or wanted == before.active:  # between the two thresholds, or as it was
        return _Series(before.active if wanted is None else wanted, None, at_ns)
    gap_ns = at_ns - before.seen_ns
    hold_ns = int((rule.hold if wanted else rule.clear_hold) * 1e9)
    is_held = before.since_ns is not None and gap_ns <= max(hold_ns, _LONGEST_GAP_NS, _MISSED * every_ns)
    since_ns = before.since_ns if is_held and before.since_ns is not None else at_ns
    if at_ns - since_ns >= hold_ns:
        return _Series(wanted, None, at_ns)
    return _Series(before.active, since_ns, at_ns)


def _verdict(rule: Fault, value: Value, *, is_active: bool) -> bool | None:
    """Tell whether the value means trouble; None where it is between what is trouble and what is clear."""
    if _holds(rule.operator, value, rule.value):
        return True
    if rule.clear is None or not is_active:
        return False
    is_clear = value < rule.clear if rule.operator in ("above", "at_least") else value > rule.clear  # type: ignore[operator]
    return False if is_clear else None


def _holds(operator: str, value: Any, limit: Any) -> bool:
    if operator in ("is", "is_not"):
        return (value == limit or str(value) == str(limit)) is (operator == "is")
    return bool(
        {
            "above": lambda: value > limit,
            "at_least": lambda: value >= limit,
            "below": lambda: value < limit,
            "at_most": lambda: value <= limit,
        }[operator]()
    )
