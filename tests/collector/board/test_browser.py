"""The board in a real Chromium, over `santong board` as its user runs it."""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from collector.board.state import FRESH_NS
from tests.collector.board.browser import BoardProcess, Tab, watched
from tests.collector.board.town import (
    CLASSES,
    GATEWAY,
    HOTSPOT,
    LATE,
    NEVER,
    OTHER_HOTSPOT,
    SCHOOL,
    SQUARE,
    Town,
    last_minute,
)
from tests.processes import BIN
from tests.services import free_port

WIDTHS = {"phone": (390, 844), "desktop": (1280, 800), "wall": (1920, 1080)}


class Board(NamedTuple):
    """A board that runs: where it is, and the town that it shows."""

    url: str
    town: Town


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board that looks every second at a town where all is well."""
    town = Town(tmp_path_factory.mktemp("board") / "data")
    town.all_well(last_minute())
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    running = BoardProcess(town.data, port)
    running.start()
    yield Board(url, town)
    running.stop()
    town.close()
    said = running.log.read_text()
    assert "Traceback" not in said, said


@pytest.fixture
def tab(board: Board, chromium: Browser) -> Iterator[Tab]:
    """Open a tab; afterwards nothing was complained of, and nothing loaded from anywhere but the board."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    opened = watched(context)
    yield opened
    context.close()
    assert opened.complaints == []
    assert opened.hosts <= {board.url.removeprefix("http://")}


def all_heard(board: Board) -> None:
    """Have all devices heard now: a test may begin minutes after the town was made."""
    board.town.all_well(last_minute(), minutes=3)


def test_from_the_city_to_a_classroom(board: Board, tab: Tab) -> None:
    """City → school → classroom by clicks: each says its name, its state in words, and the class its minutes."""
    all_heard(board)
    board.town.presence(CLASSES[0], time.time_ns(), wan=0)
    page = tab.page
    page.goto(board.url)
    expect(page.locator("#count-failing b")).to_have_text("1")
    page.locator("#worst-table a").first.click()
    expect(page.locator("h2").first).to_contain_text("第一中学")
    assert page.title() == "Santong"  # a name in the roster is no script
    expect(page.locator(".room")).to_have_count(6)
    room = page.locator(".room.s-failing")
    expect(room).to_contain_text("Internet down")
    room.click()
    expect(page.locator("#device-state")).to_contain_text("failing")
    expect(page.locator("#today .strip .c-working").first).to_be_visible()
    expect(page.locator("#today")).to_contain_text("working")
    page.locator(".facts a").first.click()
    expect(page.locator(f"#room-{NEVER.replace('.', '-')}")).to_contain_text("never reported")
    board.town.presence(CLASSES[0], time.time_ns())
    expect(page.locator(".room.s-working")).to_have_count(5)


def test_the_language_is_switched_and_kept(board: Board, tab: Tab) -> None:
    """A click shows the same page in the other language, and the next pages, too; dark as well."""
    page = tab.page
    page.goto(f"{board.url}/site/{SCHOOL}")
    expect(page.locator("#rooms h2")).to_contain_text("rooms")
    page.click("#language")
    expect(page.locator("#rooms h2")).to_contain_text("班级与位置")
    assert page.url.endswith(f"/site/{SCHOOL}")
    page.goto(f"{board.url}/hotspots")
    expect(page.locator("nav")).to_contain_text("推进进度")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.click("#theme")
    expect(page.locator("body.dark")).to_be_visible()
    page.click("#language")
    expect(page.locator("nav")).to_contain_text("Rollout")


def test_a_device_whose_evidence_ends_turns_offline_and_comes_back(board: Board, tab: Tab) -> None:
    """Nobody reloads: offline when its last word is too old, working with the next; the rest is not drawn anew."""
    all_heard(board)
    page = tab.page
    page.goto(f"{board.url}/site/{SQUARE}")
    mine, other = (page.locator(f"#room-{name.replace('.', '-')}") for name in (LATE, OTHER_HOTSPOT))
    expect(mine).to_contain_text("never reported")
    other.evaluate("tile => { tile.marked = true; }")
    began = page.evaluate("performance.timeOrigin")
    ends_ns = time.time_ns() + 12 * 10**9
    board.town.presence(LATE, ends_ns - FRESH_NS)
    expect(mine).to_have_class("room s-working")
    expect(mine).to_have_class("room s-offline")
    assert time.time_ns() >= ends_ns
    expect(mine).to_contain_text("no data")
    board.town.presence(LATE, time.time_ns())
    expect(mine).to_have_class("room s-working")
    assert other.evaluate("tile => tile.marked") is True
    assert page.evaluate("performance.timeOrigin") == began


def fill(page: Page, **values: str) -> None:
    """Fill in fields of a form by their names."""
    for name, value in values.items():
        page.locator(f'input[data-field="{name}"]').fill(value)


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a list."""
    page.locator(".q-select").filter(has_text=label).click()
    page.get_by_role("option", name=option).click()


def test_a_closure_is_filed_and_approved_by_another(board: Board, tab: Tab) -> None:
    """Filed from the school's page; the same name cannot approve it, another can; it is in the list, and in force."""
    page = tab.page
    page.goto(f"{board.url}/site/{SQUARE}")
    page.get_by_text("file a closure").click()
    fill(page, first_day="2026-03-02", last_day="2026-03-03", text="The square is paved anew", by="Wang")
    choose(page, "reason", "building works")
    page.click("#submit")
    expect(page.locator("#dispute h2")).to_contain_text("proposed")
    page.click("#approve")
    expect(page.locator("#said")).to_have_text("say who you are")
    fill(page, by="wang")
    page.click("#approve")
    expect(page.locator("#said")).to_contain_text("another person must decide")
    fill(page, by="Li")
    page.click("#approve")
    expect(page.locator("#dispute h2")).to_contain_text("approved")
    expect(page.locator("#history-table")).to_contain_text("Li")
    expect(page.locator("#approve")).to_have_count(0)  # the page was loaded anew: it is decided
    expect(page.locator("#withdraw")).to_be_visible()
    page.goto(f"{board.url}/disputes")
    expect(page.locator("#dispute-table")).to_contain_text("building works")


def test_a_form_says_what_is_wrong(board: Board, tab: Tab) -> None:
    """A place that the roster does not have is named, and nothing is filed."""
    page = tab.page
    page.goto(f"{board.url}/file?kind=dispute")
    fill(page, place="441802-nowhere", first_day="2026-03-02", text="x", by="Wang")
    page.click("#submit")
    expect(page.locator("#said")).to_have_text("choose a reason")
    choose(page, "reason", "exam")
    page.click("#submit")
    expect(page.locator("#said")).to_contain_text("441802-nowhere")


def test_an_address_that_is_none_leads_back(board: Board, tab: Tab) -> None:
    """A page of our own in the language of whoever looks, with the way to the first page."""
    assert ask(board, "/nonsense").status == 404
    tab.page.goto(f"{board.url}/nonsense")
    expect(tab.page.locator("h1")).to_have_text("there is no such page")
    tab.complaints.clear()  # Chromium writes down that it was 404
    tab.page.click("a")
    expect(tab.page.locator("#count-working")).to_be_visible()


def test_search_finds_by_name_and_id(board: Board, tab: Tab) -> None:
    """Schools and classes by what people call them, devices by their places."""
    page = tab.page
    page.goto(board.url)
    for text, found in (("初一(2)", CLASSES[1]), ("人民广场", SQUARE), ("gw1", GATEWAY)):
        page.fill("header input[name=q]", text)
        page.press("header input[name=q]", "Enter")
        expect(page.locator("#found-table")).to_contain_text(found)
    page.locator("#found-table a").last.click()
    expect(page.locator("#device-state")).to_be_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_every_width(board: Board, chromium: Browser, width: str, language: str) -> None:
    """Phone, desktop, wall, in both languages: no page is wider than its screen, and nothing is complained of."""
    all_heard(board)
    wide, high = WIDTHS[width]
    context = chromium.new_context(viewport={"width": wide, "height": high})
    context.add_cookies([{"name": "santong_lang", "value": language, "url": board.url}])
    tab = watched(context)
    for address in ("/", "/county/441802", f"/site/{SCHOOL}", f"/device/{CLASSES[0]}", f"/device/{HOTSPOT}",
                    "/devices?state=working", "/hotspots", "/rollout", "/check", "/disputes", "/file", "/search?q=初",
                    "/device/441802-1.nobody"):  # fmt: skip
        tab.page.goto(board.url + address)
        expect(tab.page.locator(".card, .empty").first).to_be_visible()
        extra = tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert extra <= 0, f"{address} is {extra} px too wide"
    context.close()
    assert tab.complaints == []
    assert tab.hosts == {board.url.removeprefix("http://")}


def ask(board: Board, path: str, host: str = "") -> http.client.HTTPResponse:
    """Ask without a browser."""
    connection = http.client.HTTPConnection(board.url.removeprefix("http://"), timeout=20)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def test_answers_forbid_loading_from_elsewhere(board: Board) -> None:
    """The policy of every page names this server alone."""
    answer = ask(board, "/hotspots")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'")
    assert "https:" not in policy
    assert b'src="http' not in answer.body  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("back", "to"),
    [("/rollout?county=441802", "/rollout?county=441802"), ("https://elsewhere.example/", "/"),
     ("//elsewhere.example", "/"), ("/\\elsewhere.example", "/")],
)  # fmt: skip
def test_a_switch_leads_back_and_nowhere_else(board: Board, back: str, to: str) -> None:
    """To the page that was looked at; an address elsewhere is none."""
    answer = ask(board, f"/theme/dark?back={quote(back, safe='')}")
    assert (answer.status, answer.headers["Location"]) == (303, to)


def test_another_name_than_this_machine_s_is_refused(board: Board) -> None:
    """Nobody logs in on localhost, so a page of somebody else's cannot reach the board by a name of its own."""
    assert ask(board, "/", "elsewhere.example").status == 403


def test_the_api_is_beside_the_pages(board: Board) -> None:
    """The same address answers programs: the API, its page, what Prometheus reads, whether all is well."""
    all_heard(board)
    for path in ("/api/v1/status", "/api/docs", "/metrics"):
        assert ask(board, path).status == 200, path
    states = json.loads(ask(board, "/api/v1/status").body)  # type: ignore[attr-defined]
    assert {one["device"] for one in states["items"]} >= set(CLASSES)
    health = json.loads(ask(board, "/healthz").body)  # type: ignore[attr-defined]
    assert health["parts"]["store"]["ok"]


def refused(*words: str) -> str:
    """Return the one line in which `santong board` says why it does not start."""
    command = [str(BIN / "santong"), "board", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_a_taken_port_is_one_line(tmp_path: Path, board: Board) -> None:
    """The error names the port; there is no traceback."""
    Town(tmp_path / "data").close()
    port = board.url.rpartition(":")[2]
    assert f"127.0.0.1:{port}: Address already in use" in refused("--data", str(tmp_path / "data"), "--port", port)


def test_elsewhere_it_listens_only_where_people_can_log_in(tmp_path: Path) -> None:
    """Where nobody could log in it does not start on another address, and says how users are added."""
    Town(tmp_path / "data").close()
    said = refused("--data", str(tmp_path / "data"), "--listen", f"0.0.0.0:{free_port()}")
    assert "santong user add" in said
