"""What a county sees of things that are not its own alone: incidents, findings, what was refused."""

from zoneinfo import ZoneInfo

from collector.access.types import LOCAL, Role, Who
from collector.board import city, incidents, lists
from collector.board.draw import Eyes
from collector.board.model import Picture, Rest, Watched
from collector.board.view import Sections, View
from collector.quarantine import Entry
from collector.roster.schema import Device, Roster, Site
from collector.verify.integrity import Concern, Finding
from collector.watch.types import Incident, Note

NOW_NS = 1_772_000_000 * 10**9
MINE, OTHER = "441803-3144000002", "441802-3144000001"
DEVICES = (f"{OTHER}.c0101", f"{MINE}.c0101")
ROSTER = Roster(
    {
        OTHER: Site(OTHER, "第一中学", contact="张老师", phone="0763-1"),
        MINE: Site(MINE, "第二小学", contact="李老师", phone="0763-2"),
    },
    {name: Device(name, role="classroom") for name in DEVICES},
)
CUT = Incident(
    "7", NOW_NS, None, "operator", "", "", "电信", DEVICES, "wan_down", 9, "wang", (Note(NOW_NS, "wang", "on it"),)
)
CLONE = Finding(Concern.NUMBER_CLASH, DEVICES, NOW_NS, None, ("SERIAL-1", "SERIAL-2"))
REFUSED = [
    Entry(NOW_NS, "", "", "e", -1, 0, "bad_topic", "rubbish of nobody", 7, b"rubbish"),
    Entry(NOW_NS, DEVICES[1], DEVICES[1], "e", 1, 0, "malformed", f"names {DEVICES[0]}", 7, b"secret of others"),
    Entry(NOW_NS, DEVICES[0], DEVICES[1], "e", 1, 0, "foreign_device", "between two counties", 7, b"between"),
]
COUNTY = Who("li", Role.COUNTY, "441803")


def view(who: Who) -> View:
    """Return what somebody sees of a picture with one cut over two counties."""
    picture = Picture(at_ns=NOW_NS, roster=ROSTER, watched=Watched(incidents=[CUT]))
    rest = Rest([CLONE], REFUSED, len(REFUSED))
    return View(picture, rest, who, Eyes("en", ZoneInfo("Asia/Shanghai"), NOW_NS))


def text(sections: Sections) -> str:
    """Return pieces as one text."""
    return "".join(str(content) for _, content in sections)


def test_an_incident_beyond_a_county_shows_its_own_part() -> None:
    """Its devices and the reason; neither notes, nor places, contacts or telephones of others."""
    seen = text(incidents.incident(view(COUNTY), CUT))
    assert MINE in seen
    assert "Internet down" in seen
    for foreign in (OTHER, "第一中学", "张老师", "0763-1", "on it"):
        assert foreign not in seen, foreign
    assert "on it" in text(incidents.incident(view(LOCAL), CUT))


def test_a_county_s_page_has_what_goes_over_several() -> None:
    """An operator's cut stands on the page of each county that it touches."""
    for county in ("441802", "441803"):
        assert "/incident/7" in text(city.city(view(LOCAL), county))
    assert "/incident/7" not in text(city.city(view(LOCAL), "441823"))


def test_a_finding_of_two_counties_names_nothing_of_the_other() -> None:
    """That something is to be checked, at one's own device; not the other's, nor the serials that were seen."""
    seen = text(lists.check(view(COUNTY)))
    assert f"/device/{DEVICES[1]}" in seen
    for foreign in (DEVICES[0], "SERIAL-1"):
        assert foreign not in seen, foreign
    assert "SERIAL-1" in text(lists.check(view(LOCAL)))


def test_what_was_refused_is_shown_without_others() -> None:
    """Rubbish that names nobody, and what two counties are in, is for the city; content is for the city alone."""
    seen = text(lists.check(view(COUNTY)))
    assert "names …" in seen
    for foreign in ("rubbish", "secret of others", "between two counties"):
        assert foreign not in seen, foreign
    assert "rubbish of nobody" in text(lists.check(view(LOCAL)))
