"""
OpenWrt's bus, of this device or of another one (`way.address`): a method is called, and its answer has the raw values.

    object: hostapd.*                   a row for each object, `key` is what `*` stood for
    object: iwinfo, {device: "*"}       a row for each radio interface that iwinfo knows
    rows: "."                           a row for each item of the answer; with `*` too the key is both, `phy0-ap0.2`

What is worked out of an answer stands beside its values (`ubus_derived.py`). What the device does not have (no such
object, method or data) has no row. Passwords and keys in an answer stay where they are: only `values` are taken.
"""

import re
from collections.abc import Mapping, Sequence

from agent.deadline import Deadline
from agent.gather.paths import TooManyRowsError, found, rows_of
from agent.gather.read import Read
from agent.gather.ubus_bus import Bus, Call, Local, Remote
from agent.gather.ubus_derived import derived
from agent.outcome import Failed, Outcome, Row
from firmware_profiles.sources import Ubus

_DEVICES = Call("iwinfo", "devices")


def read(ask: Read) -> Outcome:
    """Call the method of every object that is meant; `rtt_ms` is the round trip to another device."""
    deadline = Deadline(ask.timeout)
    bus: Bus = Remote(ask.what, ask.way, deadline) if ask.way.address else Local(deadline)
    calls = calls_of(ask.what, bus)
    answers = bus.call(list(calls.values()))
    rows = [
        row
        for (key, call), answer in zip(calls.items(), answers, strict=True)
        if answer is not None
        for row in rows_of_answer(ask.what, key, call, answer)
    ]
    return Outcome(True, rows=tuple(rows), fields=bus.fields)


def calls_of(what: Ubus, bus: Bus) -> dict[str, Call]:
    """Return what is to be called, by what `*` stands for; the bus is asked only where there is one."""
    if "*" in what.object:
        names = sorted(bus.objects())
        return {
            star: Call(name, what.method, what.arguments)
            for name in names
            if (star := star_of(what.object, name)) is not None
        }
    if what.object == _DEVICES.object and what.arguments.get("device") == "*":
        return {name: Call(what.object, what.method, {**what.arguments, "device": name}) for name in _devices(bus)}
    return {"": Call(what.object, what.method, what.arguments)}


def star_of(pattern: str, name: str) -> str | None:
    """Return what the `*` of a pattern stands for in a name; None where they do not fit."""
    before, _, after = pattern.partition("*")
    match = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", name)
    return match[1] if match else None


def rows_of_answer(what: Ubus, star: str, call: Call, answer: object) -> list[Row]:
    """Return the rows of one answer, with what is worked out of it; Failed `answer` where there are too many."""
    try:
        rows = rows_of(answer, what.rows, what.values)
    except TooManyRowsError as error:
        raise Failed("answer", f"{call} {error}") from None
    items = _items(found(answer, what.rows)) if what.rows else [answer]
    return [
        Row(".".join(filter(None, (star, row.key))), {**derived(call.object, call.method, item), **row.values})
        for row, item in zip(rows, items, strict=True)
    ]


def _items(table: object) -> Sequence[object]:
    """Return the items of which `rows_of` makes rows, in its order."""
    if isinstance(table, Mapping):
        return list(table.values())
    return table if isinstance(table, list) else []


def _devices(bus: Bus) -> list[str]:
    (answer,) = bus.call([_DEVICES])
    names = answer.get("devices") if isinstance(answer, Mapping) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
