"""Names carry identity: county and site follow from a device id alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import BadName
from contract.names import MAX_LENGTH, DeviceName, check_device, county_of, is_device, may_speak, site_of, suggest

VALID = ["441802-3144001234.c0703", "a-b.c", "0-0.0", "441802-31-44.c-07-03", f"1-2.{'x' * 60}"]
INVALID = [
    "",
    ".",
    "441802",
    "441802-1",
    "441802.c1",
    "-1.c1",
    "441802-.c1",
    "441802-1.",
    "441802-1.-c1",
    "441802-1.c1-",
    "441802--1.c1",
    "441802-1-.c1",
    "441802-1.c1.c2",
    "441802-1.C1",
    "441802-1.c_1",
    "441802-1.c 1",
    "441802-1.c1\n",
    "\n441802-1.c1",
    "441802-1.班",
    "441802-1.c１",
    "441802-1.c١",
    "441802-1/c1",
    "441802-1.+",
    "441802-1.#",
    f"1-2.{'x' * 61}",
]
PIECES = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
COUNTIES = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)


@pytest.mark.parametrize("name", VALID)
def test_a_device_id_is_accepted(name: str) -> None:
    """An id that follows the rule, up to 64 characters, is a device id."""
    assert is_device(name)
    assert check_device(name) == DeviceName.parse(name) == name


@pytest.mark.parametrize("name", INVALID)
def test_anything_else_is_refused_with_the_rule(name: str) -> None:
    """An id that breaks the rule is refused in one line that says the rule."""
    assert not is_device(name)
    with pytest.raises(BadName) as caught:
        DeviceName.parse(name)
    assert str(caught.value) == (
        f"{name[:80]!r} is not a device id: <county>-<school code>.<place>, in a-z, 0-9 and '-', at most 64 characters"
    )


@settings(max_examples=200, deadline=None)
@given(county=COUNTIES, school=PIECES, place=PIECES)
def test_county_and_site_follow_from_the_id(county: str, school: str, place: str) -> None:
    """Site and county are read from the id alone, whatever the roster says."""
    device = f"{county}-{school}.{place}"
    assert is_device(device)
    assert site_of(device) == f"{county}-{school}"
    assert county_of(device) == county_of(site_of(device)) == county


def test_an_agent_speaks_for_its_own_site_only() -> None:
    """A gateway may send for every device of its site, and for none of another site, however alike the names are."""
    gateway = "441802-3144001234.gw1"
    assert may_speak(gateway, gateway)
    assert may_speak(gateway, "441802-3144001234.c0703")
    assert not may_speak(gateway, "441802-31440012345.c0703")
    assert not may_speak(gateway, "441802-314400123.c0703")
    assert not may_speak(gateway, "441803-3144001234.c0703")


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=80) | st.text("aB-._ 9", max_size=80))
def test_a_suggested_piece_always_fits(text: str) -> None:
    """Any host name, even an empty or a Chinese one, gives a piece that makes a valid device id."""
    piece = suggest(text)
    assert 0 < len(piece) <= 24
    assert is_device(f"441802-1.{piece}")
    assert suggest(piece) == piece


def test_a_suggested_piece_is_recognisable() -> None:
    """The suggestion keeps what it can of a host name."""
    assert suggest("Class-7_3.LOCAL") == "class-7-3-local"
    assert suggest("初一(3)班") == "3"
    assert suggest("教室") == "device"


def test_the_longest_id_fits() -> None:
    """64 characters are allowed, 65 are not."""
    assert is_device("1-2." + "x" * (MAX_LENGTH - 4))
    assert not is_device("1-2." + "x" * (MAX_LENGTH - 3))
