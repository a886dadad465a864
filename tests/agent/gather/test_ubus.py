"""OpenWrt's bus: by a double of its program, and over real HTTP by a double of uhttpd and rpcd."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import programs
from agent.gather import ubus
from agent.gather.read import Read, Way
from agent.gather.ubus import star_of
from agent.gather.ubus_derived import derived, of_radio, of_system
from agent.outcome import Failed, Outcome, Unable
from firmware_profiles.sources import UBUS_DERIVED, Ubus, derived_names
from tests.profiles.ubus_server import NOBODY, Device, answering, script_of

_CASES = Path(__file__).parents[2] / "fixtures/hosts"
_RECORDED = json.loads((_CASES / "openwrt-http/ubus.json").read_text(encoding="utf-8"))


class _Remote:
    """A device over HTTP; `recorded` may be changed before it is asked."""

    def __init__(self, folder: Path) -> None:
        self.recorded: dict[str, Any] = json.loads(json.dumps(_RECORDED))
        self.password = folder / "password"
        self.password.write_text(self.recorded["login"]["password"] + "\n", encoding="utf-8")
        self.device = Device(self.recorded)

    def read(self, what: Ubus, username: str = "santong", timeout_s: float = 5) -> Outcome:
        self.device = Device(self.recorded)
        with answering(script_of(self.device)) as port:
            way = Way("127.0.0.1", username, str(self.password))
            return ubus.read(Read(what._replace(port=port), way, timeout_s))

    def fails(self, what: Ubus, username: str = "santong") -> Failed:
        with pytest.raises(Failed) as failed:
            self.read(what, username)
        return failed.value


@pytest.fixture
def remote(tmp_path: Path) -> _Remote:
    """Give the constructed access point over HTTP."""
    return _Remote(tmp_path)


class _Program:
    """A double of the program `ubus`, first on PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        monkeypatch.setattr(programs, "PLACES", "/usr/bin:/bin")

    def is_script(self, script: str) -> None:
        file = self._folder / "ubus"
        file.write_text(f"#!/bin/sh\n# a double of ubus\n{script}\n", encoding="utf-8")
        file.chmod(0o755)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Program:
    """Give a double that answers as the constructed access point."""
    made = _Program(tmp_path, monkeypatch)
    made.is_script(f'exec {_CASES}/openwrt/bin/ubus "$@"')
    return made


def _what(object_: str, method: str, values: Mapping[str, str] | None = None, **more: Any) -> Ubus:
    return Ubus(object_, method, values or {}, (), **more)


def _local(what: Ubus, timeout_s: float = 5) -> Outcome:
    return ubus.read(Read(what, Way(), timeout_s))


_EVERY = [
    (_what("system", "board", {"version": "release.version"}), {"": {"version": "23.05.5"}}),
    (
        _what("hostapd.*", "get_status", {"channel": "channel"}),
        {"phy0-ap0": {"channel": 36}, "phy1-ap0": {"channel": 1}},
    ),
    (
        _what("iwinfo", "info", {"noise": "noise"}, arguments={"device": "*"}),
        {"phy0-ap0": {"noise": -95}, "phy1-ap0": {"noise": 0}},
    ),
    (
        _what("hostapd.*", "get_clients"),
        {
            "phy0-ap0": {"stations": 5, "rssi_p50_dbm": -61.0, "rssi_p10_dbm": -73.0},
            "phy1-ap0": {"stations": 1, "rssi_p50_dbm": -66.0, "rssi_p10_dbm": -66.0},
        },
    ),
    (
        _what("network.wireless", "status", {"up": "up"}, rows="."),
        {
            "radio0": {"up": True, "down": 0, "access_points": 1},
            "radio1": {"up": True, "down": 0, "access_points": 1},
            "radio2": {"up": False, "down": 0},
        },
    ),
    (_what("nowhere", "status"), {}),
    (_what("nothing.*", "status"), {}),
]


@pytest.mark.parametrize(("what", "rows"), _EVERY, ids=lambda given: getattr(given, "object", ""))
def test_both_ways_give_the_same(
    what: Ubus, rows: dict[str, dict[str, Any]], program: _Program, remote: _Remote
) -> None:
    """Of the device itself and of another one the rows are the same; what it does not have has no row."""
    for outcome in (_local(what), remote.read(what)):
        assert outcome.success
        assert {row.key: row.values for row in outcome.rows} == rows


def test_star_and_rows(remote: _Remote) -> None:
    """With rows in the answers of several objects a key has both."""
    remote.recorded["objects"]["hostapd.phy0-ap0"]["get_list"] = {"list": [{"a": 1}, {"a": 2}]}
    found = remote.read(_what("hostapd.*", "get_list", {"a": "a"}, rows="list"))
    assert [(row.key, row.values) for row in found.rows] == [("phy0-ap0.0", {"a": 1}), ("phy0-ap0.1", {"a": 2})]


# ---- over HTTP


def test_one_login_and_few_requests(remote: _Remote) -> None:
    """The list needs no login, the password goes to the login alone, and the session ends soon by itself."""
    outcome = remote.read(_what("hostapd.*", "get_status"))
    asked = [(one["method"], one.get("params", [])[1:3]) for one in remote.device.asked]
    assert asked == [
        ("list", []),
        ("call", ["session", "login"]),
        ("call", ["hostapd.phy0-ap0", "get_status"]),
        ("call", ["hostapd.phy1-ap0", "get_status"]),
    ]
    assert remote.device.asked[1]["params"][3]["timeout"] == 30
    rtt_ms = outcome.fields["rtt_ms"]
    assert isinstance(rtt_ms, float)
    assert rtt_ms > 0


def test_wrong_password(remote: _Remote) -> None:
    """A refused login is a failure of `auth`, and says nothing of the password."""
    remote.password.write_text("not-this-one\n", encoding="utf-8")
    failed = remote.fails(_what("system", "board"))
    assert (failed.stage, failed.code, failed.reason) == ("auth", 6, "the login is refused")


def test_without_a_login(remote: _Remote) -> None:
    """Without a username nobody logs in: what everybody may is read, the rest is a failure of `auth`."""
    failed = remote.fails(_what("system", "board"), username="")
    assert (failed.stage, failed.code) == ("auth", -32002)
    del remote.recorded["login"]
    assert remote.read(_what("system", "board", {"model": "model"}), username="").rows[0].values
    assert remote.device.asked[0]["params"][0] == NOBODY


def test_forbidden_by_the_acl(remote: _Remote) -> None:
    """What the ACL forbids is a failure of `auth` that names it."""
    remote.recorded["denied"] = ["hostapd.phy1-ap0 get_clients"]
    failed = remote.fails(_what("hostapd.*", "get_clients"))
    assert (failed.stage, failed.code) == ("auth", -32002)
    assert "hostapd.phy1-ap0 get_clients" in failed.reason
    remote.recorded["denied"], remote.recorded["objects"]["system"]["board"] = [], 6
    failed = remote.fails(_what("system", "board"))
    assert (failed.stage, failed.code, failed.reason) == ("auth", 6, "may not call system board")


def test_the_name_of_the_user_is_not_told(remote: _Remote) -> None:
    """What goes to the archive does not say by which account a device is asked."""
    remote.recorded["denied"] = ["hostapd.phy1-ap0 get_clients"]
    assert "santong" not in remote.fails(_what("hostapd.*", "get_clients")).reason


def test_a_table_without_end(remote: _Remote) -> None:
    """An answer with more than 4,096 rows fails at the stage answer."""
    remote.recorded["objects"]["system"]["board"] = {"list": [1] * 4097}
    failed = remote.fails(_what("system", "board", {"a": "."}, rows="list"))
    assert (failed.stage, failed.reason) == ("answer", "system board has more than 4096 rows")


@pytest.mark.parametrize("status", [3, 4, 5, 8])
def test_what_is_not_there(remote: _Remote, status: int) -> None:
    """No such method, object or data is no row, and no failure."""
    remote.recorded["objects"]["hostapd.phy0-ap0"]["get_status"] = status
    assert [row.key for row in remote.read(_what("hostapd.*", "get_status")).rows] == ["phy1-ap0"]


@pytest.mark.parametrize(("status", "name"), [(2, "invalid argument"), (7, "timeout"), (99, "status 99")])
def test_other_statuses(remote: _Remote, status: int, name: str) -> None:
    """Any other status is a failure of `answer` with its number."""
    remote.recorded["objects"]["system"]["board"] = status
    failed = remote.fails(_what("system", "board"))
    assert (failed.stage, failed.code, failed.reason) == ("answer", status, f"system board: {name}")


def test_no_ubus_there(remote: _Remote) -> None:
    """A web server without ubus says so by 404, and the reason what to install."""
    failed = remote.fails(_what("system", "board", path="/elsewhere"))
    assert (failed.stage, failed.code) == ("answer", 404)
    assert "uhttpd-mod-ubus" in failed.reason


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"null", b'{"id": [1]}', b'[{"id": 7, "result": [0]}]', b"<html>", b'"x"']
)
def test_no_json_rpc(remote: _Remote, body: str) -> None:
    """What is not an answer of JSON-RPC is a failure of `answer`."""
    with answering(lambda *_: (200, body.encode())) as port:
        way = Way("127.0.0.1", "santong", str(remote.password))
        for what in (_what("system", "board"), _what("hostapd.*", "get_status")):
            with pytest.raises(Failed) as failed:
                ubus.read(Read(what._replace(port=port), way, 5))
            assert failed.value.stage == "answer"


@pytest.mark.parametrize("result", [None, 0, [], ["x"], [0, None], [0, []], [0, {"ubus_rpc_session": 5}], {"a": 1}])
def test_strange_results(remote: _Remote, result: object) -> None:
    """Whatever stands in the place of a result, it is a failure of `answer` or nothing is read."""
    answer = json.dumps({"jsonrpc": "2.0", "id": 0, "result": result}).encode()
    with answering(lambda *_: (200, answer)) as port:
        for username in ("", "santong"):
            ask = Read(
                _what("system", "board", {"a": "a"}, port=port), Way("127.0.0.1", username, str(remote.password)), 5
            )
            try:
                assert all(not row.values for row in ubus.read(ask).rows)
            except Failed as failed:
                assert failed.stage == "answer"


def test_nobody_listens(remote: _Remote) -> None:
    """A device that is off fails at `connect`; without a password file nothing is asked."""
    with answering(lambda *_: (200, b"")) as port:
        pass
    with pytest.raises(Failed) as failed:
        ubus.read(Read(_what("system", "board", port=port), Way("127.0.0.1", "x", str(remote.password)), 5))
    assert failed.value.stage == "connect"
    with pytest.raises(Unable, match="no password of ubus over HTTP is given"):
        ubus.read(Read(_what("system", "board", port=port), Way("127.0.0.1", "x"), 5))


# ---- the device itself


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo 'Command failed: Permission denied' >&2; exit 6",
            "this user may not: give it a file in",
        ),
        ("echo 'Command failed: Request timed out' >&2; exit 7", "is not answered in time"),
        ("echo 'Failed to connect to ubus' >&2; exit 255", "ubus call system board: Failed to connect to ubus"),
        ("echo hello", "what it prints is not JSON"),
        ("exec sleep 60", "is not answered in time"),
    ],
)
def test_local_troubles(program: _Program, script: str, reason: str) -> None:
    """What is wrong on the device itself says nothing of a target: it is said with what to do."""
    program.is_script(script)
    with pytest.raises(Unable, match=reason):
        _local(_what("system", "board"), timeout_s=0.5)


def test_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another system there is no ubus."""
    _Program(tmp_path, monkeypatch)
    with pytest.raises(Unable, match="the program ubus is missing"):
        _local(_what("system", "board"))


# ---- worked out of an answer


def test_memory() -> None:
    """The share is of what programs cannot have; without what is available there is none."""
    assert of_system({"memory": {"total": 1000, "free": 100, "available": 250}}) == {"memory_used_percent": 75.0}
    assert of_system({"memory": {"total": 1000, "free": 100}}) == {}
    assert of_system({"memory": {"total": 0, "available": 0}}) == {}


def test_radio() -> None:
    """A radio is down when it should be up; one that is switched off in its settings is not, and owes no network."""
    network = {"ifname": "phy0-ap0", "config": {"mode": "ap", "key": "secret"}}
    client = {"ifname": "phy0-sta0", "config": {"mode": "sta"}}
    there = {"up": True, "disabled": False, "interfaces": [network, client, {"config": {"mode": "ap"}}]}
    assert of_radio(there) == {"down": 0, "access_points": 1}
    assert of_radio({**there, "up": False}) == {"down": 1, "access_points": 0}
    assert of_radio({**there, "up": False, "disabled": True}) == {"down": 0}


def test_names_worked_out_are_those_that_profiles_may_use() -> None:
    """A profile can name exactly what comes out."""
    objects = _RECORDED["objects"]
    answers = {
        ("hostapd.*", "get_clients"): objects["hostapd.phy0-ap0"]["get_clients"],
        ("iwinfo", "assoclist"): {"results": [{"signal": -60}]},
        ("system", "info"): objects["system"]["info"],
        ("network.wireless", "status"): objects["network.wireless"]["status"]["radio0"],
    }
    found = {way: set(derived(way[0].replace("*", "x"), way[1], answer)) for way, answer in answers.items()}
    assert found == {way: set(names) for way, names in UBUS_DERIVED.items()}
    assert derived_names(_what("hostapd.*", "get_clients")) == UBUS_DERIVED["hostapd.*", "get_clients"]
    assert derived_names(_what("system", "board")) == ()


def test_star() -> None:
    """A star stands for at least one character, and nothing else in a name is a pattern."""
    assert star_of("hostapd.*", "hostapd.phy0-ap0") == "phy0-ap0"
    assert star_of("hostapd.*", "hostapd") is None
    assert star_of("hostapd.*", "hostapdx") is None
    assert star_of("*.status", "a.b.status") == "a.b"


_ANSWERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_WAYS = st.sampled_from([("system", "info"), ("network.wireless", "status"), ("hostapd.x", "get_clients")])


@given(_WAYS, _ANSWERS)
def test_any_answer(way: tuple[str, str], answer: Any) -> None:
    """Whatever a device answers, nothing breaks."""
    for wrapped in (answer, {"memory": answer, "interfaces": answer, "clients": answer, "up": True, "disabled": False}):
        derived(*way, wrapped)
