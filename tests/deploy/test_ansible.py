"""Roles and playbooks: by the rules of the craft, documented whole; every template gives a file that can be read."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.measurements import RETENTION_DAYS
from tests.processes import BIN

ANSIBLE = Path(__file__).parents[2] / "deploy/ansible"
ROLES = sorted(folder.name for folder in (ANSIBLE / "roles").iterdir())
TEMPLATES = sorted(ANSIBLE.glob("roles/*/templates/*.j2"))
SECTION = re.compile(r"\[(Unit|Service|Timer|Install|Time|Manager)\]")

# What a role's tasks set before they render a template, and the loops that they render it in.
SET = {
    "agent_version": "1.2.3",
    "agent_before": {},
    "broker_websocket_refused": ["441802-3144001234.stolen"],
    "agent_references": ["tcp://192.0.2.1:53"],
    "agent_observe": [{"device": "441802-3144001234.s3", "profile": "snmp-switch", "parameters": {"uplink": "1"}}],
    "agent_time_servers": ["192.0.2.1"],
    "collector_foreign": [{"topic": "school/+/co2", "measurements": ["co2"]}],
    "depot_board_certificate": "/etc/ssl/board.crt",
    "depot_board_key": "/etc/ssl/board.key",
}
LOOPS = {
    "collector/broker.toml.j2": "[{'name': 'collect', 'user': 'santong-collector'}, {'name': 'ask', 'user': 'me'}]",
    "collector/service.j2": "collector_units",
    "collector/timer.j2": "collector_timers",
}


def run(*argv: str | Path, folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs there, with nothing of this machine's settings for it."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    around = {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(argv, cwd=folder, env=around, check=False, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of deploy/ansible as it lies in a release, so that nothing is written into the sources."""
    folder = tmp_path_factory.mktemp("release")
    shutil.copytree(ANSIBLE, folder / "ansible")
    (folder / "release.json").write_text(json.dumps({"version": "1.2.3"}), encoding="utf-8")
    return folder / "ansible"


def test_ansible_lint_has_nothing_to_say(project: Path) -> None:
    """Playbooks and roles are by the rules of ansible-lint's profile for production."""
    done = run(BIN / "ansible-lint", "--offline", "-q", "--profile", "production", folder=project, home=project.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_yamllint_has_nothing_to_say(project: Path) -> None:
    """Every YAML file is by the rules of deploy/ansible/.yamllint."""
    done = run(BIN / "yamllint", "--strict", ".", folder=project, home=project.parent)
    assert done.returncode == 0, done.stdout


def defaults(role: str) -> dict[str, Any]:
    """Return the defaults of a role."""
    file = ANSIBLE / "roles" / role / "defaults/main.yml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) or {}


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_documented(role: str) -> None:
    """Each variable of a role stands in its argument specs with a description, and has one default or is asked for."""
    specs = yaml.safe_load((ANSIBLE / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    assert set(defaults(role)) <= set(options)
    required = {name for name, option in options.items() if option.get("required")}
    assert set(options) <= set(defaults(role)) | required
    assert all(option["description"] for option in options.values())
    assert not [name for name, option in options.items() if "default" in option], "defaults stand in one place"
    assert all(name.startswith(f"{role}_") for name in options)


def test_retention_is_what_the_product_asks_for() -> None:
    """The role keeps evidence and telemetry as long as the collector would."""
    hours = {kind: f"{days * 24}h" for kind, days in RETENTION_DAYS.items()}
    assert defaults("influxdb")["influxdb_retention"] == {str(kind): text for kind, text in hours.items()}


def test_a_rehearsal_on_a_new_device(project: Path, tmp_path: Path) -> None:
    """With --check the role goes through on a device that has nothing yet, says what it would do, and makes nothing."""
    release, place = project.parent, tmp_path / "device"
    for name in ("releases.py", "pull.py"):
        (release / "device").mkdir(exist_ok=True)
        shutil.copy(ANSIBLE.parent / "device" / name, release / "device")
    part: dict[str, Any] = {"name": "agent", "tasks_from": "{{ part }}"}
    play = {
        "name": "Rehearse",
        "hosts": "all",
        "connection": "local",
        "tasks": [
            {
                "name": "All but systemd's",
                "ansible.builtin.include_role": part,
                "loop": ["install.yml", "configure.yml"],
                "loop_control": {"loop_var": "part"},
            }
        ],
    }
    (project / "rehearse.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    given = {f"santong_{name}": str(place / name) for name in ("settings", "home", "authority", "control_bin")}
    given |= {"santong_release": str(release), "santong_version": "1.2.3", "santong_centre_name": "centre.example"}
    given |= {"agent_spool": str(place / "spool"), "santong_mqtt_port": "8883", "santong_depot_port": "8443"}
    command = ["-i", "441802-3144001234.c0701,", "rehearse.yml", "--check", "-e", json.dumps(given)]
    done = run(BIN / "ansible-playbook", *command, folder=project, home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not place.exists()


@pytest.mark.parametrize(
    ("new", "old", "is_written"),
    [(0, 0, True), (0, 2, False), (2, 0, False), (0, 127, True)],
    ids=["both read it", "the old one does not", "the new one does not", "the old one does not run at all"],
)
def test_settings_are_for_the_release_before_as_well(
    project: Path, tmp_path: Path, new: int, old: int, *, is_written: bool
) -> None:
    """A device may have to go back: settings that the release before cannot read are not written."""
    for version, code in (("1.2.3", new), ("1.2.2", old)):
        program = tmp_path / "releases" / version / "bin/santong-agent"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\ntest -f $4 || exit 9\nexit {code}\n", encoding="utf-8")
        program.chmod(0o755)
    text = (project / "roles/agent/tasks/configure.yml").read_text(encoding="utf-8")
    (task,) = (task for task in yaml.safe_load(text) if "validate" in task.get("ansible.builtin.template", {}))
    validate = task["ansible.builtin.template"]["validate"]
    content = {"content": "agent", "dest": str(tmp_path / "agent.toml"), "mode": "0600", "validate": validate}
    play = {"name": "Write", "hosts": "localhost", "connection": "local", "gather_facts": False}
    tasks_ = [{"name": "Write", "ansible.builtin.copy": content}]
    (project / "write.yml").write_text(yaml.safe_dump([play | {"tasks": tasks_}], sort_keys=False), encoding="utf-8")
    given = {"santong_home": str(tmp_path), "agent_version": "1.2.3", "agent_before": {"current": "1.2.2"}}
    command = ["-i", "localhost,", "write.yml", "-e", json.dumps(given)]
    done = run(BIN / "ansible-playbook", *command, folder=project, home=tmp_path)
    assert (done.returncode == 0) is is_written, done.stdout
    assert (tmp_path / "agent.toml").exists() is is_written


# ---- templates


def tasks(out: Path) -> Iterator[dict[str, Any]]:
    """Yield the tasks that render every template into `out`."""
    for template in TEMPLATES:
        role, name = template.parents[1].name, template.name
        task: dict[str, Any] = {
            "name": f"{role}/{name}",
            "ansible.builtin.template": {
                "src": str(Path("roles") / role / "templates" / name),
                "dest": f"{out}/{role}-{name.removesuffix('.j2')}",
                "mode": "0600",
            },
        }
        if loop := LOOPS.get(f"{role}/{name}"):
            task["loop"] = "{{ " + loop + " }}"
            task["ansible.builtin.template"]["dest"] += "-{{ item.name }}"
        yield task


@pytest.fixture(scope="module")
def rendered(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give every template of every role, rendered by Ansible with the roles' defaults, by `role-file`."""
    out = tmp_path_factory.mktemp("rendered")
    files = [f"roles/{role}/{kind}/main.yml" for role in ROLES for kind in ("defaults", "vars")]
    play = {
        "name": "Render",
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [file for file in files if (project / file).exists()],
        "tasks": list(tasks(out)),
    }
    (project / "render.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    given = SET | {
        "santong_centre_name": "centre.example",
        "agent_id": "441802-3144001234.c0703",
        "ansible_facts": {"all_ipv6_addresses": ["fe80::1"]},
        "santong_settings": str(out / "etc"),
    }
    command = [
        "ansible-playbook",
        "-i",
        "localhost,",
        "-i",
        "inventory/centre.yml",
        "render.yml",
        "-e",
        json.dumps(given),
    ]
    done = run(BIN / command[0], *command[1:], folder=project, home=project.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return {file.name: file.read_text(encoding="utf-8") for file in out.iterdir() if file.is_file()}


def test_every_template_is_rendered(rendered: dict[str, str]) -> None:
    """No template needs what nobody sets, and none is empty or has words of Jinja left."""
    for template in TEMPLATES:
        prefix = f"{template.parents[1].name}-{template.name.removesuffix('.j2')}"
        found = [text for name, text in rendered.items() if name.startswith(prefix)]
        assert found, prefix
        assert all(text.strip() and not re.search(r"{{|{%", text) for text in found), prefix


def test_settings_can_be_read(rendered: dict[str, str]) -> None:
    """What is TOML, or JSON, is; and says who connects with which certificate."""
    read = {
        name: tomllib.loads(text)
        for name, text in rendered.items()
        if ".toml" in name or name == "influxdb-influxdb.conf"
    }
    collect = read["collector-broker.toml-collect"]
    assert collect["broker"]["certificate"].endswith("/santong-collector.crt")
    assert collect["foreign"] == [{"topic": "school/+/co2", "measurements": ["co2"]}]
    assert read["collector-broker.toml-ask"]["broker"]["key"].endswith("/me.key")
    assert read["influxdb-influxdb.conf"]["http"] == {
        "bind-address": "127.0.0.1:8086",
        "auth-enabled": True,
        "log-enabled": False,
    }
    assert read["agent-agent.toml"]["observe"][0]["parameters"] == {"uplink": "1"}
    json.loads(rendered["agent-pull.json"])


def test_units_have_sections_and_settings_alone(rendered: dict[str, str]) -> None:
    """What systemd reads has nothing but sections, comments and NAME=VALUE."""
    units = {
        name: text
        for name, text in rendered.items()
        if re.search(r"\.service|\.timer|limits\.conf|timesyncd|collector-(service|timer)-", name)
    }
    assert len(units) > 20
    for name, text in units.items():
        for line in filter(None, text.splitlines()):
            assert SECTION.fullmatch(line) or re.match(r"#|[A-Z][A-Za-z]+=[^#]*$", line), (name, line)
    assert "OnCalendar=*-*-* 03:30 Asia/Shanghai" in units["collector-timer-santong-verify"]
    assert "NoNewPrivileges=yes" in units["broker-limits.conf"]


def test_by_hand_nothing_of_a_revoked_key_is_taken(rendered: dict[str, str]) -> None:
    """`santong-centre import` knows the list, which comes wherever the broker's does: with the same tag, too."""
    told = dict(re.findall(r"^(SANTONG_C\w+)=(.*)$", rendered["collector-santong-centre"], re.MULTILINE))
    assert told["SANTONG_CRL"].endswith("/tls/crl.pem")
    tasks_of = yaml.safe_load((ANSIBLE / "roles/collector/tasks/configure.yml").read_text(encoding="utf-8"))
    asking, writing = (task for task in tasks_of if task.get("tags") == "broker")
    assert "crl" in asking["ansible.builtin.command"]["argv"]
    assert writing["ansible.builtin.copy"]["dest"] == "{{ collector_tls }}/crl.pem"


def test_grafana_is_told_all_that_its_provisioning_asks(rendered: dict[str, str]) -> None:
    """The environment has every variable of the provisioning files, and the password that was made for its user."""
    told = dict(line.split("=", 1) for line in rendered["grafana-grafana.env"].splitlines() if not line.startswith("#"))
    files = (ANSIBLE.parent / "grafana/provisioning").rglob("*.yaml")
    asked = {name for file in files for name in re.findall(r"\$(SANTONG_\w+)", file.read_text(encoding="utf-8"))}
    assert asked <= set(told)
    assert re.fullmatch(r"'[A-Za-z0-9]{32}'", told["SANTONG_GRAFANA_PASSWORD"])
    assert "EnvironmentFile=" in rendered["grafana-limits.conf"]
