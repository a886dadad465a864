"""
A recording behind Debian's snmpd: the program that its `pass_persist` asks (snmpd.conf(5)).

    python snmp_replay.py FILE        lines `OID|type|value` on 1.3.6.1.2.1.1.3.0|67|8811, in any order

Types are those of .snmprec files: the ASN.1 tag, with x where the value is in hexadecimal.
"""

import bisect
import sys
from pathlib import Path

NAMES = {"2": "integer", "4": "octet", "6": "objectid", "64": "ipaddress", "65": "counter", "66": "gauge"}
NAMES |= {"67": "timeticks", "70": "counter64"}
Numbers = tuple[int, ...]


def recorded(file: Path) -> dict[Numbers, tuple[str, str]]:
    """Return each object's type and value as snmpd wants them, in the order of identifiers."""
    found: dict[Numbers, tuple[str, str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, tag, value = line.split("|", 2)
            if tag == "4":
                value = value.encode().hex()
            octets = " ".join(value[at : at + 2] for at in range(0, len(value), 2))
            found[numbers(name)] = (NAMES[tag.rstrip("x")], octets if tag.rstrip("x") == "4" else value)
    return dict(sorted(found.items()))


def numbers(name: str) -> Numbers:
    """Return an identifier as numbers."""
    return tuple(int(number) for number in name.strip().strip(".").split("."))


def main() -> None:
    """Answer until snmpd goes."""
    objects = recorded(Path(sys.argv[1]))
    order = list(objects)
    while command := sys.stdin.readline().strip():
        if command == "PING":
            print("PONG", flush=True)
            continue
        name = numbers(sys.stdin.readline())
        at = bisect.bisect_left(order, name) if command == "get" else bisect.bisect_right(order, name)
        if at < len(order) and (command == "getnext" or order[at] == name):
            print("." + ".".join(map(str, order[at])), *objects[order[at]], sep="\n", flush=True)
        else:
            print("NONE", flush=True)


if __name__ == "__main__":
    main()
