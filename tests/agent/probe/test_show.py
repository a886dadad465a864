"""What `santong-agent probe` prints reaches a terminal: nothing that a server says may steer it."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.outcome import Outcome
from agent.probe.show import as_json, as_text

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\nhttp 1.1: works\x9b1A\x7f\u202etxt.exe\u2066\u2028\ud800"


def outcome(text: str) -> Outcome:
    """Return an outcome with a text wherever one can be."""
    rows = [{"endpoint": text, text: text}, text, [text]]
    details = {"location": text, "rows": rows, "one": {"a": text}, "address" + text: 1}
    return Outcome(
        False, text, 302, text, {"limited_by": text, text: 1}, details, ((text, {"server": text}, {"x": text}),)
    )


def test_nothing_of_a_server_steers_the_terminal() -> None:
    """Escape, bell, C1, line ends and changes of direction are shown as what they are, wherever they stand."""
    shown = as_text("http", HOSTILE, outcome(HOSTILE))
    assert not [char for char in shown if char != "\n" and is_dangerous(char)]
    assert r"\x1b]0;owned\x07\x1b[2J\r\nhttp 1.1: works\x9b1A\x7f\u202etxt.exe\u2066\u2028\ud800" in shown
    assert len(shown.splitlines()) == len(as_text("http", "x", outcome("x")).splitlines())
    shown.encode()


def test_json_is_as_harmless() -> None:
    """JSON itself leaves DEL, C1 and changes of direction as they are."""
    shown = json.dumps(as_json("http", HOSTILE, outcome(HOSTILE)), ensure_ascii=False)
    assert not [char for char in shown if is_dangerous(char)]
    shown.encode()


@pytest.mark.parametrize("text", ["清远市 教育\u3000网", "Ünïcode – “quotes”", "a  b"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    """Chinese, wide spaces and accents are no control characters."""
    assert text in as_text("http", text, Outcome(True, details={"a": text}))
    assert as_json("http", text, Outcome(True, reason=text))["reason"] == text


@given(st.text(max_size=40))
def test_any_text_is_one_line(text: str) -> None:
    """Whatever it is, it adds no line and no control character."""
    shown = as_text("http", "x", Outcome(False, "request", reason=text))
    assert not [char for char in shown if is_dangerous(char)]


def is_dangerous(char: str) -> bool:
    """Tell whether a terminal would do something else than show it."""
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
