"""Settings of an agent: one TOML file, `SANTONG_*` variables and flags above it."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from agent.probe.settings import ProbeSettings
from agent.probe.values import Host
from contract.broker import BrokerSettings
from contract.names import DeviceName
from contract.settings import POSITIVE, Seconds, Size

if sys.platform == "win32":
    _FOLDER = Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "Santong"
    DEFAULT_FILE, _SPOOL = _FOLDER / "agent.toml", _FOLDER / "spool"
    _DISK = Path(os.environ.get("SYSTEMDRIVE", "C:") + "\\")
    _NOT_INTERESTING: tuple[str, ...] = ("Loopback*", "vEthernet*", "isatap*", "Teredo*", "*[*] *")
else:
    DEFAULT_FILE, _SPOOL, _DISK = Path("/etc/santong/agent.toml"), Path("/var/lib/santong-agent"), Path("/")
    _NOT_INTERESTING = ("lo", "veth*", "docker*", "br-*", "virbr*", "ifb*")
PROFILES_FOLDER = Path("/etc/santong/profiles.d")


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
    """
    Where batches wait. `path` must survive a reboot (and a restore card).

    `stop_marks` says that a supervisor runs `santong-agent stopped` after each end of the agent, however it ended. Only
    then does a gap without a mark tell of a power cut.
    """

    path: Path = _SPOOL
    max_size: Annotated[Size, POSITIVE] = Size(256 << 20)
    stop_marks: bool = False


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

    exclude: tuple[str, ...] = _NOT_INTERESTING


class HostSettings(NamedTuple):
    """The file system whose fill level is reported."""

    disk: Path = _DISK


class ClockSettings(NamedTuple):
    """
    Whose word counts that the wall clock is right.

    `kernel`: only the kernel's (NTP). `auto`: also a hypervisor's. `always`: the operator vouches for it.
    """

    trust: Literal["auto", "kernel", "always"] = "auto"


class CommandSettings(NamedTuple):
    """
    What the centre may ask of this agent from afar (`santong ask`), and how many times a minute.

    `allow = []`: nothing.
    """

    allow: tuple[Literal["probe", "throughput", "diagnose"], ...] = ("probe", "throughput", "diagnose")
    per_minute: Annotated[int, POSITIVE] = 12


class ProfileSettings(NamedTuple):
    """
    The profile of the machine itself: its id, `auto` (the one that fits best) or `none`.

    `folder` holds an operator's own profiles, which stand above the shipped ones; `parameters` are texts that the
    profile asks for.
    """

    id: str = "auto"
    folder: Path = PROFILES_FOLDER
    parameters: Mapping[str, str] = {}
    credentials: str = ""


class Observed(NamedTuple):
    """
    Another device of the same site that this agent speaks for; `credentials` names a section of those.

    `port` is where it answers, if not at the usual one of its protocol.
    """

    device: DeviceName
    profile: str
    address: Host
    port: int | None = None
    credentials: str = ""
    parameters: Mapping[str, str] = {}


class Credentials(NamedTuple):
    """
    How devices are asked; secrets stand in files of their own, the first line counts.

    SNMP v2c: `community_file`. SNMP v3: `username`, `auth` with `auth_file`, `privacy` with `privacy_file`. HTTP, ubus
    and PJLink: `username` and `password_file`.
    """

    name: str
    username: str = ""
    password_file: str = ""
    community_file: str = ""
    auth: Literal["none", "md5", "sha", "sha224", "sha256", "sha384", "sha512"] = "sha256"
    auth_file: str = ""
    privacy: Literal["none", "des", "aes", "aes192", "aes256"] = "aes"
    privacy_file: str = ""


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
    commands: CommandSettings = CommandSettings()
    profile: ProfileSettings = ProfileSettings()
    observe: tuple[Observed, ...] = ()
    credentials: tuple[Credentials, ...] = ()
