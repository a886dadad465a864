"""What faults are called: the words of the profile, or else the code itself."""

from pathlib import Path

import pytest

from collector.titles import Titles


def test_the_title_is_that_of_the_profile(tmp_path: Path) -> None:
    """A shipped profile names its faults in both languages; what it does not have is called by its code."""
    titles = Titles(tmp_path)
    assert titles.of("pjlink-projector", "lamp-failed").zh == "灯泡故障"
    assert titles.of("pjlink-projector", "never-heard-of").en == "never-heard-of"
    assert titles.of("no-such-profile", "lamp-failed").en == "lamp-failed"


def test_a_folder_that_nobody_may_read_costs_only_its_own_titles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`santong status` by a user who may not look into /etc/santong shows the shipped titles."""

    def closed(_self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", closed)
        patched.setattr(Path, "is_dir", closed)
        titles = Titles(tmp_path)
    assert titles.of("pjlink-projector", "lamp-failed").zh == "灯泡故障"
