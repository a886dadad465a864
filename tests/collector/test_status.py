"""What `santong status` says of a store: completeness, rates, and nothing that is not there."""

import json
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.screen import console, device_table, duration
from collector.status import DeviceStatus, read_status
from collector.store.open import open_store
from collector.words import Language
from contract.measurements import Retention

DEVICE = "441802-3144001234.c0703"
OTHER = "441802-3144001234.c0704"
MINUTE_NS = 60 * 10**9
NOW_NS = time.time_ns()
TAGS = f"device={DEVICE},site=441802-3144001234,county=441802"
SHANGHAI = ZoneInfo("Asia/Shanghai")


def delivery(
    epoch: str,
    seq: int,
    *,
    device: str = DEVICE,
    agent: str = DEVICE,
    previous: str = "",
    lag: int = 5,
    by_hand: bool = False,
) -> str:
    """Return a delivery point a minute after the one before."""
    tags = f"device={device},site=441802-3144001234,county=441802,agent={agent}"
    more = f',previous="{previous}"' if previous else ""
    more += ",by_hand=1i" if by_hand else ""
    at = NOW_NS - (1000 - seq) * MINUTE_NS // 60 + int(epoch, 16) % 1000
    return (
        f'delivery,{tags} epoch="{epoch}",seq={seq}i,lines=5i,received={at // 10**6 + lag}i,lag_ms={lag}i,'
        f"partial=0i,expired=0i,"
        f'clock="synced"{more} {at}\n'
    )


def status_of(tmp_path: Path, evidence: str, telemetry: str = "") -> dict[str, DeviceStatus]:
    """Return the status of a store with these lines."""
    tmp_path.mkdir(exist_ok=True)
    store = open_store(f"sqlite://{tmp_path / 'store.sqlite'}")
    store.prepare()
    assert store.write(Retention.EVIDENCE, evidence.encode()) == []
    assert store.write(Retention.TELEMETRY, telemetry.encode()) == []
    found = read_status(store, NOW_NS - 24 * 60 * MINUTE_NS, NOW_NS + MINUTE_NS)
    store.close()
    return {device.device: device for device in found}


def test_a_hole_in_the_sequence_is_missing(tmp_path: Path) -> None:
    """Sequence numbers that were given out and never came are counted."""
    found = status_of(tmp_path, "".join(delivery("aaaaaaaa", seq) for seq in (1, 2, 4, 7)))
    assert found[DEVICE].delivery.batches == 4
    assert found[DEVICE].delivery.missing == 3


def test_the_lost_end_of_an_epoch_is_told_by_the_next(tmp_path: Path) -> None:
    """The first batch of an epoch names the last of the one before, so a lost end is noticed."""
    lines = delivery("aaaaaaaa", 1) + delivery("aaaaaaaa", 2) + delivery("bbbbbbbb", 1, previous="aaaaaaaa:5")
    assert status_of(tmp_path, lines)[DEVICE].delivery.missing == 3


def test_an_older_copy_of_a_spool_hides_no_hole(tmp_path: Path) -> None:
    """Two epochs name the same one before them, and a restored card knows less of it: the larger number counts."""
    lines = delivery("aaaaaaaa", 1) + delivery("bbbbbbbb", 1, previous="aaaaaaaa:5")
    lines += delivery("cccccccc", 2, previous="aaaaaaaa:3") + delivery("cccccccc", 1)
    assert status_of(tmp_path, lines)[DEVICE].delivery.missing == 4


def test_what_came_by_hand_says_nothing_of_the_network(tmp_path: Path) -> None:
    """A file of last week is late, however new it is to the centre; what comes live beside it is live."""
    lines = delivery("aaaaaaaa", 1) + delivery("aaaaaaaa", 9, lag=700_000_000, by_hand=True) + delivery("aaaaaaaa", 2)
    found = status_of(tmp_path, lines)[DEVICE].delivery
    assert (found.late, found.lag_p50_ms, found.lag_p99_ms) == (1, 5, 5)


def test_what_the_size_cap_dropped_is_missing(tmp_path: Path) -> None:
    """The oldest batches of an epoch that went at the size cap, and an epoch of which nothing is left, are counted."""
    lines = delivery("aaaaaaaa", 1) + delivery("cccccccc", 501, previous="") + delivery("cccccccc", 502)
    assert status_of(tmp_path, lines)[DEVICE].delivery.missing == 500
    lines = delivery("00000001", 1, previous="bbbbbbbb:40") + delivery("00000002", 1, previous="ffffffff:7")
    assert status_of(tmp_path / "other", lines)[DEVICE].delivery.missing == 7


def test_an_epoch_that_began_before_the_period_has_no_holes_before_it(tmp_path: Path) -> None:
    """Looking back a day does not turn yesterday's batches into missing ones."""
    lines = "".join(delivery("aaaaaaaa", seq) for seq in (500, 501, 502))
    assert status_of(tmp_path, lines)[DEVICE].delivery.missing == 0


def test_numbers_of_a_gateway_count_over_all_its_devices(tmp_path: Path) -> None:
    """An agent that speaks for two devices numbers its batches over both: neither has holes."""
    lines = "".join(delivery("aaaaaaaa", seq, device=DEVICE if seq % 2 else OTHER) for seq in range(1, 9))
    found = status_of(tmp_path, lines)
    assert found[DEVICE].delivery.missing == 0
    assert (found[DEVICE].delivery.batches, found[OTHER].delivery.batches) == (4, 4)


def test_lags_are_quantiles(tmp_path: Path) -> None:
    """The lag at p50 and p99 is that of the batches, in milliseconds."""
    lines = "".join(delivery("aaaaaaaa", seq, lag=seq) for seq in range(1, 101))
    found = status_of(tmp_path, lines)[DEVICE].delivery
    assert (found.lag_p50_ms, found.lag_p99_ms, found.late) == (51, 100, 0)


def _received(seq: int, measured_s: float, received_s: float, lines: int = 5, **fields: int) -> str:
    """Return the delivery point of a batch that was measured and received so many seconds after the beginning."""
    began_ns = NOW_NS - 3600 * 10**9
    received_ms = (began_ns + int(received_s * 1e9)) // 10**6
    more = "".join(f",{name}={value}i" for name, value in fields.items())
    return (
        f'delivery,{TAGS},agent={DEVICE} epoch="aaaaaaaa",seq={seq}i,lines={lines}i,'
        f"received={received_ms}i,lag_ms={round((received_s - measured_s) * 1000)}i{more},"
        f'clock="synced" {began_ns + int(measured_s * 1e9) + seq}\n'
    )


def test_a_backlog_does_not_hide_the_lag_of_live_data(tmp_path: Path) -> None:
    """Back after half an hour: the batches that come after newer ones are late, and the lag is that of the others."""
    live = [_received(seq, 60 * seq, 60 * seq + 0.2) for seq in (1, 2)]
    outage = [_received(seq, 60 * seq, 1981 + seq) for seq in range(3, 33)]
    back = [_received(33, 1980, 1980.9)] + [_received(seq, 60 * seq, 60 * seq + 0.3) for seq in (34, 35)]
    found = status_of(tmp_path, "".join([*live, *outage, *back]))[DEVICE].delivery
    assert (found.batches, found.late, found.missing) == (35, 30, 0)
    assert (found.lag_p50_ms, found.lag_p99_ms) == (300, 900)


def test_live_data_that_waits_behind_a_backlog_is_seen(tmp_path: Path) -> None:
    """An agent that would send its oldest batches first has the lag of all of them: nothing newer had come before."""
    lines = "".join(_received(seq, 60 * seq, 1800 + seq) for seq in range(1, 30))
    found = status_of(tmp_path, lines)[DEVICE].delivery
    assert found.late == 0
    assert (found.lag_p50_ms, found.lag_p99_ms) == (915_000, 1_741_000)


def test_two_batches_in_one_millisecond_are_taken_newest_first(tmp_path: Path) -> None:
    """Agents send the newest first: the older of two that came together is late, not the lag of live data."""
    found = status_of(tmp_path, _received(1, 60, 1800) + _received(2, 1799, 1800))[DEVICE].delivery
    assert (found.late, found.lag_p99_ms) == (1, 1000)


def test_a_batch_without_any_good_line_has_no_lag(tmp_path: Path) -> None:
    """A batch whose lines are all refused has no time of its own: it has no lag and makes no other one late."""
    lines = _received(1, 500, 500, lines=0, partial=5) + _received(2, 480, 501)
    found = status_of(tmp_path, lines)[DEVICE].delivery
    assert (found.batches, found.refused_lines, found.late, found.lag_p99_ms) == (2, 5, 0, 21_000)
    assert status_of(tmp_path / "other", _received(1, 500, 500, lines=0, partial=5))[DEVICE].delivery.lag_p50_ms is None


def test_a_batch_that_came_twice_counts_as_it_came_last(tmp_path: Path) -> None:
    """A batch refused by a centre whose clock was wrong, and stored later, is one batch without refused lines."""
    found = status_of(tmp_path, _received(1, 500, 500, lines=0, partial=5) + _received(1, 90, 900))[DEVICE].delivery
    assert (found.batches, found.refused_lines, found.lag_p99_ms) == (1, 0, 810_000)


def test_rates_come_from_the_last_two_readings_and_survive_a_reboot(tmp_path: Path) -> None:
    """Rates are kbit/s between the last two readings; counters that start anew give no negative rate."""

    def interface(name: str, minutes: int, rx: int, tx: int) -> str:
        at = NOW_NS - minutes * MINUTE_NS
        return f"interface,{TAGS},name={name} rx_bytes={rx}i,tx_bytes={tx}i,up=1i {at}\n"

    lines = interface("eth0", 3, 0, 0) + interface("eth0", 2, 750_000, 75_000) + interface("eth0", 1, 1_500_000, 0)
    found = status_of(tmp_path, delivery("aaaaaaaa", 1), lines)[DEVICE]
    assert found.rates_kbps() == (100.0, 0.0)


def test_a_radio_that_only_says_that_it_is_up_has_no_rate(tmp_path: Path) -> None:
    """No figure is shown where no octets were counted."""
    lines = "".join(f"interface,{TAGS},name=radio0 up=1i {NOW_NS - n * MINUTE_NS}\n" for n in (2, 1))
    assert status_of(tmp_path, delivery("aaaaaaaa", 1), lines)[DEVICE].rates_kbps() is None


def test_json_says_null_for_what_was_not_measured(tmp_path: Path) -> None:
    """A reading that is not there is null, never 0, and times carry their offset."""
    presence = f'presence,{TAGS} boot="b",uptime_s=60.0,asleep_s=0.0,lan=1i,broker=1i {NOW_NS}\n'
    told = status_of(tmp_path, presence)[DEVICE].as_json(SHANGHAI)
    json.dumps(told)
    assert told["presence"] == 1
    assert told["lan"] == 1
    assert told["wan"] is None
    assert str(told["last_seen"]).endswith("+08:00")


@pytest.mark.parametrize(
    ("seconds", "text"), [(59, "00:00:59"), (86399, "23:59:59"), (3 * 86400 + 3661, "3d 01:01:01")]
)
def test_durations_are_readable(seconds: float, text: str) -> None:
    """People read days and hours, not seconds."""
    assert duration(seconds) == text


def test_the_newest_outcome_of_each_probe(tmp_path: Path) -> None:
    """The status shows what each probe found last, with that point's own fields, and lists the ones that fail."""

    def probe(tags: str, fields: str, minutes_ago: int) -> str:
        return f"probe,{TAGS},{tags} {fields} {NOW_NS - minutes_ago * MINUTE_NS}\n"

    evidence = (
        probe("kind=dns,target=www.lab", 'success=1i,rtt_ms=3.5,stage="done"', 2)
        + probe("kind=dns,target=www.lab", 'success=0i,stage="answer",code=3i,reason="NXDOMAIN"', 1)
        + probe("kind=dhcp,target=eth0", 'stage="unable",reason="CAP_NET_RAW is needed"', 1)
        + probe("kind=portal,target=internet", 'success=1i,stage="portal",code=302i', 1)
    )
    status = status_of(tmp_path, delivery("aaaaaaaa", 1) + evidence)[DEVICE]
    shown = {one["kind"]: one for one in status.as_json(SHANGHAI)["probes"]}
    assert (shown["dns"]["success"], shown["dns"]["stage"], shown["dns"]["code"]) == (False, "answer", 3)
    assert "rtt_ms" not in shown["dns"]
    assert (shown["dhcp"]["success"], shown["portal"]["success"]) == (None, True)
    screen = console()
    with screen.capture() as captured:
        screen.print(device_table([status], "en", SHANGHAI, full=True))
    assert "1 / 3" in captured.get()
    assert f"{DEVICE} dns www.lab: fails at answer: NXDOMAIN" in captured.get()
    assert f"{DEVICE} dhcp eth0: could not be asked: CAP_NET_RAW is needed" in captured.get()
    assert "portal internet" not in captured.get()


def test_active_faults_are_shown_by_their_titles(tmp_path: Path) -> None:
    """A fault is there while its newest point is active, in the words of the device's profile, and gone when clear."""
    at = NOW_NS - 3 * MINUTE_NS
    lines = f'identity,{TAGS} profile="no-such-profile" {at}\n'
    lines += f'fault,{TAGS},code=lamp-failed active=1i,severity="critical" {at}\n'
    lines += f'fault,{TAGS},code=spool-damaged active=1i,severity="warning" {at}\n'
    lines += "".join(f'fault,{TAGS},code=hot active={n}i,severity="warning" {at - n}\n' for n in (1, 0))
    (device,) = status_of(tmp_path, delivery("aaaaaaaa", 1) + lines).values()
    assert device.profile == "no-such-profile"
    assert [(fault.code, fault.severity) for fault in device.faults] == [
        ("lamp-failed", "critical"),
        ("spool-damaged", "warning"),
    ]
    assert device.as_json(SHANGHAI)["faults"][1]["title"]["zh"] == "待传数据曾损坏，已修复"
    shown_in: tuple[tuple[Language, str], ...] = (("zh", "严重: lamp-failed"), ("en", "critical: lamp-failed"))
    for language, words in shown_in:
        screen = console()
        with screen.capture() as shown:
            screen.print(device_table([device], language, SHANGHAI, full=True))
        assert words in shown.get()
        assert "hot" not in shown.get()
