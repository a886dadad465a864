"""
A gateway as it is deployed, with what it observes and the centre that it reports to, each at an address of its own.

    gateway .21   host: systemd, the agent as a unit of an unprivileged user, credentials that this user alone can read
    switch .30    Debian's snmpd on port 161, version 3 with authentication and privacy; its port `uplink` can be cut
    projector .31 PJLink on port 4352, with a password
    centre .2     mosquitto, santong collect

The profiles are the shipped ones, but what they do in minutes is done in seconds; the projector is of a model of the
school's own, by `extends`.
"""

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from collector.store.base import Row
from collector.store.open import open_store
from firmware_profiles.library import SHIPPED
from tests.lab.hosts import Hosts
from tests.lab.namespace import Done
from tests.lab.namespaces import Lab
from tests.processes import BIN
from tests.services import find_program

SITE = "441802-3144001234"
GATEWAY, SWITCH, PROJECTOR = f"{SITE}.gateway", f"{SITE}.switch-3", f"{SITE}.c0703-p"
USER = "santong"
UPLINK = "uplink"
SECRETS = {
    "switch.auth": "sesame open 1",
    "switch.privacy": "open sesame 2",
    "projector.password": "JBMIAProjectorLink",
}
ANSWERS = {"POWR": "1", "ERST": "000000", "LAMP": "120 1", "INF2": "Model 7", "CLSS": "1"}
TIMEOUT_S = 1.0
EVERY_S = 1.0

# Without ProtectKernelTunables= and ProtectControlGroups=: their new /proc has the machine's boot id, not the host's.
UNIT = """\
[Unit]
Description=Santong agent
After=dbus.service
StartLimitIntervalSec=0
[Service]
User=santong
ExecStart=/usr/local/bin/santong-agent run
ExecStopPost=/usr/local/bin/santong-agent stopped --spool /var/lib/santong-agent
Environment=SANTONG_SPOOL_STOP_MARKS=true
Restart=always
RestartSec=10
StateDirectory=santong-agent
StateDirectoryMode=0700
UMask=0077
AmbientCapabilities=CAP_NET_RAW
CapabilityBoundingSet=CAP_NET_RAW
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
PrivateDevices=yes
PrivateTmp=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service adjtimex clock_adjtime clock_adjtime64
SystemCallErrorNumber=EPERM
[Install]
WantedBy=multi-user.target
"""

SETTINGS = f"""\
agent = "{GATEWAY}"
broker.url = "mqtt://{{centre}}"
clock.trust = "always"
round.every = "1s"
publish.every = "1s"
[[observe]]
device = "{SWITCH}"
profile = "snmp-switch"
address = "{{switch}}"
credentials = "switch"
parameters = {{{{ uplink = "{UPLINK}" }}}}
[[observe]]
device = "{PROJECTOR}"
profile = "school-projector"
address = "{{projector}}"
credentials = "projector"
[[credentials]]
name = "switch"
username = "gateway"
auth = "sha256"
auth_file = "/etc/santong/switch.auth"
privacy = "aes"
privacy_file = "/etc/santong/switch.privacy"
[[credentials]]
name = "projector"
password_file = "/etc/santong/projector.password"
"""

MODEL = """\
id: school-projector
title: {zh: 学校的投影机, en: The school's projector}
role: projector
extends: pjlink-projector
verified: false
parameters:
  lamp_hours_limit: {title: {zh: 灯泡更换时限, en: Life of its lamp}, default: "8000"}
probes:
  icmp: [{target: "{address}", name: management, packets: 3, every: 1s, timeout: 1s}]
"""


def quick(profile: str) -> str:
    """Return a shipped profile that does in seconds what it does in minutes."""
    text = (SHIPPED / f"{profile}.yaml").read_text(encoding="utf-8")
    text = re.sub(r"\n +timeout: \w+", "", text)
    text = re.sub(r"(\n +)every: \w+", rf"\1every: {EVERY_S:g}s\1timeout: {TIMEOUT_S:g}s", text)
    return re.sub(r"\b(clear_)?hold: \w+", r"\1hold: 1s", text)


class Deployed:
    """All of it; the gateway's host is booted, its agent not yet enabled."""

    def __init__(self, hosts: Hosts, lab: Lab, folder: Path) -> None:
        self.store_url = f"sqlite://{folder}/store.sqlite"
        self.centre = lab.machine("centre", 2)
        self.switch = lab.machine("core", 30)
        self.projector = lab.machine("projector", 31)
        self._start_centre(folder)
        self._start_switch()
        self.answer()
        self.projector.start([BIN / "python", "-m", "tests.lab.projector", self.projector.folder]).wait_until_listening(
            4352
        )
        self.host = hosts.host("pi", 21)
        self.host.machine.route(self.centre.address)
        self._install()

    # ---- the parts

    def _start_centre(self, folder: Path) -> None:
        file = self.centre.folder / "mosquitto.conf"
        file.write_text("listener 1883\nallow_anonymous true\nlog_dest stderr\nuser root\n", encoding="ascii")
        mosquitto = self.centre.start([find_program("mosquitto", "mosquitto"), "-c", file])
        mosquitto.wait_until_listening(1883)
        open_store(self.store_url).prepare()
        where = ("--broker", "mqtt://127.0.0.1", "--store", self.store_url, "--data", folder / "collect")
        self.centre.start([BIN / "santong", "collect", *where]).wait_until_said("receiving from")

    def _start_switch(self) -> None:
        self.switch.ip("link", "add", UPLINK, "type", "veth", "peer", "name", "far")
        for card in (UPLINK, "far"):
            self.switch.ip("link", "set", card, "up")
        auth, privacy, _ = SECRETS.values()
        file = self.switch.folder / "snmpd.conf"
        file.write_text(f'createUser gateway SHA-256 "{auth}" AES "{privacy}"\nrouser gateway priv\n', encoding="ascii")
        surroundings = ("env", "MIBS=", f"SNMP_PERSISTENT_DIR={self.switch.folder}")
        command = (find_program("snmpd", "snmpd"), "-f", "-Lo", "-C", "-c", file, "udp:161")
        self.switch.start([*surroundings, *command]).wait_until_listening(161, protocol="udp")

    def answer(self, **instead: str) -> None:
        """Let the projector answer as usual, but for the commands given."""
        lines = [f"# password {SECRETS['projector.password']}", "PJLINK 1 498e4a67"]
        lines += [f"%1{command}={text}" for command, text in (ANSWERS | instead).items()]
        file = self.projector.folder / "pjlink.txt"
        file.with_suffix(".new").write_text("\n".join(lines) + "\n", encoding="ascii")
        file.with_suffix(".new").rename(file)

    def _install(self) -> None:
        """Install the agent as a role would: unit, settings, profiles, and secrets that its user alone can read."""
        addresses = {name: getattr(self, name).address for name in ("centre", "switch", "projector")}
        self.host.write("/etc/systemd/system/santong-agent.service", UNIT)
        self.host.write("/etc/santong/agent.toml", SETTINGS.format(**addresses))
        self.host.write("/etc/santong/profiles.d/school-projector.yaml", MODEL)
        for name in ("generic-linux", "snmp-switch", "pjlink-projector"):
            self.host.write(f"/etc/santong/profiles.d/{name}.yaml", quick(name))
        for name, text in SECRETS.items():
            self.host.write(f"/etc/santong/{name}", f"{text}\n")
        files = [f"/etc/santong/{name}" for name in SECRETS]
        self.host.run(["chown", USER, *files])
        self.host.run(["chmod", "0400", *files])

    # ---- the agent

    def start(self) -> None:
        """Start the agent, now and at each boot."""
        self.host.run(["systemctl", "enable", "--now", "santong-agent"])

    def as_user(self, *words: str) -> Done:
        """Run `santong-agent` as the agent's user, without any capability."""
        way = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all")
        return self.host.run([*way, "--bounding-set=-all", "santong-agent", *words], 60)

    def journal(self) -> list[str]:
        """Return what the unit said, all its starts together."""
        return self.host.run(["journalctl", "-u", "santong-agent", "-o", "cat", "--no-pager"]).stdout.splitlines()

    # ---- what the centre has

    def rows(self, measurement: str, device: str, **tags: str) -> list[Row]:
        """Return the stored points of a device with these tags, in the order of their time."""
        store = open_store(self.store_url, create=False)
        try:
            found = list(store.select(measurement, 0, 2**62, [device]))
        finally:
            store.close()
        return sorted((row for row in found if tags.items() <= dict(row.tags).items()), key=lambda row: row.time_ns)

    def values(self, measurement: str, device: str, field: str, **tags: str) -> list[Any]:
        """Return the values of a field, in the order of their time."""
        rows = self.rows(measurement, device, **tags)
        return [row.fields[field] for row in rows if field in row.fields]

    def since(self, start_ns: int, device: str, kind: str, target: str) -> list[Row]:
        """Return the answers to a question that was asked after an instant."""
        rows = self.rows("probe", device, kind=kind, target=target)
        return [row for row in rows if row.time_ns >= start_ns]

    def wait(self, is_so: Callable[[], object], what: str, seconds: float = 20) -> None:
        """Return when something is so; AssertionError with the journal when it does not become so."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"{what}\n" + "\n".join(self.journal()[-20:])
            time.sleep(0.1)

    def wait_for_answers(
        self, device: str, kind: str, target: str, *, success: bool, least: int = 1, since_ns: int | None = None
    ) -> list[Row]:
        """Return the answers like this to what was asked since then, else from now on, when there are as many."""
        start_ns = time.time_ns() if since_ns is None else since_ns

        def found() -> list[Row]:
            rows = self.since(start_ns, device, kind, target)
            return [row for row in rows if row.fields.get("success") == int(success)]

        self.wait(lambda: len(found()) >= least, f"{kind} {target} of {device}: not {least} times {success=}")
        return found()


def warnings(journal: Iterable[str]) -> list[str]:
    """Return the lines of a journal that are not plain information."""
    return [line for line in journal if re.match(r"WARNING|ERROR|CRITICAL", line)]
