"""Headers and cells as people write them."""

from datetime import date
from typing import get_args, get_type_hints

import pytest

from collector.roster import columns
from collector.roster.columns import AREAS, HEADERS, KINDS, ROLES, recognised
from collector.roster.schema import Area, Device, Site, SiteKind
from firmware_profiles.schema import Profile


def names(*headers: str) -> list[str]:
    """Return the names of the columns of headers, nothing for unknown ones."""
    return [column.name if column else "" for column in recognised(headers)]


def test_every_field_of_the_schema_has_a_column() -> None:
    """Sites and devices can be written down completely; the site's county is in its id, and may have a column."""
    assert {column.name for column in columns.SITE_COLUMNS} == set(Site._fields) - {"id"} | {"site", "county"}
    assert {column.name for column in columns.DEVICE_COLUMNS} == set(Device._fields) - {"id"} | {"device"}


def test_no_header_means_two_columns() -> None:
    """Every accepted header is that of one column."""
    every = [
        columns.header_key(text)
        for column in (*columns.SITE_COLUMNS, *columns.DEVICE_COLUMNS)
        for text in (column.name, *column.headers)
    ]
    assert len(every) == len(set(every)) == len(HEADERS)
    assert not columns.IGNORED & set(every)


def test_roles_areas_and_kinds_are_those_of_profiles_and_schema() -> None:
    """A role of the roster is one that a profile can have; each is written in English too."""
    assert set(ROLES.values()) == set(get_args(get_type_hints(Profile)["role"]))
    assert set(AREAS.values()) == set(Area)
    assert set(KINDS.values()) == set(SiteKind)
    for table in (ROLES, AREAS, KINDS):
        assert {str(value) for value in table.values()} <= set(table)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("学校代码", "site"),
        ("单位编号", "site"),
        ("学校代码*", "site"),
        ("设备编号", "device"),
        ("班级", "class_name"),
        ("运营商", "operator"),
        ("签约带宽", "contracted_mbps"),
        ("签约带宽（Mbps）", "contracted_mbps"),
        ("签约带宽\n(Mbit/s)", "contracted_mbps"),
        ("启用日期", "commissioned_on"),
        (" 启用　日期 ", "commissioned_on"),
        ("Commissioned_On", "commissioned_on"),
        ("room-id", "room_id"),
        ("随便", ""),
    ],
)
def test_headers_are_known_however_they_are_decorated(header: str, name: str) -> None:
    """Units in brackets, stars, blanks, line breaks and capitals do not matter."""
    assert names(header) == [name]


def test_id_alone_is_that_of_what_the_table_is_about() -> None:
    """`id` is the device's beside columns of devices, else the site's."""
    assert names("id", "name") == ["site", "name"]
    assert names("编号", "班级") == ["device", "class_name"]
    assert names("id", "site", "role") == ["device", "site", "role"]


@pytest.mark.parametrize(
    "text",
    [
        "2025-09-01",
        "2025-9-1",
        "2025/9/1",
        "2025.9.1",
        "2025年9月1日",
        " ２０２５－０９－０１ ",
        "20250901",
        "2025/9/1 0:00:00",
    ],
)
def test_dates_are_read(text: str) -> None:
    """Every way in which dates are written in China."""
    assert columns.day(text) == date(2025, 9, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2025-02-30", "'2025-02-30' is not a date such as 2025-09-01"),
        ("9/1/2025", "'9/1/2025' is not a date such as 2025-09-01"),
        ("2025-09", "'2025-09' is not a date such as 2025-09-01"),
        ("2025/9-1", "'2025/9-1' is not a date such as 2025-09-01"),
        ("1025-09-01", "1025-09-01 is not between 1990 and 2099"),
        ("待定", "'待定' is not a date such as 2025-09-01"),
    ],
)
def test_what_is_no_date_says_so(text: str, message: str) -> None:
    """Months are never guessed."""
    with pytest.raises(ValueError, match=r"date|between") as error:
        columns.day(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "mbps"),
    [("100", 100), ("100M", 100), ("100 Mbps", 100), ("１００兆", 100), ("1G", 1000), ("1,000", 1000), ("2.5", 2.5)],
)
def test_bandwidths_are_read(text: str, mbps: float) -> None:
    """Mbit/s, with or without its unit; operators say 兆 and G."""
    assert columns.mbps(text) == mbps


@pytest.mark.parametrize(
    ("text", "area"),
    [
        *[(text, "urban") for text in ("城市", "Urban", "111", "112", "121", "122", "123", "镇中心区")],
        *[(text, "rural") for text in ("农村", " rural ", "２１０", "220", "村庄")],
    ],
)
def test_areas_are_read(text: str, area: str) -> None:
    """Words, and the codes of 国函〔2008〕60号."""
    read = next(column.read for column in columns.SITE_COLUMNS if column.name == "area")
    assert read(text) == Area(area)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("初一（３）班", "初一（3）班"),
        ("　七年级  ２班 ", "七年级 2班"),
        ("ＡＰ１", "AP1"),
        ("a\u200bb", "ab"),
        ("one\r\ntwo", "one two"),
    ],
)
def test_texts_of_people_keep_their_punctuation(text: str, made: str) -> None:
    """Full-width digits, letters and blanks become the usual ones, what nobody can see goes; Chinese brackets stay."""
    assert columns.plain(text) == made
    assert columns.plain(made) == made


@pytest.mark.parametrize("text", ["4.41802E+05", "1.38E+10"])
def test_a_code_that_a_spreadsheet_rounded_is_refused(text: str) -> None:
    """Its digits are lost: nothing could give them back."""
    with pytest.raises(ValueError, match="was rounded by a spreadsheet"):
        columns.code(text)
