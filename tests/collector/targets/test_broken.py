"""One broken file for each rule that a file of targets can break, and exactly what is said of it."""

from pathlib import Path

import pytest

from collector.targets.load import load
from contract.errors import ConfigError

FOLDER = Path(__file__).parent / "broken"


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.yaml")))
def test_each_mistake_has_its_message(name: str) -> None:
    """Each rule gives exactly its message, with file, line and path, all of a file at once."""
    with pytest.raises(ConfigError) as refusal:
        load(FOLDER / f"{name}.yaml")
    said = str(refusal.value).replace(f"{FOLDER}/", "").splitlines()
    assert said == (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def test_every_broken_file_has_its_message() -> None:
    """No file is there for a rule that is not there any more, or the other way round."""
    stems = {suffix: {file.stem for file in FOLDER.glob(f"*{suffix}")} for suffix in (".yaml", ".txt")}
    assert stems[".yaml"] == stems[".txt"]
    assert len(stems[".yaml"]) >= 20
