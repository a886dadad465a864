"""
The one shape of all probes.

    def probe(ask: Dns, via: Via) -> Outcome        may raise Failed or Unable instead of returning

`ask` is what the settings say (target, timeout, thresholds; `settings.py`), `via` the interface it goes out by. A probe
ends by itself within `ask.timeout`, sends nothing but what it says in `docs/probes.md`, and keeps nothing. Building and
parsing of packets is apart from sending, so that it can be tested without a network.
"""

from collections.abc import Mapping
from typing import NamedTuple

from contract.sample import Value

DONE = "done"


class Via(NamedTuple):
    """
    The way out: an interface, a source address on it and its name servers.

    All empty: whatever the kernel and `/etc/resolv.conf` choose.
    """

    interface: str = ""
    address: str = ""
    resolvers: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """
    What a probe found.

    `success` is None where nothing could be asked (a missing program, privilege or interface on our side): such an
    outcome says nothing of the target. `stage` is where it ended: the stage that failed, or the last one passed
    (`done`, or `portal` where a login page is the end of the way). `code` is the protocol's own number (HTTP status,
    DNS rcode, errno …; `docs/probes.md`). `reason` is one line for people. `fields` are further ones of the
    measurement `probe`. `extra` are samples of other measurements: (measurement, tags, fields). `details` are for the
    reader of `santong-agent probe` alone: they never leave the device.
    """

    success: bool | None
    stage: str = DONE
    code: int | None = None
    reason: str = ""
    fields: Mapping[str, Value] = {}
    details: Mapping[str, object] = {}
    extra: tuple[tuple[str, Mapping[str, str], Mapping[str, Value]], ...] = ()


class Failed(Exception):
    """The target does not do what it should: `stage` is where it ended."""

    def __init__(
        self,
        stage: str,
        reason: str,
        code: int | None = None,
        fields: Mapping[str, Value] | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason
        self.code = code
        self.fields = fields or {}
        self.details = details or {}

    def outcome(self) -> Outcome:
        """Return the failure as an outcome."""
        return Outcome(False, self.stage, self.code, self.reason, self.fields, self.details)


class Unable(Exception):
    """Nothing could be asked: something is missing on our side, and the text says what to do about it."""

    def outcome(self) -> Outcome:
        """Return it as an outcome, which says nothing of the target."""
        return Outcome(None, "unable", reason=str(self))
