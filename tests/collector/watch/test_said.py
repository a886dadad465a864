"""What people do about an incident while it grows, is taken up or ends: not a word is lost."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from collector.watch.journal import Journal, JournalError
from collector.watch.memory import Moment, News
from collector.watch.types import Handling, Incident
from tests.collector.watch.test_properties import MEMORY
from tests.collector.watch.town import Town, school

SITES = [school(number) for number in range(6)]


class Spoken(Town):
    """A town in which somebody handles an incident by the journal, as board and API do; also while watch looks."""

    def __init__(self, journal: Path) -> None:
        super().__init__(12, operators=1, journal=journal)
        self.pending: list[tuple[str, Handling]] = []
        self.with_news: tuple[str, str, Handling] | None = None  # said when something of that kind is opened

    def moment(self) -> Moment:
        """Return what is known, with what people did."""
        assert self.journal is not None
        return super().moment()._replace(said=self.journal.unheard(self.core.memory.last_said))

    def step(self) -> list[News]:
        """Look once; what is pending is said after watch has looked and before it writes that down."""
        core, looks = self.core, self.core.step

        def interrupted(moment: Moment) -> list[News]:
            news = looks(moment)
            while self.pending:
                self.say(*self.pending.pop())
            if self.with_news and any(one.case.kind == self.with_news[0] for one in news):
                self.say(*self.with_news[1:])
                self.with_news = None
            return news

        core.step = interrupted  # type: ignore[method-assign]
        try:
            return super().step()
        finally:
            core.step = looks  # type: ignore[method-assign]

    def say(self, name: str, what: Handling) -> None:
        """Handle an incident."""
        assert self.journal is not None
        Journal(self.journal.path.parent).handle(name, what, "On Call", "" if what is Handling.ACKNOWLEDGE else "known")

    def shown(self, name: str) -> Incident:
        """Return what others see of an incident."""
        assert self.journal is not None
        return self.journal.incident(name)


def happens(town: Spoken, what: str) -> None:
    """Let an incident grow, be taken up, or end, within the next minutes."""
    if what == "grows":
        town.causes |= dict.fromkeys(town.of(SITES[1]), "wan_down")
    elif what == "is taken up":
        town.causes |= {device: "wan_down" for site in SITES[1:] for device in town.of(site)}
    else:
        town.causes.clear()


@pytest.mark.parametrize("way", list(Handling))
@pytest.mark.parametrize("what", ["grows", "is taken up", "ends"])
@pytest.mark.parametrize("is_between", [False, True], ids=["before a look", "while watch looks"])
def test_whatever_becomes_of_an_incident_what_people_did_stands_there(
    way: Handling, what: str, *, is_between: bool
) -> None:
    """In each minute of its change: who looks after it, what they wrote, and that they closed it."""
    said = 0
    for minute in range(7):
        with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            said += is_kept(Spoken(Path(folder)), way, what, minute, is_between=is_between)
    assert said >= (7 if what == "grows" or way is Handling.NOTE else 1)


def is_kept(town: Spoken, way: Handling, what: str, minute: int, *, is_between: bool) -> bool:
    """Look whether what is done so many minutes into a change stands there; False: it was too late, as was said."""
    town.run(5)
    cut = SITES[:1] if what != "grows" else [SITES[0], *SITES[2:]]
    town.causes = {device: "wan_down" for site in cut for device in town.of(site)}
    town.run(5)
    (opened,) = town.core.memory.cases.values()
    happens(town, what)
    town.run(minute)
    if town.shown(opened.id).closed_ns is not None and way is not Handling.NOTE:
        with pytest.raises(JournalError, match="closed already"):
            town.say(opened.id, way)
        return False
    if is_between:
        town.pending = [(opened.id, way)]
        town.step()
    else:
        town.say(opened.id, way)
    town.run(1)
    town.restart()
    town.run(15)
    found = town.shown(opened.id)
    assert [note.text for note in found.notes] == ["known"] * (way is not Handling.ACKNOWLEDGE)
    assert found.acknowledged_by == "On Call" * (way is Handling.ACKNOWLEDGE)
    assert (found.closed_ns is None) == (way is not Handling.CLOSE and what == "grows")
    if what == "grows" and way is Handling.ACKNOWLEDGE:
        town.run(60)
        assert "escalated" not in [one for one, _, _ in town.told]
    return True


def test_what_is_closed_while_watch_lets_it_be_taken_up_is_not_opened_again(tmp_path: Path) -> None:
    """The operator's incident is over, the school is still cut off: whoever closed its incident knows that."""
    town = Spoken(tmp_path)
    town.run(5)
    town.causes = dict.fromkeys(town.of(SITES[0]), "wan_down")
    town.run(5)
    town.with_news = ("operator", "1", Handling.CLOSE)
    happens(town, "is taken up")
    town.run(10)
    assert town.shown("2").kind == "operator"
    assert [note.text for note in town.shown("1").notes] == ["known"]
    town.causes = dict.fromkeys(town.of(SITES[0]), "wan_down")
    town.run(60)
    assert [what for what, _, _ in town.told] == ["opened", "opened", "recovered"]
    town.causes = {}
    town.run(10)
    town.causes = dict.fromkeys(town.of(SITES[0]), "wan_down")
    town.run(10)
    assert [what for what, _, _ in town.told][3:] == ["opened"]
