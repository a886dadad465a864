"""
Portal: whether a login page stands between us and the Internet (RFC 8910, RFC 8908, RFC 6585 §6).

Several endpoints are asked at once over plain HTTP, no redirect followed; what is due at each is known. One that
answers as it should means an open Internet. Without any, a redirect, a page in the place of what is due, status 511,
or the portal's own API say that a portal stands there; then its login page must load.

Stages: `done` (open) and `portal` (the end of the way for those who cannot log in) are successes, code: HTTP status.
Failures: `resolve`, `connect`, `request`, `status` (the furthest that any endpoint came; codes as with http),
`login_page` (HTTP status, or the code of what failed), `expected` (HTTP status).
"""

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from agent.deadline import Deadline
from agent.outcome import DONE, Failed, Outcome
from agent.probe.base import Via
from agent.probe.net import small_stacks
from agent.probe.place import place
from agent.probe.settings import Portal
from agent.probe.values import ENDPOINTS, Endpoint, Url
from agent.probe.web import REDIRECTS, How, Response, fetch, follow

OPEN, REDIRECT, PAGE, FAILED = "open", "redirect", "page", "failed"
PORTAL = "portal"
_ORDER = ("resolve", "connect", "request", "status")
_ASKING = 0.6  # of the time is for the endpoints, the rest for the login page
_MOST = 65_536  # of a body: what is due is short
_MOST_REDIRECTS = 5
_MOST_NAMED = 3
_NETWORK_AUTHENTICATION_REQUIRED = 511


class Answer(NamedTuple):
    """What came from an endpoint. `stage` and `code` say where it ended when it `finds` nothing (`failed`)."""

    endpoint: Endpoint
    finds: str
    response: Response | None = None
    failed: Failed | None = None
    location: Url | None = None

    @property
    def row(self) -> dict[str, object]:
        """What a reader wants to know of it."""
        row: dict[str, object] = {"endpoint": str(self.endpoint.url), "finds": self.finds}
        if self.response:
            row["status"] = self.response.status
        if self.failed:
            row |= {"stage": self.failed.stage, "reason": self.failed.reason}
        if self.location:
            row["location"] = str(self.location)
        return row


class Api(NamedTuple):
    """What the API of RFC 8908 says. `captive` is None when it could not be asked, and `trouble` says why."""

    captive: bool | None
    login: Url | None = None
    trouble: str = ""

    @property
    def row(self) -> dict[str, object]:
        """What a reader wants to know of it."""
        if self.captive is None:
            return {"trouble": self.trouble}
        return {"captive": self.captive} | ({"user-portal-url": str(self.login)} if self.login else {})


def probe(ask: Portal, via: Via) -> Outcome:
    """Look, and compare with what is expected."""
    outcome = look(ask.endpoints, Deadline(ask.timeout), via, ask.api, ask.ca)
    if reason := unexpected(outcome, ask.expect):
        raise Failed("expected", reason, outcome.code, outcome.fields, outcome.details)
    return outcome


def unexpected(outcome: Outcome, expect: str) -> str:
    """
    Return what is wrong with a finding of look() where `open` or `portal` is expected; empty when nothing is.

    Where it is `open` no endpoint may meet a portal: some let one vendor's check through.
    """
    found = OPEN if outcome.stage == DONE else PORTAL
    if expect not in ("any", found):
        return f"{found}, expected is {expect}"
    if expect == OPEN and outcome.details.get("met"):
        return f"{outcome.reason}; expected is {expect}"
    return ""


def look(
    endpoints: Sequence[Endpoint],
    deadline: Deadline,
    via: Via,
    api: Url | None = None,
    ca: str = "",
) -> Outcome:
    """
    Say whether the Internet is open (stage `done`) or a portal with a login page is reached (stage `portal`).

    Failed: see above. Details: `endpoints`, `api`, `login_page`, and `disagree` when an open Internet and a portal
    were seen at once, which is the `reason` too; `met` are the hosts in whose place a portal answered. Without
    endpoints the default ones are asked. `api` is the address that DHCP gives with option 114; `ca` the authorities
    that https believes.
    """
    answers, said = _ask_all(endpoints or ENDPOINTS, deadline, via, api, How(ca=ca, most=_MOST))
    details: dict[str, object] = {"endpoints": [answer.row for answer in answers]}
    if said:
        details["api"] = said.row
    is_open = [answer for answer in answers if answer.finds == OPEN]
    blocked = [answer for answer in answers if answer.finds in (REDIRECT, PAGE)]
    if is_open:
        met = [urlsplit(answer.endpoint.url).hostname or "" for answer in blocked]
        reason = _disagreement(len(answers), met, said)
        details |= ({"met": met} if met else {}) | ({"disagree": reason} if reason else {})
        return _outcome(DONE, is_open[0], details)._replace(reason=reason)
    try:
        if blocked:
            return _portal(blocked, said, details, deadline, via, ca)
        if said and said.captive:
            return _by_api(said, details, deadline, via, ca)
        raise _furthest(answers, said)
    except Failed as failed:
        failed.details = {**details, **failed.details}
        raise


def _ask_all(
    endpoints: Sequence[Endpoint], deadline: Deadline, via: Via, api: Url | None, how: How
) -> tuple[list[Answer], Api | None]:
    """Ask all at once: a silent one must not take the others' time."""
    until = Deadline(deadline.left_s() * _ASKING)
    with small_stacks(), ThreadPoolExecutor(len(endpoints) + 1) as pool:
        said = pool.submit(_ask_api, api, until, via, how) if api else None
        answers = list(pool.map(lambda endpoint: _ask(endpoint, until, via, how), endpoints))
        return answers, said.result() if said else None


def _ask(endpoint: Endpoint, deadline: Deadline, via: Via, how: How) -> Answer:
    try:
        return judge(endpoint, fetch(endpoint.url, deadline, via, how))
    except Failed as failed:
        return Answer(endpoint, FAILED, failed=failed)


def judge(endpoint: Endpoint, response: Response) -> Answer:
    """Say what an answer means: open, a portal by redirect or by a page of its own, or a server that is in trouble."""
    if _is_due(endpoint.due, response):
        return Answer(endpoint, OPEN, response)
    if response.status in REDIRECTS:
        location = None
        with suppress(ValueError):
            location = response.location
        return Answer(endpoint, REDIRECT, response, location=location)
    if response.status == _NETWORK_AUTHENTICATION_REQUIRED or 200 <= response.status < 300:
        return Answer(endpoint, PAGE, response)
    failed = Failed("status", f"answers {response.status}", response.status, response.fields)
    return Answer(endpoint, FAILED, response, failed)


def _is_due(due: str, response: Response) -> bool:
    """Tell whether an answer is what is due: 204, or 200 with the text and, tags aside, nothing else."""
    if due == "204":
        return response.status == 204
    text = re.sub(r"<[^>]*>", " ", response.text()) if "<" not in due else response.text()
    return response.status == 200 and due in text and not text.replace(due, "").strip()


def _ask_api(url: Url, deadline: Deadline, via: Via, how: How) -> Api:
    try:
        response = fetch(url, deadline, via, how._replace(accept="application/captive+json"))
        return parse_api(response.status, response.body)
    except Failed as failed:
        return Api(None, trouble=f"{failed.stage}: {failed.reason}")


def parse_api(status: int, body: bytes) -> Api:
    """Return what the API says (RFC 8908 §5): `captive` must be there, the login page need not."""
    if status != 200:
        return Api(None, trouble=f"answers {status}")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Api(None, trouble="its answer is not JSON")
    captive = said.get("captive") if isinstance(said, dict) else None
    if not isinstance(captive, bool):
        return Api(None, trouble="its answer does not say whether it is captive")
    try:
        return Api(captive, Url.parse(str(said["user-portal-url"])))
    except (KeyError, ValueError):
        return Api(captive)


def _portal(
    blocked: list[Answer], said: Api | None, details: dict[str, object], deadline: Deadline, via: Via, ca: str
) -> Outcome:
    """Load the login page once; a page in the place of what is due is the login page itself."""
    seen = next((answer for answer in blocked if answer.location), blocked[0])
    login = seen.location or (said.login if said else None)
    if seen.finds == REDIRECT and login is None:
        status = seen.response.status if seen.response else None
        raise Failed("login_page", "the redirect leads nowhere", status)
    if login:
        details["login_page"] = str(login)
        _load(login, deadline, via, ca)
    return _outcome(PORTAL, seen, details)


def _by_api(said: Api, details: dict[str, object], deadline: Deadline, via: Via, ca: str) -> Outcome:
    """Believe the API where the endpoints are blocked without a word."""
    if said.login is None:
        raise Failed("login_page", "the API says captive and names no login page")
    details["login_page"] = str(said.login)
    page = _load(said.login, deadline, via, ca)
    return Outcome(True, PORTAL, page.status, fields=page.fields, details=details)


def _load(login: Url, deadline: Deadline, via: Via, ca: str) -> Response:
    try:
        page, _ = follow(login, deadline, via, How(ca=ca, most=_MOST), _MOST_REDIRECTS)
    except Failed as failed:
        reason = f"{place(login)} fails at {failed.stage}: {failed.reason}"
        raise Failed("login_page", reason, failed.code, failed.fields, failed.details) from None
    if not 200 <= page.status < 300:
        raise Failed("login_page", f"{place(login)} answers {page.status}", page.status, page.fields)
    return page


def _furthest(answers: list[Answer], said: Api | None) -> Failed:
    """Return the failure of the endpoint that came furthest, which says most."""
    failures = [answer.failed for answer in answers if answer.failed]
    best = max(failures, key=lambda failed: _ORDER.index(failed.stage) if failed.stage in _ORDER else -1)
    note = "; the portal's API says that the way is open" if said and said.captive is False else ""
    return Failed(best.stage, f"no endpoint answers: {best.reason}{note}", best.code, best.fields)


def _outcome(stage: str, answer: Answer, details: dict[str, object]) -> Outcome:
    response = answer.response
    fields = response.fields if response else {}
    return Outcome(True, stage, response.status if response else None, fields=fields, details=details)


def _disagreement(endpoints: int, met: list[str], said: Api | None) -> str:
    """Return what speaks against an open Internet that was seen; empty when nothing does."""
    if met:
        hosts = ", ".join(sorted(set(met))[:_MOST_NAMED])
        return f"open, but {len(met)} of {endpoints} endpoints meet a portal: {hosts}"
    return "open, but the portal's API says captive" if said and said.captive else ""
