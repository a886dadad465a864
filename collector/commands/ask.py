"""`santong ask`: have an agent probe something now, or say how it is."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from collector.access.log import Entry, Log
from collector.broker import url_in
from collector.commands.ask_words import as_json, as_text, clean, headline
from collector.commands.common import DEFAULT_DATA, AsJson, Lang, language_of, on_stop_signals
from collector.commands.user import HERE
from collector.listen import word_of
from collector.whoami import operator
from collector.words import Language, word
from contract.asking import MOST_LIFETIME_S, Command, Request, encode_request
from contract.broker import BrokerSettings, BrokerUrl
from contract.command_line import fail, one_line_errors
from contract.meant import did_you_mean
from contract.names import is_device
from contract.settings import Seconds, load

DEFAULT_FILE = Path("/etc/santong/ask.toml")
_NO_BROKER = BrokerUrl("mqtt://none.invalid")
_FORMS = {
    Command.PROBE: "AGENT probe KIND TARGET",
    Command.THROUGHPUT: "AGENT throughput URL",
    Command.DIAGNOSE: "AGENT diagnose",
}
_USER_IN_URL = re.compile(r"//[^/?#\s]*@")
_WORDS = {Command.PROBE: 2, Command.THROUGHPUT: 1, Command.DIAGNOSE: 0}  # that follow


class AskSettings(NamedTuple):
    """Settings of `santong ask`: TOML, `SANTONG_*` variables, flags."""

    broker: BrokerSettings = BrokerSettings(_NO_BROKER)
    data: Path = DEFAULT_DATA


def ask(
    agent: Annotated[str, typer.Argument(help="Id of the agent: of the device that it runs on.", show_default=False)],
    command: Annotated[str, typer.Argument(help="probe, throughput or diagnose.", show_default=False)],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND TARGET]", help="As of santong-agent probe; a URL.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="NAME=VALUE", help="A setting of this kind of probe; can be repeated."),
    ] = None,
    timeout: Annotated[str, typer.Option(help="How long the answer is waited for, at most 15m.")] = "90s",
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help=f"TOML file; {DEFAULT_FILE} where it exists.", show_default=False),
    ] = None,
    broker: Annotated[str | None, typer.Option(help="mqtt://, mqtts://, ws:// or wss://; else that of DATA.")] = None,
    broker_ca: Annotated[Path | None, typer.Option(help="CA certificate of the broker.")] = None,
    broker_certificate: Annotated[Path | None, typer.Option(help="Our certificate, for the broker.")] = None,
    broker_key: Annotated[Path | None, typer.Option(help="Key of our certificate.")] = None,
    broker_password_file: Annotated[Path | None, typer.Option(help="File with our password.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", envvar="SANTONG_DATA", help="Folder with the log of what people did.")
    ] = None,
    as_json_: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Have an agent probe something now, or say how it is; the answer is shown, and kept nowhere.

    Exit code 1: the target fails, could not be asked, or the agent does not do it; 3: no answer in time.
    """
    flags = {
        "broker.url": broker,
        "broker.ca": broker_ca,
        "broker.certificate": broker_certificate,
        "broker.key": broker_key,
        "broker.password_file": broker_password_file,
        "data": data,
    }
    language, stopping = language_of(lang), on_stop_signals()
    make = _question(agent, command, words or [], given or [])
    timeout_s = _timeout(timeout)
    with one_line_errors():
        file = config or (DEFAULT_FILE if broker is None and DEFAULT_FILE.is_file() else None)
        settings = load(AskSettings, file, os.environ, flags)
        code = _ask(settings, _Question(agent, make, timeout_s, as_json_, language), stopping.is_set)
    raise typer.Exit(code)


class _Question(NamedTuple):
    agent: str
    make: Callable[[int], Request]
    timeout_s: float
    as_json: bool
    language: Language


def _ask(settings: AskSettings, question: _Question, stopped: Callable[[], bool]) -> int:
    """Ask, show what is heard, log both; return the exit code."""
    from collector.asking import Asker, turn  # noqa: PLC0415

    language, agent = question.language, question.agent
    broker = _broker_of(settings)
    asker = Asker(broker, agent, question.make, question.timeout_s)
    note = _Log(settings.data, agent, _title(question.make(0)))
    if not note.is_kept:
        typer.echo(word("ask_no_log", language).format(data=settings.data), err=True)
    with turn(broker, question.timeout_s, lambda: typer.echo(word("ask_turn", language), err=True)):
        note.write("ask", "")
        with _waiting(agent, language):
            heard = asker.ask(stopped)
    if heard.reply is not None:
        note.write("ask.answer", headline(heard.reply, language))
        shown = as_json(agent, heard.reply) if question.as_json else None
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2) if shown else as_text(agent, heard.reply, language))
        return 0 if heard.reply.diagnosis is not None or (heard.reply.found and heard.reply.found.success) else 1
    state = word_of(heard.state)
    why = word("ask_nobody", language) if heard.nobody else word("ask_no_answer", language)
    said = [why.format(seconds=f"{question.timeout_s:g}"), word(f"ask_state_{state or 'unknown'}", language)]
    said += [clean(heard.trouble)] if heard.trouble else []
    note.write("ask.answer", said[0])
    if question.as_json:
        typer.echo(json.dumps({"agent": agent, "answer": None, "state": state or None, "trouble": said[0]}))
    typer.echo(f"{agent}: {'; '.join(said)}", err=True)
    return 3


class _Log:
    """The log of what people did, in the folder of the centre, where there is one."""

    def __init__(self, data: Path, agent: str, title: str) -> None:
        self._data, self._agent, self._title = data, agent, title
        self.is_kept = data.is_dir()

    def write(self, what: str, text: str) -> None:
        """Record what is asked, before it is, and what came of it."""
        said = f"{self._title}: {text}" if text else self._title
        if self.is_kept:
            Log(self._data).add(lambda: Entry(datetime.now(UTC), operator(), HERE, what, self._agent, said))


def _question(agent: str, command: str, words: list[str], given: list[str]) -> Callable[[int], Request]:
    """Return what makes the request; a mistake in the words ends the command."""
    if not is_device(agent):
        fail(f"{clean(agent)} is not an agent's id: <county>-<school code>.<place>")
    if command not in set(Command):
        fail(f"{clean(command)} is none of {', '.join(Command)}{did_you_mean(command, Command)}")
    what = Command(command)
    if what is Command.PROBE and words[:1] == ["throughput"]:  # as santong-agent probe has it
        what, words = Command.THROUGHPUT, words[1:]
    is_whole = len(words) == _WORDS[what] or (what is Command.PROBE and len(words) == 1)
    if not is_whole or (given and what is Command.DIAGNOSE):
        fail(f"santong ask {_FORMS[what]}{'' if what is Command.DIAGNOSE else ' [--set NAME=VALUE]'}")
    settings = _settings(given)
    kind = words[0].replace("-", "_") if what is Command.PROBE else ""
    target = words[-1] if len(words) == _WORDS[what] and words else ""
    if any(map(_USER_IN_URL.search, (target, *settings.values()))):  # never said again, here or in the log
        fail("an address has a user in it, which everybody would see who reads the log: leave it out")

    def make(expires_ms: int) -> Request:
        return Request(str(what), expires_ms, operator()[:60], kind, target, settings)

    try:
        encode_request(make(0))
    except ValueError as error:
        fail(clean(str(error)))
    return make


def _settings(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            fail(f"--set {clean(text)}: is not NAME=VALUE")
        found[name.replace("-", "_")] = value
    return found


def _timeout(text: str) -> float:
    try:
        seconds = Seconds.parse(text)
    except ValueError as error:
        fail(f"--timeout: {error}")
    if not 1 <= seconds <= MOST_LIFETIME_S:
        fail(f"--timeout: {text} is not within 1s and {MOST_LIFETIME_S / 60:g}m")
    return float(seconds)


def _broker_of(settings: AskSettings) -> BrokerSettings:
    if settings.broker.url is not _NO_BROKER:
        return settings.broker
    url = url_in(settings.data / "broker")
    if not url:
        fail(f"no broker: --broker URL, --config FILE, or --data with the folder of a santong up ({settings.data})")
    return settings.broker._replace(url=BrokerUrl(url))


def _title(request: Request) -> str:
    words: list[str] = [request.command, request.probe, request.target]
    words += [f"{name}={value}" for name, value in request.given.items()]
    return clean(" ".join(filter(None, words)))


@contextmanager
def _waiting(agent: str, language: Language) -> Iterator[Any]:
    """Show that an answer is waited for, and for how long already, where somebody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(f"{agent}: {word('ask_waiting', language)}", total=None)
        yield progress
