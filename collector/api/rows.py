"""The rows of each answer: the columns of CSV, the properties of JSON, and what the OpenAPI page says of them."""

from typing import Any

from pydantic import BaseModel, Field, create_model

Row = type[BaseModel]


class Status(BaseModel):
    """A device and how it is now. Without watch nobody knows: `state` is null."""

    device: str
    county: str
    site: str
    site_name: str
    class_name: str
    role: str
    registered: bool = Field(description="false: heard, and not in the roster; it never counts")
    state: str | None = Field(description="working, failing, off, offline, silent, unknown or quiet")
    since: str | None
    why: str = Field(description="a cause or stage of the verifier, or the code of a fault")
    incident: str = Field(description="id of the open incident that it is part of")
    last_seen: str | None = Field(description="time of the newest evidence within 35 days")


class Verdict(BaseModel):
    """A target: PASS, FAIL or NOT PROVEN, of the city or, in its units alone, of a county or a site."""

    target: str
    title_zh: str
    title_en: str
    project: str
    unit: str
    evidence: str = Field(description="measured or declared")
    verdict: str = Field(description="pass, fail or not_proven")
    why: str
    share: float | None
    at_least: int | None
    proven: int
    failing: int
    unproven: int
    total: int
    rate_low: float | None
    rate_high: float | None
    first: str = Field(description="first day of the period")
    last: str = Field(description="last day of the period")
    made_at: str
    source: str = Field(description="verify, or the id of a closing")


class Unit(BaseModel):
    """A unit of a target: a site, a class or a device, with its minutes by cause."""

    target: str
    unit: str
    title: str
    county: str
    site: str
    verdict: str
    why: str
    rate_low: float | None
    rate_high: float | None
    minutes: dict[str, float]
    figures: dict[str, float]


class Coverage(BaseModel):
    """How far a site or a county is: devices that should exist, those that report, those that are proven."""

    county: str
    site: str = Field(description="empty where counties are counted")
    name: str
    devices: int = Field(description="that should exist and work today")
    reporting: int = Field(description="of these, heard since `heard_since`")
    proven: int | None = Field(
        description="of these, all their units PASS in the newest verification; null: there is none"
    )
    unregistered: int = Field(description="heard, and not in the roster")
    heard_since: str


class Covered(BaseModel):
    """A device of the roster, and how far it is."""

    device: str
    county: str
    site: str
    class_name: str
    role: str
    registered: bool
    counts: bool = Field(description="it should exist and work today")
    reporting: bool
    proven: bool | None
    heard_since: str


class Incident(BaseModel):
    """One thing that is wrong, of one device or of many; of devices those that whoever asks may see."""

    incident: str
    began: str = Field(description="when it began")
    opened: str = Field(description="from when on somebody was told")
    closed: str | None
    kind: str
    county: str
    site: str
    operator: str
    why: str
    minutes: int = Field(description="of service lost so far, of all its devices together")
    devices: list[str]
    acknowledged_by: str
    notes: list[str] = Field(description="when, who, what; empty for whoever sees a part of it alone")


class Dispute(BaseModel):
    """A dispute or a closure; `events` as `santong dispute list --json` has them."""

    dispute: int
    kind: str
    state: str
    county: str
    site: str
    scope: str = Field(description="county, site, room or device, and its id")
    since: str
    until: str
    reason: str
    finding: str | None
    changes_verdicts: bool
    stops_alerts: bool
    events: list[dict[str, str]]


class Refused(BaseModel):
    """What was refused, the newest first; `santong quarantine` has its content."""

    number: int
    received: str
    county: str
    site: str
    device: str
    agent: str
    line: int = Field(description="0: the batch as a whole")
    reason: str
    detail: str
    size: int


class Closing(BaseModel):
    """A month that was closed, or a correction; of the whole city."""

    id: str
    number: str
    month: str
    corrects: str
    closed_at: str
    closed_by: str
    fingerprint: str
    files: dict[str, str] = Field(description="names, with their SHA-256; for whoever may have reports")


class Error(BaseModel):
    """What is wrong, in a line."""

    error: str


def columns_of(row: Row) -> list[str]:
    """Return the columns of a row."""
    return list(row.model_fields)


def page_of(row: Row) -> Row:
    """Return the model of a page of rows."""
    fields: dict[str, Any] = {
        "items": (list[row], ...),  # type: ignore[valid-type]
        "next": (str | None, Field(description="cursor of what follows; null: that was all")),
    }
    return create_model(f"{row.__name__}Page", __doc__=f"A page of rows: {row.__doc__}", **fields)


def answer_of(row: Row) -> dict[int | str, dict[str, Any]]:
    """Return what a route may answer that has one row, and may find that something cannot be done."""
    wrong = {400: "the body is not JSON", 409: "that cannot be done as things are"}
    said: dict[int | str, dict[str, Any]] = {
        status: {"model": Error, "description": text} for status, text in wrong.items()
    }
    return answers() | said | {200: {"model": row, "description": "one of them"}}


def answers(row: Row | None = None) -> dict[int | str, dict[str, Any]]:
    """Return what a route may answer, for its OpenAPI page."""
    wrong = {
        401: "nobody logged in, or the password is wrong",
        403: "not within the scope or the role of whoever asks",
        404: "there is no such thing",
        422: "a parameter cannot be understood",
        429: "too many wrong passwords: wait",
        500: "a defect",
        503: "a part of the centre cannot be read now",
    }
    said: dict[int | str, dict[str, Any]] = {
        status: {"model": Error, "description": text} for status, text in wrong.items()
    }
    said[304] = {"description": "the answer is the one that was tagged"}
    if row:
        said[200] = {
            "model": page_of(row),
            "description": "a page of rows",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        }
    return said
