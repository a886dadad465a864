"""
What is written for whoever asked: certificates as files, and a key where it is made here.

A key is made and written before its certificate is asked for: where that fails, or the power does, the same command
once more goes on with the key that is there. It is never printed.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from collector.authority.certify import key_pem, new_key, read_key
from collector.authority.files import read_secret, write_secret
from collector.authority.index import Entry
from collector.durable import sync, write_whole


def key_in(folder: Path, name: str) -> tuple[ec.EllipticCurvePublicKey, bool]:
    """Return the public half of `<folder>/<name>.key`, made where there is none, and whether it was."""
    file = folder / f"{name}.key"
    made = not file.exists()
    if made:
        _make(folder)
        write_secret(file, key_pem(new_key()))
    return read_key(read_secret(file), str(file)).public_key(), made


def write_certificate(folder: Path, entry: Entry) -> bool:
    """Write `<folder>/<name>.crt`; tell whether it is other than what was there."""
    return write_changed(folder / f"{entry.who.name}.crt", entry.certificate)


def write_changed(file: Path, text: str) -> bool:
    """Write a public file, whole, where it is not the same already; tell whether it was written."""
    if file.exists() and file.read_bytes() == text.encode():
        return False
    _make(file.parent)
    write_whole(file, text.encode())
    return True


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True)
        sync(folder.parent)
