"""
One task looks; everybody who has a page open gets what changed on it.

    every some seconds:  source.look ─▶ Picture ─┬▶ pages that are open, drawn once for all who see the same
                         source.detail ──────────┘  (of sites that somebody has open)
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from collector.board.detail import SiteDetail
from collector.board.draw import Eyes
from collector.board.model import Picture
from collector.board.source import Guest, Source
from collector.board.view import Sections, View
from collector.words import Language

log = logging.getLogger("santong.board")

DETAIL_S = 20.0
FORGOTTEN_S = 120.0
AT_ONCE = 8  # sites that are read again between two looks
RECORDED_S = 10.0  # the longest that somebody waits to see what they recorded
SHARE, LONGEST_S = 2, 30.0  # a look takes at most a third of the time, and the next one comes soon

Draw = Callable[[View], Sections]


class Page:
    """An open page: what draws it, for whom, how it takes what changed, and how it is taken away from somebody."""

    def __init__(self, key: Hashable, draw: Draw, site: str, guest: Guest, language: Language) -> None:
        self.key, self.draw, self.site = key, draw, site
        self.guest, self.language = guest, language
        self.take: Callable[[Sections], None] = lambda _: None
        self.leave: Callable[[], None] = lambda: None


class Hub:
    """The one task, and the pages that are open."""

    def __init__(self, source: Source, every_s: float) -> None:
        self._source = source
        self._every_s = every_s
        self._pages: set[Page] = set()
        self._details: dict[str, SiteDetail] = {}
        self._asked: dict[str, float] = {}
        self._read: dict[str, float] = {}
        self._drawn: dict[Hashable, Sections] = {}
        self._again = asyncio.Event()
        self._looks, self._is_looking = 0, False
        self._tasks: set[asyncio.Future[None]] = set()
        self.picture = Picture()
        self.look_s = 0.0

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return len(self._pages)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self._again.clear()
            began = time.monotonic()
            self._is_looking = True
            try:
                await self._look()
            except Exception:
                log.exception("a look failed; the next one comes")
            self._is_looking = False
            self._looks += 1
            self.look_s = time.monotonic() - began
            pause_s = max(self._every_s, min(SHARE * self.look_s, LONGEST_S))
            try:
                await asyncio.wait_for(self._again.wait(), pause_s)
            except TimeoutError:
                continue

    async def look_again(self) -> None:
        """Look at once, since something was recorded; return when it is in the picture, or after some seconds."""
        wanted = self._looks + (2 if self._is_looking else 1)  # the one that goes on may have read before
        self._again.set()
        until = time.monotonic() + RECORDED_S
        while self._looks < wanted and time.monotonic() < until:
            await asyncio.sleep(0.05)

    async def _look(self) -> None:
        self.picture = await asyncio.to_thread(self._source.look, time.time_ns())
        now = time.monotonic()
        for site in [site for site, at in self._asked.items() if now - at > FORGOTTEN_S]:
            if not any(page.site == site for page in self._pages):
                for known in (self._asked, self._read, self._details):
                    known.pop(site, None)
        due = sorted((at, site) for site, at in self._read.items() if now - at >= DETAIL_S)
        for _, site in due[:AT_ONCE]:
            await self._read_site(site)
        for page in await asyncio.to_thread(self._left_over, list(self._pages)):
            self.close(page)
            page.leave()
        await self.show()

    @staticmethod
    def _left_over(pages: list[Page]) -> list[Page]:
        """Return the pages of those who are not let in any more: a page is open for hours."""
        return [page for page in pages if not page.guest.still()]

    async def show(self) -> None:
        """Hand out what is known to all pages; drawn in a thread, so that nobody waits for it."""
        self._drawn.clear()
        drawn = await asyncio.to_thread(self._draw_all, list(self._pages))
        for page, sections in drawn:
            if page in self._pages:
                page.take(sections)

    def _draw_all(self, pages: list[Page]) -> list[tuple[Page, Sections]]:
        drawn = []
        for page in pages:
            try:
                drawn.append((page, self.draw(page)))
            except Exception:
                log.exception("%s could not be drawn; the others are", page.key)
        return drawn

    def draw(self, page: Page) -> Sections:
        """Return what a page shows now; drawn once for all whose role and scope are the same."""
        _, *scope = page.guest.who
        key = (page.key, *scope, page.language)
        found = self._drawn.get(key)
        if found is None:
            eyes = Eyes(page.language, self._source.zone, self.picture.at_ns or time.time_ns())
            view = View(self.picture, self._source.rest, page.guest.who, eyes, self._details)
            found = self._drawn[key] = page.draw(view)
        return found

    async def open(self, page: Page) -> None:
        """Take in a page; what of its site is not known is read, and waited for a little."""
        self._pages.add(page)
        if not page.site:
            return
        self._asked[page.site] = time.monotonic()
        if page.site not in self._details:
            self._read[page.site] = 0.0
            reading = asyncio.ensure_future(self._read_site(page.site))
            await asyncio.wait([reading], timeout=0.5)
            if not reading.done():
                reading.add_done_callback(lambda _: self._later(self.show()))

    def _later(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something beside what goes on; it is kept until it is done."""
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self, page: Page) -> None:
        """Forget a page."""
        self._pages.discard(page)

    async def _read_site(self, site: str) -> None:
        try:
            detail = await asyncio.to_thread(self._source.detail, site, time.time_ns())
        except Exception:
            log.exception("%s could not be read", site)
            return
        self._read[site] = time.monotonic()
        self._details[site] = detail
        self._drawn.clear()
