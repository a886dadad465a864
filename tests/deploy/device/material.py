"""
What the tests of devices are made of: tiny real wheels, releases of them, and a device with a stand-in for systemd.

The stand-ins say what they are. What they stand for, systemd, the agent and Ansible, is met in tests/lab.
"""

import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pip

from deploy.device.releases import main

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "deploy/device/releases.py"
PYTHON = ".".join(platform.python_version_tuple()[:2])

# It says what lies in health.json, as the agent does, or what its kind of fault has it do.
AGENT = '''\
"""Stands in for the agent: its command `health`, well or broken."""
import json, pathlib, sys, time
KIND = {kind!r}
def main():
    if KIND == "hangs":
        time.sleep(60)
    if KIND == "without health":
        sys.exit("stand-in: no such command 'health'")
    file = pathlib.Path(sys.argv[sys.argv.index("--spool") + 1]) / "health.json"
    try:
        said = json.loads(file.read_text())
    except OSError:
        said = {{"stored": 0, "note": f"{{file}} cannot be read"}}
    print(json.dumps({{"healthy": bool(said["stored"]), "note": said["note"]}}))
    sys.exit(not said["stored"])
if __name__ == "__main__":
    main()
'''

SYSTEMCTL = """\
#!/bin/sh
# Stands in for systemd: notes what it was asked, which release runs, and whether the timer does.
cd "$STAND_IN" || exit 9
echo "$*" >> asked
[ ! -e refused ] || ! grep -qxF -e "$*" refused || { echo "stand-in: $* is refused" >&2; exit 1; }
case "$*" in
    'stop santong-agent.service') rm -f running ;;
    'start --no-block santong-agent.service') readlink "$SANTONG_HOME/current" | sed 's:.*/::' > running ;;
    'start santong-trial.timer') [ ! -e "$SANTONG_HOME/trial.json" ] || : > looking ;;
    'stop santong-trial.timer') rm -f looking ;;
    'reset-failed santong-agent.service') echo 'Unit santong-agent.service not loaded.' >&2; exit 1 ;;
    *) echo "stand-in: $*: not known" >&2; exit 9 ;;
esac
"""


def wheel(folder: Path, name: str, version: str, files: Mapping[str, str], more: str = "", scripts: str = "") -> Path:
    """Write a wheel (PEP 427) with these files, further lines of METADATA and console scripts; return it."""
    about = f"{name}-{version}.dist-info"
    found = dict(files) | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if scripts:
        found[f"{about}/entry_points.txt"] = f"[console_scripts]\n{scripts}\n"
    record = [f"{path},sha256={_digest(text.encode())},{len(text.encode())}" for path, text in found.items()]
    found[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,"]) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as out:
        for path, text in found.items():
            out.writestr(path, text)
    return made


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def pip_wheel(folder: Path) -> Path:
    """Write the pip that runs these tests as a wheel; return it."""
    site = Path(pip.__file__).parents[1]
    about = f"pip-{pip.__version__}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"pip-{pip.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as out:
        for place in ("pip", about):
            for path in sorted((site / place).rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    out.write(path, path.relative_to(site))
    return made


def bundle(
    place: Path, version: str, pip_made: Path, kind: str = "well", others: Mapping[str, str] | None = None
) -> Path:
    """Write an unpacked release whose agent is of a kind; `others` are further files by path. Return its folder."""
    wheels = place / "wheels"
    agent = {"santong_stand_in.py": AGENT.format(kind=kind)}
    extras = "Provides-Extra: probes\nProvides-Extra: profiles\n"
    wheel(wheels, "santong", version, agent, extras, "santong-agent = santong_stand_in:main")
    (wheels / pip_made.name).hardlink_to(pip_made)
    for name, text in (others or {}).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    describe(place, version)
    return place


def describe(place: Path, version: str, **facts: Any) -> None:
    """Write release.json for what lies in a folder."""
    paths = [path for path in sorted(place.rglob("*")) if path.is_file() and path.name != "release.json"]
    digests = {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    whole = {"version": version, "python": PYTHON, "machines": [platform.machine()], "files": digests} | facts
    (place / "release.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


class Place:
    """A device in a folder: its releases, its spool, and the stand-in for systemd."""

    def __init__(self, folder: Path, home: Path | None = None) -> None:
        self.home = home or folder / "home"
        self.spool = folder / "spool"
        self.systemd = folder / "systemd"
        for place in (self.home, self.spool, self.systemd):
            place.mkdir(parents=True, exist_ok=True)
        systemctl = self.systemd / "systemctl"
        systemctl.write_text(SYSTEMCTL, encoding="utf-8")
        systemctl.chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{self.systemd}:{os.environ['PATH']}",
            "STAND_IN": str(self.systemd),
            "SANTONG_HOME": str(self.home),
        }

    def put(self, version: str, kind: str = "well") -> None:
        """Have a release on the device as if it had been installed; `dead` is one whose program does not start."""
        program = self.home / f"releases/{version}/bin/santong-agent"
        program.parent.mkdir(parents=True)
        first = "/nowhere/python" if kind == "dead" else sys.executable
        program.write_text(f"#!{first}\n{AGENT.format(kind=kind)}", encoding="utf-8")
        program.chmod(0o755)
        (program.parents[1] / ".complete").write_text(version)

    def words(self, *words: str | Path, looks: int = 4) -> list[str]:
        """Return the command line of the program."""
        options = ["--home", str(self.home), "--spool", str(self.spool), "--looks", str(looks)]
        return [sys.executable, str(PROGRAM), *options, *map(str, words)]

    def launch(self, *words: str | Path) -> "subprocess.Popen[str]":
        """Start the program as a process of its own."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.words(*words), env=self.environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )

    def run(self, *words: str | Path, looks: int = 4) -> "subprocess.CompletedProcess[str]":
        """Run the program, within this process: starting Python anew each time takes longer than all it does."""
        arguments = self.words(*words, looks=looks)[2:]
        out, errors = io.StringIO(), io.StringIO()
        with patch.dict(os.environ, self.environment), redirect_stdout(out), redirect_stderr(errors):
            code = main(arguments)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), errors.getvalue())

    def does(self, *words: str | Path, looks: int = 4) -> dict[str, Any]:
        """Run the program, which must succeed; return what it says."""
        done = self.run(*words, looks=looks)
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def status(self) -> dict[str, Any]:
        """Return the program's own view."""
        return self.does("status")

    def says(self, stored: float, note: str = "as told") -> None:
        """Have the agent say how it is: when the centre stored something last, 0 never."""
        (self.spool / "health.json").write_text(json.dumps({"stored": stored, "note": note}))

    @property
    def running(self) -> str:
        """The release that systemd runs; empty when none."""
        file = self.systemd / "running"
        return file.read_text().strip() if file.exists() else ""

    def looks(self) -> bool:
        """Tell whether the timer of the looks runs."""
        return (self.systemd / "looking").exists()

    @property
    def asked(self) -> list[str]:
        """What systemd was asked."""
        file = self.systemd / "asked"
        return file.read_text().splitlines() if file.exists() else []

    def refuse(self, *requests: str) -> None:
        """Have systemd refuse these requests from now on."""
        (self.systemd / "refused").write_text("".join(f"{one}\n" for one in requests))
