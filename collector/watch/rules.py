"""How long a thing must be wrong before somebody is told, and right before they are told that it is over."""

from typing import Annotated, NamedTuple

from contract.settings import POSITIVE, Seconds

SECOND_NS = 1_000_000_000


class Rules(NamedTuple):
    """
    Durations in seconds, as `[rules]` of `watch.toml` has them.

    Agents of one school that lose their uplink at once are missed one after the other within 1.5 keep-alives (135 s by
    default; the will's delay, 30 s, is the same for all): `site` is longer than that, and `device` longer than `site`,
    so that one message tells of all of them.
    """

    device: Seconds = Seconds(300)  # hold-down before a device is alerted
    site: Seconds = Seconds(180)  # … a site, or an operator
    centre: Seconds = Seconds(120)  # … the centre itself
    fault: Seconds = Seconds(60)  # … a fault of a profile
    recovery: Seconds = Seconds(300)  # hold-down before a recovery
    begin: Seconds = Seconds(900)  # after the beginning of service, for what was not there then
    fresh: Seconds = Seconds(300)  # evidence older than this says nothing of now
    mute: Seconds = Seconds(900)  # an agent that is online for so long and delivers nothing has failed
    together: Seconds = Seconds(300)  # what goes within this went at once
    settle: Seconds = Seconds(300)  # after the centre itself was down
    flaps: Annotated[int, POSITIVE] = 4  # that many failures that follow each other are one incident …
    steady: Seconds = Seconds(3600)  # … until there was none for so long, or for longer where they were further apart
    operator_sites: Annotated[int, POSITIVE] = (
        5  # so many sites of an operator gone at once are one incident of the operator
    )
    centre_share: float = 0.5  # so large a share of all sites, of several operators, is one of the centre
    escalate: Seconds = Seconds(1800)  # unacknowledged for so long: to those of `escalate_to`


def ns(seconds: float) -> int:
    """Return seconds as nanoseconds."""
    return round(seconds * SECOND_NS)
