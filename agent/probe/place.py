"""
What a reason may say of an address that a server gave: reasons leave the device and are kept for years.

A login page's address has the MAC of whoever is sent there, his user name and tokens in its query. The whole of it is
for the details alone, which stay here.
"""

import re
from urllib.parse import urlsplit

_MOST = 100
_END = re.compile(r";|%3[BbFf]")  # of a path: its parameters (RFC 3986 §3.3), and a query that was written as %XX
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}(?:[:.-]|%3[Aa]|%2[Dd])?){5}[0-9A-Fa-f]{2}")
_QUERIES = re.compile(r"(://[^\s'\"<>?#;]*)[?#;][^\s'\"<>]*")


def place(address: str) -> str:
    """
    Return scheme, host and path of an address, at most 100 characters.

    Hardware addresses in it become `…`, user and password `***`. Text that is no address gives no part of itself.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "an impossible address"
    if parts.scheme and not host:
        return f"{parts.scheme[:20]}:…"  # data:, mailto: and the like are all content
    there = ""
    if host:
        user = "***@" if "@" in parts.netloc else ""
        scheme = f"{parts.scheme}:" if parts.scheme else ""
        there = f"{scheme}//{user}{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
    return _short(there + _MAC.sub("…", _END.split(parts.path)[0]))


def without_queries(text: str) -> str:
    """Return a text of a server without the queries of the addresses in it, and without hardware addresses."""
    return _MAC.sub("…", _QUERIES.sub(r"\1", text))


def _short(text: str) -> str:
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"
