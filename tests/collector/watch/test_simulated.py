"""What people are told of a simulated district, by the shipped rules and in hours of its own."""

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.collector.channels.receivers import Web, web
from tests.collector.watch.pretended import Pretended
from tests.collector.watch.test_properties import MEMORY


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in memory, where there is one: thousands of looks, none of which has to survive a power cut."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def receiver() -> Iterator[Web]:
    """Run somebody who gets messages."""
    with web() as server:
        yield server


def test_a_school_uplink_cut_is_one_message_and_its_recovery_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, receiver: Web
) -> None:
    """
    Of a school with a gateway, and of one whose classes alone are heard; a cut shorter than the hold-down is none.

    Meanwhile the others live: classes are switched on and off, fall asleep, and nobody is told.
    """
    district = Pretended(folder, monkeypatch, receiver, schools=12, devices_each=10)
    first, second, third = district.with_gateway[0], district.without_gateway[0], district.with_gateway[1]
    district.cut(first, 63, 88)
    district.cut(second, 125, 150)
    district.cut(third, 63, 65)
    district.live(175)
    district.shut()
    assert len(district.told) == 4, district.told
    for site, opened, recovered in ((first, *district.told[:2]), (second, *district.told[2:])):
        where = f"{district.name(site)} {site}, "
        assert re.match(rf"\[\d\] site cut off: {where}", opened)
        found = re.match(rf"\[\d\] recovered: site cut off, {where}(\d+) devices, .*, (\d+) service minutes", recovered)
        assert found and abs(int(found[2]) / int(found[1]) - 25) <= 5


def test_an_operators_cut_over_thirty_schools_is_one_message_and_its_recovery_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, receiver: Web
) -> None:
    """Whatever the schools are like: with a gateway or without, with most classes on or few."""
    district = Pretended(folder, monkeypatch, receiver, schools=66)
    for place in district.world.places[::2][:30]:
        assert place.operator == "operator-a"
        district.cut(place.id, 63, 88)
    district.live(110)
    district.shut()
    opened, recovered = district.told
    sites = re.match(r"\[\d+\] operator's cut: operator operator-a, (\d+) sites, ", opened)
    assert sites and 5 <= int(sites[1]) <= 30
    over = (
        r"\[\d+\] recovered: operator's cut, operator operator-a, \d+ sites, (\d+) devices, .*, (\d+) service minutes"
    )
    found = re.match(over, recovered)
    assert found and abs(int(found[2]) / int(found[1]) - 25) <= 5


@pytest.mark.parametrize(
    "flaps", [(20, 40, 2000, 20), (420, 840, 100, 12)], ids=["two thousand", "longer than hold-downs"]
)
def test_flaps_of_a_day_are_a_bounded_number_of_messages(
    folder: Path, monkeypatch: pytest.MonkeyPatch, receiver: Web, flaps: tuple[int, int, int, int]
) -> None:
    """A line that is away for 20 s of each 40 s two thousand times, or for 7 minutes of each 14 a hundred times."""
    away_s, every_s, times, most = flaps
    district = Pretended(folder, monkeypatch, receiver, schools=3)
    site = district.with_gateway[0]
    for number in range(times):
        district.cut(site, 60 + number * every_s / 60, 60 + (number * every_s + away_s) / 60)
    district.live(60 + times * every_s / 60 + 150, look=60_000)
    district.shut()
    assert 1 <= len(district.told) <= most, district.told
    assert all(site in line for line in district.told)
