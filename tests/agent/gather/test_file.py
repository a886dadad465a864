"""The source `file`: what a profile reads out of /sys and /proc."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.gather.file import MOST_BYTES, read
from agent.gather.read import Read, Way
from agent.outcome import Outcome, Row, Unable
from agent.worker.kinds import perform
from firmware_profiles.sources import File


def _tree(root: Path, files: dict[str, str | bytes]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)


def _read(root: Path, files: dict[str, str], where: dict[str, str] | None = None) -> Outcome:
    return read(Read(File(files, (), where=where or {}), Way(root=str(root)), 5.0))


def test_files_by_name(tmp_path: Path) -> None:
    """Every file is a value of its name, without the blanks around it; of all without `*` there is one row."""
    _tree(tmp_path, {"proc/sys/kernel/osrelease": "6.6.51\n", "sys/one": " 12 \n"})
    found = _read(tmp_path, {"kernel": "/proc/sys/kernel/osrelease", "one": "/sys/one"})
    assert found.success
    assert found.rows == (Row("", {"kernel": "6.6.51", "one": "12"}),)


def test_strings_of_the_device_tree(tmp_path: Path) -> None:
    """The NUL that ends a string of the device tree is no part of it; one between two strings is a blank."""
    _tree(
        tmp_path, {"base/model": b"Raspberry Pi 4 Model B Rev 1.4\0", "base/compatible": b"raspberrypi,4\0brcm,bcm\0"}
    )
    (row,) = _read(tmp_path, {"model": "/base/model", "compatible": "/base/compatible"}).rows
    assert row.values == {"model": "Raspberry Pi 4 Model B Rev 1.4", "compatible": "raspberrypi,4 brcm,bcm"}


def test_a_star_gives_a_row_for_each_match(tmp_path: Path) -> None:
    """`*` stands for what tells the rows apart; files of one match belong together, and what one lacks is absent."""
    _tree(tmp_path, {"hwmon/hwmon0/name": "nvme\n", "hwmon/hwmon1/name": "pwmfan\n", "hwmon/hwmon1/fan1": "2841\n"})
    found = _read(tmp_path, {"chip": "/hwmon/hwmon*/name", "speed": "/hwmon/hwmon*/fan1"})
    assert found.rows == (Row("0", {"chip": "nvme"}), Row("1", {"chip": "pwmfan", "speed": "2841"}))


def test_a_star_within_a_name(tmp_path: Path) -> None:
    """`*` may stand anywhere in a name, for anything but nothing that is there twice."""
    _tree(tmp_path, {"t/zone1-temp": "1", "t/zone22-temp": "2", "t/zone-other": "3", "t/-temp": "4"})
    found = _read(tmp_path, {"temp": "/t/zone*-temp"})
    assert [(row.key, row.values["temp"]) for row in found.rows] == [("1", "1"), ("22", "2")]


def test_paths_without_a_star_are_in_every_row(tmp_path: Path) -> None:
    """What holds for the whole machine is said with each of its parts, and alone where there are none."""
    _tree(tmp_path, {"base": "x", "part/a/n": "1", "part/b/n": "2"})
    files = {"base": "/base", "n": "/part/*/n"}
    assert [row.values for row in _read(tmp_path, files).rows] == [{"base": "x", "n": "1"}, {"base": "x", "n": "2"}]
    assert _read(tmp_path, {"base": "/base", "n": "/none/*/n"}).rows == (Row("", {"base": "x"}),)


def test_where_leaves_the_rows_that_are_meant(tmp_path: Path) -> None:
    """Numbers of sensors change from boot to boot: their chip's name does not."""
    _tree(tmp_path, {"h/hwmon0/name": "nvme\n", "h/hwmon0/t": "1", "h/hwmon1/name": "coretemp\n", "h/hwmon1/t": "2"})
    files = {"chip": "/h/hwmon*/name", "t": "/h/hwmon*/t"}
    assert [row.values["t"] for row in _read(tmp_path, files, {"chip": "coretemp"}).rows] == ["2"]
    assert [row.values["t"] for row in _read(tmp_path, files, {"key": "0"}).rows] == ["1"]
    assert _read(tmp_path, files, {"chip": "none"}).rows == ()


def test_what_is_not_there_is_absent(tmp_path: Path) -> None:
    """A file that is missing is no value and no row, and whoever tries the profile out is told why."""
    found = _read(tmp_path, {"life": "/mmc/life", "all": "/mmc/*/life"})
    assert found.success
    assert found.rows == ()
    assert found.details == {"absent": {f"{tmp_path}/mmc/life": "No such file or directory"}}


@pytest.mark.parametrize(
    ("size", "is_read"), [(MOST_BYTES, True), (MOST_BYTES + 1, False)], ids=["as large as it may be", "larger"]
)
def test_a_large_file_is_not_read(tmp_path: Path, size: int, is_read: bool) -> None:
    """A file that nobody meant (a log, a disk) costs the agent little and gives no half values."""
    _tree(tmp_path, {"log": "x" * size})
    found = _read(tmp_path, {"log": "/log"})
    assert bool(found.rows) is is_read
    assert ("larger than 64 KiB" in str(found.details)) is not is_read


def test_only_files_are_read(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a device or a folder does not hold up the agent's loop."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to("/dev/null")
    begun = time.monotonic()
    found = _read(tmp_path, {"pipe": "/pipe", "folder": "/folder", "null": "/null"})
    assert time.monotonic() - begun < 10
    assert found.rows == ()
    assert set(found.details["absent"].values()) == {"is not a file"}  # type: ignore[attr-defined]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Binary content is marked as such, never an error."""
    _tree(tmp_path, {"cells": b"\x63\xbe\xff\x64"})
    assert _read(tmp_path, {"cells": "/cells"}).rows[0].values == {"cells": "c��d"}


def test_reading_ends_with_its_time(tmp_path: Path) -> None:
    """Files of a device that hangs do not hold up the loop beyond the file in hand."""
    _tree(tmp_path, {"a": "1"})
    with pytest.raises(Unable, match="took longer than 0 s"):
        read(Read(File({"a": "/a"}, ()), Way(root=str(tmp_path)), 0.0))


def test_reading_files_costs_the_agent_no_further_library() -> None:
    """Files and screens are read in the agent's own process, which loads nothing for them but their own modules."""
    code = """if True:
        import sys, agent.pipeline
        before = set(sys.modules)
        import agent.gather.file, agent.gather.screen
        print(*sorted(set(sys.modules) - before))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"agent.gather.file", "agent.gather.screen"}


def test_files_of_this_machine() -> None:
    """The kernel's own files are read as they are, and by the name under which a profile asks for them."""
    what = File({"boot": "/proc/sys/kernel/random/boot_id", "kind": "/sys/class/net/l*/type"}, ())
    found = perform("file", Read(what, Way(), 5.0))
    row = next(row for row in found.rows if row.key == "o")
    assert row.values["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert row.values["kind"] == "772"  # ARPHRD_LOOPBACK
