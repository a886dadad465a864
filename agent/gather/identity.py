"""Which hardware this is and where it hangs: the evidence against clones and moved devices."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.gather.network import default_gateway, neighbour
from contract import __version__
from contract.sample import Sample, Value

HOUR_NS = 3_600_000_000_000
# Boards and vendors that never filled in a number say so in one of these ways.
_PLACEHOLDERS = {"", "none", "default string", "to be filled by o.e.m.", "system serial number", "not specified", "0"}


class Identity:
    """Source `identity`: at start, on change, and hourly."""

    name = "identity"

    def __init__(self, root: Path = Path("/"), profile: str = "", *, stop_marks: bool = False) -> None:
        self._root = root
        self._profile = profile
        self._stop_marks = stop_marks
        self._last: dict[str, Value] = {}
        self._last_ns = 0

    def gather(self, at_ns: int) -> Iterator[Sample]:
        """Yield the sample when it is due."""
        fields = self.read()
        has_changed = any(self._last.get(name) != value for name, value in fields.items())
        if has_changed or at_ns - self._last_ns >= HOUR_NS:
            self._last |= fields  # what is not seen just now has not changed, but is not claimed either
            self._last_ns = at_ns
            yield Sample("identity", fields, at_ns)

    def read(self) -> dict[str, Value]:
        """Return what can be read now; what cannot is absent."""
        fields: dict[str, Value] = {"serial": serial(self._root), "version": __version__}
        if self._stop_marks:
            fields["stop_marks"] = 1
        if self._profile:
            fields["profile"] = self._profile
        if name := model(self._root):
            fields["model"] = name
        if gateway := default_gateway(self._root):
            if gateway.subnet:
                fields["subnet"] = gateway.subnet
            if mac := _mac_of(gateway.address):
                fields["gateway_mac"] = mac
        return fields


def _mac_of(address: str) -> str:
    try:
        entry = neighbour(address)
    except OSError:
        return ""
    return entry.mac if entry else ""


def serial(root: Path = Path("/")) -> str:
    """Return the hardware's serial number: device tree, DMI, else the machine id, which is the installation's."""
    if sys.platform == "win32":
        from agent.gather import identity_windows  # noqa: PLC0415

        return _serial_of(identity_windows.serials(), identity_windows.machine())
    names = (
        "sys/firmware/devicetree/base/serial-number",
        "sys/class/dmi/id/product_serial",
        "sys/class/dmi/id/board_serial",
    )
    return _serial_of((_read(root / name) for name in names), _read(root / "etc/machine-id"))


def _serial_of(numbers: Iterable[str], machine: str) -> str:
    """Return the first number that somebody filled in, else that of the installation."""
    real = (number for number in numbers if number.lower() not in _PLACEHOLDERS)
    return next(real, f"machine-id:{machine.replace('-', '')[:12]}" if machine else "unknown")


def model(root: Path = Path("/")) -> str:
    """Return the hardware's model: device tree, else DMI vendor and product; empty when neither is there."""
    return device_tree_model(root) or " ".join(filter(None, maker_and_product(root)))


def device_tree_model(root: Path = Path("/")) -> str:
    """Return the board's name in the device tree; empty where there is none."""
    return _read(root / "sys/firmware/devicetree/base/model")


def maker_and_product(root: Path = Path("/")) -> tuple[str, str]:
    """Return who made the machine and what it is called, by its firmware; empty where nobody filled them in."""
    if sys.platform == "win32":
        from agent.gather import identity_windows  # noqa: PLC0415

        names = identity_windows.maker_and_product()
    else:
        names = [_read(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")]
    maker, product = ("" if name.lower() in _PLACEHOLDERS else name for name in names)
    return maker, product


def _read(path: Path) -> str:
    """Return the text of a file; device tree strings end with NUL."""
    try:
        return path.read_bytes().decode(errors="replace").strip("\x00 \t\n")
    except OSError:
        return ""
