"""The devices of the settings: whom an agent speaks for, with which profile, and what is wrong with that."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.config import Settings
from agent.devices import Wanted, all_questions, devices_of, problems_of_credentials, those_that_work
from contract.errors import ConfigError, Problem
from contract.settings import checked, load
from firmware_profiles.schema import Profile
from firmware_profiles.sources import Snmp
from tests.agent.doubles import DEVICE

TITLE = {"zh": "试", "en": "Test"}
AP = "441802-3144001234.ap-1"
HEAD = f'agent = "{DEVICE}"\n[broker]\nurl = "mqtt://192.0.2.1"\n'
SNMP = {"uptime": {"source": "snmp", "get": {"uptime": "1.3.6.1.2.1.1.3.0"}, "read": []}}
FILE = {"power": {"source": "file", "files": {"x": "/sys/x"}, "read": []}}
PROFILES: dict[str, dict[str, object]] = {
    "here": {"collect": FILE, "probes": {"icmp": [{"target": "192.0.2.1", "name": "gateway"}]}},
    "ap": {"collect": SNMP, "probes": {"icmp": [{"target": "192.0.2.9", "name": "management"}]}},
    "tester": {"probes": {"throughput": [{"target": "http://192.0.2.1/"}]}},
    "broken": {"probes": {"icmp": [{"target": "192.0.2.1", "packets": 0}], "pin": [{}]}},
}
asked: list[Wanted] = []


def resolve(_folder: Path, wanted: Sequence[Wanted]) -> list[Profile]:
    """Stand in for the process that reads YAML."""
    asked[:] = wanted
    head = {"title": TITLE, "role": "other", "verified": False}
    return [checked(Profile, {"id": one.id, **head, **PROFILES[one.id]}, "test") for one in wanted]


def settings(tmp_path: Path, text: str) -> Settings:
    """Return settings as an operator writes them."""
    file = tmp_path / "agent.toml"
    file.write_text(HEAD + text)
    return load(Settings, file, {})


def mistakes(tmp_path: Path, text: str) -> list[str]:
    """Return everything that is wrong with the settings."""
    with pytest.raises(ConfigError) as caught:
        given = settings(tmp_path, text)
        all_questions(given, devices_of(given, resolve))
    return [str(problem) for problem in caught.value.problems]


OBSERVED = f"""
[profile]
id = "here"
[[observe]]
device = "{AP}"
profile = "ap"
address = "192.0.2.9"
credentials = "readers"
parameters = {{ ap_name = "AP-3-2" }}
[[credentials]]
name = "readers"
community_file = "/etc/santong/community"
"""


def test_a_device_gets_its_profile_its_way_and_its_words(tmp_path: Path) -> None:
    """Address and credentials are where its readings are asked; parameters fill the profile's placeholders."""
    given = settings(tmp_path, OBSERVED)
    own, ap = devices_of(given, resolve)
    assert (own.id, own.profile.id, own.way.address) == (DEVICE, "here", "")
    assert (ap.id, ap.profile.id, ap.way.address, ap.way.community_file) == (
        AP,
        "ap",
        "192.0.2.9",
        "/etc/santong/community",
    )
    assert asked[1] == Wanted("ap", {"ap_name": "AP-3-2", "device": AP, "address": "192.0.2.9"}, "observe[0]")
    questions = all_questions(given, [own, ap])
    assert [(q.device, q.kind, q.tag) for q in questions] == [
        (DEVICE, "icmp", "gateway"),
        (DEVICE, "file", "power"),
        (AP, "icmp", "management"),
        (AP, "snmp", "uptime"),
    ]


def test_a_device_can_answer_on_another_port(tmp_path: Path) -> None:
    """A controller behind a forwarded port is read by the shipped profile."""
    given = settings(tmp_path, OBSERVED.replace('address = "192.0.2.9"', 'address = "192.0.2.9"\nport = 1161'))
    _, ap = devices_of(given, resolve)
    assert [what.port for what in ap.profile.collect.values() if isinstance(what, Snmp)] == [1161]
    wrong = OBSERVED.replace('address = "192.0.2.9"', 'address = "192.0.2.9"\nport = 70000')
    assert mistakes(tmp_path, wrong) == ["observe[0].port: 70000 is not a port: 1 to 65535"]


def test_a_probe_of_the_settings_stands_above_the_profiles_own(tmp_path: Path) -> None:
    """Who writes a probe of the same kind and name means it in the profile's place."""
    given = settings(tmp_path, OBSERVED + '[[probe.icmp]]\ntarget = "192.0.2.7"\nname = "gateway"\n')
    questions = all_questions(given, devices_of(given, resolve))
    assert [str(q.ask.target) for q in questions if q.tag == "gateway"] == ["192.0.2.7"]


def test_an_agent_without_a_profile_asks_for_none(tmp_path: Path) -> None:
    """Nothing is read, and no process is started to read nothing."""
    asked[:] = []
    assert devices_of(settings(tmp_path, '[profile]\nid = "none"\n'), resolve) == []
    assert asked == []


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Each names the setting and what to do."""
    observe = '[[observe]]\ndevice = "{}"\nprofile = "{}"\naddress = "192.0.2.9"\n'
    text = "".join(
        observe.format(*pair) for pair in ((DEVICE, "ap"), (AP, "auto"), (AP, "ap"), ("441802-3144009999.ap-1", "ap"))
    )
    text += 'credentials = "reader"\n[[credentials]]\nname = "readers"\n[[credentials]]\nname = "readers"\n'
    assert mistakes(tmp_path, text) == [
        "credentials[1].name: 'readers' is there twice",
        f"observe[0].device: {DEVICE} is the agent itself",
        "observe[1].profile: 'auto' is for the machine itself: name a profile",
        f"observe[2].device: {AP} is there twice",
        "observe[3].device: 441802-3144009999.ap-1 is not of this agent's site: no agent speaks for another's",
        "observe[3].credentials: 'reader' is not known; there are readers, readers",
    ]


def test_a_profile_must_fit_whom_it_is_given_to(tmp_path: Path) -> None:
    """A profile of another device is not for the machine itself, nor the other way round."""
    assert mistakes(tmp_path, '[profile]\nid = "ap"\n') == [
        "profile.id: ap asks another device (snmp): use [[observe]]"
    ]
    for profile, reason in (
        ("here", "here reads the machine itself (power): it needs an agent of its own"),
        ("tester", "tester has a throughput test, which tests our own line"),
    ):
        text = f'[profile]\nid = "none"\n[[observe]]\ndevice = "{AP}"\nprofile = "{profile}"\naddress = "192.0.2.9"\n'
        assert mistakes(tmp_path, text) == [f"observe {AP}: {reason}"]


def test_a_device_by_snmp_needs_credentials(tmp_path: Path) -> None:
    """Forgotten, or those of a projector: `run --check` says that nothing could be asked; a running agent goes on."""
    said = f"observe {AP}: ap needs [[credentials]] with community_file (SNMP v2c) or username (v3)"
    for text in (
        OBSERVED.replace('credentials = "readers"\n', "").replace("/etc/santong", str(tmp_path)),
        OBSERVED.replace("community_file", "password_file").replace("/etc/santong", str(tmp_path)),
    ):
        (tmp_path / "community").write_text("public")
        given = settings(tmp_path, text)
        devices, wrong = those_that_work(given, resolve)
        assert ([device.id for device in devices], wrong) == ([DEVICE, AP], [])
        assert [str(problem) for problem in problems_of_credentials(given, devices)] == [said]


def test_secrets_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """`run --check` says it; a running agent goes on without the device."""
    (tmp_path / "fine").write_text("\ufeffpublic\r\n", encoding="utf-8")
    (tmp_path / "empty").write_text("\n")
    files = {"community_file": "fine", "password_file": "empty", "auth_file": ".", "privacy_file": "none"}
    text = "".join(f'{name} = "{tmp_path / file}"\n' for name, file in files.items())
    given = settings(tmp_path, f'[[credentials]]\nname = "a"\n{text}')
    assert [str(problem).replace(str(tmp_path), "") for problem in problems_of_credentials(given, [])] == [
        "credentials[0].password_file: /empty: is empty, the password is missing",
        "credentials[0].auth_file: : the authentication password cannot be read: Is a directory",
        "credentials[0].privacy_file: /none: the privacy password cannot be read: No such file or directory",
    ]


def test_probes_of_a_profile_are_checked_like_those_of_the_settings(tmp_path: Path) -> None:
    """A mistake in a profile's probes names the profile and the place in it."""
    assert mistakes(tmp_path, '[profile]\nid = "broken"\n') == [
        "probes.icmp[0].packets: 0 is too little: above 0 is needed",
        "probes.pin[0]: there is no kind of probe pin; there are icmp, tcp, dns, dhcp, arp, http, portal, throughput, "
        "wifi_scan, wifi_join",
    ]


def test_profiles_that_do_not_work_cost_their_own_devices_alone(tmp_path: Path) -> None:
    """One spoilt file must not silence an agent, or the other devices that it speaks for."""

    def partly(folder: Path, wanted: Sequence[Wanted]) -> list[Profile]:
        if wrong := [Problem(one.where, "is not YAML") for one in wanted if one.id == "spoilt"]:
            raise ConfigError("settings", wrong)
        return resolve(folder, wanted)

    other = f'[[observe]]\ndevice = "{AP}-2"\nprofile = "spoilt"\naddress = "192.0.2.10"\n'
    devices, wrong = those_that_work(settings(tmp_path, OBSERVED + other), partly)
    assert [device.id for device in devices] == [DEVICE, AP]
    assert [str(problem) for problem in wrong] == ["observe[1]: is not YAML"]
    devices, wrong = those_that_work(settings(tmp_path, OBSERVED.replace('"here"', '"spoilt"')), partly)
    assert [device.id for device in devices] == [AP]
    devices, wrong = those_that_work(settings(tmp_path, OBSERVED.replace('"here"', '"ap"')), partly)
    assert [device.id for device in devices] == [AP], "what a machine cannot be asked is left out as well"


def test_profiles_that_nobody_can_read_cost_no_presence(tmp_path: Path) -> None:
    """Without YAML, memory or time to read them an agent still measures; mistakes of the settings still end it."""

    def never(_folder: Path, _wanted: Sequence[Wanted]) -> list[Profile]:
        raise ConfigError("settings", [Problem("profile", "profiles cannot be read: no memory")])

    devices, wrong = those_that_work(settings(tmp_path, ""), never)
    assert (devices, len(wrong)) == ([], 1)
    with pytest.raises(ConfigError, match="is the agent itself"):
        those_that_work(settings(tmp_path, OBSERVED.replace(f'"{AP}"', f'"{DEVICE}"')), never)
