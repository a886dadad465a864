"""Bad input through a real broker: each gets a named reason and an answer, and no good line or neighbour is lost."""

import gzip
import hashlib
import json
import random
import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from collector.pipeline import Collector, Limits
from collector.quarantine import KEPT_BYTES, Entry, Quarantine
from collector.store.base import Row, Store
from collector.store.open import open_store
from contract.batch import MAX_BATCH_BYTES, Batch, decode, encode
from contract.broker import BrokerSettings, BrokerUrl
from contract.errors import BadBatch, Reason
from contract.measurements import RETENTION_DAYS, Retention
from contract.topics import Refusal
from tests.collector.test_pipeline import BASE_NS, EPOCH, MINUTE_NS, RawAgent, batch, presence, until
from tests.services import Mosquitto

DAY_NS = 1440 * MINUTE_NS
AT = b"%d" % (BASE_NS + 2 * MINUTE_NS)
GIVEN: dict[str, str] = {}  # what a roster would say: the agent of a device
HEADER = f"#santong/1 epoch={EPOCH} seq=2 clock=synced\n".encode()


class Centre(NamedTuple):
    """A running collector with a real broker and a real store."""

    broker: Mosquitto
    store: Store
    quarantine: Quarantine
    collector: Collector

    def presence(self, device: str) -> list[int]:
        """Return the minutes (after BASE_NS) of which the store has a presence of the device."""
        return [(row.time_ns - BASE_NS) // MINUTE_NS for row in self.rows("presence", device)]

    def rows(self, measurement: str, device: str) -> list[Row]:
        """Return all rows of a device, of any year."""
        return list(self.store.select(measurement, 0, 2**63 - 1, [device]))

    def partial(self, device: str) -> dict[int, int]:
        """Return how many lines each batch lacks, by seq, as its `delivery` says."""
        return {int(row.fields["seq"]): int(row.fields["partial"]) for row in self.rows("delivery", device)}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """Run mosquitto, a collector and a SQLite store; each test has an agent of its own."""
    folder = tmp_path_factory.mktemp("bad")
    broker = Mosquitto(folder / "mosquitto", extra=("max_packet_size 30000000", "max_queued_messages 0"))
    broker.start()
    store = open_store(f"sqlite://{folder}/store.db")
    store.prepare()
    quarantine = Quarantine(folder)
    settings = BrokerSettings(BrokerUrl.parse(broker.url))
    collector = Collector(settings, store, quarantine, Limits(max_age_s=0.05), speakers=lambda: GIVEN)
    collector.start()
    try:
        assert until(lambda: collector.receiver.is_connected)
        yield Centre(broker, store, quarantine, collector)
    finally:
        collector.stop()
        quarantine.close()
        store.close()
        broker.stop()


@pytest.fixture
def agent(centre: Centre, request: pytest.FixtureRequest) -> Iterator[RawAgent]:
    """Connect an agent that no other test uses."""
    number = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]
    client = RawAgent(centre.broker.port, f"441802-{number}.gw")
    yield client
    client.close()


def digest(payload: bytes) -> str:
    """Return what an answer calls a payload that nobody could read."""
    return hashlib.sha256(payload).hexdigest()[:16]


def refused_whole(centre: Centre, agent: RawAgent, payload: bytes) -> tuple[Refusal, Entry]:
    """Send a payload between two good batches, check that those are stored; return its refusal and its entry."""
    agent.send(batch(1), payload, batch(3))
    assert until(lambda: agent.stored() == [1, 3] and agent.refused())
    assert centre.presence(agent.name) == [1, 3]
    assert centre.partial(agent.name) == {1: 0, 3: 0}
    (refusal,) = agent.refused()
    (entry,) = centre.quarantine.newest(device=agent.name)
    assert (entry.agent, entry.device, entry.line) == (agent.name, agent.name, 0)
    assert (entry.size, entry.content) == (len(payload), payload[:KEPT_BYTES])
    assert entry.reason == refusal.reason.partition(":")[0]
    assert len(refusal.reason) < 500
    assert "\n" not in refusal.reason
    return refusal, entry


# ---- payloads refused as a whole


def pack(plain: bytes) -> bytes:
    """Return gzip of anything, as an agent's encoder makes it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(plain) + packer.flush()


def bomb(head: bytes, block: bytes, blocks: int) -> bytes:
    """Return the gzip of `head` and very many times `block`, without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(head), *(packer.compress(block) for _ in range(blocks)), packer.flush()]
    return b"".join(parts)


GOOD = HEADER + presence(2) + b"\n"
LINES_1_MB = (presence(2) + b"\n") * ((1 << 20) // len(presence(2)))

NAMED = {
    "cut short": (Reason.BAD_GZIP, pack(GOOD * 50)[:-12]),
    "bytes after the gzip": (Reason.BAD_GZIP, pack(GOOD) + b"more"),
    "wrong version": (Reason.WRONG_VERSION, GOOD.replace(b"/1", b"/2")),
    "version 2 packed": (Reason.WRONG_VERSION, pack(GOOD.replace(b"/1", b"/2"))),
    "no clock": (Reason.BAD_HEADER, GOOD.replace(b" clock=synced", b"")),
    "an unknown clock": (Reason.BAD_HEADER, GOOD.replace(b"synced", b"guessed")),
    "a previous without its seq": (Reason.BAD_HEADER, GOOD.replace(b"synced\n", b"synced previous=5f0c9a1e\n")),
    "a header alone": (Reason.EMPTY, HEADER),
    "a header without line feed": (Reason.EMPTY, HEADER[:-1]),
    "10 MB of lines": (Reason.TOO_LARGE, HEADER + LINES_1_MB * 10),
    "one byte too many": (Reason.TOO_LARGE, HEADER + LINES_1_MB.ljust(MAX_BATCH_BYTES - len(HEADER) + 1, b"x")),
    "a bomb of 100 MB of good lines": (Reason.TOO_LARGE, bomb(HEADER, LINES_1_MB, 100)),
}

UNNAMED = {
    "no gzip behind the magic": (Reason.BAD_GZIP, b"\x1f\x8bnot gzip at all"),
    "the magic alone": (Reason.BAD_GZIP, b"\x1f\x8b"),
    "a bomb of 100 MB of zeros": (Reason.TOO_LARGE, bomb(b"", bytes(1 << 20), 100)),
    "empty": (Reason.EMPTY, b""),
    "gzip of nothing": (Reason.NO_HEADER, pack(b"")),
    "no header": (Reason.NO_HEADER, presence(2) + b"\n"),
    "no header packed": (Reason.NO_HEADER, pack(presence(2) + b"\n")),
    "JSON": (Reason.NO_HEADER, json.dumps({"epoch": EPOCH, "seq": 2}).encode()),
    "UTF-16": (Reason.NO_HEADER, GOOD.decode().encode("utf-16")),
    "a byte order mark": (Reason.NO_HEADER, b"\xef\xbb\xbf" + GOOD),
    "random bytes": (Reason.NO_HEADER, random.Random(5).randbytes(20_000)),
    "no version": (Reason.BAD_HEADER, GOOD.replace(b"/1", b"/")),
    "an epoch in capitals": (Reason.BAD_HEADER, GOOD.replace(b"5f0c", b"5F0C")),
    "a short epoch": (Reason.BAD_HEADER, GOOD.replace(EPOCH.encode(), b"5f0c9a1")),
    "no epoch": (Reason.BAD_HEADER, GOOD.replace(b"epoch=5f0c9a1e ", b"")),
    "a negative seq": (Reason.BAD_HEADER, GOOD.replace(b"seq=2", b"seq=-2")),
    "a seq beyond 15 digits": (Reason.BAD_HEADER, GOOD.replace(b"seq=2", b"seq=1" + b"0" * 15)),
    "two spaces": (Reason.BAD_HEADER, GOOD.replace(b" seq", b"  seq")),
    "CRLF": (Reason.BAD_HEADER, GOOD.replace(b"\n", b"\r\n")),
    "a header that never ends": (Reason.BAD_HEADER, b"#santong/1 " + b"a" * 100_000),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_batch_refused_by_name(centre: Centre, agent: RawAgent, case: str) -> None:
    """Where the header can be read the agent is told epoch, seq and reason; neighbours before and after are stored."""
    reason, payload = NAMED[case]
    refusal, entry = refused_whole(centre, agent, payload)
    assert refusal[:2] == (EPOCH, 2)
    assert entry.reason == reason
    assert (entry.epoch, entry.seq) == (EPOCH, 2)


@pytest.mark.parametrize("case", UNNAMED)
def test_a_payload_refused_by_its_digest(centre: Centre, agent: RawAgent, case: str) -> None:
    """Where the header cannot be read the answer has null, null, the reason and the payload's digest."""
    reason, payload = UNNAMED[case]
    refusal, entry = refused_whole(centre, agent, payload)
    assert (refusal.epoch, refusal.seq, refusal.digest) == (None, None, digest(payload))
    assert entry.reason == reason
    assert (entry.epoch, entry.seq) == ("", -1)


def test_the_largest_batch_is_stored_packed_and_plain(centre: Centre, agent: RawAgent) -> None:
    """Exactly 1 MiB is no bomb, however it is sent."""
    more = b"interface,name=eth0 up=1i %d\n"
    lines = (more % BASE_NS) * ((MAX_BATCH_BYTES - len(HEADER)) // len(more % BASE_NS))
    rest = MAX_BATCH_BYTES - len(HEADER) - len(lines)
    lines = lines.replace(b"eth0", b"eth0" + b"x" * rest, 1)
    plain = HEADER + lines
    assert len(plain) == MAX_BATCH_BYTES
    agent.send(plain, pack(plain.replace(b"seq=2", b"seq=3")), gzip.compress(plain.replace(b"seq=2", b"seq=4")))
    assert until(lambda: agent.stored() == [2, 3, 4])
    assert agent.refused() == []


@pytest.mark.parametrize(
    ("at_ns", "reason"),
    [
        (1_000_000_000_000_000_000, Reason.TOO_OLD),
        (4_070_908_800_000_000_000, Reason.IN_FUTURE),
        (9_223_372_036_854_775_807, Reason.IN_FUTURE),
        (9_999_999_999_999_999_999, Reason.IN_FUTURE),
    ],
)
def test_a_batch_without_lines_of_another_age(centre: Centre, agent: RawAgent, at_ns: int, reason: Reason) -> None:
    """
    A batch without lines, of a boot without the time, is refused by name like a line of that time.

    Its delivery point is all there is of it: acknowledged as stored where no store takes the point, it would be lost.
    """
    refusal, entry = refused_whole(centre, agent, encode(Batch(EPOCH, 2, "unsynced", b"", at_ns=at_ns, held=7)))
    assert refusal[:2] == (EPOCH, 2)
    assert entry.reason == reason


# ---- who may send what


def test_a_device_of_another_site(centre: Centre, agent: RawAgent) -> None:
    """An agent may not speak for a device of another site; its own batches are stored, the other's are untouched."""
    other = "441802-99.c1"
    agent.send(batch(1))
    agent.send(batch(2), device=other)
    agent.send(batch(3), device=agent.name.replace(".gw", ".c1"))
    assert until(lambda: agent.stored() == [1, 3] and agent.refused())
    (refusal,) = agent.refused()
    assert refusal[:2] == (EPOCH, 2)
    assert refusal.reason == f"foreign_device: {agent.name} may not speak for {other}"
    (entry,) = centre.quarantine.newest(device=other)
    assert (entry.agent, entry.reason, entry.epoch, entry.seq) == (agent.name, "foreign_device", EPOCH, 2)
    assert centre.rows("presence", other) == centre.rows("delivery", other) == []


def test_a_device_that_the_roster_gives_to_another_agent(centre: Centre, agent: RawAgent) -> None:
    """Once the roster names who speaks for a device, no other agent of the site may; a change holds at once."""
    device = agent.name.replace(".gw", ".ap-1")
    GIVEN[device] = agent.name.replace(".gw", ".pi")
    agent.send(batch(1))
    agent.send(batch(2), device=device)
    assert until(lambda: agent.stored() == [1] and agent.refused())
    assert agent.refused()[0].reason == f"foreign_device: {agent.name} may not speak for {device}, {GIVEN[device]} does"
    assert centre.rows("presence", device) == centre.rows("delivery", device) == []
    GIVEN[device] = agent.name
    agent.send(batch(3), device=device)
    assert until(lambda: agent.stored() == [1, 3])


def test_a_prefix_of_a_site_is_another_site(centre: Centre, agent: RawAgent) -> None:
    """441802-1 is not 441802-12, whatever their names begin with."""
    other = agent.name.replace(".gw", "2.gw")
    agent.send(batch(2), device=other)
    agent.send(batch(3))
    assert until(lambda: agent.stored() == [3] and agent.refused())
    assert agent.refused()[0].reason.startswith("foreign_device")


@pytest.mark.parametrize(
    "device",
    ["441802-1.C1", "441802-1", "c1", "441802-1.c1.d2", "441802-1.初一", "441802-1.c1 ", "441802-1." + "x" * 60],
)
def test_a_topic_with_a_bad_device(centre: Centre, agent: RawAgent, device: str) -> None:
    """A name that breaks the rule is refused as bad_topic, and the agent is told by the digest which batch it was."""
    payload = batch(2)
    agent.send(batch(1))
    agent.send(payload, device=device)
    agent.send(batch(3))
    assert until(lambda: agent.stored() == [1, 3] and agent.refused())
    assert agent.refused()[0].reason.startswith("bad_topic: ")
    assert (agent.refused()[0].epoch, agent.refused()[0].digest) == (None, digest(payload))
    (entry,) = centre.quarantine.newest(device=agent.name)
    assert (entry.reason, entry.content) == ("bad_topic", payload)


@pytest.mark.parametrize("name", ["Nobody", "441802-1.初一", "x" * 300, "'; DROP TABLE presence"])
def test_a_topic_with_a_bad_agent(centre: Centre, agent: RawAgent, name: str) -> None:
    """Where the topic names no agent nobody is answered, and quarantine still has it, with its reason."""
    agent.send(batch(1))
    before = centre.quarantine.total()
    agent.send(batch(2), topic=f"santong/v1/{name}/{agent.name}/batch")
    agent.send(batch(3))
    assert until(lambda: agent.stored() == [1, 3])
    assert until(lambda: centre.quarantine.total() == before + 1)
    (entry,) = centre.quarantine.newest(1)
    assert (entry.reason, entry.agent[:50]) == ("bad_topic", name[:50])
    assert agent.refused() == []
    assert centre.presence(agent.name) == [1, 3]


# ---- batches with bad lines

OLDEST_NS = time.time_ns() - RETENTION_DAYS[Retention.EVIDENCE] * DAY_NS
BAD_LINES: dict[str, tuple[bytes, list[str]]] = {
    "unknown measurement": (b"weather value=1.0 " + AT, ["unknown_measurement"]),
    "a measurement of the centre": (b"delivery lines=1i " + AT, ["unknown_measurement"]),
    "unknown tag": (b"presence,room=3 lan=1i " + AT, ["unknown_tag"]),
    "unknown field": (b"presence lam=1i " + AT, ["unknown_field"]),
    "wrong type": (b"presence lan=1.5 " + AT, ["wrong_type"]),
    "NaN": (b"presence uptime_s=NaN " + AT, ["not_finite"]),
    "no timestamp": (b"presence lan=1i", ["no_time"]),
    "a newline inside a string": (b'identity model="a\nb" ' + AT, ["unclosed_string", "unknown_measurement"]),
    "invalid UTF-8": (b'identity model="\xff\xfe" ' + AT, ["not_utf8"]),
    "duplicate fields": (b"presence lan=1i,lan=0i " + AT, ["duplicate_field"]),
    "duplicate tags": (b"interface,name=a,name=b up=1i " + AT, ["duplicate_tag"]),
    "CRLF": (b"presence lan=1i " + AT + b"\r", ["control_character"]),
    "1970": (b"presence lan=1i 0", ["too_old"]),
    "1970 in seconds": (b"presence lan=1i 1764000000", ["too_old"]),
    "milliseconds": (b"presence lan=1i 1764000000000", ["too_old"]),
    "before the retention": (b"presence lan=1i %d" % OLDEST_NS, ["too_old"]),
    "2099": (b"presence lan=1i 4070908800000000000", ["in_future"]),
    "the tags of another device": (b"presence,device=441802-99.c1 lan=1i " + AT, ["identity_tag"]),
    "its own tags": (b"presence,site=441802-1,county=441802 lan=1i " + AT, ["identity_tag"]),
    "the name of an agent": (b"interface,name=a,agent=441802-1.gw up=1i " + AT, ["identity_tag"]),
    "a line of 5 KB": (b'identity model="' + b"x" * 5000 + b'" ' + AT, ["line_too_long"]),
    "an empty line": (b"", ["unknown_measurement"]),
    "a second header": (HEADER[:-1], ["unknown_measurement"]),
    "an integer beyond 64 bits": (b"presence lan=9223372036854775808i " + AT, ["out_of_range"]),
    "the end of a string is missing": (b'identity model="Pi ' + AT, ["unclosed_string"]),
    "no field": (b"presence " + AT, ["no_field"]),
    "a tag is missing": (b"interface up=1i " + AT, ["missing_tag"]),
    "two lines in one": (b"presence lan=1i presence lan=1i " + AT, ["malformed"]),
    "a NUL": (b'identity model="a\0b" ' + AT, ["control_character"]),
    "a quote escaped": (b'identity model="a\\"b" ' + AT, ["malformed"]),
}


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line(centre: Centre, agent: RawAgent, case: str, is_packed: bool) -> None:
    """
    A bad line is quarantined with its number, reason and content, and the agent is told.

    The good lines of its batch are stored, its `delivery` says partial, and the batches before and after are whole.
    """
    bad, reasons = BAD_LINES[case]
    lines = b"\n".join([presence(10), bad, presence(11)]) + b"\n"
    payload = pack(HEADER + lines) if is_packed else HEADER + lines
    agent.send(batch(1), payload, batch(3))
    assert until(lambda: agent.stored() == [1, 3] and agent.refused())
    told = [f"line {number} {reason}" for number, reason in enumerate(reasons, start=2)]
    assert agent.refused() == [Refusal(EPOCH, 2, ", ".join(told))]
    entries = centre.quarantine.newest(device=agent.name)[::-1]
    assert [f"line {entry.line} {entry.reason}" for entry in entries] == told
    assert b"\n".join(entry.content for entry in entries) == bad
    assert {(entry.device, entry.epoch, entry.seq) for entry in entries} == {(agent.name, EPOCH, 2)}
    assert centre.presence(agent.name) == [1, 3, 10, 11]
    assert centre.partial(agent.name) == {1: 0, 2: len(reasons), 3: 0}


def test_a_batch_of_bad_lines_only(centre: Centre, agent: RawAgent) -> None:
    """Nothing of it is stored but the fact that it came, and the agent is told in one line of a bounded length."""
    agent.send(batch(1), batch(2, *[b"rubbish"] * 3000), batch(3))
    assert until(lambda: agent.stored() == [1, 3] and agent.refused())
    assert centre.presence(agent.name) == [1, 3]
    assert centre.partial(agent.name) == {1: 0, 2: 3000, 3: 0}
    (refusal,) = agent.refused()
    assert refusal.reason.startswith("line 1 unknown_measurement, line 2 ")
    assert refusal.reason.endswith(" more")
    assert len(refusal.reason) < 1000


def test_lines_of_a_boot_without_the_time(centre: Centre, agent: RawAgent) -> None:
    """`clock=unsynced` is no evidence, whatever times its lines claim."""
    agent.send(batch(1), (HEADER + presence(2) + b"\n").replace(b"clock=synced", b"clock=unsynced"), batch(3))
    assert until(lambda: agent.stored() == [1, 3] and agent.refused())
    assert agent.refused() == [Refusal(EPOCH, 2, "line 1 unsynced")]
    assert centre.presence(agent.name) == [1, 3]


@pytest.mark.parametrize("at_ns", [1_000_000_000_000_000_000, 9_999_999_999_999_999_999])
def test_a_time_of_delivery_beside_bad_lines(centre: Centre, agent: RawAgent, at_ns: int) -> None:
    """Where no line is good a header's time dates no delivery point: one that no store takes would stop the centre."""
    payload = HEADER[:-1] + b" at=%d held=1\nrubbish\n" % at_ns
    agent.send(batch(1), payload, batch(3))
    assert until(lambda: agent.stored() == [1, 3] and agent.refused())
    assert agent.refused() == [Refusal(EPOCH, 2, "line 1 unknown_measurement")]
    assert centre.partial(agent.name) == {1: 0, 2: 1, 3: 0}


def test_expired_telemetry_is_no_bad_line(centre: Centre, agent: RawAgent) -> None:
    """Good telemetry older than its retention is acknowledged, counted as expired, and not quarantined."""
    agent.send(batch(1, presence(1), b"host load1=0.5 %d" % (time.time_ns() - 60 * DAY_NS)))
    assert until(lambda: agent.stored() == [1])
    (delivery,) = centre.rows("delivery", agent.name)
    assert (delivery.fields["expired"], delivery.fields["partial"], delivery.fields["lines"]) == (1, 0, 1)
    assert centre.quarantine.newest(device=agent.name) == []


def test_a_header_of_a_later_version_of_this_contract(centre: Centre, agent: RawAgent) -> None:
    """Later versions append header keys: a reader ignores what it does not know."""
    agent.send(GOOD.replace(b"clock=synced", b"colour=red clock=synced size=5"))
    assert until(lambda: agent.stored() == [2])
    assert agent.refused() == []


# ---- what bad input may cost


def peak_mb() -> float:
    """Return the peak of this process's memory since `forget_peak`."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]


def forget_peak() -> float:
    """Begin a new peak; return what is in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mb()


def test_bombs_cost_little_memory(centre: Centre, agent: RawAgent) -> None:
    """Twenty bombs of 100 MB each take a few MB, since no more than a batch may hold is ever unpacked."""
    bombs = [NAMED["a bomb of 100 MB of good lines"][1], UNNAMED["a bomb of 100 MB of zeros"][1]] * 10
    before = forget_peak()
    agent.send(batch(1), *bombs, batch(3))
    assert until(lambda: agent.stored() == [1, 3] and len(agent.refused()) == 20)
    assert peak_mb() - before < 80


@pytest.mark.parametrize("filler", [b"\n", b"x\n"], ids=["empty lines", "short lines"])
def test_a_small_payload_of_very_many_bad_lines(centre: Centre, agent: RawAgent, filler: bytes) -> None:
    """
    A kilobyte that unpacks to a million bad lines costs neither much time nor memory.

    The batches around it are answered soon, and it does not push all else out of quarantine.
    """
    keep = RawAgent(centre.broker.port, agent.name.replace("441802-", "441881-"))
    try:
        keep.send(batch(1, b"rubbish"))
        assert until(keep.refused)
        payload = bomb(HEADER, filler * 1000, (MAX_BATCH_BYTES - len(HEADER)) // len(filler) // 1000)
        assert len(payload) < 5000
        before = forget_peak()
        began = time.monotonic()
        agent.send(batch(1), payload, payload, batch(3))
        assert until(lambda: agent.stored() == [1, 3] and len(agent.refused()) == 2, 60)
        assert time.monotonic() - began < 10
        assert peak_mb() - before < 100
        assert centre.quarantine.newest(device=keep.name) != []
    finally:
        keep.close()


# ---- accidents


def accident(chance: random.Random, payload: bytes) -> bytes:
    """Return the payload after one to four accidents: bytes changed, lost, doubled, moved."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(payload) + 1)
        end = min(len(payload), start + chance.choice((1, 1, 2, 5, 50)))
        middle = chance.choice((b"", payload[start:end] * 2, chance.randbytes(end - start), chance.randbytes(1)))
        payload = payload[:start] + middle + payload[end:]
    return payload


def name_of(payload: bytes) -> tuple[str, int] | str:
    """Return the name under which a payload is answered: epoch and seq, or its digest."""
    try:
        read = decode(payload)
    except BadBatch as flaw:
        return (flaw.epoch, flaw.seq) if flaw.epoch is not None and flaw.seq is not None else digest(payload)
    return read.epoch, read.seq


def test_every_accident_is_answered_and_spoils_no_neighbour(centre: Centre, agent: RawAgent) -> None:
    """Of a thousand damaged payloads each is stored or refused, under its name; every good batch between is stored."""
    chance = random.Random(11)
    good, damaged = [], []
    for n in range(1000):
        lines = [presence(chance.randrange(500)), b'identity model="Pi 4",serial="%d" %b' % (n, AT)]
        payload = encode(Batch(EPOCH, 100_000 + n, "synced", b"\n".join(lines) + b"\n"), compress=n % 2 == 0)
        damaged.append(accident(chance, payload))
        good.append(batch(1 + n, presence(1 + n % 500)))
    agent.send(*(payload for pair in zip(good, damaged, strict=True) for payload in pair))

    def missing() -> set[tuple[str, int] | str]:
        answered: set[tuple[str, int] | str] = set(agent.acknowledged())
        answered |= {
            refusal.digest if refusal.epoch is None or refusal.seq is None else (refusal.epoch, refusal.seq)
            for refusal in agent.refused()
        }
        return {*map(name_of, damaged), *map(name_of, good)} - answered

    assert until(lambda: not missing(), 30), missing()
    assert {(EPOCH, 1 + n) for n in range(1000)} <= set(agent.acknowledged())
    assert len(agent.refused()) > 300
    known = {str(reason) for reason in Reason}
    assert {entry.reason for entry in centre.quarantine.newest(5000, agent.name)} <= known
