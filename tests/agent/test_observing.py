"""Devices that an agent speaks for: their answers become their own samples, faults, firmware and identity."""

import json
import logging
from typing import Any

import pytest

from agent.gather.read import Read, Way
from agent.observing import Observing, recalled
from agent.outcome import Outcome, Row
from agent.questions import Device, Question, questions_of
from agent.worker.client import Answer
from contract.sample import Sample
from contract.settings import checked, plain
from firmware_profiles.schema import Profile
from tests.agent.doubles import DEVICE, MINUTE_NS

PROJECTOR = "441802-3144001234.c0703-p"
TITLE = {"zh": "试", "en": "Test"}
WAY = Way(address="192.0.2.20")


def profile(**given: Any) -> Profile:
    """Return a profile of a projector."""
    collect = {
        "display": {
            "source": "pjlink",
            "read": [
                {"raw": "power", "field": "display.power", "enum": {"0": "standby", "1": "on"}},
                {"raw": "lamp", "field": "sensor.value", "tags": {"name": "lamp"}},
                {"raw": "version", "field": "firmware.version"},
            ],
        },
        "power": {
            "source": "file",
            "files": {"throttled": "/sys/throttled"},
            "read": [{"raw": "throttled", "field": "sensor.value", "tags": {"name": "low"}, "mask": 1, "sticky": True}],
        },
    }
    faults = [
        {
            "code": "lamp",
            "title": TITLE,
            "field": "sensor.value",
            "tags": {"name": "lamp"},
            "operator": "is",
            "value": 2,
        }
    ]
    wish = {"id": "test", "title": TITLE, "role": "projector", "verified": False, "collect": collect, "faults": faults}
    return checked(Profile, {**wish, **given}, "test")


def question(name: str, kind: str, device: str = PROJECTOR, way: Way = WAY) -> Question:
    """Return the question of one entry."""
    what = profile().collect[name]
    return Question(kind, name, Read(what, way, what.timeout), device)


def display(values: dict[str, Any], minute: int = 0) -> tuple[Question, Answer]:
    """Return what a projector answered."""
    outcome = Outcome(True, fields={"rtt_ms": 3.5}, rows=(Row("", values),))
    return question("display", "pjlink"), Answer(1, minute * MINUTE_NS, outcome)


def observing(state: dict[str, Any] | None = None, boot: str = "boot-1", **given: Any) -> Observing:
    """Return what maps and judges one projector beside the agent's own device."""
    devices = [Device(DEVICE, profile(collect={"power": plain(profile().collect["power"])}, faults=[]))]
    return Observing([*devices, Device(PROJECTOR, profile(**given), WAY)], DEVICE, boot, state)


def test_an_answer_becomes_samples_of_the_device_and_a_probe_point() -> None:
    """That a device answers is evidence by itself, beside what it says; its profile is its identity."""
    found = list(observing().found([display({"power": "1", "version": "1.2"}, minute=3)]))
    assert {device for device, _ in found} == {PROJECTOR}
    assert [sample for _, sample in found] == [
        Sample(
            "probe",
            {"rtt_ms": 3.5, "stage": "done", "success": 1},
            3 * MINUTE_NS,
            {"kind": "pjlink", "target": "display"},
        ),
        Sample("display", {"power": "on"}, 3 * MINUTE_NS),
        Sample("firmware", {"version": "1.2"}, 3 * MINUTE_NS),
        Sample("identity", {"profile": "test"}, 3 * MINUTE_NS),
    ]


def test_identity_comes_once_an_hour() -> None:
    """The profile of an observed device is written when it first answers, and hourly."""
    watching = observing()
    minutes = [
        minute
        for minute in range(125)
        if any(sample.measurement == "identity" for _, sample in watching.found([display({"power": "1"}, minute)]))
    ]
    assert minutes == [0, 60, 120]


def test_a_device_that_does_not_answer_is_a_failed_probe_and_nothing_else() -> None:
    """No reading, no identity, no fault follows from silence."""
    watching = observing()
    silent = Answer(1, 0, Outcome(False, "timeout", reason="no answer within 5 s"))
    found = list(watching.found([(question("display", "pjlink"), silent)]))
    assert [(device, sample.measurement, sample.fields["success"]) for device, sample in found] == [
        (PROJECTOR, "probe", 0)
    ]
    assert watching.judged(found) == []


def test_firmware_is_judged() -> None:
    """A version is compliant or not where the profile says which are good."""
    rule = {"minimum": "2.0", "known_bad": ["2.1"]}
    for version, good in (("1.9", 0), ("2.0", 1), ("2.1", 0), ("2.10", 1)):
        found = observing(firmware=rule).found([display({"version": version})])
        (firmware,) = [sample for _, sample in found if sample.measurement == "firmware"]
        assert firmware.fields == {"version": version, "compliant": good}


def test_faults_follow_from_samples_and_outlive_a_restart() -> None:
    """A lamp that failed is a fault of the projector; the agent's restart does not end it."""
    watching = observing()
    found = list(watching.found([display({"lamp": "2"})]))
    ((device, fault),) = watching.judged(found)
    assert (device, fault.tags, fault.fields["active"]) == (PROJECTOR, {"code": "lamp"}, 1)
    again = observing(json.loads(json.dumps(watching.state())))
    ((_, cleared),) = again.judged(again.found([display({"lamp": "0"}, minute=1)]))
    assert cleared.fields["active"] == 0


def power(raw: str) -> tuple[Question, Answer]:
    """Return what this machine's own file said."""
    return question("power", "file", DEVICE, Way()), Answer(1, 0, Outcome(True, rows=(Row("", {"throttled": raw}),)))


def test_sticky_bits_outlive_a_restart_but_not_a_boot() -> None:
    """What happened in this boot stays known however often the agent starts; a new boot begins anew."""
    watching = observing()
    assert [s.fields["value"] for _, s in watching.found([power("1")])] == [1.0]
    state = json.loads(json.dumps(watching.state()))
    assert [s.fields["value"] for _, s in observing(state).found([power("0")])] == [1.0]
    assert [s.fields["value"] for _, s in observing(state, boot="boot-2").found([power("0")])] == [0.0]


def test_nothing_is_kept_where_nothing_happened() -> None:
    """A healthy device costs the spool no fact."""
    assert observing().state() == {}


def test_a_reading_of_the_machine_itself_is_no_probe(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be read here is absent and logged once, until it changes."""
    watching = observing()
    missing = Answer(1, 0, Outcome(None, "unable", reason="vcgencmd is not installed"))
    asked = (question("power", "file", DEVICE, Way()), missing)
    with caplog.at_level(logging.WARNING):
        assert list(watching.found([asked, asked])) == []
    assert caplog.messages == [f"power of {DEVICE}: vcgencmd is not installed"]


def test_a_strange_answer_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A defect in mapping one answer is logged; the others are kept."""
    unknown = (Question("pjlink", "gone", Read(None, WAY, 5), PROJECTOR), display({})[1])
    with caplog.at_level(logging.WARNING):
        found = list(observing().found([unknown, display({"power": "1"})]))
    assert "gone of" in caplog.text
    assert Sample("display", {"power": "on"}, 0) in [sample for _, sample in found]


def test_questions_of_a_device_are_its_probes_and_its_readings() -> None:
    """Each is asked on the way to the device, under the name of its entry."""
    probes = {"icmp": [{"target": "192.0.2.20", "name": "management"}]}
    questions = questions_of(Device(PROJECTOR, profile(probes=probes), WAY))
    assert [(q.kind, q.tag, q.device, q.every_s, q.is_remote) for q in questions] == [
        ("icmp", "management", PROJECTOR, 60.0, True),
        ("pjlink", "display", PROJECTOR, 60.0, True),
        ("file", "power", PROJECTOR, 60.0, False),
    ]


def test_a_fault_is_written_once_an_instant() -> None:
    """Of two ports that change in one read the points would have the same time, and one of them would be lost."""
    fault = {"code": "lamp", "title": TITLE, "field": "sensor.value", "operator": "is", "value": 2}
    watching = observing(faults=[fault])
    first = [(PROJECTOR, Sample("sensor", {"value": 2.0}, MINUTE_NS, {"name": "a"}))]
    values = (("a", 0.0), ("b", 2.0))
    second = [(PROJECTOR, Sample("sensor", {"value": n}, 2 * MINUTE_NS, {"name": name})) for name, n in values]
    assert [sample.fields["active"] for _, sample in watching.judged(first)] == [1]
    assert [sample.fields["active"] for _, sample in watching.judged(second)] == [1]


def test_a_rule_that_cannot_judge_costs_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """A value that no rule can compare is logged; the faults of the others are there."""
    fault = {"code": "lamp", "title": TITLE, "field": "sensor.value", "operator": "above", "value": 2}
    samples = [(PROJECTOR, Sample("sensor", {"value": value}, MINUTE_NS, {"name": "a"})) for value in ("strange", 3.0)]
    assert [sample.fields["active"] for _, sample in observing(faults=[fault]).judged(samples)] == [1]
    assert "faults of" in caplog.text


@pytest.mark.parametrize(
    "kept",
    [
        "not JSON",
        "[1]",
        '{"boot": "b", "faults": [1]}',
        f'{{"boot": "b", "sticky": {{"{PROJECTOR}": [1]}}, "faults": {{"{PROJECTOR}": [1]}}}}',
        f'{{"boot": "b", "sticky": 7, "faults": {{"{PROJECTOR}": {{"lamp": {{"": [1, 2, 3, 4]}}}}}}}}',
    ],
)
def test_a_damaged_memory_does_not_keep_an_agent_from_measuring(kept: str) -> None:
    """What was known is forgotten, whatever stands there: nothing else is lost."""
    device = Device(PROJECTOR, profile(), WAY)
    watching = Observing([device], DEVICE, "b", recalled(kept))
    sample = Sample("sensor", {"value": 2.0}, MINUTE_NS, {"name": "lamp"})
    assert [fault.fields["active"] for _, fault in watching.judged([(PROJECTOR, sample)])] == [1]


def test_rules_know_how_often_their_field_is_read() -> None:
    """What is read once an hour and is to hold for ten minutes becomes a fault with the second reading."""
    what = {**plain(profile().collect["display"]), "every": "1h"}
    fault = {
        "code": "lamp",
        "title": TITLE,
        "field": "sensor.value",
        "tags": {"name": "lamp"},
        "operator": "is",
        "value": 2,
        "hold": "10m",
    }
    device = Device(PROJECTOR, profile(collect={"display": what}, faults=[fault]), WAY)
    watching = Observing([device], DEVICE, "b", questions=questions_of(device))
    samples = [(PROJECTOR, Sample("sensor", {"value": 2.0}, n * 60 * MINUTE_NS, {"name": "lamp"})) for n in (1, 2)]
    assert [fault.at_ns for _, fault in watching.judged(samples)] == [120 * MINUTE_NS]


def test_every_identity_says_the_profile() -> None:
    """Whoever reads the newest identity of the agent's own device learns its profile, also where a profile reads it."""
    what = {
        "source": "file",
        "files": {"serial": "/sys/serial"},
        "read": [{"raw": "serial", "field": "identity.serial"}],
    }
    device = Device(DEVICE, profile(collect={"board": what}, faults=[]))
    answer = Answer(0, MINUTE_NS, Outcome(True, rows=(Row("", {"serial": "S1"}),)))
    found = list(Observing([device], DEVICE, "boot-1").found([(questions_of(device)[0], answer)]))
    assert found == [(DEVICE, Sample("identity", {"serial": "S1", "profile": "test"}, MINUTE_NS))]
