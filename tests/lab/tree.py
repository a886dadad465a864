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

import lzma
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.lab.background import ROOT
from tests.lab.debian import MASKED, WORK, bootstrap, kept, mask, noted, tell

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
# Of the kernel: what is needed to reach the tree, loaded by the initrd; the rest is found by modprobe in the tree.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console")
MODULE_FOLDERS = ("net", "fs", "lib", "crypto", "arch", "drivers/net", "drivers/virtio", "drivers/char")
AGENT = """#!/bin/sh
# The product as it stands in the working folder.
PYTHONPATH=/code:/site exec python3 -c 'from agent.cli import main; main()' "$@"
"""
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


def build() -> Tree:
    """Return the tree, built if need be; others who build the same wait for it."""
    return Tree(kept(WORK, _recipe(), lambda folder: _build(Tree(folder))))


def _recipe() -> list[bytes]:
    """Return what the tree is made of."""
    here = Path(__file__)
    parts = [here, here.with_name("debian.py"), here.with_name("guest") / "init", ROOT / "constraints.txt"]
    return [*(part.read_bytes() for part in parts), *(name.encode() for name in dependencies())]


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
    tell("chroot", tree.root, "depmod", version)
    _initrd(tree, version)
    shutil.rmtree(tree.folder / "kernel")


# ---- Debian


def _debian(tree: Tree) -> None:
    with noted("debian"):
        bootstrap(tree.root, (*SYSTEM, *RADIO))
        for folder in ("code", "site", "lab"):
            (tree.root / folder).mkdir()
        agent = tree.root / "usr/local/bin/santong-agent"
        agent.write_text(AGENT, encoding="utf-8")
        agent.chmod(0o755)
        tell("chroot", tree.root, "useradd", "--system", "--no-create-home", "santong")
        units = ("console-getty.service", "nginx.service", "hostapd.service", "wpa_supplicant.service")
        mask(tree.root, *MASKED, *units)


# ---- the kernel


def _kernel(tree: Tree) -> None:
    with noted("kernel"):
        folder = tree.folder / "kernel"
        folder.mkdir()
        words = tell("apt-cache", "depends", "linux-image-amd64").split()
        package = words[words.index("Depends:") + 1]
        tell("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package, cwd=folder)
        (archive,) = folder.glob("*.deb")
        wanted = ["./boot", *(f"./lib/modules/*/kernel/{name}" for name in MODULE_FOLDERS), "./lib/modules/*/modules.*"]
        pipe = f"dpkg-deb --fsys-tarfile {archive.name} | tar -x --wildcards {' '.join(map(repr, wanted))}"
        tell("sh", "-c", pipe, cwd=folder)
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
        lines = tell("chroot", tree.root, "modprobe", "-S", version, "--show-depends", name).splitlines()
        for file in (line.split()[1].lstrip("/") for line in lines if line.startswith("insmod")):
            place = folder / "modules" / Path(file).name
            if not place.exists():
                shutil.copy(tree.root / file, place)
                with (folder / "modules/order").open("a", encoding="ascii") as order:
                    order.write(f"{place.name}\n")
    shutil.copy(Path(__file__).with_name("guest") / "init", folder / "init")
    (folder / "init").chmod(0o755)
    tell("sh", "-c", f"find . | busybox cpio -o -H newc > {tree.initrd.resolve()}", cwd=folder)


def _libraries(root: Path) -> Iterator[str]:
    """Yield what busybox is linked with."""
    for word in tell("chroot", root, "ldd", "/usr/bin/busybox").split():
        if word.startswith("/"):
            yield word.lstrip("/")


# ---- the product's dependencies


def _site(tree: Tree) -> None:
    with noted("site"):
        fixed = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore")
        where = ("--constraint", ROOT / "constraints.txt", "--target", tree.site)
        tell(sys.executable, *fixed, *where, *dependencies())


def main(arguments: Sequence[str] = ()) -> None:
    """Build what is missing and print where it is."""
    print(build().folder)


if __name__ == "__main__":
    main()
