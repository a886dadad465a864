"""
The key that archives are signed with: Ed25519 (RFC 8032), a pair of PEM files in a data folder.

    DATA/evidence/key.pem      PKCS #8, mode 0600: whoever has it can sign as the centre
    DATA/evidence/public.pem   what others check with

A key is known by the SHA-256 of its public half in DER (SubjectPublicKeyInfo), as `openssl pkey -pubin -outform DER |
sha256sum` tells it.
"""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from contract.errors import SantongError

FOLDER = "evidence"
PRIVATE, PUBLIC = "key.pem", "public.pem"


class BadKey(SantongError):
    """A key that is not there, is there already, or cannot be read; the message never has any of it."""


def create(data: Path) -> str:
    """Make a key in a data folder, durably, and return its fingerprint; BadKey when there is one, OSError."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = _pem(key.public_key())
    try:
        _write(folder / PRIVATE, private, 0o600)
    except FileExistsError:
        raise BadKey(f"{folder / PRIVATE}: there is a key already; archives are checked with it: keep it") from None
    (folder / PUBLIC).unlink(missing_ok=True)
    _write(folder / PUBLIC, public, 0o644)
    return fingerprint(public)


class Signer:
    """Signs with the key of a data folder; BadKey says how one is made."""

    def __init__(self, data: Path) -> None:
        file = data / FOLDER / PRIVATE
        try:
            key = load_pem_private_key(file.read_bytes(), None)
        except FileNotFoundError:
            raise BadKey(f"{file}: there is no key: make one with `santong evidence key`") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise BadKey(f"{file}: is no private key in PEM without a password") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise BadKey(f"{file}: is no Ed25519 key")
        self._key = key
        self.public = _pem(key.public_key())

    def sign(self, content: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._key.sign(content)


def is_signed(content: bytes, signature: bytes, public: bytes) -> bool:
    """Tell whether a signature of `content` is by the key of a PEM; BadKey when that is none."""
    try:
        _public(public).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def fingerprint(public: bytes) -> str:
    """Return what a public key is known by; BadKey when it is none."""
    der = _public(public).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def public_in(data: Path) -> Path | None:
    """Return the file of a data folder's public key, None without one."""
    file = data / FOLDER / PUBLIC
    return file if file.is_file() else None


def _public(pem: bytes) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("is no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey("is no Ed25519 key")
    return key


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _write(file: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)
