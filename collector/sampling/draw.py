"""
The draw: classes by stratum, inspectors from their list, and who goes where. All three by lot.

    frame ──▶ how many of each stratum ──▶ smallest tickets ──▶ classes ─┐
    list of inspectors ──▶ smallest tickets ──▶ inspectors ──────────────┴▶ a school goes to one inspector

A school's classes go to one inspector, who does not belong to it. Schools come in the order of their tickets; each
goes, among those who may, to one with the fewest classes so far, of several to the smallest ticket of both.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from collector.sampling.allocate import allocate
from collector.sampling.frame import Class, Frame
from collector.sampling.tickets import FORM, in_order, ticket
from contract.errors import SantongError
from contract.names import county_of

_ID_LETTERS = 12


class CannotDraw(SantongError):
    """Nothing can be drawn as it was asked for."""


class Inspector(NamedTuple):
    """Who may be sent: a person or a team, and the sites or counties that they belong to and never inspect."""

    name: str
    belongs_to: tuple[str, ...] = ()

    def may_see(self, site: str) -> bool:
        """Tell whether the inspector may be sent to a site."""
        return site not in self.belongs_to and county_of(site) not in self.belongs_to


class Question(NamedTuple):
    """
    What is drawn, from what: the same question and the same roster are the same sample.

    `day` is the day whose classes are drawn, ISO 8601; `scope` is the target's, as JSON has it; `people` is how many of
    the inspectors are drawn, None for all.
    """

    seed: str
    size: int
    day: str
    roster_sha256: str
    target: str
    scope: Mapping[str, Any] = {}
    county: str = ""
    people: int | None = None


class Stratum(NamedTuple):
    """One stratum: how many classes there are, and how many of them were drawn."""

    name: str
    classes: int
    drawn: int


class Drawn(NamedTuple):
    """A class that was drawn, and who goes there; empty: nobody was named."""

    one: Class
    inspector: str = ""


class Draw(NamedTuple):
    """A sample. Classes are sorted by inspector, site and room."""

    question: Question
    strata: tuple[Stratum, ...]
    classes: tuple[Drawn, ...]
    inspectors: tuple[Inspector, ...] = ()
    undelivered: int = 0

    @property
    def id(self) -> str:
        """A name that follows from the content: whoever draws the same has the same."""
        return hashlib.sha256(self.canonical()).hexdigest()[:_ID_LETTERS]

    @property
    def sent(self) -> list[str]:
        """The names of those who go somewhere; one that is empty where nobody was named."""
        return list(dict.fromkeys(drawn.inspector for drawn in self.classes))

    def canonical(self) -> bytes:
        """Return the sample as JSON, always the same bytes for the same sample."""
        return json.dumps(self.as_json(), ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"

    def as_json(self) -> dict[str, Any]:
        """Return what is written down."""
        return {
            "form": FORM,
            "question": self.question._asdict(),
            "strata": [stratum._asdict() for stratum in self.strata],
            "classes": [{**drawn.one._asdict(), "inspector": drawn.inspector} for drawn in self.classes],
            "inspectors": [inspector._asdict() for inspector in self.inspectors],
            "undelivered": self.undelivered,
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> "Draw":
        """Return a sample that was written down; KeyError, TypeError or ValueError when it was not."""
        if tree["form"] != FORM:
            raise ValueError(f"{tree['form']!r} is not {FORM}")
        classes = (dict(one) for one in tree["classes"])
        inspectors = (Inspector(one["name"], tuple(one["belongs_to"])) for one in tree["inspectors"])
        return cls(
            Question(**tree["question"]),
            tuple(Stratum(**one) for one in tree["strata"]),
            tuple(Drawn(inspector=one.pop("inspector"), one=Class(**one)) for one in classes),
            tuple(inspectors),
            tree["undelivered"],
        )


def draw(question: Question, frame: Frame, inspectors: Sequence[Inspector] = ()) -> Draw:
    """Return the sample; CannotDraw when there are no classes, or when nobody may go to a school that was drawn."""
    if not frame.strata:
        raise CannotDraw("the roster has no class of the target on this day: nothing can be drawn")
    seed = question.seed
    numbers = allocate({name: len(classes) for name, classes in frame.strata.items()}, question.size)
    chosen: list[Class] = []
    for name, classes in frame.strata.items():
        by_room = {one.room: one for one in classes}
        chosen += [by_room[room] for room in in_order(seed, "class", by_room)[: numbers[name]]]
    people = _people(question, inspectors)
    sent = _sent(seed, chosen, people) if people else {}
    drawn = sorted((Drawn(one, sent.get(one.site, "")) for one in chosen), key=_place)
    strata = tuple(Stratum(name, len(classes), numbers[name]) for name, classes in frame.strata.items())
    return Draw(question, strata, tuple(drawn), tuple(inspectors), frame.undelivered)


def _place(drawn: Drawn) -> tuple[str, str, str]:
    return drawn.inspector, drawn.one.site, drawn.one.room


def _people(question: Question, inspectors: Sequence[Inspector]) -> list[Inspector]:
    """Return the inspectors that are drawn from the list."""
    by_name = {inspector.name: inspector for inspector in inspectors}
    most = len(by_name) if question.people is None else question.people
    if most > len(by_name):
        raise CannotDraw(f"{most} inspectors are asked for, and the list has {len(by_name)}")
    return [by_name[name] for name in in_order(question.seed, "inspector", by_name)[:most]]


def _sent(seed: str, chosen: Sequence[Class], people: Sequence[Inspector]) -> dict[str, str]:
    """Return who goes to each site."""
    number = Counter(one.site for one in chosen)
    load: dict[str, int] = defaultdict(int)
    found: dict[str, str] = {}
    for site in in_order(seed, "site", number):
        allowed = [inspector.name for inspector in people if inspector.may_see(site)]
        if not allowed:
            raise CannotDraw(f"{site}: all inspectors that were drawn belong to it; name or draw more of them")
        name = min(allowed, key=lambda name: (load[name], ticket(seed, "assign", site, name), name))
        load[name] += number[site]
        found[site] = name
    return found
