"""Where addresses are written, and what is said of those that are wrong."""

from pathlib import Path

import pytest

from collector.channels.addresses import addresses, written
from contract.errors import ConfigError

ONE, OTHER, THIRD = "json://one.example.org", "json://other.example.org", "json://third.example.org"


def names(*urls: str) -> list[str]:
    """Return URLs by the host in the name that each address is shown by."""
    return [f"json://{url.partition('//')[2]}" for url in urls]


def test_the_option_counts_then_the_variable_then_the_file(tmp_path: Path) -> None:
    """One place counts whole: nobody is surprised by an address that stands somewhere else."""
    file = tmp_path / "notify.urls"
    file.write_text(f"# who holds the roots\n\n  {ONE}  \n{OTHER}\n{ONE}\n")
    file.chmod(0o600)
    variable = {"SANTONG_NOTIFY": f"{OTHER}\n {THIRD} "}
    found, wrong = addresses(written([], {}, tmp_path))
    assert [address.name.partition("#")[0] for address in found] == names(ONE, OTHER)
    assert wrong is None
    assert [one.url for one in written([], variable, tmp_path)] == [OTHER, THIRD]
    assert [one.url for one in written([THIRD], variable, tmp_path)] == [THIRD]
    assert written([], {}, tmp_path / "nothing") == []


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The secrets in it are everybody's then; the error says what to do."""
    file = tmp_path / "notify.urls"
    file.write_text(ONE)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"others can read the secrets in it \(mode 0644\): chmod 600 "):
        written([], {}, tmp_path)


def test_every_mistake_is_said_with_its_place_and_the_others_count(tmp_path: Path) -> None:
    """Each wrong line is named, with nothing of what is secret in it; the right ones are addresses all the same."""
    file = tmp_path / "notify.urls"
    file.write_text(f"wecombott://s3cret\n{ONE}\ndingtalk://\n")
    file.chmod(0o600)
    found, wrong = addresses(written([], {}, tmp_path))
    assert [address.name.partition("#")[0] for address in found] == names(ONE)
    first, second = str(wrong).splitlines()
    assert first == f"{file}:1: wecombott:// is unknown, did you mean wecombot"
    assert second.startswith(f"{file}:3: is not a whole dingtalk:// address")
