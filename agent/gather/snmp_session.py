"""
One device asked by SNMP: v2c (RFC 3416) or v3 with the User-based Security Model (RFC 3414), through the library snmp.

    with Session(way, 161, timeout=5) as device:
        device.get([oid("1.3.6.1.2.1.1.3.0")])     → {(1, 3, …): 8811}; what the device does not have is not there
        device.bulk([oid("1.3.6.1.2.1.2.2.1.2")], 10)

Added to the library: the socket is connected, so that a refusal (ICMP) is known at once; time is monotonic; packets
that are no answer are counted, not logged. Each request is sent a second time after half of what is left of the time.
"""

import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from snmp import Engine, ErrorResponse, ErrorStatus, ImproperResponse, SNMPv2c, SNMPv3, Timeout
from snmp.security.usm import auth
from snmp.security.usm.eso.priv import EsoAesCfb192, EsoAesCfb256
from snmp.security.usm.priv import AesCfb128, DesCbc
from snmp.smi import OID, Counter32, Counter64, Gauge32, Integer32, IpAddress, OctetString, Opaque, TimeTicks
from snmp.transport import TransportDomain
from snmp.transport.udp import UdpIPv4Socket, UdpIPv6Socket
from snmp.v3.manager import (
    AuthenticationFailure,
    PrivacyFailure,
    RequestError,
    TimeWindowFailure,
    UnknownUserName,
    UnsupportedSecurityLevel,
)

from agent.deadline import Deadline
from agent.gather.read import Way, secret
from agent.gather.snmp_values import Oid, Raw, dotted
from agent.outcome import Failed, Unable
from agent.sockets import addresses_of
from contract.sample import Value

MOST_OIDS = 24  # in one GET: its answer fits an Ethernet frame, unless texts are long
_MTU = 65535  # what is received at once: devices may answer GETBULK with more than a frame
_TOO_LATE_S = 0.01
_FLOAT = b"\x9f\x78\x04"  # how net-snmp wraps a float into an Opaque
_NUMBERS = (Integer32, Gauge32, Counter32, Counter64, TimeTicks)


# What a device reports of a user, by the number of its counter in usmStats (RFC 3414 §5).
_REPORTS = {
    UnsupportedSecurityLevel: (1, "the device asks for another level of security of this user"),
    TimeWindowFailure: (2, "the device takes none of our messages for a recent one"),
    UnknownUserName: (3, "the device does not know this user"),
    AuthenticationFailure: (5, "the authentication password or method is another"),
    PrivacyFailure: (6, "the privacy password or method is another"),
}
_SMALLER = frozenset({ErrorStatus.tooBig, ErrorStatus.noSuchName, ErrorStatus.genErr})  # asked again for less

_FORBIDDEN = frozenset({ErrorStatus.noAccess, ErrorStatus.authorizationError})


def _quick(method: Any) -> Any:
    """Return a way to authenticate whose key is made of the password at once (RFC 3414 §A.2: of 1 MiB of it)."""

    class Quick(method):  # type: ignore[misc]
        @classmethod
        def computeKey(cls, password: bytes) -> bytes:  # noqa: N802  the library's name
            return bytes(cls.ALGORITHM((password * (_KEY_BYTES // len(password) + 1))[:_KEY_BYTES]).digest())

    return Quick


_NONE = ("", "none")
_KEY_BYTES = 1 << 20
_AUTH = {
    "md5": _quick(auth.HmacMd5),
    "sha": _quick(auth.HmacSha),
    "sha224": _quick(auth.HmacSha224),
    "sha256": _quick(auth.HmacSha256),
    "sha384": _quick(auth.HmacSha384),
    "sha512": _quick(auth.HmacSha512),
}
_PRIVACY = {"des": DesCbc, "aes": AesCfb128, "aes192": EsoAesCfb192, "aes256": EsoAesCfb256}
AesCfb128(bytes(16)).encrypt(b"", 0, 0)  # what the cipher loads when it is first used, every child begins with


class _Clock:
    """When the first request left and how long its answer took."""

    def __init__(self) -> None:
        self.sent_at: float | None = None
        self.rtt_s: float | None = None

    def sent(self) -> None:
        if self.sent_at is None:
            self.sent_at = time.perf_counter()

    def received(self) -> None:
        if self.rtt_s is None and self.sent_at is not None:
            self.rtt_s = time.perf_counter() - self.sent_at


class _Ear:
    """Takes packets for the library's decoder; one that is nonsense is counted, where the library would log it."""

    def __init__(self, decoder: Any, clock: _Clock) -> None:
        self._decoder = decoder
        self._clock = clock
        self.nonsense = ""
        self.refusal = False  # an error that names an object which was not asked for

    def hear(self, data: bytes, channel: Any) -> None:
        """Pass on one packet."""
        self._clock.received()
        try:
            self._decoder.hear(data, channel)
        except Exception as error:  # noqa: BLE001  whatever a strange packet makes of the decoder
            self.nonsense = type(error).__name__
            self.refusal = str(error).startswith("Error index")


class _Connected:
    """A socket of the library that knows its only peer: the kernel leaves out all others, and tells refusals."""

    socket: socket.socket
    _clock: _Clock

    def connect(self, address: Any, clock: _Clock) -> None:
        """Fix the peer."""
        self._clock = clock
        self.socket.connect(address)

    def send(self, data: bytes, _address: Any) -> None:
        """Send one packet."""
        self._clock.sent()
        self.socket.send(data)


class _Udp4(_Connected, UdpIPv4Socket):  # type: ignore[misc]
    pass


class _Udp6(_Connected, UdpIPv6Socket):  # type: ignore[misc]
    pass


class _Engine(Engine):  # type: ignore[misc]
    """The library's engine, closed when we say so."""

    TRANSPORTS: ClassVar = {kind.DOMAIN: kind for kind in (_Udp4, _Udp6)}

    def __init__(self, version: Any, peer: Any, clock: _Clock, **more: Any) -> None:
        super().__init__(version, **more)
        self._peer, self._clock = peer, clock
        self.scheduler.time = time.monotonic
        self.pipeline = self.ear = _Ear(self.decoder, clock)

    def findOrCreateTransport(self, *arguments: Any, **more: Any) -> Any:  # noqa: N802  the library's name
        """Make the socket and connect it, before the library takes note of its own address."""
        transport = super().findOrCreateTransport(*arguments, **more)
        transport.connect(self._peer, self._clock)
        return transport

    def close(self) -> None:
        """Close the sockets."""
        self.multiplexor.close()

    def __del__(self) -> None:
        pass


class Session:
    """A device and how it is asked; ends with `timeout` seconds after it was made."""

    def __init__(self, way: Way, port: int, timeout: float) -> None:
        self._ends_at = time.monotonic() + timeout
        self._is_v3 = bool(way.username)
        self._private = bool(way.username) and way.privacy not in _NONE
        self._clock = _Clock()
        domain, address = _resolved(way.address, port, Deadline(timeout))
        if way.username:
            user = _user(way)
            self._engine = _Engine(SNMPv3, address, self._clock)
            self._engine.addUser(way.username, **user)
        else:
            community = secret(way.community_file, "community").encode()
            self._engine = _Engine(SNMPv2c, address, self._clock, defaultCommunity=community)
        host = address[0].partition("%")[0]  # the interface of a link-local address is known to the socket
        try:
            self._manager = self._engine.Manager((host, port), domain=domain, mtu=_MTU)
        except OSError as error:
            self._engine.close()
            raise _unreachable(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def measured(self) -> dict[str, Value]:
        """Return the round trip of the first answer, where there was one."""
        return {} if self._clock.rtt_s is None else {"rtt_ms": round(self._clock.rtt_s * 1000, 3)}

    def get(self, oids: Sequence[Oid]) -> dict[Oid, Raw]:
        """Return the values there are, in as many requests as they need."""
        found: dict[Oid, Raw] = {}
        for start in range(0, len(oids), MOST_OIDS):
            found |= self._get(oids[start : start + MOST_OIDS])
        return found

    def _get(self, oids: Sequence[Oid]) -> dict[Oid, Raw]:
        try:
            answer = self._ask(self._manager.get, oids)
        except ErrorResponse as error:
            if len(oids) > 1 and error.status in _SMALLER:
                middle = len(oids) // 2
                return self._get(oids[:middle]) | self._get(oids[middle:])
            if error.status == ErrorStatus.noSuchName:  # RFC 1157: agents that do not know noSuchInstance
                return {}
            raise _status(error) from None
        wanted = set(oids)
        there = {name: value for name, value in answer if name in wanted}
        if not there:
            raise Failed("answer", f"answers other objects than {dotted(oids[0])}")
        return {name: raw for name, value in there.items() if (raw := _raw(value)) is not None}

    def bulk(self, after: Sequence[Oid], repetitions: int) -> list[tuple[Oid, Raw | None]]:
        """Return what follows each identifier, in the order of GETBULK; the value None is the end of the device."""
        try:
            answer = self._ask(self._manager.getBulk, after, maxRepetitions=repetitions)
        except ErrorResponse as error:
            if repetitions > 1 and error.status in _SMALLER:
                return self.bulk(after, repetitions // 2)
            raise _status(error) from None
        return [(name, _raw(value)) for name, value in answer]

    def _ask(self, request: Callable[..., Any], oids: Sequence[Oid], **more: Any) -> list[tuple[Oid, Any]]:
        """Send one request and wait for its answer; Failed says what became of it."""
        self._engine.ear.nonsense, self._engine.ear.refusal = "", False
        left_s = self._ends_at - time.monotonic()
        if left_s < _TOO_LATE_S:
            raise Failed("timeout", "not all was answered in time")
        try:
            answer = request(*(OID(*oid) for oid in oids), timeout=left_s, refreshPeriod=left_s / 2, **more)
        except ImproperResponse as error:  # judged by the caller: a GETBULK that was cut is none that is wrong
            answer = error.variableBindings
        except Timeout:
            raise self._silence() from None
        except RequestError as error:
            code, reason = _REPORTS.get(type(error), (None, "the device reports an error that is not known"))
            raise Failed("auth" if code else "answer", reason, code) from None
        except OSError as error:
            raise _unreachable(error) from None
        return [(tuple(binding.name), binding.value) for binding in answer]

    def _silence(self) -> Failed:
        if self._engine.ear.refusal:  # net-snmp, to a GETBULK of a user who must encrypt
            hint = ": does it want privacy of this user?" if self._is_v3 and not self._private else ""
            return Failed("answer", f"the device refuses what is asked, with an error without an object{hint}")
        if self._engine.ear.nonsense:
            return Failed("answer", f"what was answered is no answer of SNMP ({self._engine.ear.nonsense})")
        if self._clock.rtt_s is None:
            return Failed("timeout", "no answer: not there, or it is silent to this community")
        return Failed("timeout", "no further answer" + self._private * ": is the privacy password or method another?")


def _resolved(host: str, port: int, deadline: Deadline) -> tuple[TransportDomain, Any]:
    """Return the family and the socket address of a device."""
    for domain in _Engine.TRANSPORTS:
        if _is_address(host, domain):  # spares a child the loading of the resolver, half of the cost of a read
            return domain, (host, port)
    family, numeric = addresses_of(host, deadline)[0]
    address = socket.getaddrinfo(numeric, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0][4]
    return TransportDomain.UDP_IPv6 if family == socket.AF_INET6 else TransportDomain.UDP_IPv4, address


def _is_address(host: str, domain: TransportDomain) -> bool:
    try:
        socket.inet_pton(domain.address_family, host)
    except (OSError, ValueError):
        return False
    return True


def _user(way: Way) -> dict[str, Any]:
    """Return the user's methods and passwords in the library's words; Unable says what does not fit together."""
    for name, given, known in (("auth", way.auth, _AUTH), ("privacy", way.privacy, _PRIVACY)):
        if given not in (*_NONE, *known):
            raise Unable(f"{name} = {given!r} is not known: there are none, {', '.join(known)}")
    private = way.privacy not in _NONE
    if way.auth in _NONE:
        if private:
            raise Unable("privacy needs auth: SNMPv3 encrypts only what is authenticated")
        return {}
    user = {"authProtocol": _AUTH[way.auth], "authSecret": secret(way.auth_file, "authentication password").encode()}
    if private:
        user |= {
            "privProtocol": _PRIVACY[way.privacy],
            "privSecret": secret(way.privacy_file, "privacy password").encode(),
        }
    return user


def _raw(value: Any) -> Raw | None:
    """Return a value as ours; None where the device has none (noSuchObject, noSuchInstance, endOfMibView, NULL)."""
    if isinstance(value, _NUMBERS):
        return int(value.value)
    if isinstance(value, IpAddress):
        return dotted(tuple(value.data))
    if isinstance(value, Opaque):
        data = bytes(value.data)
        return struct.unpack(">f", data[3:])[0] if data[:3] == _FLOAT and len(data) == 7 else data
    if isinstance(value, OctetString):
        return bytes(value.data)
    return str(value) if isinstance(value, OID) else None


def _status(error: ErrorResponse) -> Failed:
    stage = "auth" if error.status in _FORBIDDEN else "answer"
    return Failed(stage, f"the device answers with the error {error.status.name}", int(error.status))


def _unreachable(error: OSError) -> Failed:
    return Failed("connect", error.strerror or str(error), error.errno)
