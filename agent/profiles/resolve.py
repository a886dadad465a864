"""
The process that reads profiles for the agent's loop, which never loads YAML (4 MB), and ends.

    {"folder": "…", "want": [{"id": "auto", "parameters": {…}, "where": "profile"}]}        on stdin
    {"profiles": [{…}, …], "facts": {…}}   or   {"problems": [["profile", "…"], …]}         on stdout
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.config import PROFILES_FOLDER
from agent.profiles.facts import facts
from agent.profiles.probes import problems_of_probe
from contract.errors import ConfigError, Problem
from contract.settings import plain
from firmware_profiles.fill import BUILT_IN, fill
from firmware_profiles.library import Library
from firmware_profiles.load import Refusal
from firmware_profiles.match import Fit, best, fits
from firmware_profiles.schema import Profile


def library(folder: Path = PROFILES_FOLDER, files: tuple[Path, ...] = ()) -> Library:
    """Return all profiles; the default folder need not be there, another one must."""
    folders = [] if folder == PROFILES_FOLDER and not _is_there(folder) else [folder]
    return Library(folders, files, problems_of_probe)


def _is_there(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError:
        return True  # nobody may look: the library says so


def matched(profiles: Library, known: Mapping[str, str]) -> list[Fit]:
    """Return what came of every profile, the best fit first; ConfigError lists every mistake of any of them."""
    if flaws := profiles.check():
        raise Refusal(flaws)
    return fits(map(profiles.get, profiles.ids()), known)


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to one request."""
    known = facts()
    try:
        profiles = library(Path(request["folder"]))
    except ConfigError as error:
        return {"problems": [("profile.folder", problem.message) for problem in error.problems]}
    found: list[Profile] = []
    problems: list[tuple[str, str]] = []
    for wanted in request["want"]:
        where = wanted["where"]
        try:
            profile = profiles.get(_chosen(profiles, known) if wanted["id"] == "auto" else wanted["id"])
        except Refusal as refusal:
            problems += [(where, str(flaw)) for flaw in refusal.flaws]
            continue
        except ConfigError as error:
            problems += [(_named(where), str(problem)) for problem in error.problems]
            continue
        try:
            found.append(fill(profile, wanted["parameters"]))
        except ConfigError as error:
            problems += [
                (_named(where) if problem.path in BUILT_IN else f"{where}.parameters.{problem.path}", problem.message)
                for problem in error.problems
            ]
    return {"problems": problems} if problems else {"profiles": plain(found), "facts": known}


def _named(where: str) -> str:
    """Return the setting that names a profile."""
    return "profile.id" if where == "profile" else f"{where}.profile"


def _chosen(profiles: Library, known: Mapping[str, str]) -> str:
    """Return the id of the one profile that fits this machine best."""
    fitting = [fit.id for fit in best(matched(profiles, known))]
    if len(fitting) == 1:
        return fitting[0]
    many = f"{', '.join(fitting)} fit this machine equally well: name one of them"
    none = "no profile fits this machine: name one, or none (santong-agent profiles match --all says why)"
    raise ConfigError("profile", [Problem("", many if fitting else none)])


def main() -> int:
    """Answer the request on stdin."""
    json.dump(answer(json.load(sys.stdin)), sys.stdout)  # in ASCII, whatever the terminal speaks
    return 0


if __name__ == "__main__":
    sys.exit(main())
