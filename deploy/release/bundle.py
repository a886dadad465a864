"""The parts of a release bundle, and how they are put together."""

import gzip
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from contract import __version__

ROOT = Path(__file__).parents[2]
PYTHON = ".".join(platform.python_version_tuple()[:2])  # wheels are for the Python that makes the bundle
# Wheels for another machine are looked for under these names (PEP 600), up to the glibc of Debian 12.
MACHINES = {
    machine: tuple(
        f"{name}_{machine}" for name in (*(f"manylinux_2_{minor}" for minor in range(36, 16, -1)), "manylinux2014")
    )
    for machine in ("x86_64", "aarch64")
}
_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?")  # PEP 440, as it is written in wheels' names
CENTRE = ("centre", "pdf", "probes", "profiles")
AGENT = ("probes", "profiles")
CONTROL = ("ansible-core", "pip")
DEVICE_ROLES = ("agent", "agent_openwrt")
DOCS = ("deploy", "security", "identities", "rollout", "backup", "operations", "release", "roster")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*~", "*.retry", "*.log")


class ReleaseFailed(Exception):
    """A bundle cannot be made; the message says which part is missing."""


def make(out: Path, machines: Sequence[str], version: str = "") -> Path:
    """Make the bundle for devices of these machines in `out`; return its folder."""
    version = version or __version__
    if not _VERSION.fullmatch(version):
        raise ReleaseFailed(f"{version} is no version such as 1.2.0 or 1.3.0rc1")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix="new-") as place:
        new = Path(place) / f"santong-{version}"
        new.mkdir()
        wheel = build_wheel(Path(place) / "built", version)
        wheels(new / "wheels", wheel, CENTRE)
        (new / "agent").mkdir()
        for machine in machines:
            device = device_release(Path(place), wheel, version, machine, new / "wheels")
            pack(device, new / f"agent/{device.name}.tar.gz")
        for name in ("ansible", "grafana/dashboards", "grafana/provisioning"):
            shutil.copytree(ROOT / "deploy" / name, new / name, ignore=_LEFT_OUT)
        _copy_programs(new / "device")
        _copy_docs(new / "docs")
        shutil.copy2(ROOT / "deploy/release/setup", new / "setup")
        describe(new, version, [platform.machine()], machines)
        done = out / new.name
        pack(new, out / f"{new.name}.tar.gz")
        shutil.rmtree(done, ignore_errors=True)
        new.rename(done)
    return done


def build_wheel(folder: Path, version: str) -> Path:
    """Return the product's own wheel; under another version when that is not the sources'."""
    source = ROOT
    if version != __version__:
        source = folder / "source"
        ours = ("agent", "collector", "contract", "firmware_profiles", "simulator")
        for name in ours:
            shutil.copytree(ROOT / name, source / name, ignore=_LEFT_OUT)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy2(ROOT / name, source / name)
        file = source / "contract/__init__.py"
        text, count = re.subn(r'__version__ = "[^"]+"', f'__version__ = "{version}"', file.read_text(encoding="utf-8"))
        if count != 1:
            raise ReleaseFailed(f"{file}: does not say the version once")
        file.write_text(text, encoding="utf-8")
    _must([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder.resolve())], cwd=source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def wheels(folder: Path, wheel: Path, extras: Iterable[str], machine: str = "", pure: Path | None = None) -> None:
    """
    Have in `folder` the product, Ansible and all that they need.

    For another machine only ready-made wheels can be had; those without machine code may come from the folder `pure`.
    """
    folder.mkdir(parents=True)
    wanted = [f"{wheel}[{','.join(extras)}]", *CONTROL]
    fixed = ["--quiet", "--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt")]
    if machine in ("", platform.machine()):
        _must([*_PIP, "wheel", *fixed, "--wheel-dir", str(folder), *wanted])
        return
    foreign = ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, "--find-links", str(pure)]
    foreign += [word for name in MACHINES[machine] for word in ("--platform", name)]
    _must([*_PIP, "download", *fixed, *foreign, "--dest", str(folder), *wanted])


def device_release(place: Path, wheel: Path, version: str, machine: str, pure: Path) -> Path:
    """Return the folder of what devices of a machine are given."""
    folder = place / f"santong-agent-{version}-{machine}"
    wheels(folder / "wheels", wheel, AGENT, machine, pure)
    ansible = ROOT / "deploy/ansible"
    for name in DEVICE_ROLES:
        shutil.copytree(ansible / "roles" / name, folder / "ansible/roles" / name, ignore=_LEFT_OUT)
    shutil.copy2(ansible / "pull.yml", folder / "ansible/pull.yml")
    _copy_programs(folder / "device")
    describe(folder, version, [machine])
    return folder


def describe(folder: Path, version: str, machines: Sequence[str], devices: Sequence[str] = ()) -> None:
    """Write release.json: what it is, where its wheels run, which devices it has releases for, every file's digest."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    facts: dict[str, Any] = {"version": version, "python": PYTHON, "machines": list(machines)}
    facts |= {"devices": list(devices), "files": digests}
    (folder / "release.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def pack(folder: Path, archive: Path) -> None:
    """
    Write a folder as .tar.gz, the same bytes for the same content: no times, no owners.

    release.json comes last: where an archive was unpacked in part, there is none.
    """

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "root", "root"
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    new = archive.with_name(f"{archive.name}.new")
    with (
        new.open("wb") as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        tar.add(folder, folder.name, recursive=False, filter=plain)
        last = folder / "release.json"
        for path in sorted(folder.rglob("*"), key=lambda path: (path == last, path)):
            tar.add(path, f"{folder.name}/{path.relative_to(folder)}", recursive=False, filter=plain)
    new.rename(archive)


def _copy_docs(folder: Path) -> None:
    folder.mkdir()
    for name in DOCS:
        if (ROOT / f"docs/{name}.md").exists():
            shutil.copy2(ROOT / f"docs/{name}.md", folder / f"{name}.md")


def _copy_programs(folder: Path) -> None:
    folder.mkdir()
    for name in ("releases.py", "pull.py"):
        shutil.copy2(ROOT / "deploy/device" / name, folder / name)


_PIP = (sys.executable, "-m", "pip")


def _must(command: Sequence[str], cwd: Path = ROOT) -> None:
    done = subprocess.run(list(command), cwd=cwd, env=os.environ | {"SOURCE_DATE_EPOCH": "315532800", "TZ": "UTC"},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()[-1:] or ["?"]
        raise ReleaseFailed(f"{' '.join(command[:5])} …: {said[0]}")
