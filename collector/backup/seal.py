r"""
A stream that only a passphrase opens, in pieces: neither end holds more than one of them.

    santong-sealed-backup\n  {"format":1,"kdf":"scrypt",…}\n  piece  piece  …  last piece

Each piece is 1 MiB by AES-256-GCM (NIST SP 800-38D) under a key that scrypt (RFC 7914) makes of the passphrase and a
salt of this file. Its nonce is 7 random bytes of this file, its number in 4, and 1 for the last piece, else 0: pieces
that are changed, exchanged, repeated or missing at the end are noticed (the STREAM construction of Hoang, Reyhanitabar,
Rogaway and Vizár, 2015). The two lines before are vouched for by each piece.
"""

import hashlib
import hmac
import io
import json
import os
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from collector.backup.manifest import BadBackup
from contract.errors import SantongError

MAGIC = b"santong-sealed-backup\n"
PIECE = 1 << 20
_TAG = 16
_MOST_PIECES = 1 << 32
_COST, _BLOCKS = 1 << 17, 8  # 128 MiB for each guess
_MOST_HEADER = 4096


class BadPassphrase(SantongError):
    """There is no passphrase, or it is not that of the file."""


def passphrase_in(file: Path) -> bytes:
    """Return the passphrase that a file holds: its first line; BadPassphrase when it is empty, OSError."""
    with file.open("rb") as opened:
        found = opened.readline(4097).strip()
    if not found:
        raise BadPassphrase(f"{file}: its first line is to be the passphrase, and is empty")
    return found


class Sealer(io.RawIOBase):
    """Seals what is written into it, and writes that into another stream; `finish` writes the last piece."""

    def __init__(self, under: IO[bytes], passphrase: bytes) -> None:
        salt, nonce = os.urandom(16), os.urandom(7)
        key, check = _keys(passphrase, salt, _COST, _BLOCKS)
        head = {"format": 1, "kdf": "scrypt", "n": _COST, "r": _BLOCKS, "p": 1}
        texts = {"salt": salt.hex(), "nonce": nonce.hex(), "check": check.hex()}
        self._header = MAGIC + json.dumps({**head, **texts}, separators=(",", ":")).encode() + b"\n"
        self._under, self._cipher, self._nonce = under, AESGCM(key), nonce
        self._waiting = bytearray()
        self._pieces = 0
        under.write(self._header)

    def writable(self) -> bool:
        """Tell that it takes bytes."""
        return True

    def write(self, content: Any, /) -> int:
        """Take bytes; what makes a piece goes on, and the last one waits."""
        self._waiting += content
        while len(self._waiting) > PIECE:
            self._put(bytes(self._waiting[:PIECE]), is_last=False)
            del self._waiting[:PIECE]
        return len(content)

    def finish(self) -> None:
        """Write the last piece."""
        self._put(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _put(self, content: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._nonce, self._pieces, is_last=is_last)
        self._under.write(self._cipher.encrypt(nonce, content, self._header))
        self._pieces += 1


class Opener(io.RawIOBase):
    """Reads what a Sealer wrote; BadPassphrase, and BadBackup at the piece that is not as it was written."""

    def __init__(self, under: IO[bytes], passphrase: bytes | None) -> None:
        start = under.readline(len(MAGIC))
        line = under.readline(_MOST_HEADER)
        if start != MAGIC:
            raise BadBackup("is no backup that was sealed")
        if passphrase is None:
            raise BadPassphrase("is sealed: --passphrase-file names the file with its passphrase")
        salt, nonce, cost, blocks, check = _read_header(line)
        key, found = _keys(passphrase, salt, cost, blocks)
        if not hmac.compare_digest(found, check):
            raise BadPassphrase("is sealed with another passphrase, or its beginning is damaged")
        self._under, self._cipher, self._nonce, self._header = under, AESGCM(key), nonce, start + line
        self._ahead = under.read(PIECE + _TAG)
        self._open = memoryview(b"")
        self._pieces = 0
        self._is_over = False

    def readable(self) -> bool:
        """Tell that it gives bytes."""
        return True

    def readinto(self, into: Any, /) -> int:
        """Give bytes, none at the end."""
        while not self._open and not self._is_over:
            self._open = memoryview(self._next())
        view = memoryview(into)
        size = min(len(view), len(self._open))
        view[:size], self._open = self._open[:size], self._open[size:]
        return size

    def _next(self) -> bytes:
        piece, self._ahead = self._ahead, self._under.read(PIECE + _TAG)
        self._is_over = not self._ahead
        try:
            content = self._cipher.decrypt(
                _nonce(self._nonce, self._pieces, is_last=self._is_over), piece, self._header
            )
        except (InvalidTag, ValueError):
            raise BadBackup(f"is damaged or cut short at MiB {self._pieces}") from None
        self._pieces += 1
        return content


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    if number >= _MOST_PIECES:
        raise BadBackup("is larger than 4 PiB")
    return prefix + number.to_bytes(4, "big") + bytes([is_last])


def _keys(passphrase: bytes, salt: bytes, cost: int, blocks: int) -> tuple[bytes, bytes]:
    """Return the key, and what tells a wrong passphrase from damage."""
    made = hashlib.scrypt(passphrase, salt=salt, n=cost, r=blocks, p=1, maxmem=256 * cost * blocks, dklen=64)
    return made[:32], hashlib.sha256(b"check" + made[32:]).digest()[:16]


def _read_header(line: bytes) -> tuple[bytes, bytes, int, int, bytes]:
    try:
        tree = json.loads(line)
        number, cost, blocks = int(tree["format"]), int(tree["n"]), int(tree["r"])
        salt, nonce, check = (bytes.fromhex(tree[name]) for name in ("salt", "nonce", "check"))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadBackup("is damaged at its beginning") from None
    if number > 1:
        raise BadBackup("is sealed as a newer program does: use that version")
    # A file is not to make us work for hours: as much as ours, at most eight times.
    is_known = tree.get("kdf") == "scrypt" and cost in (1 << n for n in range(10, 21)) and 1 <= blocks <= 8
    if not is_known or tree.get("p") != 1 or len(nonce) != 7:
        raise BadBackup("is damaged at its beginning")
    return salt, nonce, cost, blocks, check
