"""A machine of a lab: a namespace with a network card and a cable to the switch."""

from pathlib import Path
from typing import NamedTuple

from tests.lab.background import Program
from tests.lab.namespace import Namespace, tool
from tests.lab.wire import start_wire

CARD = "eth0"  # every machine's card towards the switch
BRIDGE = "br0"


class Place(NamedTuple):
    """Where a machine stands: its name, its port at the switch, and the address and MAC of its card."""

    name: str
    port: str
    ip: str
    mac: str


class Machine(Namespace):
    """
    A machine with one cable to the switch.

    `address` is that of its card `eth0`; with `addressed` off the card has none, until a DHCP client sets one.
    """

    def __init__(self, namespace: str, folder: Path, place: Place, switch: Namespace, *, addressed: bool) -> None:
        super().__init__(namespace, folder)
        self.name, self.port, self.address, self.mac = place
        self._switch = switch
        self._addressed = addressed
        self._gateway = ""
        self._wire: Program | None = None

    # ---- the cable

    def plug(self) -> None:
        """Put a plain cable between card and switch: a fresh one, or the one of pull() or instead of wire()."""
        self._end_wire()
        if not self.has(CARD):
            peer = ("peer", CARD, "netns", self.namespace)
            tool("ip", "link", "add", self.port, "netns", self._switch.namespace, "type", "veth", *peer)
        self._connect()

    def pull(self) -> None:
        """Pull the cable out of the switch: the card has no carrier, until plug()."""
        self._switch.ip("link", "set", self.port, "down")

    def unplug(self) -> None:
        """Take the card itself out, until plug()."""
        self._end_wire()
        if self.has(CARD):
            self.ip("link", "del", CARD)

    def wire(self, **settings: float) -> None:
        """Replace the cable by one with delay_ms, jitter_ms, loss and dup (0 to 1), each direction, until plug()."""
        self.unplug()
        near, far = (self._switch.namespace, self.port), (self.namespace, CARD)
        self._wire = start_wire(near, far, self.new_log("wire"), settings)
        self._backgrounds.append(self._wire)
        self._connect()

    def _end_wire(self) -> None:
        if self._wire:
            self._wire.stop()  # and both its ends vanish
            self._wire = None

    def _connect(self) -> None:
        self._switch.ip("link", "set", self.port, "master", BRIDGE, "up")
        # A fixed address: with a random one the others' neighbour entries are stale for a minute.
        self.ip("link", "set", CARD, "address", self.mac, "up")
        if self._addressed:
            self.ip("addr", "replace", f"{self.address}/24", "dev", CARD)
        if self._gateway:
            self.route(self._gateway)

    # ---- its network

    def route(self, gateway: str) -> None:
        """Set the default route, and again after each plug()."""
        self._gateway = gateway
        self.ip("route", "replace", "default", "via", gateway)

    def forward(self) -> None:
        """Let it pass packets on between its cards, as a router does."""
        self.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])

    def narrow(self, mbps: float) -> None:
        """Let no more than `mbps` Mbit/s through the cable, each way."""
        burst = max(32_000, round(mbps * 1e6 / 8 / 100))  # what passes within one tick of a slow kernel clock
        shape = ("tbf", "rate", f"{round(mbps * 1000)}kbit", "burst", str(burst), "latency", "50ms")
        self._shape("replace", *shape)

    def widen(self) -> None:
        """Take narrow() away."""
        self._shape("del")

    def _shape(self, what: str, *shape: str) -> None:
        for namespace, interface in ((self.namespace, CARD), (self._switch.namespace, self.port)):
            tool("tc", "-n", namespace, "qdisc", what, "dev", interface, "root", *shape)

    def pretend_speed(self, mbps: int) -> None:
        """
        Make `eth0` a card of `mbps` Mbit/s for programs started from now on: /sys says so, and no more goes through.

        Otherwise a veth claims 10000. What ethtool's ioctl says, which psutil asks, stays as it is.
        """
        file = self.folder / "speed"
        file.write_text(f"{mbps}\n", encoding="ascii")
        self.mount(file, f"/sys/class/net/{CARD}/speed")
        self.narrow(mbps)
