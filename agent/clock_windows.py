r"""
The clocks of a Windows machine, and what a boot is there.

    kernel starts ──▶ awake ──▶ sleep ≤ 60 s ──▶ awake ──▶ sleep > 60 s ──▶ awake ──▶
    boot A, uptime from 0 ············· asleep_s grows ········┤            boot B, uptime from 0

Interrupt time counts sleep and hibernation, unbiased interrupt time does not: their difference is sleep. "Shut down"
with fast startup only hibernates the kernel, and to a class a machine that slept is a machine that was off: so a
resume after more than 60 s begins a new boot. The agent's loop then begins anew, as it would after a power cut.

The boot's id is random and stands, with the boot's begin, in a volatile key of the registry, which is in memory and
ends with the kernel. Why none of what Windows itself counts: `PrefetchParameters\BootId` is on the disk, where a
restore card sets it back at every start, and it lags behind the kernel's; the boot time moves with the wall clock; the
`BootIdentifier` of the firmware names the entry of the boot menu, the same at each boot.

Never run on Windows: docs/windows.md.
"""

import ctypes
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from agent import windows
from agent.w32time import TimeService

SECOND = 10_000_000  # interrupt time is in 100 ns
LONG_SLEEP = 60 * SECOND
_JITTER = SECOND // 2  # the two clocks are read one after the other
_NOTE = "session"
_PREFETCH = r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters"
_CRYPTOGRAPHY = r"SOFTWARE\Microsoft\Cryptography"


class Reading(NamedTuple):
    """Interrupt time, all of it and only what was awake, 100 ns."""

    total: int
    awake: int

    @property
    def asleep(self) -> int:
        """How long the machine has slept since the kernel was started; `awake` is read a moment after `total`."""
        return max(0, self.total - self.awake)


class Session(NamedTuple):
    """
    A boot: its id, when it began and how much sleep there was before it, and how much there is now, 100 ns.

    What was slept unseen, while no agent ran, counts as one sleep.
    """

    boot: str
    began: int
    asleep_before: int
    asleep: int


def follow(session: Session, now: Reading, new_id: Callable[[], str]) -> Session:
    """Return the session that goes on now: another one after a long sleep, whose end is the first look after it."""
    slept = now.asleep - session.asleep
    if slept > LONG_SLEEP:
        return Session(new_id(), now.total, now.asleep, now.asleep)
    return session._replace(asleep=now.asleep) if slept > _JITTER else session


def parse(text: str, now: Reading) -> Session | None:
    """Return a session from its note; None for what is none, or is of a kernel that has ended."""
    words = text.split()
    if len(words) != 4 or not all(word.isdecimal() for word in words[1:]):
        return None
    session = Session(words[0], *map(int, words[1:]))
    is_past = session.began <= now.total and session.asleep <= now.asleep + _JITTER
    return session if is_past else None


def note_of(session: Session) -> str:
    """Return a session as a note."""
    return " ".join(map(str, session))


class WindowsClocks:
    """The clocks of a Windows machine (10 or later, for QueryInterruptTimePrecise), of one boot."""

    def __init__(self) -> None:
        self._times = windows.library("kernelbase")  # kernel32 has not all of them
        self._service = TimeService()
        self._session = self._known() or self._first()
        self._is_over = False
        self.boot = self._session.boot

    def boottime_ns(self) -> int:
        """Nanoseconds since this boot began, sleep included."""
        return (self._interrupt_time("QueryInterruptTimePrecise") - self._session.began) * 100

    def awake_ns(self) -> int:
        """Nanoseconds since this boot began, without sleep."""
        awake = self._interrupt_time("QueryUnbiasedInterruptTimePrecise")
        return (awake - (self._session.began - self._session.asleep_before)) * 100

    def unix_ns(self) -> int:
        """Return what the wall clock shows."""
        return time.time_ns()

    def voucher(self) -> str:
        """Return who vouches for the wall clock, in the words of the Windows Time service."""
        return self._service.voucher(self.boottime_ns(), self.unix_ns())

    def is_over(self) -> bool:
        """Tell whether the machine slept so long that another boot has begun; this one's readings go on as before."""
        if not self._is_over and self._now().asleep - self._session.asleep > _JITTER:
            latest = self._known() or follow(self._session, self._now(), _new_id)
            self._is_over = latest.boot != self.boot
            self._session = self._session if self._is_over else latest
        return self._is_over

    def _known(self) -> Session | None:
        """Return the session that the note and the clocks tell, and note it anew where it has changed."""
        now = self._now()
        noted = parse(windows.recall(_NOTE), now)
        if noted is None:
            return None
        session = follow(noted, now, _new_id)
        if session != noted:
            windows.note(_NOTE, note_of(session))
        return session

    def _first(self) -> Session:
        """Begin the session of a kernel that no agent has seen yet."""
        asleep = self._now().asleep
        if windows.note(_NOTE, note_of(Session(_new_id(), 0, 0, asleep))) and (noted := self._known()):
            return noted  # read again: another command may have noted its own
        return Session(_counted_id(), 0, 0, asleep)

    def _now(self) -> Reading:
        return Reading(
            self._interrupt_time("QueryInterruptTimePrecise"), self._interrupt_time("QueryUnbiasedInterruptTimePrecise")
        )

    def _interrupt_time(self, function: str) -> int:
        value = ctypes.c_uint64()
        self._times[function](ctypes.byref(value))
        return value.value


def _new_id() -> str:
    return str(uuid.uuid4())


def _counted_id() -> str:
    """Return an id for an ordinary user, who may not note one: this machine's own, and Windows' count of its boots."""
    machine = windows.registry(_CRYPTOGRAPHY, "MachineGuid")
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{machine} {windows.registry(_PREFETCH, 'BootId')}"))
