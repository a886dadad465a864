"""What the shipped profiles for projectors, panels and mere reachability promise, beyond their recorded devices."""

import pytest

from agent.gather.read import Read, Way
from agent.observing import Observing
from agent.outcome import Outcome, Row
from agent.probe.settings import Icmp
from agent.questions import Device, Question, questions_of
from agent.worker.client import Answer
from contract.sample import Value
from firmware_profiles.fill import fill
from firmware_profiles.library import Library
from firmware_profiles.match import patterns

DEVICE, OBSERVER = "441802-3144001234.c0703", "441802-3144001234.gateway"
MINUTE_NS = 60_000_000_000


def faults(name: str, *minutes: dict[str, Value], **parameters: str) -> dict[str, object]:
    """Return the faults, active or not, after a reading a minute."""
    profile = fill(Library().get(name), {"address": "192.0.2.1", "device": DEVICE, **parameters})
    observing = Observing([Device(DEVICE, profile)], OBSERVER, "boot-1")
    question = Question("pjlink", "display", Read(profile.collect["display"], Way(), 5), DEVICE)
    known: dict[str, object] = {}
    for number, values in enumerate(minutes):
        answer = Answer(0, number * MINUTE_NS, Outcome(True, rows=(Row("", values),)))
        for _, fault in observing.judged(list(observing.found([(question, answer)]))):
            known[fault.tags["code"]] = fault.fields["active"]
    return known


@pytest.mark.parametrize(
    ("raw", "value", "code"),
    [
        ("lamp", 1, "lamp-warning"),
        ("lamp", 2, "lamp-failed"),
        ("temperature", 1, "temperature-warning"),
        ("temperature", 2, "overheated"),
        ("fan", 1, "fan-warning"),
        ("fan", 2, "fan-failed"),
        ("cover", 1, "cover-open"),
        ("cover", 2, "cover-open"),
        ("filter", 1, "filter-due"),
        ("filter", 2, "filter-due"),
        ("other", 2, "other-error"),
        ("failure", 1, "device-failed"),
    ],
)
def test_fault(raw: str, value: int, code: str) -> None:
    """What a projector complains of for some minutes is a fault, that one alone, and is over when it is well again."""
    complaint: dict[str, Value] = {raw: value}
    ill = faults("pjlink-projector", *[complaint] * 7)
    assert [one for one, active in ill.items() if active] == [code]
    assert not any(faults("pjlink-projector", *[complaint] * 7, {raw: 0}).values())


@pytest.mark.parametrize("raw", ["lamp", "fan", "cover", "filter"])
def test_short_complaint(raw: str) -> None:
    """What a projector complains of once, as some do while they start, is no fault."""
    assert not any(faults("pjlink-projector", {raw: 0}, {raw: 2}, {raw: 0}).values())


@pytest.mark.parametrize("power", ["0", "2"])
def test_off_is_no_fault(power: str) -> None:
    """A projector that was switched off is not broken."""
    off: dict[str, Value] = {"power": power, "failure": 0}
    assert not any(faults("pjlink-projector", *[off] * 10).values())


def test_lamp_hours() -> None:
    """A lamp is old beyond the hours that the settings say, 3000 without them."""
    assert faults("pjlink-projector", {"lamp_hours": 3000}) == {"lamp-worn": 0}
    assert faults("pjlink-projector", {"lamp_hours": 3001}) == {"lamp-worn": 1}
    assert faults("pjlink-projector", {"lamp_hours": 3001}, lamp_hours_limit="5000") == {"lamp-worn": 0}
    assert faults("pjlink-projector", {"lamp_hours": 0}) == {}


def test_hours_of_a_laser() -> None:
    """A laser's hours are read as a lamp's and it lasts for 20,000 of them: beyond the limit is a hint, no alarm."""
    (rule,) = [fault for fault in Library().get("pjlink-projector").faults if fault.code == "lamp-worn"]
    assert rule.severity == "info"
    assert "灯泡" not in rule.title.zh
    assert "laser" in Library().get("pjlink-projector").notes
    assert faults("pjlink-projector", {"lamp_hours": 12_000}, lamp_hours_limit="20000") == {"lamp-worn": 0}


def test_panel() -> None:
    """A panel has no fault that it cannot have, and is never taken for a projector's model by itself."""
    profile = Library().get("pjlink-panel")
    assert profile.role == "classroom"
    assert profile.match == ()
    names = {reading.raw for source in profile.collect.values() for reading in source.read}
    assert not names & {"lamp", "lamp_hours", "filter", "filter_hours", "cover"}
    assert not {fault.code for fault in profile.faults} & {"lamp-failed", "lamp-warning", "lamp-worn", "filter-due"}


@pytest.mark.parametrize("name", ["pjlink-projector", "pjlink-panel"])
def test_no_name_is_read(name: str) -> None:
    """The name that people gave a device, which may be a person's, is not read."""
    assert "name" not in {reading.raw for source in Library().get(name).collect.values() for reading in source.read}


def test_projector_is_recognised() -> None:
    """Whatever answers PJLink is a projector until something knows better."""
    (match,) = Library().get("pjlink-projector").match
    assert patterns(match) == {"pjlink_manufacturer": "*"}


def test_ping_only() -> None:
    """A device of which nothing but its address is known is pinged there, and nothing else is asked or judged."""
    profile = fill(Library().get("ping-only"), {"address": "192.0.2.7", "device": DEVICE})
    assert (profile.match, dict(profile.collect), profile.faults) == ((), {}, ())
    (question,) = questions_of(Device(DEVICE, profile, Way(address="192.0.2.7")))
    assert (question.kind, question.tag, question.device) == ("icmp", "management", DEVICE)
    assert isinstance(question.ask, Icmp)
    assert question.ask.target == "192.0.2.7"
