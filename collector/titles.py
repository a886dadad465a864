"""What faults are called in people's languages, by the profile of the device."""

from functools import cache
from pathlib import Path

from contract.errors import ConfigError
from firmware_profiles.library import Library
from firmware_profiles.schema import Title

FOLDER = Path("/etc/santong/profiles.d")
# Faults that agents report of themselves, whatever the profile.
OWN = {
    "profiles-unusable": Title(
        "有型号档案无法使用，相关设备未测量", "profiles cannot be used: their devices are not read"
    ),
    "spool-damaged": Title("待传数据曾损坏，已修复", "what waited was damaged, and mended"),
    "spool-set-aside": Title("待传数据属于另一台设备，已另存", "what waited was another device's, and set aside"),
}


class Titles:
    """
    Titles of faults, of shipped profiles and an operator's own.

    A profile that the centre does not have, or cannot read, leaves the code to speak for itself.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folders = [folder] if _can_be_read(folder) else []
        self._titles_of = cache(self._read)

    def of(self, profile: str, code: str) -> Title:
        """Return the title of a fault."""
        return self._titles_of(profile).get(code) or OWN.get(code) or Title(code, code)

    def _read(self, profile: str) -> dict[str, Title]:
        if not profile:
            return {}
        try:
            return {str(fault.code): fault.title for fault in Library(self._folders).get(profile).faults}
        except ConfigError:
            return {}


def _can_be_read(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False
