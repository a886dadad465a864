"""Commands at the agent: what is run, what is refused and by which name, and that each is answered once."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import commands as room
from agent.clock import Offset, Timeline
from agent.commands import Commands
from agent.config import CommandSettings
from agent.outcome import Outcome
from agent.probe.settings import KINDS
from agent.probing import BUSY, WORKER_GONE, Done, Order, Probing
from agent.publish import Asked
from contract import __version__
from contract.asking import Found, Refused, Reply, Request, decode_reply, encode_request
from tests.agent.doubles import DEVICE, SECOND_NS, UNIX_NS, FakeClocks, TimeDouble

NOW_MS = UNIX_NS // 1_000_000


class ProbingDouble(Probing):
    """A test double of probing: keeps the order until the test says what came of it."""

    def __init__(self, folder: Path, clocks: FakeClocks) -> None:
        super().__init__((), DEVICE, clocks, lambda: None, folder)
        self.orders: list[Order] = []

    def order(self, order: Order) -> None:
        """Keep the order."""
        self._order = order
        self.orders.append(order)

    def end(self, outcome: Outcome, refused: str = "") -> None:
        """Say what came of the order."""
        self._end_order(outcome, refused)


class Desk:
    """Commands with all their ends in the test's hands."""

    def __init__(self, folder: Path, settings: CommandSettings, clock: TimeDouble) -> None:
        self.clocks = FakeClocks()
        self.clock = clock
        self.timeline = Timeline(self.clocks, "auto", Offset(UNIX_NS, "synced"))
        self.probing = ProbingDouble(folder, self.clocks)
        self.replies: list[tuple[bytes, Reply]] = []
        self.done: list[Done] = []
        self._last = 0
        self.commands = Commands(
            settings, self.timeline, self.probing, self, lambda: {"boot": self.clocks.boot}, self.done.append
        )

    def reply(self, payload: bytes, correlation: bytes) -> None:
        """Keep an answer."""
        self.replies.append((correlation, decode_reply(payload)))

    def send(self, payload: bytes, correlation: bytes | None = None, expiry_s: float | None = 60) -> None:
        """Send a message to the command topic."""
        self._last += 1
        fresh = correlation if correlation is not None else self._last.to_bytes(16, "big")
        self.commands.take(Asked(payload, fresh, self.clock.now, expiry_s))

    def ask(self, request: Request, expiry_s: float | None = 60) -> Reply | None:
        """Ask; return the answer, if there is one at once."""
        before = len(self.replies)
        self.send(encode_request(request), expiry_s=expiry_s)
        return self.replies[-1][1] if len(self.replies) > before else None

    def finish(self) -> Reply:
        """Let the loop take the end of the order; return the answer."""
        self.commands.finish(self.done.pop())
        return self.replies[-1][1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TimeDouble:
    """Let the time of commands stand until the test moves it."""
    double = TimeDouble()
    monkeypatch.setattr(room, "time", double)
    return double


@pytest.fixture
def desk(tmp_path: Path, clock: TimeDouble) -> Iterator[Desk]:
    """Make commands as they are without any settings."""
    yield Desk(tmp_path, CommandSettings(), clock)


def tcp(expires_ms: int = NOW_MS + 60_000, **given: str) -> Request:
    """Return a command that probes a port."""
    return Request("probe", expires_ms, "li.na", "tcp", "192.0.2.1:80", given)


def refused(reply: Reply | None) -> str:
    """Return the name of a refusal."""
    assert reply is not None, "nothing was answered"
    assert reply.found is None
    assert reply.diagnosis is None
    return reply.refused


def test_a_probe_is_run_and_answered(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """What is asked is what the probe gets; what it finds is the answer; the log has who, what and the outcome."""
    with caplog.at_level(logging.INFO):
        assert desk.ask(tcp(timeout="3s", max_rtt="20ms")) is None
        (order,) = desk.probing.orders
        assert order.kind == "tcp"
        assert (order.ask.target, order.ask.timeout, getattr(order.ask, "max_rtt", None)) == ("192.0.2.1:80", 3.0, 0.02)
        extra = (("throughput", {"server": "x"}, {"goodput_mbps": 1.5}),)
        found = Outcome(True, "done", None, "", {"connect_ms": 3.5}, {"never": "told"}, extra)
        desk.probing.end(found)
        reply = desk.finish()
    assert reply.found == Found(True, "done", None, "", {"connect_ms": 3.5}, extra)
    assert (reply.version, reply.at_ms) == (__version__, NOW_MS)
    assert caplog.messages[-1] == "command of li.na: probe tcp 192.0.2.1:80 timeout=3s max_rtt=20ms: works"


def test_a_diagnosis_is_answered_at_once(desk: Desk) -> None:
    """What is known is said at once, also while the machine has no time: an agent in trouble can be asked."""
    desk.timeline.offset = None
    reply = desk.ask(Request("diagnose", 1, "li.na"))
    assert reply == Reply(__version__, None, diagnosis={"boot": "boot-1"})


@pytest.mark.parametrize(
    ("request_", "name", "reason"),
    [
        (Request("replay", NOW_MS + 1000, "x"), Refused.UNKNOWN, "there is no command replay; there are probe"),
        (Request("probe", NOW_MS + 60_000, "x", "tpc", "y"), Refused.BAD_ARGUMENTS, "there is no probe tpc"),
        (Request("probe", NOW_MS + 60_000, "x"), Refused.BAD_ARGUMENTS, "there is no probe without a kind"),
        (Request("probe", NOW_MS + 60_000, "x", "tcp", "y"), Refused.BAD_ARGUMENTS, "probe tcp: target: 'y'"),
        (tcp(tiemout="3s"), Refused.BAD_ARGUMENTS, "tiemout: is not known, did you mean timeout"),
        (tcp(timeout="1000s"), Refused.BAD_ARGUMENTS, "timeout: 1000 s is too long: at most 600 s"),
        (
            Request("probe", NOW_MS + 60_000, "x", "http", "http://192.0.2.1/", {"ca": "/etc/shadow"}),
            Refused.BAD_ARGUMENTS,
            "ca: files of the device are not for commands to name",
        ),
        (
            Request("probe", NOW_MS + 60_000, "x", "wifi_join", "net", {"interface": "w", "passphrase-file": "/x"}),
            Refused.BAD_ARGUMENTS,
            "passphrase-file: files of the device",
        ),
        (
            Request("probe", NOW_MS + 60_000, "x", "throughput", "http://192.0.2.1/"),
            Refused.BAD_ARGUMENTS,
            "throughput is a command of its own",
        ),
        (tcp(NOW_MS - 1), Refused.EXPIRED, "it expired 0.0 s ago"),
        (tcp(NOW_MS - 86_400_000), Refused.EXPIRED, "it expired 86400.0 s ago"),
        (tcp(NOW_MS + 10 * 3_600_000), Refused.BAD_ARGUMENTS, "it expires in 36000 s by this agent's clock"),
        (tcp(NOW_MS + 5_000), Refused.TOO_LATE, "it may take 5 s, and 5 s are left"),
    ],
)
def test_what_is_refused_has_a_name_and_a_reason(desk: Desk, request_: Request, name: Refused, reason: str) -> None:
    """Each refusal says what is wrong, and nothing of it runs."""
    reply = desk.ask(request_)
    assert refused(reply) == name
    assert reply is not None
    assert reason in reply.reason
    assert not desk.probing.orders


def test_what_the_settings_do_not_allow(tmp_path: Path, clock: TimeDouble) -> None:
    """`commands.allow` says which commands there are; without any nothing is run."""
    desk = Desk(tmp_path, CommandSettings(allow=("diagnose",)), clock)
    assert refused(desk.ask(tcp())) == Refused.NOT_ALLOWED
    assert refused(desk.ask(Request("throughput", NOW_MS + 60_000, "x", "", "http://192.0.2.1/"))) == "not_allowed"
    reply = desk.ask(Request("diagnose", NOW_MS + 60_000, "x"))
    assert reply is not None
    assert reply.diagnosis
    nothing = Desk(tmp_path, CommandSettings(allow=()), clock)
    assert refused(nothing.ask(Request("diagnose", NOW_MS + 60_000, "x"))) == Refused.NOT_ALLOWED
    assert not nothing.probing.orders + desk.probing.orders


def test_one_at_a_time(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """While one runs, another is told by whom; when it is done the next can come."""
    desk.ask(tcp())
    with caplog.at_level(logging.INFO):
        reply = desk.ask(Request("diagnose", NOW_MS + 60_000, "wang\nINFO forged"))
    assert refused(reply) == Refused.BUSY
    assert reply is not None
    assert reply.reason == "a command of li.na is running: ask again"
    assert not [message for message in caplog.messages if "\n" in message], "a name cannot forge a line"
    desk.probing.end(Outcome(False, "connect", 111, "refused"))
    assert desk.finish().found == Found(False, "connect", 111, "refused")
    assert desk.ask(tcp()) is None
    assert len(desk.probing.orders) == 2


def test_what_takes_too_long_is_answered_in_time(desk: Desk, clock: TimeDouble) -> None:
    """When the time is up the asker is told, while they still wait; what is found later is not sent."""
    desk.ask(tcp(NOW_MS + 20_000), expiry_s=20)
    assert 15 < desk.commands.wait_s() < 20
    clock.now += 10
    desk.commands.tick()
    assert not desk.replies
    clock.now += desk.commands.wait_s()
    desk.commands.tick()
    assert refused(desk.replies[-1][1]) == Refused.TOO_LATE
    assert clock.now < 1020
    assert refused(desk.ask(tcp())) == Refused.BUSY, "the probe itself still runs"
    desk.probing.end(Outcome(True))
    desk.finish()
    assert len(desk.replies) == 2
    assert desk.commands.wait_s() == float("inf")


def test_refusals_of_probing_are_those_of_the_contract() -> None:
    """Probing has the names of two refusals by itself: they are the contract's."""
    assert (BUSY, WORKER_GONE) == (Refused.BUSY, Refused.WORKER_GONE)


def test_a_worker_that_dies_is_said(desk: Desk) -> None:
    """The asker learns that the process which asked is gone, and not that the target fails."""
    desk.ask(tcp())
    desk.probing.end(Outcome(None, "unable", reason="the worker died and was replaced"), Refused.WORKER_GONE)
    reply = desk.finish()
    assert refused(reply) == Refused.WORKER_GONE
    assert reply.reason == "the worker died and was replaced"


def test_what_comes_twice_is_run_and_answered_once(desk: Desk) -> None:
    """A command that a broker, or somebody who recorded it, sends again changes nothing."""
    payload = encode_request(Request("diagnose", NOW_MS + 60_000, "x"))
    for _ in range(20):
        desk.send(payload, b"the same data")
    assert [correlation for correlation, _ in desk.replies] == [b"the same data"]


def test_an_expiry_needs_a_clock_or_the_broker(desk: Desk, clock: TimeDouble) -> None:
    """Where nobody vouches for the agent's clock the broker's count of the message's age decides, and must be there."""
    desk.timeline.offset = None
    assert desk.ask(tcp(1), expiry_s=30) is None, "what its clock would say is nothing worth"
    desk.probing.end(Outcome(True))
    desk.finish()
    assert refused(desk.ask(tcp(1), expiry_s=None)) == Refused.BAD_ARGUMENTS
    desk.timeline.offset = Offset(UNIX_NS, "synced")
    assert refused(desk.ask(tcp(NOW_MS - 1), expiry_s=30)) == Refused.EXPIRED
    assert desk.ask(tcp(NOW_MS + 30_000), expiry_s=None) is None


def test_a_command_that_waited_for_the_loop_is_older_for_it(desk: Desk, clock: TimeDouble) -> None:
    """The time that a slow round took counts: what is then too old is not run."""
    desk.timeline.offset = None
    asked = Asked(encode_request(tcp(1)), b"12345678", clock.now, 20)
    clock.now += 21
    desk.commands.take(asked)
    assert refused(desk.replies[-1][1]) == Refused.EXPIRED


@pytest.mark.parametrize("correlation", [b"", b"short", b"x" * 65])
def test_without_correlation_data_nobody_could_tell_the_answer(desk: Desk, correlation: bytes) -> None:
    """A message without data that answers can carry is not run."""
    desk.send(encode_request(tcp()), correlation)
    assert not desk.replies
    assert not desk.probing.orders


@pytest.mark.parametrize(
    "payload", [b"", b"\xff\x00", b"{}", b"[" * 9000, b'{"command":"probe","expires":1e999,"who":""}']
)
def test_bytes_that_are_no_command(desk: Desk, payload: bytes) -> None:
    """Whatever comes is answered with what is wrong, and costs nothing else."""
    desk.send(payload)
    assert refused(desk.replies[-1][1]) == Refused.BAD_ARGUMENTS


def test_a_defect_of_the_agent_is_an_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that breaks something ends as a refusal: the loop, and with it the evidence, goes on."""

    def broken(_order: Order) -> None:
        raise OverflowError("too deep inside")

    monkeypatch.setattr(desk.probing, "order", broken)
    assert refused(desk.ask(tcp())) == Refused.UNABLE
    monkeypatch.undo()


def test_so_many_a_minute(tmp_path: Path, clock: TimeDouble) -> None:
    """More commands than `commands.per_minute` are refused, until a minute has passed."""
    desk = Desk(tmp_path, CommandSettings(per_minute=3), clock)
    diagnose = Request("diagnose", NOW_MS + 600_000, "x")
    for _ in range(3):
        reply = desk.ask(diagnose, expiry_s=600)
        assert reply is not None
        assert reply.diagnosis
    assert refused(desk.ask(diagnose)) == Refused.BUSY
    clock.now += 61
    reply = desk.ask(diagnose, expiry_s=600)
    assert reply is not None
    assert reply.diagnosis


def test_a_flood_is_not_answered_with_a_flood(desk: Desk, clock: TimeDouble, caplog: pytest.LogCaptureFixture) -> None:
    """Of 1,000 commands in a second few are answered, and the log has one line that says so."""
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            desk.ask(Request("diagnose", NOW_MS + 60_000, "x"))
    assert len(desk.replies) == 60
    assert len(caplog.messages) == 1
    clock.now += 61
    assert desk.ask(Request("diagnose", NOW_MS + 600_000, "x")) is not None


def test_an_answer_that_is_too_large_is_not_sent(desk: Desk) -> None:
    """What does not fit into an answer is said to be so."""
    desk.ask(tcp())
    desk.probing.end(Outcome(True, fields={f"field{n}": "x" * 1900 for n in range(50)}))
    assert refused(desk.finish()) == Refused.UNABLE


def test_every_kind_of_probe_can_be_asked_for(desk: Desk, clock: TimeDouble) -> None:
    """All kinds of `santong-agent probe` work from afar, with no more than what they need."""
    needed: dict[str, tuple[str, dict[str, str]]] = {
        "tcp": ("192.0.2.1:80", {}),
        "http": ("http://192.0.2.1/", {}),
        "throughput": ("http://192.0.2.1/", {}),
        "dhcp": ("eth0", {}),
        "arp": ("eth0", {}),
        "wifi_scan": ("campus", {"interface": "wlan0"}),
        "wifi_join": ("campus", {"interface": "wlan0"}),
    }
    for kind in KINDS:
        target, given = needed.get(kind, ("www.example.org", {}))
        command = "throughput" if kind == "throughput" else "probe"
        clock.now += 60
        desk.clocks.since_boot_ns += 60 * SECOND_NS
        expires_ms = (UNIX_NS + desk.clocks.since_boot_ns) // 1_000_000 + 90_000
        probe = "" if kind == "throughput" else kind
        assert desk.ask(Request(command, expires_ms, "x", probe, target, given), expiry_s=90) is None, kind
        assert desk.probing.orders[-1].kind == kind
        desk.probing.end(Outcome(True))
        desk.finish()
