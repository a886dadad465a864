#!/usr/bin/env python3
"""
A device that cannot be reached brings itself up to date, over its own outbound connection.

    plan (which release)  ┐ signed ──▶ checked with the public key that the device was installed with
    order (its settings)  ┘            ──▶ release fetched, its SHA-256 compared ──▶ Ansible, on this device alone

    https://<centre>:8443/plan.signed                              what runs where; one file for all devices
                         /agents/<agent>/order.signed              variables of the role, certificate, authority
                         /releases/santong-agent-<version>-<machine>.signed, .tar.gz

A signed document is two lines: a JSON object in UTF-8, and the Ed25519 signature (RFC 8032) of that line without its
line feed, in base64. Its `format` says what it is:

    santong-plan/1      number, default, agents: {agent: version}
    santong-order/1     number, agent, vars, certificate, authority; again: a version, though it failed here
    santong-release/1   version, machine, size, sha256

The HTTPS server is authenticated, the device is not: nothing that is fetched is a secret. So a device whose certificate
ran out while it was switched off gets its new one, for the key that never left it. The numbers only grow: an old
document that is offered again is refused.

    santong-pull           one look, run by a timer. Exit codes: 0 fine, 1 the release did not work here, 2 wrong
                           settings, 3 not now (network, disk), 4 what was fetched is not to be trusted

What the last look did stands in /var/lib/santong-pull/last.json: time (UTC), code, outcome.
"""

import argparse
import base64
import contextlib
import errno
import fcntl
import hashlib
import http.client
import json
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn

SETTINGS = Path("/etc/santong/pull.json")
STATE = Path("/var/lib/santong-pull")
HOME = Path("/opt/santong")
PLAN, ORDER, RELEASE = "santong-plan/1", "santong-order/1", "santong-release/1"
LARGEST_DOCUMENT = 1 << 23  # a plan that names a hundred thousand devices has four megabytes
LARGEST_RELEASE = 1 << 30
CHUNK = 1 << 18
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMEOUT_S = 60
_PLAYBOOK_S = 3600
_CLOCK = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


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
    found = _read_json(file)
    missing = [name for name in Settings._fields if not isinstance(found.get(name), str)]
    if missing:
        raise PullError(f"{file}: {', '.join(missing)}: not there: write it anew", 2)
    settings = Settings(*(found[name] for name in Settings._fields))
    if not settings.url.startswith("https://"):
        raise PullError(f"{file}: url: {settings.url} does not start with https://", 2)
    if not Path(settings.key).is_file():
        raise PullError(f"{settings.key}: is not there: it is what signatures are checked with", 2)
    return settings


# ---- what is fetched


def verified(document: bytes, kind: str, key: Path) -> dict[str, Any]:
    """Return the JSON object of a signed document of a kind; PullError, code 4."""
    line, _, rest = document.partition(b"\n")
    try:
        signature = base64.b64decode(rest.removesuffix(b"\n"), validate=True)
        found = json.loads(line)
    except ValueError:
        signature, found = b"", None
    if not signature or not isinstance(found, dict):
        raise PullError("it is no signed document", 4)
    with tempfile.TemporaryDirectory() as folder:
        (signed, by) = (Path(folder) / "signed", Path(folder) / "by")
        signed.write_bytes(line)
        by.write_bytes(signature)
        words = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(key), "-in", str(signed), "-sigfile", str(by)]
        done = subprocess.run(["openssl", *words], capture_output=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise PullError("its signature is not the centre's", 4)
    if found.get("format") != kind:  # a plan that is offered as an order
        raise PullError(f"it is no {kind}", 4)
    return found


class _NoWayElsewhere(urllib.request.HTTPRedirectHandler):
    """Follows nobody: the depot has what it has, and whoever sends a device elsewhere is not it."""

    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect."""


class Depot:
    """The centre's depot, over HTTPS."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url.rstrip("/")
        self._key = Path(settings.key)
        try:
            tls = ssl.create_default_context(cafile=settings.ca)
        except (OSError, ssl.SSLError) as error:
            raise PullError(f"{settings.ca}: {error}", 2) from None
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=tls), _NoWayElsewhere())

    def document(self, path: str, kind: str) -> dict[str, Any]:
        """Return a signed document of a kind."""
        with self._open(path) as answer, self._spoken(path):
            content: bytes = answer.read(LARGEST_DOCUMENT + 1)
            length = answer.headers.get("Content-Length", "")
        if length.isdigit() and len(content) < min(int(length), LARGEST_DOCUMENT + 1):
            raise PullError(f"{path}: the connection ended after {len(content)} of {length} bytes")
        if len(content) > LARGEST_DOCUMENT:
            raise PullError(f"{path}: it is too large", 4)
        try:
            return verified(content, kind, self._key)
        except PullError as error:
            raise PullError(f"{path}: {error}", error.code) from None

    def fetch(self, path: str, size: int, sha256: str, to: Path) -> None:
        """Have a file of this size and digest at `to`; what an earlier, cut connection left there is gone on with."""
        have = to.stat().st_size if to.exists() else 0
        if have > size:
            to.unlink()
            have = 0
        if have < size:
            self._download(path, have, size, to)
        if to.stat().st_size < size:
            raise PullError(f"{path}: the connection ended after {to.stat().st_size} of {size} bytes")
        with to.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            to.unlink()
            raise PullError(f"{path}: is not what the centre signed", 4)

    def _download(self, path: str, have: int, size: int, to: Path) -> None:
        try:
            answer = self._open(path, have)
        except PullError:
            if have:
                to.unlink()  # there may be another file by now: the next look begins at its beginning
            raise
        with answer, self._spoken(path):
            goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            with _room_for(to), to.open("ab" if goes_on else "wb") as out:
                left = size - (have if goes_on else 0)
                while left > 0 and (piece := answer.read(min(CHUNK, left))):
                    out.write(piece)
                    left -= len(piece)

    def _open(self, path: str, have: int = 0) -> Any:
        headers = {"Range": f"bytes={have}-"} if have else {}
        request = urllib.request.Request(f"{self._url}/{path}", headers=headers)  # noqa: S310  it is https
        with self._spoken(path):
            return self._opener.open(request, timeout=_TIMEOUT_S)

    @contextlib.contextmanager
    def _spoken(self, path: str) -> Iterator[None]:
        """Say in one line what goes wrong between us and the depot."""
        try:
            yield
        except urllib.error.HTTPError as error:
            with error:
                raise PullError(f"{self._url}/{path}: {error.code} {error.reason}") from None
        except (http.client.HTTPException, OSError) as error:
            why = getattr(error, "reason", None) or error
            if isinstance(why, ssl.SSLCertVerificationError):
                is_clock = why.verify_code in _CLOCK
                hint = f"; here it is {_now()}: compare the clock" if is_clock else ""
                raise PullError(f"{self._url}: {why.verify_message}{hint}", 3 if is_clock else 4) from None
            raise PullError(f"{self._url}/{path}: {why or type(why).__name__}") from None


@contextlib.contextmanager
def _room_for(file: Path) -> Iterator[None]:
    """Leave no half of a file on a disk that it fills: the agent needs the room."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            file.unlink(missing_ok=True)
            _no_room(file.parent)
        raise


def _no_room(folder: Path) -> NoReturn:
    raise PullError(f"{folder}: no space left on the device: make room, or use a larger card")


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
        plan, order = self._fresh()
        asked = self._version(plan)
        runs = _current(self.home)
        if runs and (self.home / "trial.json").exists():
            self._release("use", runs)  # has its looks go on, should they have stopped, or ends what is none
        if on_trial := _read_json(self.home / "trial.json").get("version"):
            return f"{on_trial} is on trial: what is ordered comes after it"
        version, why = self._not_again(asked, order)
        todo = {"version": version, "order": order["number"]}
        if todo == _read_json(self.state / "applied.json"):
            return f"nothing new: {version}{why}"
        bundle = self._bundle(version)
        try:
            self._apply(bundle, version, order)
        finally:
            _write_json(self.state / "tried.json", todo)
        _write_json(self.state / "applied.json", todo)
        return f"{version} as ordered{why}"

    def _fresh(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return plan and order; older ones than were seen before are refused, and that they were seen is kept."""
        numbers = _read_json(self.state / "numbers.json")
        found = {}
        for name, path in (("plan", "plan.signed"), ("order", f"agents/{self.settings.agent}/order.signed")):
            found[name] = document = self.depot.document(path, PLAN if name == "plan" else ORDER)
            number, seen = document.get("number"), numbers.get(name, 0)
            if not isinstance(number, int) or isinstance(number, bool):
                raise PullError(f"{path}: has no number", 4)
            if isinstance(seen, int) and number < seen:
                raise PullError(f"{path}: {number} is older than {seen}, which this device saw before", 4)
        plan, order = found["plan"], found["order"]
        if order.get("agent") != self.settings.agent:
            raise PullError(f"the order is for {order.get('agent')}, this is {self.settings.agent}", 4)
        is_whole = isinstance(order.get("vars"), dict) and all(
            isinstance(order.get(name), str) for name in ("certificate", "authority")
        )
        if not is_whole:
            raise PullError("the order has no vars, certificate or authority", 4)
        _write_json(self.state / "numbers.json", {name: one["number"] for name, one in found.items()})
        return plan, order

    def _version(self, plan: Mapping[str, Any]) -> str:
        agents = plan.get("agents")
        named = agents.get(self.settings.agent) if isinstance(agents, dict) else None
        version = str(named or plan.get("default", ""))
        if not _VERSION.fullmatch(version):
            raise PullError(f"plan.signed names no version for {self.settings.agent}", 4)
        return version

    def _not_again(self, asked: str, order: Mapping[str, Any]) -> tuple[str, str]:
        """Return the version to have: not one that failed here, unless the order asks for it again, once."""
        failed = _read_json(self.home / "failed.json").get(asked)
        tried = _read_json(self.state / "tried.json") == {"version": asked, "order": order["number"]}
        runs = _current(self.home)
        if not failed or not runs or (order.get("again") == asked and not tried):
            return asked, ""
        return runs, f"; {asked} did not work here: {failed}"

    def _bundle(self, version: str) -> Path:
        """Return the folder of a release, fetched when it is not there."""
        place = self.home / "bundles" / version
        archive = self.state / f"{version}.tar.gz"
        is_there = (place / "release.json").exists()
        for old in self.state.glob("*.tar.gz"):
            if is_there or old != archive:
                old.unlink()
        if is_there:
            return place
        machine = platform.machine()
        name = f"releases/santong-agent-{version}-{machine}"
        facts = self.depot.document(f"{name}.signed", RELEASE)
        size, sha256 = facts.get("size"), facts.get("sha256")
        is_whole = isinstance(size, int) and 0 < size <= LARGEST_RELEASE and _SHA256.fullmatch(str(sha256))
        if not is_whole or (facts.get("version"), facts.get("machine")) != (version, machine):
            raise PullError(f"{name}.signed: does not describe {version} for {machine}", 4)
        self._look_for_room(int(size or 0), archive)
        self.depot.fetch(f"{name}.tar.gz", int(size or 0), str(sha256), archive)
        # The lock is santong-release's: a person or Ansible may bring a release, too.
        with alone(self.home / ".lock"), _room_for(archive):
            unpack(archive, place, version)
        archive.unlink()
        return place

    def _look_for_room(self, size: int, archive: Path) -> None:
        """Refuse a release before it is fetched when it could not be unpacked."""
        have = archive.stat().st_size if archive.exists() else 0
        if min(shutil.disk_usage(place).free for place in (self.state, self.home)) < 2 * size - have:
            archive.unlink(missing_ok=True)
            _no_room(self.state)

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
            # Where `~` of root leads the unit lets nobody write.
            around |= {"ANSIBLE_HOME": folder, "ANSIBLE_REMOTE_TMP": f"{folder}/remote"}
            # Settings in /etc/ansible are those of another installation.
            (Path(folder) / "ansible.cfg").touch()
            around |= {"ANSIBLE_CONFIG": f"{folder}/ansible.cfg"}
            try:
                done = subprocess.run(
                    words,
                    cwd=folder,
                    env=os.environ | around,
                    stdin=subprocess.DEVNULL,
                    timeout=_PLAYBOOK_S,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise PullError(f"ansible-playbook: {error}") from None
        failed = _read_json(self.home / "failed.json").get(version)
        if done.returncode:
            raise PullError(f"{version}: {failed or 'the playbook failed: what it said stands above'}", 1)

    def _ansible(self, bundle: Path, version: str) -> Path:
        """Return ansible-playbook, installed from the release's own wheels beside the agent's releases."""
        place = self.home / "ansible" / version
        program = bundle / "device/releases.py"
        if self._release("environment", str(bundle), str(place), "--what", "ansible-core", program=program):
            raise PullError(f"{version}: Ansible cannot be installed: what was said stands above")
        for old in place.parent.iterdir():
            if old != place:
                (old / ".complete").unlink(missing_ok=True)  # first: half of it must not look whole
                shutil.rmtree(old)
        return place / "bin/ansible-playbook"

    def _release(self, *words: str, program: Path | None = None) -> int:
        """Run santong-release, which lies beside this program or comes with a release; return its exit code."""
        names = ("santong-release", "releases.py")
        beside = [Path(__file__).with_name(name) for name in names]
        program = program or next((file for file in beside if file.exists()), beside[0])
        command = [sys.executable, str(program), "--home", str(self.home), *words]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode


# ---- files


def unpack(archive: Path, place: Path, version: str) -> None:
    """Unpack the release of a version: all of it is there, or nothing. PullError, code 4, for what is none."""
    for left in place.parent.glob("*.new"):
        shutil.rmtree(left)
    new = place.with_name(f"{place.name}.new")
    new.mkdir(parents=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _unpack_member(tar, member, new)
        if _read_json(new / "release.json").get("version") != version:
            raise PullError(f"{archive.name}: holds another release than {version}", 4)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        shutil.rmtree(new)
        raise PullError(f"{archive.name}: cannot be unpacked: {error}", 4) from None
    except (OSError, PullError):
        shutil.rmtree(new)
        raise
    shutil.rmtree(place, ignore_errors=True)
    new.rename(place)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    """Write one file or folder, without the folder that all of them lie in."""
    path = PurePosixPath(member.name)
    is_ours = not path.is_absolute() and ".." not in path.parts and (member.isdir() or len(path.parts) > 1)
    if not is_ours or not (member.isfile() or member.isdir()):
        raise PullError(f"{member.name}: is nothing that a release has", 4)
    to = into.joinpath(*path.parts[1:])
    if member.isdir():
        to.mkdir(parents=True, exist_ok=True)
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None  # noqa: S101  it is a file
    with content, to.open("xb") as out:
        shutil.copyfileobj(content, out)
        out.flush()
        os.fsync(out.fileno())
    to.chmod(0o755 if member.mode & 0o100 else 0o644)


@contextlib.contextmanager
def alone(lock: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock against others; PullError when another one has it and `wait` is off."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise PullError("another look is under way") from None
        yield


def _current(home: Path) -> str:
    with contextlib.suppress(OSError):
        return (home / "current").readlink().name
    return ""


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    new = file.with_name(f"{file.name}.new")
    with new.open("w", encoding="utf-8") as out:
        out.write(json.dumps(content, ensure_ascii=False) + "\n")
        out.flush()
        os.fsync(out.fileno())
    new.rename(file)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- the command


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="santong-pull", description="Bring this device up to date from the centre.")
    parser.add_argument("--settings", type=Path, default=SETTINGS)
    parser.add_argument("--home", type=Path, default=HOME)
    parser.add_argument("--state", type=Path, default=STATE)
    given = parser.parse_args(arguments)
    os.umask(0o022)
    try:
        with alone(given.state / ".lock", wait=False):
            code, outcome = _look(given)
            with contextlib.suppress(OSError):  # a full disk: the journal has it
                _write_json(given.state / "last.json", {"time": _now(), "code": code, "outcome": outcome})
    except PullError as error:
        code, outcome = error.code, str(error)
    except OSError as error:
        code, outcome = 3, f"{error.filename or given.state}: {error.strerror}"
    print(f"santong-pull: {outcome}" if code else outcome, file=sys.stderr if code else sys.stdout)
    return code


def _look(given: argparse.Namespace) -> tuple[int, str]:
    try:
        return 0, Pull(read_settings(given.settings), given.home, given.state).look()
    except PullError as error:
        return error.code, str(error)
    except subprocess.TimeoutExpired as error:
        return 3, str(error)
    except OSError as error:
        return 3, f"{error.filename or given.state}: {error.strerror or error}"


if __name__ == "__main__":
    sys.exit(main())
