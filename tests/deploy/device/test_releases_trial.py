"""The trial of a new release: passed, taken back, interrupted."""

import json
import os
from pathlib import Path

import pytest

from deploy.device.releases import Device, ReleaseError
from tests.deploy.device.material import Place


def test_the_first_release_is_run_without_a_trial(place: Place) -> None:
    """There is nothing to go back to: it is switched to and started, and nobody looks."""
    place.put("1.0")
    assert place.does("use", "1.0") == {"changed": True, "version": "1.0"}
    assert place.status()["current"] == place.running == "1.0"
    assert place.status()["trial"] is None
    assert not place.looks()


def test_a_release_passes_that_stored_something_in_two_looks(two: Place) -> None:
    """The timer looks while the trial goes on and is stopped when it ends; the new release stays."""
    two.says(1.0, "of the release before")
    assert two.does("use", "2.0")["changed"]
    assert two.running == "2.0"
    assert two.looks()
    assert two.does("check")["trial"]["healthy"] == 0, "what the one before said is no proof"
    two.says(7.0)
    assert two.does("check")["trial"]["healthy"] == 1
    two.says(8.0)
    assert two.does("check") == {"trial": None, "current": "2.0"}
    assert not two.looks()
    assert two.running == "2.0"
    assert two.status()["failed"] == {}


def test_one_that_stored_something_once_and_hangs_is_taken_back(two: Place) -> None:
    """The second look must find that something was said since the first: old news proves nothing."""
    two.does("use", "2.0")
    two.says(7.0)
    assert two.does("check")["trial"]["healthy"] == 1
    assert two.does("check")["trial"]["healthy"] == 1
    assert two.does("check")["trial"]["healthy"] == 1
    assert two.run("check").returncode == 1
    assert two.running == "1.0"


def test_looks_must_be_well_in_a_row(two: Place) -> None:
    """Well, ill, well is not passed."""
    two.does("use", "2.0")
    for stored, healthy in ((7.0, 1), (0.0, 0), (8.0, 1)):
        two.says(stored)
        assert two.does("check")["trial"]["healthy"] == healthy


def test_a_release_that_is_well_at_the_last_look_has_one_more(two: Place) -> None:
    """It is not taken back with the note that all is well."""
    two.does("use", "2.0")
    for _ in range(3):
        two.does("check")
    two.says(7.0)
    assert two.does("check")["trial"]["looks"] == 4
    two.says(8.0)
    assert two.does("check")["trial"] is None
    assert two.running == "2.0"


def test_a_release_that_is_not_well_is_taken_back_after_so_many_looks(two: Place) -> None:
    """The release before runs again, the reason is kept, and the exit code says it once."""
    two.does("use", "2.0")
    for look in range(1, 4):
        two.says(0.0, "the broker refuses it")
        assert two.does("check")["trial"]["looks"] == look
    done = two.run("check")
    assert done.returncode == 1
    assert "2.0 did not work here and 1.0 runs again: the broker refuses it" in done.stderr
    status = two.status()
    assert status["current"] == two.running == "1.0"
    assert status["failed"] == {"2.0": "the broker refuses it"}
    assert status["trial"] is None
    assert not two.looks()
    assert two.does("check") == {"trial": None, "current": "1.0"}


def test_looks_are_counted_not_time(two: Place) -> None:
    """A device that is off for a year in the middle of a trial goes on with it where it was."""
    two.does("use", "2.0")
    two.does("check")
    long_ago = 1_000_000_000
    os.utime(two.home / "trial.json", (long_ago, long_ago))
    assert two.does("check")["trial"]["looks"] == 2


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("dead", "it does not run: "),
        ("without health", "it does not say how it is: stand-in: no such command 'health'"),
    ],
)
def test_a_release_that_cannot_say_how_it_is_is_taken_back(place: Place, kind: str, why: str) -> None:
    """One whose program does not start, or knows no `health`, fails its trial, and the reason says so."""
    place.put("1.0")
    place.put("2.0", kind)
    place.does("use", "1.0")
    place.does("use", "2.0", looks=1)
    assert place.run("check", looks=1).returncode == 1
    assert why in place.status()["failed"]["2.0"]
    assert place.running == "1.0"


def test_a_release_that_hangs_is_taken_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that does not answer is not waited for."""
    place.put("1.0")
    place.put("2.0", "hangs")
    for name in ("PATH", "STAND_IN", "SANTONG_HOME"):
        monkeypatch.setenv(name, place.environment[name])
    device = Device(place.home, spool=place.spool, looks=1)
    device.patience_s = 0.3
    device.use("1.0")
    device.use("2.0")
    with pytest.raises(ReleaseError, match=r"it does not run: santong-agent took longer than 0\.3 s"):
        device.check()
    assert place.running == "1.0"


def test_a_third_release_during_a_trial_has_the_proven_one_behind_it(two: Place) -> None:
    """What is on trial is nothing to go back to."""
    two.put("3.0", "dead")
    two.does("use", "2.0")
    two.does("use", "3.0")
    trial = two.status()["trial"]
    assert (trial["version"], trial["previous"], trial["before"]) == ("3.0", "1.0", "2.0")
    assert two.run("check", looks=1).returncode == 1
    assert two.running == "1.0"


def test_going_back_by_hand_during_a_trial_ends_it(two: Place) -> None:
    """`use` of the release before is a decision: nothing is looked at any more, nothing is called failed."""
    two.does("use", "2.0")
    two.does("use", "1.0")
    status = two.status()
    assert (status["current"], status["trial"], status["failed"]) == ("1.0", None, {})
    assert not two.looks()


def test_at_once_needs_no_trial(two: Place) -> None:
    """Going back to a known release is not to be proven; and a trial under way is ended by accepting it."""
    two.does("use", "2.0", "--at-once")
    assert two.status()["trial"] is None
    assert not two.looks()
    assert two.running == "2.0"
    two.does("use", "1.0")
    assert two.looks()
    assert two.does("use", "1.0", "--at-once")["changed"]
    assert two.status()["trial"] is None
    assert not two.looks()


def test_a_failed_release_may_be_tried_again_by_hand(two: Place) -> None:
    """`use` forgives: the trial begins anew, from the first look."""
    two.does("use", "2.0")
    assert two.run("check", looks=1).returncode == 1
    assert two.does("use", "2.0")["changed"]
    status = two.status()
    assert status["failed"] == {}
    assert status["trial"]["looks"] == 0
    two.says(7.0)
    two.does("check")
    two.says(8.0)
    assert two.does("check")["trial"] is None


def test_use_of_what_runs_does_what_was_left_undone(two: Place) -> None:
    """It is nothing new, but agent and looks run afterwards: a killed `use` leaves them standing."""
    two.does("use", "2.0")
    for name in ("running", "looking"):
        (two.systemd / name).unlink()
    assert two.does("use", "2.0") == {"changed": False, "version": "2.0"}
    assert two.running == "2.0"
    assert two.looks()


def test_what_is_not_installed_is_not_used(two: Place) -> None:
    """Code 2, and the message names what there is; a folder that is not complete is not there."""
    (two.home / "releases/3.0").mkdir()
    for version in ("3.0", "../../tmp", ""):
        done = two.run("use", version)
        assert done.returncode == 2
        assert "is not installed: 1.0, 2.0" in done.stderr
    assert two.running == "1.0"


def test_no_trial_is_begun_that_nobody_would_look_at(two: Place) -> None:
    """Where the timer cannot be started the old release goes on: a trial without looks would never end."""
    two.refuse("start santong-trial.timer")
    done = two.run("use", "2.0")
    assert done.returncode == 3
    assert "santong-trial.timer is refused" in done.stderr
    status = two.status()
    assert (status["current"], status["trial"]) == ("1.0", None)
    assert two.running == "1.0"


def test_an_agent_that_cannot_be_stopped_is_not_switched_under(two: Place) -> None:
    """The message is systemd's; the next try goes on from there."""
    two.refuse("stop santong-agent.service")
    assert two.run("use", "2.0").returncode == 3
    assert two.status()["current"] == "1.0"
    two.refuse()
    two.does("use", "2.0")
    assert two.running == "2.0"


def test_a_trial_file_of_another_version_of_this_program_is_read(two: Place) -> None:
    """The program is replaced while a trial goes on: fields that it does not know, or misses, end no trial."""
    two.does("use", "2.0")
    file = two.home / "trial.json"
    file.write_text(json.dumps({"version": "2.0", "previous": "1.0", "invented": 1}))
    assert two.does("check")["trial"]["looks"] == 1
    file.write_text('{"version": "2.')
    assert two.does("check") == {"trial": None, "current": "2.0"}
    assert not two.looks()


def test_a_look_without_a_trial_stops_the_looks(two: Place) -> None:
    """A timer that runs for nothing is stopped."""
    assert two.does("check") == {"trial": None, "current": "1.0"}
    assert two.asked[-1] == "stop santong-trial.timer"


def test_a_switch_by_hand_ends_the_trial(two: Place) -> None:
    """Somebody changed the link: what they chose stays and runs."""
    two.does("use", "2.0")
    link = two.home / "current"
    link.unlink()
    link.symlink_to(Path("releases/1.0"))
    assert two.does("check") == {"trial": None, "current": "1.0"}
    assert two.running == "1.0"
    assert not two.looks()


def test_nothing_is_taken_back_to_that_is_gone(two: Place) -> None:
    """A bad release is better than none: it goes on, and the reason is said."""
    two.does("use", "2.0")
    (two.home / "releases/1.0/.complete").unlink()
    done = two.run("check", looks=1)
    assert done.returncode == 1
    assert "1.0 is gone" in done.stderr
    assert two.running == "2.0"
    assert not two.looks()


def test_the_status_names_the_release_to_go_back_to(two: Place) -> None:
    """Not one that failed here, not a newer one: the newest that was installed before the one that runs."""
    two.put("3.0", "dead")
    two.does("use", "2.0", "--at-once")
    two.does("use", "3.0")
    assert two.run("check", looks=1).returncode == 1
    assert two.status()["before"] == "1.0"
    two.does("use", "1.0", "--at-once")
    assert two.status()["before"] == ""
