"""
Stand-ins for what must not leave a device: of the same shape, and always the same for the same original.

    aa:bb:cc:dd:ee:ff → 00:00:5e:00:53:00      RFC 9542 §2.1.4, for documentation
    8.8.4.4           → 192.0.2.1              RFC 5737; 2001:db8::1, RFC 3849
    2102351BTU10K8    → 0000000AAA00A1         letters and digits stay letters and digits

What is joined by an address (a row's index and another row's value) still is. Nothing of the original is left in it.
"""

import ipaddress
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bytes, str)
_FOR_MACS = bytes.fromhex("00005e0053")  # and one octet
_FOR_GROUPS = bytes.fromhex("01005e9010")  # the same, for multicast
_FOR_MORE_MACS = bytes.fromhex("02005e")  # locally administered, when those are used up
_NETS = tuple(map(ipaddress.IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
_MORE = ipaddress.IPv4Network("198.18.0.0/15")  # for benchmarks (RFC 2544), when those are used up
_IPV6 = bytes.fromhex("20010db8")
_LINK_LOCAL = bytes.fromhex("fe80") + bytes(6)
_NOBODY = (bytes(6), b"\xff" * 6)
_KNOWN_GROUPS = tuple(map(bytes.fromhex, ("0180c2", "01005e", "333300")))  # of protocols, not of devices
_EUI = b"\xff\xfe"
_ALPHABETS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "甲乙丙丁戊己庚辛壬癸")
_HEXADECIMAL = "0123456789abcdef"


class StandIns:
    """Gives out stand-ins, each once."""

    def __init__(self) -> None:
        self.macs: dict[bytes, bytes] = {}
        self.addresses: dict[bytes, bytes] = {}  # of 4 or 16 octets
        self.words: dict[str, str] = {}
        self.made: set[bytes | str] = set()  # what is a stand-in already stays as it is
        self._given: dict[str, int] = {}

    def mac(self, original: bytes) -> bytes:
        """Return the stand-in of a MAC address of six octets; what belongs to nobody stays as it is."""
        if original in self.made and original not in self.macs:
            return original
        if original in _NOBODY or original.startswith(_KNOWN_GROUPS):
            return original
        if original not in self.macs:
            self.macs[original] = self._next(self._mac_of, original)
        return self.macs[original]

    def _mac_of(self, original: bytes) -> bytes:
        is_group = original[0] & 1
        number = self._number("group" if is_group else "mac") - 1
        if number < 256:
            return (_FOR_GROUPS if is_group else _FOR_MACS) + bytes([number])
        return bytes([_FOR_MORE_MACS[0] | is_group]) + _FOR_MORE_MACS[1:] + number.to_bytes(3, "big")

    def address(self, original: bytes) -> bytes:
        """
        Return the stand-in of an IP address of 4 or 16 octets; a private one stays as it is.

        A MAC address in it (EUI-64, RFC 4291 §2.5.1) gets its own stand-in.
        """
        if len(original) == 16 and original[11:13] == _EUI:
            own = eui64(self.mac(mac_of_eui64(original[8:])))
            if original[:2] == _LINK_LOCAL[:2] or not is_public(original):
                return original[:8] + own
        elif not is_public(original) and original[:2] != _LINK_LOCAL[:2]:
            return original
        if original in self.made and original not in self.addresses:
            return original
        if original not in self.addresses:
            of = self._ipv4_of if len(original) == 4 else self._ipv6_of
            self.addresses[original] = self._next(of, original)
        return self.addresses[original]

    def _ipv4_of(self, _original: bytes) -> bytes:
        number = self._number("ipv4")
        net = _NETS[(number - 1) // 254] if number <= 254 * len(_NETS) else _MORE
        return (net[(number - 1) % 254 + 1] if net is not _MORE else net[number]).packed

    def _ipv6_of(self, original: bytes) -> bytes:
        if original[:2] == _LINK_LOCAL[:2]:
            return _LINK_LOCAL + self._number("link-local").to_bytes(8, "big")
        return _IPV6 + self._number("ipv6").to_bytes(12, "big")

    def word(self, original: str, *, is_hexadecimal: bool = False) -> str:
        """Return the stand-in of a name, a serial number or a secret, whose capitals do not count."""
        key = folded(original)
        if original in self.made and key not in self.words:
            return original
        if key not in self.words:
            alphabets = (_HEXADECIMAL,) if is_hexadecimal else _ALPHABETS
            shape = ["0" if is_hexadecimal and letter in _HEXADECIMAL else _zero(letter) for letter in original]
            self.words[key] = self._next(lambda _: _numbered(shape, self._number("".join(shape)), alphabets), original)
        return self.words[key]

    def _number(self, what: str) -> int:
        self._given[what] = self._given.get(what, 0) + 1
        return self._given[what]

    def _next(self, make: Callable[[T], T], original: T) -> T:
        """Return the next stand-in that is not the original itself."""
        made = make(original)
        made = made if made != original else make(original)
        self.made.add(made)
        return made


def folded(text: str) -> str:
    """Return a text without capitals, letter for letter."""
    return "".join(lower if len(lower := letter.lower()) == 1 else letter for letter in text)


def _zero(letter: str) -> str:
    """Return the first of the alphabet to which a letter belongs; what is neither letter nor digit stays."""
    if letter.isdigit():
        return "0"
    if not letter.isalpha():
        return letter
    if not letter.isascii():
        return "甲"
    return "A" if letter.isupper() else "a"


def _numbered(shape: list[str], number: int, alphabets: tuple[str, ...]) -> str:
    """Return a shape that counts: the number is written into it from behind, each place in its own alphabet."""
    made = list(shape)
    for place in reversed(range(len(made))):
        alphabet = next((letters for letters in alphabets if made[place] == letters[0]), "")
        if alphabet:
            number, digit = divmod(number, len(alphabet))
            made[place] = alphabet[digit]
    return "".join(made) + (str(number) if number else "")


def is_public(address: bytes) -> bool:
    """Tell whether an address is one of the Internet, or a stand-in itself: two must not become the same."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return (ip.is_global and not ip.is_multicast) or ip in _MORE or any(ip in net for net in _NETS)
    return address[0] >> 5 == 1  # 2000::/3, RFC 4291 §2.4


def eui64(mac: bytes) -> bytes:
    """Return the interface identifier that IPv6 makes of a MAC address (RFC 4291, appendix A)."""
    return bytes([mac[0] ^ 2]) + mac[1:3] + _EUI + mac[3:]


def mac_of_eui64(identifier: bytes) -> bytes:
    """Return the MAC address of which an interface identifier was made."""
    return bytes([identifier[0] ^ 2]) + identifier[1:3] + identifier[5:]
