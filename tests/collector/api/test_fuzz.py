"""Whatever is sent: no route fails, and each answers as its OpenAPI page says. schemathesis against a running page."""

import subprocess
from pathlib import Path

import pytest

from tests.collector.api.conftest import PASSWORD, Served
from tests.processes import BIN

SECONDS = 240  # it takes a quarter of that


@pytest.mark.parametrize("served", ["influxdb"], indirect=True)
def test_no_request_breaks_the_page(served: Served, tmp_path: Path) -> None:
    """
    Hundreds of requests, valid and not, by a seed: never 5xx, always JSON or CSV, refused where it is not valid.

    No schema can say that a cursor is one that was given out: the check that all that is valid is taken is off.
    """
    command = [
        *(str(BIN / "st"), "run", f"{served.url}/api/openapi.json", "--auth", f"admin:{PASSWORD}"),
        *("--phases", "coverage,fuzzing", "--max-examples", "5", "--seed", "1", "--no-color"),
        *("--exclude-checks", "positive_data_acceptance", "--generation-database", "none", "--warnings", "off"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert "17 passed" in done.stdout or "Tested: 17" in done.stdout, done.stdout[-2000:]
