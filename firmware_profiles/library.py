"""
Every profile there is: those shipped beside this file, then folders of operators, whose files stand above by their id.

    library = Library([Path("/etc/santong/profiles.d")])
    profile = library.get("pjlink-projector")

A file that replaces a shipped one may extend it by its own id.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from contract.errors import ConfigError, Problem
from contract.settings import checked
from firmware_profiles.inherit import merged
from firmware_profiles.load import Document, Flaw, load, refusal
from firmware_profiles.schema import Profile

SHIPPED = Path(__file__).parent
MOST_ANCESTORS = 4
ProbeCheck = Callable[[str, Mapping[str, Any]], list[Problem]]


class Library:
    """
    Profiles by id.

    `files` are single ones that stand above all folders. `probes` says what is wrong with one probe of a kind: who runs
    them knows.
    """

    def __init__(
        self, folders: Iterable[Path] = (), files: Iterable[Path] = (), probes: ProbeCheck | None = None
    ) -> None:
        self._probes = probes
        self._layers: dict[str, list[Path]] = {}  # lowest first
        for folder in (SHIPPED, *folders):
            if not folder.is_dir():
                raise ConfigError(str(folder), [Problem("", "no such folder")])
            for file in sorted(folder.glob("*.yaml")):
                self._layers.setdefault(file.stem, []).append(file)
        for file in files:
            layers = self._layers.setdefault(file.stem, [])
            if not any(same.resolve() == file.resolve() for same in layers):
                layers.append(file)
        self._documents: dict[Path, Document] = {}
        self._profiles: dict[str, Profile] = {}

    def ids(self) -> list[str]:
        """Return every id, in order."""
        return sorted(self._layers)

    def files(self, name: str) -> Sequence[Path]:
        """Return the file of a profile, then those that it stands above; ConfigError when there is none."""
        if name not in self._layers:
            near = difflib.get_close_matches(name, self._layers, 1)
            hint = f", did you mean {near[0]}" if near else "; `santong-agent profiles list` names them"
            raise ConfigError("profile", [Problem(name, f"there is no such profile{hint}")])
        return self._layers[name][::-1]

    def get(self, name: str) -> Profile:
        """Return a profile with all that it inherits; ConfigError lists every mistake in it."""
        if name not in self._profiles:
            document = self.document(name)
            self._profiles[name] = _typed(document)
        return self._profiles[name]

    def document(self, name: str) -> Document:
        """Return the values of a profile with all that it inherits, and where each of them stands."""
        flaws: list[Flaw] = []
        found = self._resolved(self.files(name)[0], (), flaws)
        if flaws:
            raise refusal(flaws)
        return found

    def _resolved(self, file: Path, below: tuple[Path, ...], flaws: list[Flaw]) -> Document:
        """Return a file with what it inherits; `below` are those that inherit from it."""
        if file not in self._documents:
            self._documents[file] = load(file)
        document = self._documents[file]
        name = document.tree.get("extends")
        if not isinstance(name, str) or not name:
            return document
        parent = self._parent(file, name)
        if message := self._refused(parent, (*below, file), name):
            flaws.append(Flaw(document.place("extends"), message))
            return document
        assert parent is not None, name  # noqa: S101  else it was refused
        return merged(document, self._resolved(parent, (*below, file), flaws), flaws)

    def _parent(self, file: Path, name: str) -> Path | None:
        layers = self._layers.get(name, [])
        if file.stem == name:
            layers = layers[: layers.index(file)]
        return layers[-1] if layers else None

    def _refused(self, parent: Path | None, line: tuple[Path, ...], name: str) -> str:
        if parent is None:
            others = [known for known in self._layers if known != line[-1].stem]
            near = difflib.get_close_matches(name, others, 1)
            return f"there is no profile {name!r}{f', did you mean {near[0]}' if near else ' to extend'}"
        if parent in line:
            return f"goes round in a circle: {' → '.join(file.stem for file in (*line, parent))}"
        if len(line) > MOST_ANCESTORS:
            return f"is more than {MOST_ANCESTORS} profiles deep: {' → '.join(file.stem for file in (*line, parent))}"
        return ""


def _typed(document: Document) -> Profile:
    """Return the profile; ConfigError names file and line of each value that has the wrong type."""
    try:
        return checked(Profile, document.tree, str(document.file))
    except ConfigError as error:
        raise refusal(_flaw(document, problem) for problem in error.problems) from None


def _flaw(document: Document, problem: Problem) -> Flaw:
    place, message = document.place(problem.path), problem.message
    if message.endswith("is not text") and place.text is not None:
        message = f'{place.text} is not text: write it in quotes, "{place.text}"'
    if message.startswith("is a list of sections"):
        message = "is a list: each entry begins with '- '"
    return Flaw(place, message)
