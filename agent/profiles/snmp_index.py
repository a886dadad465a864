"""
Addresses in an index: numbers there that no value tells.

IP addresses in the index of standard tables (RFC 4293, 4292, 4022, 4113):

    1.3.6.1.2.1.4.20.1.2.203.0.113.7      four numbers of an IPv4 address, at a place that the table knows
    1.3.6.1.2.1.4.34.1.3.2.16.32.1.…      InetAddressType, length, address

MAC addresses in the index of any other table, whose shape nobody tells: after entry 1 and the column stand six octets,
alone, after their length, after a number or two (VLAN, controller), or before a number or two (radio, network).
"""

from collections.abc import Container, Iterator

from agent.gather.snmp_values import Oid, oid
from agent.profiles.redact import Redactor, is_text

# Entries of tables, and how many numbers of the index stand before each IPv4 address.
_IPV4 = {
    oid("1.3.6.1.2.1.3.1.1"): (2,),  # atEntry
    oid("1.3.6.1.2.1.4.20.1"): (0,),  # ipAddrEntry
    oid("1.3.6.1.2.1.4.21.1"): (0,),  # ipRouteEntry
    oid("1.3.6.1.2.1.4.22.1"): (1,),  # ipNetToMediaEntry
    oid("1.3.6.1.2.1.4.24.4.1"): (0, 9),  # ipCidrRouteEntry
    oid("1.3.6.1.2.1.6.13.1"): (0, 5),  # tcpConnEntry
    oid("1.3.6.1.2.1.7.5.1"): (0,),  # udpEntry
}
STANDARD = frozenset(map(oid, ("1.3.6.1.2.1.4", "1.3.6.1.2.1.6", "1.3.6.1.2.1.7")))
_LENGTHS = {(1, 4): 4, (2, 16): 16, (3, 8): 4, (4, 20): 16}  # InetAddressType and length; 3 and 4 end with a zone

_MAC = 6  # octets of a MAC address
_FEW = 16  # radios of an access point, networks of a radio: their numbers are smaller


def with_stand_ins(name: Oid, redactor: Redactor) -> Oid:
    """Return an object's name in whose index no public address is left."""
    for entry, places in _IPV4.items():
        if name[: len(entry)] == entry:
            for place in places:
                name = _replaced(name, len(entry) + 1 + place, 4, redactor)
            return name
    if name[:7] in STANDARD:
        at = 10
        while at + 2 < len(name):
            length = _LENGTHS.get((name[at], name[at + 1]), 0)
            if length:
                name = _replaced(name, at + 2, length, redactor)
            at += 2 + length if length else 1
    return name


def _replaced(name: Oid, start: int, length: int, redactor: Redactor) -> Oid:
    window = name[start : start + length]
    if len(window) < length or max(window) > 255:
        return name
    return (*name[:start], *redactor.given.address(bytes(window)), *name[start + length :])


def mac_of_index(name: Oid, known: Container[bytes]) -> bytes | None:
    """Return the MAC address in an object's index; None where there is none, or one that is `known` already."""
    if name[:7] in STANDARD or _ends_with_text(name):  # their indices are other addresses
        return None
    windows = [bytes(name[at : at + _MAC]) for at in range(9, len(name) - _MAC + 1) if max(name[at : at + _MAC]) < 256]
    if any(window in known for window in windows):
        return None
    return next((octets for after in _ends(name) if (octets := _address(name, after))), None)


def _ends(name: Oid) -> Iterator[int]:
    """Yield how many numbers may stand after the address in an index, the likeliest first; no column is in it."""
    for after in (0, 1, 2):
        start = len(name) - _MAC - after
        if name[start - 1] == _MAC and (_is_column(name, start - 1) or _is_column(name, start - 2)):
            yield after
    if _is_column(name, len(name) - _MAC - 1):
        yield 0
    shifted = [after for after in (1, 2) if _is_column(name, len(name) - _MAC - after - 1)]
    yield from (after for after in shifted if max(name[-after:]) < _FEW)
    if any(_is_column(name, len(name) - _MAC - before - 1) for before in (1, 2)):
        yield 0
    yield from shifted


def _is_column(name: Oid, at: int) -> bool:
    return at >= 9 and name[at - 1] == 1


def _address(name: Oid, after: int) -> bytes | None:
    """Return six octets of an index where they have the form of a MAC address."""
    start = len(name) - _MAC - after
    window = name[start : start + _MAC]
    if start < 10 or max(window) > 255:
        return None
    octets = bytes(window)
    is_address = octets[:2] == b"\x01\x04"  # InetAddressType ipv4, its length
    is_word = after and is_text(bytes(min(arc, 255) for arc in name[start + 2 :]))  # a text without its length
    many = sum(octet >= 32 for octet in octets) >= 2 and not octets[0] & 1
    return octets if many and not is_address and not is_word and not is_text(octets) else None


def _ends_with_text(name: Oid) -> bool:
    """Tell whether an index ends with a text: its length, and its letters (RFC 2578 §7.7)."""
    return any(
        name[-length - 1] == length and is_text(bytes(name[-length:]))
        for length in range(3, min(len(name) - 9, 64))
        if max(name[-length:]) < 128
    )
