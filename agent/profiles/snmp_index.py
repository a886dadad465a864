"""
IP addresses in the index of standard tables (RFC 4293, 4292, 4022, 4113): numbers there that no value tells.

    1.3.6.1.2.1.4.20.1.2.203.0.113.7      four numbers of an IPv4 address, at a place that the table knows
    1.3.6.1.2.1.4.34.1.3.2.16.32.1.…      InetAddressType, length, address
"""

from agent.gather.snmp_values import Oid, oid
from agent.profiles.redact import Redactor

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
