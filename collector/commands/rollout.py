"""`santong rollout`: a version to all agents, in waves, each judged by its evidence."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from collector.commands.common import (
    DEFAULT_AUTHORITY,
    DEFAULT_DATA,
    DEFAULT_DEPOT,
    DEFAULT_ZONE,
    AsJson,
    Authority,
    Data,
    Depot,
    Lang,
    StoreOption,
    Zone,
    language_of,
    on_stop_signals,
    open_for_reading,
    zone_of,
)
from collector.commands.rollout_words import judgement_text, show
from collector.enlisted import enlisted
from collector.fleet import rollout as steps
from collector.fleet.agents import Agent
from collector.fleet.judgement import Outcome, Release, Rules
from collector.fleet.rollout import Status
from collector.gated import Group
from collector.gated import gate as judged_by
from collector.rolling import Places, Rolling
from collector.store.base import StoreError
from collector.words import word
from contract.command_line import fail, one_line_errors
from contract.settings import Seconds

app = typer.Typer(no_args_is_help=True, help="A version to all agents, in waves, each judged by its evidence.")

Reason = Annotated[str, typer.Option("--reason", help="Why, for the journal.")]
Least = Annotated[float, typer.Option(min=0, max=1, help="Share of a wave that must be judged.")]
LeastAlive = Annotated[float, typer.Option(min=0, max=1, help="Share of those that are there which must be judged.")]
Minutes = Annotated[int, typer.Option(min=1, help="Minutes since its restart that an agent is judged by.")]
MostBad = Annotated[float, typer.Option(min=0, max=1, help="Share of bad agents, beyond that of the others.")]
MostMissing = Annotated[float, typer.Option(min=0, max=1, help="Share of minutes one may miss beyond the others.")]
Margin = Annotated[float, typer.Option(min=0, max=1, help="The same of a wave as a whole.")]
LeastVolume = Annotated[float, typer.Option(min=0, help="Lines a minute as a share of those before, of a wave.")]
_USUAL = Rules()
_LOOK_AGAIN_S = 10.0
_CODES = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.OPEN: 2}


@app.command()
def gate(
    version: Annotated[str, typer.Option("--version", help="What was rolled out.")],
    since: Annotated[str, typer.Option("--since", help="When that began: 2026-10-12T09:30:00+08:00.")],
    agents: Annotated[str, typer.Option("--agents", help="File with the ids of the wave, a line each; - is stdin.")],
    wait: Annotated[str, typer.Option("--wait", help="How long to wait until it can be told.")] = "0s",
    minutes: Minutes = _USUAL.minutes,
    settle: Annotated[str, typer.Option(help="How long evidence takes to come.")] = f"{_USUAL.settle_s:.0f}s",
    least: Least = _USUAL.least,
    least_alive: LeastAlive = _USUAL.least_alive,
    most_bad: MostBad = _USUAL.most_bad,
    most_missing: MostMissing = _USUAL.most_missing,
    margin: Margin = _USUAL.margin,
    least_volume: LeastVolume = _USUAL.least_volume,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """
    Judge a wave by the evidence since its restart, beside that of all other agents.

    Exit code 0: passed; 1: failed; 2: it cannot be told, yet.
    """
    language = language_of(lang)
    rules = Rules(
        minutes=minutes,
        settle_s=_seconds("--settle", settle),
        least=least,
        least_alive=least_alive,
        most_bad=most_bad,
        most_missing=most_missing,
        margin=margin,
        least_volume=least_volume,
    )
    until = time.monotonic() + _seconds("--wait", wait)
    stopping = on_stop_signals()
    with one_line_errors():
        group = _group(_names(agents), data, zone_of(zone))
        since_ns = _instant_ns(since, zone_of(zone))
        opened = open_for_reading(data, store)
        while True:
            found = judged_by(opened, group, Release(version, since_ns, time.time_ns()), rules)
            left_s = until - time.monotonic()
            if found.outcome is not Outcome.OPEN or left_s <= 0 or stopping.wait(min(_LOOK_AGAIN_S, left_s)):
                break
        opened.close()
    typer.echo(
        json.dumps(found.as_json(), ensure_ascii=False, indent=2) if as_json else judgement_text(found, language)
    )
    raise typer.Exit(_CODES[found.outcome])


@app.command()
def start(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="What to roll out, as the depot has it.")],
    previous: Annotated[
        str | None, typer.Option("--previous", help="What all others keep; by default what the plan says now.")
    ] = None,
    depot: Depot = DEFAULT_DEPOT,
    authority: Authority = DEFAULT_AUTHORITY,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Begin to roll a version out to the agents that pull: one canary of each model at first."""
    with one_line_errors():
        opened = open_for_reading(data, store)
        rollout = _rolling(data, depot, authority, zone).start(version, previous, opened)
        opened.close()
    show(rollout, None, language_of(lang), zone_of(zone), as_json=as_json)


@app.command()
def advance(
    depot: Depot = DEFAULT_DEPOT,
    authority: Authority = DEFAULT_AUTHORITY,
    minutes: Minutes = _USUAL.minutes,
    least: Least = _USUAL.least,
    least_alive: LeastAlive = _USUAL.least_alive,
    most_bad: MostBad = _USUAL.most_bad,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """
    Look at the current wave: passed, the next one gets the version; failed, this one goes back. For a timer.

    Exit code 1: a wave failed, now or before, and the rollout is stopped; 2: nothing could be looked at.
    """
    rules = _USUAL._replace(minutes=minutes, least=least, least_alive=least_alive, most_bad=most_bad)
    with one_line_errors():
        rolling = _rolling(data, depot, authority, zone)
        if (current := rolling.current()) is None:
            typer.echo("null" if as_json else word("upgrade_none", language_of(lang)))
            return
        opened = open_for_reading(data, store) if current.status is Status.RUNNING else None
        rollout, judgement = rolling.advance(opened, rules)
        if opened:
            opened.close()
    show(rollout, judgement, language_of(lang), zone_of(zone), as_json=as_json)
    raise typer.Exit(1 if rollout.is_withdrawn and rollout.status is Status.STOPPED else 0)


@app.command()
def status(
    depot: Depot = DEFAULT_DEPOT,
    authority: Authority = DEFAULT_AUTHORITY,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Show where the rollout stands, what the evidence says of its wave, and what happened so far."""
    language, place = language_of(lang), zone_of(zone)
    judgement = None
    with one_line_errors():
        rolling = _rolling(data, depot, authority, zone)
        rollout = rolling.current()
        if rollout is None:
            typer.echo("null" if as_json else word("upgrade_none", language))
            return
        if rollout.status is Status.RUNNING:
            try:
                opened = open_for_reading(data, store)
                judgement = rolling.look(rollout, opened)
                opened.close()
            except StoreError as error:
                print(error, file=sys.stderr)
    show(rollout, judgement, language, place, as_json=as_json)


@app.command()
def stop(
    reason: Reason = "",
    depot: Depot = DEFAULT_DEPOT,
    authority: Authority = DEFAULT_AUTHORITY,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Go no further: who has the version keeps it."""
    _take(lambda rollout, moment: steps.stop(rollout, moment, reason), (data, depot, authority), zone, lang, as_json)


@app.command()
def resume(
    reason: Reason = "",
    depot: Depot = DEFAULT_DEPOT,
    authority: Authority = DEFAULT_AUTHORITY,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Go on with a rollout that was stopped; a wave that failed gets the version again."""
    _take(lambda rollout, moment: steps.resume(rollout, moment, reason), (data, depot, authority), zone, lang, as_json)


@app.command()
def rollback(
    reason: Reason = "",
    depot: Depot = DEFAULT_DEPOT,
    authority: Authority = DEFAULT_AUTHORITY,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Have everybody go back to the previous version."""
    _take(
        lambda rollout, moment: steps.rollback(rollout, moment, reason), (data, depot, authority), zone, lang, as_json
    )


# ---- what the commands share


def _rolling(data: Path, depot: Path, authority: Path, zone: str) -> Rolling:
    return Rolling(Places(data, depot, authority), datetime.now(zone_of(zone)).date())


def _take(step: Any, places: tuple[Path, Path, Path], zone: str, lang: str | None, as_json: bool) -> None:
    with one_line_errors():
        rollout = _rolling(*places, zone).take(step)
    show(rollout, None, language_of(lang), zone_of(zone), as_json=as_json)


def _group(names: list[str], data: Path, zone: ZoneInfo) -> Group:
    """Return a wave of some agents, and all others of the roster."""
    agents = {agent.id: agent for agent in enlisted(data, datetime.now(zone).date())[0]}
    for name in names:
        if name not in agents:
            fail(f"--agents: {name!r} is no agent of the roster in force today")
    wave: list[Agent] = [agents[name] for name in names]
    return Group(wave, [agent for name, agent in agents.items() if name not in set(names)])


def _names(file: str) -> list[str]:
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    return list(dict.fromkeys(text.replace(",", " ").split()))


def _instant_ns(text: str, zone: ZoneInfo) -> int:
    try:
        found = datetime.fromtimestamp(float(text), UTC) if text.isdigit() else datetime.fromisoformat(text)
    except ValueError:
        fail(f"--since: {text!r} is not an instant such as 2026-10-12T09:30:00+08:00")
    return int((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()) * 10**9


def _seconds(option: str, text: str) -> float:
    try:
        return Seconds.parse(text)
    except ValueError as error:
        fail(f"{option}: {error}")
