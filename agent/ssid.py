r"""
Names of wireless networks: bytes that need not be text, and how the programs that print them escape them.

    iw                          caf\xc3\xa9             what is not printable ASCII, backslashes, spaces at the ends
    hostapd, wpa_supplicant     caf\xc3\xa9 \"x\"       as printf would: \xNN \\ \" \n \r \t \e
"""

import re

_IW = re.compile(rb"\\x([0-9a-fA-F]{2})")
_PRINTF = re.compile(rb'\\(x[0-9a-fA-F]{2}|[\\"nrte])')
_ESCAPED = {b"\\": b"\\", b'"': b'"', b"n": b"\n", b"r": b"\r", b"t": b"\t", b"e": b"\033"}


def from_iw(text: str) -> bytes:
    r"""Return the bytes of an SSID in which iw wrote \xNN."""
    return _IW.sub(lambda match: bytes([int(match[1], 16)]), text.encode("utf-8", "surrogateescape"))


def from_printf(text: str) -> bytes:
    """Return the bytes of an SSID that was escaped as printf would."""

    def byte(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code[1:], 16)]) if code[:1] == b"x" else _ESCAPED[code]

    return _PRINTF.sub(byte, text.encode("utf-8", "surrogateescape"))


def ssid_text(ssid: bytes) -> str:
    """
    Return the bytes of an SSID as text: UTF-8, else GB 18030, which old access points still send.

    A hidden SSID (none, or nothing but zero bytes) is empty. Bytes that are neither become U+FFFD.
    """
    if not ssid.strip(b"\0"):
        return ""
    for encoding in ("utf-8", "gb18030"):
        try:
            return ssid.decode(encoding)
        except UnicodeDecodeError:
            continue
    return ssid.decode("utf-8", "replace")
