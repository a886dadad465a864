"""
Debian trees from the machine's own apt sources, each built once and kept.

`kept` keeps what something is built from beside it, as a digest: a change builds anew, and what was before goes.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.background import ROOT, Background, LabError

WORK = Path(os.environ.get("LAB_WORK", ROOT / ".build/lab"))
LEAVE_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "getty.target")
BUILD_S = 500
_ACQUIRE = ("Acquire::http", "Acquire::Check-")


class Build:
    """A build that runs beside the tests: `python -m MODULE`."""

    def __init__(self, module: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._builder = Background([sys.executable, "-m", module], folder / f"{module.rpartition('.')[2]}.log")

    def wait(self) -> None:
        """Return when it is done; LabError when it failed."""
        if self._builder.wait(BUILD_S):
            raise LabError(f"not built:\n{self._builder.words()[-3000:]}")


def kept(work: Path, parts: Iterable[bytes], make: Callable[[Path], None]) -> Path:
    """Return work/<digest of parts>, made if need be; others who want the same wait for it."""
    folder = work / hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in work.iterdir():
                if re.fullmatch(r"new|[0-9a-f]{12}", old.name):
                    shutil.rmtree(old)
            new = work / "new"
            new.mkdir()
            make(new)
            new.rename(folder)
    return folder


def bootstrap(root: Path, packages: Iterable[str], *hooks: str) -> None:
    """
    Make a small Debian in `root` with these packages, and without manuals and translations.

    `hooks` are options of mmdebstrap; what apt is told meanwhile is left beside `root`.
    """
    sources, options = root.with_name("sources.list"), root.with_name("apt.conf")
    sources.write_text(_sources(), encoding="utf-8")
    # Proxies and the like, as the machine's own apt uses them.
    lines = [line for line in tell("apt-config", "dump", "Acquire").splitlines() if line.startswith(_ACQUIRE)]
    options.write_text("\n".join(lines) + "\n", encoding="utf-8")
    left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEAVE_OUT]
    fixed = ("--quiet", "--mode=root", "--variant=minbase", f"--aptopt={options}", *left_out)
    tell("mmdebstrap", *fixed, f"--include={','.join(packages)}", *hooks, _release(), root, sources)
    (root / "etc/machine-id").write_text("", encoding="ascii")  # every host draws its own at its first boot
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("", encoding="ascii")


def _sources() -> str:
    """Return the machine's Debian sources, in whatever file and format they stand, without other vendors'."""
    words = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    lines = tell("apt-get", "indextargets", "--format", words, "Created-By: Packages", "Origin: Debian").splitlines()
    if not lines:
        raise LabError("apt knows no Debian sources: apt-get update?")
    return "\n".join(sorted(set(lines))) + "\n"


def _release() -> str:
    words = Path("/etc/os-release").read_text(encoding="utf-8").split("VERSION_CODENAME=")
    return words[1].split()[0]


def mask(root: Path, *units: str) -> None:
    """Let nothing of these ever start in a tree."""
    tell("chroot", root, "systemctl", "-q", "mask", *units)


@contextmanager
def noted(what: str) -> Iterator[None]:
    """Print how long something took."""
    start = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - start:.1f} s", flush=True)


def tell(*argv: str | Path, cwd: Path | None = None) -> str:
    """Run a program of the machine and return what it says; LabError when it fails."""
    done = subprocess.run(list(argv), cwd=cwd, check=False, capture_output=True, text=True, timeout=BUILD_S)
    if done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: {done.stderr[-2000:].strip()}")
    return done.stdout
