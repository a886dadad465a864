"""Installing releases from real wheels by the real pip, without a network."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.device.material import PYTHON, Place, bundle, describe


def test_a_release_is_installed_from_its_own_wheels(place: Place, pip_made: Path) -> None:
    """Its program runs, its modules are compiled; what the surroundings say to pip and Python does not matter."""
    fetched = bundle(place.home / "bundles/1.0", "1.0", pip_made)
    place.environment |= {"PIP_REQUIRE_HASHES": "1", "PIP_TARGET": "/nowhere", "PYTHONDONTWRITEBYTECODE": "1"}
    place.environment |= {"PYTHONPATH": "/nowhere", "PIP_CONFIG_FILE": "/nowhere"}
    os.umask(0o077)
    try:
        assert place.does("install", fetched) == {"changed": True, "version": "1.0"}
    finally:
        os.umask(0o022)
    made = place.home / "releases/1.0"
    assert made.stat().st_mode & 0o777 == 0o755, "the agent's own user must be able to read it"
    done = subprocess.run(
        [made / "bin/santong-agent", "health", "--spool", place.spool], capture_output=True, text=True, check=False
    )
    assert json.loads(done.stdout)["healthy"] is False
    assert list(made.rglob("santong_stand_in*.pyc"))
    assert place.status()["installed"] == ["1.0"]
    assert place.does("install", fetched) == {"changed": False, "version": "1.0"}


def test_another_environment_is_made_elsewhere(place: Place, pip_made: Path, tmp_path: Path) -> None:
    """`environment` makes one with what was asked for, once."""
    fetched = bundle(tmp_path / "release", "1.0", pip_made)
    made = tmp_path / "control"
    assert place.does("environment", fetched, made, "--what", "santong")["changed"]
    assert (made / "bin/santong-agent").exists()
    assert not place.does("environment", fetched, made, "--what", "santong")["changed"]


@pytest.mark.parametrize("how", ["cut", "missing", "altered", "foreign", "empty", "torn"])
def test_a_torn_bundle_is_removed_and_nothing_is_installed(place: Place, pip_made: Path, how: str) -> None:
    """A transfer that a power cut ended leaves a release.json and half of the rest: it must be brought anew, whole."""
    fetched = bundle(place.home / "bundles/1.0", "1.0", pip_made)
    (wheel,) = fetched.glob("wheels/santong-*.whl")
    content = wheel.read_bytes()
    if how == "cut":
        wheel.write_bytes(content[: len(content) // 2])
    elif how == "missing":
        wheel.unlink()
    elif how == "altered":
        wheel.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif how == "foreign":
        (fetched / "wheels/santong-9.0-py3-none-any.whl").write_bytes(content)
    elif how == "empty":
        (fetched / "release.json").write_text("")
    else:
        (fetched / "release.json").write_text('{"version": "1.0"}')
    done = place.run("install", fetched)
    assert done.returncode == 3
    assert "it was removed, bring it anew" in done.stderr
    assert not fetched.exists()
    assert place.status()["installed"] == []


def test_a_torn_bundle_elsewhere_is_left_to_its_owner(place: Place, pip_made: Path, tmp_path: Path) -> None:
    """Only what lies in the device's own folder of bundles is removed: a wrong word removes nobody's folder."""
    fetched = bundle(tmp_path / "release", "1.0", pip_made)
    next(fetched.glob("wheels/santong-*.whl")).unlink()
    done = place.run("install", fetched)
    assert done.returncode == 3
    assert "wheels/santong-1.0-py3-none-any.whl is missing" in done.stderr
    assert fetched.exists()
    done = place.run("install", place.home / "bundles/7")
    assert done.returncode == 2
    assert "is no release" in done.stderr


@pytest.mark.parametrize("facts", [{"python": "2.7"}, {"machines": ["s390x"]}])
def test_a_release_for_another_device_is_refused(place: Place, pip_made: Path, facts: dict[str, str]) -> None:
    """The message says what it is for and what is here; it is whole, so it stays."""
    fetched = bundle(place.home / "bundles/1.0", "1.0", pip_made)
    describe(fetched, "1.0", **facts)
    done = place.run("install", fetched)
    assert done.returncode == 2
    assert PYTHON in done.stderr or platform.machine() in done.stderr
    assert "2.7" in done.stderr or "s390x" in done.stderr
    assert fetched.exists()


def test_a_release_without_what_it_needs_leaves_nothing(place: Place, pip_made: Path) -> None:
    """The reason of pip is said; no half of an environment stays, and the next release is not in its way."""
    fetched = bundle(place.home / "bundles/1.0", "1.0", pip_made)
    done = place.run("install", fetched, "--what", "santong", "--what", "not-in-it")
    assert done.returncode == 3
    assert "not-in-it" in done.stderr
    assert not (place.home / "releases/1.0").exists()
    assert place.does("install", fetched)["changed"]


def test_only_so_many_releases_are_kept(two: Place, pip_made: Path) -> None:
    """The oldest go, with their bundles; the one that runs and the one that is gone back to stay."""
    two.put("3.0")
    two.does("use", "3.0")  # on trial, 1.0 is gone back to
    for version in ("1.0", "2.0", "3.0"):
        (two.home / "bundles" / version).mkdir(parents=True)
    two.does("install", bundle(two.home / "bundles/4.0", "4.0", pip_made), "--keep", "1")
    assert two.status()["installed"] == ["1.0", "3.0", "4.0"]
    assert sorted(path.name for path in (two.home / "bundles").iterdir()) == ["1.0", "3.0", "4.0"]


def test_one_that_failed_goes_first(two: Place, pip_made: Path) -> None:
    """A release that does not work here is of less use than an old one that does."""
    two.put("3.0", "dead")
    two.does("use", "2.0", "--at-once")
    two.does("use", "3.0")
    assert two.run("check", looks=1).returncode == 1
    two.does("install", bundle(two.home / "bundles/4.0", "4.0", pip_made), "--keep", "3")
    assert two.status()["installed"] == ["1.0", "2.0", "4.0"]


def test_a_lost_clock_does_not_turn_the_order_of_releases_round(two: Place, pip_made: Path) -> None:
    """What was installed last is the newest, though the device believed it was another year."""
    far = 4_000_000_000
    os.utime(two.home / "releases/1.0/.complete", (far, far))
    two.does("install", bundle(two.home / "bundles/3.0", "3.0", pip_made))
    assert two.status()["installed"] == ["2.0", "1.0", "3.0"]


def test_two_at_once_do_the_work_once(two: Place, pip_made: Path) -> None:
    """Ansible, a person and the timer may come together: one waits for the other, and finds it done."""
    fetched = bundle(two.home / "bundles/3.0", "3.0", pip_made)
    running = [two.launch("install", fetched) for _ in range(3)]
    said = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    assert sorted(one["changed"] for one in said) == [False, False, True]
    running = [two.launch("use", version) for version in ("2.0", "3.0", "2.0", "3.0")]
    for process in running:
        process.communicate(timeout=120)
    status = two.status()
    assert two.running == status["current"] == status["trial"]["version"]
    assert status["trial"]["previous"] == "1.0"


def test_a_look_waits_for_who_changes_the_device(two: Place) -> None:
    """While another one holds the lock no look is taken; `status` reads at any time."""
    two.does("use", "2.0")
    hold = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(1, flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", hold, str(two.home / ".lock")], stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout
        holder.stdout.readline()
        look = two.launch("check")
        assert two.status()["trial"]["looks"] == 0
        with pytest.raises(subprocess.TimeoutExpired):
            look.wait(0.5)
        holder.communicate(b"")
    said = json.loads(look.communicate(timeout=60)[0])
    assert said["trial"]["looks"] == 1


def test_wrong_use_is_said(place: Place) -> None:
    """Code 2 for a folder that is no release and for one whose version is a path."""
    (place.home / "x").mkdir()
    (place.home / "x/release.json").write_text('{"version": "../../etc"}')
    for folder in ("x", "nothing"):
        done = place.run("install", place.home / folder)
        assert done.returncode == 2
        assert "is no release: release.json does not name a version" in done.stderr
    shutil.rmtree(place.home)
    place.home.write_text("a file where the folder should be")
    assert place.run("check").returncode == 3
