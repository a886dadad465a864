"""Evidence by hand: stored exactly once, on whose word it is can be seen, and nothing of a file that is not whole."""

import gzip
import json
import os
import sqlite3
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from collector.by_hand import RECORD, Imported, Importer, Trust
from collector.chunk import Chunk
from collector.quarantine import Entry, Quarantine
from collector.signature import Untrusted
from collector.store.base import Poison, Row, Store, StoreMisconfigured, StoreUnavailable
from collector.store.open import open_store
from collector.wire import Arrival
from contract import topics
from contract.batch import Batch, encode
from contract.batchfile import BadFile, Head, Writer
from tests.certificates import DAY, NOW, Identity, Wish, authority, issue
from tests.collector.test_pipeline import StoreDouble
from tests.collector.test_signature import revocations

GOLDEN = Path(__file__).parents[1] / "contract/golden/v1"
AGENT, DEVICE = "441802-3144001234.gw1", "441802-3144001234.c0703"
EPOCH = "5f0c9a1e"
MINUTE_NS = 60 * 10**9
BASE_NS = (time.time_ns() // MINUTE_NS - 600) * MINUTE_NS
MEASUREMENTS = ("presence", "interface", "delivery")
CA = authority()
ME = issue(Wish(AGENT), CA)


def batch(seq: int, *more: bytes) -> bytes:
    """Return a batch with the presence and an interface of a minute."""
    at = BASE_NS + seq * MINUTE_NS
    lines = [b"presence lan=1i,uptime_s=%d.0 %d" % (seq * 60, at), b"interface,name=eth0 rx_bytes=%di %d" % (seq, at)]
    return encode(Batch(EPOCH, seq, "synced", b"".join(line + b"\n" for line in [*lines, *more])))


BATCHES = [(DEVICE, batch(1)), (DEVICE, batch(2)), (AGENT, batch(3))]


def write(
    file: Path, batches: list[tuple[str, bytes]], who: Identity | None = ME, *, agent: str = AGENT, at: datetime = NOW
) -> Path:
    """Write a file of batches, signed by `who`."""
    with file.open("wb") as opened:
        writer = Writer(opened, Head(agent, at, "0.1.0"))
        for device, payload in batches:
            writer.add(device, payload)
        if who is None:
            writer.seal()
        else:
            assert isinstance(who.key, ec.EllipticCurvePrivateKey)
            key = who.key
            writer.seal(who.pem, lambda text: key.sign(text, ec.ECDSA(hashes.SHA256())))
    return file


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """Return the file of the authority."""
    return CA.save(tmp_path, "ca")[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a store of this test's own."""
    opened = open_store(f"sqlite://{tmp_path}/store.db")
    opened.prepare()
    yield opened
    opened.close()


def run(store: Store, file: Path, ca: Path | None, *, vouched: bool = False) -> Imported:
    """Import a file; its quarantine and record are beside it."""
    importer = Importer(store, file.parent / "data", Trust(ca, vouched))
    try:
        return importer.run(file, lambda _: None, lambda *_: None)
    finally:
        importer.close()


def receive(store: Store, *batches: tuple[str, bytes]) -> None:
    """Store batches as if they had been received."""
    chunk = Chunk()
    for device, payload in batches:
        chunk.add(Arrival(topics.batch(AGENT, device), payload, time.time_ns()))
    chunk.store(store.write)


def points(store: Store) -> dict[str, list[Row]]:
    """Return what is stored, without the time of its delivery."""
    found = {name: list(store.select(name, 0, 2**62)) for name in MEASUREMENTS}
    for row in found["delivery"]:
        assert isinstance(row.fields.pop("received"), int)
        assert isinstance(row.fields.pop("lag_ms"), int)
    return found


def marks(store: Store) -> list[tuple[object, object]]:
    """Return how each batch came, as the delivery points say, by seq."""
    rows = sorted(store.select("delivery", 0, 2**62), key=lambda row: int(row.fields["seq"]))
    return [(row.fields.get("by_hand"), row.fields.get("unverified")) for row in rows]


def quarantined(folder: Path) -> list[Entry]:
    """Return what is in quarantine, oldest first."""
    opened = Quarantine(folder)
    entries = opened.newest()
    opened.close()
    return entries[::-1]


def test_evidence_by_hand_is_stored_as_if_it_had_been_received(tmp_path: Path, store: Store, ca: Path) -> None:
    """The same points, by the same check; the delivery points say that it came by hand, and when."""
    began_ms = time.time_ns() // 10**6
    done = run(store, write(tmp_path / "f", BATCHES), ca)
    assert (done.stored, done.lines, done.refused) == (3, 6, {})
    assert done.signer.startswith(f"CN={AGENT} (serial ")
    for row in store.select("delivery", 0, 2**62):
        received, lag = int(row.fields["received"]), int(row.fields["lag_ms"])
        assert began_ms <= received <= time.time_ns() // 10**6
        assert received - lag == (row.time_ns - int(row.fields["seq"])) // 10**6
    by_hand = points(store)
    assert marks(store) == [(1, None)] * 3
    other = open_store(f"sqlite://{tmp_path}/other.db")
    other.prepare()
    receive(other, *BATCHES)
    received_points = points(other)
    other.close()
    for row in by_hand["delivery"]:
        assert row.fields.pop("by_hand") == 1
    assert by_hand == received_points
    assert [row.source for row in by_hand["presence"]] == [AGENT, AGENT, AGENT]


def test_what_comes_twice_is_stored_once(tmp_path: Path, store: Store, ca: Path) -> None:
    """Received before, received after, imported again, in parts and whole: always the same points."""
    receive(store, *BATCHES[:1])
    assert marks(store) == [(None, None)]
    file = write(tmp_path / "f", BATCHES)
    run(store, file, ca)
    once = points(store)
    assert {name: len(rows) for name, rows in once.items()} == {"presence": 3, "interface": 3, "delivery": 3}
    run(store, file, ca)
    run(store, write(tmp_path / "g", BATCHES[1:] + BATCHES[1:]), ca)
    receive(store, *BATCHES)
    assert points(store) == once
    assert marks(store) == [(1, None)] * 3


def test_what_somebody_vouched_for_can_be_seen_for_ever(tmp_path: Path, store: Store, ca: Path) -> None:
    """The mark of a file that nothing proved stays, whatever proves or delivers the same batches later."""
    done = run(store, write(tmp_path / "unsigned", BATCHES[:2], None), None, vouched=True)
    assert (done.signer, done.stored) == ("", 2)
    run(store, write(tmp_path / "signed", BATCHES), ca)
    receive(store, *BATCHES)
    assert marks(store) == [(1, 1), (1, 1), (1, None)]


def test_who_vouched_for_which_file_is_written_down(tmp_path: Path, store: Store, ca: Path) -> None:
    """Each import leaves a line with the file, its digest, its agent, and on whose word it was believed."""
    run(store, write(tmp_path / "signed", BATCHES), ca)
    run(store, write(tmp_path / "unsigned", BATCHES[:1], None), ca, vouched=True)
    run(store, tmp_path / "signed", None, vouched=True)
    first, second, third = [json.loads(line) for line in (tmp_path / "data" / RECORD).read_text().splitlines()]
    assert first["file"] == str(tmp_path / "signed")
    assert first["sha256"] == json.loads((tmp_path / "signed").read_bytes().splitlines()[-1])["sha256"]
    assert (first["agent"], first["batches"], first["exported_at"]) == (AGENT, 3, NOW.isoformat())
    assert datetime.fromisoformat(first["at"]) >= NOW
    assert first["signed_by"].startswith(f"CN={AGENT}")
    assert first["vouched_by"] is None
    assert (second["signed_by"], second["batches"]) == (None, 1)
    assert second["vouched_by"]
    assert (third["signed_by"], third["sha256"]) == (None, first["sha256"])


def refusal(store: Store, file: Path, ca: Path | None, *, vouched: bool = False) -> str:
    """Return why nothing of a file is imported; nothing is."""
    with pytest.raises((BadFile, Untrusted)) as caught:
        run(store, file, ca, vouched=vouched)
    assert not any(points(store).values()), "something is stored"
    assert not (file.parent / "data" / RECORD).exists()
    assert quarantined(file.parent / "data") == []
    (line,) = str(caught.value).splitlines()
    return line


def test_what_proves_nothing_is_refused(tmp_path: Path, store: Store, ca: Path) -> None:
    """Unsigned files need --trust; what is signed wrongly is refused even then, where an authority is named."""
    unsigned = write(tmp_path / "unsigned", BATCHES, None)
    assert "--trust" in refusal(store, unsigned, ca)
    assert "--trust" in refusal(store, unsigned, None)
    assert "--ca" in refusal(store, write(tmp_path / "signed", BATCHES), None)
    other = authority()
    other_ca, _ = other.save(tmp_path, "other")
    cases = {
        "is not one of those given with --ca": write(tmp_path / "1", BATCHES, issue(Wish(AGENT), other)),
        f"signed by CN={DEVICE}": write(tmp_path / "2", BATCHES, issue(Wish(DEVICE), CA)),
        "not by": write(tmp_path / "3", BATCHES[:2], ME, agent=DEVICE),
        "is valid from": write(tmp_path / "4", BATCHES, at=NOW - 366 * DAY),
        "was changed": write(tmp_path / "5", BATCHES, Identity(issue(Wish("x")).key, ME.certificate)),
    }
    for words, file in cases.items():
        for vouched in (False, True):
            assert words in refusal(store, file, ca, vouched=vouched)
    assert "is not one of those" in refusal(store, tmp_path / "signed", other_ca)
    assert "was changed" in refusal(store, tmp_path / "5", None, vouched=True)


def test_a_file_of_a_stolen_device_is_refused(tmp_path: Path, store: Store, ca: Path) -> None:
    """Where the authority's list is named, a file by a stolen key is refused, with --trust, too."""
    thief = issue(Wish(AGENT), CA)
    crl = revocations(tmp_path, CA, thief, None)
    for vouched in (False, True):
        importer = Importer(store, tmp_path / "data", Trust(ca, vouched, crl))
        try:
            with pytest.raises(Untrusted, match="was revoked on"):
                importer.run(write(tmp_path / "stolen", BATCHES, thief), lambda _: None, lambda *_: None)
            done = importer.run(write(tmp_path / "good", BATCHES), lambda _: None, lambda *_: None)
        finally:
            importer.close()
        assert done.stored == len(BATCHES)


def test_a_certificate_may_end_before_its_file_arrives(tmp_path: Path, store: Store, ca: Path) -> None:
    """The time of the export counts: a file that waited at a school is not worth less."""
    expired = issue(Wish(AGENT, begin=NOW - 800 * DAY, end=NOW - 400 * DAY), CA)
    ca.write_text(issue(Wish("authority", ca=True, begin=NOW - 900 * DAY), key=CA.key).pem)
    at = NOW - 500 * DAY
    assert run(store, write(tmp_path / "f", BATCHES, expired, at=at), ca).stored == 3


@pytest.mark.parametrize("name", ["signed", "unsigned"])
def test_no_byte_of_a_file_can_change(tmp_path: Path, store: Store, name: str) -> None:
    """Flip a bit of any byte, cut it anywhere: nothing is imported, and with --trust no more than without."""
    content = (GOLDEN / f"batches-{name}.jsonl").read_bytes()
    importer = Importer(store, tmp_path / "data", Trust(GOLDEN / "batches-ca.pem", vouched=True))
    file = tmp_path / "f"

    def take(changed: bytes) -> Imported:
        file.write_bytes(changed)
        return importer.run(file, lambda _: None, lambda *_: None)

    for at, byte in enumerate(content):
        with pytest.raises((BadFile, Untrusted)):
            take(content[:at] + bytes([byte ^ 1 << at % 8]) + content[at + 1 :])
    for size in range(0, len(content), 13):
        with pytest.raises(BadFile):
            take(content[:size])
    assert not any(points(store).values())
    assert not (tmp_path / "data" / RECORD).exists()
    assert take(content).stored == 3
    importer.close()


def test_bad_lines_and_batches_are_set_aside_with_the_reason(tmp_path: Path, store: Store, ca: Path) -> None:
    """What a received batch would be refused for, one that comes by hand is refused for; the rest is stored."""
    bomb = gzip.compress(b"#santong/1 epoch=aaaaaaaa seq=9 clock=synced\n" + b"x" * (1 << 22))
    batches = [
        (DEVICE, batch(1, b"presence lan=2.5 %d" % BASE_NS, b"nothing x=1i %d" % BASE_NS)),
        ("441802-3144009999.c1", batch(2)),
        (DEVICE, bomb),
        (DEVICE, b""),
        (DEVICE, b"\x1f\x8bnot gzip"),
        (DEVICE, batch(3)),
    ]
    done = run(store, write(tmp_path / "f", batches), ca)
    assert (done.stored, done.lines) == (2, 4)
    assert done.refused == {
        "wrong_type": 1,
        "unknown_measurement": 1,
        "foreign_device": 1,
        "too_large": 1,
        "empty": 1,
        "bad_gzip": 1,
    }
    entries = quarantined(tmp_path / "data")
    assert sorted(entry.reason for entry in entries) == sorted(done.refused)
    assert {entry.agent for entry in entries} == {AGENT}
    assert [row.fields["partial"] for row in store.select("delivery", 0, 2**62)] == [2, 0]


PACKED = [
    gzip.compress(b"#santong/1 epoch=aaaaaaaa seq=%d clock=synced\n" % n + b"x" * 1_000_000, 1) for n in range(1, 150)
]


@pytest.mark.parametrize("payloads", [PACKED, [b"x" * 1_000_000] * 100], ids=["small and packed", "large"])
def test_bad_batches_without_end_fill_no_memory(tmp_path: Path, store: Store, ca: Path, payloads: list[bytes]) -> None:
    """A hundred megabytes of what is refused, packed in small payloads or plain, pass through a few."""
    file = write(tmp_path / "f", [(DEVICE, payload) for payload in payloads])
    tracemalloc.start()
    try:
        done = run(store, file, ca)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(done.refused.values()) == len(payloads)
    assert peak < 48 << 20


class Refusing(StoreDouble):
    """A store that refuses single lines, or fails at a write."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def write(self, retention: object, lines: bytes) -> list[Poison]:
        """Hand on what fate lets through."""
        poison = self.fate(lines)
        bad = {one.line for one in poison}
        kept = b"".join(line + b"\n" for line in lines.splitlines() if line not in bad)
        return poison + self._store.write(retention, kept)  # type: ignore[arg-type]


def test_lines_that_the_store_refuses(tmp_path: Path, store: Store, ca: Path) -> None:
    """A line that the store will not have goes to quarantine with the store's words; its batch is partial."""
    refusing = Refusing(store)
    refusing.fate = lambda lines: [Poison(x, "field type conflict") for x in lines.splitlines() if b"rx_bytes=2i" in x]
    done = run(refusing, write(tmp_path / "f", BATCHES), ca)
    assert (done.stored, done.lines, done.refused) == (3, 5, {"store_refused": 1})
    (entry,) = quarantined(tmp_path / "data")
    assert entry.detail == "field type conflict"
    assert [row.fields["partial"] for row in store.select("delivery", 0, 2**62, [DEVICE])] == [0, 1]
    assert marks(store) == [(1, None)] * 3


def test_a_store_that_fails_on_the_way(tmp_path: Path, store: Store, ca: Path) -> None:
    """A store that goes away in the middle is an error; the same file once more, and all is stored once."""
    many = [
        (DEVICE, batch(seq, *(b"sensor,name=s%d value=1.0 %d" % (n, BASE_NS) for n in range(3000))))
        for seq in (1, 2, 3)
    ]
    file = write(tmp_path / "f", many)
    refusing = Refusing(store)

    def fail_later(lines: bytes) -> list[Poison]:
        if b"seq=3i" in lines:
            raise StoreUnavailable("away")
        return []

    refusing.fate = fail_later
    with pytest.raises(StoreUnavailable, match="away"):
        run(refusing, file, ca)
    assert len(marks(store)) == 2
    refusing.fate = lambda lines: [Poison(x, "no") for x in lines.splitlines() if x.startswith(b"delivery,")]
    with pytest.raises(StoreMisconfigured, match="the store refuses points of the centre: no"):
        run(refusing, file, ca)
    assert run(store, file, ca).stored == 3
    assert {name: len(rows) for name, rows in points(store).items()} == {"presence": 3, "interface": 3, "delivery": 3}


def test_an_older_store_gets_the_new_columns(tmp_path: Path, store: Store, ca: Path) -> None:
    """A store that was made before evidence came by hand takes it, and tells the old from the new."""
    receive(store, BATCHES[0])
    store.close()
    with sqlite3.connect(tmp_path / "store.db") as db:
        for column in ("by_hand", "unverified"):
            db.execute(f"ALTER TABLE delivery DROP COLUMN {column}")
    db.close()
    again = open_store(f"sqlite://{tmp_path}/store.db")
    assert marks(again) == [(None, None)]
    again.prepare()
    run(again, write(tmp_path / "f", BATCHES[1:]), ca)
    assert marks(again) == [(None, None), (1, None), (1, None)]
    again.close()


def test_a_pipe_is_as_good_as_a_file(tmp_path: Path, store: Store, ca: Path) -> None:
    """A file is read once only, so it may come through a pipe; progress is told in its bytes, then in batches."""
    many = [
        (DEVICE, batch(seq, *(b"sensor,name=s%d value=1.0 %d" % (n, BASE_NS) for n in range(3000)))) for seq in (1, 2)
    ]
    content = write(tmp_path / "f", many).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    read: list[int] = []
    stored: list[tuple[int, int]] = []
    importer = Importer(store, tmp_path / "data", Trust(ca, vouched=False))
    done = importer.run(pipe, read.append, lambda *so_far: stored.append(so_far))
    importer.close()
    writer.join()
    assert done.stored == 2
    assert sum(read) == content.rindex(b"\n", 0, -1) + 1
    assert stored == [(2, 2)]
