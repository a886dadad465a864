"""
What probes cost: the agent's own process with all of them, and the worker's processes apart.

A school's network of namespaces (needs root), a real mosquitto with TLS on its gateway, a real agent on the client with
every probe that an Ethernet device can run. The probes run every few seconds instead of every minute; the cost of a
minute is that of one run of each, plus a minute of waiting, which is measured apart.

    python -m benchmarks.probes [--seconds 60]
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.agent_footprint import DEVICE, cpu_seconds, make_certificates, memory_kb
from benchmarks.report import Figure, print_figures
from tests.lab.background import Program
from tests.lab.school import WWW, School
from tests.services import find_program

EVERY_S = 5
BROKER_PORT = 8883


def probes(school: School) -> dict[str, str]:
    """Return every kind of probe for a wired device, as a section of the settings each."""
    gateway = school.gateway.address
    return {
        "icmp": f'target = "{gateway}"',
        "tcp": f'target = "{WWW}:443"',
        "dns": f'target = "{WWW}"',
        "dhcp": 'target = "eth0"',
        "arp": f'target = "eth0"\nsubnet = "{school.lab.subnet}.0/28"',
        "http": f'target = "https://{WWW}/"\nca = "{school.ca}"\nbody = "welcome"',
        "portal": "",
    }


def settings(school: School, folder: Path, every: str, kinds: dict[str, str]) -> Path:
    """Write the agent's settings; return the file."""
    text = f"""
agent = "{DEVICE}"
clock.trust = "always"
round.every = "{every}"
publish.every = "{every}"
publish.ack = "broker"
[broker]
url = "mqtts://{school.gateway.address}:{BROKER_PORT}"
ca = "{folder}/ca.crt"
[spool]
path = "{folder}/spool-{time.monotonic_ns()}"
[presence]
references = ["tcp://{school.www}:443"]
"""
    text += "".join(f'[[probe.{kind}]]\nevery = "{every}"\ntimeout = "5s"\n{body}\n' for kind, body in kinds.items())
    file = folder / f"agent-{time.monotonic_ns()}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def broker(school: School, folder: Path) -> Program:
    """Start mosquitto with TLS on the gateway."""
    make_certificates(folder, school.gateway.address)
    file = folder / "mosquitto.conf"
    file.write_text(
        f"listener {BROKER_PORT}\nallow_anonymous true\nuser root\ncafile {folder}/ca.crt\n"
        f"certfile {folder}/broker.crt\nkeyfile {folder}/broker.key\n"
    )
    program = school.gateway.start([find_program("mosquitto", "mosquitto"), "-c", str(file)])
    return program.wait_until_listening(BROKER_PORT)


class Running:
    """An agent on the client, and its worker."""

    def __init__(self, school: School, folder: Path, file: Path) -> None:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed agent has its bytecode beside it
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        command = [str(Path(sys.executable).with_name("santong-agent")), "run", "--config", str(file)]
        subprocess.run([*command, "--check"], check=True, capture_output=True)
        self.log = (folder / "agent.log").open("ab")
        self.process = subprocess.Popen(school.client.command(command), stderr=self.log)
        self.pid = self.process.pid

    def worker(self) -> int:
        """Return the worker's process id, 0 without one."""
        children = Path(f"/proc/{self.pid}/task").glob("*/children")
        return next((int(pid) for file in children for pid in file.read_text().split()), 0)

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.log.close()


def own_memory_kb(pid: int) -> float:
    """Return the memory of a process and its children in kB, each shared page counted once (Pss)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for one in (pid, *children):
        with contextlib.suppress(OSError):  # a child that has ended meanwhile
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
            total += int(text.partition("\nPss:")[2].split()[0])
    return total


def cpu_with_children(pid: int) -> float:
    """Return the processor time of a process and of the children it has taken leave of."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def measure(school: School, folder: Path, seconds: int) -> tuple[list[Figure], list[Figure]]:
    """Measure an agent with all probes; return the figures of its own process, and those of the worker."""
    kinds = probes(school)
    busy = Running(school, folder, settings(school, folder, f"{EVERY_S}s", kinds))
    time.sleep(15)  # all have run, the worker has loaded what it needs
    worker = busy.worker()
    before = (cpu_seconds(busy.pid), cpu_with_children(worker))
    time.sleep(seconds)
    runs = seconds / EVERY_S
    a_round, a_run = (
        (after - first) / runs
        for first, after in zip(before, (cpu_seconds(busy.pid), cpu_with_children(worker)), strict=True)
    )
    worker_kb = own_memory_kb(worker)
    busy.stop()
    idle = Running(school, folder, settings(school, folder, "60s", kinds))
    time.sleep(75)  # every probe has run once
    before = (cpu_seconds(idle.pid), cpu_with_children(idle.worker()))
    time.sleep(120)
    private_kb, rss_kb = memory_kb(idle.pid)  # of the second start: the first one compiles what it loads late
    own_s, workers_s = (
        (after - first) * 30
        for first, after in zip(before, (cpu_seconds(idle.pid), cpu_with_children(idle.worker())), strict=True)
    )
    idle.stop()
    own = [
        Figure("private memory, with all probes, TLS", private_kb / 1024, 20, "MiB"),
        Figure("resident memory", rss_kb / 1024, 27, "MiB"),
        Figure("processor seconds an hour, every minute (0.1 % = 3.6)", own_s, 3.6, "s/h"),
        Figure("the same, added up from rounds that are closer", 60 * a_round, 3.6, "s/h"),
    ]
    workers = [
        Figure("worker and its children: memory, shared pages once", worker_kb / 1024, 80, "MiB"),
        Figure(f"worker: processor seconds an hour, {len(kinds)} probes a minute", workers_s, 36, "s/h"),
        Figure("worker: processor milliseconds a run of all probes", a_run * 1000, 600, "ms"),
    ]
    return own, workers


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name, School(Path(name) / "school") as school:
        broker(school, Path(name))
        own, workers = measure(school, Path(name), seconds)
        print_figures("agent with all probes: its own process", own)
        print_figures("agent with all probes: the worker", workers)


if __name__ == "__main__":
    main()
