"""Draws that anybody can repeat, and what holds for every draw."""

import hashlib
import json
import subprocess
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.roster.schema import Device, Roster, Site
from collector.sampling.allocate import allocate
from collector.sampling.draw import CannotDraw, Draw, Inspector
from collector.sampling.frame import frame_of
from collector.sampling.tickets import in_order, new_seed, seed_of, ticket
from tests.collector.sampling.schools import SMALL, drawn, roster_of

COUNTIES = ("441802", "441881", "441882")
ROSTERS = st.dictionaries(
    st.tuples(st.sampled_from(COUNTIES), st.sampled_from(["urban", "rural", ""])),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    min_size=1,
).map(roster_of)
SEEDS = st.text("0123456789abc 期", min_size=1, max_size=8)


def test_a_ticket_is_what_sha256sum_prints() -> None:
    """Whoever has `sha256sum` can draw again without any of this software."""
    text = "santong-sample/1\nclass\n第2026135期\n441802-1001/03"
    printed = subprocess.run(["sha256sum"], input=text.encode(), capture_output=True, check=True).stdout.decode()
    assert ticket("第2026135期", "class", "441802-1001/03") == printed.split()[0]


def test_the_smallest_tickets_are_drawn() -> None:
    """Names are drawn in the order of their hashes."""
    names = [f"n{number}" for number in range(50)]
    by_hand = sorted(names, key=lambda name: hashlib.sha256(f"santong-sample/1\nclass\nx\n{name}".encode()).hexdigest())
    assert in_order("x", "class", reversed(names)) == by_hand


def test_a_golden_draw() -> None:
    """This roster, seed and size have been this sample from the first version on, and will be."""
    people = (Inspector("甲组", ("441802-1001",)), Inspector("乙组", ("441881",)), Inspector("丙组"))
    found = drawn(10, "第2026135期 03 09 14", people)
    assert [(one.inspector, one.one.room) for one in found.classes] == GOLDEN
    assert found.id == GOLDEN_ID
    assert [tuple(one) for one in found.strata] == [
        ("441802/rural", 5, 1), ("441802/urban", 10, 3), ("441881/rural", 18, 5), ("441882/-", 1, 1),
    ]  # fmt: skip


def test_another_seed_is_another_sample_and_another_name() -> None:
    """A sample's id follows from its content: seed, size and roster."""
    ids = {drawn(10, seed).id for seed in "123"} | {
        drawn(11, "1").id,
        drawn(10, "1", roster=roster_of({("1", ""): [9]})).id,
    }
    assert len(ids) == 5


def test_a_changed_telephone_number_is_the_same_classes() -> None:
    """Nobody who knows the seed can get other classes by changing what says nothing of classes."""
    sites = {name: site._replace(phone="0763-0000000") for name, site in SMALL.sites.items()}
    before, after = drawn(10), drawn(10, roster=Roster(sites, SMALL.devices))
    assert [one.one.room for one in before.classes] == [one.one.room for one in after.classes]
    assert before.id != after.id


def test_what_was_written_down_is_read_back() -> None:
    """draw.json has all of a sample, and the same bytes for the same sample."""
    found = drawn(7, inspectors=(Inspector("甲组", ("441881",)), Inspector("乙组")))
    again = Draw.from_json(json.loads(found.canonical()))
    assert again == found
    assert again.canonical() == found.canonical()


@given(ROSTERS, SEEDS, st.integers(1, 60))
def test_what_holds_for_every_draw(roster: Roster, seed: str, size: int) -> None:
    """Every class is drawn at most once, each stratum has exactly its number, and all are of the roster."""
    found = drawn(size, seed, roster=roster)
    rooms = [one.one.room for one in found.classes]
    known = {device.room for device in roster.devices.values()}
    assert len(set(rooms)) == len(rooms) == min(size, len(known))
    assert set(rooms) <= known
    by_stratum = Counter(one.one.stratum for one in found.classes)
    assert allocate({one.name: one.classes for one in found.strata}, size) == {
        one.name: by_stratum[one.name] for one in found.strata
    }


@given(ROSTERS, SEEDS, st.integers(1, 60), st.integers(1, 4), st.data())
def test_nobody_is_sent_where_they_belong(
    roster: Roster, seed: str, size: int, people: int, data: st.DataObject
) -> None:
    """An inspector never gets a school of theirs, a school goes to one inspector, and an impossible draw is said."""
    places = st.sampled_from([*sorted(roster.sites), *sorted({site.county for site in roster.sites.values()})])
    listed = [
        Inspector(f"{number}组", tuple(data.draw(st.lists(places, max_size=3)))) for number in range(1, people + 1)
    ]
    by_name = {one.name: one for one in listed}
    try:
        found = drawn(size, seed, listed, roster=roster)
    except CannotDraw:
        assert any(not any(one.may_see(site) for one in listed) for site in roster.sites)
        return
    sent = {(one.one.site, one.inspector) for one in found.classes}
    assert len({site for site, _ in sent}) == len(sent)
    assert all(by_name[name].may_see(site) for site, name in sent)


def test_work_is_shared() -> None:
    """Where anybody may go anywhere, loads differ by no more than the largest school's classes."""
    people = [Inspector(f"{number}组") for number in range(1, 4)]
    loads = Counter(one.inspector for one in drawn(30, inspectors=people).classes)
    assert len(loads) == 3
    assert max(loads.values()) - min(loads.values()) <= 8


def test_inspectors_are_drawn_too() -> None:
    """With --people only so many of the list are sent, and another seed sends others."""
    people = [Inspector(f"{number}组") for number in range(1, 9)]
    sent = {seed: tuple(sorted(drawn(20, seed, people, people=2).sent)) for seed in "abcdefgh"}
    assert {len(some) for some in sent.values()} == {2}
    assert len(set(sent.values())) > 4


def test_what_cannot_be_drawn_is_said() -> None:
    """Without classes, with too few inspectors, or where all belong to a school, there is no sample."""
    with pytest.raises(CannotDraw, match="no class"):
        drawn(5, county="441826")
    with pytest.raises(CannotDraw, match="3 inspectors are asked for, and the list has 1"):
        drawn(5, inspectors=[Inspector("甲组")], people=3)
    with pytest.raises(CannotDraw, match=r"441882-3001: all inspectors .* belong to it"):
        drawn(34, inspectors=[Inspector("甲组", ("441882",))])


def test_each_class_is_as_likely_as_any_other() -> None:
    """Over many seeds every class of a stratum comes up about as often: 2,000 draws of 5 of 18, expected 555."""
    roster = roster_of({("441881", "rural"): [8, 6, 4]})
    counts = Counter(one.one.room for seed in range(2000) for one in drawn(5, f"{seed}", roster=roster).classes)
    assert len(counts) == 18
    assert all(abs(number - 555.6) < 5 * 20 for number in counts.values())  # sqrt(2000 × 5/18 × 13/18) = 20


def test_the_frame_is_what_counts_on_the_day() -> None:
    """Devices of one room are one class; what is not commissioned yet, ended or not wanted cannot be drawn."""
    site = "441802-1"
    devices = [
        Device(f"{site}.pc", "classroom", "701", "七(1)班"),
        Device(f"{site}.projector", "projector", "701"),
        Device(f"{site}.c702", "classroom", commissioned_on=date(2026, 9, 2)),
        Device(f"{site}.c703", "classroom", valid_to=date(2026, 8, 31)),
        Device(f"{site}.ap", "access-point"),
    ]
    roster = Roster({site: Site(site, "示例学校", declared_classes=4)}, {one.id: one for one in devices})
    frame = frame_of(roster, date(2026, 9, 1), lambda device, _: device.role != "access-point")
    assert [(one.room, one.title) for one in frame.strata["441802/-"]] == [(f"{site}/701", "七(1)班")]
    assert frame.undelivered == 3


def test_seeds() -> None:
    """A seed is a line that can be printed; without one it is 128 bits that nobody could know."""
    assert seed_of("  2026135 \n") == "2026135"
    assert len(new_seed()) == 32
    assert new_seed() != new_seed()
    for text in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(ValueError, match="1 to 200 characters"):
            seed_of(text)


# Tickets by sha256sum, order by sort, numbers by hand: 10 of 34 in 5, 10, 18, 1 gives 1 to the last, and of 9 the
# quotas 1.36, 2.73 and 4.91 give 1, 3 and 5.
GOLDEN = [
    ("丙组", "441802-1001/01"),
    ("丙组", "441802-1001/04"),
    ("丙组", "441802-1001/05"),
    ("丙组", "441802-2001/03"),
    ("丙组", "441881-2001/02"),
    ("乙组", "441882-3001/01"),
    ("甲组", "441881-2002/01"),
    ("甲组", "441881-2002/02"),
    ("甲组", "441881-2002/03"),
    ("甲组", "441881-2003/01"),
]
GOLDEN_ID = "c29880ea53da"
