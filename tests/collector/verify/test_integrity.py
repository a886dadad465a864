"""Findings of integrity, beyond the page of cases (`golden.md`): their periods, and what somebody decided."""

import pytest

from collector.verify.evidence import Identified
from collector.verify.integrity import Cleared, Concern, Finding, doubted, findings, is_virtual

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
ONE, TWO = "441802-3144000001.c0101", "441802-3144000001.c0102"
OTHER, MATE, THIRD = (f"441802-3144000002.c010{number}" for number in (1, 2, 3))


def rows(*sights: tuple[int, str], subnet: str = "") -> list[Identified]:
    """Return rows by (time, gateway)."""
    return [Identified(at, "S", gateway, subnet) for at, gateway in sights]


def serials(*sights: tuple[int, str]) -> dict[str, list[Identified]]:
    """Return the rows of one device by (time, serial)."""
    return {ONE: [Identified(at, serial) for at, serial in sights]}


def test_a_clash_goes_on_until_one_machine_was_alone_for_a_day() -> None:
    """Doubt begins when the second machine is seen, ends where one of them comes to be alone, and else goes on."""
    turns = [(hour * HOUR, "ABABA"[hour]) for hour in range(5)]
    (goes_on,) = findings(serials(*turns))
    assert goes_on == Finding(Concern.NUMBER_CLASH, (ONE,), HOUR, None, ("B", "A"), (ONE,))
    (over,) = findings(serials(*turns, (4 * HOUR + DAY, "A")))
    assert (over.since_ns, over.until_ns) == (HOUR, 4 * HOUR)
    (replaced,) = findings(serials(*turns, (5 * HOUR, "C"), (9 * HOUR, "C")))
    assert (replaced.since_ns, replaced.until_ns) == (HOUR, 5 * HOUR)


def test_two_clashes_are_two_findings() -> None:
    """What was over and begins anew is a finding of its own."""
    first = [(0, "A"), (HOUR, "B"), (2 * HOUR, "A"), (40 * HOUR, "A")]
    both = findings(serials(*first, (50 * HOUR, "B"), (51 * HOUR, "A")))
    assert [(one.since_ns, one.until_ns) for one in both] == [(HOUR, 2 * HOUR), (50 * HOUR, None)]


def hourly(serials: str, gateways: str) -> list[Identified]:
    """Return what an agent said each hour, a letter a serial and a digit a gateway; a dot: nothing."""
    pairs = enumerate(zip(serials.split(), gateways.split(), strict=True))
    return [Identified(hour * HOUR, *pair) for hour, pair in pairs if "." not in pair]


def told(found: tuple[Finding, ...]) -> list[tuple[str, list[str], int, int | None, list[str]]]:
    """Return kind, devices, first and last hour, and those in doubt."""
    names = {ONE: "one", TWO: "two", OTHER: "other", MATE: "mate", THIRD: "third"}
    return [
        (
            str(one.kind),
            [names[device] for device in one.devices],
            one.since_ns // HOUR,
            None if one.until_ns is None else one.until_ns // HOUR,
            [names[device] for device in one.doubted],
        )
        for one in found
    ]


def test_a_clone_in_another_school_is_two_findings_however_often_it_speaks() -> None:
    """Both machines tell hourly where they are. That is no move an hour, and no gateway shared anew each hour."""
    cloned = hourly("A A B A B A B A B", "1 1 2 1 2 1 2 1 2")
    home = hourly("C C C C C C C C C", "1 1 1 1 1 1 1 1 1")
    there = hourly("D D D . D D D . D", "2 2 2 . 2 2 2 . 2")
    found = findings({ONE: cloned, TWO: home, OTHER: there, MATE: there})
    assert told(found) == [
        ("number_clash", ["one"], 2, None, ["one"]),
        ("shared_gateway", ["one", "other", "mate"], 2, None, ["one"]),
    ]


def test_a_clone_that_is_gone_shares_no_gateway_any_more() -> None:
    """When one machine was alone for a day the clash is over, and with it what the other one was behind."""
    cloned = [*hourly("A B A B A", "1 2 1 2 1"), Identified(30 * HOUR, "A", "1")]
    there = hourly("D D D D D", "2 2 2 2 2")
    found = findings({ONE: cloned, OTHER: there, MATE: there})
    assert told(found) == [
        ("number_clash", ["one"], 1, 4, ["one"]),
        ("shared_gateway", ["one", "other", "mate"], 1, 4, ["one"]),
    ]


def test_where_the_clone_stays_for_good_the_number_has_moved() -> None:
    """The first machine is gone: from then on the number is behind the other school's gateway, away from its own."""
    cloned = [*hourly("A B A B . ", "1 2 1 2 ."), Identified(40 * HOUR, "B", "2")]
    home = [*hourly("C C C C C", "1 1 1 1 1"), Identified(40 * HOUR, "C", "1")]
    there = hourly("D D D D D", "2 2 2 2 2")
    found = findings({ONE: cloned, TWO: home, OTHER: there, MATE: there, THIRD: there})
    assert told(found) == [
        ("number_clash", ["one"], 1, 3, ["one"]),
        ("shared_gateway", ["one", "other", "mate", "third"], 1, None, ["one"]),
        ("place", ["one"], 3, None, ["one"]),
    ]


def test_each_of_three_machines_is_where_it_is() -> None:
    """A card that was copied twice: each copy is found where it is, and an exchanged gateway at home is one notice."""
    cloned = hourly("A B C A B C A B C", "1 2 3 1 2 3 4 2 3")
    home = hourly("D D D D D D D D D", "1 1 1 1 1 1 4 4 4")
    second, third = hourly("E E E E E E E E E", "2 2 2 2 2 2 2 2 2"), hourly("F F F F F F F F F", "3 3 3 3 3 3 3 3 3")
    found = findings({ONE: cloned, TWO: home, OTHER: second, MATE: third})
    assert told(found) == [
        ("number_clash", ["one"], 1, None, ["one"]),
        ("shared_gateway", ["one", "other"], 1, None, ["one", "other"]),
        ("shared_gateway", ["one", "mate"], 2, None, ["one", "mate"]),
        ("place", ["one", "two"], 6, None, []),
    ]


def test_two_live_boots_are_a_clash() -> None:
    """Cards copied for machines without a serial of their own: the boots take turns, which one machine's never do."""
    boots = {ONE: [(0, "a"), (60, "b"), (120, "a"), (180, "b")]}
    (found,) = findings({}, boots)
    assert (found.kind, found.seen, found.since_ns) == (Concern.NUMBER_CLASH, ("b", "a"), 60)
    assert not findings({}, {ONE: [(0, "a"), (60, "b"), (120, "c")]})


def test_a_serial_that_is_not_seen_changes_nothing() -> None:
    """An empty word is no other serial."""
    assert not findings(serials((0, "A"), (HOUR, ""), (2 * HOUR, "A")))


def test_a_gateway_that_changed_for_all_within_minutes_is_one_notice() -> None:
    """Devices notice at their own minute; those that are still seen at the old one shortly after are no proof of it."""
    found = findings(
        {
            ONE: rows((0, "G1"), (10 * HOUR, "G2"), (11 * HOUR, "G2")),
            TWO: rows((0, "G1"), (10 * HOUR + HOUR // 10, "G1"), (10 * HOUR + HOUR // 5, "G2")),
        }
    )
    assert found == (Finding(Concern.PLACE, (ONE, TWO), 10 * HOUR, None, ("g1", "g2")),)
    assert doubted(found) == {}


def test_a_device_that_went_first_is_no_guest_once_the_others_follow() -> None:
    """Doubt ends when the gateway to which one device had gone became that of the others."""
    found = findings(
        {ONE: rows((0, "G1"), (DAY, "G2"), (9 * DAY, "G2")), TWO: rows((0, "G1"), (3 * DAY, "G1"), (4 * DAY, "G2"))}
    )
    (guest,) = [one for one in found if one.doubted]
    assert (guest.devices, guest.since_ns, guest.until_ns) == ((ONE,), DAY, 4 * DAY)


def test_behind_a_virtual_router_the_subnet_tells_the_place() -> None:
    """The address of a virtual router is everywhere: a device that is in another subnet behind one has moved."""
    virtual = "00:00:5E:00:01:0A"
    moved = [*rows((0, virtual), subnet="10.1.1.0/24"), *rows((DAY, virtual), (5 * DAY, virtual), subnet="10.9.9.0/24")]
    stayed = rows((0, virtual), (5 * DAY, virtual), subnet="10.1.1.0/24")
    (found,) = findings({ONE: moved, TWO: stayed})
    assert (found.kind, found.devices, found.seen) == (
        Concern.PLACE, (ONE,), ("subnet 10.1.1.0/24", "subnet 10.9.9.0/24"),
    )  # fmt: skip


def test_behind_the_same_router_another_subnet_is_no_other_place() -> None:
    """A school that divides its network has moved nowhere."""
    mac = "94:83:c4:00:00:01"
    divided = [*rows((0, mac), subnet="10.1.1.0/24"), *rows((DAY, mac), subnet="10.1.2.0/24")]
    assert not findings({ONE: divided, TWO: rows((0, mac), (5 * DAY, mac), subnet="10.1.1.0/24")})


@pytest.mark.parametrize(
    ("mac", "is_one"),
    [
        ("00:00:5e:00:01:01", True),
        ("00-00-5E-00-02-FF", True),
        ("00:00:0c:07:ac:0a", True),
        ("00:00:0c:9f:f0:01", True),
        ("00:07:b4:00:01:02", True),
        ("00:00:5e:00:53:01", False),
        ("94:83:c4:00:00:01", False),
    ],
)
def test_virtual_routers(mac: str, is_one: bool) -> None:
    """Addresses of VRRP, HSRP and GLBP are known as such, however they are written."""
    assert is_virtual(mac) is is_one


def test_shared_only_while_both_are_there() -> None:
    """A gateway that one school had after another was never shared; doubt is for the time in which it was."""
    before = rows((0, "G1"), (DAY, "G1"), (2 * DAY, "G2"))
    after = rows((0, "G3"), (3 * DAY, "G1"))
    assert not [one for one in findings({ONE: before, OTHER: after}) if one.kind is Concern.SHARED_GATEWAY]
    early = rows((0, "G3"), (DAY, "G1"), (9 * DAY, "G1"))
    (found,) = [one for one in findings({ONE: before, OTHER: early}) if one.kind is Concern.SHARED_GATEWAY]
    assert (found.since_ns, found.until_ns, found.devices) == (DAY, 2 * DAY, (ONE, OTHER))


def test_evidence_counts_again_once_somebody_said_so() -> None:
    """What was found to be all right is doubted no more: for this agent, this kind of finding and this time alone."""
    found = findings(serials((0, "A"), (HOUR, "B"), (2 * HOUR, "A")))
    ((since, until),) = doubted(found)[ONE]
    assert since == HOUR
    assert until > 1000 * DAY
    decision = Cleared(Concern.NUMBER_CLASH, ONE, 0, until)
    assert doubted(found, [decision]) == {}
    assert doubted(found, [decision._replace(kind=Concern.PLACE)]) == doubted(found)
    assert doubted(found, [decision._replace(device=TWO)]) == doubted(found)
    hours = [decision._replace(since_ns=a * HOUR, until_ns=b * HOUR) for a, b in ((3, 4), (3, 6), (0, 2))]
    assert doubted(found, hours) == {ONE: ((2 * HOUR, 3 * HOUR), (6 * HOUR, until))}
