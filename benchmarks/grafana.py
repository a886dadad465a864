"""
How long the dashboards of a whole city take: every query of City, Hotspots and Centre, in a real influxd.

Days as they were judged, and the roster, for a month; of the last hours what panels read by the minute: journeys of the
hotspots, deliveries, what agents say of themselves, the centre's own points. Each query is run as Grafana runs it, one
after the other, and a dashboard is the sum of its queries; Grafana asks several at a time.

    python -m benchmarks.grafana [--devices 22000] [--days 30]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.report import Figure, print_figures
from collector.calendars.zone import day_window
from collector.check import identity_tags
from collector.store.base import DAY_NS, Store
from collector.store.open import open_store
from contract.measurements import Retention
from deploy.grafana.promises import promises
from tests.deploy.grafana import Period, Server, Value, dashboards, expand, targets
from tests.services import HOST, Influxd

CITY, MONTH = 22_000, 30
LINES = 40_000
ZONE = ZoneInfo("Asia/Shanghai")
MINUTE_NS = 60_000_000_000
HOURS = {"city": 0, "hotspots": 3, "centre": 1}  # the periods that dashboards begin with; City: of days
PAGE_S, QUERY_S = 30.0, 5.0
MINUTES = (
    "working={working}i,service_down=0i,wan_down={lost}i,lan_down=0i,power_off=60i,asleep=0i,agent_down=0i,"
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
    """Yield a judged day and a roster point of each device and day."""
    promised = promises()
    for ago in range(number, 0, -1):
        at = end_ns - ago * DAY_NS
        for n, (name, is_spot) in enumerate(names):
            tags = identity_tags(name, name).decode()
            criterion = promised.hotspots if is_spot else promised.classes
            lost, unknown = (0, 240) if n % 50 == 0 else (n % 7, 0)
            minutes = MINUTES.format(working=240 - lost - unknown, lost=lost, unknown=unknown)
            site = name.partition(".")[0]
            yield (
                f'availability{tags},criterion={criterion} {minutes},runs="{RUNS}",open=0i,judged=1i,inputs="ab" {at}\n'
                f'roster{tags} counts=1i,platform={int(not is_spot)}i,hotspot={int(is_spot)}i,county_name="清城区",'
                f'site_name="第{n // 40}小学",class_name="三年级(2)班",county_entry="{name[:6]}|清城区",'
                f'site_entry="{site}|第{n // 40}小学",device_entry="{name}|三年级(2)班" {at}\n'
            ).encode()


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
                says = f"agent{tags} spool_batches=0i,refused_total=0i,dropped_total=0i {at + n}\n"
                yield Retention.TELEMETRY, says.encode()
        if ago <= 60:
            fields = f"stored_lines={(60 - ago) * 660_000}i,quarantine=0i,dropped=0i,waiting=3i,trouble=0i"
            busy = f"cpu_seconds={60 - ago}.0,rss_bytes=64000000i"
            yield Retention.TELEMETRY, f"centre{_CENTRE} {fields},{busy} {at}\n".encode()


_CENTRE = identity_tags("centre-a.collector", "centre-a.collector").decode()


def fill(store: Store, names: list[tuple[str, bool]], number: int, end_ns: int, day_ns: int) -> None:
    """Write everything."""
    lines = days(names, number, day_ns)
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


def measure(server: Server, number: int, end_ns: int) -> Iterator[Figure]:
    """Yield a figure for each dashboard, its slowest query with it."""
    promised, end = promises(), end_ns // 10**6
    chosen: dict[str, Value] = {
        "county": ".*",
        "site": ".*",
        "classes": promised.classes,
        "hotspots": promised.hotspots,
    }
    for name, hours in HOURS.items():
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
        yield Figure(f"{name}, {over}: {len(spent)} queries one after the other", page_s, PAGE_S, "s")
        yield Figure(f"{name}: the slowest query, {slowest[1]}", slowest[0], QUERY_S, "s")


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
                fill(store, ids(options.devices), options.days, end_ns, day_ns)
                print(f"  filled in {time.perf_counter() - began:.0f} s")
            figures = list(measure(Server(f"http://{HOST}:{influxd.port}", "bench"), options.days, end_ns))
        finally:
            influxd.stop()
    print_figures(f"dashboards of {options.devices:,} devices", figures)


if __name__ == "__main__":
    main()
