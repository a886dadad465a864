"""The two forms: to file a dispute or a closure, and to decide on one."""

import asyncio
from typing import Any

from nicegui import ui

from collector.access.types import LOCAL, Who
from collector.board.forms import BadForm, Decided, Written, decision_of, filing_of, reasons_of
from collector.board.hub import Hub
from collector.board.source import Filing, Source
from collector.disputes.schema import ADJUDICATIONS, FINDINGS, LEVELS, Dispute, Happened, Kind
from collector.whoami import operator
from collector.words import Language, word
from contract.errors import SantongError

_FINDINGS = {name: f"finding_{name}" for name in FINDINGS}


def _login(who: Who) -> str:
    """Return under which login something is recorded: who logged in, else whoever runs this."""
    return operator() if who == LOCAL else who.name


def _name_field(who: Who, language: Language) -> Any:
    """Return the field for a name: nobody logged in on this machine, so they say who they are."""
    field = ui.input(word("your_name", language), value="" if who == LOCAL else who.name).props("outlined dense")
    if who != LOCAL:
        field.props("readonly")
    return field.mark("by")


async def _record(source: Source, hub: Hub, filing: Filing) -> Dispute:
    found = await asyncio.to_thread(source.file, filing)
    hub.look_again()
    return found


def filing_form(hub: Hub, source: Source, who: Who, language: Language, given: tuple[str, str, str]) -> None:
    """Put the form down; `given` are kind, site and device that it begins with."""
    kind, site, device = given
    kind = kind if kind in set(Kind) else Kind.CLOSURE
    level, place = ("device", device) if device else ("site", site)

    def say(key: str) -> str:
        return word(key, language)

    with ui.element("div").classes("board form"), ui.element("section").classes("card"):
        ui.html(f"<h2>{say('file_closure' if kind == Kind.CLOSURE else 'file_dispute')}</h2>", sanitize=False)
        levels = {one: say(f"scope_{one}") for one in LEVELS}
        fields: dict[str, Any] = {
            "level": ui.select(levels, value=level, label=say("level")),
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
        by = _name_field(who, language).props('data-field="by"')
        said = ui.label().classes("said").props('id="said"')

        async def submit() -> None:
            values = {name: str(field.value or "") for name, field in fields.items()}
            written = Written(kind=str(kind), by=str(by.value or ""), **{"finding": "", **values})
            try:
                filing = filing_of(written, who, _login(who), hub.picture.roster, source.zone, language)
                done = await _record(source, hub, filing)
            except (SantongError, ValueError, OSError) as error:
                said.set_text(str(error))
                return
            said.set_text(say("filed_as").format(number=done.number))
            ui.navigate.to(f"/dispute/{done.number}")

        ui.button(say("submit"), on_click=submit).props('unelevated no-caps id="submit"')


def decision_form(hub: Hub, source: Source, number: int, who: Who, language: Language) -> None:
    """Put down what can be done with a dispute."""
    with ui.element("div").classes("board form"), ui.element("section").classes("card"):
        by = _name_field(who, language).props('data-field="by"')
        why = ui.input(word("why_decided", language)).props('outlined dense data-field="text"')
        said = ui.label().classes("said").props('id="said"')

        async def decide(happened: Happened) -> None:
            known = next((one for one in source.rest.disputes if one.number == number), None)
            try:
                if known is None:
                    raise BadForm(word("no_such_place", language))
                decided = Decided(happened, str(by.value or ""), str(why.value or ""))
                filing = decision_of(known, decided, who, _login(who), language)
                await _record(source, hub, filing)
            except (SantongError, ValueError, OSError) as error:
                said.set_text(str(error))
                return
            said.set_text(word("is_recorded", language))

        with ui.element("div").classes("buttons"):
            for key, happened in (
                ("approve", Happened.APPROVED), ("reject", Happened.REJECTED), ("withdraw", Happened.WITHDRAWN),
            ):  # fmt: skip
                ui.button(word(key, language), on_click=lambda one=happened: decide(one)).props(
                    f'unelevated no-caps id="{key}"'
                )
