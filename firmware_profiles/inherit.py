"""
What a profile takes from the one that it extends.

Its own are always `id`, `title`, `verified`, `verified_on`, `observes` and `match`: they are never inherited. Entries
of `collect`, `parameters` and `probes` replace those of the same name, `null` removes one; `faults` replace those of
the same code, `{code: …, remove: true}` removes one. Everything else (`role`, `notes`, `firmware`) is replaced as a
whole.
"""

from typing import Any

from contract.meant import did_you_mean
from firmware_profiles.load import Document, Flaw, Place

OWN = ("id", "title", "verified", "verified_on", "observes", "match", "extends")
BY_NAME = ("collect", "parameters", "probes")


def merged(child: Document, parent: Document, flaws: list[Flaw]) -> Document:
    """Return the child with what it inherits; every part keeps its place in the file where it stands."""
    made = _Made(child)
    for name in parent.tree:
        if name not in OWN and name not in child.tree:
            made.take(parent, name, name, parent.tree[name])
    for name, value in child.tree.items():
        inherited = parent.tree.get(name)
        if name in BY_NAME and isinstance(value, dict) and isinstance(inherited, dict):
            _by_name(made, child, parent, name, flaws)
        elif name == "faults" and isinstance(value, list) and isinstance(inherited, list):
            _by_code(made, child, parent, flaws)
        else:
            made.take(child, name, name, value)
    return made.document


class _Made:
    """The document that is being made."""

    def __init__(self, child: Document) -> None:
        self.document = Document(child.file, {}, {"": child.places[""]})

    def take(self, source: Document, path: str, target: str, value: Any) -> None:
        """Take what stands at `path` of the source, with its places; a dotted target is put by its caller."""
        if "." not in target and "[" not in target:
            self.document.tree[target] = value
        self.document.places.update(places_below(source, path, target))


def places_below(source: Document, path: str, target: str) -> dict[str, Place]:
    """Return the places of `path` and of all that is in it, by the paths that they have below `target`."""
    return {
        target + at[len(path) :]: place
        for at, place in source.places.items()
        if at == path or at.startswith((f"{path}.", f"{path}["))
    }


def _by_name(made: _Made, child: Document, parent: Document, part: str, flaws: list[Flaw]) -> None:
    own, inherited = child.tree[part], parent.tree[part]
    for name, value in own.items():
        if value is None and name not in inherited:
            message = f"there is no such entry to remove{did_you_mean(name, inherited)}"
            flaws.append(Flaw(child.place(f"{part}.{name}"), message))
    names = dict.fromkeys([*inherited, *own])
    made.document.tree[part] = {
        name: own.get(name, inherited.get(name)) for name in names if own.get(name, inherited.get(name)) is not None
    }
    made.document.places[part] = child.places[part]
    for name in made.document.tree[part]:
        made.take(child if name in own else parent, f"{part}.{name}", f"{part}.{name}", None)


def _code(fault: object) -> object:
    return fault.get("code") if isinstance(fault, dict) else None


def _by_code(made: _Made, child: Document, parent: Document, flaws: list[Flaw]) -> None:
    replaced = [_code(fault) for fault in child.tree["faults"]]
    inherited = [_code(fault) for fault in parent.tree["faults"]]
    kept: list[Any] = []
    made.document.tree["faults"] = kept
    made.document.places["faults"] = child.places["faults"]

    def keep(source: Document, number: int) -> None:
        made.take(source, f"faults[{number}]", f"faults[{len(kept)}]", None)
        kept.append(source.tree["faults"][number])

    for number, code in enumerate(inherited):
        if code not in replaced:
            keep(parent, number)
    for number, fault in enumerate(child.tree["faults"]):
        if not isinstance(fault, dict) or fault.get("remove") is not True:
            keep(child, number)
        elif _code(fault) not in inherited:
            flaws.append(Flaw(child.place(f"faults[{number}]"), f"there is no fault {_code(fault)!r} to remove"))
