"""
The one shape of all probes.

    def probe(ask: Dns, via: Via) -> Outcome        may raise Failed or Unable instead of returning

`ask` is what the settings say (target, timeout, thresholds; `settings.py`), `via` the interface it goes out by. A probe
ends by itself within `ask.timeout`, sends nothing but what it says in `docs/probes.md`, and keeps nothing. Building and
parsing of packets is apart from sending, so that it can be tested without a network.
"""

from typing import NamedTuple


class Via(NamedTuple):
    """
    The way out: an interface, a source address on it and its name servers.

    All empty: whatever the kernel and `/etc/resolv.conf` choose.
    """

    interface: str = ""
    address: str = ""
    resolvers: tuple[str, ...] = ()
