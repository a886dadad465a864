"""`santong-agent profiles try`: what becomes of each raw value of a real answer, or why there is nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.mapping import Mapper
from agent.outcome import Row
from agent.profiles.attempt import concerned, unmapped
from firmware_profiles.library import Library
from firmware_profiles.sources import FieldName, Reading
from tests.profiles import http_json_server, pjlink_server

PROFILE = """\
id: panel
title: {zh: 面板, en: Panel}
role: other
verified: false
collect:
  status:
    source: http_json
    path: /status
    timeout: 2s
    values: {lamp: lamp.hours, state: state, version: version, temperature: temperature, count: count}
    read:
      - {raw: lamp, field: display.lamp_hours, unit: h}
      - {raw: state, field: display.power, enum: {"1": "on", "2": standby}}
      - {raw: version, field: firmware.version}
      - {raw: temperature, field: sensor.value, tags: {name: panel}}
firmware: {minimum: "2.0"}
faults:
  - {code: lamp-old, title: {zh: 灯泡过旧, en: Old}, field: display.lamp_hours, operator: above, value: 3000, hold: 2m}
  - {code: hot, title: {zh: 过热, en: Hot}, field: sensor.value, operator: above, value: 60}
"""
RISING = """\
id: meter
title: {zh: 计数, en: Meter}
role: other
verified: false
collect:
  load:
    source: http_json
    path: /load
    values: {busy: busy, active: active}
    read:
      - {raw: busy, field: radio.utilization_percent, per: active, scale: 100, tags: {interface: wlan0}, unit: "%"}
"""
PORTS = """\
id: ports
title: {zh: 端口, en: Ports}
role: other
verified: false
collect:
  ports:
    source: http_json
    path: /ports
    rows: .
    values: {name: name, rx: rx, tx: tx}
    read:
      - {raw: rx, field: interface.rx_bytes, tags: {name: "{name}"}, unit: B}
      - {raw: tx, field: interface.tx_bytes, tags: {name: "{name}"}, unit: B}
"""


def run(*arguments: object) -> Any:
    """Run the command."""
    return CliRunner().invoke(app, ["profiles", "try", *map(str, arguments)])


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[int]:
    """Be a panel that answers; yield its port."""
    status = {"lamp": {"hours": 3105}, "state": 7, "version": "1.9.2", "count": 12}
    (tmp_path / "http.json").write_text(json.dumps({"/status": status}))
    with http_json_server.serving(tmp_path) as port:
        yield port


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """Its profile."""
    file = tmp_path / "panel.yaml"
    file.write_text(PROFILE)
    return file


def test_each_value_is_told_with_its_field_or_the_reason(panel: int, profile: Path) -> None:
    """Mapped, absent with the reason, not mapped at all, and what would follow: faults, firmware."""
    done = run(profile, "127.0.0.1", "--port", panel)
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert done.exit_code == 0, done.output
    assert "lamp 3105 display.lamp_hours 3105 h" in lines
    assert "state 7 display.power – '7' is not in enum" in lines
    assert "temperature – sensor.value – the device does not have it" in lines
    assert "not mapped: count = 12" in lines
    assert "faults that would be active, of 2: lamp-old (warning, once it holds for 120 s)" in lines
    assert "firmware 1.9.2: not a good one" in lines
    assert lines[-1] == "2 readings are mapped, 2 are absent"


def test_scripts_get_the_same_as_json(panel: int, profile: Path) -> None:
    """Readings, samples as the agent would send them, faults and firmware."""
    found = json.loads(run(profile, "127.0.0.1", "--port", panel, "--json").output)
    assert (found["mapped"], found["absent"]) == (2, 2)
    (entry,) = found["entries"]
    assert (entry["name"], entry["success"], entry["unmapped"]) == ("status", True, {"count": 12})
    assert entry["readings"][0]["value"] == 3105
    assert {"measurement": "display", "tags": {}, "fields": {"lamp_hours": 3105}} in found["samples"]
    assert [fault["code"] for fault in found["faults"]] == ["lamp-old"]
    assert found["firmware"] == {"version": "1.9.2", "compliant": False}


def test_a_device_that_does_not_answer_is_exit_code_1(profile: Path) -> None:
    """The stage and the reason are those that the agent would report."""
    done = run(profile, "127.0.0.1", "--port", 1)
    assert done.exit_code == 1
    assert "status (http_json): fails at connect (code 111): 127.0.0.1 port 1: refused" in done.output


def test_a_mistake_in_the_file_is_exit_code_2_with_its_line(profile: Path) -> None:
    """All mistakes at once, as `profiles check` has them; nothing is asked."""
    profile.write_text(PROFILE.replace("display.power", "display.powr").replace("operator: above", "operator: abve"))
    done = run(profile, "127.0.0.1")
    assert done.exit_code == 2
    assert "panel.yaml:13:" in done.output
    assert "abve" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-profile", "127.0.0.1"], "there is no such profile"),
        (["nowhere/panel.yaml", "127.0.0.1"], "no such file"),
        (["pjlink-projector"], "asks another device (pjlink): which one?"),
        (["pjlink-projector", "127.0.0.1", "--set", "lamp"], "--set: lamp: is not NAME=VALUE"),
        (["pjlink-projector", "127.0.0.1", "--password-file", "nowhere"], "--password-file: nowhere: no such file"),
        (["pjlink-projector", "127.0.0.1", "--auth-file", "pyproject.toml"], "--user: is missing"),
        (["pjlink-projector", "127.0.0.1", "--twice", "--wait", "soon"], "'soon' is not a duration"),
    ],
)
def test_a_mistake_in_the_command_is_exit_code_2(arguments: list[str], words: str) -> None:
    """One line that says what to do."""
    done = run(*arguments)
    assert (done.exit_code, words in done.output) == (2, True), done.output


def test_an_increase_needs_two_reads(tmp_path: Path) -> None:
    """Once, it is said; twice, the increase is there."""
    reads = iter([{"busy": 10, "active": 100}, {"busy": 10, "active": 100}, {"busy": 35, "active": 200}])
    file = tmp_path / "meter.yaml"
    file.write_text(RISING)
    with http_json_server.answering(lambda asked: asked.reply(200, json.dumps(next(reads)).encode())) as port:
        once = run(file, "127.0.0.1", "--port", port)
        twice = run(file, "127.0.0.1", "--port", port, "--twice", "--wait", "1ms")
    assert once.exit_code == 1
    assert "– the first read only begins the measuring" in once.output
    assert "an increase needs two reads: --twice (load)" in once.output
    assert twice.exit_code == 0, twice.output
    assert "25 %" in twice.output


def test_the_profiles_probes_are_run_too(tmp_path: Path) -> None:
    """They are marked as probes; what they find is told as `santong-agent probe` tells it."""
    (tmp_path / "pjlink.txt").write_text("PJLINK 0\n%1POWR=1\n%1CLSS=1\n")
    with pjlink_server.serving(tmp_path) as port:
        done = run("pjlink-projector", "127.0.0.1", "--port", port)
    assert done.exit_code == 0, done.output
    assert "probe icmp management: works" in done.output
    assert "display.power" in done.output


def test_this_machine_is_read_without_a_host() -> None:
    """A profile of a machine needs no address."""
    done = run("generic-linux")
    assert done.exit_code == 0, done.output
    assert "asked at this machine" in done.output


def test_what_no_reading_takes_is_found() -> None:
    """Not what is a value, a divisor or part of a tag; each name once, with the first value it has."""
    readings = [Reading("a", FieldName("radio.channel"), {"interface": "{b}"}, per="c")]
    rows = [Row("1", {"a": 1, "b": 2, "c": 3, "d": 4}), Row("2", {"d": 5, "e": 6})]
    assert unmapped(readings, rows) == {"d": 4, "e": 6}


def test_what_only_the_rows_of_another_table_have_is_not_called_absent() -> None:
    """The radios of an access point have no state, it has no channel; a port without a speed among others misses it."""
    state, channel = (Reading(name, FieldName("sensor.value"), {"name": name}) for name in ("state", "channel"))
    rows = [Row("0.1", {"state": 1}), Row("1", {"channel": 6, "load": 3}), Row("2", {"load": 4})]
    told = concerned(Mapper().trace("ap", [state, channel], rows), rows)
    assert [(mapped.key, mapped.reading.raw, mapped.value) for mapped in told] == [
        ("0.1", "state", 1.0),
        ("1", "channel", 6.0),
        ("2", "channel", None),
    ]


def test_an_unreadable_number_is_absent_and_no_defect(tmp_path: Path) -> None:
    """A counter that is text in one row costs that row alone."""
    file = tmp_path / "meter.yaml"
    file.write_text(RISING)
    with http_json_server.answering(lambda asked: asked.reply(200, b'{"busy": "n/a", "active": 5}')) as port:
        done = run(file, "127.0.0.1", "--port", port)
    assert done.exit_code == 1
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert Library([], [file]).get("meter").collect


def test_a_row_whose_tags_another_has_is_told(tmp_path: Path) -> None:
    """Two ports of one name: the first is measured, and of the other it is said why it is not."""
    ports = [{"name": "Gi0/1", "tx": 1}, {"name": "Gi0/1", "rx": 2, "tx": 2}]
    file = tmp_path / "ports.yaml"
    file.write_text(PORTS)
    (tmp_path / "http.json").write_text(json.dumps({"/ports": ports}))
    with http_json_server.serving(tmp_path) as port:
        done = run(file, "127.0.0.1", "--port", port)
        found = json.loads(run(file, "127.0.0.1", "--port", port, "--json").output)
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "1 tx 2 interface.tx_bytes name=Gi0/1 – another row has these tags" in lines
    (sample,) = [sample for sample in found["samples"] if sample["measurement"] == "interface"]
    assert sample["fields"] == {"tx_bytes": 1}
