"""
DHCP messages (RFC 2131, RFC 2132), by scapy, without a network.

Importing this loads scapy: 0.2 to 0.4 s and 31 MB, in a process that ends with the probe. It is told not to read the
kernel's routes and to print nothing; it still reads the list of interfaces and addresses, and sends nothing.
"""

import ipaddress
import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from scapy.config import conf

from agent.probe.link import BROADCAST, Instruction

logging.getLogger("scapy").setLevel(logging.CRITICAL)
conf.route_autoload = conf.route6_autoload = False
conf.verb = 0

from scapy.layers.dhcp import BOOTP, DHCP  # noqa: E402  after the settings
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402

OFFER, ACK, NAK = 2, 5, 6
SMALLEST = 300  # of a BOOTP message: some servers and relays drop what is shorter (RFC 1542 §2.1)
_CAPTIVE_PORTAL = 114  # RFC 8910
_WANTED = [1, 3, 6, 51, 54, _CAPTIVE_PORTAL]  # mask, router, name servers, lease, server, portal's API


class Client(NamedTuple):
    """
    Who asks: the MAC of the interface, an id of the exchange, and a client identifier of our own.

    The identifier is stable, and not that of the system's own DHCP client: a server keeps our address apart from the
    machine's (RFC 2131 §4.2) and gives us the same one each time, so that probes do not use up its addresses.
    """

    mac: bytes
    xid: int

    @property
    def identifier(self) -> bytes:
        """Option 61, of type 0: not a hardware address (RFC 2132 §9.14)."""
        return b"\0santong" + self.mac


class Reply(NamedTuple):
    """
    What a server said; what it left out is empty or 0.

    `kind` is OFFER, ACK or NAK. `server` is its identifier (option 54), `source` the address and `mac` the hardware
    address that it came from. `lease_s` is in seconds, 2**32 - 1 for ever.
    """

    kind: int
    source: str
    mac: bytes
    server: str = ""
    address: str = ""
    prefix: int = 0
    router: str = ""
    resolvers: tuple[str, ...] = ()
    lease_s: int = 0
    captive_api_url: str = ""
    message: str = ""

    @property
    def name(self) -> str:
        """What tells servers apart: the identifier, else the address it came from."""
        return self.server or self.source


def discover(client: Client, secs: int = 0) -> bytes:
    """Return a DHCPDISCOVER as a frame; `secs` is how long the client has been trying."""
    return _broadcast(client, secs, [("message-type", "discover")])


def request(client: Client, offer: Reply, secs: int = 0) -> bytes:
    """Return a DHCPREQUEST for an offer, as a frame."""
    chosen = [("requested_addr", offer.address), ("server_id", offer.server)]
    return _broadcast(client, secs, [("message-type", "request"), *chosen])


def release(client: Client, address: str, server: str, server_mac: bytes) -> bytes:
    """Return a DHCPRELEASE, as a frame to the server or to the relay that the lease came through."""
    options = [("message-type", "release"), ("server_id", server), ("client_id", client.identifier)]
    head = Ether(src=client.mac, dst=server_mac) / IP(src=address, dst=server)
    return _frame(head, _bootp(client, ciaddr=address), options)


def _broadcast(client: Client, secs: int, options: list[tuple[str, Any]]) -> bytes:
    head = Ether(src=client.mac, dst=BROADCAST) / IP(src="0.0.0.0", dst="255.255.255.255")  # noqa: S104  no address yet
    common = [("client_id", client.identifier), ("param_req_list", _WANTED)]
    return _frame(head, _bootp(client, secs=min(secs, 0xFFFF)), [*options, *common])


def _bootp(client: Client, **fields: Any) -> Any:
    return BOOTP(op=1, xid=client.xid, chaddr=client.mac.ljust(16, b"\0"), **fields)


def _frame(head: Any, bootp: Any, options: list[tuple[str, Any]]) -> bytes:
    message = bytes(bootp / DHCP(options=[*options, "end"])).ljust(SMALLEST, b"\0")
    return bytes(head / UDP(sport=68, dport=67) / message)


def only_replies_to(client: Client) -> list[Instruction]:
    """Return the BPF program that lets in UDP to port 68 with the id of our exchange, on Ethernet and IPv4."""
    load_half, load_byte, load_word_x, load_half_x = 0x28, 0x30, 0x40, 0x48
    jump_equal, jump_set, header_length, give = 0x15, 0x45, 0xB1, 0x06
    return [
        Instruction(load_half, 0, 0, 12),  # EtherType
        Instruction(jump_equal, 0, 9, 0x0800),
        Instruction(load_byte, 0, 0, 23),  # protocol
        Instruction(jump_equal, 0, 7, 17),
        Instruction(load_half, 0, 0, 20),  # fragments have no UDP header
        Instruction(jump_set, 5, 0, 0x1FFF),
        Instruction(header_length, 0, 0, 14),  # X = length of the IP header
        Instruction(load_half_x, 0, 0, 16),  # port of destination
        Instruction(jump_equal, 0, 2, 68),
        Instruction(load_word_x, 0, 0, 26),  # 14 Ethernet, 8 UDP, 4 into BOOTP
        Instruction(jump_equal, 1, 0, client.xid),
        Instruction(give, 0, 0, 0),
        Instruction(give, 0, 0, 0xFFFF),
    ]


def reply(frame: bytes, client: Client) -> Reply | None:
    """Return what a server said to us in this frame; None for anything else, malformed frames included."""
    try:
        return _reply(Ether(frame), client)
    except Exception:  # noqa: BLE001  scapy was not made for what strangers send: whatever it trips over is no reply
        return None


def _reply(packet: Any, client: Client) -> Reply | None:
    if UDP not in packet or packet[UDP].dport != 68 or DHCP not in packet:
        return None
    bootp, options = packet[BOOTP], _options(packet[DHCP].options)
    if bootp.op != 2 or bootp.xid != client.xid or bootp.chaddr[:6] != client.mac:
        return None
    kind = next(iter(options.get("message-type", ())), None)
    if kind not in (OFFER, ACK, NAK):
        return None
    mask = int(ipaddress.IPv4Address(_first(options, "subnet_mask") or "0.0.0.0"))  # noqa: S104  none
    url = _text(options.get("captive-portal") or options.get(_CAPTIVE_PORTAL) or ())
    return Reply(
        kind=kind,
        source=packet[IP].src,
        mac=bytes.fromhex(packet.src.replace(":", "")),
        server=_first(options, "server_id"),
        address=bootp.yiaddr,
        prefix=mask.bit_count(),
        router=_first(options, "router"),
        resolvers=tuple(map(str, options.get("name_server", ()))),
        lease_s=int(next(iter(options.get("lease_time", ())), 0)),
        captive_api_url=url,
        message=_text(options.get("error_message") or ()),
    )


def _options(listed: Iterable[object]) -> dict[object, tuple[Any, ...]]:
    """Return the values of the options by name or number; of one that comes twice, all (RFC 3396)."""
    found: dict[object, tuple[Any, ...]] = {}
    for option in listed:
        if isinstance(option, tuple):
            found[option[0]] = found.get(option[0], ()) + option[1:]
    return found


def _first(options: dict[object, tuple[Any, ...]], name: str) -> str:
    return str(next(iter(options.get(name, ())), ""))


def _text(values: tuple[Any, ...]) -> str:
    """Return text in an option, without what cannot be printed."""
    whole = b"".join(value for value in values if isinstance(value, bytes))
    return "".join(character for character in whole.decode("ascii", "ignore") if character.isprintable())


def flaw(offer: Reply, *, is_complete: bool = True) -> str:
    """Return why an offer is of no use to a client, empty when it is; `is_complete`: router and resolver are needed."""
    address = ipaddress.IPv4Address(offer.address)
    if not offer.server:
        return "it has no server identifier"  # RFC 2131 §4.3.1: MUST
    if address.is_unspecified or address.is_multicast or address.is_loopback or address.is_reserved:
        return f"{offer.address} is no address for a client"
    if not offer.lease_s:
        return "it has no lease time"
    if is_complete and not offer.router:
        return "it has no router"
    if is_complete and not offer.resolvers:
        return "it has no name server"
    return ""
