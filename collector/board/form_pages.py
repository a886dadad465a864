"""The forms: to file a dispute or a closure, to decide on one, and to handle an incident."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from nicegui import ui

from collector.access.types import LOCAL, TABLE, Action
from collector.board.forms import BadForm, Decided, Written, decision_of, filing_of, may_decide, name_of, reasons_of
from collector.board.hub import Hub
from collector.board.source import Desk, Filing, Guest, Source
from collector.disputes.schema import ADJUDICATIONS, FINDINGS, LEVELS, Dispute, Happened, Kind
from collector.handling import may_handle
from collector.watch.types import Handling, Incident
from collector.whoami import operator
from collector.words import Language, word
from contract.errors import SantongError

_FINDINGS = {name: f"finding_{name}" for name in FINDINGS}


class Counter(NamedTuple):
    """Where somebody hands a form in: what is looked at again then, what takes it, and who it is."""

    hub: Hub
    source: Source
    guest: Guest
    language: Language

    @property
    def login(self) -> str:
        """Under which login something is recorded: who logged in, else whoever runs this."""
        return operator() if self.guest.who == LOCAL else self.guest.who.name

    def say(self, key: str) -> str:
        """Return a word."""
        return word(key, self.language)

    def name_field(self) -> Any:
        """Put down the field for a name: nobody logged in on this machine, so they say who they are."""
        is_local = self.guest.who == LOCAL
        field = ui.input(self.say("your_name"), value="" if is_local else self.guest.who.name)
        return field.props(f'outlined dense {"" if is_local else "readonly"} data-field="by"')

    async def hand_in(self, what: str, on: str, text: str, do: Callable[[Callable[[], None]], Any]) -> Any:
        """
        Do something that somebody may do; SantongError says why not.

        `do` gets what writes down that they did, for when nothing is against it and nothing is written yet.
        """
        if not await asyncio.to_thread(self.guest.still):
            raise BadForm(self.say("not_allowed"))
        done = await asyncio.to_thread(do, lambda: self.guest.note(what, on, text))
        await self.hub.look_again()
        return done

    async def record(self, filing: Filing) -> Dispute:
        """Record a dispute, a closure or a decision."""
        on = f"{filing.claim.kind} {filing.claim.scope.id}" if filing.claim else f"dispute {filing.number}"
        text = f"{filing.by}: {filing.text}" if self.guest.who == LOCAL else filing.text
        found: Dispute = await self.hand_in(
            f"dispute.{filing.happened}", on, text, lambda before: self.source.file(filing, before)
        )
        return found


def filing_form(counter: Counter, given: tuple[str, str, str]) -> None:
    """Put the form down; `given` are kind, site and device that it begins with."""
    kind, site, device = given
    kind = kind if kind in set(Kind) else Kind.CLOSURE
    if (Action.CLOSE if kind == Kind.CLOSURE else Action.PROPOSE) not in TABLE[counter.guest.who.role]:
        with ui.element("div").classes("board"):
            ui.label(counter.say("not_allowed")).classes("empty big")
        return
    level, place = ("device", device) if device else ("site", site)
    say = counter.say
    with ui.element("div").classes("board form"), ui.element("section").classes("card"):
        ui.html(f"<h2>{say('file_closure' if kind == Kind.CLOSURE else 'file_dispute')}</h2>", sanitize=False)
        levels = {one: say(f"scope_{one}") for one in LEVELS}
        fields: dict[str, Any] = {
            "level": ui.select(levels, value=level, label=say("scope")),
            "place": ui.input(say("which"), value=place),
            "first_day": ui.input(say("from_when")).props("type=date stack-label"),
            "first_time": ui.input(say("from_when"), value="00:00").props("type=time stack-label"),
            "last_day": ui.input(say("to_when")).props("type=date stack-label"),
            "last_time": ui.input(say("to_when"), value="").props("type=time stack-label"),
            "reason": ui.select(
                {str(one): say(f"reason_{one.replace('-', '_')}") for one in reasons_of(kind)}, label=say("reason")
            ),
            "text": ui.input(say("what_happened")),
        }
        if kind == Kind.DISPUTE:
            names = {name: say(key) for name, key in _FINDINGS.items()}
            fields["finding"] = ui.select(names, label=say("finding_kind"))
            fields["finding"].bind_visibility_from(fields["reason"], "value", backward=lambda value: value in set(
                map(str, ADJUDICATIONS)))  # fmt: skip
        for name, field in fields.items():
            field.props(f'outlined dense data-field="{name}"')
        by = counter.name_field()
        said = ui.label().classes("said").props('id="said"')

        async def submit() -> None:
            values = {name: str(field.value or "") for name, field in fields.items()}
            written = Written(kind=str(kind), by=str(by.value or ""), **{"finding": "", **values})
            try:
                roster, zone = counter.hub.picture.roster, counter.source.zone
                filing = filing_of(written, counter.guest.who, counter.login, roster, zone, counter.language)
                done = await counter.record(filing)
            except (SantongError, ValueError, OSError) as error:
                said.set_text(str(error))
                return
            said.set_text(say("filed_as").format(number=done.number))
            ui.navigate.to(f"/dispute/{done.number}")

        ui.button(say("submit"), on_click=submit).props('unelevated no-caps id="submit"')


def decision_form(counter: Counter, number: int) -> None:
    """Put down what can be done with a dispute."""

    async def decide(happened: Happened, by: str, why: str) -> None:
        known = next((one for one in counter.source.rest.disputes if one.number == number), None)
        if known is None:
            raise BadForm(counter.say("no_such_place"))
        decided = Decided(happened, by, why)
        await counter.record(decision_of(known, decided, counter.guest.who, counter.login, counter.language))

    known = next((one for one in counter.source.rest.disputes if one.number == number), None)
    ways = {"approve": Happened.APPROVED, "reject": Happened.REJECTED, "withdraw": Happened.WITHDRAWN}
    allowed = {key: way for key, way in ways.items() if known and may_decide(counter.guest.who, way, known)}
    if allowed:
        _buttons(counter, "why_decided", decide, allowed, allowed.values())


def incident_form(counter: Counter, desk: Desk, incident: Incident) -> None:
    """Put down what can be done about an incident, for those who may."""
    who = counter.guest.who
    if incident.closed_ns is not None or not may_handle(who, incident):
        return

    async def handle(what: Handling, by: str, text: str) -> None:
        if not may_handle(who, await asyncio.to_thread(desk.incident, incident.id)):
            raise BadForm(counter.say("not_allowed"))
        name = name_of(by, who)
        if not name:
            raise BadForm(counter.say("name_missing"))
        if what is not Handling.ACKNOWLEDGE and not text.strip():
            raise BadForm(counter.say("text_missing"))

        def do(before: Callable[[], None]) -> Incident:
            return desk.handle(incident.id, what, name, text, before)

        said = f"{name}: {text}" if who == LOCAL else text
        await counter.hand_in(f"incident.{what}", f"incident {incident.id}", said, do)

    _buttons(
        counter, "what_was_done", handle,
        {"take_on": Handling.ACKNOWLEDGE, "write_note": Handling.NOTE, "end_incident": Handling.CLOSE},
        (Handling.CLOSE,),
    )  # fmt: skip


def _buttons(
    counter: Counter,
    asked: str,
    do: Callable[[Any, str, str], Any],
    ways: dict[str, Any],
    ending: Collection[Any] = (),
) -> None:
    """
    Put down a name, a text and a button for each thing that can be done; what comes of it is said below.

    After one of `ending` the page is loaded anew: something else can be done then, or nothing.
    """
    with ui.element("div").classes("board form"), ui.element("section").classes("card"):
        ui.html(f"<h2>{counter.say('what_to_do')}</h2>", sanitize=False)
        by = counter.name_field()
        text = ui.input(counter.say(asked)).props('outlined dense data-field="text"')
        said = ui.label().classes("said").props('id="said"')

        async def clicked(what: Any) -> None:
            try:
                await do(what, str(by.value or ""), str(text.value or ""))
            except (SantongError, ValueError, OSError) as error:
                said.set_text(str(error))
                return
            text.set_value("")
            said.set_text(counter.say("is_recorded"))
            if what in ending:
                ui.navigate.reload()

        with ui.element("div").classes("buttons"):
            for key, what in ways.items():
                ui.button(counter.say(key), on_click=lambda one=what: clicked(one)).props(
                    f'unelevated no-caps id="{key}"'
                )
