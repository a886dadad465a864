"""Who may speak for whom, as the roster in force today says; read again when that changes."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.roster.versions import FOLDER, Versions

log = logging.getLogger("santong.collect")

LOOK_AGAIN_S = 1.0


class RosterSpeakers:
    """
    Returns the devices for which the roster names an agent, and that agent; called for every batch.

    At most once in `look_again_s` seconds it looks whether a version came, or a day began. A roster that cannot be read
    is logged once and changes nothing: the last good one stays.
    """

    def __init__(
        self,
        data: Path,
        zone: ZoneInfo,
        today: Callable[[ZoneInfo], date] = lambda zone: datetime.now(zone).date(),
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._data = data
        self._zone = zone
        self._today = today
        self._pause_s = look_again_s
        self._seen: tuple[object, ...] = ()
        self._look_at = 0.0
        self._agents: Mapping[str, str] = {}

    def __call__(self) -> Mapping[str, str]:
        """Return the agents by device."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + self._pause_s
            today = self._today(self._zone)
            seen = today, *self._versions_seen()
            if seen != self._seen:
                self._seen = seen
                self._read(today)
        return self._agents

    def _versions_seen(self) -> tuple[object, ...]:
        """Return when the folder changed and what is in it: two changes may fall into one tick of its clock."""
        folder = self._data / FOLDER
        try:
            return folder.stat().st_mtime_ns, *sorted(os.listdir(folder))  # noqa: PTH208  names are all that is asked
        except OSError:
            return ()

    def _read(self, today: date) -> None:
        try:
            versions = Versions(self._data)
            version = versions.in_force(today)
            devices = versions.roster(version).devices.values() if version else ()
            self._agents = {device.id: device.agent for device in devices if device.agent}
        except Exception as error:  # noqa: BLE001  a broken roster must not keep evidence from being stored
            log.error("roster: %s: who may speak for whom stays as it was", error)  # noqa: TRY400
