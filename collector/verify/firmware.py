"""Firmware: which devices of a profile run what it says is good."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from collector.roster.schema import Device
from collector.verify.equipment import Heard
from collector.verify.results import Firmware, Interval


def firmware(devices: Iterable[Device], heard: Mapping[str, Heard]) -> tuple[Firmware, ...]:
    """
    Return the devices of each profile by their firmware, sorted by profile.

    A device is of the profile that it was seen with, else of the roster's. Nobody knows: it was never seen, said no
    version, or its profile does not say which versions are good.
    """
    by_profile: dict[str, list[Heard]] = defaultdict(list)
    for device in devices:
        known = heard.get(device.id, Heard(device.id, 0))
        by_profile[known.profile or device.profile].append(known)
    return tuple(_of(profile, by_profile[profile]) for profile in sorted(by_profile))


def _of(profile: str, devices: list[Heard]) -> Firmware:
    said = Counter(device.compliant for device in devices)
    versions = Counter(device.version for device in devices if device.version)
    rate = Interval.of(said[1], said[None], len(devices))
    return Firmware(profile, said[1], said[0], said[None], dict(sorted(versions.items())), rate)
