"""Pages of rows: complete, in order, readable by Excel, and harmless there."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.api.answer import (
    BOM,
    BadRequest,
    Item,
    Page,
    as_csv,
    as_json,
    cursor_of,
    is_known,
    key_of,
    page_of,
    tag_of,
)

keys = st.lists(st.text(min_size=1, max_size=12, alphabet="ab01.- 中"), unique=True, max_size=40).map(sorted)


@given(keys, st.integers(1, 10))
def test_pages_one_after_the_other_are_everything_once(names: list[str], most: int) -> None:
    """However long a page is: following `next` gives every row once, in order, and then it ends."""
    items = [Item(name, {"name": name}) for name in names]
    found, cursor = [], ""
    while True:
        tree = json.loads(as_json(page_of(items, key_of(cursor), most)))
        assert len(tree["items"]) <= most
        found += [row["name"] for row in tree["items"]]
        if tree["next"] is None:
            break
        cursor = tree["next"]
    assert found == names


@given(st.text(max_size=50))
def test_a_cursor_that_nobody_was_given_is_refused(text: str) -> None:
    """Whatever is sent: the place that it was made of, or a line that says that it is none."""
    try:
        key = key_of(text)
    except BadRequest as flaw:
        assert str(flaw) == "cursor: is not one that was given out"
    else:
        assert not text or cursor_of(key) == text


@given(st.text(max_size=30))
def test_no_cell_is_a_formula_and_none_is_lost(text: str) -> None:
    """Whatever people wrote into a roster: a spreadsheet does not run it, and the text can be read back."""
    body = as_csv(Page([{"a": text, "b": -1.5}], None), ["a", "b"]).decode("utf-8-sig")
    _, (cell, number) = list(csv.reader(io.StringIO(body, newline="")))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert text in (cell, cell.removeprefix("'"))
    assert number == "-1.5", "a number stays one"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (0, "0"),
        (-65.5, "-65.5"),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1+1", "'＝1+1"),
        (["=a", "b"], "'=a b"),
        ({"a": 1}, '{"a": 1}'),
        ("七年级(1)班", "七年级(1)班"),
    ],
)
def test_what_stands_in_a_cell(value: object, cell: str) -> None:
    """Nothing for what is not known, never a formula, Chinese as it is."""
    body = as_csv(Page([{"a": value}], None), ["a"])
    assert body.startswith(BOM.encode()), "or Excel takes it for GBK"
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    assert rows == [["a"], [cell] if cell else [""]]
    assert body.endswith(b"\r\n")


def test_an_answer_that_is_known_is_recognised() -> None:
    """Tags as browsers and scripts send them back, one or several, strong or weak."""
    tag = tag_of(b"x")
    for sent in (tag, f'"a", {tag}', tag.removeprefix("W/"), "*"):
        assert is_known(tag, sent)
    for sent in ("", '"a"', tag_of(b"y")):
        assert not is_known(tag, sent)
