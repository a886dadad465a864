"""
Names of backups, and which of them are old.

    santong-backup-20261128T174500Z.tar.gz            anybody who has it can read it
    santong-backup-20261128T174500Z.tar.gz.sealed     only who has the passphrase as well
"""

import re
from datetime import UTC, datetime
from pathlib import Path

_NAME = re.compile(r"santong-backup-\d{8}T\d{6}Z(?:-\d{1,3})?\.tar\.gz(?:\.sealed)?")
PARTIAL = ".partial"
STAGING = ".santong-backup-staging"
LOCK = ".santong-backup.lock"


def new_name(folder: Path, now_s: float, *, is_sealed: bool) -> Path:
    """Return a name for a backup of this moment that no other one has."""
    stem = f"santong-backup-{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%SZ}"
    end = ".tar.gz.sealed" if is_sealed else ".tar.gz"
    number, name = 0, f"{stem}{end}"
    while (folder / name).exists():
        number += 1
        name = f"{stem}-{number}{end}"
    return folder / name


def is_ours(name: str) -> bool:
    """Tell the name of a backup."""
    return _NAME.fullmatch(name) is not None


def unfinished(folder: Path) -> list[Path]:
    """Return what backups that were ended by force left in a folder."""
    return [one for one in folder.iterdir() if one.name.endswith(PARTIAL) and is_ours(one.name.removesuffix(PARTIAL))]


def too_many(folder: Path, keep: int, newest: Path) -> list[Path]:
    """Return the oldest backups of a folder, such that with `newest`, which is never among them, `keep` stay."""
    others = sorted(one for one in folder.iterdir() if is_ours(one.name) and one.is_file() and one != newest)
    return others[: max(0, len(others) + 1 - max(keep, 1))]
