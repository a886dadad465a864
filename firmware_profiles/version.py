"""Versions of firmware."""

from firmware_profiles.schema import Firmware


def is_compliant(version: str, rule: Firmware) -> bool | None:
    """Tell whether a version is good, None where nobody said which are."""
    raise NotImplementedError
