"""The tables that everybody can check: rules.md, effects.md."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.commands.dispute import _period
from collector.disputes.rules import after, refusal
from collector.disputes.schema import Claim, Dispute, Entry, Happened, Kind, Reason, Scope

FOLDER = Path(__file__).parent
ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 3, 9, 8, tzinfo=UTC)
SITE = "441802-1"
_STEPS = {
    "proposes": Happened.PROPOSED,
    "closes": Happened.PROPOSED,
    "approves": Happened.APPROVED,
    "rejects": Happened.REJECTED,
    "withdraws": Happened.WITHDRAWN,
}


def rows(file: str, section: str) -> list[list[str]]:
    """Return the cells of each row of a section's table, without its head."""
    found: list[list[str]] = []
    is_in = False
    for line in (FOLDER / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            is_in = line[3:] == section
        elif is_in and line.startswith("|"):
            found.append([cell.strip(" ") for cell in line.strip(" ")[1:-1].split("|")])
    assert len(found) > 2, f"there is no table {section}"
    return found[2:]


def claim_of(
    about: str = f"site {SITE}",
    first: str = "2026-03-02",
    last: str = "",
    reason: str = "exam",
    *,
    kind: str = "dispute",
    finding: str = "",
) -> Claim:
    """Return a claim; an exam at a school on one day where nothing else is said."""
    level, name = about.split()
    return Claim(Kind(kind), Scope(level, name), *_period(first, last, ZONE), Reason(reason), finding)


def step_of(text: str, *, claim: Claim | None = None, number: int = 1) -> Entry:
    """Return the entry of `li si approves silently`."""
    match = re.fullmatch(rf"(.*) ({'|'.join(_STEPS)})( silently)?", text)
    assert match, text
    name, verb, silently = match.groups()
    happened = _STEPS[verb]
    proposed = claim or claim_of(kind="closure" if verb == "closes" else "dispute")
    said = "" if silently else "because"
    return Entry(happened, number, name, "login", AT, said, proposed if happened is Happened.PROPOSED else None)


def known_after(text: str, *, claim: Claim | None = None) -> dict[int, Dispute]:
    """Return what is there after `a proposes, b approves`."""
    known: dict[int, Dispute] = {}
    for part in filter(None, text.split(", ")):
        entry = step_of(part, claim=claim)
        assert refusal(entry, known) == ""
        known[1] = after(entry, known)
    return known


def dispute_of(text: str, claim: Claim, number: int = 1) -> Dispute:
    """Return one dispute after some steps."""
    return known_after(text, claim=claim)[1]._replace(number=number)


def day(text: str) -> date:
    """Return a date."""
    return date.fromisoformat(text)
