"""YAML as people write it: values by YAML 1.2, every mistake with its line, no file that costs more than it should."""

from pathlib import Path
from typing import Any

import pytest

from contract.errors import ConfigError
from firmware_profiles import load as loading
from firmware_profiles.load import load


@pytest.fixture(params=["with the C half", "pure Python"])
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file to write; both parsers of the library must read it alike."""
    if request.param == "pure Python":
        monkeypatch.setattr(loading, "_C_LOADER", None)
    return tmp_path / "model.yaml"


def values(file: Path, text: str | bytes) -> dict[str, Any]:
    """Return what a text is read as."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(file).tree


def said(file: Path, text: str | bytes) -> str:
    """Return what is said of a text that is refused, without the folder's name."""
    with pytest.raises(ConfigError) as caught:
        values(file, text)
    return str(caught.value).replace(f"{file.parent}/", "")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("2024-01-31", "2024-01-31"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("-.nan", "-.nan"),
        ("1e999", "1e999"),
        ("1.3.6.1", "1.3.6.1"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("+1.5e3", 1500.0),
        (".5", 0.5),
        ("99999999999999999999", "99999999999999999999"),
        ("9" * 5000, "9" * 5000),
        ('"true"', "true"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("|\n  two\n  lines", "two\nlines\n"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(file: Path, written: str, read: object) -> None:
    """Only true and false are booleans; what YAML 1.1 would turn into booleans, dates or minutes stays text."""
    found = values(file, f"a: {written}\n")["a"]
    assert found == read
    assert type(found) is type(read)


def test_keys_are_text_as_they_are_written(file: Path) -> None:
    """The keys 1, 0x1, on and true of an enum are the texts that the device sends."""
    assert values(file, "{1: a, 0x1: b, on: c, true: d, ~: e, 1.50: f}") == {
        "1": "a", "0x1": "b", "on": "c", "true": "d", "~": "e", "1.50": "f",
    }  # fmt: skip


def test_every_path_has_its_line(file: Path) -> None:
    """Each value, in blocks and in braces, is found by its path; what has no line of its own has that of its parent."""
    values(file, "# a comment\na:\n  b:\n    - c: 1\n    - {c: 2,\n       d: 3}\n")
    document = load(file)
    lines = {path: document.place(path).line for path in ("a", "a.b", "a.b[0].c", "a.b[1]", "a.b[1].c", "a.b[1].d")}
    assert lines == {"a": 2, "a.b": 3, "a.b[0].c": 4, "a.b[1]": 5, "a.b[1].c": 5, "a.b[1].d": 6}
    missing = document.place("a.b[0].missing.deep")
    assert (missing.line, missing.path) == (4, "a.b[0].missing.deep")


def test_an_anchor_is_read_where_its_alias_stands(file: Path) -> None:
    """Anchors and aliases may save words."""
    assert values(file, "a: &x {b: [1]}\nc: *x\nd: [*x, &y text, *y]\n") == {
        "a": {"b": [1]}, "c": {"b": [1]}, "d": [{"b": [1]}, "text", "text"],
    }  # fmt: skip


def test_a_byte_order_mark_is_allowed(file: Path) -> None:
    """Editors on Windows begin a file with a mark, and end its lines with two characters."""
    assert values(file, "\ufeffa: 1\r\nb: 课室\r\n") == {"a": 1, "b": "课室"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\nb: {c: 1, c: 2}\n", "model.yaml:3: a: is there twice, first in line 1\n"
         "model.yaml:4: b: is there twice, first in line 2\nmodel.yaml:4: b.c: is there twice, first in line 4"),
        ("a:\n\t- 1\n", "model.yaml:2: is not YAML: found character '\\t' that cannot start any token; "
         "a tab stands before the text: indent by blanks"),
        ("a: 1\nb：2\nc: 3\n", "model.yaml:2: is not YAML: could not find expected ':'; "
         "the full-width ： in line 2 is no punctuation of YAML: write ':' and a blank, or quote the text"),
        ("a: {b: 1， c: 2}\n", "model.yaml:1: is not YAML: expected ',' or '}', but got ':'; "
         "the full-width ， in line 1 is no punctuation of YAML: write ',', or quote the text"),
        ("a: {b：1, c: 2}\n", "model.yaml:1: a.b：1: has no value: write ':' and a blank for the full-width ："),
        ("a:\n\u3000\u3000b: 1\n  c: 2\n", "model.yaml:3: is not YAML: mapping values are not allowed here; "
         "a full-width blank in line 2 is no punctuation of YAML: write blanks, or quote the text"),
        ("a: 1\nb:2\nc: 3\n", "model.yaml:2: is not YAML: could not find expected ':'; write a blank after the ':'"),
        ("- a: 1\n  b\n  c: 3\n", "model.yaml:2: is not YAML: could not find expected ':'; "
         "a line is `name: value`, or `- value` in a list"),
        ("a: {b: c: d}\n", "model.yaml:1: is not YAML: expected ',' or '}', but got ':'; "
         "a comma may be missing before; a text with ': ' in it needs quotes"),
        ("a:\n  b: 高，低\n c: 1\n", "model.yaml:3: is not YAML: expected <block end>, but found "
         "'<block mapping start>'; is it indented as the lines above that belong with it?"),
        ("a: b: c\n", "model.yaml:1: is not YAML: mapping values are not allowed here; "
         "is it indented as the lines above that belong with it? A text with ': ' in it needs quotes"),
        ('a: "\\d+"\n', "model.yaml:1: is not YAML: found unknown escape character 'd'; "
         "write patterns in single quotes, in which a backslash is itself: '(\\d+)'"),
        ('a: {b: "c}\nd: {e: "%"}\n', "model.yaml:2: is not YAML: found character '%' that cannot start any token; "
         "a quote in line 1 has no end"),
        ("a: [1,\nb: 2\n", "model.yaml:3: is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: \x07\n", "model.yaml:1: is not YAML: the character U+0007 is not allowed"),
        ("a: 1\n---\nb: 2\n", "model.yaml:2: is a second document: one file is one profile"),
        ("", "model.yaml:1: is not a profile: lines such as `id: my-model` are needed"),
        ("- a\n", "model.yaml:1: is not a profile: lines such as `id: my-model` are needed"),
        ("a: *b\n", "model.yaml:1: a: *b is not the name of anything above"),
        ("a: &a [*a]\n", "model.yaml:1: a[0]: *a is not the name of anything above"),
        ("a: !!python/object/apply:os.system [ls]\nb: !x 1\nc: !!timestamp 2024-01-01",
         "model.yaml:1: a: tag:yaml.org,2002:python/object/apply:os.system is a tag: write plain values\n"
         "model.yaml:2: b: !x is a tag: write plain values\n"
         "model.yaml:3: c: tag:yaml.org,2002:timestamp is a tag: write plain values"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n",
         "model.yaml:3: c: << is not part of YAML 1.2: write the entries, or use extends"),
        ("a: {[1, 2]: 3}\n", "model.yaml:1: a: a name before ':' must be text: quote what begins with { or ["),
        ("[" * 40 + "]" * 40, "model.yaml:1: is nested more than 30 deep"),
        ("[" * 200_000, "model.yaml:1: is nested more than 30 deep"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)),
         "model.yaml:5: has more than 20000 values, aliases counted as what they stand for"),
        (b"a: " + "课室".encode("gbk"), "model.yaml:1: is not UTF-8: save the file as UTF-8"),
        ("a: 课室".encode("utf-16"), "model.yaml:1: is not UTF-8: save the file as UTF-8"),
        (b"#" * (256 * 1024 + 1), "model.yaml:1: is larger than 256 KiB"),
    ],
)  # fmt: skip
def test_what_is_refused_is_said_with_its_line(file: Path, text: str | bytes, message: str) -> None:
    """Every mistake of a file has its line, and none of them costs memory or time."""
    assert said(file, text) == message


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A missing file is one line."""
    with pytest.raises(ConfigError, match=r"none\.yaml:1: no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
