"""The state machine of a rollout, and what devices are told in each state."""

import random
from collections.abc import Callable

import pytest

from collector.fleet.judgement import Judgement, Outcome, State, Told
from collector.fleet.rollout import Moment, Rollout, RolloutError, Status, advance, resume, rollback, start, stop
from collector.fleet.signed import next_number
from collector.fleet.waves import Wave

WAVES = (Wave("canary", ("a",)), Wave("5", ("b", "c")), Wave("25", ()), Wave("all", ("d",)))
BY = "tester"
NUMBER = 1_000_000


def begun() -> Rollout:
    """Return a rollout of 1.1.0 over 1.0.0 that has just begun, whose plan has a number far above the time."""
    return start(None, "1.1.0", "1.0.0", WAVES, NUMBER + 5, Moment(1000, BY))


def says(outcome: Outcome, *good: str) -> Judgement:
    """Return a judgement."""
    return Judgement(outcome, (("too_few", "0/1"),), tuple(Told(name, State.GOOD) for name in good))


def after(rollout: Rollout, *outcomes: Outcome) -> Rollout:
    """Return what becomes of a rollout."""
    for number, outcome in enumerate(outcomes, start=2):
        rollout = advance(rollout, says(outcome), Moment(1000 * number, BY))
    return rollout


PASSED, FAILED, OPEN = Outcome.PASSED, Outcome.FAILED, Outcome.OPEN


@pytest.mark.parametrize(
    ("outcomes", "status", "default", "agents", "number"),
    [
        ([], Status.RUNNING, "1.0.0", "a", 5),
        ([OPEN, OPEN], Status.RUNNING, "1.0.0", "a", 5),
        ([PASSED], Status.RUNNING, "1.0.0", "abc", 6),
        ([FAILED], Status.STOPPED, "1.0.0", "", 6),
        ([PASSED, FAILED], Status.STOPPED, "1.0.0", "a", 7),
        ([PASSED, FAILED, PASSED], Status.STOPPED, "1.0.0", "a", 7),
        ([PASSED, PASSED], Status.RUNNING, "1.1.0", "", 7),
        ([PASSED, PASSED, FAILED], Status.STOPPED, "1.0.0", "abc", 8),
        ([PASSED, PASSED, PASSED], Status.DONE, "1.1.0", "", 8),
    ],
)
def test_what_devices_are_told(outcomes: list[Outcome], status: Status, default: str, agents: str, number: int) -> None:
    """Waves that passed and the current one have the version; one that failed has not; with the last one all have."""
    rollout = after(begun(), *outcomes)
    plan = rollout.plan()
    assert (rollout.status, plan.default, "".join(sorted(plan.agents)), plan.number - NUMBER) == (
        status, default, agents, number,
    )  # fmt: skip
    assert set(plan.agents.values()) <= {"1.1.0"}


def test_every_change_of_what_devices_are_told_has_a_greater_number() -> None:
    """Whatever is done in whatever order: the same number never means two plans, and none is smaller than before."""
    chance = random.Random(7)
    for _ in range(200):
        rollout = begun()
        seen = {rollout.number: rollout.plan()}
        for at in range(2, 12):
            moment = Moment(at * 1000, BY)
            step = chance.choice(["passed", "failed", "open", "stop", "resume", "rollback"])
            try:
                if step in set(Outcome):
                    rollout = advance(rollout, says(Outcome(step)), moment)
                else:
                    rollout = {"stop": stop, "resume": resume, "rollback": rollback}[step](rollout, moment)
            except RolloutError:
                continue
            assert rollout.number >= max(seen)
            assert seen.setdefault(rollout.number, rollout.plan()) == rollout.plan()
            assert Rollout.from_json(rollout.as_json()) == rollout


def test_the_journal_says_what_happened_when_and_who_did_it() -> None:
    """Each step is a line; a look that tells nothing is none."""
    rollout = after(begun(), PASSED, OPEN, FAILED)
    assert [(step.at_ms, step.what, step.wave) for step in rollout.journal] == [
        (1000, "started", ""),
        (1000, "began", "canary"),
        (2000, "passed", "canary"),
        (2000, "began", "5"),
        (4000, "failed", "5"),
    ]
    assert {step.by for step in rollout.journal} == {BY}
    assert rollout.journal[-1].detail.startswith("too_few 0/1")


def test_a_wave_begins_when_the_one_before_passed() -> None:
    """Its evidence counts from then on, and nobody of it is settled yet."""
    rollout = advance(begun(), says(OPEN, "a"), Moment(2000, BY))
    assert (rollout.since_ms, rollout.settled) == (1000, ("a",))
    rollout = after(rollout, PASSED)
    assert (rollout.since_ms, rollout.settled, rollout.current.name) == (2000, (), "5")


def test_a_wave_that_failed_can_be_tried_again() -> None:
    """Its agents get the version anew, and are judged from then on."""
    again = resume(after(begun(), FAILED), Moment(9000, "somebody"), "it was the switch")
    assert (again.status, again.plan().agents, again.since_ms) == (Status.RUNNING, {"a": "1.1.0"}, 9000)
    assert (again.journal[-1].by, again.journal[-1].detail) == ("somebody", "it was the switch")


def test_what_was_stopped_by_hand_goes_on_as_it_was() -> None:
    """Who has the version keeps it, and the number of the plan with it."""
    stopped = stop(begun(), Moment(2000, BY))
    assert (stopped.status, stopped.plan()) == (Status.STOPPED, begun().plan())
    assert advance(stopped, says(PASSED), Moment(3000, BY)) == stopped
    going = resume(stopped, Moment(3000, BY))
    assert (going.status, going.plan(), going.since_ms) == (Status.RUNNING, begun().plan(), 1000)


@pytest.mark.parametrize("outcomes", [[], [PASSED, FAILED], [PASSED, PASSED, PASSED]])
def test_everybody_can_be_sent_back(outcomes: list[Outcome]) -> None:
    """While it runs, when it was stopped, and when it was done."""
    back = rollback(after(begun(), *outcomes), Moment(9000, BY))
    assert (back.status, back.plan().default, back.plan().agents) == (Status.ROLLED_BACK, "1.0.0", {})


def test_steps_that_cannot_be_taken_say_why() -> None:
    """One rollout at a time, of another version than there is, to somebody."""
    moment = Moment(2000, BY)
    cases: list[tuple[Callable[[], Rollout], str]] = [
        (lambda: start(begun(), "1.2.0", "1.0.0", WAVES, 6, moment), "1.1.0 is running: `santong rollout rollback`"),
        (lambda: start(after(begun(), FAILED), "1.2.0", "1.0.0", WAVES, 6, moment), "1.1.0 is stopped"),
        (lambda: start(None, "1.0.0", "1.0.0", WAVES, 1, moment), "is the previous version too"),
        (lambda: start(None, "../1", "1.0.0", WAVES, 1, moment), "is not a version such as 1.2.0"),
        (lambda: start(None, "1.1.0", "1.0.0", [Wave("all", ())], 1, moment), "nobody to roll out to"),
        (lambda: resume(begun(), moment), "1.1.0 is running: there is nothing to resume"),
        (lambda: stop(after(begun(), FAILED), moment), "there is nothing to stop"),
        (lambda: rollback(rollback(begun(), moment), moment), "is rolled_back already"),
    ]
    for call, message in cases:
        with pytest.raises(RolloutError, match=message):
            call()


def test_a_new_rollout_follows_one_that_is_over() -> None:
    """Its number goes on."""
    done = after(begun(), PASSED, PASSED, PASSED)
    new = start(done, "1.2.0", "1.1.0", WAVES, done.number + 1, Moment(9000, BY))
    assert (new.id, new.number, new.plan().default) == (2, done.number + 1, "1.1.0")


def test_numbers_are_times_that_only_grow() -> None:
    """A centre that is made anew from last night's backup gives none that a device has seen since."""
    assert next_number(0, 1_800_000_000_000) == 1_800_000_000_000
    assert next_number(1_800_000_000_000, 1_800_000_000_000) == 1_800_000_000_001
    assert next_number(1_900_000_000_000, 1_800_000_000_000) == 1_900_000_000_001


def test_who_was_bad_is_remembered_as_who_was_good_is() -> None:
    """Each look sees some hours: what is known of a wave is what all looks saw, the latest of each agent."""

    def look(rollout: Rollout, agent: str, state: State, why: str = "") -> Rollout:
        found = Judgement(Outcome.OPEN, (("too_few", "0/2"),), (Told(agent, state, why),))
        return advance(rollout, found, Moment(5000, BY))

    rollout = look(look(after(begun(), PASSED), "b", State.GOOD), "c", State.BAD, "went_back")
    assert (rollout.settled, rollout.failing) == (("b",), ("c",))
    assert look(rollout, "c", State.OFF) == rollout
    assert look(rollout, "b", State.BAD, "missing") == rollout, "it may pass by itself"
    turned = look(look(rollout, "b", State.BAD, "went_back"), "c", State.GOOD)
    assert (turned.settled, turned.failing) == (("c",), ("b",))
    assert Rollout.from_json(turned.as_json() | {"status": "running"}) == turned
    assert after(turned, PASSED).failing == ()
