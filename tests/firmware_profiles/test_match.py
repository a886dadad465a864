"""Which profile fits: the most specific one, with the reason in words; never one by chance."""

from firmware_profiles.match import best, fits
from firmware_profiles.schema import Profile
from tests.firmware_profiles.profiles import profile


def model(name: str, *matches: dict[str, str]) -> Profile:
    """Return a profile that is recognised so."""
    return profile(id=name, match=list(matches))


PROFILES = [
    model("any-linux", {"system": "linux"}),
    model("any-debian", {"system": "linux", "os_like": "debian"}),
    model("any-pi", {"device_tree": "Raspberry Pi *"}),
    model("pi-4", {"device_tree": "Raspberry Pi 4*"}),
    model("any-pjlink", {"pjlink_manufacturer": "*"}),
    model("epson", {"pjlink_manufacturer": "EPSON"}, {"sys_object_id": ".1.3.6.1.4.1.1248.*"}),
    model("epson-big", {"pjlink_manufacturer": "epson*", "pjlink_model": "EB-[LG]*"}),
    model("twin-a", {"sys_descr": "*Twin Switch*"}),
    model("twin-b", {"sys_descr": "*Twin Switch"}),
    model("never"),
]


def ids(**facts: str) -> list[str]:
    """Return the best fit, or all that fit equally well."""
    return [fit.id for fit in best(fits(PROFILES, facts))]


def test_the_most_specific_profile_is_best() -> None:
    """What says more of the hardware wins over what says much of the system, then more patterns, then more letters."""
    pi = {"system": "linux", "os_id": "raspbian", "os_like": "debian"}
    assert ids(system="linux") == ["any-linux"]
    assert ids(**pi) == ["any-debian"]
    assert ids(**pi, device_tree="Raspberry Pi 3 Model B") == ["any-pi"]
    assert ids(**pi, device_tree="Raspberry Pi 4 Model B Rev 1.4") == ["pi-4"]


def test_devices_on_the_network_are_told_apart() -> None:
    """Capitals do not count, `*` alone is the weakest of all, and one entry of several is enough."""
    assert ids(pjlink_manufacturer="NEC") == ["any-pjlink"]
    assert ids(pjlink_manufacturer="Epson") == ["epson"]
    assert ids(pjlink_manufacturer="EPSON", pjlink_model="EB-L200F") == ["epson-big"]
    assert ids(sys_object_id="1.3.6.1.4.1.1248.4.1") == ["epson"]
    assert ids(sys_object_id=".1.3.6.1.4.1.12480.4.1") == []


def test_a_list_of_kin_is_searched_for_each_name() -> None:
    """ID_LIKE has several names; a part of a name is none of them."""
    assert ids(system="linux", os_like="ubuntu debian") == ["any-debian"]
    assert ids(system="linux", os_like="debianish") == ["any-linux"]


def test_a_tie_is_named() -> None:
    """Two that fit equally well are both there: nothing is chosen by chance."""
    assert ids(sys_descr="New Twin Switch") == ["twin-a", "twin-b"]


def test_nothing_known_fits_nothing() -> None:
    """Without facts no profile fits, not even `*`."""
    assert ids() == []
    assert ids(system="plan9") == []


def test_the_reasons_are_in_words() -> None:
    """Of what fits, each pattern and what it met; of what does not, what stands against it in the nearest entry."""
    found = {fit.id: fit for fit in fits(PROFILES, {"system": "linux", "pjlink_manufacturer": "EPSON"})}
    assert found["any-linux"].reasons == ("system 'linux' fits linux",)
    assert found["epson"].reasons == ("pjlink_manufacturer 'EPSON' fits EPSON",)
    assert found["any-debian"].reasons == ("os_like is not known; debian is needed",)
    assert found["epson-big"].reasons == ("pjlink_model is not known; EB-[LG]* is needed",)
    assert "never" not in found
    assert next(fit.id for fit in fits(PROFILES, {"system": "linux"})) == "any-linux"
