"""Probes on time: the thread between settings, worker and rounds, with the real worker."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.clock import Offset
from agent.gather.read import Read, Way
from agent.outcome import Outcome
from agent.probe import budget
from agent.probe.settings import Http, Icmp, ProbeSettings, Tcp, Throughput
from agent.probe.values import Host, HostPort, Url, Window
from agent.probing import MOST_KEPT, MOST_SILENT, Probing
from agent.questions import Question, probes_of, samples_of
from agent.worker.client import Answer, Client
from contract.errors import ConfigError
from contract.sample import Sample
from contract.settings import Seconds, Size
from firmware_profiles.sources import Pjlink
from tests.agent.doubles import DEVICE, SECOND_NS, UNIX_NS, FakeClocks
from tests.agent.worker.misbehaving import COMMAND

LONG_S = 60.0
CLOSED = Tcp(HostPort("127.0.0.1:1"), timeout=Seconds(1))
SYNCED = Offset(UNIX_NS, "synced")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the thread look often: the clock that the test moves does not wake it."""
    monkeypatch.setattr("agent.probing._LONGEST_WAIT_S", 0.02)


@contextmanager
def probing(
    settings: ProbeSettings, folder: Path, clocks: FakeClocks, offset: Callable[[], Offset | None] = lambda: SYNCED
) -> Iterator[Probing]:
    """Run the thread on a clock that the test moves."""
    source = Probing(probes_of(settings, DEVICE), DEVICE, clocks, offset, folder)
    source.start()
    try:
        yield source
    finally:
        source.stop()


def taken(source: Probing) -> list[Sample]:
    """Return the samples of what was answered since the last time."""
    return [sample for question, answer in source.take() for sample in samples_of(question, answer)]


def gathered(source: Probing, count: int = 1) -> list[Sample]:
    """Wait until so many samples are there."""
    samples: list[Sample] = []
    until = time.monotonic() + LONG_S
    while len(samples) < count and time.monotonic() < until:
        samples += taken(source)
        time.sleep(0.02)
    assert len(samples) == count
    return samples


def test_a_probe_is_asked_when_it_is_due(tmp_path: Path) -> None:
    """A probe runs once in its interval, and what it finds is there for the next round, dated when it was asked."""
    clocks = FakeClocks()
    with probing(ProbeSettings(tcp=(CLOSED,)), tmp_path, clocks) as source:
        assert not taken(source)
        for _ in range(2):
            clocks.advance(60)
            before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            (sample,) = gathered(source)
            assert sample.measurement == "probe"
            assert sample.tags == {"kind": "tcp", "target": "127.0.0.1:1"}
            assert (sample.fields["success"], sample.fields["stage"], sample.fields["code"]) == (0, "connect", 111)
            assert before <= sample.at_ns <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_a_probe_that_hangs_is_not_asked_again_and_delays_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one probe hangs, rounds take what others found at once, and the hanging one is not piled up."""
    monkeypatch.setattr("agent.probing.Client", lambda: Client(COMMAND))
    clocks = FakeClocks()
    hanging, asked = CLOSED._replace(timeout=Seconds(30)), []
    settings = ProbeSettings(tcp=(CLOSED._replace(name="quick"), hanging))
    original = Client.ask

    def ask(client: Client, kind: str, what: Tcp) -> int:
        asked.append(what)
        return original(client, "hang" if what == hanging else kind, what)

    monkeypatch.setattr(Client, "ask", ask)
    with probing(settings, tmp_path, clocks) as source:
        for _ in range(3):
            clocks.advance(60)
            assert gathered(source)[0].tags["target"] == "quick"
        begun = time.monotonic()
        assert not taken(source)
        assert time.monotonic() - begun < 10
    assert asked.count(hanging) == 1
    assert len(asked) == 4


def test_a_defect_of_the_thread_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks the thread's step, it begins anew and probes go on."""
    clocks = FakeClocks()
    failures = iter([OSError("no more processes")])
    original = Client.ask

    def ask(client: Client, kind: str, what: Tcp) -> int:
        for failure in failures:
            raise failure
        return original(client, kind, what)

    monkeypatch.setattr(Client, "ask", ask)
    with probing(ProbeSettings(tcp=(CLOSED,)), tmp_path, clocks) as source:
        clocks.advance(60)
        assert gathered(source)[0].fields["stage"] == "connect"


def test_a_worker_that_idles_is_ended(tmp_path: Path) -> None:
    """Between rare probes no worker takes up memory."""
    clocks = FakeClocks()
    rare = CLOSED._replace(every=Seconds(3600))
    with probing(ProbeSettings(tcp=(rare,)), tmp_path, clocks) as source:
        clocks.advance(3600)
        gathered(source)
        until = time.monotonic() + LONG_S
        while source._client.is_running and time.monotonic() < until:
            time.sleep(0.02)
        assert not source._client.is_running


def test_two_probes_that_would_write_the_same_points_are_a_mistake() -> None:
    """Two probes of one kind and target need two names; the mistake is said with its place."""
    host = Icmp(Host("192.0.2.1"))
    assert len(probes_of(ProbeSettings(icmp=(host, host._replace(name="quick")), tcp=(CLOSED,)), DEVICE)) == 3
    with pytest.raises(ConfigError, match=r"probe\.icmp\[1\]\.name: '192\.0\.2\.1' is there twice"):
        probes_of(ProbeSettings(icmp=(host, host)), DEVICE)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["''"], r"probe\.icmp\[0\]\.name: \"''\" has nothing that a tag can hold"),
        ([" \t "], r"probe\.icmp\[0\]\.name: ' \\t ' has nothing that a tag can hold"),
        (["教" * 67], r"probe\.icmp\[0\]\.name: '教{40}'… is longer than 200 bytes"),
        (["hall", "hall'"], r"probe\.icmp\[1\]\.name: \"hall'\" is there twice"),
        (["a\\b", "a/b "], r"probe\.icmp\[1\]\.name: 'a/b ' is there twice"),
    ],
)
def test_a_name_must_be_fit_for_a_tag(names: list[str], message: str) -> None:
    """A name of which nothing is left, an endless one, or one that becomes another's would lose every sample."""
    hosts = tuple(Icmp(Host("192.0.2.1"), name=name) for name in names)
    with pytest.raises(ConfigError, match=message) as caught:
        probes_of(ProbeSettings(icmp=hosts), DEVICE)
    assert len(caught.value.problems) == 1
    with pytest.raises(ConfigError, match=r"probe\.http\[0\]\.name: .* is longer than 200 bytes"):
        probes_of(ProbeSettings(http=(Http(Url("http://192.0.2.1/" + "x" * 200)),)), DEVICE)
    probes_of(ProbeSettings(icmp=(Icmp(Host("192.0.2.1"), name="教" * 66),)), DEVICE)


def test_an_answer_becomes_samples() -> None:
    """An outcome is a point of `probe` and those it brings along; what could not be asked has no success."""
    outcome = Outcome(
        True, "portal", 302, "", {"rtt_ms": 1.0}, {"mac": "local"}, (("throughput", {"direction": "download"}, {}),)
    )
    first, second = samples_of(Question("portal", "internet", CLOSED, DEVICE), Answer(1, 7, outcome))
    assert first == Sample(
        "probe",
        {"rtt_ms": 1.0, "stage": "portal", "success": 1, "code": 302},
        7,
        {"kind": "portal", "target": "internet"},
    )
    assert (second.measurement, second.at_ns) == ("throughput", 7)
    unable = Outcome(None, "unable", reason="no interface")
    (sample,) = samples_of(Question("dhcp", "eth9", CLOSED, DEVICE), Answer(1, 7, unable))
    assert sample.fields == {"stage": "unable", "reason": "no interface"}


# ---- throughput

NOON_NS = 1_795_060_800_000_000_000 - 1_795_060_800_000_000_000 % (86_400 * SECOND_NS) + 4 * 3600 * SECOND_NS
TEST = Throughput(
    Url("http://127.0.0.1:1/backend/"), timeout=Seconds(30), window=Window("12:00-14:00+08:00"), budget=Size(1000)
)


def at_noon() -> tuple[FakeClocks, Callable[[], Offset]]:
    """Return a clock of which it is 11:59 in Qingyuan, and what vouches for it."""
    clocks = FakeClocks(unix_ns=NOON_NS - 60 * SECOND_NS)
    return clocks, lambda: Offset(NOON_NS - 60 * SECOND_NS, "synced")


def test_throughput_waits_for_its_slot(tmp_path: Path) -> None:
    """A test runs once a day in the device's slot: not before, not after, also after a restart of the agent."""
    clocks, offset = at_noon()
    settings = ProbeSettings(throughput=(TEST._replace(slot=7),))
    with probing(settings, tmp_path, clocks, offset) as source:
        clocks.advance(60 + 7 * 30 - 1)
        time.sleep(0.2)
        assert not source._asked
        assert not budget.read(tmp_path).tested
        clocks.advance(1)
        until = time.monotonic() + LONG_S
        while not budget.read(tmp_path).tested and time.monotonic() < until:
            time.sleep(0.02)
    begun = budget.read(tmp_path).tested[TEST.target]
    assert begun == NOON_NS / 1e9 + 7 * 30
    again = Probing(probes_of(settings, DEVICE), DEVICE, clocks, offset, tmp_path)
    (test,) = again._questions
    assert again._next(test) == (60 + 7 * 30 + 86_400) * SECOND_NS


def asked(monkeypatch: pytest.MonkeyPatch) -> list[Throughput]:
    """Return the list of what a client double is asked, which answers nothing."""
    questions: list[Throughput] = []

    def ask(_client: Client, _kind: str, what: Throughput) -> int:
        questions.append(what)
        return len(questions)

    monkeypatch.setattr(Client, "ask", ask)
    return questions


def test_throughput_is_not_run_before_the_time_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without the time nobody knows whether lessons are going on: no test, and none when it becomes known either.

    A device boots at eight, and learns the time in its first round: its test is still due at noon.
    """
    questions = asked(monkeypatch)
    clocks = FakeClocks(unix_ns=NOON_NS - 4 * 3600 * SECOND_NS)
    known: list[Offset] = []
    settings = ProbeSettings(throughput=(TEST._replace(slot=0),))
    source = Probing(probes_of(settings, DEVICE), DEVICE, clocks, lambda: known[0] if known else None, tmp_path)
    for _ in range(3):
        source._step()
        clocks.advance(60)
    known.append(Offset(clocks.offset_ns, "synced"))
    for _ in range(10):
        source._step()
        clocks.advance(60)
    assert not questions
    clocks.advance((NOON_NS - clocks.unix_ns()) / SECOND_NS + 1)
    source._step()
    assert len(questions) == 1


@pytest.mark.parametrize("hours", [4, 8, 12])
def test_a_machine_that_slept_through_its_slot_waits_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """A laptop that is opened in the afternoon does not test in the middle of a lesson."""
    questions = asked(monkeypatch)
    clocks = FakeClocks(unix_ns=NOON_NS - 3600 * SECOND_NS)
    offset = Offset(clocks.offset_ns, "synced")
    source = Probing(
        probes_of(ProbeSettings(throughput=(TEST._replace(slot=0),)), DEVICE), DEVICE, clocks, lambda: offset, tmp_path
    )
    source._step()
    clocks.advance(hours * 3600, asleep=True)
    source._step()
    assert not questions


def test_a_clock_that_is_set_right_moves_the_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that was planned by a clock four hours fast is run at noon by the right one."""
    questions = asked(monkeypatch)
    clocks = FakeClocks(unix_ns=NOON_NS - 4 * 3600 * SECOND_NS - 60 * SECOND_NS)
    offsets = [Offset(clocks.offset_ns + 4 * 3600 * SECOND_NS, "trusted")]
    source = Probing(
        probes_of(ProbeSettings(throughput=(TEST._replace(slot=0),)), DEVICE),
        DEVICE,
        clocks,
        lambda: offsets[-1],
        tmp_path,
    )
    source._step()
    offsets.append(Offset(clocks.offset_ns, "synced"))
    for _ in range(12):
        clocks.advance(5)
        source._step()
    clocks.advance(5)
    source._step()
    assert not questions


def test_two_throughput_tests_of_a_device_never_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a slot of its own; no other probe begins while one has the line."""
    monkeypatch.setattr("agent.probing._LONGEST_WAIT_S", 0.0)
    questions = asked(monkeypatch)
    clocks, offset = at_noon()
    two = (TEST, TEST._replace(name="county"))
    settings = ProbeSettings(throughput=two, tcp=(CLOSED,))
    source = Probing(probes_of(settings, DEVICE), DEVICE, clocks, offset, tmp_path)
    begun = []
    for _ in range(2 * 3600 // 5):
        clocks.advance(5)
        before = len(questions)
        source._step()
        begun += [(clocks.unix_ns(), what) for what in questions[before:] if isinstance(what, Throughput)]
        running = [n for n, place in source._asked.items() if isinstance(source._questions[place].ask, Throughput)]
        if running and clocks.unix_ns() - begun[-1][0] >= 20 * SECOND_NS:
            assert len(running) == 1
            assert isinstance(questions[-1], Throughput), "the line is the test's alone"
            source._take(Answer(running[0], 0, Outcome(True, details={"total_bytes": 1})))
    assert [what.name for _, what in begun] in (["", "county"], ["county", ""])
    assert abs(begun[0][0] - begun[1][0]) >= 25 * SECOND_NS


def test_a_clock_that_is_set_back_a_little_does_not_ask_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A correction of some milliseconds just after a probe was due does not run it again at once."""
    questions = asked(monkeypatch)
    clocks = FakeClocks()
    offsets = [SYNCED]
    source = Probing(probes_of(ProbeSettings(tcp=(CLOSED,)), DEVICE), DEVICE, clocks, lambda: offsets[-1], tmp_path)
    (probe,) = source._questions
    source._due = [source._next(probe)]
    clocks.advance(source._due[0] / SECOND_NS)
    source._step()
    offsets.append(Offset(SYNCED.ns - SECOND_NS // 50, "synced"))
    source._asked.clear()
    source._due = [source._after(probe, clocks.boottime_ns())]
    clocks.advance(1)
    source._step()
    assert len(questions) == 1


def test_the_budget_of_bytes_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may move what is left of the month's bytes and no more; when nothing is left, that is a point too."""
    clocks, offset = at_noon()
    questions = asked(monkeypatch)
    source = Probing(probes_of(ProbeSettings(throughput=(TEST,)), DEVICE), DEVICE, clocks, offset, tmp_path)
    for number, moved in ((1, 700), (2, 300)):
        source._ask(0)
        assert budget.read(tmp_path).in_month("2026-11") == 1000, "a test that never answers has moved all it may"
        source._take(Answer(number, 0, Outcome(True, details={"total_bytes": moved})))
    assert [test.max_bytes for test in questions] == [1000, 300]
    taken(source)
    source._ask(0)
    assert len(questions) == 2
    (sample,) = taken(source)
    assert sample.fields["stage"] == "budget"
    assert "success" not in sample.fields
    assert budget.read(tmp_path).in_month("2026-11") == 1000


def reading(kind: str, tag: str, device: str = DEVICE, every_s: float = 60) -> Question:
    """Return a reading of a projector."""
    what = Pjlink(read=(), every=Seconds(every_s))
    return Question(kind, tag, Read(what, Way(address="127.0.0.1"), 5), device)


def test_a_device_is_read_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readings of one projector wait for each other, those of another do not; none is left out."""
    questions = asked(monkeypatch)
    two = [reading("pjlink", "display"), reading("pjlink", "identity")]
    clocks = FakeClocks()
    monkeypatch.setattr(Client, "open_questions", 0)
    source = Probing(
        [*two, reading("pjlink", "display", "441802-3144001234.c0704")], DEVICE, clocks, lambda: SYNCED, tmp_path
    )
    source._step()
    assert len(questions) == 2
    assert sorted(source._asked.values()) == [0, 2]
    source._take(Answer(1, 0, Outcome(True)))
    source._step()
    assert sorted(source._asked.values()) == [1, 2]


def test_what_is_read_once_an_hour_is_read_in_the_first_minute(tmp_path: Path) -> None:
    """Who has just installed a device sees its firmware at once, not within the hour; and then once an hour."""
    clocks = FakeClocks()
    hourly = reading("pjlink", "identity", every_s=3600)
    source = Probing([hourly], DEVICE, clocks, lambda: SYNCED, tmp_path)
    first = source._first(hourly)
    assert 0 <= first < 60 * SECOND_NS
    clocks.advance(first / SECOND_NS)
    assert 0.5 <= (source._after(hourly, first) - first) / SECOND_NS / 3600 <= 1.5


def test_silent_devices_leave_room_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many access points stop answering, one that answers is asked at once; each silent one has its turn."""
    questions = asked(monkeypatch)
    monkeypatch.setattr(Client, "open_questions", 0)
    clocks = FakeClocks()
    silent = [reading("snmp", "ap", f"441802-3144001234.ap-{number}") for number in range(40)]
    source = Probing([*silent, reading("pjlink", "display")], DEVICE, clocks, lambda: SYNCED, tmp_path)
    nothing = Outcome(False, "timeout", fields={"duration_ms": 5000.0})
    source._step()
    assert len(questions) == 41, "nobody is known to be silent yet"
    for number in range(1, 41):
        source._take(Answer(number, 0, nothing))
    source._take(Answer(41, 0, Outcome(True, fields={"duration_ms": 5.0})))
    clocks.advance(120)
    source._step()
    assert len(source._asked) == MOST_SILENT + 1
    assert 40 in source._asked.values(), "the projector's turn"
    seen: set[int] = set()
    while len(seen) < 40:
        number, place = min((number, place) for number, place in source._asked.items() if place != 40)
        assert place not in seen
        seen.add(place)
        source._take(Answer(number, 0, nothing))
        source._step()


def test_answers_that_nobody_takes_are_not_lost_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where rounds are so far apart that memory does not hold all answers, the log says so once a round."""
    clocks = FakeClocks()
    source = Probing([], DEVICE, clocks, lambda: SYNCED, tmp_path)
    question = Question("tcp", "a", CLOSED, DEVICE)
    for _ in range(2):
        caplog.clear()
        for number in range(MOST_KEPT + 3):
            source._keep(question, Answer(number, number, Outcome(True)))
        assert len(list(source.take())) == MOST_KEPT
        assert caplog.text.count("the oldest are lost") == 1
