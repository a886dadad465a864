"""
The clocks of Windows, as far as they are arithmetic.

The functions of Windows are doubles here: these tests show what follows from what Windows says, not that it says so.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import clock_windows, windows
from agent.clock_windows import LONG_SLEEP, SECOND, Reading, Session, WindowsClocks, follow, note_of, parse

HOUR = 3600 * SECOND


class KernelDouble:
    """A test double of kernelbase.dll and of the registry: two counts of 100 ns, and one note in memory."""

    def __init__(self, total: int, awake: int, *, may_note: bool = True) -> None:
        self.total = total
        self.awake = awake
        self.noted = ""
        self.may_note = may_note

    def __getitem__(self, name: str) -> Callable[[Any], None]:
        counts = {"QueryInterruptTimePrecise": "total", "QueryUnbiasedInterruptTimePrecise": "awake"}

        def put(pointer: Any) -> None:
            assert isinstance(pointer._obj, ctypes.c_uint64)
            pointer._obj.value = getattr(self, counts[name])

        return put

    def pass_time(self, awake: int = 0, asleep: int = 0) -> None:
        """Let time pass, 100 ns."""
        self.total += awake + asleep
        self.awake += awake

    def recall(self, _name: str) -> str:
        """Return the note."""
        return self.noted

    def note(self, _name: str, text: str) -> bool:
        """Keep the note, where that is allowed."""
        self.noted = text if self.may_note else self.noted
        return self.may_note


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> KernelDouble:
    """Return the double of a machine that was started 10 minutes ago."""
    double = KernelDouble(600 * SECOND, 600 * SECOND)
    _install(monkeypatch, double)
    return double


def _install(monkeypatch: pytest.MonkeyPatch, double: KernelDouble) -> None:
    monkeypatch.setattr(windows, "library", {"kernelbase": double}.__getitem__)
    monkeypatch.setattr(windows, "recall", double.recall)
    monkeypatch.setattr(windows, "note", double.note)
    monkeypatch.setattr(windows, "registry", lambda _key, name: {"MachineGuid": "0f-1e", "BootId": 7}[name])


def test_a_boot_begins_with_the_kernel(kernel: KernelDouble) -> None:
    """The first agent of a kernel counts from the kernel's start, also when it comes later."""
    clocks = WindowsClocks()
    assert (clocks.boottime_ns(), clocks.awake_ns()) == (600 * 10**9, 600 * 10**9)


def test_a_boot_has_one_id_for_every_process(kernel: KernelDouble) -> None:
    """The agent, its next start and the command that leaves a stop mark all name one boot."""
    first = WindowsClocks()
    kernel.pass_time(HOUR)
    second = WindowsClocks()
    assert first.boot == second.boot
    assert first.boottime_ns() == second.boottime_ns() == (600 + 3600) * 10**9
    assert not first.is_over()


def test_the_two_counts_are_not_read_at_once(kernel: KernelDouble) -> None:
    """A machine that never slept has slept 0 s, though the count of what was awake is read a moment later."""
    kernel.awake += 40
    clocks = WindowsClocks()
    assert clocks.boot == WindowsClocks().boot
    assert kernel.noted == f"{clocks.boot} 0 0 0"
    assert not clocks.is_over()


def test_the_next_kernel_is_another_boot(kernel: KernelDouble) -> None:
    """A start of the machine, which empties the note, begins a boot of another name; so does a restore card's."""
    names = set()
    for _ in range(3):
        kernel.noted = ""
        names.add(WindowsClocks().boot)
    assert len(names) == 3


def test_a_note_that_outlived_its_kernel_is_no_note(kernel: KernelDouble) -> None:
    """Should a note last longer than its kernel, it is told by its times, which are later than all that has passed."""
    kernel.pass_time(asleep=HOUR)
    old = WindowsClocks().boot
    kernel.total = kernel.awake = 60 * SECOND
    clocks = WindowsClocks()
    assert clocks.boot != old
    assert clocks.boottime_ns() == 60 * 10**9


def test_a_short_sleep_is_sleep(kernel: KernelDouble) -> None:
    """A sleep of up to a minute belongs to the boot: it is in the uptime and not in what was awake."""
    clocks = WindowsClocks()
    for _ in range(3):  # several of them are not a long one
        kernel.pass_time(SECOND, asleep=LONG_SLEEP)
        assert not clocks.is_over()
    assert clocks.boottime_ns() - clocks.awake_ns() == 180 * 10**9
    assert WindowsClocks().boot == clocks.boot


def test_a_long_sleep_is_a_power_cycle(kernel: KernelDouble) -> None:
    """After more than a minute of sleep another boot goes on, whose uptime and sleep begin at the resume."""
    clocks = WindowsClocks()
    kernel.pass_time(asleep=LONG_SLEEP + SECOND)
    assert clocks.is_over()
    kernel.pass_time(5 * SECOND)
    assert clocks.is_over()
    after = WindowsClocks()
    assert after.boot != clocks.boot
    assert (after.boottime_ns(), after.awake_ns()) == (5 * 10**9, 5 * 10**9)
    kernel.pass_time(SECOND, asleep=10 * SECOND)
    assert (after.boottime_ns(), after.awake_ns()) == (16 * 10**9, 6 * 10**9)
    assert not after.is_over()


def test_the_readings_of_a_boot_that_is_over_go_on(kernel: KernelDouble) -> None:
    """What is dated by a boot that is over stays dated by it: its clocks make no jump."""
    clocks = WindowsClocks()
    before_ns = clocks.boottime_ns()
    kernel.pass_time(SECOND, asleep=HOUR)
    assert clocks.is_over()
    assert clocks.boottime_ns() - before_ns == 3601 * 10**9


def test_a_long_sleep_without_an_agent_is_seen_at_its_start(kernel: KernelDouble) -> None:
    """A machine that slept while no agent ran is in another boot when the next agent starts."""
    first = WindowsClocks()
    kernel.pass_time(HOUR, asleep=HOUR)
    second = WindowsClocks()
    assert second.boot != first.boot
    assert second.boottime_ns() == 0  # nothing is claimed of what nobody saw


def test_whoever_sees_the_resume_first_names_the_boot(kernel: KernelDouble) -> None:
    """A command that runs between the resume and the agent's next look names the boot that the agent then takes."""
    agent = WindowsClocks()
    kernel.pass_time(asleep=HOUR)
    command = WindowsClocks()
    assert agent.is_over()
    assert WindowsClocks().boot == command.boot


def test_an_ordinary_users_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not note anything still has one id a boot, by Windows' own count, and sees long sleeps."""
    kernel = KernelDouble(HOUR, HOUR, may_note=False)
    _install(monkeypatch, kernel)
    clocks = WindowsClocks()
    assert clocks.boot == WindowsClocks().boot
    kernel.pass_time(asleep=LONG_SLEEP + SECOND)
    assert clocks.is_over()
    monkeypatch.setattr(windows, "registry", lambda _key, name: {"MachineGuid": "0f-1e", "BootId": 8}[name])
    assert WindowsClocks().boot != clocks.boot


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 200)), max_size=30))
def test_a_boot_never_holds_a_long_sleep(steps: list[tuple[int, int]]) -> None:
    """However awake and asleep alternate, a boot ends exactly at sleeps of more than 60 s, and no time is lost."""
    now = Reading(0, 0)
    session = Session("0", 0, 0, 0)
    boots = 0
    for awake, asleep in steps:
        now = Reading(now.total + (awake + asleep) * SECOND, now.awake + awake * SECOND)
        boots += asleep > 60
        session = follow(session, now, lambda: str(boots))  # noqa: B023
        assert session.boot == str(boots)
        assert 0 <= now.asleep - session.asleep_before <= now.total - session.began
        assert parse(note_of(session), now) == session


@pytest.mark.parametrize("text", ["", "b", "b 1 2", "b 1 2 x", "b 1 2 3 4", "b -1 2 3", "b 11 0 0", f"b 0 0 {SECOND}"])
def test_what_is_no_note(text: str) -> None:
    """A note that is not ours, or of another kernel, is none."""
    assert parse(text, Reading(10, 10)) is None


def test_without_windows_every_door_is_an_error() -> None:
    """On another system the doors say so, in one line."""
    for door in (lambda: windows.library("kernel32"), lambda: windows.recall("x"), lambda: windows.note("x", "y")):
        with pytest.raises(OSError, match="of Windows alone"):
            door()
    with pytest.raises(OSError, match="of Windows alone"):
        clock_windows.WindowsClocks()
