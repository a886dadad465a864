"""Questions to a name server and their answers (RFC 1035), by dnspython, without a network."""

import hashlib
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from agent.outcome import Unable

NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
Question = dns.message.QueryMessage


class Answer(NamedTuple):
    """
    What a name server answered: RCODE and addresses of the type asked for, after CNAMEs.

    `is_truncated`: there is more, by TCP. The addresses are none where the CNAMEs lead nowhere.
    """

    rcode: int
    addresses: tuple[str, ...] = ()
    is_truncated: bool = False

    def __str__(self) -> str:
        """Return it in a few words."""
        return rcode_text(self.rcode) if self.rcode else ", ".join(self.addresses) or "no address"


def question(name: str, kind: str = "A") -> Question:
    """Return a question with a random id (RFC 5452 §9.2); Unable when the name cannot be asked for."""
    try:
        return dns.message.make_query(name, kind)
    except dns.exception.DNSException as error:
        raise Unable(f"{name!r} is not a name: {error}") from None


def answer(wire: bytes, asked: Question) -> Answer | None:
    """Return the answer that `wire` is, None when it is none to this question: malformed, another id or name."""
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None
    if not isinstance(message, dns.message.QueryMessage) or not asked.is_response(message):
        return None
    if message.flags & dns.flags.TC:
        return Answer(message.rcode(), is_truncated=True)
    if message.rcode() != NOERROR:
        return Answer(message.rcode())
    return Answer(NOERROR, _addresses(message))


def _addresses(message: Question) -> tuple[str, ...]:
    try:
        found = message.resolve_chaining().answer
    except dns.exception.DNSException:  # CNAMEs that go round in circles
        return ()
    return tuple(sorted(record.to_text() for record in found)) if found else ()


def rcode_text(rcode: int) -> str:
    """Return NXDOMAIN, SERVFAIL and so on, or the number of what has no name."""
    try:
        return dns.rcode.to_text(dns.rcode.Rcode.make(rcode))
    except ValueError:
        return f"RCODE {rcode}"


def absent_names(at_s: float) -> tuple[str, ...]:
    """
    Return names that cannot exist, for a time in seconds since 1970.

    The first is below .invalid, which no name server may know (RFC 6761 §6.4). Some that lie answer that one honestly;
    the second is below example.com, a signed zone without wildcards that nobody can add names to (RFC 2606 §3). The
    label cannot be guessed by chance and is the same everywhere for an hour, so that name servers keep the answer:
    a town full of probes asks nobody beyond its own name servers more than once an hour.
    """
    label = hashlib.sha256(f"absent {int(at_s // 3600)}".encode()).hexdigest()[:16]
    return f"{label}.invalid", f"{label}.example.com"


def name_servers(text: str) -> list[str]:
    """Return the name servers of a resolv.conf(5)."""
    rows = [line.split() for line in text.splitlines()]
    return [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]
