"""Wrong settings and missing servers, with the real commands: one clear message each, an exit code, no traceback."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.collector.test_pipeline import RawAgent, batch
from tests.end_to_end.proxy import HurriedAgent, until
from tests.processes import BIN, LOCAL_ONLY, CollectProcess
from tests.services import HOST, Influxd, Mosquitto, find_program

DEVICE = "441802-3144001234.c0703"
NOWHERE = "mqtt://127.0.0.1:1"
SECRET = "s3cret-p4ss"  # noqa: S105  must be seen nowhere


def environment() -> dict[str, str]:
    """Return an environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SANTONG_")} | {"LANG": "C.UTF-8"}


def ask(command: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must end by itself."""
    line = [str(BIN / command), *map(str, arguments)]
    known = environment() | variables
    answer = subprocess.run(
        line, capture_output=True, text=True, timeout=40, check=False, env=known, stdin=subprocess.DEVNULL
    )
    assert "Traceback" not in answer.stderr + answer.stdout
    assert SECRET not in answer.stderr + answer.stdout
    return answer


def only_line(answer: subprocess.CompletedProcess[str], code: int = 2) -> str:
    """Return the one line that a command said before it ended with `code`."""
    assert answer.returncode == code, answer
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    return line


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 400 KB."""
    where = tmp_path / "disk"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(where)], check=True)
    yield where
    subprocess.run(["umount", "--lazy", str(where)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte; return the file to delete when there shall be space again."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return filler


# ---- the agent's settings

GOOD_AGENT = f'agent = "{DEVICE}"\n[broker]\nurl = "{NOWHERE}"\n'

AGENT_MISTAKES: dict[str, tuple[str | bytes, str]] = {
    "bad TOML": ("agent = \n", r"is not TOML: .*line 1"),
    "not UTF-8": (b'# ok\nagent = "\xff"\n', r"is not UTF-8 \(line 2\): save the file as UTF-8"),
    "a Chinese quote": ("agent = “a.b”\n", r"is not TOML: .*line 1.*; '“' is full-width: write the one of ASCII"),
    "an unknown key": (GOOD_AGENT + "[round]\nevry = 5\n", r"round\.evry: is not known, did you mean every"),
    "an unknown section": (GOOD_AGENT + "[rouund]\nevery = 5\n", r"rouund: is not known, did you mean round"),
    "a typing mistake": (GOOD_AGENT + '[round]\nevery = "6Os"\n', r"round\.every: '6Os' .* did you mean 60s"),
    "a wrong type": (GOOD_AGENT + "[publish]\nwindow = true\n", r"publish\.window: True is not a whole number"),
    "text for a number": (GOOD_AGENT + '[publish]\nwindow = "8"\n', r"publish\.window: '8' is not a whole number"),
    "no choice of ours": (GOOD_AGENT + '[publish]\nack = "brocker"\n', r"publish\.ack: .*did you mean broker"),
    "a section that is none": (GOOD_AGENT.replace("[broker]\nurl", "broker"), r"broker: is a section, not "),
    "no broker": (f'agent = "{DEVICE}"\n', r"broker\.url: is missing"),
    "a bad name": (GOOD_AGENT.replace("c0703", "C0703"), r"agent: '.*C0703' is not a device id: <county>-"),
    "no MQTT": (GOOD_AGENT.replace("mqtt:", "http:"), r"broker\.url: 'http://.*' does not start with mqtt://"),
    "a port beyond": (GOOD_AGENT.replace(":1", ":65536"), r"broker\.url: .*needs a host, and a port from 1 to 65535"),
    "a password in a bad URL": (
        GOOD_AGENT.replace("//127.0.0.1:1", f"//me:{SECRET}@host:0"),
        r"broker\.url: 'mqtt://me:\*\*\*@host:0'",
    ),
    "a reference that is none": (
        GOOD_AGENT + '[presence]\nreferences = ["192.0.2.1"]\n',
        r"presence\.references\[0\]: '192\.0\.2\.1' is not a reference target such as",
    ),
    "no password file": (
        GOOD_AGENT + 'password_file = "/no/such/file"\n',
        r"broker\.password_file: /no/such/file: No such file or directory",
    ),
    "no authority": (
        GOOD_AGENT.replace("mqtt:", "mqtts:") + 'ca = "/no/such/ca.pem"\n',
        r"broker\.ca: /no/such/ca\.pem: No such file",
    ),
    "an authority that is none": (
        GOOD_AGENT.replace("mqtt:", "mqtts:") + 'ca = "/etc/hostname"\n',
        r"broker\.ca: /etc/hostname: ",
    ),
    "a round of no time": (GOOD_AGENT + '[round]\nevery = "0s"\n', r"round\.every: "),
    "no pace": (GOOD_AGENT + "[publish]\nreplay_per_second = 0\n", r"publish\.replay_per_second: "),
    "a spool of no size": (GOOD_AGENT, r"spool\.max_size: "),
    "no window": (GOOD_AGENT + "[publish]\nwindow = 0\n", r"publish\.window: "),
    "a keep-alive that MQTT cannot say": (GOOD_AGENT + 'keepalive = "1d"\n', r"broker\.keepalive: "),
}


@pytest.mark.parametrize("case", AGENT_MISTAKES)
def test_a_mistake_in_the_agent_s_file(tmp_path: Path, case: str) -> None:
    """The agent does not start; one line names the file, the path of the setting and what is wrong with it."""
    content, message = AGENT_MISTAKES[case]
    file = tmp_path / "agent.toml"
    size = 0 if case == "a spool of no size" else 1_000_000
    spool = f'[spool]\npath = "{tmp_path}/spool"\nmax_size = {size}\n'.encode()
    file.write_bytes((content if isinstance(content, bytes) else content.encode()) + spool)
    with ExitStack() as parts:
        log = (tmp_path / "log").open("w+b")
        parts.callback(log.close)
        command = [str(BIN / "santong-agent"), "run", "--config", str(file)]
        known = environment() | LOCAL_ONLY
        process = subprocess.Popen(command, env=known, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        parts.callback(process.wait)
        parts.callback(process.kill)
        try:
            code: int | None = process.wait(30)
        except subprocess.TimeoutExpired:
            code = None
        said = (tmp_path / "log").read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert SECRET not in said
    assert code == 2, said
    (line,) = said.splitlines()
    assert re.match(f"({re.escape(str(file))}|settings): {message}", line), line


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Whoever corrects a file sees every mistake in the first run, each on a line of its own with its path."""
    file = tmp_path / "agent.toml"
    file.write_text('agent = "x"\n[broker]\nurl = "ftp://h"\n[round]\nevry = 1\n[publish]\nwindow = "8"\nack = 3\n')
    answer = ask("santong-agent", "run", "--config", file, SANTONG_SPOOL_MAX_SIZE="much")
    assert answer.returncode == 2
    lines = answer.stderr.splitlines()
    assert [line.removeprefix(f"{file}: ").split(":")[0] for line in lines] == [
        "agent",
        "broker.url",
        "publish.ack",
        "publish.window",
        "round.evry",
        "spool.max_size",
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that was named must exist, for both commands."""
    file = tmp_path / "none.toml"
    assert only_line(ask("santong-agent", "run", "--config", file)) == f"{file}: no such file"
    assert only_line(ask("santong", "collect", "--config", file)) == f"{file}: no such file"
    assert only_line(ask("santong", "collect", "--config", tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"


def test_a_variable_that_is_wrong() -> None:
    """A variable is named by the path of its setting."""
    known = {"SANTONG_AGENT": DEVICE, "SANTONG_BROKER_URL": NOWHERE, "SANTONG_ROUND_EVERY": "soon"}
    line = only_line(ask("santong-agent", "run", **known))
    assert re.match(r"settings: round\.every: 'soon' is not a duration such as 60s", line)


# ---- the agent's spool


def agent_once(folder: Path, **settings: str) -> tuple[int, str]:
    """Run an agent that must end by itself; return its exit code and what it said."""
    agent = HurriedAgent(folder, DEVICE, NOWHERE, **settings)
    command = subprocess.run(
        agent.command(), env=agent.environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert "Traceback" not in command.stderr
    return command.returncode, command.stderr


def test_a_spool_that_cannot_be(tmp_path: Path, tiny_disk: Path) -> None:
    """A spool on a file, in the place of a folder, on a disk that is full or read-only: exit code 3, one line."""
    (tmp_path / "file").touch()
    (tmp_path / "odd" / "spool.sqlite").mkdir(parents=True)
    fill(tiny_disk)
    read_only = tmp_path / "read-only"
    read_only.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k,ro", "none", str(read_only)], check=True)
    try:
        for path in (tmp_path / "file", tmp_path / "odd", tiny_disk / "spool", read_only / "spool"):
            code, said = agent_once(tmp_path, SANTONG_SPOOL_PATH=str(path))
            assert code == 3, said
            (line,) = said.splitlines()
            assert line.startswith(str(path)), line
    finally:
        subprocess.run(["umount", str(read_only)], check=True)


def test_a_spool_that_is_no_database(tmp_path: Path, parts: ExitStack) -> None:
    """A damaged spool is set aside, never deleted; the agent says so and goes on with a new one."""
    agent = HurriedAgent(tmp_path, DEVICE, NOWHERE)
    agent.spool.mkdir()
    (agent.spool / "spool.sqlite").write_bytes(b"not a database" * 500)
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: "agent " + DEVICE in agent.words())
    assert until(lambda: len(agent.issued()) >= 2), agent.words()
    assert agent.words().count("set aside") == 1
    (aside,) = agent.spool.glob("spool.sqlite.damaged-*")
    assert aside.read_bytes() == b"not a database" * 500
    assert "Traceback" not in agent.words()


def test_commands_about_a_spool_that_is_not_there(tmp_path: Path) -> None:
    """`spool status` and `health` of an agent that never ran say so, each in one line."""
    line = only_line(ask("santong-agent", "spool", "status", "--spool", tmp_path / "none"))
    assert line == f"{tmp_path}/none/spool.sqlite: no spool here: has the agent run? (--spool names its folder)"
    health = ask("santong-agent", "health", "--spool", tmp_path / "none")
    assert (health.returncode, len(health.stdout.splitlines()), health.stderr) == (1, 1, "")
    (tmp_path / "spool.sqlite").write_bytes(b"not a database" * 500)
    line = only_line(ask("santong-agent", "spool", "status", "--spool", tmp_path))
    assert line.startswith(f"{tmp_path}/spool.sqlite: file is not a database: santong-agent spool repair")


def test_a_disk_that_fills_under_an_agent(tiny_disk: Path, tmp_path: Path, parts: ExitStack) -> None:
    """
    A full disk does not end the agent: it measures on and keeps the samples in memory; the log says so, not each round.

    When there is space again all of it is in the spool.
    """
    agent = HurriedAgent(tmp_path, DEVICE, NOWHERE, SANTONG_SPOOL_PATH=str(tiny_disk), SANTONG_ROUND_EVERY="200ms")
    agent.spool = tiny_disk
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: len(agent.issued()) >= 2), agent.words()
    filler = fill(tiny_disk)
    assert until(lambda: "disk is full" in agent.words()), agent.words()
    stuck = len(agent.issued())
    time.sleep(2)
    assert agent.is_running()
    filler.unlink()
    assert until(lambda: len(agent.issued()) > stuck + 1), agent.words()
    agent.stop()
    assert "Traceback" not in agent.words()
    assert agent.words().count("disk is full") <= 2, agent.words()


# ---- a broker that is not there, or does not want us


def test_an_agent_without_a_broker_measures_on(tmp_path: Path, parts: ExitStack) -> None:
    """Without a broker the batches pile up in the spool; the log says it once, not at every try."""
    agent = HurriedAgent(tmp_path, DEVICE, NOWHERE)
    parts.callback(agent.kill)
    agent.start()
    assert until(lambda: agent.spool.joinpath("spool.sqlite").exists() and agent.waiting() >= 3), agent.words()
    first = agent.waiting()
    assert until(lambda: agent.waiting() >= first + 3)
    assert agent.words().count("Connection refused") == 1, agent.words()
    status = ask("santong-agent", "spool", "status", "--spool", agent.spool)
    assert re.search(r"^batches\s+[1-9]\d*$", status.stdout, re.MULTILINE)
    health = ask("santong-agent", "health", "--spool", agent.spool)
    assert health.returncode == 1
    assert f"{NOWHERE}: Connection refused" in health.stdout
    agent.stop()
    assert "Traceback" not in agent.words()


def locked_broker(parts: ExitStack, folder: Path) -> Mosquitto:
    """Start a mosquitto that knows one user, `collector`, by password."""
    passwords = folder / "passwords"
    program = find_program("mosquitto_passwd", "mosquitto")
    subprocess.run([program, "-b", "-c", str(passwords), "collector", "right"], check=True, capture_output=True)
    broker = Mosquitto(folder / "mosquitto", extra=(f"password_file {passwords}",), anonymous=False)
    parts.callback(broker.stop)
    broker.start()
    return broker


def test_a_wrong_password_of_the_broker(tmp_path: Path, parts: ExitStack) -> None:
    """Both ends try again, as the password may be repaired at the broker; each says so once, without the password."""
    broker = locked_broker(parts, tmp_path)
    agent = HurriedAgent(tmp_path, DEVICE, broker.url.replace("//", f"//me:{SECRET}@"))
    url = broker.url.replace("//", f"//collector:{SECRET}@")
    collector = CollectProcess(tmp_path, url, f"sqlite://{tmp_path}/store.db")
    for process in (agent, collector):
        parts.callback(process.kill)
        process.start()
    refusal = r"WARNING mqtt://\w+:\*\*\*@127\.0\.0\.1:\d+: broker refuses the connection: (Not authorized|Bad user)"
    for process in (agent, collector):
        assert until(lambda process=process: re.search(refusal, process.words())), process.words()  # type: ignore[misc]
    assert until(lambda: broker.log.read_text(encoding="utf-8").count("not authorised") >= 5)
    for process in (agent, collector):
        assert process.is_running()
        assert process.words().count("broker refuses the connection") == 1, process.words()
        process.stop()
        assert SECRET not in process.words()
        assert "Traceback" not in process.words()


def test_a_collector_without_a_broker(tmp_path: Path, parts: ExitStack) -> None:
    """`santong collect` waits for its broker, says so once, receives when it comes, and ends at SIGTERM."""
    broker = Mosquitto(tmp_path / "mosquitto")
    collector = CollectProcess(tmp_path, broker.url, f"sqlite://{tmp_path}/store.db")
    parts.callback(collector.kill)
    parts.callback(broker.stop)
    collector.start()
    assert until(lambda: "trying again" in collector.words()), collector.words()
    time.sleep(1)
    assert collector.words().count("Connection refused: trying again") == 1, collector.words()
    broker.start()
    collector.wait_until_receiving()
    collector.stop()
    assert "Traceback" not in collector.words()


# ---- the centre's settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--store", "sqlite:x.db"], r"settings: broker\.url: is missing"),
        (["--broker", NOWHERE], r"settings: store: is missing"),
        (["--broker", NOWHERE, "--store", "mysql://h/d"], r"settings: store: 'mysql://h/d' is no store; there are"),
        (["--broker", NOWHERE, "--store", "influxdb://h"], r"settings: store: .* needs the name of one database"),
        (
            ["--broker", NOWHERE, "--store", f"influxdb://me:{SECRET}@h:0/d"],
            r"settings: store: 'influxdb://me:\*\*\*@h:0/d' needs a host, and a port",
        ),
        (["--broker", "h", "--store", "sqlite:x.db"], r"settings: broker\.url: 'h' does not start with mqtt://"),
        (["--broker", NOWHERE, "--store", "sqlite:/no/such/x.db"], r"/no/such/x\.db: .*No such file or directory"),
        (
            ["--broker", NOWHERE, "--store", "sqlite:x.db", "--broker-password-file", "/no/such"],
            r"settings: broker\.password_file: /no/such: No such file or directory",
        ),
    ],
)
def test_a_mistake_in_the_collector_s_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    """`santong collect` does not start; one line names the setting and what is wrong with it."""
    monkeypatch.chdir(tmp_path)
    assert re.match(message, only_line(ask("santong", "collect", *arguments)))


def test_all_mistakes_of_a_collector_at_once(tmp_path: Path) -> None:
    """File and flags together: every mistake on a line of its own."""
    file = tmp_path / "collect.toml"
    file.write_text('stroe = "sqlite:x.db"\n[broker]\nurl = "ftp://h"\nkeepalive = "6Os"\n')
    answer = ask("santong", "collect", "--config", file, "--store", "oracle://h")
    assert answer.returncode == 2
    paths = [line.removeprefix(f"{file}: ").split(":")[0] for line in answer.stderr.splitlines()]
    assert paths == ["broker.keepalive", "broker.url", "store", "stroe"]


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    """The quarantine needs a folder: one line says which option to change."""
    (tmp_path / "file").touch()
    flags = ["--broker", NOWHERE, "--store", f"sqlite://{tmp_path}/x.db", "--data", tmp_path / "file"]
    assert "choose another folder with --data" in only_line(ask("santong", "collect", *flags))
    line = only_line(ask("santong", "up", "--for", 1, "--data", tmp_path / "file"))
    assert line.startswith(f"{tmp_path}/file: ")


# ---- InfluxDB


def collect(store: str, data: Path) -> subprocess.CompletedProcess[str]:
    """Run `santong collect` on a store that ends it."""
    return ask("santong", "collect", "--broker", NOWHERE, "--store", store, "--data", data)


def test_influxdb_with_wrong_login_or_rights(tmp_path: Path, parts: ExitStack) -> None:
    """
    A wrong password, and a user who may not create the missing database: exit code 2, and one line with the remedy.

    For the second these are the very statements that an administrator is to run; after them it starts.
    """
    server = Influxd(tmp_path / "influxd", auth=True)
    parts.callback(server.stop)
    server.start()
    line = only_line(collect(server.url("santong", "admin", SECRET), tmp_path))
    assert "the user or password in the URL of the store is wrong" in line

    server.query(f"CREATE USER small WITH PASSWORD '{SECRET}'")
    small = server.url("santong", "small", SECRET)
    line = only_line(collect(small, tmp_path))
    told = line.partition("an administrator runs: ")[2]
    assert told.startswith('CREATE DATABASE "santong"'), line
    for statement in told.split("; "):
        server.query(statement)
    collector = CollectProcess(tmp_path, NOWHERE, small)
    parts.callback(collector.kill)
    collector.start()
    assert until(lambda: "Connection refused: trying again" in collector.words()), collector.words()
    collector.stop()
    assert SECRET not in collector.words()


def test_influxdb_that_is_not_there_yet(mosquitto: Mosquitto, tmp_path: Path, parts: ExitStack) -> None:
    """A collector that starts before its database waits, says for whom, and works when it comes."""
    server = Influxd(tmp_path / "influxd")
    collector = CollectProcess(tmp_path, mosquitto.url, server.url("santong"))
    parts.callback(server.stop)
    parts.callback(collector.kill)
    collector.start()
    where = f"http://127.0.0.1:{server.port}"
    assert until(lambda: collector.words().count("trying again") >= 1), collector.words()
    assert re.search(rf"^WARNING {where}: .*: trying again$", collector.words(), re.MULTILINE)
    server.start()
    collector.wait_until_receiving()
    agent = RawAgent(mosquitto.port)
    parts.callback(agent.close)
    agent.send(batch(1))
    assert until(lambda: agent.stored() == [1])
    collector.stop()
    assert "Traceback" not in collector.words()


# ---- a full disk at the centre


def test_a_full_disk_at_the_start(tiny_disk: Path, tmp_path: Path) -> None:
    """Store or quarantine on a full disk: exit code 2 and one line that names the file."""
    fill(tiny_disk)
    line = only_line(collect(f"sqlite://{tiny_disk}/store.db", tmp_path / "data"))
    assert line.startswith(f"{tiny_disk}/store.db: "), line
    assert "free space on its disk" in line
    line = only_line(collect(f"sqlite://{tmp_path}/store.db", tiny_disk))
    assert line.startswith(f"{tiny_disk}/quarantine.sqlite: "), line
    line = only_line(ask("santong", "up", "--for", 1, "--data", tiny_disk))
    assert line.startswith(f"{tiny_disk}/"), line


def test_a_disk_that_fills_under_a_collector(
    mosquitto: Mosquitto, tiny_disk: Path, tmp_path: Path, parts: ExitStack
) -> None:
    """
    While the store's disk is full nothing is acknowledged; the log names the file and the remedy, once.

    When there is space again it goes on by itself and everything is acknowledged.
    """
    collector = CollectProcess(tmp_path, mosquitto.url, f"sqlite://{tiny_disk}/store.db")
    parts.callback(collector.kill)
    collector.start()
    collector.wait_until_receiving()
    agent = RawAgent(mosquitto.port)
    parts.callback(agent.close)
    agent.send(batch(1))
    assert until(lambda: agent.stored() == [1])
    filler = fill(tiny_disk)
    agent.send(*(batch(seq) for seq in range(2, 200)))
    remedy = f"{tiny_disk}/store.db: database or disk is full; free space on its disk"
    assert until(lambda: remedy in collector.words()), collector.words()
    time.sleep(1)
    assert collector.words().count(remedy) == 1
    before = len(agent.stored())
    filler.unlink()
    assert until(lambda: set(agent.stored()) == set(range(1, 200))), collector.words()
    assert before < 199
    collector.stop()
    assert "Traceback" not in collector.words()


# ---- santong up, status and the rest


def test_up_with_a_port_in_use(tmp_path: Path) -> None:
    """A port that was asked for and is taken is one line with the way out, and nothing is left running."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        line = only_line(ask("santong", "up", "--for", 1, "--data", tmp_path / "data", "--port", port))
    assert line == f"port {port} on 127.0.0.1 is in use: stop what listens there or choose another with --port"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--device", "Class 7"], r"'Class 7' is not a device id: <county>-"),
        (["up", "--broker", "rabbit"], r"'rabbit' is not a kind of broker: choose auto, mosquitto or embedded"),
        (["up", "--broker", "http://h"], r".*'http://h' does not start with mqtt://"),
        (["up", "--port", "70000"], r"70000 is not a port: choose one from"),
        (["up", "--store", "mysql://h"], r"store: 'mysql://h' is no store; there are"),
        (["up", "--zone", "Mars/Olympus"], r"--zone: 'Mars/Olympus' is not a time zone such as Asia/Shanghai"),
        (["up", "--lang", "fr"], r"--lang: 'fr' is none of zh, en"),
        (["status"], r"(.*/)?santong-data/santong\.sqlite: no such store; start the collector, or name another"),
        (["quarantine"], r"santong-data/quarantine\.sqlite: no quarantine here \(--data names its folder\)"),
        (["status", "--store", "influxdb://127.0.0.1:1/santong"], r"http://127\.0\.0\.1:1: .*[Cc]onnection refused"),
        (["status", "--store", "sqlite:none.db"], r".*none\.db: no such store"),
        (["migrate", "--to", "sqlite:new.db"], r"(.*/)?santong-data/santong\.sqlite: no such store"),
        (["migrate", "--to", "nowhere"], r".*"),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list) else "",
)
def test_a_mistake_in_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    """Each command of the centre ends with code 2 and one line that says what to change, and creates nothing."""
    monkeypatch.chdir(tmp_path)
    line = only_line(ask("santong", *arguments))
    assert re.match(message, line), line
    assert not list(tmp_path.glob("*.db"))


def test_status_of_a_store_that_is_no_database(tmp_path: Path) -> None:
    """A file of something else is named, with what to do."""
    (tmp_path / "santong.sqlite").write_bytes(b"not a database" * 500)
    line = only_line(ask("santong", "status", "--data", tmp_path))
    assert line == f"{tmp_path}/santong.sqlite: file is not a database; name another file, or move this one away"
