"""What a machine knows of itself, by the names that profiles match."""

from pathlib import Path

import pytest

from agent.profiles.facts import facts


def tree(root: Path, **files: bytes) -> Path:
    """Make a root folder with these files, `__` for a slash."""
    for name, content in files.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every machine of these tests run Linux."""
    monkeypatch.setattr("platform.system", lambda: "Linux")


def test_a_board_is_known_by_its_device_tree(tmp_path: Path) -> None:
    """Texts of the device tree end with NUL; quotes of os-release are not part of the words."""
    release = b'# of the system\nPRETTY_NAME="Raspbian GNU/Linux 12"\nID=raspbian\nID_LIKE="debian ubuntu"\n'
    root = tree(tmp_path, **{"sys__firmware__devicetree__base__model": b"Pi 4\0", "etc__os-release": release})
    assert facts(root) == {
        "device_tree": "Pi 4", "system": "linux", "os_id": "raspbian", "os_like": "debian ubuntu",
    }  # fmt: skip


def test_a_computer_is_known_by_dmi(tmp_path: Path) -> None:
    """What a maker never filled in is not known; os-release may be in /usr/lib."""
    root = tree(
        tmp_path,
        **{
            "sys__class__dmi__id__sys_vendor": b"LENOVO\n",
            "sys__class__dmi__id__product_name": b"To Be Filled By O.E.M.\n",
            "usr__lib__os-release": b"ID='debian'\n",
        },
    )
    assert facts(root) == {"dmi_vendor": "LENOVO", "system": "linux", "os_id": "debian"}


def test_an_empty_machine_knows_its_system(tmp_path: Path) -> None:
    """What is not there is absent, never empty."""
    assert facts(tmp_path) == {"system": "linux"}
