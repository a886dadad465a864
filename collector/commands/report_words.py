"""What `santong report check` says."""

from typing import TYPE_CHECKING, Any

from collector.recheck import KINDS
from collector.screen import console
from collector.words import Language, word

if TYPE_CHECKING:
    from collector.commands.report_check import Checked
    from collector.recheck import Difference

_MOST_TEXT = 120
_STYLES = {"late": "yellow"}
_KINDS = {
    "late": "recheck_late",
    "altered": "recheck_altered",
    "unclear": "recheck_unclear",
    "program": "recheck_program",
}
_PARTS = {
    "file": "part_file",
    "evidence": "part_evidence",
    "figures": "part_figures",
    "software": "part_software",
    "roster": "part_roster",
    "calendars": "part_calendars",
    "targets": "part_targets",
    "profiles": "part_profiles",
    "disputes": "part_disputes",
    "sampling": "part_sampling",
}
_NOT_COMPARED = {"evidence": "not_compared_evidence"}
_PLACES = {"face": "not_compared_face", "corrects": "not_compared_corrects"}


def as_tree(checked: "Checked", most: int) -> dict[str, Any]:
    """Return what `--json` prints: all kinds counted, of each `most` differences."""
    return {
        "file": str(checked.file),
        "number": checked.number,
        "fingerprint": checked.fingerprint,
        "is_the_same": not checked.differences,
        "device_days": checked.device_days,
        "counts": {kind: checked.counts[kind] for kind in KINDS},
        "not_compared": list(checked.not_compared),
        "differences": [one._asdict() for kind in KINDS for one in _of(checked, kind)[:most]],
    }


def print_checked(checked: "Checked", most: int, language: Language) -> None:
    """Print what a check found, and in the end what that means in a sentence."""
    screen = console()
    screen.print(f"{checked.number}  {word('fingerprint', language)} {checked.fingerprint}", soft_wrap=True)
    if "evidence" not in checked.not_compared:
        screen.print(f"{word('hashed_device_days', language)}: {checked.device_days:,}", highlight=False)
    for name in checked.not_compared:
        screen.print(word(_NOT_COMPARED[name], language), soft_wrap=True, highlight=False)
    for kind in KINDS:
        some = _of(checked, kind)
        if some:
            style = _STYLES.get(kind, "red")
            screen.print(f"\n{word(_KINDS[kind], language)}: {len(some):,}", style=style, highlight=False)
        for one in some[:most]:
            screen.print(f"  {_sentence(one, language)}", soft_wrap=True, markup=False, highlight=False)
        if len(some) > most:
            screen.print(f"  {len(some) - most:,} {word('more', language)}", highlight=False)
    screen.print(f"\n{word(_outcome(checked), language)}", soft_wrap=True, highlight=False)


def _of(checked: "Checked", kind: str) -> "list[Difference]":
    return [one for one in checked.differences if one.kind == kind]


def _outcome(checked: "Checked") -> str:
    if not checked.differences:
        return "recheck_same"
    return "recheck_is_altered" if checked.is_altered else "recheck_is_late"


def _sentence(one: "Difference", language: Language) -> str:
    if one.part == "file" and one.place in _PLACES:
        return word(_PLACES[one.place], language)
    what = f"{word(_PARTS[one.part], language)} {one.place}".rstrip()
    return f"{what}  {_short(one.reported)} → {_short(one.found)}"


def _short(text: str) -> str:
    return f"{text[:_MOST_TEXT]}…" if len(text) > _MOST_TEXT else text or "–"
