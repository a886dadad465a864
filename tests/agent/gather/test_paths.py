"""The path language into JSON: what a profile can name, and what is absent."""

import json

import pytest

from agent.gather.paths import rows_of
from agent.outcome import Row
from contract.sample import Value

STATUS = json.loads("""
{
  "model": "AP-1", "up": true, "load": [0.5, 1], "memory": {"free": 12, "swap": null, "pages": [1]},
  "radios": [{"channel": 6, "survey": {"busy": 40}}, {"channel": null}, 7, null],
  "ports": {"lan.1": {"rx": 5}, "wan": {"rx": 0, "tx": 1.5}}
}
""")


@pytest.mark.parametrize(
    ("path", "value"),
    [("model", "AP-1"), ("up", True), ("load.0", 0.5), ("load.1", 1), ("memory.free", 12), ("ports.wan.rx", 0)],
)
def test_value(path: str, value: Value) -> None:
    """A path of names and numbers leads to a value, which keeps its type; without `rows` it is one row without key."""
    assert rows_of(STATUS, "", {"it": path}) == (Row("", {"it": value}),)


@pytest.mark.parametrize(
    "path",
    ["serial", "memory.swap", "memory", "load", "load.2", "load.-1", "load.x", "load.²", "load.", "model.0", "up.down"],
)
def test_absent(path: str) -> None:
    """What is missing, null, or again an object or list, is absent from the row, never zero or text."""
    assert rows_of(STATUS, "", {"it": path, "model": "model"}) == (Row("", {"model": "AP-1"}),)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number(number: str) -> None:
    """A number that is none is absent: it could not be stored."""
    assert rows_of(json.loads(f'{{"it": {number}}}'), "", {"it": "it"}) == (Row("", {}),)


def test_list() -> None:
    """Each item of a list is a row of its own, told by its number, also one that has none of the values."""
    assert rows_of(STATUS, "radios", {"channel": "channel", "busy": "survey.busy"}) == (
        Row("0", {"channel": 6, "busy": 40}),
        Row("1", {}),
        Row("2", {}),
        Row("3", {}),
    )


def test_object() -> None:
    """Each item of an object is a row of its own, told by its name, which may have a dot."""
    assert rows_of(STATUS, "ports", {"rx": "rx", "tx": "tx"}) == (
        Row("lan.1", {"rx": 5}),
        Row("wan", {"rx": 0, "tx": 1.5}),
    )


def test_inner_table() -> None:
    """The table may be deeper inside."""
    assert rows_of({"result": [0, {"clients": [{"n": 1}]}]}, "result.1.clients", {"n": "n"}) == (Row("0", {"n": 1}),)


def test_here() -> None:
    """A dot is the answer itself as the table, and a row itself as the value."""
    assert rows_of({"eth0": 5, "eth1": None}, ".", {"rx": "."}) == (Row("eth0", {"rx": 5}), Row("eth1", {}))
    assert rows_of([3], ".", {"rx": "."}) == (Row("0", {"rx": 3}),)


@pytest.mark.parametrize("rows", ["model", "serial", "memory.free", "memory.swap"])
def test_no_table(rows: str) -> None:
    """Where no list or object is, there are no rows."""
    assert rows_of(STATUS, rows, {"it": "it"}) == ()


@pytest.mark.parametrize("tree", [None, 5, "text", [], {}])
def test_other_answer(tree: object) -> None:
    """An answer of another shape has none of the values."""
    assert rows_of(tree, "", {"it": "a.b"}) == (Row("", {}),)
