"""What the agent costs and what waits in its spool."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from contract.sample import Sample, Value


class Myself:
    """Source `agent`. `counts` gives what only the pipeline knows: the spool's counters and the clock's offset."""

    name = "agent"

    def __init__(self, counts: Callable[[], Mapping[str, Value]], root: Path = Path("/")) -> None:
        self._counts = counts
        self._statm = root / "proc/self/statm"

    def gather(self, at_ns: int) -> Iterator[Sample]:
        """Yield one sample."""
        fields = dict(self._counts())
        fields["cpu_seconds"] = round(time.process_time(), 3)
        fields["rss_bytes"] = self._resident_bytes()
        yield Sample("agent", fields, at_ns)

    def _resident_bytes(self) -> int:
        """Read it from /proc, where it costs no memory; psutil's account of a process would."""
        if sys.platform == "win32":
            import psutil  # noqa: PLC0415

            return int(psutil.Process().memory_info().rss)
        return int(self._statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
