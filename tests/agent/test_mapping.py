"""From raw values to fields: each step of a reading, and what becomes of what cannot be mapped."""

from typing import Any

import pytest

from agent.mapping import Mapper
from agent.outcome import Row
from contract.lines import encode_line
from contract.sample import Sample, Value
from contract.settings import checked
from firmware_profiles.sources import Reading


def reading(**given: Any) -> Reading:
    """Return a reading as a profile has it."""
    return checked(Reading, given, "test")


def one(raw: Value | None, **given: Any) -> Value | None:
    """Return what becomes of one raw value; into a sensor where nothing else is said."""
    wish = {"raw": "x", "field": "sensor.value", "tags": {"name": "x"}, **given}
    rows = [Row("", {} if raw is None else {"x": raw})]
    (mapped,) = Mapper().trace("entry", [reading(**wish)], rows)
    assert (mapped.value is None) == bool(mapped.why)
    return mapped.value


def why(raw: Value | None, **given: Any) -> str:
    """Return why nothing becomes of one raw value."""
    wish = {"raw": "x", "field": "sensor.value", "tags": {"name": "x"}, **given}
    (mapped,) = Mapper().trace("entry", [reading(**wish)], [Row("", {} if raw is None else {"x": raw})])
    assert mapped.value is None
    return mapped.why


@pytest.mark.parametrize(
    ("raw", "given", "value"),
    [
        ("45277", {"scale": 0.001}, 45.277),
        (45277, {"scale": 0.001, "offset": -0.277}, 45.0),
        (" 12 \n", {}, 12.0),
        ("1.5e3", {}, 1500.0),
        (True, {}, 1.0),
        ("throttled=0x50005", {"pattern": "=(.*)", "base": 0}, 327685.0),
        ("50005", {"base": 16}, 327685.0),
        ("0x50005", {"base": 0, "mask": 0x10001}, 1.0),
        (0x50004, {"mask": 0x2}, 0.0),
        ("8", {"enum": {"8": 1, "4": 0}}, 1.0),
        (8, {"enum": {"8": 1, "4": 0}}, 1.0),
        (8.0, {"enum": {"8": 1}}, 1.0),
        (False, {"enum": {"true": 1, "false": 0}}, 0.0),
        ("up since 3 days", {"pattern": r"(\d+) days", "scale": 86400}, 259200.0),
        ("255", {"absent": [255]}, None),
        ("-", {}, None),
        ("", {}, None),
        ("nan", {}, None),
        ("inf", {}, None),
        (None, {}, None),
        ("9", {"enum": {"8": 1}}, None),
        ("no such thing", {"pattern": "=(.*)"}, None),
    ],
)
def test_a_raw_value_becomes_a_number(raw: Value | None, given: dict[str, Any], value: float | None) -> None:
    """Every step does what the schema says; what cannot be mapped is absent, never zero."""
    assert one(raw, **given) == value


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("interface.speed_mbps", "99.6", 100),
        ("interface.rx_bytes", 2**63 - 1, 2**63 - 1),
        ("interface.rx_bytes", 2**63, None),
        ("interface.rx_bytes", "18446744073709551615", None),
        ("display.power", "on", "on"),
        ("display.power", "  ", None),
        ("display.input", 'HDMI "1"\n\\x', "HDMI '1' /x"),
        ("host.load1", 3, 3.0),
    ],
)
def test_a_value_has_its_fields_own_type(field: str, raw: Value, value: Value | None) -> None:
    """What comes out can be stored: whole numbers within 63 bits, floats, clean text."""
    tags = {"name": "x"} if field.startswith("interface") else {}
    found = one(raw, field=field, tags=tags)
    assert found == value
    assert type(found) is type(value)
    if found is not None:
        measurement, _, name = field.partition(".")
        assert encode_line(measurement, tags, {name: found}, 1_795_000_020_000_000_000)


def test_who_tries_a_profile_is_told_why_something_is_absent() -> None:
    """Each reason is in words, and shows the raw value."""
    assert why(None) == "the device does not have it"
    assert why("255", absent=[255]) == "the device says that it has none"
    assert why("five") == "'five' is not a number"
    assert why("9", enum={"8": 1}) == "'9' is not in enum"
    assert why("abc", pattern="=(.*)") == "'abc' does not match =(.*)"
    assert why("1", tags={"name": "{port}"}) == "the tag needs port, which is not there"


PORTS = (Row("1", {"name": "eth 0", "rx": 10, "up": 1}), Row("2", {"name": "eth1", "rx": 20, "up": 2}))
NAMED = {"tags": {"name": "{name}"}}
KEYED = {"tags": {"name": "{key}"}}


def test_rows_are_samples_of_their_own_told_apart_by_tags() -> None:
    """Fields of one measurement and tags are one sample; keys and raw values name them."""
    readings = [
        reading(raw="rx", field="interface.rx_bytes", **NAMED),
        reading(raw="up", field="interface.up", enum={"1": 1, "2": 0}, **NAMED),
        reading(raw="rx", field="sensor.value", **KEYED),
    ]
    assert Mapper().samples("ports", readings, PORTS, 7) == [
        Sample("interface", {"rx_bytes": 10, "up": 1}, 7, {"name": "eth 0"}),
        Sample("interface", {"rx_bytes": 20, "up": 0}, 7, {"name": "eth1"}),
        Sample("sensor", {"value": 10.0}, 7, {"name": "1"}),
        Sample("sensor", {"value": 20.0}, 7, {"name": "2"}),
    ]


def test_rows_with_the_same_tags_are_never_mixed() -> None:
    """Of two ports with one name the first is measured whole; who tries the profile is told what the other lacks."""
    readings = [reading(raw=raw, field=f"interface.{raw}_bytes", **NAMED) for raw in ("rx", "tx")]
    readings.append(reading(raw="rx", field="sensor.value", rows="sum", tags={"name": "all"}))
    rows = [Row("1", {"name": "port", "tx": 1}), Row("2", {"name": "port", "rx": 2, "tx": 2}), Row("3", {"rx": 3})]
    assert Mapper().samples("ports", readings, rows, 7) == [
        Sample("interface", {"tx_bytes": 1}, 7, {"name": "port"}),
        Sample("sensor", {"value": 5.0}, 7, {"name": "all"}),
    ]
    traced = Mapper().trace("ports", readings, rows)
    lost = [(m.key, m.reading.raw) for m in traced if m.why == "another row has these tags"]
    assert lost == [("2", "rx"), ("2", "tx")]


def test_a_row_without_a_value_takes_no_tags() -> None:
    """A row that is not of the kind looked for leaves its tags to the one that is."""
    state = reading(raw="x", field="sensor.value", tags={"name": "state"}, enum={"up": 1})
    rows = [Row("1", {"x": "unused"}), Row("2", {"x": "up"})]
    assert Mapper().samples("ports", [state], rows, 7) == [Sample("sensor", {"value": 1.0}, 7, {"name": "state"})]


@pytest.mark.parametrize(("way", "value"), [("sum", 30.0), ("max", 20.0), ("min", 10.0), ("any", 1.0), ("count", 2.0)])
def test_rows_can_be_one(way: str, value: float) -> None:
    """Several rows become one value, as the profile says."""
    readings = [reading(raw="rx", field="sensor.value", tags={"name": "all"}, rows=way)]
    assert Mapper().samples("ports", readings, PORTS, 7) == [Sample("sensor", {"value": value}, 7, {"name": "all"})]


def test_of_no_row_comes_nothing() -> None:
    """A machine without a screen has no screen that is off."""
    readings = [reading(raw="rx", field="usage.display_on", rows="any")]
    assert not Mapper().samples("screens", readings, (), 7)
    assert not Mapper().samples("screens", readings, (Row("", {}),), 7)


def test_utilisation_is_increase_by_increase() -> None:
    """Busy ÷ active time between two reads; the first read, a reset and a clock that stands say nothing."""
    mapper = Mapper()
    readings = [
        reading(raw="busy", per="active", field="radio.utilization_percent", scale=100, tags={"interface": "{key}"})
    ]
    found = []
    for busy, active in [(10, 100), (35, 200), (35, 200), (5, 20), (10, 30)]:
        rows = (Row("wlan0", {"busy": busy, "active": active}),)
        found.append([sample.fields["utilization_percent"] for sample in mapper.samples("radio", readings, rows, 7)])
    assert found == [[], [25.0], [], [], [50.0]]


def test_bits_that_were_once_set_stay_set() -> None:
    """Another program may clear the board's sticky bits: the agent remembers them, in what outlives its restart."""
    sticky: dict[str, int] = {}
    bit = reading(raw="x", field="sensor.value", tags={"name": "under_voltage"}, mask=0x10000, sticky=True)
    for raw, value in ((0, 0.0), (0x50000, 1.0), (0, 1.0)):
        (sample,) = Mapper(sticky).samples("power", [bit], (Row("", {"x": raw}),), 7)
        assert sample.fields["value"] == value


def test_a_ratio_is_of_the_same_two_reads() -> None:
    """Where one counter was missing in between, its rise over two intervals is not divided by the other's over one."""
    busy = reading(
        raw="busy", per="active", field="radio.utilization_percent", tags={"interface": "a"}, scale=100, unit="%"
    )
    mapper = Mapper()
    reads: list[dict[str, Value]] = [
        {"busy": 100, "active": 1000},
        {"active": 2000},
        {"busy": 1100, "active": 3000},
        {"busy": 1600, "active": 4000},
    ]
    found = [mapper.samples("radios", [busy], [Row("a", values)], 0) for values in reads]
    assert [[sample.fields["utilization_percent"] for sample in samples] for samples in found] == [[], [], [], [50.0]]


def test_rows_that_are_gone_are_forgotten() -> None:
    """Stations come and go: what was counted of them does not stay in an agent's memory."""
    ratio = reading(raw="x", per="y", field="sensor.value", tags={"name": "{key}"})
    mapper = Mapper()
    for number in range(100):
        mapper.samples("entry", [ratio], [Row(str(number), {"x": 1, "y": 1})], 0)
    assert str(mapper.__dict__).count("'x'") == 1


@pytest.mark.parametrize("raw", ["inf", "nan", float("inf"), "9" * 400])
@pytest.mark.parametrize("given", [{"scale": 0.1}, {}, {"enum": {"1": 1}}])
def test_a_number_without_end_costs_only_its_own_reading(raw: Value, given: dict[str, Any]) -> None:
    """It is absent, and says why; what else the device told is there."""
    wishes = [{"raw": "x", **given}, {"raw": "y"}]
    readings = [reading(field="sensor.value", tags={"name": wish["raw"]}, **wish) for wish in wishes]
    first, second = Mapper().trace("entry", readings, [Row("", {"x": raw, "y": 5})])
    assert (first.value, second.value) == (None, 5.0)
    assert first.why


@pytest.mark.parametrize("raw", ["inf", "nan", float("inf")])
def test_what_has_no_bits_has_none_set(raw: Value) -> None:
    """A mask asks for a whole number."""
    assert why(raw, mask=1)


def test_a_sum_that_no_field_can_hold_is_absent() -> None:
    """The other readings of the entry are there all the same."""
    total = reading(raw="x", field="interface.rx_bytes", tags={"name": "all"}, unit="B", rows="sum")
    (mapped,) = Mapper().trace("entry", [total], [Row(key, {"x": 2**62}) for key in "ab"])
    assert mapped.value is None
    assert mapped.why
