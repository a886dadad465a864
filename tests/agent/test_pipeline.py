"""The agent's rounds: with a clock that the test moves, without any network, down to what the collector will read."""

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent import health, stopmark
from agent.config import ClockSettings, HostSettings, PublishSettings, RoundSettings, Settings
from agent.pipeline import Agent, one_round
from agent.spool import FILE, Spool
from agent.spoolfile import open_for
from agent.stopmark import StopMark
from contract import __version__
from contract.batch import Batch
from contract.broker import BrokerSettings, BrokerUrl
from contract.names import DeviceName
from contract.sample import Sample
from contract.settings import Seconds
from contract.topics import parse_batch
from tests.agent.doubles import (
    DEVICE,
    MINUTE_NS,
    NO_BROKER,
    SECOND_NS,
    UNIX_NS,
    FakeClocks,
    epoch_of,
    lines_of,
    settings_for,
    waiting,
)
from tests.contract.parser import parse_all

CAP = 256 << 20


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings of an agent that asks nobody on the network."""
    return settings_for(tmp_path / "spool")


@contextmanager
def _agent(settings: Settings, clocks: FakeClocks) -> Iterator[Agent]:
    """Make an agent whose rounds the test calls; its link is never started."""
    with epoch_of(Spool(settings.spool.path, CAP)) as spool:
        yield Agent(settings, clocks, spool)


def _rounds(agent: Agent, clocks: FakeClocks, count: int, every_s: float = 60) -> None:
    for _ in range(count):
        clocks.advance(every_s)
        agent.round()


def _minutes(batches: list[Batch]) -> list[int]:
    """Return the minutes since UNIX_NS that presence proves; each must lie on the minute."""
    times = [line.time_ns - UNIX_NS for line in lines_of(batches, "presence")]
    assert not [time_ns for time_ns in times if time_ns % MINUTE_NS]
    return [time_ns // MINUTE_NS for time_ns in times]


@contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    """Let the kernel refuse every write that makes a file longer than the spool's journal is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / f"{FILE}-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ---- a round


def test_a_round_is_what_the_collector_expects(settings: Settings) -> None:
    """A round makes one batch: presence on the minute, everything else at the instant of the round."""
    clocks = FakeClocks()
    with _agent(settings, clocks) as agent:
        clocks.advance(90)
        agent.round()
        (batch,) = waiting(agent.spool)
    assert (batch.epoch, batch.seq, batch.clock, batch.previous) == (agent.spool.epoch, 1, "synced", "")
    lines = parse_all(batch.lines)
    assert {line.measurement for line in lines} >= {"presence", "identity", "host", "agent"}
    (presence,) = lines_of([batch], "presence")
    assert presence.time_ns == UNIX_NS + MINUTE_NS
    assert presence.fields == {"boot": "boot-1", "uptime_s": 60.0, "asleep_s": 0.0, "broker": 0}
    assert {line.time_ns for line in lines if line is not presence and line.measurement != "presence"} == {
        UNIX_NS + 90 * SECOND_NS
    }
    (identity,) = lines_of([batch], "identity")
    assert identity.fields["version"] == __version__


def test_several_rounds_make_one_batch(settings: Settings) -> None:
    """With `publish.every` of two minutes two rounds share a batch, at half the overhead."""
    clocks = FakeClocks()
    with _agent(settings._replace(publish=PublishSettings(every=Seconds(120))), clocks) as agent:
        _rounds(agent, clocks, 3)
        assert [_minutes([batch]) for batch in waiting(agent.spool)] == [[1, 2]]
        _rounds(agent, clocks, 1)
        assert [_minutes([batch]) for batch in waiting(agent.spool)] == [[1, 2], [3, 4]]


def test_presence_is_kept_once_a_minute(settings: Settings) -> None:
    """With a round every 20 s telemetry is kept each time and presence once a minute: the first reading of it."""
    clocks = FakeClocks()
    often = settings._replace(round=RoundSettings(Seconds(20)), publish=PublishSettings(every=Seconds(20)))
    with _agent(often, clocks) as agent:
        clocks.advance(60)
        _rounds(agent, clocks, 8, every_s=20)
        batches = waiting(agent.spool)
    assert _minutes(batches) == [1, 2, 3]
    assert len(lines_of(batches, "host")) == 8


def test_sleep_is_told_from_life(settings: Settings) -> None:
    """Time asleep counts in the uptime and is named beside it."""
    clocks = FakeClocks()
    with _agent(settings, clocks) as agent:
        clocks.advance(300)
        clocks.advance(3600.5, asleep=True)
        agent.round()
        (presence,) = lines_of(waiting(agent.spool), "presence")
    assert presence.fields["asleep_s"] == 3600.5
    assert presence.fields["uptime_s"] == 3900.0


def test_a_first_minute_that_was_not_lived_is_no_evidence(settings: Settings) -> None:
    """A device that booted within a minute has no presence for the minute that began before its boot."""
    clocks = FakeClocks(unix_ns=UNIX_NS + 30 * SECOND_NS)
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 3, every_s=20)
        batches = waiting(agent.spool)
    assert _minutes(batches) == [1]
    assert len(lines_of(batches, "host")) == 3


def test_a_broken_source_does_not_spoil_the_round(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """A source that fails costs its own samples; all others are kept, and the log says which one failed."""
    clocks = FakeClocks()
    with _agent(settings._replace(host=HostSettings(Path("/no/such/disk"))), clocks) as agent:
        with caplog.at_level(logging.WARNING):
            _rounds(agent, clocks, 1)
        batches = waiting(agent.spool)
    assert _minutes(batches) == [1]
    assert lines_of(batches, "host") == []
    assert len(lines_of(batches, "agent")) == 1
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("host: ")
    assert caplog.messages[0].endswith(": left out of this round")


def test_the_agent_reports_its_own_spool(settings: Settings) -> None:
    """What waits in the spool is part of what the agent reports about itself."""
    clocks = FakeClocks()
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 3)
        reports = lines_of(waiting(agent.spool), "agent")
    assert [report.fields["spool_batches"] for report in reports] == [0, 1, 2]
    assert [report.fields["dropped_total"] for report in reports] == [0, 0, 0]
    sizes = [report.fields["spool_bytes"] for report in reports]
    assert sizes == sorted(sizes, key=float)
    assert all(isinstance(report.fields["rss_bytes"], int) for report in reports)


# ---- without the time


def test_rounds_without_the_time_are_held_and_dated_when_it_comes(settings: Settings) -> None:
    """Without network time an agent measures on; when the time comes, every minute of the boot is proven exactly."""
    clocks = FakeClocks(voucher="")
    with _agent(settings, clocks) as agent:
        clocks.advance(17)
        _rounds(agent, clocks, 10)
        assert waiting(agent.spool) == []
        assert agent.spool.status().held > 20
        clocks.word = "kernel"
        _rounds(agent, clocks, 1)
        batches = waiting(agent.spool)
        assert agent.spool.status().held == 0
    assert [batch.clock for batch in batches] == ["synced"]
    assert _minutes(batches) == list(range(1, 12))
    uptimes = [line.fields["uptime_s"] for line in lines_of(batches, "presence")]
    assert uptimes == [60.0 * minute for minute in range(1, 12)]
    instants = [(line.time_ns - UNIX_NS) / SECOND_NS for line in lines_of(batches, "host")]
    assert instants == [17 + 60 * number for number in range(1, 12)]


def test_a_wall_clock_before_the_time_came_does_not_matter(settings: Settings) -> None:
    """What the wall clock showed before it was right leaves no trace in the evidence."""
    clocks = FakeClocks(voucher="", unix_ns=UNIX_NS - 400 * 86400 * SECOND_NS)
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 2)
        clocks.step(400 * 86400)
        clocks.word = "kernel"
        _rounds(agent, clocks, 1)
        assert _minutes(waiting(agent.spool)) == [1, 2, 3]


def test_samples_held_across_a_restart_are_dated_too(settings: Settings) -> None:
    """An agent that is restarted before the time came dates what the one before it held: it is the same boot."""
    clocks = FakeClocks(voucher="")
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 2)
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 1)
        clocks.word = "kernel"
        _rounds(agent, clocks, 1)
        assert _minutes(waiting(agent.spool)) == [1, 2, 3, 4]


def test_the_time_of_a_boot_survives_a_restart(settings: Settings) -> None:
    """An agent restarted within a boot goes on dating, though nobody vouches for the clock at that moment."""
    clocks = FakeClocks()
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 2)
    clocks.word = ""
    clocks.step(-86400)
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 2)
        batches = waiting(agent.spool)
    assert _minutes(batches) == [1, 2, 3, 4]
    assert {batch.clock for batch in batches} == {"synced"}


def test_a_minute_is_proven_once_across_a_restart(settings: Settings) -> None:
    """An agent restarted within a minute does not send a second presence for it."""
    clocks = FakeClocks()
    for _ in range(2):
        with _agent(settings, clocks) as agent:
            _rounds(agent, clocks, 1, every_s=65 if clocks.since_boot_ns == 0 else 20)
    with _agent(settings, clocks) as agent:
        assert _minutes(waiting(agent.spool)) == [1]


def test_a_boot_that_never_got_the_time_is_said_so_and_no_more(settings: Settings) -> None:
    """An earlier boot that never got the time becomes one batch without lines: when, and how many samples it held."""
    first = FakeClocks(boot="boot-1", voucher="")
    with _agent(settings, first) as agent:
        _rounds(agent, first, 3)
        held = agent.spool.status().held
    assert held >= 9
    second = FakeClocks(boot="boot-2", unix_ns=UNIX_NS + 3600 * SECOND_NS)
    with _agent(settings, second) as agent:
        _rounds(agent, second, 2)
        unsynced, *synced = waiting(agent.spool)
        again = agent.spool.epoch
    at_ns = UNIX_NS + 3660 * SECOND_NS
    assert unsynced == Batch(again, 1, "unsynced", b"", at_ns=at_ns, held=held)
    assert [batch.seq for batch in synced] == [2, 3]
    assert _minutes(synced) == [61, 62]
    assert {line.fields["boot"] for line in lines_of(synced, "presence")} == {"boot-2"}


def test_what_an_earlier_boot_left_is_dated_by_its_own_time(settings: Settings) -> None:
    """What was held in an earlier boot that had the time is dated by that boot's time, not by today's."""
    first = FakeClocks(boot="boot-1")
    with _agent(settings, first) as agent:
        _rounds(agent, first, 1)
        with agent.spool.transaction():
            agent.spool.hold("boot-1", DEVICE, [Sample("stop", {"boot": "boot-1", "reason": "x"}, 100 * SECOND_NS)])
    second = FakeClocks(boot="boot-2", unix_ns=UNIX_NS + 3600 * SECOND_NS)
    with _agent(settings, second) as agent:
        _rounds(agent, second, 1)
        (stop,) = lines_of(waiting(agent.spool), "stop")
    assert stop.time_ns == UNIX_NS + 100 * SECOND_NS


def test_days_without_the_time_arrive_in_batches_of_a_size_to_be_read(settings: Settings) -> None:
    """What a device measured in days without network time is delivered in batches that the collector accepts."""
    clocks = FakeClocks(voucher="")
    with _agent(settings, clocks) as agent:
        samples = [
            Sample("sensor", {"value": minute / 7}, minute * MINUTE_NS, {"name": f"temperature of projector {number}"})
            for minute in range(2 * 1440)
            for number in range(5)
        ]
        with agent.spool.transaction():
            agent.spool.hold("boot-1", DEVICE, samples)
        clocks.advance(2 * 86400)
        clocks.word = "kernel"
        agent.round()
        assert agent.spool.status().held == len(samples) - 2000, "an agent that lives in 20 MB takes some at a time"
        _rounds(agent, clocks, 7)
        assert len(lines_of(waiting(agent.spool), "sensor")) == len(samples)


def test_trusted_time_is_called_so(settings: Settings) -> None:
    """Evidence dated by a clock that only the operator vouches for says so in its batch."""
    clocks = FakeClocks(voucher="")
    with _agent(settings._replace(clock=ClockSettings("always")), clocks) as agent:
        _rounds(agent, clocks, 1)
        assert [batch.clock for batch in waiting(agent.spool)] == ["trusted"]


# ---- when the disk refuses


def test_a_full_disk_loses_nothing(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """While the disk refuses, samples wait in memory; as soon as it takes them they are written, each once."""
    clocks = FakeClocks()
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 1)
        with caplog.at_level(logging.ERROR), _full_disk(settings.spool.path):
            _rounds(agent, clocks, 2)
        assert len(waiting(agent.spool)) == 1
        _rounds(agent, clocks, 1)
        batches = waiting(agent.spool)
    assert _minutes(batches) == [1, 2, 3, 4]
    assert len(lines_of(batches, "host")) == 4
    (message,) = caplog.messages
    assert message.startswith(f"{settings.spool.path / FILE}: ")
    assert message.endswith(": samples wait in memory until it takes them")


def test_a_full_disk_does_not_forget_what_is_settled(settings: Settings) -> None:
    """An acknowledgement that could not be written is written with the next round."""
    clocks = FakeClocks()
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 1)
        agent.delivery.offer([])
        settled = agent.spool.backlog(0)
        agent.delivery._acknowledged.update(settled)
        with _full_disk(settings.spool.path):
            _rounds(agent, clocks, 1)
        assert agent.delivery.settled() == set(settled)
        _rounds(agent, clocks, 1)
        assert agent.delivery.settled() == set()
        assert [batch.seq for batch in waiting(agent.spool)] == [2]


# ---- from start to end


def _live(settings: Settings, clocks: FakeClocks, set_aside: str = "", *, has_all_profiles: bool = True) -> None:
    """Run an agent from start to end, with one round; it finds no broker at its address on this machine."""
    clocks.advance(60)
    agent = Agent(settings, clocks, Spool(settings.spool.path, CAP), set_aside, has_all_profiles=has_all_profiles)
    agent.stop()
    agent.run()


def _left(settings: Settings) -> list[Batch]:
    spool = Spool(settings.spool.path, CAP)
    try:
        return waiting(spool)
    finally:
        spool.close()


def test_an_agent_without_a_broker_keeps_everything(settings: Settings) -> None:
    """An agent whose broker is away runs, stops in good order, and leaves its evidence in the spool."""
    clocks = FakeClocks()
    for _ in range(3):
        _live(settings, clocks)
    batches = _left(settings)
    assert _minutes(batches) == [1, 2, 3]
    first, second, third = batches
    assert len({batch.epoch for batch in batches}) == 3
    assert (first.previous, second.previous, third.previous) == ("", f"{first.epoch}:1", f"{second.epoch}:1")
    assert health.read(settings.spool.path).stored == 0.0


def test_an_open_batch_is_closed_at_the_end(settings: Settings) -> None:
    """What was measured since the last batch is not left open when the agent stops."""
    _live(settings._replace(publish=PublishSettings(every=Seconds(600))), FakeClocks())
    assert _minutes(_left(settings)) == [1]


def test_stop_marks_become_evidence(settings: Settings) -> None:
    """What the supervisor wrote about the agent's end is delivered at the instant of that end, and then forgotten."""
    clocks = FakeClocks()
    _live(settings, clocks)
    mark = StopMark("boot-1", 75 * SECOND_NS, "watchdog killed ABRT", 30 * SECOND_NS)
    file = settings.spool.path / stopmark.FILE
    text = '{"boot":"boot-1","boottime_ns":75000000000,"reason":"watchdog killed ABRT","asleep_ns":30000000000}'
    file.write_text(text + '\n{"boot')
    assert stopmark.read(settings.spool.path) == [mark]
    _live(settings, clocks)
    (stop,) = lines_of(_left(settings), "stop")
    assert stop.time_ns == UNIX_NS + 75 * SECOND_NS
    assert stop.fields == {"boot": "boot-1", "uptime_s": 75.0, "reason": "watchdog killed ABRT", "asleep_s": 30.0}
    assert not file.exists()


def test_a_stop_mark_of_an_earlier_boot_is_dated_by_that_boot(settings: Settings) -> None:
    """The end of an agent before a reboot is dated by the boot in which it ended."""
    _live(settings, FakeClocks("boot-1"))
    file = settings.spool.path / stopmark.FILE
    file.write_text('{"boot":"boot-1","boottime_ns":75000000000,"reason":"success exited 0"}\n')
    _live(settings, FakeClocks("boot-2", unix_ns=UNIX_NS + 86400 * SECOND_NS))
    (stop,) = lines_of(_left(settings), "stop")
    assert stop.time_ns == UNIX_NS + 75 * SECOND_NS
    assert "asleep_s" not in stop.fields, "a mark of an older version does not know"


def test_a_stop_mark_of_a_boot_without_time_is_counted_only(settings: Settings) -> None:
    """The end of an agent in a boot that never got the time is part of what that boot held."""
    settings.spool.path.mkdir()
    file = settings.spool.path / stopmark.FILE
    file.write_text('{"boot":"boot-0","boottime_ns":75000000000,"reason":"x"}\n')
    _live(settings, FakeClocks("boot-1"))
    unsynced, _ = _left(settings)
    assert (unsynced.clock, unsynced.held, unsynced.lines) == ("unsynced", 1, b"")


def test_a_spool_that_was_set_aside_is_reported(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """That a spool was set aside is itself evidence: a fault, in the log and in the first batch."""
    with caplog.at_level(logging.WARNING):
        _live(settings, FakeClocks(), "spool of other hardware (a), this is b")
    (fault,) = lines_of(_left(settings), "fault")
    assert (fault.tags, fault.fields) == ({"code": "spool-set-aside"}, {"active": 1, "severity": "warning"})
    assert any(message.startswith("spool of other hardware (a), this is b") for message in caplog.messages)


def test_a_spool_from_other_hardware_starts_anew(settings: Settings) -> None:
    """A card that was moved begins a new spool: nothing of the other device is sent under this one's name."""
    clocks = FakeClocks()
    open_for(settings.spool.path, CAP, "serial-1")[0].close()
    _live(settings, clocks)
    spool, why = open_for(settings.spool.path, CAP, "serial-2")
    spool.close()
    assert why
    _live(settings, clocks, why)
    assert _minutes(_left(settings)) == [2]


def test_the_first_round_is_at_the_start_and_the_next_at_the_agents_phase(settings: Settings) -> None:
    """After its first round an agent measures once a minute, at its own second of the minute."""
    clocks = FakeClocks()
    with _agent(settings, clocks) as agent:
        phases = set()
        for _ in range(5):
            agent.round()
            due_ns = agent._next_round()
            assert 0 < due_ns - clocks.boottime_ns() <= MINUTE_NS
            clocks.since_boot_ns = due_ns
            phases.add((due_ns + UNIX_NS) % MINUTE_NS)
    assert len(phases) == 1


def test_one_round_for_the_eye(settings: Settings) -> None:
    """`santong-agent sample` reads every source of the settings once, and keeps and connects nothing."""
    samples = one_round(settings)
    assert {device for device, _ in samples} == {DEVICE}
    assert {sample.measurement for _, sample in samples} >= {"presence", "identity", "host", "agent"}
    assert not settings.spool.path.exists()


def test_the_topic_of_its_batches_is_valid(settings: Settings) -> None:
    """An agent publishes under a topic that the collector reads."""
    made = Settings(DeviceName(DEVICE), BrokerSettings(BrokerUrl.parse(NO_BROKER)))
    assert parse_batch(f"santong/v1/{made.agent}/{made.agent}/batch") == (DEVICE, DEVICE)


def test_a_disk_that_fails_under_a_running_agent(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """A spool that is damaged while the agent runs is mended in the same round; nothing measured since is lost."""
    clocks = FakeClocks()
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 3)
        agent.spool.close()  # so that everything is in the file and nothing in SQLite's memory
        agent.spool.open()
        with (settings.spool.path / FILE).open("r+b") as file:
            file.truncate(file.seek(0, 2) - 5000)
        with caplog.at_level(logging.ERROR):
            _rounds(agent, clocks, 3)
        batches = waiting(agent.spool)
        status = agent.spool.status()
    assert any("spool damaged: " in message for message in caplog.messages), caplog.messages
    assert _minutes(batches)[-3:] == [4, 5, 6]
    assert status.damaged_total > 0
    assert [line.tags["code"] for line in lines_of(batches, "fault")] == ["spool-damaged"]
    assert {batch.epoch for batch in batches} == {agent.spool.epoch}


def test_an_agent_that_starts_on_a_full_disk_measures(settings: Settings) -> None:
    """An agent that cannot write at its start measures on; with the first round that is taken its epoch begins."""
    clocks = FakeClocks()
    with _agent(settings, clocks) as agent:
        _rounds(agent, clocks, 1)
    spool = Spool(settings.spool.path, CAP)
    agent = Agent(settings, clocks, spool)
    stopmark.write(settings.spool.path, "killed")
    with spool.transaction():  # so that there is a journal, which cannot grow
        pass
    with _full_disk(settings.spool.path):
        agent._start()
        _rounds(agent, clocks, 2)
        assert spool.epoch == ""
    _rounds(agent, clocks, 1)
    batches = waiting(spool)
    agent._finish()
    assert len({batch.epoch for batch in batches}) == 2
    assert _minutes(batches) == [1, 2, 3, 4]
    assert len(lines_of(batches, "stop")) == 0, "its boot is another one, whose time is not known"
    assert stopmark.read(settings.spool.path) == []


def test_profiles_that_are_left_out_are_reported_until_they_work(settings: Settings) -> None:
    """The centre learns that an agent could not use its profiles, and once that it can again."""
    for has_all in (True, False, True, True):
        _live(settings, FakeClocks(), has_all_profiles=has_all)
    faults = [(line.tags, line.fields["active"]) for line in lines_of(_left(settings), "fault")]
    assert faults == [({"code": "profiles-unusable"}, 1), ({"code": "profiles-unusable"}, 0)]
