"""/healthz: which part of a centre does not do its work, for whoever asks, without a name."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from collector.access.gate import Gate
from collector.access.listener import Listener
from collector.calendars.zone import day_window
from collector.centre import LiveCentre
from collector.serving import application
from collector.store.base import Store
from collector.store.open import open_store
from collector.watch.journal import LOOKED, Journal
from collector.watch.memory import Memory, Swing, Track
from collector.watch.types import State
from contract.measurements import Retention
from tests.collector.api.conftest import NOW_NS, TUESDAY, City, Served
from tests.collector.verification.world import ZONE
from tests.collector.web import Answer, ask, page_of
from tests.services import Influxd

MINUTE_NS = 60 * 10**9


def test_a_centre_that_is_well_says_so_to_anybody(served: Served) -> None:
    """Without a login: 200, and each part; no id of anything."""
    answer = ask(served.url, "/healthz")
    assert answer.status == 200
    assert {name: part["ok"] for name, part in answer.json["parts"].items()} == {
        "store": True,
        "roster": True,
        "evidence": True,
    }
    assert "4418" not in answer.body.decode()


@contextmanager
def page(data: Path, store: Store, now_ns: int) -> Iterator[str]:
    """Serve a data folder as of some instant."""
    centre = LiveCentre(data, store, lambda: now_ns)
    gate = Gate(data, Listener())
    with page_of(application(centre, gate), gate, Listener()) as url:
        yield url
    centre.close()


def failing(answer: Answer) -> list[str]:
    """Return the parts that are not well."""
    assert answer.status == (200 if answer.json["ok"] else 503)
    return [name for name, part in answer.json["parts"].items() if not part["ok"]]


def test_no_evidence_is_trouble_in_service_hours_alone(city: City, tmp_path: Path) -> None:
    """Hours after the last evidence: in lessons 503, with the part; on days on which nobody owes service 200."""
    store = open_store(f"sqlite://{city.data / 'santong.sqlite'}", create=False)
    wednesday = day_window(TUESDAY + timedelta(days=1), ZONE).start_ns
    with page(city.data, store, wednesday + 10 * 60 * MINUTE_NS) as url:
        answer = ask(url, "/healthz")
        assert failing(answer) == ["evidence"]
        assert "nothing for" in answer.json["parts"]["evidence"]["said"]
    schools = _without_hotspots(city.data, tmp_path)
    for minute, parts in ((3 * 60, []), (7 * 60 + 40, []), (7 * 60 + 50, ["evidence"]), (18 * 60 + 10, [])):
        with page(schools, store, wednesday + minute * MINUTE_NS) as url:
            assert failing(ask(url, "/healthz")) == parts, f"at minute {minute} of a day of service from 07:30"
    store.close()


def _without_hotspots(data: Path, folder: Path) -> Path:
    """Return a data folder in which hotspots owe service in the hours of schools alone."""
    shutil.copytree(data / "roster", folder / "roster")
    text = (data / "calendars.yaml").read_text(encoding="utf-8")
    always = "    service: always\n    every_day: true\n    follows_holidays: false\n"
    assert always in text
    terms = re.search(r"^    terms: .*\n", text, re.MULTILINE)
    assert terms
    (folder / "calendars.yaml").write_text(
        text.replace(always, f"{terms[0]}    service: 07:30-17:30\n    lessons: {{mon-fri: [08:00-08:45]}}\n"),
        encoding="utf-8",
    )
    return folder


def test_a_store_that_is_away_is_said(tmp_path: Path, influxd: Influxd) -> None:
    """Kill -9 of influxd: 503, store; when it is back and evidence arrives: 200."""
    store = open_store(influxd.url("santong"))
    store.prepare()
    now_ns = time.time_ns()
    tags = "device=441802-1.a,site=441802-1,county=441802,agent=441802-1.a"
    line = f'delivery,{tags} epoch="e",seq=1i,received={now_ns // 10**6}i {now_ns}\n'
    with page(tmp_path, store, now_ns) as url:
        assert failing(ask(url, "/healthz")) == ["evidence"], "nothing ever came"
    store.write(Retention.EVIDENCE, line.encode())
    with page(tmp_path, store, now_ns) as url:
        assert failing(ask(url, "/healthz")) == []
    influxd.kill()
    with page(tmp_path, store, now_ns) as url:
        answer = ask(url, "/healthz")
        assert failing(answer) == ["store"]
        assert str(influxd.port) not in answer.body.decode(), "where it stands is in the log, not here"
        assert ask(url, "/api/v1/roster").status == 503
    influxd.start()
    with page(tmp_path, store, now_ns) as url:
        assert failing(ask(url, "/healthz")) == []
    store.close()


def test_a_roster_that_was_changed_is_said(city: City, tmp_path: Path) -> None:
    """A version that is not as it was imported: 503, roster; what does not need it goes on."""
    (version,) = (city.data / "roster").glob("0*")
    copy = tmp_path / "roster" / version.name
    copy.mkdir(parents=True)
    for file in version.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes().replace(b"4418", b"4419"))
    store = open_store(f"sqlite://{city.data / 'santong.sqlite'}", create=False)
    with page(tmp_path, store, NOW_NS) as url:
        assert failing(ask(url, "/healthz")) == ["roster"]
        assert ask(url, "/api/v1/status").status == 503
        assert ask(url, "/api/v1/closings").status == 200
    store.close()


def test_a_watch_that_stands_still_is_trouble_and_no_state_of_now(city: City, tmp_path: Path) -> None:
    """What it said last is not shown as how things are; /healthz and Prometheus tell since when it does not look."""
    data = tmp_path / "data"
    shutil.copytree(city.data, data)
    store = open_store(f"sqlite://{data / 'santong.sqlite'}", create=False)
    journal, memory = Journal(data, create=True), Memory()
    device = min(city.roster.devices)
    memory.tracks[device] = Track(device, State.WORKING, "", NOW_NS, "", NOW_NS, Swing(0, 0, ()))
    memory.dirty["tracks"].add(device)
    journal.commit(memory, remember={LOOKED: str(NOW_NS - 10 * 10**9)})
    journal.shut()
    with page(data, store, NOW_NS) as url:
        assert ask(url, "/healthz").json["parts"]["watch"] == {"ok": True, "said": "looked 10 s ago"}
        assert ask(url, "/api/v1/status?limit=1").json["items"][0]["state"] == "working"
        assert 'santong_devices{county="' in ask(url, "/metrics").body.decode()
    with page(data, store, NOW_NS + 3600 * 10**9) as url:
        assert "watch" in failing(ask(url, "/healthz"))
        assert ask(url, "/api/v1/status?limit=1").json["items"][0]["state"] is None
        metrics = ask(url, "/metrics").body.decode()
        assert "santong_watch_age_seconds 3610" in metrics
        assert "santong_devices{" not in metrics
    store.close()
