"""The lab's hosts are machines of their own: systemd, units, users, power cuts; the product runs on them."""

import io

from agent.privileges import CAP_NET_RAW
from contract.batch import decode
from contract.batchfile import carried, read
from tests.contract.parser import Line, parse_all
from tests.lab import services
from tests.lab.hosts import Host, Hosts
from tests.lab.namespaces import Lab

UNIT = """\
[Service]
User=santong
StateDirectory=santong-agent
Environment=SANTONG_AGENT=441802-3144001234.c0703 SANTONG_BROKER_URL=mqtt://127.0.0.1
Environment=SANTONG_SPOOL_PATH=/var/lib/santong-agent SANTONG_CLOCK_TRUST=always
ExecStart=/usr/local/bin/santong-agent run
[Install]
WantedBy=multi-user.target
"""

PROBING_UNIT = """\
[Service]
User=santong
StateDirectory=santong-agent
ExecStart=/usr/local/bin/santong-agent run --config /etc/santong-agent.toml
AmbientCapabilities=CAP_NET_RAW
CapabilityBoundingSet=CAP_NET_RAW
NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes
"""
PROBING = """\
agent = "441802-3144001234.c0703"
broker.url = "mqtt://127.0.0.1"
spool.path = "/var/lib/santong-agent"
clock.trust = "always"
round.every = "1s"
publish.every = "1s"
[[probe.dhcp]]
target = "eth0"
every = "2s"
timeout = "2s"
[[probe.icmp]]
target = "10.77.0.1"
every = "2s"
timeout = "2s"
"""


def boot_id(host: Host) -> str:
    """Return the id of the running boot."""
    return host.run(["cat", "/proc/sys/kernel/random/boot_id"]).stdout


def uptime_s(host: Host) -> float:
    """Return for how long it has been up."""
    return float(host.run(["cat", "/proc/uptime"]).stdout.split()[0])


def test_an_agent_runs_as_an_unprivileged_user_under_a_unit(hosts: Hosts, lab: Lab) -> None:
    """The agent fills its spool as a user of its own, and again after a power cut, in a new boot with its uptime."""
    host, neighbour = hosts.host("pi", 21), lab.machine("neighbour", 10)
    assert neighbour.run(["ping", "-c", "1", host.address]).returncode == 0
    host.write("/etc/systemd/system/santong-agent.service", UNIT)
    host.run(["systemctl", "enable", "--now", "santong-agent"])
    agent = host.run(["systemctl", "show", "-P", "MainPID", "santong-agent"]).stdout.strip()
    assert host.run(["stat", "-c", "%U", f"/proc/{agent}"]).stdout == "santong\n"
    host.wait_until(lambda: "spool" in host.run(["ls", "/var/lib/santong-agent"], check=False).stdout)
    before = boot_id(host)
    host.kill()
    host.boot()
    assert boot_id(host) != before
    assert uptime_s(host) < 30
    assert host.run(["systemctl", "is-active", "santong-agent"]).stdout == "active\n"


def test_a_host_reboots_and_stops_in_good_order(hosts: Hosts) -> None:
    """After a reboot it is another boot with the same disk; stopped, nothing of it runs."""
    host = hosts.host("pi", 21)
    before = boot_id(host)
    host.write("/root/note", "kept")
    host.reboot()
    assert boot_id(host) != before
    assert host.run(["cat", "/root/note"]).stdout == "kept"
    host.stop()
    assert not host.is_running()


def capabilities(host: Host, pid: str) -> dict[str, int]:
    """Return the capability sets of a process by the kernel's names: CapEff, CapPrm, CapBnd and others."""
    lines = host.run(["grep", "^Cap", f"/proc/{pid}/status"]).stdout.splitlines()
    return {name: int(mask, 16) for name, mask in (line.split(":") for line in lines)}


def probed(host: Host) -> list[Line]:
    """Return the points of probes that wait in the agent's queue, exported as a technician would."""
    export = [
        "santong-agent",
        "spool",
        "export",
        "--unsigned",
        "--config",
        "/etc/santong-agent.toml",
        "--out",
        "/root/e",
    ]
    host.run(["rm", "-f", "/root/e"])
    if host.run(export, check=False).returncode:
        return []  # nothing waits yet
    copy = io.BytesIO()
    read(io.BytesIO((host.disk / "root/e").read_bytes()), copy)
    copy.seek(0)
    lines = [line for batch in carried(copy) for line in parse_all(decode(batch.payload).lines)]
    return [line for line in lines if line.measurement == "probe"]


def test_only_the_worker_uses_raw_sockets(hosts: Hosts, lab: Lab) -> None:
    """Under a hardened unit the agent itself may use nothing, its worker CAP_NET_RAW alone, and probes get leases."""
    gateway = lab.machine("gateway", 1)
    services.dhcp_server(gateway, services.Leases("10.77.0.50", "10.77.0.60", gateway.address, gateway.address))
    host = hosts.host("pi", 21)
    host.write("/etc/systemd/system/santong-agent.service", PROBING_UNIT)
    host.write("/etc/santong-agent.toml", PROBING)
    host.run(["systemctl", "start", "santong-agent"])
    host.wait_until(lambda: {line.tags["kind"] for line in probed(host)} == {"dhcp", "icmp"})
    newest = {line.tags["kind"]: line.fields for line in probed(host)}
    assert (newest["dhcp"]["success"], newest["dhcp"]["found"]) == (1, 1), newest
    assert newest["icmp"]["success"] == 1, newest
    agent = host.run(["systemctl", "show", "-P", "MainPID", "santong-agent"]).stdout.strip()
    (worker,) = host.run(["sh", "-c", f"cat /proc/{agent}/task/*/children"]).stdout.split()
    assert capabilities(host, agent)["CapEff"] == 0
    assert capabilities(host, worker) == dict.fromkeys(capabilities(host, worker), 1 << CAP_NET_RAW)
