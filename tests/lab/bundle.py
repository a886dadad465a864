"""
The release bundle as a technician gets it, made of the working folder.

    WORK/wheels/<recipe>/     wheels of all that the product and its control node need
    bundle(folder)            folder/santong-<version>: release.json, wheels, ansible, setup

    python -m tests.lab.bundle     fetches the wheels that are missing
"""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from contract import __version__
from tests.lab.background import ROOT
from tests.lab.debian import WORK, kept, noted, tell

CONTROL = "ansible-core"
EXTRAS = "probes,profiles,centre"
SETUP = f"""\
#!/bin/sh
# Makes the control node of this folder: /opt/santong/control.
set -eu
cd "$(dirname "$0")"
python3 -m venv /opt/santong/control
/opt/santong/control/bin/pip install --quiet --no-index --no-compile --find-links wheels 'santong[centre]' {CONTROL}
"""


def wheels() -> Path:
    """Return the folder of wheels, fetched if need be."""
    parts = [Path(__file__), ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    return kept(WORK / "wheels", [part.read_bytes() for part in parts], _fetch)


def _fetch(folder: Path) -> None:
    with noted("wheels"):
        # Not `download`: of some there is but the source, and sites have no compilers.
        fixed = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--wheel-dir", folder)
        tell(*fixed, "--constraint", ROOT / "constraints.txt", f"{ROOT}[{EXTRAS}]", CONTROL)
        for own in folder.glob("santong-*"):
            own.unlink()


def bundle(folder: Path) -> Path:
    """Make the bundle of the working folder as it stands, and return its folder."""
    made = folder / f"santong-{__version__}"
    made.mkdir(parents=True)
    shutil.copytree(wheels(), made / "wheels")
    tell(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", (made / "wheels").resolve(), cwd=ROOT)
    shutil.copytree(ROOT / "deploy/ansible", made / "ansible")
    words = {"version": __version__, "python": "3.11"}
    (made / "release.json").write_text(json.dumps(words), encoding="utf-8")
    (made / "setup").write_text(SETUP, encoding="utf-8")
    (made / "setup").chmod(0o755)
    return made


def main(arguments: Sequence[str] = ()) -> None:
    """Fetch what is missing and print where it is."""
    print(wheels())


if __name__ == "__main__":
    main()
