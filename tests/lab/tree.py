"""
A small Debian, one for the WiFi guest and for the hosts: built once from the machine's own apt sources.

    WORK/<recipe>/tree      Debian with systemd, Python, and what a WiFi needs
                 /vmlinux   its kernel, unpacked: emulated, unpacking alone would take 4 s
                 /initrd    what the kernel needs to reach the tree
                 /site      the product's dependencies, as `pip install --target` puts them
    WORK = LAB_WORK or .build/lab

`<recipe>` is a digest of all that is written below and of the dependencies: a change builds anew. The product itself is
not in there; guest and hosts see this very folder as /code.

    python -m tests.lab.tree     builds what is missing
"""

import fcntl
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.lab.background import ROOT, Background, LabError

WORK = Path(os.environ.get("LAB_WORK", ROOT / ".build/lab"))
SYSTEM = ("systemd", "systemd-sysv", "dbus", "iproute2", "iputils-ping", "python3", "kmod", "busybox", "nftables")
RADIO = (
    "wpasupplicant",
    "iw",
    "hostapd",
    "dnsmasq-base",
    "nginx-light",
    "tcpdump",
    "libpcap0.8",
    "curl",
    "ca-certificates",
)
LEAVE_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
# Of the kernel: what is needed to reach the tree, loaded by the initrd; the rest is found by modprobe in the tree.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console")
MODULE_FOLDERS = ("net", "fs", "lib", "crypto", "arch", "drivers/net", "drivers/virtio", "drivers/char")
AGENT = """#!/bin/sh
# The product as it stands in the working folder.
PYTHONPATH=/code:/site exec python3 -c 'from agent.cli import main; main()' "$@"
"""
BUILD_S = 500
XZ = b"\xfd7zXZ\x00"


class Tree(NamedTuple):
    """Where the parts of a finished build are."""

    folder: Path

    @property
    def root(self) -> Path:
        """The Debian tree; never to be written to."""
        return self.folder / "tree"

    @property
    def kernel(self) -> Path:
        """The kernel."""
        return self.folder / "vmlinux"

    @property
    def initrd(self) -> Path:
        """The initial file system."""
        return self.folder / "initrd"

    @property
    def site(self) -> Path:
        """The product's dependencies."""
        return self.folder / "site"


class Build:
    """A build that runs beside the tests, if one is needed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._builder = Background([sys.executable, "-m", "tests.lab.tree"], folder / "build.log")

    def wait(self) -> Tree:
        """Return the tree when it is there; LabError when it cannot be built."""
        if self._builder.wait(BUILD_S):
            raise LabError(f"the Debian tree was not built:\n{self._builder.words()[-3000:]}")
        return build()


def build() -> Tree:
    """Return the tree, built if need be; others who build the same wait for it."""
    tree = Tree(WORK / recipe())
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.folder.exists():
            for old in WORK.iterdir():
                if re.fullmatch(r"new|[0-9a-f]{12}", old.name):
                    shutil.rmtree(old)
            new = Tree(WORK / "new")
            new.folder.mkdir()
            _build(new)
            new.folder.rename(tree.folder)
    return tree


def recipe() -> str:
    """Return the digest of what the tree is made of."""
    parts = [Path(__file__), Path(__file__).with_name("guest") / "init", ROOT / "constraints.txt"]
    text = b"\0".join([*(part.read_bytes() for part in parts), *(name.encode() for name in dependencies())])
    return hashlib.sha256(text).hexdigest()[:12]


def dependencies() -> list[str]:
    """Return what an agent with probes and profiles needs, as in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *extras["probes"], *extras["profiles"]]


def _build(tree: Tree) -> None:
    with ThreadPoolExecutor() as pool:
        works = [pool.submit(work, tree) for work in (_debian, _kernel, _site)]
        for work in works:
            work.result()
    modules = tree.folder / "kernel/lib/modules"
    (version,) = (folder.name for folder in modules.iterdir())
    shutil.move(modules / version, tree.root / "usr/lib/modules" / version)
    _tell("chroot", tree.root, "depmod", version)
    _initrd(tree, version)
    shutil.rmtree(tree.folder / "kernel")


# ---- Debian


def _debian(tree: Tree) -> None:
    with _noted("debian"):
        sources, options = tree.folder / "sources.list", tree.folder / "apt.conf"
        sources.write_text(_sources(), encoding="utf-8")
        # Proxies and the like, as the machine's own apt uses them.
        kept = [line for line in _tell("apt-config", "dump", "Acquire").splitlines() if line.startswith(_ACQUIRE)]
        options.write_text("\n".join(kept) + "\n", encoding="utf-8")
        left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEAVE_OUT]
        fixed = ("--quiet", "--mode=root", "--variant=minbase", f"--aptopt={options}", *left_out)
        packages = f"--include={','.join((*SYSTEM, *RADIO))}"
        _tell("mmdebstrap", *fixed, packages, _release(), tree.root, sources)
        _make_it_ours(tree.root)


_ACQUIRE = ("Acquire::http", "Acquire::Check-")


def _sources() -> str:
    """Return the machine's Debian sources, in whatever file and format they stand, without other vendors'."""
    words = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    lines = _tell("apt-get", "indextargets", "--format", words, "Created-By: Packages", "Origin: Debian").splitlines()
    if not lines:
        raise LabError("apt knows no Debian sources: apt-get update?")
    return "\n".join(sorted(set(lines))) + "\n"


def _release() -> str:
    words = Path("/etc/os-release").read_text(encoding="utf-8").split("VERSION_CODENAME=")
    return words[1].split()[0]


def _make_it_ours(root: Path) -> None:
    (root / "etc/machine-id").write_text("", encoding="ascii")  # every host draws its own at its first boot
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("", encoding="ascii")
    for folder in ("code", "site", "lab"):
        (root / folder).mkdir()
    agent = root / "usr/local/bin/santong-agent"
    agent.write_text(AGENT, encoding="utf-8")
    agent.chmod(0o755)
    _tell("chroot", root, "useradd", "--system", "--no-create-home", "santong")
    masked = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "getty.target")
    units = ("console-getty.service", "nginx.service", "hostapd.service", "wpa_supplicant.service")
    _tell("chroot", root, "systemctl", "-q", "mask", *masked, *units)


# ---- the kernel


def _kernel(tree: Tree) -> None:
    with _noted("kernel"):
        folder = tree.folder / "kernel"
        folder.mkdir()
        words = _tell("apt-cache", "depends", "linux-image-amd64").split()
        package = words[words.index("Depends:") + 1]
        _tell("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package, cwd=folder)
        (archive,) = folder.glob("*.deb")
        wanted = ["./boot", *(f"./lib/modules/*/kernel/{name}" for name in MODULE_FOLDERS), "./lib/modules/*/modules.*"]
        pipe = f"dpkg-deb --fsys-tarfile {archive.name} | tar -x --wildcards {' '.join(map(repr, wanted))}"
        _tell("sh", "-c", pipe, cwd=folder)
        (image,) = (folder / "boot").glob("vmlinuz-*")
        tree.kernel.write_bytes(_unpacked(image.read_bytes()))


def _unpacked(image: bytes) -> bytes:
    """Return the kernel without its packing, or as it is when that is not xz."""
    start = image.find(XZ)
    kernel = lzma.LZMADecompressor().decompress(image[start:]) if start >= 0 else b""
    return kernel if kernel.startswith(b"\x7fELF") else image


def _initrd(tree: Tree, version: str) -> None:
    folder = tree.folder / "kernel/initrd"
    for name in ("bin", "dev", "proc", "sys", "modules", "lower", "rw", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for file in ("usr/bin/busybox", *_libraries(tree.root)):
        place = folder / ("bin/busybox" if file.endswith("busybox") else file)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree.root / file, place)
    for name in BOOT_MODULES:
        lines = _tell("chroot", tree.root, "modprobe", "-S", version, "--show-depends", name).splitlines()
        for file in (line.split()[1].lstrip("/") for line in lines if line.startswith("insmod")):
            place = folder / "modules" / Path(file).name
            if not place.exists():
                shutil.copy(tree.root / file, place)
                with (folder / "modules/order").open("a", encoding="ascii") as order:
                    order.write(f"{place.name}\n")
    shutil.copy(Path(__file__).with_name("guest") / "init", folder / "init")
    (folder / "init").chmod(0o755)
    _tell("sh", "-c", f"find . | busybox cpio -o -H newc > {tree.initrd.resolve()}", cwd=folder)


def _libraries(root: Path) -> Iterator[str]:
    """Yield what busybox is linked with."""
    for word in _tell("chroot", root, "ldd", "/usr/bin/busybox").split():
        if word.startswith("/"):
            yield word.lstrip("/")


# ---- the product's dependencies


def _site(tree: Tree) -> None:
    with _noted("site"):
        fixed = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore")
        where = ("--constraint", ROOT / "constraints.txt", "--target", tree.site)
        _tell(sys.executable, *fixed, *where, *dependencies())


@contextmanager
def _noted(what: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - start:.1f} s", flush=True)


def _tell(*argv: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(list(argv), cwd=cwd, check=False, capture_output=True, text=True, timeout=500)
    if done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: {done.stderr[-2000:].strip()}")
    return done.stdout


def main(arguments: Sequence[str] = ()) -> None:
    """Build what is missing and print where it is."""
    print(build().folder)


if __name__ == "__main__":
    main()
