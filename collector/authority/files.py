"""What lies in the authority's folder, and how it is kept: secrets for root alone, one writer at a time."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.durable import sync, write_whole
from contract.errors import SantongError

ROOT_KEY, ROOT = "ca.key", "ca.crt"
CRL = "crl.pem"
SIGNING_KEY, SIGNING_PUBLIC = "signing.key", "signing.pub"
INDEX = "index.sqlite"


class AuthorityError(SantongError):
    """Something that the authority refuses or lacks; the message says what, and never has any of a key."""


def make(folder: Path) -> None:
    """Make a folder that only its owner may look into, durably; AuthorityError where others may look into it."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync(folder.parent)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        raise AuthorityError(f"{folder}: others can look into it (mode {mode:04o}): chmod 700 {folder}")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder against other writers, who wait; AuthorityError where there is none."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        raise AuthorityError(f"{folder}: there is no authority: make one with `santong ca init`") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_secret(file: Path, content: bytes) -> None:
    """Write a private key, mode 0600, whole or not at all."""
    write_whole(file, content, 0o600)


def read_secret(file: Path) -> bytes:
    """Return what a private key's file holds; AuthorityError where it is not there, or others can read it."""
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read()
    except FileNotFoundError:
        raise AuthorityError(f"{file}: there is no key: make one with `santong ca init`") from None
    if mode & 0o077:
        raise AuthorityError(f"{file}: others can read this key (mode {mode:04o}): chmod 600 {file}")
    return content
