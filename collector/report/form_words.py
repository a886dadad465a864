"""How a value of a report stands in a form: numbers and dates as such, verdicts and causes in people's words."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from collector.report.form_paths import BadPath
from collector.report.phrases import PHRASES
from collector.sentences import percent
from collector.words import WORDS, Language

# What the texts of a report are called: the first of these families that has one decides.
_FAMILIES = ("verdict_", "cause_", "reason_", "party_", "action_", "stage_", "finding_", "")


class Vocabulary(NamedTuple):
    """The form's own words, and the names of counties by code."""

    own: Mapping[str, str] = {}
    counties: Mapping[str, str] = {}

    def word(self, value: Any, language: Language) -> str:
        """Return what a value is called; BadPath when it has no words."""
        number = 0 if language == "zh" else 1
        if isinstance(value, bool):
            said = "true" if value else "false"
            return self.own.get(said, PHRASES[said][number])
        if isinstance(value, Mapping) and language in value:
            return str(value[language])
        if not isinstance(value, str):
            raise BadPath(f"{_short(value)} has no words: leave `| {language}` off")
        if value in self.own:
            return self.own[value]
        if value in self.counties:
            return self.counties[value]
        for family in _FAMILIES:
            known = PHRASES.get(family + value) or WORDS.get(family + value)
            if known:
                return known[number]
        return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 40 else f"{text[:39]}…"


def for_cell(value: Any, shown: str, words: Vocabulary) -> str | float | bool | date | None:
    """Return what stands in a cell: text, number, day, instant or nothing; BadPath where that cannot be."""
    if value is None:
        return None
    if shown in ("zh", "en"):
        return words.word(value, shown)  # type: ignore[arg-type]
    if shown in _SHOWN:
        return _SHOWN[shown](value)
    if isinstance(value, str | int | float):
        return value
    what = "a list: take `| count`, or an entry" if isinstance(value, list) else f"a table of {', '.join(value)}"
    raise BadPath(f"is {what}, which no cell can hold")


def for_text(value: Any, shown: str, words: Vocabulary) -> str:
    """Return what stands within a text; rates are never rounded up."""
    if value is None:
        return "–"
    if shown == "percent":
        return percent(_number(value), "zh")
    made = for_cell(value, shown, words)
    if isinstance(made, datetime):
        return f"{made:%Y-%m-%d %H:%M}"
    return f"{made:g}" if isinstance(made, float) else str(made)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadPath(f"{_short(value)} is no number")
    return value


def _moment(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadPath(f"{_short(value)} is no date") from None


def _in_chinese(value: Any) -> str:
    day = _moment(value)
    return f"{day.year}年{day.month}月{day.day}日"


_SHOWN: Mapping[str, Callable[[Any], str | float | date]] = {
    "percent": lambda value: round(_number(value) * 100, 10),
    "date": lambda value: _moment(value).date(),
    "date-zh": _in_chinese,
    "time": lambda value: _moment(value).replace(tzinfo=None),
}
