"""What the board needs from the rest of the centre: `collector.boarding` has it."""

from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from collector.board.detail import SiteDetail
from collector.board.model import Picture, Rest
from collector.disputes.schema import Claim, Dispute, Happened

LOOPBACK = ("127.0.0.1", "::1", "localhost")


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

    def file(self, filing: Filing) -> Dispute:
        """Record something; SantongError says why it may not be."""


class Settings(NamedTuple):
    """
    How the board is served.

    `every_s` is the least time between two looks. `is_pretended`: what is shown is simulated, and every page says so.
    """

    host: str
    port: int
    every_s: float
    language: str
    is_pretended: bool = False
