"""The entries of a table, and what a value of the mapping file is for one of them."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from collector.report.form_paths import BadPath, NoKey, Record, field, identity, listed, scalar, steps_of, walk
from collector.report.form_schema import Form, Table, Term, Value, parts_of
from collector.report.form_words import Vocabulary, for_cell, for_text
from collector.roster.schema import Site
from contract.errors import Problem
from contract.names import county_of, site_of

Content = str | float | bool | date | None
_SITE_FIELDS = ("county", *(name for name in Site._fields if name != "id"))


class Source(NamedTuple):
    """What a form is filled from: the report from its top, sites by id, words."""

    root: Record
    sites: Mapping[str, Mapping[str, Any]]
    words: Vocabulary

    def found(self, path: str, record: Record | None, number: int = 0) -> list[Record]:
        """Return what a path leads to, from the top or from an entry, which is row `number` of its table."""
        first, *rest = steps_of(path)
        if first.key == ("targets" if record is None else "report") and self._is_outside(path):
            return [Record(None)]
        if record is None:
            return walk(self.root, [first, *rest])
        is_own = isinstance(record.value, Mapping) and first.key in record.value
        if first.key == "row" and not rest and not is_own:
            return [Record(number)]
        if first.key == "of_site" and not is_own:
            return walk(Record(self.site(record)), rest, record, "of_site")
        return field(record, path, self.root)

    def _is_outside(self, path: str) -> bool:
        """Tell whether a path is of a target of which the roster has nothing: its figures are none, and no mistake."""
        steps = [step for step in steps_of(path) if step.key != "report"]
        outside = self.root.value.get("outside")
        known = {identity(one) for one in outside} if isinstance(outside, list) else set()
        return len(steps) > 1 and steps[0].key == "targets" and steps[1].kind == "key" and steps[1].key in known

    def site(self, record: Record) -> dict[str, Any]:
        """Return the site that an entry is of, as far as it is known; BadPath where it is of none."""
        name = _site_id(record.value)
        if name is None:
            raise BadPath("of_site: these entries are of no site")
        own = {"id": name, "code": name.partition("-")[2], **dict.fromkeys(_SITE_FIELDS), "county": county_of(name)}
        return {**own, **self.sites.get(name, {})}

    def value(self, value: Value, record: Record | None, number: int = 0) -> Content:
        """Return what stands in a cell."""
        if value.term:
            return for_cell(self._raw(value.term, record, number), value.term.format, self.words)
        return "".join(
            part if isinstance(part, str) else for_text(self._raw(part, record, number), part.format, self.words)
            for part in parts_of(value)
        )

    def _raw(self, term: Term, record: Record | None, number: int) -> Any:
        found = self.found(term.path, record, number)
        if term.format == "count":
            return _count(found)
        one = scalar(found, term.path)
        return _ratio(one, scalar(self.found(term.over, record, number), term.over), term) if term.over else one


def _count(found: Sequence[Record]) -> int | None:
    """Return how many entries were found, or how many are in the one list or table that was."""
    if len(found) == 1 and not found[0].is_entry:
        value = found[0].value
        return len(value) if isinstance(value, list | dict) else None if value is None else 1
    return len(found)


def _ratio(one: Any, other: Any, term: Term) -> float | None:
    for value, path in ((one, term.path), (other, term.over)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise BadPath(f"{path} is no number")
    return one / other if one is not None and other else None


def _site_id(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return None
    site = value.get("site")
    if isinstance(site, Mapping):
        site = site.get("id")
    text = site or value.get("id") or value.get("device")
    return site_of(text) if isinstance(text, str) and "-" in text else None


def sites_of(root: Mapping[str, Any], roster: Mapping[str, Site], form: Form) -> dict[str, dict[str, Any]]:
    """Return what is known of sites by id: from the roster, else from the report, named as the form names them."""
    known: dict[str, dict[str, Any]] = {}
    entries = [one for target in root.get("targets", []) for one in target.get("sites", [])]
    for entry in [*entries, *(visit["site"] for visit in root.get("visits", []))]:
        known.setdefault(entry["id"], {}).update({key: entry[key] for key in _SITE_FIELDS if entry.get(key)})
    for name, site in roster.items():
        known.setdefault(name, {}).update({key: value for key in _SITE_FIELDS if (value := getattr(site, key))})
    for own, name in form.names.items():
        one = known.setdefault(name, {})
        one["also"] = [*one.get("also", [one["name"]] if one.get("name") else []), own]
        one["name"] = own
    return known


def normal(value: object) -> str:
    """Return a text as it is compared: width, blanks and capitals make no difference."""
    text = str(int(value)) if isinstance(value, float) and value == int(value) else str(value)
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


class Rows:
    """The entries of a table, chosen and sorted; mistakes go to `problems`, with `path`, where the table stands."""

    def __init__(self, source: Source, table: Table, path: str, problems: list[Problem]) -> None:
        self._source, self._table, self._path, self._problems = source, table, path, problems
        self.records: list[Record] = []
        try:
            self.records = listed(source.found(table.each, None), table.each)
        except BadPath as error:
            problems.append(Problem(f"{path}.each", str(error)))
        for text, wanted in table.where.items():
            self._keep(text, {str(one) for one in (wanted if isinstance(wanted, list) else [wanted])})
        for number, text in reversed(list(enumerate(table.sort))):
            self._sort(f"sort[{number}]", text)

    def _keep(self, text: str, wanted: set[str]) -> None:
        values = self._each(f"where.{text}", lambda one, _: scalar(self._source.found(text, one), text))
        self.records = [one for one, value in zip(self.records, values, strict=True) if str(value) in wanted]

    def _sort(self, place: str, text: str) -> None:
        path = text.removeprefix("-")
        values = self._each(place, lambda one, _: scalar(self._source.found(path, one), path))
        pairs = list(zip(values, self.records, strict=True))
        known = [pair for pair in pairs if pair[0] is not None]
        known.sort(key=lambda pair: _order(pair[0]), reverse=text.startswith("-"))
        self.records = [one for _, one in known] + [one for value, one in pairs if value is None]

    def column(self, name: str, value: Value) -> list[Content]:
        """Return a column of the table, a value for each entry."""
        return self._each(f"columns.{name}", lambda one, number: self._source.value(value, one, number))

    def keys(self, name: str, value: Value) -> list[list[str]]:
        """Return by which texts a row of the form can say that it is an entry's, for each entry."""
        texts = self._each(f"match.{name}", lambda one, number: self._source.value(value, one, number))
        if value.term is None or value.term.path != "of_site.name":
            return [[] if text is None else [str(text)] for text in texts]
        return [self._names(one, text) for one, text in zip(self.records, texts, strict=True)]

    def _names(self, record: Record, text: Content) -> list[str]:
        also: Sequence[str] = self._source.site(record).get("also", ())
        return list(dict.fromkeys([*([] if text is None else [str(text)]), *also]))

    def said(self, record: Record) -> str:
        """Return what people call an entry."""
        value = record.value
        try:
            site = self._source.site(record)
        except BadPath:
            site = {}
        if site and not site.get("name"):
            site["name"] = "(its name is not known: --roster)"
        parts = [site.get("id"), site.get("name"), value.get("title") if isinstance(value, Mapping) else None]
        return " ".join(dict.fromkeys(str(part) for part in parts if isinstance(part, str) and part)) or identity(value)

    def _each(self, place: str, made: Callable[[Record, int], Any]) -> list[Any]:
        """Return a value for each entry; a key that only some entries have is none of the others', not a mistake."""
        values, without = [], []
        for number, record in enumerate(self.records, 1):
            try:
                values.append(made(record, number))
            except NoKey as error:
                values.append(None)
                without.append(str(error))
            except BadPath as error:
                self._problems.append(Problem(f"{self._path}.{place}", str(error)))
                return [None] * len(self.records)
        if without and len(without) == len(values):
            self._problems.append(Problem(f"{self._path}.{place}", without[0]))
        return values


def _order(value: Any) -> tuple[bool, Any]:
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else str(value)
