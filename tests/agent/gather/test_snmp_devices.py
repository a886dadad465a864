"""The source snmp against devices that misbehave, each a few lines of Python behind a real socket."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from snmp.message import Message, ProtocolVersion
from snmp.pdu import ResponsePDU
from snmp.smi import OID, Integer32, OctetString, VarBind
from snmp.v2c.interpreter import SNMPv2cInterpreter

from agent.gather.read import Read, Way
from agent.gather.snmp_values import Oid, oid
from agent.gather.snmp_walk import Walker, walk
from agent.outcome import Failed, Outcome, Row
from agent.worker.kinds import perform
from firmware_profiles.sources import Snmp

HOST = "127.0.0.1"
MANY, SCALAR = "1.3.6.1.4.1.99999.3", "1.3.6.1.4.1.99999.4"


@pytest.fixture
def way(tmp_path: Path) -> Way:
    """Return the way to a device."""
    (tmp_path / "community").write_text("public")
    return Way(HOST, community_file=str(tmp_path / "community"))


def ask(way: Way, port: int, timeout: float = 5, **what: Any) -> Outcome:
    """Read from a device."""
    return perform("snmp", Read(Snmp((), port=port, **what), way, timeout))


Answer = Callable[[bytes], list[bytes]]


@contextmanager
def device(answer: Answer) -> Iterator[int]:
    """Run a device that answers each packet with what `answer` returns; yield its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))
        port = server.getsockname()[1]

        def serve() -> None:
            while packet := server.recvfrom(65535):
                if not packet[0]:
                    return
                for data in answer(packet[0]):
                    server.sendto(data, packet[1])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
                ender.sendto(b"", (HOST, port))
            thread.join()


def response(packet: bytes, bindings: list[VarBind], status: int = 0, index: int = 0) -> bytes:
    """Return a response to a request."""
    request = SNMPv2cInterpreter().decode(packet)
    pdu = ResponsePDU(*bindings, requestID=request.pdu.requestID, errorStatus=status, errorIndex=index)
    return bytes(Message(ProtocolVersion.SNMPv2c, request.community, pdu).encode())


def answering(bindings: Callable[[Any], list[VarBind]]) -> Answer:
    """Return how a device answers that makes its bindings of a request."""
    return lambda packet: [response(packet, bindings(SNMPv2cInterpreter().decode(packet).pdu))]


def test_garbage_is_no_answer(way: Way) -> None:
    """A device that answers with something else than SNMP fails at the stage answer, within the timeout."""
    with device(lambda _: [b"HTTP/1.0 400 Bad Request\r\n\r\n", b"\x30\x82", os.urandom(200)]) as port:
        outcome = ask(way, port, timeout=0.5, get={"a": f"{SCALAR}.1.0"})
    assert (outcome.success, outcome.stage) == (False, "answer")
    assert outcome.reason.startswith("what was answered is no answer of SNMP")


def test_a_refusal_without_an_object_is_called_one(way: Way) -> None:
    """Net-snmp sends a forbidden GETBULK back as it came, its repetitions in the place of the object's number."""

    def refusing(packet: bytes) -> list[bytes]:
        return [response(packet, [VarBind(OID(1, 3), Integer32(1))], status=16, index=10)]

    with device(refusing) as port:
        outcome = ask(way, port, timeout=0.5, get={"a": f"{SCALAR}.1.0"})
    assert (outcome.success, outcome.stage) == (False, "answer")
    assert outcome.reason == "the device refuses what is asked, with an error without an object"


def test_an_answer_that_follows_garbage_counts(way: Way) -> None:
    """Stray packets do not spoil a reading."""
    right = answering(lambda request: [VarBind(b.name, Integer32(5)) for b in request.variableBindings])
    with device(lambda packet: [b"garbage", *right(packet), *right(packet)]) as port:
        outcome = ask(way, port, get={"a": f"{SCALAR}.1.0"})
    assert outcome.rows == (Row("", {"a": 5}),)


def test_a_lost_packet_is_asked_again(way: Way) -> None:
    """One lost packet is no failure."""
    seen: list[bytes] = []

    def answer(packet: bytes) -> list[bytes]:
        seen.append(packet)
        names = SNMPv2cInterpreter().decode(packet).pdu.variableBindings
        return [response(packet, [VarBind(b.name, Integer32(5)) for b in names])] if len(seen) > 1 else []

    with device(answer) as port:
        outcome = ask(way, port, timeout=4, get={"a": f"{SCALAR}.1.0"})
    assert (outcome.rows, len(seen)) == ((Row("", {"a": 5}),), 2)


def test_a_table_without_end_is_refused(way: Way) -> None:
    """A device that goes on for ever ends with a reason, not with the agent's memory."""

    def goes_on(request: Any) -> list[VarBind]:
        start = tuple(request.variableBindings[0].name)
        base, last = (start, 0) if len(start) == 9 else (start[:-1], start[-1])
        return [VarBind(OID(*base, last + step), Integer32(1)) for step in range(1, request.maxRepetitions + 1)]

    with device(answering(goes_on)) as port:
        outcome = ask(way, port, columns={"a": f"{MANY}.1"})
    assert (outcome.success, outcome.stage) == (False, "answer")
    assert outcome.reason == f"{MANY}.1 has more than 4096 rows"


def test_a_device_that_stands_still_ends_the_walk(way: Way) -> None:
    """An identifier that does not grow ends its column; what came before it is kept."""

    def same(request: Any) -> list[VarBind]:
        return [VarBind(OID.parse(f"{MANY}.1.{number}"), Integer32(number)) for number in (1, 2, 2, 1)]

    with device(answering(same)) as port:
        outcome = ask(way, port, columns={"a": f"{MANY}.1"})
    assert outcome.rows == (Row("1", {"a": 1}), Row("2", {"a": 2}))


def test_an_empty_answer_ends_the_walk(way: Way) -> None:
    """A device that answers GETBULK with nothing has no such table."""
    with device(answering(lambda _: [])) as port:
        outcome = ask(way, port, columns={"a": f"{MANY}.1"})
    assert (outcome.success, outcome.rows) == (True, ())


def test_an_answer_that_was_cut_is_used(way: Way) -> None:
    """An answer that ends in the middle of a row (RFC 3416 §4.2.3) loses nothing: the rest is asked for."""

    def cut(request: Any) -> list[VarBind]:
        found: list[VarBind] = []
        at = [tuple(binding.name) for binding in request.variableBindings]
        for _ in range(request.maxRepetitions):
            for place, name in enumerate(at):
                base, last = (name[:9], name[9] if len(name) > 9 else 0)
                at[place] = (*base, last + 1)
                found.append(VarBind(OID(*at[place]) if last < 5 else OID(1, 3, 7, place), Integer32(last + 1)))
        return found[:3]  # in the middle of the second row

    with device(answering(cut)) as port:
        outcome = ask(way, port, columns={"a": f"{MANY}.1", "b": f"{MANY}.2"})
    assert outcome.rows == tuple(Row(str(number), {"a": number, "b": number}) for number in range(1, 6))


def test_other_objects_than_were_asked_for(way: Way) -> None:
    """A device that answers another question fails at the stage answer."""
    with device(answering(lambda _: [VarBind(OID(1, 3, 6, 1, 1), OctetString(b"x"))])) as port:
        outcome = ask(way, port, get={"a": f"{SCALAR}.1.0"})
    assert (outcome.success, outcome.stage) == (False, "answer")


def test_an_agent_of_the_old_kind(way: Way) -> None:
    """The error noSuchName for one of several objects, as agents of version 1 say it: the others are still read."""

    def old(packet: bytes) -> list[bytes]:
        names = [binding.name for binding in SNMPv2cInterpreter().decode(packet).pdu.variableBindings]
        for number, name in enumerate(names, 1):
            if str(name).endswith(".2.0"):
                return [response(packet, [VarBind(name) for name in names], status=2, index=number)]
        return [response(packet, [VarBind(name, Integer32(7)) for name in names])]

    with device(old) as port:
        outcome = ask(way, port, get={f"n{number}": f"{SCALAR}.{number}.0" for number in (1, 2, 3)})
    assert outcome.rows == (Row("", {"n1": 7, "n3": 7}),)


def test_a_device_with_little_room(way: Way) -> None:
    """The error tooBig is answered with smaller questions."""

    def small(packet: bytes) -> list[bytes]:
        names = [binding.name for binding in SNMPv2cInterpreter().decode(packet).pdu.variableBindings]
        if len(names) > 2:
            return [response(packet, [], status=1)]
        return [response(packet, [VarBind(name, Integer32(7)) for name in names])]

    with device(small) as port:
        outcome = ask(way, port, get={f"n{number}": f"{SCALAR}.{number}.0" for number in range(1, 8)})
    assert outcome.rows == (Row("", {f"n{number}": 7 for number in range(1, 8)}),)


def test_an_error_of_the_device(way: Way) -> None:
    """The error genErr is said as it is, with its number."""
    with device(lambda packet: [response(packet, [VarBind(OID.parse(f"{SCALAR}.1.0"))], 5, 1)]) as port:
        outcome = ask(way, port, get={"a": f"{SCALAR}.1.0"})
    assert (outcome.stage, outcome.code) == ("answer", 5)
    assert outcome.reason == "the device answers with the error genErr"


def test_the_whole_ends_within_its_timeout(way: Way) -> None:
    """A device that takes its time for every packet does not take more than the timeout in all."""

    def slow(packet: bytes) -> list[bytes]:
        threading.Event().wait(0.1)
        start = SNMPv2cInterpreter().decode(packet).pdu.variableBindings[0].name
        name = OID(*start, 1) if len(start) == 9 else OID(*start[:9], start[9] + 1)
        return [response(packet, [VarBind(name, Integer32(1))])]

    begun = time.monotonic()
    with device(slow) as port:
        outcome = ask(way, port, timeout=0.7, columns={"a": f"{MANY}.1"})
    assert (outcome.success, outcome.stage) == (False, "timeout")
    assert time.monotonic() - begun < 10


def test_a_name_server_that_is_silent(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device by its name, where no name server answers, fails at the stage resolve within the timeout."""
    real, is_over = socket.getaddrinfo, threading.Event()

    def silent(host: str, port: Any, **named: Any) -> Any:
        if not named.get("flags"):
            is_over.wait(30)
        return real(host, port, **{**named, "flags": socket.AI_NUMERICHOST})

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    begun = time.monotonic()
    outcome = ask(way._replace(address="switch.school.example"), 161, timeout=0.3, get={"a": f"{SCALAR}.1.0"})
    took_s = time.monotonic() - begun
    is_over.set()
    assert (outcome.success, outcome.stage) == (False, "resolve")
    assert outcome.reason == "switch.school.example: no name server answers"
    assert took_s < 10


def test_a_device_by_its_name(way: Way) -> None:
    """A name of a device is looked up."""
    right = answering(lambda request: [VarBind(b.name, Integer32(5)) for b in request.variableBindings])
    with device(right) as port:
        outcome = ask(way._replace(address="localhost"), port, get={"a": f"{SCALAR}.1.0"})
    assert outcome.rows == (Row("", {"a": 5}),)


def test_a_recording_goes_on_with_the_next_root_after_a_circle(way: Way) -> None:
    """A table whose identifiers do not grow costs a recording the rest of its root, not what is below the others."""
    names = [(*oid(MANY), number) for number in (1, 3, 2)] + [(*oid(SCALAR), 1)]

    def follows(request: Any) -> list[VarBind]:
        after = tuple(request.variableBindings[0].name)
        start = next((place for place, name in enumerate(names) if name > after), len(names))
        return [VarBind(OID(*name), Integer32(1)) for name in names[start:]] or [VarBind(OID(1, 4), Integer32(1))]

    found: list[Oid] = []
    circle = pytest.raises(Failed, match=r"3 comes .*2: it goes round in a circle")
    with device(answering(follows)) as port, Walker(way, port, 5) as walker, circle:
        for batch in walk(walker, [oid(MANY), oid(SCALAR)]):
            found += [one.oid for one in batch]
    assert found == [names[0], names[1], names[3]]
