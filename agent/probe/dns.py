"""DNS."""

from agent.probe.base import Unable, Via
from agent.probe.net import Deadline


def lookup(host: str, deadline: Deadline, via: Via) -> list[str]:
    """Return the IPv4 addresses of a name, asked from the name servers of the way; Failed `resolve`."""
    raise Unable(f"{host}: not there yet: {deadline}, {via}")
