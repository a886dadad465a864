"""The guest's WiFi behaves like one at a hotspot, in good order and in each disorder that a probe shall name."""

import re
import subprocess

import pytest

from tests.lab.background import LabError
from tests.lab.wifi import CLIENT, OPEN, SECURED, WWW, Network, Wifi


def curl(wifi: Wifi, url: str) -> str:
    """Return the status of an answer and where a redirect would lead; 000 without any answer."""
    wish = ["-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code} %{redirect_url}"]
    return wifi.guest.run(["curl", *wish, url], check=False).stdout.strip()


def signal_dbm(wifi: Wifi) -> int:
    """Return the strength at which the client hears its access point."""
    found = re.search(r"signal: (-\d+) dBm", wifi.guest.run(["iw", "dev", CLIENT, "link"]).stdout)
    assert found
    return int(found[1])


@pytest.mark.parametrize("network", [OPEN, SECURED], ids=["open", "wpa2"])
def test_a_clients_journey(wifi: Wifi, network: Network) -> None:
    """Scan, associate, lease, DNS, HTTP: each stage works with ordinary programs, open and with WPA2."""
    access_point = wifi.open if network is OPEN else wifi.secured
    assert {f"SSID: {OPEN.ssid}", f"SSID: {SECURED.ssid}"} <= {line.strip() for line in wifi.scan().splitlines()}
    wifi.join(access_point.network)
    assert signal_dbm(wifi) == -30
    wifi.lease()
    assert access_point.address in wifi.guest.run(["busybox", "nslookup", WWW]).stdout
    assert curl(wifi, f"http://{WWW}/") == "200"
    assert wifi.guest.run(["ping", "-c", "1", access_point.address]).returncode == 0


def test_a_weak_signal(wifi: Wifi) -> None:
    """With less power the client hears less, at full power as before."""
    wifi.join(OPEN)
    wifi.open.power(0)
    wifi.guest.wait_until(lambda: signal_dbm(wifi) == -50)
    wifi.open.power(20)
    wifi.guest.wait_until(lambda: signal_dbm(wifi) == -30)


def test_an_access_point_off_and_on(wifi: Wifi) -> None:
    """Off, the client loses it; on, it comes back by itself. Thrown out, it comes back as well."""
    wifi.join(SECURED)
    wifi.secured.switch_off()
    wifi.guest.wait_until(lambda: "wpa_state=COMPLETED" not in wifi.wpa("status"))
    wifi.secured.switch_on()
    wifi.guest.wait_until(lambda: "wpa_state=COMPLETED" in wifi.wpa("status"))
    assert wifi.supplicant
    wifi.secured.throw_out()
    wifi.supplicant.wait_until(lambda: wifi.words().count("CTRL-EVENT-CONNECTED") == 3)
    assert "reason=2" in wifi.words()


def test_a_wrong_passphrase(wifi: Wifi) -> None:
    """The client is told that its key may be wrong, and does not get in."""
    wifi.supply(SECURED.wanted("not-the-secret"))
    wifi.guest.wait_until(lambda: "WRONG_KEY" in wifi.words())
    assert "wpa_state=COMPLETED" not in wifi.wpa("status")


def test_without_dhcp_or_dns(wifi: Wifi) -> None:
    """With each server stopped its stage fails, and what is before it works."""
    wifi.join(OPEN)
    wifi.open.dhcp.stop()
    with pytest.raises(LabError, match="no lease"):
        wifi.lease()
    wifi.open.restore()
    wifi.lease()
    wifi.open.dns.stop()
    assert curl(wifi, f"http://{WWW}/") == "000"
    assert curl(wifi, f"http://{wifi.open.address}/") == "200"


def test_a_captive_portal(wifi: Wifi) -> None:
    """Closed, the vendors' questions lead to the login page; open, they are answered."""
    wifi.join(OPEN)
    wifi.lease()
    url = "http://wifi.vivo.com.cn/generate_204"
    assert curl(wifi, url) == "204"
    wifi.open.announce_portal()
    assert bytes.fromhex(wifi.lease()["opt114"]).decode() == wifi.open.portal.api
    wifi.open.close_portal()
    assert curl(wifi, url) == f"302 {wifi.open.portal.login}"


def test_the_product_runs_in_the_guest(wifi: Wifi) -> None:
    """The working folder's agent runs there, with scapy beside it; a command that hangs ends in time."""
    assert "sample" in wifi.guest.agent("--help").stdout
    wifi.guest.run(["python3", "-c", "import scapy.config, psutil"], 60)
    with pytest.raises(subprocess.TimeoutExpired):
        wifi.guest.run(["sleep", "9"], 0.2)
