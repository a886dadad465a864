"""The machine itself: processor, memory, disk, load, temperature."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from contract.sample import Sample, Value

_LOAD_AFTER_S = 60.0


class Host:
    """Source `host`. `root` is where /sys is found, `disk` the file system whose fill level is reported."""

    name = "host"

    def __init__(self, disk: Path = Path("/"), root: Path = Path("/")) -> None:
        self._disk = str(disk)
        self._began = time.monotonic()
        self._zone = root / "sys/class/thermal/thermal_zone0/temp"
        psutil.cpu_percent()  # the first call only starts the measuring
        if sys.platform == "win32":
            psutil.getloadavg()  # as here

    def gather(self, at_ns: int) -> Iterator[Sample]:
        """Yield one sample; processor use is the mean since the round before."""
        fields: dict[str, Value] = {
            "cpu_percent": psutil.cpu_percent(),
            "memory_used_percent": psutil.virtual_memory().percent,
            "disk_used_percent": psutil.disk_usage(self._disk).percent,
        }
        if (load := self._load()) is not None:
            fields["load1"] = load
        if (celsius := self._celsius()) is not None:
            fields["temperature_celsius"] = celsius
        yield Sample("host", fields, at_ns)

    def _load(self) -> float | None:
        """Return the load; Windows has none: psutil begins to count when first asked, and says 0 for a while."""
        load = psutil.getloadavg()[0]
        return None if sys.platform == "win32" and time.monotonic() - self._began < _LOAD_AFTER_S else load

    def _celsius(self) -> float | None:
        """Return the first thermal zone, which the kernel gives in thousandths of a degree."""
        try:
            return int(self._zone.read_text()) / 1000
        except (OSError, ValueError):
            return None
