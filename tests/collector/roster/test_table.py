"""CSV as spreadsheets and editors write it: encodings, delimiters, line ends, quoted line breaks."""

from pathlib import Path

import pytest

from collector.roster.read import read
from collector.roster.table import BadTable, Row, decoded, letter, read_sheets
from tests.collector.roster.tables import as_csv, save

ROWS = [["学校代码", "学校名称", "地址"], ["441802-9990000001", "联通示例小学", "示例路1号, 二楼"]]


def rows(content: bytes) -> list[list[str]]:
    """Return the texts of a CSV file."""
    (sheet,) = read_sheets("f.csv", content)
    return [list(row.cells) for row in sheet.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "gb2312", "utf-16"])
def test_every_encoding_that_chinese_spreadsheets_write_is_read(encoding: str) -> None:
    """UTF-8 with and without BOM, GBK, GB18030 and Excel's Unicode text; 联通, which fools Notepad, among them."""
    assert rows(as_csv(ROWS).encode(encoding)) == ROWS


def test_a_rare_character_of_gb18030_is_read() -> None:
    """Names with characters that GBK lacks come in GB18030's four bytes."""
    assert rows("学校名称\n㙍𠮷示例小学\n".encode("gb18030"))[1] == ["㙍𠮷示例小学"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_delimiter_and_line_end_is_read(delimiter: str, end: str) -> None:
    """Comma, semicolon and tab, each with the line ends of Linux, Windows and old Macs."""
    assert rows(as_csv(ROWS, delimiter).replace("\r\n", end).encode()) == ROWS


def test_a_title_without_delimiter_does_not_decide_the_delimiter() -> None:
    """The first line that has a delimiter tells it; one within quotation marks does not count."""
    assert rows('示例台账\n"a,b,c";学校代码;x\n1;2;3\n'.encode()) == [
        ["示例台账"],
        ["a,b,c", "学校代码", "x"],
        ["1", "2", "3"],
    ]


def test_a_quoted_line_break_stays_in_its_cell_and_rows_count_as_spreadsheets_count() -> None:
    """A cell of two lines is one cell of one row; empty rows are passed over, and counted."""
    (sheet,) = read_sheets("f.csv", b'a,b\r\n"one\r\ntwo",1\r\n\r\n , \r\nlast,2\r\n,,\r\n')
    assert list(sheet.rows) == [Row(1, ["a", "b"]), Row(2, ["one\r\ntwo", "1"]), Row(5, ["last", "2"])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("学校代码,名称\n1,示例小学\n".encode() + b"2,\xe7\xa4,\n", "line 3: is UTF-8 with a broken byte (0xe7)"),
        (b"\xef\xbb\xbfa,b\n\xff\n", "line 2: is UTF-8 with a broken byte (0xff)"),
        (b"a,b\n1,\xff\xff\n", "line 2: is neither UTF-8 nor GBK (GB18030): save it as CSV UTF-8"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "row 3: a quotation mark is not closed"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1",
            "is an .xls of old Excel, or locked with a password: save it as .xlsx without one",
        ),
        (b"PK\x03\x04 and nothing", "is not an XLSX file that can be read: File is not a zip file"),
    ],
)
def test_a_file_that_is_no_table_says_what_to_do(content: bytes, message: str) -> None:
    """Broken encodings are never guessed into other characters; each says in which line."""
    with pytest.raises(BadTable) as error:
        read_sheets("f", content)
    assert str(error.value) == message


def test_a_bad_file_is_a_finding_beside_those_of_the_other_file(tmp_path: Path) -> None:
    """All files are read, whatever one of them is."""
    bad, good = save(tmp_path, "", "empty.csv"), save(tmp_path, "site\nX\n", "sites.csv")
    assert [str(finding).removeprefix(f"{tmp_path}/") for finding in read([bad, good]).findings] == [
        "empty.csv: is empty",
        "sites.csv:2: site: 'X' is a school's code alone: write <county>-<code>, or add a column county 区县代码",
    ]


def test_columns_have_the_letters_of_spreadsheets() -> None:
    """A to Z, then AA."""
    assert [letter(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_ascii_is_utf8() -> None:
    """A file without any Chinese is what it is."""
    assert decoded(b"site\n441802-1\n") == "site\n441802-1\n"
