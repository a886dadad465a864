"""The lab's hosts are machines of their own: systemd, units, users, power cuts; the product runs on them."""

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
