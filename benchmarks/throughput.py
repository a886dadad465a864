"""
What the probe throughput measures, beside iperf3 on the same line in the same run.

Network namespaces of tests/lab on this machine: nginx with deploy/throughput/nginx.conf and an iperf3 server on one,
`santong-agent probe throughput` and an iperf3 client on the other, four streams each, between them a line that lets
through 20, 100 and 1000 Mbit/s (tbf), and loopback, where nothing but the processors is the limit. Needs root.

    python -m benchmarks.throughput [--seconds 6]
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import Figure, print_figures
from tests.lab import services
from tests.lab.machine import Machine
from tests.lab.namespaces import Lab
from tests.lab.product import probe

LINES_MBPS = (20, 100, 1000)
WARM_UP_S = 2
DIRECTIONS = (("download", ("-R",)), ("upload", ()))


def iperf_mbps(client: Machine, address: str, seconds: int, *words: str) -> float:
    """Return what iperf3 receives."""
    fixed = ["iperf3", "-c", address, "-P", "4", "-t", str(seconds), "-O", str(WARM_UP_S), "-J"]
    said = json.loads(client.run([*fixed, *words], seconds + 30).stdout)
    return float(said["end"]["sum_received"]["bits_per_second"]) / 1e6


def ours(client: Machine, address: str, seconds: int) -> dict[str, Any]:
    """Return what the probe says."""
    limits = (f"seconds={seconds}", f"warm_up={WARM_UP_S}", f"timeout={4 * seconds + 20}", "max_bytes=1000GB")
    found = probe(client, "throughput", f"http://{address}/", *limits)
    if not found["success"]:
        raise SystemExit(f"the probe fails at {found['stage']}: {found['reason']}")
    return found


def compare(client: Machine, address: str, seconds: int, name: str) -> list[Figure]:
    """Measure a line by both."""
    found = ours(client, address, seconds)
    figures = []
    for sample, (direction, words) in zip(found["samples"], DIRECTIONS, strict=True):
        goodput_mbps = sample["fields"]["goodput_mbps"]
        beside_mbps = iperf_mbps(client, address, seconds, *words)
        core = found["details"][direction]["cpu_share"]
        print(
            f"  {name:<14}{direction:<10}{goodput_mbps:>10,.1f} Mbit/s  iperf3 {beside_mbps:>10,.1f}  "
            f"{core:.2f} of a core  limited by {sample['fields']['limited_by']}"
        )
        if name == "loopback":
            figures.append(Figure(f"{direction} over loopback", goodput_mbps, 1000, "Mbit/s", at_most=False))
            continue
        apart = abs(goodput_mbps / beside_mbps - 1) * 100
        figures.append(Figure(f"{direction} at {name}: apart from iperf3", apart, 5, "%"))
        if name == "1000 Mbit/s":
            figures.append(Figure(f"{direction} at {name}: processor", core, 0.9, "cores"))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=6)
    seconds = parser.parse_args().seconds
    figures = []
    with tempfile.TemporaryDirectory() as name, Lab(Path(name) / "lab") as lab:
        client, server = lab.machine("client", 10), lab.machine("server", 80)
        for machine in (client, server):
            services.throughput_server(machine)
            services.iperf(machine)
        for mbps in LINES_MBPS:
            client.narrow(mbps)
            figures += compare(client, server.address, seconds, f"{mbps} Mbit/s")
        figures += compare(client, "127.0.0.1", seconds, "loopback")
    print_figures("throughput: what the probe measures", figures)


if __name__ == "__main__":
    main()
