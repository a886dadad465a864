"""The machine itself: processor, memory, disk, load, temperature."""

from collections.abc import Iterator
from pathlib import Path

import psutil

from contract.sample import Sample, Value


class Host:
    """Source `host`. `root` is where /sys is found, `disk` the file system whose fill level is reported."""

    name = "host"

    def __init__(self, disk: Path = Path("/"), root: Path = Path("/")) -> None:
        self._disk = str(disk)
        self._zone = root / "sys/class/thermal/thermal_zone0/temp"
        psutil.cpu_percent()  # the first call only starts the measuring

    def gather(self, at_ns: int) -> Iterator[Sample]:
        """Yield one sample; processor use is the mean since the round before."""
        fields: dict[str, Value] = {
            "cpu_percent": psutil.cpu_percent(),
            "memory_used_percent": psutil.virtual_memory().percent,
            "disk_used_percent": psutil.disk_usage(self._disk).percent,
            "load1": psutil.getloadavg()[0],
        }
        if (celsius := self._celsius()) is not None:
            fields["temperature_celsius"] = celsius
        yield Sample("host", fields, at_ns)

    def _celsius(self) -> float | None:
        """Return the first thermal zone, which the kernel gives in thousandths of a degree."""
        try:
            return int(self._zone.read_text()) / 1000
        except (OSError, ValueError):
            return None
