"""
Later releases for tests: the release of the working folder under another version, sound or broken on purpose.

    variant(release, "0.2.0")               the same under another number
    variant(release, "0.3.0", CRASHES)      ends at once, as with a missing library

Only the wheels of the product are written anew, for the centre and for this machine's agents.
"""

import json
import platform
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

from deploy.release.bundle import describe, pack

Breakage = Mapping[str, tuple[str, str]]  # by file: what is replaced, and by what

SOUND: Breakage = {}
CRASHES: Breakage = {
    "agent/pipeline.py": (
        "log = logging.getLogger",
        'raise SystemExit("a library is missing")\nlog = logging.getLogger',
    )
}


def variant(release: Path, version: str, breakage: Breakage = SOUND) -> Path:
    """Make the folder of another release beside `release`, and return it."""
    before = json.loads((release / "release.json").read_text(encoding="utf-8"))["version"]
    new = release.with_name(f"santong-{version}")
    shutil.copytree(release, new, ignore=shutil.ignore_patterns("santong-agent-*"))
    _renumber(new, before, version, breakage)
    name = f"santong-agent-{{}}-{platform.machine()}"
    unpacked = new / "agent" / name.format(version)
    unpacked.mkdir()
    archive = release / "agent" / f"{name.format(before)}.tar.gz"
    subprocess.run(["tar", "-xzf", archive, "-C", unpacked, "--strip-components=1"], check=True, timeout=60)
    _renumber(unpacked, before, version, breakage)
    pack(unpacked, new / "agent" / f"{unpacked.name}.tar.gz")
    shutil.rmtree(unpacked)
    return new


def _renumber(folder: Path, before: str, version: str, breakage: Breakage) -> None:
    old = folder / f"wheels/santong-{before}-py3-none-any.whl"
    _rewrite(old, old.with_name(f"santong-{version}-py3-none-any.whl"), (before, version), breakage)
    old.unlink()
    _describe(folder, version)


def _rewrite(old: Path, new: Path, versions: tuple[str, str], breakage: Breakage) -> None:
    """Write a wheel again with another version in it, and with what is broken in it."""
    before, version = versions
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            content = source.read(entry)
            name = entry.filename.replace(f"santong-{before}.dist-info", f"santong-{version}.dist-info")
            if name.endswith(("/METADATA", "/RECORD")) or name == "contract/__init__.py":
                content = content.replace(before.encode(), version.encode())
            for file, (what, instead) in breakage.items():
                if name == file:
                    text = content.decode()
                    assert what in text, f"{file} has changed: break it in another way"
                    content = text.replace(what, instead, 1).encode()
            target.writestr(name, content)


def _describe(folder: Path, version: str) -> None:
    """Write release.json as the maker of releases does."""
    machines = json.loads((folder / "release.json").read_text(encoding="utf-8"))["machines"]
    (folder / "release.json").unlink()
    describe(folder, version, machines)
