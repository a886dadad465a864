"""What others read of watch: when it looked last, and what of itself did not work."""

from pathlib import Path

from collector.watch.journal import LOOKED, TROUBLE, Journal
from collector.watch.memory import Memory


def test_who_reads_the_journal_sees_when_watch_looked_last_and_what_troubles_it(tmp_path: Path) -> None:
    """States that nobody has looked at for an hour are not how it is now: a reader can tell."""
    journal = Journal(tmp_path, create=True)
    assert (Journal(tmp_path).looked_ns(), Journal(tmp_path).trouble()) == (0, "")
    journal.commit(Memory(), remember={LOOKED: "7000", TROUBLE: "no calendar"})
    assert (Journal(tmp_path).looked_ns(), Journal(tmp_path).trouble()) == (7000, "no calendar")
    journal.commit(Memory(), remember={LOOKED: "8000", TROUBLE: ""})
    assert (Journal(tmp_path).looked_ns(), Journal(tmp_path).trouble()) == (8000, "")
    journal.shut()
