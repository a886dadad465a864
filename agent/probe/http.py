"""
HTTP: a page is asked for (RFC 9110, RFC 9112), over TLS for https; redirects are followed.

Stages: `resolve` (code: EAI number), `connect` (errno), `proxy` (its HTTP status, or errno), `tls` (X509 verify code
of OpenSSL; errno; none for other troubles), `request` (errno; none where the answer is not HTTP), `redirect` (also one
that does not say where to), `status`, `body`, `certificate` and `threshold` (HTTP status). Times are those of the last
request, the page.

Without `body` a portal's login page, to which a plain http target is sent, passes for the page.
"""

import re

from agent.deadline import Deadline
from agent.outcome import Failed, Outcome
from agent.probe.base import Via
from agent.probe.settings import Http
from agent.probe.web import MIB, How, Response, follow


def probe(ask: Http, via: Via) -> Outcome:
    """Fetch the page and judge it. Its body is read only where `body` asks for it, at most 1 MiB."""
    how = How(ca=ask.ca, verify=ask.verify, proxy=ask.proxy, most=MIB if ask.body else 0)
    response, passed = follow(ask.target, Deadline(ask.timeout), via, how, ask.max_redirects, ask.status)
    details: dict[str, object] = {"status": response.status, "address": response.address}
    if response.tls_version:
        details["tls"] = response.tls_version
    if passed:
        details["redirects"] = [*passed, str(response.url)]
    stage, reason = _judge(ask, response)
    if reason:
        raise Failed(stage, reason, response.status, response.fields, details)
    return Outcome(True, code=response.status, fields=response.fields, details=details)


def _judge(ask: Http, response: Response) -> tuple[str, str]:
    """Return stage and reason of what is wrong with an answer, empty when nothing is."""
    is_fine = response.status in ask.status if ask.status else 200 <= response.status < 300
    if not is_fine:
        due = " or ".join(map(str, ask.status)) or "200 to 299"
        return "status", f"answers {response.status}, due is {due}"
    if ask.body and not re.search(ask.body, response.text()):
        return "body", f"has no {ask.body!r} in its {'' if response.is_whole else 'first '}{len(response.body)} bytes"
    days = response.certificate_days
    if days is not None and ask.min_certificate_days and days < ask.min_certificate_days:
        return "certificate", f"expires in {days:.1f} days, {ask.min_certificate_days:g} must be left"
    if ask.max_first_byte is not None and response.first_byte_s > ask.max_first_byte:
        took_ms, most_ms = response.first_byte_s * 1000, ask.max_first_byte * 1000
        return "threshold", f"first byte after {took_ms:.1f} ms, allowed are {most_ms:g} ms"
    return "", ""
