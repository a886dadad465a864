"""
A profile run against its own recorded device: the real sources ask real servers, and exactly the expected comes out.

    tests/fixtures/hosts/<profile>/
        SOURCE            recorded or constructed, and from what
        parameters.toml   what the settings would give: parameters, username …
        root/             a tree of /sys, /proc, /run        bin/    programs that stand first on PATH
        snmp.snmprec  pjlink.txt  ubus.json  http.json       what the device's server answers
        hostapd.txt       what hostapd answers at its control sockets, instead of root/
        second/           the same again, for a second read a minute later
        expected.txt      one line a sample: measurement,tag=value field=value,…

`python -m tests.profiles.conformance [PROFILE…] --write` writes expected.txt, for the eye to check.
"""

import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from agent.gather.read import Read, Way
from agent.observing import Observing
from agent.questions import Device, Question
from agent.worker.client import Answer
from agent.worker.kinds import perform
from contract.sample import Sample
from firmware_profiles.fill import fill
from firmware_profiles.library import Library
from firmware_profiles.schema import Profile
from tests.profiles import hostapd_server

HOSTS = Path(__file__).parents[1] / "fixtures/hosts"
DEVICE = "441802-3144001234.c0703"
OBSERVER = "441802-3144001234.gateway"
MINUTE_NS = 60_000_000_000
SERVERS = {"snmp.snmprec": "snmp", "pjlink.txt": "pjlink", "ubus.json": "ubus", "http.json": "http_json"}
NOT_COMPARED = {"duration_ms", "rtt_ms"}  # they differ with every run


def cases() -> list[Path]:
    """Return every recorded device that has an expectation."""
    return sorted(file.parent for file in HOSTS.glob("*/expected.txt"))


def given(case: Path) -> dict[str, Any]:
    """Return what the settings would say of the device."""
    file = case / "parameters.toml"
    return tomllib.loads(file.read_text()) if file.is_file() else {}


def profile_of(case: Path) -> Profile:
    """Return the case's profile with its placeholders filled."""
    words = given(case)
    text = {"address": "127.0.0.1", "device": DEVICE, **words.get("parameters", {})}
    return fill(Library().get(words.get("profile", case.name)), text)


def samples_of(case: Path) -> list[Sample]:
    """Return what the device's recordings become, in one read or two."""
    profile = profile_of(case)
    remote = any((case / name).is_file() for name in SERVERS)
    own = OBSERVER if remote else DEVICE
    observing = Observing([Device(DEVICE, profile)], own, "boot-1")
    samples: list[Sample] = []
    for number, folder in enumerate(folder for folder in (case, case / "second") if folder.is_dir()):
        with _serving(folder, case) as (way, ports):
            answered = list(_answers(profile, way, ports, number * MINUTE_NS))
        found = list(observing.found(answered))
        samples = [sample for _, sample in found + observing.judged(found)]
    return samples


def _answers(profile: Profile, way: Way, ports: dict[str, int], at_ns: int) -> Iterator[tuple[Question, Answer]]:
    for name, what in profile.collect.items():
        here = what._replace(port=ports[what.source]) if what.source in ports else what  # type: ignore[call-arg]
        ask = Read(here, way, here.timeout)
        yield Question(what.source, name, ask, DEVICE), Answer(0, at_ns, perform(what.source, ask))


@contextmanager
def _serving(folder: Path, case: Path) -> Iterator[tuple[Way, dict[str, int]]]:
    """Start a server for each recording; give the way to the device and the servers' ports."""
    words = {name: str(value) for name, value in given(case).items() if name in Way._fields}
    files = {name: str(case / value) for name, value in words.items() if name.endswith("_file")}
    ports: dict[str, int] = {}
    with ExitStack() as stack:
        for name, source in SERVERS.items():
            if (folder / name).is_file():
                server = import_module(f"tests.profiles.{source}_server")
                ports[source] = stack.enter_context(server.serving(folder))
        root = folder / "root" if (folder / "root").is_dir() else case / "root"
        if (folder / "hostapd.txt").is_file():
            root = stack.enter_context(hostapd_server.serving(folder))
        stack.enter_context(_first_on_path([folder / "bin", case / "bin"]))
        address = "127.0.0.1" if ports else ""
        yield Way(**{**words, **files, "address": address, "root": str(root)}), ports


@contextmanager
def _first_on_path(folders: list[Path]) -> Iterator[None]:
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([*(str(folder) for folder in folders if folder.is_dir()), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def as_lines(samples: list[Sample]) -> list[str]:
    """Return samples as they stand in expected.txt, sorted."""
    return sorted(filter(None, map(_line, samples)))


def _line(sample: Sample) -> str:
    tags = "".join(f",{tag}={value}" for tag, value in sorted(sample.tags.items()))
    fields = sorted((name, value) for name, value in sample.fields.items() if name not in NOT_COMPARED)
    return f"{sample.measurement}{tags} {','.join(f'{name}={value!r}' for name, value in fields)}" if fields else ""


def main() -> int:
    """Write what comes out, or print it."""
    names = [name for name in sys.argv[1:] if not name.startswith("-")]
    for case in [HOSTS / name for name in names] or cases():
        text = "\n".join(as_lines(samples_of(case))) + "\n"
        print(f"== {case.name}\n{text}")
        if "--write" in sys.argv:
            (case / "expected.txt").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
