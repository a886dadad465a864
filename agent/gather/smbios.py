"""
The structure table of SMBIOS (DMTF DSP0134), as the firmware gives it: who made this machine, and its numbers.

    type  length  handle  formatted area … (length octets in all)  strings, each ended by NUL  NUL
"""

from collections.abc import Iterator
from typing import NamedTuple

_SYSTEM, _BASEBOARD, _END = 1, 2, 127
_HEADER = 4
# Where the numbers of the strings stand in types 1 and 2 alike (DSP0134 §7.2, §7.3).
_MANUFACTURER, _PRODUCT, _SERIAL = 4, 5, 7
_RAW_HEADER = 8


class Hardware(NamedTuple):
    """What the firmware says, each word empty where it says nothing."""

    manufacturer: str = ""
    product: str = ""
    serial: str = ""
    board_serial: str = ""


class Structure(NamedTuple):
    """One structure: its type, its formatted area with the header, its strings."""

    type: int
    area: bytes
    strings: list[str]

    def text(self, offset: int) -> str:
        """Return the string whose number stands at an offset of the formatted area; 0 and what is too far are none."""
        number = self.area[offset] if offset < len(self.area) else 0
        return self.strings[number - 1].strip() if 0 < number <= len(self.strings) else ""


def table_of(raw: bytes) -> bytes:
    """Return the table in what GetSystemFirmwareTable gives: RawSMBIOSData, 8 octets before it, the last its length."""
    length = int.from_bytes(raw[4:_RAW_HEADER], "little")
    return raw[_RAW_HEADER : _RAW_HEADER + length]


def structures(table: bytes) -> Iterator[Structure]:
    """Yield the structures; a table that is cut off or nonsense only ends early."""
    at = 0
    while at + _HEADER <= len(table):
        kind, length = table[at], table[at + 1]
        ends = table.find(b"\0\0", at + length)
        if length < _HEADER or ends < 0 or kind == _END:
            return
        text = table[at + length : ends]
        yield Structure(kind, table[at : at + length], text.decode("latin-1").split("\0") if text else [])
        at = ends + 2


def hardware(table: bytes) -> Hardware:
    """Return what the first structures of system and baseboard say."""
    found: dict[int, Structure] = {}
    for one in structures(table):
        found.setdefault(one.type, one)
    nothing = Structure(0, b"", [])
    system, board = found.get(_SYSTEM, nothing), found.get(_BASEBOARD, nothing)
    return Hardware(system.text(_MANUFACTURER), system.text(_PRODUCT), system.text(_SERIAL), board.text(_SERIAL))
