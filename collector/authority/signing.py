"""
The key that releases, plans and orders are signed with: Ed25519 (RFC 8032), a pair of PEM files of the authority.

    signing.key    PKCS #8, mode 0600: whoever has it can have every device run anything
    signing.pub    what devices check with:
                   openssl pkeyutl -verify -pubin -inkey signing.pub -rawin -in FILE -sigfile FILE.sig
"""

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

from collector.authority.files import SIGNING_KEY, SIGNING_PUBLIC, AuthorityError, read_secret, write_secret
from collector.durable import write_whole

SUFFIX = ".sig"


def sign(folder: Path, content: bytes) -> bytes:
    """Return the signature of `content` by the key of an authority's folder, 64 bytes; AuthorityError, OSError."""
    return _private(folder).sign(content)


def verify(public_pem: bytes, content: bytes, signature: bytes) -> bool:
    """Tell whether a signature of `content` is by the key of a PEM; AuthorityError when that is no Ed25519 key."""
    try:
        key = load_pem_public_key(public_pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise AuthorityError("is no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise AuthorityError("is no Ed25519 key")
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def sign_file(folder: Path, file: Path) -> bool:
    """Write the signature of a file beside it, as `<file>.sig`, and tell whether it is other than what was there."""
    signature = sign(folder, file.read_bytes())
    beside = file.with_name(file.name + SUFFIX)
    if beside.is_file() and beside.read_bytes() == signature:  # Ed25519 gives the same each time
        return False
    write_whole(beside, signature)
    return True


def create(folder: Path) -> bool:
    """Make the pair, or the half that can be made of the other one; tell whether anything was made."""
    file, public = folder / SIGNING_KEY, folder / SIGNING_PUBLIC
    if not file.exists():
        if public.exists():
            raise AuthorityError(f"{public}: its private half {file} is missing: restore it from a backup")
        key = Ed25519PrivateKey.generate()
        write_secret(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    wanted = _private(folder).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if public.exists() and public.read_bytes() == wanted:
        return False
    write_whole(public, wanted)
    return True


def public_key(folder: Path) -> bytes:
    """Return the public half in PEM; AuthorityError where there is none."""
    try:
        return (folder / SIGNING_PUBLIC).read_bytes()
    except FileNotFoundError:
        raise AuthorityError(f"{folder / SIGNING_PUBLIC}: is missing: make it with `santong ca init`") from None


def _private(folder: Path) -> Ed25519PrivateKey:
    file = folder / SIGNING_KEY
    try:
        key = load_pem_private_key(read_secret(file), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise AuthorityError(f"{file}: is no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise AuthorityError(f"{file}: is no Ed25519 key")
    return key
