"""
How a device is now, by the newest evidence of it and by the hours of its site.

    never heard ─▶ unknown        proven good just now ─▶ working
    closed, or maintenance ─▶ quiet        silent on two days of service or more ─▶ silent
    outside its hours ─▶ quiet             else what the evidence says: failing, off, offline, unknown

Where santong watch runs its word counts instead: it hears wills and states, the store only what was measured.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from collector.board.newest import Newest, Outcome
from collector.calendars.schedule import DaySchedule, Window
from collector.roster.schema import Device
from collector.watch.types import Now, State

MINUTE_NS = 60_000_000_000
# Agents send every one or two minutes: evidence that is older than twice that is not of now.
FRESH_NS = 4 * MINUTE_NS
HOLDS_NS = 15 * MINUTE_NS  # the outcome of a probe; most are asked every minute to every ten
SILENT_DAYS = 2
CLASSROOM, GATEWAY, HOTSPOT = "classroom", "gateway", "access-point"


class Hours(NamedTuple):
    """Today at a site, and its days before, the newest first."""

    today: DaySchedule
    past: Sequence[DaySchedule] = ()

    def in_service(self, now_ns: int) -> bool:
        """Tell whether service is owed now."""
        return any(window.start_ns <= now_ns < window.end_ns for window in self.today.service)

    def since(self, now_ns: int) -> int:
        """Return when service was last owed, unix ns; 0 where that is long ago."""
        for day in (self.today, *self.past):
            for window in reversed(day.service):
                if window.end_ns <= now_ns:
                    return window.end_ns
        return 0

    def missed(self, heard_ns: int, now_ns: int) -> int:
        """Return how many days of service are over since a device was last heard."""
        over = 0
        for day in (self.today, *self.past):
            if not day.service or day.service[-1].end_ns > now_ns:
                continue
            if day.service[0].start_ns <= heard_ns:
                break
            over += 1
        return over


class _Life(NamedTuple):
    """What evidence alone says."""

    state: State
    since_ns: int
    why: str = ""


def derive(
    device: Device, own: Newest | None, speaker: Newest | None, hours: Hours, closed: Sequence[Window], now_ns: int
) -> Now:
    """
    Return the state of a device.

    `speaker` is what is newest of the agent that speaks for it, itself where it speaks for itself; `closed` are its
    closures and those of all that it belongs to.
    """
    if own is None or not own.heard_ns:
        return Now(device.id, State.UNKNOWN, 0, "never_reported")
    life = _observed(device, own, speaker, now_ns) if device.speaker != device.id else _speaking(device, own, now_ns)
    if life.state is not State.WORKING:
        life = _excused(life, own, hours, closed, now_ns) or life
    return Now(device.id, *life)


def good_ns(device: Device, own: Newest) -> int:
    """Return when a device was heard last if it worked then, else 0; of a hotspot whose journeys are not known 0."""
    is_observed = device.speaker != device.id
    heard_ns = own.answered_ns if is_observed else own.presence_ns
    if not heard_ns or (device.role == HOTSPOT and not own.probes) or _service(own, heard_ns):
        return 0
    is_bad = (own.display == "standby" or _is_refused(own)) if is_observed else _network(own) is not None
    return 0 if is_bad else heard_ns


def _excused(life: _Life, own: Newest, hours: Hours, closed: Sequence[Window], now_ns: int) -> _Life | None:
    """Return what is said instead of a device that does not work, None where it should."""
    for windows, why in ((closed, "closed"), (hours.today.excluded, "excluded")):
        for window in windows:
            if window.start_ns <= now_ns < window.end_ns:
                return _Life(State.QUIET, window.start_ns, why)
    if life.state is not State.FAILING and hours.missed(own.heard_ns, now_ns) >= SILENT_DAYS:
        return _Life(State.SILENT, own.heard_ns, "not_heard")
    return None if hours.in_service(now_ns) else _Life(State.QUIET, hours.since(now_ns), "no_service")


def _speaking(device: Device, own: Newest, now_ns: int) -> _Life:
    """Return what a device with an agent of its own says of itself."""
    if now_ns - own.presence_ns < FRESH_NS:
        began_ns = max(0, own.presence_ns - round(own.uptime_s * 1e9))
        return _network(own) or _service(own, now_ns) or _Life(State.WORKING, began_ns)
    if own.stop_ns >= own.presence_ns - MINUTE_NS:
        is_in_order = own.stopped_by.startswith("shutdown")
        return _Life(State.OFF, own.stop_ns, "power_off" if is_in_order else "agent_down")
    state = State.OFF if device.role == CLASSROOM else State.OFFLINE
    return _Life(state, own.presence_ns, "not_heard")


def _network(own: Newest) -> _Life | None:
    if own.lan == 0:
        return _Life(State.FAILING, own.presence_ns, "lan_down")
    if own.wan == 0:
        return _Life(State.FAILING, own.presence_ns, "wan_down")
    return None


def _service(own: Newest, now_ns: int) -> _Life | None:
    """Return at which stage the first probe fails whose outcome holds."""
    for _, outcome in sorted(_holding(own, now_ns)):
        if outcome.success is False:
            return _Life(State.FAILING, outcome.time_ns, outcome.stage or "service_down")
    return None


def _holding(own: Newest, now_ns: int) -> Iterator[tuple[tuple[str, str], Outcome]]:
    return ((key, one) for key, one in own.probes.items() if now_ns - one.time_ns < HOLDS_NS)


def _observed(device: Device, own: Newest, speaker: Newest | None, now_ns: int) -> _Life:
    """Return what another agent says of a device."""
    if speaker is None or now_ns - speaker.presence_ns >= FRESH_NS:
        return _Life(State.UNKNOWN, speaker.presence_ns if speaker else 0, "observer")
    if now_ns - own.answered_ns < FRESH_NS and not _is_refused(own):
        if own.display == "standby" and own.display_ns >= own.answered_ns - MINUTE_NS:
            return _Life(State.OFF, own.display_ns, "standby")
        return _service(own, now_ns) or _Life(State.WORKING, own.answered_ns)
    state = State.OFF if device.role == CLASSROOM else State.OFFLINE
    return _Life(state, own.answered_ns, "no_answer")


def _is_refused(own: Newest) -> bool:
    """Tell whether all probes that were asked last fail: it answers nothing any more."""
    newest = max((one.time_ns for one in own.probes.values()), default=0)
    last = [one for one in own.probes.values() if one.time_ns >= newest - MINUTE_NS]
    return bool(last) and all(one.success is False for one in last) and newest > own.answered_ns


def since(before: Now | None, found: Now) -> Now:
    """Return a state with the time since which it is so: what goes on working, or failing, keeps its own."""
    goes_on = before is not None and (before.state, before.why) == (found.state, found.why)
    if before and goes_on and found.state in (State.FAILING, State.WORKING):
        return found._replace(since_ns=before.since_ns)
    return found
