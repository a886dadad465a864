"""`santong evidence roots`: the root of each day, taken and handed to somebody outside."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from collector.commands.common import DEFAULT_DATA, AsJson, Data, Lang, StoreOption, language_of, open_for_reading
from collector.commands.notify import Notify, addresses_of, outcome_text
from collector.words import Language, word
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from collector.archive.chain import Root
    from collector.archive.handed import Handed
    from collector.roots import Delivery


def roots(
    first: Annotated[
        str | None, typer.Option("--from", help="The day that a new chain begins with; else yesterday.")
    ] = None,
    notify: Notify = None,
    calendars: Annotated[Path | None, typer.Option(help="File of calendars; else DATA's, else the example.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Print all roots that were taken, not the new ones alone.")
    ] = False,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Take the root of each day that is over, chain it to those before, and print the new ones. Run it daily.

    Where there are addresses, each is sent what it has not taken yet. Archives are checked with what they got. Exit
    code 1: an address did not take a root; it is sent again at the next run; 2: an address is wrong.
    """
    from collector import evidence  # noqa: PLC0415  YAML and holidays take their time
    from collector.archive.chain import Chain  # noqa: PLC0415
    from collector.archive.handed import HandedLog  # noqa: PLC0415
    from collector.roots import hand_out  # noqa: PLC0415

    language, now_ns = language_of(lang), time.time_ns()
    with one_line_errors():
        # A mistake there must not keep a root from being taken in time, nor from those whose address is right.
        addresses, mistakes = addresses_of(notify, data)
        if first and (begun := Chain(data).roots()):
            fail(f"--from: the chain of {data} began with {begun[0].day} already: no day before it can have a root")
        opened = open_for_reading(data, store)
        try:
            new = list(evidence.roots(opened, data, calendars, _date(first) if first else None, now_ns))
        finally:
            opened.close()
        zone = evidence.zone_of(data, calendars)
        handed_before = HandedLog(data).read() if every and not as_json else []
        shown = Chain(data).roots() if every else new
        if not as_json:
            _print(shown, handed_before, zone, language)
        is_taken = True
        title, what = word("roots_title", language), word("roots_text", language)
        for delivery in hand_out(data, addresses, new, title, what):
            is_taken &= delivery.is_taken
            typer.echo(_said(delivery, language), err=True)
        if as_json:
            tree = _as_tree(shown, HandedLog(data).read(), zone)
            typer.echo(json.dumps(tree, ensure_ascii=False, indent=2))
    if mistakes:
        fail(mistakes)
    raise typer.Exit(0 if is_taken else 1)


# ---- inside


def _print(shown: "Sequence[Root]", handed: "Sequence[Handed]", zone: ZoneInfo, language: Language) -> None:
    """Print lines; below each, for eyes only, who has it: whatever reads a pipe finds nothing but lines."""
    for root in shown:
        typer.echo(root.line(), nl=False)
        if sys.stdout.isatty():
            for one in _last_of(handed, root):
                at = _time(one.at_ns, zone).replace("T", " ")
                typer.echo(f"    {one.address}  {at}  {outcome_text(one.outcome, language)}")


def _last_of(handed: "Sequence[Handed]", root: "Root") -> "list[Handed]":
    """Return the last try at each address: nothing is sent again where it was taken."""
    return list({one.address: one for one in handed if one.chain == root.chain}.values())


def _said(delivery: "Delivery", language: Language) -> str:
    days = " … ".join(dict.fromkeys((delivery.roots[0].day, delivery.roots[-1].day)))
    return f"{delivery.address}  {days}  {outcome_text(delivery.outcome, language)}"


def _as_tree(shown: "Sequence[Root]", handed: "Sequence[Handed]", zone: ZoneInfo) -> list[dict[str, Any]]:
    return [
        root._asdict()
        | {
            "handed": [
                {"address": one.address, "at": _time(one.at_ns, zone), "outcome": one.outcome}
                for one in _last_of(handed, root)
            ]
        }
        for root in shown
    ]


def _time(time_ns: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_ns // 10**9, zone).isoformat()


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"--from: {text!r} is not a date such as 2026-03-02")
