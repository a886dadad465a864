"""What every route is asked: by whom, of which part of the city, how many rows, in which form."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Query, Request, Response
from pydantic import BeforeValidator

from collector.access.gate import Found
from collector.access.types import TABLE, Action, Who, covers
from collector.api.answer import (
    MOST_ROWS,
    USUAL_ROWS,
    BadRequest,
    Item,
    as_csv,
    as_json,
    is_known,
    key_of,
    page_of,
    tag_of,
)
from contract.meant import did_you_mean
from contract.names import county_of

Takes = Callable[[str, str], bool]  # county, site
JSON, CSV = "application/json", "text/csv; charset=utf-8"
HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization, Accept"}


class Forbidden(Exception):
    """What whoever asks may not see, or do; the message says it."""


class Nobody(Exception):
    """No door stands before this application: nobody is let in."""


def _written(form: str, example: str) -> BeforeValidator:
    """Take a day or an instant as it is written alone: pydantic would take numbers of seconds, too."""

    def check(given: Any) -> Any:
        if isinstance(given, str) and not re.fullmatch(form, given):
            raise ValueError(f"is not written such as {example}")
        return given

    return BeforeValidator(check)


Day = Annotated[date, _written(r"\d{4}-\d\d-\d\d", "2026-03-02")]
_INSTANT = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?"
Instant = Annotated[datetime, _written(_INSTANT, "2026-03-02T08:00")]


class Asking(NamedTuple):
    """Who asks for how many rows behind which key, as CSV or not, and which answer is known already."""

    who: Who
    most: int
    after: str
    as_csv: bool
    known: str

    def answer(self, name: str, columns: list[str], items: Iterable[Item]) -> Response:
        """Return a page of items."""
        page = page_of(items, self.after, self.most)
        body = as_csv(page, columns) if self.as_csv else as_json(page)
        headers = HEADERS | {"ETag": tag_of(body)}
        if is_known(headers["ETag"], self.known):
            return Response(status_code=304, headers=headers)
        if self.as_csv:
            headers["Content-Disposition"] = f'attachment; filename="santong-{name}.csv"'
        return Response(body, media_type=CSV if self.as_csv else JSON, headers=headers)


def found_of(request: Request) -> Found:
    """Return who the door says asks; without a door nobody does."""
    found = request.scope.get("state", {}).get("found")
    if not isinstance(found, Found):
        raise Nobody("nobody said who asks")
    return found


def who_of(request: Request) -> Who:
    """Return who asks."""
    who = found_of(request).who
    if who is None:
        raise Nobody("log in first")
    return who


def only_known(request: Request) -> None:
    """Refuse parameters that a route does not know: a name that is mistyped must not be passed over."""
    path = getattr(request.scope.get("route"), "path", "")
    operation = request.app.openapi()["paths"].get(path, {}).get(request.method.lower(), {})
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    for name in request.query_params:
        if name not in known:
            hint = did_you_mean(name, known, f"; there are {', '.join(known)}" if known else "")
            raise BadRequest(f"{name[:40]}: is not known{hint}")
        if len(request.query_params.getlist(name)) > 1:
            raise BadRequest(f"{name}: was given more than once")


def asking_of(
    request: Request,
    who: Annotated[Who, Depends(who_of)],
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="rows at most")] = USUAL_ROWS,
    cursor: Annotated[str, Query(max_length=400, description="`next` of the page before")] = "",
    form: Annotated[
        Literal["json", "csv"] | None, Query(alias="format", description="else by Accept, else JSON")
    ] = None,
) -> Asking:
    """Return what all lists are asked."""
    accepts_csv = "text/csv" in request.headers.get("accept", "")
    is_csv = form == "csv" or (form is None and accepts_csv)
    return Asking(who, limit, key_of(cursor), is_csv, request.headers.get("if-none-match", ""))


Who_ = Annotated[Who, Depends(who_of)]
Asked = Annotated[Asking, Depends(asking_of)]
CountyQuery = Annotated[str, Query(alias="county", pattern="^[a-z0-9]{0,32}$", description="only of this county")]
SiteQuery = Annotated[str, Query(alias="site", pattern="^[a-z0-9-]{0,64}$", description="only of this site")]


def allow(who: Who, action: Action, county: str = "", site: str = "") -> None:
    """Raise Forbidden where somebody may not do something there."""
    if action not in TABLE[who.role]:
        raise Forbidden(f"{action}: is not for the role {who.role}")
    if not covers(who, county, site):
        raise Forbidden(f"{site or county or 'the whole city'}: is not within your scope, {scope_text(who)}")


def taking(who: Who, county: str = "", site: str = "") -> Takes:
    """Return what of the city is meant: the part that somebody may see; Forbidden for no part of it."""
    if county and site and county_of(site) != county:
        raise BadRequest(f"site: {site} is not in the county {county}")
    if not (who.site and not site and county == county_of(who.site)) and (county or site):
        allow(who, Action.VIEW, county, site)

    def takes(of_county: str, of_site: str) -> bool:
        is_meant = (not county or of_county == county) and (not site or of_site == site)
        return is_meant and covers(who, of_county, of_site)

    return takes


def is_of_all(who: Who) -> bool:
    """Tell whether somebody sees the whole city."""
    return covers(who)


def scope_text(who: Who) -> str:
    """Return a scope in words."""
    return who.site or who.county or "the whole city"
