"""Forms for disputes and closures: what was written becomes a claim, or a sentence that says what is wrong."""

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.access.types import LOCAL, Action, Who, may
from collector.board.source import Filing
from collector.disputes.schema import (
    ADJUDICATIONS,
    CLOSING,
    LEVELS,
    Claim,
    Dispute,
    Happened,
    Kind,
    Reason,
    Scope,
    same_person,
)
from collector.roster.schema import Roster
from collector.words import Language, word
from contract.errors import SantongError
from contract.names import county_of, site_of

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")

_ACTIONS = {
    Happened.APPROVED: Action.APPROVE,
    Happened.REJECTED: Action.APPROVE,
    Happened.WITHDRAWN: Action.PROPOSE,
}


class BadForm(SantongError):
    """A form that cannot be filed; the message is in the language of whoever filled it in."""


class Written(NamedTuple):
    """A form as it was filled in: all of it text."""

    kind: str
    level: str
    place: str
    first_day: str
    first_time: str
    last_day: str
    last_time: str
    reason: str
    finding: str
    text: str
    by: str


class Decided(NamedTuple):
    """What somebody wants to happen to a dispute, who, and why."""

    happened: Happened
    by: str
    text: str


def reasons_of(kind: str) -> list[Reason]:
    """Return the reasons that a kind may have."""
    return [one for one in Reason if kind != Kind.CLOSURE or one in CLOSING]


def filing_of(written: Written, who: Who, login: str, roster: Roster, zone: ZoneInfo, language: Language) -> Filing:
    """Return what is to be recorded; BadForm says what is wrong."""
    kind = Kind(written.kind)
    by, text = name_of(written.by, who), _paragraph(written.text)
    for value, missing in ((written.reason, "reason_missing"), (text, "text_missing"), (by, "name_missing")):
        if not value:
            raise BadForm(word(missing, language))
    reason = Reason(written.reason)
    scope = Scope(written.level, _place(written.level, written.place.strip(), roster, language))
    if not is_allowed(who, Action.CLOSE if kind is Kind.CLOSURE else Action.PROPOSE, scope):
        raise BadForm(word("not_allowed", language))
    since = _moment(written.first_day, written.first_time or "00:00", zone, language)
    until = _moment(written.last_day or written.first_day, written.last_time or "24:00", zone, language)
    finding = written.finding if reason in ADJUDICATIONS else ""
    claim = Claim(kind, scope, since, until, reason, finding)
    return Filing(Happened.PROPOSED, by, login, text, claim=claim)


def decision_of(dispute: Dispute, decided: Decided, who: Who, login: str, language: Language) -> Filing:
    """Return a decision on a dispute; BadForm where that is not somebody's to make."""
    happened, by, text = decided.happened, name_of(decided.by, who), _paragraph(decided.text)
    if not by:
        raise BadForm(word("name_missing", language))
    if not is_allowed(who, _ACTIONS[happened], dispute.claim.scope):
        raise BadForm(word("not_allowed", language))
    if happened is not Happened.WITHDRAWN and same_person(by, dispute.proposed.by):
        raise BadForm(word("another_must_decide", language))
    if not may_decide(who, happened, dispute):
        raise BadForm(word("not_allowed", language))
    if happened is Happened.REJECTED and not text:
        raise BadForm(word("text_missing", language))
    return Filing(happened, by, login, text, dispute.number)


def may_decide(who: Who, happened: Happened, dispute: Dispute) -> bool:
    """
    Tell whether something can be decided, and is somebody's to decide.

    Whoever sits at the machine says only later who they are: that another person decides is looked at then.
    """
    if happened is Happened.WITHDRAWN:
        open_for: tuple[Happened, ...] = (Happened.PROPOSED, Happened.APPROVED)
        is_theirs = same_person(who.name, dispute.entries[-1].by)
    else:
        open_for, is_theirs = (Happened.PROPOSED,), not same_person(who.name, dispute.proposed.by)
    is_open = dispute.state in open_for and (who == LOCAL or is_theirs)
    return is_open and is_allowed(who, _ACTIONS[happened], dispute.claim.scope)


def is_allowed(who: Who, action: Action, scope: Scope) -> bool:
    """Tell whether somebody may do something about a scope."""
    county = county_of(scope.id)
    site = "" if scope.level == "county" else site_of(scope.id).partition("/")[0]
    return may(who, action, county, site)


def name_of(by: str, who: Who) -> str:
    """Return under which name something is recorded: what a browser sends counts only where nobody logged in."""
    return " ".join(by.split()) if who == LOCAL else who.name


def _paragraph(text: str) -> str:
    return " ".join(text.split())


def _place(level: str, name: str, roster: Roster, language: Language) -> str:
    """Return the id that was meant; a room may be named by its site and what people call it there."""
    if level not in LEVELS or not name:
        raise BadForm(word("unknown_place", language).format(text=name))
    if not roster.devices:
        return name
    known: set[str]
    if level == "county":
        known = {site.county for site in roster.sites.values()}
    elif level == "room":
        known = {device.room for device in roster.devices.values()}
    else:
        known = set(roster.sites if level == "site" else roster.devices)
    if name not in known:
        raise BadForm(word("unknown_place", language).format(text=name))
    return name


def _moment(day: str, time: str, zone: ZoneInfo, language: Language) -> datetime:
    try:
        found = date.fromisoformat(day.strip().replace("/", "-"))
    except ValueError:
        raise BadForm(word("bad_moment", language).format(text=day)) from None
    if not _TIME.fullmatch(time.strip()):
        raise BadForm(word("bad_moment", language).format(text=time))
    hour, minute = map(int, time.strip().split(":"))
    if hour == 24:
        found, hour = found + timedelta(days=1), 0
    return datetime(found.year, found.month, found.day, hour, minute, tzinfo=zone)
