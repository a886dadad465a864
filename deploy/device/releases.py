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

A bundle is read whole and compared with the digests of its release.json before anything is made of it; one in bundles/
that a power cut tore is removed, so that it can be brought anew.

A release passes when its own `santong-agent health` says in two looks that the centre stored something since the
switch, and since the look before. Time is counted in looks while the device has power, so a device that is switched off
in the middle of a trial goes on with it later. Every step is one rename: a power cut leaves the old release or the new
one, and whatever was cut short is brought to its end by the next look or the next `use`.

Exit codes: 0 done, 1 the release did not work here, 2 wrong use, 3 the device does not let us (disk, systemd, a torn
bundle).
"""

import argparse
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

HOME = Path("/opt/santong")
UNIT = "santong-agent.service"
TIMER = "santong-trial.timer"
SPOOL = Path("/var/lib/santong-agent")
LOOKS = 15  # a trial's length: at one look a minute, a quarter of an hour with power on
LOOKS_HEALTHY = 2
AGENT = ("santong[probes,profiles]",)
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,63}")
_LONG_S = 1800
_SHORT_S = 60
_NOTE = 300  # characters of a note that are kept
_FAILED = 20  # releases that were taken back, the newest
_PADDED = 2048  # bytes


class ReleaseError(Exception):
    """Something that cannot be done; the message says what to do about it. `code` is the exit code."""

    def __init__(self, message: str, code: int = 3) -> None:
        super().__init__(message)
        self.code = code


class BundleTorn(ReleaseError):
    """A bundle that is not what its release.json says."""


class Trial(NamedTuple):
    """
    A release on trial: which it is, which is gone back to, which ran when the trial began.

    `looks` have been spent on it, `healthy` of them in a row found it well; `note` is what it said last.
    """

    version: str
    previous: str
    before: str = ""
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
        self.patience_s: float = _SHORT_S  # with a release that is asked how it is

    # ---- what is there

    @property
    def current(self) -> str:
        """The version that `current` names; empty when there is none."""
        link = self.home / "current"
        return link.readlink().name if link.is_symlink() else ""

    @property
    def trial(self) -> Trial | None:
        """The trial under way."""
        found = _read_json(self.home / "trial.json")
        try:  # what another version of this program wrote besides is passed over
            return Trial(**{name: kind(found[name]) for name, kind in _TRIAL.items() if name in found})
        except (TypeError, ValueError):
            return None

    @property
    def failed(self) -> dict[str, str]:
        """The releases that were taken back here, and why."""
        return {str(version): str(why) for version, why in _read_json(self.home / "failed.json").items()}

    @property
    def before(self) -> str:
        """The version to go back to by hand: the newest that works and was installed before the one that runs."""
        known = [version for version in self.installed() if version == self.current or version not in self.failed]
        place = known.index(self.current) if self.current in known else 0
        return known[place - 1] if place else ""

    def installed(self) -> list[str]:
        """Return the versions that are completely there, oldest first."""
        found = [place.parent.name for place in (self.home / "releases").glob("*/.complete")]
        return sorted(found, key=self._made_ns)

    def _made_ns(self, version: str) -> int:
        return (self.home / "releases" / version / ".complete").stat().st_mtime_ns

    def status(self) -> dict[str, Any]:
        """Return all of it, for people and scripts."""
        trial = self.trial
        return {
            "current": self.current,
            "before": self.before,
            "installed": self.installed(),
            "trial": trial._asdict() if trial else None,
            "failed": self.failed,
        }

    # ---- to change it

    def install(self, bundle: Path, keep: int = 3, what: Sequence[str] = AGENT) -> bool:
        """Make the virtual environment of the release in `bundle`; return whether anything was done."""
        version = version_of(bundle)
        place = self.home / "releases" / version
        if (place / ".complete").exists():
            return False
        verify(bundle)
        self._make_room(keep, version)
        others = self.installed()
        make_environment(place, bundle, what)
        newest = max((self._made_ns(other) for other in others), default=0)
        if self._made_ns(version) <= newest:  # a clock that was set back, or was lost, turns no order round
            os.utime(place / ".complete", ns=(newest + 1, newest + 1))
        return True

    def use(self, version: str, *, on_trial: bool = True) -> bool:
        """
        Switch to a release, on trial when another one ran before; return whether anything was done.

        Of one that runs already, what an earlier switch left undone is done; its trial ends if it shall have none.
        """
        if version not in self.installed():
            raise ReleaseError(f"{version} is not installed: {', '.join(self.installed()) or 'nothing is'}", 2)
        if version == self.current:
            return self._go_on(on_trial=on_trial)
        running, trial = self.current, self.trial
        # What is itself on trial is nothing to go back to.
        previous = trial.previous if trial and trial.version == running else running
        self._forgive(version)
        on_trial = on_trial and previous != version and previous in self.installed()
        if on_trial:
            self._begin(Trial(version, previous, running), trial)
        self._switch(version)
        if not on_trial:
            self._end_trial()
        return True

    def check(self) -> Trial | None:
        """Look once at the trial; return it while it goes on. ReleaseError, code 1, when the release was taken back."""
        trial = self._trial_of_what_runs()
        if trial is None:
            return None
        if trial.version in self.failed:  # power was cut while it was taken back
            self._take_back(trial)
        self._start()  # a `use` that was killed left it stopped: that is no fault of the release
        was_heard = (self.spool / "health.json").exists()
        is_healthy, note = self._ask(trial.version)
        # One that stored something once and then hangs says nothing new: that is neither well nor ill, but it ends.
        healthy = trial.healthy + 1 if is_healthy else 0 if was_heard else trial.healthy
        trial = trial._replace(looks=trial.looks + 1, healthy=healthy, note=note[:_NOTE])
        if trial.healthy >= LOOKS_HEALTHY:
            self._end_trial()
            return None
        if trial.looks >= self.looks and not is_healthy:
            self._take_back(trial)
        _write_json(self.home / "trial.json", trial._asdict())
        if is_healthy:  # what is there at the next look was said after this one
            self._forget_health()
        return trial

    def _begin(self, trial: Trial, another: Trial | None) -> None:
        """Write the trial down and have it looked at, before there is anything to look at."""
        _write_json(self.home / "trial.json", trial._asdict())
        try:
            self._systemctl("start", TIMER)
        except ReleaseError:
            if another:
                _write_json(self.home / "trial.json", another._asdict())
            else:
                (self.home / "trial.json").unlink()
            raise

    def _go_on(self, *, on_trial: bool) -> bool:
        trial = self._trial_of_what_runs()
        if trial and on_trial:
            self._systemctl("start", TIMER)
        elif trial:
            self._end_trial()
        self._start()
        return trial is not None and not on_trial

    def _trial_of_what_runs(self) -> Trial | None:
        """Return the trial under way; one whose switch was cut short, or undone by hand, is ended."""
        trial, running = self.trial, self.current
        if trial and trial.version != running:
            self._start()
            # What ran was itself on trial when it was to make room for another one: it still is.
            is_unproven = running == trial.before != trial.previous
            trial = Trial(running, trial.previous, trial.previous) if is_unproven else None
            if trial:
                _write_json(self.home / "trial.json", trial._asdict())
        if trial is None:
            self._end_trial()
        return trial

    def _end_trial(self) -> None:
        (self.home / "trial.json").unlink(missing_ok=True)
        _sync(self.home)
        self._systemctl("stop", TIMER, missing_is_fine=True)

    def _take_back(self, trial: Trial) -> NoReturn:
        if trial.previous not in self.installed():
            self._end_trial()
            raise ReleaseError(f"{trial.version} does not work here and {trial.previous} is gone: {trial.note}", 1)
        failed = dict(list(({trial.version: trial.note} | self.failed).items())[:_FAILED])
        try:
            _write_json(self.home / "failed.json", failed)
        except OSError:  # a full disk: the bundle, which can be brought anew, makes room
            shutil.rmtree(self.home / "bundles" / trial.version, ignore_errors=True)
            with contextlib.suppress(OSError):
                _write_json(self.home / "failed.json", failed)
        self._switch(trial.previous)
        self._end_trial()
        raise ReleaseError(f"{trial.version} did not work here and {trial.previous} runs again: {trial.note}", 1)

    def _switch(self, version: str) -> None:
        """Name the release `current` and start it; what the one before said about its health is forgotten."""
        self._systemctl("stop", self.unit, missing_is_fine=True)
        self._forget_health()
        new = self.home / "current.new"
        new.unlink(missing_ok=True)
        new.symlink_to(Path("releases") / version)
        new.rename(self.home / "current")
        _sync(self.home)
        self._start()

    def _start(self) -> None:
        self._systemctl("reset-failed", self.unit, missing_is_fine=True)
        self._systemctl("start", "--no-block", self.unit, missing_is_fine=True)

    def _forget_health(self) -> None:
        (self.spool / "health.json").unlink(missing_ok=True)

    def _systemctl(self, *words: str, missing_is_fine: bool = False) -> None:
        """Ask systemd; of some units it need not know yet, at the first installation."""
        done = _run(["systemctl", *words], _SHORT_S * 3)
        is_missing = "not loaded" in done.stderr or "not found" in done.stderr
        if done.returncode and not (is_missing and missing_is_fine):
            raise ReleaseError(f"systemctl {' '.join(words)}: {_last_line(done.stderr)}")

    def _ask(self, version: str) -> tuple[bool, str]:
        """Ask the release itself; one that cannot even say it is not healthy."""
        program = self.home / "releases" / version / "bin/santong-agent"
        words = ["health", "--spool", str(self.spool), "--within", str(10**9), "--json"]
        try:
            done = _run([str(program), *words], self.patience_s)
        except ReleaseError as error:
            return False, f"it does not run: {error}"
        try:
            said = json.loads(done.stdout)
            return said["healthy"] is True, str(said["note"])
        except (ValueError, KeyError, TypeError):
            return False, f"it does not say how it is: {_last_line(done.stderr or done.stdout)}"

    def _forgive(self, version: str) -> None:
        failed = self.failed
        if failed.pop(version, None) is not None:
            _write_json(self.home / "failed.json", failed)

    def _make_room(self, keep: int, new: str) -> None:
        """Remove what failed and what is old until `keep` will be there; what runs or is gone back to stays."""
        needed = {new, self.current, *(self.trial or ())[:3]}
        failed, others = self.failed, [version for version in self.installed() if version != new]
        others.sort(key=lambda version: version not in failed)
        for version in others[: max(0, len(others) + 1 - keep)]:
            if version not in needed:
                remove(self.home / "releases" / version, ".complete")
                shutil.rmtree(self.home / "bundles" / version, ignore_errors=True)
        for place in (self.home / "releases").glob("*"):  # what a power cut left of an installation
            if place.is_dir() and not (place / ".complete").exists():
                shutil.rmtree(place)


_TRIAL: dict[str, Any] = {"version": str, "previous": str, "before": str, "looks": int, "healthy": int, "note": str}


def version_of(bundle: Path) -> str:
    """Return the version of the release in a folder."""
    version = str(_read_json(bundle / "release.json").get("version", ""))
    if not _VERSION.fullmatch(version):
        raise BundleTorn(f"{bundle}: is no release: release.json does not name a version", 2)
    return version


def verify(bundle: Path) -> None:
    """Read the files of a release; BundleTorn where one is not as release.json says, or no part of it."""
    facts = _read_json(bundle / "release.json")
    files = facts.get("files")
    if not isinstance(files, dict) or not files:
        raise BundleTorn(f"{bundle}: is no release: release.json names no files", 2)
    for name, sha256 in files.items():
        try:
            with (bundle / name).open("rb") as file:
                is_whole = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            is_whole = False
        if not is_whole:
            raise BundleTorn(f"{bundle}: is not whole: {name} is missing or not what release.json says")
    for wheel in sorted((bundle / "wheels").glob("*")):
        if f"wheels/{wheel.name}" not in files:
            raise BundleTorn(f"{bundle}: is not whole: wheels/{wheel.name} is no part of it")
    _suits_this_device(bundle, facts)


def _suits_this_device(bundle: Path, facts: Mapping[str, Any]) -> None:
    is_narrow = sys.maxsize < 2**32  # Raspberry Pi OS with 32 bits has a kernel with 64
    python, machine = platform.python_version(), f"{platform.machine()}{' with 32 bits' if is_narrow else ''}"
    if not python.startswith(f"{facts.get('python')}."):
        raise ReleaseError(f"{bundle}: is for Python {facts.get('python')}, here is {python}: bring the one for it", 2)
    if machine not in facts.get("machines", ()):
        known = " and ".join(facts.get("machines", ()))
        raise ReleaseError(f"{bundle}: is for {known}, here is {machine}: bring the one for it", 2)


def make_environment(place: Path, bundle: Path, what: Sequence[str]) -> None:
    """Make a virtual environment with `what` from the wheels of a verified bundle; what is left of one is made anew."""
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
        _must([python, str(pip / "pip"), "--isolated", "install", *offline, "--no-compile", *what])
        _must([python, "-m", "compileall", "-q", str(place / "lib")])
        _must(["sync", "--file-system", str(place)])  # else a card that loses power shows a complete one with holes
        _write_durably(place / ".complete", f"{version_of(bundle)}\n")
    except (OSError, ReleaseError):
        shutil.rmtree(place, ignore_errors=True)
        raise


def remove(place: Path, mark: str) -> None:
    """Remove a folder, and first the file that says that it is whole: half of it must not look so after a power cut."""
    (place / mark).unlink(missing_ok=True)
    _sync(place)
    shutil.rmtree(place)


# ---- files and programs


def _read_json(file: Path) -> dict[str, Any]:
    """Return what a file says; nothing when it is not there, or was torn."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Replace a file; on a full disk it is written over where it lies, so that looks at a trial count there, too."""
    text = json.dumps(content, ensure_ascii=False, indent=1)
    text += " " * (_PADDED - len(text.encode())) + "\n"
    try:
        _write_durably(file, text)
    except OSError as error:
        file.with_name(f"{file.name}.new").unlink(missing_ok=True)
        has_room = file.exists() and file.stat().st_size >= len(text.encode())
        if error.errno not in {errno.ENOSPC, errno.EDQUOT} or not has_room:
            raise
        with file.open("r+", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())


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
    """Run a program with nothing of our surroundings that would have Python or pip look elsewhere."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    ours |= {"PIP_CONFIG_FILE": os.devnull, "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.run(
            command, env=ours, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"{Path(command[0]).name} took longer than {timeout_s:g} s") from None
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
    os.umask(0o022)  # the agent has a user of its own, who must be able to read what root installs
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
    if given.command in {"install", "environment"}:
        return _install(device, given)
    if given.command == "use":
        return _say({"changed": device.use(given.version, on_trial=not given.at_once), "version": given.version})
    trial = device.check()
    return _say({"trial": trial._asdict() if trial else None, "current": device.current})


def _install(device: Device, given: argparse.Namespace) -> int:
    try:
        if given.command == "install":
            changed = device.install(given.bundle, given.keep, given.what or AGENT)
        else:
            changed = not (given.place / ".complete").exists()
            if changed:
                verify(given.bundle)
                make_environment(given.place, given.bundle, given.what)
    except BundleTorn as error:
        if not given.bundle.is_dir() or given.bundle.resolve().parent != (device.home / "bundles").resolve():
            raise  # what a person named is theirs
        remove(given.bundle, "release.json")
        raise ReleaseError(f"{error}: it was removed, bring it anew") from None
    return _say({"changed": changed, "version": version_of(given.bundle)})


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
