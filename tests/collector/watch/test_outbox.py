"""From news to messages: few, whole, each until somebody took it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.channels.service import Message
from collector.telling import Sender
from collector.watch.journal import Entry, Journal
from collector.watch.outbox import MOST_PIECES, Outbox, Paper, pieces
from collector.watch.rules import ns

NOW_NS = 1_764_000_000 * 10**9
ROOM = 400
PAPER = Paper(
    lambda whats: f"{len(whats)} news",
    lambda number: f"message {number}",
    lambda left: f"and {left} more",
    lambda _address, _title: ROOM,
)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """Return the outbox of a new journal."""
    journal = Journal(tmp_path, create=True)
    yield Outbox(journal, PAPER, per_minute=3)
    journal.shut()


def entry(number: int, what: str = "opened", address: str = "one", due_ns: int = NOW_NS) -> Entry:
    """Return what an address is to be told of an incident."""
    return Entry(address, str(number), what, "info", f"[{number}] {what}", due_ns)


def sent(outbox: Outbox, now_ns: int = NOW_NS, outcome: str = "taken") -> list[str]:
    """Send what is due now; return the texts."""
    outbox.compose(now_ns)
    texts = []
    while message := outbox.next(now_ns):
        texts.append(message.text)
        outbox.ended(message, outcome, now_ns)
    return texts


def test_news_of_a_moment_are_one_message(outbox: Outbox) -> None:
    """Ten schools of a county are no ten messages."""
    outbox.add(entry(number) for number in range(10))
    (text,) = sent(outbox)
    assert text.split("\n")[:10] == [f"[{number}] opened" for number in range(10)]
    assert text.endswith("message 1\n")
    assert sent(outbox) == []


def test_what_is_over_before_it_was_told_is_one_line(outbox: Outbox) -> None:
    """Who could not be reached meanwhile is told that it was and is over, once."""
    outbox.add([entry(1), entry(2), entry(3), entry(1, "recovered"), entry(3, "ended")])
    assert sent(outbox)[0].split("\n")[:3] == ["[2] opened", "[1] recovered", "[3] ended"]


def test_what_is_not_due_waits(outbox: Outbox) -> None:
    """In quiet hours nobody is woken; at their end all is told at once."""
    outbox.add([entry(1, due_ns=NOW_NS + ns(60)), entry(2, due_ns=NOW_NS + ns(60))])
    assert sent(outbox) == []
    assert len(sent(outbox, NOW_NS + ns(60))) == 1


def test_a_message_that_nobody_took_is_sent_again_and_all_else_waits_for_it(outbox: Outbox) -> None:
    """After a minute, then ever more rarely; what comes meanwhile is one message when the address is back."""
    outbox.add([entry(1)])
    assert len(sent(outbox, outcome="unreachable")) == 1
    outbox.add(entry(number) for number in range(2, 6))
    assert sent(outbox, NOW_NS + ns(59)) == []
    assert len(sent(outbox, NOW_NS + ns(61), "unreachable")) == 1
    assert sent(outbox, NOW_NS + ns(170)) == []
    back = sent(outbox, NOW_NS + ns(200))
    assert back[0].startswith("[1] opened")
    assert len(sent(outbox, NOW_NS + ns(200))) == 1


def test_an_address_that_is_dead_holds_no_other_up(outbox: Outbox) -> None:
    """Each address has its own messages."""
    outbox.add([entry(1, address="dead")])
    sent(outbox, outcome="unreachable")
    outbox.add([entry(2, address="alive"), entry(2, address="dead")])
    assert sent(outbox) == ["[2] opened\nmessage 2\n"]


class Broken:
    """An address whose library fails in a way that nobody has thought of."""

    def send(self, _message: Message) -> str:
        """Fail."""
        raise RuntimeError("http://bot.example.org/?key=s3cretw0rd")


class Fine:
    """An address that takes everything."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def send(self, message: Message) -> str:
        """Take a message."""
        self.got.append(message.text)
        return "taken"


def test_a_message_on_which_sending_breaks_holds_no_other_up(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again later, as any that nobody took; who is told besides is told now."""
    fine = Fine()
    outbox.add([entry(1, address="broken"), entry(2, address="fine")])
    Sender(outbox, {"broken": Broken(), "fine": fine}).send_all()  # type: ignore[dict-item]
    assert [text.partition("\n")[0] for text in fine.got] == ["[2] opened"]
    assert "message 1 to broken: RuntimeError in " in caplog.text
    assert "s3cretw0rd" not in caplog.text
    assert outbox.waiting() == 1
    assert outbox.next(time.time_ns()) is None
    again = outbox.next(time.time_ns() + ns(61))
    assert again and again.text.startswith("[1] opened")


def test_a_clock_that_is_set_back_delays_no_message(outbox: Outbox) -> None:
    """What waits for its next try, or for the minute of its address, does not wait for an hour more."""
    back_ns = NOW_NS - ns(3600)
    outbox.add([entry(1)])
    assert len(sent(outbox, outcome="unreachable")) == 1
    assert len(sent(outbox, back_ns, "unreachable")) == 1
    assert sent(outbox, back_ns + ns(119)) == []  # the second pause
    assert len(sent(outbox, back_ns + ns(120))) == 1
    outbox.add(Entry("one", str(number), "opened", "info", "x" * 300, back_ns) for number in range(4))
    assert len(sent(outbox)) == 3
    assert len(sent(outbox, back_ns + ns(300))) == 1


def test_begun_and_never_ended_it_is_sent_again_word_for_word(outbox: Outbox) -> None:
    """Killed between a message and its outcome, watch sends it again with the same number."""
    outbox.add([entry(1)])
    outbox.compose(NOW_NS)
    first = outbox.next(NOW_NS)
    again = outbox.next(NOW_NS + ns(1))
    assert first and again
    assert (first.number, first.text, first.is_begun) == (again.number, again.text, False)
    assert again.is_begun


def test_no_address_gets_more_messages_a_minute_than_it_takes(outbox: Outbox) -> None:
    """Bots of 企业微信 and 钉钉 take 20 a minute; the rest follows in the next minute."""
    outbox.add(Entry("one", str(number), "opened", "info", "x" * 300, NOW_NS) for number in range(4))
    assert [len(sent(outbox, NOW_NS + ns(second))) for second in (0, 30, 59, 61)] == [3, 0, 0, 1]


def test_a_flood_is_a_few_messages_and_a_number() -> None:
    """Of a thousand incidents some are told by name, and how many more there are; no message is too long."""
    lines = [f"[{number}] opened: a school somewhere" for number in range(1000)]
    found = pieces(lines, ROOM, PAPER.rest)
    assert len(found) == MOST_PIECES
    assert all(len("\n".join(piece).encode()) <= ROOM for piece in found)
    told = sum(len(piece) for piece in found) - 1
    assert found[-1][-1] == f"and {1000 - told} more"


def test_urgency_is_that_of_the_worst(outbox: Outbox) -> None:
    """A critical incident is not hidden by what is told beside it."""
    outbox.add([entry(1), entry(2)._replace(urgency="critical"), entry(3)])
    outbox.compose(NOW_NS)
    message = outbox.next(NOW_NS)
    assert message and message.urgency == "critical"


def test_a_link_stays_with_its_incident() -> None:
    """However many messages a flood is parted into, no incident is in one and its link in the next."""
    found = pieces([f"[{number}] opened\nhttps://board/incident/{number}" for number in range(60)], ROOM, PAPER.rest)
    assert len(found) > 2
    for piece in found:
        lines = [line for line in "\n".join(piece).split("\n") if not line.startswith("and ")]
        assert len("\n".join(piece).encode()) <= ROOM
        assert [line.rpartition("/")[2] for line in lines[1::2]] == [line[1:].partition("]")[0] for line in lines[::2]]
