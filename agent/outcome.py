"""
What comes of a question to a target: one type for everything that the worker does.

A probe asks whether something works, a reading also brings values; both end in an `Outcome`, and may raise `Failed` or
`Unable` on the way to it.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from contract.sample import Value

DONE = "done"


class Row(NamedTuple):
    """
    Values that belong together, as the source gives them: one port of a switch, one radio, or the whole device.

    `key` tells rows of one reading apart (table index, interface, what a file pattern's `*` stood for); it is empty for
    one that stands alone. A value that the device does not have is absent.
    """

    key: str
    values: Mapping[str, Value]


class Outcome(NamedTuple):
    """
    What a probe found.

    `success` is None where nothing could be asked (a missing program, privilege or interface on our side): such an
    outcome says nothing of the target. `stage` is where it ended: the stage that failed, or the last one passed
    (`done`, or `portal` where a login page is the end of the way). `code` is the protocol's own number (HTTP status,
    DNS rcode, errno …; `docs/probes.md`). `reason` is one line for people. `fields` are further ones of the
    measurement `probe`. `extra` are samples of other measurements: (measurement, tags, fields). `rows` are the raw
    values of a reading, which its profile maps to measurements. `details` are for the reader of
    `santong-agent probe` alone: they never leave the device.
    """

    success: bool | None
    stage: str = DONE
    code: int | None = None
    reason: str = ""
    fields: Mapping[str, Value] = {}
    details: Mapping[str, object] = {}
    extra: tuple[tuple[str, Mapping[str, str], Mapping[str, Value]], ...] = ()
    rows: tuple[Row, ...] = ()


def told(given: Mapping[str, Any]) -> Outcome:
    """Return an outcome that came as JSON."""
    return Outcome(**{**given, "rows": tuple(Row(*row) for row in given.get("rows", ()))})


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


def outcome_of(call: Callable[[], Outcome]) -> Outcome:
    """Run one probe or reading; whatever happens becomes an outcome, with `duration_ms` of the whole."""
    begun = time.perf_counter()
    try:
        outcome = call()
    except (Failed, Unable) as ended:
        outcome = ended.outcome()
    except Exception as error:  # noqa: BLE001  a defect of ours says nothing of the target
        outcome = Outcome(None, "unable", reason=f"defect of the probe: {type(error).__name__}: {error}")
    took: dict[str, Value] = {"duration_ms": round((time.perf_counter() - begun) * 1000, 3)}
    return outcome._replace(fields={**outcome.fields, **took})
