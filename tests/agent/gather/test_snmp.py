"""The source snmp, against Debian's snmpd and against devices that misbehave."""

import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.gather.read import Read, Way
from agent.outcome import Outcome, Row
from agent.worker.kinds import perform
from contract.sample import Value
from firmware_profiles.sources import Snmp
from tests.profiles import snmp_server
from tests.profiles.snmp_server import AUTH_PASSWORD, COMMUNITY, PRIVACY_PASSWORD, USERS

HOST = "127.0.0.1"
AP, RADIO, MANY, SCALAR = (f"1.3.6.1.4.1.99999.{number}" for number in (1, 2, 3, 4))
APS = 40
COLUMNS = {"ap_name": f"{AP}.4", "state": f"{AP}.6", "version": f"{AP}.7", "cpu": f"{AP}.41"}
IF_NAME, IF_OPER, IF_ERRORS = "1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.2.2.1.14"


def ap_index(number: int) -> str:
    """Return the index of an access point: its MAC address."""
    return f"0.224.252.0.0.{number}"


def recording() -> Iterator[str]:
    """Yield a controller of access points with two radios each, and a long table."""
    for number in range(APS):
        index = ap_index(number)
        yield f"{AP}.4.{index}|4x|{f'教学楼-{number:02}'.encode('gb18030').hex()}"
        yield f"{AP}.6.{index}|2|{4 if number == 7 else 8}"
        yield f"{AP}.7.{index}|4|V200R{number:03}"
        if number != 7:
            yield f"{AP}.41.{index}|66|{number}"
        for radio in (0, 1):
            yield f"{RADIO}.7.{index}.{radio}|66|{36 if radio else 6}"
            yield f"{RADIO}.24.{index}.{radio}|2|{-90 - radio}"
    for number in range(1500):
        yield f"{MANY}.1.{number}|2|{number}"
        yield f"{MANY}.2.{number}|70|{number << 40}"
    yield f"{SCALAR}.1.0|67|8811"
    yield f"{SCALAR}.2.0|64|192.0.2.1"
    yield f"{SCALAR}.3.0|6|1.3.6.1.4.1.2011"
    yield f"{SCALAR}.4.0|4|"
    yield f"{SCALAR}.5.0|65|4294967295"


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run the controller; yield its port."""
    folder = tmp_path_factory.mktemp("controller")
    (folder / "snmp.snmprec").write_text("\n".join(recording()))
    with snmp_server.serving(folder) as port:
        yield port


@pytest.fixture
def way(tmp_path: Path) -> Way:
    """Return the way to a device with the community that it knows."""
    (tmp_path / "community").write_text(COMMUNITY + "\n")
    return Way(HOST, community_file=str(tmp_path / "community"))


def ask(way: Way, port: int, timeout: float = 5, **what: Any) -> Outcome:
    """Read from a device."""
    return perform("snmp", Read(Snmp((), port=port, **what), way, timeout))


def as_user(tmp_path: Path, name: str, auth: str, privacy: str, given: str = PRIVACY_PASSWORD) -> Way:
    """Return the way of a user of version 3."""
    (tmp_path / "auth").write_text(AUTH_PASSWORD)
    (tmp_path / "privacy").write_text(given)
    files = {"auth_file": str(tmp_path / "auth"), "privacy_file": str(tmp_path / "privacy")}
    return Way(HOST, username=name, auth=auth, privacy=privacy, **files)


def test_scalars_have_their_own_types(controller: int, way: Way) -> None:
    """Numbers stay numbers, ticks are hundredths, addresses and identifiers are text; what is not there is absent."""
    names = {f"n{number}": f"{SCALAR}.{number}.0" for number in range(1, 7)}
    outcome = ask(way, controller, get=names)
    values: dict[str, Value] = {"n1": 8811, "n2": "192.0.2.1", "n3": "1.3.6.1.4.1.2011", "n4": "", "n5": 4294967295}
    assert (outcome.success, outcome.rows) == (True, (Row("", values),))
    assert 0 < float(outcome.fields["rtt_ms"]) < 5000


def test_columns_of_one_index_are_one_row(controller: int, way: Way) -> None:
    """A table of 40 access points is 40 rows; the one without processor load has no zero in its place."""
    outcome = ask(way, controller, columns=COLUMNS)
    assert len(outcome.rows) == APS
    assert outcome.rows[6] == Row(ap_index(6), {"ap_name": "教学楼-06", "state": 8, "version": "V200R006", "cpu": 6})
    assert outcome.rows[7] == Row(ap_index(7), {"ap_name": "教学楼-07", "state": 4, "version": "V200R007"})


def test_a_table_of_more_than_a_thousand_rows(controller: int, way: Way) -> None:
    """A long table is read to its end, in order, and no further."""
    outcome = ask(way, controller, columns={"a": f"{MANY}.1", "b": f"{MANY}.2"})
    assert outcome.rows == tuple(Row(str(number), {"a": number, "b": number << 40}) for number in range(1500))


def test_a_row_by_its_name(controller: int, way: Way) -> None:
    """An access point is found by its Chinese name, though the controller writes GB 18030."""
    outcome = ask(way, controller, columns=COLUMNS, where={"ap_name": "教学楼-11"})
    assert outcome.rows == (Row(ap_index(11), {"ap_name": "教学楼-11", "state": 8, "version": "V200R011", "cpu": 11}),)


def test_a_row_by_its_key(controller: int, way: Way) -> None:
    """An access point is found by its MAC address as it stands on its label; a second condition is looked at, too."""
    outcome = ask(way, controller, columns=COLUMNS, where={"key": "00e0-fc00-000b"})
    assert outcome.rows == (Row(ap_index(11), {"ap_name": "教学楼-11", "state": 8, "version": "V200R011", "cpu": 11}),)
    other = ask(way, controller, columns=COLUMNS, where={"key": "00e0-fc00-000b", "ap_name": "教学楼-12"})
    assert (other.success, other.stage) == (False, "row")


@pytest.mark.parametrize("where", [{"key": "00e0-fc00-0007"}, {"ap_name": "教学楼-07"}])
def test_radios_belong_to_their_access_point(controller: int, way: Way, where: dict[str, str]) -> None:
    """Rows whose index begins with that of the row found come with it, each by the rest of its index."""
    columns = {"ap_name": f"{AP}.4", "state": f"{AP}.6", "channel": f"{RADIO}.7", "noise": f"{RADIO}.24"}
    outcome = ask(way, controller, columns=columns, where=where)
    assert outcome.rows == (
        Row(ap_index(7), {"ap_name": "教学楼-07", "state": 4}),
        Row("0", {"channel": 6, "noise": -90}),
        Row("1", {"channel": 36, "noise": -91}),
    )


def test_several_rows_keep_their_whole_index(controller: int, way: Way) -> None:
    """Radios of several access points are not mixed up."""
    columns = {"state": f"{AP}.6", "channel": f"{RADIO}.7"}
    outcome = ask(way, controller, columns=columns, where={"state": "8"})
    assert len(outcome.rows) == 3 * (APS - 1)
    assert outcome.rows[1] == Row(f"{ap_index(0)}.0", {"channel": 6})


def test_an_access_point_that_the_controller_does_not_know(controller: int, way: Way) -> None:
    """It is a failure of its own, with the condition in its reason and the controller's round trip."""
    outcome = ask(way, controller, columns=COLUMNS, where={"ap_name": "体育馆"})
    assert (outcome.success, outcome.stage) == (False, "row")
    assert outcome.reason == "the device has no row where ap_name = 体育馆"
    assert float(outcome.fields["rtt_ms"]) > 0


def test_what_the_device_does_not_have_is_absent(controller: int, way: Way) -> None:
    """Neither an object nor a table that is not there is a failure, or a zero."""
    outcome = ask(way, controller, get={"a": "1.3.6.1.4.1.99999.77.0"}, columns={"b": "1.3.6.1.4.1.99999.78"})
    assert (outcome.success, outcome.rows) == (True, (Row("", {}),))


def test_where_must_name_a_column(controller: int, way: Way) -> None:
    """A condition on nothing is our own mistake, not the device's."""
    outcome = ask(way, controller, columns=COLUMNS, where={"nam": "x"})
    assert (outcome.success, outcome.reason) == (None, "where: nam is none of the profile's columns")


@pytest.mark.parametrize("name", USERS)
def test_version_3(controller: int, tmp_path: Path, name: str) -> None:
    """Every method of authentication and privacy reads what the community reads."""
    user = USERS[name]
    outcome = ask(as_user(tmp_path, name, user.auth, user.privacy), controller, get={"ticks": f"{SCALAR}.1.0"})
    assert (outcome.reason, outcome.rows) == ("", (Row("", {"ticks": 8811}),))


def test_version_3_walks(controller: int, tmp_path: Path) -> None:
    """A table comes through encryption as it does without."""
    outcome = ask(as_user(tmp_path, "sha256-aes256", "sha256", "aes256"), controller, columns=COLUMNS)
    assert len(outcome.rows) == APS


@pytest.mark.parametrize(
    ("user", "code", "reason"),
    [
        (("nobody", "sha", "aes"), 3, "the device does not know this user"),
        (("sha-aes", "sha256", "aes"), 5, "the authentication password or method is another"),
        (("sha224-none", "sha224", "aes"), 1, "the device asks for another level of security of this user"),
        (("sha512-aes", "sha512", "none"), 16, "the device answers with the error authorizationError"),
    ],
)
def test_version_3_refuses(controller: int, tmp_path: Path, user: tuple[str, str, str], code: int, reason: str) -> None:
    """What is wrong with a user is said, as the device reports it."""
    outcome = ask(as_user(tmp_path, *user), controller, timeout=5, get={"ticks": f"{SCALAR}.1.0"})
    assert (outcome.success, outcome.stage, outcome.code, outcome.reason) == (False, "auth", code, reason)


def test_another_privacy_password_is_silence(controller: int, tmp_path: Path) -> None:
    """An agent says nothing to what it cannot decrypt: the reason names the suspicion, and no password."""
    way = as_user(tmp_path, "sha-aes", "sha", "aes", given="something else")
    outcome = ask(way, controller, timeout=1, get={"ticks": f"{SCALAR}.1.0"})
    assert (outcome.success, outcome.stage) == (False, "timeout")
    assert outcome.reason == "no further answer: is the privacy password or method another?"


def test_another_community_is_silence(controller: int, way: Way, tmp_path: Path) -> None:
    """It takes no longer than the timeout, and the community is not in the reason."""
    (tmp_path / "community").write_text("guessed")
    begun = time.monotonic()
    outcome = ask(way, controller, timeout=0.5, get={"ticks": f"{SCALAR}.1.0"})
    assert time.monotonic() - begun < 4
    assert (outcome.success, outcome.stage) == (False, "timeout")
    assert outcome.reason == "no answer: not there, or it is silent to this community"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "no community is given: name its file in [[credentials]]"),
        ({"username": "a", "privacy": "aes"}, "privacy needs auth: SNMPv3 encrypts only what is authenticated"),
        (
            {"username": "a", "auth": "sha3"},
            "auth = 'sha3' is not known: there are none, md5, sha, sha224, sha256, sha384, sha512",
        ),
    ],
)
def test_what_is_missing_on_our_side_is_no_failure_of_the_device(given: Mapping[str, str], reason: str) -> None:
    """The settings are at fault, and the text says what to do."""
    outcome = ask(Way(HOST, **given), 9, get={"a": f"{SCALAR}.1.0"})
    assert (outcome.success, outcome.reason) == (None, reason)


def test_a_closed_port(way: Way) -> None:
    """A refusal is known at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    begun = time.monotonic()
    outcome = ask(way, port, timeout=20, get={"a": f"{SCALAR}.1.0"})
    assert (outcome.success, outcome.stage, outcome.reason) == (False, "connect", "Connection refused")
    assert time.monotonic() - begun < 10


def test_a_name_that_is_none(way: Way) -> None:
    """An address that cannot be looked up fails at the stage resolve."""
    outcome = ask(way._replace(address="no.such.name.invalid"), 161, get={"a": f"{SCALAR}.1.0"})
    assert (outcome.success, outcome.stage) == (False, "resolve")


def test_the_real_agent_of_this_machine(way: Way) -> None:
    """Debian's snmpd with all it has: lo is up, by a walk and by its name."""
    columns = {"name": IF_NAME, "oper": IF_OPER, "errors": IF_ERRORS}
    with snmp_server.real() as port:
        table = ask(way, port, columns=columns).rows
        one = ask(way, port, columns=columns, where={"name": "lo"}).rows
        system = ask(way, port, get={"id": "1.3.6.1.2.1.1.2.0", "up": "1.3.6.1.2.1.1.3.0"}).rows[0].values
    assert {row.values["name"] for row in table} == {name for _, name in socket.if_nameindex()}
    assert [(row.values["name"], row.values["oper"], row.values["errors"]) for row in one] == [("lo", 1, 0)]
    assert system["id"] == "1.3.6.1.4.1.8072.3.2.10"
    assert 0 <= int(system["up"]) < 60_00
