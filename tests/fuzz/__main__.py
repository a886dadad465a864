"""
Malformed batches by the million, through the centre's check and into real stores.

    python -m tests.fuzz [--batches 1000000] [--seed S] [--jobs 2]

Ends with what was tried, seen and verified; the exit code is 0 only when nothing was found. What is found is kept in
`tests/fuzz/found/`, where the tests replay it from then on. `--seed`, `--now` and `--first` repeat what a run printed.
"""

import argparse
import platform
import sys
import time

from tests.fuzz.run import Settings, run


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    now_ns = time.time_ns()
    parser.add_argument("--batches", type=int, default=1_000_000, help="how many, in blocks of 1,000")
    parser.add_argument("--seed", type=int, default=now_ns // 10**9 % 10**6, help="by default another each time")
    parser.add_argument("--now", type=int, default=now_ns, help="unix ns at which all batches arrive")
    parser.add_argument("--first", type=int, default=0, help="the block to begin with")
    parser.add_argument("--jobs", type=int, default=1, help="processes that make and check batches")
    options = parser.parse_args()
    settings = Settings(options.batches, options.seed, options.now, options.first, options.jobs)
    again = f"--seed {settings.seed} --now {settings.now_ns} --first {settings.first}"
    print(f"python -m tests.fuzz {again}  # Python {platform.python_version()}", flush=True)
    report = run(settings)
    print(*report.lines_of_text(), sep="\n")
    return 1 if report.findings or report.unseen() else 0


if __name__ == "__main__":
    sys.exit(main())
