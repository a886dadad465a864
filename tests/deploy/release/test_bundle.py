"""Release bundles: what is in them, that they are the same each time, and that they work without a network."""

import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from contract import __version__
from deploy.device.releases import verify
from deploy.release.bundle import MACHINES, PYTHON, ReleaseFailed, make, pack

VERSION = "9.8.7"
HERE = platform.machine()
OTHER = next(machine for machine in sorted(MACHINES) if machine != HERE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of a bundle of another version than the sources', with devices of two machines."""
    out = tmp_path_factory.mktemp("release")
    yield make(out, sorted(MACHINES), VERSION)
    shutil.rmtree(out)  # it is large


@pytest.fixture(scope="module")
def devices(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of the releases for devices, by machine."""
    found = {}
    for machine in sorted(MACHINES):
        folder = tmp_path_factory.mktemp(machine)
        name = f"santong-agent-{VERSION}-{machine}"
        subprocess.run(["tar", "-xzf", made / f"agent/{name}.tar.gz", "-C", folder], check=True)
        found[machine] = folder / name
    return found


def facts_of(folder: Path) -> dict[str, Any]:
    """Return what a release says of itself."""
    found: dict[str, Any] = json.loads((folder / "release.json").read_text(encoding="utf-8"))
    return found


def files_of(folder: Path) -> list[str]:
    """Return the paths of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def without_a_network(*command: str | Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in a network namespace in which nothing is."""
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"} | more
    return subprocess.run([*alone, *command], env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_two_builds_hold_the_same_bytes(made: Path, tmp_path: Path) -> None:
    """Who builds the release anew can compare it with the one that a city was given."""
    again = make(tmp_path, sorted(MACHINES), VERSION)
    assert files_of(again) == files_of(made)
    differing = [name for name in files_of(made) if (again / name).read_bytes() != (made / name).read_bytes()]
    assert differing == []
    archives = [folder.with_name(f"{folder.name}.tar.gz").read_bytes() for folder in (made, again)]
    assert hashlib.sha256(archives[0]).digest() == hashlib.sha256(archives[1]).digest()
    shutil.rmtree(tmp_path)


def test_every_file_is_as_release_json_says(made: Path, devices: dict[str, Path]) -> None:
    """Its digests name each file of the folder but itself, and the program of devices agrees."""
    for folder in (made, devices[HERE]):
        facts = facts_of(folder)
        assert sorted([*facts["files"], "release.json"]) == files_of(folder)
        assert (facts["version"], facts["python"], facts["machines"]) == (VERSION, PYTHON, [HERE])
        verify(folder)
    assert facts_of(made)["devices"] == sorted(MACHINES)
    assert facts_of(devices[OTHER])["machines"] == [OTHER]


def test_nothing_is_in_it_that_should_not_be(made: Path, devices: dict[str, Path]) -> None:
    """No caches, tests, hidden files or generators of our own; no links; nobody but root may write."""
    names = [*files_of(made), *files_of(devices[HERE]), *files_of(devices[OTHER])]
    bad = re.compile(r"__pycache__|\.pyc$|(^|/)\.|(^|/)tests?/|\.(log|retry|key|pem|new|part)$|~$|schema/")
    assert [name for name in names if bad.search(name)] == []
    tops = {name.partition("/")[0] for name in files_of(made)}
    assert tops == {"agent", "ansible", "device", "docs", "grafana", "release.json", "setup", "wheels"}
    assert {name.partition("/")[0] for name in files_of(devices[HERE])} == {
        "ansible",
        "device",
        "release.json",
        "wheels",
    }
    assert sorted(path.name for path in (made / "device").iterdir()) == ["pull.py", "releases.py"]
    with tarfile.open(made.with_name(f"{made.name}.tar.gz")) as tar:
        members = tar.getmembers()
    assert members[-1].name == f"{made.name}/release.json", "what was unpacked in part has none"
    for member in members:
        assert member.isfile() or member.isdir(), member.name
        assert (member.uid, member.gid, member.mtime, member.mode & 0o022) == (0, 0, 0, 0), member.name
        assert member.name.split("/")[0] == made.name
    runs = {member.name.partition("/")[2] for member in members if member.isfile() and member.mode & 0o100}
    assert {"setup", "ansible/inventory/roster"} <= runs


def test_its_wheel_is_the_product_of_that_version(made: Path, devices: dict[str, Path]) -> None:
    """Whatever the sources say: the version that was asked for, in the name, in METADATA and in the program."""
    for folder in (made, *devices.values()):
        wheel = folder / f"wheels/santong-{VERSION}-py3-none-any.whl"
        with zipfile.ZipFile(wheel) as content:
            about = content.read(f"santong-{VERSION}.dist-info/METADATA").decode()
            assert f'__version__ = "{VERSION}"' in content.read("contract/__init__.py").decode()
            rooms = {name.partition("/")[0] for name in content.namelist()}
        assert f"\nVersion: {VERSION}\n" in about
        assert rooms == {
            "agent",
            "collector",
            "contract",
            "firmware_profiles",
            "simulator",
            f"santong-{VERSION}.dist-info",
        }
    assert __version__ != VERSION
    assert {path.name for path in made.glob("wheels/santong-*")} == {f"santong-{VERSION}-py3-none-any.whl"}


def needed(folder: Path, *wanted: str, machine: str) -> set[str]:
    """Return the distributions that some need, themselves among them, by METADATA of the wheels of a folder."""
    wheels = {parse_wheel_filename(path.name)[0]: path for path in folder.glob("*.whl")}
    surroundings = {name: str(value) for name, value in default_environment().items()} | {"platform_machine": machine}
    waiting, done = [Requirement(one) for one in wanted], set()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        key = f"{name}[{','.join(sorted(one.extras))}]"
        if key in done:
            continue
        done.add(key)
        assert name in wheels, f"{one} is not in {folder}"
        with zipfile.ZipFile(wheels[name]) as content:
            (about,) = [path for path in content.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", path)]
            said = Parser().parsestr(content.read(about).decode())
        assert one.specifier.contains(said["Version"], prereleases=True), f"{one}: {said['Version']}"
        for line in said.get_all("Requires-Dist", []):
            another = Requirement(line)
            if not another.marker or any(
                another.marker.evaluate(surroundings | {"extra": extra}) for extra in ("", *one.extras)
            ):
                waiting.append(another)
    return {key.partition("[")[0] for key in done}


def test_a_device_has_all_that_it_needs_for_its_own_machine(devices: dict[str, Path]) -> None:
    """For the agent, Ansible, and pip, which Debian's Python lacks: wheels of that machine alone, none missing."""
    for machine, folder in devices.items():
        wheels = folder / "wheels"
        found = needed(wheels, "santong[probes,profiles]", "ansible-core", "pip", machine=machine)
        assert found == {parse_wheel_filename(path.name)[0] for path in wheels.iterdir()}
        for path in wheels.iterdir():
            tags: frozenset[Tag] = parse_wheel_filename(path.name)[3]
            assert any(
                tag.platform == "any" or re.fullmatch(rf"manylinux.*_{machine}", tag.platform) for tag in tags
            ), path
            assert not any(other in path.name for other in {"x86_64", "aarch64"} - {machine}), path
    names = [sorted(path.name.split("-")[0] for path in (devices[one] / "wheels").iterdir()) for one in (HERE, OTHER)]
    assert names[0] == names[1]


def test_pip_agrees_for_the_other_machine(devices: dict[str, Path], tmp_path: Path) -> None:
    """Its own resolver finds everything there, without an index."""
    names = [word for name in MACHINES[OTHER] for word in ("--platform", name)]
    words = ["--no-index", "--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, *names]
    wanted = ["--find-links", str(devices[OTHER] / "wheels"), "santong[probes,profiles]", "ansible-core"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "--isolated",
        "install",
        "--dry-run",
        "--target",
        str(tmp_path / "x"),
        *words,
    ]
    done = subprocess.run(
        [*command, *wanted],
        env=os.environ | {"PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"santong-{VERSION}" in done.stdout


def test_setup_makes_the_control_node_without_a_network(made: Path, tmp_path: Path) -> None:
    """In a place of its own: the programs run, nothing outside is touched, and a second run does nothing."""
    home = tmp_path / "santong"
    links = [Path("/usr/local/bin") / name for name in ("santong", "ansible-playbook")]
    before = [os.path.lexists(link) for link in links]
    for old in ("control-1", "control-2"):
        (home / old).mkdir(parents=True)
    (home / "control").symlink_to("control-2")
    done = without_a_network(made / "setup", SANTONG_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert f"santong {VERSION} is ready in {home}/control/bin" in done.stdout
    assert without_a_network(home / "control/bin/santong", "--version").stdout.strip() == VERSION
    assert "ansible-playbook [core " in without_a_network(home / "control/bin/ansible-playbook", "--version").stdout
    assert [os.path.lexists(link) for link in links] == before
    assert sorted(path.name for path in home.iterdir() if path.name != ".lock") == [
        "control",
        "control-2",
        f"control-{VERSION}",
    ]
    assert stat.S_IMODE((home / "control/bin").stat().st_mode) == 0o755
    assert without_a_network(made / "setup", SANTONG_HOME=str(home)).returncode == 0
    assert (home / "control-2").exists(), "a second run is no reason to forget the one before"
    playbook = without_a_network(
        *(home / "control/bin/ansible-playbook", "--syntax-check", "-i", "localhost,", made / "ansible/pull.yml"),
        HOME=str(tmp_path),
    )
    assert playbook.returncode == 0, playbook.stderr
    shutil.rmtree(home)


def test_a_device_installs_agent_and_ansible_without_a_network(devices: dict[str, Path], tmp_path: Path) -> None:
    """With its own program, from its own wheels, as santong-pull and the role do it; its playbook can be read."""
    folder, home = devices[HERE], tmp_path / "santong"
    program = [sys.executable, str(folder / "device/releases.py"), "--home", str(home)]
    done = without_a_network(*program, "install", folder)
    assert done.returncode == 0, done.stderr
    agent = home / f"releases/{VERSION}/bin/santong-agent"
    assert without_a_network(agent, "--version").stdout.strip() == VERSION
    health = without_a_network(agent, "health", "--spool", tmp_path, "--within", str(10**9), "--json")
    assert json.loads(health.stdout)["healthy"] is False, "what a trial asks"
    done = without_a_network(*program, "environment", folder, home / f"ansible/{VERSION}", "--what", "ansible-core")
    assert done.returncode == 0, done.stderr
    play = home / f"ansible/{VERSION}/bin/ansible-playbook"
    words = ("--syntax-check", "-i", "localhost,", folder / "ansible/pull.yml")
    done = without_a_network(play, *words, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    shutil.rmtree(home)


def test_a_torn_bundle_makes_no_control_node(made: Path, tmp_path: Path) -> None:
    """What a bad stick left out is named; a bundle that a person unpacked is not removed."""
    torn = tmp_path / made.name
    shutil.copytree(made, torn, copy_function=os.link)
    (torn / "ansible/site.yml").unlink()
    done = without_a_network(torn / "setup", SANTONG_HOME=str(tmp_path / "santong"))
    assert done.returncode == 3
    assert "is not whole: ansible/site.yml is missing" in done.stderr
    assert (torn / "setup").exists()
    (torn / "release.json").unlink()
    done = without_a_network(torn / "setup", SANTONG_HOME=str(tmp_path / "santong"))
    assert done.returncode == 2
    assert "unpack the release anew" in done.stderr


@pytest.mark.parametrize("version", ["../x", "1.0-rc1", "one", "1.0/2"])
def test_a_version_that_none_could_be_is_refused(version: str, tmp_path: Path) -> None:
    """Before anything is made: folders and wheels are named by it."""
    with pytest.raises(ReleaseFailed, match="is no version such as"):
        make(tmp_path / "out", [HERE], version)
    assert not (tmp_path / "out").exists()


def test_an_archive_does_not_tell_when_and_by_whom_it_was_made(tmp_path: Path) -> None:
    """The same content gives the same bytes, whatever its times and the mask of whoever made it."""
    archives = []
    for mask, time in ((0o022, 1_000_000_000), (0o077, 1_700_000_000)):
        folder = tmp_path / str(time) / "santong-1"
        folder.parent.mkdir()
        old = os.umask(mask)
        try:
            folder.mkdir()
            for name in ("release.json", "zeta", "setup"):
                (folder / name).write_text(name)
                os.utime(folder / name, (time, time))
            (folder / "setup").chmod(0o700 if mask == 0o077 else 0o755)
        finally:
            os.umask(old)
        pack(folder, tmp_path / f"{time}.tar.gz")
        archives.append((tmp_path / f"{time}.tar.gz").read_bytes())
    assert archives[0] == archives[1]
