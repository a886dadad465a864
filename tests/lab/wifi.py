"""
WiFi in the guest: two access points, each a machine of its own with the servers of a hotspot, and a client.

    wlan0  SSID santong-open, channel 6, no password     namespace `open`      10.98.0.1
    wlan1  the client, no namespace: where a probe runs
    wlan2  SSID santong-wpa, channel 11, WPA2            namespace `secured`   10.98.2.1
    wlan3  free: to overhear

The medium is mac80211_hwsim: real frames, real hostapd and wpa_supplicant, no lost frames.
"""

from pathlib import Path
from typing import NamedTuple

from tests import certificates
from tests.lab import services
from tests.lab.background import Program
from tests.lab.guest_machine import Guest, GuestSpace

CLIENT = "wlan1"
CLIENT_MAC = "02:00:00:00:01:00"
FREE = "wlan3"
CONTROL = "/run/wpa_supplicant"  # where wpa_supplicant's control sockets are
FULL_DBM = 20  # of hwsim's medium: the client then hears -30 dBm
WWW = "www.lab"
ASSOCIATED_S = 20.0
_BOUND = """#!/bin/sh
[ "$1" = bound ] || exit 0
env
ip addr flush dev "$interface"; ip addr add "$ip/$mask" dev "$interface"
ip route replace default via "$router"; echo "nameserver $dns" > /etc/resolv.conf
"""


class Network(NamedTuple):
    """An access point's radio: its interface there, SSID, channel, password ("" is open) and address."""

    name: str
    interface: str
    ssid: str
    channel: int
    passphrase: str
    subnet: str

    @property
    def mhz(self) -> int:
        """The frequency, for `iw dev wlan1 scan freq`."""
        return 2407 + 5 * self.channel

    @property
    def bssid(self) -> str:
        """The access point's MAC address, as hwsim gives them."""
        return f"02:00:00:00:0{self.interface[-1]}:00"

    def hostapd(self) -> str:
        """Return hostapd's configuration."""
        lines = [f"interface={self.interface}", "driver=nl80211", f"ssid={self.ssid}", "hw_mode=g"]
        lines += [f"channel={self.channel}", "ctrl_interface=/run/hostapd"]
        if self.passphrase:
            lines += ["wpa=2", "wpa_key_mgmt=WPA-PSK", "rsn_pairwise=CCMP", f"wpa_passphrase={self.passphrase}"]
            lines += ["ieee80211n=1", "wmm_enabled=1"]
        return "\n".join(lines) + "\n"

    def wanted(self, passphrase: str | None = None) -> str:
        """Return the block of wpa_supplicant's configuration that joins it, with another passphrase if given."""
        secret = self.passphrase if passphrase is None else passphrase
        key = f'psk="{secret}"' if secret else "key_mgmt=NONE"
        return f'network={{\n ssid="{self.ssid}"\n scan_freq={self.mhz}\n {key}\n}}\n'


OPEN = Network("open", "wlan0", "santong-open", 6, "", "10.98.0")
SECURED = Network("secured", "wlan2", "santong-wpa", 11, "testbed-secret", "10.98.2")


class AccessPoint(GuestSpace):
    """
    One access point with `hostapd`, `dns`, `dhcp` and `web`: running programs, to be stopped as a fault.

    As a space it is where they run. `portal` is open until it is closed. restore() starts what a test stopped.
    """

    def __init__(self, guest: Guest, network: Network, folder: Path) -> None:
        guest.run(["ip", "netns", "add", network.name])
        phy = guest.run(["cat", f"/sys/class/net/{network.interface}/phy80211/name"]).stdout.strip()
        guest.run(["iw", "phy", phy, "set", "netns", "name", network.name])
        super().__init__(guest.line, network.name, folder, network.name)
        self.network = network
        self.address = f"{network.subnet}.1"
        self.run(["ip", "link", "set", "lo", "up"])
        (self.folder / "hostapd.conf").write_text(network.hostapd(), encoding="utf-8")
        self.hostapd = self._hostapd()
        self.run(["ip", "addr", "add", f"{self.address}/24", "dev", network.interface])
        self.dns, self.dhcp = self._dns(), self._dhcp()
        self.portal = services.Portal(self, self.address)
        self._authority = certificates.authority()
        self.ca, _ = self._authority.save(self.folder, "authority")
        self.web = self._web()
        self._power_dbm = FULL_DBM
        self._closed = self._announced = False

    def _hostapd(self) -> Program:
        return self.start(["hostapd", self.folder / "hostapd.conf"]).wait_until_said("AP-ENABLED")

    def _dns(self) -> Program:
        names = [WWW, *(host for host, *_ in services.VENDORS)]
        return services.name_server(self, dict.fromkeys(names, self.address))

    def _web(self) -> Program:
        return services.web(self, WWW, self._authority, services.vendors())

    def _dhcp(self, portal_api: str = "") -> Program:
        subnet = self.network.subnet
        leases = services.Leases(f"{subnet}.50", f"{subnet}.99", self.address, self.address, portal_api=portal_api)
        return services.dhcp_server(self, leases)

    # ---- faults

    def power(self, dbm: int) -> None:
        """Set its strength: at 20 the client hears -30 dBm, at 0 it hears -50, in the next beacon."""
        self.run(["iw", "dev", self.network.interface, "set", "txpower", "fixed", str(dbm * 100)])
        self._power_dbm = dbm

    def switch_off(self) -> None:
        """Take its power, as at the breaker: no farewell to the client."""
        self.hostapd.kill()
        self.run(["ip", "link", "set", self.network.interface, "down"])

    def switch_on(self) -> None:
        """Give its power back."""
        self.hostapd = self._hostapd()
        self.run(["ip", "addr", "replace", f"{self.address}/24", "dev", self.network.interface])

    def throw_out(self, mac: str = CLIENT_MAC) -> None:
        """Deauthenticate the client; it may come back at once."""
        self.run(["hostapd_cli", "-p", "/run/hostapd", "-i", self.network.interface, "deauthenticate", mac])

    def close_portal(self) -> None:
        """Hold the client's web requests up until open_portal()."""
        # What goes to the access point's own web server is held up as well: it stands for the Internet.
        self.portal.close(self.network.interface)
        self._closed = True

    def open_portal(self) -> None:
        """Let the client's web requests through."""
        self.portal.open()
        self._closed = False

    def announce_portal(self) -> None:
        """Let DHCP name the portal's API (option 114)."""
        self.dhcp.stop()
        self.dhcp = self._dhcp(self.portal.api)
        self._announced = True

    def restore(self) -> None:
        """Start what was stopped, end what else was started, and take faults away."""
        self.end_all_but(self.hostapd, self.dns, self.dhcp, self.web, self.portal.server)
        if self._announced:
            self.dhcp.stop()
            self._announced = False
        if not self.hostapd.is_running():
            self.switch_on()
        if not self.dns.is_running():
            self.dns = self._dns()
        if not self.dhcp.is_running():
            self.dhcp = self._dhcp()
        if not self.web.is_running():
            self.web = self._web()
        if self._power_dbm != FULL_DBM:
            self.power(FULL_DBM)
        if self._closed:
            self.open_portal()
        self.mend()


class Wifi:
    """
    The guest with its access points `open` and `secured`, and a client that is not associated.

    `supplicant` is the running wpa_supplicant; its control socket is /run/wpa_supplicant/wlan1.
    """

    def __init__(self, guest: Guest, folder: Path) -> None:
        self.guest = guest
        guest.run(["modprobe", "mac80211_hwsim", "radios=4"])
        self.open = AccessPoint(guest, OPEN, folder / OPEN.name)
        self.secured = AccessPoint(guest, SECURED, folder / SECURED.name)
        guest.run(["ip", "link", "set", CLIENT, "up"])
        (guest.folder / "bound").write_text(_BOUND, encoding="ascii")
        (guest.folder / "bound").chmod(0o755)
        self.supplicant: Program | None = None

    def restore(self) -> None:
        """Undo what a test did: access points as at first, the client neither associated nor with an address."""
        self.open.restore()
        self.secured.restore()
        self.guest.mend()
        self.leave()
        self.guest.end_all_but()
        self.supply()

    def supply(self, *networks: str) -> Program:
        """Start wpa_supplicant with these blocks of its configuration (Network.wanted); it joins what is there."""
        self.leave()
        config = self.guest.folder / "client.conf"
        # A scan of all channels takes 4 s, of the three that do not overlap 0.3 s.
        common = f"ctrl_interface={CONTROL}\np2p_disabled=1\nfreq_list=2412 2437 2462\n"
        config.write_text(common + "".join(networks), encoding="utf-8")
        self.supplicant = self.guest.start(["wpa_supplicant", "-i", CLIENT, "-D", "nl80211", "-c", config])
        self.supplicant.wait_until(lambda: self.wpa("ping") == "PONG")
        return self.supplicant

    def leave(self) -> None:
        """End wpa_supplicant, take address, routes and resolver away."""
        if self.supplicant:
            self.supplicant.stop()  # in good order: it says goodbye to the access point
            self.supplicant = None
        self.guest.run(["ip", "addr", "flush", "dev", CLIENT])
        self.guest.run(["ip", "link", "set", CLIENT, "up"])
        self.guest.run(["sh", "-c", "> /etc/resolv.conf"])

    def wpa(self, *words: str) -> str:
        """Return wpa_supplicant's answer to a command of wpa_cli."""
        return self.guest.run(["wpa_cli", "-p", CONTROL, "-i", CLIENT, *words], check=False).stdout.strip()

    def scan(self) -> str:
        """Return what `iw dev wlan1 scan` prints, of all channels: 4 s."""
        # Beside a wpa_supplicant that has just started the kernel may refuse iw the results (ENOBUFS), which it then
        # asks for again and again, for ever.
        self.leave()
        return self.guest.run(["iw", "dev", CLIENT, "scan"]).stdout

    def words(self) -> str:
        """Return what the running wpa_supplicant has said."""
        return self.supplicant.words() if self.supplicant else ""

    def join(self, network: Network, passphrase: str | None = None) -> None:
        """Join a network and return when the client is associated; LabError when that fails."""
        supplicant = self.supply(network.wanted(passphrase))
        supplicant.wait_until(lambda: "wpa_state=COMPLETED" in self.wpa("status"), ASSOCIATED_S)

    def join_from_afar(self, network: Network, dbm: int) -> None:
        """Join an open network with the free radio too, at this power: the access point hears -50 dBm plus it."""
        self.guest.run(["ip", "link", "set", FREE, "up"])
        self.guest.run(["iw", "dev", FREE, "set", "txpower", "fixed", str(dbm * 100)])
        self.guest.run(["iw", "dev", FREE, "connect", network.ssid, str(network.mhz)])
        self.guest.wait_until(lambda: "Connected" in self.guest.run(["iw", "dev", FREE, "link"]).stdout, ASSOCIATED_S)

    def leave_from_afar(self) -> None:
        """Leave with the free radio."""
        self.guest.run(["iw", "dev", FREE, "disconnect"], check=False)
        self.guest.run(["ip", "link", "set", FREE, "down"])

    def lease(self) -> dict[str, str]:
        """
        Get an address by DHCP and set it with route and name server; LabError when there is none.

        Returns what was given, in busybox's words: ip, router, dns, serverid, and in hexadecimal opt114.
        """
        wish = ["-i", CLIENT, "-n", "-q", "-t", "5", "-T", "1", "-O", "114", "-s", str(self.guest.folder / "bound")]
        words = self.guest.run(["busybox", "udhcpc", *wish]).stdout
        return dict(line.split("=", 1) for line in words.splitlines() if "=" in line)
