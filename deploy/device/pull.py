#!/usr/bin/env python3
"""
A device that cannot be reached brings itself up to date, over its own outbound connection.

    plan (which release)  ┐ signed ──▶ checked with the public key that the device was installed with
    order (its settings)  ┘            ──▶ release fetched, its SHA-256 compared ──▶ Ansible, on this device alone

    https://<centre>:8443/plan.json                                what runs where; one file for all devices
                         /agents/<agent>/order.json                variables of the role, certificate, authority
                         /releases/santong-agent-<version>-<machine>.json, .tar.gz

The HTTPS server is authenticated, the device is not: nothing that is fetched is a secret. So a device whose certificate
ran out while it was switched off gets its new one, for the key that never left it. Both signed files carry numbers that
only grow: an old one that is offered again is refused.

    santong-pull           one look, run by a timer. Exit codes: 0 fine, 1 the release did not work here, 2 wrong
                           settings, 3 not now (network, disk), 4 what was fetched is not to be trusted
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

SETTINGS = Path("/etc/santong/pull.json")
STATE = Path("/var/lib/santong-pull")
HOME = Path("/opt/santong")
MAGIC = b"santong-signed/1 "
LARGEST_DOCUMENT = 1 << 20
LARGEST_RELEASE = 1 << 30
CHUNK = 1 << 18
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,63}")
_TIMEOUT_S = 60
_PLAYBOOK_S = 3600


class PullError(Exception):
    """Why nothing was done; `code` is the exit code."""

    def __init__(self, message: str, code: int = 3) -> None:
        super().__init__(message)
        self.code = code


class Settings(NamedTuple):
    """Where the device fetches from, and whom it trusts."""

    agent: str
    url: str
    ca: str
    key: str


def read_settings(file: Path) -> Settings:
    """Return the settings of a file; PullError, code 2."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        settings = Settings(*(str(found[name]) for name in Settings._fields))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PullError(f"{file}: {error!r}: write it anew", 2) from None
    if not settings.url.startswith("https://"):
        raise PullError(f"{file}: url: {settings.url} does not start with https://", 2)
    return settings


# ---- what is fetched


def verified(document: bytes, key: Path) -> dict[str, Any]:
    """Return the JSON object of a signed document (`MAGIC`, base64 of an Ed25519 signature, LF, what is signed)."""
    first, _, body = document.partition(b"\n")
    try:
        if not first.startswith(MAGIC):
            raise ValueError
        signature = base64.b64decode(first[len(MAGIC) :], validate=True)
    except ValueError:
        raise PullError("it is no signed document", 4) from None
    with tempfile.TemporaryDirectory() as folder:
        (signed, by) = (Path(folder) / "signed", Path(folder) / "by")
        signed.write_bytes(body)
        by.write_bytes(signature)
        words = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(key), "-in", str(signed), "-sigfile", str(by)]
        done = subprocess.run(["openssl", *words], capture_output=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise PullError("its signature is not the centre's", 4)
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise PullError("it is no JSON object", 4)
    return found


class Depot:
    """The centre's depot, over HTTPS."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url.rstrip("/")
        self._key = Path(settings.key)
        try:
            self._tls = ssl.create_default_context(cafile=settings.ca)
        except (OSError, ssl.SSLError) as error:
            raise PullError(f"{settings.ca}: {error}", 2) from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def document(self, path: str) -> dict[str, Any]:
        """Return a signed document."""
        with self._open(path) as answer:
            content = answer.read(LARGEST_DOCUMENT + 1)
        try:
            if len(content) > LARGEST_DOCUMENT:
                raise PullError("it is too large", 4)
            return verified(content, self._key)
        except PullError as error:
            raise PullError(f"{path}: {error}", error.code) from None

    def fetch(self, path: str, size: int, sha256: str, to: Path) -> None:
        """Have a file of this size and digest at `to`; what a cut connection left is gone on with."""
        part = to.with_name(f"{to.name}.part")
        have = part.stat().st_size if part.exists() else 0
        if have > size:
            part.unlink()
            have = 0
        if have < size:
            with self._open(path, have) as answer, part.open("ab" if answer.status == 206 else "wb") as out:
                left = size - out.tell()
                while left > 0 and (piece := answer.read(min(CHUNK, left))):
                    out.write(piece)
                    left -= len(piece)
                out.flush()
                os.fsync(out.fileno())
        if part.stat().st_size < size:
            raise PullError(f"{path}: the connection ended after {part.stat().st_size} of {size} bytes")
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            part.unlink()
            raise PullError(f"{path}: is not what the centre signed", 4)
        part.rename(to)

    def _open(self, path: str, have: int = 0) -> Any:
        request = urllib.request.Request(f"{self._url}/{path}", headers={"Range": f"bytes={have}-"} if have else {})
        try:
            return urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=self._tls)
        except urllib.error.HTTPError as error:
            raise PullError(f"{path}: {error.code} {error.reason}") from None
        except (OSError, urllib.error.URLError) as error:
            raise PullError(f"{self._url}: {getattr(error, 'reason', error)}") from None


# ---- one look


class Pull:
    """One look at the depot, and what follows from it."""

    def __init__(self, settings: Settings, home: Path = HOME, state: Path = STATE) -> None:
        self.settings = settings
        self.home = home
        self.state = state
        self.depot = Depot(settings)

    def look(self) -> str:
        """Fetch plan and order, and do what they say; return what was done, in a line."""
        numbers = _read_json(self.state / "numbers.json")
        plan = self._fresh("plan.json", numbers)
        order = self._fresh(f"agents/{self.settings.agent}/order.json", numbers)
        if order.get("agent") != self.settings.agent:
            raise PullError("the order is for another agent", 4)
        version = self._version(plan)
        failed = _read_json(self.home / "failed.json").get(version)
        if failed:  # the centre sees that it still runs the old one; nothing is gained by failing again each hour
            version = _current(self.home) or version
        todo = {"version": version, "order": order["number"]}
        if todo == _read_json(self.state / "applied.json"):
            return f"nothing new: {version}"
        bundle = self._bundle(version)
        self._apply(bundle, version, order)
        _write_json(self.state / "numbers.json", {"plan.json": plan["number"], "order.json": order["number"]})
        _write_json(self.state / "applied.json", todo)
        return f"{version} as ordered"

    def _fresh(self, path: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
        document = self.depot.document(path)
        number = document.get("number")
        if not isinstance(number, int):
            raise PullError(f"{path}: has no number", 4)
        if number < numbers.get(path.rpartition("/")[2], 0):
            raise PullError(f"{path}: is older than the one that this device saw before", 4)
        return document

    def _version(self, plan: Mapping[str, Any]) -> str:
        agents = plan.get("agents", {})
        version = str(agents.get(self.settings.agent) or plan.get("default", ""))
        if not _VERSION.fullmatch(version):
            raise PullError(f"plan.json names no version for {self.settings.agent}", 4)
        return version

    def _bundle(self, version: str) -> Path:
        """Return the folder of a release, fetched when it is not there."""
        place = self.home / "bundles" / version
        if (place / "release.json").exists():
            return place
        name = f"releases/santong-agent-{version}-{platform.machine()}"
        facts = self.depot.document(f"{name}.json")
        size, sha256 = facts.get("size"), facts.get("sha256")
        if facts.get("version") != version or not isinstance(size, int) or not 0 < size <= LARGEST_RELEASE:
            raise PullError(f"{name}.json: does not describe {version}", 4)
        self.state.mkdir(parents=True, exist_ok=True)
        archive = self.state / f"{version}.tar.gz"
        self.depot.fetch(f"{name}.tar.gz", size, str(sha256), archive)
        unpack(archive, place)
        archive.unlink()
        return place

    def _apply(self, bundle: Path, version: str, order: Mapping[str, Any]) -> None:
        """Let Ansible bring this device to what was ordered, by the roles of the release itself."""
        playbook = self._ansible(bundle, version)
        variables = {**order["vars"], "agent_pull_order": {k: order[k] for k in ("certificate", "authority")}}
        variables |= {"santong_version": version, "agent_bundle": str(bundle), "santong_agent": self.settings.agent}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "vars.json"
            file.write_text(json.dumps(variables), encoding="utf-8")
            words = [
                str(playbook),
                "-i",
                "localhost,",
                "-c",
                "local",
                "-e",
                f"@{file}",
                str(bundle / "ansible/pull.yml"),
            ]
            around = {"HOME": folder, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
            try:
                done = subprocess.run(
                    words, env=os.environ | around, stdin=subprocess.DEVNULL, timeout=_PLAYBOOK_S, check=False
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise PullError(f"ansible-playbook: {error}") from None
        if done.returncode:
            failed = _read_json(self.home / "failed.json").get(version)
            raise PullError(f"{version}: {failed or 'the playbook failed: what it said stands above'}", 1)

    def _ansible(self, bundle: Path, version: str) -> Path:
        """Return ansible-playbook, installed from the release's own wheels beside the agent's releases."""
        place = self.home / "ansible" / version
        words = ["--home", str(self.home), "environment", str(bundle), str(place), "--what", "ansible-core"]
        done = subprocess.run([sys.executable, str(bundle / "device/releases.py"), *words], stdout=subprocess.DEVNULL)
        if done.returncode:
            raise PullError(f"{version}: Ansible cannot be installed: what was said stands above")
        for old in place.parent.iterdir():
            if old != place:
                shutil.rmtree(old)
        return place / "bin/ansible-playbook"


def unpack(archive: Path, place: Path) -> None:
    """Unpack a release: all of it is there, or nothing."""
    new = place.with_name(f"{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    words = ["tar", "-xzf", str(archive), "-C", str(new), "--strip-components=1", "--no-same-owner"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(new, ignore_errors=True)
        raise PullError(f"{archive}: {(done.stderr.splitlines() or ['tar failed'])[0]}")
    subprocess.run(["sync", "--file-system", str(new)], check=False)
    shutil.rmtree(place, ignore_errors=True)
    new.rename(place)


def _current(home: Path) -> str:
    with contextlib.suppress(OSError):
        return Path(os.readlink(home / "current")).name
    return ""


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.new")
    with new.open("w", encoding="utf-8") as out:
        out.write(json.dumps(content) + "\n")
        out.flush()
        os.fsync(out.fileno())
    new.rename(file)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="santong-pull", description="Bring this device up to date from the centre.")
    parser.add_argument("--settings", type=Path, default=SETTINGS)
    parser.add_argument("--home", type=Path, default=HOME)
    parser.add_argument("--state", type=Path, default=STATE)
    given = parser.parse_args(arguments)
    try:
        print(Pull(read_settings(given.settings), given.home, given.state).look())
    except PullError as error:
        print(f"santong-pull: {error}", file=sys.stderr)
        return error.code
    except OSError as error:
        print(f"santong-pull: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
