"""
The API as an application of FastAPI: to run alone behind a `Door`, or to put a board upon.

    Door (who asks) ──▶ routes ──▶ what the centre has ──▶ cut to the scope ──▶ a page of JSON or CSV

Without a door before it everybody is nobody, and gets nothing but /healthz.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from collector.access.types import Action
from collector.api import page, rows
from collector.api.answer import BadRequest
from collector.api.asking import Forbidden, Nobody, Who_, allow
from collector.api.centre import Centre, Missing, Refusal, Unavailable
from collector.api.handling import add_handling
from collector.api.routes import Note, add_closings, add_lists, add_series
from collector.metrics import TYPE, Family, as_text
from contract import __version__

log = logging.getLogger("santong.api")

PUBLIC = ("/healthz",)
_ABOUT = """What the centre has, cut to the scope of whoever asks; read-only, but that incidents can be
acknowledged, noted and closed. Log in with a cookie (`/login`) or with HTTP Basic. Lists have at most `limit` rows and
a cursor `next`; `format=csv`, or `Accept: text/csv`, gives a table for Excel. Instants are ISO 8601 in the programme's
zone. What is wrong is said in one line: `{"error": "…"}`."""
# What whoever asks is told as it is.
_TOLD: Mapping[type[Exception], int] = {BadRequest: 422, Forbidden: 403, Missing: 404, Refusal: 409}


def create(centre: Centre, note: Note = lambda *_: None, more: Callable[[], Sequence[Family]] = tuple) -> FastAPI:
    """
    Return the application.

    `note(request, what, on)` writes down what somebody does; `more` are metrics of this very process.
    """
    app = FastAPI(
        title="Santong",
        version=__version__,
        description=_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    add_lists(app, centre)
    add_series(app, centre)
    add_closings(app, centre, note)
    add_handling(app, centre, note)
    _add_machine_room(app, centre, more)
    _add_page(app)
    _add_errors(app)
    return app


def _add_machine_room(app: FastAPI, centre: Centre, more: Callable[[], Sequence[Family]]) -> None:
    @app.get(
        "/metrics",
        responses=rows.answers() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    def metrics(who: Who_) -> Response:
        """Return what there is to count, as Prometheus reads it; for whoever sees the whole city."""
        allow(who, Action.VIEW)
        return Response(as_text([*centre.metrics(), *more()]), media_type=TYPE, headers={"Cache-Control": "no-store"})

    is_said: dict[int | str, dict[str, Any]] = {
        200: {"description": "all parts do their work"},
        503: {"description": "a part does not: which one is said"},
    }

    @app.get("/healthz", responses=is_said)
    def healthz() -> JSONResponse:
        """Tell whether store, roster, evidence and watch are well; nobody needs to log in."""
        parts = centre.health()
        is_well = all(part.is_well for part in parts)
        tree = {"ok": is_well, "parts": {part.name: {"ok": part.is_well, "said": part.text} for part in parts}}
        return JSONResponse(tree, 200 if is_well else 503, {"Cache-Control": "no-store"})


def _add_page(app: FastAPI) -> None:
    headers = {"Content-Security-Policy": page.POLICY}

    @app.get("/", include_in_schema=False)
    def front() -> Response:
        return RedirectResponse("/api/docs", 303)

    @app.get("/api/docs", include_in_schema=False)
    def docs(_who: Who_) -> Response:
        return Response(page.PAGE, media_type="text/html", headers=headers)

    @app.get("/api/docs/{name}", include_in_schema=False)
    def docs_file(_who: Who_, name: str) -> Response:
        found = page.asset(name)
        if found is None:
            raise Missing(f"{name[:40]}: there is no such file")
        return Response(found[0], media_type=found[1], headers={"Cache-Control": "private, max-age=86400"})


def _add_errors(app: FastAPI) -> None:
    """Say everything that is wrong in one line of JSON."""

    def said(status: int, text: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"error": text}, status, headers)

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return said(422, "; ".join(f"{_named(one['loc'])}: {one['msg']}" for one in error.errors()))

    for kind, status in _TOLD.items():
        app.add_exception_handler(kind, lambda _request, error, status=status: said(status, str(error)))

    @app.exception_handler(Nobody)
    def nobody(_request: Request, error: Nobody) -> JSONResponse:
        return said(401, str(error), {"WWW-Authenticate": 'Basic realm="santong"'})

    @app.exception_handler(Unavailable)
    def unavailable(_request: Request, error: Unavailable) -> JSONResponse:
        log.error("%s: %s", error.part, error)
        return said(503, f"{error.part}: cannot be read now; the log of this page says why", {"Retry-After": "30"})

    @app.exception_handler(HTTPException)
    def http(_request: Request, error: HTTPException) -> JSONResponse:
        return said(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    def defect(_request: Request, error: Exception) -> JSONResponse:
        return said(500, f"a defect: {type(error).__name__}; the log of this page has more")


def _named(place: Sequence[str | int]) -> str:
    """Return what a mistake is about: a parameter, a field of the body, or the body where it is none of its fields."""
    return ".".join(part for part in place[1:] if isinstance(part, str)) or str(place[0])
