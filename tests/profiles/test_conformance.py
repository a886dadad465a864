"""Every profile of the library, run against its own recorded device."""

from pathlib import Path

import pytest

from firmware_profiles.library import Library
from tests.profiles.conformance import as_lines, cases, given, samples_of


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_profile_yields_exactly_what_is_expected(case: Path) -> None:
    """The recorded device gives these samples, no more, no fewer, each with its value, type and tags."""
    assert as_lines(samples_of(case)) == (case / "expected.txt").read_text().splitlines()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_recording_says_what_it_is(case: Path) -> None:
    """Nobody takes a constructed device for a recorded one."""
    assert (case / "SOURCE").read_text().split()[0].rstrip(":") in ("recorded", "constructed")


def test_every_profile_that_reads_has_a_recorded_device() -> None:
    """A profile without a device to run against proves nothing."""
    reading = {id_ for id_ in Library().ids() if Library().get(id_).collect}
    assert reading - {given(case).get("profile", case.name) for case in cases()} == set()
