"""A gateway on a host with systemd, from its own readings and those of others to the evidence at the centre."""

import itertools
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.lab.gateway import GATEWAY, PROJECTOR, SECRETS, SWITCH, TIMEOUT_S, UPLINK, USER, Deployed, warnings
from tests.lab.hosts import Hosts
from tests.lab.namespaces import Lab

_REFUSED = 111  # ECONNREFUSED
_MOST_GAP_NS = 4_000_000_000  # between answers that are asked for every second, on a busy machine


def _unable(deployed: Deployed, device: str, kind: str, target: str) -> bool:
    """Tell whether the newest answer is that a secret of ours may not be read."""
    fields = deployed.rows("probe", device, kind=kind, target=target)[-1].fields
    return "success" not in fields and "Permission denied" in str(fields["reason"])


@pytest.fixture
def deployed(hosts: Hosts, lab: Lab, tmp_path: Path) -> Iterator[Deployed]:
    """Give a gateway; whatever the test does: no traceback, no warning twice in its journal, nowhere a secret."""
    made = Deployed(hosts, lab, tmp_path)
    yield made
    journal = made.journal()
    said = "\n".join(journal)
    assert "Traceback" not in said
    assert not [secret for secret in SECRETS.values() if secret in said]
    evidence = b"".join(file.read_bytes() for file in tmp_path.glob("store.sqlite*"))
    assert not [secret for secret in SECRETS.values() if secret.encode() in evidence]
    assert len(warnings(journal)) == len(set(warnings(journal))), said


def test_evidence_of_a_gateway_and_of_what_it_observes(deployed: Deployed) -> None:
    """
    Under a hardened unit the gateway's own readings and those of a switch and a projector arrive, each by its name.

    Its user needs no privilege to look what the machine is, and whether the settings are fine.
    """
    host = deployed.host
    assert json.loads(deployed.as_user("detect", "--json").stdout)["profile"] == "generic-linux"
    assert deployed.as_user("run", "--check").stdout == "settings are fine\n"
    deployed.start()
    deployed.wait(lambda: deployed.values("sensor", GATEWAY, "value", name="failed_units"), "failed units are counted")
    assert set(deployed.values("sensor", GATEWAY, "value", name="failed_units")) == {0}
    assert set(deployed.values("sensor", GATEWAY, "value", name="root_read_only")) == {0}
    assert deployed.values("firmware", GATEWAY, "version")
    for device, kind, target in (
        (SWITCH, "snmp", "ports"),
        (SWITCH, "snmp", "identity"),
        (PROJECTOR, "pjlink", "display"),
        (PROJECTOR, "pjlink", "identity"),
        (PROJECTOR, "icmp", "management"),
    ):
        deployed.wait_for_answers(device, kind, target, success=True, since_ns=0)
        assert {row.source for row in deployed.rows("probe", device)} == {GATEWAY}
        assert not deployed.rows("presence", device), "presence is the gateway's own"
    assert set(deployed.values("identity", SWITCH, "profile")) == {"snmp-switch"}
    assert set(deployed.values("identity", PROJECTOR, "profile")) == {"school-projector"}
    assert set(deployed.values("interface", SWITCH, "up", name=UPLINK)) == {1}
    assert set(deployed.values("display", PROJECTOR, "power")) == {"on"}

    host.run(["systemd-run", "--unit=broken", "false"])
    deployed.wait(lambda: 1 in deployed.values("sensor", GATEWAY, "value", name="failed_units"), "a unit has failed")
    host.run(["chown", "root", "/etc/santong/projector.password"])
    deployed.wait(lambda: _unable(deployed, PROJECTOR, "pjlink", "display"), "the password cannot be read any more")
    pid = host.run(["systemctl", "show", "-P", "MainPID", "santong-agent"]).stdout.strip()
    assert host.run(["stat", "-c", "%U", f"/proc/{pid}"]).stdout == f"{USER}\n"
    host.run(["systemctl", "stop", "santong-agent"])
    assert not warnings(deployed.journal())
    host.write("/etc/systemd/system/santong-agent.service.d/clock.conf", "[Service]\nProtectClock=yes\n")
    host.run(["systemctl", "daemon-reload"])
    deployed.start()
    deployed.wait(lambda: warnings(deployed.journal()), "a unit that forbids to ask the kernel's clock is told")
    assert "ProtectClock=" in warnings(deployed.journal())[0]


def test_faults_of_the_network_stay_with_their_device(deployed: Deployed) -> None:
    """What a device's answers become when packets are dropped, its cable is gone, or its port is closed."""
    deployed.start()
    deployed.wait_for_answers(SWITCH, "snmp", "ports", success=True)
    deployed.wait_for_answers(PROJECTOR, "pjlink", "display", success=True, since_ns=0)

    begun_ns = time.time_ns()
    deployed.switch.nft("udp dport 161 drop")
    silent = deployed.wait_for_answers(SWITCH, "snmp", "ports", success=False, least=2)
    assert {row.fields["stage"] for row in silent} == {"timeout"}
    assert all(TIMEOUT_S * 900 <= float(row.fields["duration_ms"]) < TIMEOUT_S * 2000 for row in silent)
    others = deployed.since(begun_ns, PROJECTOR, "pjlink", "display")
    assert {row.fields["success"] for row in others} == {1}
    times = [begun_ns, *(row.time_ns for row in others), silent[-1].time_ns]
    assert max(after - before for before, after in itertools.pairwise(times)) < _MOST_GAP_NS
    deployed.switch.mend()

    unplugged_ns = time.time_ns()
    deployed.projector.unplug()
    gone = deployed.wait_for_answers(PROJECTOR, "pjlink", "display", success=False)
    assert {row.fields["stage"] for row in gone} == {"connect"}
    deployed.wait_for_answers(PROJECTOR, "icmp", "management", success=False, since_ns=unplugged_ns)
    deployed.projector.plug()
    deployed.wait_for_answers(PROJECTOR, "pjlink", "display", success=True)

    deployed.projector.nft("tcp dport 4352 reject with tcp reset")
    refused = deployed.wait_for_answers(PROJECTOR, "pjlink", "display", success=False)
    assert {(row.fields["stage"], row.fields["code"]) for row in refused} == {("connect", _REFUSED)}
    assert all(float(row.fields["duration_ms"]) < TIMEOUT_S * 800 for row in refused)
    deployed.projector.mend()
    deployed.wait_for_answers(PROJECTOR, "pjlink", "display", success=True)
    assert deployed.since(silent[-1].time_ns, SWITCH, "snmp", "ports")[-1].fields["success"] == 1
    assert not warnings(deployed.journal()), "what others answer is evidence, no trouble of ours"


def test_faults_through_a_power_cut(deployed: Deployed) -> None:
    """
    Active faults are known after a power cut, in a new boot, and are over when the devices are well.

    One was mended while the power was off, one is mended after, one is over by the boot itself; nothing is lost.
    """
    host = deployed.host
    faults = ((SWITCH, "uplink-down"), (PROJECTOR, "lamp-failed"), (GATEWAY, "units-failed"))

    def active(device: str, code: str) -> list[int]:
        return deployed.values("fault", device, "active", code=code)

    def is_so(device: str, code: str, states: list[int]) -> bool:
        return active(device, code) == states

    deployed.start()
    for device, code in faults:
        deployed.wait(partial(is_so, device, code, [0]), f"{code} is known to be clear")
    deployed.switch.ip("link", "set", UPLINK, "down")
    deployed.answer(ERST="020000")
    host.run(["systemd-run", "--unit=broken", "false"])
    for device, code in faults:
        deployed.wait(partial(is_so, device, code, [0, 1]), f"{code} is active")
    host.kill()
    cut_ns = time.time_ns()
    deployed.answer()
    host.boot()
    deployed.wait(lambda: active(PROJECTOR, "lamp-failed")[-1] == 0, "the lamp was mended meanwhile")
    deployed.wait(lambda: active(GATEWAY, "units-failed")[-1] == 0, "no unit fails in this boot")
    deployed.wait_for_answers(SWITCH, "snmp", "ports", success=True)
    assert active(SWITCH, "uplink-down") == [0, 1, 1], "it is still down, and said so by the new boot"
    first = next(row for row in deployed.rows("interface", SWITCH, name=UPLINK) if row.time_ns > cut_ns)
    assert deployed.rows("fault", SWITCH, code="uplink-down")[-1].time_ns == first.time_ns, "it need not hold anew"
    deployed.switch.ip("link", "set", UPLINK, "up")
    deployed.wait(lambda: active(SWITCH, "uplink-down") == [0, 1, 1, 0], "the uplink is mended")
    assert not deployed.rows("stop", GATEWAY), "a power cut leaves no stop mark"
    starts = [line for line in deployed.journal() if line.startswith("INFO agent ")]
    assert len(set(starts)) == len(starts) == 2, "one start in each boot"
    host.run(["systemctl", "stop", "santong-agent"])
    state = json.loads(deployed.as_user("spool", "status", "--json").stdout)
    assert state["damaged_total"] == 0
    assert state["refused_total"] == 0
