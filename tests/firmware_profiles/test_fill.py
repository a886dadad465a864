"""Placeholders: what the settings give stands in the place of {name}, everywhere it may and nowhere else."""

import pytest

from contract.errors import ConfigError
from firmware_profiles.fill import fill
from firmware_profiles.schema import Profile
from tests.firmware_profiles.profiles import profile


def an_access_point() -> Profile:
    """Return a profile with placeholders in every part that may have them."""
    return profile(
        notes="{ap_name}",
        parameters={
            "ap_name": {"title": {"zh": "名称", "en": "Name"}},
            "port": {"title": {"zh": "口", "en": "Port"}, "default": "eth0"},
        },
        collect={
            "ap": {
                "source": "command",
                "argv": ["show", "{ap_name}", "{{ap_name}}", '{"a": {"b": 1}}'],
                "format": "regex",
                "pattern": r"(?P<x>{ap_name}-\d{2})",
                "rows": "each",
                "read": [{"raw": "x", "field": "sensor.value", "tags": {"name": "{port} {x} {key}"}}],
            }
        },
        faults=[
            {
                "code": "down",
                "title": {"zh": "{ap_name} 断", "en": "{ap_name} is down"},
                "field": "sensor.value",
                "tags": {"name": "{port}"},
                "operator": "is",
                "value": 0,
            }
        ],
        probes={"icmp": [{"target": "{address}", "name": "{device}"}]},
    )


def test_every_placeholder_is_filled() -> None:
    """Texts are filled once; tags keep what each row fills; a pattern takes a text as it is; doubled braces stay."""
    filled = fill(an_access_point(), {"ap_name": "a.1 {port}", "address": "192.0.2.9", "device": "441802-1.ap1"})
    ap = filled.collect["ap"]
    assert ap.argv == ("show", "a.1 {port}", "{ap_name}", '{"a": {"b": 1}}')  # type: ignore[union-attr]
    assert ap.pattern == r"(?P<x>a\.1\ \{port\}-\d{2})"  # type: ignore[union-attr]
    assert ap.read[0].tags == {"name": "eth0 {x} {key}"}
    assert filled.faults[0].title.en == "a.1 {port} is down"
    assert filled.faults[0].tags == {"name": "eth0"}
    assert filled.probes["icmp"] == ({"target": "192.0.2.9", "name": "441802-1.ap1"},)
    assert filled.notes == "{ap_name}"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"address": "192.0.2.9", "device": "d"}, "profile model: ap_name: is missing: Name (名称)"),
        ({"ap_name": "a", "address": "", "device": "d"},
         "profile model: address: model is for another device: name it in [[observe]]"),
        ({"ap_nmae": "a", "x": "y", "ap_name": "a", "address": "192.0.2.9", "device": "d"},
         "profile model: ap_nmae: is not a parameter of model, did you mean ap_name\n"
         "profile model: x: is not a parameter of model; there are ap_name, port"),
    ],
)  # fmt: skip
def test_what_is_missing_or_unknown_is_said(given: dict[str, str], message: str) -> None:
    """A parameter that is missing or mistyped is an error, all of them at once."""
    with pytest.raises(ConfigError) as caught:
        fill(an_access_point(), given)
    assert str(caught.value) == message


def test_a_profile_without_placeholders_needs_nothing() -> None:
    """The machine's own profile is filled with an empty address."""
    plain = profile(probes={"icmp": [{"target": "192.0.2.1"}]})
    assert fill(plain, {"address": "", "device": "441802-1.c1"}) == plain
