"""
The depot: what devices fetch over HTTPS. Nothing in it is a secret, and all that devices obey is signed.

    plan.signed                                          which version each agent should have
    agents/<agent>/order.signed                          its settings and its certificate
    releases/santong-agent-<version>-<machine>.signed    size and SHA-256 of the archive beside it
                                              .tar.gz    the release for devices like this
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from collector.durable import sync, write_whole
from collector.fleet import plan, signed
from collector.fleet.rollout import Plan, RolloutError
from collector.fleet.signed import Sign

ORDER, RELEASE = "santong-order/1", "santong-release/1"
LARGEST_ORDER = 1 << 20
_ARCHIVE = re.compile(r"santong-agent-(?P<version>[0-9][0-9A-Za-z.+-]*)-(?P<machine>[a-z0-9_]+)\.tar\.gz")


class Papers(NamedTuple):
    """What an agent is known by: its certificate, and that of the authority, PEM."""

    certificate: str
    authority: str


def archives_of(release: Path) -> list[Path]:
    """Return the archives for devices in the folder of a release; RolloutError when it is none."""
    found = sorted(file for file in (release / "agent").glob("*.tar.gz") if _ARCHIVE.fullmatch(file.name))
    if not found:
        raise RolloutError(f"{release}: is no release: there is no agent/santong-agent-<version>-<machine>.tar.gz")
    return found


def has_release(depot: Path, version: str) -> bool:
    """Tell whether devices can fetch a version."""
    return any((depot / "releases").glob(f"santong-agent-{version}-*.signed"))


def publish(release: Path, depot: Path, sign: Sign, now_ms: int, *, is_decided: bool = False) -> list[str]:
    """
    Put the archives of a release into the depot, and a plan where there is none; return the names that were not there.

    With `is_decided` a rollout says which version is whose, and no plan is made here: that of a depot made anew would
    give everybody this release at once.
    A version is never replaced by other bytes: devices that have it would not have the same.
    """
    if not depot.is_dir():
        raise RolloutError(f"{depot}: there is no depot: --depot names its folder")
    folder = depot / "releases"
    folder.mkdir(exist_ok=True)
    written = [name for archive in archives_of(release) for name in _publish(archive, folder, sign)]
    if not is_decided and not (depot / plan.FILE).exists():
        found = _ARCHIVE.fullmatch(archives_of(release)[0].name)
        version = found["version"] if found else ""
        write_whole(depot / plan.FILE, plan.encode(Plan(now_ms, now_ms, version, {}), sign), 0o644)
        written.append(plan.FILE)
    return written


def _publish(archive: Path, folder: Path, sign: Sign) -> list[str]:
    found = _ARCHIVE.fullmatch(archive.name)
    if not found:
        return []
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    facts = {"format": RELEASE, **found.groupdict(), "size": archive.stat().st_size, "sha256": digest}
    beside = folder / f"{archive.name.removesuffix('.tar.gz')}.signed"
    before = signed.tree_of(beside.read_bytes(), RELEASE) if beside.exists() else {}
    if before and before["sha256"] != digest:
        raise RolloutError(f"{beside}: {found['version']} is in the depot with other content: give it another version")
    content = signed.encode(facts, sign)
    if before and beside.read_bytes() == content and (folder / archive.name).exists():
        return []
    new = folder / f".{archive.name}"
    shutil.copyfile(archive, new)
    new.chmod(0o644)
    sync(new)
    new.rename(folder / archive.name)
    sync(folder)
    write_whole(beside, content, 0o644)  # last: what is described is there
    return [archive.name]


@contextmanager
def _alone(depot: Path) -> Iterator[None]:
    """Hold the depot against other writers of orders: one that was read before is not written back after another."""
    try:
        descriptor = os.open(depot, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        raise RolloutError(f"{depot}: there is no depot: --depot names its folder") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def order(depot: Path, agent: str, variables: Mapping[str, Any], papers: Papers, sign: Sign, now_ms: int) -> bool:
    """Write the order of an agent where something of it changed, under a number above the last; tell whether it was."""
    with _alone(depot):
        return _order(depot, agent, variables, papers, sign, now_ms)


def refresh(depot: Path, agent: str, papers: Papers, sign: Sign, now_ms: int) -> bool:
    """
    Write an agent's order again with the papers that it has now, where these changed; tell whether it was.

    One that is damaged, or was withdrawn meanwhile, stays as it is: what it should say only the playbook knows.
    """
    file = depot / "agents" / agent / "order.signed"
    with _alone(depot):
        before = signed.tree_of(file.read_bytes(), ORDER) if file.exists() else {}
        return bool(before) and _order(depot, agent, before["vars"], papers, sign, now_ms)


def _order(depot: Path, agent: str, variables: Mapping[str, Any], papers: Papers, sign: Sign, now_ms: int) -> bool:
    file = depot / "agents" / agent / "order.signed"
    before = signed.tree_of(file.read_bytes(), ORDER) if file.exists() else {}
    tree = {"format": ORDER, "agent": agent, "vars": variables, **papers._asdict()}
    if {**before, "number": 0} == {**json.loads(json.dumps(tree)), "number": 0}:
        same = signed.encode(before, sign)
        if same == file.read_bytes():
            return False
    number = signed.next_number(int(before.get("number", 0)), now_ms)
    content = signed.encode({**tree, "number": number}, sign)
    if len(content) > LARGEST_ORDER:
        raise RolloutError(f"{agent}: its order has {len(content)} bytes, devices take {LARGEST_ORDER}: fewer profiles")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, content, 0o644)
    return True


def ordered(depot: Path) -> list[str]:
    """Return the agents that have an order."""
    return sorted(file.parent.name for file in (depot / "agents").glob("*/order.signed"))


def withdraw(depot: Path, agent: str) -> bool:
    """Take an agent's order away; tell whether there was one."""
    file = depot / "agents" / agent / "order.signed"
    if not file.exists():
        return False
    file.unlink()
    sync(file.parent)
    return True
