"""
What watch says of devices, for the board: taken from its journal while watch lives.

    journal: when it looked ── lately ──▶ states of devices, incidents
                            └─ long ago ─▶ nothing but since when it stands still
"""

from collections.abc import Sequence
from pathlib import Path

from collector.board.model import NOT_WATCHED, Watched
from collector.watch.journal import FILE, Journal, Pulse
from collector.watch.types import Incident

# Watch looks every 15 s unless it is told otherwise, and a look in a city takes some seconds.
STILL_NS = 120 * 10**9
PAST_NS = 7 * 86_400 * 10**9  # incidents that ended so long ago are still shown
_LOOKS = 4


def is_live(pulse: Pulse, now_ns: int) -> bool:
    """Tell whether watch looked lately enough for what it says to be of now."""
    return now_ns - pulse.looked_ns <= max(STILL_NS, _LOOKS * pulse.every_ns)


class Watcher:
    """Reads the journal of a data folder. One task at a time."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._journal: Journal | None = None
        self._last = NOT_WATCHED
        self._looked_ns = self._said = 0

    def look(self, now_ns: int) -> Watched:
        """Return what watch says now; JournalError when its journal cannot be read."""
        journal = self._opened()
        pulse = journal.pulse() if journal else None
        if journal is None or pulse is None:
            return NOT_WATCHED
        if not is_live(pulse, now_ns):
            self._last, self._looked_ns = NOT_WATCHED, 0
            return Watched(ended_ns=pulse.looked_ns)
        # States change with a look of watch alone, incidents with what people do about them, too.
        said, is_new = journal.last_said(), pulse.looked_ns != self._looked_ns
        now = journal.now() if is_new else self._last.now
        incidents: Sequence[Incident] = self._last.incidents
        if is_new or said != self._said:
            incidents = journal.incidents(since_ns=now_ns - PAST_NS)
        self._looked_ns, self._said = pulse.looked_ns, said
        self._last = Watched(now, incidents, centre=pulse.centre, judged_ns=pulse.judged_ns)
        return self._last

    def _opened(self) -> Journal | None:
        """Return the journal, None where watch never ran."""
        if not (self._data / FILE).is_file():
            self._journal, self._looked_ns = None, 0
        elif self._journal is None:
            self._journal = Journal(self._data)
        return self._journal
