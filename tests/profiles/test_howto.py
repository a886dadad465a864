"""docs/profiles-howto.md is true: its commands and its profile, run against Debian's snmpd."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from firmware_profiles.library import Library
from tests.profiles import conformance, snmp_server

DOCUMENT = Path(__file__).parents[2] / "docs/profiles-howto.md"
DEVICE = """\
sysDescr Linux school-gw 6.1.0-28-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 x86_64
sysName school-gw
sysContact principal <principal@school.example>
sysLocation Main building, ground floor
"""
PRIVATE = ("school-gw", "principal", "ground floor")


class Step(NamedTuple):
    """One command of the document, and what it says there."""

    command: str
    says: list[str]


def steps() -> Iterator[Step]:
    """Yield the commands of the document in their order."""
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL):
        for part in block.split("$ ")[1:]:
            command, *says = part.splitlines()
            yield Step(command, says)


def run(step: Step, folder: Path, port: int) -> list[str]:
    """Run a command in a folder, the device being on this machine; return its lines."""
    program = str(Path(sys.executable).parent / "santong-agent")
    command = step.command.replace("santong-agent", program).replace("192.0.2.10", f"127.0.0.1 --port {port}")
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False, timeout=60)  # noqa: S602
    assert done.returncode == 0, f"{step.command}\n{done.stdout}{done.stderr}"
    return (done.stdout + done.stderr).splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the document's profile, and the places of a checkout."""
    (yaml,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "debian-gateway.yaml").write_text(yaml, encoding="utf-8")
    (tmp_path / "firmware_profiles").mkdir()
    (tmp_path / "tests/fixtures/hosts").mkdir(parents=True)
    return tmp_path


def shape(line: str) -> str:
    """Return a line without what differs between two machines: figures and blanks."""
    return " ".join(re.sub(r"[0-9]+(\.[0-9]+)*", "0", line).split())


def test_the_way_from_an_unknown_device_to_a_profile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command works as it stands there, and says what it says there, but for the figures of another machine."""
    said: dict[str, list[str]] = {}
    with snmp_server.real(DEVICE) as port:
        for step in steps():
            if not step.command.startswith("python"):
                said[step.command.split(" --")[0]] = [shape(line) for line in run(step, folder, port)]
    tried = said["santong-agent profiles try debian-gateway.yaml 192.0.2.10"]
    assert "load 0 host.load0 0" in tried
    assert "firmware 0-0: good" in tried
    assert any(re.fullmatch(r"0 state 0 interface.up name=lo 0", line) for line in tried)
    assert said["santong-agent profiles check debian-gateway.yaml"] == ["0 profile is fine"]
    recorded = "".join(file.read_text() for file in (folder / "tests/fixtures/hosts/debian-gateway").iterdir())
    assert not [word for word in PRIVATE if word in recorded]
    _same_lines(said)

    last = next(step.command for step in steps() if step.command.startswith("python"))
    library = Library([folder / "firmware_profiles"])
    monkeypatch.setattr(conformance, "HOSTS", folder / "tests/fixtures/hosts")
    monkeypatch.setattr(conformance, "Library", lambda: library)
    monkeypatch.setattr(sys, "argv", last.split()[2:])
    assert conformance.main() == 0
    case = folder / "tests/fixtures/hosts/debian-gateway"
    expected = (case / "expected.txt").read_text().splitlines()
    assert conformance.as_lines(conformance.samples_of(case)) == expected
    assert "firmware compliant=1,version='6.1.119-1'" in expected
    assert [line for line in expected if line.startswith("interface,name=lo ")]


def _same_lines(said: dict[str, list[str]]) -> None:
    """Assert that what the document shows comes out: all but the ports, of which every machine has its own."""
    for step in steps():
        now = said.get(step.command.split(" --")[0], [])
        for line in map(shape, step.says):
            is_of_a_port = re.match(r"0 \w+ 0 interface\.|key raw value field tags", line)
            assert line in now or is_of_a_port or "asked at" in line or "by stand-ins" in line, line
