"""What profiles and their faults are called in people's languages."""

from functools import cache
from pathlib import Path

from contract.errors import ConfigError
from firmware_profiles.library import Library
from firmware_profiles.schema import Profile, Title

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
    Titles of profiles and faults, of shipped profiles and an operator's own.

    A profile that the centre does not have, or cannot read, leaves its id, and the code, to speak for themselves.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folders = [folder] if _can_be_read(folder) else []
        self._profile = cache(self._read)
        self._titles_of = cache(self._faults)

    def of(self, profile: str, code: str) -> Title:
        """Return the title of a fault."""
        return self._titles_of(profile).get(code) or OWN.get(code) or Title(code, code)

    def profile(self, name: str) -> Title:
        """Return the title of a profile."""
        found = self._profile(name)
        return found.title if found else Title(name, name)

    def _faults(self, profile: str) -> dict[str, Title]:
        found = self._profile(profile)
        return {str(fault.code): fault.title for fault in found.faults} if found else {}

    def _read(self, profile: str) -> Profile | None:
        if not profile:
            return None
        try:
            return Library(self._folders).get(profile)
        except ConfigError:
            return None


def _can_be_read(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False
