"""This machine into `root/`: the files that profiles of a machine read, and what tells which profile fits it."""

import glob
import os
import platform
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from agent.gather.file import MOST_BYTES, MOST_MATCHES
from agent.profiles.record import Told
from agent.profiles.redact import Redactor
from contract.errors import ConfigError
from firmware_profiles.library import Library
from firmware_profiles.sources import File

# Beside what profiles name: what `screen`, `session` and `profiles match` read.
ALWAYS = (
    "/etc/os-release",
    "/usr/lib/os-release",
    "/sys/firmware/devicetree/base/model",
    "/sys/firmware/devicetree/base/serial-number",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/product_serial",
    "/sys/class/dmi/id/board_serial",
    "/sys/class/dmi/id/chassis_serial",
    "/sys/class/drm/card*/status",
    "/sys/class/drm/card*/enabled",
    "/sys/class/drm/card*/dpms",
    "/run/systemd/sessions/*",
)
_SESSION = ("CLASS", "STATE", "SEAT", "ACTIVE", "REMOTE", "TYPE")  # of a session; who and what for is left out
_NUMBERED = re.compile(
    r"(?:^|/)(?:[\w-]*serial[\w-]*|cid|[\w-]*uuid)$"
)  # files that hold a number of the machine's own
_STORED = frozenset(
    (
        *(
            "ext2",
            "ext3",
            "ext4",
            "xfs",
            "btrfs",
            "f2fs",
            "vfat",
            "exfat",
            "ntfs",
            "ntfs3",
            "fuseblk",
            "iso9660",
            "jffs2",
        ),
        *("ubifs", "squashfs", "erofs", "overlay", "zfs", "bcachefs", "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs"),
    )
)  # file systems that hold files; of the others (tmpfs of each user, namespaces) only those of the system are kept
_SYSTEM = re.compile(
    r"/(?:(?:boot|dev|etc|home|media|mnt|opt|overlay|proc|rom|root|run|srv|sys|tmp|usr|var)(?:/"
    r"(?:firmware|efi|lib|log|tmp|cache|local|lock|shm|pts|mqueue|hugepages))*)?"
)
_SERIAL_LINE = re.compile(rb"(?m)^Serial\s*:\s*(\S+)")  # of /proc/cpuinfo
_TELLS = re.compile(r"(?:addr|mountaddr|clientaddr|username|domain|unc|password|\w*dir|\w+id)=")  # options of a mount


class HostCaptured:
    """Files by their path, as they were."""

    def __init__(self, found: Mapping[str, bytes], names: tuple[str, ...]) -> None:
        self._found = found
        self._names = names
        self.not_kept: list[str] = []

    def files(self, redactor: Redactor) -> Mapping[str, bytes]:
        """Return the tree of the recording."""
        for name in self._names:
            redactor.learn(name)
        made: dict[str, bytes] = {}
        self.not_kept = []
        for path, content in self._found.items():
            text = _file(path, content, redactor)
            name = "/".join(redactor.text(part) for part in path.split("/"))
            if redactor.survives(text) or redactor.survives(name):
                self.not_kept.append(path)
            else:
                made[f"root{name}"] = text
        return made


def capture(library: Library, root: Path = Path("/")) -> tuple[HostCaptured, Told]:
    """Read the files that any profile names, and those that are always read."""
    patterns = dict.fromkeys([*ALWAYS, *_of_profiles(library)])
    found: dict[str, bytes] = {}
    for pattern in patterns:
        for file in sorted(glob.glob(f"{root.as_posix().rstrip('/')}{pattern}"))[:MOST_MATCHES]:  # noqa: PTH207  absolute
            with suppress(OSError):
                if (content := _content(file)) is not None:
                    found["/" + str(Path(file).relative_to(root))] = content
    names = (platform.node(), *_people(root))
    return HostCaptured(found, names), Told(
        "files of a machine", f"the files of {len(patterns)} patterns that profiles read", f"{len(found)} files"
    )


def _of_profiles(library: Library) -> Iterator[str]:
    for name in library.ids():
        with suppress(ConfigError):  # `profiles check` says what is wrong with it
            for what in library.get(name).collect.values():
                if isinstance(what, File):
                    yield from (path for path in what.files.values() if "{" not in path)


def _content(file: str) -> bytes | None:
    """Return a small file's content; None where it is no file, or a large one."""
    opened = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return None
        content = b""
        while len(content) <= MOST_BYTES and (more := os.read(opened, MOST_BYTES)):
            content += more
    finally:
        os.close(opened)
    return content if len(content) <= MOST_BYTES else None


def _people(root: Path) -> Iterator[str]:
    """Yield the names of those who have an account here."""
    with suppress(OSError):
        for line in (root / "etc/passwd").read_text(errors="replace").splitlines():
            name, _, number, *_ = [*line.split(":"), "", "", ""]
            if number.isdigit() and 1000 <= int(number) < 60000:
                yield name


def _file(path: str, content: bytes, redactor: Redactor) -> bytes:
    """Return a file's content with stand-ins."""
    if path.startswith("/run/systemd/sessions/"):
        lines = content.decode(errors="replace").splitlines()
        return "".join(f"{line}\n" for line in lines if line.partition("=")[0] in _SESSION).encode()
    if path.endswith("/mountinfo"):
        return _mounts(content.decode(errors="replace"), redactor).encode()
    if _NUMBERED.search(path):
        text = content.decode("latin-1")
        word = text.strip(" \t\r\n\0")
        return text.replace(word, redactor.learn(word)).encode("latin-1", "replace") if word else content
    for serial in _SERIAL_LINE.findall(content):
        redactor.learn(serial.decode("latin-1"))
    return redactor.octets(content)


def _mounts(text: str, redactor: Redactor) -> str:
    """Return the lines of /proc/self/mountinfo that tell of the machine, but for what people named (proc(5))."""
    kept = []
    for line in text.splitlines():
        words = line.split(" ")
        mark = words.index("-") if "-" in words else 0
        if mark < 6 or len(words) < mark + 4:
            continue
        kind, system = words[mark + 1], _SYSTEM.fullmatch(words[4]) is not None
        if kind.partition(".")[0] not in _STORED and not system:
            continue
        words[3], words[4] = (_place(word, redactor) for word in words[3:5])
        words[mark + 2] = _mounted(words[mark + 2], redactor)
        words[mark + 3] = ",".join(word for word in words[mark + 3].split(",") if not _TELLS.match(word)) or "rw"
        kept.append(redactor.text(" ".join(words)) + "\n")
    return "".join(kept)


def _place(path: str, redactor: Redactor) -> str:
    """Return a path of which only the system's own folders are as they were."""
    if _SYSTEM.fullmatch(path):
        return path
    parts = path.split("/")
    known = max((at for at in range(1, len(parts)) if _SYSTEM.fullmatch("/".join(parts[:at]) or "/")), default=0)
    return "/".join([*parts[:known], *(redactor.learn(part) for part in parts[known:])])


def _mounted(source: str, redactor: Redactor) -> str:
    """Return what is mounted: a device as it was, of a server a stand-in in place of each name."""
    if source.startswith("/dev/") and source.count("/") == 2:
        return source
    if re.match(r"//|[^/]+:|/", source):
        return re.sub(r"[^/:]+", lambda name: name[0] if name[0] == "dev" else redactor.learn(name[0]), source)
    return source
