"""
How long the dashboards take: every query of every page, in a real influxd that holds a city.

Days as they were judged, and the roster, for a month, with what their sites add up to; of the last hours what panels
read by the minute: journeys of the hotspots, deliveries, what agents say of themselves, the centre's own points; of one
school the presences of the month. Each query is run as Grafana runs it, one after the other, and a dashboard is the sum
of its queries; Grafana asks several at a time.

    python -m benchmarks.grafana [--devices 22000] [--days 30]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.report import Figure, print_figures
from collector.calendars.zone import day_window
from collector.check import identity_tags
from collector.site_days import name_of
from collector.store.base import DAY_NS, Store
from collector.store.open import open_store
from contract.measurements import Retention
from contract.names import county_of, site_of
from deploy.grafana.promises import promises
from tests.deploy.grafana import Period, Server, Value, dashboards, expand, targets
from tests.services import HOST, Influxd

CITY, MONTH = 22_000, 30
LINES = 40_000
ZONE = ZoneInfo("Asia/Shanghai")
MINUTE_NS = 60_000_000_000
PROMISED = promises()
WAITS = 50  # each so-manieth device has data that wait, and gives up some
HOURS = {"city": 0, "school": 0, "device": 24, "hotspots": 3, "centre": 1}  # what pages begin with; 0: all days
CITY_S, PAGE_S, QUERY_S, MEMORY_MIB = 5.0, 10.0, 2.0, 4096.0
SCHOOL_DAY = range(7 * 60, 19 * 60)  # minutes of a day at which a school's machines run
MINUTES = (
    "working={working}i,service_down=0i,wan_down={lost}i,lan_down=0i,power_off={off}i,asleep=0i,agent_down=0i,"
    "unknown={unknown}i,excluded=0i"
)
RUNS = "480+45w 535+45w 600+40w 650+3n 840+45w 895+45w 950+20p"


def ids(devices: int) -> list[tuple[str, bool]]:
    """Return ids in eight counties, and whether each is a hotspot: one in eleven."""
    found = []
    for n in range(devices):
        is_spot = n % 11 == 0
        site = f"{441802 + n // 40 % 8}-{'wifi' if is_spot else 's'}{n // 40:05d}"
        found.append((f"{site}.{'ap' if is_spot else 'c'}{n % 40:04d}", is_spot))
    return found


def days(names: list[tuple[str, bool]], number: int, end_ns: int) -> Iterator[bytes]:
    """Yield a judged day and a roster point of each device and day, and of each site; of today what the roster says."""
    for ago in range(number, -1, -1):
        at = end_ns - ago * DAY_NS
        for n, (name, is_spot) in enumerate(names):
            tags = identity_tags(name, name).decode()
            if ago:
                yield (
                    f"availability{tags},criterion={_criterion(is_spot=is_spot)} {_minutes([n])},"
                    f'runs="{RUNS}",open=0i,judged=1i,inputs="ab" {at}\n'
                ).encode()
            yield (
                f"roster{tags} {_kinds(is_spot=is_spot)},{_site(name)},"
                f'class_name="三年级(2)班",device_entry="{name}|三年级(2)班" {at}\n'
            ).encode()
        for (site, is_spot), some in _by_site(names).items():
            tags = identity_tags(name_of(site), name_of(site)).decode()
            if ago:
                good = sum(_lost(n)[1] == 0 for n in some)
                days_of = f"days={len(some)}i,counted={len(some)}i,proven={good}i,possible={len(some)}i"
                yield (
                    f"site_availability{tags},criterion={_criterion(is_spot=is_spot)} {_minutes(some)},{days_of},"
                    f'judged=1i,rule="40 gbbbeeuue" {at}\n'
                ).encode()
            yield f"site_roster{tags} {_kinds(len(some), is_spot=is_spot)},{_site(site)} {at}\n".encode()


def _by_site(names: list[tuple[str, bool]]) -> dict[tuple[str, bool], list[int]]:
    found: dict[tuple[str, bool], list[int]] = {}
    for n, (name, is_spot) in enumerate(names):
        found.setdefault((site_of(name), is_spot), []).append(n)
    return found


def _criterion(*, is_spot: bool) -> str:
    return PROMISED.hotspots if is_spot else PROMISED.classes


def _lost(n: int) -> tuple[int, int]:
    """Return which minutes of a device's day were lost to the uplink, and which are unknown."""
    return (0, 240) if n % 50 == 0 else (n % 7, 0)


def _minutes(some: list[int]) -> str:
    lost, unknown = (sum(part) for part in zip(*map(_lost, some), strict=True))
    return MINUTES.format(working=240 * len(some) - lost - unknown, lost=lost, unknown=unknown, off=60 * len(some))


def _kinds(number: int = 1, *, is_spot: bool) -> str:
    return f"counts={number}i,platform={number * (not is_spot)}i,hotspot={number * is_spot}i"


def _site(name: str) -> str:
    site = site_of(name)
    return (
        f'county_name="清城区",site_name="第{site[-5:]}小学",county_entry="{name[:6]}|清城区",'
        f'site_entry="{site}|第{site[-5:]}小学"'
    )


def minutes(names: list[tuple[str, bool]], end_ns: int) -> Iterator[tuple[Retention, bytes]]:
    """Yield what panels read by the minute, of the last three hours and of the last one."""
    for ago in range(180, 0, -1):
        at = end_ns - ago * MINUTE_NS
        for n, (name, is_spot) in enumerate(names):
            tags = identity_tags(name, name).decode()
            if is_spot:
                times = "scan_ms=2100.0,associate_ms=640.0,dhcp_ms=380.0,dns_ms=45.0,portal_ms=120.0,http_ms=210.0"
                walk = f'success=1i,stage="done",rssi_dbm=-52.0,{times}'
                yield Retention.EVIDENCE, f"probe{tags},kind=wifi_join,target=Public {walk} {at + n}\n".encode()
                radio = f"radio{tags},interface=wlan0 stations=20i,utilization_percent=41.5 {at + n}\n"
                yield Retention.TELEMETRY, radio.encode()
            if ago <= 60 and ago % 2 == n % 2:
                told = identity_tags(name, name, name_agent=True).decode()
                came = f"delivery{told} lines=6i,lag_ms={200 + n % 900}i,received=1i {at + n}\n"
                yield Retention.EVIDENCE, came.encode()
                waits = (60 - ago) * (n % WAITS == 0)
                says = f"agent{tags} spool_batches={waits}i,refused_total={waits}i,dropped_total={waits}i {at + n}\n"
                yield Retention.TELEMETRY, says.encode()
        if ago <= 60:
            fields = f"stored_lines={(60 - ago) * 660_000}i,quarantine=0i,dropped=0i,waiting=3i,trouble=0i"
            busy = f"cpu_seconds={60 - ago}.0,rss_bytes=64000000i,lag_p50_ms=650i,lag_p99_ms=1090i"
            yield Retention.TELEMETRY, f"centre{_CENTRE} {fields},{busy} {at}\n".encode()


def school(names: list[tuple[str, bool]], number: int, end_ns: int) -> Iterator[bytes]:
    """Yield the presences of one school over the days, and its throughput tests."""
    site = site_of(_class(names))
    for name in (name for name, _ in names if site_of(name) == site):
        tags = identity_tags(name, name).decode()
        for ago in range(number, 0, -1):
            at = end_ns - ago * DAY_NS
            yield f'throughput{tags},direction=download,server=a goodput_mbps=93.5,limited_by="none" {at}\n'.encode()
            for minute in SCHOOL_DAY:
                lived = f'boot="{ago:08x}",uptime_s={60 * (minute - SCHOOL_DAY[0])}.0,lan=1i,wan=1i,broker=1i'
                yield f"presence{tags} {lived} {at + minute * MINUTE_NS}\n".encode()


def _class(names: list[tuple[str, bool]]) -> str:
    return next(name for name, is_spot in names if not is_spot)


_CENTRE = identity_tags("centre-a.collector", "centre-a.collector").decode()


def fill(store: Store, names: list[tuple[str, bool]], number: int, end_ns: int, day_ns: int) -> None:
    """Write everything."""
    lines = chain(days(names, number, day_ns), school(names, number, day_ns))
    while piece := b"".join(islice(lines, LINES)):
        store.write(Retention.EVIDENCE, piece)
    waiting: dict[Retention, list[bytes]] = {kind: [] for kind in Retention}
    for kind, line in minutes(names, end_ns):
        waiting[kind].append(line)
        if len(waiting[kind]) == LINES:
            store.write(kind, b"".join(waiting[kind]))
            waiting[kind].clear()
    for kind, rest in waiting.items():
        store.write(kind, b"".join(rest))


def measure(server: Server, number: int, end_ns: int, device: str) -> Iterator[Figure]:
    """Yield a figure for each dashboard, its slowest query with it; School and Device are those of a device."""
    end = end_ns // 10**6
    chosen: dict[str, Value] = {
        "classes": PROMISED.classes,
        "hotspots": PROMISED.hotspots,
    }
    for name, hours in HOURS.items():
        if name in ("school", "device"):
            chosen |= {"county": county_of(device), "site": site_of(device), "device": device}
        else:
            chosen |= {"county": ".*", "site": ".*"}
        board = dashboards("en")[f"en/{name}"]
        period = Period(end - (hours * 3_600_000 or number * 86_400_000), end)
        spent: list[tuple[float, str]] = []
        queries = [(one.where, one.text, one.panel.get("interval", "")) for one in targets(name, board)]
        queries += [
            (one["name"], one["query"]["query"], "") for one in board["templating"]["list"] if one["type"] == "query"
        ]
        for where, text, least in queries:
            began = time.perf_counter()
            server.ask(expand(text, period, chosen, least))
            spent.append((time.perf_counter() - began, where))
        for seconds, where in sorted(spent, reverse=True):
            print(f"  {seconds:7.2f} s  {where}")
        slowest = max(spent)
        over = f"{hours} h" if hours else f"{number} days"
        page_s = sum(one for one, _ in spent)
        yield Figure(
            f"{name}, {over}: {len(spent)} queries one after the other",
            page_s,
            CITY_S if name == "city" else PAGE_S,
            "s",
        )
        yield Figure(f"{name}: the slowest query, {slowest[1]}", slowest[0], QUERY_S, "s")


def memory_mib(pid: int) -> float:
    """Return the most memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Fill a store, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=CITY)
    parser.add_argument("--days", type=int, default=MONTH)
    options = parser.parse_args()
    end_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
    day_ns = day_window(datetime.now(ZONE).date(), ZONE)[0]
    with tempfile.TemporaryDirectory() as folder:
        influxd = Influxd(Path(folder))
        influxd.start()
        try:
            with closing(open_store(influxd.url("bench"))) as store:
                store.prepare()
                began = time.perf_counter()
                names = ids(options.devices)
                fill(store, names, options.days, end_ns, day_ns)
                print(f"  filled in {time.perf_counter() - began:.0f} s")
            before = memory_mib(influxd.pid)
            server = Server(f"http://{HOST}:{influxd.port}", "bench")
            figures = list(measure(server, options.days, end_ns, _class(names)))
            figures.append(Figure("memory of influxd when it was filled", before, MEMORY_MIB, "MiB"))
            figures.append(Figure("memory of influxd, at most", memory_mib(influxd.pid), MEMORY_MIB, "MiB"))
        finally:
            influxd.stop()
    print_figures(f"dashboards of {options.devices:,} devices", figures)


if __name__ == "__main__":
    main()
