"""The broker of `santong up`, both kinds, driven by a real MQTT 5 client over loopback."""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import collector.broker as room
from collector.broker import BrokerFailed, Kind, LocalBroker

ROOT = Path(__file__).parents[2]
KINDS: list[Kind] = ["mosquitto", "embedded"]
AGENT = "441802-3144001234.c0703"
STATE = f"santong/v1/{AGENT}/state"
BATCH = f"santong/v1/{AGENT}/{AGENT}/batch"
WAIT_S = 10.0


class Peer:
    """An MQTT client as agent and collector are: MQTT 5, clean start, no reconnecting of its own."""

    def __init__(self, broker: LocalBroker, name: str, will: tuple[str, bytes, int] | None = None) -> None:
        self.received: queue.Queue[MQTTMessage] = queue.Queue()
        self.events: queue.Queue[str] = queue.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTv5, reconnect_on_failure=False)
        self.client.on_connect = lambda *a: self.events.put(f"connected: {a[3]}")
        self.client.on_subscribe = lambda *a: self.events.put(f"subscribed: {a[3][0]}")
        self.client.on_publish = lambda *_: self.events.put("published")
        self.client.on_disconnect = lambda *_: self.events.put("disconnected")
        self.client.on_message = lambda *a: self.received.put(a[2])
        if will:
            topic, payload, delay_s = will
            of_will: Any = Properties(PacketTypes.WILLMESSAGE)
            of_will.WillDelayInterval = delay_s
            self.client.will_set(topic, payload, qos=1, retain=True, properties=of_will)
        of_connect: Any = Properties(PacketTypes.CONNECT)
        of_connect.SessionExpiryInterval = 60
        of_connect.ReceiveMaximum = 1000
        port = int(broker.url.rpartition(":")[2])
        self.client.connect("127.0.0.1", port, clean_start=True, properties=of_connect)
        self.client.loop_start()
        self.expect("connected: Success")

    def expect(self, event: str) -> None:
        """Wait for the next event of the connection and check it."""
        assert self.events.get(timeout=WAIT_S) == event

    def subscribe(self, topic: str) -> None:
        """Subscribe at QoS 1 and wait until it is granted."""
        self.client.subscribe(topic, qos=1)
        self.expect("subscribed: Granted QoS 1")

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for the broker's acknowledgement."""
        self.client.publish(topic, payload, qos=1, retain=retain)
        self.expect("published")

    def message(self) -> MQTTMessage:
        """Wait for the next message."""
        return self.received.get(timeout=WAIT_S)

    def cut(self) -> None:
        """Lose the connection without saying goodbye, as in a power cut."""
        connection = self.client.socket()
        assert isinstance(connection, socket.socket)
        connection.shutdown(socket.SHUT_RDWR)
        self.expect("disconnected")

    def close(self) -> None:
        """Say goodbye; harmless when the connection is lost already."""
        self.client.disconnect()
        self.client.loop_stop()


Connect = Callable[..., Peer]


@pytest.fixture(scope="module", params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """Run a broker of each kind; a kind that is not installed fails the test."""
    with LocalBroker.choose(tmp_path_factory.mktemp("broker"), free_port(), request.param) as running:
        yield running


@pytest.fixture
def connect(broker: LocalBroker) -> Iterator[Connect]:
    """Connect a client to the broker; it is closed at the end, and what it retained is removed."""
    with contextlib.ExitStack() as stack:

        def new(name: str, **more: Any) -> Peer:
            peer = Peer(broker, name, **more)
            stack.callback(peer.close)
            return peer

        yield new
        new("cleaner").publish(STATE, b"", retain=True)


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def runs(pid: int) -> bool:
    """Tell whether any thread of the process still runs; one that only waits to be reaped does not."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    state, threads = words[0], int(words[17])
    return state != "Z" or threads > 1


def gone_soon(pid: int) -> bool:
    """Wait for a process to end."""
    deadline = time.monotonic() + WAIT_S
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not runs(pid)


def test_batch_and_acknowledgement(connect: Connect) -> None:
    """A batch reaches the collector's wildcard subscription at QoS 1, and the answer reaches the agent."""
    collector, agent = connect("collector"), connect(AGENT)
    collector.subscribe("santong/v1/+/+/batch")
    agent.subscribe(f"santong/v1/{AGENT}/ack")
    agent.publish(BATCH, b"#santong/1")
    batch = collector.message()
    assert (batch.topic, batch.payload, batch.qos, batch.retain) == (BATCH, b"#santong/1", 1, False)
    collector.publish(f"santong/v1/{AGENT}/ack", b"{}")
    assert agent.message().payload == b"{}"


def test_state_for_latecomers(connect: Connect) -> None:
    """A collector that starts after the agents still learns their state: retained messages are kept."""
    connect(AGENT).publish(STATE, b"online", retain=True)
    late = connect("late")
    late.subscribe("santong/v1/+/state")
    state = late.message()
    assert (state.topic, state.payload, state.retain) == (STATE, b"online", True)


def test_power_cut_shows(connect: Connect) -> None:
    """An agent that vanishes without goodbye is shown offline after the will delay, also to latecomers."""
    watcher, agent = connect("watcher"), connect(AGENT, will=(STATE, b"offline", 1))
    watcher.subscribe(STATE)
    lost = time.monotonic()
    agent.cut()
    assert watcher.message().payload == b"offline"
    assert time.monotonic() - lost > 0.5
    late = connect("late")
    late.subscribe(STATE)
    assert late.message().payload == b"offline"


def test_goodbye_leaves_no_will(connect: Connect) -> None:
    """An agent that is stopped on purpose is not shown as lost."""
    watcher, agent = connect("watcher"), connect(AGENT, will=(STATE, b"offline", 0))
    watcher.subscribe(STATE)
    agent.publish(STATE, b"stopped", retain=True)
    agent.close()
    assert watcher.message().payload == b"stopped"
    with pytest.raises(queue.Empty):
        watcher.received.get(timeout=1.5)


def test_back_before_the_will(connect: Connect) -> None:
    """An agent back within the will delay ends as online: the will of its old connection does not come later."""
    connect(AGENT, will=(STATE, b"offline", 1)).cut()
    connect(AGENT, will=(STATE, b"offline", 1)).publish(STATE, b"online", retain=True)
    time.sleep(2.5)
    late = connect("late")
    late.subscribe(STATE)
    assert late.message().payload == b"online"


def test_takeover(connect: Connect) -> None:
    """An agent whose old connection hangs gets in at once: the new one takes over and receives."""
    old = connect(AGENT)
    new = connect(AGENT)
    old.expect("disconnected")
    new.subscribe(f"santong/v1/{AGENT}/ack")
    connect("collector").publish(f"santong/v1/{AGENT}/ack", b"{}")
    assert new.message().payload == b"{}"


def test_largest_batch(connect: Connect) -> None:
    """A payload of 1 MiB arrives whole: whether a batch is too large is for the collector to say."""
    collector, payload = connect("collector"), os.urandom(1024 * 1024)
    collector.subscribe("santong/v1/+/+/batch")
    connect(AGENT).publish(BATCH, payload)
    assert collector.message().payload == payload


def test_absurd_batch(connect: Connect) -> None:
    """A payload of 10 MB costs its sender the connection; everybody else is served as before."""
    collector, rogue, agent = connect("collector"), connect("rogue"), connect(AGENT)
    collector.subscribe("santong/v1/+/+/batch")
    rogue.client.publish("santong/v1/rogue/rogue/batch", bytes(10_000_000), qos=1)
    rogue.expect("disconnected")
    agent.publish(BATCH, b"small")
    assert collector.message().payload == b"small"


def test_many_small_batches(connect: Connect) -> None:
    """A backlog of 2,000 batches arrives complete and in order."""
    collector, agent = connect("collector"), connect(AGENT)
    collector.subscribe("santong/v1/+/+/batch")
    for seq in range(2000):
        agent.client.publish(BATCH, b"%d" % seq, qos=1)
    assert [int(collector.message().payload) for _ in range(2000)] == list(range(2000))


def test_loopback_only(broker: LocalBroker) -> None:
    """Nobody but this machine can reach the broker, as it lets everyone in."""
    port = int(broker.url.rpartition(":")[2])
    listeners = [line.split()[1] for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    assert broker.url == f"mqtt://127.0.0.1:{port}"
    assert f"0100007F:{port:04X}" in listeners
    assert f"00000000:{port:04X}" not in listeners


def test_ctrl_c_leaves_the_broker(broker: LocalBroker) -> None:
    """Ctrl-C ends `santong up` in order, broker last: the signal of the terminal does not reach it."""
    assert broker.pid is not None
    assert os.getpgid(broker.pid) != os.getpgid(0)


@pytest.mark.parametrize("kind", KINDS)
def test_start_stop_start(tmp_path: Path, kind: Kind) -> None:
    """A stopped broker is gone, process and port, and can be started again on the same port."""
    broker = LocalBroker.choose(tmp_path, free_port(), kind)
    assert not broker.alive()
    for _ in range(2):
        broker.start()
        pid = broker.pid
        assert pid is not None
        Peer(broker, AGENT).close()
        broker.stop()
        assert not broker.alive()
        assert not runs(pid)
    broker.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_killed_broker_is_noticed(tmp_path: Path, kind: Kind) -> None:
    """A broker killed with -9 counts as not alive, and starts again at once with clients still holding on."""
    with LocalBroker.choose(tmp_path, free_port(), kind) as broker:
        agent = Peer(broker, AGENT)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)
        agent.expect("disconnected")
        assert gone_soon(broker.pid or 0)
        assert not broker.alive()
        broker.start()
        Peer(broker, AGENT).close()
        agent.close()


@pytest.mark.parametrize("kind", KINDS)
def test_no_orphan(tmp_path: Path, kind: Kind) -> None:
    """When `santong up` is killed with -9 its broker goes too: the next start finds the port free."""
    port = free_port()
    program = (
        "import sys, time; from pathlib import Path; from collector.broker import LocalBroker\n"
        f"broker = LocalBroker.choose(Path({str(tmp_path)!r}), {port}, {kind!r})\n"
        "broker.start(); print(broker.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert runs(child)
        parent.kill()
    assert gone_soon(child)
    with LocalBroker.choose(tmp_path, port, kind) as again:
        assert again.alive()


@pytest.mark.parametrize("kind", KINDS)
def test_port_in_use(tmp_path: Path, kind: Kind) -> None:
    """A stranger on the port is not taken for our broker; one line says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        broker = LocalBroker.choose(tmp_path, port, kind)
        with pytest.raises(BrokerFailed) as failure:
            broker.start()
    assert str(failure.value) == (
        f"port {port} on 127.0.0.1 is in use: stop what listens there or choose another with --port"
    )
    assert not broker.alive()


@pytest.mark.parametrize("kind", KINDS)
def test_port_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """A stranger who takes the port between our look and the broker's start gives the same message."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        broker = LocalBroker.choose(tmp_path, stranger.getsockname()[1], kind)
        look, looks = room._check_port, []

        def first_look_sees_nothing(port: int) -> None:
            looks.append(port)
            if len(looks) > 1:
                look(port)

        monkeypatch.setattr(room, "_check_port", first_look_sees_nothing)
        with pytest.raises(BrokerFailed, match=r"^port \d+ on 127\.0\.0\.1 is in use: stop what listens there"):
            broker.start()
    assert not broker.alive()


@pytest.mark.parametrize("kind", KINDS)
def test_death_at_start_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """When the broker ends at start its own last line is in the message."""
    monkeypatch.setattr(room, "_MOSQUITTO_CONFIG", "no_such_setting 1\n")
    monkeypatch.setattr(room, "_EMBEDDED_CONFIG", "no_such_setting = 1\n")
    broker = LocalBroker.choose(tmp_path, free_port(), kind)
    with pytest.raises(BrokerFailed, match=r"^(mosquitto|embedded) .* ended at start: \S.*") as failure:
        broker.start()
    assert "\n" not in str(failure.value)
    assert broker.log.read_text().rstrip().endswith(str(failure.value).partition("ended at start: ")[2])


@pytest.mark.parametrize("port", [65536, -1])
def test_no_such_port(tmp_path: Path, port: int) -> None:
    """A number that is no port is refused in one line."""
    with pytest.raises(BrokerFailed, match=f"^{port} is not a port: choose one from"):
        LocalBroker.choose(tmp_path, port).start()


def test_unwritable_folder(tmp_path: Path) -> None:
    """A folder that cannot be written is an error of one line that names it."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(BrokerFailed, match=f"^cannot start .* in {file}: ") as failure:
        LocalBroker.choose(file, free_port()).start()
    assert "\n" not in str(failure.value)


def test_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` takes mosquitto, also outside of PATH, else the embedded broker; the name tells program and version."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert LocalBroker.choose(tmp_path, 1883).name.startswith("mosquitto 2.")
    monkeypatch.setattr(room, "_SYSTEM_FOLDERS", "/nowhere")
    assert LocalBroker.choose(tmp_path, 1883).name.startswith("embedded (iotcore 0.")
    with pytest.raises(BrokerFailed, match=r"^mosquitto is not installed: apt install mosquitto"):
        LocalBroker.choose(tmp_path, 1883, "mosquitto")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """Without any broker the message says how to get one."""
    monkeypatch.setattr(room, "_mosquitto", lambda _: None)
    monkeypatch.setattr(room, "_embedded", lambda _: None)
    with pytest.raises(BrokerFailed, match=r"not? .*installed: (apt|pip) install"):
        LocalBroker.choose(tmp_path, 1883, kind)


def test_quiet_log(broker: LocalBroker) -> None:
    """The log is for trouble: normal traffic writes (almost) nothing, so it does not fill the disk."""
    assert broker.log.stat().st_size < 2000
