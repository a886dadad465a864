"""A roster written as CSV is the same roster when it is read again."""

import string
import tempfile
from datetime import date
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collector.roster import canonical
from collector.roster.columns import MOST_MBPS, ROLES, named, plain
from collector.roster.findings import Known
from collector.roster.read import read
from collector.roster.schema import Area, Device, Reach, Roster, Site, SiteKind

EXAMPLE = Path(canonical.__file__).parent / "example"


def _is_kept(text: str, read_as: object) -> bool:
    assert callable(read_as)
    try:
        return bool(read_as(text) == text)
    except ValueError:
        return False


LETTERS = st.sampled_from("一(1)班（２）Ａb—、，。,;\"'=+-@#|/\\ é𠮷\u200b\u3000\xa0\t\n0.")
TEXT = st.text(LETTERS, max_size=12).map(lambda text: " ".join(text.split())).filter(lambda text: _is_kept(text, plain))
NAME = TEXT.filter(lambda text: _is_kept(text, named))
PIECE = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
DAY = st.dates(date(1990, 1, 1), date(2099, 12, 31))
MBPS = st.one_of(
    st.integers(1, int(MOST_MBPS)).map(float),
    st.floats(0.001, MOST_MBPS, allow_nan=False),
)
ROLE = st.sampled_from(sorted(set(ROLES.values())))


@st.composite
def site(draw: st.DrawFn) -> Site:
    """Return any site that may exist."""
    return Site(
        f"{draw(st.sampled_from(['441802', '441803']))}-{draw(PIECE)}",
        draw(TEXT),
        draw(st.none() | st.sampled_from(Area)),
        draw(st.sampled_from(SiteKind)),
        draw(TEXT),
        draw(st.none() | MBPS),
        draw(PIECE),
        draw(TEXT),
        draw(st.text(string.digits + "-", max_size=12)),
        draw(TEXT),
        draw(st.none() | st.integers(0, 999_999)),
        draw(TEXT),
    )


@st.composite
def rosters(draw: st.DrawFn) -> Roster:
    """Return any roster without mistakes."""
    sites = {one.id: one for one in draw(st.lists(site(), max_size=4))}
    devices: dict[str, Device] = {}
    for number in range(draw(st.integers(0, 6)) if sites else 0):
        at = draw(st.sampled_from(sorted(sites)))
        name = f"{at}.{draw(PIECE)}{number}"
        agents: list[str] = [other for other, device in devices.items() if device.site == at and not device.agent]
        first, commissioned, last = sorted(draw(st.tuples(DAY, DAY, DAY)))
        devices[name] = Device(
            name,
            draw(ROLE),
            f"r{number}" if draw(st.booleans()) else "",
            draw(NAME),
            draw(PIECE),
            draw(st.sampled_from(["", *agents])),
            draw(st.sampled_from([None, first])),
            draw(st.sampled_from([None, last])),
            draw(st.sampled_from([None, commissioned])),
            "",
            f"192.0.2.{number}" if draw(st.booleans()) else "",
            draw(st.sampled_from([None, Reach.PULL, Reach.NONE])),
        )
    return Roster(dict(sorted(sites.items())), dict(sorted(devices.items())))


@given(rosters())
def test_a_roster_survives_csv(roster: Roster) -> None:
    """As two files, and as one flat table: every site and device as it was, and the same hash."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in canonical.files(roster).items():
            (folder / file).write_bytes(content)
        (folder / "flat.csv").write_bytes(canonical.table(roster))
        pair = read([folder / canonical.SITES, folder / canonical.DEVICES])
        flat = read([folder / "flat.csv"])
    assert pair.roster == roster
    assert pair.errors == []
    assert canonical.digest(pair.roster) == canonical.digest(roster)
    if roster.sites:
        assert flat.roster == roster


def test_the_same_roster_has_the_same_hash_in_whatever_order() -> None:
    """The hash is of what is promised, not of how somebody sorted a table."""
    one, two = Site("441802-1", "甲"), Site("441802-2", "乙")
    assert canonical.digest(Roster({one.id: one, two.id: two}, {})) == canonical.digest(
        Roster({two.id: two, one.id: one}, {})
    )
    assert canonical.digest(Roster({one.id: one}, {})) != canonical.digest(Roster({two.id: two}, {}))


def test_a_roster_without_hosts_keeps_the_bytes_and_the_hash_it_always_had() -> None:
    """Reports and archives know rosters by their hash: columns that came later change it only where they are used."""
    site = Site("441802-1", "甲")
    panel = Device("441802-1.c1", "classroom", "c1", "一班", "x", valid_from=date(2025, 9, 1))
    old = Roster({site.id: site}, {panel.id: panel})
    assert canonical.digest(old) == "30ab8a8e36b15819522aa33fad578fada054129942eae73cb62799840bf1351e"
    assert b"host" not in canonical.table(old)
    reached = Roster(old.sites, {panel.id: panel._replace(host="192.0.2.7")})
    assert canonical.files(reached)[canonical.DEVICES].splitlines()[1].endswith(b",,,192.0.2.7")
    assert canonical.digest(reached) != canonical.digest(old)


def test_the_example_has_no_mistake_and_is_clearly_an_example() -> None:
    """It is shipped, and checks as any roster: profiles exist, and nobody in it does."""
    from firmware_profiles.library import Library  # noqa: PLC0415

    reading = read([EXAMPLE / "sites.csv", EXAMPLE / "devices.csv"], Known(profiles=frozenset(Library().ids())))
    assert reading.findings == ()
    assert len(reading.roster.devices) > 10
    assert all(
        site.id.startswith("441802-9990000") and site.name.startswith("示例") for site in reading.roster.sites.values()
    )
    assert {(site.contact, site.phone) for site in reading.roster.sites.values()} == {("信息中心值班", "000")}
