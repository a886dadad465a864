"""What readings say of conditions, and conditions of a minute."""

import pytest

from collector.calendars.schedule import Hours
from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.causes import MINUTE_NS, Cause
from collector.verify.conditions import FITS, Network, Outcome, asked, decide, fits, outcome, over_time
from collector.verify.evidence import Reading
from collector.verify.steps import together
from contract.settings import Seconds

LAN = Condition("presence.lan", equals=("1",))
WAN = Condition("presence.wan", equals=("1",))
HTTP = Condition("probe.success", {"kind": "http"}, equals=("1",))
DOWN = Outcome(Cause.SERVICE_DOWN, "dns", is_said=False)


@pytest.mark.parametrize(
    ("condition", "value", "does"),
    [
        (Condition("probe.success", equals=("1",)), 1.0, True),
        (Condition("probe.success", equals=("1",)), 0.0, False),
        (Condition("display.power", equals=("on", "warming")), "warming", True),
        (Condition("display.power", equals=("on", "warming")), "off", False),
        (Condition("probe.rtt_ms", at_most=50), 50.0, True),
        (Condition("probe.rtt_ms", at_most=50), 50.5, False),
        (Condition("radio.stations", at_least=1), 1.0, True),
        (Condition("radio.stations", at_least=1, at_most=200), 0.0, False),
        (Condition("radio.stations", at_least=1), "many", False),
        (Condition("probe.rtt_ms"), 3.5, True),
    ],
)
def test_fits(condition: Condition, value: float | str, does: bool) -> None:
    """A value is one of those wanted, or lies within bounds that are themselves within; any is, if nothing is said."""
    assert fits(condition, value) is does


def test_what_a_value_means() -> None:
    """What is said of a value goes before the condition's own cause; the condition's stage before the reading's."""
    power = Condition("display.power", equals=("on",), otherwise={"standby": Cause.ASLEEP, "cooling": Cause.WORKING})
    assert outcome(power, "on") == FITS
    assert outcome(power, "standby") == Outcome(Cause.ASLEEP)
    assert outcome(power, "cooling") == FITS
    assert outcome(power, "off", "lamp") == Outcome(Cause.SERVICE_DOWN, "lamp", is_said=False)
    assert outcome(power._replace(stage="panel"), "off", "lamp").stage == "panel"
    assert outcome(power, "off", "Name server?").stage == "name-server-"
    assert outcome(HTTP._replace(otherwise={"0": Cause.UNKNOWN}), 0.0).cause is Cause.UNKNOWN
    assert outcome(LAN, 0) == Outcome(Cause.LAN_DOWN)


def pieces(condition: Condition, *readings: tuple[float, float]) -> list[str]:
    """Return what counts in each of ten minutes, from readings (minute, value)."""
    rows = [Reading(round(at * MINUTE_NS), value) for at, value in readings]
    found = ["?"] * 10
    for since, until, (one,) in together(0, 10 * MINUTE_NS, [over_time(condition, rows)]):
        for minute in range(since // MINUTE_NS, until // MINUTE_NS):
            found[minute] = "?" if one is None else "+" if one == FITS else "-"
    return found


def test_a_reading_holds_until_the_next_one_or_until_that_was_due() -> None:
    """A reading counts to the next one, if that is late by half an interval at most; else to when that was due."""
    five = HTTP._replace(every=Seconds(300))
    assert "".join(pieces(HTTP, (2.1, 1))) == "??+???????"
    assert "".join(pieces(HTTP, (2.9, 1), (4.1, 1))) == "??+++?????"
    assert "".join(pieces(HTTP, (2.1, 1), (2.9, 0), (3.5, 1))) == "??-+??????"
    assert "".join(pieces(five, (1.0, 1))) == "?+++++????"
    assert "".join(pieces(five, (1.0, 1), (6.2, 0))) == "?+++++----"
    assert "".join(pieces(five, (1.0, 1), (8.5, 0))) == "?+++++++--"
    assert "".join(pieces(five, (1.0, 1), (8.6, 0))) == "?+++++??--"
    assert pieces(HTTP) == ["?"] * 10


def decided(
    *proofs: tuple[tuple[Condition, Outcome | None], ...],
    lan: int | None = 1,
    wan: int | None = 1,
    before: Cause | None = None,
) -> str:
    """Return the cause and stage of a minute; of presence conditions the outcome is not given but follows."""
    network = Network(lan, wan, before)
    criterion = Criterion(tuple(Proof(tuple(c for c, _ in proof)) for proof in proofs), Hours.SERVICE)
    readings = {(number, n): one for number, proof in enumerate(proofs) for n, (_, one) in enumerate(proof)}
    return ":".join(filter(None, decide(asked(criterion, "", is_observed=False), readings, network)))


def test_the_first_proof_with_evidence_decides() -> None:
    """All fit: working. One fails: its cause. Something is missing and nothing fails: the next proof is asked."""
    assert decided(((HTTP, FITS),)) == "working"
    assert decided(((HTTP, DOWN),)) == "service_down:dns"
    assert decided(((HTTP, None),)) == "unknown"
    assert decided(((HTTP, FITS), (HTTP, None)), ((HTTP, FITS),)) == "working"
    assert decided(((HTTP, FITS), (HTTP, None)), ((HTTP, None),)) == "unknown"
    assert decided(((HTTP, DOWN), (HTTP, None)), ((HTTP, FITS),)) == "service_down:dns"
    assert decided(((HTTP, None),), ((HTTP, DOWN),)) == "service_down:dns"


def test_the_network_explains_what_failed_beyond_it() -> None:
    """A gateway that does not answer, else an Internet that does not, is the cause of what failed by itself."""
    assert decided(((HTTP, DOWN),), lan=0, wan=0) == "lan_down"
    assert decided(((HTTP, DOWN),), wan=0) == "wan_down"
    assert decided(((HTTP, DOWN),), lan=None, wan=None) == "service_down:dns"
    assert decided(((HTTP, DOWN),), before=Cause.LAN_DOWN) == "lan_down", "asked before it came back"
    assert decided(((HTTP, DOWN),), before=Cause.WAN_DOWN) == "wan_down"
    assert decided(((HTTP, DOWN),), wan=0, before=Cause.LAN_DOWN) == "wan_down", "its own minute's sign goes first"
    assert decided(((WAN, None), (HTTP, DOWN)), before=Cause.WAN_DOWN) == "wan_down"
    assert decided(((WAN, None), (HTTP, FITS)), before=Cause.WAN_DOWN) == "working"
    assert decided(((HTTP, FITS),), lan=0, wan=0) == "working"
    assert decided(((HTTP, Outcome(Cause.ASLEEP)),), lan=0) == "asleep"


def test_presence_alone() -> None:
    """Conditions on presence decide alone where nothing else is asked; else when every proof fails by them."""
    assert decided(((LAN, None), (WAN, None))) == "working"
    assert decided(((LAN, None), (WAN, None)), wan=0) == "wan_down"
    assert decided(((LAN, None), (WAN, None)), lan=0, wan=0) == "lan_down"
    assert decided(((WAN, None),), lan=0, wan=0) == "lan_down", "also where nothing asks for the gateway itself"
    assert decided(((LAN, None), (WAN, None)), wan=None) == "unknown"
    assert decided(((WAN, None), (HTTP, None)), ((HTTP, FITS),), wan=0) == "working"
    assert decided(((WAN, None), (HTTP, None)), ((HTTP, None),), wan=0) == "unknown"
    assert decided(((WAN, None), (HTTP, None)), wan=0) == "wan_down"
    assert decided(((WAN, None), (HTTP, FITS)), wan=0) == "wan_down"


def test_which_proofs_are_asked() -> None:
    """A proof for other profiles is not; one on presence alone is none of a device that another agent watches."""
    criterion = Criterion((Proof((LAN,)), Proof((HTTP,), ("seewo",)), Proof((WAN, HTTP))), Hours.SERVICE)
    numbers = [
        [one.number for one in asked(criterion, profile, is_observed=is_observed)]
        for profile in ("seewo", "other")
        for is_observed in (False, True)
    ]
    assert numbers == [[0, 1, 2], [1, 2], [0, 2], [2]]
    assert asked(criterion, "", is_observed=True)[0].readings == (1,)
