"""Half a minute of fuzzing: no malformed message raises, spoils a neighbour, or is accepted and then not stored."""

import random
import time
from contextlib import closing
from pathlib import Path

import pytest

from contract.errors import Reason
from tests.fuzz.answers import Reader
from tests.fuzz.centre import Centre
from tests.fuzz.found import ANSWER, kept, moved
from tests.fuzz.proof import Proof, parsed
from tests.fuzz.run import ENOUGH, Settings, run

FOUND = {name: found for name, found in kept() if found.topic != ANSWER}
ANSWERS = {name: found.payload for name, found in kept() if found.topic == ANSWER}


def test_malformed_batches_break_nothing() -> None:
    """
    Of 30,000 malformed batches no one raises; every good line in them is accepted, and exactly the bad ones refused.

    Every reason is seen. A real influxd and the SQLite store take each accepted line and return it as it was sent.
    """
    report = run(Settings(ENOUGH, seed=1, now_ns=time.time_ns()), is_quiet=True)
    assert report.findings == []
    assert report.reasons.keys() == set(Reason)
    assert report.kinds.total() == ENOUGH
    assert report.answers > 1000
    assert report.verified["influxd"] == report.verified["SQLite"] > ENOUGH // 4


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_stays_right(name: str, tmp_path: Path) -> None:
    """A message of which the centre once made something wrong is refused, answered and stored as the contract says."""
    found = FOUND[name]
    with closing(Centre(tmp_path, found.now_ns)) as centre:
        centre.take(found.topic, found.payload)
        centre.answer()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_was_found_once_stays_harmless(name: str, tmp_path: Path) -> None:
    """An answer that once did an agent harm raises nothing, settles only what it names, and stays short in logs."""
    with closing(Reader(tmp_path, random.Random(1))) as reader:
        reader.take(ANSWERS[name])
        reader.commit()


def test_what_was_found_once_is_taken_by_the_stores(tmp_path: Path) -> None:
    """Whatever the check accepts of these messages influxd and SQLite take too, delivery points included."""
    now_ns = time.time_ns()
    with closing(Centre(tmp_path, now_ns)) as centre, closing(Proof(tmp_path, now_ns)) as proof:
        for found in FOUND.values():
            lines, point = centre.take(found.topic, moved(found, now_ns).payload)
            proof.add(map(parsed, lines), [parsed(point[:-1])] if point else [])
        proof.finish()
        assert proof.flaws == []
        assert proof.verified["influxd"] == proof.verified["SQLite"] > len(FOUND) // 2
