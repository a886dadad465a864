"""Profiles for the loop, which never loads YAML: a short-lived process reads them."""

from collections.abc import Sequence
from pathlib import Path

from agent.devices import Wanted
from firmware_profiles.schema import Profile


def profiles_for(folder: Path, wanted: Sequence[Wanted]) -> list[Profile]:
    """Return the profiles that are wanted, in their order; ConfigError lists what is wrong with them."""
    raise NotImplementedError
