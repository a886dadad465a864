"""Health without a server: a small file beside the spool."""

import logging
from pathlib import Path

import pytest

from agent import health
from agent.health import FILE, Health


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Any supervisor reads when the centre last stored something, and how it stands."""
    state = Health(1795000000.25, "连接被拒绝: not authorised")
    health.write(tmp_path, state)
    assert health.read(tmp_path) == state
    health.write(tmp_path, state._replace(note="connected"))
    assert health.read(tmp_path).note == "connected"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_an_agent_that_never_ran_is_said_so(tmp_path: Path) -> None:
    """Where no agent ran, nothing was ever stored, and the note asks the right question."""
    assert health.read(tmp_path) == Health(0.0, f"{tmp_path / FILE} cannot be read: has the agent run?")


@pytest.mark.parametrize("content", ["", "{", "null", "[]", "{}", '{"stored": "soon", "note": ""}', "\x00" * 50])
def test_a_broken_file_is_no_health(tmp_path: Path, content: str) -> None:
    """A file that a power cut left broken reads as never stored, not as an error."""
    (tmp_path / FILE).write_text(content)
    assert health.read(tmp_path).stored == 0.0


def test_a_disk_that_refuses_does_not_stop_the_agent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When the file cannot be written the agent measures on; the spool's own trouble is what the log is about."""
    with caplog.at_level(logging.DEBUG):
        health.write(tmp_path / "no", Health(0.0, ""))
    assert caplog.messages == [f"{tmp_path / 'no' / FILE}: No such file or directory"]
