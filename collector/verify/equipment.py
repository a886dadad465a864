"""Equipment: whether a device of the roster was ever seen, and is what the roster says that it is."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from collector.roster.schema import Device
from collector.verify.results import Equipment, Equipped, Interval


class Heard(NamedTuple):
    """
    The newest that is known of a device, from all evidence up to the horizon.

    `last_ns` is the time of its newest presence or other reading, `profile` that of its newest `identity`; `version`
    and `compliant` (0 or 1; None: the profile says nothing of it) of its newest `firmware`.
    """

    device: str
    last_ns: int
    profile: str = ""
    version: str = ""
    compliant: int | None = None


def equipment(devices: Iterable[Device], heard: Mapping[str, Heard]) -> Equipment:
    """Return what is right, wrong and never seen of devices."""
    right = without = 0
    other: list[Equipped] = []
    never: list[str] = []
    for device in devices:
        known = heard.get(device.id)
        if known is None:
            never.append(device.id)
        elif not device.profile or known.profile == device.profile:
            right += 1
        elif known.profile:
            other.append(Equipped(device.id, device.profile, known.profile))
        else:
            without += 1
    unknown = without + len(never)
    rate = Interval.of(right, unknown, right + len(other) + unknown)
    return Equipment(right, tuple(sorted(other)), without, tuple(sorted(never)), rate)
