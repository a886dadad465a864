"""`santong sample`, as people and scripts call it."""

import json
from pathlib import Path

import pytest

from collector.roster.canonical import table
from collector.store.sqlite import SqliteStore
from tests.collector.commands import run
from tests.collector.sampling.schools import SMALL, drawn


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder with a roster, and an empty store."""
    (tmp_path / "roster.csv").write_bytes(table(SMALL))
    run("roster", "import", tmp_path / "roster.csv", "--from", "2025-09-01", "--yes", "--data", tmp_path / "data")
    store = SqliteStore(tmp_path / "data" / "santong.sqlite")
    store.prepare()
    store.close()
    return tmp_path / "data"


def draw(data: Path, *more: object, code: int = 0, out: str = "out") -> tuple[str, str]:
    """Draw ten classes of the first of September."""
    words = ["--size", 10, "--seed", "1", "--day", "2026-09-01", "--data", data, "--out", data.parent / out]
    return run("sample", "draw", *words, *more, code=code)


def test_anybody_can_draw_again(data: Path) -> None:
    """From the roster's files, in another folder, the same seed and size are the same sample, to the byte."""
    draw(data)
    said, _ = run(
        "sample", "draw", "--size", 10, "--seed", "1", "--day", "2026-09-01", "--roster", data.parent / "roster.csv",
        "--data", data.parent / "elsewhere", "--out", data.parent / "again", "--json",
    )  # fmt: skip
    for name in ("draw.json", "form.html", "results.csv"):
        assert (data.parent / "again" / name).read_bytes() == (data.parent / "out" / name).read_bytes()
    found = json.loads(said)
    expected = drawn(10)
    assert [one["room"] for one in found["classes"]] == [one.one.room for one in expected.classes]
    assert found["question"]["roster_sha256"] == expected.question.roster_sha256


def test_without_a_seed_one_is_drawn_and_printed(data: Path) -> None:
    """The seed stands on the screen and in the list of samples, so that one can draw again with it."""
    words = ["--size", 3, "--day", "2026-09-01", "--data", data]
    found = [json.loads(run("sample", "draw", *words, "--out", data.parent / f"out{n}", "--json")[0]) for n in (1, 2)]
    seeds = [one["question"]["seed"] for one in found]
    assert len(set(seeds)) == 2
    listed = json.loads(run("sample", "list", "--data", data, "--json")[0])
    assert {one["seed"] for one in listed} == set(seeds)
    assert all(one["drawn_by"] for one in listed)
    shown, _ = run("sample", "list", "--data", data, "--lang", "zh")
    assert "随机种子" in shown


def test_a_folder_that_may_be_filled_is_not_written_over(data: Path) -> None:
    """Drawing into the same folder again is refused."""
    draw(data)
    assert "is there already, and is not written over" in draw(data, code=2)[1]


def test_inspectors_with_mistakes_stop_the_draw(data: Path) -> None:
    """All mistakes of the list, exit code 1, and no sample on record."""
    people = data.parent / "people.csv"
    people.write_text("检查人员,回避单位\n甲组,x\n乙组,y\n", encoding="gbk")
    _, said = draw(data, "--inspectors", people, code=1)
    assert [line.partition("people.csv:")[2][:1] for line in said.splitlines()] == ["2", "3"]
    assert json.loads(run("sample", "list", "--data", data, "--json")[0]) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--county", "441803"], "--county: '441803' is not known, did you mean 441802"),
        (["--target", "banbantung"], "--target: 'banbantung' is not known, did you mean banbantong"),
        (["--target", "schools-online"], "does not count classes by their minutes; banbantong"),
        (["--people", "2"], "name them with --inspectors"),
        (["--seed", " "], "--seed: a seed is 1 to 200 characters"),
        (["--day", "2026-13-01"], "--day: '2026-13-01' is not a date"),
        (["--inspectors", "nowhere.csv"], "nowhere.csv: No such file or directory"),
    ],
)
def test_mistakes_are_one_line(data: Path, words: list[str], said: str) -> None:
    """What cannot be drawn is said in a line that tells what to do."""
    _, error = draw(data, *words, code=2)
    assert said in error
    assert error.count("\n") == 1


def test_without_a_roster_nothing_is_drawn(tmp_path: Path) -> None:
    """The message says how to get one."""
    assert "santong roster import" in draw(tmp_path / "data", code=2)[1]


def test_results_with_mistakes_are_not_stored(data: Path) -> None:
    """Everything that is wrong at once, as text and as JSON, exit code 1; then nothing is there to compare."""
    draw(data)
    file = data.parent / "back.csv"
    file.write_text("班级编号,检查结果,检查日期,检查时间\nx,9,2026-09-01,\n", encoding="gbk")
    _, said = run("sample", "results", file, "--data", data, code=1)
    assert len(said.splitlines()) == 2
    found = json.loads(run("sample", "results", file, "--data", data, "--json", code=1)[0])
    assert [(one["row"], one["column"]) for one in found["findings"]] == [(2, "班级编号"), (2, "检查结果")]
    assert "no results yet" in run("sample", "results", "--data", data, "--lang", "en")[0]
    assert "尚无结果" in run("sample", "results", "--data", data, "--lang", "zh")[0]


def test_without_evidence_nothing_is_compared(data: Path) -> None:
    """What nobody measured neither agrees nor disagrees; it is counted by what was seen."""
    room = draw(data, "--json")[0]
    first, second = (one["room"] for one in json.loads(room)["classes"][:2])
    file = data.parent / "back.csv"
    rows = f"{first},1,2026-09-02,10:00\n{second},5,,\n"
    file.write_text(f"class_id,seen,date,time\n{rows}", encoding="utf-8")
    said, _ = run("sample", "results", file, "--data", data, "--lang", "en")
    assert "no class could be compared" in said
    assert "no evidence of that minute: 1 (on and usable 1)" in said
    assert "not accessible: 1" in said
    assert "not visited: 8" in said


def test_of_several_samples_one_must_be_named(data: Path) -> None:
    """The file says which by its column; a file without it, or none, needs --sample."""
    draw(data)
    draw(data, "--seed", "2", out="out2")
    ids = [one["id"] for one in json.loads(run("sample", "list", "--data", data, "--json")[0])]
    error = run("sample", "results", "--data", data, code=2)[1]
    assert all(one in error for one in ids)
    found = json.loads(run("sample", "results", "--sample", ids[1], "--data", data, "--json")[0])
    assert found["sample"] == ids[1]
    text = (data.parent / "out2" / "results.csv").read_text(encoding="utf-8-sig").splitlines()
    text[1] = text[1].removesuffix(",,,,") + ",3,2026-09-02,10:00,"
    (data.parent / "back.csv").write_text("\n".join(text), encoding="utf-8")
    found = json.loads(run("sample", "results", data.parent / "back.csv", "--data", data, "--json")[0])
    assert (found["sample"], found["not_visited"]) == (text[1].partition(",")[0], 9)
    assert (
        "there is no sample 0123456789ab"
        in run("sample", "results", "--sample", "0123456789ab", "--data", data, code=2)[1]
    )
