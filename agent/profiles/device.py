"""What the commands `try` and `record` do; apart from the command line, which every start of the agent loads."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from agent.gather.read import Way
from agent.profiles.attempt import ID, Attempt, Tell, attempt
from agent.profiles.record import check_target, put
from agent.profiles.recording import Wanted, again, finished, recording, secrets_of
from agent.profiles.redact import Redactor
from agent.profiles.resolve import library
from contract.errors import ConfigError, Problem
from contract.settings import Seconds
from firmware_profiles.fill import fill
from firmware_profiles.schema import Profile
from firmware_profiles.sources import REMOTE


class Shown(NamedTuple):
    """What is shown to a device, as the command line has it."""

    community: Path | None = None
    user: str = ""
    auth: str = "sha"
    auth_file: Path | None = None
    privacy: str = "aes"
    privacy_file: Path | None = None
    password: Path | None = None


def way_of(host: str, shown: Shown) -> Way:
    """Return the way to a device; ConfigError: a file is missing."""
    files = {
        "community_file": shown.community,
        "password_file": shown.password,
        "auth_file": shown.auth_file,
        "privacy_file": shown.privacy_file,
    }
    missing = [
        Problem(f"--{option.replace('_', '-')}", f"{file}: no such file")
        for option, file in files.items()
        if file is not None and not file.is_file()
    ]
    if (shown.auth_file or shown.privacy_file) and not shown.user:
        missing.append(Problem("--user", "is missing: whose passwords are these?"))
    if missing:
        raise ConfigError("command line", missing)
    given = {option: str(file.absolute()) for option, file in files.items() if file is not None}
    auth = shown.auth if shown.auth_file else ""
    privacy = shown.privacy if shown.privacy_file else ""
    return Way(address="" if host == "-" else host, username=shown.user, auth=auth, privacy=privacy, **given)


def profile_of(name: str, folder: Path, host: str, given: list[str]) -> Profile:
    """Return a profile, from a file or by its id, with its placeholders filled; ConfigError lists every mistake."""
    file = Path(name)
    if file.suffix == ".yaml" or os.sep in name:
        if file.suffix != ".yaml":
            raise ConfigError(name, [Problem("", f"a profile's file is called {file.stem}.yaml")])
        profile = library(folder, (file,)).get(file.stem)
    else:
        profile = library(folder).get(name)
    words = {"device": ID, "address": "" if host == "-" else host}
    strange = []
    for text in given:
        key, equals, value = text.partition("=")
        words[key] = value
        if not equals:
            strange.append(Problem(text, "is not NAME=VALUE"))
    if strange:
        raise ConfigError("--set", strange)
    if host == "-" and (remote := sorted({s.source for s in profile.collect.values()} & (REMOTE - {"ubus"}))):
        raise ConfigError("HOST", [Problem("", f"{profile.id} asks another device ({', '.join(remote)}): which one?")])
    return fill(profile, words)


@contextmanager
def progress() -> Iterator[Tell]:
    """Show on a terminal what is being done, and how much of it is done."""
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, done: bar.update(task, description=escape(what), completed=done)


def tried(name: str, folder: Path, way: Way, given: list[str], port: int | None, wait: str | None) -> Attempt:
    """Try a profile; with `wait` twice. ConfigError lists every mistake."""
    logging.getLogger("santong").addHandler(logging.NullHandler())  # what is wrong with a reading is part of the result
    profile = profile_of(name, folder, way.address or "-", given)
    with progress() as tell:
        return attempt(profile, way, port, None if wait is None else seconds(wait, "--wait"), tell)


class Limits(NamedTuple):
    """Of a walk, and of a second read: durations as the command line has them."""

    most: int
    within: str
    wait: str | None = None


def recorded(
    wanted: Wanted, out: Path, folder: Path, limits: Limits, words: tuple[Sequence[str], Sequence[str]], *, force: bool
) -> tuple[str, bool]:
    """
    Record a device; return what SOURCE says and whether it is whole. `words` are those to hide, and those to keep.

    Failed, Unable, ConfigError: nothing was written.
    """
    check_target(out, force=force)
    bounds = (limits.most, seconds(limits.within, "--within"))
    wait_s = None if limits.wait is None else seconds(limits.wait, "--wait")
    hide, keep = words
    redactor = Redactor(keep, numbers=wanted.kind == "host")
    for text in secrets_of(wanted.way):
        redactor.learn(text)
    for text in hide:
        redactor.learn(text, everywhere=True)
    profiles = library(folder)
    with progress() as tell:
        found = [recording(wanted, profiles, bounds, tell)]
        if wait_s is not None:
            found.append(again(wanted, profiles, bounds, wait_s, tell))
        tell("replaces what is private", 1.0)
        files = finished(found, redactor)
    put(out, files)
    return files["SOURCE"].decode(), not any(told.partial for _, told in found)


def seconds(text: str, option: str) -> float:
    """Return a duration; ConfigError names the option."""
    try:
        return Seconds.parse(text)
    except ValueError as error:
        raise ConfigError(option, [Problem("", str(error))]) from None
