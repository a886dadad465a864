"""Instants as `santong verify` writes them."""

from datetime import datetime
from zoneinfo import ZoneInfo


def local(time_ns: int, zone: ZoneInfo) -> str:
    """Return an instant as people read it."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, zone):%Y-%m-%d %H:%M}"


def iso(time_ns: int, zone: ZoneInfo) -> str:
    """Return an instant to the second."""
    return datetime.fromtimestamp(time_ns // 10**9, zone).isoformat()
