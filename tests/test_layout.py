"""What the project's own files must say of each other."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_make_test_runs_every_folder_of_tests_but_the_lab() -> None:
    """A new folder of tests is named in pyproject.toml; only tests/lab, which needs root, is a target of its own."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
    folders = {file.relative_to(ROOT).parts[1] for file in (ROOT / "tests").glob("*/**/test_*.py")}
    assert {f"tests/{folder}" for folder in folders - {"lab"}} == set(named) - {"tests/test_*.py"}
