"""
A Debian as it comes from its installer, for hosts that are managed by Ansible, and a package repository beside it.

    WORK/factory/<recipe>/tree         systemd, sshd, sudo, Python; the user `deploy`, who may do everything by sudo
                         /repository   what the roles install, with all that it needs beyond the tree
                         /key, key.pub the technician's SSH key: `deploy` and root let it in

Nothing of the product is in there. The repository is resolved against this tree, so that a role that wants another
package fails in the lab, as it would at a site without Internet.

    python -m tests.lab.factory     builds what is missing
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.lab.debian import MASKED, WORK, bootstrap, kept, mask, noted, tell

USER = "deploy"
SYSTEM = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    "python3",
    "python3-apt",
    "iproute2",
    "iputils-ping",
    "nftables",
    "procps",
    "ca-certificates",
    "openssl",
)
# Each row is downloaded as if it alone were installed: two clocks cannot be on one host.
INSTALLED = (
    (
        "python3-venv",
        "mosquitto",
        "mosquitto-clients",
        "influxdb",
        "nginx-light",
        "curl",
        "rsync",
        "systemd-timesyncd",
        "tzdata",
        "iw",
        "wpasupplicant",
        "libpcap0.8",
        "iperf3",
    ),
    ("chrony",),
)
ADDRESS = "http://mirror"  # the name that stands in every host's /etc/hosts


class Factory(NamedTuple):
    """Where the parts of a finished build are."""

    folder: Path

    @property
    def root(self) -> Path:
        """The Debian tree; never to be written to."""
        return self.folder / "tree"

    @property
    def repository(self) -> Path:
        """The folder of packages, with an index."""
        return self.folder / "repository"

    @property
    def key(self) -> Path:
        """The technician's private SSH key."""
        return self.folder / "key"


def build() -> Factory:
    """Return the factory, built if need be; others who build the same wait for it."""
    here = Path(__file__)
    parts = [part.read_bytes() for part in (here, here.with_name("debian.py"))]
    return Factory(kept(WORK / "factory", parts, lambda folder: _build(Factory(folder))))


def _build(factory: Factory) -> None:
    with noted("factory"):
        tell("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "technician", "-f", factory.key)
        factory.repository.mkdir()
        bootstrap(factory.root, SYSTEM, *_downloads(factory.repository))
        index = tell("dpkg-scanpackages", "-m", ".", cwd=factory.repository)
        (factory.repository / "Packages").write_text(index, encoding="utf-8")
        _deliver(factory.root, factory.key.with_suffix(".pub").read_text(encoding="ascii"))


def _downloads(repository: Path) -> list[str]:
    """Return the hooks of mmdebstrap that fill the repository."""
    words = "apt-get -qq install -y --download-only --no-install-recommends"
    hooks = ['chroot "$1" apt-get clean']
    hooks += [f'chroot "$1" {words} {" ".join(row)} > /dev/null' for row in INSTALLED]
    hooks += [f"find \"$1/var/cache/apt/archives\" -name '*.deb' -exec mv -t '{repository.resolve()}' {{}} +"]
    return [f"--customize-hook={hook}" for hook in hooks]


def _deliver(root: Path, public_key: str) -> None:
    """Leave the tree as an installer does, with the technician's user and the site's package repository."""
    others = ("sources.list", "sources.list.d/*", "apt.conf.d/99mmdebstrap")
    for old in [root / "etc/hostname", *(file for words in others for file in (root / "etc/apt").glob(words))]:
        old.unlink(missing_ok=True)
    line = f"deb [trusted=yes] {ADDRESS}/ ./\n"
    (root / "etc/apt/sources.list.d/mirror.list").write_text(line, encoding="ascii")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()  # every host gets its own
    tell("chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", USER)
    (root / f"etc/sudoers.d/{USER}").write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n", encoding="ascii")
    for home in (root / "root", root / "home" / USER):
        folder = home / ".ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "authorized_keys").write_text(public_key, encoding="ascii")
        (folder / "authorized_keys").chmod(0o600)
    tell("chroot", root, "chown", "-R", f"{USER}:", f"/home/{USER}/.ssh")
    mask(root, *MASKED, "console-getty.service")
    # Ansible's cache_valid_time reads this time: were it new, the first "apt update" would be skipped.
    tell("sh", "-c", 'rm -rf "$1"/var/lib/apt/lists/*; touch -d @0 "$1/var/lib/apt/lists"', "sh", root)


def main(arguments: Sequence[str] = ()) -> None:
    """Build what is missing and print where it is."""
    print(build().folder)


if __name__ == "__main__":
    main()
