"""
Stores are named by URL.

    sqlite:///var/lib/santong/store.db           one file, absolute
    sqlite:santong-data/store.db                 one file, relative to the working directory
    influxdb://user:password@host:8086/santong   InfluxDB 1.x; user and password may be absent
    influxdb://any:TOKEN@host:8086/santong       InfluxDB 2.4 or later, and 3
    influxdbs://…                                the same over TLS (SSL_CERT_FILE names a private authority)

Reserved characters of a user, password or path are percent-encoded.
"""

from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from collector.store.base import Store
from collector.store.sqlite import SqliteStore
from contract.errors import ConfigError, Problem
from contract.settings import hide_password

_HTTP = {"influxdb": "http", "influxdbs": "https"}
_DEFAULT_PORT = 8086
_FORMS = "sqlite:///path or influxdb[s]://user:password@host:8086/database"


class StoreUrl(str):
    """The URL of a store, as a setting."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the URL when it can be used; ValueError says what is wrong, without repeating a password."""
        if flaw := _flaw(text):
            raise ValueError(f"{hide_password(text)!r} {flaw}")
        return cls(text)

    def __str__(self) -> str:
        return hide_password(str.__str__(self))

    def __repr__(self) -> str:
        return repr(str(self))


def open_store(url: str, *, create: bool = True) -> Store:
    """
    Return the store of a URL; ConfigError for a URL that names none.

    With `create=False`, for readers, nothing is ever created: a SQLite file that does not exist is
    StoreMisconfigured.
    """
    text = str.__str__(url)
    if flaw := _flaw(text):
        raise ConfigError("store", [Problem("", f"{hide_password(text)!r} {flaw}")])
    parts = urlsplit(text)
    return _open_influx(parts) if parts.scheme in _HTTP else SqliteStore(Path(unquote(parts.path)), create=create)


def _open_influx(parts: SplitResult) -> Store:
    from collector.store.influx import InfluxStore  # noqa: PLC0415  takes a second to load; SQLite does without

    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    server = f"{_HTTP[parts.scheme]}://{host}:{parts.port or _DEFAULT_PORT}"
    login = None if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return InfluxStore(server, unquote(parts.path.strip("/")), login)


def _flaw(text: str) -> str:
    """Say what is wrong with a URL, nothing when it can be used."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return f"is not a URL such as {_FORMS}"
    if parts.query or parts.fragment:
        return "has a ? or #; in a name or password write %3F or %23"
    if parts.scheme == "sqlite":
        return "" if parts.path and not parts.netloc else "needs a path: sqlite:///absolute or sqlite:relative"
    if parts.scheme not in _HTTP:
        return f"is no store; there are {_FORMS}"
    if not parts.hostname or port == 0:
        return "needs a host, and a port from 1 to 65535 if any"
    return "" if parts.path.strip("/") and "/" not in parts.path.strip("/") else "needs the name of one database"
