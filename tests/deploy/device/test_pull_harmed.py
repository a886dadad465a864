"""Power cuts at every step of a look, and disks that fill: the next look makes it whole."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from deploy.device import pull
from tests.deploy.device.depot import MACHINE, Centre
from tests.deploy.device.full_disk import FILL, on_a_small_disk
from tests.deploy.device.material import Place

KILLED = Path(__file__).with_name("killed.py")


def test_a_look_that_is_cut_short_anywhere(tmp_path: Path) -> None:
    """A release on the device is whole or not there; the next look does what was ordered, the one after nothing."""
    with Centre(tmp_path) as centre:
        centre.release("1.0")
        centre.plan(1, "1.0")
        centre.order(1)
        count = tmp_path / "count"

        def start_anew(number: int) -> int:
            for folder in (centre.home, centre.state):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            centre.with_ansible("1.0", "0.9")
            command = [sys.executable, str(KILLED), str(number), str(count), pull.__file__, *centre.words]
            return subprocess.run(command, env=centre.environment, capture_output=True, check=False).returncode

        assert start_anew(0) == 0
        steps = int(count.read_text())
        assert steps > 30
        for number in range(1, steps + 1, 3):
            assert start_anew(number) == -signal.SIGKILL
            bundle = centre.home / "bundles/1.0"
            assert not bundle.exists() or (bundle / "wheels/ballast.bin").stat().st_size == 300_000
            assert centre.look()[1] in {"1.0 as ordered\n", "nothing new: 1.0\n"}
            assert centre.current == "1.0"
            assert centre.look() == (0, "nothing new: 1.0\n")
            left = [path.name for path in (*centre.state.iterdir(), *(centre.home / "bundles").iterdir())]
            assert not [name for name in left if name.endswith((".gz", ".new"))]


def look(centre: Centre, code: int) -> str:
    """Return a shell command that looks once, which must end with this code."""
    command = shlex.join([sys.executable, pull.__file__, *centre.words])
    run = f"{{ {command} 2>> {centre.place.systemd}/said && code=0 || code=$?; }}"
    return f"{run}; [ $code = {code} ] || {{ echo code $code >&2; cat {centre.place.systemd}/said >&2; exit 9; }}"


def with_its_own_disk(centre: Centre) -> None:
    """Have all that the device keeps on one disk."""
    centre.home.rmdir()
    centre.place = Place(centre.folder / "device", centre.folder / "device/disk")
    centre.place.environment |= {"no_proxy": "*"}
    centre.home = centre.place.home
    centre.state = centre.home / "state"


def test_a_release_for_which_there_is_no_room_is_not_fetched(tmp_path: Path) -> None:
    """The message says which folder is full; nothing of it stays in the agent's way."""
    with Centre(tmp_path) as centre:
        with_its_own_disk(centre)
        centre.plan(1, "1.0")
        centre.order(1)
        centre.archive("1.0", os.urandom(3_000_000))
        on_a_small_disk(centre.place, 5, look(centre, 3))
        assert f"{centre.state}: no space left on the device" in (centre.place.systemd / "said").read_text()
        assert not [path for path, _ in centre.server.requests if path.endswith(".tar.gz")]


def test_a_disk_that_fills_while_a_release_is_fetched_is_left_as_it_was(tmp_path: Path) -> None:
    """What was fetched of it is removed, whether it was the archive or what was unpacked of it that found no room."""
    with Centre(tmp_path) as centre:
        centre.plan(1, "1.0")
        centre.order(1)
        with_its_own_disk(centre)
        content = os.urandom(400_000)
        # Twice its size is free, as far as statvfs knows; the zeros that it holds besides come to more.
        folder = tmp_path / "made"
        folder.mkdir()
        (folder / "release.json").write_text(json.dumps({"version": "1.0"}))
        (folder / "noise").write_bytes(content)
        (folder / "zeros").write_bytes(bytes(2_000_000))
        centre.release("1.0", folder)
        fill = FILL.format(home=centre.home) + f"; truncate -s -1200K {centre.home}/ballast"
        free = f"[ $(df --output=avail {centre.home} | tail -1) -ge 1000 ]"
        on_a_small_disk(centre.place, 4, fill, look(centre, 3), free, f"rm {centre.home}/ballast", free)
        assert "no space left on the device" in (centre.place.systemd / "said").read_text()
        assert not list((centre.place.home / "bundles").iterdir())


def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path) -> None:
    """Not even what the last look did can be written then: the exit code and the journal say it."""
    with Centre(tmp_path) as centre:
        centre.release("1.0")
        centre.plan(1, "1.0")
        centre.order(1)
        centre.with_ansible("1.0")
        assert centre.look()[0] == 0
        name = f"releases/santong-agent-1.1-{MACHINE}.tar.gz"
        centre.release("1.1")
        centre.plan(2, "1.1")
        centre.place.environment |= {"no_proxy": "*"}
        shutil.move(centre.state, centre.home / "state")
        centre.state = centre.home / "state"
        on_a_small_disk(centre.place, 2, FILL.format(home=centre.home), look(centre, 3))
        assert "No space left on device" in (centre.place.systemd / "said").read_text()
        assert name not in [path for path, _ in centre.server.requests]
