"""The source pjlink: answers of projectors and panels become raw values; a bad one is told at its stage, in time."""

import errno
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.gather import pjlink
from agent.gather.pjlink_link import proof_of
from agent.gather.read import Read, Way
from agent.outcome import Outcome, Row
from agent.worker.kinds import perform
from contract.sample import Value
from firmware_profiles.sources import GIVES, FieldName, Pjlink, Reading
from tests.profiles.pjlink_server import Recording, Script, heard, playing, projector, recorded, say, serving

HOSTS = Path(__file__).parents[2] / "fixtures/hosts"
LAMP = Recording("PJLINK 0", {"%1POWR": "%1POWR=1", "%1LAMP": "%1LAMP=120 1", "%1CLSS": "%1CLSS=1"})
PASSWORD = "JBMIAProjectorLink"  # noqa: S105  the example of the specification


def asking(*names: str) -> tuple[Reading, ...]:
    """Return readings of these raw names."""
    return tuple(Reading(name, FieldName("sensor.value")) for name in names)


def run(port: int, *names: str, timeout: float = 5, **way: str) -> Outcome:
    """Read these raw names, all but the name without any."""
    ask = Read(Pjlink(asking(*names), port=port), Way(address="127.0.0.1", **way), timeout)
    outcome = perform("pjlink", ask)
    assert outcome.stage != "unable" or "defect" not in outcome.reason, outcome.reason
    return outcome


def values(outcome: Outcome) -> dict[str, Value]:
    """Return the values of the one row."""
    assert outcome.success, outcome
    ((key, found),) = outcome.rows
    assert key == ""
    return dict(found)


def secret_file(folder: Path, text: str = PASSWORD) -> str:
    """Write a password's file."""
    file = folder / "password"
    file.write_text(text + "\n")
    return str(file)


FINE: dict[str, Value] = {"fan": 0, "temperature": 0, "cover": 0, "filter": 0, "other": 0, "failure": 0}
EXAMPLE: dict[str, Value] = {"manufacturer": "Example Optics", "muted": 0, "sound_muted": 0}
RECORDED: dict[str, dict[str, Value]] = {
    "pjlink-projector": {
        **EXAMPLE, **FINE, "power": "1", "input": "31", "lamp": 1, "lamp_hours": 2890, "lamp_on": 1, "model": "EX-2000",
        "class": "2", "serial": "X0000000001", "version": "1.02.003", "filter_hours": 120,
    },
    "pjlink-projector-class-1": {
        "manufacturer": "Example Optics", "power": "0", "failure": 0, "lamp_hours": 0, "lamp_on": 0, "model": "EX-500",
        "class": "1",
    },
    "pjlink-projector-laser": {
        **EXAMPLE, **FINE, "fan": 1, "lamp": 0, "temperature": 2, "power": "3", "input": "5A", "muted": 1, "class": "2",
        "model": "EX-L3", "serial": "L0000000001", "version": "2.10",
    },
    "pjlink-panel": {
        **EXAMPLE, **FINE, "lamp": 0, "other": 2, "failure": 1, "power": "1", "class": "1", "model": "EP-86",
        "manufacturer": "Example Panels",
    },
}  # fmt: skip


@pytest.mark.parametrize("host", RECORDED)
def test_recorded(host: str) -> None:
    """All that a device has is read, but for the name that people gave it; what it has not is absent, never zero."""
    with serving(HOSTS / host) as port:
        outcome = run(port)
    assert values(outcome) == RECORDED[host]
    assert outcome.reason == ""
    assert 0 < float(outcome.fields["rtt_ms"]) < 5000


def test_password(tmp_path: Path) -> None:
    """A device with a password answers to the one in the file."""
    with serving(HOSTS / "pjlink-projector-password") as port:
        outcome = run(port, password_file=secret_file(tmp_path))
    assert values(outcome)["power"] == "2"


def test_proof() -> None:
    """The proof of the password is that of the specification's example."""
    assert proof_of("498e4a67", PASSWORD) == "5d8409bc1c3fa39749434aa3a5c38682"


def test_wrong_password(tmp_path: Path) -> None:
    """A refused password is told as such, at once, and is in no reason."""
    with serving(HOSTS / "pjlink-projector-password") as port:
        begun = time.monotonic()
        outcome = run(port, password_file=secret_file(tmp_path, "guessed"), timeout=15)
    assert (outcome.success, outcome.stage, outcome.reason) == (False, "auth", "the password is refused")
    assert time.monotonic() - begun < 10


def test_no_password() -> None:
    """Where a password is asked for and nobody gave one, nothing is said of the device: the operator is told."""
    with serving(HOSTS / "pjlink-projector-password") as port:
        outcome = run(port)
    assert (outcome.success, outcome.stage) == (None, "unable")
    assert "no PJLink password is given" in outcome.reason


def test_unneeded_password(tmp_path: Path) -> None:
    """A device without a password is read all the same when one is given."""
    with serving(HOSTS / "pjlink-projector") as port:
        assert values(run(port, "power", password_file=secret_file(tmp_path)))["power"] == "1"


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (("power",), ["%1POWR ?"]),
        (("fan", "other", "lamp_hours", "lamp_on"), ["%1ERST ?", "%1LAMP ?"]),
        (("name",), ["%1NAME ?"]),
        (("serial", "version"), ["%1CLSS ?", "%2SNUM ?", "%2SVER ?"]),
        (("input", "muted", "information"), ["%1INPT ?", "%1AVMT ?", "%1INFO ?"]),
    ],
)
def test_only_what_is_read(names: tuple[str, ...], asked: list[str]) -> None:
    """What the profile reads is asked for, on one connection, and nothing else."""
    lines: list[str] = []
    with playing(_listening(recorded(HOSTS / "pjlink-projector"), lines)) as port:
        outcome = run(port, *names)
    assert lines == ["connected", *asked]
    assert outcome.reason == ""


def test_name_of_a_tag() -> None:
    """What only a tag needs is asked for too."""
    reading = Reading("power", FieldName("sensor.value"), tags={"name": "at {input}"})
    with serving(HOSTS / "pjlink-projector") as port:
        outcome = perform("pjlink", Read(Pjlink((reading,), port=port), Way(address="127.0.0.1"), 5))
    assert values(outcome)["input"] == "31"


def test_class_2_is_not_asked_of_class_1() -> None:
    """A device of class 1 is not asked what it does not know: some take offence."""
    lines: list[str] = []
    with playing(_listening(LAMP, lines)) as port:
        outcome = run(port, "serial", "version", "filter_hours", "power")
    assert lines == ["connected", "%1POWR ?", "%1CLSS ?"]
    assert values(outcome) == {"power": "1", "failure": 0, "class": "1"}


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        ("POWR", "0", {"power": "0"}),
        ("POWR", "ERR3", {}),
        ("POWR", "ERR4", {"failure": 1}),
        ("POWR", "err4", {"failure": 1}),
        ("POWR", "", {}),
        ("ERST", "012012", {"fan": 0, "lamp": 1, "temperature": 2, "cover": 0, "filter": 1, "other": 2}),
        ("ERST", "01", {"fan": 0, "lamp": 1}),
        ("ERST", "0-9x²1", {"fan": 0, "other": 1}),
        ("ERST", "ERR2", {}),
        ("LAMP", "", {}),
        ("LAMP", "1200 1", {"lamp_hours": 1200, "lamp_on": 1}),
        ("LAMP", "1200 0 99999 0 3 1", {"lamp_hours": 99999, "lamp_on": 1}),
        ("LAMP", "0 0", {"lamp_hours": 0, "lamp_on": 0}),
        ("LAMP", "1200", {"lamp_hours": 1200}),
        ("LAMP", "--- 0", {"lamp_on": 0}),
        ("LAMP", "ERR1", {}),
        ("AVMT", "10", {"muted": 0, "sound_muted": 0}),
        ("AVMT", "11", {"muted": 1, "sound_muted": 0}),
        ("AVMT", "21", {"muted": 0, "sound_muted": 1}),
        ("AVMT", "31", {"muted": 1, "sound_muted": 1}),
        ("AVMT", "41", {}),
        ("FILT", "0", {"filter_hours": 0}),
        ("FILT", "-1", {}),
        ("INF2", "Serie ü", {"model": "Serie ü"}),
        ("INF2", "ERR9", {"model": "ERR9"}),
        ("CLSS", "2", {"class": "2"}),
    ],
)
def test_values(command: str, answer: str, expected: dict[str, Value]) -> None:
    """An answer gives its values; an error, or what is not of the specification, gives none."""
    assert pjlink.values_of({command: answer}) == {"failure": 0, **expected}


@given(st.dictionaries(st.sampled_from([command.name for command in pjlink.COMMANDS]), st.text(max_size=40)))
def test_any_answer(said: dict[str, str]) -> None:
    """Whatever is answered, there are only known names, with values that can be stored."""
    assert all(name in GIVES["pjlink"] for name in pjlink.values_of(said))


def test_every_name() -> None:
    """Every raw name that a profile may use is given by some command."""
    assert {name for command in pjlink.COMMANDS for name in command.gives} == set(GIVES["pjlink"])


@pytest.mark.parametrize("text", ["%1powr=1", "\n%1POWR=1", "%2POWR=1", "%1POWR= 1 ", "junk\r%1POWR=1", "\r\r%1POWR=1"])
def test_sloppy_answer(text: str) -> None:
    """Small letters, a line feed, the other class, blanks, and lines that nobody asked for do no harm."""
    with playing(_saying("PJLINK 0", text)) as port:
        assert values(run(port, "power"))["power"] == "1"


@pytest.mark.parametrize("greeting", ["pjlink 0", "\nPJLINK 0", "PJLINK 0 "])
def test_sloppy_greeting(greeting: str) -> None:
    """A greeting in small letters or with a blank more is one."""
    with playing(projector(LAMP._replace(greeting=greeting))) as port:
        assert values(run(port, "power"))["power"] == "1"


@pytest.mark.parametrize("greeting", ["SSH-2.0-x", "PJLINK", "PJLINK 1", "PJLINK 2 abc", "\x00\xff", "", "220 mail"])
def test_other_greeting(greeting: str) -> None:
    """Another protocol, or a way of login that is not known, is told at the greeting."""
    with playing(_saying(greeting)) as port:
        outcome = run(port, "power")
    assert (outcome.success, outcome.stage, outcome.code) == (False, "greeting", None)


def test_refused_at_the_greeting() -> None:
    """A device that refuses before it is asked has refused the login."""
    with playing(_saying("PJLINK ERRA")) as port:
        assert run(port, "power").stage == "auth"


def test_nobody() -> None:
    """A device that refuses connections is told after a second try, within the time, with the errno."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = run(port, "power", timeout=0.4)
    assert (outcome.success, outcome.stage, outcome.code) == (False, "connect", errno.ECONNREFUSED)


def test_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that refuses a connection while it serves another client is not taken for dead."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        pauses: list[float] = []
        served = threading.Thread(target=lambda: _serve_one(listener, projector(LAMP)), daemon=True)

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            listener.listen()  # the other client has gone
            served.start()

        monkeypatch.setattr("agent.gather.pjlink.time.sleep", pause)
        assert values(run(listener.getsockname()[1], "power"))["power"] == "1"
        served.join()
    assert pauses == [1.25]


def test_busy_by_a_close() -> None:
    """A device that takes a connection and closes it at once is asked once more."""
    with playing(lambda _: None, projector(LAMP)) as port:
        assert values(run(port, "power", timeout=2))["power"] == "1"


def test_always_busy() -> None:
    """A device that closes every connection at once is told at the greeting, after two tries."""
    opened: list[int] = []
    with playing(lambda _: opened.append(1)) as port:
        outcome = run(port, "power", timeout=0.4)
    assert (outcome.stage, outcome.code, len(opened)) == ("greeting", errno.ECONNRESET, 2)
    assert "another client" in outcome.reason


def test_one_answer_a_connection(tmp_path: Path) -> None:
    """A device that closes after each answer is read by as many connections, with the password on each."""
    recording = recorded(HOSTS / "pjlink-projector-password")
    with playing(_once(projector(recording))) as port:
        outcome = run(port, "power", "lamp_hours", "model", password_file=secret_file(tmp_path))
    assert values(outcome) == {"power": "2", "failure": 0, "lamp_hours": 3105, "lamp_on": 0, "model": "EX-1000"}
    assert outcome.reason == ""


def test_gone_on_the_way() -> None:
    """A device that closes at one question, whatever the connection, is asked the others; the reason names the one."""
    with playing(_except(projector(LAMP), "%1ERST ?", lambda sock: sock.shutdown(socket.SHUT_RDWR))) as port:
        outcome = run(port, "power", "fan", "lamp_hours", timeout=2)
    assert values(outcome) == {"power": "1", "failure": 0, "lamp_hours": 120, "lamp_on": 1}
    assert outcome.reason == "no answer to ERST"


def test_silent_on_one() -> None:
    """A device that leaves one question without an answer, as some do in standby, still gives the others, in time."""
    begun = time.monotonic()
    with playing(_except(projector(LAMP), "%1ERST ?", lambda _: None)) as port:
        outcome = run(port, "power", "fan", "lamp_hours", timeout=2)
    assert values(outcome) == {"power": "1", "failure": 0, "lamp_hours": 120, "lamp_on": 1}
    assert outcome.reason == "no answer to ERST"
    assert time.monotonic() - begun < 10


def test_late_answer() -> None:
    """An answer that comes only after the next question is taken for the one that it belongs to."""

    def late(sock: socket.socket) -> None:
        say(sock, "PJLINK 0")
        lines = heard(sock)
        next(lines)
        next(lines)
        say(sock, "%1POWR=1\r%1INPT=31")

    with playing(late) as port:
        outcome = run(port, "power", "input", timeout=1)
    assert values(outcome) == {"power": "1", "input": "31", "failure": 0}
    assert outcome.reason == ""


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        (lambda sock: _listens(sock, b""), "greeting"),
        (lambda sock: _listens(sock, b"PJLINK 0\r"), "answer"),
        (lambda sock: _drips(sock, b"PJLINK 0"), "greeting"),
        (lambda sock: _drips(sock, b"%1INPT=31\r", b"PJLINK 0\r"), "answer"),
    ],
    ids=["no greeting", "no answer", "dripping greeting", "dripping answers"],
)
def test_silent(script: Script, stage: str) -> None:
    """A device that says nothing to the point, however steadily it sends, is told in time."""
    begun = time.monotonic()
    with playing(script) as port:
        outcome = run(port, "power", "fan", timeout=0.5)
        took = time.monotonic() - begun
    assert (outcome.success, outcome.stage, outcome.code) == (False, stage, errno.ETIMEDOUT)
    assert 0.4 < took < 10


@pytest.mark.parametrize(("greeting", "stage"), [("", "greeting"), ("PJLINK 0\r", "answer")])
def test_endless_line(greeting: str, stage: str) -> None:
    """A line without an end is not read to the end of memory."""
    with playing(lambda sock: _listens(sock, greeting.encode() + b"x" * 100_000)) as port:
        outcome = run(port, "power")
    assert (outcome.success, outcome.stage, outcome.reason) == (False, stage, "sends a line without an end")


def test_closes_without_an_answer() -> None:
    """A device that greets and then closes has not answered."""
    with playing(lambda sock: say(sock, "PJLINK 0")) as port:
        outcome = run(port, "power", "input")
    assert (outcome.success, outcome.stage, outcome.code) == (False, "answer", errno.ECONNRESET)
    assert float(outcome.fields["rtt_ms"]) > 0


def test_no_address() -> None:
    """Without an address it is this machine's settings that are wrong."""
    outcome = perform("pjlink", Read(Pjlink(asking("power")), Way(), 1))
    assert (outcome.success, outcome.stage) == (None, "unable")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60), st.booleans())
def test_any_device(first: bytes, second: bytes, greets: bool) -> None:
    """Whatever comes from a device, the reading ends in an outcome that says so and in none of our defects."""
    begin = b"PJLINK 0\r" if greets else b""

    def script(sock: socket.socket) -> None:
        sock.sendall(begin + first)
        sock.recv(100)
        sock.sendall(second)

    with playing(script) as port:
        outcome = run(port, "power", "lamp_hours", "serial", timeout=0.1)
    assert outcome.success is not True or outcome.rows == (Row("", dict(outcome.rows[0].values)),)


def _saying(*lines: str) -> Script:
    """Greet by the first line, give the others in turn to whatever is asked, and stay."""

    def script(sock: socket.socket) -> None:
        say(sock, lines[0])
        for _, line in zip(heard(sock), [*lines[1:], *[""] * 20], strict=False):
            say(sock, line)

    return script


def _listening(recording: Recording, lines: list[str]) -> Script:
    """Be a projector that writes down what it hears."""

    def script(sock: socket.socket) -> None:
        lines.append("connected")
        projector(recording)(_Heard(sock, lines.append))  # type: ignore[arg-type]

    return script


class _Heard:
    """A socket that tells what comes."""

    def __init__(self, sock: socket.socket, tell: Callable[[str], Any]) -> None:
        self._sock, self._tell = sock, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        """Receive, and tell the lines."""
        piece = self._sock.recv(size)
        for line in piece.decode().split("\r"):
            if line:
                self._tell(line)
        return piece


def _once(script: Script) -> Script:
    """Let a projector close after its first answer."""

    class Once(_Heard):
        count = 0

        def sendall(self, data: bytes) -> None:
            self._sock.sendall(data)
            self.count += 1
            if self.count == 2:  # the greeting is the first
                self._sock.shutdown(socket.SHUT_RDWR)

    return lambda sock: script(Once(sock, lambda _: None))  # type: ignore[arg-type]


def _except(script: Script, command: str, instead: Callable[[socket.socket], Any]) -> Script:
    """Let a projector do something else at one command."""

    class Except(_Heard):
        def recv(self, size: int) -> bytes:
            piece = self._sock.recv(size)
            if piece == command.encode() + b"\r":
                instead(self._sock)
                return self._sock.recv(size)
            return piece

    return lambda sock: script(Except(sock, lambda _: None))  # type: ignore[arg-type]


def _listens(sock: socket.socket, greeting: bytes = b"") -> None:
    """Send something and then listen for as long as the client stays."""
    sock.sendall(greeting)
    while sock.recv(100):
        pass


def _drips(sock: socket.socket, text: bytes, greeting: bytes = b"") -> None:
    """Send a byte now and then, for as long as the client stays."""
    sock.sendall(greeting)
    stop = threading.Event()
    for byte in text * 1000:
        sock.sendall(bytes([byte]))
        stop.wait(0.02)  # a slow device is what is asked for


def _serve_one(listener: socket.socket, script: Script) -> None:
    sock, _ = listener.accept()
    with sock:
        script(sock)
