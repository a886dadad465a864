"""Time on devices without a real-time clock: nothing is dated before somebody vouches for the clock."""

import ctypes
import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.clock import MINUTE_NS, Offset, Timeline, date, minute_of, phase_ns, round_phase_ns, until_next_round
from agent.clock_linux import LinuxClocks
from contract.sample import Sample, Value
from tests.agent.doubles import SECOND_NS, UNIX_NS, FakeClocks

HOSTS = Path(__file__).parents[1] / "fixtures/hosts"
MANY = settings(max_examples=200, deadline=None)
OFFSET = Offset(UNIX_NS, "synced")


def _presence(at_ns: int) -> Sample:
    fields: dict[str, Value] = {"boot": "b", "uptime_s": at_ns / 1e9, "asleep_s": 0.0, "broker": 1}
    return Sample("presence", fields, at_ns)


def test_nothing_is_dated_while_nobody_vouches() -> None:
    """A clock that nobody vouches for dates nothing, whatever it shows."""
    clocks = FakeClocks(voucher="")
    assert Timeline(clocks, "auto").refresh() is None


def test_the_offset_comes_with_the_kernels_word() -> None:
    """Once the kernel says that the clock is synchronised, the whole boot is dated by it."""
    clocks = FakeClocks(voucher="")
    timeline = Timeline(clocks, "auto")
    clocks.advance(300)
    timeline.refresh()
    clocks.word = "kernel"
    assert timeline.refresh() == timeline.offset == Offset(UNIX_NS, "synced")


def test_a_step_by_hand_does_not_move_the_offset() -> None:
    """Setting the clock by hand, at which the kernel withdraws its word, leaves the dates as they were."""
    clocks = FakeClocks()
    timeline = Timeline(clocks, "auto")
    timeline.refresh()
    clocks.word = ""
    clocks.step(-7 * 86400)
    clocks.advance(60)
    assert timeline.refresh() == Offset(UNIX_NS, "synced")


def test_the_kernel_corrects_the_offset() -> None:
    """While the kernel vouches, the offset follows the clock that it disciplines."""
    clocks = FakeClocks()
    timeline = Timeline(clocks, "auto")
    timeline.refresh()
    clocks.step(0.25)
    assert timeline.refresh() == Offset(UNIX_NS + SECOND_NS // 4, "synced")


def test_trust_does_not_replace_the_kernels_word() -> None:
    """Time that the kernel vouched for is not replaced by time that only the operator or a hypervisor trusts."""
    clocks = FakeClocks()
    timeline = Timeline(clocks, "always")
    timeline.refresh()
    clocks.word = "hypervisor"
    clocks.step(3600)
    assert timeline.refresh() == Offset(UNIX_NS, "synced")


def test_the_kernels_word_replaces_trust() -> None:
    """Trusted time becomes synced as soon as the kernel vouches."""
    clocks = FakeClocks(voucher="hypervisor")
    timeline = Timeline(clocks, "auto")
    assert timeline.refresh() == Offset(UNIX_NS, "trusted")
    clocks.word = "kernel"
    clocks.step(2)
    assert timeline.refresh() == Offset(UNIX_NS + 2 * SECOND_NS, "synced")


@pytest.mark.parametrize(
    ("trust", "voucher", "clock"),
    [
        ("kernel", "kernel", "synced"),
        ("kernel", "hypervisor", None),
        ("kernel", "", None),
        ("auto", "kernel", "synced"),
        ("auto", "hypervisor", "trusted"),
        ("auto", "", None),
        ("always", "kernel", "synced"),
        ("always", "hypervisor", "trusted"),
        ("always", "", "trusted"),
    ],
)
def test_whose_word_counts(trust: str, voucher: str, clock: str | None) -> None:
    """The setting `clock.trust` says whose word counts; a batch says whether it was the kernel's."""
    offset = Timeline(FakeClocks(voucher=voucher), trust).refresh()
    assert (offset.clock if offset else None) == clock


@pytest.mark.parametrize("trust", ["kernel", "auto", "always"])
def test_a_clock_before_this_software_is_wrong(trust: str) -> None:
    """A clock that shows a time before 2026 is never believed, whoever vouches for it."""
    clocks = FakeClocks(unix_ns=1_767_225_599_999_999_999)
    timeline = Timeline(clocks, trust)
    assert timeline.refresh() is None
    clocks.offset_ns += 1
    assert timeline.refresh() == Offset(1_767_225_600_000_000_000, "synced")


def test_an_offset_known_from_before_is_kept() -> None:
    """An agent that is restarted within a boot goes on with the offset that this boot had."""
    known = Offset(UNIX_NS + 5, "synced")
    assert Timeline(FakeClocks(voucher=""), "auto", known).refresh() == known


def test_a_word_that_is_lost_and_comes_back_is_believed_again() -> None:
    """After a step by hand the dates follow the clock again as soon as the kernel vouches for it anew."""
    clocks = FakeClocks()
    timeline = Timeline(clocks, "kernel")
    timeline.refresh()
    clocks.word = ""
    clocks.step(-3600)
    assert timeline.refresh() == Offset(UNIX_NS, "synced")
    clocks.word = "kernel"
    clocks.step(3602)
    assert timeline.refresh() == Offset(UNIX_NS + 2 * SECOND_NS, "synced")


def test_sleep_does_not_move_the_dates() -> None:
    """What is measured after a night's sleep is dated after the night: boot time counts sleep too."""
    clocks = FakeClocks()
    timeline = Timeline(clocks, "auto")
    timeline.refresh()
    clocks.word = ""
    clocks.advance(8 * 3600, asleep=True)
    clocks.advance(90)
    offset = timeline.refresh()
    assert offset is not None
    assert date(Sample("host", {"load1": 0.5}, clocks.boottime_ns()), offset) == (clocks.unix_ns(), {"load1": 0.5})


_EVENTS = st.one_of(
    st.tuples(st.just("advance"), st.integers(1, 86_400)),
    st.tuples(st.just("sleep"), st.integers(1, 86_400)),
    st.tuples(st.just("step"), st.integers(-(10**9), 10**9)),
    st.tuples(st.sampled_from(["kernel", "hypervisor", ""]), st.just(0)),
    st.tuples(st.just("restart"), st.just(0)),
)


@MANY
@given(trust=st.sampled_from(["kernel", "auto", "always"]), events=st.lists(_EVENTS, max_size=30))
def test_the_dates_are_those_of_the_best_word_last_given(trust: str, events: list[tuple[str, int]]) -> None:
    """
    However the clock is set and whoever vouches when, a boot is dated by the clock as it was last vouched for.

    The kernel's word stands above all others', for the whole boot, and a time before 2026 is never taken.
    """
    clocks = FakeClocks(voucher="", unix_ns=0)
    timeline = Timeline(clocks, trust)
    right_ns: int | None = None
    was_synced = False
    for event, seconds in [("step", UNIX_NS // SECOND_NS), *events]:
        if event in ("advance", "sleep"):
            clocks.advance(seconds, asleep=event == "sleep")
        elif event == "step":
            clocks.step(seconds)
        elif event == "restart":
            timeline = Timeline(clocks, trust, timeline.offset)
        else:
            clocks.word = event
        is_trusted = trust == "always" or (trust == "auto" and clocks.word == "hypervisor")
        if clocks.unix_ns() >= 1_767_225_600 * SECOND_NS:
            if clocks.word == "kernel":
                right_ns, was_synced = clocks.offset_ns, True
            elif is_trusted and not was_synced:
                right_ns = clocks.offset_ns
        offset = timeline.refresh()
        assert (offset.ns if offset else None) == right_ns
        assert offset is None or offset.clock == ("synced" if was_synced else "trusted")


def test_presence_is_labelled_with_its_minute() -> None:
    """Presence measured within a minute carries the minute's beginning, and the uptime of that instant."""
    dated = date(_presence(90 * SECOND_NS), OFFSET)
    assert dated is not None
    assert dated.time_ns == UNIX_NS + 60 * SECOND_NS
    assert dated.fields == {"boot": "b", "uptime_s": 60.0, "asleep_s": 0.0, "broker": 1}


def test_presence_before_the_first_minute_proves_nothing() -> None:
    """Presence whose minute began before the boot is not evidence of that minute, and is left out."""
    assert date(_presence(59 * SECOND_NS), OFFSET) is None
    assert date(_presence(30 * SECOND_NS), Offset(UNIX_NS + 20 * SECOND_NS, "synced")) is None
    assert date(_presence(61 * SECOND_NS), OFFSET) is not None


def test_other_samples_keep_their_instant() -> None:
    """Every other measurement is dated at its very instant, with its fields untouched."""
    sample = Sample("host", {"load1": 0.5}, 12_345)
    assert date(sample, OFFSET) == (UNIX_NS + 12_345, {"load1": 0.5})


@MANY
@given(at_ns=st.integers(0, 10**17), offset_ns=st.integers(UNIX_NS, UNIX_NS + 10**18))
def test_a_dated_presence_never_claims_more_than_was_lived(at_ns: int, offset_ns: int) -> None:
    """The label is on the minute, at most a minute before the reading, and its uptime is true of the label."""
    dated = date(_presence(at_ns), Offset(offset_ns, "synced"))
    boundary_ns = minute_of(at_ns + offset_ns)
    assert boundary_ns % MINUTE_NS == 0
    assert 0 <= at_ns + offset_ns - boundary_ns < MINUTE_NS
    assert (dated is None) == (boundary_ns <= offset_ns)
    if dated:
        uptime_s = dated.fields["uptime_s"]
        assert isinstance(uptime_s, float)
        assert abs(uptime_s * 1e9 - (boundary_ns - offset_ns)) <= 600_000
        assert uptime_s <= at_ns / 1e9 + 0.001


@given(agent=st.text())
def test_rounds_keep_away_from_the_edges_of_the_minute(agent: str) -> None:
    """Rounds of a minute are from its 5th to its 50th second, so that none is taken for one of another minute."""
    assert 5 * SECOND_NS <= round_phase_ns(agent, MINUTE_NS) < 50 * SECOND_NS


@MANY
@given(now_ns=st.integers(0, 10**19), every_ns=st.integers(1, 10**12), phase=st.data())
def test_the_next_round_is_at_the_agents_own_phase(now_ns: int, every_ns: int, phase: st.DataObject) -> None:
    """The next round is ahead, at most one round away, and exactly at the agent's own offset within the round."""
    own = phase.draw(st.integers(0, every_ns - 1))
    wait_ns = until_next_round(now_ns, every_ns, own)
    assert 0 < wait_ns <= every_ns
    assert (now_ns + wait_ns) % every_ns == own


@MANY
@given(agent=st.text(max_size=64), every_ns=st.integers(1, 10**12))
def test_the_phase_lies_within_the_round(agent: str, every_ns: int) -> None:
    """Every agent has a fixed place within the round."""
    assert 0 <= phase_ns(agent, every_ns) < every_ns
    assert phase_ns(agent, every_ns) == phase_ns(agent, every_ns)


def test_a_city_does_not_speak_at_once() -> None:
    """The agents of a school are spread over the minute: no second of it has far more than its share."""
    phases = [phase_ns(f"441802-{site}.c{place:04}", MINUTE_NS) for site in range(100) for place in range(60)]
    seconds = [phase // SECOND_NS for phase in phases]
    assert max(seconds.count(second) for second in range(60)) < 200  # a fair share is 100


@pytest.mark.parametrize(
    ("model", "boot", "vouchers"),
    [
        ("raspberry-pi-4/root", "3f2b6a52-8a6e-4b53-9c6d-0d3c1f1f6a10", {"kernel", ""}),
        ("classroom-pc", "7d0b0c1e-58a4-4a43-8f0e-2f4f4f0c9b11", {"kernel", ""}),
        ("virtual-machine", "b7a3b7f6-2d0d-4f6e-9f5e-6a1f3d2c4b5a", {"kernel", "hypervisor"}),
    ],
)
def test_clocks_of_a_machine(model: str, boot: str, vouchers: set[str]) -> None:
    """The boot id is the kernel's, and only a virtual machine has a hypervisor to vouch for its clock."""
    clocks = LinuxClocks(HOSTS / model)
    assert clocks.boot == boot
    assert clocks.voucher() in vouchers


def test_a_machine_without_cpuinfo_is_no_guest(tmp_path: Path) -> None:
    """Where the kernel shows no processor, nobody but the kernel vouches."""
    file = tmp_path / "proc/sys/kernel/random/boot_id"
    file.parent.mkdir(parents=True)
    file.write_text("x\n")
    assert LinuxClocks(tmp_path).voucher() in {"kernel", ""}


def test_a_unit_that_forbids_the_kernels_word_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where ProtectClock= or a SystemCallFilter= forbids adjtimex(2), nothing vouches, and once it is said why."""

    def forbidden(_timex: object) -> int:
        ctypes.set_errno(errno.EPERM)
        return -1

    clocks = LinuxClocks(HOSTS / "raspberry-pi-4/root")
    monkeypatch.setattr(clocks, "_adjtimex", forbidden)
    assert clocks.voucher() == clocks.voucher() == ""
    (said,) = caplog.messages
    assert said.startswith("adjtimex: Operation not permitted")
    assert "ProtectClock=" in said


def test_this_machines_clocks_run() -> None:
    """On the real machine boot time and wall clock go forward, and boot time is not shorter than time awake."""
    clocks = LinuxClocks()
    first = (clocks.boottime_ns(), clocks.unix_ns())
    assert clocks.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert clocks.boottime_ns() > first[0]
    assert clocks.unix_ns() > first[1]
    assert clocks.awake_ns() <= clocks.boottime_ns()
    before_s = clocks.boottime_ns() / 1e9
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    assert before_s - 0.01 <= uptime_s <= clocks.boottime_ns() / 1e9, "the kernel says it in hundredths of a second"
