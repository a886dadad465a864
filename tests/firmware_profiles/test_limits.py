"""A fault's limit can be a parameter: each school sets its own, and what is no number is refused."""

from pathlib import Path

import pytest

from contract.errors import ConfigError
from firmware_profiles.fill import fill
from firmware_profiles.library import Library
from firmware_profiles.schema import Profile

PROFILE = """
id: lamps
title: {{zh: 灯, en: Lamps}}
role: projector
verified: false
parameters:
  limit:
    title: {{zh: 时限, en: Limit}}
{default}
collect:
  display:
    source: pjlink
    read:
      - {{raw: lamp_hours, field: display.lamp_hours, unit: h}}
      - {{raw: input, field: display.input}}
faults:
  - {{code: worn, title: {{zh: 旧, en: Worn}}, field: {field}, operator: {operator}, value: "{{limit}}"}}
"""


def profile(
    folder: Path, default: str = '    default: "3000"', field: str = "lamp_hours", operator: str = "above"
) -> Profile:
    """Return a profile whose one fault has its value by a parameter."""
    file = folder / "lamps.yaml"
    file.write_text(PROFILE.format(default=default, field=f"display.{field}", operator=operator), encoding="utf-8")
    return Library(files=[file]).get("lamps")


@pytest.mark.parametrize(
    ("given", "value"),
    [({}, 3000), ({"limit": "5000"}, 5000), ({"limit": "1.5"}, 1.5), ({"limit": "-7"}, -7)],
)
def test_limit(tmp_path: Path, given: dict[str, str], value: float) -> None:
    """A limit is the number that the settings give, else its default, fit to be compared."""
    (fault,) = fill(profile(tmp_path), given).faults
    assert fault.value == value
    assert isinstance(fault.value, type(value))


@pytest.mark.parametrize("given", ["many", "", "1e9", "0x10", "nan", "²"])
def test_no_number(tmp_path: Path, given: str) -> None:
    """A limit that is no number is refused by the parameter's name."""
    with pytest.raises(ConfigError, match=f"limit: {given!r} is not a number, which worn needs"):
        fill(profile(tmp_path), {"limit": given})


def test_default_that_is_no_number(tmp_path: Path) -> None:
    """A default that is no number is refused with the profile."""
    with pytest.raises(ConfigError, match=r"value: '\{limit\}' is not a number, which above needs"):
        profile(tmp_path, '    default: "many"')


def test_limit_that_must_be_given(tmp_path: Path) -> None:
    """A limit without a default is one that every device must have."""
    made = profile(tmp_path, "")
    with pytest.raises(ConfigError, match="limit: is missing"):
        fill(made, {})
    assert fill(made, {"limit": "10"}).faults[0].value == 10


def test_text(tmp_path: Path) -> None:
    """A text that looks like a number stays text where texts are compared."""
    (fault,) = fill(profile(tmp_path, field="input", operator="is_not"), {"limit": "31"}).faults
    assert fault.value == "31"
