"""One agent that speaks for others: from a projector's own protocol to what the operator reads."""

import json
import subprocess
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from collector.store.base import Row
from collector.store.open import open_store
from tests.end_to_end.proxy import until
from tests.processes import BIN, AgentProcess, CollectProcess, Process
from tests.profiles.pjlink_server import Recording, playing, projector
from tests.services import HOST, Mosquitto

SITE = "441802-3144001234"
GATEWAY, FIRST, SECOND, STRANGER = f"{SITE}.gateway", f"{SITE}.c0701-p", f"{SITE}.c0702-p", f"{SITE}.c0703-p"
ANSWERS = {"%1POWR": "%1POWR=1", "%1ERST": "%1ERST=000000", "%1LAMP": "%1LAMP=120 1", "%1CLSS": "%1CLSS=1"}
# An operator's own model: no Python, no release of ours.
PROFILE = """
id: {id}
title: {{zh: 七年级投影机, en: Projector of class 7}}
role: projector
verified: false
collect:
  display:
    source: pjlink
    every: 1s
    timeout: 900ms
    port: {port}
    read:
      - {{raw: power, field: display.power, enum: {{"0": standby, "1": on}}}}
      - {{raw: lamp, field: sensor.value, tags: {{name: lamp}}}}
      - {{raw: lamp_hours, field: display.lamp_hours, unit: h}}
faults:
  - code: lamp-broken
    title: {{zh: 灯泡坏了, en: The lamp is broken}}
    field: sensor.value
    tags: {{name: lamp}}
    operator: is
    value: 2
    severity: critical
    hold: 2s
"""


class Gateway(AgentProcess):
    """An agent with profiles of the operator's own, whose minute is a second."""

    def __init__(self, folder: Path, broker_url: str, ports: dict[str, int]) -> None:
        super().__init__(folder, GATEWAY, broker_url)
        profiles = folder / "profiles.d"
        profiles.mkdir()
        text = f'round.every = "1s"\npublish.every = "1s"\n[profile]\nid = "none"\nfolder = "{profiles}"\n'
        for number, (device, port) in enumerate(ports.items()):
            (profiles / f"model-{number}.yaml").write_text(PROFILE.format(id=f"model-{number}", port=port))
            text += f'[[observe]]\ndevice = "{device}"\nprofile = "model-{number}"\naddress = "{HOST}"\n'
        self.file = folder / "agent.toml"
        self.file.write_text(text, encoding="utf-8")

    def command(self) -> list[str]:
        """Return the command line."""
        return [*super().command(), "--config", str(self.file)]


def running(parts: ExitStack, process: Process) -> None:
    """Start a process that ends with the test."""
    process.start()
    parts.callback(process.stop)


def centre(tmp_path: Path, parts: ExitStack, store_url: str) -> str:
    """Start a broker and a collector; return the broker's address."""
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    parts.callback(broker.stop)
    url = f"mqtt://{HOST}:{broker.port}"
    collector = CollectProcess(tmp_path, url, store_url)
    running(parts, collector)
    collector.wait_until_receiving()
    return url


def rows(store_url: str, measurement: str, device: str) -> list[Row]:
    """Return what the store has of a device."""
    store = open_store(store_url, create=False)
    try:
        return list(store.select(measurement, 0, 2**62, [device]))
    finally:
        store.close()


def status(store_url: str, *words: str) -> str:
    """Return what `santong status` prints."""
    command = [str(BIN / "santong"), "status", "--store", store_url, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def shown(store_url: str, device: str) -> dict[str, Any]:
    """Return what `santong status --json` says of a device."""
    return next((one for one in json.loads(status(store_url, "--json")) if one["device"] == device), {})


def test_a_gateway_speaks_for_projectors(tmp_path: Path, parts: ExitStack, influx_url: str) -> None:
    """
    Each observed device has its own evidence under its own name, in InfluxDB, and one that goes silent delays no other.

    A broken lamp is a fault after its time, outlives a kill -9 of the agent, and is over when the lamp is mended.
    """
    url = centre(tmp_path, parts, influx_url)
    lamp = dict(ANSWERS)
    first = parts.enter_context(ExitStack())
    ports = {
        FIRST: first.enter_context(playing(projector(Recording("PJLINK 0", ANSWERS)))),
        SECOND: parts.enter_context(playing(projector(Recording("PJLINK 0", lamp)))),
    }
    agent = Gateway(tmp_path, url, ports)
    running(parts, agent)
    for device in ports:
        assert until(partial(rows, influx_url, "display", device)), agent.words()
        (power,) = {row.fields["power"] for row in rows(influx_url, "display", device)}
        assert power == "on"
        assert {row.source for row in rows(influx_url, "delivery", device)} == {GATEWAY}
        assert not rows(influx_url, "presence", device), "its answers are its evidence; presence is the agent's own"
    assert until(lambda: shown(influx_url, SECOND).get("profile") == "model-1")

    first.close()  # the first projector is unplugged
    assert until(lambda: any(row.fields["success"] == 0 for row in rows(influx_url, "probe", FIRST))), agent.words()
    before = len(rows(influx_url, "display", SECOND))
    begun = time.monotonic()
    assert until(lambda: len(rows(influx_url, "display", SECOND)) >= before + 5), agent.words()
    assert time.monotonic() - begun < 30
    (failed,) = {row.fields["stage"] for row in rows(influx_url, "probe", FIRST) if row.fields["success"] == 0}
    assert failed == "connect"

    lamp["%1ERST"] = "%1ERST=020000"
    assert until(lambda: [f["code"] for f in shown(influx_url, SECOND)["faults"]] == ["lamp-broken"]), agent.words()
    agent.kill()
    lamp["%1ERST"] = ANSWERS["%1ERST"]
    agent.start()
    assert until(lambda: not shown(influx_url, SECOND)["faults"]), agent.words()
    active = [int(row.fields["active"]) for row in rows(influx_url, "fault", SECOND)]
    assert active == [0, 1, 0], "clear, broken, mended: each written once"


def test_a_fault_is_shown_by_its_title(tmp_path: Path, parts: ExitStack) -> None:
    """A shipped profile gives its faults the words that the operator reads, in both languages."""
    store_url = f"sqlite://{tmp_path}/store.sqlite"
    open_store(store_url).prepare()
    url = centre(tmp_path, parts, store_url)
    broken = {**ANSWERS, "%1ERST": "%1ERST=020000"}
    port = parts.enter_context(playing(projector(Recording("PJLINK 0", broken))))
    agent = Gateway(tmp_path, url, {FIRST: port})
    own = tmp_path / "profiles.d/model-0.yaml"
    own.rename(own.with_name("pjlink-projector.yaml"))
    text = own.with_name("pjlink-projector.yaml").read_text().replace("model-0", "pjlink-projector")
    text = text.replace("lamp-broken", "lamp-failed")  # as the shipped profile calls it
    own.with_name("pjlink-projector.yaml").write_text(text)
    agent.file.write_text(agent.file.read_text().replace("model-0", "pjlink-projector"))
    running(parts, agent)
    assert until(lambda: shown(store_url, FIRST).get("faults")), agent.words()
    assert "critical: Lamp failed (lamp-failed)" in status(store_url, "--lang", "en")
    assert "严重: 灯泡故障 (lamp-failed)" in status(store_url, "--lang", "zh")


def test_mistakes_in_observed_devices_are_said_with_their_place(tmp_path: Path) -> None:
    """`santong-agent run --check` names the setting, and the profile's file and line; nothing is started."""
    agent = Gateway(tmp_path, f"mqtt://{HOST}:1", {FIRST: 4352})
    command = [*agent.command(), "--check"]

    def said() -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=agent.environment())
        assert done.returncode == 2, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    settings = agent.file.read_text()
    agent.file.write_text(settings.replace("model-0", "modle-0"))
    assert "observe[0]" in said()
    assert "did you mean model-0" in said()
    agent.file.write_text(settings.replace(FIRST, "441802-99.c1"))
    assert "no agent speaks for another's" in said()
    agent.file.write_text(settings)
    profile = tmp_path / "profiles.d/model-0.yaml"
    profile.write_text(profile.read_text().replace("raw: lamp_hours", "raw: lamp_hour"))
    assert "did you mean lamp_hours" in said()
    assert "model-0.yaml:1" in said()
