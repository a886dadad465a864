"""Settings of an agent: one TOML file, `SANTONG_*` variables and flags above it."""

import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from agent.probe.settings import ProbeSettings
from contract.broker import BrokerSettings
from contract.names import DeviceName
from contract.settings import POSITIVE, Seconds, Size

DEFAULT_FILE = Path("/etc/santong/agent.toml")


class Reference(str):
    """A reference target of the `wan` reading: `tcp://host:port` or `icmp://host`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the target; ValueError says what is wrong."""
        host = r"[A-Za-z0-9._-]+"
        match = re.fullmatch(rf"tcp://(?:\[[0-9a-fA-F:]+\]|{host}):([0-9]{{1,5}})|icmp://{host}", text)
        if not match or not 1 <= int(match[1] or 1) <= 65535:
            raise ValueError(f"{text!r} is not a reference target such as tcp://192.0.2.1:53 or icmp://192.0.2.1")
        return cls(text)


class GatewayChoice(str):
    """Whose answer makes `lan`: `auto`, `none`, or an IPv4 address."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the choice; ValueError says what is wrong."""
        if text not in ("auto", "none") and not re.fullmatch(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", text):
            raise ValueError(f"{text!r} is none of auto, none, or an address such as 192.0.2.1")
        return cls(text)


class SpoolSettings(NamedTuple):
    """Where batches wait. `path` must survive a reboot (and a restore card)."""

    path: Path = Path("/var/lib/santong-agent")
    max_size: Annotated[Size, POSITIVE] = Size(256 << 20)


class RoundSettings(NamedTuple):
    """How often sources are read. Presence is kept once a minute, however often."""

    every: Annotated[Seconds, POSITIVE] = Seconds(60)


class PublishSettings(NamedTuple):
    """
    When batches are sent, and how.

    `ack = "broker"` is for third-party consumers that answer nothing, `compress = "none"` for those that do not unpack.
    """

    every: Annotated[Seconds, POSITIVE] = Seconds(60)
    window: Annotated[int, POSITIVE] = 8
    replay_per_second: Annotated[float, POSITIVE] = 2.0
    ack: Literal["store", "broker"] = "store"
    compress: Literal["gzip", "none"] = "gzip"


class PresenceSettings(NamedTuple):
    """What `lan` and `wan` ask. Without reference targets `wan` is absent, never 0."""

    gateway: GatewayChoice = GatewayChoice("auto")
    references: tuple[Reference, ...] = ()
    timeout: Annotated[Seconds, POSITIVE] = Seconds(1)


class InterfaceSettings(NamedTuple):
    """Which interfaces are left out, as shell patterns."""

    exclude: tuple[str, ...] = ("lo", "veth*", "docker*", "br-*", "virbr*", "ifb*")


class HostSettings(NamedTuple):
    """The file system whose fill level is reported."""

    disk: Path = Path("/")


class ClockSettings(NamedTuple):
    """
    Whose word counts that the wall clock is right.

    `kernel`: only the kernel's (NTP). `auto`: also a hypervisor's. `always`: the operator vouches for it.
    """

    trust: Literal["auto", "kernel", "always"] = "auto"


class Settings(NamedTuple):
    """All settings of an agent."""

    agent: DeviceName
    broker: BrokerSettings
    spool: SpoolSettings = SpoolSettings()
    round: RoundSettings = RoundSettings()
    publish: PublishSettings = PublishSettings()
    presence: PresenceSettings = PresenceSettings()
    interface: InterfaceSettings = InterfaceSettings()
    host: HostSettings = HostSettings()
    clock: ClockSettings = ClockSettings()
    probe: ProbeSettings = ProbeSettings()
