"""`santong-agent profiles record`: a device becomes a folder that replays as it did, without what is private."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.gather.snmp_walk import Varbind
from agent.outcome import Failed
from agent.profiles import record, record_host
from agent.profiles.redact import Redactor
from agent.profiles.snmprec import line, redacted
from contract.errors import ConfigError
from firmware_profiles.library import Library
from tests.profiles import http_json_server, pjlink_server, snmp_server, ubus_server
from tests.profiles.snmp_replay import numbers, recorded

MAC = "001cbfd3e4a5"
OTHER = "a0b1c2d3e4f5"
SERIAL = "2102351BTU10K8000123"
ARCS = ".".join(str(octet) for octet in bytes.fromhex(MAC))
AP = "1.3.6.1.4.1.2011.6.139.13.3.3.1"
SECRETS = (MAC, OTHER, SERIAL.lower(), "boss", "library", "schule-7", "119.29.29.29", ARCS, "cabinet")
DEVICE = f"""\
1.3.6.1.2.1.1.1.0|4|Huawei AC V200R019C00SPC500 of schule-7
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2011.2.240.17
1.3.6.1.2.1.1.3.0|67|8811
1.3.6.1.2.1.1.4.0|4|Boss <boss@schule.example>
1.3.6.1.2.1.1.5.0|4|schule-7
1.3.6.1.2.1.1.6.0|4x|{"图书馆 library".encode("gb18030").hex()}
1.3.6.1.2.1.2.2.1.2.1|4|GigabitEthernet0/0/1
1.3.6.1.2.1.2.2.1.6.1|4x|{MAC}
1.3.6.1.2.1.2.2.1.6.2|4|0EARaz
1.3.6.1.2.1.25.4.2.1.5.1|4|--password=hunter22
1.3.6.1.2.1.31.1.1.1.18.1|4|to cabinet 4
1.3.6.1.4.1.2011.6.139.1.1.0|64|119.29.29.29
1.3.6.1.4.1.2011.6.139.1.2.0|4|dns 119.29.29.29, mac 001c-bfd3-e4a5 / {OTHER.upper()}
1.3.6.1.4.1.2011.6.139.1.3.0|4x|0102{MAC}00
{AP}.2.{ARCS}|4|{SERIAL}
{AP}.3.{ARCS}|4|AP4050DN
{AP}.4.{ARCS}|4|library-{MAC}
{AP}.6.{ARCS}|2|8
{AP}.99.{ARCS}|6|1.3.6.1.4.1.2011.6.139.13.3.3.1.4.{ARCS}
"""


def run(*arguments: object) -> Any:
    """Run the command."""
    return CliRunner().invoke(app, ["profiles", "record", *map(str, arguments)])


@pytest.fixture
def community(tmp_path: Path) -> Path:
    """Return the file with the community that the servers know."""
    file = tmp_path / "community"
    file.write_text("public\n")
    return file


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """Return a folder with a device that tells everything it should not."""
    folder = tmp_path / "device"
    folder.mkdir()
    (folder / "snmp.snmprec").write_text(DEVICE)
    return folder


def left(folder: Path) -> list[str]:
    """Return the secrets that any file of a recording has: as text, in hexadecimal digits, in numbers of an index."""
    found = []
    for file in folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            plain = content.decode("utf-8", "replace").lower()
            digits = "".join(letter for letter in plain if letter in "0123456789abcdef")
            octets = [bytes.fromhex(row.split("|")[2]) for row in plain.splitlines() if "|4x|" in row]
            texts = [plain, digits, *(value.decode("gb18030", "replace").lower() for value in octets)]
            found += [secret for secret in SECRETS for text in texts if secret in text]
    return found


def test_nothing_private_is_left_of_an_snmp_device(tmp_path: Path, device: Path, community: Path) -> None:
    """Text, octets, and index: no address, serial number, name, place or contact of the original is in any file."""
    out = tmp_path / "out"
    with snmp_server.serving(device) as port:
        done = run("127.0.0.1", "--port", port, "--community-file", community, "--out", out)
    assert done.exit_code == 0, done.output
    assert left(device)
    assert left(out) == []
    assert "hunter22" not in (out / "snmp.snmprec").read_text()
    assert (out / "SOURCE").read_text().startswith("recorded: SNMP v2c, ")
    assert "127.0.0.1" not in (out / "SOURCE").read_text()


def test_what_a_profile_reads_is_still_there(tmp_path: Path, device: Path, community: Path) -> None:
    """The recording replays: versions, states and models as they were, rows joined by the same stand-in everywhere."""
    out = tmp_path / "out"
    with snmp_server.serving(device) as port:
        run("127.0.0.1", "--port", port, "--community-file", community, "--out", out)
    objects = recorded(out / "snmp.snmprec")
    stand_in = objects[numbers("1.3.6.1.2.1.2.2.1.6.1")][1].replace(" ", "")
    index = tuple(bytes.fromhex(stand_in))
    assert stand_in.startswith("00005e0053")
    assert objects[(*numbers(AP), 6, *index)] == ("integer", "8")
    assert bytes.fromhex(objects[(*numbers(AP), 3, *index)][1]) == b"AP4050DN"
    assert numbers(objects[(*numbers(AP), 99, *index)][1])[-6:] == index
    text = bytes.fromhex(objects[numbers("1.3.6.1.2.1.1.1.0")][1]).decode()
    assert "V200R019C00SPC500" in text
    assert objects[numbers("1.3.6.1.2.1.1.3.0")] == ("timeticks", "8811")


def test_an_address_that_is_text_by_chance_is_none_the_less_one() -> None:
    """Six octets that could be letters are an address where the column, or its other rows, say so."""
    column = (1, 3, 6, 1, 4, 1, 9999, 1, 2, 1, 3)
    rows = [Varbind((*column, 1), 4, b"0EARaz"), Varbind((*column, 2), 4, bytes.fromhex(MAC))]
    made, lost = redacted(rows, Redactor())
    assert [len(one.value) for one in made if isinstance(one.value, bytes)] == [6, 6]
    assert not [one for one in made if one.value == b"0EARaz"]
    assert lost == 0


def test_serial_numbers_of_an_unknown_table_are_known_by_their_form() -> None:
    """A column whose texts are all different and as long as each other, letters and digits, holds serial numbers."""
    column = (1, 3, 6, 1, 4, 1, 9999, 1, 2, 1, 4)
    rows = [Varbind((*column, row), 4, f"CN35G9K0{row:02}".encode()) for row in range(1, 4)]
    versions = [Varbind((*column[:-1], 5, row), 4, b"V200R019C00") for row in range(1, 4)]
    made, _ = redacted([*rows, *versions], Redactor())
    assert not [one for one in made if isinstance(one.value, bytes) and one.value.startswith(b"CN35")]
    assert sum(one.value == b"V200R019C00" for one in made) == 3


@pytest.mark.parametrize("last", [0xF5, 0x05])
@pytest.mark.parametrize("column", [1, 2, 4, 6, 12, 34])
@pytest.mark.parametrize("entry", [(9999, 2, 1, 1), (9999, 2, 1, 1, 1), (9999, 3, 7, 1)])
@pytest.mark.parametrize("before", [(), (6,), (1,), (101,)])
def test_an_address_in_an_index_is_replaced_whole_and_nothing_beside_it(
    before: tuple[int, ...], entry: tuple[int, ...], column: int, last: int
) -> None:
    """After a column of any number, after its length or another number: six octets go, what is before them stays."""
    mac = (*bytes.fromhex("a4b1c2d3e4"), last)
    above = (1, 3, 6, 1, 4, 1, *entry, column, *before)
    (one,), lost = redacted([Varbind((*above, *mac), 2, 7)], Redactor())
    assert (one.oid, lost) == ((*above, *bytes.fromhex("00005e005300")), 0)


def test_a_public_address_found_elsewhere_is_known_in_an_index_and_in_octets() -> None:
    """A vendor's table of DNS servers by address, and a string of four octets, have the stand-in that the text has."""
    column = (1, 3, 6, 1, 4, 1, 9999, 3, 7, 1, 2)
    address = bytes([119, 29, 29, 29])
    rows = [
        Varbind((*column, *address), 2, 1),
        Varbind((*column[:-1], 3, 1), 2, 5),
        Varbind((*column[:-1], 4, 1), 4, b"\xca" + address[1:]),
        Varbind((*column[:-1], 5, 1), 4, b"dns 119.29.29.29 and 202.29.29.29"),
    ]
    made, _ = redacted(rows, Redactor())
    assert made[0].oid == (*column, 192, 0, 2, 1)
    assert made[2].value == bytes([192, 0, 2, 2])


@pytest.mark.parametrize("before", [(), (6,)])
@pytest.mark.parametrize("after", [(0,), (1,), (2, 5)])
def test_the_number_of_a_radio_after_an_address_stays(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    """Access points' radios and networks stand behind the address: it goes, they stay, in the first column too."""
    mac = bytes.fromhex("a4b0c2d3e4f5")
    above = [(1, 3, 6, 1, 4, 1, 9999, 3, 7, 1, column, *before) for column in (1, 2, 3, 4, 6)]
    made, _ = redacted([Varbind((*names, *mac, *after), 2, 7) for names in above], Redactor())
    assert [one.oid for one in made] == [(*names, *bytes.fromhex("00005e005300"), *after) for names in above]


@pytest.mark.parametrize(
    ("one", "written"),
    [
        (Varbind((1, 3, 6, 1), 4, b"text"), "1.3.6.1|4|text"),
        (Varbind((1, 3, 6, 1), 4, "三楼".encode()), "1.3.6.1|4|三楼"),
        (Varbind((1, 3, 6, 1), 4, b"two\nlines"), "1.3.6.1|4x|74776f0a6c696e6573"),
        (Varbind((1, 3, 6, 1), 4, b" blank"), "1.3.6.1|4x|20626c616e6b"),
        (Varbind((1, 3, 6, 1), 64, b"\x0a\x01\x02\x03"), "1.3.6.1|64|10.1.2.3"),
        (Varbind((1, 3, 6, 1), 68, b"\x9f\x78\x04\x3f\x80\x00\x00"), "1.3.6.1|4|1"),
        (Varbind((1, 3, 6, 1), 68, b"\x9f\x79"), "1.3.6.1|4x|9f79"),
        (Varbind((1, 3, 6, 1), 6, (1, 3, 6)), "1.3.6.1|6|1.3.6"),
        (Varbind((1, 3, 6, 1), 2, -5), "1.3.6.1|2|-5"),
    ],
)
def test_each_type_has_its_line(one: Varbind, written: str) -> None:
    """What replays the recording reads each value as it was."""
    assert line(one) == written


def test_a_bound_gives_a_part_and_says_so(tmp_path: Path, device: Path, community: Path) -> None:
    """What was found until then is kept; the exit code and SOURCE say that it is not all."""
    out = tmp_path / "out"
    with snmp_server.serving(device) as port:
        done = run("127.0.0.1", "--port", port, "--community-file", community, "--out", out, "--most", 5)
    assert done.exit_code == 1
    assert len((out / "snmp.snmprec").read_text().splitlines()) == 5
    assert "not whole: ended at 5 objects (--most)" in (out / "SOURCE").read_text()


def test_a_device_that_falls_silent_leaves_a_part(
    tmp_path: Path, device: Path, community: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A controller that stops answering in the middle costs what is missing, and no more."""

    def walk(*_: object) -> Iterator[list[Varbind]]:
        yield [Varbind(numbers("1.3.6.1.2.1.1.3.0"), 67, 8811)]
        raise Failed("timeout", "no further answer")

    monkeypatch.setattr("agent.profiles.record_snmp.walk", walk)
    out = tmp_path / "out"
    with snmp_server.serving(device) as port:
        done = run("127.0.0.1", "--port", port, "--community-file", community, "--out", out)
    assert done.exit_code == 1
    assert (out / "snmp.snmprec").read_text() == "1.3.6.1.2.1.1.3.0|67|8811\n"
    assert "not whole: no further answer, after 1.3.6.1.2.1.1.3.0" in (out / "SOURCE").read_text()


def test_the_operator_can_hide_and_keep_texts(tmp_path: Path, device: Path, community: Path) -> None:
    """What has no form is named by who knows it, however short; what is to stay is named too."""
    out = tmp_path / "out"
    arguments = ["--hide", "AC", "--keep", "119.29.29.29"]
    with snmp_server.serving(device) as port:
        run("127.0.0.1", "--port", port, "--community-file", community, "--out", out, *arguments)
    text = (out / "snmp.snmprec").read_text()
    assert "Huawei AC " not in text
    assert "dns 119.29.29.29" in text


def test_a_root_narrows_the_walk(tmp_path: Path, device: Path, community: Path) -> None:
    """Only what is below it is asked for; what is left out as a rule is there when just that was asked for."""
    out = tmp_path / "out"
    arguments = ["--root", "1.3.6.1.2.1.25.4", "--root", ".1.3.6.1.2.1.1.3"]
    with snmp_server.serving(device) as port:
        run("127.0.0.1", "--port", port, "--community-file", community, "--out", out, *arguments)
    assert list(recorded(out / "snmp.snmprec")) == [
        numbers("1.3.6.1.2.1.1.3.0"),
        numbers("1.3.6.1.2.1.25.4.2.1.5.1"),
    ]


def test_version_3_is_walked_too(tmp_path: Path, device: Path) -> None:
    """With a user and both passwords; none of them is in the recording."""
    out, auth, privacy = tmp_path / "out", tmp_path / "auth", tmp_path / "privacy"
    auth.write_text(snmp_server.AUTH_PASSWORD)
    privacy.write_text(snmp_server.PRIVACY_PASSWORD)
    login = ["--user", "sha-aes", "--auth", "sha", "--auth-file", auth, "--privacy-file", privacy]
    with snmp_server.serving(device) as port:
        done = run("127.0.0.1", "--port", port, "--out", out, *login)
    assert done.exit_code == 0, done.output
    assert "recorded: SNMP v3" in (out / "SOURCE").read_text()
    assert "sesame" not in "".join(file.read_text() for file in out.iterdir())


def test_two_reads_have_the_same_stand_ins(tmp_path: Path, device: Path, community: Path) -> None:
    """What needs an increase is read twice; a row of the second read is the same row."""
    out = tmp_path / "out"
    with snmp_server.serving(device) as port:
        arguments = ["--community-file", community, "--out", out, "--twice", "--wait", "1ms"]
        run("127.0.0.1", "--port", port, *arguments)
    assert (out / "second/snmp.snmprec").read_text() == (out / "snmp.snmprec").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["127.0.0.1", "--port", "1"], 1, "127.0.0.1: fails at connect: Connection refused; nothing was written"),
        (["nowhere.invalid"], 1, "nowhere.invalid: fails at resolve: "),
        (["127.0.0.1", "--kind", "smnp"], 2, "'smnp' is not known, did you mean snmp"),
        (["127.0.0.1", "--kind", "http"], 2, "--root: is missing: which paths"),
        (["--kind", "pjlink"], 2, "HOST: pjlink: which device? HOST is missing"),
        (["127.0.0.1", "--root", "system"], 2, "--root: 'system' is not an object identifier"),
        (["127.0.0.1", "--within", "soon"], 2, "--within: 'soon' is not a duration"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    tmp_path: Path, community: Path, arguments: list[str], code: int, words: str
) -> None:
    """What is wrong and what to do; no folder, and no temporary one."""
    done = run(*arguments, "--community-file", community, "--out", tmp_path / "out")
    assert (done.exit_code, words in done.output) == (code, True), done.output
    assert done.output.count("\n") == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["community"]


def test_silence_is_said_as_such(tmp_path: Path, community: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong community is answered by nobody: the message names that."""
    monkeypatch.setattr("agent.profiles.record_snmp.PATIENCE_S", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        done = run("127.0.0.1", "--port", port, "--community-file", community, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "silent to this community" in done.output


def test_without_a_community_it_is_asked_for(tmp_path: Path) -> None:
    """There is no default: `public` would be a guess."""
    done = run("127.0.0.1", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "--community-file: is missing" in done.output


def test_a_recording_that_is_there_is_not_overwritten(tmp_path: Path, device: Path, community: Path) -> None:
    """Only with --force; then expected.txt and notes of the operator are kept, recordings replaced."""
    out = tmp_path / "out"
    (out / "second").mkdir(parents=True)
    (out / "second/snmp.snmprec").write_text("old")
    (out / "expected.txt").write_text("mine")
    (out / "SOURCE").write_text("recorded: SNMP v2c, 2026-11-01\n")
    with snmp_server.serving(device) as port:
        arguments = ("127.0.0.1", "--port", port, "--community-file", community, "--out", out)
        refused = run(*arguments)
        assert (refused.exit_code, (out / "snmp.snmprec").exists()) == (2, False)
        assert "is there already" in refused.output
        assert run(*arguments, "--force").exit_code == 0
    assert (out / "expected.txt").read_text() == "mine"
    assert (out / "snmp.snmprec").is_file()
    assert not (out / "second").exists()


@pytest.mark.parametrize("source", [None, "constructed: by hand\n", "my sources\n"])
def test_force_replaces_no_folder_that_is_not_a_recording(tmp_path: Path, source: str | None) -> None:
    """An ordinary folder may have a `root` or `second` of somebody's own: it is refused, and nothing in it changes."""
    out = tmp_path / "papers"
    for name in ("root", "second"):
        (out / name).mkdir(parents=True)
        (out / name / "thesis").write_text("mine")
    if source is not None:
        (out / "SOURCE").write_text(source)
    done = run("--out", out, "--force")
    assert (done.exit_code, "--force replaces recordings alone" in done.output) == (2, True), done.output
    assert [(out / name / "thesis").read_text() for name in ("root", "second")] == ["mine", "mine"]


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of writing: no folder, no temporary one."""

    def interrupted(_file: Path, _content: bytes) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        record.put(tmp_path / "out", {"a/b": b"x"})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_for_the_recording_must_be_possible(tmp_path: Path) -> None:
    """A file in its place, or no folder above it, is said before anything is asked."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        record.check_target(tmp_path / "file", force=True)
    with pytest.raises(ConfigError, match="there is no folder"):
        record.check_target(tmp_path / "none/out", force=False)


def test_a_projector_is_recorded_as_it_answers(tmp_path: Path) -> None:
    """Every question of PJLink; its name and serial number are replaced, and the password is nowhere."""
    device, out, password = tmp_path / "device", tmp_path / "out", tmp_path / "password"
    device.mkdir()
    password.write_text("JBMIAProjectorLink")
    (device / "pjlink.txt").write_text(
        "# password JBMIAProjectorLink\nPJLINK 1 498e4a67\n%1POWR=1\n%1LAMP=3105 1\n%1INF2=EB-L200F\n"
        f"%1NAME=Room 301\n%1CLSS=2\n%2SNUM={SERIAL}\n%2SVER=1.02\n"
    )
    with pjlink_server.serving(device) as port:
        done = run("127.0.0.1", "--kind", "pjlink", "--port", port, "--password-file", password, "--out", out)
    assert done.exit_code == 0, done.output
    lines = (out / "pjlink.txt").read_text().splitlines()
    assert lines[0] == "PJLINK 0"
    assert {"%1POWR=1", "%1LAMP=3105 1", "%1INF2=EB-L200F", "%1AVMT=ERR1", "%2SVER=1.02"} <= set(lines)
    text = "".join(file.read_text() for file in out.iterdir())
    assert not [word for word in ("301", SERIAL, "JBMIA", "498e4a67") if word in text]


def test_an_access_point_is_recorded_by_its_bus(tmp_path: Path) -> None:
    """What may be called is, for each radio too; what the device forbids is said, keys and stations are replaced."""
    device, out, password = tmp_path / "device", tmp_path / "out", tmp_path / "password"
    device.mkdir()
    password.write_text("sesame99")
    objects = {
        "system": {"board": {"hostname": "ap-3-101", "model": "TP-Link Archer C7 v5"}, "info": {"uptime": 5}},
        "iwinfo": {
            "devices": {"devices": ["phy0-ap0"]},
            'info {"device": "phy0-ap0"}': {"ssid": "Schule", "bssid": "00:1C:BF:D3:E4:A5", "channel": 6},
        },
        "hostapd.phy0-ap0": {"get_clients": {"clients": {"a0:b1:c2:d3:e4:f5": {"signal": -60}}}},
        "network.device": {"status": {}},
    }
    login = {"username": "agent-7", "password": "sesame99"}
    (device / "ubus.json").write_text(
        json.dumps({"login": login, "denied": ["network.device status"], "objects": objects})
    )
    with ubus_server.serving(device) as port:
        arguments = ["--kind", "ubus", "--user", "agent-7", "--password-file", password, "--out", out]
        done = run("127.0.0.1", "--port", port, *arguments)
    assert done.exit_code == 0, done.output
    made = json.loads((out / "ubus.json").read_text())["objects"]
    assert made["system"]["board"]["model"] == "TP-Link Archer C7 v5"
    assert made["iwinfo"]['info {"device": "phy0-ap0"}']["channel"] == 6
    assert made["hostapd.phy0-ap0"]["get_clients"]["clients"].popitem()[1] == {"signal": -60}
    assert "what the device forbids: network.device status" in (out / "SOURCE").read_text()
    text = "".join(file.read_text() for file in out.iterdir()).lower()
    assert not [word for word in ("ap-3-101", "schule", "1c:bf", "a0:b1", "sesame99", "agent-7") if word in text]


def test_pages_of_json_are_recorded(tmp_path: Path) -> None:
    """The paths that are named; one that is not there makes the recording a part, and is said."""
    device, out = tmp_path / "device", tmp_path / "out"
    device.mkdir()
    (device / "http.json").write_text(json.dumps({"/api/status": {"uptime": 5, "serial": SERIAL}}))
    with http_json_server.serving(device) as port:
        roots = ["--root", "/api/status", "--root", "/api/none"]
        done = run("127.0.0.1", "--kind", "http", "--port", port, "--out", out, *roots)
    assert done.exit_code == 1
    made = json.loads((out / "http.json").read_text())
    assert made["/api/status"]["uptime"] == 5
    assert SERIAL not in (out / "http.json").read_text()
    assert "not whole: /api/none: answers 404" in (out / "SOURCE").read_text()


def test_source_tells_nothing_of_what_was_asked(tmp_path: Path) -> None:
    """Paths may hold a token, a name or an address: SOURCE has them as little as the pages."""
    device, out = tmp_path / "device", tmp_path / "out"
    device.mkdir()
    path = f"/api/zhang-office/{OTHER.upper()}?token=abc123&page=2"
    (device / "http.json").write_text(json.dumps({path: {"hostname": "zhang-office"}}))
    with http_json_server.serving(device) as port:
        roots = ["--root", path, "--root", "/api/none?sid=xyz789", "--root", f"/none/{OTHER}"]
        run("127.0.0.1", "--kind", "http", "--port", port, "--out", out, *roots)
    text = "".join(file.read_text() for file in out.iterdir()).lower()
    assert not [word for word in ("zhang", OTHER, "abc123", "xyz789") if word in text]
    assert "?token=…&page=…, /api/none?sid=…, /none/00005e0053" in (out / "SOURCE").read_text()
    assert "not whole: /api/none?sid=…: answers 404" in (out / "SOURCE").read_text()


def test_source_has_no_address_where_a_walk_ended(tmp_path: Path, device: Path, community: Path) -> None:
    """After which object it ended: in its index too there are stand-ins."""
    out = tmp_path / "out"
    with snmp_server.serving(device) as port:
        run("127.0.0.1", "--port", port, "--community-file", community, "--out", out, "--most", 15)
    assert ARCS not in (out / "SOURCE").read_text()
    assert "0.0.94.0.83." in (out / "SOURCE").read_text()


def asks_for(challenge: str, seen: list[str]) -> http_json_server.Script:
    """Return a device that asks for a login, and writes down what it is shown."""

    def script(asked: http_json_server.Handler) -> None:
        seen.append(asked.headers.get("Authorization", ""))
        asked.reply(401, b"", ("WWW-Authenticate", challenge))

    return script


def test_a_password_is_not_shown_without_tls(tmp_path: Path) -> None:
    """A device that asks for Basic over plain HTTP gets nothing; the message says what to do."""
    seen: list[str] = []
    (tmp_path / "password").write_text("sesame99")
    login = ["--user", "agent-7", "--password-file", tmp_path / "password"]
    with http_json_server.answering(asks_for('Basic realm="x"', seen)) as port:
        arguments = ["--kind", "http", "--port", port, "--root", "/a", "--out", tmp_path / "out"]
        done = run("127.0.0.1", *arguments, *login)
    assert (done.exit_code, set(seen)) == (1, {""})
    assert "HTTP Basic would show the password to all on the way: --kind https" in done.output


def test_this_machine_is_recorded_as_a_tree(tmp_path: Path) -> None:
    """The files that profiles read, without serial numbers, accounts and who is logged in."""
    root = tmp_path / "machine"
    files = {
        "etc/passwd": "root:x:0:0::/root:/bin/sh\nxiaoming:x:1000:1000::/home/xiaoming:/bin/sh\n",
        "etc/os-release": 'ID=debian\nPRETTY_NAME="Debian"\n',
        "sys/class/dmi/id/product_name": "OptiPlex 3080\n",
        "sys/class/dmi/id/product_serial": "7XK2PQ3\n",
        "sys/firmware/devicetree/base/serial-number": "10000000a1b2c3d4\0",
        "sys/class/drm/card0-HDMI-A-1/status": "connected\n",
        "run/systemd/sessions/2": "UID=1000\nUSER=xiaoming\nACTIVE=1\nCLASS=user\n",
        "proc/self/mountinfo": "22 1 8:1 / /home/xiaoming rw - ext4 /dev/sda1 rw\n",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    captured, told = record_host.capture(Library(), root)
    made = record.written([captured], Redactor(numbers=True))
    assert made["root/sys/class/dmi/id/product_name"] == b"OptiPlex 3080\n"
    assert made["root/sys/class/drm/card0-HDMI-A-1/status"] == b"connected\n"
    assert made["root/run/systemd/sessions/2"] == b"ACTIVE=1\nCLASS=user\n"
    assert made["root/sys/firmware/devicetree/base/serial-number"].endswith(b"\0")
    everything = b"".join(made.values())
    assert not [word for word in (b"xiaoming", b"7XK2PQ3", b"a1b2c3d4") if word in everything]
    assert told.kind == "files of a machine"


def test_mounts_tell_of_the_machine_and_of_nobody(tmp_path: Path) -> None:
    """Real file systems and the system's own mounts stay; servers, shares, people's folders and containers do not."""
    mounts = """\
28 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
29 28 259:1 / /boot/firmware rw - vfat /dev/mmcblk0p1 rw
31 28 0:24 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,size=788864k
40 28 0:50 / /mnt/lessons rw - nfs4 nas7.wangschool.lan:/export/lessons rw,addr=192.168.1.9
41 28 0:51 / /home/zhangwei/share rw - cifs //fileserver/staff rw,username=zhangwei,domain=WANGSCHOOL
42 31 0:52 / /run/user/1000 rw - tmpfs tmpfs rw,uid=1000
43 28 0:53 / /var/lib/docker/overlay2/gradebook/merged rw - overlay overlay rw,lowerdir=/var/lib/docker/gradebook
44 31 0:4 net:[4026532] /run/netns/gradebook rw - nsfs nsfs rw
"""
    file = tmp_path / "proc/self/mountinfo"
    file.parent.mkdir(parents=True)
    file.write_text(mounts)
    captured, _ = record_host.capture(Library(), tmp_path)
    lines = record.written([captured], Redactor(numbers=True))["root/proc/self/mountinfo"].decode().splitlines()
    assert lines[:3] == mounts.splitlines()[:3]
    assert [line.split(" ")[0] for line in lines] == ["28", "29", "31", "40", "41", "43"]
    private = ("wang", "nas7", "lessons", "zhang", "staff", "fileserver", "gradebook")
    assert not [word for word in private if word in str(lines).lower()]


def test_a_device_that_goes_round_in_a_circle_ends() -> None:
    """Names that do not grow would never end: what was found until then is kept."""
    from agent.gather.snmp_walk import walk  # noqa: PLC0415  beside its use

    class Circle:
        def after(self, _name: tuple[int, ...]) -> list[Varbind]:
            return [Varbind((1, 3, 6, 1, 5), 2, 1), Varbind((1, 3, 6, 1, 4), 2, 1)]

    with pytest.raises(Failed, match="goes round in a circle"):
        list(walk(Circle(), [(1, 3, 6, 1)]))  # type: ignore[arg-type]
