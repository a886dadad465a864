"""Faults: a rule that holds for its time, hysteresis, and what a restart must not forget."""

import json
from typing import Any

from agent.watch import Watch
from contract.sample import Sample
from contract.settings import checked
from firmware_profiles.schema import Fault

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS


def rule(**given: Any) -> Fault:
    """Return a rule as a profile has it: too hot above 80."""
    wish = {
        "code": "too-hot",
        "title": {"zh": "过热", "en": "Too hot"},
        "field": "sensor.value",
        "operator": "above",
        "value": 80,
        **given,
    }
    return checked(Fault, wish, "test")


def minutes(watch: Watch, *values: float | None, begin: int = 0, name: str = "cpu") -> list[int | None]:
    """Feed one value a minute; return `active` of the fault written in each, None where none was."""
    found: list[int | None] = []
    for minute, value in enumerate(values, begin):
        fields = {} if value is None else {"value": value}
        faults = list(watch.see([Sample("sensor", fields, minute * MINUTE_NS, {"name": name})]))
        found.append(faults[0].fields["active"] if faults else None)  # type: ignore[arg-type]
    return found


def test_a_fault_is_written_when_it_changes() -> None:
    """The first reading says what is the case; after that only changes are written, with code and severity."""
    watch = Watch([rule(severity="critical")])
    assert minutes(watch, 70, 75, 85, 90, 70) == [0, None, 1, None, 0]
    (fault,) = watch.see([Sample("sensor", {"value": 99.0}, 9 * MINUTE_NS, {"name": "cpu"})])
    assert fault == Sample("fault", {"active": 1, "severity": "critical"}, 9 * MINUTE_NS, {"code": "too-hot"})


def test_what_stays_is_written_once_an_hour() -> None:
    """That a fault is not there is evidence too, and must not be as old as the agent."""
    watch = Watch([rule()])
    found = minutes(watch, *[70.0] * 121)
    assert [minute for minute, active in enumerate(found) if active is not None] == [0, 60, 120]


def test_a_fault_must_hold_for_its_time() -> None:
    """A peak is no fault; and what has not held yet is not written as clear either, where nothing was known."""
    watch = Watch([rule(hold="2m")])
    assert minutes(watch, 85, 85, 85, 85) == [None, None, 1, None]
    assert minutes(Watch([rule(hold="2m")]), 70, 85, 70, 85, 85, 85) == [0, None, None, None, None, 1]


def test_clearing_has_a_threshold_and_a_time_of_its_own() -> None:
    """Hysteresis: between the two thresholds all stays as it was."""
    watch = Watch([rule(clear=75, clear_hold="1m")])
    assert minutes(watch, 85, 78, 74, 78, 74, 74, 78, 81) == [1, None, None, None, None, 0, None, 1]


def test_what_nobody_saw_has_not_held() -> None:
    """Two readings an hour apart with nothing between them do not prove that a condition held for two minutes."""
    watch = Watch([rule(hold="2m")])
    assert minutes(watch, 85) == [None]
    assert minutes(watch, 85, 85, 85, begin=60) == [None, None, 1]


def test_an_absent_reading_is_unknown() -> None:
    """A device that does not answer has no fault and no absence of one: nothing is written."""
    assert minutes(Watch([rule()]), None, None) == [None, None]


def test_of_several_samples_one_is_enough() -> None:
    """A switch is in trouble while one of its ports is; tags choose whom a rule is for."""
    watch = Watch([rule()])
    assert minutes(watch, 85, name="one") == [1]
    assert minutes(watch, 70, name="two", begin=1) == [None]
    assert minutes(watch, 70, name="one", begin=2) == [0]
    chosen = Watch([rule(tags={"name": "one"})])
    assert minutes(chosen, 85, name="two") == [None]
    assert minutes(chosen, 85, name="one") == [1]


def test_each_operator() -> None:
    """Operators compare as their names say, text and numbers."""
    for operator, limit, bad, good in (
        ("above", 80, 81, 80),
        ("at_least", 80, 80, 79),
        ("below", 10, 9, 10),
        ("at_most", 10, 10, 11),
        ("is", 4, 4, 5),
        ("is_not", 8, 4, 8),
    ):
        assert minutes(Watch([rule(operator=operator, value=limit)]), bad, good) == [1, 0], operator
    power = rule(field="display.power", operator="is", value="on")
    (fault,) = Watch([power]).see([Sample("display", {"power": "on"}, 0)])
    assert fault.fields["active"] == 1


def test_a_restart_of_the_agent_forgets_nothing() -> None:
    """An active fault stays active, and what was on its way to become one goes on being so."""
    watch = Watch([rule(hold="3m", clear=75)])
    assert minutes(watch, 85, 85) == [None, None]
    again = Watch([rule(hold="3m", clear=75)], json.loads(json.dumps(watch.state())))
    assert minutes(again, 85, 85, 78, begin=2) == [None, 1, None]
    third = Watch([rule(hold="3m", clear=75)], json.loads(json.dumps(again.state())))
    assert minutes(third, 78, 74, begin=5) == [1, 0], "78 is not clear: the fault was active before the restart"


def test_another_boot_keeps_faults_but_no_instants() -> None:
    """Boot time begins anew: only what was known counts."""
    watch = Watch([rule(hold="3m", clear=75)])
    minutes(watch, 85, 85, begin=1000)
    known = json.loads(json.dumps(watch.state()))
    assert minutes(Watch([rule(hold="3m", clear=75)], known, is_same_boot=False), 85, 85, 85, 85) == [
        None,
        None,
        None,
        1,
    ]


def test_a_rule_that_is_gone_is_forgotten() -> None:
    """
    A profile that lost a rule does not carry its state along; where it was active it is said once that it is over.

    Else the newest word on it would be, for ever, that it is active.
    """
    watch = Watch([rule()])
    minutes(watch, 70)
    assert Watch([rule(code="other")], watch.state()).state() == {}
    minutes(watch, 85, begin=1)
    kept = json.loads(json.dumps(watch.state()))
    waiting = json.loads(json.dumps(Watch([rule(code="other")], kept, is_same_boot=False).state()))
    other = Watch([rule(code="other")], waiting, is_same_boot=False)
    (gone,) = other.see([Sample("presence", {"lan": 1}, MINUTE_NS)])
    assert (gone.measurement, gone.fields, gone.tags) == ("fault", {"active": 0}, {"code": "too-hot"})
    assert not list(other.see([Sample("presence", {"lan": 1}, 2 * MINUTE_NS)]))
    assert other.state() == {}


def test_a_series_that_is_gone_does_not_hold_a_fault_for_ever() -> None:
    """A port that was renamed while it was in trouble does not keep the switch in trouble."""
    watch = Watch([rule()])
    assert minutes(watch, 85, name="old") == [1]
    assert minutes(watch, 70, name="new", begin=3 * 24 * 60) == [0]


def test_a_restart_on_a_machine_that_runs_for_long_clears_nothing() -> None:
    """A fault of one port is still one when the agent begins anew and reads another port first."""
    watch = Watch([rule(hold="1m")])
    days = 10 * 24 * 60
    assert minutes(watch, 85, 85, begin=days, name="down") == [None, 1]
    again = Watch([rule(hold="1m")], json.loads(json.dumps(watch.state())))
    assert minutes(again, 70, begin=days + 2, name="up") == [1]
    assert minutes(again, 85, begin=days + 2, name="down") == [None]


def test_a_series_that_is_gone_is_forgotten_by_a_machine_that_is_switched_off_daily() -> None:
    """No boot is long enough for the two days that a running machine waits: half an hour of others has to do."""
    watch = Watch([rule()])
    assert minutes(watch, 85, name="old") == [1]
    again = Watch([rule()], json.loads(json.dumps(watch.state())), is_same_boot=False)
    found = minutes(again, *[70.0] * 40, name="new")
    assert [(minute, active) for minute, active in enumerate(found) if active is not None] == [(0, 1), (31, 0)]


def test_what_is_read_seldom_can_hold_too() -> None:
    """A reading taken every ten minutes holds for five when the next one says the same, and clears so."""
    watch = Watch([rule(hold="5m", clear_hold="5m")], every_s=lambda _field: 600.0)
    values = [85, 85, 70, 70]
    assert [minutes(watch, value, begin=10 * n)[0] for n, value in enumerate(values)] == [None, 1, None, 0]
    assert minutes(watch, 85, begin=50) == [None]
    assert minutes(watch, 85, begin=80) == [None], "two reads failed in between: nobody saw it"


def test_what_another_version_kept_is_left_aside() -> None:
    """A state that cannot be understood costs what it said, and nothing else."""
    watch = Watch([rule()], {"too-hot": {"name=cpu": [True, None, 0, "more"], "name=b": ["yes"], "name=c": 7}})
    assert watch.state() == {}
    assert Watch([rule()], {"too-hot": [1]}).state() == {}
    assert minutes(watch, 70) == [0]
