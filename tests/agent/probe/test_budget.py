"""The byte budget of throughput tests."""

from pathlib import Path

import pytest

from agent.probe.budget import FILE, Spent, read, write


def test_what_was_spent_survives_a_restart(tmp_path: Path) -> None:
    """The bytes of a month and the time of the last test are there again after a restart."""
    spent = Spent().begun("http://192.0.2.1/", 1764000000.5).plus("2026-11", 1000).plus("2026-11", 500)
    write(tmp_path, spent)
    assert read(tmp_path) == spent == Spent("2026-11", 1500, {"http://192.0.2.1/": 1764000000.5})
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_new_month_begins_at_nothing() -> None:
    """What was spent in one month does not count in the next."""
    spent = Spent().plus("2026-11", 1000)
    assert spent.in_month("2026-12") == 0
    assert spent.plus("2026-12", 5).in_month("2026-12") == 5


def test_a_clock_that_goes_back_gives_no_bytes_back() -> None:
    """A month that is over is not begun again: what is booked on it counts in the newest."""
    spent = Spent().plus("2026-12", 900).plus("2026-01", 50)
    assert spent == Spent("2026-12", 950)
    assert spent.in_month("2026-01") == 950


def test_a_test_in_the_time_to_come_was_dated_by_a_wrong_clock() -> None:
    """Such a time holds up no test."""
    spent = Spent().begun("a", 2000.0)
    assert (spent.last("a", 1999.0), spent.last("a", 2000.0), spent.last("b", 2000.0)) == (0.0, 2000.0, 0.0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"month": 1}', '{"month":"2026-11","bytes":"x","tested":{}}', "null"])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, text: str) -> None:
    """A file that a power cut spoiled stops no probe."""
    (tmp_path / FILE).write_text(text)
    assert read(tmp_path) == Spent()
