"""
The errors and the reasons that agent and centre share.

    SantongError
     ├─ BadName       a site, device or agent id that breaks the naming rule
     ├─ BadSample     a sample that the measurement table does not know: a defect of its source
     ├─ BadBatch      a payload refused as a whole, with a Reason
     └─ ConfigError   everything wrong in a configuration at once, each with its path
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a batch or a line is refused. On the wire and in quarantine: names are append-only."""

    # the batch as a whole
    BAD_TOPIC = "bad_topic"
    FOREIGN_DEVICE = "foreign_device"
    EMPTY = "empty"
    BAD_GZIP = "bad_gzip"
    TOO_LARGE = "too_large"
    NO_HEADER = "no_header"
    BAD_HEADER = "bad_header"
    WRONG_VERSION = "wrong_version"
    UNSYNCED = "unsynced"
    # a line of it
    LINE_TOO_LONG = "line_too_long"
    NOT_UTF8 = "not_utf8"
    CONTROL_CHARACTER = "control_character"
    MALFORMED = "malformed"
    UNCLOSED_STRING = "unclosed_string"
    UNKNOWN_MEASUREMENT = "unknown_measurement"
    IDENTITY_TAG = "identity_tag"
    UNKNOWN_TAG = "unknown_tag"
    MISSING_TAG = "missing_tag"
    DUPLICATE_TAG = "duplicate_tag"
    UNKNOWN_FIELD = "unknown_field"
    DUPLICATE_FIELD = "duplicate_field"
    NO_FIELD = "no_field"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    NO_TIME = "no_time"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    STORE_REFUSED = "store_refused"


class SantongError(Exception):
    """Base of every error that this product raises on purpose."""


class BadName(SantongError, ValueError):
    """An id that breaks the naming rule; the message says which and how."""


class BadSample(SantongError, ValueError):
    """A sample that the measurement table does not know."""


class BadBatch(SantongError):
    """A payload that is refused as a whole."""

    def __init__(self, reason: Reason, detail: str = "", epoch: str | None = None, seq: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.epoch = epoch
        self.seq = seq


class Problem(NamedTuple):
    """One mistake in a configuration: where it stands and what is wrong."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(SantongError):
    """All mistakes of a configuration at once; `places` say where each stands, where `source` alone does not."""

    def __init__(self, source: str, problems: list[Problem], places: Sequence[str] = ()) -> None:
        sources = places or [source] * len(problems)
        super().__init__("\n".join(f"{place}: {each}" for place, each in zip(sources, problems, strict=True)))
        self.source = source
        self.problems = problems
