"""
A centre and its agents as factory Debian hosts, and a site's package repository; all else is done by the playbooks.

    mirror .3       nginx with the repository of factory.py, the only one that hosts know
    centre .2       the control node: the unpacked release, /opt/santong/control, ansible-playbook as root
    agents .21 …    reached by SSH as `deploy`, who may do everything by sudo

    estate.agent("a1"); estate.play("site.yml"); estate.play("site.yml", "--limit", "a1", "--check")

Hosts know each other by name: `centre.example`, `a1.example`. The control node knows the SSH keys of all, as after a
technician's first visit.
"""

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple, Self

from tests.lab.background import LabError
from tests.lab.factory import USER, Factory
from tests.lab.hosts import Base, Host, Hosts
from tests.lab.namespaces import Lab
from tests.lab.services import nginx

MIRROR, CENTRE, AGENTS = 3, 2, 21
DOMAIN = "example"
NAME = f"centre.{DOMAIN}"
PLAY_S = 400.0
SETUP_S = 200.0
VARIABLES = "/etc/santong/inventory/group_vars/all.yml"  # what the technician edits
_RECAP = re.compile(r"^(\S+)\s+: ((?:\w+=\d+\s*)+)$", re.MULTILINE)


class Play(NamedTuple):
    """What ansible-playbook did: its recap by host (ok, changed, failed, unreachable …) and all that it said."""

    recap: dict[str, dict[str, int]]
    output: str
    status: int
    seconds: float

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all hosts together."""
        return sum(host["changed"] for host in self.recap.values())

    @property
    def failed(self) -> dict[str, dict[str, int]]:
        """The hosts on which something failed, or that did not answer."""
        return {name: host for name, host in self.recap.items() if host["failed"] or host["unreachable"]}

    def tasks(self, outcome: str) -> list[str]:
        """Return the names of tasks with an outcome as Ansible writes it: `changed`, `failed`, `fatal`."""
        found, task = [], ""
        for line in self.output.splitlines():
            if heading := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\]", line):
                task = heading[1]
            elif line.startswith(f"{outcome}: "):
                found.append(task)
        return found


class Estate:
    """The hosts; the centre is booted at once, agents when they are asked for."""

    def __init__(self, factory: Factory, lab: Lab, folder: Path) -> None:
        self._factory = factory
        self._lab = lab
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._hosts = Hosts(Base(factory.root), lab, folder / "hosts")
        self._agents: dict[str, Host] = {}
        self._plays = 0
        self.release = ""  # the folder of the unpacked release, once there is a control node

    def __enter__(self) -> Self:
        self._hosts.__enter__()
        mirror = self._lab.machine("mirror", MIRROR)
        nginx(mirror, f"server {{ listen 80; root {self._factory.repository.resolve()}; }}", 80)
        self.centre = self._hosts.host("centre", CENTRE, self._prepare)
        return self

    def __exit__(self, *why: object) -> None:
        self._hosts.close()

    def agent(self, name: str) -> Host:
        """Return the host `a1` to `a9`, running; the first time it is one fresh from the factory."""
        if name not in self._agents:
            number = AGENTS + int(name.removeprefix("a")) - 1
            self._agents[name] = host = self._hosts.host(name, number, self._prepare)
            self._introduce(host)
        return self._agents[name]

    def _prepare(self, host: Host) -> None:
        """Give a host its own SSH key and the names of all others."""
        key = host.disk / "etc/ssh/ssh_host_ed25519_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=20)
        host.write("/etc/hosts", self._names(host))

    def _names(self, host: Host) -> str:
        """Return a file /etc/hosts with all machines, also those that are not there yet."""
        numbers = {"mirror": MIRROR, "centre": CENTRE} | {f"a{k + 1}": AGENTS + k for k in range(9)}
        lines = [f"127.0.0.1 localhost {host.machine.name}"]
        lines += [f"{self._lab.subnet}.{number} {name}.{DOMAIN} {name}" for name, number in numbers.items()]
        return "\n".join(lines) + "\n"

    def _introduce(self, host: Host) -> None:
        """Let the control node know a host's SSH key."""
        public = (host.disk / "etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="ascii").split()
        name = host.machine.name
        line = f"{name},{name}.{DOMAIN},{host.address} {' '.join(public[:2])}\n"
        self.centre.run(["mkdir", "-p", "-m", "700", "/root/.ssh"])
        with (self.centre.disk / "root/.ssh/known_hosts").open("a", encoding="ascii") as known:
            known.write(line)

    # ---- the control node

    def control(self, archive: Path) -> None:
        """Make the centre the control node, as a technician does: unpack the release, `./setup`, an SSH key."""
        shutil.copy(archive, self.centre.disk / "root")
        self.centre.run(["tar", "-C", "/root", "-xzf", f"/root/{archive.name}"], SETUP_S)
        self.release = f"/root/{archive.name.removesuffix('.tar.gz')}"
        key = self.centre.disk / "root/.ssh/id_ed25519"
        shutil.copy(self._factory.key, key)
        key.chmod(0o600)
        self.centre.run([f"{self.release}/setup"], SETUP_S)

    def variables(self, text: str) -> None:
        """Write the technician's file of variables, YAML."""
        self.centre.write(VARIABLES, text)
        self.centre.write("/etc/santong/inventory/hosts.yml", "all: {}\n")

    def play(self, playbook: str, *arguments: str, check: bool = True) -> Play:
        """Run a playbook of the release on the control node; LabError when it fails, unless `check` is off."""
        self._plays += 1
        command = ["ansible-playbook", playbook, "--user", USER, *arguments]
        surroundings = ["env", f"--chdir={self.release}/ansible", "LC_ALL=C.UTF-8"]
        start = time.monotonic()
        done = self.centre.run([*surroundings, *command], PLAY_S, check=False)
        output = done.stdout + done.stderr
        (self._folder / f"play-{self._plays}.log").write_text(f"{' '.join(command)}\n{output}", encoding="utf-8")
        play = Play(recap(output), output, done.returncode, time.monotonic() - start)
        if check and done.returncode:
            raise LabError(f"{' '.join(command)}: status {done.returncode}\n{output[-6000:]}")
        return play


def recap(output: str) -> dict[str, dict[str, int]]:
    """Return the recap of ansible-playbook by host."""
    words = {found[1]: dict(pair.split("=") for pair in found[2].split()) for found in _RECAP.finditer(output)}
    return {host: {name: int(number) for name, number in pairs.items()} for host, pairs in words.items()}
