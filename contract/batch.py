"""
A batch: lines of one device, sent together under one sequence number.

    #santong/1 epoch=5f0c9a1e seq=41 clock=synced
    presence boot="…",uptime_s=5123.4,asleep_s=0.0,lan=1i,wan=1i,broker=1i 1764000000000000000

The payload is that text, gzip or not (told apart by gzip's magic bytes, RFC 1952). Header keys:

    epoch     8 to 16 hex digits, new at every start of an agent
    seq       1, 2, 3 … within the epoch, over all devices of the agent
    clock     synced (the kernel says so), trusted (the operator or a hypervisor vouches), unsynced
    previous  <epoch>:<last seq>, in the first batch of an epoch
    at, held  only in a batch without lines: unix ns of its delivery, number of samples held back

A reader ignores keys that it does not know: later versions append.
"""

import re
import zlib
from typing import NamedTuple

from contract.errors import BadBatch, Reason

VERSION = 1
MAGIC = b"#santong/"
GZIP_MAGIC = b"\x1f\x8b"
MAX_BATCH_BYTES = 1 << 20
MAX_BATCH_LINES = 30_000  # no batch of good lines has as many

_HEADER = re.compile(rb"#santong/(\d{1,4})((?: [a-z]+=[0-9a-z:]+)*)")
_COMMON = re.compile(rb"#santong/1 epoch=([0-9a-f]{8,16}) seq=(\d{1,15}) clock=(synced|trusted)\n")
_RULES = {
    "epoch": re.compile(r"[0-9a-f]{8,16}"),
    "seq": re.compile(r"\d{1,15}"),
    "clock": re.compile(r"synced|trusted|unsynced"),
    "previous": re.compile(r"[0-9a-f]{8,16}:\d{1,15}"),
    "at": re.compile(r"[1-9]\d{18}"),
    "held": re.compile(r"\d{1,15}"),
}
_REQUIRED = ("epoch", "seq", "clock")


class Batch(NamedTuple):
    """One batch. `lines` ends with a line feed, or is empty for a boot that never got the time."""

    epoch: str
    seq: int
    clock: str
    lines: bytes
    previous: str = ""
    at_ns: int = 0
    held: int = 0

    def header(self) -> bytes:
        """Return the header line without its line feed."""
        text = f"#santong/{VERSION} epoch={self.epoch} seq={self.seq} clock={self.clock}"
        if self.previous:
            text += f" previous={self.previous}"
        if not self.lines:
            text += f" at={self.at_ns:019d} held={self.held}"
        return text.encode()


def is_epoch(text: str) -> bool:
    """Tell whether `text` can name an epoch."""
    return _RULES["epoch"].fullmatch(text) is not None


def encode(batch: Batch, *, compress: bool = True) -> bytes:
    """Return the payload of a batch; gzip only where it is smaller."""
    plain = batch.header() + b"\n" + batch.lines
    if not compress:
        return plain
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: a gzip wrapper, without time or name, so always the same
    packed = packer.compress(plain) + packer.flush()
    return packed if len(packed) < len(plain) else plain


def decode(payload: bytes) -> Batch:
    """Return the batch of a payload; BadBatch names the reason, and epoch and seq where they could be read."""
    plain, flaw = text_of(payload)
    if flaw is None and (common := _COMMON.match(plain)) and len(plain) > common.end():
        return Batch(common[1].decode(), int(common[2]), common[3].decode(), plain[common.end() :])
    head, end, lines = plain.partition(b"\n")
    if flaw is not None:
        # A header that was cut could name another batch: seq=4 of seq=412.
        raise _with_identity(flaw, head if end else b"")
    return _read_header(head, lines)


def text_of(payload: bytes) -> tuple[bytes, BadBatch | None]:
    """Return the text of a payload, gzip or not, as far as it can be had, and what is wrong with it."""
    if not payload:
        return b"", BadBatch(Reason.EMPTY)
    packed = payload.startswith(GZIP_MAGIC)
    plain, flaw = _unpack(payload) if packed else (payload[:MAX_BATCH_BYTES], None)
    if not packed and len(payload) > MAX_BATCH_BYTES:
        flaw = BadBatch(Reason.TOO_LARGE, f"{len(payload)} bytes, {MAX_BATCH_BYTES} are allowed")
    if flaw is None and len(plain) > MAX_BATCH_LINES and plain.count(b"\n") > MAX_BATCH_LINES + 1:
        flaw = BadBatch(Reason.TOO_LARGE, f"more than {MAX_BATCH_LINES} lines")
    return plain, flaw


def _unpack(payload: bytes) -> tuple[bytes, BadBatch | None]:
    """Unpack at most MAX_BATCH_BYTES; what is wrong comes back beside what could be read."""
    unpacker = zlib.decompressobj(31)
    try:
        plain = unpacker.decompress(payload, MAX_BATCH_BYTES)
    except zlib.error as error:
        return b"", BadBatch(Reason.BAD_GZIP, str(error))
    if not unpacker.eof:
        if len(plain) >= MAX_BATCH_BYTES:
            return plain, BadBatch(Reason.TOO_LARGE, f"more than {MAX_BATCH_BYTES} bytes unpacked")
        return plain, BadBatch(Reason.BAD_GZIP, "cut short")
    if unpacker.unused_data:
        return plain, BadBatch(Reason.BAD_GZIP, "bytes after the end")
    return plain, None


def _with_identity(flaw: BadBatch, head: bytes) -> BadBatch:
    """Give epoch and seq to a flaw found before the header was read, so that the agent can be told."""
    match = _HEADER.fullmatch(head)
    keys = _keys(match) if match else {}
    if all(_RULES[key].fullmatch(keys.get(key, "")) for key in ("epoch", "seq")):
        flaw.epoch, flaw.seq = keys["epoch"], int(keys["seq"])
    return flaw


def _keys(match: re.Match[bytes]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in match[2].decode().split())


def _read_header(head: bytes, lines: bytes) -> Batch:
    match = _HEADER.fullmatch(head)
    if match is None:
        is_ours = head.startswith(MAGIC)
        raise BadBatch(Reason.BAD_HEADER if is_ours else Reason.NO_HEADER, repr(head[:80]))
    keys = _keys(match)
    if int(match[1]) != VERSION:
        raise _with_identity(BadBatch(Reason.WRONG_VERSION, f"version {int(match[1])}, this is {VERSION}"), head)
    present = keys.keys() | set(_REQUIRED)
    if wrong := [key for key, rule in _RULES.items() if key in present and not rule.fullmatch(keys.get(key, ""))]:
        what = ", ".join(f"{key}={keys.get(key, '')[:40]}" for key in wrong)
        raise _with_identity(BadBatch(Reason.BAD_HEADER, what), head)
    if not lines and "at" not in keys:
        raise _with_identity(BadBatch(Reason.EMPTY, "a header without lines and without a time of delivery"), head)
    # Beside lines a time of delivery means nothing: it would date a delivery point that no store may take.
    at_ns, held = (0, 0) if lines else (int(keys.get("at", 0)), int(keys.get("held", 0)))
    return Batch(keys["epoch"], int(keys["seq"]), keys["clock"], lines, keys.get("previous", ""), at_ns, held)
