#!/usr/bin/env python3
"""
Releases of the agent side by side on a device, and the trial of a new one.

    /opt/santong/bundles/<version>/     a release as it was fetched: release.json, wheels/, ansible/, device/
                /releases/<version>/    its virtual environment; `.complete` is written last
                /current                a link to the release that runs
                /trial.json             while a new release has to show that it works
                /failed.json            releases that were taken back here, and why

    santong-release install BUNDLE     make the virtual environment of a release, from its own wheels, without a network
    santong-release environment BUNDLE PLACE --what ansible-core     make another one
    santong-release use VERSION        switch to it; the release that ran is taken back to unless the trial is passed
    santong-release check              one look at a trial, run by a timer: passed, not yet, or taken back
    santong-release status             what is there

A release passes when its own `santong-agent health` says, twice in a row, that the centre stored something since the
switch. Time is counted in looks while the device has power, so a device that is switched off in the middle of a trial
goes on with it later. Every step is one rename: a power cut leaves the old release or the new one.

Exit codes: 0 done, 1 the release did not work here, 2 wrong use, 3 the device does not let us (disk, systemd).
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HOME = Path("/opt/santong")
UNIT = "santong-agent.service"
SPOOL = Path("/var/lib/santong-agent")
LOOKS = 15  # a trial's length: at one look a minute, a quarter of an hour with power on
LOOKS_HEALTHY = 2
AGENT = ("santong[probes,profiles]",)
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,63}")
_LONG_S = 1800
_SHORT_S = 60


class ReleaseError(Exception):
    """Something that cannot be done; the message says what to do about it. `code` is the exit code."""

    def __init__(self, message: str, code: int = 3) -> None:
        super().__init__(message)
        self.code = code


class Trial(NamedTuple):
    """A release on trial: which it is, what ran before, how often was looked, and how often in a row it was healthy."""

    version: str
    previous: str
    looks: int = 0
    healthy: int = 0
    note: str = ""


class Device:
    """The releases of one device."""

    def __init__(self, home: Path = HOME, unit: str = UNIT, spool: Path = SPOOL, looks: int = LOOKS) -> None:
        self.home = home
        self.unit = unit
        self.spool = spool
        self.looks = looks

    # ---- what is there

    @property
    def current(self) -> str:
        """The version that `current` names; empty when there is none."""
        link = self.home / "current"
        return Path(os.readlink(link)).name if link.is_symlink() else ""

    @property
    def trial(self) -> Trial | None:
        """The trial under way."""
        found = _read_json(self.home / "trial.json")
        try:
            return Trial(**found) if found else None
        except TypeError:  # written by another version of this program
            return None

    @property
    def failed(self) -> dict[str, str]:
        """The releases that were taken back here, and why."""
        return {str(version): str(why) for version, why in _read_json(self.home / "failed.json").items()}

    def installed(self) -> list[str]:
        """Return the versions that are completely there, oldest first."""
        folder = self.home / "releases"
        found = [place.parent for place in folder.glob("*/.complete")]
        return [place.name for place in sorted(found, key=lambda place: (place / ".complete").stat().st_mtime_ns)]

    def status(self) -> dict[str, Any]:
        """Return all of it, for people and scripts."""
        trial = self.trial
        return {
            "current": self.current,
            "installed": self.installed(),
            "trial": trial._asdict() if trial else None,
            "failed": self.failed,
        }

    # ---- to change it

    def install(self, bundle: Path, keep: int = 3, what: Sequence[str] = AGENT) -> bool:
        """Make the virtual environment of the release in `bundle`; return whether anything was done."""
        version = version_of(bundle)
        self._make_room(keep, version)
        return make_environment(self.home / "releases" / version, bundle, what)

    def use(self, version: str, *, on_trial: bool = True) -> bool:
        """Switch to a release, on trial when another one ran before; return whether anything was done."""
        if version not in self.installed():
            raise ReleaseError(f"{version} is not installed: {', '.join(self.installed()) or 'nothing is'}", 2)
        if version == self.current:
            return False
        trial = self.trial
        # What is itself on trial is nothing to go back to.
        previous = trial.previous if trial and trial.version == self.current else self.current
        (self.home / "trial.json").unlink(missing_ok=True)
        if on_trial and previous in self.installed() and previous != version:
            _write_json(self.home / "trial.json", Trial(version, previous)._asdict())
        self._forgive(version)
        self._switch(version)
        return True

    def check(self) -> Trial | None:
        """Look once at the trial; return it while it goes on. ReleaseError, code 1, when the release was taken back."""
        trial = self.trial
        if trial is None:
            (self.home / "trial.json").unlink(missing_ok=True)
            return None
        if self.current != trial.version:  # power was cut before the switch, or somebody switched by hand
            (self.home / "trial.json").unlink()
            return None
        is_healthy, note = self._is_healthy(trial.version)
        trial = Trial(trial.version, trial.previous, trial.looks + 1, trial.healthy + 1 if is_healthy else 0, note)
        if trial.healthy >= LOOKS_HEALTHY:
            (self.home / "trial.json").unlink()
            return None
        if trial.looks < self.looks:
            _write_json(self.home / "trial.json", trial._asdict())
            return trial
        self._take_back(trial)
        raise ReleaseError(f"{trial.version} did not work here and {trial.previous} runs again: {note}", 1)

    def _take_back(self, trial: Trial) -> None:
        _write_json(self.home / "failed.json", self.failed | {trial.version: trial.note})
        self._switch(trial.previous)
        (self.home / "trial.json").unlink()

    def _switch(self, version: str) -> None:
        """Name the release `current` and start it; what the one before said about its health is forgotten."""
        self._systemctl("stop", self.unit)
        (self.spool / "health.json").unlink(missing_ok=True)
        new = self.home / "current.new"
        new.unlink(missing_ok=True)
        new.symlink_to(Path("releases") / version)
        new.rename(self.home / "current")
        _sync(self.home)
        self._systemctl("reset-failed", self.unit)
        self._systemctl("start", "--no-block", self.unit)

    def _systemctl(self, *words: str) -> None:
        """Ask systemd; it need not know the unit yet, at the first installation."""
        done = _run(["systemctl", *words], _SHORT_S * 3)
        if done.returncode and "not loaded" not in done.stderr and "not found" not in done.stderr:
            raise ReleaseError(f"systemctl {' '.join(words)}: {_last_line(done.stderr)}")

    def _is_healthy(self, version: str) -> tuple[bool, str]:
        """Ask the release itself; one that cannot even say it is not healthy."""
        program = self.home / "releases" / version / "bin/santong-agent"
        words = ["health", "--spool", str(self.spool), "--within", str(10**9), "--json"]
        try:
            done = _run([str(program), *words], _SHORT_S)
            said = json.loads(done.stdout)
            return bool(said["healthy"]), str(said["note"])
        except (OSError, ValueError, KeyError, TypeError, ReleaseError) as error:
            return False, f"it does not run: {error}"

    def _forgive(self, version: str) -> None:
        failed = self.failed
        if failed.pop(version, None) is not None:
            _write_json(self.home / "failed.json", failed)

    def _make_room(self, keep: int, version: str) -> None:
        """Remove what is old: of releases the newest `keep` stay, and those that run or may be taken back to."""
        trial = self.trial
        needed = {version, self.current, *(trial[:2] if trial else ())}
        installed = self.installed()
        for version in installed[: max(0, len(installed) - keep + 1)]:
            if version not in needed:
                shutil.rmtree(self.home / "releases" / version)
                shutil.rmtree(self.home / "bundles" / version, ignore_errors=True)


def version_of(bundle: Path) -> str:
    """Return the version of the release in a folder."""
    version = str(_read_json(bundle / "release.json").get("version", ""))
    if not _VERSION.fullmatch(version):
        raise ReleaseError(f"{bundle}: is no release: release.json does not name a version", 2)
    return version


def make_environment(place: Path, bundle: Path, what: Sequence[str]) -> bool:
    """Make a virtual environment with `what` from the bundle's wheels alone; return whether it was not there yet."""
    if (place / ".complete").exists():
        return False
    wheels = bundle / "wheels"
    pip = next(wheels.glob("pip-*.whl"), None)  # Debian's python3 comes without
    if pip is None:
        raise ReleaseError(f"{bundle}: is no release: there is no pip in wheels/", 2)
    if place.exists():  # a power cut, or a full disk, ended an earlier try
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    offline = ["--no-index", "--find-links", str(wheels), "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
    python = str(place / "bin/python")
    try:
        _must([sys.executable, "-m", "venv", "--without-pip", str(place)])
        _must([python, str(pip / "pip"), "install", *offline, "--no-compile", *what])
        _must([python, "-m", "compileall", "-q", str(place / "lib")])
        _must(["sync", "--file-system", str(place)])  # else a card that loses power shows a complete one with holes
        _write_durably(place / ".complete", f"{version_of(bundle)}\n")
    except (OSError, ReleaseError):
        shutil.rmtree(place, ignore_errors=True)
        raise
    return True


# ---- files and programs


def _read_json(file: Path) -> dict[str, Any]:
    """Return what a file says; nothing when it is not there, or was torn."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    _write_durably(file, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def _write_durably(file: Path, text: str) -> None:
    new = file.with_name(f"{file.name}.new")
    with new.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.rename(file)
    _sync(file.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _must(command: list[str]) -> None:
    done = _run(command, _LONG_S)
    if done.returncode:
        raise ReleaseError(f"{Path(command[0]).name}: {_last_line(done.stderr or done.stdout)}")


def _run(command: list[str], timeout_s: float) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"{Path(command[0]).name} took longer than {timeout_s:.0f} s") from None
    except OSError as error:
        raise ReleaseError(f"{command[0]}: {error.strerror}") from None


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """Let one process at a time change releases: the timer, Ansible and a person may come together."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- the command


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    given = _parser().parse_args(arguments)
    device = Device(given.home, given.unit, given.spool, given.looks)
    try:
        if given.command == "status":
            return _say(device.status())
        with alone(device.home):
            return _do(device, given)
    except ReleaseError as error:
        print(f"santong-release: {error}", file=sys.stderr)
        return error.code
    except OSError as error:
        print(f"santong-release: {error.filename or device.home}: {error.strerror}", file=sys.stderr)
        return 3


def _do(device: Device, given: argparse.Namespace) -> int:
    if given.command == "install":
        return _say({"changed": device.install(given.bundle, given.keep, given.what or AGENT), "version": version_of(given.bundle)})
    if given.command == "environment":
        return _say({"changed": make_environment(given.place, given.bundle, given.what)})
    if given.command == "use":
        return _say({"changed": device.use(given.version, on_trial=not given.at_once), "version": given.version})
    trial = device.check()
    return _say({"trial": trial._asdict() if trial else None, "current": device.current})


def _say(what: Mapping[str, Any]) -> int:
    print(json.dumps(what, ensure_ascii=False))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="santong-release", description="Releases of the agent on this device.")
    parser.add_argument("--home", type=Path, default=HOME, help="folder of the releases")
    parser.add_argument("--unit", default=UNIT, help="systemd's unit of the agent")
    parser.add_argument("--spool", type=Path, default=SPOOL, help="the agent's folder of waiting data")
    parser.add_argument("--looks", type=int, default=LOOKS, help="looks at a trial before the release is taken back")
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="make the virtual environment of a release")
    install.add_argument("bundle", type=Path, help="folder of the release, unpacked")
    install.add_argument("--keep", type=int, default=3, help="how many releases stay on the device")
    install.add_argument("--what", action="append", help="what is installed of it")
    environment = commands.add_parser("environment", help="make a virtual environment elsewhere, from a release")
    environment.add_argument("bundle", type=Path, help="folder of the release, unpacked")
    environment.add_argument("place", type=Path, help="the folder that it is made in")
    environment.add_argument("--what", action="append", required=True, help="what is installed of it")
    use = commands.add_parser("use", help="switch to a release")
    use.add_argument("version")
    use.add_argument("--at-once", action="store_true", help="without a trial, as when it is gone back to")
    commands.add_parser("check", help="look at the trial once")
    commands.add_parser("status", help="what is there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
