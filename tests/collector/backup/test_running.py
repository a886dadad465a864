"""A backup while everything runs: what was acknowledged before is in it; what comes back goes on where it was."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.access.log import Entry, Log
from collector.backing import Asked, Wanted, back_up, restore
from collector.disputes.ledger import Ledger
from collector.instructed import Instructions
from collector.quarantine import Quarantine
from collector.store.open import open_store
from collector.store.sqlite import SqliteStore
from collector.stored_lines import pieces_of
from collector.watching import Sources, Watching
from contract.broker import BrokerSettings, BrokerUrl
from contract.measurements import Retention
from tests.collector.backup.test_round import only_backup
from tests.collector.commands import run
from tests.collector.test_pipeline import AGENT, BASE_NS, EPOCH, MINUTE_NS, RawAgent, batch, until
from tests.collector.watch.joined import Joined
from tests.processes import CollectProcess
from tests.services import Mosquitto

BATCHES = 400


@contextmanager
def sending(agent: RawAgent, quarantine_too: bool = True) -> Iterator[None]:
    """Let an agent send a batch a minute of the past, one after the other, some with a bad line, until the end."""
    stop = threading.Event()

    def send() -> None:
        for seq in range(1, 60_000):
            bad = [b"presence lan=yes 1"] if quarantine_too and seq % 20 == 0 else []
            line = b"host load1=0.5 %d" % (BASE_NS + seq * 10**9)
            agent.send(batch(seq, b"presence lan=1i,wan=1i %d" % (BASE_NS - seq * MINUTE_NS), line, *bad))
            if stop.is_set():
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def found_in(url: str) -> set[int]:
    """Return the seqs of the batches whose delivery and presence a store has."""
    with closing(open_store(url, create=False)) as store:
        delivered = {int(row.fields["seq"]) for row in store.select("delivery", 0, 2**62)}
        proven = {(BASE_NS - row.time_ns) // MINUTE_NS for row in store.select("presence", 0, 2**62)}
    return delivered & proven


@pytest.mark.parametrize("kind", ["sqlite", "influx"])
def test_nothing_that_was_acknowledged_is_missing(
    mosquitto: Mosquitto, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """Backed up while a collector writes as fast as an agent sends; from the file, all batches acknowledged before."""
    is_sqlite = kind == "sqlite"
    url = f"sqlite://{tmp_path}/live.db" if is_sqlite else str(request.getfixturevalue("influx_url"))
    collect = CollectProcess(tmp_path, mosquitto.url, url)
    collect.start()
    try:
        collect.wait_until_receiving()
        with closing(RawAgent(mosquitto.port)) as agent, sending(agent):
            assert until(lambda: len(agent.acknowledged()) > BATCHES, 60)
            before = {seq for epoch, seq in agent.acknowledged() if epoch == EPOCH}
            back_up(tmp_path / "out", Asked(tmp_path / "collect-data", store=url), None)
            assert until(lambda: len(agent.acknowledged()) > len(before))  # and it goes on
        assert collect.is_running()
    finally:
        collect.stop()
    restore(only_backup(tmp_path / "out"), None, Wanted(tmp_path / "new"))
    missing = before - found_in(f"sqlite://{tmp_path}/new/santong.sqlite")
    assert not missing
    with closing(Quarantine(tmp_path / "new")) as quarantine:
        assert quarantine.kept() >= len([seq for seq in before if seq % 20 == 0])
    # The collector takes up again with what was restored.
    again = CollectProcess(tmp_path, mosquitto.url, f"sqlite://{tmp_path}/new/santong.sqlite")
    again.log = tmp_path / "again.log"
    again.start()
    try:
        again.wait_until_receiving()
        with closing(RawAgent(mosquitto.port, f"{AGENT}2")) as other:
            other.send(batch(1))
            assert until(lambda: other.stored() == [1])
    finally:
        again.stop()


def test_records_that_are_written_meanwhile_are_whole(tmp_path: Path) -> None:
    """Disputes and the log of access have a file and its head: in every backup both are of one moment."""
    data = tmp_path / "data"
    run("simulate", "--devices", 2, "--days", 1, "--seed", 5, "--lean", "--out", data)
    log, stop = Log(data), threading.Event()
    for number in range(80):  # what a backup reads between the head and the records
        (data / "access").mkdir(mode=0o700, exist_ok=True)
        (data / f"access/log.i{number:03d}").write_bytes(b"x" * 10_000)

    def write() -> None:
        while not stop.wait(0.001):  # or nobody else would ever hold the folder
            log.add(lambda: Entry(datetime.now(UTC), "li.na", "127.0.0.1", "login"))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(4):
            out = tmp_path / f"out{number}"
            back_up(out, Asked(data, store=None), None)
            restore(only_backup(out), None, Wanted(tmp_path / f"new{number}"))
            examined = Log(tmp_path / f"new{number}").examine()
            assert examined.problems == () and examined.torn == b""
            assert Ledger(tmp_path / f"new{number}").examine().problems == ()
    finally:
        stop.set()
        thread.join()
    assert len(log.examine().entries) > 4


def test_watch_goes_on_from_its_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An incident that is open stays the same one, told once; its recovery is told on the new host."""
    (tmp_path / "data").mkdir()
    joined = Joined(tmp_path / "data", monkeypatch)
    joined.say("online", *joined.agents)
    joined.deliver()
    joined.look(0)
    gone = [one for one in joined.agents if one.startswith(joined.sites[0])]
    others = [one for one in joined.agents if one not in gone]
    joined.say("offline", *gone)
    joined.live(60, 600, *others)
    assert joined.kinds == ["site"]
    (before,) = joined.watching.journal.incidents(open_only=True)
    back_up(tmp_path / "out", Asked(tmp_path / "data"), None)  # while watch and store are open
    joined.shut()

    restore(only_backup(tmp_path / "out"), None, Wanted(tmp_path / "new"))
    joined.data = tmp_path / "new"
    joined.store = SqliteStore(tmp_path / "new/santong.sqlite")
    broker = BrokerSettings(BrokerUrl("mqtt://none.invalid"))
    joined.watching = Watching(joined.data, Sources(joined.store, broker, []), Instructions(joined.data, list))
    joined.say("online", *others)
    joined.say("offline", *gone)
    news = joined.live(660, 1200, *others)
    assert news == [] and joined.kinds == ["site"]
    assert [one.id for one in joined.watching.journal.incidents(open_only=True)] == [before.id]
    joined.say("online", *gone)
    news = joined.live(1200, 2400, *joined.agents)
    assert joined.kinds == []
    assert [(one.what, one.case.opened_ns) for one in news] == [("recovered", before.opened_ns)]
    joined.shut()


def test_the_moment_of_a_store_is_one(tmp_path: Path) -> None:
    """A file of SQLite is copied as it is at one moment: of each write all lines, or none."""
    (tmp_path / "data").mkdir()
    store, stop, writes = SqliteStore(tmp_path / "data/santong.sqlite"), threading.Event(), [0]
    store.prepare()
    devices = [f"441802-1.c{number}" for number in range(50)]

    def write() -> None:
        at_ns = time.time_ns() - 10**12
        while not stop.is_set():
            at_ns += 10**6
            lines = [f"presence,device={one},site=441802-1,county=441802 lan=1i {at_ns}\n" for one in devices]
            store.write(Retention.EVIDENCE, "".join(lines).encode())
            writes[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(5):
            least = writes[0] + 20
            assert until(lambda least=least: writes[0] > least)  # type: ignore[misc]
            back_up(tmp_path / f"out{number}", Asked(tmp_path / "data"), None)
    finally:
        stop.set()
        thread.join()
        store.close()
    counts = []
    for number in range(5):
        restore(only_backup(tmp_path / f"out{number}"), None, Wanted(tmp_path / f"new{number}"))
        with closing(open_store(f"sqlite://{tmp_path}/new{number}/santong.sqlite")) as there:
            found = [one.points for one in there.summarise("presence", 0, 2**62)]
        assert len(set(found)) == 1 and len(found) == len(devices)
        counts.append(found[0])
    assert counts == sorted(set(counts))


def test_a_delivery_in_a_backup_has_its_evidence_beside_it(tmp_path: Path) -> None:
    """A server is read for minutes while more comes: what is in the copy proves no more than the copy has."""
    now_ns = time.time_ns()
    site = AGENT.split(".")[0]

    def arrives(store: SqliteStore, seq: int) -> None:
        where, at_ns = f"device={AGENT},site={site},county=441802", now_ns - seq * MINUTE_NS
        delivery = f'delivery,{where} epoch="{EPOCH}",seq={seq}i,lines=1i,received={at_ns // 10**6}i {at_ns}'
        lines = f"presence,{where} lan=1i {at_ns}\n{delivery}\n"
        assert store.write(Retention.EVIDENCE, lines.encode()) == []

    with closing(SqliteStore(tmp_path / "store.sqlite")) as store:
        store.prepare()
        arrives(store, 1)
        found: dict[str, set[bytes]] = {}
        for piece in pieces_of(store, now_ns):
            found[piece.measurement] = {line[-19:] for line in piece.text.splitlines()}
            arrives(store, len(found) + 1)
    assert found["delivery"]
    assert found["delivery"] <= found["presence"]
