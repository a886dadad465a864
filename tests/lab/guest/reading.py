"""Read a source of profiles once and print its outcome as JSON: reading.py SOURCE '{"parameter": "value"}'."""

import importlib
import json
import sys

from agent.gather.read import Read, Way
from agent.outcome import outcome_of
from contract.settings import checked
from firmware_profiles.sources import SOURCES


def main() -> None:
    """Read and print."""
    source, given = sys.argv[1], json.loads(sys.argv[2])
    what = checked(SOURCES[source], {"read": [], **given}, source)
    module = importlib.import_module(f"agent.gather.{source}")
    outcome = outcome_of(lambda: module.read(Read(what, Way(), 20.0)))
    print(json.dumps({"success": outcome.success, "reason": outcome.reason, "rows": dict(outcome.rows)}))


if __name__ == "__main__":
    main()
