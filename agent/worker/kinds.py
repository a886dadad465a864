"""Every kind of question that the worker takes: which module answers it, what it is asked, what it may use."""

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from agent.gather.read import Read, Way
from agent.outcome import Outcome, Unable, outcome_of
from agent.privileges import CAP_NET_ADMIN, CAP_NET_RAW
from agent.probe import settings
from agent.probe.base import Via
from agent.probe.net import check_ready
from contract.settings import checked
from firmware_profiles.sources import SOURCES


class Kind(NamedTuple):
    """
    Where a kind is, what it is asked, and the extra of the distribution that brings its library.

    `needs` are the capabilities without which it cannot work, `may_use` those that help it.
    """

    module: str
    asked: type
    needs: frozenset[int] = frozenset()
    may_use: frozenset[int] = frozenset()
    extra: str = "probes"


_RAW, _ADMIN, _BOTH = frozenset({CAP_NET_RAW}), frozenset({CAP_NET_ADMIN}), frozenset({CAP_NET_RAW, CAP_NET_ADMIN})
_NEEDS = {"dhcp": _RAW, "arp": _RAW, "wifi_scan": _ADMIN, "wifi_join": _BOTH}
_MAY_USE = {"icmp": _RAW}
KINDS = {
    **{
        name: Kind(f"agent.probe.{name}", asked, _NEEDS.get(name, frozenset()), _MAY_USE.get(name, frozenset()))
        for name, asked in settings.KINDS.items()
    },
    **{name: Kind(f"agent.gather.{name}", Read, extra="profiles") for name in SOURCES},
}


def module_of(kind: str) -> ModuleType:
    """Import and return the module of a kind; Unable when a library of it is missing."""
    try:
        return importlib.import_module(KINDS[kind].module)
    except ImportError as error:
        if error.name and error.name.startswith("agent."):
            raise
        raise Unable(f"{error.name} is not installed: pip install 'santong[{KINDS[kind].extra}]'") from None


def perform(kind: str, ask: Any) -> Outcome:
    """Answer one question, in this process; whatever happens becomes an outcome."""

    def call() -> Outcome:
        module = module_of(kind)
        read: Callable[[Read], Outcome]
        if isinstance(ask, Read):
            read = module.read
            return read(ask)
        probe: Callable[[Any, Via], Outcome] = module.probe
        return probe(ask, _way_of(ask))

    return outcome_of(call)


def _way_of(ask: settings.Ask) -> Via:
    """
    Return the interface that is asked for; Unable where it is missing, down, or without carrier.

    The wireless kinds bring theirs up by themselves.
    """
    interface = getattr(ask, "interface", None)
    if not interface or isinstance(ask, settings.WifiScan | settings.WifiJoin):
        return Via()
    check_ready(interface)
    return Via(interface)


def ask_of(kind: str, given: Mapping[str, Any]) -> Any:
    """Return what is asked in its own types, from the plain ones in which it came."""
    if kind in SOURCES:
        what = checked(SOURCES[kind], given["what"], kind)
        return Read(what, Way(**given["way"]), given["timeout"])
    asked = KINDS[kind].asked
    return asked(**{name: _typed(asked.__annotations__[name], value) for name, value in given.items()})


def _typed(hint: Any, value: Any) -> Any:
    """Give what came as JSON its own type again (HostPort, a tuple of Url …)."""
    kinds = getattr(hint, "__args__", (hint,))
    if isinstance(value, list):
        return tuple(_typed(kinds[0], item) for item in value)
    for kind in kinds:
        if isinstance(kind, type) and hasattr(kind, "parse") and isinstance(value, str):
            return kind(value)
    return value
