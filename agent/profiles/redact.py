"""
What must not leave a device is replaced: addresses, serial numbers, names, secrets, in whatever form they stand.

    redactor = Redactor()
    for _ in range(2):                      the first time it learns: what is an address here may be an index there
        safe = [redactor.octets(value) for value in values]
    assert not redactor.survives(safe[0])

MAC addresses are known by their form: six octets, `aa:bb:cc:dd:ee:ff`, `aa-bb-…`, `aabb.ccdd.eeff`, `AABBCCDDEEFF`, in
numbers of an index, in IPv6 addresses made of them. Names and serial numbers have no form: who records says where they
stand (`learn`). A dotted quad may be a version; it is taken for an address unless what stands around it says otherwise.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence

from agent.profiles.stand_ins import StandIns, eui64, folded, is_public, mac_of_eui64
from agent.profiles.words import Words

_HEX = "[0-9A-Fa-f]"
_FORMS = re.compile(
    rf"""
    (?P<jwt>eyJ[\w-]{{4,}}\.[\w-]+\.[\w-]*)
  | (?P<uuid>{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}})
  | (?P<ipv6>(?<![0-9A-Za-z:.])(?:{_HEX}{{0,4}}:){{2,7}}(?:{_HEX}{{1,4}}|[0-9.]{{7,15}})?(?![0-9A-Za-z:.]))
  | (?P<decimal>(?<![0-9.])(?:[0-9]{{1,10}}\.){{5,}}[0-9]{{1,10}}(?![0-9A-Fa-f]|\.[0-9]))
  | (?P<pairs>(?<![0-9A-Za-z]){_HEX}{{1,2}}(?P<mark>:|-|\.|_|\x20|%3A|%3a)(?:{_HEX}{{1,2}}(?P=mark)){{4,}}{_HEX}{{1,2}}
      (?![0-9A-Za-z]))
  | (?P<fours>(?<![0-9A-Za-z]){_HEX}{{4}}(?P<joint>[.:-]){_HEX}{{4}}(?P=joint){_HEX}{{4}}(?![0-9A-Za-z]))
  | (?P<halves>(?<![0-9A-Za-z]){_HEX}{{6}}[:-]{_HEX}{{6}}(?![0-9A-Za-z]))
  | (?P<ipv4>(?<![0-9.])(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}(?!\.?[0-9]))
  | (?P<run>{_HEX}{{12,}})
  | (?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    """,
    re.VERBOSE,
)
_LABELLED = re.compile(
    r"""(?ix) (?P<query>[?&][\w-]*)?
        (?: \bs/?n | serial(?:\s*(?:no|nr|num|number))?\.? | passw(?:or)?d | passphrase | psk | secret | token
          | community | (?:user|login)(?:\s?name)? | e?ssid | imei | imsi | iccid | \b(?:\w+_)?key )
        \s*[:=\#]\s* ["']? (?P<value>(?(query)[^\s"',;&]|[^\s"',;]){4,})"""
)
# Without a mark the label says less: what follows must have a digit, as numbers and keys have, and words mostly not.
_UNMARKED = re.compile(
    r"""(?ix) (?<![\w/]) (?: s/n | sn | serial(?:\s+(?:no|nr|num|number)\.?)? | imei | imsi | iccid | psk
          | (?:\w+[ _-])?key | passw(?:or)?d | passphrase )
        \s+ (?:is\s+)? ["']? (?P<value> (?=[^\s"',;]*[0-9]) [^\s"',;]{6,})"""
)
_NETWORK = re.compile(
    r"""(?ix) (?<![a-z]) e?ssid (?: \s*[:=]\s*["']? | \s+["'] | \s+(?=\S*[0-9-]) )
        (?P<value>[^"',;|]{2,32}?) (?=["',;|]|\s+\w+[:=]|\s*$)"""
)
_VERSION_BEFORE = re.compile(r"(?i)(?:version|release|firmware|software|ver|rev|build|\bv|\br)[\s.:=_-]*$|[a-z0-9_-]$")
_VERSION_AFTER = re.compile(r"[-_+~]?[A-Za-z]")
# Said of so many devices that they name none; as words they would be replaced in places where they are needed.
_COMMON = frozenset(
    (
        *("admin", "administrator", "default", "example", "false", "firmware", "gateway", "generic", "guest", "linux"),
        *("localdomain", "localhost", "network", "none", "null", "openwrt", "private", "public", "root", "router"),
        *("server", "switch", "system", "test", "true", "unknown", "user", "windows"),
    )
)
_FIRST_ARC = 7  # below 1.3.6.1.4.1.<enterprise> or 1.3.6.1.2.1.<group>
_SHORTEST = 4  # a shorter word is replaced in its own place alone
_DIGITS = re.compile(r"[0-9]+")


class Redactor:
    """
    Replaces; learns on the way.

    `numbers`: long decimal numbers may be counters, and are addresses only where they are known as such (files of
    /proc). `keep` are texts that stay as they are, wherever they stand.
    """

    def __init__(self, keep: Iterable[str] = (), *, numbers: bool = False) -> None:
        self.given = StandIns()
        self._keep = {folded(text) for text in keep}
        self._numbers = numbers
        self._words = Words()
        self._uuids: dict[str, str] = {}

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind were replaced."""
        found = {
            "MAC addresses": len(self.given.macs),
            "IP addresses": len(self.given.addresses),
            "names, serial numbers, secrets": len(self.given.words),
            "UUIDs": len(self._uuids),
        }
        return {name: count for name, count in found.items() if count}

    def learn(self, word: str, *, everywhere: bool = False) -> str:
        """
        Take a text for one that must not leave, and return its stand-in.

        A very short or common one is replaced in its own place alone, unless `everywhere`.
        """
        word = word.strip()
        if not word or folded(word) in self._keep or word in self.given.made:
            return word
        if everywhere or (len(word) >= _SHORTEST and folded(word) not in _COMMON):
            self._words.add(word)
        return self.given.word(word)

    def text(self, text: str) -> str:
        """Return a text in which nothing is left."""
        if folded(text.strip()) in self._keep:
            return text
        for label in (_LABELLED, _UNMARKED, _NETWORK):
            for labelled in label.finditer(text):
                self.learn(labelled["value"])
        made, at = [], 0
        for start, end in self._words.found(text):
            made += [self._forms(text, at, start), self.given.word(text[start:end])]
            at = end
        return "".join([*made, self._forms(text, at, len(text))])

    def octets(self, data: bytes, *, is_mac: bool = False) -> bytes:
        """Return the octets of a value: an address, text, or anything else, in which addresses and words may be."""
        if len(data) == 6 and (is_mac or not is_text(data)):
            return self.given.mac(data)
        if is_text(data):
            return self.text(data.decode()).encode()
        if len(data) == 4 and data in self.given.addresses:
            return self.given.addresses[data]
        if len(data) == 16 and (is_public(data) or data[:2] == b"\xfe\x80"):
            return self.given.address(data)
        known = bytes(self._known(data, 0))
        # Letter for letter: text with NUL at its end, text in GBK, text within a structure
        return self.text(known.decode("latin-1")).encode("latin-1", "replace")

    def arcs(self, oid: Sequence[int], fixed: int = _FIRST_ARC) -> tuple[int, ...]:
        """Return an object identifier in whose index no address and no word is left; the first `fixed` arcs stay."""
        arcs = self._known(oid, fixed, is_index=True)
        letters = "".join(chr(arc) if 32 <= arc < 127 else "\0" for arc in arcs)
        for start, end in self._words.found(letters, anywhere=_SHORTEST + 1):
            if start >= fixed:
                arcs[start:end] = [ord(letter) for letter in self.given.word(letters[start:end])]
        return tuple(arcs)

    def survives(self, value: str | bytes | Sequence[int]) -> bool:
        """Tell whether something that was learned is still there, in whatever form."""
        if isinstance(value, str):
            digits = re.sub("[^0-9a-f]", "", value.lower())
            windows = {digits[at : at + 12] for at in range(len(digits) - 11)}
            if any(mac.hex() in windows for mac in self.given.macs if _is_telling(mac)):
                return True
            return any(self._words.found(value)) or self.text(value) != value
        if isinstance(value, bytes):
            return self.survives(value.decode("latin-1")) or self.octets(value) != value
        return self.arcs(value) != tuple(value)

    def _known(self, octets: Sequence[int], start: int, *, is_index: bool = False) -> list[int]:
        """Replace the addresses that are known within octets or arcs."""
        made, at = list(octets), start
        while at + 4 <= len(made):
            at += self._replaced(made, at, is_index=is_index) or 1
        return made

    def _replaced(self, made: list[int], at: int, *, is_index: bool) -> int:
        """Replace the address that begins here, if one does; return how many octets it has."""
        for length in (16, 8, 6, 4):
            window = made[at : at + length]
            if len(window) < length or max(window) > 255:
                continue
            octets = bytes(window)
            if length == 16 and octets in self.given.addresses:
                made[at : at + 16] = self.given.addresses[octets]
            elif length == 8 and octets[3:5] == b"\xff\xfe" and (mac := mac_of_eui64(octets)) in self.given.macs:
                made[at : at + 8] = eui64(self.given.macs[mac])
            elif length == 6 and octets in self.given.macs and _is_telling(octets):
                made[at : at + 6] = self.given.macs[octets]
            elif length == 4 and is_index and octets in self.given.addresses and _is_telling(octets):
                made[at : at + 4] = self.given.addresses[octets]
            else:
                continue
            return length
        return 0

    # ---- forms in a text

    def _forms(self, text: str, start: int, end: int) -> str:
        part = text[start:end]
        return _FORMS.sub(self._form, part) if part else ""

    def _form(self, match: "re.Match[str]") -> str:
        found = match[0]
        if folded(found) in self._keep:
            return found
        ways: dict[str, Callable[[str], str]] = {
            "uuid": self._uuid,
            "ipv6": self._ipv6,
            "decimal": self._decimal,
            "pairs": self._pairs,
            "run": self._run,
            "mail": self.learn,
            "jwt": self.learn,
        }
        for name, way in ways.items():
            if match[name]:
                return way(found)
        return self._ipv4(match) if match["ipv4"] else self._whole(found)

    def _uuid(self, text: str) -> str:
        if text in self._uuids.values():
            return text
        number = len(self._uuids) + 1
        return self._uuids.setdefault(text.lower(), f"00000000-0000-4000-8000-{number:012x}")

    def _ipv6(self, text: str) -> str:
        if re.fullmatch(rf"{_HEX}{{1,2}}(?::{_HEX}{{1,2}}){{7}}", text):  # an EUI-64, which has eight octets
            return self._pairs(text)
        try:
            packed = ipaddress.IPv6Address(text).packed
        except ValueError:
            return re.sub(rf"(?<![0-9A-Za-z]){_HEX}{{1,2}}(?::{_HEX}{{1,2}}){{5,}}", lambda m: self._pairs(m[0]), text)
        given = self.given.address(packed)
        return text if given == packed else str(ipaddress.IPv6Address(given))

    def _ipv4(self, match: "re.Match[str]") -> str:
        try:
            packed = ipaddress.IPv4Address(match[0]).packed
        except ValueError:
            return match[0]
        around = match.string
        is_version = _VERSION_BEFORE.search(around[: match.start()]) or _VERSION_AFTER.match(around[match.end() :])
        if is_version and packed not in self.given.addresses:
            return match[0]
        return str(ipaddress.IPv4Address(self.given.address(packed)))

    def _pairs(self, text: str) -> str:
        """Replace in pairs of digits: one address, one of eight octets, or a longer row of octets."""
        groups = re.findall(rf"(?<![%0-9A-Fa-f]){_HEX}{{1,2}}(?!{_HEX})|(?<=3[Aa]){_HEX}{{1,2}}", text)
        octets = bytes(int(group, 16) for group in groups)
        is_sure = re.search(r"[:-]|%3[Aa]", text) or re.search("[A-Fa-f]", text)
        if is_sure and (len(octets) == 6 or (len(octets) == 8 and octets[3:5] == b"\xff\xfe")):
            self.given.mac(octets if len(octets) == 6 else mac_of_eui64(octets))
        made = self._known(octets, 0)
        return text if made == list(octets) else _poured(text, groups, made)

    def _decimal(self, text: str) -> str:
        """Replace what is known in an index or object identifier that is written as text."""
        return ".".join(map(str, self._known([int(part) for part in text.split(".")], 0)))

    def _whole(self, text: str) -> str:
        """Replace an address in two halves or three quarters."""
        octets = bytes.fromhex(re.sub("[^0-9A-Fa-f]", "", text))
        is_sure = len(text) == 14 or re.search("[A-Fa-f]", text) or octets in self.given.macs
        return _like(text, self.given.mac(octets).hex()) if is_sure else text

    def _run(self, text: str) -> str:
        """Replace a row of digits without marks: an address, or an identifier that is longer."""
        digits = text.lower()
        is_decimal = _DIGITS.fullmatch(digits) is not None
        if len(digits) == 12:
            octets = bytes.fromhex(digits)
            is_counter = is_decimal and self._numbers and octets not in self.given.macs
            return text if is_counter else _like(text, self.given.mac(octets).hex())
        if len(digits) == 16 and digits[6:10] == "fffe":
            return _like(text, eui64(self.given.mac(mac_of_eui64(bytes.fromhex(digits)))).hex())
        if len(digits) >= 16 and not (is_decimal and text not in self.given.made):
            return self.given.word(text, is_hexadecimal=True)
        for at in range(len(digits) - 11):
            octets = bytes.fromhex(digits[at : at + 12])
            if octets in self.given.macs and _is_telling(octets):
                return text[:at] + _like(text, self.given.macs[octets].hex()) + text[at + 12 :]
        return text


def is_text(data: bytes) -> bool:
    """Tell whether octets are text that people can read, in UTF-8."""
    try:
        return all(letter.isprintable() or letter in "\r\n\t" for letter in data.decode())
    except UnicodeDecodeError:
        return False


def _is_telling(mac: bytes) -> bool:
    """Tell whether an address, of a device or of the Internet, is unlike what stands anywhere by chance."""
    return sum(octet >= 16 for octet in mac) >= 2


def _poured(text: str, groups: Sequence[str], octets: Iterable[int]) -> str:
    """Write octets in the places of the groups of a text, with as many digits."""
    made, at = "", 0
    for group, octet in zip(groups, octets, strict=True):
        place = text.index(group, at)
        made += text[at:place] + _like(group, f"{octet:02x}" if len(group) == 2 else f"{octet:x}")
        at = place + len(group)
    return made + text[at:]


def _like(original: str, digits: str) -> str:
    """Write hexadecimal digits as the original has them: in capitals, and with its marks between them."""
    digits = digits.upper() if re.search("[A-F]", original) else digits
    marks = [(place, letter) for place, letter in enumerate(original) if letter in ".:-"]
    for place, mark in marks:
        digits = digits[:place] + mark + digits[place:]
    return digits
