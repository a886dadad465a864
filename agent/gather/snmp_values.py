"""
What SNMP's values mean to us: text out of bytes, indices out of names. No network.

    oid("1.3.6.1.2.1.2.2.1.8") → (1, 3, 6, …)      value_of(bytes of text) → "三楼"
"""

import re

from contract.sample import Value

Oid = tuple[int, ...]
Raw = int | float | str | bytes  # bytes: an OCTET STRING, of which only `value_of` makes text

_MAC = re.compile(
    r"(?:[0-9a-f]{2}[: -]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}[-.:]){2}[0-9a-f]{4}|[0-9a-f]{6}[-:]?[0-9a-f]{6}", re.IGNORECASE
)
_INDEX = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_BLANK = "\r\n\t\u00a0\u3000"  # an ideographic space is a blank as wide as a Chinese character
_UNSEEN = "\ufeff\u200b\u200c\u200d\u2060"  # a byte order mark, and joints: what is pasted into a name often has them
_ADDRESS_LENGTHS = (6, 8)  # a MAC address; DateAndTime (RFC 2579)


def oid(text: str) -> Oid:
    """Return an object identifier as numbers."""
    return tuple(int(number) for number in text.split("."))


def dotted(numbers: Oid) -> str:
    """Return numbers as the text of an object identifier or index."""
    return ".".join(map(str, numbers))


def value_of(raw: Raw) -> Value:
    """Return what a row holds: numbers as they are, an OCTET STRING as text where it is text, else as hex with ':'."""
    return _text(raw) if isinstance(raw, bytes) else raw


def _text(data: bytes) -> str:
    """Decode UTF-8, else the Chinese of controllers that are older; strings may end with NUL, lines become one."""
    # The bytes of an address could be taken for rare characters of GB 18030; hardly for the common ones of GB 2312.
    chinese = "gb2312" if len(data) in _ADDRESS_LENGTHS else "gb18030"
    for encoding in ("utf-8", chinese):
        try:
            text = data.rstrip(b"\0").decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(letter.isprintable() or letter in _BLANK + _UNSEEN for letter in text):
            return " ".join("".join(letter for letter in text if letter not in _UNSEEN).split())
    return data.hex(":")


def fits(raw: Raw, wanted: str) -> bool:
    """
    Tell whether a value is the one that is looked for.

    Text may be there in UTF-8 or GB 18030, or as `value_of` shows it; a MAC address as six bytes or as text, however it
    is written.
    """
    if not isinstance(raw, bytes):
        return str(raw) == wanted
    data = raw.rstrip(b"\0")
    if data in (wanted.encode(), wanted.encode("gb18030", "replace")) or _text(raw) == wanted:
        return True
    address = mac(wanted)
    return address is not None and address in (raw, mac(data.decode("ascii", "replace")))


def mac(text: str) -> bytes | None:
    """Return the six bytes of a MAC address (`aa:bb:cc:dd:ee:ff`, `aabb-ccdd-eeff` …), None where it is none."""
    return bytes.fromhex(re.sub("[^0-9a-f]", "", text.lower())) if _MAC.fullmatch(text) else None


def index_of(key: str) -> Oid:
    """
    Return the numbers of an index (RFC 2578 §7.7).

    `3` and `3.1` as they are; a MAC address as its six numbers; other text as its length and its bytes.
    """
    if _INDEX.fullmatch(key) and max(oid(key)) < 1 << 32:  # a serial number may be longer than any number of SNMP
        return oid(key)
    if (address := mac(key)) is not None:
        return tuple(address)
    data = key.encode()
    return len(data), *data
