"""
Radios of this device, by the program `iw`: a row for each wireless interface, `key` is its name.

Of every interface: interface, type, ssid, channel, frequency_mhz, txpower_dbm, on_air (1: an access point that is on a
channel). Of the channel in use, where the driver surveys it: noise_dbm, and the counters active_ms, busy_ms,
receive_ms, transmit_ms, which begin anew when the channel changes (with some drivers whenever they like). Of an access
point also stations, rssi_p50_dbm, rssi_p10_dbm; of an interface that has joined one signal_dbm, how well it hears it.

No privilege is needed. Unable: iw is not installed, does not come to an end (version 5.19 can ask the kernel for ever),
or the interface that is named is not there.
"""

from fnmatch import fnmatchcase

from agent.deadline import Deadline
from agent.gather.iw_dump import Interface, channel_in_use, parse_interfaces, parse_stations, parse_survey
from agent.gather.read import Read
from agent.gather.stations import summary
from agent.outcome import Outcome, Row, Unable
from agent.programs import run
from contract.sample import Value

_GONE = "(-19)"  # ENODEV: the interface went while we asked


def read(ask: Read) -> Outcome:
    """Ask iw for the interfaces, and of each for its stations and its channel."""
    deadline = Deadline(ask.timeout)
    interfaces = parse_interfaces(_said(["iw", "dev"], deadline) or "")
    ours = [interface for interface in interfaces if fnmatchcase(interface.name, ask.what.interface)]
    if not ours and not set("*?[") & set(ask.what.interface):
        raise Unable(f"there is no wireless interface {ask.what.interface}")
    return Outcome(True, rows=tuple(Row(interface.name, _values(interface, deadline)) for interface in ours))


def _values(interface: Interface, deadline: Deadline) -> dict[str, Value]:
    return {**interface.values, **_heard(interface, deadline), **_surveyed(interface, deadline)}


def _heard(interface: Interface, deadline: Deadline) -> dict[str, Value]:
    """Return the stations of an access point, or how well one that has joined hears its own."""
    if not interface.is_access_point and interface.type != "managed":
        return {}
    text = _said(["iw", "dev", interface.name, "station", "dump"], deadline)
    if text is None:
        return {}
    signals = parse_stations(text)
    if interface.is_access_point:
        return summary(signals)
    known = [signal for signal in signals if signal is not None]
    return {"signal_dbm": max(known)} if known else {}


def _surveyed(interface: Interface, deadline: Deadline) -> dict[str, Value]:
    """Return what the survey has of the channel in use; nothing where the interface is on none."""
    if interface.frequency_mhz is None:
        return {}
    text = _said(["iw", "dev", interface.name, "survey", "dump"], deadline, may_fail=True)
    return channel_in_use(parse_survey(text or ""), interface.frequency_mhz)


def _said(argv: list[str], deadline: Deadline, *, may_fail: bool = False) -> str | None:
    """Return what iw prints; None where the interface has gone, or with `may_fail` where the driver has no answer."""
    said = run(argv, deadline)
    if said.code == 0:
        return said.out
    if said.code is None:
        raise Unable(f"{' '.join(argv)} does not come to an end in time")
    if may_fail or _GONE in said.error:
        return None
    raise Unable(f"{' '.join(argv)}: {said.last_words}")
