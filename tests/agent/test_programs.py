"""Programs that are asked something: they end in time and print no more than can be held."""

import pytest

from agent.deadline import Deadline
from agent.outcome import Unable
from agent.programs import Said, run


def test_a_program_that_prints_without_end() -> None:
    """It is ended at 1 MiB, with a reason, before it costs the machine its memory."""
    with pytest.raises(Unable, match=r"^yes printed more than 1 MiB$"):
        run(["yes"], Deadline(10))


def test_a_program_that_complains_without_end() -> None:
    """What it printed is kept, of its complaint the beginning."""
    said = run(["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo done; exit 3"], Deadline(10))
    assert said == Said(3, "done\n", "x" * 4096)


def test_what_a_program_left_behind_holds_nobody_up() -> None:
    """Its answer is there once it has ended, though something that it started still holds its output open."""
    deadline = Deadline(20)
    assert run(["sh", "-c", "sleep 30 & echo done"], deadline) == Said(0, "done\n", "")
    assert not deadline.is_over


def test_a_program_that_does_not_end() -> None:
    """Its time is up, and so is that of what it started."""
    assert run(["sh", "-c", "sleep 30; echo done"], Deadline(0.2)) == Said(None, "", "")
