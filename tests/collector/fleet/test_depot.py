"""What devices fetch: releases that are never exchanged, orders whose numbers grow, all of it signed."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.fleet import depot, plan, signed
from collector.fleet.depot import Papers
from collector.fleet.rollout import RolloutError

AGENT = "441802-3144001234.c0703"
PAPERS = Papers("certificate", "authority")


def sign(line: bytes) -> bytes:
    """Return a stand-in for a signature: what is signed by whom is tried in tests/deploy/device, with openssl."""
    return b"signed:" + line[:8]


@pytest.fixture(name="place")
def empty_depot(tmp_path: Path) -> Path:
    """Give an empty depot."""
    place = tmp_path / "depot"
    place.mkdir()
    return place


def release(folder: Path, version: str, content: bytes = b"wheels") -> Path:
    """Return the folder of a release for two kinds of machines."""
    (folder / "agent").mkdir(parents=True)
    for machine in ("x86_64", "aarch64"):
        (folder / f"agent/santong-agent-{version}-{machine}.tar.gz").write_bytes(content + machine.encode())
    return folder


def document(file: Path, kind: str) -> dict[str, object]:
    """Return what a signed file says, after its two lines were looked at."""
    content = file.read_bytes()
    assert content.count(b"\n") == 2
    assert content.endswith(b"\n")
    return signed.tree_of(content, kind)


def test_a_release_is_published_once(place: Path, tmp_path: Path) -> None:
    """Archives lie there with size and digest; a second time nothing is written; the first is the plan's default."""
    folder = release(tmp_path / "santong-1.0.0", "1.0.0")
    written = depot.publish(folder, place, sign, 1)
    assert written == ["santong-agent-1.0.0-aarch64.tar.gz", "santong-agent-1.0.0-x86_64.tar.gz", "plan.signed"]
    facts = document(place / "releases/santong-agent-1.0.0-x86_64.signed", depot.RELEASE)
    assert (facts["version"], facts["machine"], facts["size"]) == ("1.0.0", "x86_64", len(b"wheelsx86_64"))
    assert plan.default_of((place / plan.FILE).read_bytes()) == "1.0.0"
    assert depot.publish(folder, place, sign, 2) == []
    later = depot.publish(release(tmp_path / "santong-1.1.0", "1.1.0"), place, sign, 3)
    assert "plan.signed" not in later, "which version is whose is for rollouts to say"
    assert depot.has_release(place, "1.1.0")
    assert not depot.has_release(place, "1.1")


def test_a_version_is_never_exchanged(place: Path, tmp_path: Path) -> None:
    """Other bytes under the same version are refused, and what lies there stays."""
    depot.publish(release(tmp_path / "one", "1.0.0"), place, sign, 1)
    with pytest.raises(RolloutError, match=r"1\.0\.0 is in the depot with other content: give it another version"):
        depot.publish(release(tmp_path / "two", "1.0.0", b"others"), place, sign, 2)
    assert (place / "releases/santong-agent-1.0.0-x86_64.tar.gz").read_bytes() == b"wheelsx86_64"


def test_a_cut_copy_is_made_good(place: Path, tmp_path: Path) -> None:
    """What a power cut left, an archive without description or the other way round, is made whole by the next run."""
    folder = release(tmp_path / "santong-1.0.0", "1.0.0")
    depot.publish(folder, place, sign, 1)
    (place / "releases/santong-agent-1.0.0-x86_64.tar.gz").unlink()
    (place / "releases/santong-agent-1.0.0-aarch64.signed").unlink()
    assert len(depot.publish(folder, place, sign, 2)) == 2
    assert depot.publish(folder, place, sign, 3) == []


@pytest.mark.parametrize("missing", ["release", "depot"])
def test_what_is_missing_is_named(place: Path, tmp_path: Path, missing: str) -> None:
    """No release, or no depot: a line says which."""
    folder = release(tmp_path / "santong-1.0.0", "1.0.0") if missing == "depot" else tmp_path
    where = place if missing == "release" else tmp_path / "nowhere"
    with pytest.raises(RolloutError, match="is no release" if missing == "release" else "there is no depot"):
        depot.publish(folder, where, sign, 1)


def test_an_order_has_a_higher_number_when_it_changes(place: Path) -> None:
    """The same once more writes nothing; a new setting or certificate does, above the last number, clock or not."""
    file = place / f"agents/{AGENT}/order.signed"
    assert depot.order(place, AGENT, {"agent_keep": 3}, PAPERS, sign, 5_000)
    first = document(file, depot.ORDER)
    assert (first["agent"], first["vars"], first["number"]) == (AGENT, {"agent_keep": 3}, 5_000)
    assert not depot.order(place, AGENT, {"agent_keep": 3}, PAPERS, sign, 6_000)
    assert depot.order(place, AGENT, {"agent_keep": 4}, PAPERS, sign, 4_000), "the centre's clock was set back"
    assert document(file, depot.ORDER)["number"] == 5_001
    assert depot.order(place, AGENT, {"agent_keep": 4}, PAPERS._replace(certificate="renewed"), sign, 7_000)
    assert document(file, depot.ORDER)["certificate"] == "renewed"
    assert depot.ordered(place) == [AGENT]
    assert document(file, depot.ORDER)["vars"] == {"agent_keep": 4}


def test_a_new_key_signs_orders_anew(place: Path) -> None:
    """Where the authority has another key, the order is written again though it says the same."""
    depot.order(place, AGENT, {}, PAPERS, sign, 1)
    assert depot.order(place, AGENT, {}, PAPERS, lambda line: b"other:" + line[:4], 2)


def test_an_order_that_devices_would_not_take_is_refused(place: Path) -> None:
    """A megabyte is what a device reads: more is said here, where somebody can do something about it."""
    with pytest.raises(RolloutError, match="fewer profiles"):
        depot.order(place, AGENT, {"agent_profile_texts": {"big.yaml": "x" * depot.LARGEST_ORDER}}, PAPERS, sign, 1)
    assert depot.ordered(place) == []


def test_a_renewed_certificate_takes_no_setting_back(place: Path) -> None:
    """The nightly refresh and a playbook at once: what the playbook writes is there when both have ended."""
    depot.order(place, AGENT, {"agent_keep": 3}, PAPERS, sign, 1)
    writes, goes_on = threading.Event(), threading.Event()

    def slowly(line: bytes) -> bytes:
        writes.set()
        assert goes_on.wait(20)
        return sign(line)

    renewed = PAPERS._replace(certificate="renewed")
    with ThreadPoolExecutor(2) as pool:
        refreshed = pool.submit(depot.refresh, place, AGENT, renewed, slowly, 2)
        assert writes.wait(20)
        written = pool.submit(depot.order, place, AGENT, {"agent_keep": 4}, renewed, sign, 3)
        with pytest.raises(TimeoutError):
            written.result(0.2)
        goes_on.set()
        assert refreshed.result(20) and written.result(20)
    assert document(place / f"agents/{AGENT}/order.signed", depot.ORDER)["vars"] == {"agent_keep": 4}


@pytest.mark.parametrize("content", [None, b"half an ord"], ids=["withdrawn", "damaged"])
def test_an_order_that_says_nothing_is_not_refreshed(place: Path, content: bytes | None) -> None:
    """An order without its settings would have a device drop them all."""
    file = place / f"agents/{AGENT}/order.signed"
    file.parent.mkdir(parents=True)
    if content is not None:
        file.write_bytes(content)
    assert not depot.refresh(place, AGENT, PAPERS, sign, 1)
    assert (file.read_bytes() if file.exists() else None) == content


def test_an_order_is_withdrawn(place: Path) -> None:
    """A retired agent's order goes, once."""
    depot.order(place, AGENT, {}, PAPERS, sign, 1)
    assert depot.withdraw(place, AGENT)
    assert not depot.withdraw(place, AGENT)


def test_nothing_else_is_taken_for_an_order() -> None:
    """A plan is no order, and anything else is neither."""
    content = signed.encode({"format": "santong-plan/1", "number": 1}, sign)
    assert signed.tree_of(content, depot.ORDER) == {}
    assert signed.tree_of(b"\xff\n", depot.ORDER) == {}
    assert signed.tree_of(json.dumps([1]).encode() + b"\n", depot.ORDER) == {}
