"""What each route answers, over both stores."""

import csv
import hashlib
import io
import json
from typing import Any

import pytest

from collector.access.log import Log
from collector.api.listings import covered
from collector.store.open import open_store
from collector.verify.results import Verdict
from collector.watch.types import State
from contract.measurements import TABLE
from tests.collector.api.conftest import CLOSED, MONDAY, MONTH, NOW_NS, PASSWORD, TUESDAY, Served
from tests.collector.commands import run
from tests.collector.web import Answer, ask, basic

_ADMIN = basic("admin", PASSWORD)


def get(served: Served, path: str, headers: dict[str, str] | None = None) -> Answer:
    """Ask as somebody who may see all."""
    return ask(served.url, path, {**_ADMIN, **(headers or {})})


def items(served: Served, path: str) -> list[dict[str, Any]]:
    """Return all rows, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = get(served, f"{path}{'&' if '?' in path else '?'}cursor={cursor}")
        assert answer.status == 200, answer
        found += answer.json["items"]
        cursor = answer.json["next"]
    return found


def test_status_is_the_roster_with_what_watch_says(served: Served) -> None:
    """Each device once, in order, whatever the length of a page; its state, its class, when it was heard last."""
    devices = sorted(served.city.roster.devices)
    rows = items(served, "/api/v1/status?limit=7")
    assert [row["device"] for row in rows] == devices
    assert {row["state"] for row in rows} == {str(state) for state in State}
    assert rows[0]["site_name"] == served.city.roster.site_of(devices[0]).name
    seen = [row["last_seen"] for row in rows if row["last_seen"]]
    assert len(seen) > len(rows) / 2
    assert max(seen).startswith(f"{TUESDAY}T23:5")
    failing = items(served, "/api/v1/status?state=failing")
    assert [row["device"] for row in failing] == [row["device"] for row in rows if row["state"] == "failing"]


def test_csv_has_the_same_rows(served: Served) -> None:
    """By `format` and by Accept; with a mark for Excel and a name to save it under; numbers and texts as in JSON."""
    for answer in (
        get(served, "/api/v1/roster?format=csv"),
        get(served, "/api/v1/roster", {"Accept": "text/csv"}),
    ):
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="santong-roster.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))
        wanted = items(served, "/api/v1/roster")
        assert [row["site"] for row in rows] == [row["site"] for row in wanted]
        assert [int(row["devices"]) for row in rows] == [row["devices"] for row in wanted]


def test_coverage_adds_up(served: Served) -> None:
    """Sites add up to counties, devices to sites: those that should exist, those that report, those that are proven."""
    sites, counties = items(served, "/api/v1/roster"), items(served, "/api/v1/roster?by=county")
    devices = items(served, "/api/v1/roster/devices")
    for column in ("devices", "reporting", "proven", "unregistered"):
        assert sum(row[column] for row in sites) == sum(row[column] for row in counties)
    assert sum(row["devices"] for row in sites) == sum(row["counts"] for row in devices)
    assert sum(row["reporting"] for row in sites) == sum(row["counts"] and row["reporting"] for row in devices)
    assert 0 < sum(row["reporting"] for row in sites) <= sum(row["devices"] for row in sites)
    assert {row["site"] for row in sites} == set(served.city.roster.sites), "a site without devices, too"


def test_proven_is_what_passes(served: Served) -> None:
    """A device is proven when its class, or it itself, passes every target that counts it; else null: nobody knows."""
    found = served.centre.verification(MONDAY, TUESDAY)
    rows = {item.key: item.row for item in covered(served.centre, lambda _county, _site: True, found)}
    units = [unit for target in found.targets if target.unit in ("class", "device") for unit in target.units]
    for name, device in served.city.roster.devices.items():
        verdicts = {unit.verdict for unit in units if unit.id in (name, device.room)}
        assert rows[name]["proven"] is (verdicts == {Verdict.PASS} if verdicts else None), name
    assert {row["proven"] for row in rows.values()} >= {True, False}
    unknown = covered(served.centre, lambda _county, _site: True, None)
    assert {item.row["proven"] for item in unknown} == {None}


def test_disputes_and_closings_are_those_of_the_commands(served: Served) -> None:
    """The same numbers, states and texts as `santong dispute list` and `santong close --list`."""
    data = served.city.data
    wanted = json.loads(run("dispute", "list", "--data", data, "--json")[0])
    rows = items(served, "/api/v1/disputes")
    assert [(row["dispute"], row["state"], row["events"]) for row in rows] == [
        (one["dispute"], one["state"], one["events"]) for one in wanted
    ]
    assert items(served, "/api/v1/disputes?state=approved") == []
    (closing,) = items(served, "/api/v1/closings")
    (listed,) = json.loads(run("close", "--list", "--data", data, "--json")[0])
    assert {key: listed[key] for key in closing} == closing


def test_files_of_a_closing_are_as_they_were_signed(served: Served) -> None:
    """Each can be downloaded, with the SHA-256 that was signed; who did is logged; nothing else of the disk can be."""
    (closing,) = items(served, "/api/v1/closings")
    before = len(Log(served.city.data).examine().entries)
    for name, digest in closing["files"].items():
        answer = get(served, f"/api/v1/closings/{CLOSED}/{name}")
        assert answer.status == 200
        assert hashlib.sha256(answer.body).hexdigest() == digest
        assert answer.headers["content-disposition"].startswith("attachment")
    entries = [one for one in Log(served.city.data).examine().entries[before:] if one and one.what != "login"]
    assert {one.what for one in entries} == {"report.download"}
    assert {one.on for one in entries} == {f"{CLOSED}/{name}" for name in closing["files"]}
    assert {one.who for one in entries} == {"admin"}
    for path in (f"{CLOSED}/closing.json", f"{CLOSED}/..%2f..%2faccess%2fusers.json", "ST-1999-01/x.pdf"):
        answer = get(served, f"/api/v1/closings/{path}")
        assert answer.status in (404, 422)
        assert set(answer.json) == {"error"}


def test_a_file_that_was_changed_is_not_handed_out(served: Served) -> None:
    """Closed months are what was signed, or an error: 503, and the log of the page says which file."""
    file = served.city.data / "reports" / CLOSED / f"{CLOSED}.xlsx"
    before = file.read_bytes()
    file.write_bytes(before + b"x")
    try:
        answer = get(served, f"/api/v1/closings/{CLOSED}/{file.name}")
        assert (answer.status, answer.json["error"].partition(":")[0]) == (503, "closings")
    finally:
        file.write_bytes(before)


def test_quarantine_is_listed_the_newest_first(served: Served) -> None:
    """All of it, in pages; whoever sees the whole city also sees what names no device."""
    rows = items(served, "/api/v1/quarantine?limit=10")
    assert [row["number"] for row in rows] == list(range(len(rows), 0, -1))
    assert rows[0]["reason"] == "bad_topic"
    assert len(rows) == 2 * len(served.city.roster.devices) + 1
    text = get(served, "/api/v1/quarantine?format=csv").body.decode("utf-8-sig")
    assert ",'=1+1 " in text, "what an agent sent is no formula"


def test_incidents_are_listed_the_newest_first(served: Served) -> None:
    """Open ones alone, those of a county alone, those since a day."""
    rows = items(served, "/api/v1/incidents?limit=3")
    assert [row["opened"] for row in rows] == sorted((row["opened"] for row in rows), reverse=True)
    assert sorted(row["incident"] for row in rows) == sorted(str(number) for number in range(1, len(rows) + 1))
    assert {row["incident"] for row in rows} - {
        row["incident"] for row in items(served, "/api/v1/incidents?open=true")
    } == {"2"}
    county = served.city.counties[0]
    for row in items(served, f"/api/v1/incidents?county={county}"):
        assert all(device.startswith(county) for device in row["devices"])


def presences(served: Served) -> tuple[str, list[tuple[Any, ...]]]:
    """Return a device with many presences, and these, by the store itself."""
    opened = open_store(f"sqlite://{served.city.data / 'santong.sqlite'}", create=False)
    found = max(opened.tracks("presence", ["uptime_s", "lan"], 0, NOW_NS), key=lambda one: len(one.points))
    opened.close()
    return found.device, found.points


def test_series_as_they_are(served: Served) -> None:
    """Every point of the store once, in order of time, in pages that end within a day."""
    device, points = presences(served)
    period = f"from={MONDAY}&to={TUESDAY}T23:59:59%2B08:00"
    rows = items(served, f"/api/v1/series?measurement=presence&device={device}&{period}&fields=uptime_s,lan&limit=1000")
    assert [(row["uptime_s"], row["lan"]) for row in rows] == [(uptime, lan) for _, uptime, lan in points]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)


def test_series_summed_up(served: Served) -> None:
    """An hour at a time: as many points, and the same mean, least, greatest and last as the store's own points have."""
    device, points = presences(served)
    path = f"/api/v1/series?measurement=presence&device={device}&from={MONDAY}&to={TUESDAY}T23:59:59&every=3600&limit=5"
    rows = items(served, f"{path}&fields=uptime_s")
    assert sum(row["points"] for row in rows) == len(points)
    hours: dict[int, list[float]] = {}
    for time_ns, uptime, _ in points:
        hours.setdefault(time_ns // (3600 * 10**9), []).append(uptime)
    assert [row["uptime_s_mean"] for row in rows] == [pytest.approx(sum(some) / len(some)) for some in hours.values()]
    assert [(row["uptime_s_min"], row["uptime_s_max"], row["uptime_s_last"]) for row in rows] == [
        (min(some), max(some), some[-1]) for some in hours.values()
    ]


def test_series_of_every_measurement_can_be_asked_for(served: Served) -> None:
    """All of docs/contract.md, raw, summed up and as CSV: an answer, with the columns of the measurement."""
    device, _ = presences(served)
    for name, row in TABLE.items():
        path = f"/api/v1/series?measurement={name}&device={device}&from={MONDAY}&to={TUESDAY}T23:00"
        for more in ("", "&every=86400", "&format=csv"):
            answer = get(served, path + more)
            assert answer.status == 200, answer
        head = answer.body.decode("utf-8-sig").partition("\r\n")[0]
        assert head == ",".join(("time", "source", *row.tags, *(field.name for field in row.fields)))


def series_of(**other: str) -> str:
    """Return a question about a series, which would be answered but for what is `other`."""
    asked = {"measurement": "presence", "device": "a-b.c", "from": "2026-03-02", "to": "2026-03-03", **other}
    return "series?" + "&".join(f"{name}={value}" for name, value in asked.items())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status?statee=off", "statee: is not known, did you mean state"),
        ("status?limit=0", "limit: Input should be greater than or equal to 1"),
        ("status?limit=1&limit=2", "limit: was given more than once"),
        ("status?cursor=xyz", "cursor: is not one that was given out"),
        ("status?county=441802&site=441803-1", "site: 441803-1 is not in the county 441802"),
        ("verdicts?from=2026-13-01", "from: "),
        ("verdicts?from=0", "from: "),
        (series_of(measurement="presense"), "measurement: presense is not known, did you mean presence"),
        (series_of(device="x"), "device: "),
        (series_of(device="a-b.c-"), "device: "),
        (series_of(to="2026-03-02"), "from: is not before to"),
        (series_of(to="2027-03-02"), "from: is more than 100 days before to"),
        (series_of(fields="lan,wlan"), "fields: presence has no wlan, did you mean wan"),
        (series_of(every="60", to="2026-04-03"), "every: makes more than 20,000 steps"),
        (series_of(every="59"), "every: "),
    ],
)  # fmt: skip
def test_what_is_asked_wrong_is_said_in_one_line(served: Served, query: str, said: str) -> None:
    """422, which parameter, what is wrong with it, and what may have been meant."""
    answer = get(served, f"/api/v1/{query}")
    assert (answer.status, answer.headers["content-type"]) == (422, "application/json")
    assert answer.json["error"].startswith(said)
    assert "\n" not in answer.json["error"]


def test_other_ways_of_asking_are_refused(served: Served) -> None:
    """There is nothing to be changed: anything but GET is 405; what is not there 404; both in one line of JSON."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = ask(served.url, "/api/v1/status", _ADMIN, method=method)
        assert (answer.status, answer.json) == (405, {"error": "Method Not Allowed"})
    assert (get(served, "/api/v1/nothing").status, get(served, "/api/v1/nothing").json) == (404, {"error": "Not Found"})


def test_what_has_not_changed_is_not_sent_again(served: Served) -> None:
    """With the tag of the answer before: 304, without a body; another answer has another tag."""
    first = get(served, "/api/v1/status?limit=3")
    again = get(served, "/api/v1/status?limit=3", {"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = get(served, "/api/v1/status?limit=4", {"If-None-Match": first.headers["etag"]})
    assert other.status == 200
    assert "private" in first.headers["cache-control"]


def test_a_broken_part_is_said_and_the_others_go_on(served: Served) -> None:
    """Records of disputes that were changed: 503 for these alone, in one line without the place on disk."""
    file = served.city.data / "disputes" / "records.jsonl"
    before = file.read_bytes()
    file.write_bytes(before.replace(b'"by":"a"', b'"by":"b"', 1))
    try:
        answer = get(served, "/api/v1/disputes")
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert answer.json["error"] == "disputes: cannot be read now; the log of this page says why"
        assert get(served, "/api/v1/status").status == 200
    finally:
        file.write_bytes(before)


def test_verdicts_of_a_closed_month_are_those_that_were_signed(served: Served) -> None:
    """Of its days the closing stands above what was verified, and says so."""
    rows = items(served, f"/api/v1/verdicts?from={MONTH}-01")
    assert {row["source"] for row in rows} == {CLOSED}
    report = json.loads((served.city.data / "reports" / CLOSED / f"{CLOSED}.json").read_text())["report"]
    assert {(row["target"], row["verdict"], row["total"]) for row in rows if row["evidence"] == "measured"} == {
        (page["id"], page["verdict"], page["counts"]["total"]) for page in report["targets"]
    }
