"""
Every profile there is: those shipped beside this file, then folders of operators, whose files stand above by their id.

    library = Library([Path("/etc/santong/profiles.d")])
    profile = library.get("pjlink-projector")

A file that replaces a shipped one may extend it by its own id.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from contract.errors import ConfigError, Problem
from contract.meant import did_you_mean
from firmware_profiles.check import ProbeCheck, check
from firmware_profiles.inherit import merged
from firmware_profiles.load import Document, Flaw, Place, Refusal, load
from firmware_profiles.schema import Profile
from firmware_profiles.typed import flaw_of, typed

SHIPPED = Path(__file__).parent
MOST_ANCESTORS = 4


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
        self._misnamed: list[Path] = []
        for folder in (SHIPPED, *folders):
            for file in _files(folder):
                if file.suffix == ".yaml":
                    self._layers.setdefault(file.stem, []).append(file)
            self._misnamed += [file for file in _files(folder) if file.suffix == ".yml"]
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
            hint = did_you_mean(name, self._layers, "; `santong-agent profiles list` names them")
            raise ConfigError("profile", [Problem(name, f"there is no such profile{hint}")])
        return self._layers[name][::-1]

    def get(self, name: str) -> Profile:
        """Return a profile with all that it inherits; ConfigError lists every mistake in it."""
        if name not in self._profiles:
            document = self.document(name)
            profile = typed(Profile, document)
            problems = check(profile, self._probes)
            if profile.id != document.file.stem:
                stem = document.file.stem
                call = f"call it {stem}, or the file" if re.fullmatch("[a-z0-9-]{1,64}", stem) else "call the file"
                problems.append(Problem("id", f"{profile.id} is not the file's name: {call} {profile.id}.yaml"))
            if problems:
                raise Refusal(flaw_of(document, problem) for problem in problems)
            self._profiles[name] = profile
        return self._profiles[name]

    def check(self, names: Iterable[str] | None = None) -> list[Flaw]:
        """Return every mistake of all profiles (or of those named), and of several together, each once."""
        chosen = self.ids() if names is None else list(names)
        flaws = {Flaw(Place(str(file), 1, ""), f"is not read: call it {file.stem}.yaml") for file in self._misnamed}
        fine: list[str] = []
        for name in self.ids():
            try:
                self.get(name)
                fine.append(name)
            except Refusal as refusal:
                flaws.update(refusal.flaws if name in chosen else ())
        flaws.update(flaw for flaw, pair in self._same_matches(fine) if pair & set(chosen))
        flaws = {flaw for flaw in flaws if not flaw.heir or flaw._replace(heir="") not in flaws}
        return sorted(flaws, key=lambda flaw: (flaw.place.file, flaw.place.line, flaw.place.path, flaw.message))

    def _same_matches(self, names: Iterable[str]) -> Iterator[tuple[Flaw, set[str]]]:
        """Yield the patterns that two profiles have alike, so that nobody could tell which one is meant."""
        owners: dict[tuple[str, ...], tuple[str, Place]] = {}
        for name in sorted(names, key=lambda name: self.files(name)[0].parent != SHIPPED):
            document = self.document(name)
            for number, match in enumerate(self.get(name).match):
                place = document.place(f"match[{number}]")
                other, first = owners.setdefault(tuple(text.lower() for text in match), (name, place))
                if other != name:
                    hint = f"make one of them more specific, or call the file {other}.yaml to replace it"
                    yield Flaw(place, f"is also a match of {other} ({first.file}:{first.line}): {hint}"), {name, other}

    def document(self, name: str) -> Document:
        """Return the values of a profile with all that it inherits, and where each of them stands."""
        flaws: list[Flaw] = []
        found = self._resolved(self.files(name)[0], (), flaws)
        if flaws:
            raise Refusal(flaws)
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
        if parent is None and name == line[-1].stem:
            return "is the profile itself: only a file that replaces another one of this name can extend it"
        if parent is None:
            others = [known for known in self._layers if known != line[-1].stem]
            return f"there is no profile {name!r}{did_you_mean(name, others, ' to extend')}"
        if parent in line:
            return f"goes round in a circle: {' → '.join(file.stem for file in (*line, parent))}"
        if len(line) > MOST_ANCESTORS:
            return f"is more than {MOST_ANCESTORS} profiles deep: {' → '.join(file.stem for file in (*line, parent))}"
        return ""


def _files(folder: Path) -> list[Path]:
    """Return what is in a folder; ConfigError where it cannot be read: what stands there must not be passed over."""
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        reason = "no such folder"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    raise ConfigError(str(folder), [Problem("", reason)])
