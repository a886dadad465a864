"""
The pages, served: a frame (title, ways, search, language), and pieces that are replaced while one looks.

NiceGUI's JavaScript comes from this machine, and a browser is told to load from nowhere else.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

os.environ.setdefault("NICEGUI_STORAGE_PATH", os.devnull)  # nothing of a viewer is kept

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup
from nicegui import Client, app, ui
from nicegui.element import Element
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.board import city, incidents, lists, school
from collector.board.draw import H, colours, join
from collector.board.form_pages import Counter, decision_form, filing_form, incident_form
from collector.board.hub import Draw, Hub, Page
from collector.board.names import LANGUAGES, THEMES
from collector.board.notices import notices
from collector.board.source import Desk, Guest, Settings, Source
from collector.board.view import Sections, View
from collector.words import Language, word
from contract.errors import SantongError

_HERE = Path(__file__).parent
LANGUAGE, THEME = "santong_lang", "santong_theme"
# Vue compiles templates in the browser, hence eval; everything else must come from here.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws: wss:; "
    "frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_LEFT = "No response returned."  # what starlette's middleware raises once a browser has gone away
_WAYS = (
    ("/", "board_city"), ("/incidents", "board_incidents"), ("/hotspots", "board_hotspots"),
    ("/rollout", "board_rollout"), ("/check", "board_check"), ("/disputes", "board_disputes"),
)  # fmt: skip


class Live(Element, component="live.js"):
    """A piece of a page; only what differs of it is touched when it changes."""

    def __init__(self, content: Markup) -> None:
        super().__init__()
        self._props["content"] = str(content)

    def put(self, content: Markup) -> None:
        """Show something else."""
        if self._props["content"] != content:
            self._props["content"] = str(content)
            self.update()


class Pieces:
    """The pieces of one open page."""

    def __init__(self, holder: Element, sections: Sections) -> None:
        self._holder = holder
        self._live: dict[str, Live] = {}
        self._build(sections)

    def take(self, sections: Sections) -> None:
        """Show what changed."""
        if [name for name, _ in sections] != list(self._live):
            self._holder.clear()
            self._build(sections)
            return
        for name, content in sections:
            self._live[name].put(content)

    def _build(self, sections: Sections) -> None:
        with self._holder:
            self._live = {name: Live(content) for name, content in sections}


GuestOf = Callable[[Request], Guest]


class Board:
    """The pages over one hub."""

    def __init__(self, source: Source, desk: Desk, settings: Settings, guest_of: GuestOf) -> None:
        self.source, self.desk, self.settings, self.guest_of = source, desk, settings, guest_of
        self.hub = Hub(source, settings.every_s)
        self._style = (_HERE / "board.css").read_text(encoding="utf-8") + colours()
        self._script = (_HERE / "frame.js").read_text(encoding="utf-8")

    # ---- who, and how they see it

    def language_of(self, request: Request) -> Language:
        """Return the language that was chosen, else the browser's where it is one of ours, else the centre's."""
        chosen = request.cookies.get(LANGUAGE) or ""
        wanted = request.headers.get("accept-language", "")[:2].lower()
        for name in (chosen, wanted, self.settings.language):
            if name in ("zh", "en"):
                return name  # type: ignore[return-value]
        return "en"

    # ---- pages

    def routes(self) -> None:
        """Declare all addresses."""
        self._places()
        self._lists()
        self._incidents()
        self._forms()
        app.get("/lang/{name}")(_language)
        app.exception_handler(404)(self._missing)
        app.get("/theme/{name}")(_theme)

    def _missing(self, request: Request, _error: Exception) -> Response:
        """Say that there is no such page, and lead to the first."""
        language = self.language_of(request)
        page = H(
            '<!doctype html><html lang="{}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            "<title>{}</title><style>body{{font:16px/1.5 sans-serif;margin:12vh auto;max-width:30rem}}</style>"
            '<h1>{}</h1><p><a href="/">{}</a></p></html>'
        )
        words = (word(key, language) for key in ("board_title", "no_such_page", "to_the_front"))
        return HTMLResponse(page.format("zh-CN" if language == "zh" else "en", *words), status_code=404)

    def _places(self) -> None:
        @ui.page("/")
        async def _city(request: Request) -> None:
            await self._page(request, "city", city.city)

        @ui.page("/county/{code}")
        async def _county(request: Request, code: str, page: int = 0) -> None:
            draw = _paged(lambda view, number: city.city(view, code, number), page)
            await self._page(request, f"county {code} {page}", draw)

        @ui.page("/site/{name}")
        async def _site(request: Request, name: str) -> None:
            await self._page(request, f"site {name}", lambda view: school.site(view, name), site=name)

        @ui.page("/device/{name}")
        async def _device(request: Request, name: str) -> None:
            site = name.partition(".")[0]
            await self._page(request, f"device {name}", lambda view: school.device(view, name), site=site)

    def _lists(self) -> None:
        @ui.page("/devices")
        async def _devices(request: Request, state: str = "", county: str = "", page: int = 0) -> None:
            known = state[:20]
            draw = _paged(lambda view, number: city.devices(view, known, county, number), page)
            await self._page(request, f"devices {known} {county} {page}", draw)

        @ui.page("/hotspots")
        async def _hotspots(request: Request, page: int = 0) -> None:
            await self._page(request, f"hotspots {page}", _paged(lists.hotspots, page))

        @ui.page("/rollout")
        async def _rollout(request: Request, county: str = "") -> None:
            await self._page(request, f"rollout {county}", lambda view: lists.rollout(view, county))

        @ui.page("/check")
        async def _check(request: Request) -> None:
            await self._page(request, "check", lists.check)

        @ui.page("/search")
        async def _search(request: Request, q: str = "") -> None:
            await self._page(request, f"search {q}", lambda view: lists.search(view, q[:100]), searched=q[:100])

        @ui.page("/disputes")
        async def _disputes(request: Request) -> None:
            await self._page(request, "disputes", lists.disputes)

    def _incidents(self) -> None:
        @ui.page("/incidents")
        async def _listing(request: Request) -> None:
            await self._page(request, "incidents", incidents.listing)

        @ui.page("/incident/{name}")
        async def _incident(request: Request, name: str) -> None:
            try:
                known = await asyncio.to_thread(self.desk.incident, name[:20])
            except SantongError:
                await self._page(request, f"no incident {name[:20]}", incidents.nothing)
                return

            def draw(view: View) -> Sections:
                # Of those of the last days the picture has the newest; an older one does not change any more.
                newest = next((one for one in view.picture.incidents if one.id == known.id), known)
                return incidents.incident(view, newest)

            await self._page(request, f"incident {known.id}", draw)
            incident_form(self._counter(request), self.desk, known)

    def _forms(self) -> None:
        @ui.page("/dispute/{number}")
        async def _dispute(request: Request, number: int) -> None:
            await self._page(request, f"dispute {number}", lambda view: lists.dispute(view, number))
            decision_form(self._counter(request), number)

        @ui.page("/file")
        async def _file(request: Request, kind: str = "closure", site: str = "", device: str = "") -> None:
            self._frame(request, self.guest_of(request), self.language_of(request))
            filing_form(self._counter(request), (kind, site, device))

    def _counter(self, request: Request) -> Counter:
        return Counter(self.hub, self.source, self.guest_of(request), self.language_of(request))

    async def _page(self, request: Request, key: str, draw: Draw, *, site: str = "", searched: str = "") -> None:
        guest, language = self.guest_of(request), self.language_of(request)
        page = Page(key, draw, site, guest, language)
        clock = Page("clock", self._clock, "", guest, language)
        holder = self._frame(request, guest, language, searched)
        await self.hub.open(page)
        pieces = Pieces(holder, self.hub.draw(page))
        page.take = _for(ui.context.client, pieces.take)
        page.leave = _leaving(ui.context.client)
        with holder.parent_slot.parent if holder.parent_slot else holder:  # beside the pieces
            top = Pieces(ui.element("div").classes("clock"), self.hub.draw(clock))
        clock.take = _for(ui.context.client, top.take)
        await self.hub.open(clock)

        def gone() -> None:
            self.hub.close(page)
            self.hub.close(clock)

        ui.context.client.on_delete(gone)

    def _clock(self, view: View) -> Sections:
        """Return when the picture was taken, and what could not be read."""
        at_ns = view.picture.at_ns
        said = f"{view.eyes.say('as_of')} {_second(at_ns, view)}" if at_ns else "…"
        clock = H('<span id="as-of" data-at="{}">{}</span>').format(at_ns // 10**9, said)
        stale = H('<p class="trouble" id="stale" hidden>{}</p>').format(view.eyes.say("stands_still"))
        return [("clock", join([clock, notices(view), stale]))]

    # ---- the frame

    def _frame(self, request: Request, guest: Guest, language: Language, searched: str = "") -> Element:
        """Put the frame of a page down and return what holds its pieces."""
        is_dark = request.cookies.get(THEME) == "dark"
        ui.add_head_html(f"<style>{self._style}</style><script>{self._script}</script>")
        ui.page_title(word("board_title", language))
        ui.query("body").classes("dark" if is_dark else "light")
        ui.query("html").props(f"lang={'zh-CN' if language == 'zh' else 'en'}")
        ui.html(self._head(request, guest, language, searched, is_dark=is_dark), sanitize=False)
        with ui.element("div").classes("board"):
            return ui.element("div").classes("pieces")

    def _head(self, request: Request, guest: Guest, language: Language, searched: str, *, is_dark: bool) -> Markup:
        here = request.url.path
        back = quote(f"{here}?{request.url.query}" if request.url.query else here, safe="")
        ways = join(
            H('<a href="{}" class="{}">{}</a>').format(
                address, "here" if (here == address or (address != "/" and here.startswith(address))) else "",
                word(key, language),
            )
            for address, key in _WAYS
        )  # fmt: skip
        pretended = H('<span class="pretended">{}</span>').format(word("pretend_district", language))
        other: Language = "en" if language == "zh" else "zh"
        theme = "light" if is_dark else "dark"
        return H(
            '<header class="top"><a class="title" href="/">{}</a>{}<nav>{}</nav>'
            '<form action="/search" role="search"><input name="q" value="{}" placeholder="{}" aria-label="{}"></form>'
            '<span class="switches"><a id="language" href="/lang/{}?back={}">{}</a>'
            '<a id="theme" href="/theme/{}?back={}">{}</a>{}</span></header>'
        ).format(
            word("board_title", language), pretended if self.settings.is_pretended else "", ways, searched,
            word("search_what", language), word("search", language), other, back, LANGUAGES[other],
            theme, back, word(THEMES[theme], language), _way_out(guest, language) if self.settings.may_leave else "",
        )  # fmt: skip


def _way_out(guest: Guest, language: Language) -> Markup:
    """Return who is logged in, and the button that logs them out."""
    return H(
        '<form class="out" action="/logout" method="post"><input type="hidden" name="token" value="{}">'
        '<span class="who">{}</span><button id="log-out">{}</button></form>'
    ).format(guest.token, guest.who.name, word("log_out", language))


def _second(at_ns: int, view: View) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, view.eyes.zone).strftime("%Y-%m-%d %H:%M:%S")


def _paged(draw: Callable[[View, int], Sections], page: int) -> Draw:
    return lambda view: draw(view, min(max(page, 0), 10_000))


def _for(client: Client, take: Callable[[Sections], None]) -> Callable[[Sections], None]:
    def taken(sections: Sections) -> None:
        with client:
            take(sections)

    return taken


def _leaving(client: Client) -> Callable[[], None]:
    def leave() -> None:
        with client:
            ui.navigate.reload()  # the door says what is to be done

    return leave


def _language(request: Request, name: str) -> Response:
    return _back(request, LANGUAGE, name if name in ("zh", "en") else "en")


def _theme(request: Request, name: str) -> Response:
    return _back(request, THEME, name if name in ("dark", "light") else "light")


def _back(request: Request, name: str, value: str) -> Response:
    """Return to where somebody came from, on this very site, with a choice kept in the browser."""
    back = request.query_params.get("back", "/")
    parts = urlsplit(back)
    is_ours = back.startswith("/") and not back.startswith(("//", "/\\")) and not parts.netloc
    answer = RedirectResponse(back if is_ours else "/", status_code=303)
    answer.set_cookie(name, value, max_age=365 * 86_400, samesite="lax", httponly=True)
    return answer


class Guarded:
    """The board with the headers of its pages, and without a word about those who left before they were answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what comes."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, text in _HEADERS.items():
                    headers[name] = text
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except RuntimeError as error:
            if str(error) != _LEFT:
                raise


def application(source: Source, desk: Desk, settings: Settings, guest_of: GuestOf) -> ASGIApp:
    """
    Return the board as an application, to be served behind a door that lets people in.

    `guest_of` tells who asks. NiceGUI has one set of pages a process, so this can be called once.
    """
    board = Board(source, desk, settings, guest_of)
    board.routes()
    outer = FastAPI(title="Santong", docs_url=None, redoc_url=None, openapi_url=None)

    tasks: list[asyncio.Task[None]] = []
    app.on_startup(lambda: tasks.append(asyncio.get_running_loop().create_task(board.hub.run())))
    ui.run_with(
        outer,
        title="Santong",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=30.0,
        language="zh-CN" if settings.language == "zh" else "en-US",
    )
    return Guarded(outer)
