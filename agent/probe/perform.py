"""One probe from what is asked to what was found; in the worker's child, where it may hang, crash or be killed."""

import importlib
import time
from typing import NamedTuple, Protocol

from agent.probe.base import Failed, Outcome, Unable, Via
from agent.probe.net import check_ready
from agent.probe.privileges import CAP_NET_ADMIN, CAP_NET_RAW
from agent.probe.settings import Ask, WifiJoin, WifiScan
from contract.sample import Value


class Kind(NamedTuple):
    """Where a kind of probe is, and the capabilities without which it cannot work (those it may use: `may_use`)."""

    module: str
    needs: frozenset[int] = frozenset()
    may_use: frozenset[int] = frozenset()


class _Module(Protocol):
    @staticmethod
    def probe(ask: Ask, via: Via) -> Outcome: ...


_RAW, _ADMIN = frozenset({CAP_NET_RAW}), frozenset({CAP_NET_RAW, CAP_NET_ADMIN})
KINDS = {
    "icmp": Kind("icmp", may_use=_RAW),
    "tcp": Kind("tcp"),
    "dns": Kind("dns"),
    "dhcp": Kind("dhcp", needs=_RAW),
    "arp": Kind("arp", needs=_RAW),
    "http": Kind("http"),
    "portal": Kind("portal"),
    "throughput": Kind("throughput"),
    "wifi_scan": Kind("wifi_scan", needs=frozenset({CAP_NET_ADMIN})),
    "wifi_join": Kind("wifi_join", needs=_ADMIN),
}


def module_of(kind: str) -> _Module:
    """Import and return the module of a kind; Unable when a library of it is missing."""
    try:
        return importlib.import_module(f"agent.probe.{KINDS[kind].module}")  # type: ignore[return-value]
    except ImportError as error:
        if error.name and error.name.startswith("agent."):
            raise
        raise Unable(f"{error.name} is not installed: pip install 'santong[probes]'") from None


def perform(kind: str, ask: Ask) -> Outcome:
    """Run one probe; whatever happens becomes an outcome, with `duration_ms` of the whole."""
    begun = time.perf_counter()
    try:
        outcome = module_of(kind).probe(ask, _way_of(ask))
    except (Failed, Unable) as ended:
        outcome = ended.outcome()
    except Exception as error:  # noqa: BLE001  a defect of ours says nothing of the target
        outcome = Outcome(None, "unable", reason=f"defect of the probe: {type(error).__name__}: {error}")
    took: dict[str, Value] = {"duration_ms": round((time.perf_counter() - begun) * 1000, 3)}
    return outcome._replace(fields={**outcome.fields, **took})


def _way_of(ask: Ask) -> Via:
    """
    Return the interface that is asked for; Unable where it is missing, down, or without carrier.

    The wireless kinds bring theirs up by themselves.
    """
    interface = getattr(ask, "interface", None)
    if not interface or isinstance(ask, WifiScan | WifiJoin):
        return Via()
    check_ready(interface)
    return Via(interface)
