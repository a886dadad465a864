"""A rollout as it is kept and published: what devices fetch, and what is left of it when it is killed."""

import base64
import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collector import rolling
from collector.authority.signing import create, public_key, verify
from collector.durable import write_whole as write_whole_of_durable
from collector.fleet import rollout as steps
from collector.fleet.plan import FILE, default_of
from collector.fleet.rollout import RolloutError, Status
from collector.fleet.waves import waves
from collector.rolling import Places, Rolling
from collector.roster.read import Reading
from collector.roster.versions import Versions
from collector.store.base import Store
from collector.store.open import open_store
from collector.up import store_url
from deploy.device import pull
from tests.collector.commands import run
from tests.collector.fleet.evidence import NEW, NOW, OLD, UPGRADE, City
from tests.collector.fleet.fleets import TODAY, fleet, panels, roster
from tests.processes import BIN

PULLING = [agent.id for agent in fleet(60) if agent.reach == "pull"]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Return a data folder with 60 devices, a depot with two releases, and an authority with a key."""
    made = Places(tmp_path / "data", tmp_path / "depot", tmp_path / "authority")
    Versions(made.data).add(Reading(roster(panels(60))), TODAY - timedelta(900), "tester")
    (made.depot / "releases").mkdir(parents=True)
    for version in (OLD, NEW):
        (made.depot / f"releases/santong-agent-{version}-x86_64.signed").touch()
    made.authority.mkdir(mode=0o700)
    create(made.authority)
    return made


@pytest.fixture
def store(places: Places) -> Iterator[Store]:
    """Return the store of the data folder, as yet without any evidence."""
    opened = open_store(store_url(places.data))
    opened.prepare()
    yield opened
    opened.close()


def plan(places: Places) -> dict[str, Any]:
    """Return what devices fetch, once its signature was checked."""
    line, signature = (places.depot / FILE).read_bytes().splitlines()
    assert verify(public_key(places.authority), line, base64.b64decode(signature))
    found: dict[str, Any] = json.loads(line)
    return found


def words(places: Places, *more: object) -> list[object]:
    """Return the options of a command that tell where everything is."""
    return [*more, "--data", places.data, "--depot", places.depot, "--authority", places.authority]


def a_rolling(places: Places) -> Rolling:
    """Return the rollout of these places, today."""
    return Rolling(places, datetime.now(UTC).date())


def test_a_plan_is_one_file_that_openssl_verifies(places: Places, store: Store, tmp_path: Path) -> None:
    """A device needs nothing of ours to tell that a plan is the centre's."""
    a_rolling(places).start(NEW, OLD, store)
    line, signature, end = (places.depot / FILE).read_bytes().split(b"\n")
    assert end == b""
    (tmp_path / "line").write_bytes(line)
    (tmp_path / "sig").write_bytes(base64.b64decode(signature))
    public = places.authority / "signing.pub"
    checks: list[str | Path] = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        public,
        "-rawin",
        "-in",
        tmp_path / "line",
    ]
    done = subprocess.run([*checks, "-sigfile", tmp_path / "sig"], capture_output=True, check=False)
    assert done.returncode == 0, done
    tree = json.loads(line)
    assert pull.verified((places.depot / FILE).read_bytes(), pull.PLAN, public) == tree  # as the device's program does
    assert tree.keys() == {"format", "number", "made", "default", "agents"}
    assert (tree["format"], tree["default"]) == ("santong-plan/1", OLD)
    assert abs(tree["number"] / 1000 - time.time()) < 60  # a time, so that it grows though DATA were lost
    assert set(tree["agents"].values()) == {NEW}
    assert len(tree["agents"]) == 3
    assert set(tree["agents"]) <= set(PULLING)


def test_a_rollout_goes_through_all_waves(places: Places, store: Store) -> None:
    """Each look at good evidence gives the next wave the version; at the end everybody has it, unnamed."""
    agents = {agent.id: agent for agent in fleet(60)}
    pulling = waves([agents[name] for name in PULLING])
    clock = time.time() - 4 * 3600

    def at() -> float:
        return clock

    rolled = Rolling(places, datetime.now(UTC).date(), at)
    rolled.start(NEW, OLD, None)
    had: set[str] = set()
    for index, wave in enumerate(pulling):
        city = City()
        city.base_ns = int(clock * 1e9) // 60_000_000_000 * 60_000_000_000 - UPGRADE * 60_000_000_000
        city.lives(wave.agents, upgraded=UPGRADE + 1)
        city.lives(had, upgraded=1)
        city.lives(set(agents) - had - set(wave.agents))
        city.write(store)
        clock += (NOW - UPGRADE) * 60
        rollout, judgement = rolled.advance(store)
        assert judgement is not None
        assert judgement.outcome == "passed", (wave.name, judgement.reasons, judgement.counts)
        had |= set(wave.agents)
        told = plan(places)
        if index + 1 < len(pulling) - 1:
            assert set(told["agents"]) == had | set(pulling[index + 1].agents)
            assert told["default"] == OLD
        else:
            assert (told["default"], told["agents"]) == (NEW, {})
    assert rollout.status is Status.DONE


def test_a_wave_that_fails_goes_back_and_stops_the_rollout(places: Places, store: Store) -> None:
    """The timer's command says so by its exit code, and devices are told the version that they had."""
    now = time.time()
    Rolling(places, datetime.now(UTC).date(), lambda: now - 1800).start(NEW, OLD, None)
    canaries = list(plan(places)["agents"])
    city = City()
    city.lives(canaries, upgraded=UPGRADE + 1, there=lambda minute: minute < UPGRADE or minute % 2 == 0)
    city.lives([agent.id for agent in fleet(60) if agent.id not in canaries])
    city.write(store)
    text, _ = run(*words(places, "rollout", "advance", "--lang", "en"), code=1)
    assert "wave failed, is back on the previous version; stopped" in text
    assert "too many are bad: 3/3" in text
    assert (plan(places)["default"], plan(places)["agents"]) == (OLD, {})
    run(*words(places, "rollout", "advance"), code=1)
    said = json.loads(run(*words(places, "rollout", "status", "--json"))[0])
    assert (said["status"], said["is_withdrawn"]) == ("stopped", True)
    run(*words(places, "rollout", "resume", "--reason", "the switch was off"))
    assert set(plan(places)["agents"]) == set(canaries)
    run(*words(places, "rollout", "rollback"))
    assert (plan(places)["default"], plan(places)["agents"]) == (OLD, {})


def test_while_nothing_can_be_told_nothing_is_done(places: Places, store: Store) -> None:
    """Devices that are off are waited for: the plan stays as it is, byte by byte."""
    store.ready()
    run(*words(places, "rollout", "start", NEW, "--previous", OLD))
    before = (places.depot / FILE).read_bytes()
    text, _ = run(*words(places, "rollout", "advance", "--lang", "zh"))
    assert "暂时无法判断" in text
    assert "本组可判断的设备太少：0/3" in text
    assert (places.depot / FILE).read_bytes() == before


def test_what_is_missing_is_said_before_anything_begins(places: Places, store: Store) -> None:
    """No previous version, no release in the depot, no depot, no key: one line, and there is no rollout."""
    store.ready()
    for more, message in (
        ([NEW], "say with --previous which version devices have now"),
        (["1.2.0", "--previous", OLD], "1.2.0 is not in the depot"),
        ([NEW, "--previous", OLD, "--depot", places.data / "no"], "there is no depot"),
    ):
        _, said = run("rollout", "start", *words(places), *more, code=2)
        assert message in said
        assert said.count("\n") == 1
    _, said = run(*words(places, "rollout", "stop"), code=2)
    assert "begin one with `santong rollout start`" in said
    assert run(*words(places, "rollout", "advance", "--lang", "en"))[0] == "no upgrade was begun yet\n"  # a timer's
    assert run(*words(places, "rollout", "status", "--lang", "en"))[0] == "no upgrade was begun yet\n"
    assert not (places.depot / FILE).exists()


def test_without_a_key_nothing_is_begun(places: Places) -> None:
    """A plan that nobody could trust is not decided either."""
    (places.authority / "signing.key").unlink()
    with pytest.raises(Exception, match=r"signing\.key"):
        a_rolling(places).start(NEW, OLD, None)
    assert not (places.depot / FILE).exists()
    assert a_rolling(places).current() is None


class _KilledError(Exception):
    """Stands for kill -9 at a place where something is written."""


@pytest.mark.parametrize(
    ("count", "status", "is_published"), [(0, "running", False), (1, "rolled_back", False), (2, "rolled_back", True)]
)
def test_a_kill_between_two_writes_is_made_good_by_the_next_run(
    places: Places, store: Store, monkeypatch: pytest.MonkeyPatch, count: int, status: str, is_published: bool
) -> None:
    """What was decided is published then, and what was not decided never was."""
    a_rolling(places).start(NEW, OLD, None)
    first = plan(places)["number"]
    original, left = write_whole_of_durable, [count]

    def write_whole(file: Path, content: bytes, mode: int = 0o644) -> None:
        if left[0] == 0:
            raise _KilledError
        left[0] -= 1
        original(file, content, mode)
        if left[0] == 0:
            raise _KilledError

    with monkeypatch.context() as patched:
        patched.setattr(rolling, "write_whole", write_whole)
        patched.setattr("collector.fleet.kept.write_whole", write_whole)
        with pytest.raises(_KilledError):
            a_rolling(places).take(steps.rollback)
    assert (plan(places)["number"] > first) is is_published
    rollout, _ = a_rolling(places).advance(store)
    assert rollout.status == status
    assert (plan(places)["number"], plan(places)["agents"]) == (rollout.number, rollout.plan().agents)


def test_a_plan_that_was_not_published_is_by_the_next_run(places: Places, store: Store) -> None:
    """The depot was emptied, or its file damaged: the timer's next look writes it again, with a greater number."""
    a_rolling(places).start(NEW, OLD, None)
    before = plan(places)
    for damage in (b"", b"{}\nxx\n", None):
        if damage is None:
            (places.depot / FILE).unlink()
        else:
            (places.depot / FILE).write_bytes(damage)
        a_rolling(places).advance(store)
        after = plan(places)
        assert after["number"] > before["number"]
        assert after["agents"] == before["agents"]
        before = after


def test_a_data_folder_from_a_backup_publishes_no_number_twice(places: Places, store: Store) -> None:
    """Devices that have seen a number would not obey another plan under it."""
    a_rolling(places).start(NEW, OLD, None)
    file = places.data / "rollouts/000001.json"
    backup = file.read_bytes()
    a_rolling(places).take(steps.rollback)
    seen = plan(places)["number"]
    file.write_bytes(backup)
    a_rolling(places).advance(store)
    assert plan(places)["number"] > seen
    assert len(plan(places)["agents"]) == 3


@pytest.mark.parametrize("is_over", [False, True], ids=["while a rollout goes on", "after one"])
def test_a_depot_made_anew_gives_nobody_the_release_that_it_was_made_with(
    places: Places, store: Store, is_over: bool
) -> None:
    """A centre that was rebuilt with a later release has its rollouts from the backup: they say what runs where."""
    a_rolling(places).start(NEW, OLD, store)
    if is_over:
        a_rolling(places).take(steps.rollback)
    before = plan(places)
    (places.depot / FILE).unlink()
    (places.data.parent / "santong-2.0.0/agent").mkdir(parents=True)
    (places.data.parent / "santong-2.0.0/agent/santong-agent-2.0.0-x86_64.tar.gz").write_bytes(b"later")
    publish = words(places, "depot", "publish", places.data.parent / "santong-2.0.0", "--json")
    assert json.loads(run(*publish)[0]) == {
        "changed": True,
        "written": ["santong-agent-2.0.0-x86_64.tar.gz", "plan.signed"],
    }
    after = plan(places)
    assert (after["default"], after["agents"]) == (OLD, before["agents"])
    assert after["number"] > before["number"], "devices have seen that one"
    assert json.loads(run(*publish)[0]) == {"changed": False, "written": []}


def test_a_damaged_rollout_is_told(places: Places) -> None:
    """Nothing is decided over a file that is not what was written."""
    a_rolling(places).start(NEW, OLD, None)
    (places.data / "rollouts/000001.json").write_text("{")
    with pytest.raises(RolloutError, match="is not what was written"):
        a_rolling(places).take(steps.stop)


def test_kill_9_anywhere_leaves_a_rollout_that_goes_on(places: Places, store: Store) -> None:
    """Killed at random while it stops, resumes and begins: the plan is always whole, signed, no older than before."""
    a_rolling(places).start(NEW, OLD, None)
    chance, number = random.Random(11), 0
    script = (
        "import sys\nfrom datetime import date\nfrom pathlib import Path\n"
        "from collector.rolling import Places, Rolling\nfrom collector.fleet.rollout import RolloutError, start\n"
        "from collector.fleet import rollout as steps\n"
        "rolled = Rolling(Places(*map(Path, sys.argv[1:4])), date.today())\nprint('ready', flush=True)\n"
        "while True:\n"
        "    for step in (lambda: rolled.take(steps.stop), lambda: rolled.take(steps.resume),\n"
        "                 lambda: rolled.take(steps.rollback), lambda: rolled.start('1.1.0', '1.0.0', None)):\n"
        "        try:\n            step()\n        except RolloutError:\n            pass\n"
    )
    for _ in range(12):
        child = subprocess.Popen(
            [BIN / "python", "-c", script, *map(str, places)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0, 0.15))  # where it is then is what this is about
        child.send_signal(signal.SIGKILL)
        child.communicate()
        told = plan(places)
        assert told["number"] >= number
        number = told["number"]
        rollout = a_rolling(places).current()
        assert rollout is not None
        assert rollout.number >= number
    assert number > 12
    after, _ = a_rolling(places).advance(store)
    assert plan(places)["number"] == after.number
    assert default_of((places.depot / FILE).read_bytes()) == OLD
