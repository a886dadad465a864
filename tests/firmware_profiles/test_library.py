"""Many files: what one inherits from another, what an operator's stand above, and mistakes named where they are."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.errors import ConfigError
from contract.settings import checked, plain
from firmware_profiles.library import SHIPPED, Library
from firmware_profiles.schema import Profile
from tests.firmware_profiles.profiles import write

ROOT = Path(__file__).parents[2]
BOARD = """\
parameters: {chip: {title: {zh: 芯片, en: Chip}}}
collect:
  temperature:
    source: file
    files: {raw: "/sys/{chip}/temp"}
    read: [{raw: raw, field: host.temperature_celsius, unit: °C}]
  name:
    source: file
    files: {raw: /etc/version}
    read: [{raw: raw, field: firmware.version}]
firmware: {minimum: "2", known_bad: ["3.1"]}
faults:
  - {code: hot, title: {zh: 过热, en: Hot}, field: host.temperature_celsius, operator: above, value: 80}
  - {code: old, title: {zh: 旧, en: Old}, field: firmware.compliant, operator: is, value: 0}
probes:
  icmp: [{target: 192.0.2.1}]
  tcp: [{target: "192.0.2.1:80"}]
"""


def said(library: Library, folder: Path) -> list[str]:
    """Return what is wrong with a library, without the folder's name."""
    return [str(flaw).replace(f"{folder}/", "") for flaw in library.check()]


def refused(library: Library, name: str, folder: Path) -> str:
    """Return what is said when a profile is asked for that cannot be had."""
    with pytest.raises(ConfigError) as caught:
        library.get(name)
    return str(caught.value).replace(f"{folder}/", "")


def test_every_shipped_profile_is_fine() -> None:
    """What is shipped has no mistake, and each survives the way to the agent's loop as JSON."""
    library = Library()
    assert library.check() == []
    for name in library.ids():
        profile = library.get(name)
        assert checked(Profile, plain(profile), name) == profile


def test_a_child_replaces_entries_by_their_names(tmp_path: Path) -> None:
    """Entries of collect, parameters, probes and faults replace those of one name; null or remove takes one away."""
    write(tmp_path, "board", BOARD + "match: [{system: board}]\nnotes: of the board\n")
    child = """\
extends: board
parameters: {chip: null, zone: {title: {zh: 区, en: Zone}}}
collect:
  temperature:
    source: file
    files: {t: "/sys/{zone}"}
    read: [{raw: t, field: host.temperature_celsius, unit: °C}]
  load:
    source: file
    files: {l: /proc/loadavg}
    read: [{raw: l, field: host.load1, pattern: "^([0-9.]+)"}]
firmware: {minimum: "4"}
faults:
  - {code: hot, title: {zh: 热, en: Hot}, field: host.temperature_celsius, operator: above, value: 90}
  - {code: old, remove: true}
  - {code: busy, title: {zh: 忙, en: Busy}, field: host.load1, operator: above, value: 9}
probes: {tcp: null, dns: [{target: example.org}]}
"""
    write(tmp_path, "child", child, role="")
    library = Library([tmp_path])
    assert said(library, tmp_path) == []
    found = library.get("child")
    assert list(found.parameters) == ["zone"]
    assert list(found.collect) == ["temperature", "name", "load"]
    assert found.collect["temperature"].read[0].raw == "t"
    assert [(fault.code, fault.value) for fault in found.faults] == [("hot", 90), ("busy", 9)]
    assert list(found.probes) == ["icmp", "dns"]
    assert (found.firmware.minimum, found.firmware.known_bad) == ("4", ())
    assert (found.role, found.notes) == ("other", "of the board")
    assert found.extends == "board"


def test_how_a_model_is_recognised_and_who_tried_it_are_its_own(tmp_path: Path) -> None:
    """A child is not verified because its parent is, and does not fit where its parent fits."""
    file = write(tmp_path, "board", "match: [{system: board}]\nverified_on: here, 2024-05-01\n")
    file.write_text(file.read_text().replace("verified: false", "verified: true"))
    write(tmp_path, "child", "extends: board\n")
    child = Library([tmp_path]).get("child")
    assert (child.match, child.verified, child.verified_on) == ((), False, "")


def test_a_chain_of_four_is_enough(tmp_path: Path) -> None:
    """Who reads a profile must not follow it through more than four others; circles are said with their members."""
    write(tmp_path, "a0")
    for number in range(1, 6):
        write(tmp_path, f"a{number}", f"extends: a{number - 1}\n")
    write(tmp_path, "x", "extends: y\n")
    write(tmp_path, "y", "extends: x\n")
    library = Library([tmp_path])
    assert library.get("a4").extends == "a3"
    assert said(library, tmp_path) == [
        "a1.yaml:5: extends: is more than 4 profiles deep: a5 → a4 → a3 → a2 → a1 → a0",
        "x.yaml:5: extends: goes round in a circle: y → x → y",
        "y.yaml:5: extends: goes round in a circle: x → y → x",
    ]


def test_a_mistake_in_what_is_inherited_names_the_file_where_it_stands(tmp_path: Path) -> None:
    """A parent's mistake is said once, in its file; what is wrong only for an heir names the heir."""
    write(tmp_path, "board", BOARD.replace("unit: °C", "unit: K"))
    write(tmp_path, "child", "extends: board\ncollect: {name: null}\nrole: othr\n", role="")
    write(tmp_path, "other", "extends: board\ncollect: {name: null}\n")
    library = Library([tmp_path])
    assert said(library, tmp_path) == [
        "board.yaml:10: collect.temperature.read[0].unit: host.temperature_celsius is in °C, not K:"
        " convert with scale and offset",
        "board.yaml:15: firmware: is judged by firmware.version, which nothing in collect reads (inherited by other)",
        "board.yaml:18: faults[1].field: firmware.compliant is never read; read are host.temperature_celsius"
        " (inherited by other)",
        "child.yaml:6: role: 'othr' is none of classroom, access-point, projector, gateway, switch, controller, other,"
        " did you mean other",
    ]


def test_paths_of_inherited_faults_are_those_of_their_own_file(tmp_path: Path) -> None:
    """However faults are counted after merging, a mistake is where an editor finds it."""
    write(tmp_path, "board", BOARD.replace("operator: is, value: 0", "operator: is, value: no"))
    write(tmp_path, "child", "extends: board\nfaults: [{code: hot, remove: true}]\n")
    wrong = "board.yaml:18: faults[1].value: 'no' is not a whole number, which firmware.compliant is"
    assert refused(Library([tmp_path]), "child", tmp_path) == f"{wrong} (inherited by child)"
    assert said(Library([tmp_path]), tmp_path) == [wrong]


def test_an_operators_file_stands_above_the_shipped_one(tmp_path: Path) -> None:
    """A file of the same name replaces the shipped profile, or changes a part of it by extending it; folders add up."""
    write(tmp_path / "one", "ping-only", "extends: ping-only\nprobes: {tcp: [{target: '{address}:80'}]}\n")
    write(tmp_path / "two", "ping-only", "extends: ping-only\nprobes: {icmp: null}\n")
    library = Library([tmp_path / "one", tmp_path / "two"])
    assert list(library.get("ping-only").probes) == ["tcp"]
    assert [file.parent for file in library.files("ping-only")] == [tmp_path / "two", tmp_path / "one", SHIPPED]
    assert list(Library([tmp_path / "one"]).get("ping-only").probes) == ["icmp", "tcp"]
    assert list(Library().get("ping-only").probes) == ["icmp"]


def test_two_profiles_with_one_match_are_both_named(tmp_path: Path) -> None:
    """Nobody could tell which one is meant; capitals make no difference."""
    write(tmp_path, "first", "match: [{sys_descr: 'Model A*'}]\n")
    write(tmp_path, "second", "match:\n  - {sys_descr: other}\n  - {sys_descr: 'MODEL A*'}\n")
    assert said(Library([tmp_path]), tmp_path) == [
        "second.yaml:7: match[1]: is also a match of first (first.yaml:5): make one of them more specific, or call the"
        " file first.yaml to replace it"
    ]


def test_an_operators_match_is_at_fault_not_the_shipped_one(tmp_path: Path) -> None:
    """Who adds a file is told about that file, whatever the alphabet says."""
    file = write(tmp_path, "a-linux", "match: [{system: Linux}]\n")
    (flaw,) = Library([tmp_path]).check()
    assert flaw.place.file == str(file)
    assert "is also a match of generic-linux" in flaw.message


def test_a_file_that_is_not_read_is_said(tmp_path: Path) -> None:
    """A profile under the wrong kind of name is not silently left out; a folder must be there."""
    write(tmp_path, "fine").rename(tmp_path / "fine.yml")
    assert said(Library([tmp_path]), tmp_path) == ["fine.yml:1: is not read: call it fine.yaml"]
    with pytest.raises(ConfigError, match="none: no such folder"):
        Library([tmp_path / "none"])


def test_a_profile_that_is_not_there_is_guessed(tmp_path: Path) -> None:
    """A mistyped id gets a suggestion."""
    said_ = refused(Library(), "generic-linus", tmp_path)
    assert said_ == "profile: generic-linus: there is no such profile, did you mean generic-linux"


def test_one_broken_file_does_not_cost_the_others(tmp_path: Path) -> None:
    """Profiles that do not need a broken one can be had."""
    (tmp_path / "broken.yaml").write_text("id: [")
    library = Library([tmp_path])
    assert library.get("generic-linux").role == "classroom"
    assert said(library, tmp_path) == [
        "broken.yaml:1: is not YAML: expected the node content, but found '<stream end>'"
    ]


def test_the_wheel_has_all_that_is_shipped_beside_the_code(tmp_path: Path) -> None:
    """What pip installs has the shipped profiles, calendars, targets and the example of a roster."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {f"firmware_profiles/{name}.yaml" for name in Library().ids()} <= inside
    shipped = {str(file.relative_to(ROOT)) for file in (ROOT / "collector").rglob("*.yaml")}
    assert {"collector/calendars/guangdong.yaml", "collector/targets/qingyuan-2014-2016.yaml"} <= shipped <= inside
    assert {f"collector/roster/example/{name}.csv" for name in ("sites", "devices")} <= inside


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's profiles are never silently passed over in favour of the shipped ones."""
    iterdir = Path.iterdir

    def closed(folder: Path) -> Iterator[Path]:
        if folder == tmp_path:
            raise PermissionError(13, "Permission denied")
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        Library([tmp_path])
