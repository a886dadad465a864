"""
The desk: what people on the board and over the API do about incidents.

    may_handle (handling.py) ──▶ Desk.handle ──▶ the journal of watch, which takes it up at its next look
"""

from collections.abc import Callable
from pathlib import Path

from collector.watch.journal import FILE, Journal
from collector.watch.types import Handling, Incident
from contract.errors import SantongError

MOST_TEXT = 1000


class BadHandling(SantongError):
    """What cannot be done about an incident, or there is none of that number."""


class Desk:
    """The incidents of a data folder; any thread may ask."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def incident(self, name: str) -> Incident:
        """Return an incident; SantongError where there is none."""
        return self._journal().incident(name)

    def handle(
        self, name: str, what: Handling, by: str, text: str = "", before: Callable[[], None] = lambda: None
    ) -> Incident:
        """
        Write down, durably, what somebody does about an incident, and return it; SantongError says why not.

        `before` is done once nothing is against it.
        """
        said = " ".join(text.split())
        if len(said) > MOST_TEXT:
            raise BadHandling(f"text: has {len(said)} characters, {MOST_TEXT} at most are kept")
        if what is not Handling.ACKNOWLEDGE and not said:
            raise BadHandling(f"text: is empty; to {what} an incident needs a reason")
        journal = self._journal()
        try:
            journal.handle(name, what, by, said, before)
            return journal.incident(name)
        finally:
            journal.shut()

    def _journal(self) -> Journal:
        if not (self._data / FILE).is_file():
            raise BadHandling("there are no incidents: `santong watch` has not run here")
        return Journal(self._data)
