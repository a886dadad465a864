"""What the board needs from the rest of the centre: `collector.boarding` has it."""

from collections.abc import Callable
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from collector.access.types import Who
from collector.board.detail import SiteDetail
from collector.board.model import Picture, Rest
from collector.disputes.schema import Claim, Dispute, Happened
from collector.watch.types import Handling, Incident


class Filing(NamedTuple):
    """What somebody says of a dispute or closure: who, under which login, why; `claim` for a new one."""

    happened: Happened
    by: str
    login: str
    text: str
    number: int = 0
    claim: Claim | None = None


class Source(Protocol):
    """
    Everything that is read, and what is written: records of disputes alone.

    `look` is called by one task, one call at a time; `detail` and `file` in any thread. All of them may take a while.
    """

    rest: Rest

    @property
    def zone(self) -> ZoneInfo:
        """The programme's zone."""

    def look(self, now_ns: int) -> Picture:
        """Return how everything is now; never raises for what cannot be read."""

    def detail(self, site: str, now_ns: int) -> SiteDetail:
        """Return a site minute by minute."""

    def file(self, filing: Filing, before: Callable[[], None] = lambda: None) -> Dispute:
        """Record something, after `before`, which is done once nothing is against it; SantongError says why not."""


class Desk(Protocol):
    """What people do about incidents; SantongError says why something cannot be done. May take a while."""

    def incident(self, name: str) -> Incident:
        """Return an incident by its number."""

    def handle(
        self, name: str, what: Handling, by: str, text: str = "", before: Callable[[], None] = lambda: None
    ) -> Incident:
        """Acknowledge, note or close it, after `before`."""


class Guest(NamedTuple):
    """
    Somebody before the board.

    `still` tells whether they are still who they were; `note(what, on, text)` writes down what they do, before it is
    done. Both may take a while. `token` is what a form that ends their session carries.
    """

    who: Who
    still: Callable[[], bool]
    note: Callable[[str, str, str], None]
    token: str = ""


class Settings(NamedTuple):
    """
    How the board is served.

    `every_s` is the least time between two looks. `is_pretended`: what is shown is simulated, and every page says so.
    `may_leave`: people log in, and can log out.
    """

    every_s: float
    language: str
    is_pretended: bool = False
    may_leave: bool = False
