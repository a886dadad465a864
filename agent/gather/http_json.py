"""
JSON over HTTP, as cameras, panels, controllers and gateways give it: a GET a reading, with a login where one is asked.

Stages: `resolve` (code: EAI number), `connect` (errno), `tls` (X509 verify code of OpenSSL; errno), `auth` (HTTP status
401, 403), `answer` (HTTP status; errno; none where it is not HTTP). A redirect is followed on the same server alone, so
that no login goes elsewhere.
"""

import base64
import re
from urllib.parse import urljoin, urlsplit

from agent.deadline import Deadline
from agent.gather import digest
from agent.gather.paths import TooManyRowsError, rows_of
from agent.gather.read import Read, Way, secret
from agent.gather.web import PORTS, Answer, Request, exchange, json_of
from agent.outcome import Failed, Outcome, Unable

_REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110 §15.4
_MOST_REDIRECTS = 3


def read(ask: Read) -> Outcome:
    """Ask for the path and return its rows; `rtt_ms` is the round trip of the connection."""
    answer = fetch(ask)
    fields = {"rtt_ms": answer.rtt_ms}
    if answer.status in (401, 403):
        reason = "asks for a login" if ask.what.login == "none" else "refuses the login"
        raise Failed("auth", reason, answer.status, fields)
    if not 200 <= answer.status < 300:
        raise Failed("answer", f"answers {answer.status}", answer.status, fields)
    try:
        rows = rows_of(json_of(answer), ask.what.rows, ask.what.values)
    except TooManyRowsError as error:
        raise Failed("answer", str(error), answer.status, fields) from None
    return Outcome(True, code=answer.status, rows=rows, fields=fields)


def fetch(ask: Read) -> Answer:
    """Return the answer to the path, through redirects and the challenge of a login."""
    what, deadline = ask.what, Deadline(ask.timeout)
    request = Request(what.scheme, ask.way.address, what.port, what.path, verify=what.verify, ca=what.ca)
    login = _Login(what.login, ask.way)
    redirects = 0
    while True:
        answer = exchange(request._replace(headers=login.headers(request)), deadline)
        if answer.status == 401 and login.takes(answer):
            continue
        if answer.status not in _REDIRECTS or "location" not in answer.headers:
            return answer
        redirects += 1
        if redirects > _MOST_REDIRECTS:
            raise Failed("answer", f"leads on more than {_MOST_REDIRECTS} times", answer.status)
        request = request._replace(path=_next_path(request, answer))


class _Login:
    """How the credentials are shown; they are read where they are needed."""

    def __init__(self, kind: str, way: Way) -> None:
        self._kind = kind
        self._way = way
        self._challenge: digest.Challenge | None = None
        self._count = 0

    def headers(self, request: Request) -> dict[str, str]:
        """Return the header that shows them."""
        if self._kind == "bearer":
            token = self._password("token")
            if not re.fullmatch("[!-~]+", token):
                raise Unable(f"{self._way.password_file}: is no token: it has blanks or other than ASCII characters")
            return {"Authorization": f"Bearer {token}"}
        if self._kind == "basic":
            pair = ":".join(self._pair()).encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        if self._challenge is None:
            return {}
        self._count += 1
        return {
            "Authorization": digest.authorization(
                self._challenge, self._pair(), request.method, request.target, self._count
            )
        }

    def takes(self, answer: Answer) -> bool:
        """Tell whether a refusal is a challenge that is worth another try."""
        if self._kind != "digest" or self._challenge is not None:
            return False
        self._challenge = digest.chosen(answer.headers.get_all("WWW-Authenticate", []))
        if self._challenge is None:
            raise Failed("auth", "offers no HTTP Digest that is known here", answer.status, {"rtt_ms": answer.rtt_ms})
        return True

    def _pair(self) -> tuple[str, str]:
        if not self._way.username:
            raise Unable("no user name is given: username in [[credentials]]")
        return self._way.username, self._password("password")

    def _password(self, what: str) -> str:
        return secret(self._way.password_file, what)


def _next_path(request: Request, answer: Answer) -> str:
    """Return where a redirect leads on the same server; Failed `answer` when it leads elsewhere."""
    address = request.address.partition("%")[0]  # the device does not know by which interface it is asked
    host = f"[{address}]" if ":" in address else address
    here = f"{request.scheme}://{host}:{request.port or PORTS[request.scheme]}{request.target}"
    location: str = answer.headers["location"].strip()
    try:
        there = urlsplit(urljoin(here, location))
        server = (there.scheme, there.hostname, there.port or PORTS.get(there.scheme))
    except ValueError:
        server = None
    if server != (request.scheme, address.lower(), request.port or PORTS[request.scheme]):
        reason = "leads to another server, where no login of this one is sent"
        raise Failed("answer", reason, answer.status, {"rtt_ms": answer.rtt_ms})
    return there.path + (f"?{there.query}" if there.query else "")
