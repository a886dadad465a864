"""What is stored stays as it was, and whoever changes it is noticed."""

import hashlib
import json
from pathlib import Path

import pytest

from collector.sampling import kept as storing
from collector.sampling.filled import Seen, Visit
from collector.sampling.kept import BadSampling, Samples, corrected, latest
from tests.collector.sampling.schools import drawn

DRAW = drawn(6)
ROOM, OTHER = (one.one.room for one in DRAW.classes[:2])
FIRST, SECOND = (Visit(ROOM, seen, 60_000_000_000, "甲组", "") for seen in (Seen.OFF, Seen.USABLE))


def stored(folder: Path, *files: tuple[str, Visit]) -> Samples:
    """Return samples with results of these files."""
    samples = Samples(folder)
    samples.record(DRAW, "me")
    for text, visit in files:
        assert samples.add(DRAW, folder / "back.csv", text.encode(), [visit], "me")
    return samples


def test_a_draw_stays_on_record(tmp_path: Path) -> None:
    """Every sample that was drawn is listed, the same one once, with who drew it first."""
    samples = Samples(tmp_path)
    assert samples.every() == []
    first = samples.record(DRAW, "me")
    assert samples.record(DRAW, "somebody else") == first
    samples.record(drawn(6, "another"), "me")
    assert {one.draw.id for one in samples.every()} == {DRAW.id, drawn(6, "another").id}
    assert first.draw == DRAW


def test_results_are_added_and_never_replaced(tmp_path: Path) -> None:
    """Of a class what was stored last counts, what was before stays and is called corrected; a file counts once."""
    samples = stored(tmp_path, ("one", FIRST), ("two", SECOND))
    assert samples.add(DRAW, tmp_path / "again.csv", b"two", [SECOND], "me") is None
    kept = samples.results(DRAW)
    assert [(one.number, one.visits) for one in kept] == [(1, (FIRST,)), (2, (SECOND,))]
    assert latest(kept) == {ROOM: SECOND}
    assert corrected(kept) == [(FIRST, SECOND)]
    assert (samples.folder / DRAW.id / "results/0001/back.csv").read_bytes() == b"one"


def test_a_correction_can_be_taken_back(tmp_path: Path) -> None:
    """The first file once more, after another one: it is what counts again."""
    samples = stored(tmp_path, ("one", FIRST), ("two", SECOND))
    assert samples.add(DRAW, tmp_path / "back.csv", b"one", [FIRST], "me")
    assert latest(samples.results(DRAW)) == {ROOM: FIRST}


@pytest.mark.parametrize("file", ["draw.json", "results/0001/results.json", "results/0001/back.csv"])
def test_what_was_altered_is_noticed(tmp_path: Path, file: str) -> None:
    """One changed letter of draw, results or original file, and they are no results."""
    samples = stored(tmp_path, ("one,甲组", FIRST), ("two", SECOND))
    changed = samples.folder / DRAW.id / file
    text = changed.read_text(encoding="utf-8")
    replaced = text.replace("甲组", "乙组") if "甲组" in text else text.replace("班", "斑", 1)
    assert replaced != text
    changed.write_text(replaced, encoding="utf-8")
    with pytest.raises(BadSampling, match="was changed since it was"):
        samples.results(samples.get(DRAW.id).draw)


def test_results_that_were_taken_away_are_noticed(tmp_path: Path) -> None:
    """Results that others follow cannot be removed, nor put in the place of others."""
    samples = stored(tmp_path, ("one", FIRST), ("two", SECOND))
    results = samples.folder / DRAW.id / "results"
    (results / "0001").rename(tmp_path / "away")
    with pytest.raises(BadSampling, match="0002: was changed"):
        samples.results(DRAW)
    (results / "0002").rename(results / "0001")
    with pytest.raises(BadSampling, match="0001: was changed"):
        samples.results(DRAW)


@pytest.mark.parametrize("text", ["", "[]", '{"form": "santong-sample/2"}', "{}"])
def test_a_damaged_draw_is_one_line(tmp_path: Path, text: str) -> None:
    """A file that is not what was written is named."""
    samples = stored(tmp_path)
    (samples.folder / DRAW.id / "draw.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadSampling, match="is not what was written"):
        samples.every()


def test_a_sample_that_does_not_exist(tmp_path: Path) -> None:
    """An id that nobody drew is said, whatever it looks like."""
    for name in ("0123456789ab", "../../etc", ""):
        with pytest.raises(BadSampling, match="there is no sample"):
            Samples(tmp_path).get(name)


def test_what_an_interrupted_write_left_is_no_result(tmp_path: Path) -> None:
    """A folder that never got its name is removed by the next write, and was never read."""
    samples = stored(tmp_path, ("one", FIRST))
    left = samples.folder / DRAW.id / "results" / ".new-x"
    left.mkdir()
    assert len(samples.results(DRAW)) == 1
    assert samples.add(DRAW, tmp_path / "x.csv", b"two", [Visit(OTHER, Seen.ABSENT, None)], "me")
    assert not left.exists()
    record = json.loads((samples.folder / DRAW.id / "results/0002/results.json").read_text(encoding="utf-8"))
    assert record["visits"][0]["seen"] == "absent"


@pytest.mark.parametrize("number", [1, 2])
def test_the_newest_results_cannot_be_rewritten(tmp_path: Path, number: int) -> None:
    """Visits that say something else than when they were stored are noticed, although no results follow them."""
    samples = stored(tmp_path, *[("one", FIRST), ("two", SECOND)][:number])
    file = samples.folder / DRAW.id / f"results/{number:04}/results.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("甲组", "乙组"), encoding="utf-8")
    with pytest.raises(BadSampling, match="the newest results were changed since"):
        samples.results(DRAW)


@pytest.mark.parametrize("left", [0, 1])
def test_the_newest_results_cannot_be_taken_away(tmp_path: Path, left: int) -> None:
    """The head names more than there are."""
    samples = stored(tmp_path, ("one", FIRST), ("two", SECOND))
    results = samples.folder / DRAW.id / "results"
    for number in range(2, left, -1):
        (results / f"{number:04}").rename(tmp_path / f"away-{number}")
    with pytest.raises(BadSampling, match="some were removed"):
        samples.results(DRAW)


@pytest.mark.parametrize(
    "text", [None, "{", "[]", "{}", '{"number": true, "sha256": ""}', '{"number": 0, "sha256": ""}']
)
def test_a_head_that_is_missing_or_damaged_is_noticed(tmp_path: Path, text: str | None) -> None:
    """Without it nobody can tell whether the newest results are as they were stored."""
    samples = stored(tmp_path, ("one", FIRST), ("two", SECOND))
    head = samples.folder / DRAW.id / "results/head.json"
    head.unlink()
    if text is not None:
        head.write_text(text, encoding="utf-8")
    with pytest.raises(BadSampling, match=r"head\.json"):
        samples.results(DRAW)


@pytest.mark.parametrize("number", [1, 2])
def test_a_power_cut_before_the_head(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results whose head was not written yet are there, and adding the same file again gives them their head."""
    files = [("one", FIRST), ("two", SECOND)][:number]
    samples = stored(tmp_path, *files[:-1])
    write = storing.write_head

    def cut(folder: Path, newest: int, sha256: str) -> None:
        if newest == number:
            raise OSError("power cut")
        write(folder, newest, sha256)

    text, visit = files[-1]
    with monkeypatch.context() as patched:
        patched.setattr(storing, "write_head", cut)
        with pytest.raises(OSError, match="power cut"):
            samples.add(DRAW, tmp_path / "back.csv", text.encode(), [visit], "me")
    assert len(samples.results(DRAW)) == number
    assert samples.add(DRAW, tmp_path / "back.csv", text.encode(), [visit], "me") is None
    assert json.loads((samples.folder / DRAW.id / "results/head.json").read_bytes())["number"] == number
    assert len(samples.results(DRAW)) == number


def test_each_sample_and_results_has_a_line_of_hashes(tmp_path: Path) -> None:
    """In the order of time: hashes of drawn.json and of each results.json, as sha256sum has them."""
    samples = stored(tmp_path, ("one", FIRST), ("two", SECOND))
    folder = samples.folder / DRAW.id
    files = [folder / "drawn.json", *sorted(folder.glob("results/*/results.json"))]
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    lines = [f"{DRAW.id} {hashes[0]}", f"{DRAW.id} 1 {hashes[1]}", f"{DRAW.id} 2 {hashes[2]}"]
    assert samples.digest_lines() == lines
    assert Samples(tmp_path / "nothing").digest_lines() == []
