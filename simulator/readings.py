"""What an agent asks besides its own rounds, and what it is answered: each at a phase of its own, as agents do it."""

import heapq
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from contract.sample import Value
from simulator import lines
from simulator.chance import Chance
from simulator.places import Place, Role
from simulator.spans import DAY, HOUR, MINUTE, SECOND, Span, Times
from simulator.world import Body, DeviceLife

JOURNEY_EVERY = MINUTE
SSID = "Public-WiFi"
_TOOK_MS = (2100.0, 640.0, 380.0, 45.0, 120.0, 210.0)


class Answer(NamedTuple):
    """What was answered, when, about which device: lines that are evidence."""

    at: int
    device: str
    lines: bytes


def phase(name: str, every: int) -> int:
    """Return the phase of something that is asked again and again, by a hash of its name."""
    return int(zlib.crc32(name.encode()) * every * 1_000_000 >> 32) // 1_000_000


def due(span: Span, every: int, first: int) -> range:
    """Return the instants within a span at a phase of each interval."""
    return range(span.start + (first - span.start) % every, span.end, every)


def tries(times: Times, at: int) -> bool:
    """Tell whether one of three tries, a second apart, finds it so."""
    return times.has(at) or times.has(at + SECOND) or times.has(at + 2 * SECOND)


def answers(
    seed: int, place: Place, life: DeviceLife, body: Body, others: list[DeviceLife], *, tests_every: int = DAY
) -> Iterator[Answer]:
    """
    Yield what a machine's agent is answered, in order; it says so only in rounds that it lives to see.

    Throughput is tested every `tests_every` ms.
    """
    streams: list[Iterator[Answer]] = []
    thing = life.thing
    measuring = body.machine.measuring
    if thing.role is Role.PLATFORM:
        streams.append(_session(life, measuring))
    if thing.role is Role.HOTSPOT:
        streams.append(_journeys(life, body, measuring))
    streams += [stream for other in others for stream in (_panel(other, measuring), _panel_identity(other, measuring))]
    streams.append(_throughput(seed, place, life, body, tests_every))
    if thing.role in (Role.HOTSPOT, Role.GATEWAY):
        streams.append(_firmware(life, measuring))
    return heapq.merge(*streams)


def _session(life: DeviceLife, measuring: Times) -> Iterator[Answer]:
    name = life.thing.id
    first = phase(f"{name} session session", MINUTE)
    lessons = life.wishes.lessons
    for span in measuring:
        for at in due(span, MINUTE, first):
            yield Answer(at, name, lines.usage(at, is_used=lessons.has(at)))


def journey_phase(device: str) -> int:
    """Return the phase of a hotspot's journeys."""
    return phase(f"{device} wifi_join {SSID}", JOURNEY_EVERY)


def stage_at(life: DeviceLife, body: Body, at: int) -> str:
    """Return at which stage a guest fails at an instant, `done` for none."""
    for stage, times in life.journey:
        if times.has(at):
            return stage
    if not body.network.gateway.has(at):
        return "dhcp"
    return "done" if body.network.line.has(at) else "portal"


def _journeys(life: DeviceLife, body: Body, measuring: Times) -> Iterator[Answer]:
    name = life.thing.id
    for span in measuring:
        for at in due(span, JOURNEY_EVERY, journey_phase(name)):
            yield Answer(at, name, lines.journey(at, SSID, stage_at(life, body, at), _TOOK_MS))


def panel_phase(device: str) -> int:
    """Return the phase at which a gateway asks a panel."""
    return phase(f"{device} pjlink display", MINUTE)


def _panel(life: DeviceLife, measuring: Times) -> Iterator[Answer]:
    name = life.thing.id
    for span in measuring:
        for at in due(span, MINUTE, panel_phase(name)):
            if life.answers.has(at):
                rtt = (at // MINUTE * 7919 + at) % 40 / 10 + 1.0
                yield Answer(at, name, lines.answered(at, rtt) + lines.shown(at, is_on=life.shown.has(at)))
            else:
                yield Answer(at, name, lines.silent(at))


def _panel_identity(life: DeviceLife, measuring: Times) -> Iterator[Answer]:
    name = life.thing.id
    first = phase(f"{name} pjlink identity", HOUR)
    for span in measuring:
        for at in due(span, HOUR, first):
            if life.answers.has(at):
                identity: dict[str, Value] = {"serial": life.thing.serial, "model": "Simulated Panel 86"}
                identity["profile"] = "pjlink-panel"
                firmware: dict[str, Value] = {"version": "2.1.7", "compliant": 1}
                yield Answer(at, name, lines.line("identity", identity, at) + lines.line("firmware", firmware, at))


def _firmware(life: DeviceLife, measuring: Times) -> Iterator[Answer]:
    name = life.thing.id
    is_old = zlib.crc32(name.encode()) % 5 == 0
    fields: dict[str, Value] = {"version": "21.02.3" if is_old else "23.05.5", "compliant": int(not is_old)}
    for span in measuring:
        for at in due(span, HOUR, phase(f"{name} ubus firmware", HOUR)):
            yield Answer(at, name, lines.line("firmware", fields, at))


def _throughput(seed: int, place: Place, life: DeviceLife, body: Body, every: int) -> Iterator[Answer]:
    """Yield a test a day or so, each way: classrooms at noon, gateways and hotspots by night."""
    thing = life.thing
    chance = Chance(seed, thing.id, "throughput")
    begins = 12 * HOUR if thing.role is Role.PLATFORM else 2 * HOUR
    slot = begins + phase(f"{thing.id} throughput", HOUR)
    running = body.machine.running.spans
    span = Span(running[0].start, running[-1].end) if running else Span(0, 0)
    first = span.start - (span.start + 8 * HOUR) % DAY + slot
    for at in range(first, span.end, every):
        noise = chance.gauss(1.0, 0.05)
        limited = "cross-traffic" if chance.happens(0.06) else "none"
        if body.machine.measuring.covers(at, at + 30 * SECOND) and body.network.line.covers(at, at + 30 * SECOND):
            yield Answer(at + 25 * SECOND, thing.id, _tested(place, thing.nic_mbps, noise, limited, at + 25 * SECOND))


def _tested(place: Place, nic_mbps: int, noise: float, limited: str, at: int) -> bytes:
    """Return both lines of a test: what the line carries, or the interface, whichever is less."""
    found = b""
    for direction, share in (("download", 1.0), ("upload", 0.5)):
        carried = place.line_mbps * share * max(0.3, noise) * (0.6 if limited == "cross-traffic" else 1.0)
        most = nic_mbps * 0.949
        goodput = round(min(carried, most), 2)
        why = "nic" if goodput >= 0.9 * most else limited
        fields: dict[str, Value] = {"goodput_mbps": goodput, "bytes": round(goodput * 1.25e6), "seconds": 10.0}
        fields |= {"rtt_min_ms": 8.4, "limited_by": why}
        tags = {"direction": direction, "server": "http://test.example.cn/"}
        found += lines.line("throughput", fields, at, tags)
    return found
