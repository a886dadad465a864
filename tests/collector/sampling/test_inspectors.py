"""The list of inspectors: what it may look like, and what is wrong with it."""

from pathlib import Path

import pytest

from collector.sampling.draw import Inspector
from collector.sampling.inspectors import Listed, read_inspectors
from tests.collector.sampling.schools import SMALL, workbook


def listed(folder: Path, text: str, encoding: str = "utf-8") -> Listed:
    """Return what a CSV file with this text says."""
    file = folder / "people.csv"
    file.write_bytes(text.encode(encoding))
    return read_inspectors(file, SMALL)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_every_encoding_of_the_roster(tmp_path: Path, encoding: str) -> None:
    """Ids, names of schools, counties by code or name; several parted, or in rows of their own."""
    text = "名录\n姓名,所属单位\n甲组,学校021001；441802-2001\n乙组,英德市\n,441882\n丙组,\n"
    found = listed(tmp_path, text, encoding)
    assert found.findings == ()
    assert found.inspectors == (
        Inspector("甲组", ("441802-1001", "441802-2001")),
        Inspector("乙组", ("441881", "441882")),
        Inspector("丙组"),
    )


def test_a_list_of_names_alone(tmp_path: Path) -> None:
    """Where nobody belongs to a school, one column is enough."""
    assert listed(tmp_path, "inspector\nA\nB\n").inspectors == (Inspector("A"), Inspector("B"))


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """A place that nobody knows would be no reason to stay away: it is a mistake, with row and column."""
    found = listed(tmp_path, "检查人员,回避单位\n,441881\n甲组,英德\n乙组,441882；清远\n")
    assert [str(one).partition("people.csv:")[2] for one in found.findings] == [
        "2: 检查人员: is empty",
        "3: 回避单位: '英德' is neither a site nor a county of the roster, did you mean 英德市",
        "4: 回避单位: '清远' is neither a site nor a county of the roster",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has no column inspector 检查人员; its first row has a, b"),
        ("检查人员\n", "names no inspector"),
        ("检查的人员,回避单位\n甲组,\n", "1: has no column inspector 检查人员, did you mean 检查人员"),
    ],
)
def test_a_file_that_is_no_list(tmp_path: Path, text: str, said: str) -> None:
    """A file without the column says which it lacks, one without anybody that it is empty."""
    (finding,) = listed(tmp_path, text).findings
    assert said in str(finding)


def test_a_spreadsheet(tmp_path: Path) -> None:
    """An XLSX is read as a roster is: the sheet with the columns counts, and its cells are named."""
    rows = [["检查人员", "回避单位"], ["甲组", 441881], ["乙组", "x"]]
    file = workbook(tmp_path / "people.xlsx", {"说明": [["请填写"]], "名录": rows})
    found = read_inspectors(file, SMALL)
    assert found.inspectors[0] == Inspector("甲组", ("441881",))
    assert "名录!B3: 回避单位: 'x' is neither" in str(found.findings[0])
