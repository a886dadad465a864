"""
The process that reads profiles for the agent's loop, which never loads YAML (4 MB), and ends.

    {"folder": "…", "want": [{"id": "auto", "parameters": {…}, "where": "profile"}]}        on stdin
    {"profiles": [{…}, …], "facts": {…}}   or   {"problems": [["profile", "…"], …]}         on stdout
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.config import ProfileSettings
from agent.profiles.facts import facts
from agent.profiles.probes import problems_of_probe
from contract.errors import ConfigError, Problem
from contract.settings import plain
from firmware_profiles.fill import fill
from firmware_profiles.library import Library
from firmware_profiles.match import Fit, best, fits
from firmware_profiles.schema import Profile

DEFAULT_FOLDER = ProfileSettings().folder


def library(folder: Path = DEFAULT_FOLDER, files: tuple[Path, ...] = ()) -> Library:
    """Return all profiles; the default folder need not be there, another one must."""
    folders = [] if folder == DEFAULT_FOLDER and not folder.exists() else [folder]
    return Library(folders, files, problems_of_probe)


def matched(profiles: Library, known: Mapping[str, str]) -> list[Fit]:
    """Return what came of every profile, the best fit first; ConfigError lists every mistake of any of them."""
    if flaws := profiles.check():
        raise ConfigError("profiles", [Problem("", str(flaw)) for flaw in flaws])
    return fits(map(profiles.get, profiles.ids()), known)


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to one request."""
    known = facts()
    try:
        profiles = library(Path(request["folder"]))
    except ConfigError as error:
        return {"problems": [["profile.folder", str(error)]]}
    found: list[Profile] = []
    problems: list[tuple[str, str]] = []
    for wanted in request["want"]:
        try:
            found.append(_profile(profiles, wanted, known))
        except _Unfit as unfit:
            problems.append((wanted["where"], str(unfit)))
        except ConfigError as error:
            problems += _said(wanted["where"], error)
    return {"problems": problems} if problems else {"profiles": plain(found), "facts": known}


class _Unfit(Exception):
    """No single profile fits this machine best."""


def _profile(profiles: Library, wanted: Mapping[str, Any], known: Mapping[str, str]) -> Profile:
    name = wanted["id"]
    if name == "auto":
        fitting = best(matched(profiles, known))
        if not fitting:
            raise _Unfit("no profile fits this machine: name one in profile.id, or none; santong-agent profiles match")
        if len(fitting) > 1:
            names = ", ".join(fit.id for fit in fitting)
            raise _Unfit(f"{names} fit this machine equally well: name one of them in profile.id")
        name = fitting[0].id
    try:
        profile = profiles.get(name)
    except ConfigError as error:
        raise _Unfit(str(error)) from None
    return fill(profile, wanted["parameters"])


def _said(where: str, error: ConfigError) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the parameters of a profile, or with profiles."""
    for problem in error.problems:
        yield (f"{where}.parameters.{problem.path}" if problem.path else where), problem.message


def main() -> int:
    """Answer the request on stdin."""
    json.dump(answer(json.load(sys.stdin)), sys.stdout, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
