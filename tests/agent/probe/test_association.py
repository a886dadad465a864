"""The supplicant's events become the result of joining: its times, or why it failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.control_socket import Event
from agent.probe.association import Association
from tests.agent.probe.supplicant_double import FIXTURES, recorded


def _heard(events: list[tuple[float, str]]) -> Association:
    association = Association()
    for at_s, text in events:
        association.hear(Event(at_s, text.removeprefix("<3>").strip()))
        if association.is_connected or association.has_failed:
            break
    return association


def _rounded(value_s: float | None) -> int | None:
    return None if value_s is None else round(value_s * 1000)


@pytest.mark.parametrize(
    ("name", "times_ms"),
    [
        ("join_wpa2", (155, 19, 38, 98)),
        ("join_sae", (342, 123, 55, 164)),
        ("join_mixed", (114, 56, 16, 42)),
        ("join_owe", (131, 26, 61, 44)),
        ("join_open", (62, 28, 30, 4)),
    ],
)
def test_joined(name: str, times_ms: tuple[int, ...]) -> None:
    """A recorded connection has the times that the events have: total, authentication, association, handshake."""
    association = _heard(recorded(name))
    assert association.is_connected
    assert association.times
    assert tuple(map(_rounded, association.times)) == times_ms


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("wrong_passphrase_wpa2", 15, "the passphrase is wrong (WRONG_KEY, reason 15)"),
        ("wrong_passphrase_sae", 1, "authentication refused, status 1: the passphrase is probably wrong"),
        ("full", 17, "authentication refused, status 17: the access point is full"),
    ],
)
def test_refused(name: str, code: int, reason: str) -> None:
    """A recorded refusal has the access point's own code and says in words what it means."""
    association = _heard(recorded(name))
    assert association.has_failed
    assert (association.code, association.reason) == (code, reason)


def test_wrong_key_of_another_recording() -> None:
    """The same is read from what another supplicant said."""
    lines = (FIXTURES / "wifi/wrong_passphrase.events").read_text(encoding="utf-8").splitlines()
    association = _heard([(float(n), line) for n, line in enumerate(lines)])
    assert (association.has_failed, association.code) == (True, 15)


def test_put_out_and_back() -> None:
    """A connection that is lost and comes back is one; how often that happened is known."""
    association = Association()
    for at_s, text in recorded("put_out_and_back"):
        association.hear(Event(at_s, text.removeprefix("<3>")))
    assert association.is_connected
    assert (association.times_lost, association.code) == (1, 2)
    assert association.times
    assert _rounded(association.times.total_s) == 76


def test_access_point_switched_off() -> None:
    """Without the access point the connection is gone, with the reason that the kernel gives."""
    association = Association()
    for at_s, text in recorded("access_point_off_and_on"):
        association.hear(Event(at_s, text.removeprefix("<3>")))
        if association.times_lost:
            break
    assert not association.is_connected
    assert association.reason == "disconnected, reason 4: inactive or out of reach"


def test_driver_that_authenticates_itself() -> None:
    """A driver that tells nothing of authentication gives the other times."""
    texts = ("Trying to associate with SSID 'a'", "Associated with 02:00:00:00:00:00", "CTRL-EVENT-CONNECTED - x")
    association = _heard([(float(n), text) for n, text in enumerate(texts)])
    assert association.times == (2.0, None, 1.0, 1.0)


def test_silence() -> None:
    """An access point that does not answer, and one that the supplicant does not find, are told apart."""
    assert "finds no access point" in _heard([]).why_not()
    tried = _heard([(0.0, "SME: Trying to authenticate with 02:00:00:00:00:00 (SSID='a' freq=2437 MHz)")])
    assert "does not answer" in tried.why_not()


def test_ssid_that_looks_like_a_reason() -> None:
    """The network's name cannot pretend a reason."""
    text = 'CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="reason=WRONG_KEY" auth_failures=1 duration=10 reason=CONN_FAILED'
    assert _heard([(0.0, text)]).reason == "the supplicant gives up: CONN_FAILED"


_WORDS = st.sampled_from(
    [
        "SME: Trying to authenticate with",
        "Trying to associate with",
        "Associated with",
        "CTRL-EVENT-CONNECTED",
        "CTRL-EVENT-AUTH-REJECT",
        "CTRL-EVENT-ASSOC-REJECT",
        "CTRL-EVENT-DISCONNECTED",
        "CTRL-EVENT-SSID-TEMP-DISABLED",
        "CTRL-EVENT-SCAN-STARTED",
        "",
    ]
)
_VALUES = st.sampled_from(["status_code=", "reason=", "auth_type=3", "reason=WRONG_KEY", "status_code=-99999999999"])


@given(st.lists(st.tuples(_WORDS, _VALUES, st.text(max_size=20) | st.integers().map(str))))
def test_any_events(events: list[tuple[str, str, str]]) -> None:
    """Whatever is told in whatever order, there is a result, and a failure has its reason in one line's words."""
    association = _heard([(float(n), f"{word} {value}{more}") for n, (word, value, more) in enumerate(events)])
    if association.is_connected:
        assert association.times
        assert association.times.total_s >= 0
    elif association.has_failed:
        assert association.reason
    else:
        assert association.why_not()
