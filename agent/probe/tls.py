"""TLS of a probe: the handshake (RFC 8446), who is believed, and until when a certificate is valid (RFC 5280)."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from agent.outcome import Unable

_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


class Certificate(NamedTuple):
    """From when until when a certificate is valid, in UTC."""

    begins: datetime
    ends: datetime

    @property
    def days(self) -> float:
        """The days that are left, below zero when it has expired."""
        return round((self.ends - datetime.now(UTC)).total_seconds() / 86_400, 3)


def context(ca: str, verify: bool) -> ssl.SSLContext:
    """
    Return a context that believes the authorities in the file `ca`, those of the system when it is empty.

    Unable: the file cannot be read.
    """
    try:
        made = ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        raise Unable(f"ca = {ca}: {error.strerror or error}") from None
    made.set_alpn_protocols(["http/1.1"])
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def certificate_of(sock: ssl.SSLSocket) -> Certificate | None:
    """Return what the server has shown, whether or not it was verified."""
    try:
        return parse(sock.getpeercert(binary_form=True) or b"")
    except ValueError:
        return None


def explain(error: ssl.SSLCertVerificationError, certificate: Certificate | None) -> str:
    """Return why a certificate is not believed. A wrong clock makes good ones look bad, so the dates are told."""
    reason = error.verify_message.rstrip(".")
    if error.verify_code not in (_NOT_YET_VALID, _EXPIRED):
        return reason
    if certificate and error.verify_code == _NOT_YET_VALID:
        reason = f"certificate is not valid before {certificate.begins:%Y-%m-%d}"
    elif certificate:
        reason = f"certificate expired on {certificate.ends:%Y-%m-%d}"
    return f"{reason}; the clock here says {datetime.now(UTC):%Y-%m-%d}: is it right?"


def parse(der: bytes) -> Certificate:
    """
    Return the validity of a certificate in DER (RFC 5280 §4.1); ValueError when it is not one.

    The standard library decodes only certificates that it has verified, and an expired one is not.
    """
    _, to_be_signed = next(_elements(_content(der, _SEQUENCE)), (0, b""))
    fields = [field for field in _elements(to_be_signed) if field[0] != _VERSION]
    if len(fields) < 4:  # serial number, signature algorithm, issuer, validity
        raise ValueError("not a certificate")
    times = [_time(tag, text) for tag, text in _elements(fields[3][1])]
    if len(times) != 2:
        raise ValueError("not the validity of a certificate")
    return Certificate(*times)


def _content(data: bytes, tag: int) -> bytes:
    found, content = next(_elements(data), (None, b""))
    if found != tag:
        raise ValueError(f"element {tag:#x} is due")
    return content


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of the elements of a DER text (X.690); tags above 30 do not occur in a certificate."""
    at = 0
    while at + 2 <= len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("cut off")
        yield tag, data[at : at + length]
        at += length


def _time(tag: int, content: bytes) -> datetime:
    """Return UTCTime or GeneralizedTime (RFC 5280 §4.1.2.5)."""
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"element {tag:#x} is not a time")
    if not re.fullmatch(r"[0-9]{14}Z", text):
        raise ValueError(f"{text!r} is not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
