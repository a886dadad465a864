"""What can be done over the API: incidents are acknowledged, noted and closed; nothing else is written."""

from typing import Annotated

from fastapi import Depends, FastAPI, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from collector.access.types import LOCAL, Who
from collector.api import listings, rows
from collector.api.asking import HEADERS, Forbidden, Who_, only_known, taking
from collector.api.centre import Centre, Missing
from collector.api.routes import Note
from collector.handling import may_handle
from collector.watch.types import Handling
from collector.whoami import operator

Number = Annotated[str, Path(pattern=r"^[1-9][0-9]{0,15}$", description="the incident's number")]


class Words(BaseModel):
    """What somebody says to it."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field("", max_length=1000, description="what was done, or why it is over; kept with the incident")


def add_handling(app: FastAPI, centre: Centre, note: Note) -> None:
    """Add what can be done about incidents."""
    known = [Depends(only_known)]
    answers = rows.answer_of(rows.Incident)

    def done(request: Request, who: Who, name: str, what: Handling, words: Words | None) -> Response:
        text = words.text if words else ""
        _allowed(centre, who, name)
        by = operator() if who == LOCAL else who.name
        found = centre.handle(name, what, by, text, lambda: note(request, f"incident.{what}", f"incident {name}"))
        return JSONResponse(listings.incident(found, taking(who), centre.zone), headers=HEADERS)

    @app.get("/api/v1/incidents/{name}", dependencies=known, responses=answers, response_class=Response)
    def incident(who: Who_, name: Number) -> Response:
        """Return one incident."""
        tree = listings.incident(centre.incident(name), taking(who), centre.zone)
        if tree is None:
            raise Missing(f"there is no incident {name} within your scope")
        return JSONResponse(tree, headers=HEADERS)

    @app.post("/api/v1/incidents/{name}/ack", dependencies=known, responses=answers, response_class=Response)
    def acknowledge(request: Request, who: Who_, name: Number, words: Words | None = None) -> Response:
        """Say that you look after it: it is not escalated any more."""
        return done(request, who, name, Handling.ACKNOWLEDGE, words)

    @app.post("/api/v1/incidents/{name}/note", dependencies=known, responses=answers, response_class=Response)
    def take_note(request: Request, who: Who_, name: Number, words: Words) -> Response:
        """Write something to it."""
        return done(request, who, name, Handling.NOTE, words)

    @app.post("/api/v1/incidents/{name}/close", dependencies=known, responses=answers, response_class=Response)
    def close(request: Request, who: Who_, name: Number, words: Words) -> Response:
        """Say that it is over, and why; nothing more is opened about it until it was good again."""
        return done(request, who, name, Handling.CLOSE, words)


def _allowed(centre: Centre, who: Who, name: str) -> None:
    """Raise where somebody may not do anything about an incident; what is beyond their scope is not there for them."""
    found = centre.incident(name)
    if listings.incident(found, taking(who), centre.zone) is None:
        raise Missing(f"there is no incident {name} within your scope")
    if not may_handle(who, found):
        raise Forbidden("to handle an incident is for a role that acknowledges, and for all that it is about")
