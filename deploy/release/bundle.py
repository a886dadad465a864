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

from contract import __version__

ROOT = Path(__file__).parents[2]
PYTHON = "3.11"  # Debian 12's and Raspberry Pi OS's
# Wheels for another machine are looked for under these names: PEP 600, newest glibc first.
MACHINES = {
    machine: tuple(f"manylinux{glibc}_{machine}" for glibc in ("_2_34", "_2_31", "_2_28", "_2_17", "2014"))
    for machine in ("x86_64", "aarch64")
}
CENTRE = ("centre", "pdf", "probes", "profiles")
AGENT = ("probes", "profiles")
CONTROL = ("ansible-core", "pip")
DEVICE_ROLES = ("agent", "agent_openwrt")
DOCS = ("deploy.md", "security.md", "identities.md", "rollout.md", "backup.md", "operations.md", "roster.md")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


class ReleaseFailed(Exception):
    """A bundle cannot be made; the message says which part is missing."""


def make(out: Path, machines: Sequence[str], version: str = "") -> Path:
    """Make the bundle for devices of these machines in `out`; return its folder."""
    version = version or __version__
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
        for name in ("ansible", "device", "grafana"):
            shutil.copytree(ROOT / "deploy" / name, new / name, ignore=_LEFT_OUT)
        _copy_docs(new / "docs")
        shutil.copy2(ROOT / "deploy/release/setup", new / "setup")
        describe(new, version, machines)
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
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r'__version__ = "[^"]+"', f'__version__ = "{version}"', text), encoding="utf-8")
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
    names = [word for name in MACHINES[machine] for word in ("--platform", name)]
    foreign = [
        "--only-binary=:all:",
        "--implementation",
        "cp",
        "--python-version",
        PYTHON,
        *names,
        "--find-links",
        str(pure),
    ]
    _must([*_PIP, "download", *fixed, *foreign, "--dest", str(folder), *wanted])


def device_release(place: Path, wheel: Path, version: str, machine: str, pure: Path) -> Path:
    """Return the folder of what devices of a machine are given."""
    folder = place / f"santong-agent-{version}-{machine}"
    wheels(folder / "wheels", wheel, AGENT, machine, pure)
    ansible = ROOT / "deploy/ansible"
    for name in DEVICE_ROLES:
        shutil.copytree(ansible / "roles" / name, folder / "ansible/roles" / name, ignore=_LEFT_OUT)
    shutil.copy2(ansible / "pull.yml", folder / "ansible/pull.yml")
    shutil.copytree(ROOT / "deploy/device", folder / "device", ignore=_LEFT_OUT)
    describe(folder, version, [machine])
    return folder


def describe(folder: Path, version: str, machines: Sequence[str]) -> None:
    """Write release.json: what it is, and the digest of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    facts = {"version": version, "python": PYTHON, "machines": list(machines), "files": digests}
    (folder / "release.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def pack(folder: Path, archive: Path) -> None:
    """Write a folder as .tar.gz, the same bytes for the same content: no times, no owners."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "root", "root"
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    new = archive.with_name(f"{archive.name}.new")
    with (
        new.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        tar.add(folder, folder.name, recursive=False, filter=plain)
        for path in sorted(folder.rglob("*")):
            tar.add(path, f"{folder.name}/{path.relative_to(folder)}", recursive=False, filter=plain)
    new.rename(archive)


def _copy_docs(folder: Path) -> None:
    folder.mkdir()
    for name in DOCS:
        if (ROOT / "docs" / name).exists():
            shutil.copy2(ROOT / "docs" / name, folder / name)


_PIP = (sys.executable, "-m", "pip")


def _must(command: Sequence[str], cwd: Path = ROOT) -> None:
    done = subprocess.run(list(command), cwd=cwd, env=os.environ | {"SOURCE_DATE_EPOCH": "315532800"},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()[-1:] or ["?"]
        raise ReleaseFailed(f"{' '.join(command[:5])} …: {said[0]}")
