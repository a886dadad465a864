"""What SNMP's values become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.gather import snmp_values as values


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"GigabitEthernet0/0/1", "GigabitEthernet0/0/1"),
        ("教学楼-3F-01".encode(), "教学楼-3F-01"),
        ("教学楼-3F-01".encode("gb18030"), "教学楼-3F-01"),
        ("教学楼".encode("gb2312"), "教学楼"),
        (b"S5735\r\nVersion 5.170\x00", "S5735 Version 5.170"),
        ("三楼\u3000东侧".encode(), "三楼 东侧"),
        ("三楼\u3000东侧".encode("gb18030"), "三楼 东侧"),
        ("教学楼\u00a0A".encode(), "教学楼 A"),
        ("\ufeff三\u200b楼".encode(), "三楼"),
        (b"", ""),
        (bytes.fromhex("00e0fc123456"), "00:e0:fc:12:34:56"),
        (bytes.fromhex("d4c9ef8081ff"), "d4:c9:ef:80:81:ff"),
        (bytes.fromhex("07ea0b1c082d0f00"), "07:ea:0b:1c:08:2d:0f:00"),
        (18_446_744_073_709_551_615, 18_446_744_073_709_551_615),
        ("1.3.6.1.4.1.2011.2.240", "1.3.6.1.4.1.2011.2.240"),
    ],
)
def test_text_is_text_and_bytes_are_hex(raw: values.Raw, value: object) -> None:
    """Names are readable in UTF-8 and in the Chinese of older controllers; addresses and times are hex; no guessing."""
    assert values.value_of(raw) == value


@given(st.binary(max_size=40))
def test_any_bytes_become_one_printable_line(data: bytes) -> None:
    """Whatever a device puts into a string, no control character comes out."""
    text = values.value_of(data)
    assert isinstance(text, str) and text.isprintable()


@pytest.mark.parametrize(
    ("key", "index"),
    [
        ("3", (3,)),
        ("10.1", (10, 1)),
        ("00e0-fc12-3456", (0, 0xE0, 0xFC, 0x12, 0x34, 0x56)),
        ("00:E0:FC:12:34:56", (0, 0xE0, 0xFC, 0x12, 0x34, 0x56)),
        ("00e0fc-123456", (0, 0xE0, 0xFC, 0x12, 0x34, 0x56)),
        ("00 E0 FC 12 34 56", (0, 0xE0, 0xFC, 0x12, 0x34, 0x56)),
        ("AP1", (3, 65, 80, 49)),
        ("21980100001234567890", (20, *b"21980100001234567890")),
    ],
)
def test_an_index_may_be_written_as_people_write_it(key: str, index: values.Oid) -> None:
    """Numbers, a MAC address or a name: each becomes the numbers that RFC 2578 makes of it."""
    assert values.index_of(key) == index


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (8, "8"),
        ("三楼".encode(), "三楼"),
        ("三楼".encode("gb18030") + b"\0", "三楼"),
        (bytes.fromhex("00e0fc123456"), "00e0-fc12-3456"),
        (b"00-E0-FC-12-34-56", "00:e0:fc:12:34:56"),
        (b"AP-301 ", "AP-301"),
        ("三楼\u3000东侧".encode("gb18030"), "三楼 东侧"),
    ],
)
def test_a_value_is_found_however_the_device_writes_it(raw: values.Raw, wanted: str) -> None:
    """The row of an access point is found by its name or MAC address, in the device's own encoding or ours."""
    assert values.fits(raw, wanted)


def test_a_part_of_a_name_is_not_the_name() -> None:
    """教学楼-1 is another access point than 教学楼-11."""
    assert not values.fits("教学楼-11".encode(), "教学楼-1")
    assert not values.fits(81, "8")
