"""Network interfaces: the kernel's counters, speed and state."""

import fnmatch
from collections.abc import Iterator

import psutil

from contract.sample import Sample, Value


class Interface:
    """Source `interface`: one sample an interface, counters as the kernel has them (they start anew at each boot)."""

    name = "interface"

    def __init__(self, exclude: tuple[str, ...] = ()) -> None:
        self._exclude = exclude

    def gather(self, at_ns: int) -> Iterator[Sample]:
        """Yield the interfaces that are not excluded, by name."""
        states = psutil.net_if_stats()
        counters = psutil.net_io_counters(pernic=True, nowrap=False)
        for name in sorted(counters.keys() & states.keys()):
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in self._exclude):
                continue
            count, state = counters[name], states[name]
            fields: dict[str, Value] = {
                "rx_bytes": count.bytes_recv,
                "tx_bytes": count.bytes_sent,
                "rx_errors": count.errin,
                "tx_errors": count.errout,
                "up": int(state.isup),
            }
            if 0 < state.speed < 65535:  # 0 and 65535: the driver does not know
                fields["speed_mbps"] = state.speed
            yield Sample("interface", fields, at_ns, {"name": name})
