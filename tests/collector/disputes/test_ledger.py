"""The file of disputes: durable, mended after a power cut, one writer at a time."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from collector.disputes.chain import Head, head_text
from collector.disputes.ledger import AUTHORISED, HEAD, RECORDS, BadRecords, Ledger, Refused
from collector.disputes.schema import Dispute, Entry
from tests.collector.disputes.tables import claim_of, step_of
from tests.processes import BIN

ROOT = Path(__file__).parents[3]


def propose(ledger: Ledger, who: str = "a") -> int:
    """Record a proposal; return the number of its dispute."""

    def make(known: Mapping[int, Dispute]) -> Entry:
        return step_of(f"{who} proposes", number=len(known) + 1, claim=claim_of())

    return ledger.add(make).dispute.number


def approve(ledger: Ledger, number: int, who: str = "b") -> None:
    """Record an approval."""
    ledger.add(lambda _: step_of(f"{who} approves", number=number))


def test_reading_makes_nothing(tmp_path: Path) -> None:
    """A data folder without disputes has none, and gets no folder for them by being asked."""
    assert dict(Ledger(tmp_path).read().disputes) == {}
    assert list(tmp_path.iterdir()) == []


def test_records_are_added_and_nothing_before_them_changes(tmp_path: Path) -> None:
    """Every file before is the begin of the file after."""
    ledger, before = Ledger(tmp_path), b""
    for number in (1, 2, 3):
        assert propose(ledger) == number
        approve(ledger, number)
        now = (tmp_path / "disputes" / RECORDS).read_bytes()
        assert now.startswith(before)
        before = now
    assert len(ledger.read().hashes) == 6
    assert json.loads((tmp_path / "disputes" / HEAD).read_bytes())["record"] == 6


def test_what_a_rule_refuses_leaves_no_trace(tmp_path: Path) -> None:
    """The error says the rule, and the file is as it was."""
    ledger = Ledger(tmp_path)
    propose(ledger)
    before = (tmp_path / "disputes" / RECORDS).read_bytes()
    with pytest.raises(Refused, match="another person must decide"):
        approve(ledger, 1, "A")
    assert (tmp_path / "disputes" / RECORDS).read_bytes() == before


def test_a_line_that_a_power_cut_tore_is_set_aside_and_said(tmp_path: Path) -> None:
    """Wherever the line was cut: what was confirmed is there, the next record mends the file, the pieces are kept."""
    ledger, file = Ledger(tmp_path), tmp_path / "disputes" / RECORDS
    propose(ledger)
    head = (tmp_path / "disputes" / HEAD).read_bytes()
    begin = len(file.read_bytes())
    propose(ledger)
    whole = file.read_bytes()
    for number, at in enumerate((begin + 1, begin + 100, len(whole) - 2), start=1):
        file.write_bytes(whole[:at])
        (tmp_path / "disputes" / HEAD).write_bytes(head)
        assert list(ledger.read().disputes) == [1]
        note = ledger.add(lambda _: step_of("b proposes", number=2, claim=claim_of())).note
        what = f"{at - begin} bytes of a record that was never confirmed (a power cut?)"
        assert note == f"{file}: {what} are set aside in torn-{number}"
        assert (tmp_path / f"disputes/torn-{number}").read_bytes() == whole[begin:at]
        assert [one.proposed.by for one in ledger.read().disputes.values()] == ["a", "b"]


def test_a_record_that_lacks_its_end_alone_is_finished(tmp_path: Path) -> None:
    """All of it was on disk but for the line feed: nobody has to say it again."""
    ledger, file = Ledger(tmp_path), tmp_path / "disputes" / RECORDS
    propose(ledger)
    head = (tmp_path / "disputes" / HEAD).read_bytes()
    propose(ledger)
    file.write_bytes(file.read_bytes()[:-1])
    (tmp_path / "disputes" / HEAD).write_bytes(head)
    note = ledger.add(lambda known: step_of("c proposes", number=len(known) + 1, claim=claim_of())).note
    assert note == f"{file}: record 2 was not finished (a power cut?), and is now"
    assert [one.proposed.by for one in ledger.read().disputes.values()] == ["a", "a", "c"]


def test_a_power_cut_before_the_head_was_written(tmp_path: Path) -> None:
    """The record is there; the next one goes on from it."""
    ledger = Ledger(tmp_path)
    propose(ledger)
    (tmp_path / "disputes" / HEAD).write_bytes(head_text(Head()))
    assert list(ledger.read().disputes) == [1]
    assert propose(ledger) == 2
    assert ledger.read().head.record == 2


def test_the_head_is_there_before_the_first_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut right after the first record leaves a head that names none, and what is there is good."""
    written: list[Head] = []
    write = Ledger._write_head

    def cut(ledger: Ledger, head: Head) -> None:
        if head.record:
            raise OSError("power cut")
        written.append(head)
        write(ledger, head)

    monkeypatch.setattr(Ledger, "_write_head", cut)
    with pytest.raises(OSError, match="power cut"):
        propose(Ledger(tmp_path))
    assert written == [Head()]
    assert list(Ledger(tmp_path).read().disputes) == [1]


@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_records_without_a_head_are_a_problem(tmp_path: Path, left: int) -> None:
    """However few of them were left when the head was removed: no power cut does that, and the end may be missing."""
    ledger, file = Ledger(tmp_path), tmp_path / "disputes" / RECORDS
    for _ in range(3):
        propose(ledger)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:left]))
    (tmp_path / "disputes" / HEAD).unlink()
    assert "head.json: removed; records may be missing at the end" in ledger.examine().problems
    with pytest.raises(BadRecords):
        propose(ledger)


def test_nothing_is_added_to_records_that_were_changed(tmp_path: Path) -> None:
    """Who reads, and who writes, learns what is wrong; the file stays as it was found."""
    ledger, file = Ledger(tmp_path), tmp_path / "disputes" / RECORDS
    propose(ledger)
    approve(ledger, 1)
    file.write_bytes(file.read_bytes().replace(b'"by":"a"', b'"by":"z"'))
    spoilt = file.read_bytes()
    for what in (ledger.read, lambda: propose(ledger)):
        with pytest.raises(BadRecords, match=r"records\.jsonl: record 1: changed since record 2 was written; `santong"):
            what()
    assert file.read_bytes() == spoilt


def test_a_spoilt_head_is_named(tmp_path: Path) -> None:
    """Without it nobody can tell whether records are missing at the end."""
    ledger = Ledger(tmp_path)
    propose(ledger)
    (tmp_path / "disputes" / HEAD).write_text("{")
    (problem,) = ledger.examine().problems
    assert problem.startswith("head.json: is not what was written: ")


def test_the_list_of_those_who_may_decide(tmp_path: Path) -> None:
    """A name a line, with comments, as an editor of Windows saves it too; what was approved before stays."""
    ledger = Ledger(tmp_path)
    propose(ledger)
    approve(ledger, 1, "b")
    propose(ledger)
    (tmp_path / "disputes" / AUTHORISED).write_text(
        "\ufeff# heads\r\nhead of centre  # since May\r\n", encoding="utf-8"
    )
    with pytest.raises(Refused, match="b is not on the list"):
        approve(ledger, 2, "b")
    approve(ledger, 2, "Head of Centre")
    assert len(ledger.read().hashes) == 4
    (tmp_path / "disputes" / AUTHORISED).write_bytes("张".encode("gbk"))
    with pytest.raises(Refused, match="is not UTF-8 text, a name a line"):
        propose(ledger)


def _environment() -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("SANTONG_")}
    return known | {"LANG": "C.UTF-8"}


def _start(data: Path, *words: str) -> subprocess.Popen[str]:
    line = [str(BIN / "santong"), "dispute", *words, "--data", str(data)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment())


_WRITER = """
import sys
from pathlib import Path
from collector.disputes.ledger import Ledger
from tests.collector.disputes.tables import claim_of, step_of
ledger = Ledger(Path(sys.argv[1]))
for _ in range(25):
    ledger.add(lambda known: step_of(f"{sys.argv[2]} proposes", number=len(known) + 1, claim=claim_of()))
"""


def test_two_writers_at_once_are_one_after_the_other(tmp_path: Path) -> None:
    """Three processes record as fast as they can, while a reader looks: no record is lost, none is ever found wrong."""
    line = [sys.executable, "-c", _WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*line, name], cwd=ROOT) for name in "abc"]
    while any(writer.poll() is None for writer in writers):
        assert Ledger(tmp_path).examine().problems == ()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    found = Ledger(tmp_path).read()
    assert list(found.disputes) == list(range(1, 76))
    assert Counter(one.proposed.by for one in found.disputes.values()) == {"a": 25, "b": 25, "c": 25}


def test_of_several_who_approve_at_once_one_does(tmp_path: Path) -> None:
    """The others are told that it is approved already."""
    propose(Ledger(tmp_path))
    approving = [_start(tmp_path, "approve", "1", "--by", f"q{number}") for number in range(3)]
    refused = Counter(one.communicate(timeout=120)[1] for one in approving)
    assert sorted(one.returncode for one in approving) == [0, 2, 2]
    assert refused == {"": 1, "dispute 1 is approved already\n": 2}
    assert len(Ledger(tmp_path).read().hashes) == 2


def test_a_full_disk_is_one_line_and_the_next_record_mends_it(tmp_path: Path) -> None:
    """What did not fit was never confirmed: it is set aside, and the records before it are whole."""
    ledger = Ledger(tmp_path)
    propose(ledger)
    words = (
        f"{BIN / 'santong'} dispute propose --site 441802-1 --from 2026-03-02 --reason exam --by b --data {tmp_path}"
    )
    line = f"ulimit -f 1; exec {words} --text {'x' * 1500}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60, env=_environment()
    )
    assert (done.returncode, done.stderr) == (2, f"{tmp_path}/disputes/records.jsonl: File too large\n")
    assert list(ledger.read().disputes) == [1]
    note = ledger.add(lambda _: step_of("b proposes", number=2, claim=claim_of())).note
    assert "are set aside in torn-1" in note
    assert list(ledger.read().disputes) == [1, 2]
