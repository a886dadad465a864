"""The difference of two rosters: added, retired, changed, perhaps moved, counted."""

from datetime import date

from collector.roster.diff import Change, Count, Move, as_text, compare
from collector.roster.schema import Device, Roster, Site

ONE, TWO = Site("441802-1", "甲校"), Site("441803-2", "乙校")


def roster(*devices: Device, sites: tuple[Site, ...] = (ONE, TWO)) -> Roster:
    """Return a roster of these."""
    return Roster({site.id: site for site in sites}, {device.id: device for device in devices})


def panel(site: Site, place: str, class_name: str = "", **more: date) -> Device:
    """Return a panel of a class."""
    return Device(f"{site.id}.{place}", "classroom", place, class_name, "pjlink-panel", **more)  # type: ignore[arg-type]


def test_the_same_roster_has_no_difference() -> None:
    """Nothing to say, and it says so."""
    same = compare(roster(panel(ONE, "c1")), roster(panel(ONE, "c1")))
    assert same.is_empty
    assert as_text(same, "en") == "the roster is the same"


def test_sites_and_devices_that_came_went_and_changed_are_told_field_by_field() -> None:
    """A field that was or is empty is empty text; values stand as in a table."""
    old = roster(panel(ONE, "c1"), panel(ONE, "c2"), sites=(ONE, TWO))
    new_site, better = Site("441803-3", "丙校"), ONE._replace(contracted_mbps=200.0)
    new = roster(panel(ONE, "c1", "一班", commissioned_on=date(2025, 9, 1)), panel(ONE, "c3"), sites=(better, new_site))
    found = compare(old, new)
    assert found.added_sites == (new_site,)
    assert found.retired_sites == (TWO,)
    assert found.changed_sites == (Change(ONE.id, "contracted_mbps", "", "200"),)
    assert [device.id for device in found.added_devices] == ["441802-1.c3"]
    assert [device.id for device in found.retired_devices] == ["441802-1.c2"]
    assert found.changed_devices == (
        Change("441802-1.c1", "class_name", "", "一班"),
        Change("441802-1.c1", "commissioned_on", "", "2025-09-01"),
    )


def test_a_device_that_gets_an_end_is_retired_and_changed() -> None:
    """A row that stays with a valid_to ends the device as one that goes does."""
    found = compare(roster(panel(ONE, "c1")), roster(panel(ONE, "c1", valid_to=date(2026, 1, 31))))
    assert [device.id for device in found.retired_devices] == ["441802-1.c1"]
    assert found.changed_devices == (Change("441802-1.c1", "valid_to", "", "2026-01-31"),)
    moved_end = compare(
        roster(panel(ONE, "c1", valid_to=date(2026, 1, 31))), roster(panel(ONE, "c1", valid_to=date(2026, 2, 1)))
    )
    assert moved_end.retired_devices == ()


def test_a_move_is_an_end_here_and_the_like_beginning_there() -> None:
    """Only a hint, and only where nothing else could be meant."""
    here, there = panel(ONE, "c1", "一班"), panel(TWO, "c1", "一班")
    assert compare(roster(here), roster(there)).moves == (Move(here.id, there.id),)
    ended = here._replace(valid_to=date(2026, 1, 31))
    assert compare(roster(here), roster(ended, there)).moves == (Move(here.id, there.id),)
    same_site = panel(ONE, "c9", "一班")._replace(room_id="c1")
    assert compare(roster(here), roster(same_site)).moves == ()
    assert compare(roster(here), roster(there._replace(class_name="二班"))).moves == ()
    two = (there, there._replace(id="441803-2.c2"))
    assert compare(roster(here), roster(*two)).moves == ()
    assert compare(roster(here, sites=(ONE,)), roster(sites=(ONE,))).moves == ()


def test_devices_are_counted_by_county_and_role() -> None:
    """Before and after, of each county and role that either has."""
    ap = Device("441803-2.ap1", "access-point")
    found = compare(roster(panel(ONE, "c1")), roster(panel(ONE, "c1"), panel(ONE, "c2"), ap))
    assert found.counts == (Count("441802", "classroom", 1, 2), Count("441803", "access-point", 0, 1))


def test_the_text_is_short_and_says_how_much_is_not_shown() -> None:
    """A city's first import fills no screen."""
    found = compare(roster(), roster(*(panel(ONE, f"c{n:02}") for n in range(30))))
    assert as_text(found, "zh", most=2).split("\n") == [
        "站点: 新增 0, 注销 0, 变更 0",
        "设备: 新增 30, 注销 0, 变更 0",
        "",
        "新增",
        "  + 441802-1.c00  classroom  pjlink-panel",
        "  + 441802-1.c01  classroom  pjlink-panel",
        "  … 28 条未显示",
        "",
        "各区县设备数",
        "  441802  classroom: 0 → 30  (+30)",
    ]


def test_the_whole_text() -> None:
    """Every kind of line, in English."""
    old = roster(panel(ONE, "c1", "一班"), panel(ONE, "c2"), sites=(ONE,))
    new = roster(panel(TWO, "c1", "一班"), panel(ONE, "c2", valid_to=date(2026, 1, 31)), sites=(ONE, TWO))
    assert as_text(compare(old, new), "en").split("\n") == [
        "sites: added 1, retired 0, changed 0",
        "devices: added 1, retired 2, changed 1",
        "",
        "added",
        "  + 441803-2  乙校",
        "",
        "added",
        "  + 441803-2.c1  classroom  一班  pjlink-panel",
        "",
        "retired",
        "  − 441802-1.c1  classroom  一班  pjlink-panel",
        "  − 441802-1.c2  classroom  pjlink-panel  → 2026-01-31",
        "",
        "changed",
        "  ~ 441802-1.c2  valid_to: – → 2026-01-31",
        "",
        "maybe moved",
        "  ↷ 441802-1.c1 → 441803-2.c1",
        "",
        "devices by county",
        "  441802  classroom: 2 → 1  (-1)",
        "  441803  classroom: 0 → 1  (+1)",
    ]


def test_the_json_has_everything() -> None:
    """Scripts get ids, changes with old and new value, hints and counts."""
    found = compare(roster(panel(ONE, "c1")), roster(panel(ONE, "c1", "一班")))
    assert found.as_json() == {
        "sites": {"added": [], "retired": [], "changed": []},
        "devices": {
            "added": [],
            "retired": [],
            "changed": [{"id": "441802-1.c1", "field": "class_name", "old": "", "new": "一班"}],
        },
        "moves": [],
        "counts": [{"county": "441802", "role": "classroom", "old": 1, "new": 1}],
    }
