"""What simulated agents say: what a collector accepts, in the order and with the names that real agents give."""

from collections import defaultdict
from functools import cached_property
from pathlib import Path

import pytest

from collector.check import check, check_delivery_time
from contract.lines import encode_line
from contract.measurements import TABLE
from simulator import lines
from simulator.minutes import Known, Truth
from simulator.places import Role
from simulator.readings import tries
from simulator.spans import MINUTE, Times
from simulator.world import World
from tests.contract.parser import Line, parse_all
from tests.simulator.cities import Said, said_by, world_of

MS = 1_000_000


def some(said: Said, head: bytes) -> list[Line]:
    """Return the lines of a batch that begin so."""
    return parse_all(b"".join(line for line in said.batch.lines.splitlines(keepends=True) if line.startswith(head)))


class Lived:
    """A city, all that was said in it, and its truth."""

    def __init__(self, folder: Path) -> None:
        self.world: World = world_of(48, 4, rate=4)
        self.said = said_by(self.world, folder)
        self.truth = Truth(folder / "truth.sqlite")
        self.odd = self.truth.oddities()

    def by_agent(self) -> dict[str, list[Said]]:
        """Return what each agent said, in order of arrival; strange ones left out."""
        found: dict[str, list[Said]] = defaultdict(list)
        for one in self.said:
            if one.agent not in self.odd:
                found[one.agent].append(one)
        return found

    @cached_property
    def presences(self) -> dict[str, list[Line]]:
        """Return the presences of each agent by time; strange ones left out."""
        found: dict[str, list[Line]] = defaultdict(list)
        for agent, said in self.by_agent().items():
            rows = [line for one in said for line in some(one, b"presence ")]
            found[agent] = sorted(rows, key=lambda line: line.time_ns)
        return found


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Return a city that was lived through once for all tests."""
    return Lived(tmp_path_factory.mktemp("city"))


def test_all_of_it_is_accepted(lived: Lived) -> None:
    """The collector's check accepts every line of every batch of a city full of faults."""
    assert len(lived.said) > 30_000
    for one in lived.said:
        check_delivery_time(one.batch, one.received * MS)
        checked = check(one.agent, one.device, one.batch, one.received * MS)
        assert not checked.refused
        assert checked.newest_ns <= one.received * MS


def test_telemetry_is_accepted_too(tmp_path: Path) -> None:
    """With telemetry every line is accepted, and each measurement of a machine is there."""
    found = set()
    for one in said_by(world_of(12, 1), tmp_path, lean=False):
        assert not check(one.agent, one.device, one.batch, one.received * MS).refused
        found |= {line.split(b" ")[0].split(b",")[0].decode() for line in one.batch.lines.splitlines()}
    assert found >= {"presence", "identity", "host", "interface", "agent", "usage", "probe", "display", "throughput"}


def test_fast_lines_are_those_of_the_contract() -> None:
    """Lines that are made fast are byte for byte what the contract's own encoder writes."""
    at = 1_795_000_020_123
    made = b"".join(
        [
            lines.presence("boot", 5_123_400, lines.presence_tail(60_500, lan=True, wan=False, broker=False), at),
            lines.usage(at, is_used=True),
            lines.shown(at, is_on=True),
            lines.shown(at, is_on=False),
            lines.answered(at, 1.5),
            lines.silent(at),
            lines.journey(at, "WiFi", "done", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)),
            lines.journey(at, "WiFi", "scan", (1.0, 2.0)),
            lines.journey(at, "WiFi", "dns", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)),
            lines.telemetry(at, 77, 1000, 86_400),
        ]
    )
    again = [encode_line(line.measurement, line.tags, line.fields, line.time_ns) for line in parse_all(made)]
    assert b"\n".join(again) + b"\n" == made
    assert {line.measurement for line in parse_all(made)} <= TABLE.keys()


def test_names_of_batches_tell_what_is_missing(lived: Lived) -> None:
    """Within an epoch numbers go up by one, and the first batch of an epoch names the last one before it."""
    for said in lived.by_agent().values():
        epochs: dict[str, list[int]] = defaultdict(list)
        previous: dict[str, str] = {}
        for one in said:
            epochs[one.batch.epoch].append(one.batch.seq)
            if one.batch.seq == 1:
                previous[one.batch.epoch] = one.batch.previous
        for numbers in epochs.values():
            assert len(set(numbers)) == len(numbers)
        assert sum(not name for name in previous.values()) <= 1
        for name in filter(None, previous.values()):
            epoch, _, last = name.partition(":")
            if epoch in epochs:
                assert set(epochs[epoch]) == set(range(1, int(last) + 1))


def test_presence_is_once_a_minute_and_on_it(lived: Lived) -> None:
    """No agent proves a minute twice, and every presence is labelled with a boundary."""
    for rows in lived.presences.values():
        times = [row.time_ns for row in rows]
        assert len(set(times)) == len(times)
        assert not [at for at in times if at % (60_000 * MS)]
        assert all(float(row.fields["uptime_s"]) > 0 for row in rows)


def test_evidence_says_what_was_so(lived: Lived) -> None:
    """Where two presences of a boot follow each other awake, the minute between was as they say."""
    compared = bad = 0
    for agent, rows in lived.presences.items():
        known = lived.truth.known(agent)
        for first, before, after in zip(rows, rows[1:], rows[2:], strict=False):
            # a presence after a wake says nothing of the minute that began asleep
            same = all(first.fields[name] == after.fields[name] for name in ("boot", "asleep_s"))
            start = before.time_ns // MS
            if not same or after.time_ns - before.time_ns != MINUTE * MS or known.role is Role.HOTSPOT:
                continue
            if not known.times("agent", "measuring").has(known.asked(start)):
                continue  # it was asked at another instant: at a start of the agent
            minute = known.minute(start)
            compared += 1
            bad += not minute.is_good
            expected = "" if after.fields["wan"] else "wan" if after.fields["lan"] else "lan"
            assert minute.why == expected, (agent, start)
    assert compared > 15_000
    assert bad > 100


def test_a_working_machine_has_evidence(lived: Lived) -> None:
    """A minute in which machine and agent were there is proven by a presence, unless its boot was never dated."""
    held = missing = 0
    for agent, rows in lived.presences.items():
        known = lived.truth.known(agent)
        have = {row.time_ns // MS for row in rows}
        for start in range(lived.world.span.start, lived.world.span.end - 600 * MINUTE, MINUTE):
            if _ran(known, start):
                held += 1
                missing += start + MINUTE not in have
    assert held > 15_000
    assert missing < held / 50


def _ran(known: Known, start: int) -> bool:
    at = start + MINUTE + known.asks_ms
    is_there = known.times("agent", "measuring").covers(at - MINUTE, at + 1000)
    return is_there and known.times("power", "on").covers(start, at)


def test_what_is_late_and_what_has_no_time(lived: Lived) -> None:
    """Evidence of outages comes late, boots without the time say how much they held, ends of agents have marks."""
    late = [one for one in lived.said if one.batch.lines and one.received - _newest(one) > 15 * MINUTE]
    unsynced = [one for one in lived.said if one.batch.clock == "unsynced"]
    stops = [line for one in lived.said for line in one.batch.lines.splitlines() if line.startswith(b"stop ")]
    assert len(late) > 500
    assert unsynced
    assert all(one.batch.held > 0 and not one.batch.lines for one in unsynced)
    assert {word for word in (b"KILL", b"shutdown", b"success") if any(word in line for line in stops)} == {
        b"KILL",
        b"shutdown",
        b"success",
    }


def _newest(one: Said) -> int:
    return max(int(line[-19:]) for line in one.batch.lines.splitlines()) // MS


def test_asking_is_three_tries() -> None:
    """An answer within three tries, a second apart, is one."""
    up = Times([(0, 1000), (3000, 9000)])
    assert [tries(up, at) for at in (0, 999, 1000, 2999, 9000)] == [True, True, True, True, False]
    assert not tries(Times([(0, 1000), (3001, 9000)]), 1000)


def test_a_clone_has_two_serials_and_a_moved_one_another_gateway(lived: Lived) -> None:
    """Oddities show in the identities that agents report, and nowhere else in what they say of themselves."""
    seen: dict[str, dict[str, set[object]]] = defaultdict(lambda: defaultdict(set))
    for one in lived.said:
        for line in some(one, b"identity "):
            if one.device == one.agent:
                for name, value in line.fields.items():
                    seen[one.agent][name].add(value)
    kinds = {kind: [device for device, odd in lived.odd.items() if odd[0] == kind] for kind in ("clone", "moved")}
    kinds["parked"] = [device for device, odd in lived.odd.items() if odd[0] == "parked"]
    assert all(kinds.values())
    for device in kinds["clone"]:
        assert len(seen[device]["serial"]) == 2
    for device in kinds["moved"]:
        assert len(seen[device]["gateway_mac"]) == 2
        assert len(seen[device]["serial"]) == 1
    assert len(kinds["parked"]) == 2
    assert len({device.partition(".")[0] for device in kinds["parked"]}) == 2
    assert len(set.union(*(seen[device]["gateway_mac"] for device in kinds["parked"]))) == 1
    assert all(len(seen[device]["serial"]) == 1 for device in seen if device not in lived.odd)
