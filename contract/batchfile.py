"""
A file of batches: evidence by hand, from a site without any network.

    {"format":"santong-batches","version":1,"agent":"<id>","exported_at":"2025-11-24T10:15:00Z","product":"0.1.0"}
    {"agent":"<id>","device":"<id>","payload":"<base64 of a batch, as it is published>"}
    …
    {"batches":1,"sha256":"<hex>","certificate":"<PEM>","signature":"<base64>"}

JSON lines, each with its line feed. `sha256` is over all bytes before the last line. The signature is over
`signed_text` of it, by the key of the first certificate, with SHA-256 (RSA: PKCS #1 v1.5; ECDSA: ASN.1) or Ed25519.
An unsigned file has neither certificate nor signature. A reader ignores keys that it does not know, but in the last
line, which has exactly this form: so no byte of a file can change without being noticed.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, NamedTuple

from contract.errors import SantongError
from contract.names import is_device

FORMAT = "santong-batches"
VERSION = 1
MAX_LINE_BYTES = 2 << 20  # a batch of 1 MiB in base64, and more than any certificate
_AT = "%Y-%m-%dT%H:%M:%SZ"
_HEX = re.compile(r"[0-9a-f]{64}")


class BadFile(SantongError):
    """A file that is no file of batches, is cut short, or was changed; the message says which and where."""


class Head(NamedTuple):
    """The first line: whose batches, when they were exported by the agent's clock, and by which version."""

    agent: str
    exported_at: datetime
    product: str


class Seal(NamedTuple):
    """The last line: what came before it, and who says so. `certificate` is empty in an unsigned file."""

    batches: int
    sha256: str
    certificate: str = ""
    signature: bytes = b""


class Carried(NamedTuple):
    """One batch on its way by hand."""

    device: str
    payload: bytes


def signed_text(sha256: str) -> bytes:
    """Return what is signed. It names its purpose: a key for TLS never signs the same for another one."""
    return f"{FORMAT}/{VERSION} sha256={sha256}\n".encode()


class Writer:
    """Writes one file: its head at once, `add` for each batch, `seal` at the end."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file = file
        self._agent = head.agent
        self._digest = hashlib.sha256()
        self.batches = 0
        self._write(
            {
                "format": FORMAT,
                "version": VERSION,
                "agent": head.agent,
                "exported_at": head.exported_at.astimezone(UTC).strftime(_AT),
                "product": head.product,
            }
        )

    def add(self, device: str, payload: bytes) -> None:
        """Write a batch."""
        self._write({"agent": self._agent, "device": device, "payload": base64.b64encode(payload).decode()})
        self.batches += 1

    def seal(self, certificate: str = "", sign: Callable[[bytes], bytes] | None = None) -> Seal:
        """Write the last line, signed where `sign` is given; return it."""
        sha256 = self._digest.hexdigest()
        seal = Seal(self.batches, sha256, certificate, sign(signed_text(sha256)) if sign else b"")
        self._file.write(_encode_seal(seal))
        return seal

    def _write(self, content: dict[str, Any]) -> None:
        line = _encode(content)
        self._digest.update(line)
        self._file.write(line)


def read(source: BinaryIO, copy: BinaryIO, progress: Callable[[int], None] = lambda _: None) -> tuple[Head, Seal]:
    """
    Read a whole file into `copy` and check all of it but the signature; BadFile for what is wrong.

    What is checked here is what `carried` yields afterwards, whatever becomes of the source. `progress` is told the
    bytes of each line.
    """
    digest = hashlib.sha256()
    lines = _lines(source)
    number, line = next(lines, (1, b""))
    head = _read_head(line)
    last = b""
    for number, after in lines:
        digest.update(line)
        copy.write(line)
        progress(len(line))
        if last:
            _read_batch(line, number - 1, head.agent)
        last = line = after
    seal = _read_seal(last)
    if seal.sha256 != digest.hexdigest() or seal.batches != number - 2:
        raise BadFile("was changed after it was written: its SHA-256 is another one")
    return head, seal


def carried(copy: BinaryIO) -> Iterator[Carried]:
    """Yield the batches of a copy that `read` made."""
    copy.seek(0)
    lines = _lines(copy)
    _, line = next(lines)
    agent = _read_head(line).agent
    for number, line in lines:
        yield _read_batch(line, number, agent)


# ---- inside


def _encode(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _encode_seal(seal: Seal) -> bytes:
    content: dict[str, Any] = {"batches": seal.batches, "sha256": seal.sha256}
    if seal.certificate:
        content |= {"certificate": seal.certificate, "signature": base64.b64encode(seal.signature).decode()}
    return _encode(content)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise BadFile(f"line {number} is longer than {MAX_LINE_BYTES} bytes: this is no file of batches")
        if not line.endswith(b"\n"):
            raise BadFile(f"is cut short: line {number} has no end")
        yield number, line


def _object(line: bytes) -> dict[str, Any]:
    """Return the object of a line, an empty one when it is none."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return {}
    return content if isinstance(content, dict) else {}


def _read_head(line: bytes) -> Head:
    content = _object(line)
    if content.get("format") != FORMAT:
        raise BadFile("is no file of batches: `santong-agent spool export` writes one")
    if content.get("version") != VERSION:
        raise BadFile(f"is of version {str(content.get('version'))[:20]}, this santong reads version {VERSION}")
    agent, at, product = (content.get(key) for key in ("agent", "exported_at", "product"))
    if not isinstance(agent, str) or not is_device(agent) or not isinstance(product, str):
        raise BadFile("line 1 names no agent and no version of the product")
    try:
        return Head(agent, datetime.strptime(str(at), _AT).replace(tzinfo=UTC), product)
    except ValueError:
        raise BadFile("line 1 does not say when it was exported") from None


def _read_batch(line: bytes, number: int, agent: str) -> Carried:
    content = _object(line)
    if content.get("agent") != agent:
        raise BadFile(f"line {number} is no batch of {agent}")
    device, text = content.get("device"), content.get("payload")
    try:
        if isinstance(device, str) and is_device(device) and isinstance(text, str):
            return Carried(device, base64.b64decode(text, validate=True))
    except ValueError:  # binascii.Error is one
        pass
    raise BadFile(f"line {number} has no device, or no payload in base64")


def _read_seal(line: bytes) -> Seal:
    content = _object(line)
    if "payload" in content or not line:
        raise BadFile("is cut short: the last line, which has the SHA-256 of all others, is missing")
    flaw = BadFile("was changed after it was written: its last line is not as it was")
    batches, sha256 = content.get("batches"), content.get("sha256")
    certificate, signature = content.get("certificate", ""), content.get("signature", "")
    if not isinstance(batches, int) or not isinstance(sha256, str) or not _HEX.fullmatch(sha256):
        raise flaw
    if not isinstance(certificate, str) or not isinstance(signature, str):
        raise flaw
    try:
        seal = Seal(batches, sha256, certificate, base64.b64decode(signature, validate=True))
    except ValueError:
        raise flaw from None
    if _encode_seal(seal) != line:
        raise flaw
    return seal
