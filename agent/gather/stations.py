"""
The stations of an access point as numbers that name nobody: how many there are, and how well they are heard.

A station is one that may pass data (authorized, IEEE 802.11 §11.3.2). No address of one goes beyond its parser.
"""

from collections.abc import Iterable, Mapping, Sequence

from contract.sample import Value

_P50, _P10 = 0.5, 0.1


def summary(signals_dbm: Iterable[float | None]) -> dict[str, Value]:
    """
    Return `stations`, and of the signals that are known `rssi_p50_dbm` and `rssi_p10_dbm`, to a tenth of a dB.

    `signals_dbm` has one entry a station, None where the driver gives none. p10 is the weak tail: one station in ten
    is heard worse.
    """
    every = list(signals_dbm)
    known = [signal for signal in every if signal is not None and is_dbm(signal)]
    found: dict[str, Value] = {"stations": len(every)}
    if known:
        found |= {"rssi_p50_dbm": round(quantile(known, _P50), 1), "rssi_p10_dbm": round(quantile(known, _P10), 1)}
    return found


def quantile(values: Sequence[float], p: float) -> float:
    """
    Return the quantile `p` (0 to 1), interpolated between the two values it lies between.

    It is type 7 of Hyndman and Fan (1996), the one of R, NumPy and spreadsheets. ValueError without values.
    """
    if not values:
        raise ValueError("there is no quantile of nothing")
    ordered = sorted(values)
    below, part = divmod((len(ordered) - 1) * p, 1)
    low = ordered[int(below)]
    high = ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + (high - low) * part


def is_dbm(signal: float) -> bool:
    """Tell whether it is a level in dBm: drivers that do not know it give 0, -128, or a quality above 0."""
    return -127 <= signal < 0


def of_clients(answer: object) -> dict[str, Value]:
    """Return the summary of what `hostapd.X get_clients` answers: {"clients": {address: {authorized, signal}}}."""
    clients = answer.get("clients") if isinstance(answer, Mapping) else None
    return _of_stations(clients.values() if isinstance(clients, Mapping) else None)


def of_assoclist(answer: object) -> dict[str, Value]:
    """Return the summary of what `iwinfo assoclist` answers: {"results": [{mac, signal}]}."""
    results = answer.get("results") if isinstance(answer, Mapping) else None
    return _of_stations(results if isinstance(results, list) else None)


def _of_stations(stations: Iterable[object] | None) -> dict[str, Value]:
    if stations is None:
        return {}
    ours = [one for one in stations if isinstance(one, Mapping) and one.get("authorized") is not False]
    return summary(_number(one.get("signal")) for one in ours)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
