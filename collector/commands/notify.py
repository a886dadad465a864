"""`santong notify`: the addresses that messages go to; and what commands say of these."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.commands.common import DEFAULT_DATA, AsJson, Data, Lang, language_of
from collector.words import Language, word
from contract.command_line import fail, one_line_errors
from contract.errors import ConfigError

if TYPE_CHECKING:
    from collector.channels.service import Address

app = typer.Typer(no_args_is_help=True, help="Addresses that messages go to: 企业微信, 钉钉, 飞书, mail, webhooks.")

Notify = Annotated[
    list[str] | None,
    typer.Option(help="An address as a URL, such as wecombot://KEY; again for more; else those of DATA/notify.urls."),
]
_WORDS = {
    "taken": "was_taken",
    "unreachable": "was_unreachable",
    "timeout": "was_timeout",
    "http": "was_http",
    "refused": "was_refused",
    "failed": "was_failed",
}


@app.callback()
def notify_group() -> None:
    """Addresses that messages go to: 企业微信, 钉钉, 飞书, mail, webhooks."""


@app.command()
def test(notify: Notify = None, data: Data = DEFAULT_DATA, as_json: AsJson = False, lang: Lang = None) -> None:
    """Send a test message to each address, and say which took it. Exit code 1: one did not; 2: there is none."""
    language = language_of(lang)
    with one_line_errors():
        addresses, mistakes = addresses_of(notify, data)
    if mistakes:
        fail(mistakes)
    if not addresses:
        fail(word("no_addresses", language))
    from collector.channels.service import TAKEN, Message  # noqa: PLC0415

    message = Message(word("test_title", language), word("test_text", language))
    said = []
    for address in addresses:
        outcome = address.send(message)
        said.append({"address": address.name, "outcome": outcome})
        if not as_json:
            typer.echo(f"{address.name}  {outcome_text(outcome, language)}")
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
    raise typer.Exit(0 if all(one["outcome"] == TAKEN for one in said) else 1)


def addresses_of(given: Sequence[str] | None, data: Path) -> "tuple[list[Address], ConfigError | None]":
    """Return the addresses of `--notify`, else of SANTONG_NOTIFY, else of the data folder; and what is wrong there."""
    from collector.channels.addresses import addresses, written  # noqa: PLC0415

    try:
        urls = written(given or [], os.environ, data)
    except ConfigError as mistake:
        return [], mistake
    return addresses(urls)


def outcome_text(outcome: str, language: Language) -> str:
    """Return what became of a message, in words; of another program's version as it is written."""
    kind, _, number = outcome.partition("_")
    return f"{word(_WORDS[kind], language)} {number}".rstrip() if kind in _WORDS else outcome
