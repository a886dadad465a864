"""The pages that inspectors take along."""

import re

import pytest

from collector.roster.schema import Roster
from collector.sampling.draw import Inspector
from collector.sampling.form import ROWS_A_PAGE, form, table
from collector.words import Language
from tests.collector.sampling.schools import SMALL, drawn

LANGUAGES: tuple[Language, ...] = ("zh", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_class_stands_on_the_page_of_its_inspector(language: Language) -> None:
    """Each inspector has pages of their own, of so many rows at most, numbered; every class is on one of them, once."""
    draw = drawn(30, inspectors=(Inspector("甲组"), Inspector("乙组")))
    pages = form(draw, language).split("<section>")[1:]
    assert len(pages) == sum(-(-sum(one.inspector == who for one in draw.classes) // ROWS_A_PAGE) for who in draw.sent)
    rows = [len(re.findall(r"<tr><td", page)) for page in pages]
    assert sum(rows) == 30
    assert max(rows) <= ROWS_A_PAGE
    for page in pages:
        (who,) = [name for name in draw.sent if name in page]
        assert all(one.one.site_name in "".join(pages) for one in draw.classes if one.inspector == who)
        assert draw.id in page
        assert page.count("☐") == 5 * len(re.findall(r"<tr><td", page))


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_needs_nothing_from_elsewhere(language: Language) -> None:
    """One file: no script, no picture, no font and no style that a printer at a school could not load."""
    text = form(drawn(10), language)
    assert not re.search(r"<(script|img|link|iframe)|url\(|https?:|@import", text)
    assert "size: A4" in text


def test_names_are_text() -> None:
    """A school whose name has signs of HTML is shown as it is."""
    sites = {name: site._replace(name="<b>一小&二小</b>") for name, site in SMALL.sites.items()}
    text = form(drawn(3, "<i>", roster=Roster(sites, SMALL.devices)), "zh")
    assert "&lt;b&gt;一小&amp;二小&lt;/b&gt;" in text
    assert "<b>一小" not in text
    assert "<i>" not in text


def test_without_inspectors_there_is_a_line_to_write_on() -> None:
    """Where nobody was named, all classes follow each other, and the name is left blank."""
    draw = drawn(12)
    assert draw.sent == [""]
    assert form(draw, "zh").count('<span class="blank">&nbsp;</span></b>') == 2


def test_a_name_is_no_formula() -> None:
    """What a school calls itself or its classes is no formula in the spreadsheet of whoever fills the table."""
    sites = {name: site._replace(name="=1+1") for name, site in SMALL.sites.items()}
    text = table(drawn(3, roster=Roster(sites, SMALL.devices)), "zh").decode("utf-8-sig")
    assert text.count(",'=1+1,") == 3
