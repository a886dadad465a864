"""
Which hardware a Windows machine is: its firmware's tables, else the registry.

Never run on Windows: docs/windows.md.
"""

import ctypes

from agent import windows
from agent.gather.smbios import Hardware, hardware, table_of

_RSMB = 0x52534D42  # 'RSMB', the raw tables of SMBIOS
_BIOS = r"HARDWARE\DESCRIPTION\System\BIOS"
_CRYPTOGRAPHY = r"SOFTWARE\Microsoft\Cryptography"


def serials() -> tuple[str, str]:
    """Return the serial numbers of system and baseboard, which may be empty or a vendor's placeholder."""
    found = _hardware()
    return found.serial, found.board_serial


def maker_and_product() -> tuple[str, str]:
    """Return who made the machine, and what it is called."""
    found = _hardware()
    return (
        found.manufacturer or str(windows.registry(_BIOS, "SystemManufacturer") or ""),
        found.product or str(windows.registry(_BIOS, "SystemProductName") or ""),
    )


def machine() -> str:
    """Return the installation's own id, made at random when Windows was installed; clones of a disk share it."""
    return str(windows.registry(_CRYPTOGRAPHY, "MachineGuid") or "")


def _hardware() -> Hardware:
    """Read the firmware's table (GetSystemFirmwareTable, which needs no privilege)."""
    try:
        read = windows.library("kernel32").GetSystemFirmwareTable
        size = read(_RSMB, 0, None, 0)
        buffer = ctypes.create_string_buffer(size)
        read(_RSMB, 0, buffer, size)
    except OSError:
        return Hardware()
    return hardware(table_of(buffer.raw))
