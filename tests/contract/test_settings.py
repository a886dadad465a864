"""Settings: TOML, then variables above it, then flags; every mistake at once, each with its path."""

from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import Settings
from contract.errors import ConfigError
from contract.settings import Seconds, Size, checked, leaves, load, variable

FOLDER = Path(__file__).parent / "settings"
MINIMAL = 'agent = "441802-3144001234.c0703"\n[broker]\nurl = "mqtt://192.0.2.1"\n'
NOTHING: dict[str, str] = {}


class Inner(NamedTuple):
    """A section with one setting of each plain type."""

    flag: bool = False
    number: int = 3
    ratio: float = 0.5
    words: tuple[str, ...] = ("a", "b")
    mode: Literal["fast", "slow"] = "slow"
    file: Path | None = None
    pause: Seconds = Seconds(60)
    room: Size = Size(1024)
    counts: tuple[int, ...] = ()


class Outer(NamedTuple):
    """Settings with one section."""

    name: str
    inner: Inner = Inner()


class Many(NamedTuple):
    """Settings with a list of tables."""

    name: str = "x"
    inner: tuple[Inner, ...] = ()


def _messages(error: ConfigError) -> list[str]:
    return [str(problem) for problem in error.problems]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file for the settings of one test."""
    return tmp_path / "agent.toml"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("invalid-*.toml")))
def test_each_mistake_has_its_message(name: str) -> None:
    """Each rule that a settings file can break gives exactly its message, with the path of the setting."""
    expected = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    with pytest.raises(ConfigError) as caught:
        load(Settings, FOLDER / f"{name}.toml", NOTHING)
    messages = _messages(caught.value)
    assert [
        got[: len(want) - 1] + "…" if want.endswith("…") else got for want, got in zip(expected, messages, strict=True)
    ] == expected
    assert str(caught.value) == "\n".join(f"{FOLDER / name}.toml: {message}" for message in messages)


def test_two_bad_items_of_a_list_are_both_named(file: Path) -> None:
    """All mistakes at once: of a list with two bad items, both are named."""
    file.write_text(MINIMAL + '[presence]\nreferences = ["192.0.2.1", "udp://192.0.2.2:53"]\n')
    with pytest.raises(ConfigError) as caught:
        load(Settings, file, NOTHING)
    assert "192.0.2.1" in str(caught.value)
    assert "192.0.2.2" in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """A file that is not there is said in one line with its name."""
    with pytest.raises(ConfigError) as caught:
        load(Settings, tmp_path / "no.toml", NOTHING)
    assert str(caught.value) == f"{tmp_path / 'no.toml'}: no such file"


def test_a_folder_for_a_file_is_one_line(tmp_path: Path) -> None:
    """A file that cannot be read is said in one line with the reason."""
    with pytest.raises(ConfigError) as caught:
        load(Settings, tmp_path, NOTHING)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_a_byte_order_mark_is_allowed(file: Path) -> None:
    """Windows' Notepad begins a file with one, and ends its lines with two characters."""
    file.write_bytes(("\ufeff" + MINIMAL).replace("\n", "\r\n").encode())
    assert load(Settings, file, NOTHING).agent == "441802-3144001234.c0703"


def test_defaults_stand_where_nothing_is_said(file: Path) -> None:
    """Four lines are enough to configure an agent; everything else has the documented default."""
    file.write_text(MINIMAL)
    loaded = load(Settings, file, NOTHING)
    assert loaded.agent == "441802-3144001234.c0703"
    assert loaded.round.every == loaded.publish.every == Seconds(60)
    assert (loaded.publish.window, loaded.publish.ack) == (8, "store")
    assert (loaded.spool.path, loaded.spool.max_size) == (Path("/var/lib/santong-agent"), 256 << 20)
    assert loaded.presence.references == ()
    assert (loaded.broker.username, loaded.broker.keepalive) == (None, Seconds(90))


def test_every_type_is_read_from_toml(file: Path) -> None:
    """Every type of setting can be written in TOML, and keeps its type."""
    file.write_text(
        'name = "x"\n[inner]\nflag = true\nnumber = 7\nratio = 2\nwords = ["c"]\nmode = "fast"\n'
        'file = "/etc/x"\npause = "2m"\nroom = "256MiB"\n'
    )
    inner = load(Outer, file, NOTHING).inner
    assert inner == Inner(True, 7, 2.0, ("c",), "fast", Path("/etc/x"), Seconds(120), Size(256 << 20))
    assert [type(value) for value in inner[:3]] == [bool, int, float]


def test_every_type_is_read_from_variables() -> None:
    """Every type of setting can be given as a SANTONG_ variable, without any file."""
    inner = load(
        Outer,
        None,
        {
            "SANTONG_NAME": "x",
            "SANTONG_INNER_FLAG": "yes",
            "SANTONG_INNER_NUMBER": "7",
            "SANTONG_INNER_RATIO": "2",
            "SANTONG_INNER_WORDS": "c, d,",
            "SANTONG_INNER_MODE": "fast",
            "SANTONG_INNER_FILE": "/etc/x",
            "SANTONG_INNER_PAUSE": "30",
            "SANTONG_INNER_ROOM": "4096",
            "SANTONG_INNER_COUNTS": "5, 6",
        },
    ).inner
    assert inner == Inner(True, 7, 2.0, ("c", "d"), "fast", Path("/etc/x"), Seconds(30), Size(4096), (5, 6))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SANTONG_INNER_FLAG": "maybe"}, "inner.flag: 'maybe' is not true or false"),
        ({"SANTONG_INNER_NUMBER": "3.5"}, "inner.number: '3.5' is not a whole number"),
        ({"SANTONG_INNER_RATIO": "half"}, "inner.ratio: 'half' is not a number"),
        ({"SANTONG_INNER_MODE": "fasst"}, "inner.mode: 'fasst' is none of fast, slow, did you mean fast"),
        ({"SANTONG_INNER_PAUSE": "1O"}, "inner.pause: '1O' is not a duration such as 60s"),
        ({"SANTONG_INNER_COUNTS": "5,x"}, "inner.counts[1]: 'x' is not a whole number"),
        ({"SANTONG_INNER_ROOM": "1 MB"}, "inner.room: '1 MB' is not a size such as 256MiB"),
    ],
)
def test_a_wrong_variable_is_named_by_its_setting(variables: dict[str, str], message: str) -> None:
    """A mistake in a variable is told like one in the file, with the path of the setting."""
    with pytest.raises(ConfigError) as caught:
        load(Outer, None, {"SANTONG_NAME": "x", **variables})
    assert str(caught.value) == f"settings: {message}"


def test_variables_stand_above_the_file_and_flags_above_both(file: Path) -> None:
    """A variable overrides the file and a flag overrides both; what neither says stays as in the file."""
    file.write_text('name = "file"\n[inner]\nnumber = 1\nratio = 1.0\npause = "1s"\n')
    variables = {"SANTONG_INNER_NUMBER": "2", "SANTONG_INNER_RATIO": "2"}
    loaded = load(Outer, file, variables, {"inner.ratio": 3.0, "inner.number": None, "name": None})
    assert loaded == Outer("file", Inner(number=2, ratio=3.0, pause=Seconds(1)))


def test_a_flag_is_checked_too() -> None:
    """A wrong flag is told like a wrong line of the file."""
    with pytest.raises(ConfigError) as caught:
        load(Outer, None, NOTHING, {"name": "x", "inner.pause": "soon"})
    assert _messages(caught.value) == ["inner.pause: 'soon' is not a duration such as 60s"]


def test_a_variable_cannot_hide_a_broken_section(file: Path) -> None:
    """A section that is no section in the file is reported, whatever the variables say."""
    file.write_text('name = "x"\ninner = 5\n')
    with pytest.raises(ConfigError) as caught:
        load(Outer, file, {"SANTONG_INNER_NUMBER": "2"})
    (message,) = _messages(caught.value)
    assert message.startswith("inner: is a section")


def test_a_list_of_tables(file: Path) -> None:
    """Each table of a list is a section of its own, with its defaults; none at all is an empty list."""
    file.write_text('[[inner]]\nnumber = 1\n[[inner]]\npause = "2m"\nwords = []\n')
    assert load(Many, file, NOTHING).inner == (Inner(number=1), Inner(pause=Seconds(120), words=()))
    assert load(Many, None, NOTHING).inner == ()


def test_mistakes_in_a_list_of_tables_name_the_table(file: Path) -> None:
    """All mistakes of all tables are named at once, each with the number of its table."""
    file.write_text('[[inner]]\nnumber = "one"\npaus = "1s"\n[[inner]]\nmode = "fest"\n[[inner]]\nwords = ["a", 5]\n')
    with pytest.raises(ConfigError) as caught:
        load(Many, file, NOTHING)
    assert _messages(caught.value) == [
        "inner[0].number: 'one' is not a whole number",
        "inner[0].paus: is not known, did you mean pause",
        "inner[1].mode: 'fest' is none of fast, slow, did you mean fast",
        "inner[2].words[1]: 5 is not text",
    ]


@pytest.mark.parametrize("text", ["[inner]\nnumber = 1\n", "inner = 5\n", 'inner = "x"\n'])
def test_what_is_no_list_of_tables(file: Path, text: str) -> None:
    """A single table in the place of a list is told how to be written; so is anything else."""
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(Many, file, NOTHING)
    assert _messages(caught.value) == ["inner: is a list of sections, each begins with [[inner]]"]


def test_a_list_of_tables_has_no_variable() -> None:
    """Lists of tables come from the file alone: no variable is looked for, not even by accident."""
    assert [path for path, _ in leaves(Many)] == ["name"]
    assert load(Many, None, {"SANTONG_INNER": "a,b", "SANTONG_INNER_NUMBER": "5"}) == Many()


def test_other_variables_are_nobodys_business() -> None:
    """A variable that belongs to no setting, or has no prefix, changes nothing."""
    assert load(Outer, None, {"SANTONG_NAME": "x", "SANTONG_INNER": "5", "NAME": "y", "PATH": "/bin"}) == Outer("x")


def test_every_setting_of_the_agent_has_its_own_variable() -> None:
    """No two settings of the agent share a variable."""
    variables = [variable(path) for path, _ in leaves(Settings)]
    assert len(variables) == len(set(variables))
    assert "SANTONG_BROKER_PASSWORD_FILE" in variables


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("250ms", 0.25),
        ("2m", 120),
        ("2min", 120),
        ("8h", 28800),
        ("1d", 86400),
        ("1.5h", 5400),
        ("45", 45),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is a number with ms, s, min, h or d, or plain seconds."""
    assert Seconds.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 s", "1e3", "1s ", "1S", "nan", "inf", "1h30m", "1.s"])
def test_what_is_no_duration(text: str) -> None:
    """Anything else is refused in words."""
    with pytest.raises(ValueError, match=r" is not a duration"):
        Seconds.parse(text)


@pytest.mark.parametrize(("text", "guess"), [("6Os", "60s"), ("l0m", "10m"), ("I5s", "15s"), ("3o.5s", "30.5s")])
def test_letters_that_look_like_digits(text: str, guess: str) -> None:
    """A letter that looks like a digit is recognised and the duration that was meant is offered."""
    with pytest.raises(ValueError, match=rf"is not a duration, did you mean {guess}$"):
        Seconds.parse(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024", 1024),
        ("5B", 5),
        ("1kB", 1000),
        ("1KiB", 1024),
        ("3MB", 3 * 10**6),
        ("256MiB", 256 << 20),
        ("2GiB", 2 << 30),
    ],
)
def test_sizes(text: str, size: int) -> None:
    """A size is a whole number with B, kB, KiB, MB, MiB, GB or GiB, or plain bytes."""
    assert Size.parse(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "1.5MiB", "-1", "1 MiB", "1mib", "1TB"])
def test_what_is_no_size(text: str) -> None:
    """Anything else is refused in words."""
    with pytest.raises(ValueError, match=r" is not a size such as 256MiB$"):
        Size.parse(text)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=12) | st.text("0123456789.mshdin", max_size=8))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    """Whatever is written for a duration or a size, it is understood or refused, and never negative."""
    for kind in (Seconds, Size):
        try:
            assert kind.parse(text) >= 0
        except ValueError as error:
            assert " is not a " in str(error)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0.00001", 1e-5), ("1e-7", 1e-7), ("90", 90.0), ("0", 0.0), ("1e9", 1e9), ('"1.5h"', 5400.0)]
)
def test_a_duration_may_be_any_number(file: Path, text: str, seconds: float) -> None:
    """A number of seconds is taken as it is, however small and however it is written."""
    file.write_text(f'name = "x"\n[inner]\npause = {text}\n')
    assert load(Outer, file, NOTHING).inner.pause == Seconds(seconds)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pause = -5", "inner.pause: '-5' is not a duration such as 60s"),
        ("pause = nan", "inner.pause: 'nan' is not a duration such as 60s"),
        ("pause = inf", "inner.pause: 'inf' is not a duration such as 60s"),
        ("room = 1.5", "inner.room: '1.5' is not a size such as 256MiB"),
        ("room = -1", "inner.room: '-1' is not a size such as 256MiB"),
        ("pause = true", "inner.pause: True is not text"),
    ],
)
def test_numbers_that_are_no_duration_or_size(file: Path, line: str, message: str) -> None:
    """Negative, endless and broken numbers are said as they were written."""
    file.write_text(f'name = "x"\n[inner]\n{line}\n')
    with pytest.raises(ConfigError) as caught:
        load(Outer, file, NOTHING)
    assert _messages(caught.value) == [message]


class Colour(StrEnum):
    """A choice by name."""

    RED = "red"
    GREEN = "green"


class Words(NamedTuple):
    """A section without defaults of its own."""

    zh: str
    en: str


class Painted(NamedTuple):
    """A section with a choice, and one whose default is given from outside."""

    colour: Colour = Colour.RED
    title: Words = Words("无", "none")


def test_a_choice_by_name_is_of_its_type() -> None:
    """A setting that is one of several names is that name, and a mistyped one is told."""
    painted = checked(Painted, {"colour": "green"}, "x.yaml")
    assert painted.colour is Colour.GREEN
    with pytest.raises(ConfigError, match="colour: 'grene' is none of red, green, did you mean green"):
        checked(Painted, {"colour": "grene"}, "x.yaml")
    with pytest.raises(ConfigError, match="colour: 3 is none of red, green"):
        checked(Painted, {"colour": 3}, "x.yaml")


def test_a_section_that_is_left_out_is_the_default_that_is_given() -> None:
    """A section may need all its keys, and yet be left out where there is a default for the whole of it."""
    assert checked(Painted, {}, "x.yaml").title == ("无", "none")
    with pytest.raises(ConfigError, match=r"title\.en: is missing"):
        checked(Painted, {"title": {"zh": "题"}}, "x.yaml")
