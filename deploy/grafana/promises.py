"""
What dashboards measure against: thresholds and criteria of the shipped targets, so that screens and reports agree.

A county with targets of its own has other criteria: its dashboards choose them by the variable at the top.
"""

from typing import NamedTuple

from collector.targets.load import load
from collector.targets.schema import Target
from collector.verify.causes import Cause
from collector.verify.operators import LEAST_SHARE


class Promises(NamedTuple):
    """
    Thresholds as shares, and the criteria by which days are judged.

    `days_share` of school days with `minutes` of lessons make a class good; `works_share` of service minutes a hotspot;
    `contract_share` of the contracted rate keep a contract. `classes` and `hotspots` are criteria.
    """

    days_share: float
    minutes: int
    works_share: float
    contract_share: float
    classes: str
    hotspots: str
    classes_count: tuple[Cause, ...]
    hotspots_count: tuple[Cause, ...]


def promises() -> Promises:
    """Return those of the shipped file of targets."""
    targets: dict[str, Target] = {str(target.id): target for target in load().targets}
    classes, hotspots = targets["banbantong"], targets["free-wifi-counties"]
    if classes.rule.days is None or hotspots.rule.availability is None:
        raise ValueError("the shipped targets have other rules than the dashboards show")
    return Promises(
        classes.rule.days,
        classes.rule.minutes,
        hotspots.rule.availability,
        LEAST_SHARE,
        classes.criterion.id,
        hotspots.criterion.id,
        _counted(classes),
        _counted(hotspots),
    )


def _counted(target: Target) -> tuple[Cause, ...]:
    """Return the causes that count, whether good, bad or unknown."""
    return tuple(cause for cause in Cause if target.meaning(cause) != "excluded")
