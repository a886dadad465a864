"""Versions of firmware, as strange as vendors write them, have one order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.schema import Firmware
from firmware_profiles.version import is_compliant, key

# Each row from the oldest to the newest.
ORDERS = [
    ["V200R010C00SPC500", "V200R019C00", "V200R019C00SPC300", "V200R019C00SPC500", "V200R019C10SPC100", "V200R021C00"],
    ["2.3.4-dev", "2.3.4-alpha2", "2.3.4-beta1", "2.3.4-rc1", "2.3.4-rc2", "2.3.4", "2.3.4b", "2.3.4.1", "2.3.10"],
    ["RouterOS 6.48", "RouterOS 6.49.7", "RouterOS 6.49.10", "7.1rc1", "RouterOS 7.1", "7.1.1 (stable)"],
    ["5.0.1", "5.0.1 Build 20220101", "5.0.1 Build 20230101 Rel.1", "5.0.2 Build 20210101"],
    ["22.03.5", "23.05.0-rc4", "23.05.0", "23.05.2"],
    ["1.0", "1.0a", "1.0b", "1.0.1"],
    ["2023-01-02", "2023-01-10", "2024-01-01"],
]
VERSIONS = st.from_regex(r"(v|RouterOS )?[0-9]{1,3}([._-]?([0-9]{1,3}|rc|beta|[a-z]{1,3}|SPC|C)){0,5}", fullmatch=True)


@pytest.mark.parametrize("versions", ORDERS, ids=lambda row: row[0])
def test_vendors_versions_are_in_order(versions: list[str]) -> None:
    """Of two versions the newer one is greater, however the vendor writes them."""
    keys = [key(version) for version in versions]
    assert None not in keys
    assert sorted(keys, key=lambda one: one or ()) == keys
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("one", "same"),
    [("6.49", "6.49.0"), ("RouterOS 6.49.7", "6.49.7"), ("V2.3", "v2_3"), ("1.0-RC1", "1.0.0rc1"), ("03.05", "3.5")],
)
def test_what_is_written_differently_is_the_same(one: str, same: str) -> None:
    """Zeros at the end, leading zeros, capitals, separators and a product's name make no difference."""
    assert key(one) == key(same)


def test_a_text_without_a_number_is_no_version() -> None:
    """What cannot be compared is said to be so, not guessed; digits of other scripts are none."""
    assert [key(text) for text in ("", "unknown", "RouterOS", "٣.٤", "²")] == [None] * 5


@given(VERSIONS)
def test_a_further_number_is_newer_and_rc_is_older(version: str) -> None:
    """For every version: one more number behind it is newer, -rc1 behind it is older."""
    own, newer, older = key(version), key(f"{version}.1"), key(f"{version}-rc1")
    assert own and newer and older
    assert older < own < newer


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_one(first: str, second: str, third: str) -> None:
    """Any three versions are in one order: what is before the second is before the third that follows it."""
    a, b, c = sorted(key(version) or () for version in (first, second, third))
    assert a <= b <= c
    assert a <= c


@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever a device says of itself, nothing breaks, and what has a digit has an order."""
    found = key(text)
    assert (found is not None) == any(letter.isascii() and letter.isdigit() for letter in text[:200])
    assert found is None or found == key(text.lower())


@pytest.mark.parametrize(
    ("version", "rule", "expected"),
    [
        ("6.49.7", Firmware("6.49.7"), True),
        ("RouterOS 6.49.6", Firmware("6.49.7"), False),
        ("7.0.1", Firmware("6.49.7", ("7.0.1",)), False),
        ("7.0.1", Firmware("", ("7.0.1",)), False),
        ("7.0.2", Firmware("", ("7.0.1",)), True),
        ("5.20.1 (RG-AP720)", Firmware("", ("5.20.1",)), False),
        ("V200R019C00SPC500", Firmware("", ("V200R019C00",)), False),
        ("7.0.1.0", Firmware("", ("7.0.1",)), False),
        ("7.0", Firmware("", ("7.0.0",)), False),
        ("7.0.10", Firmware("", ("7.0.1",)), True),
        ("7.0", Firmware("", ("7.0.1",)), True),
        ("5.20.1 (RG-AP720)", Firmware("", ("5.20.1 (RG-AP740)",)), True),
        ("7.0.1.3", Firmware("", ("7.0.1",)), True),
        ("7.5", Firmware("", ("7.0",)), True),
        ("7.0.2", Firmware(), None),
        ("unknown", Firmware("6.49.7"), None),
    ],
)
def test_a_version_is_good_bad_or_unknown(version: str, rule: Firmware, expected: bool | None) -> None:
    """Old and known bad versions are not compliant, these with any word behind them; without a rule it is unknown."""
    assert is_compliant(version, rule) is expected
