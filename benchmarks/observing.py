"""
What it costs to speak for others: one agent that reads 40 access points by SNMP and 10 projectors by PJLink a minute.

A real agent process, its worker, a real mosquitto with TLS and a real collector. The access points are rows of one
controller, which is Debian's snmpd with made-up tables of 40; each projector is a small server on a port of its own.
Profiles are the shipped ones. Then the controller goes silent (its port takes everything and answers
nothing), and the projectors must be read as before.

    python -m benchmarks.observing [--minutes 3] [--version 2|3]
"""

import argparse
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.agent_footprint import centre, cpu_seconds, memory_kb
from benchmarks.probes import cpu_with_children, own_memory_kb
from benchmarks.report import Figure, print_figures
from collector.store.base import Row
from collector.store.open import open_store
from tests.profiles import pjlink_server, snmp_server

SITE = "441802-3144001234"
ACCESS_POINTS, PROJECTORS = 40, 10
ACCESS_POINT_IDS = [f"{SITE}.ap-{n}" for n in range(ACCESS_POINTS)]
PROJECTOR_IDS = [f"{SITE}.c07{n:02}-p" for n in range(PROJECTORS)]
RECORDINGS = Path(__file__).parents[1] / "tests/fixtures/hosts"


def write_controller(folder: Path) -> None:
    """Make the tables of a controller of 40: the recorded first access point and its radios, 40 times."""
    recorded = (RECORDINGS / "huawei-ac-ap/snmp.snmprec").read_text().splitlines()
    own = [line for line in recorded if ".0.224.252.16.0.1" in line.partition("|")[0]]
    rows = [line.replace(".0.224.252.16.0.1", f".0.224.252.16.1.{n}", 1) for n in range(ACCESS_POINTS) for line in own]
    rows.sort(key=lambda line: [int(number) for number in line.partition("|")[0].split(".")])
    (folder / "snmp.snmprec").write_text("\n".join(rows) + "\n")


def settings(folder: Path, broker_port: int, ports: list[int], version: int) -> str:
    """Return the agent's settings; `ports` are the controller's, then the projectors'."""
    text = f"""
agent = "{SITE}.gateway"
clock.trust = "always"
[broker]
url = "mqtts://127.0.0.1:{broker_port}"
ca = "{folder}/ca.crt"
[spool]
path = "{folder}/spool-{time.monotonic_ns()}"
[presence]
gateway = "127.0.0.1"
[profile]
id = "none"
[[credentials]]
name = "controller"
"""
    if version == 3:
        (folder / "auth").write_text(snmp_server.AUTH_PASSWORD)
        (folder / "privacy").write_text(snmp_server.PRIVACY_PASSWORD)
        text += f'username = "sha512-aes"\nauth = "sha512"\nauth_file = "{folder}/auth"\n'
        text += f'privacy = "aes"\nprivacy_file = "{folder}/privacy"\n'
    else:
        (folder / "community").write_text(snmp_server.COMMUNITY)
        text += f'community_file = "{folder}/community"\n'
    for n, device in enumerate(ACCESS_POINT_IDS):
        text += f'[[observe]]\ndevice = "{device}"\nprofile = "huawei-ac-ap"\n'
        text += f'address = "127.0.0.1"\nport = {ports[0]}\n'
        text += f'credentials = "controller"\nparameters = {{ ap_mac = "00e0-fc10-01{n:02x}" }}\n'
    for device, port in zip(PROJECTOR_IDS, ports[1:], strict=True):
        text += f'[[observe]]\ndevice = "{device}"\nprofile = "pjlink-projector"\n'
        text += f'address = "127.0.0.1"\nport = {port}\n'
    return text


class Gateway:
    """The agent and its worker."""

    def __init__(self, folder: Path, text: str) -> None:
        file = folder / "agent.toml"
        file.write_text(text, encoding="utf-8")
        environment = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed agent has its bytecode beside it
        command = [str(Path(sys.executable).with_name("santong-agent")), "run", "--config", str(file)]
        subprocess.run([*command, "--check"], env=environment, check=True, capture_output=True)
        self.log = (folder / "agent.log").open("ab")
        self.process = subprocess.Popen(command, env=environment, stderr=self.log)

    def worker(self) -> int:
        """Return the worker's process id."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return next(int(pid) for file in children for pid in file.read_text().split())

    def processor_s(self) -> tuple[float, float]:
        """Return the processor seconds so far of the agent's own process, and of the worker with its children."""
        return cpu_seconds(self.process.pid), cpu_with_children(self.worker())

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.log.close()


def rows(folder: Path, measurement: str, devices: list[str]) -> list[Row]:
    """Return what the store has of some devices."""
    store = open_store(f"sqlite:///{folder}/store.sqlite", create=False)
    try:
        return list(store.select(measurement, 0, 2**62, devices))
    finally:
        store.close()


def probes(folder: Path, devices: list[str], target: str, since_ns: int = 0) -> dict[str, list[Row]]:
    """Return the answers of one reading by device."""
    found: dict[str, list[Row]] = {device: [] for device in devices}
    for row in rows(folder, "probe", devices):
        if row.time_ns >= since_ns and dict(row.tags)["target"] == target:
            found[row.device].append(row)
    return found


def longest_gap_s(answers: dict[str, list[Row]]) -> float:
    """Return the longest time between two readings of one device."""
    times = [[row.time_ns for row in found] for found in answers.values()]
    return max(b - a for found in times for a, b in itertools.pairwise(found)) / 1e9


@contextlib.contextmanager
def silence(port: int) -> Iterator[None]:
    """Be a controller that takes every question and answers none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", port))
        yield


def all_answer(gateway: Gateway, folder: Path, minutes: int) -> list[Figure]:
    """Measure an agent whose devices all answer."""
    before, begun_ns = gateway.processor_s(), time.time_ns()
    time.sleep(60 * minutes)
    own_s, worker_s = ((b - a) * 60 / minutes for a, b in zip(before, gateway.processor_s(), strict=True))
    private_kb, rss_kb = memory_kb(gateway.process.pid)
    worker_kb = own_memory_kb(gateway.worker())
    found = probes(folder, ACCESS_POINT_IDS, "ap", begun_ns) | probes(folder, PROJECTOR_IDS, "display", begun_ns)
    answers = [row for some in found.values() for row in some]
    failed = sum(row.fields.get("success") != 1 for row in answers)
    took = sorted(float(row.fields["duration_ms"]) for row in answers)
    return [
        Figure("agent's own process: private memory", private_kb / 1024, 24, "MiB"),
        Figure("agent's own process: resident memory", rss_kb / 1024, 31, "MiB"),
        Figure("agent's own process: processor seconds an hour", own_s, 36, "s/h"),
        Figure("worker and its children: memory, shared pages once", worker_kb / 1024, 80, "MiB"),
        Figure("worker: processor seconds an hour", worker_s, 180, "s/h"),
        Figure("readings without success", failed, 0, ""),
        Figure("longest time between two readings of one device", longest_gap_s(found), 65, "s"),
        Figure("a reading takes, p50", took[len(took) // 2], 100, "ms"),
        Figure("a reading takes, p99", took[len(took) * 99 // 100], 500, "ms"),
    ]


def controller_is_silent(gateway: Gateway, folder: Path, minutes: int) -> list[Figure]:
    """Measure the same agent while no access point answers."""
    before, begun_ns = gateway.processor_s(), time.time_ns()
    time.sleep(60 * minutes)
    own_s, worker_s = ((b - a) * 60 / minutes for a, b in zip(before, gateway.processor_s(), strict=True))
    well = probes(folder, PROJECTOR_IDS, "display", begun_ns)
    silent = probes(folder, ACCESS_POINT_IDS, "ap", begun_ns + 60 * 10**9)
    wrong = sum(row.fields.get("success") != 1 for some in well.values() for row in some)
    right = sum(row.fields.get("success") == 1 for some in silent.values() for row in some)
    took = sorted(float(row.fields["duration_ms"]) for some in well.values() for row in some)
    return [
        Figure("longest time between two readings of a projector", longest_gap_s(well), 65, "s"),
        Figure("readings of projectors without success", wrong, 0, ""),
        Figure("a projector's reading takes, p99", took[len(took) * 99 // 100], 500, "ms"),
        Figure("access points said to answer", right, 0, ""),
        Figure("longest time between two tries of a silent one", longest_gap_s(silent), 75, "s"),
        Figure("worker: processor seconds an hour", worker_s, 180, "s/h"),
        Figure("agent's own process: processor seconds an hour", own_s, 36, "s/h"),
    ]


def measure(folder: Path, broker_port: int, minutes: int, version: int) -> None:
    """Measure both phases and print them."""
    write_controller(folder)
    with contextlib.ExitStack() as stack:
        controller = stack.enter_context(contextlib.ExitStack())
        snmp_port = controller.enter_context(snmp_server.serving(folder))
        projector = pjlink_server.projector(pjlink_server.recorded(RECORDINGS / "pjlink-projector"))
        ports = [stack.enter_context(pjlink_server.playing(projector)) for _ in PROJECTOR_IDS]
        gateway = Gateway(folder, settings(folder, broker_port, [snmp_port, *ports], version))
        stack.callback(gateway.stop)
        time.sleep(75)  # everything was read once, the worker has loaded what it needs
        asked = f"{ACCESS_POINTS} access points by SNMP v{version}{'c' if version == 2 else ''}"
        title = f"one agent, {asked} and {PROJECTORS} projectors by PJLink a minute"
        print_figures(title, all_answer(gateway, folder, minutes))
        controller.close()
        stack.enter_context(silence(snmp_port))
        title = f"the same, the controller of {ACCESS_POINTS} silent"
        print_figures(title, controller_is_silent(gateway, folder, minutes + 1))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=3, help="of each phase, at least 2")
    parser.add_argument("--version", type=int, choices=(2, 3), default=2)
    arguments = parser.parse_args()
    minutes = max(2, arguments.minutes)
    with tempfile.TemporaryDirectory() as name, centre(Path(name)) as port:
        measure(Path(name), port, minutes, arguments.version)


if __name__ == "__main__":
    main()
