"""Ansible's dynamic inventory, as a program reads it and as Ansible itself does."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collector.fleet.inventory import graph, inventory
from collector.fleet.waves import waves
from collector.roster.read import Reading
from collector.roster.schema import Device
from collector.roster.versions import Versions
from collector.store.open import open_store
from collector.up import store_url
from contract.measurements import Retention
from tests.collector.commands import run
from tests.collector.fleet.fleets import TODAY, fleet, panels, roster

SITE = "441802-9990000001"
SCRIPT = Path(__file__).parents[3] / "deploy/ansible/inventory/roster"
BIN = Path(sys.executable).parent


def ansible(program: str, data: Path, *arguments: str) -> str:
    """Run one of Ansible's programs over the inventory script, and return what it prints."""
    environment = os.environ | {"SANTONG_DATA": str(data), "SANTONG_CONTROL_BIN": str(BIN), "HOME": str(data)}
    environment |= {"ANSIBLE_HOME": str(data / "ansible"), "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
    done = subprocess.run(
        [BIN / program, "-i", SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder with 60 devices, half of them reached by SSH, one retired and a gateway with a switch."""
    more = [
        Device(f"{SITE}.gw", "gateway", profile="openwrt", host="gw.example"),
        Device(f"{SITE}.sw", "switch", profile="snmp-switch", agent=f"{SITE}.gw"),
        Device(f"{SITE}.old", "classroom", valid_to=datetime.now(UTC).date() - timedelta(3), host="192.0.2.99"),
    ]
    Versions(tmp_path).add(Reading(roster([*panels(60), *more])), TODAY - timedelta(900), "tester")
    return tmp_path


def listed(data: Path) -> dict[str, Any]:
    """Return what `santong inventory --list` prints."""
    found: dict[str, Any] = json.loads(run("inventory", "--list", "--data", data)[0])
    return found


def test_groups_are_those_of_the_roster(data: Path) -> None:
    """Counties, sites, roles, profiles, ways, who observes what; retired ones stand alone."""
    found = listed(data)
    assert len(found["agents"]["hosts"]) == 61
    assert set(found["county_441802"]["hosts"]) == set(found["agents"]["hosts"])
    assert len(found["site_441802_9990000002"]["hosts"]) == 10
    assert found["role_gateway"]["hosts"] == found["observing"]["hosts"] == [f"{SITE}.gw"]
    assert found["observes_snmp_switch"]["hosts"] == [f"{SITE}.gw"]
    assert len(found["profile_raspberry_pi_4"]["hosts"]) == 20
    assert len(found["reach_ssh"]["hosts"]) == 31
    assert len(found["reach_pull"]["hosts"]) == 30
    assert found["reach_none"]["hosts"] == []
    assert found["retired"]["hosts"] == [f"{SITE}.old"]


def test_variables_of_a_host(data: Path) -> None:
    """Who it is, where, what, whom it speaks for, and where SSH finds it."""
    found = json.loads(run("inventory", "--host", f"{SITE}.gw", "--data", data)[0])
    assert found.pop("santong_wave") in ("canary", "5", "25", "all")
    assert found == {
        "santong_agent": f"{SITE}.gw",
        "santong_site": SITE,
        "santong_county": "441802",
        "santong_role": "gateway",
        "santong_profile": "openwrt",
        "santong_reach": "ssh",
        "santong_observed": [{"device": f"{SITE}.sw", "role": "switch", "profile": "snmp-switch"}],
        "ansible_host": "gw.example",
    }


def test_hosts_come_in_the_order_of_their_waves() -> None:
    """Canaries of SSH first in their group, then the other waves as they are rolled out."""
    agents = fleet(200)
    found = inventory(agents)
    by_ssh = [agent for agent in agents if agent.reach == "ssh"]
    first, *others = waves(by_ssh)
    assert found["canaries"]["hosts"] == list(first.agents)
    assert found["reach_ssh"]["hosts"] == [name for wave in (first, *others) for name in wave.agents]
    assert {found["_meta"]["hostvars"][name]["santong_wave"] for name in first.agents} == {"canary"}


def test_an_unknown_host_and_a_missing_roster_are_one_line(data: Path, tmp_path: Path) -> None:
    """Exit code 1 for a host that there is not, 2 where there is nothing to list."""
    run("inventory", "--host", "441802-1.x", "--data", data, code=1)
    _, said = run("inventory", "--list", "--data", tmp_path / "empty", code=2)
    assert said.count("\n") == 1
    assert "no roster yet" in said
    run("inventory", "--data", data, code=2)


def test_a_row_that_went_is_retired_as_it_was(data: Path) -> None:
    """A version without a device retires it; one that comes back is no more retired."""
    Versions(data).add(Reading(roster(panels(30))), TODAY - timedelta(800), "tester")
    Versions(data).add(Reading(roster(panels(31))), TODAY - timedelta(700), "tester")
    retired = listed(data)["retired"]["hosts"]
    assert retired == sorted([device.id for device in panels(60)[31:]] + [f"{SITE}.gw", f"{SITE}.old"])


def test_ansible_reads_it(data: Path) -> None:
    """`ansible-inventory` takes the script without a word, and its groups and variables are those."""
    found = json.loads(ansible("ansible-inventory", data, "--list"))
    assert found["_meta"]["hostvars"][f"{SITE}.gw"]["ansible_host"] == "gw.example"
    assert found["retired"]["hosts"] == [f"{SITE}.old"]
    canaries = listed(data)["canaries"]["hosts"]
    shown = ansible("ansible-inventory", data, "--graph", "canaries")
    assert [line.removeprefix("  |--") for line in shown.splitlines()[1:]] == canaries


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ([], ["wave=canary of 3.", "wave=5 of 1.", "wave=25 of 7.", "wave=all of 20."]),
        (["--limit", "observing"], ["of 1."]),
    ],
    ids=["all", "a part"],
)
def test_a_play_goes_in_waves(data: Path, tmp_path: Path, limit: list[str], told: list[str]) -> None:
    """With `serial` as docs/rollout.md has it, each batch of a play is a wave of ours; of a part the first is small."""
    documented = (SCRIPT.parents[3] / "docs/rollout.md").read_text(encoding="utf-8")
    head = re.findall(r"^- hosts: reach_ssh\n  order: inventory\n  serial: .*$", documented, re.MULTILINE)
    playbook = tmp_path / "waves.yml"
    message = "{{ ansible_play_batch | map('extract', hostvars, 'santong_wave') | unique | join }}"
    playbook.write_text(
        f"{head[0]}\n  gather_facts: false\n  connection: local\n  tasks:\n    - ansible.builtin.debug:\n"
        f"""        msg: "wave={message} of {{{{ ansible_play_batch | length }}}}."\n      run_once: true\n"""
    )
    shown = ansible("ansible-playbook", data, *limit, str(playbook))
    said = [line.split('"')[3] for line in shown.splitlines() if '"msg"' in line]
    assert len(said) == len(told)
    assert all(one.endswith(expected) for one, expected in zip(said, told, strict=True))


def test_people_are_shown_a_tree() -> None:
    """`--graph` names each group with its hosts."""
    lines = graph(inventory(fleet(2))).splitlines()
    assert lines[:2] == ["@all:", "  |--@agents:"]
    assert sorted(lines[2:4]) == ["  |  |--441802-9990000000.c00", "  |  |--441802-9990000000.c01"]


def test_ten_thousand_agents_take_less_than_five_seconds(tmp_path: Path) -> None:
    """Roster read, waves, groups: Ansible asks at the start of every play."""
    Versions(tmp_path).add(Reading(roster(panels(10_000))), TODAY - timedelta(900), "tester")
    begin = time.monotonic()
    found = listed(tmp_path)
    assert time.monotonic() - begin < 5
    assert len(found["agents"]["hosts"]) == 10_000


def test_canaries_can_be_those_with_evidence(data: Path) -> None:
    """With --evidence a canary is an agent that was there in the last day."""
    store = open_store(store_url(data))
    store.prepare()
    now = datetime.now(UTC)
    for name in ("441802-9990000000.c03", "441802-9990000002.c05", "441802-9990000003.c05"):
        identity = f"device={name},site={name[:17]},county=441802,agent={name}"
        line = f'presence,{identity} boot="b",uptime_s=60.0 {int(now.timestamp()) // 60 * 60 * 10**9}\n'
        assert store.write(Retention.EVIDENCE, line.encode()) == []
    store.close()
    found = json.loads(run("inventory", "--list", "--evidence", "--data", data)[0])
    seen = {"441802-9990000000.c03", "441802-9990000002.c05", "441802-9990000003.c05"}
    assert set(found["canaries"]["hosts"]) == seen
