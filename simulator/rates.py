"""How often things go wrong, and how long they last: the one place where a simulated city gets its troubles from."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of fault: how many a day, of one site or device, and between which lengths (s)."""

    a_day: float
    lengths_s: tuple[float, float]


class Rates(NamedTuple):
    """
    What happens how often. Figures are guesses of a lively city, not measurements of one.

    Sites: `power_cut`, `flicker` (a short one), `gateway`, `uplink`, `uplink_flicker`, `time` (nobody
    tells it). Machines: `crash`, `reboot`, `killed` (and started again at once), `dead` (killed, and not),
    `killed_before_end` (a share of boots), `hang`.
    Services: `journey` (of a hotspot), `panel` (does not answer). The centre: `centre`, `broker`.
    """

    power_cut: Kind = Kind(0.03, (60, 14_400))
    flicker: Kind = Kind(0.02, (0.3, 50))
    gateway: Kind = Kind(0.03, (90, 18_000))
    uplink: Kind = Kind(0.06, (70, 43_200))
    uplink_flicker: Kind = Kind(0.1, (2, 59))
    time: Kind = Kind(0.06, (1200, 28_800))
    crash: Kind = Kind(0.02, (60, 2400))
    reboot: Kind = Kind(0.03, (20, 150))
    killed: Kind = Kind(0.05, (4, 15))
    dead: Kind = Kind(0.02, (240, 21_600))
    killed_before_end: float = 0.01
    hang: Kind = Kind(0.02, (150, 3600))
    journey: Kind = Kind(0.4, (70, 21_600))
    panel: Kind = Kind(0.08, (120, 28_800))
    centre: Kind = Kind(0.25, (120, 5400))
    broker: Kind = Kind(0.25, (30, 3600))

    def scaled(self, factor: float) -> "Rates":
        """Return rates that are so many times as high; lengths stay."""
        kinds = {
            name: kind._replace(a_day=kind.a_day * factor) for name, kind in self._asdict().items() if name in _KINDS
        }
        return self._replace(**kinds, killed_before_end=min(0.5, self.killed_before_end * factor))


_KINDS = frozenset(Rates._fields) - {"killed_before_end"}
