"""A technician carries a file from a school without any network to the centre: the real commands, the real servers."""

import json
import os
import re
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from collector.store.open import open_store
from contract.batch import decode
from contract.batchfile import carried, read
from tests.certificates import Wish, authority, issue, new_key
from tests.collector.test_by_hand import write
from tests.collector.test_pipeline import batch
from tests.end_to_end.proxy import HurriedAgent, until
from tests.processes import BIN, CollectProcess
from tests.services import HOST, Influxd, Mosquitto, free_port

DEVICE = "441802-3144001234.c0703"
MINUTE_NS = 60 * 10**9


def prepared(url: str) -> str:
    """Make a store that a collector could have made; return its URL."""
    store = open_store(url)
    store.prepare()
    store.close()
    return url


@pytest.fixture(params=["sqlite", "influxdb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a store that a collector has prepared: a file, and a real InfluxDB."""
    is_file = request.param == "sqlite"
    return prepared(f"sqlite://{tmp_path}/store.db" if is_file else str(request.getfixturevalue("influx_url")))


class School:
    """A school whose agent reaches no broker, and the technician beside it."""

    def __init__(self, folder: Path, kind: str = "ec", url: str = "mqtt://127.0.0.1:1") -> None:
        self.folder = folder
        self.ca = authority()
        ca_file, _ = self.ca.save(folder, "ca")
        self.ca_file = ca_file
        self.me = issue(Wish(DEVICE), self.ca, new_key(kind))
        certificate, key = self.me.save(folder, "agent")
        self.settings = {"SANTONG_BROKER_CERTIFICATE": str(certificate), "SANTONG_BROKER_KEY": str(key)}
        self.agent = HurriedAgent(folder, DEVICE, url, **self.settings)

    def export(self, *words: str, code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run `santong-agent spool export` with the agent's settings."""
        command = [str(BIN / "santong-agent"), "spool", "export", *words]
        known = self.agent.environment() | settings
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=known)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        return done

    def wait_for(self, batches: int) -> None:
        """Wait until so many batches were closed."""
        assert until(lambda: len(self.agent.issued()) >= batches), self.agent.words()


class Centre:
    """The centre, and who imports there."""

    def __init__(self, folder: Path, store: str, ca: Path) -> None:
        self.store = store
        self.data = folder / "centre"
        self.data.mkdir(exist_ok=True)
        self._ca = ca

    def take(self, *words: object, code: int = 0, ca: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `santong import`."""
        trusted = ["--ca", str(self._ca)] if ca else []
        command = [str(BIN / "santong"), "import", *map(str, words), "--store", self.store, "--data", str(self.data)]
        known = {name: value for name, value in os.environ.items() if not name.startswith("SANTONG_")}
        done = subprocess.run(
            command + trusted, capture_output=True, text=True, timeout=120, check=False, env=known | {"LANG": "C.UTF-8"}
        )
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        return done

    def rows(self, measurement: str) -> list[dict[str, Any]]:
        """Return the stored rows of a measurement."""
        store = open_store(self.store)
        found = [{"time": row.time_ns, **row.fields} for row in store.select(measurement, 0, 2**62, [DEVICE])]
        store.close()
        return found

    def delivered(self) -> list[tuple[str, int]]:
        """Return the name of every delivery point."""
        return sorted((str(row["epoch"]), int(row["seq"])) for row in self.rows("delivery"))


def names(*files: Path) -> set[tuple[str, int]]:
    """Return the names of all batches in files."""
    found = set()
    for file in files:
        copy = file.with_suffix(".copy")
        with file.open("rb") as source, copy.open("w+b") as opened:
            read(source, opened)
            found |= {(b.epoch, b.seq) for b in (decode(payload) for _, payload in carried(opened))}
    return found


def lines(*files: Path) -> dict[str, set[int]]:
    """Return the times of all lines in files, by measurement."""
    found: dict[str, set[int]] = {}
    for file in files:
        with file.open("rb") as source, file.with_suffix(".copy").open("w+b") as opened:
            read(source, opened)
            for _, payload in carried(opened):
                for line in decode(payload).lines.decode().splitlines():
                    found.setdefault(re.split("[ ,]", line)[0], set()).add(int(line.rpartition(" ")[2]))
    return found


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_from_a_school_without_a_network(tmp_path: Path, parts: ExitStack, kind: str) -> None:
    """Exported beside the running agent, carried, imported: every batch and every line is there, once."""
    school = School(tmp_path, kind)
    parts.callback(school.agent.kill)
    school.agent.start()
    school.wait_for(6)
    said = school.export("--out", str(tmp_path / "first.jsonl")).stdout
    assert re.fullmatch(rf"\d+ batches from .* to .*: {tmp_path}/first\.jsonl\n", said), said
    school.wait_for(len(school.agent.issued()) + 3)
    before = school.agent.waiting()
    answer = json.loads(school.export("--json", "--out", str(tmp_path / "second.jsonl")).stdout)
    assert answer.keys() == {"batches", "skipped", "from", "to", "file"}
    assert (answer["skipped"], answer["file"]) == (0, str(tmp_path / "second.jsonl"))
    assert before <= school.agent.waiting(), "an export takes nothing out of the spool"
    school.agent.stop()
    school.export("--out", str(tmp_path / "third.jsonl"))
    files = [tmp_path / f"{name}.jsonl" for name in ("first", "second", "third")]
    assert names(files[0]) < names(files[1]) <= names(files[2]) == school.agent.issued()

    store = prepared(f"sqlite://{tmp_path}/store.db")
    centre = Centre(tmp_path, store, school.ca_file)
    assert json.loads(centre.take(files[0], "--json").stdout)[0]["stored"] == len(names(files[0]))
    centre.take(files[2], files[1])
    centre.take(files[2])
    assert centre.delivered() == sorted(names(files[2]))
    for measurement, times in lines(files[2]).items():
        assert {row["time"] for row in centre.rows(measurement)} == times, measurement
    assert len(lines(files[2])) >= 4
    assert {(row["by_hand"], row.get("unverified")) for row in centre.rows("delivery")} == {(1, None)}


def test_by_hand_and_over_the_network(tmp_path: Path, parts: ExitStack, store_url: str) -> None:
    """Received before the import, imported, received after it, imported again: each batch is stored once."""
    broker = Mosquitto(tmp_path / "mosquitto")
    parts.callback(broker.stop)
    school = School(tmp_path, url=broker.url)
    collector = CollectProcess(tmp_path, broker.url, store_url)
    centre = Centre(tmp_path, store_url, school.ca_file)
    file = tmp_path / "all.jsonl"
    parts.callback(school.agent.kill)
    parts.callback(collector.kill)
    broker.start()
    school.agent.start()
    school.wait_for(4)  # the broker takes them, no collector is there: they wait
    school.export("--out", str(file))
    school.export("--out", str(tmp_path / "twice.jsonl"))
    centre.take(tmp_path / "twice.jsonl")
    by_hand = names(tmp_path / "twice.jsonl")
    assert set(centre.delivered()) == by_hand
    collector.start()
    collector.wait_until_receiving()
    assert until(lambda: school.agent.waiting() <= 2 and set(centre.delivered()) > by_hand), school.agent.words()
    centre.take(file)
    school.agent.stop()
    issued = school.agent.issued()
    collector.stop()
    delivered = centre.delivered()
    assert len(delivered) == len(set(delivered)), "a batch is stored twice"
    assert by_hand <= set(delivered) <= issued
    minutes = [row["time"] for row in centre.rows("presence")]
    assert len(minutes) == len(set(minutes))
    for row in centre.rows("delivery"):
        assert row.get("by_hand") == (1 if (row["epoch"], row["seq"]) in by_hand | names(file) else None)


def test_unsigned_files(tmp_path: Path, parts: ExitStack, store_url: str) -> None:
    """Without a key nothing is exported but with --unsigned; that is imported only with --trust, and can be seen."""
    school = School(tmp_path)
    parts.callback(school.agent.kill)
    school.agent.start()
    school.wait_for(3)
    school.agent.stop()
    school.agent = HurriedAgent(tmp_path, DEVICE, "mqtt://127.0.0.1:1")  # the same spool, and no key
    (line,) = school.export("--out", str(tmp_path / "f"), code=2).stderr.splitlines()
    assert line.startswith("broker.certificate is not set")
    assert not (tmp_path / "f").exists()
    school.export("--out", str(tmp_path / "f"), "--unsigned")
    centre = Centre(tmp_path, store_url, school.ca_file)
    for ca in (True, False):
        (line,) = centre.take(tmp_path / "f", code=2, ca=ca).stderr.splitlines()
        assert line.startswith(f"{tmp_path}/f: is not signed: ")
    assert centre.rows("delivery") == []
    said = centre.take(tmp_path / "f", "--trust").stdout
    assert "not verified" in said
    assert {(row["by_hand"], row["unverified"]) for row in centre.rows("delivery")} == {(1, 1)}
    record = json.loads((centre.data / "imports.jsonl").read_text())
    assert record["vouched_by"]


def test_what_an_operator_sees(tmp_path: Path) -> None:
    """A table, exit codes, and one line for each file that is not imported; the others are."""
    store = prepared(f"sqlite://{tmp_path}/store.db")
    ca = authority()
    me = issue(Wish(DEVICE), ca)
    centre = Centre(tmp_path, store, ca.save(tmp_path, "ca")[0])
    good = write(tmp_path / "good.jsonl", [(DEVICE, batch(1)), (DEVICE, batch(2))], me, agent=DEVICE)
    partly = write(
        tmp_path / "partly.jsonl", [(DEVICE, batch(3)), (DEVICE, batch(4, b"presence lan=2.5"))], me, agent=DEVICE
    )
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(good.read_bytes()[:-100])
    stranger = issue(Wish("x"), ca)
    foreign = write(tmp_path / "foreign.jsonl", [(DEVICE, batch(9))], stranger, agent=DEVICE)

    answer = centre.take(good)
    assert re.search(rf"{good} │ {DEVICE} │ .* │ valid +│ 2 +│ 2 +│ 0", answer.stdout), answer.stdout
    assert answer.stderr == ""
    answer = centre.take(good, partly, "--lang", "zh", code=1)
    assert "有效" in answer.stdout
    assert re.search(r"│ 2 +│ 1 +│ wrong_type 1", answer.stdout), answer.stdout
    answer = centre.take(cut, good, foreign, tmp_path / "none.jsonl", tmp_path, "--json", code=2)
    assert [line.removeprefix(f"{tmp_path}/") for line in answer.stderr.splitlines()] == [
        "cut.jsonl: is cut short: line 4 has no end",
        f"foreign.jsonl: it is signed by CN=x (serial {stranger.certificate.serial_number:x}), not by {DEVICE}",
        "none.jsonl: No such file or directory",
        f"{tmp_path}: Is a directory",
    ]
    rows = json.loads(answer.stdout)
    assert [sorted(row) for row in rows[::2]] == [["error", "file"]] * 3
    assert (rows[1]["stored"], rows[1]["refused"], rows[1]["agent"]) == (2, {}, DEVICE)
    listed = subprocess.run(
        [str(BIN / "santong"), "quarantine", "--data", str(centre.data)], capture_output=True, text=True, check=True
    )
    assert DEVICE in listed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ca", "none.pem"], r"none\.pem: No such file or directory"),
        (["--ca", "f"], r"f: has no certificate in PEM"),
        (["--crl", "f"], r"f: has no list of revoked certificates in PEM"),
        (["--store", "sqlite:none.db"], r".*none\.db: no such store; start the collector"),
        (["--data", "nowhere"], r".*nowhere/santong\.sqlite: no such store"),
        (["--store", f"influxdb://{HOST}:1/santong"], r"http://.*[Cc]onnection refused"),
        (["--zone", "Mars/Olympus"], r"--zone: 'Mars/Olympus' is not a time zone"),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list) else "",
)
def test_a_mistake_in_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    """Each ends with code 2 and one line, and makes no store: evidence must not end where nobody looks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").write_bytes(b"x\n")
    if "--store" not in words and "--data" not in words:
        words = [*words, "--store", prepared("sqlite:f.db")]
    command = [str(BIN / "santong"), "import", "f", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(message, line), line
    assert {path.name for path in tmp_path.iterdir()} <= {"f", "f.db"}


def test_a_store_that_is_away(tmp_path: Path, influxd: Influxd) -> None:
    """A store that stops is one line that says what to do; when it is back the same command stores everything."""
    url = prepared(influxd.url("santong"))
    ca = authority()
    file = write(
        tmp_path / "f.jsonl", [(DEVICE, batch(n)) for n in range(1, 50)], issue(Wish(DEVICE), ca), agent=DEVICE
    )
    centre = Centre(tmp_path, url, ca.save(tmp_path, "ca")[0])
    influxd.kill()
    assert len(centre.take(file, code=2).stderr.splitlines()) == 1
    influxd.start()
    centre.take(file)
    assert len(centre.delivered()) == 49


def test_a_full_disk_at_the_centre(tmp_path: Path) -> None:
    """Where there is no space for a copy of the file nothing is imported, the folder is named, and no rest is left."""
    store = prepared(f"sqlite://{tmp_path}/store.db")
    ca = authority()
    me = issue(Wish(DEVICE), ca)
    centre = Centre(tmp_path, store, ca.save(tmp_path, "ca")[0])
    large = write(tmp_path / "large.jsonl", [(DEVICE, batch(1) + b"#" * 900_000)], me, agent=DEVICE)
    small = write(tmp_path / "small.jsonl", [(DEVICE, batch(1))], me, agent=DEVICE)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(centre.data)], check=True)
    try:
        (line,) = centre.take(large, code=2).stderr.splitlines()
        assert line == f"{large}: {centre.data}: No space left on device"
        assert centre.rows("delivery") == []
        centre.take(small)
        assert len(centre.rows("delivery")) == 1
    finally:
        subprocess.run(["umount", "--lazy", str(centre.data)], check=True)


@pytest.mark.parametrize("file", ["/dev/zero", "/dev/urandom", "/dev/null", "/proc/self/maps"])
def test_files_that_are_none(tmp_path: Path, file: str) -> None:
    """Whatever is named by mistake, there is one line and an end."""
    store = prepared(f"sqlite://{tmp_path}/store.db")
    centre = Centre(tmp_path, store, authority().save(tmp_path, "ca")[0])
    (line,) = centre.take(file, "--trust", code=2).stderr.splitlines()
    assert line.startswith(f"{file}: ")
    assert "no file of batches" in line


def test_an_agent_under_load(tmp_path: Path, parts: ExitStack) -> None:
    """Beside an agent that writes as fast as it can, every export is whole, and the agent does not notice."""
    school = School(tmp_path)
    school.agent = HurriedAgent(
        tmp_path, DEVICE, f"mqtt://127.0.0.1:{free_port()}", **school.settings,
        SANTONG_ROUND_EVERY="50ms", SANTONG_PUBLISH_EVERY="50ms",
    )  # fmt: skip
    parts.callback(school.agent.kill)
    school.agent.start()
    school.wait_for(10)
    for number in range(5):
        file = tmp_path / f"{number}.jsonl"
        earlier = school.agent.issued()
        school.export("--out", str(file))
        found = names(file)
        assert earlier <= found
        assert sorted(seq for _, seq in found) == list(range(1, len(found) + 1))
    newest = max(seq for _, seq in school.agent.issued())
    assert until(lambda: max(seq for _, seq in school.agent.issued()) > newest + 3)
    assert "disk" not in school.agent.words()
    assert "locked" not in school.agent.words()
    time.sleep(0.1)
    assert school.agent.is_running()
