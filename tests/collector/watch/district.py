"""
A district for tests of watch against real parts.

A roster, a store with evidence of this minute, agents' words in a real broker, and `santong watch` as a process.

    district = District(tmp_path, mosquitto, schools=3)
    with district.living():
        district.cut(district.sites[0])
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from collector.check import identity_tags
from collector.roster.read import read
from collector.roster.versions import Versions
from collector.store.sqlite import SqliteStore
from contract import topics
from contract.lines import encode_stored
from contract.measurements import Retention
from contract.sample import Value
from tests.processes import BIN, Process
from tests.services import HOST, Mosquitto

CALENDARS = """
zone: Asia/Shanghai
holidays: none
default: always
calendars:
  always: {title: {zh: 全天, en: always}, service: always, every_day: true, follows_holidays: false}
"""
# As the shipped rules are, in seconds instead of minutes.
SETTINGS = """
language = "en"
every = "300ms"
read = "500ms"
gather = "300ms"
[rules]
device = "6s"
site = "3s"
centre = "3s"
recovery = "2s"
begin = "1s"
fresh = "150s"
settle = "1s"
together = "20s"
steady = "60s"
[digest]
at = ""
"""


def presence(device: str, *, wan: int = 1, ago_s: int = 0) -> bytes:
    """Return the line of a presence of this minute, or of an earlier one."""
    at_ns = time.time_ns() - ago_s * 10**9
    fields: dict[str, Value] = {"boot": "b", "uptime_s": 600.0, "asleep_s": 0.0, "lan": 1, "wan": wan, "broker": 1}
    return stored("presence", device, {}, fields, at_ns - at_ns % (60 * 10**9))


def fault(device: str, code: str, *, is_active: bool) -> bytes:
    """Return the line of a critical fault that begins or ends now."""
    fields: dict[str, Value] = {"active": int(is_active), "severity": "critical"}
    return stored("fault", device, {"code": code}, fields, time.time_ns())


def stored(measurement: str, device: str, tags: Mapping[str, str], fields: Mapping[str, Value], at_ns: int) -> bytes:
    """Return a line as the centre stores it."""
    line = encode_stored(measurement, tags, fields, at_ns)
    identity = identity_tags(device, device, name_agent=False)
    return measurement.encode() + identity + line[len(measurement) :] + b"\n"


class District:
    """Schools with a gateway and a class, in turn of counties; all of one operator but each third, of another."""

    def __init__(
        self,
        data: Path,
        broker: Mosquitto,
        schools: int = 3,
        settings: str = SETTINGS,
        counties: tuple[str, ...] = ("441802",),
    ) -> None:
        self.data, self.broker = data, broker
        data.mkdir(parents=True, exist_ok=True)
        self.sites = [f"{counties[number % len(counties)]}-{3000 + number}" for number in range(schools)]
        self.agents = [f"{site}.{place}" for site in self.sites for place in ("gw", "c1")]
        self.cut_off: set[str] = set()
        self.no_internet: set[str] = set()
        (data / "watch.toml").write_text(settings, encoding="utf-8")
        (data / "calendars.yaml").write_text(CALENDARS, encoding="utf-8")
        self._import()
        self.store = SqliteStore(data / "santong.sqlite")
        self.store.prepare()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "agents", protocol=mqtt.MQTTv5)
        self._lock = threading.Lock()

    def _import(self) -> None:
        sites = ["site,name,kind,operator,contact,phone"]
        for number, site in enumerate(self.sites):
            operator = "operator-b" if number % 3 == 2 else "operator-a"
            sites.append(f"{site},School {number},school,{operator},on duty,000")
        devices = ["device,role,class_name,profile,valid_from"]
        for agent in self.agents:
            role, name = ("gateway", "") if agent.endswith("gw") else ("classroom", "Class 1")
            devices.append(f"{agent},{role},{name},generic-linux,2025-09-01")
        for file, lines in (("sites.csv", sites), ("devices.csv", devices)):
            (self.data / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
        reading = read([self.data / "sites.csv", self.data / "devices.csv"])
        assert not reading.errors
        Versions(self.data).add(reading, date(2025, 9, 1), "tests")

    def notify(self, *urls: str) -> None:
        """Write down who gets messages."""
        file = self.data / "notify.urls"
        file.write_text("\n".join(urls) + "\n")
        file.chmod(0o600)

    # ---- what happens

    @contextmanager
    def living(self) -> Iterator["District"]:
        """Let agents be online and deliver, as they do."""
        self._client.connect(HOST, self.broker.port)
        self._client.loop_start()
        self.say("online", self.agents)
        ending = threading.Event()
        thread = threading.Thread(target=self._deliver, args=(ending,))
        thread.start()
        try:
            yield self
        finally:
            ending.set()
            thread.join()
            self._client.disconnect()
            self._client.loop_stop()
            self.store.close()

    def _deliver(self, ending: threading.Event) -> None:
        while True:
            with self._lock:
                lines = [
                    presence(agent, wan=int(agent not in self.no_internet))
                    for agent in self.agents
                    if agent not in self.cut_off
                ]
                self.store.write(Retention.EVIDENCE, b"".join(lines))
            if ending.wait(1.0):
                return

    def say(self, word: str, agents: Iterable[str]) -> None:
        """Publish an agent's word, or its will, and wait until the broker has it."""
        sent = [
            self._client.publish(topics.state(agent), topics.encode_state(word, "b", "0.1.0"), qos=1, retain=True)
            for agent in agents
        ]
        for one in sent:
            one.wait_for_publish(10)

    def is_connected(self) -> bool:
        """Tell whether agents have a broker."""
        return self._client.is_connected()

    def of(self, *sites: str) -> list[str]:
        """Return the agents of sites."""
        return [agent for agent in self.agents if agent.partition(".")[0] in sites]

    def cut(self, *sites: str) -> None:
        """Cut the uplink of sites: evidence ends, and the wills come."""
        with self._lock:
            self.cut_off.update(self.of(*sites))
        self.say("offline", self.of(*sites))

    def write(self, line: bytes) -> None:
        """Write a line of evidence."""
        with self._lock:
            self.store.write(Retention.EVIDENCE, line)

    def mend(self, *sites: str) -> None:
        """Let their agents be back."""
        with self._lock:
            self.cut_off.difference_update(self.of(*sites))
        self.say("online", self.of(*sites))


class WatchProcess(Process):
    """`santong watch` over a district."""

    def __init__(self, district: District, *more: str) -> None:
        super().__init__(district.data / "watch.log")
        self._more = ["--data", str(district.data), "--broker", district.broker.url, *more]

    def command(self) -> list[str]:
        """Return the command line."""
        return [str(BIN / "santong"), "watch", *self._more]
