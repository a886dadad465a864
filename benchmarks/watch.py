"""
What watch costs over a city: 22,000 devices on 1,200 sites, a real broker, a real store of either kind.

    python -m benchmarks.watch [--devices 22000] [--smaller 5500]

Each part as a ratio, to a look's interval or between two sizes of city: the machine is somebody else's too. A look is
measured in processor time, all else by the clock on the wall. Memory is that of a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.report import Figure, print_figures
from collector.check import identity_tags
from collector.instructed import Instructions
from collector.listen import Listener, Word
from collector.roster.read import read
from collector.roster.schema import Device, Roster, Site
from collector.roster.versions import Versions
from collector.sighted import Sighted
from collector.store.base import Store
from collector.store.open import open_store
from collector.targets.load import load
from collector.watch.core import Core
from collector.watch.journal import Entry, Journal
from collector.watch.memory import Moment, Sight, Thing
from collector.watch.routes import WatchSettings
from collector.watch.rules import Rules, ns
from collector.watching import Sources, Watching
from contract import topics
from contract.broker import BrokerSettings, BrokerUrl
from contract.lines import encode_stored
from contract.measurements import Retention
from contract.sample import Value
from tests.services import HOST, Influxd, Mosquitto

SITES_EACH = 18  # devices a site: a gateway, classes
MINUTES = 10


def roster(devices: int) -> Roster:
    """Return schools with a gateway and classes; each eleventh device is a hotspot."""
    sites: dict[str, Site] = {}
    found: dict[str, Device] = {}
    for number in range(devices):
        school, place = divmod(number, SITES_EACH)
        site = f"4418{school % 8:02}-{3_000_000_000 + school}"
        role = "gateway" if place == 0 else "access-point" if number % 11 == 5 else "classroom"
        sites[site] = Site(site, f"School {school}", operator=f"operator-{school % 3}")
        name = f"{site}.{'gw' if place == 0 else f'c{place:02}'}"
        found[name] = Device(name, role, profile="windows-classroom-pc" if role == "classroom" else "")
    return Roster(sites, found)


def things(city: Roster) -> list[Thing]:
    """Return the devices as watch knows them."""
    return [
        Thing(
            one.id,
            one.site,
            one.id[:6],
            city.sites[one.site].operator,
            "",
            one.role == "classroom",
            one.role == "gateway",
        )
        for one in city.devices.values()
    ]


@contextmanager
def timed(seconds: dict[str, float], name: str, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Measure what is done within."""
    began = clock()
    yield
    seconds[name] = clock() - began


def state_machine(devices: int) -> dict[str, float]:
    """Measure looks and commits of a city that is switched on, works, and loses an operator."""
    city = roster(devices)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder), create=True)
        with timed(seconds, "load empty"):
            core = Core(Rules(), journal.load())
        core.plan(things(city))
        core.subscribed(0)
        now_ns = 1_764_000_000 * 10**9
        hours = dict.fromkeys(city.sites, now_ns - ns(7200))

        def look(name: str, away: frozenset[str] = frozenset()) -> None:
            nonlocal now_ns
            now_ns += ns(60)
            core.seen(Sight(one, now_ns, "working") for one in city.devices if one not in away)
            with timed(seconds, f"look, {name}", time.process_time):
                news = core.step(Moment(now_ns, hours, frozenset(city.sites)))
            entries = [Entry("one", one.case.id, one.what, "info", "x" * 100, now_ns) for one in news]
            with timed(seconds, f"commit, {name}"):
                journal.commit(core.memory, entries)

        for one in city.devices:
            core.said(one, "online", now_ns)
        look("all are switched on")
        look("nothing changes")
        cut = frozenset(one for one in city.devices if city.site_of(one).operator == "operator-0")
        for one in cut:
            core.said(one, "offline", now_ns)
        look("a third is cut off", cut)
        for _ in range(4):
            look("one incident of the operator", cut)
        with timed(seconds, "load"):
            journal.load()
        with timed(seconds, "states for the board"):
            journal.now()
        seconds["incidents"] = len(core.memory.cases)
        journal.shut()
    return seconds


def broker(devices: int) -> dict[str, float]:
    """Measure how long it takes to hear all that is retained."""
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        server = Mosquitto(Path(folder), ("max_queued_messages 0",), log_type="error")
        server.start()
        try:
            client = mqtt.Client(CallbackAPIVersion.VERSION2, "agents", protocol=mqtt.MQTTv5)
            client.connect(HOST, server.port)
            client.loop_start()
            payload = topics.encode_state("online", "b", "0")
            sent = [client.publish(topics.state(one), payload, qos=1, retain=True) for one in roster(devices).devices]
            for one in sent:
                one.wait_for_publish(120)
            client.disconnect()
            client.loop_stop()
            listener = Listener(BrokerSettings(BrokerUrl(server.url)))
            words = 0
            with timed(seconds, "retained words"):
                listener.start()
                while words < devices:
                    words += sum(isinstance(event, Word) for event in listener.heard())
                    time.sleep(0.01)
            listener.stop()
        finally:
            server.stop()
    return seconds


def fill(store: Store, city: Roster, now_ns: int) -> None:
    """Write ten minutes of presences, and probes of the hotspots."""
    store.prepare()
    for minute in range(MINUTES):
        at_ns = now_ns - now_ns % ns(60) - ns(60 * minute)
        lines = []
        for one in city.devices.values():
            identity = identity_tags(one.id, one.id, name_agent=False)
            fields: dict[str, Value] = {
                "boot": "b",
                "uptime_s": 600.0,
                "asleep_s": 0.0,
                "lan": 1,
                "wan": 1,
                "broker": 1,
            }
            lines.append(b"presence" + identity + encode_stored("presence", {}, fields, at_ns)[8:] + b"\n")
            if one.role == "access-point" and minute % 5 == 0:
                tags = {"kind": "portal", "target": "xiaomi"}
                lines.append(b"probe" + identity + encode_stored("probe", tags, {"success": 1}, at_ns)[5:] + b"\n")
        for at in range(0, len(lines), 5000):
            store.write(Retention.EVIDENCE, b"".join(lines[at : at + 5000]))


def reading(store: Store, city: Roster) -> dict[str, float]:
    """Measure what a read of the store takes, wall and processor time of watch."""
    now_ns = time.time_ns()
    fill(store, city, now_ns)
    sighted = Sighted(load().targets, Rules(), ("critical",))
    sighted.read(store, city, now_ns)
    used = time.process_time()
    seconds: dict[str, float] = {}
    with timed(seconds, "read"):
        found = sighted.read(store, city, now_ns)
        sighted.faults(store, now_ns)
    seconds["processor"] = time.process_time() - used
    assert len(found) == len(city.devices)
    return seconds


def stores(devices: int) -> dict[str, float]:
    """Measure reads of both kinds of stores."""
    found: dict[str, float] = {}
    city = roster(devices)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite://{folder}/santong.sqlite")
        found |= {f"sqlite {name}": value for name, value in reading(store, city).items()}
        store.close()
        server = Influxd(Path(folder) / "influxd")
        server.start()
        try:
            store = open_store(server.url("santong"))
            found |= {f"influxd {name}": value for name, value in reading(store, city).items()}
            store.close()
        finally:
            server.stop()
    return found


def whole(devices: int) -> dict[str, float]:
    """Measure a watch with all its parts but the broker: from its start to the end of its first look, and one more."""
    seconds: dict[str, float] = {}
    city = roster(devices)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sites = [
            "site,name,kind,operator",
            *(f"{one.id},{one.name},school,{one.operator}" for one in city.sites.values()),
        ]
        rows = ["device,role,valid_from", *(f"{one.id},{one.role},2025-09-01" for one in city.devices.values())]
        files = {"sites.csv": sites, "devices.csv": rows}
        for file, lines in files.items():
            (folder / file).write_text("\n".join(lines) + "\n")
        Versions(folder).add(read([folder / file for file in files]), date(2025, 9, 1), "benchmark")
        store = open_store(f"sqlite://{folder}/santong.sqlite")
        fill(store, city, time.time_ns())
        with timed(seconds, "start and first look"):
            watching = Watching(folder, Sources(store, None, load().targets), Instructions(folder, list))
            watching.look(time.time_ns())
        with timed(seconds, "one more look"):
            watching.look(time.time_ns())
        watching.stop()
        store.close()
    return seconds


def measured(part: str, devices: int) -> dict[str, float]:
    """Measure a part in a process of its own, with its memory in MB."""
    program = f"import benchmarks.watch as w; w.child({part!r}, {devices})"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def child(part: str, devices: int) -> None:
    """Print what a part comes to."""
    parts = {"state_machine": state_machine, "broker": broker, "stores": stores, "whole": whole}
    found = parts[part](devices)
    found["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=22_000)
    parser.add_argument("--smaller", type=int, default=5_500)
    options = parser.parse_args()
    every_s, read_s = float(WatchSettings().every), float(WatchSettings().read)
    machine = measured("state_machine", options.devices)
    smaller = measured("state_machine", options.smaller)
    grown = options.devices / options.smaller
    print(f"\n{options.devices:,} devices: seconds of each part")
    for name, value in machine.items():
        print(f"  {name:<45} {value:10.3f}   at {options.smaller:,}: {smaller[name]:.3f}")
    worst = max(value for name, value in machine.items() if name.startswith("look"))
    steady = machine["look, nothing changes"]
    print_figures(
        "the state machine",
        [
            Figure("a look where nothing changes, of its interval", steady / every_s, 0.1, "share"),
            Figure("the worst look, of its interval", worst / every_s, 0.2, "share"),
            Figure("a look grows with devices", steady / smaller["look, nothing changes"] / grown, 1.5, "×"),
            Figure("memory", machine["rss_mb"], 300, "MB"),
        ],
    )
    words = measured("broker", options.devices)
    reads = measured("stores", options.devices)
    all_of_it = measured("whole", options.devices)
    print_figures(
        "what comes in",
        [
            Figure("all retained words after a start", words["retained words"], 20, "s"),
            Figure("a read of SQLite, of its interval", reads["sqlite read"] / read_s, 0.25, "share"),
            Figure("a read of influxd, of its interval", reads["influxd read"] / read_s, 0.25, "share"),
            Figure("its processor time in watch, of its interval", reads["influxd processor"] / read_s, 0.1, "share"),
        ],
    )
    print_figures(
        "watch with all its parts",
        [
            Figure("start and first look", all_of_it["start and first look"], 60, "s"),
            Figure("one more look, of its interval", all_of_it["one more look"] / every_s, 0.25, "share"),
            Figure("memory", all_of_it["rss_mb"], 500, "MB"),
        ],
    )


if __name__ == "__main__":
    main()
