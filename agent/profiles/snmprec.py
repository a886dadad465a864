"""
A recorded SNMP device, as `snmp.snmprec` has it: a line an object, `OID|type|value`, with nothing private in it.

    1.3.6.1.2.1.1.3.0|67|8811            the type is the ASN.1 tag: 67 TimeTicks (RFC 2578)
    1.3.6.1.2.1.2.2.1.6.1|4x|00005e005300   with x the value is in hexadecimal digits

What is learned comes from the places where MIBs keep names and serial numbers, from columns of tables whose values are
all different, and from indices that have the form of an address.
"""

import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence

from agent.gather.snmp_values import Oid, dotted, oid
from agent.gather.snmp_walk import ADDRESS, IDENTIFIER, OCTETS, OPAQUE, Varbind
from agent.profiles.redact import Redactor, is_text
from agent.profiles.snmp_index import mac_of_index, with_stand_ins

_SYSTEM = {"sysContact": "1.3.6.1.2.1.1.4", "sysName": "1.3.6.1.2.1.1.5", "sysLocation": "1.3.6.1.2.1.1.6"}
# Where people's words, serial numbers and SSIDs stand.
WORDS = tuple(
    map(
        oid,
        (
            *_SYSTEM.values(),
            "1.3.6.1.2.1.25.3.8.1.3",  # hrFSRemoteMountPoint
            "1.3.6.1.2.1.31.1.1.1.18",  # ifAlias
            "1.3.6.1.2.1.43.5.1.1.17",  # prtGeneralSerialNumber
            "1.3.6.1.2.1.47.1.1.1.1.11",  # entPhysicalSerialNum
            "1.3.6.1.2.1.47.1.1.1.1.14",  # entPhysicalAlias
            "1.3.6.1.2.1.47.1.1.1.1.15",  # entPhysicalAssetID
            "1.3.6.1.4.1.2011.6.139.13.3.3.1.2",  # Huawei: serial number and name of an access point
            "1.3.6.1.4.1.2011.6.139.13.3.3.1.4",
            "1.3.6.1.4.1.25506.2.75.2.1.2.1.8",  # H3C: the name of one
            "1.3.6.1.4.1.2011.10.2.75.2.1.2.1.8",
            "1.3.6.1.4.1.14988.1.1.7.3",  # MikroTik: serial number, SSID
            "1.3.6.1.4.1.14988.1.1.1.3.1.4",
            "1.3.6.1.4.1.41112.1.6.1.2.1.6",  # UniFi: SSID
        ),
    )
)
MACS = tuple(
    map(
        oid,
        (
            "1.3.6.1.2.1.2.2.1.6",  # ifPhysAddress
            "1.3.6.1.2.1.4.22.1.2",  # ipNetToMediaPhysAddress
            "1.3.6.1.2.1.4.35.1.4",  # ipNetToPhysicalPhysAddress
            "1.3.6.1.2.1.17.1.1",  # dot1dBaseBridgeAddress
            "1.3.6.1.2.1.17.4.3.1.1",  # dot1dTpFdbAddress
        ),
    )
)
# Not even asked for: what runs and is installed, with its arguments; who may ask, whose names are the index.
LEFT_OUT = tuple(
    map(
        oid,
        (
            "1.3.6.1.2.1.25.1.4",  # hrSystemInitialLoadParameters
            "1.3.6.1.2.1.25.4",  # hrSWRun
            "1.3.6.1.2.1.25.5",  # hrSWRunPerf
            "1.3.6.1.2.1.25.6",  # hrSWInstalled
            "1.3.6.1.4.1.8072.1.2",  # nsModuleTable, large and of no use to anybody else
            "1.3.6.1.4.1.8072.1.9",  # nsVacm
            "1.3.6.1.6.3.15",  # usm
            "1.3.6.1.6.3.16",  # vacm
            "1.3.6.1.6.3.18",  # snmpCommunity
        ),
    )
)
_SYS_DESCR = oid("1.3.6.1.2.1.1.1.0")
_UNAME = re.compile(rb"((?:Linux|FreeBSD|OpenBSD|NetBSD|Darwin|SunOS) )([A-Za-z0-9._-]+)(?= \S*[0-9])")  # net-snmp's
_FLOAT = b"\x9f\x78\x04"  # how net-snmp wraps a float into an Opaque
_SERIAL = re.compile(r"(?=(?:.*[0-9]){4})(?=.*[A-Z])[A-Z0-9-]{8,}")
_LEAST_ROWS = 3


def left_out(name: Oid, roots: Sequence[Oid]) -> Oid | None:
    """Return the root of what is left out, of which the name is part; None also where somebody asked for just that."""
    for root in LEFT_OUT:
        if name[: len(root)] == root and not any(asked[: len(root)] == root for asked in roots):
            return root
    return None


def redacted(found: Sequence[Varbind], redactor: Redactor) -> tuple[list[Varbind], int]:
    """Return the same device with stand-ins, in the order of its names, and how many objects could not be kept."""
    columns = _columns(found)
    macs = {column for column, values in columns.items() if _is_of_macs(column, values)}
    _learn(columns, macs, redactor)
    made: list[Varbind] = []
    for _ in range(2):  # the first time it learns
        made = [_redacted(one, redactor, is_mac=_column(one.oid) in macs) for one in found]
    kept = {one.oid: one for one in made if not _survives(one, redactor)}
    return [kept[name] for name in sorted(kept)], len(found) - len(kept)


def line(one: Varbind) -> str:
    """Return an object as a line of the file."""
    tag, value = str(one.tag), one.value
    if isinstance(value, tuple):
        text = dotted(value)
    elif isinstance(value, int):
        text = str(value)
    elif one.tag == ADDRESS:
        text = dotted(tuple(value))
    elif one.tag == OPAQUE and value[:3] == _FLOAT and len(value) == 7:
        tag, text = str(OCTETS), f"{struct.unpack('>f', value[3:])[0]:.6g}"  # what replays recordings has no Opaque
    elif is_text(value) and b"\n" not in value and b"\r" not in value and value == value.strip():
        tag, text = str(OCTETS), value.decode()
    else:
        tag, text = f"{OCTETS}x", value.hex()
    return f"{dotted(one.oid)}|{tag}|{text}"


def _redacted(one: Varbind, redactor: Redactor, *, is_mac: bool) -> Varbind:
    name = redactor.arcs(with_stand_ins(one.oid, redactor))
    value = one.value
    if one.tag == IDENTIFIER and isinstance(value, tuple):
        value = redactor.arcs(value)
    elif one.tag == ADDRESS and isinstance(value, bytes) and len(value) == 4:
        value = redactor.given.address(value)
    elif isinstance(value, bytes):
        value = _octets(one, value, redactor, is_mac=is_mac)
    return Varbind(name, one.tag, value)


def _octets(one: Varbind, value: bytes, redactor: Redactor, *, is_mac: bool) -> bytes:
    if one.tag == OPAQUE:
        return value
    if any(one.oid[: len(place)] == place for place in WORDS):
        return _word(value, redactor)
    if one.oid == _SYS_DESCR and (uname := _UNAME.match(value)):
        host = redactor.learn(uname[2].decode())
        value = uname[1] + host.encode() + value[uname.end() :]
    return redactor.octets(value, is_mac=is_mac)


def _word(value: bytes, redactor: Redactor) -> bytes:
    """Return the stand-in of a whole text, which older devices have in the Chinese of GBK."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return redactor.learn(value.rstrip(b"\0").decode(encoding)).encode(encoding)
        except UnicodeError:
            continue
    return b"x" * len(value)


def _survives(one: Varbind, redactor: Redactor) -> bool:
    if redactor.survives(with_stand_ins(one.oid, redactor)):
        return True
    if one.tag == ADDRESS or isinstance(one.value, int):
        return False
    is_word = one.oid == _SYS_DESCR or any(one.oid[: len(place)] == place for place in WORDS)
    return one.tag != OPAQUE and not is_word and redactor.survives(one.value)


# ---- what a walk tells by its form


def _column(name: Oid) -> Oid:
    """Return the column of a table to which an object belongs, as far as its name tells: entry 1, column, index."""
    for at in range(len(name) - 2, 6, -1):
        if name[at - 1] == 1 and name[at] < 256 and len(name) - at - 1 <= 8:
            first = at
            while first > 8 and name[first - 2] == 1:
                first -= 1
            return name[: first + 1]
    return name[:-1]


def _columns(found: Iterable[Varbind]) -> dict[Oid, list[tuple[Oid, bytes]]]:
    columns: dict[Oid, list[tuple[Oid, bytes]]] = defaultdict(list)
    for one in found:
        value = one.value if one.tag == OCTETS and isinstance(one.value, bytes) else b""
        columns[_column(one.oid)].append((one.oid, value))
    return columns


def _is_of_macs(column: Oid, values: Sequence[tuple[Oid, bytes]]) -> bool:
    """Tell whether a column holds MAC addresses, so that one which happens to be text is none the less one."""
    if any(column[: len(place)] == place for place in MACS):
        return True
    six = [value for _, value in values if value]
    return all(len(value) == 6 for value in six) and any(not is_text(value) for value in six)


def _learn(columns: dict[Oid, list[tuple[Oid, bytes]]], macs: set[Oid], redactor: Redactor) -> None:
    for column, values in columns.items():
        for _, value in values:
            if len(value) == 6 and (column in macs or not is_text(value)):
                redactor.given.mac(value)
    # From the last column on: where the first one, 1, could be the entry too, the address is known from the others
    for _, values in sorted(columns.items(), reverse=True):
        for word in _serials([value for _, value in values]):
            redactor.learn(word)
        if len({len(name) for name, _ in values}) == 1:  # else the index is a text or an identifier
            for name, _ in values:
                if mac := mac_of_index(name, redactor.given.macs):
                    redactor.given.mac(mac)


def _serials(values: Sequence[bytes]) -> list[str]:
    """Return a column's texts where they look like serial numbers: as long as each other, none of them twice."""
    texts = [value.decode("ascii", "replace") for value in values]
    alike = len(texts) >= _LEAST_ROWS and len(set(texts)) == len(texts) and len({len(text) for text in texts}) == 1
    return texts if alike and all(map(_SERIAL.fullmatch, texts)) else []
