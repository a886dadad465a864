"""Probes by hand beside those of the settings: the thread between them and the real worker."""

import os
import queue
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.clock import Offset
from agent.outcome import Outcome
from agent.probe import budget
from agent.probe.settings import Ask, ProbeSettings, Tcp, Throughput, WifiScan
from agent.probe.values import HostPort, InterfaceName, Ssid, Url, Window
from agent.probing import NOT_HERE, ORDERED, Order, Probing
from agent.questions import probes_of
from agent.worker.client import Client
from contract.asking import Refused
from contract.settings import Seconds, Size
from tests.agent.doubles import DEVICE, SECOND_NS, FakeClocks
from tests.agent.probe.servers import answer, answers, serving
from tests.agent.worker.misbehaving import COMMAND
from tests.processes import wait_until

CLOSED = Tcp(HostPort("127.0.0.1:1"), timeout=Seconds(2))
NOON_NS = 1_795_060_800_000_000_000  # 2026-11-19 12:00 in Qingyuan


@contextmanager
def probing(settings: ProbeSettings, folder: Path, clocks: FakeClocks | None = None) -> Iterator[Probing]:
    """Run the thread on a clock that stands."""
    clocks = clocks or FakeClocks()
    source = Probing(probes_of(settings, DEVICE), DEVICE, clocks, lambda: Offset(clocks.offset_ns, "synced"), folder)
    source.start()
    try:
        yield source
    finally:
        source.stop()


def given(source: Probing, kind: str, ask: Ask) -> "queue.SimpleQueue[tuple[Outcome, str]]":
    """Give an order; its end comes into the queue."""
    ends: queue.SimpleQueue[tuple[Outcome, str]] = queue.SimpleQueue()
    source.order(Order(kind, ask, lambda outcome, refused: ends.put((outcome, refused))))
    return ends


def test_an_order_needs_no_probes_of_the_settings(tmp_path: Path) -> None:
    """An agent without any probe answers too, at once, and its worker ends again when nothing more is asked."""
    with probing(ProbeSettings(), tmp_path) as source:
        assert not source._thread.is_alive(), "until then there is no thread"
        outcome, refused = given(source, "tcp", CLOSED).get(timeout=60)
        assert (outcome.success, outcome.stage, outcome.code, refused) == (False, "connect", 111, "")
        assert not outcome.details, "they never leave the device"
        assert not source.has_order
        wait_until(lambda: not source._client.is_running)
        outcome, _ = given(source, "tcp", CLOSED).get(timeout=60)
        assert outcome.code == 111
        assert not list(source.take()), "an answer to an order is no evidence"


def test_an_order_that_hangs_delays_no_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an order takes its time probes of the settings go on as before."""
    monkeypatch.setattr("agent.probing.Client", lambda: Client(COMMAND))
    monkeypatch.setattr("agent.probing._LONGEST_WAIT_S", 0.02)
    clocks = FakeClocks()
    with probing(ProbeSettings(tcp=(CLOSED,)), tmp_path, clocks) as source:
        ends = given(source, "hang", CLOSED._replace(timeout=Seconds(60)))
        for _ in range(3):
            clocks.advance(60)
            wait_until(lambda: len(list(source.take())) == 1)
        assert ends.empty()
        assert source.has_order


def test_an_order_that_hangs_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that does not keep its own timeout is ended, and the order is done."""
    monkeypatch.setattr("agent.probing.Client", lambda: Client(COMMAND))
    with probing(ProbeSettings(), tmp_path) as source:
        outcome, refused = given(source, "hang", CLOSED._replace(timeout=Seconds(1))).get(timeout=60)
        assert not source.has_order
    assert outcome.success is None
    assert "timeout" in outcome.reason
    assert not refused


def test_a_worker_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order whose worker dies ends with that, and with no word about its target; the next has a new worker."""
    monkeypatch.setattr("agent.probing.Client", lambda: Client(COMMAND))
    with probing(ProbeSettings(), tmp_path) as source:
        ends = given(source, "hang", CLOSED._replace(timeout=Seconds(60)))
        wait_until(lambda: source._client.pid and _children(source._client.pid))
        os.kill(source._client.pid, signal.SIGKILL)
        outcome, refused = ends.get(timeout=60)
        assert refused == Refused.WORKER_GONE
        assert outcome.success is None
        assert given(source, "tcp", CLOSED).get(timeout=60)[0].code == 111


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def test_a_defect_of_the_thread_ends_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks the thread, an order has its end, and the next one is run."""
    monkeypatch.setattr("agent.probing._LONGEST_WAIT_S", 0.02)
    failures = iter([OSError("no more processes")])
    original = Client.ask

    def ask(client: Client, kind: str, what: Tcp) -> int:
        for failure in failures:
            raise failure
        return original(client, kind, what)

    monkeypatch.setattr(Client, "ask", ask)
    with probing(ProbeSettings(), tmp_path) as source:
        assert given(source, "tcp", CLOSED).get(timeout=60)[1] == Refused.WORKER_GONE
        assert given(source, "tcp", CLOSED).get(timeout=60)[0].code == 111


# ---- throughput


def asked(monkeypatch: pytest.MonkeyPatch) -> list[Ask]:
    """Return the list of what a client double is asked, which answers nothing."""
    monkeypatch.setattr("agent.probing._LONGEST_WAIT_S", 0.02)
    questions: list[Ask] = []

    def ask(_client: Client, _kind: str, what: Ask) -> int:
        questions.append(what)
        return len(questions)

    monkeypatch.setattr(Client, "ask", ask)
    return questions


def stood(folder: Path, settings: ProbeSettings, clocks: FakeClocks) -> Probing:
    """Return probing whose steps the test takes."""
    return Probing(probes_of(settings, DEVICE), DEVICE, clocks, lambda: Offset(clocks.offset_ns, "synced"), folder)


def order(source: Probing, ask: Ask, done: Callable[[Outcome, str], None], kind: str = "throughput") -> None:
    """Give an order to a thread that never starts."""
    source._order = Order(kind, ask, done)


OWN = Throughput(
    Url("http://127.0.0.1:1/own/"),
    window=Window("12:00-14:00+08:00"),
    slot=0,
    budget=Size(1000),
    max_bytes=Size(600),
)
WANTED = Throughput(Url("http://127.0.0.1:1/other/"), budget=Size(10**15), max_bytes=Size(10**15))


def test_a_test_by_hand_has_the_budget_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks cannot have more bytes moved than the settings allow, in one test or in a month."""
    questions = asked(monkeypatch)
    source = stood(tmp_path, ProbeSettings(throughput=(OWN,)), FakeClocks(unix_ns=NOON_NS - 3600 * SECOND_NS))
    ends: list[tuple[Outcome, str]] = []
    for moved in (600, 400, 0):
        order(source, WANTED, lambda outcome, refused: ends.append((outcome, refused)))
        source._ask_order()
        if moved:
            (ask,) = questions
            assert isinstance(ask, Throughput)
            assert ask.max_bytes == moved
            questions.clear()
            source._turns.end(ORDERED, None)
            source._end_order(Outcome(True), "")
    assert not questions
    assert ends[-1][0].stage == "budget"
    assert budget.read(tmp_path).bytes == 1000


def test_a_test_by_hand_does_not_take_the_slot_of_the_device_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shortly before the device's own test none is begun by hand: that one is evidence."""
    questions = asked(monkeypatch)
    source = stood(tmp_path, ProbeSettings(throughput=(OWN,)), FakeClocks(unix_ns=NOON_NS - 20 * SECOND_NS))
    ends: list[tuple[Outcome, str]] = []
    order(source, WANTED, lambda outcome, refused: ends.append((outcome, refused)))
    source._ask_order()
    assert not questions
    assert ends[0][1] == Refused.BUSY
    assert budget.read(tmp_path).bytes == 0


def test_probes_wait_for_a_test_by_hand_and_it_for_the_device_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test has the line for itself, whoever asked for it."""
    questions = asked(monkeypatch)
    clocks = FakeClocks(unix_ns=NOON_NS)
    source = stood(tmp_path, ProbeSettings(throughput=(OWN,), tcp=(CLOSED,)), clocks)
    source._step()
    assert OWN in questions
    questions.clear()
    order(source, CLOSED, lambda _outcome, _refused: None, "tcp")
    source._step()
    assert not questions, "it waits"
    source._turns.end(OWN.target, 0)
    source._ask_order()
    assert questions == [CLOSED]
    source._end_order(Outcome(True), "")
    clocks.advance(3600)
    order(source, WANTED, lambda _outcome, _refused: None)
    source._ask_order()
    assert len(questions) == 2
    clocks.advance(600)
    source._step()
    assert len(questions) == 2, "now the probes of the settings wait"


def test_a_real_test_by_hand(tmp_path: Path) -> None:
    """What a test by hand moved is booked to the month, beside what the device's own tests moved."""
    with serving(answers(answer(200, b"x" * 300_000))) as server, probing(ProbeSettings(), tmp_path) as source:
        ask = Throughput(server.url("/file"), seconds=Seconds(1), warm_up=Seconds(0.1), timeout=Seconds(8), streams=1)
        outcome, refused = given(source, "throughput", ask).get(timeout=60)
    assert not refused
    assert outcome.success is not None or outcome.reason
    spent = budget.read(tmp_path)
    assert ORDERED in spent.tested
    assert 0 < spent.bytes < ask.max_bytes


# ---- the radio


def test_one_at_a_time_has_the_radio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan by hand waits for one of the settings, and the other way round; other probes go on."""
    questions = asked(monkeypatch)
    clocks = FakeClocks()
    scan = WifiScan(Ssid("campus"), InterfaceName("wlan0"))
    source = stood(tmp_path, ProbeSettings(wifi_scan=(scan,), tcp=(CLOSED,)), clocks)
    order(source, scan, lambda _outcome, _refused: None, "wifi_scan")
    source._step()
    assert questions.count(scan) == 1, "the order has it"
    assert CLOSED in questions
    source._order_number, source._order = 0, None
    questions.clear()
    clocks.advance(600)
    source._asked.clear()
    source._step()
    assert questions.count(scan) == 1, "now the one of the settings"
    order(source, scan, lambda _outcome, _refused: None, "wifi_scan")
    source._ask_order()
    assert questions.count(scan) == 1


def test_where_there_is_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows an order ends with what is said of every probe there."""
    monkeypatch.setattr("agent.probing.sys.platform", "win32")
    source = stood(tmp_path, ProbeSettings(), FakeClocks())
    ends: list[tuple[Outcome, str]] = []
    order(source, CLOSED, lambda outcome, refused: ends.append((outcome, refused)), "tcp")
    source._ask_order()
    assert ends == [(NOT_HERE, "")]
