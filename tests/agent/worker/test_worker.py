"""The worker: whatever a probe does, there is one answer, and nothing else suffers."""

import json
import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.gather.read import Read, Way
from agent.outcome import Outcome, Row
from agent.privileges import CAP_NET_RAW, held
from agent.probe import settings, values
from agent.probe.settings import Tcp
from agent.probe.values import HostPort
from agent.worker import serve
from agent.worker.client import Client, ask_once
from contract.settings import Pattern, Seconds
from firmware_profiles.sources import Command
from tests.agent.worker.misbehaving import COMMAND

ASK = Tcp(HostPort("127.0.0.1:1"), timeout=Seconds(0.2))
LONG_S = 60.0
EXAMPLES: dict[str, object] = {
    str(values.Host): values.Host("www.lab"),
    str(values.HostPort): values.HostPort("[2001:db8::1]:443"),
    str(values.HostPort | None): values.HostPort("192.0.2.1:3128"),
    str(values.InterfaceName): values.InterfaceName("eth0"),
    str(values.InterfaceName | None): values.InterfaceName("wlan1"),
    str(values.Url): values.Url("http://www.lab/"),
    str(values.Url | None): values.Url("http://www.lab/"),
    str(Pattern | None): Pattern("wel+come"),
    str(values.Ssid): values.Ssid("教室"),
    str(values.Window): values.Window("12:00-13:00+00:00"),
    str(values.Resolver | None): values.Resolver("192.0.2.53:5353"),
    str(tuple[values.Endpoint, ...]): values.ENDPOINTS,
    str(tuple[values.Url, ...]): (values.Url("http://www.lab/"),),
    str(tuple[values.Ipv4, ...]): (values.Ipv4("192.0.2.1"),),
    str(tuple[values.Network, ...]): (values.Network("192.0.2.0/24"),),
    str(tuple[int, ...]): (200, 204),
}


@contextmanager
def misbehaving() -> Iterator[Client]:
    """Give a client whose worker has kinds that misbehave."""
    client = Client(COMMAND, with_details=True)
    try:
        yield client
    finally:
        client.close()


def found(client: Client, *kinds: str) -> dict[str, Outcome]:
    """Ask all of the kinds at once and return what each found."""
    numbers = {client.ask(kind, ASK): kind for kind in kinds}
    outcomes: dict[str, Outcome] = {}
    until = time.monotonic() + LONG_S
    while len(outcomes) < len(numbers) and time.monotonic() < until:
        outcomes |= {numbers[answer.id]: answer.outcome for answer in client.answers(1)}
    return outcomes


def is_alive(pid: int) -> bool:
    """Tell a process that runs from one that is gone or only not yet buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def test_one_probe_from_question_to_answer() -> None:
    """A probe in its worker finds what is there: an open port, and a closed one with its errno."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ask = Tcp(HostPort(f"127.0.0.1:{server.getsockname()[1]}"))
        outcome = ask_once("tcp", ask)
    assert (outcome.success, outcome.stage) == (True, "done")
    assert 0 < float(outcome.fields["rtt_ms"]) <= float(outcome.fields["duration_ms"])
    closed = ask_once("tcp", ask)
    assert (closed.success, closed.stage, closed.code) == (False, "connect", 111)


def test_a_failure_keeps_what_was_measured() -> None:
    """What a probe knew when it failed comes with the failure: code, fields, details."""
    with misbehaving() as client:
        outcome = found(client, "refuse")["refuse"]
    assert (outcome.success, outcome.stage, outcome.code, outcome.reason) == (False, "connect", 111, "refused")
    assert outcome.fields["rtt_ms"] == 1.5
    assert outcome.details == {"address": "192.0.2.1"}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("hang", "longer than its timeout"),
        ("hang_for_good", "signal 9"),
        ("hog", "MemoryError"),
        ("crash", "signal 11"),
        ("defect", "ZeroDivisionError: a defect"),
    ],
)
def test_a_probe_that_misbehaves_says_nothing_of_its_target(kind: str, reason: str) -> None:
    """A probe that hangs, crashes, or wants a gigabyte is our defect: no success, no failure; the next one works."""
    with misbehaving() as client:
        outcomes = found(client, kind, "refuse")
        assert outcomes[kind].success is None
        assert outcomes[kind].stage == "unable"
        assert reason in outcomes[kind].reason
        assert outcomes["refuse"].stage == "connect"
        pid = client.pid
        assert found(client, "refuse")["refuse"].stage == "connect"
        assert client.pid == pid, "the worker itself was not harmed"


@pytest.mark.parametrize("kind", ["kill_worker"])
def test_a_worker_that_dies_is_replaced(kind: str) -> None:
    """What was open when the worker died is answered, and the next question finds a new worker."""
    with misbehaving() as client:
        assert "died" in found(client, kind)[kind].reason
        assert not client.is_running
        assert found(client, "refuse")["refuse"].stage == "connect"


def test_a_worker_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does not answer long after the timeout is killed, its questions are answered, the next works."""
    monkeypatch.setattr("agent.worker.client.PATIENCE_S", 1.0)
    with misbehaving() as client:
        assert "hung" in found(client, "stop_worker")["stop_worker"].reason
        assert found(client, "refuse")["refuse"].stage == "connect"


def test_a_library_that_talks_does_not_spoil_the_answers() -> None:
    """What a probe prints goes to the log, and an answer may be long."""
    with misbehaving() as client:
        outcome = found(client, "chatter")["chatter"]
    assert outcome.success
    assert len(str(outcome.details["long"])) == 200_000


def test_details_stay_in_the_worker() -> None:
    """An agent that does not ask for details is not told any: hardware addresses are not even in its memory."""
    client = Client(COMMAND)
    try:
        assert found(client, "refuse")["refuse"].details == {}
    finally:
        client.close()


def test_an_answer_that_is_far_too_long_is_cut_off() -> None:
    """A probe that a hostile server fills up costs its own answer, not the agent's memory."""
    with misbehaving() as client:
        outcome = found(client, "flood")["flood"]
    assert (outcome.success, outcome.stage) == (None, "unable")
    assert outcome.reason == "what was found is more than 1 MiB"


def test_a_limit_that_is_lower_already_stays() -> None:
    """Where the service manager gives less processor time than a child may have, a reading still runs, with that."""
    what = Command(("sh", "-c", "ulimit -t"), ())
    client = Client(with_details=True)
    try:
        client.ask("command", Read(what, Way(), 5.0))
        assert [answer.outcome.success for answer in client.answers(LONG_S)] == [True]
        resource.prlimit(client.pid, resource.RLIMIT_CPU, (9, 9))
        client.ask("command", Read(what, Way(), 5.0))
        assert [answer.outcome.rows for answer in client.answers(LONG_S)] == [(Row("", {"text": "9"}),)]
    finally:
        client.close()


def test_many_silent_targets_are_failures_however_long_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an outage, when nothing answers, every probe says so: waiting for a turn is not mistaken for a hang."""
    monkeypatch.setattr("agent.worker.client.PATIENCE_S", 1.0)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(silent.getsockname())
        ask = Tcp(HostPort(f"127.0.0.1:{silent.getsockname()[1]}"), timeout=Seconds(0.5))
        client = Client()
        numbers = [client.ask("tcp", ask) for _ in range(40)]
        outcomes: list[Outcome] = []
        until = time.monotonic() + LONG_S
        while len(outcomes) < len(numbers) and time.monotonic() < until:
            outcomes += [answer.outcome for answer in client.answers(1)]
        client.close()
        for filler in fillers:
            filler.close()
    assert [(outcome.success, outcome.stage) for outcome in outcomes] == [(False, "connect")] * 40


def test_a_machine_without_processes_to_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no child can be started the probe says so, and neither the worker nor what runs is harmed."""
    with misbehaving() as client:
        assert found(client, "refuse")["refuse"].stage == "connect"
        pid = client.pid
        soft_hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, soft_hard[1]))
        outcome = found(client, "refuse")["refuse"]
        assert (outcome.success, outcome.stage) == (None, "unable")
        assert "no process for it could be started" in outcome.reason
        resource.prlimit(pid, resource.RLIMIT_NOFILE, soft_hard)
        assert found(client, "refuse")["refuse"].stage == "connect"
        assert client.pid == pid


def test_a_signal_to_all_of_a_unit_lets_probes_tidy_up(tmp_path: Path) -> None:
    """A service manager signals every process: the worker waits for its children, which end in good order."""
    note = tmp_path / "tidied"
    with misbehaving() as client:
        client.ask("tidy", Tcp(HostPort("127.0.0.1:1"), timeout=Seconds(30), name=str(note)))
        children = Path(f"/proc/{client.pid}/task/{client.pid}/children")
        while not (pids := children.read_text().split()) or not Path(f"{note}.begun").exists():
            time.sleep(0.01)
        for pid in (client.pid, *map(int, pids)):
            os.kill(pid, signal.SIGTERM)
    assert note.read_text() == "tidied"


def test_more_questions_than_children_are_all_answered() -> None:
    """Probes beyond those that the worker runs at once wait for their turn; none is lost."""
    with misbehaving() as client:
        numbers = [client.ask("hang", ASK) for _ in range(10)] + [client.ask("refuse", ASK) for _ in range(10)]
        answered: set[int] = set()
        until = time.monotonic() + LONG_S
        while len(answered) < len(numbers) and time.monotonic() < until:
            answered |= {answer.id for answer in client.answers(1)}
    assert answered == set(numbers)


def test_nothing_is_left_when_the_client_goes() -> None:
    """When the agent ends, the worker and every probe end too, also what a probe had started."""
    with misbehaving() as client:
        started = found(client, "child")["child"].details["started"]
        worker = client.pid
        client.ask("hang_for_good", ASK)
        while not (children := Path(f"/proc/{worker}/task/{worker}/children").read_text().split()):
            os.sched_yield()
    until = time.monotonic() + LONG_S
    pids = [worker, int(str(started)), *map(int, children)]
    while any(map(is_alive, pids)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not [pid for pid in pids if is_alive(pid)]


def test_each_probe_has_only_the_privileges_it_needs() -> None:
    """A probe without need of raw sockets has no capability at all, one that needs them has that one."""
    own = held()
    with misbehaving() as client:
        outcomes = found(client, "privileges", "raw_privileges")
    assert outcomes["privileges"].details == {"effective": 0, "permitted": 0}
    if own.effective & 1 << CAP_NET_RAW:
        raw = outcomes["raw_privileges"].details
        assert raw == {"effective": 1 << CAP_NET_RAW, "permitted": 1 << CAP_NET_RAW}
    else:
        assert "CAP_NET_RAW is needed" in outcomes["raw_privileges"].reason


@pytest.mark.parametrize("kind", settings.KINDS)
def test_what_is_asked_crosses_to_the_worker_unchanged(kind: str) -> None:
    """Every setting of every kind arrives in the worker as what it was, with its own type."""
    made: dict[str, object] = {}
    for name, hint in settings.KINDS[kind].__annotations__.items():
        made[name] = EXAMPLES.get(str(hint), settings.KINDS[kind]._field_defaults.get(name))
    ask = settings.KINDS[kind](**made)  # type: ignore[arg-type]
    request = serve._request(
        json.loads(json.dumps({"id": 1, "kind": kind, "ask": ask._asdict(), "with_details": False}))
    )
    assert request.ask == ask
    for name, value in ask._asdict().items():
        crossed = getattr(request.ask, name)
        assert type(crossed) is type(value) or isinstance(value, int | float), name
        if isinstance(value, tuple):
            assert [type(item) for item in crossed] == [type(item) for item in value], name
