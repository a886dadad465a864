"""MQTT topics, and the JSON of acks."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import topics
from contract.errors import BadName
from contract.topics import Ack, Refusal, decode_ack, encode_ack, ranges

MANY = settings(max_examples=150, deadline=None)
AGENT, DEVICE = "441802-3144001234.gw1", "441802-3144001234.c0703"

EPOCHS = st.text("0123456789abcdef", min_size=8, max_size=16)
SEQS = st.integers(1, 10**15 - 1)
RUNS = st.tuples(EPOCHS, SEQS, SEQS)
REFUSALS = st.builds(Refusal, EPOCHS, SEQS, st.text(), st.just("")) | st.builds(
    Refusal, st.none(), st.none(), st.text(), st.text("0123456789abcdef", min_size=16, max_size=16)
)
ACKS = st.builds(
    Ack, st.lists(RUNS, max_size=5).map(tuple), st.lists(REFUSALS, max_size=5).map(tuple), st.integers(0, 2**53)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def test_a_batch_topic_names_agent_and_device() -> None:
    """The topic of a batch says who sends and which device is meant."""
    assert topics.parse_batch(topics.batch(AGENT, DEVICE)) == (AGENT, DEVICE)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "santong",
        topics.state(AGENT),
        topics.ack(AGENT),
        f"santong/v2/{AGENT}/{DEVICE}/batch",
        f"santong/v1/{AGENT}/batch",
        f"santong/v1/{AGENT}/{DEVICE}/batch/",
        f"/santong/v1/{AGENT}/{DEVICE}/batch",
        f"santong/v1/{AGENT}/{DEVICE}/batches",
        f"santong/v1/{AGENT}//batch",
        f"santong/v1/+/{DEVICE}/batch",
        f"santong/v1/{AGENT}/#/batch",
        f"santong/v1/{AGENT}/{DEVICE.upper()}/batch",
        "santong/v1/" + "x" * 60000 + "/y/batch",
    ],
)
def test_any_other_topic_is_refused(topic: str) -> None:
    """What is not the topic of a batch, or names no device, is refused in a short line."""
    with pytest.raises(BadName) as caught:
        topics.parse_batch(topic)
    assert len(str(caught.value)) < 400


@MANY
@given(pairs=st.lists(st.tuples(st.sampled_from(["5f0c9a1e", "00c0ffee"]), st.integers(1, 30)), max_size=40))
def test_folding_into_ranges_loses_nothing(pairs: list[tuple[str, int]]) -> None:
    """Ranges name exactly the batches that were stored, each once, in as few ranges as can be."""
    runs = ranges(pairs)
    unfolded = [(epoch, seq) for epoch, first, last in runs for seq in range(first, last + 1)]
    assert unfolded == sorted(set(pairs))
    assert all(first <= last for _, first, last in runs)
    assert not [(a, b) for a, b in pairwise(runs) if (a[0], a[2] + 1) == b[:2]]


@MANY
@given(message=ACKS)
def test_an_ack_arrives_as_it_was_sent(message: Ack) -> None:
    """What the collector says of an agent's batches is what the agent understands."""
    assert decode_ack(encode_ack(message)) == message


def test_an_unreadable_batch_is_refused_by_its_digest() -> None:
    """A refusal without a name carries the digest, one with a name does not."""
    by_digest, by_name = Refusal(None, None, "bad_gzip", "0123456789abcdef"), Refusal("5f0c9a1e", 4, "too_large")
    assert json.loads(encode_ack(Ack((), (by_digest, by_name), 1)))["refused"] == [
        [None, None, "bad_gzip", "0123456789abcdef"],
        ["5f0c9a1e", 4, "too_large"],
    ]


def test_keys_of_later_collectors_are_ignored() -> None:
    """A later collector may append to its answer; today's agent still understands it."""
    payload = b'{"stored":[["5f0c9a1e",1,2]],"refused":[["5f0c9a1e",3,"empty","",7]],"at":5,"pace":9}'
    assert decode_ack(payload) == Ack((("5f0c9a1e", 1, 2),), (Refusal("5f0c9a1e", 3, "empty"),), 5)


@MANY
@given(
    payload=st.binary(max_size=100)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"stored": JSON, "refused": JSON, "at": JSON}).map(lambda v: json.dumps(v).encode())
    | st.fixed_dictionaries(
        {"stored": st.lists(st.tuples(JSON, JSON, JSON)), "refused": st.lists(st.lists(JSON)), "at": JSON}
    ).map(lambda v: json.dumps(v).encode())
)
def test_anything_else_is_no_ack(payload: bytes) -> None:
    """Whatever is published under an agent's ack topic, the agent reads an ack or a plain refusal to read it."""
    try:
        message = decode_ack(payload)
    except ValueError as error:
        assert str(error).startswith("not an ack: ")
    else:
        assert isinstance(message, Ack)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"stored"',
        b"{}",
        b'{"stored":[],"refused":[]}',
        b'{"stored":[["5f0c9a1e",1]],"refused":[],"at":1}',
        b'{"stored":[["5f0c9a1e",null,1]],"refused":[],"at":1}',
        b'{"stored":[],"refused":[[]],"at":1}',
        b'{"stored":[],"refused":[7],"at":1}',
        b'{"stored":[],"refused":[],"at":NaN}',
        b'{"stored":[],"refused":[],"at":Infinity}',
        b'{"stored":[["5f0c9a1e",1,1e999]],"refused":[],"at":1}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
    ids=lambda payload: payload[:60].decode(errors="replace"),
)
def test_a_broken_ack_is_a_value_error(payload: bytes) -> None:
    """A broken ack is one kind of error, whichever way it is broken."""
    with pytest.raises(ValueError, match=r"^not an ack: "):
        decode_ack(payload)
