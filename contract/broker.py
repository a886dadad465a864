"""How agent and collector reach the broker: its URL, credentials and TLS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from contract.errors import ConfigError, Problem
from contract.settings import Seconds, hide_password

if TYPE_CHECKING:
    import ssl

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


class BrokerUrl(str):
    """`mqtt://`, `mqtts://`, `ws://` or `wss://`, then `[user[:password]@]host[:port][/path]`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the URL when it can be used; ValueError says what is wrong, without repeating a password."""
        if text.partition("://")[0] not in _PORTS:
            raise ValueError(f"{hide_password(text)!r} does not start with {', '.join(f'{s}://' for s in _PORTS)}")
        try:
            parts = urlsplit(text)
            usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:  # its message would show the password
            usable = False
        if not usable:
            raise ValueError(f"{hide_password(text)!r} needs a host, and a port from 1 to 65535 if any")
        return cls(text)

    def __str__(self) -> str:
        return hide_password(str.__str__(self))

    def __repr__(self) -> str:
        return repr(str(self))


class KeepAlive(Seconds):
    """MQTT's keep-alive, which has 16 bits on the wire (MQTT 5 §3.1.2.10)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the interval in seconds."""
        seconds = super().parse(text)
        if not 1 <= seconds <= 65_535:
            raise ValueError(f"{text!r} is not between 1s and 65535s")
        return seconds


class Address(NamedTuple):
    """A broker URL taken apart."""

    host: str
    port: int
    tls: bool
    websocket: bool
    path: str
    username: str | None
    password: str | None


class BrokerSettings(NamedTuple):
    """The section `[broker]` of agent and collector."""

    url: BrokerUrl
    username: str | None = None
    password_file: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    keepalive: KeepAlive = KeepAlive(90)


def address(settings: BrokerSettings) -> Address:
    """Take the URL apart; ConfigError when the password file cannot be read."""
    parts = urlsplit(str.__str__(settings.url))
    password = unquote(parts.password) if parts.password else None
    if settings.password_file:
        try:
            password = settings.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            message = f"{settings.password_file}: {getattr(error, 'strerror', None) or 'is not UTF-8 text'}"
            raise ConfigError("settings", [Problem("broker.password_file", message)]) from None
    username = settings.username or (unquote(parts.username) if parts.username else None)
    return Address(
        parts.hostname or "",
        parts.port or _PORTS[parts.scheme],
        parts.scheme in ("mqtts", "wss"),
        parts.scheme in ("ws", "wss"),
        parts.path or "/mqtt",
        username,
        password,
    )


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Return a context that verifies the broker (TLS 1.2 or later); ConfigError names the file that is wrong."""
    import ssl  # noqa: PLC0415  an agent without TLS need not load it

    place = "broker.ca"
    try:
        context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate:
            place = "broker.certificate"
            context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        file = settings.ca if place == "broker.ca" else f"{settings.certificate}, {settings.key}"
        message = f"{file}: {error.strerror or error}"
        raise ConfigError("settings", [Problem(place, message)]) from None
    return context
