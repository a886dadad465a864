"""What settings of probes must not say: what can never work or would do harm is refused, with its place."""

from pathlib import Path
from typing import Any

import pytest

from agent.probe.ask import ask_of
from agent.probe.sense import problems
from agent.probe.settings import KINDS, ProbeSettings
from agent.questions import probes_of
from contract.errors import ConfigError
from contract.settings import load, section
from tests.agent.doubles import DEVICE

TARGETS = {
    "icmp": "192.0.2.1",
    "tcp": "192.0.2.1:443",
    "dns": "www.lab",
    "dhcp": "eth0",
    "arp": "eth0",
    "http": "https://192.0.2.1/",
    "portal": "internet",
    "throughput": "http://192.0.2.1/backend/",
    "wifi_scan": "Campus",
    "wifi_join": "Campus",
}
WIRELESS = {"wifi_scan": ["interface=wlan1"], "wifi_join": ["interface=wlan1"]}


def in_settings(kind: str, *given: str) -> list[str]:
    """Return what is said of a probe in an agent's settings."""
    texts = dict(text.split("=", 1) for text in (*WIRELESS.get(kind, ()), *given))
    try:
        ask = section(KINDS[kind], {"target": TARGETS[kind], **texts}, "settings")
        asked: dict[str, Any] = {kind: (ask,)}
        probes_of(ProbeSettings(**asked), DEVICE)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def on_the_command_line(kind: str, *given: str) -> list[str]:
    """Return what is said of a probe that a command line asks for."""
    texts = dict(text.split("=", 1) for text in given)
    try:
        ask_of(kind, texts.pop("target", TARGETS[kind]), [*WIRELESS.get(kind, ()), *map("=".join, texts.items())])
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


MISTAKES = [
    ("icmp", "timeout=601", "timeout: 601 s is too long: at most 600 s"),
    ("throughput", "timeout=20m", "timeout: 1200 s is too long: at most 600 s"),
    ("icmp", "packets=1001", "packets: 1001 are too many: at most 1000"),
    ("icmp", "interval=9ms", "interval: 9 ms is too fast: at least 10 ms"),
    ("icmp", "packets=100", "timeout: 100 packets every 0.1 s take 9.9 s: set timeout to 10.9 s or more"),
    ("icmp", "max_loss_percent=-1", "max_loss_percent: -1 is no share: 0 to 100"),
    ("icmp", "max_loss_percent=101", "max_loss_percent: 101 is no share: 0 to 100"),
    ("icmp", "max_loss_percent=nan", "max_loss_percent: nan is no share: 0 to 100"),
    ("icmp", "max_rtt=0", "max_rtt: 0 s is what nothing can keep: above 0 is needed"),
    ("tcp", "max_rtt=0s", "max_rtt: 0 s is what nothing can keep: above 0 is needed"),
    ("http", "max_first_byte=0s", "max_first_byte: 0 s is what nothing can keep: above 0 is needed"),
    ("dns", "target=127.0.0.1", "target: 127.0.0.1 is an address, a name to look up is needed"),
    ("dns", "target=2001:db8::1", "target: 2001:db8::1 is an address, a name to look up is needed"),
    ("dns", "expect=2001:db8::1", "expect: no network there can hold an answer of type A"),
    ("dhcp", "listen=8s", "listen: 8 s leave no time for an offer in timeout, 8 s: set timeout to 9 s or more"),
    ("arp", "subnet=10.0.0.0/21", "subnet: 10.0.0.0/21 has more than 1024 addresses: set subnet to a part, such as"),
    ("http", "status=200,600", "status: 600 is no status of HTTP: 100 to 599"),
    ("http", "status=99", "status: 99 is no status of HTTP: 100 to 599"),
    ("http", "max_redirects=-1", "max_redirects: -1 is not within 0 and 20"),
    ("http", "max_redirects=21", "max_redirects: 21 is not within 0 and 20"),
    ("http", "min_certificate_days=inf", "min_certificate_days: inf is no number of days"),
    ("http", "ca=/no/ca.crt", "ca: there is no file /no/ca.crt"),
    ("portal", "ca=/", "ca: / cannot be read"),
    ("throughput", "ca=/no/ca.crt", "ca: there is no file /no/ca.crt"),
    ("portal", "endpoints=", "endpoints: is empty"),
    ("wifi_join", "endpoints=", "endpoints: is empty"),
    ("throughput", "timeout=10s", "timeout: 10 s are too short for what is to be measured: set 24 s"),
    ("throughput", "streams=33", "streams: 33 are too many: at most 32"),
    ("throughput", "seconds=0.5", "seconds: 0.5 s is not within 1 s and 120 s"),
    ("throughput", "warm_up=61", "warm_up: 61 s is not within 0.1 s and 60 s"),
    ("throughput", "slot=-1", "slot: -1 is no slot: they are counted from 0"),
    ("throughput", "window=12:00-12:00", "window: '12:00-12:00' is not a window: each part ends later"),
    ("throughput", "window=12:00-14:00,13:00-15:00", "window: '12:00-14:00,13:00-15:00' is not a window: two of its"),
    ("throughput", "window=12:00-14:00+15:00", "window: '12:00-14:00+15:00' is not a window: the zone at its end"),
    ("throughput", "window=12:00-14:00-08:60", "window: '12:00-14:00-08:60' is not a window: the zone at its end"),
    ("wifi_scan", "min_rssi_dbm=70", "min_rssi_dbm: 70 dBm is no signal's strength: -120 to 0"),
    ("wifi_join", "min_rssi_dbm=nan", "min_rssi_dbm: nan dBm is no signal's strength: -120 to 0"),
    ("wifi_join", "dns=192.0.2.53", "dns: 192.0.2.53 is an address, a name to look up is needed"),
]


@pytest.mark.parametrize(("kind", "given", "message"), MISTAKES)
def test_what_makes_no_sense_is_refused(kind: str, given: str, message: str) -> None:
    """Each mistake is one line that begins with the setting, in an agent's settings and on the command line alike."""
    in_file = in_settings(kind, given)
    place = "" if ": '" in message else f"probe.{kind}[0]."
    assert any(said.startswith(place + message) for said in in_file), in_file
    by_hand = on_the_command_line(kind, given)
    assert any(said.startswith(message) for said in by_hand), by_hand
    assert not any("\n" in said for said in in_file + by_hand)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (
            "dhcp",
            ("request=true", "listen=7s"),
            "listen: 7 s leave no time for an offer and the request in timeout, 8 s",
        ),
        (
            "arp",
            ("subnet=10.0.0.0/24", "expect=10.0.1.7"),
            "expect: 10.0.1.7 is no host of 10.0.0.0/24, which is asked",
        ),
        ("arp", ("subnet=10.0.0.0/24", "expect=10.0.0.255"), "expect: 10.0.0.255 is no host of 10.0.0.0/24"),
        ("arp", ("subnet=10.0.0.0/24", "per_second=10"), "timeout: 254 addresses take 51.8 s: set timeout or"),
        ("dns", ("type=AAAA", "expect=192.0.2.0/24"), "expect: no network there can hold an answer of type AAAA"),
        ("throughput", ("timeout=10m", "window=12:00-12:05"), "window: the shortest part of the window has 300 s"),
        ("throughput", ("seconds=8", "upload=false", "timeout=11s"), "timeout: 11 s are too short"),
    ],
)
def test_what_makes_no_sense_together(kind: str, given: tuple[str, ...], message: str) -> None:
    """Settings that are fine alone but not together are refused as well."""
    said = on_the_command_line(kind, *given)
    assert len(said) == 1
    assert said[0].startswith(message)
    assert in_settings(kind, *given) == [f"probe.{kind}[0].{said[0]}"]


def test_how_often_matters_to_an_agent_alone() -> None:
    """`every` below a second, above a year, or shorter than a run: no settings; a single run has no `every`."""
    for kind in KINDS:
        (said,) = [text for text in in_settings(kind, "every=0.5") if ".every" in text]
        assert said == f"probe.{kind}[0].every: 0.5 s is too often: at least 1 s"
        assert on_the_command_line(kind, "every=0.5") == []
    words = "probe.icmp[0].timeout: 120 s is longer than every, 60 s: a run must end before the next"
    assert in_settings("icmp", "timeout=120") == [words]
    assert on_the_command_line("icmp", "timeout=120") == []
    assert in_settings("throughput", "every=20s") == [], "it has its slot"
    assert in_settings("icmp", f"every={'9' * 300}")[0].endswith("s is too rare: at most a year")


def test_defaults_and_bounds_make_sense() -> None:
    """Every kind works with its defaults, and at the bounds of what is allowed."""
    for kind in KINDS:
        assert in_settings(kind) == []
        assert on_the_command_line(kind) == []
    assert in_settings("icmp", "packets=1000", "interval=10ms", "timeout=11s", "max_loss_percent=0") == []
    assert in_settings("http", "status=100,599", "max_redirects=20", "min_certificate_days=-1") == []
    assert in_settings("arp", "subnet=10.0.0.0/22", "expect=10.0.3.254") == []
    assert in_settings("throughput", "window=12:00-13:00,13:00-14:00-14:00", "slot=0", "streams=32") == []
    assert in_settings("dhcp", "request=true", "listen=6s") == []
    assert in_settings("icmp", "timeout=1s", "packets=1", "every=1s") == []


def test_a_passphrase_may_come_later(tmp_path: Path) -> None:
    """A command line names a passphrase file that is not there; an agent's settings may stand there before it."""
    file = tmp_path / "passphrase"
    assert on_the_command_line("wifi_join", f"passphrase_file={file}") == [f"passphrase_file: there is no file {file}"]
    assert in_settings("wifi_join", f"passphrase_file={file}") == []
    file.write_text("12345678\n")
    assert on_the_command_line("wifi_join", f"passphrase_file={file}") == []


def test_all_mistakes_of_all_probes_are_said_at_once(tmp_path: Path) -> None:
    """Several mistakes in several probes are several lines."""
    file = tmp_path / "probes.toml"
    file.write_text(
        '[[icmp]]\ntarget = "192.0.2.1"\npackets = 5000\nmax_loss_percent = nan\n'
        '[[http]]\ntarget = "http://192.0.2.1/"\n[[http]]\ntarget = "http://192.0.2.2/"\nmax_redirects = 100\n'
    )
    with pytest.raises(ConfigError) as caught:
        probes_of(load(ProbeSettings, file, {}), DEVICE)
    assert [problem.path for problem in caught.value.problems] == [
        "probe.icmp[0].packets",
        "probe.icmp[0].max_loss_percent",
        "probe.http[1].max_redirects",
    ]


def test_a_problem_is_looked_for_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check opens no socket and resolves no name."""
    monkeypatch.setattr("socket.socket", lambda *_: pytest.fail("a socket"))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: pytest.fail("a name"))
    for kind, asked in KINDS.items():
        texts = dict(text.split("=") for text in WIRELESS.get(kind, ()))
        ask = section(asked, {"target": TARGETS[kind], **texts}, "settings")
        assert problems(ask, is_repeated=True) == []
