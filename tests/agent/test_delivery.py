"""Delivery: what is sent, when again, and what each kind of answer does to the spool."""

import hashlib
import json
import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal, Protocol

import pytest

from agent import delivery as room
from agent.config import PublishSettings
from agent.delivery import Delivery
from agent.publish import Answered, Connected, Lost, Published
from agent.spool import Spool
from contract.topics import Ack, Refusal, encode_ack
from tests.agent.doubles import DEVICE, LinkDouble, TimeDouble, epoch_of

LINE = b"usage display_on=1i 1764000000000000000\n"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TimeDouble:
    """Let the delivery's clock stand still."""
    double = TimeDouble()
    monkeypatch.setattr(room, "time", double)
    return double


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Return a spool in its first epoch."""
    with epoch_of(Spool(tmp_path, 1 << 20)) as made:
        yield made


@pytest.fixture
def link() -> LinkDouble:
    """Return a link that keeps what is published."""
    return LinkDouble()


class Make(Protocol):
    """Makes a delivery that is connected and whose backlog may start."""

    def __call__(self, ack: Literal["store", "broker"] = "store") -> Delivery:
        """Make it."""


@pytest.fixture
def make(spool: Spool, link: LinkDouble, clock: TimeDouble) -> Make:
    """Return what makes a delivery; it is connected and its backlog may start."""

    def make(ack: Literal["store", "broker"] = "store") -> Delivery:
        made = Delivery(DEVICE, PublishSettings(ack=ack, replay_per_second=2.0), spool, link)
        made.handle(Connected())
        clock.now += 2
        return made

    return make


def _close(spool: Spool, count: int = 1) -> list[int]:
    """Commit some batches, as rounds do; return their ids."""
    ids: list[int] = []
    for _ in range(count):
        with spool.transaction():
            spool.append(DEVICE, LINE, "synced")
            ids += spool.close_batches()
    return ids


def _commit(delivery: Delivery, spool: Spool) -> None:
    """Write what is settled, as the next round does."""
    with spool.transaction():
        delivery.write_settled()
    delivery.forget_settled()


def _stored(*runs: tuple[str, int, int]) -> Answered:
    return Answered(encode_ack(Ack(runs, (), 1_795_000_000_000)))


def _seqs(link: LinkDouble) -> list[int]:
    return [batch.seq for batch in link.batches()]


def test_nothing_is_sent_without_a_connection(make: Make, spool: Spool, link: LinkDouble) -> None:
    """While there is no connection nothing is sent, and there is nothing to wake up for."""
    delivery = make()
    delivery.handle(Lost("connection lost"))
    delivery.offer(_close(spool))
    delivery.send()
    assert link.sent == []
    assert delivery.wait_s() == float("inf")


def test_a_fresh_batch_goes_at_once_to_the_devices_topic(make: Make, spool: Spool, link: LinkDouble) -> None:
    """A batch is published for its device as soon as it is closed."""
    delivery = make()
    delivery.offer(_close(spool))
    delivery.send()
    ((topic, payload),) = link.sent
    waiting = spool.waiting(1)
    assert waiting is not None
    assert (topic, payload) == (f"santong/v1/{DEVICE}/{DEVICE}/batch", waiting.payload)


def test_fresh_batches_go_before_the_backlog(make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble) -> None:
    """After an outage the newest minute goes first, then the old ones from the oldest on."""
    old = _close(spool, 5)
    delivery = make()
    delivery.offer(_close(spool))
    for _ in range(8):
        delivery.send()
        clock.now += 1
    assert _seqs(link) == [6, 1, 2, 3, 4, 5]
    assert spool.backlog(0) == [*old, 6]


def test_eight_batches_are_on_their_way_and_no_more(
    make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble
) -> None:
    """Without answers at most eight batches go out, one place of them kept for fresh ones."""
    _close(spool, 30)
    delivery = make()
    for _ in range(25):
        delivery.send()
        clock.now += 1
    assert _seqs(link) == [1, 2, 3, 4, 5, 6, 7]
    delivery.offer(_close(spool, 3))
    delivery.send()
    assert _seqs(link)[7:] == [33]


def test_stored_batches_leave_the_spool_in_the_next_round(make: Make, spool: Spool, link: LinkDouble) -> None:
    """A range that the store has leaves the spool with the next round, and is not counted as waiting before."""
    delivery = make()
    delivery.offer(_close(spool, 5))
    delivery.send()
    assert delivery.handle(_stored((spool.epoch, 2, 4), ("00000000", 1, 5)))
    assert delivery.settled() == {2, 3, 4}
    assert spool.backlog(0) == [1, 2, 3, 4, 5]
    _commit(delivery, spool)
    assert (spool.backlog(0), delivery.settled()) == ([1, 5], set())
    assert spool.status().acknowledged_total == 3


def test_a_stored_batch_is_not_sent_again(make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble) -> None:
    """What is acknowledged is not sent again, even before the spool has forgotten it."""
    delivery = make()
    delivery.offer(_close(spool, 3))
    delivery.send()
    delivery.handle(_stored((spool.epoch, 1, 3)))
    for _ in range(100):
        delivery.send()
        clock.now += 10
    assert _seqs(link) == [3, 2, 1]


def test_an_answer_makes_the_agent_healthy(make: Make, spool: Spool, clock: TimeDouble) -> None:
    """The instant of the last stored batch is known, and how far the centre's clock is from ours."""
    delivery = make()
    assert delivery.stored_at == 0
    delivery.offer(_close(spool))
    delivery.send()
    delivery.handle(_stored((spool.epoch, 1, 1)))
    assert (delivery.stored_at, delivery.note) == (clock.time(), "connected")
    assert delivery.clock_offset_ms == pytest.approx(-1000 * clock.now, abs=1)


def test_an_answer_about_nothing_of_ours_changes_nothing(make: Make, spool: Spool) -> None:
    """An answer that names no batch of the spool does not make the agent healthy."""
    delivery = make()
    assert not delivery.handle(_stored(("00000000", 1, 5)))
    assert (delivery.stored_at, delivery.settled()) == (0.0, set())


def test_a_batch_refused_by_name_is_kept_as_refused(
    make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """What the centre refuses by epoch and seq moves to the refused ones with its reason, and is not sent again."""
    delivery = make()
    delivery.offer(_close(spool, 2))
    delivery.send()
    refusal = Refusal(spool.epoch, 2, "wrong_type: line 3")
    with caplog.at_level(logging.WARNING):
        delivery.handle(Answered(encode_ack(Ack((), (refusal,), 1))))
    assert caplog.messages == [f"the centre refuses batch 2 of {spool.epoch}: wrong_type: line 3"]
    assert delivery.settled() == {2}
    for _ in range(10):
        delivery.send()
        clock.now += 10
    _commit(delivery, spool)
    assert 2 not in _seqs(link)[2:]
    assert spool.refused() == [(spool.epoch, 2, DEVICE, "wrong_type: line 3")]
    assert spool.backlog(0) == [1]


def test_one_answer_after_a_silence_refuses_by_name_and_by_digest(
    make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble
) -> None:
    """After a silence an answer may refuse one batch by name and another by digest: neither is sent again."""
    delivery = make()
    delivery.offer(_close(spool, 2))
    delivery.send()
    clock.now += 29
    newest, older = link.sent
    digest = hashlib.sha256(older[1]).hexdigest()[:16]
    refused = (Refusal(spool.epoch, link.batches()[0].seq, "wrong_type"), Refusal(None, None, "bad_gzip", digest))
    delivery.handle(Answered(encode_ack(Ack((), refused, 1_795_000_000_000))))
    _commit(delivery, spool)
    assert newest != older
    assert spool.backlog(0) == []


def test_a_batch_refused_by_digest_is_kept_as_refused(make: Make, spool: Spool, link: LinkDouble) -> None:
    """A batch that the centre could not read is known by the digest of its bytes."""
    delivery = make()
    delivery.offer(_close(spool, 3))
    delivery.send()
    digest = hashlib.sha256(link.sent[1][1]).hexdigest()[:16]
    foreign = Refusal(None, None, "bad_gzip", "0" * 16)
    delivery.handle(Answered(encode_ack(Ack((), (Refusal(None, None, "bad_gzip", digest), foreign), 1))))
    _commit(delivery, spool)
    assert spool.refused() == [(spool.epoch, 2, DEVICE, "bad_gzip")]
    assert spool.backlog(0) == [1, 3]


@pytest.mark.parametrize("reason", ["in_future: at=1795000000000000000", "line 1 in_future, line 2 wrong_type"])
def test_a_centre_whose_clock_is_days_slow_costs_no_batch(
    make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    """A refusal as `in_future` by a centre two days behind is no answer: the batch waits until the clock is right."""
    delivery = make()
    delivery.offer(_close(spool, 3))

    def answer(seq: int, at_s: float) -> Answered:
        return Answered(encode_ack(Ack((), (Refusal(spool.epoch, seq, reason),), int(at_s * 1000))))

    note = "the centre's clock is 48 h behind ours: batches wait until one of the two is set right"
    with caplog.at_level(logging.WARNING):
        for _ in range(600):
            before = len(link.sent)
            delivery.send()
            news = [delivery.handle(answer(seq, clock.time() - 2 * 86400)) for seq in _seqs(link)[before:]]
            assert news in ([], [False], [True, False, False])
            clock.now += 1
    assert caplog.messages == [note]
    assert (delivery.note, delivery.settled(), delivery.stored_at) == (note, set(), 0.0)
    assert 5 <= len(link.sent) <= 8, "three, and the newest of them again ever more rarely"
    delivery.offer(_close(spool))
    delivery.send()
    assert _seqs(link)[-1] == 4
    delivery.handle(_stored((spool.epoch, 4, 4)))
    for _ in range(20):
        before = len(link.sent)
        delivery.send()
        for seq in _seqs(link)[before:]:
            delivery.handle(_stored((spool.epoch, seq, seq)))
        clock.now += 1
    _commit(delivery, spool)
    assert (spool.backlog(0), spool.refused(), delivery.note) == ([], [], "connected")


@pytest.mark.parametrize(("behind_s", "reason"), [(0, "line 1 in_future"), (-2 * 86400, "line 1 wrong_type")])
def test_what_is_not_due_to_the_centres_clock_is_refused_for_good(
    make: Make, spool: Spool, clock: TimeDouble, behind_s: float, reason: str
) -> None:
    """Where the clocks agree a batch from the future stems from a wrong clock of ours once; it is not sent for ever."""
    delivery = make()
    delivery.offer(_close(spool))
    delivery.send()
    refusal = Refusal(spool.epoch, 1, reason)
    delivery.handle(Answered(encode_ack(Ack((), (refusal,), int((clock.time() + behind_s) * 1000)))))
    _commit(delivery, spool)
    assert spool.refused() == [(spool.epoch, 1, DEVICE, reason)]


def test_a_refusal_by_the_broker_keeps_the_batch(
    make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that refuses (0x87, a wrong ACL) costs nothing: the batch stays, is tried again, and health says why."""
    delivery = make(ack="broker")
    delivery.offer(_close(spool))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            delivery.send()
            assert delivery.handle(Published((1, len(link.sent)), "Not authorized"))
            clock.now += 100
    assert delivery.note == "the broker refuses a batch: Not authorized: it stays in the spool"
    assert caplog.messages == [delivery.note]
    assert _seqs(link) == [1, 1, 1]
    _commit(delivery, spool)
    assert spool.backlog(0) == [1]


def test_the_brokers_word_is_not_the_stores(make: Make, spool: Spool, link: LinkDouble) -> None:
    """That the broker took a message does not let it leave the spool."""
    delivery = make()
    delivery.offer(_close(spool))
    delivery.send()
    assert not delivery.handle(Published((1, 1), ""))
    _commit(delivery, spool)
    assert spool.backlog(0) == [1]


def test_with_ack_broker_the_brokers_word_is_enough(make: Make, spool: Spool, link: LinkDouble) -> None:
    """With `ack = "broker"`, for consumers that answer nothing, a batch leaves when the broker has it."""
    delivery = make(ack="broker")
    delivery.offer(_close(spool, 2))
    delivery.send()
    assert delivery.handle(Published((1, 1), ""))
    assert not delivery.handle(Published((1, 77), ""))
    _commit(delivery, spool)
    assert spool.backlog(0) == [1]
    assert delivery.stored_at > 0


def test_without_compression_the_plain_text_is_sent(spool: Spool, link: LinkDouble, clock: TimeDouble) -> None:
    """With `compress = "none"` a payload goes out as text, also one that waits as gzip; a short one is text anyway."""
    delivery = Delivery(DEVICE, PublishSettings(compress="none"), spool, link)
    delivery.handle(Connected())
    long = LINE * 100
    with spool.transaction():
        spool.append(DEVICE, long, "synced")
        closed = spool.close_batches()
        spool.append(DEVICE, LINE, "synced")
        closed += spool.close_batches()
    packed = spool.waiting(closed[0])
    assert packed and packed.payload.startswith(b"\x1f\x8b")
    delivery.offer(closed)
    delivery.send()
    header = f"#santong/1 epoch={spool.epoch} seq=%d clock=synced\n"
    assert sorted(payload for _, payload in link.sent) == [
        (header % 1).encode() + long,
        (header % 2).encode() + LINE,
    ]


@pytest.mark.parametrize("compress", ["gzip", "none"])
def test_a_refusal_by_digest_means_what_was_sent(
    spool: Spool, link: LinkDouble, clock: TimeDouble, compress: Literal["gzip", "none"]
) -> None:
    """A payload that nobody could read is refused by the digest of what went over the wire, packed or not."""
    delivery = Delivery(DEVICE, PublishSettings(compress=compress), spool, link)
    delivery.handle(Connected())
    with spool.transaction():
        spool.append(DEVICE, LINE * 100, "synced")
        delivery.offer(spool.close_batches())
    delivery.send()
    digest = hashlib.sha256(link.sent[0][1]).hexdigest()[:16]
    refusal = Refusal(None, None, "no_header", digest)
    delivery.handle(Answered(encode_ack(Ack((), (refusal,), 1_795_000_000_000))))
    _commit(delivery, spool)
    assert [row[3] for row in spool.refused()] == ["no_header"]


def test_a_batch_is_counted_once_however_often_it_is_acknowledged(
    make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble
) -> None:
    """A batch that was sent twice and acknowledged twice, with a round in between, counts once."""
    delivery = make(ack="broker")
    delivery.offer(_close(spool))
    delivery.send()
    clock.now += 40
    delivery.send()
    assert _seqs(link) == [1, 1]
    for mid in (1, 2):
        delivery.handle(Published((1, mid), ""))
        _commit(delivery, spool)
    assert spool.status().acknowledged_total == 1


def test_no_answer_is_asked_again(make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble) -> None:
    """A batch without an answer is sent again after about half a minute, then ever more rarely."""
    delivery = make()
    delivery.offer(_close(spool))
    times = []
    for _ in range(20 * 60):
        before = len(link.sent)
        delivery.send()
        if len(link.sent) > before:
            times.append(clock.now)
        clock.now += 1
    pauses = [after - before for before, after in pairwise(times)]
    assert [24 <= pauses[0] <= 37, 48 <= pauses[1] <= 73, 96 <= pauses[2] <= 145] == [True] * 3
    assert len(pauses) <= 6


def test_everything_is_sent_again_after_a_reconnect(
    make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble
) -> None:
    """What was on its way when the connection broke is sent again on the next one: the spool alone re-sends."""
    delivery = make()
    delivery.offer(_close(spool, 12))
    delivery.send()
    assert len(link.sent) == 8
    delivery.handle(Lost("connection lost: Keep alive timeout"))
    assert (delivery.is_connected, delivery.note) == (False, "connection lost: Keep alive timeout")
    delivery.handle(Connected())
    assert (delivery.is_connected, delivery.note) == (True, "connected")
    del link.sent[:]
    seen: set[int] = set()
    for _ in range(60):
        delivery.send()
        fresh = set(_seqs(link)) - seen
        seen |= fresh
        for seq in fresh:
            delivery.handle(_stored((spool.epoch, seq, seq)))
        clock.now += 1
    assert seen == set(range(1, 13))
    _commit(delivery, spool)
    assert spool.backlog(0) == []


def test_a_reconnect_begins_the_backlog_anew(make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble) -> None:
    """After a reconnect the backlog starts with the oldest batch again, without first going through to its end."""
    _close(spool, 20)
    delivery = make()
    for _ in range(4):
        delivery.send()
        clock.now += 1
    delivery.handle(Lost("connection lost"))
    delivery.handle(Connected())
    clock.now += 2
    delivery.send()
    assert _seqs(link) == [1, 2, 3, 4, 1]


def test_an_old_connections_word_does_not_count(make: Make, spool: Spool, link: LinkDouble) -> None:
    """A message number of an earlier connection says nothing about a batch of this one."""
    delivery = make(ack="broker")
    delivery.offer(_close(spool))
    delivery.send()
    delivery.handle(Lost("connection lost"))
    delivery.handle(Connected())
    delivery.send()
    assert not delivery.handle(Published((0, 1), ""))
    assert delivery.settled() == set()


def test_a_backlog_follows_at_its_pace(make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble) -> None:
    """An agent that was offline catches up at the configured pace, while everything it sends is answered."""
    _close(spool, 100)
    delivery = make()
    began = clock.now
    while len(link.sent) < 100:
        before = len(link.sent)
        delivery.send()
        for seq in _seqs(link)[before:]:
            delivery.handle(_stored((spool.epoch, seq, seq)))
        wait_s = delivery.wait_s()
        assert wait_s > 0, "a busy loop"
        clock.now += wait_s
    assert 40 < clock.now - began < 60
    assert _seqs(link) == list(range(1, 101))


def test_after_an_outage_of_the_centre_live_data_comes_first_and_all_else_at_its_pace(
    make: Make, spool: Spool, link: LinkDouble, clock: TimeDouble
) -> None:
    """The centre is away for two hours while the broker takes batches: then live first, the backlog oldest first."""
    delivery = make()

    def live_for(rounds: int, *, is_centre_there: bool) -> None:
        for second in range(60 * rounds):
            if second % 60 == 0:
                delivery.offer(_close(spool))
            before = len(link.sent)
            delivery.send()
            for seq in _seqs(link)[before:] if is_centre_there else ():
                delivery.handle(_stored((spool.epoch, seq, seq)))
            clock.now += 1

    live_for(120, is_centre_there=False)
    into_the_outage = _seqs(link)
    assert sorted(set(into_the_outage)) == list(range(1, 121))
    assert len(into_the_outage) <= 122
    live_for(3, is_centre_there=True)
    arrived = _seqs(link)[len(into_the_outage) :]
    assert arrived[0] == 121
    backlog = [seq for seq in arrived if seq <= 120]
    assert backlog == list(range(1, 121)), "oldest first, each once"
    assert [seq for seq in arrived if seq > 120] == [121, 122, 123]
    _commit(delivery, spool)
    assert spool.backlog(0) == []


def test_a_batch_that_the_spool_dropped_is_passed_over(make: Make, spool: Spool, link: LinkDouble) -> None:
    """A batch that went at the size cap before it was sent leaves no trace, and its place is free."""
    delivery = make()
    delivery.offer(_close(spool, 2))
    with spool.transaction():
        spool.acknowledged({2})
    delivery.send()
    assert _seqs(link) == [1]


def test_a_link_that_takes_nothing_keeps_everything(make: Make, spool: Spool, link: LinkDouble) -> None:
    """When the connection goes just while sending, nothing is lost and nothing breaks."""
    delivery = make()
    link.is_connected = False
    delivery.offer(_close(spool, 3))
    delivery.send()
    assert (link.sent, spool.backlog(0)) == ([], [1, 2, 3])


@pytest.mark.parametrize(
    "answer",
    [
        "null",
        "[]",
        '{"stored":7,"refused":[],"at":1}',
        '{"stored":[],"refused":[],"at":1e999}',
        f'{{"stored":[],"refused":[],"at":{10**400}}}',
        '{"stored":[["5f0c9a1e",1,1e999]],"refused":[],"at":1}',
        f'{{"stored":[["5f0c9a1e",1,{2**63}]],"refused":[],"at":1}}',
        f'{{"stored":[["5f0c9a1e",-{2**64},1]],"refused":[],"at":1}}',
        json.dumps({"stored": [["\ud800", 1, 1]], "refused": [], "at": 1}),
        f'{{"stored":[],"refused":[["5f0c9a1e",{2**63},"too_old"]],"at":1}}',
        json.dumps({"stored": [], "refused": [["\udfff", 1, "too_old"]], "at": 1}),
        json.dumps({"stored": [], "refused": [[None, None, "\ud800", "\ud800"]], "at": 1}),
        '{"stored":[["5f0c9a1e",5,1],["",0,0]],"refused":[["5f0c9a1e",null,"x"],[null,5,"x"]],"at":-1}',
    ],
    ids=lambda answer: answer[:70],
)
def test_a_strange_answer_never_ends_the_agent(make: Make, spool: Spool, answer: str) -> None:
    """Whatever arrives as an answer, the agent measures on and keeps its batches."""
    delivery = make()
    delivery.offer(_close(spool))
    delivery.send()
    delivery.handle(Answered(answer.encode()))
    _commit(delivery, spool)
    assert spool.backlog(0) == [1]
    assert spool.refused() == []


def test_a_strange_reason_costs_no_batch(make: Make, spool: Spool) -> None:
    """A refusal whose reason is no proper text ends nothing: the batch is kept, as refused or as waiting."""
    delivery = make()
    delivery.offer(_close(spool))
    delivery.send()
    answer = json.dumps({"stored": [], "refused": [[spool.epoch, 1, "\ud800"]], "at": 1})
    delivery.handle(Answered(answer.encode()))
    _commit(delivery, spool)
    assert len(spool.backlog(0)) + len(spool.refused()) == 1
