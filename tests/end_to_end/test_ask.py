"""`santong ask` with the real agent and a real broker: what is answered, and what never disturbs the evidence."""

import base64
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from collector.access.log import Log
from contract import topics
from contract.asking import Found, Refused, Reply, Request, decode_reply, encode_reply, encode_request
from contract.batch import decode
from tests.agent.probe.servers import CHUNKED, answer, answers, asked, endless, serving, silent
from tests.certificates import Wish, authority, issue
from tests.end_to_end.newcomer import end, running, up
from tests.end_to_end.proxy import until
from tests.end_to_end.test_probes import DEVICE, ConfiguredAgent
from tests.processes import BIN, wait_until
from tests.services import HOST, Mosquitto, free_port

COMMAND, REPLY = topics.command(DEVICE), topics.reply(DEVICE)
# As the role `broker` has it: no user may do more than this.
RIGHTS = """\
pattern write santong/v1/%u/+/batch
pattern write santong/v1/%u/state
pattern write santong/v1/%u/reply
pattern read santong/v1/%u/ack
pattern read santong/v1/%u/command
user santong-ask
topic write santong/v1/+/command
topic read santong/v1/+/reply
"""


# Without a centre an agent sends ever less: here the broker's word is enough for it.
FLOODED = 'publish.ack = "broker"\n[commands]\nper_minute = 1000\n'


def agent_at(parts: ExitStack, folder: Path, url: str, settings: str = "") -> ConfiguredAgent:
    """Start an agent whose minute is a second, and wait until it is connected."""
    folder.mkdir(exist_ok=True)
    agent = ConfiguredAgent(folder, url, settings)
    parts.callback(agent.kill)
    agent.start()
    wait_until(lambda: "connected to the broker" in agent.words(), 60, agent.words)
    return agent


def command(*words: str, url: str) -> list[str]:
    """Return the command line of `santong ask` to the agent."""
    return [str(BIN / "santong"), "ask", DEVICE, *words, *(["--broker", url] if url else []), "--lang", "en"]


def ask(*words: str, url: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `santong ask`."""
    line = [*command(*words, url=url), *(["--data", str(data)] if data else [])]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


def begun(parts: ExitStack, *words: str, url: str) -> subprocess.Popen[str]:
    """Start `santong ask`; it ends with the test."""
    line = command(*words, url=url)
    process = parts.enter_context(subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    parts.callback(process.kill)
    return process


def outcome(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for its end; return its exit code, and what it said."""
    said, errors = process.communicate(timeout=60)
    return process.returncode, said, errors


class Stranger:
    """A client of its own at the broker, which publishes what the test says and keeps what it hears."""

    def __init__(self, parts: ExitStack, port: int, *filters: str) -> None:
        self.heard: list[mqtt.MQTTMessage] = []
        self._client = client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        is_subscribed = threading.Event()
        client.on_message = lambda _client, _data, message: self.heard.append(message)
        client.on_subscribe = lambda *_: is_subscribed.set()
        client.connect(HOST, port, clean_start=True)
        client.loop_start()
        parts.callback(client.loop_stop)
        parts.callback(client.disconnect)
        if filters:
            client.subscribe([(one, 1) for one in filters])
            assert is_subscribed.wait(20)

    def publish(self, topic: str, payload: bytes, correlation: bytes = b"", *, retain: bool = False) -> None:
        """Publish, and wait for the broker's word."""
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = correlation or secrets.token_bytes(16)
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        info.wait_for_publish(20)

    def replies(self) -> list[Reply]:
        """Return the replies heard so far."""
        return [decode_reply(bytes(message.payload)) for message in list(self.heard) if message.topic == REPLY]

    def rounds(self) -> list[int]:
        """Return the times of the agent's rounds heard so far, ns."""
        batches = [decode(bytes(message.payload)) for message in list(self.heard) if message.topic.endswith("/batch")]
        lines = [line for batch in batches for line in batch.lines.splitlines() if line.startswith(b"agent ")]
        return sorted({int(line.rsplit(b" ", 1)[1]) for line in lines})


def request(kind: str = "diagnose", *words: str, lives_s: float = 60, **given: str) -> bytes:
    """Return a command as somebody else may send it."""
    probe, target = (*words, "", "")[:2]
    return encode_request(Request(kind, int((time.time() + lives_s) * 1000), "stranger", probe, target, given))


def silent_server(parts: ExitStack) -> tuple[str, list[str]]:
    """Serve nothing but silence; return the address of a page, and what was asked."""

    def mute(sock: socket.socket) -> None:
        asked(sock)
        silent(sock)

    server = parts.enter_context(serving(mute))
    return f"http://{HOST}:{server.port}/", server.requests


# ---- what is asked and answered


def test_a_probe_from_afar(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """
    A probe that works exits 0, one that fails 1 with its stage, one that is wrong 1 with the agent's reason.

    Who asked for what, and what came of it, is in the agent's log and in the centre's.
    """
    agent = agent_at(parts, tmp_path / "agent", mosquitto.url)
    (tmp_path / "data").mkdir()
    with serving(answers(answer(200, b"welcome"))) as server:
        page = f"http://{HOST}:{server.port}/"
        done = ask("probe", "http", page, "--set", "body=wel+come", url=mosquitto.url, data=tmp_path / "data")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{DEVICE}: works\n")
    assert "first_byte" in done.stdout
    closed = f"{HOST}:{free_port()}"
    done = ask("probe", "tcp", closed, "--json", url=mosquitto.url, data=tmp_path / "data")
    found = json.loads(done.stdout)["found"]
    assert (done.returncode, found["success"], found["stage"], found["code"]) == (1, False, "connect", 111)
    done = ask("probe", "tcp", "nonsense", url=mosquitto.url, data=tmp_path / "data")
    assert done.returncode == 1
    assert "the agent does not do it (bad_arguments): probe tcp: target: 'nonsense'" in done.stdout
    assert f"probe tcp {closed}: fails at connect" in agent.words()
    log = Log(tmp_path / "data").examine()
    assert not log.problems
    said = [(one.what, one.on, one.address, one.text) for one in log.entries if one]
    assert said[0] == ("ask", DEVICE, "command line", f"probe http {page} body=wel+come")
    assert said[1] == ("ask.answer", DEVICE, "command line", f"probe http {page} body=wel+come: works")
    assert len(said) == 6


def test_throughput_from_afar(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """A test of the line is measured where the agent is, and its bytes count for the device's month."""
    agent = agent_at(parts, tmp_path / "agent", mosquitto.url)
    with serving(endless(CHUNKED, b"10000\r\n" + b"x" * 65_536 + b"\r\n")) as server:
        settings = [f"--set={one}" for one in ("seconds=1s", "warm_up=100ms", "streams=2", "timeout=8s")]
        done = ask("throughput", f"http://{HOST}:{server.port}/file", *settings, "--json", url=mosquitto.url)
    answer_ = json.loads(done.stdout)
    assert done.returncode == 0, answer_
    (sample,) = answer_["found"]["samples"]
    assert sample["measurement"] == "throughput"
    assert sample["fields"]["goodput_mbps"] > 1
    assert json.loads((agent.spool / "throughput.json").read_text())["bytes"] > 1_000_000


def test_a_diagnosis_has_what_is_needed_and_no_secret(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """What an agent says of itself is enough to begin with, and has no password of any kind in it."""
    secret = {name: f"s3cret-{name}-{secrets.token_hex(6)}" for name in ("broker", "snmp", "web")}
    for name, text in secret.items():
        (tmp_path / name).write_text(f"{text}\n")
    closed = f"{HOST}:{free_port()}"
    agent_at(
        parts,
        tmp_path / "agent",
        mosquitto.url,
        f'broker.username = "{DEVICE}"\nbroker.password_file = "{tmp_path}/broker"\n'
        f'[[credentials]]\nname = "c"\nusername = "u"\npassword_file = "{tmp_path}/web"\n'
        f'community_file = "{tmp_path}/snmp"\n'
        f'[[probe.tcp]]\ntarget = "{closed}"\nevery = "1s"\ntimeout = "1s"\n',
    )
    told: dict[str, Any] = {}

    def has_probed() -> bool:
        done = ask("diagnose", "--json", url=mosquitto.url)
        assert done.returncode == 0, done.stderr
        told.update(json.loads(done.stdout)["diagnosis"])
        assert not [text for text in secret.values() if text in done.stdout]
        return any(one["kind"] == "tcp" for one in told["probes"])

    assert until(has_probed, 60), told
    assert told["agent"] == DEVICE
    assert told["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert told["clock"]["state"] in ("synced", "trusted")
    assert told["uptime_s"] > 0
    assert {"interfaces", "gateway", "name_servers", "presence", "health", "spool", "profiles", "faults"} < told.keys()
    assert told["spool"]["epoch"]
    assert told["profiles"][0]["device"] == DEVICE
    (tcp,) = [one for one in told["probes"] if one["kind"] == "tcp"]
    assert (tcp["target"], tcp["success"], tcp["stage"]) == (closed, False, "connect")
    shown = ask("diagnose", url=mosquitto.url)
    assert f"{DEVICE}: what it says of itself" in shown.stdout


def test_with_the_rights_of_the_shipped_access_list(tmp_path: Path, parts: ExitStack) -> None:
    """Who may only write commands and read replies can ask; an agent may answer under its own id and read its own."""
    (tmp_path / "acl").write_text(RIGHTS)
    broker = Mosquitto(tmp_path / "mosquitto", (f"acl_file {tmp_path}/acl",))
    parts.callback(broker.stop)
    broker.start()
    agent_at(parts, tmp_path / "agent", broker.url)
    done = ask("diagnose", url=f"mqtt://santong-ask@{HOST}:{broker.port}")
    assert done.returncode == 0, done.stderr
    done = ask("diagnose", "--timeout", "20s", url=f"mqtt://nobody@{HOST}:{broker.port}")
    assert done.returncode == 2
    assert f"the broker does not let us write to {COMMAND}: Not authorized" in done.stderr
    done = ask("diagnose", "--timeout", "20s", url=f"mqtt://441802-3144001234.other@{HOST}:{broker.port}")
    assert done.returncode == 2, "an agent asks no other"


# ---- what does not come back


def test_an_agent_that_does_not_answer(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """Without an answer in time the exit code is 3, and what the broker knows of the agent is said."""
    agent = agent_at(parts, tmp_path / "agent", mosquitto.url)
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        done = ask("diagnose", "--timeout", "2s", url=mosquitto.url)
    finally:
        os.kill(agent.pid, signal.SIGCONT)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith(f"{DEVICE}: no answer within 2 s; the broker has it as online\n")
    agent.stop()
    begin = time.monotonic()
    done = ask("diagnose", "--timeout", "60s", "--json", url=mosquitto.url)
    assert time.monotonic() - begin < 30, "nobody listens: there is nothing to wait for"
    assert done.returncode == 3
    assert json.loads(done.stdout)["state"] == "stopped"
    assert "nobody takes commands there; the broker has it as stopped" in done.stderr
    done = ask("diagnose", "--timeout", "2s", url=f"mqtt://{HOST}:{free_port()}")
    assert done.returncode == 3
    assert "Connection refused" in done.stderr


def test_a_probe_that_takes_longer_than_asked_for(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """What cannot be done in time is refused at once; the agent says so, and goes on."""
    agent_at(parts, tmp_path / "agent", mosquitto.url)
    page, requests = silent_server(parts)
    done = ask("probe", "http", page, "--set", "timeout=30s", "--timeout", "10s", url=mosquitto.url)
    assert done.returncode == 1
    assert "(too_late): it may take 30 s" in done.stdout
    assert not requests
    done = ask("probe", "http", page, "--set", "timeout=2s", "--timeout", "10s", url=mosquitto.url)
    assert done.returncode == 1
    assert "fails at" in done.stdout


def test_the_answer_to_somebody_else_is_not_taken(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """Only the reply with one's own correlation data is an answer, whoever publishes what meanwhile."""
    agent_at(parts, tmp_path / "agent", mosquitto.url)
    page, requests = silent_server(parts)
    stranger = Stranger(parts, mosquitto.port)
    asking = begun(parts, "probe", "http", page, "--set", "timeout=3s", url=mosquitto.url)
    wait_until(lambda: requests, 60)
    for _ in range(5):
        stranger.publish(REPLY, encode_reply(Reply("9", found=Found(True, "done", reason="forged"))))
        stranger.publish(REPLY, b"\xff not JSON")
    code, out, _ = outcome(asking)
    assert code == 1
    assert "forged" not in out
    assert "fails at" in out


def test_a_command_while_another_runs(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """The second one is told that the agent is busy, and with whom; the first has its answer all the same."""
    agent_at(parts, tmp_path / "agent", mosquitto.url)
    page, requests = silent_server(parts)
    first = begun(parts, "probe", "http", page, "--set", "timeout=10s", url=mosquitto.url)
    wait_until(lambda: requests, 60)
    second = ask("diagnose", url=mosquitto.url)
    assert second.returncode == 1
    assert "(busy): a command of " in second.stdout
    assert "fails at" in outcome(first)[1]
    assert ask("diagnose", url=mosquitto.url).returncode == 0


def test_an_agent_that_is_killed_in_the_middle(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """
    No command outlives the agent that took it: neither the one that ran, nor those that the broker kept meanwhile.

    The asker learns that there was no answer.
    """
    agent = agent_at(parts, tmp_path / "agent", mosquitto.url)
    page, requests = silent_server(parts)
    asking = begun(parts, "probe", "http", page, "--set", "timeout=10s", "--timeout", "12s", url=mosquitto.url)
    wait_until(lambda: requests, 60)
    agent.kill()
    stranger = Stranger(parts, mosquitto.port, REPLY)
    for _ in range(3):  # its session lives a while longer, and the broker keeps them for it
        stranger.publish(COMMAND, request("probe", "http", page, timeout="5s", lives_s=600))
    agent.start()
    wait_until(lambda: agent.words().count("connected to the broker") == 2, 60, agent.words)
    code, _, errors = outcome(asking)
    assert code == 3
    assert "no answer within 12 s" in errors
    assert ask("diagnose", url=mosquitto.url).returncode == 0
    assert len(requests) == 1
    assert [bool(reply.diagnosis) for reply in stranger.replies()] == [True]


def test_commands_that_the_broker_keeps_are_not_run(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """A command with the mark `retain` is run neither when it is published nor when the agent comes."""
    stranger = Stranger(parts, mosquitto.port, REPLY)
    stranger.publish(COMMAND, request(lives_s=600), retain=True)
    agent = agent_at(parts, tmp_path / "agent", mosquitto.url)
    assert ask("diagnose", url=mosquitto.url).returncode == 0
    stranger.publish(COMMAND, request(lives_s=600), retain=True)
    wait_until(lambda: "(retained) is not run" in agent.words(), why=agent.words)
    assert ask("diagnose", url=mosquitto.url).returncode == 0
    assert len(stranger.replies()) == 2
    assert "command of stranger" not in agent.words()


def test_what_comes_twice_is_answered_once(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """The same message again, as a broker may deliver it or somebody may record it: one run, one answer."""
    agent_at(parts, tmp_path / "agent", mosquitto.url)
    stranger = Stranger(parts, mosquitto.port, REPLY)
    payload = request()
    for _ in range(5):
        stranger.publish(COMMAND, payload, b"one and the same")
    assert ask("diagnose", url=mosquitto.url).returncode == 0
    assert len(stranger.replies()) == 2


def test_a_flood_of_commands_disturbs_no_round(tmp_path: Path, parts: ExitStack, mosquitto: Mosquitto) -> None:
    """1,000 commands at once, some of them nonsense: every round is there, and few are answered."""
    agent = agent_at(parts, tmp_path / "agent", mosquitto.url, FLOODED)
    stranger = Stranger(parts, mosquitto.port, REPLY, topics.ALL_BATCHES)
    wait_until(lambda: len(stranger.rounds()) > 3, 60, agent.words)
    for number in range(1000):
        kind = ("diagnose", "probe", "replay")[number % 3]
        payload = request(kind, "tcp", f"{HOST}:1") if number % 7 else b"\x00nonsense" * number
        stranger.publish(COMMAND, payload)
    flooded_ns = time.time_ns()
    wait_until(lambda: stranger.rounds()[-1] > flooded_ns + 3 * 10**9, 60, agent.words)
    rounds = stranger.rounds()
    gaps_s = [(after - before) / 1e9 for before, after in pairwise(rounds)]
    assert max(gaps_s) < 1.9, gaps_s
    assert len(stranger.replies()) <= 100
    assert {reply.refused for reply in stranger.replies()} <= {"", *Refused}
    assert agent.words().count("WARNING") < 20
    assert len(agent.words()) < 50_000


# ---- access


def test_a_broker_that_refuses_the_subscription(tmp_path: Path, parts: ExitStack) -> None:
    """An access list that knows nothing of commands yet costs one line of the log, and no evidence."""
    plugin = next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
    password = secrets.token_hex(8)
    (tmp_path / "password").write_text(password)
    (tmp_path / "rights.json").write_text(json.dumps(_rights(password)))
    broker = Mosquitto(
        tmp_path / "mosquitto",
        (f"plugin {plugin}", f"plugin_opt_config_file {tmp_path}/rights.json"),
        anonymous=False,
    )
    parts.callback(broker.stop)
    broker.start()
    agent = agent_at(parts, tmp_path / "agent", broker.url, f'broker.password_file = "{tmp_path}/password"\n')
    refusal = f"the broker refuses the subscription to {COMMAND}: Not authorized"
    wait_until(lambda: refusal in agent.words(), why=agent.words)
    status = [str(BIN / "santong-agent"), "spool", "status", "--spool", str(agent.spool), "--json"]
    wait_until(lambda: json.loads(subprocess.check_output(status))["seq"] > 3)
    broker.stop()
    broker.start()
    wait_until(lambda: agent.words().count("connected to the broker") == 2, 60, agent.words)
    assert agent.words().count(refusal) == 1


def _rights(password: str) -> dict[str, Any]:
    """Return a file of mosquitto's dynamic security: the agent may do all but take commands."""
    salt = secrets.token_bytes(12)
    hashed = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    allow = [
        {"acltype": kind, "topic": topic, "priority": priority, "allow": is_allowed}
        for kind, topic, priority, is_allowed in [
            ("subscribePattern", COMMAND, 10, False),
            ("subscribePattern", "#", 1, True),
            ("publishClientSend", "#", 1, True),
            ("publishClientReceive", "#", 1, True),
        ]
    ]
    client = {
        "username": DEVICE,
        "password": base64.b64encode(hashed).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": 101,
        "roles": [{"rolename": "agent"}],
    }
    return {
        "defaultACLAccess": dict.fromkeys(
            ("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"), False
        ),
        "clients": [client],
        "groups": [],
        "roles": [{"rolename": "agent", "acls": allow}],
    }


def test_two_people_with_one_certificate(tmp_path: Path, parts: ExitStack) -> None:
    """
    Where the broker takes the certificate's name for the client's id, a second asker would throw out the first.

    On one machine the second waits for its turn; from elsewhere it takes the place, and the first comes back for its
    answer.
    """
    root = authority()
    ca, _ = root.save(tmp_path, "ca")
    issue(Wish("127.0.0.1", dns="localhost"), root).save(tmp_path, "broker")
    issue(Wish("santong-ask"), root).save(tmp_path, "ask")
    port = free_port()
    tls = (
        f"listener {port} {HOST}",
        f"cafile {ca}",
        f"certfile {tmp_path}/broker.crt",
        f"keyfile {tmp_path}/broker.key",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
    )
    broker = Mosquitto(tmp_path / "mosquitto", tls)
    parts.callback(broker.stop)
    broker.start()
    agent_at(parts, tmp_path / "agent", broker.url)
    page, requests = silent_server(parts)
    other = tmp_path / "elsewhere.crt"
    other.write_bytes((tmp_path / "ask.crt").read_bytes())

    def options(certificate: Path) -> list[str]:
        file = tmp_path / f"{certificate.stem}.toml"
        file.write_text(
            f'[broker]\nurl = "mqtts://localhost:{port}"\nca = "{ca}"\n'
            f'certificate = "{certificate}"\nkey = "{tmp_path}/ask.key"\n'
        )
        return ["--config", str(file)]

    here = options(tmp_path / "ask.crt")
    first = begun(parts, "probe", "http", page, "--set", "timeout=12s", *here, url="")
    wait_until(lambda: requests, 60)
    second = begun(parts, "diagnose", *here, url="")
    assert "fails at" in outcome(first)[1]
    code, _, errors = outcome(second)
    assert (code, "another santong ask has the same certificate" in errors) == (0, True), errors

    first = begun(parts, "probe", "http", page, "--set", "timeout=10s", *here, url="")
    wait_until(lambda: len(requests) == 2, 60)
    second = begun(parts, "diagnose", *options(other), url="")
    assert outcome(second)[0] == 1, "the agent is busy with the first"
    code, out, _ = outcome(first)
    assert (code, "fails at" in out) == (1, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["441802.c1", "diagnose"], "is not an agent's id"),
        ([DEVICE, "diagnoze"], "diagnoze is none of probe, throughput, diagnose, did you mean diagnose"),
        ([DEVICE, "diagnose", "now"], "santong ask AGENT diagnose"),
        ([DEVICE, "probe"], "santong ask AGENT probe KIND TARGET [--set NAME=VALUE]"),
        ([DEVICE, "throughput"], "santong ask AGENT throughput URL"),
        ([DEVICE, "probe", "dns", "x", "--set", "type"], "--set type: is not NAME=VALUE"),
        ([DEVICE, "diagnose", "--timeout", "1d"], "--timeout: 1d is not within 1s and 15m"),
        ([DEVICE, "diagnose", "--timeout", "soon"], "--timeout: 'soon' is not a duration"),
        ([DEVICE, "diagnose", "--broker", "mqt://x"], "broker.url: 'mqt://x' does not start with"),
        ([DEVICE, "diagnose", "--data", "/no/such/folder"], "no broker: --broker URL, --config FILE"),
        ([DEVICE, "probe", "dns", "x" * 2000, "--broker", "mqtt://127.0.0.1:1"], "not a command"),
    ],
)
def test_a_mistake_of_the_asker_is_said_in_a_line(words: list[str], message: str, tmp_path: Path) -> None:
    """Whatever is typed wrong ends with exit code 2 and a line that says what; nobody is asked."""
    line = [str(BIN / "santong"), "ask", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_beside_santong_up(tmp_path: Path) -> None:
    """With the newcomer's command `--data` is enough: its broker is found, and what was asked is logged beside it."""
    data = tmp_path / "data"
    with running(up(data, "--device", DEVICE), tmp_path / "up.log") as process:
        assert until(lambda: (data / "broker").is_dir() and ask("diagnose", url="", data=data).returncode == 0, 90)
        end(process)
    assert "diagnose" in (data / "access/log.jsonl").read_text()
