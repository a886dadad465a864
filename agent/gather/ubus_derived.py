"""
What is worked out of an answer of ubus, where no path leads to it: numbers of many stations, shares, conditions.

    hostapd.X get_clients, iwinfo assoclist    stations, rssi_p50_dbm, rssi_p10_dbm
    system info                                memory_used_percent
    network.wireless status (each radio)       down, access_points

The names stand in `firmware_profiles.sources.UBUS_DERIVED`.
"""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from agent.gather.stations import of_assoclist, of_clients
from contract.sample import Value

Answer = Mapping[str, object]


def derived(object_: str, method: str, answer: object) -> dict[str, Value]:
    """Return what is worked out of an answer, or of one of its rows; nothing where it is not of the shape known."""
    if isinstance(answer, Mapping):
        for (pattern, known), ways in _WAYS.items():
            if known == method and fnmatchcase(object_, pattern):
                return ways(answer)
    return {}


def of_system(answer: Answer) -> dict[str, Value]:
    """
    Return the share of memory that programs cannot have (%), as psutil counts it: total less available.

    Old firmware does not tell what is available, and gives none: free memory without the caches would mislead.
    """
    memory = answer.get("memory")
    if not isinstance(memory, Mapping):
        return {}
    total, available = memory.get("total"), memory.get("available")
    if not isinstance(total, int) or not isinstance(available, int) or not 0 <= available <= total or not total:
        return {}
    return {"memory_used_percent": (total - available) / total * 100}


def of_radio(answer: Answer) -> dict[str, Value]:
    """
    Return `down` (1: the radio should be on and is not) and `access_points`, how many of its networks are in the air.

    A radio that is switched off in its settings is not down, and nobody expects a network of it: it has no number of
    them. netifd names the interface of a network that is up.
    """
    up, disabled, interfaces = answer.get("up"), answer.get("disabled"), answer.get("interfaces")
    if not isinstance(up, bool) or not isinstance(disabled, bool):
        return {}
    found: dict[str, Value] = {"down": int(not up and not disabled)}
    if isinstance(interfaces, list) and not disabled:
        found["access_points"] = sum(up and _is_access_point(interface) for interface in interfaces)
    return found


def _is_access_point(interface: object) -> bool:
    if not isinstance(interface, Mapping) or not interface.get("ifname"):
        return False
    config = interface.get("config")
    return isinstance(config, Mapping) and config.get("mode") == "ap"


_WAYS: dict[tuple[str, str], Callable[[Answer], dict[str, Value]]] = {
    ("hostapd.*", "get_clients"): of_clients,
    ("iwinfo", "assoclist"): of_assoclist,
    ("system", "info"): of_system,
    ("network.wireless", "status"): of_radio,
}
