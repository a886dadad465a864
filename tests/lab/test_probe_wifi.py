"""`santong-agent probe wifi_scan` and `wifi_join` in the guest: real radios, real hostapd and wpa_supplicant."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.lab.product import EXIT
from tests.lab.wifi import CLIENT, OPEN, SECURED, WWW, Network, Wifi

_LAN = "lan0"


def probe(wifi: Wifi, kind: str, target: str, *given: str) -> dict[str, Any]:
    """Run a probe in the guest, in the product's worker; return what `santong-agent probe --json` prints."""
    return wifi.guest.probe(kind, target, [f"interface={CLIENT}", *given])


def command(wifi: Wifi, kind: str, target: str, *given: str) -> dict[str, Any]:
    """Run `santong-agent probe` itself; in the emulated guest Python and its libraries need ten seconds to start."""
    words = [word for text in (f"interface={CLIENT}", *given) for word in ("--set", text)]
    done = wifi.guest.run(["santong-agent", "probe", kind, target, *words, "--json"], 120, check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == EXIT[found["success"]], "the exit code says what the outcome says"
    return found


def join(wifi: Wifi, network: Network, *given: str, word: str | None = None) -> dict[str, Any]:
    """Go the way into a network with its own passphrase, or with another `word` ("": none)."""
    file = wifi.guest.folder / "passphrase"
    word = network.passphrase if word is None else word
    file.write_text(word + "\n", encoding="ascii")
    secret = [f"passphrase_file={file}"] if word else []
    return probe(wifi, "wifi_join", network.ssid, f"dns={WWW}", *secret, *given)


def state(wifi: Wifi) -> str:
    """Return everything of the client's machine that a journey could disturb."""
    shell = (
        "ip -br -4 addr; ip rule; ip -4 route show table all; ip -6 route show default; cat /etc/resolv.conf; "
        f"cat /proc/sys/net/ipv4/conf/{CLIENT}/arp_ignore /proc/sys/net/ipv6/conf/{CLIENT}/accept_ra"
    )
    is_joined = "wpa_state=COMPLETED" in wifi.wpa("status")
    return f"{wifi.guest.run(['sh', '-c', shell]).stdout}{wifi.wpa('list_networks')}\njoined: {is_joined}"


_LAN_UP = (
    f"ip link add {_LAN} type dummy && ip link set {_LAN} up && ip addr add {OPEN.subnet}.200/24 dev {_LAN}"
    f" && ip route replace default via {OPEN.subnet}.1 dev {_LAN}"
    " && echo nameserver 192.0.2.53 > /etc/resolv.conf && echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter"
)
_LAN_DOWN = f"ip link del {_LAN}; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter"


@pytest.fixture
def ready(wifi: Wifi) -> Iterator[Wifi]:
    """
    Give the guest with a wpa_supplicant that has no network, and a LAN of its machine's own.

    The LAN has the subnet of the open WiFi and the default route, and reverse path filtering is strict.
    """
    wifi.supply()
    wifi.guest.run(["sh", "-c", _LAN_UP])
    yield wifi
    wifi.guest.run(["sh", "-c", _LAN_DOWN])


def test_scan(wifi: Wifi) -> None:
    """Both networks are found with signal, channel and security; one that is not there fails at `scan`."""
    wifi.leave()
    found = probe(wifi, "wifi_scan", SECURED.ssid, "security=wpa2-psk", "min_rssi_dbm=-65")
    assert found["success"]
    fields = found["fields"]
    assert (fields["found"], fields["channel"], fields["rssi_dbm"]) == (1, SECURED.channel, -30.0)
    assert {row["ssid"] for row in found["details"]["networks"]} == {OPEN.ssid, SECURED.ssid}
    found = probe(wifi, "wifi_scan", OPEN.ssid, "security=wpa2-psk")
    assert (found["success"], found["stage"]) == (False, "security")
    found = probe(wifi, "wifi_scan", "santong-nowhere")
    assert (found["stage"], found["fields"]["found"]) == ("scan", 0)


def test_scan_with_an_interface_that_is_down(wifi: Wifi) -> None:
    """An interface that is down is scanned with, and is down again afterwards."""
    wifi.leave()
    wifi.guest.run(["ip", "link", "set", CLIENT, "down"])
    assert command(wifi, "wifi_scan", OPEN.ssid)["success"]
    assert "UP" not in wifi.guest.run(["ip", "link", "show", CLIENT]).stdout.partition(">")[0].split(",")


def test_weak_signal(ready: Wifi) -> None:
    """A signal below what is due fails at `signal`, with what was heard; the network is not joined."""
    ready.open.power(0)
    found = join(ready, OPEN, "min_rssi_dbm=-45")
    assert (found["success"], found["stage"], found["fields"]["rssi_dbm"]) == (False, "signal", -50.0)
    assert "associate_ms" not in found["fields"]


@pytest.mark.parametrize("network", [OPEN, SECURED], ids=["open", "wpa2"])
def test_whole_journey(ready: Wifi, network: Network) -> None:
    """A page is reached through the WiFi, every stage has its time, and the machine is as before."""
    before = state(ready)
    found = join(ready, network, f"http=http://{WWW}/", "body=welcome", "expect=open")
    assert (found["success"], found["stage"]) == (True, "done"), found
    fields = found["fields"]
    for name in ("scan_ms", "associate_ms", "dhcp_ms", "dns_ms", "portal_ms", "http_ms"):
        assert fields[name] > 0
    assert (fields["rssi_dbm"], fields["channel"], fields["lease_s"]) == (-30.0, network.channel, 600)
    assert found["details"]["address"].startswith(f"{network.subnet}.")
    assert state(ready) == before


def test_lease_is_given_back(ready: Wifi) -> None:
    """The access point's DHCP server has no lease of ours afterwards."""
    assert join(ready, OPEN)["success"]
    assert "DHCPRELEASE" in ready.open.dhcp.words()


def test_captive_portal(ready: Wifi) -> None:
    """A login page is the end of the way: a success with stage `portal`, and a failure where none is expected."""
    ready.open.close_portal()
    found = join(ready, OPEN, f"http=http://{WWW}/")
    assert (found["success"], found["stage"]) == (True, "portal"), found
    assert "http_ms" not in found["fields"]
    found = join(ready, OPEN, "expect=open")
    assert (found["success"], found["stage"]) == (False, "portal")


def test_wrong_passphrase(ready: Wifi) -> None:
    """A wrong passphrase fails at `associate` with the reason code of the handshake, and leaves no network behind."""
    before = state(ready)
    found = join(ready, SECURED, word="not-the-secret")
    assert (found["success"], found["stage"], found["code"]) == (False, "associate", 15)
    assert "WRONG_KEY" in found["reason"]
    assert "not-the-secret" not in json.dumps(found)
    assert state(ready) == before


def test_other_security_than_ours(ready: Wifi) -> None:
    """A passphrase for an open network, and none for a protected one, fail at `associate` before anything is sent."""
    found = join(ready, OPEN, word="some-secret")
    assert (found["stage"], found["reason"][:19]) == ("associate", "the network is open")
    found = join(ready, SECURED, word="")
    assert (found["stage"], found["reason"][:23]) == ("associate", "the network is wpa2-psk")


def test_access_point_off_and_on(ready: Wifi) -> None:
    """Without power the access point is not heard, although the kernel remembers it; with power it is joined again."""
    assert join(ready, OPEN)["success"]
    ready.open.switch_off()
    found = join(ready, OPEN)
    assert (found["success"], found["stage"], found["fields"]["found"]) == (False, "scan", 0)
    ready.open.switch_on()
    assert join(ready, OPEN)["success"]


def test_dead_dhcp(ready: Wifi) -> None:
    """Without a DHCP server the way ends at `dhcp`, and the machine is as before."""
    before = state(ready)
    ready.open.dhcp.stop()
    found = join(ready, OPEN, "timeout=12s")
    assert (found["success"], found["stage"]) == (False, "dhcp")
    assert found["fields"]["associate_ms"] > 0
    assert state(ready) == before


def test_dead_dns(ready: Wifi) -> None:
    """Without a name server the way ends at `dns`, and the machine is as before."""
    before = state(ready)
    ready.open.dns.stop()
    found = join(ready, OPEN)
    assert (found["success"], found["stage"]) == (False, "dns")
    assert found["fields"]["lease_s"] == 600
    assert state(ready) == before


def test_page_that_is_not_there(ready: Wifi) -> None:
    """A page with another text than due is a failure of `http`."""
    found = join(ready, OPEN, f"http=http://{WWW}/", "body=something else")
    assert (found["success"], found["stage"], found["code"]) == (False, "http", 200)


def test_put_out_on_the_way(ready: Wifi) -> None:
    """Who is put out for good while an address is asked for fails at `associate`, with the access point's reason."""
    ready.open.dhcp.stop()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(join, ready, OPEN, "timeout=14s")
        ready.guest.wait_until(lambda: "wpa_state=COMPLETED" in ready.wpa("status"), 60)
        ready.open.throw_out()
        ready.open.switch_off()
        found = running.result()
    assert (found["success"], found["stage"]) == (False, "associate"), found
    assert found["code"] in (2, 4)  # put out, or out of reach once the access point was gone


def test_after_a_killed_run(ready: Wifi) -> None:
    """What a killed run leaves behind is removed by the next one."""
    before = state(ready)
    ready.open.dns.stop()  # so that it stays a while where everything is laid
    words = ["santong-agent", "probe", "wifi_join", OPEN.ssid, "--set", f"interface={CLIENT}"]
    running = ready.guest.start(words)
    ready.guest.wait_until(lambda: f"oif {CLIENT}" in ready.guest.run(["ip", "rule"]).stdout, 120)
    running.kill()
    assert state(ready) != before
    ready.open.restore()
    assert join(ready, OPEN)["success"]
    after = state(ready)
    assert f"oif {CLIENT}" not in after
    assert ready.wpa("list_networks").count("\n") == 0


def test_two_at_once(ready: Wifi) -> None:
    """A second journey over the same interface says that it is in use, and does not disturb the first."""
    ready.open.dhcp.stop()  # so that the first one takes its time
    with ThreadPoolExecutor() as pool:
        running = pool.submit(join, ready, OPEN)
        ready.guest.wait_until(lambda: "wpa_state=COMPLETED" in ready.wpa("status"), 60)
        found = join(ready, OPEN)
        assert found["success"] is None
        assert "another probe is using" in found["reason"]
        ready.open.restore()
        assert running.result()["success"]


def test_network_of_somebody_else(wifi: Wifi) -> None:
    """A supplicant that has networks is not touched: it stays connected, and the probe says what is wrong."""
    wifi.join(SECURED)
    found = join(wifi, OPEN)
    assert found["success"] is None
    assert "networks of its own" in found["reason"]
    assert "wpa_state=COMPLETED" in wifi.wpa("status")


def test_no_supplicant_and_no_interface(wifi: Wifi) -> None:
    """What is missing on our side is said with what to do."""
    wifi.leave()
    found = join(wifi, OPEN)
    assert found["success"] is None
    assert "start wpa_supplicant" in found["reason"]
    words = ["santong-agent", "probe", "wifi_join", OPEN.ssid, "--set", "interface=wlan9"]
    assert "there is no interface wlan9" in wifi.guest.run(words, 60, check=False).stdout
