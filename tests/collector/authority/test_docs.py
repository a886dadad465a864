"""What the pages for technicians say is tried, command by command."""

import os
import re
import subprocess
from pathlib import Path

from tests.processes import BIN

ROOT = Path(__file__).parents[3]


def test_the_commands_of_the_page_work_one_after_the_other(tmp_path: Path) -> None:
    """docs/identities.md, from the first command to the last, in an empty folder and on a new authority."""
    text = (ROOT / "docs/identities.md").read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)).splitlines()
    assert sum(line.startswith("santong ca") for line in commands) >= 8
    check = re.findall(r"^    (openssl pkeyutl .*)$", text, re.MULTILINE)
    (tmp_path / "release.json").write_text("{}")
    known = os.environ | {"SANTONG_AUTHORITY": str(tmp_path / "authority"), "PATH": f"{BIN}:{os.environ['PATH']}"}
    copy = f"cp {tmp_path}/authority/signing.pub ."
    script = "\n".join(["set -e", *commands, copy, *check])
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=known, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done
    assert "Signature Verified Successfully" in done.stdout


def test_every_test_that_is_named_exists() -> None:
    """docs/security.md names tests as proof: each is there."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("*.py"))
    for name in re.findall(r"`(test_\w+|TestAuthority)`", text):
        assert f"def {name}(" in sources or f"{name} = " in sources, name
    for file in re.findall(r"tests/[\w/]+\.py", text):
        assert (ROOT / file).is_file(), file
