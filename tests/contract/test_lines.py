"""Line protocol as an agent writes it, read back by an independent parser."""

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contract.errors import BadSample
from contract.lines import MAX_LINE_BYTES, clean_text, encode_line
from contract.measurements import TABLE, Kind, Measurement
from contract.sample import Value
from tests.contract.parser import Line, parse

MANY = settings(max_examples=200, deadline=None)
TIME_NS = 1764000000000000000
TIMES = st.integers(10**18, 10**19 - 1)

# What every text may hold and keep unchanged; spaces, commas, equal signs and Chinese are meant.
FINE = st.text(st.sampled_from("abzAZ09 ,=-_.:/'()#%&+三通教室é🙂"), max_size=40)
FINE_TAGS = st.text(st.sampled_from("abzAZ09 ,=-_.:/()#三通é🙂"), min_size=1, max_size=30).map(str.strip).filter(bool)
# What a careless vendor may send: everything, and often just the characters that break lines.
NASTY = "a ,='\"\\\0\t\n\r\x1b\x7f\x85\u2028\u2029\ud800\udfff\u3000班"
ANY = st.text(max_size=60) | st.text(st.sampled_from(NASTY), max_size=20)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def _values(kind: Kind, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Value]:
    if kind is Kind.STRING:
        return texts
    return INTEGERS if kind is Kind.INTEGER else FLOATS


def _fields(row: Measurement, texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Value]]:
    every: dict[str, st.SearchStrategy[Value]] = {f.name: _values(f.kind, texts) for f in row.fields}
    return st.fixed_dictionaries({}, optional=every).filter(bool)


ROWS = st.sampled_from(list(TABLE.values()))


@MANY
@given(data=st.data(), row=ROWS, time_ns=TIMES)
def test_what_is_written_is_read(data: st.DataObject, row: Measurement, time_ns: int) -> None:
    """Every sample the table allows is read back by any reader of line protocol: same tags, values, types, time."""
    tags = {tag: data.draw(FINE_TAGS) for tag in row.tags}
    fields = data.draw(_fields(row, FINE))
    line = parse(encode_line(row.name, tags, fields, time_ns))
    assert line == Line(row.name, tags, fields, time_ns)
    assert {name: type(value) for name, value in line.fields.items()} == {n: type(v) for n, v in fields.items()}


@MANY
@example(row=TABLE["sensor"], text="'")
@example(row=TABLE["sensor"], text=" \"' a")
@given(row=ROWS, text=ANY)
def test_any_text_gives_one_clean_line_or_is_refused(row: Measurement, text: str) -> None:
    """Whatever a vendor's device says, the line stays one line with every tag and field, or the sample is refused."""
    fields: dict[str, Value] = {f.name: text if f.kind is Kind.STRING else 1 for f in row.fields}
    try:
        line = encode_line(row.name, dict.fromkeys(row.tags, text), fields, TIME_NS)
    except BadSample:
        assert not re.sub(r"""[\s'"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]""", "", text)
        return
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line.decode())
    read = parse(line)
    assert tuple(read.tags) == row.tags
    assert read.fields.keys() == fields.keys()


def test_tags_and_fields_stand_in_the_tables_order() -> None:
    """The order of the source does not matter: the same sample always gives the same bytes."""
    one = encode_line("probe", {"kind": "tcp", "target": "a"}, {"code": 1, "success": 1}, TIME_NS)
    other = encode_line("probe", {"target": "a", "kind": "tcp"}, {"success": 1, "code": 1}, TIME_NS)
    assert one == other == b"probe,kind=tcp,target=a success=1i,code=1i 1764000000000000000"


@pytest.mark.parametrize("reading", [math.nan, math.inf, -math.inf])
def test_a_reading_that_is_no_number_is_left_out(reading: float) -> None:
    """NaN and infinity are absent from the line, never zero; a sample of nothing else is refused."""
    line = encode_line("host", {}, {"cpu_percent": reading, "load1": 0.5}, TIME_NS)
    assert parse(line).fields == {"load1": 0.5}
    with pytest.raises(BadSample, match=r"^host has no usable field$"):
        encode_line("host", {}, {"cpu_percent": reading}, TIME_NS)


def test_flags_are_integers() -> None:
    """True and False of a source are 1 and 0 in the evidence."""
    assert parse(encode_line("usage", {}, {"display_on": True, "session_active": False}, TIME_NS)).fields == {
        "display_on": 1,
        "session_active": 0,
    }


@pytest.mark.parametrize(
    ("measurement", "tags", "fields", "message"),
    [
        ("colour", {}, {"red": 1}, "'colour' is not a measurement"),
        ("presence", {"device": "441802-1.c1"}, {"lan": 1}, "presence has no device"),
        ("presence", {}, {"lan": 1, "lann": 1}, "presence has no lann"),
        ("presence", {}, {}, "presence has no usable field"),
        ("interface", {}, {"up": 1}, "interface needs the tag name"),
        ("interface", {"name": "  "}, {"up": 1}, "interface needs the tag name"),
        ("interface", {"name": "\n"}, {"up": 1}, "interface needs the tag name"),
        ("interface", {"name": "'"}, {"up": 1}, "interface needs the tag name"),
        ("interface", {"name": '" "'}, {"up": 1}, "interface needs the tag name"),
        ("presence", {}, {"lan": "1"}, "presence.lan is integer, not '1'"),
        ("presence", {}, {"lan": 1.0}, "presence.lan is integer, not 1.0"),
        ("presence", {}, {"lan": 2**63}, "presence.lan is integer, not 9223372036854775808"),
        ("presence", {}, {"boot": 5}, "presence.boot is string, not 5"),
        ("host", {}, {"load1": "0.5"}, "host.load1 is float, not '0.5'"),
    ],
)
def test_a_sample_the_table_does_not_know_is_refused(
    measurement: str, tags: dict[str, str], fields: dict[str, Value], message: str
) -> None:
    """A source that makes a mistake is told which measurement, tag, field or type is wrong."""
    with pytest.raises(BadSample) as caught:
        encode_line(measurement, tags, fields, TIME_NS)
    assert str(caught.value) == message


def test_a_huge_number_for_a_float_is_refused() -> None:
    """A whole number beyond every float is a bad sample, nothing worse."""
    with pytest.raises(BadSample):
        encode_line("sensor", {"name": "a"}, {"value": 10**400}, TIME_NS)


def test_a_line_too_long_for_the_contract_is_refused() -> None:
    """No agent writes a line that the collector would refuse as too long."""
    wide: dict[str, Value] = dict.fromkeys(("serial", "model", "gateway_mac"), "三" * 512)
    with pytest.raises(BadSample, match=r"^identity: a line of \d+ bytes, 4096 are allowed$"):
        encode_line("identity", {}, wide, TIME_NS)
    longest = encode_line("identity", {}, dict.fromkeys(("serial", "model"), "三" * 512), TIME_NS)
    assert len(longest) <= MAX_LINE_BYTES


@MANY
@given(text=ANY)
def test_cleaned_text_is_fit_for_a_field(text: str) -> None:
    """Cleaned text has no control character, quote, backslash or line break, and cleaning it again changes nothing."""
    clean = clean_text(text)
    assert not re.search(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"\\]', clean)
    assert len(clean) <= 512
    assert clean_text(clean) == clean
    assert clean.encode().decode() == clean


@MANY
@given(text=FINE)
def test_fine_text_is_left_alone(text: str) -> None:
    """Text that needs no cleaning, in any language, is kept as it is."""
    assert clean_text(text) == text
