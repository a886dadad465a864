"""
Records what the programs of a WiFi really say, for tests of those who read it: tests/fixtures/wifi/.

    python -m tests.lab.record_wifi     as root; with `stations` only tests/fixtures/wifi_stations

Each journey leaves <name>.events, the raw messages of wpa_supplicant's control socket after ATTACH, and <name>.log,
what wpa_supplicant itself printed.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.lab.background import ROOT
from tests.lab.guest_machine import Guest
from tests.lab.tree import build
from tests.lab.wifi import CLIENT, OPEN, SECURED, Network, Wifi

FOLDER = ROOT / "tests/fixtures/wifi"
STATIONS = ROOT / "tests/fixtures/wifi_stations"
UNKNOWN = Network("unknown", "", "santong-nowhere", 6, "", "")
SOURCE = """\
Recorded by `python -m tests.lab.record_wifi` in the guest of tests/lab: mac80211_hwsim, two access points
(santong-open on channel 6, santong-wpa with WPA2 on channel 11), client wlan1.

{versions}
*.events  raw messages of wpa_supplicant's control socket after ATTACH, one a line; the first is the answer to ATTACH
*.log     what wpa_supplicant printed on the same journey
*.status  the answer to STATUS at its end
*.txt     what the command printed that the name says: at the client, with _ap_ at the access point

hwsim's survey has a fixed noise and no channel in use; at an access point it is empty.
"""
OF_STATIONS = """\
recorded by `python -m tests.lab.record_wifi stations` in the guest of tests/lab: mac80211_hwsim, the open access point
wlan0 on channel 6 with two stations, one near (wlan1) and one with little power (wlan3).

{versions}
ap_*      what the command said where the access point is
client_*  the same at the client; `iw dev` of the whole machine but for the two access points
hostapd_* what hostapd_cli said; it asks for the stations one after the other, as we do
"""


class Recorder:
    """Writes what is said into files."""

    def __init__(self, wifi: Wifi, folder: Path = FOLDER) -> None:
        self.wifi = wifi
        self.folder = folder
        self.guest = wifi.guest

    def command(self, name: str, *argv: str) -> None:
        """Record the output of a command at the client."""
        self.save(f"{name}.txt", self.guest.run(argv).stdout)

    def journey(self, name: str, wanted: str, end: str, fault: Callable[[], None] | None = None) -> None:
        """Record an attempt to join, from its beginning until `end` is said; `fault` befalls it when it is joined."""
        supplicant = self.wifi.supply()
        script = "/code/tests/lab/guest/events.py"
        events = self.guest.start(["python3", script, CLIENT]).wait_until_said("OK")
        self.configure(wanted)
        if fault:
            events.wait_until_said("CTRL-EVENT-CONNECTED")
            fault()
        events.wait_until_said(end, 60)
        self.save(f"{name}.status", self.wifi.wpa("status") + "\n")
        events.stop()
        self.save(f"{name}.events", events.words())
        self.save(f"{name}.log", supplicant.words())
        self.wifi.restore()

    def configure(self, wanted: str) -> None:
        """Add a network over the control socket, as a probe does."""
        self.wifi.wpa("add_network")
        for line in wanted.splitlines()[1:-1]:
            name, _, value = line.strip().partition("=")
            assert self.wifi.wpa("set_network", "0", name, value) == "OK", line
        self.wifi.wpa("select_network", "0")

    def save(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def versions(self) -> str:
        """Return the versions of everything that spoke."""
        packages = ["iw", "hostapd", "wpasupplicant"]
        lines = self.guest.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *packages]).stdout
        release = self.guest.run(["cat", "/etc/debian_version"]).stdout
        return f"Debian {release}linux {self.guest.run(['uname', '-r']).stdout}{lines}"


def record(wifi: Wifi) -> None:
    """Record everything."""
    recorder = Recorder(wifi)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    recorder.save("SOURCE", SOURCE.format(versions=recorder.versions()))
    recorder.save("iw_dev_scan.txt", wifi.scan())
    recorder.command("iw_dev_link_none", "iw", "dev", CLIENT, "link")
    for access_point in (wifi.open, wifi.secured):
        network = access_point.network
        wifi.join(network)
        wifi.lease()
        wifi.guest.run(["ping", "-c", "5", "-i", "0.2", access_point.address])
        for what in ("link", "station dump", "survey dump", "info"):
            recorder.command(f"iw_dev_{what.replace(' ', '_')}_{network.name}", "iw", "dev", CLIENT, *what.split())
        text = access_point.run(["iw", "dev", network.interface, "station", "dump"]).stdout
        recorder.save(f"iw_dev_station_dump_ap_{network.name}.txt", text)
        hostapd = ["hostapd_cli", "-p", "/run/hostapd", "-i", network.interface]
        recorder.save(f"hostapd_all_sta_{network.name}.txt", access_point.run([*hostapd, "all_sta"]).stdout)
        recorder.save(f"hostapd_status_{network.name}.txt", access_point.run([*hostapd, "status"]).stdout)
    wifi.restore()
    connected, lost = "CTRL-EVENT-CONNECTED", "CTRL-EVENT-DISCONNECTED"
    recorder.journey("join_open", OPEN.wanted(), connected)
    recorder.journey("join_wpa2", SECURED.wanted(), connected)
    recorder.journey("wrong_passphrase", SECURED.wanted("not-the-secret"), "WRONG_KEY")
    recorder.journey("unknown_ssid", UNKNOWN.wanted(), "CTRL-EVENT-NETWORK-NOT-FOUND")
    recorder.journey("access_point_gone", SECURED.wanted(), lost, wifi.secured.switch_off)
    recorder.journey("deauthenticated", SECURED.wanted(), lost, wifi.secured.throw_out)


def record_stations(wifi: Wifi) -> None:
    """Record an access point with two stations."""
    recorder = Recorder(wifi, STATIONS)
    shutil.rmtree(STATIONS, ignore_errors=True)
    STATIONS.mkdir(parents=True)
    recorder.save("SOURCE", OF_STATIONS.format(versions=recorder.versions()))
    wifi.join(OPEN)
    wifi.lease()
    wifi.join_from_afar(OPEN, 5)
    wifi.guest.run(["ping", "-c", "5", "-i", "0.2", wifi.open.address])
    for where, space, interface in (("ap", wifi.open, OPEN.interface), ("client", wifi.guest, CLIENT)):
        for words in ((), (interface, "info"), (interface, "station", "dump"), (interface, "survey", "dump")):
            name = "_".join((where, "iw_dev", *words[1:]))
            recorder.save(f"{name}.txt", space.run(["iw", "dev", *words]).stdout)
    hostapd = ["hostapd_cli", "-p", "/run/hostapd", "-i", OPEN.interface]
    recorder.save("hostapd_status.txt", wifi.open.run([*hostapd, "status"]).stdout)
    stations = wifi.open.run([*hostapd, "all_sta"]).stdout
    recorder.save("hostapd_all_sta.txt", stations)
    wifi.leave_from_afar()


def main() -> None:
    """Boot the guest and record."""
    with tempfile.TemporaryDirectory(prefix="santong-lab") as folder, Guest(build(), Path(folder) / "guest") as guest:
        wifi = Wifi(guest, Path(folder) / "guest/wifi")
        if sys.argv[1:] != ["stations"]:
            record(wifi)
        record_stations(wifi)


if __name__ == "__main__":
    main()
