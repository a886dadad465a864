"""
upgrade.yml, rollback.yml and retire.yml with devices that are off, go off, or cannot be changed: who stops whom.

The playbooks and their tasks are the real ones. Instead of the role there is one that switches a file, and does to a
device what its variables say; the programs that they call are scripts that write down what they were asked.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.processes import BIN

ANSIBLE = Path(__file__).parents[2] / "deploy/ansible"
OLD, NEW = "1.0.0", "1.1.0"
# Nothing listens on the port of zero: whoever is there is off.
OFF = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
ROLE = """\
---
- name: Look for room, as preflight does
  ansible.builtin.assert:
    that: not has_no_room | default(false)
- name: Read what runs
  ansible.builtin.command: cat {{ santong_home }}/current
  register: found
  changed_when: false
- name: Note it
  ansible.builtin.set_fact:
    agent_before: {current: "{{ found.stdout }}"}
- name: Switch
  ansible.builtin.command: santong-release --home {{ santong_home }} use {{ santong_version }}
  register: agent_switched
  changed_when: found.stdout != santong_version
- name: Go off
  ansible.builtin.set_fact:
    ansible_connection: ssh
    ansible_host: 127.0.0.1
    ansible_port: 1
  when: goes_off | default(false)
- name: Wait for the end of the trial
  ansible.builtin.command: "true"
  changed_when: false
- name: The release works here
  ansible.builtin.assert:
    that: not is_ill | default(false)
"""
RELEASE = """\
#!/bin/sh
home=$2
[ "$3" != status ] || exec cat "$home/status"
echo "$4" > "$home/current"
echo '{"changed": true}'
"""
CENTRE = """\
#!/bin/sh
{ echo "$*"; case $1 in ca) ;; *) cat ;; esac; echo; echo --; } >> "$ASKED"
echo '{"changed": true}'
exit "$(cat "$ASKED.says")"
"""


class Ran(NamedTuple):
    """What a playbook said."""

    status: int
    output: str


class Fleet:
    """Devices that are folders, an inventory of them, and the playbooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked_file = folder / "asked"
        self.hosts: dict[str, dict[str, Any]] = {}
        self.canaries: list[str] = []
        shutil.copytree(ANSIBLE, folder / "release/ansible")
        self.playbooks = folder / "release/ansible"
        (folder / "release/release.json").write_text(json.dumps({"version": NEW}), encoding="utf-8")
        (self.playbooks / "centre.yml").write_text(
            "---\n- name: Centre\n  hosts: centre\n  gather_facts: false\n  tasks: []\n", encoding="utf-8"
        )
        shutil.rmtree(self.playbooks / "inventory")
        for role, tasks in {
            "agent": ROLE,
            "broker": "---\n- name: The list\n  ansible.builtin.debug:\n    msg: renewed\n",
        }.items():
            shutil.rmtree(self.playbooks / "roles" / role)
            (self.playbooks / "roles" / role / "tasks").mkdir(parents=True)
            (self.playbooks / "roles" / role / "tasks/main.yml").write_text(tasks, encoding="utf-8")
        for name, text in {"santong-release": RELEASE, "santong-centre": CENTRE, "santong": CENTRE}.items():
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(text, encoding="utf-8")
            program.chmod(0o755)
        for file in (*self.playbooks.glob("*.yml"), *self.playbooks.glob("tasks/*.yml")):
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace("/usr/local/sbin/", f"{folder}/bin/"), encoding="utf-8")
        self.gate_says(0)

    def gate_says(self, code: int) -> None:
        """Have each question to the centre end with an exit code."""
        (self.folder / "asked.says").write_text(str(code), encoding="utf-8")

    def add(self, *names: str, **variables: Any) -> None:
        """Add devices that run the old release; `variables` say what befalls them."""
        for name in names:
            home = self.folder / name
            home.mkdir()
            (home / "current").write_text(f"{OLD}\n", encoding="utf-8")
            self.hosts[name] = {"santong_home": str(home), **variables}

    def runs(self, name: str) -> str:
        """Return the release that a device runs."""
        return (self.folder / name / "current").read_text(encoding="utf-8").strip()

    def asked(self) -> list[list[str]]:
        """Return the agents that the gate was asked about, wave by wave."""
        text = self.asked_file.read_text(encoding="utf-8") if self.asked_file.exists() else ""
        return [question.strip().splitlines()[1:] for question in text.split("--\n") if "rollout gate" in question]

    def play(self, playbook: str, *arguments: str) -> Ran:
        """Run a playbook with the devices so far."""
        common = {"ansible_become": False, "ansible_python_interpreter": "/usr/bin/python3", "santong_version": NEW}
        common |= {"ansible_connection": "local", "santong_depot": str(self.folder / "depot")}
        common |= {"santong_control_bin": str(self.folder / "bin"), "santong_authority": str(self.folder)}
        common |= {"santong_gate_wait": "0s", "santong_gate_options": [], "santong_settings": str(self.folder / "etc")}
        children: dict[str, Any] = {
            "centre": {"hosts": {"santong-centre": self.hosts.get("santong-centre", {})}},
            "agents": {"hosts": {name: values for name, values in self.hosts.items() if name != "santong-centre"}},
            "reach_ssh": {"hosts": {name: {} for name in self.hosts if name != "santong-centre"}},
            "canaries": {"hosts": {name: {} for name in self.canaries}},
            "retired": {"hosts": {name: {} for name in self.hosts if name != "santong-centre"}},
        }
        inventory = {"all": {"vars": common, "children": children}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")
        path = f"{self.folder}/bin{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}"
        around = {
            "PATH": path,
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "ASKED": str(self.asked_file),
        }
        done = subprocess.run(
            [BIN / "ansible-playbook", "-i", self.folder / "hosts.yml", playbook, *arguments],
            cwd=self.playbooks, env=around, check=False, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Give a fleet without devices."""
    return Fleet(tmp_path)


def test_who_goes_off_after_the_switch_is_asked_about(fleet: Fleet) -> None:
    """A release that takes the device down with it: the gate hears of the device, though SSH no longer does."""
    fleet.add("c1", goes_off=True)
    fleet.add("c2", "a1", "a2")
    fleet.canaries = ["c1", "c2"]
    fleet.gate_says(1)
    done = fleet.play("upgrade.yml")
    assert done.status
    assert [sorted(names) for names in fleet.asked()] == [["c1", "c2"]]
    assert "taken back, but not on c1, which went off meanwhile" in done.output
    assert [fleet.runs(name) for name in fleet.hosts] == [NEW, OLD, OLD, OLD]


@pytest.mark.parametrize("says", [1, 2])
def test_evidence_that_does_not_say_yes_ends_it(fleet: Fleet, says: int) -> None:
    """Whether it says no or nothing: the wave is taken back, and the next one untouched."""
    fleet.add("c1", "a1")
    fleet.gate_says(says)
    done = fleet.play("upgrade.yml")
    assert done.status
    assert "the evidence of the wave does not show that it works" in done.output
    assert (fleet.runs("c1"), fleet.runs("a1")) == (OLD, OLD)


def test_a_centre_that_does_not_answer_lets_nothing_pass(fleet: Fleet) -> None:
    """Without an answer of the evidence the next wave does not begin."""
    fleet.hosts["santong-centre"] = OFF
    fleet.add("c1", "a1")
    done = fleet.play("upgrade.yml")
    assert done.status
    assert fleet.runs("a1") == OLD


def test_who_is_not_to_be_had_stops_nobody(fleet: Fleet) -> None:
    """
    Off, half-installed, with a full card: none says anything about the release.

    The others of its wave keep it, the end names who was there and has it not, and the exit code says so.
    """
    fleet.add("c1")
    fleet.add("a1", has_no_room=True)
    fleet.add("a2", ansible_python_interpreter="/nonexistent/python3")
    fleet.add("a3", **OFF)
    fleet.add("a4", "a5", "a6")
    fleet.canaries = ["c1"]
    done = fleet.play("upgrade.yml")
    assert [fleet.runs(name) for name in fleet.hosts] == [NEW, OLD, OLD, OLD, NEW, NEW, NEW]
    assert done.status
    assert "a1 stays as it was" in done.output
    assert "a2 stays as it was" in done.output
    assert sorted(name for names in fleet.asked() for name in names) == ["a4", "a5", "a6", "c1"]


def test_where_it_does_not_work_it_ends(fleet: Fleet) -> None:
    """A release that a device had to take back ends the rollout without asking further; its wave goes back."""
    fleet.add("c1", is_ill=True)
    fleet.add("c2", "a1")
    fleet.canaries = ["c1", "c2"]
    done = fleet.play("upgrade.yml")
    assert "it did not work on c1." in done.output
    assert [fleet.runs(name) for name in fleet.hosts] == [OLD, OLD, OLD]
    assert fleet.asked() == []


def test_one_of_twenty_is_for_the_evidence_to_judge(fleet: Fleet) -> None:
    """Of many devices one always fails by chance, a line that was cut: the gate hears of it, and the others keep it."""
    names = [f"c{number:02}" for number in range(20)]
    fleet.add(names[0], is_ill=True)
    fleet.add(*names[1:])
    fleet.canaries = names
    done = fleet.play("upgrade.yml")
    assert [sorted(wave) for wave in fleet.asked()] == [names]
    assert [fleet.runs(name) for name in names[1:]] == [NEW] * 19
    assert done.status, "and the end names it"
    assert "c00 stays as it was" in done.output


def test_no_canary_no_rollout(fleet: Fleet) -> None:
    """Where all canaries are off a twentieth of the city would be the first to try: that is for a person to decide."""
    fleet.add("c1", **OFF)
    fleet.add("a1", "a2")
    fleet.canaries = ["c1"]
    done = fleet.play("upgrade.yml")
    assert done.status
    assert "no canary has it" in done.output
    assert (fleet.runs("a1"), fleet.runs("a2")) == (OLD, OLD)
    assert fleet.play("upgrade.yml", "-e", "santong_without_canaries=true").status == 0
    assert (fleet.runs("a1"), fleet.runs("a2")) == (NEW, NEW)


def test_part_of_the_inventory_begins_with_one(fleet: Fleet) -> None:
    """With --limit the first wave has the canaries of that part; where it has none, a single device."""
    fleet.add("c1", "c2", "c3", "a1", "a2", "a3")
    fleet.canaries = ["c1", "c2", "c3"]
    assert fleet.play("upgrade.yml", "--limit", "a1:a2:a3:centre").status == 0
    assert fleet.asked()[0] == ["a1"]


def test_all_off_is_no_mistake(fleet: Fleet) -> None:
    """In the night nobody is there: nothing is asked, nothing fails."""
    fleet.add("a1", "a2", **OFF)
    assert fleet.play("upgrade.yml").status == 0
    assert fleet.asked() == []


def test_back_is_what_the_device_says(fleet: Fleet) -> None:
    """The release before, never one that failed there; with `santong_from` whoever runs another one is left alone."""
    fleet.add("a1", "a2")
    for name, current in (("a1", OLD), ("a2", NEW)):
        status = {
            "current": current,
            "before": "0.9.0",
            "installed": ["0.9.0", OLD, NEW],
            "failed": {NEW: "it was ill"},
        }
        (fleet.folder / name / "status").write_text(json.dumps(status), encoding="utf-8")
    assert fleet.play("rollback.yml", "-e", f"santong_from={NEW}").status == 0
    assert (fleet.runs("a1"), fleet.runs("a2")) == (OLD, "0.9.0")
    assert fleet.play("rollback.yml", "--limit", "a1").status == 0
    assert fleet.runs("a1") == "0.9.0"


def test_the_broker_hears_of_who_is_retired(fleet: Fleet) -> None:
    """Without the centre in --limit nothing is done and the right words are said: else the key went on to be good."""
    fleet.add("a1", **OFF)
    done = fleet.play("retire.yml", "--limit", "a1")
    assert done.status
    assert "--limit DEVICE:centre" in done.output
    assert not fleet.asked_file.exists()


def test_who_cannot_be_stopped_is_locked_out_all_the_same(fleet: Fleet) -> None:
    """A device that is off or broken keeps no certificate, and the broker hears of it."""
    fleet.add("a1", ansible_python_interpreter="/nonexistent/python3")
    fleet.add("a2", **OFF)
    done = fleet.play("retire.yml", "--limit", "a1:a2:centre")
    said = fleet.asked_file.read_text(encoding="utf-8")
    assert "ca revoke a1" in said
    assert "ca revoke a2" in said
    assert "renewed" in done.output
    assert "a1 could not be stopped" in done.output


def test_one_device_is_enrolled_at_a_time(fleet: Fleet) -> None:
    """With one address for two devices both would be made on one machine."""
    fleet.add("a1", "a2")
    done = fleet.play("enrol.yml", "--limit", "a1:a2", "-e", "ansible_host=192.0.2.7")
    assert done.status
    assert "name one device" in done.output
    assert fleet.runs("a1") == OLD
