"""
A file of targets, read and checked: every mistake at once, with file, line and path.

    programme = load(SHIPPED)
"""

from collections.abc import Iterable
from pathlib import Path

from collector.targets.check import check
from collector.targets.schema import Programme
from firmware_profiles.library import Library
from firmware_profiles.load import Refusal
from firmware_profiles.load import load as load_yaml
from firmware_profiles.typed import flaw_of, typed

SHIPPED = Path(__file__).parent / "qingyuan-2014-2016.yaml"


def load(file: Path = SHIPPED, folders: Iterable[Path] = ()) -> Programme:
    """
    Read a file; ConfigError lists every mistake.

    `folders` are those of operators' own profiles: what evidence of a profile is about is said by the profile.
    """
    document = load_yaml(file, "file of targets", "id: my-programme")
    programme = typed(Programme, document)
    if problems := check(programme, Library(folders), document.tree):
        raise Refusal(flaw_of(document, problem) for problem in problems)
    return programme
