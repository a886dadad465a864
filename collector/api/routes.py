"""The routes that have rows or files; who may see which is decided by `asking.py`, before anything is read."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import FileResponse

from collector.access.types import TABLE as ROLES
from collector.access.types import Action, covers
from collector.api import listings, rows, series
from collector.api.answer import BadRequest
from collector.api.asking import HEADERS, Asked, CountyQuery, Day, Instant, SiteQuery, Who_, allow, only_known, taking
from collector.api.centre import Centre, Missing, Unavailable
from collector.verdicts import Verification
from contract.measurements import TABLE
from contract.names import is_device, site_of

Note = Callable[[Request, str, str], None]
FirstQuery = Annotated[Day | None, Query(alias="from", description="first day of what was verified")]
LastQuery = Annotated[Day | None, Query(alias="to", description="last day of it")]
TargetQuery = Annotated[str, Query(max_length=64, description="only this target")]
_PIECE = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_DEVICE = rf"^[a-z0-9]+-{_PIECE}\.{_PIECE}$"
_STATES = Literal["working", "failing", "off", "offline", "silent", "unknown", "quiet"]


def add_lists(app: FastAPI, centre: Centre) -> None:
    """Add the lists."""
    known = [Depends(only_known)]

    @app.get("/api/v1/status", dependencies=known, responses=rows.answers(rows.Status))
    def status(asked: Asked, county: CountyQuery = "", site: SiteQuery = "", state: _STATES | None = None) -> Response:
        """List devices with their state: those of the roster, and those that were heard and are not in it."""
        takes = taking(asked.who, county, site)
        items = listings.status(centre, takes, state, asked.after, asked.most)
        return asked.answer("status", rows.columns_of(rows.Status), items)

    @app.get("/api/v1/verdicts", dependencies=known, responses=rows.answers(rows.Verdict))
    def verdicts(
        asked: Asked,
        first: FirstQuery = None,
        last: LastQuery = None,
        county: CountyQuery = "",
        site: SiteQuery = "",
        target: TargetQuery = "",
    ) -> Response:
        """
        List targets with their verdicts, as `santong verify` found them last, or as a month was closed.

        Without days those of the period that ends last. A county's or a site's are counted from its units alone.
        """
        takes = taking(asked.who, county, site)
        is_whole = not county and not site and covers(asked.who)
        found = centre.verification(first, last)
        items = listings.verdicts(found, target, takes, is_whole=is_whole)
        return asked.answer("verdicts", rows.columns_of(rows.Verdict), items)

    @app.get("/api/v1/verdicts/units", dependencies=known, responses=rows.answers(rows.Unit))
    def units(  # noqa: PLR0913, PLR0917  one parameter each
        asked: Asked,
        first: FirstQuery = None,
        last: LastQuery = None,
        county: CountyQuery = "",
        site: SiteQuery = "",
        target: TargetQuery = "",
        verdict: Literal["pass", "fail", "not_proven"] | None = None,
    ) -> Response:
        """List the units of targets: sites, classes or devices, each with its verdict and minutes by cause."""
        takes = taking(asked.who, county, site)
        found = centre.verification(first, last)
        items = listings.units(found, target, verdict, takes)
        return asked.answer("units", rows.columns_of(rows.Unit), items)

    @app.get("/api/v1/roster", dependencies=known, responses=rows.answers(rows.Coverage))
    def roster(
        asked: Asked, county: CountyQuery = "", site: SiteQuery = "", by: Literal["site", "county"] = "site"
    ) -> Response:
        """List sites or counties with how many of their devices should exist, report and are proven."""
        takes = taking(asked.who, county, site)
        items = listings.coverage(centre, takes, _newest(centre), by_county=by == "county")
        return asked.answer("roster", rows.columns_of(rows.Coverage), items)

    @app.get("/api/v1/roster/devices", dependencies=known, responses=rows.answers(rows.Covered))
    def devices(asked: Asked, county: CountyQuery = "", site: SiteQuery = "") -> Response:
        """List devices: whether they should exist, report, and are proven."""
        items = listings.covered(centre, taking(asked.who, county, site), _newest(centre))
        return asked.answer("devices", rows.columns_of(rows.Covered), items)

    @app.get("/api/v1/incidents", dependencies=known, responses=rows.answers(rows.Incident))
    def incidents(
        asked: Asked,
        county: CountyQuery = "",
        site: SiteQuery = "",
        open_only: Annotated[bool, Query(alias="open", description="only those that are open")] = False,
        since: Annotated[Day | None, Query(description="open, or ended, since this day; else within 30 days")] = None,
    ) -> Response:
        """List incidents, the newest first."""
        takes = taking(asked.who, county, site)
        found = centre.incidents(_day_ns(centre, since) if since else None, open_only=open_only)
        items = listings.incidents(found, takes, centre.zone)
        return asked.answer("incidents", rows.columns_of(rows.Incident), items)

    @app.get("/api/v1/disputes", dependencies=known, responses=rows.answers(rows.Dispute))
    def disputes(
        asked: Asked,
        county: CountyQuery = "",
        site: SiteQuery = "",
        state: Literal["proposed", "approved", "rejected", "withdrawn"] | None = None,
    ) -> Response:
        """List disputes and closures by number."""
        takes = taking(asked.who, county, site)
        items = listings.disputes(centre.disputes(), takes, asked.who, state)
        return asked.answer("disputes", rows.columns_of(rows.Dispute), items)

    @app.get("/api/v1/quarantine", dependencies=known, responses=rows.answers(rows.Refused))
    def quarantine(asked: Asked, county: CountyQuery = "", site: SiteQuery = "") -> Response:
        """List what was refused, the newest first; what names no device is for whoever sees the whole city."""
        takes = taking(asked.who, county, site)
        items = listings.quarantined(centre, takes, asked.who, asked.after)
        return asked.answer("quarantine", rows.columns_of(rows.Refused), items)


def _newest(centre: Centre) -> Verification | None:
    try:
        return centre.verification(None, None)
    except (Missing, Unavailable):  # how far devices are is told without it
        return None


def _day_ns(centre: Centre, day: date | None) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=centre.zone).timestamp()) * 10**9 if day else 0


def add_series(app: FastAPI, centre: Centre) -> None:
    """Add the series of a device."""
    said = rows.answers() | {
        200: {
            "description": "`time`, `source`, own tags, fields; with `every` the mean, least, greatest and last",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["items", "next"],
                        "properties": {
                            "items": {"type": "array", "items": {"type": "object"}},
                            "next": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                        },
                    }
                },
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    }

    @app.get("/api/v1/series", dependencies=[Depends(only_known)], responses=said)
    def of_device(  # noqa: PLR0913, PLR0917  one parameter each
        asked: Asked,
        measurement: Annotated[str, Query(json_schema_extra={"enum": list(TABLE)}, description="of docs/contract.md")],
        device: Annotated[str, Query(max_length=64, pattern=_DEVICE)],
        first: Annotated[Instant, Query(alias="from", description="without an offset: in the programme's zone")],
        last: Annotated[Instant, Query(alias="to", description="this instant is no more part of it")],
        fields: Annotated[str, Query(max_length=400, description="names with commas between; else all")] = "",
        every: Annotated[
            int | None,
            Query(ge=series.LEAST_EVERY_S, le=series.MOST_EVERY_S, description="so many seconds together; else raw"),
        ] = None,
    ) -> Response:
        """Return points of one device, as they are or summed up; 100 days at most."""
        if not is_device(device):
            raise BadRequest(f"device: {device} is not the id of a device")
        allow(asked.who, Action.VIEW, site=site_of(device))
        span = series.span_of(measurement, device, fields, _instant_ns(centre, first), _instant_ns(centre, last))
        if every:
            columns = series.summed_columns(span)
            return asked.answer("series", columns, series.summed(centre, span, every, asked.after))
        return asked.answer("series", series.raw_columns(span), series.raw(centre, span, asked.after))


def _instant_ns(centre: Centre, at: datetime) -> int:
    try:
        seconds = (at if at.tzinfo else at.replace(tzinfo=centre.zone)).timestamp()
    except (OverflowError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < 4_102_444_800:
        raise BadRequest("from, to: are instants from 1970 to 2099")
    return int(seconds * 1000) * 10**6


def add_closings(app: FastAPI, centre: Centre, note: Note) -> None:
    """Add closed months and their files."""
    known = [Depends(only_known)]

    @app.get("/api/v1/closings", dependencies=known, responses=rows.answers(rows.Closing))
    def closings(asked: Asked) -> Response:
        """List the months that were closed, and corrections; they are of the whole city, and for whoever sees it."""
        allow(asked.who, Action.VIEW)
        with_files = Action.REPORT in ROLES[asked.who.role]
        items = listings.closings(centre.closings(), with_files=with_files)
        return asked.answer("closings", rows.columns_of(rows.Closing), items)

    content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    said = rows.answers() | {200: {"description": "the file, as it was signed", "content": content}}

    @app.get("/api/v1/closings/{name}/{file}", dependencies=known, responses=said, response_class=Response)
    def closing_file(
        request: Request,
        who: Who_,
        name: Annotated[str, Path(pattern=r"^ST-\d{4}-\d\d(-C\d{1,4})?$")],
        file: Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,80}$")],
    ) -> Response:
        """Download a file of a closing; who did is written down."""
        allow(who, Action.REPORT)
        path = centre.closing_file(name, file)
        note(request, "report.download", f"{name}/{file}")
        return FileResponse(path, media_type="application/octet-stream", filename=file, headers=HEADERS)
