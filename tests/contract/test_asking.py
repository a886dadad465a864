"""Questions to an agent and its answers on the wire: what is taken, what is not, what means the same for ever."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import topics
from contract.asking import (
    MOST_REPLY_BYTES,
    MOST_REQUEST_BYTES,
    Found,
    Refused,
    Reply,
    Request,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
)

GOLDEN = Path(__file__).parent / "golden/v1"
AT_MS = 1_764_000_121_500
REQUESTS = {
    "command-probe.bin": Request(
        "probe", AT_MS, "li.na", "dns", "www.example.edu.cn", {"type": "AAAA", "timeout": "3s"}
    ),
    "command-throughput.bin": Request("throughput", AT_MS, "王 as root", "", "http://192.0.2.7/", {"seconds": "4s"}),
    "command-diagnose.bin": Request("diagnose", AT_MS, "li.na"),
}
REPLIES = {
    "reply-found.bin": Reply(
        "0.1.0",
        AT_MS,
        Found(
            True,
            "done",
            0,
            "",
            {"duration_ms": 12.5, "hijacked": False, "address": "192.0.2.7"},
            (("throughput", {"direction": "down", "server": "192.0.2.9"}, {"goodput_mbps": 94.1, "bytes": 117}),),
        ),
    ),
    "reply-failed.bin": Reply("0.1.0", None, Found(False, "connect", 111, "连接被拒绝")),
    "reply-diagnosis.bin": Reply(
        "0.1.0",
        AT_MS,
        diagnosis={"boot": "3f2b", "faults": [{"code": "E-12"}], "spool": {"batches": 3}, "gateway": None},
    ),
    "reply-refused.bin": Reply("0.1.0", AT_MS, refused=str(Refused.BUSY), reason="a command of wang runs"),
}

texts = st.text(st.characters(codec="utf-8"), max_size=60)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
KEYS = (
    "command",
    "expires",
    "who",
    "probe",
    "target",
    "set",
    "version",
    "at",
    "found",
    "diagnosis",
    "refused",
    "reason",
)
nearly = st.dictionaries(st.sampled_from(KEYS) | texts, trees, max_size=12)


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_that_were_once_sent(name: str) -> None:
    """A request of version 1 means the same for ever, and is still written so."""
    payload = (GOLDEN / name).read_bytes()
    assert decode_request(payload) == REQUESTS[name]
    assert encode_request(REQUESTS[name]) == payload


@pytest.mark.parametrize("name", REPLIES)
def test_replies_that_were_once_sent(name: str) -> None:
    """A reply of version 1 means the same for ever, and is still written so."""
    payload = (GOLDEN / name).read_bytes()
    assert decode_reply(payload) == REPLIES[name]
    assert encode_reply(REPLIES[name]) == payload


def test_keys_of_a_later_version_are_passed_over() -> None:
    """The contract grows: what a later version adds changes nothing for this one, and a new command is still read."""
    later = {"command": "replay", "expires": AT_MS, "who": "li.na", "since": [1, 2], "set": {}}
    assert decode_request(json.dumps(later).encode()) == Request("replay", AT_MS, "li.na")
    answer = {"version": "2.0.0", "at": None, "refused": "tired", "colour": "blue"}
    assert decode_reply(json.dumps(answer).encode()) == Reply("2.0.0", refused="tired")


@pytest.mark.parametrize("decode", [decode_request, decode_reply])
@given(payload=st.binary(max_size=300) | nearly.map(lambda tree: json.dumps(tree).encode()))
def test_no_bytes_do_anything_but_decode_or_be_refused(decode: Callable[[bytes], Any], payload: bytes) -> None:
    """Whatever comes, it is a message or ValueError: never another exception."""
    try:
        message = decode(payload)
    except ValueError:
        return
    assert isinstance(message, Request | Reply)


@pytest.mark.parametrize("decode", [decode_request, decode_reply])
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[" * 100_000,
        b"[" * 3000,
        b'{"a":' * 1500,
        b"\xff\xfe{\x00}\x00",
        b"\x00" * 20_000,
        b'{"command":"probe","expires":' + b"9" * 5000 + b',"who":"x"}',
        b'{"command":"probe","expires":1,"who":"\\ud800"}',
        b'{"command":"probe","expires":NaN,"who":"x"}',
        b'{"command":"probe","expires":true,"who":"x"}',
        b'{"command":"probe","expires":-1,"who":"x"}',
        b'{"command":"Probe!","expires":1,"who":"x"}',
        b'{"command":"probe","expires":1,"who":"x","set":{"a":1}}',
        b'{"command":"probe","expires":1,"who":"x","set":[["a","b"]]}',
        b'{"command":"probe","expires":1,"who":"' + b"x" * 65 + b'"}',
        b'{"version":"1","at":1,"refused":"busy","found":{"success":true,"stage":"done","code":0}}',
        b'{"version":"1","at":1}',
        b'{"version":"1","at":1,"found":{"success":1,"stage":"done","code":0}}',
        b'{"version":"1","at":1,"found":{"success":true,"stage":"done","code":0,"fields":{"a":[1]}}}',
        b'{"version":"1","at":1,"diagnosis":{"a":' + b"[" * 10 + b"]" * 10 + b"}}",
    ],
)
def test_what_is_no_message(decode: Callable[[bytes], Any], payload: bytes) -> None:
    """Half a character, a number without end, a nest without bottom, types of other kinds: refused, each in a word."""
    with pytest.raises(ValueError, match=r"not a (command|reply)"):
        decode(payload)


@given(
    given_=st.dictionaries(texts, texts, max_size=5),
    target=texts,
    who=texts,
    expires=st.integers(0, (1 << 53) - 1),
)
def test_a_request_comes_back_as_it_was_sent(given_: dict[str, str], target: str, who: str, expires: int) -> None:
    """What is asked arrives as it was asked."""
    request = Request("probe", expires, who, "http", target, given_)
    assert decode_request(encode_request(request)) == request


def test_what_is_too_large_is_not_sent() -> None:
    """Nothing is encoded that the other end would refuse."""
    with pytest.raises(ValueError, match="bytes, more than"):
        encode_request(Request("probe", 1, "x", "http", "y", {str(n): "z" * 900 for n in range(20)}))
    with pytest.raises(ValueError, match="bytes, more than"):
        encode_reply(Reply("1", diagnosis={"text": ["x" * 900] * 100}))
    with pytest.raises(ValueError, match="cannot be written"):
        encode_reply(Reply("1", diagnosis={"when": object()}))
    with pytest.raises(ValueError, match="not exactly one"):
        encode_reply(Reply("1"))
    assert MOST_REQUEST_BYTES < MOST_REPLY_BYTES


def test_topics_of_a_command() -> None:
    """A command and its reply have the agent's id at the place where brokers' patterns look for it."""
    assert topics.command("441802-1.c1") == "santong/v1/441802-1.c1/command"
    assert topics.reply("441802-1.c1") == "santong/v1/441802-1.c1/reply"
