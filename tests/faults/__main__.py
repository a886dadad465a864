"""`python -m tests.faults`: the fault harness on the command line."""

import argparse
import os
import signal
import sys
import time
from types import FrameType

from tests.faults.harness import Result, run
from tests.faults.kinds import KINDS


def main() -> int:
    """Run the harness; return 0 only when nothing is lost, doubled or altered, and nothing else is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--seed", type=int, help="repeats the faults of a run (default: another one each time)")
    parser.add_argument("--only", default="", metavar="KIND,…", help=f"only these kinds, of: {', '.join(KINDS)}")
    given = parser.parse_args()
    only = [name for name in given.only.split(",") if name]
    if unknown := [name for name in only if name not in KINDS]:
        parser.error(f"{', '.join(unknown)}: no such kind; there are {', '.join(KINDS)}")
    if os.geteuid() != 0:
        parser.error("root is needed, to mount two small disks that can be filled")
    # SIGINT too: what a shell starts in the background ignores it otherwise.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    seed = given.seed if given.seed is not None else time.time_ns() % 1_000_000
    result = run(given.faults, seed, only, lambda text: print(text, flush=True))
    _report(result)
    return 0 if result.is_clean else 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _report(result: Result) -> None:
    print(f"\n{'fault':24}{'happened':>10}{'missed':>8}")
    for name in KINDS:
        if result.happened[name] or result.missed[name]:
            print(f"{name:24}{result.happened[name]:10}{result.missed[name] or '':>8}")
    print(f"{'together':24}{result.happened.total():10}{result.missed.total() or '':>8}   {result.seconds:.0f} s")
    print(f"\nmeddled with: {', '.join(f'{what} {n}' for what, n in sorted(result.meddled.items()))}")
    totals = ", ".join(
        f"{what} {result.verdict.counts[what]}" for what in ("produced", "stored", "in flight", "destroyed", "replaced")
    )
    print(f"samples: {totals}")
    counters = ", ".join(f"{name} {n}" for name, n in result.counters.items())
    print(f"the product's counters: {counters}, spools mended {result.mended}")
    if not result.is_clean:
        print(f"all logs and ledgers: {result.folder}")
    print(result.verdict.line())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
