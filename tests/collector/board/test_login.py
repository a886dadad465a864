"""The board with a login, in a real Chromium: everybody sees and does what is theirs, while they are let in."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from collector.access.log import Log
from collector.access.passwords import hashed
from collector.access.types import Role, Who
from collector.access.users import User, Users, added
from collector.disputes.ledger import Ledger
from collector.watch.journal import EVERY, LOOKED, Journal
from collector.watch.memory import Case, Memory
from tests.collector.board.browser import BoardProcess, Tab, watched
from tests.collector.board.town import CLASSES, OTHER, SCHOOL, SQUARE, Town, last_minute
from tests.processes import BIN
from tests.services import free_port

PASSWORD = "correct horse battery"  # noqa: S105
TECHNICIAN = Who("wang", Role.TECHNICIAN, "", SCHOOL)
COUNTY = Who("li", Role.COUNTY, "441803")
VIEWER = Who("zhao", Role.VIEWER)
INCIDENT = "7"
HOUR_NS = 3600 * 10**9  # watch looks so seldom that it lives all the time


class Board(NamedTuple):
    """A board that asks for a login: where it is, and its town."""

    url: str
    town: Town


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board with three users over a town with one incident, in its first school."""
    town = Town(tmp_path_factory.mktemp("login") / "data")
    now_ns = last_minute()
    town.all_well(now_ns)
    kept = hashed(PASSWORD)
    for who in (TECHNICIAN, COUNTY, VIEWER):
        Users(town.data).change(added(User(who, kept)))
    journal, memory = Journal(town.data, create=True), Memory()
    memory.case(
        Case(INCIDENT, "device", f"device:{CLASSES[0]}", "441802", SCHOOL, "", CLASSES[:1], "wan_down", now_ns, now_ns)
    )
    journal.commit(memory, remember={LOOKED: str(time.time_ns()), EVERY: str(HOUR_NS)})
    journal.shut()
    port = free_port()
    running = BoardProcess(town.data, port, "--login")
    running.start()
    yield Board(f"http://127.0.0.1:{port}", town)
    running.stop()
    town.close()
    said = running.log.read_text()
    assert "Traceback" not in said, said


@pytest.fixture
def tab(board: Board, chromium: Browser) -> Iterator[Tab]:
    """Open a tab of somebody whom nobody knows yet."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    opened = watched(context)
    yield opened
    context.close()
    assert opened.hosts <= {board.url.removeprefix("http://")}


def log_in(page: Page, who: Who) -> None:
    """Fill in the login."""
    page.fill("#name", who.name)
    page.fill("#password", PASSWORD)
    page.click("button")


def done_by(data: Path, who: Who) -> list[str]:
    """Return what the log says that somebody did."""
    return [entry.what for entry in Log(data).examine().entries if entry and entry.who == who.name]


def test_a_link_leads_over_the_login_to_an_incident(board: Board, tab: Tab) -> None:
    """Whoever is told of an incident follows the link, logs in, and takes it on; the log says who did."""
    page = tab.page
    page.goto(f"{board.url}/incident/{INCIDENT}")
    log_in(page, TECHNICIAN)
    expect(page.locator("#incident h2")).to_contain_text(f"incident {INCIDENT}")
    expect(page.locator(".out .who")).to_have_text(TECHNICIAN.name)
    page.fill('input[data-field="text"]', "on my way")
    page.click("#write_note")
    expect(page.locator("#said")).to_have_text("recorded")
    page.click("#take_on")
    expect(page.locator("#incident .facts")).to_contain_text(TECHNICIAN.name)
    expect(page.locator("#note-table")).to_contain_text("on my way")
    found = Journal(board.town.data).incident(INCIDENT)
    assert (found.acknowledged_by, found.notes[0].text) == (TECHNICIAN.name, "on my way")
    assert done_by(board.town.data, TECHNICIAN)[-2:] == ["incident.note", "incident.ack"]
    page.click("#end_incident")
    expect(page.locator("#said")).to_have_text("say what happened, or why")
    assert done_by(board.town.data, TECHNICIAN)[-1] == "incident.ack", "what was refused did not happen"


def test_a_scope_is_all_that_somebody_sees(board: Board, tab: Tab) -> None:
    """A county sees its own sites, in lists, by address and by search; not those of others, nor their incidents."""
    page = tab.page
    page.goto(f"{board.url}/site/{OTHER}")
    log_in(page, COUNTY)
    expect(page.locator(".room")).to_have_count(4)
    for address in (f"/site/{SCHOOL}", f"/device/{CLASSES[0]}", f"/incident/{INCIDENT}"):
        page.goto(board.url + address)
        expect(page.locator(".empty.big")).to_contain_text("yours to see")
        assert page.locator("#write_note").count() == 0
    page.goto(f"{board.url}/search?q=c0701")
    expect(page.locator(".empty")).to_contain_text("nothing was found")
    page.goto(board.url)
    expect(page.locator("#county-table")).not_to_contain_text("Qingcheng")
    assert page.request.get(f"{board.url}/api/v1/status?site={SQUARE}").status == 403


def test_nobody_takes_another_s_name(board: Board, tab: Tab) -> None:
    """Whatever name a browser sends, who logged in is recorded; and one's own dispute is for another to decide."""
    page = tab.page
    page.goto(f"{board.url}/file?kind=dispute&site={OTHER}")
    log_in(page, COUNTY)

    def claim_to_be(name: str) -> None:
        page.locator('input[data-field="by"]').evaluate("field => { field.readOnly = false; }")
        page.fill('input[data-field="by"]', name)

    for field, text in (("first_day", "2026-03-02"), ("last_day", "2026-03-02"), ("text", "an exam")):
        page.fill(f'input[data-field="{field}"]', text)
    page.locator(".q-select").filter(has_text="reason").click()
    page.get_by_role("option", name="exam").first.click()
    claim_to_be("the head")
    page.click("#submit")
    expect(page.locator("#dispute h2")).to_contain_text("proposed")
    expect(page.locator("#withdraw")).to_be_visible()
    assert page.locator("#approve").count() == 0, "one's own is another's to decide"
    (filed,) = Ledger(board.town.data).read().disputes.values()
    assert (filed.proposed.by, filed.proposed.login) == (COUNTY.name, COUNTY.name)


def test_a_viewer_finds_no_forms(board: Board, tab: Tab) -> None:
    """A role that only sees is shown no form, and none is taken from it."""
    page = tab.page
    page.goto(f"{board.url}/incident/{INCIDENT}")
    log_in(page, VIEWER)
    expect(page.locator("#incident h2")).to_contain_text(f"incident {INCIDENT}")
    assert page.locator("#take_on").count() == 0
    page.goto(f"{board.url}/file?kind=closure&site={SCHOOL}")
    expect(page.locator(".empty.big")).to_contain_text("not yours to do")
    assert page.locator("#submit").count() == 0


def test_whoever_is_removed_loses_the_open_page(board: Board, tab: Tab) -> None:
    """An open page goes to the login once its user is removed, or has logged out in another tab."""
    santong = [str(BIN / "santong"), "user"]
    data = ["--data", str(board.town.data)]
    word = f"{PASSWORD}\n"
    subprocess.run([*santong, "add", "guest", "--role", "viewer", *data], input=word, text=True, check=True, timeout=60)
    page = tab.page
    page.goto(board.url)
    log_in(page, Who("guest", Role.VIEWER))
    expect(page.locator("#count-working")).to_be_visible()
    subprocess.run([*santong, "remove", "guest", *data], check=True, timeout=60)
    expect(page.locator("#password")).to_be_visible(timeout=20_000)
    log_in(page, VIEWER)
    expect(page.locator("#count-working")).to_be_visible()
    other = page.context.new_page()
    other.goto(board.url)
    other.click("#log-out")
    expect(other.locator("#password")).to_be_visible()
    expect(page.locator("#password")).to_be_visible(timeout=20_000)
