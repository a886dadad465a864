"""docs/deploy.md, word by word: what a technician types, from a factory Debian to classrooms whose evidence arrives."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.lab.background import ROOT
from tests.lab.estate import Estate, Play, recap
from tests.lab.factory import Factory
from tests.lab.hosts import Host
from tests.lab.namespaces import Lab
from tests.processes import wait_until

LONG_S = 400.0
# What a lab lacks: a time server, schools' gateways; and seconds instead of minutes.
HURRY = """\
agent_settings:
  clock: {{trust: always}}
  round: {{every: 1s}}
  publish: {{every: 1s}}
  presence: {{gateway: "{centre}"}}
"""


class Block(NamedTuple):
    """What is typed at once, and under which heading it stands."""

    heading: str
    text: str


def blocks(page: str) -> list[Block]:
    """Return what is typed of a page, in its order."""
    found, heading = [], ""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for title, typed in re.findall(r"^## (.+?)$|^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        heading = title or heading
        if typed:
            found.append(Block(heading, typed))
    return found


class Technician:
    """Types blocks in their order on the centre."""

    def __init__(self, centre: Host) -> None:
        self.centre = centre
        self._left = blocks("deploy.md")
        self.last = ""

    def go_on(self, until: str) -> None:
        """Type all blocks before a heading."""
        while self._left and not self._left[0].heading.startswith(until):
            self.type(self._left.pop(0))

    def type(self, block: Block, names: Mapping[str, str] | None = None) -> None:
        """Type a block, with some of its words replaced."""
        text = block.text
        for word, name in (names or {}).items():
            text = text.replace(word, name)
        done = self.centre.run(["bash", "-e", "-c", text], LONG_S, check=False)
        self.last = done.stdout + done.stderr
        if done.returncode:
            journal = self.centre.run(["journalctl", "--no-pager", "-o", "short", "-n", "60"], check=False).stdout
            pytest.fail(f"{block.heading}:\n{text}\n{self.last[-4000:]}\n{journal}", pytrace=False)


@pytest.fixture(scope="module")
def typed(
    factory: Factory, release: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Estate, Technician]]:
    """Give three hosts that let the technician in, and a centre with the bundle in /root; nothing else was done."""
    folder = tmp_path_factory.mktemp("deploy")
    with Lab(folder / "lab") as made, Estate(factory, made, folder / "estate") as estate:
        for name in ("a1", "a2", "a3"):
            estate.agent(name)
        shutil.copy(release, estate.centre.disk / "root")
        key = estate.centre.disk / "root/.ssh/id_ed25519"
        shutil.copy(factory.key, key)  # which every host has from ssh-copy-id
        key.chmod(0o600)
        yield estate, Technician(estate.centre)


def status(centre: Host) -> dict[str, Any]:
    """Return what the centre knows of each device."""
    done = centre.run(["santong-centre", "status", "--hours", "1", "--json"], 60)
    return {row["device"]: row for row in json.loads(done.stdout)}


def has_evidence_of(centre: Host, *devices: str) -> Callable[[], bool]:
    """Return what asks whether minutes of all these arrived."""
    return lambda: all(status(centre).get(one, {}).get("presence", 0) > 0 for one in devices)


def test_from_an_empty_server_to_evidence(typed: tuple[Estate, Technician]) -> None:
    """Steps 1 to 8 as they stand: two classrooms deliver, a second run changes nothing, the backup is sound."""
    estate, technician = typed
    technician.go_on("6.")
    with (estate.centre.disk / "etc/santong/inventory/group_vars/all.yml").open("a", encoding="utf-8") as variables:
        variables.write(HURRY.format(centre=estate.centre.address))
    technician.go_on("7.")
    again = Play(recap(technician.last), technician.last, 0, 0.0)
    assert again.recap and (again.changed, again.failed) == (0, {}), again.tasks("changed")
    site = "441802-3144001234"
    wait_until(has_evidence_of(estate.centre, f"{site}.c0701", f"{site}.c0702"), 90, lambda: str(status(estate.centre)))
    technician.go_on("Another school")
    (name,) = re.findall(r"santong-backup-\S+\.sealed", technician.last)
    checked = estate.centre.run(["santong", "backup", "check", f"/var/backups/santong/{name}", "--json"], 60)
    assert {"authority", "config/1", "data"} <= json.loads(checked.stdout)["places"].keys()


def test_another_school_is_rows_and_the_same_playbook(typed: tuple[Estate, Technician]) -> None:
    """What is typed for it, and its classroom delivers."""
    estate, technician = typed
    technician.go_on("nothing more")
    wait_until(has_evidence_of(estate.centre, "441802-3144005678.c0101"), 90, lambda: str(status(estate.centre)))


def test_a_rebuild_on_an_empty_host(typed: tuple[Estate, Technician]) -> None:
    """
    The centre burns; what docs/backup.md types on another host with the same name brings everything back.

    Evidence of before is there; agents go on by themselves with the certificates that they have; so does the authority.
    """
    estate, _ = typed
    old, new = estate.centre, estate.agent("a4")  # a factory Debian, as every host
    old.run(["systemctl", "start", "santong-backup.service"], LONG_S)
    before = status(old)
    issued = old.run(["santong", "ca", "list", "--all", "--json"], 60).stdout
    backup = max((old.disk / "var/backups/santong").glob("santong-backup-*"))
    shutil.copy(backup, new.disk / "root")
    shutil.copy(old.disk / "etc/santong/secrets/backup", new.disk / "root/passphrase")
    shutil.copy(next((old.disk / "root").glob("santong-*.tar.gz")), new.disk / "root")
    old.kill()
    for host in (new, *(estate.agent(name) for name in ("a1", "a2", "a3"))):
        host.run(["sed", "-i", rf"s/^\S* centre\.example/{new.address} centre.example/", "/etc/hosts"])
    began_ns = time.time_ns()

    technician = Technician(new)
    technician.type(blocks("deploy.md")[0])
    for block in blocks("backup.md"):
        if block.heading == "Rebuild on an empty host":
            technician.type(block, {"FILE": f"/root/{backup.name}", "PASSPHRASE": "/root/passphrase"})

    found = {one["serial"] for one in json.loads(new.run(["santong", "ca", "list", "--all", "--json"], 60).stdout)}
    assert {one["serial"] for one in json.loads(issued)} < found

    def is_back() -> bool:
        found = status(new)
        return all(found.get(one, {}).get("presence", 0) > before[one]["presence"] for one in before)

    wait_until(is_back, 150, lambda: f"{before}\n{status(new)}")
    print(f"rebuilt and evidence of all: {(time.time_ns() - began_ns) / 1e9:.0f} s")
