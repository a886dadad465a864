"""The sources `iw` and `hostapd` in the guest: a real hostapd with real stations, one of them far away."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.guest_machine import GuestSpace
from tests.lab.wifi import CLIENT, CLIENT_MAC, FREE, OPEN, SECURED, Wifi

_NOBODY = "65534"
_ANYBODY = (
    "setpriv",
    "--reuid",
    _NOBODY,
    "--regid",
    _NOBODY,
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
)
_FAR_DBM = 5  # its power: the access point hears -50 + 5


def reading(space: GuestSpace, source: str, *way: str, **given: str) -> dict[str, Any]:
    """Read a source once where its radio is; `way` stands before the program."""
    script = ["env", "PYTHONPATH=/code:/site", "python3", "/code/tests/lab/guest/reading.py"]
    done = space.run([*way, *script, source, json.dumps(given)], 60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def joined(wifi: Wifi) -> Iterator[Wifi]:
    """Give the open access point with two stations: one near, with an address, and one far away."""
    wifi.join(OPEN)
    wifi.lease()
    wifi.join_from_afar(OPEN, _FAR_DBM)
    yield wifi
    wifi.leave_from_afar()


def test_stations_signal_and_channel(joined: Wifi) -> None:
    """Both sources count the stations of an access point, say how well it hears them, and on which channel it is."""
    joined.guest.run(["ping", "-c", "3", "-i", "0.2", joined.open.address])
    joined.open.wait_until(
        lambda: "signal:  \t-45" in joined.open.run(["iw", "dev", "wlan0", "station", "dump"]).stdout
    )
    for source in ("iw", "hostapd"):
        found = reading(joined.open, source, interface=OPEN.interface)
        assert found["success"], found
        row = found["rows"]["wlan0"]
        assert (row["stations"], row["ssid"], row["channel"], row["frequency_mhz"]) == (
            2,
            OPEN.ssid,
            OPEN.channel,
            OPEN.mhz,
        )
        assert (row["rssi_p50_dbm"], row["rssi_p10_dbm"]) == (-37.5, -43.5), "of -30 and -45 dBm"
        assert CLIENT_MAC not in json.dumps(found), "no station's address leaves its parser"
    assert row["state"] == "ENABLED"


def test_a_client_says_how_well_it_hears(joined: Wifi) -> None:
    """An interface that has joined has no stations, but a signal of its own."""
    row = reading(joined.guest, "iw", interface=CLIENT)["rows"][CLIENT]
    assert row["type"] == "managed"
    assert row["signal_dbm"] == -30
    assert "stations" not in row


def test_iw_needs_no_privilege(joined: Wifi) -> None:
    """Nobody at all may ask for stations and survey."""
    assert reading(joined.open, "iw", *_ANYBODY)["rows"]["wlan0"]["stations"] == 2


def test_hostapd_lets_its_group_in(joined: Wifi) -> None:
    """Who is not in the group of the socket is told what to write; who is in it gets an answer."""
    found = reading(joined.open, "hostapd", *_ANYBODY, interface=OPEN.interface)
    assert found["success"] is None
    assert "GROUP=netdev" in found["reason"]
    joined.open.run(["sh", "-c", f"chgrp -R {_NOBODY} /run/hostapd"])  # as hostapd does for GROUP=
    try:
        assert reading(joined.open, "hostapd", *_ANYBODY, interface=OPEN.interface)["rows"]["wlan0"]["stations"] == 2
    finally:
        joined.open.run(["sh", "-c", "chgrp -R 0 /run/hostapd"])


def test_access_point_without_stations_and_without_hostapd(wifi: Wifi) -> None:
    """No stations are 0 stations; when hostapd was killed both sources see that nothing is in the air."""
    wifi.leave()
    name = SECURED.interface
    row = reading(wifi.secured, "hostapd", interface=name)["rows"][name]
    assert (row["stations"], row["state"]) == (0, "ENABLED")
    assert "rssi_p50_dbm" not in row
    assert reading(wifi.secured, "iw")["rows"][name]["on_air"] == 1
    wifi.secured.switch_off()
    assert reading(wifi.secured, "hostapd", interface=name)["rows"][name] == {"interface": name, "state": "ENDED"}
    row = reading(wifi.secured, "iw")["rows"][name]
    assert (row["on_air"], row["stations"]) == (0, 0)
    assert "channel" not in row


def test_nobody_is_counted_who_has_not_the_key(wifi: Wifi) -> None:
    """A station that failed the handshake is none."""
    supplicant = wifi.supply(SECURED.wanted("not-the-secret"))
    supplicant.wait_until_said("WRONG_KEY", 60)
    assert reading(wifi.secured, "hostapd", interface=SECURED.interface)["rows"][SECURED.interface]["stations"] == 0


def test_free_interface(wifi: Wifi) -> None:
    """A radio that is on no channel has no values but its name and type."""
    row = reading(wifi.guest, "iw", interface=FREE)["rows"][FREE]
    assert {"channel", "stations", "active_ms"} & set(row) == set()
