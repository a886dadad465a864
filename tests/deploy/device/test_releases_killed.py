"""Power cuts and kill -9 at every step: a whole release always runs, and what was begun is ended."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.deploy.device.material import Place, bundle
from tests.processes import wait_until

KILLED = Path(__file__).with_name("killed.py")


def killed_at_each_step(seed: Place, folder: Path, *words: str, every: int = 1, most: int = 1000) -> Iterator[Place]:
    """
    Yield a device for each step of a command: as `seed`, with the command ended just before that step.

    Of commands that take long `every` so manieth of the first `most` steps must do.
    """
    count = folder / "count"

    def run(number: int) -> tuple[Place, int]:
        place = Place(folder / f"{words[0]}-{number}")
        for name in ("home", "spool", "systemd"):
            shutil.rmtree(place.home.parent / name)
            shutil.copytree(seed.home.parent / name, place.home.parent / name, symlinks=True)
        command = [sys.executable, str(KILLED), str(number), str(count), *place.words(*words)[1:]]
        return place, subprocess.run(command, env=place.environment, capture_output=True, check=False).returncode

    _, code = run(0)
    assert code in {0, 1}
    steps = int(count.read_text())
    assert steps > 5
    for number in range(1, min(steps, most) + 1, every):
        place, code = run(number)
        assert code == -signal.SIGKILL
        yield place


def boot(place: Place) -> None:
    """Do what systemd does at a boot: the agent is started, the timer where there is a trial."""
    current = place.status()["current"]
    (place.systemd / "running").write_text(current)
    (place.systemd / "looking").unlink(missing_ok=True)
    if (place.home / "trial.json").exists():
        (place.systemd / "looking").touch()


def is_whole(place: Place) -> None:
    """Assert that `current` names a release that is completely there."""
    status = place.status()
    assert status["current"] in {"1.0", "2.0"}
    assert status["current"] in status["installed"]


def test_a_switch_that_is_cut_short(two: Place, tmp_path: Path) -> None:
    """The old release runs, or the new one on trial, after a boot or with the timer alone; `use` completes it."""
    seen = set()
    for place in killed_at_each_step(two, tmp_path, "use", "2.0"):
        is_whole(place)
        if not (place.systemd / "looking").exists() and place.running:
            assert place.running == place.status()["current"] == "1.0", "nothing was begun"
        else:
            place.does("check")
        status = place.status()
        seen.add(status["current"])
        assert place.running == status["current"]
        assert (status["current"] == "2.0") == (status["trial"] is not None) or not place.looks()
        boot(place)
        place.does("check")
        assert (place.status()["current"] == "2.0") == place.looks(), "a new release is on trial, an old one is not"
        place.does("use", "2.0")
        assert place.running == place.status()["trial"]["version"] == "2.0"
        assert place.looks()
    assert seen == {"1.0", "2.0"}


def test_a_switch_from_one_on_trial_that_is_cut_short(two: Place, tmp_path: Path) -> None:
    """The release that was on trial stays on trial when the third one did not come to run."""
    two.put("3.0")
    two.does("use", "2.0")
    for place in killed_at_each_step(two, tmp_path, "use", "3.0"):
        boot(place)
        place.does("check")
        status = place.status()
        assert status["trial"]["version"] == status["current"] == place.running
        assert status["trial"]["previous"] == "1.0"
        assert place.looks()


def test_a_release_that_is_taken_back_when_the_power_goes(two: Place, tmp_path: Path) -> None:
    """A decision stays made: though the release is well after the boot, it is taken back, and the reason is kept."""
    two.does("use", "2.0")
    for _ in range(3):
        two.says(0.0, "ill")
        two.does("check")
    for place in killed_at_each_step(two, tmp_path, "check"):
        is_whole(place)
        boot(place)
        decided = "2.0" in place.status()["failed"]
        place.says(7.0)
        done = place.run("check")
        status = place.status()
        if decided:
            assert done.returncode == (1 if "runs again" in done.stderr else 0)
            assert status["current"] == place.running == "1.0"
            assert status["failed"] == {"2.0": "ill"}
            assert status["trial"] is None
            assert not place.looks()
        else:
            assert status["current"] == place.running == "2.0"
            assert status["trial"]["healthy"] == 1
            assert place.looks()


def test_a_trial_that_is_passed_when_the_power_goes(two: Place, tmp_path: Path) -> None:
    """It is passed, or looked at again; it is never taken back for it."""
    two.does("use", "2.0")
    two.says(7.0)
    two.does("check")
    two.says(8.0)
    for place in killed_at_each_step(two, tmp_path, "check"):
        boot(place)
        place.says(9.0)
        assert place.does("check")["trial"] is None
        assert place.status()["current"] == place.running == "2.0"
        assert not place.looks()


def test_going_back_at_once_that_is_cut_short(two: Place, tmp_path: Path) -> None:
    """A rollback during a trial ends with the one or the other, and the next `use` completes it."""
    two.does("use", "2.0")
    for place in killed_at_each_step(two, tmp_path, "use", "1.0", "--at-once"):
        is_whole(place)
        boot(place)
        place.does("check")
        assert place.running == place.status()["current"]
        place.does("use", "1.0", "--at-once")
        assert place.running == "1.0"
        assert place.status()["trial"] is None
        assert not place.looks()


def test_an_installation_that_is_cut_short(two: Place, tmp_path: Path, pip_made: Path) -> None:
    """Half a release is never there: what was installed stays, and the next try makes the new one whole."""
    bundle(two.home / "bundles/3.0", "3.0", pip_made)
    (two.home / "releases/0.9/lib").mkdir(parents=True)  # what another cut left
    words = ("install", str(two.home / "bundles/3.0"))
    whole = 0
    for number, place in enumerate(killed_at_each_step(two, tmp_path, *words, every=3)):
        status = place.status()
        assert status["current"] == "1.0"
        for version in status["installed"]:
            assert (place.home / f"releases/{version}/bin/santong-agent").exists()
        whole += "3.0" in status["installed"]
        if number % 3 == 2:  # each takes a second
            place.does("install", two.home / "bundles/3.0")
            assert "3.0" in place.status()["installed"]
            assert not (place.home / "releases/0.9").exists()
    assert whole <= 1


def test_an_installation_that_ends_with_all_its_programs(two: Place, pip_made: Path) -> None:
    """The power goes while venv, pip or the compiler writes: none of what they left is taken for a release."""
    fetched = bundle(two.home / "bundles/3.0", "3.0", pip_made)
    place = two.home / "releases/3.0"
    for sign in ("pyvenv.cfg", "bin/python", "lib/python*/site-packages/santong*"):
        running = two.launch("install", fetched)
        try:
            wait_until(partial(lambda sign: list(place.glob(sign)), sign))
        finally:
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
        if "3.0" not in two.status()["installed"]:  # where we were slow it came to its end
            shutil.rmtree(place / "bin", ignore_errors=True)  # as a disk that lost its last writes
    two.does("install", fetched)
    two.does("use", "3.0")
    assert two.does("check")["trial"]["note"].endswith("health.json cannot be read"), "its program runs"


def test_old_releases_that_are_removed_when_the_power_goes(two: Place, tmp_path: Path, pip_made: Path) -> None:
    """A release of which a part is gone is none any more."""
    two.put("0.8")
    two.put("0.9")
    two.does("use", "2.0", "--at-once")
    bundle(two.home / "bundles/3.0", "3.0", pip_made)
    words = ("install", str(two.home / "bundles/3.0"), "--keep", "2")
    removed = 0
    for place in killed_at_each_step(two, tmp_path, *words, most=16):
        installed = place.status()["installed"]
        assert {"2.0"} <= set(installed)
        removed += "0.8" not in installed
        for version in installed:
            assert (place.home / f"releases/{version}/bin/santong-agent").exists(), version
    assert removed > 3
