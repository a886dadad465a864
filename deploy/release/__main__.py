"""
Make a release bundle.

    python -m deploy.release --out .build/release [--machine x86_64 --machine aarch64]

    santong-<version>/
        setup                   makes the control node's programs: ./setup
        release.json            version, Python and machine of its wheels, machines of devices, SHA-256 of every file
        wheels/                 what the centre and Ansible's control node are made of
        ansible/  grafana/  docs/  device/
        agent/santong-agent-<version>-<machine>.tar.gz     what a device is given, or fetches
    santong-<version>.tar.gz    the same, to be carried

What devices are given is a release of its own: release.json, wheels/ for that machine, ansible/ (the roles of devices),
device/ (the programs that change releases). Wheels are those that constraints.txt pins, so that two builds of one
version hold the same bytes. release.json comes last in each archive: where one was unpacked in part, there is none.
"""

import argparse
import sys
from pathlib import Path

from deploy.release.bundle import MACHINES, ReleaseFailed, make


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Exit code 1: a part cannot be had, the message says which."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description="Make a release bundle.")
    parser.add_argument("--out", type=Path, default=Path(".build/release"), help="folder that it is made in")
    parser.add_argument("--version", default="", help="another version than that of the sources, to try upgrades")
    parser.add_argument(
        "--machine", action="append", choices=sorted(MACHINES), help="of devices; may be repeated; else x86_64, aarch64"
    )
    given = parser.parse_args(arguments)
    try:
        print(make(given.out, given.machine or sorted(MACHINES), given.version))
    except ReleaseFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
