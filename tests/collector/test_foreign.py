"""Lines of others: what an operator may list, and which lines InfluxDB takes as they are meant."""

import gzip
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_protocol_parser import parse_line

from collector.foreign import MAX_LINE_BYTES, Foreign, MeasurementName, Rule, Taken, TopicFilter, check, rules_of
from collector.store.influx import InfluxStore
from collector.store.open import open_store
from contract.batch import MAX_BATCH_BYTES, MAX_BATCH_LINES
from contract.errors import ConfigError, Reason
from contract.measurements import TABLE, Retention

DAY_NS = 86_400 * 10**9
NOW_NS = time.time_ns()
AT = b"%d" % (NOW_NS - 10**9)


def names(*given_names: str) -> frozenset[bytes]:
    """Return the names of measurements as a rule has them."""
    (rule,) = rules_of([section("x", *given_names)], "collect.toml")
    return rule.names


def section(topic: str, *measurements: str) -> Foreign:
    """Return a section as it comes out of a settings file."""
    return Foreign(TopicFilter.parse(topic), tuple(MeasurementName.parse(name) for name in measurements or ("m",)))


LISTED = names("m", "disk io", "a,b", "天气", "x=y")


def verdicts(payload: bytes) -> list[tuple[int, str]]:
    """Return number and reason of what is refused in a payload."""
    return [(flaw.number, str(flaw.reason)) for flaw in check(payload, LISTED, NOW_NS).refused]


# ---- what an operator lists


@pytest.mark.parametrize(
    "topic",
    [
        "telegraf/#",
        "telegraf/+/cpu",
        "+/cpu",
        "a",
        "/",
        "/a/",
        "santong",
        "santong/v2/#",
        "学校/+/气温",
    ],
)
def test_topic_filters(topic: str) -> None:
    """Any MQTT filter that takes in nothing of santong/v1/ may be listed."""
    assert TopicFilter.parse(topic) == topic


@pytest.mark.parametrize(
    ("topic", "what"),
    [
        ("", "is not a topic filter"),
        ("a/#/b", "is not a topic filter"),
        ("a/b#", "is not a topic filter"),
        ("a/b+/c", "is not a topic filter"),
        ("a\n", "is not a topic filter"),
        ("a\0", "is not a topic filter"),
        ("x" * 65_536, "is not a topic filter"),
        ("$share/g/a", "begins with $"),
        ("$SYS/#", "begins with $"),
        ("#", "takes in santong/v1/"),
        ("+/#", "takes in santong/v1/"),
        ("santong/#", "takes in santong/v1/"),
        ("santong/v1", "takes in santong/v1/"),
        ("santong/v1/a/b/batch", "takes in santong/v1/"),
        ("santong/+/+/+/batch", "takes in santong/v1/"),
        ("+/+/+/state", "takes in santong/v1/"),
        ("+/v1/x", "takes in santong/v1/"),
        ("+/v1", "takes in santong/v1/"),
        ("santong/+/x", "takes in santong/v1/"),
    ],
)
def test_topic_filters_that_are_refused(topic: str, what: str) -> None:
    """What is no filter, or could bring what agents send, is refused in words."""
    with pytest.raises(ValueError, match=r".") as caught:
        TopicFilter.parse(topic)
    assert what in str(caught.value)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_no_name_of_our_own_can_be_listed(name: str) -> None:
    """Every measurement of the contract's table is refused, evidence and telemetry alike."""
    with pytest.raises(ValueError, match=f"^'{name}' is a measurement of our own"):
        MeasurementName.parse(name)


@pytest.mark.parametrize("name", ["", "#x", "a\\b", "a\nb", "\x85"])
def test_names_that_cannot_be(name: str) -> None:
    """A name that a line could not carry safely is refused."""
    with pytest.raises(ValueError, match="cannot be the name of a measurement"):
        MeasurementName.parse(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "a"),
        ("a/#", "a"),
        ("a/#", "a/b/c"),
        ("a/+", "a/b"),
        ("+/b", "a/+"),
        ("a/+/c", "a/#"),
        ("a/+/c/+", "a/b/+/d"),
        ("a/#", "+/b/#"),
    ],
)
def test_overlapping_topics_are_refused(one: str, other: str) -> None:
    """Two filters that can take in the same topic are one mistake, whichever stands first."""
    for first, second in ((one, other), (other, one)):
        with pytest.raises(ConfigError) as caught:
            rules_of([section("z"), section(first), section(second)], "collect.toml")
        assert str(caught.value) == (
            f"collect.toml: foreign[2].topic: {second!r} overlaps with {first!r}: each message would come twice"
        )


@pytest.mark.parametrize(
    ("one", "other"), [("a", "b"), ("a/b", "a"), ("a/+", "a"), ("a/+", "a/b/c"), ("a/+/c", "a/b/d"), ("a/#", "b/#")]
)
def test_topics_beside_each_other(one: str, other: str) -> None:
    """Filters that no topic matches both are fine together."""
    assert len(rules_of([section(one), section(other)], "collect.toml")) == 2


def test_all_mistakes_of_sections_at_once() -> None:
    """A section without names and every pair that overlaps are named together."""
    with pytest.raises(ConfigError) as caught:
        rules_of([Foreign(TopicFilter("a/#"), ()), section("a/b"), section("+/b")], "collect.toml")
    assert [str(problem).split(":")[0] for problem in caught.value.problems] == [
        "foreign[0].measurements",
        "foreign[1].topic",
        "foreign[2].topic",
        "foreign[2].topic",
    ]


@pytest.mark.parametrize(
    ("topic", "inside", "outside"),
    [
        ("a/#", ["a", "a/", "a/b/c"], ["ab", "b/a", "a b"]),
        ("a/+/c", ["a/b/c", "a//c"], ["a/c", "a/b/c/d", "a/b/d/c", "a/b/cc"]),
        ("+", ["a", ""], ["a/", "/a"]),
        ("a.b", ["a.b"], ["axb"]),
    ],
)
def test_which_messages_a_rule_is_for(topic: str, inside: list[str], outside: list[str]) -> None:
    """A rule takes the topics that MQTT 5 §4.7 says its filter matches."""
    (rule,) = (Rule(*parts) for parts in rules_of([section(topic)], "collect.toml"))
    assert [name for name in inside if not rule.pattern.fullmatch(name)] == []
    assert [name for name in outside if rule.pattern.fullmatch(name)] == []


# ---- lines that are taken

GOOD = [
    b"m a=1 " + AT,
    b"m,host=h,device=d,site=s,county=c,agent=a a=1.5,b=-3i,c=t,d=FALSE " + AT,
    b"m,t=a\\ b,k\\,k=c\\=d f\\ f=1e5,g=-.5,h=1. " + AT,
    b'm,n=1 s="a \\"b\\" = c, \\\\",empty="" ' + AT,
    b"disk\\ io a=1 " + AT,
    b"a\\,b,t=v a=1 " + AT,
    b"x=y a=1 " + AT,
    '天气,学校=一中 说明="晴" '.encode() + AT,
    b"m,path=C:\\dir\\x,unc=\\\\server\\share a=1 " + AT,
    b'm,t="q" b=9223372036854775807i ' + AT,
    b"m,t='q' b=-9223372036854775808i " + AT,
    b"m   a=1   " + AT,
    b"m a=" + b"9" * 300 + b" " + AT,
    b'm s="tab is \\t, line is \\n" ' + AT,
    b'm s="' + b"x" * (MAX_LINE_BYTES - 26) + b'" ' + AT,
]


@pytest.mark.parametrize("line", GOOD, ids=lambda line: re.sub(r"\d{19}", "AT", repr(line))[:40])
def test_lines_that_are_taken(line: bytes) -> None:
    """A good line passes as it is."""
    assert check(line, LISTED, NOW_NS) == Taken(line + b"\n", 1, ())


def test_payloads_plain_or_gzip_with_comments_and_blank_lines() -> None:
    """Comments, blank lines and line ends of Windows are passed over; numbers of lines count them."""
    payload = b"#comment m=1\n\n  \r\nm a=1 %b\r\n   m a=2 %b  \n# end\nm b=?\n\n" % (AT, AT)
    body = b"m a=1 %b\nm a=2 %b\n" % (AT, AT)
    for sent in (payload, gzip.compress(payload)):
        taken = check(sent, LISTED, NOW_NS)
        assert (taken.body, taken.lines) == (body, 2)
        assert [(flaw.number, flaw.reason) for flaw in taken.refused] == [(7, Reason.WRONG_TYPE)]


def test_nothing_is_nothing() -> None:
    """The empty payload, with which a publisher clears a retained message, is neither stored nor refused."""
    assert check(b"", LISTED, NOW_NS) == Taken(b"", 0, ())
    assert check(b"# only a comment\n", LISTED, NOW_NS) == Taken(b"", 0, ())


# ---- lines that are refused


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"m a=1", "no_time"),
        (b"m a=1 1.5", "malformed"),
        (b"m a=1 +5", "malformed"),
        (b"m a=1 " + AT + b" x", "malformed"),
        (b"m a=1 1764000000", "too_old"),
        (b"m a=1 -5", "too_old"),
        (b"m a=1 0", "too_old"),
        (b"m a=1 %d" % (NOW_NS - 36 * DAY_NS), "too_old"),
        (b"m a=1 %d" % (NOW_NS + 2 * DAY_NS), "in_future"),
        (b"m a=1 99999999999999999999", "in_future"),
        (b"other a=1 " + AT, "unknown_measurement"),
        (b"presence lan=1i " + AT, "unknown_measurement"),
        (b"mm a=1 " + AT, "unknown_measurement"),
        (b"disk io a=1 " + AT, "unknown_measurement"),
        (b"m\\ a a=1 " + AT, "unknown_measurement"),
        (b"m", "malformed"),
        (b"m,t=v", "malformed"),
        (b",t=v a=1 " + AT, "malformed"),
        (b"m\\x a=1 " + AT, "malformed"),
        (b"m " + AT, "no_field"),
        (b"m,t=v " + AT, "no_field"),
        (b"m a " + AT, "malformed"),
        (b"m =1 " + AT, "malformed"),
        (b"m a= " + AT, "malformed"),
        (b"m a=1, " + AT, "malformed"),
        (b"m a=1,,b=2 " + AT, "malformed"),
        (b"m ,a=1 " + AT, "malformed"),
        (b"m, a=1 " + AT, "malformed"),
        (b"m,t= a=1 " + AT, "malformed"),
        (b"m,t a=1 " + AT, "malformed"),
        (b"m,=v a=1 " + AT, "malformed"),
        (b"m,t=a=b a=1 " + AT, "malformed"),
        (b"m,t=x\\ a=1 " + AT, "malformed"),
        (b"m,t=x\\\\ a=1 " + AT, "malformed"),
        (b"m,t=x\\\\,u=v a=1 " + AT, "malformed"),
        (b"m,t=x\\\\ ,u=v a=1 " + AT, "malformed"),
        (b"m,t=v,t=w a=1 " + AT, "duplicate_tag"),
        (b"m a=1,a=2 " + AT, "duplicate_field"),
        (b"m,time=v a=1 " + AT, "malformed"),
        (b"m a=1,time=2 " + AT, "malformed"),
        (b'm a"b=1 ' + AT, "malformed"),
        (b'm "a b"=1 ' + AT, "malformed"),
        (b"m a=1u " + AT, "wrong_type"),
        (b"m a=tRUE " + AT, "wrong_type"),
        (b"m a=yes " + AT, "wrong_type"),
        (b"m a=1.5i " + AT, "wrong_type"),
        (b"m a=+1 " + AT, "wrong_type"),
        (b"m a=- " + AT, "wrong_type"),
        (b"m a=1e " + AT, "wrong_type"),
        (b"m a=0x10 " + AT, "wrong_type"),
        (b"m a='x' " + AT, "wrong_type"),
        (b"m a=NaN " + AT, "not_finite"),
        (b"m a=-inf " + AT, "not_finite"),
        (b"m a=1e400 " + AT, "out_of_range"),
        (b"m a=9223372036854775808i " + AT, "out_of_range"),
        (b'm s="open ' + AT, "unclosed_string"),
        (b'm s="a\\" ' + AT, "unclosed_string"),
        (b'm s="a"b ' + AT, "malformed"),
        (b"m,t=a\tb a=1 " + AT, "control_character"),
        (b'm s="a\0b" ' + AT, "control_character"),
        ('m s="a\u2028b" '.encode() + AT, "control_character"),
        (b"m,t=\xff a=1 " + AT, "not_utf8"),
        (b'm s="' + b"x" * MAX_LINE_BYTES + b'" ' + AT, "line_too_long"),
    ],
    ids=lambda value: re.sub(r"\d{19}", "AT", repr(value))[:50] if isinstance(value, bytes) else None,
)
def test_lines_that_are_refused(line: bytes, reason: str) -> None:
    """Each flaw has its reason, and the good lines around it are taken."""
    good = b"m a=1 " + AT
    assert verdicts(line) == [(1, reason)]
    taken = check(b"\n".join([good, line, good]), LISTED, NOW_NS)
    assert (taken.lines, [flaw.number for flaw in taken.refused]) == (2, [2])
    assert taken.refused[0].content == line


def test_a_string_over_two_lines_is_two_bad_lines() -> None:
    """A raw line feed in a string, which line protocol allows, is refused: both halves are shown."""
    assert verdicts(b'm s="a\nb" ' + AT) == [(1, "unclosed_string"), (2, "unknown_measurement")]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"m a=1 1\n" * (MAX_BATCH_BYTES // 8 + 1), "too_large"),
        (b"\n" * (MAX_BATCH_LINES + 2), "too_large"),
        (gzip.compress(b"m" * (MAX_BATCH_BYTES + 1), mtime=0), "too_large"),
        (gzip.compress(b"m a=1 " + AT)[:-4], "bad_gzip"),
        (b"\x1f\x8bnothing", "bad_gzip"),
    ],
    ids=["long", "many_lines", "long_unpacked", "cut", "no_gzip"],
)
def test_payloads_that_are_refused_as_a_whole(payload: bytes, reason: str) -> None:
    """A payload that is too large or damaged is refused as line 0, nothing of it is taken."""
    assert verdicts(payload) == [(0, reason)]
    assert check(payload, LISTED, NOW_NS).lines == 0


def test_long_rubbish_is_judged() -> None:
    """No line makes the patterns search for ever: every kind of near miss, of full length."""
    fillers = [b"\\", b"\\ ", b"a=1,", b",t=v", b'"', b'\\"', b"\\\\,", b"9", b"1e", b" ", b"=", b"\xe5\xad\xa6"]
    for filler in fillers:
        for head in (b"", b"m", b"m,t=", b"m ", b"m a=", b'm s="', b"m a=1 "):
            line = (head + filler * (MAX_LINE_BYTES // len(filler)))[:MAX_LINE_BYTES]
            assert check(line, LISTED, NOW_NS).lines == 0


# ---- nothing that passes is refused or altered by a real influxd

_ODD = st.text(st.sampled_from("aZ09_-.:/%&#学\\ ,=\"'"), min_size=1, max_size=5)
_ESCAPED = _ODD.map(lambda word: re.sub("([ ,=])", r"\\\1", word.rstrip("\\").replace("\\ ", " ") or "k"))
_WORD = st.one_of(st.text("abc学:/.", min_size=1, max_size=3), _ESCAPED, _ESCAPED, _ODD)
_VALUE = st.one_of(
    st.sampled_from(
        ["1", "1.5", "0", "-2.25", "-.5", "1e3", "3i", "-7i", "t", "False", "2u", "NaN", "1e999", '"', "x", ""]
    ),
    st.text(st.sampled_from('a \\",=学'), max_size=5).map(lambda text: f'"{text}"'),
    st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False).map(repr),
)
_PAIRS = st.lists(st.tuples(_WORD, _VALUE), min_size=1, max_size=3)
_LINES = st.builds(
    lambda tags, fields, end: (
        "m"
        + "".join(f",{key}={value}" for key, value in tags)
        + " "
        + ",".join(f"{key}={value}" for key, value in fields)
        + end
    ),
    st.lists(st.tuples(_WORD, _WORD), max_size=3),
    _PAIRS,
    st.sampled_from([" " + AT.decode()] * 8 + ["", " 5", " x"]),
).map(str.encode)


@pytest.fixture(scope="module")
def influx(request: pytest.FixtureRequest) -> Iterator[InfluxStore]:
    """Open a database of this module's own in the shared influxd."""
    server: Any = request.getfixturevalue("shared_influxd")
    store = open_store(server.url("foreign_lines"))
    assert isinstance(store, InfluxStore)
    store.prepare()
    yield store
    store.close()


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(_LINES, min_size=20, max_size=20))
def test_whatever_passes_is_taken_by_influxd(influx: InfluxStore, lines: list[bytes]) -> None:
    """
    Of lines with every kind of odd character, all that pass are stored, and read by somebody else's parser.

    Only a field that another line gave another type may influxd refuse.
    """
    taken = check(b"\n".join(lines), LISTED, NOW_NS)
    poison = influx.write(Retention.TELEMETRY, taken.body) if taken.body else []
    assert [p for p in poison if "field type conflict" not in p.message] == []
    for line in taken.body.decode().splitlines():
        assert parse_line(line)["time"] == int(AT)


def test_the_examples_are_stored_as_they_are_meant(influx: InfluxStore, shared_influxd: Any) -> None:
    """Tags, fields and types of what Telegraf writes come back by InfluxQL as they were."""
    lines = b"\n".join(GOOD)
    body = check(lines, LISTED, NOW_NS).body.replace(b"m,", b"n,").replace(b"m ", b"n ")
    assert influx.write(Retention.TELEMETRY, body) == []
    (series,) = shared_influxd.query(
        "SELECT a, b, c, d FROM n WHERE device = 'd' AND site = 's' AND agent = 'a'", "foreign_lines", "telemetry"
    )
    assert series["values"] == [[int(AT), 1.5, -3, True, False]]
    (series,) = shared_influxd.query("SELECT \"f f\", g, h FROM n WHERE t = 'a b'", "foreign_lines", "telemetry")
    assert series["values"] == [[int(AT), 1e5, -0.5, 1.0]]
    assert series["columns"][1:] == ["f f", "g", "h"]
    (series,) = shared_influxd.query("SELECT s FROM n WHERE n = '1'", "foreign_lines", "telemetry")
    assert series["values"][0][1] == 'a "b" = c, \\'
    (series,) = shared_influxd.query('SELECT "说明" FROM "天气" WHERE "学校" = \'一中\'', "foreign_lines", "telemetry")
    assert series["values"] == [[int(AT), "晴"]]
