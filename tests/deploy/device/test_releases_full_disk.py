"""A full disk, a real one of a few megabytes: nothing that runs is harmed, and a trial still comes to its end."""

import json
import shlex
from pathlib import Path

from tests.deploy.device.full_disk import FILL, on_a_small_disk
from tests.deploy.device.material import Place, bundle


def ending(place: Place, code: int, *words: str, looks: int = 4) -> str:
    """Return a shell command that runs the program, which must end with this code."""
    command = shlex.join(place.words(*words, looks=looks))
    run = f"{{ {command} 2>> {place.systemd}/said && code=0 || code=$?; }}"
    return f"{run}; [ $code = {code} ] || {{ echo code $code >&2; exit 9; }}"


def test_a_release_for_which_there_is_no_room_leaves_none_of_it(place: Place, pip_made: Path) -> None:
    """The message names the disk, what was there stays, and the room is free again."""
    place.put("1.0")
    place.does("use", "1.0")
    bundle(place.home / "bundles/2.0", "2.0", pip_made)
    some_room = FILL.format(home=place.home) + f"; truncate -s -24K {place.home}/ballast"
    say = ending(place, 3, "install", str(place.home / "bundles/2.0"))
    on_a_small_disk(place, 8, some_room, say, f"[ $(df --output=avail {place.home} | tail -1) -ge 20 ]")
    assert "o space left" in (place.systemd / "said").read_text()
    assert place.status()["installed"] == ["1.0"]
    assert place.status()["current"] == "1.0"
    assert not (place.home / "releases/2.0").exists()


def test_no_trial_is_begun_on_a_full_disk(two: Place) -> None:
    """Its state could not be written down: the old release goes on."""
    fill = FILL.format(home=two.home)
    on_a_small_disk(two, 1, fill, ending(two, 3, "use", "2.0"))
    status = two.status()
    assert (status["current"], status["trial"]) == ("1.0", None)
    assert two.running == "1.0"


def test_a_trial_on_a_disk_that_fills_comes_to_its_end(two: Place) -> None:
    """Looks are counted where nothing new can be written, and the release is taken back."""
    two.does("use", "2.0")
    looks = [ending(two, 0, "check"), ending(two, 0, "check"), f"cp {two.home}/trial.json {two.systemd}/"]
    on_a_small_disk(two, 1, FILL.format(home=two.home), *looks, ending(two, 0, "check"), ending(two, 1, "check"))
    assert json.loads((two.systemd / "trial.json").read_text())["looks"] == 2
    status = two.status()
    assert status["current"] == two.running == "1.0"
    assert status["trial"] is None


def test_why_a_release_was_taken_back_is_kept_where_its_bundle_made_room(two: Place) -> None:
    """The bundle can be brought anew; the reason cannot."""
    two.does("use", "2.0")
    (two.home / "bundles/2.0").mkdir(parents=True)
    (two.home / "bundles/2.0/wheel").write_bytes(bytes(200_000))
    on_a_small_disk(two, 1, FILL.format(home=two.home), ending(two, 1, "check", looks=1))
    assert list(two.status()["failed"]) == ["2.0"]
    assert two.running == "1.0"


def test_a_trial_is_passed_on_a_full_disk(two: Place) -> None:
    """A release is not blamed for the disk."""
    two.does("use", "2.0")
    told = [f'echo \'{{"stored": {look}, "note": ""}}\' > {two.spool}/health.json' for look in (7, 8)]
    check = ending(two, 0, "check")
    on_a_small_disk(two, 1, FILL.format(home=two.home), told[0], check, told[1], check)
    assert two.status()["trial"] is None
    assert two.status()["current"] == two.running == "2.0"
