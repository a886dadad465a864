"""A small centre with everything that a backup is to have."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.collector.commands import run


class Centre(NamedTuple):
    """Folders of a centre, and a file with a passphrase."""

    data: Path
    config: Path
    authority: Path
    passphrase: Path

    def back_up(self, out: Path, *more: object, code: int = 0) -> tuple[str, str]:
        """Run `santong backup` over it."""
        words = ("--data", self.data, "--config", self.config, "--authority", self.authority)
        return run("backup", "--out", out, *words, *more, code=code)


@pytest.fixture(scope="session")
def made_centre(tmp_path_factory: pytest.TempPathFactory) -> Centre:
    """Make a centre of a small city: roster, calendars, evidence, disputes, users, keys, settings, an authority."""
    folder = tmp_path_factory.mktemp("centre")
    data, config = folder / "data", folder / "etc"
    run("simulate", "--devices", 4, "--days", 2, "--seed", 5, "--lean", "--out", data)
    run("evidence", "key", "--data", data)
    run("user", "add", "li.na", "--role", "admin", "--no-password", "--data", data)
    (config / "authority").mkdir(parents=True)
    (config / "authority/ca.key").write_text("a key\n", encoding="utf-8")
    (config / "authority/ca.key").chmod(0o600)
    (config / "authority").chmod(0o700)
    (config / "tls").mkdir()
    (config / "collect.toml").write_text('store = "sqlite:x"\n', encoding="utf-8")
    (config / "tls/current.toml").symlink_to("../collect.toml")
    (folder / "passphrase").write_text("correct horse battery staple\n", encoding="utf-8")
    return Centre(data, config, config / "authority", folder / "passphrase")


@pytest.fixture
def centre(made_centre: Centre, tmp_path: Path) -> Centre:
    """Return a copy of it, for a test of its own."""
    data, config = tmp_path / "centre/data", tmp_path / "centre/etc"
    shutil.copytree(made_centre.data, data)
    shutil.copytree(made_centre.config, config, symlinks=True)
    return Centre(data, config, config / "authority", made_centre.passphrase)
