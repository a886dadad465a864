"""Verdicts of a part of the city, counted from what was kept, are those that verifying the part alone gives."""

import json
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

from collector.access.gate import Gate
from collector.access.listener import Listener
from collector.centre import LiveCentre
from collector.serving import application
from collector.store.open import open_store
from collector.verdicts import Verdicts, keep
from tests.collector.api.conftest import LAST_OF_MONTH, MONDAY, NOW_NS, PASSWORD, TUESDAY, City, Served
from tests.collector.commands import run
from tests.collector.web import ask, basic, page_of
from tests.processes import BIN

_VERIFIED: dict[tuple[str, ...], dict[str, Any]] = {}


def verify(city: City, *more: str) -> dict[str, Any]:
    """Return what `santong verify --json` says of the two days."""
    words = ("verify", "--from", MONDAY, "--to", TUESDAY, "--data", city.data, "--json", *more)
    known = {name: value for name, value in os.environ.items() if not name.startswith("SANTONG_")}
    line = [str(BIN / "santong"), *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, env=known)
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def verified(city: City, *more: str) -> dict[str, Any]:
    """Return the same; each question is asked once."""
    if more not in _VERIFIED:
        _VERIFIED[more] = verify(city, *more)
    return _VERIFIED[more]


def rows_of(served: Served, more: str = "", who: str = "admin") -> list[dict[str, Any]]:
    """Return what the API says of the two days."""
    path = f"/api/v1/verdicts?from={MONDAY}&to={TUESDAY}{more}"
    found: list[dict[str, Any]] = ask(served.url, path, basic(who, PASSWORD)).json["items"]
    return found


def compared(target: dict[str, Any]) -> tuple[object, ...]:
    """Return what of a target is compared, of `verify --json`."""
    counts, rate = target["counts"], target["rate"] or {"low": None, "high": None}
    numbers = (counts["proven"], counts["failing"], counts["unproven"], counts["total"], rate["low"], rate["high"])
    return (target["id"], target["verdict"], target["why"], target["at_least"], *numbers)


def shown(row: dict[str, Any]) -> tuple[object, ...]:
    """Return the same of a row."""
    names = ("target", "verdict", "why", "at_least", "proven", "failing", "unproven", "total", "rate_low", "rate_high")
    return tuple(row[name] for name in names)


def test_the_whole_city_is_what_verify_said(served: Served) -> None:
    """Every target, in the programme's order."""
    assert [shown(row) for row in rows_of(served)] == [compared(one) for one in verified(served.city)["targets"]]


def test_a_part_is_what_verify_says_of_the_part(served: Served) -> None:
    """For three counties and two sites, by the filter and by the scope of whoever asks: as `verify --county` has it."""
    parts = [("county", county) for county in served.city.counties[::3]]
    parts += [("site", site) for site in (min(served.city.roster.sites), max(served.city.roster.sites))]
    for option, name in parts:
        wanted = [compared(one) for one in verified(served.city, f"--{option}", name)["targets"]]
        assert [shown(row) for row in rows_of(served, f"&{option}={name}")] == wanted, name
        for who, one in served.city.people.items():
            if getattr(one, option) == name:
                assert [shown(row) for row in rows_of(served, who=who)] == wanted


def test_units_are_those_of_verify(served: Served) -> None:
    """Each unit of each target with its minutes and figures, in pages; filtered by verdict and target."""
    wanted = {
        (target["id"], unit["id"]): (unit["verdict"], unit["minutes"], unit["figures"])
        for target in verified(served.city)["targets"]
        for unit in target["units"]
    }
    found: dict[tuple[str, str], tuple[object, ...]] = {}
    cursor: str | None = ""
    while cursor is not None:
        path = f"/api/v1/verdicts/units?from={MONDAY}&to={TUESDAY}&limit=50&cursor={cursor}"
        page = ask(served.url, path, basic("admin", PASSWORD)).json
        found.update(
            {(row["target"], row["unit"]): (row["verdict"], row["minutes"], row["figures"]) for row in page["items"]}
        )
        cursor = page["next"]
    assert found == wanted
    path = f"/api/v1/verdicts/units?from={MONDAY}&to={TUESDAY}&target=banbantong&verdict=pass"
    some = ask(served.url, path, basic("admin", PASSWORD)).json["items"]
    assert {row["unit"] for row in some} == {
        unit for (target, unit), (verdict, _, _) in wanted.items() if (target, verdict) == ("banbantong", "pass")
    }


def test_days_that_nobody_verified_are_said(served: Served) -> None:
    """404, with the periods that there are and what to do; without days the period that ends last."""
    answer = ask(served.url, "/api/v1/verdicts?from=2020-01-01", basic("admin", PASSWORD))
    assert answer.status == 404
    assert f"{MONDAY} to {TUESDAY}" in answer.json["error"]
    assert "`santong verify`" in answer.json["error"]
    answer = ask(served.url, "/api/v1/verdicts", basic("admin", PASSWORD))
    assert {row["last"] for row in answer.json["items"]} == {str(LAST_OF_MONTH)}
    assert ask(served.url, "/api/v1/verdicts?target=nothing", basic("admin", PASSWORD)).status == 404


def test_only_the_whole_city_is_kept(city: City) -> None:
    """What was asked of a part, of an archive, or without disputes does not stand for the city."""
    folder = city.data / "verdicts"
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    for more in (("--county", city.counties[-1]), ("--target", "banbantong"), ("--no-disputes",)):
        verify(city, *more)
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before
    verify(city)
    (changed,) = [file for file in folder.iterdir() if before.get(file.name) != file.stat().st_mtime_ns]
    assert changed.name == f"{MONDAY}_{TUESDAY}.json"


def test_a_folder_that_cannot_be_written_spoils_no_verification(city: City) -> None:
    """What was found is printed; that it is not kept is said on stderr."""
    folder = city.data / "verdicts"
    aside = folder.rename(city.data / "aside")
    folder.write_text("a file in its place")
    try:
        words = ("verify", "--from", MONDAY, "--to", TUESDAY, "--data", city.data, "--json")
        out, err = run(*words, code=1)
        assert json.loads(out)["targets"]
        assert "not kept for the board and the API" in err
    finally:
        folder.unlink()
        aside.rename(folder)


def test_the_oldest_make_room(city: City, tmp_path: Path) -> None:
    """A verification a night fills no disk: a hundred periods are kept."""
    data, days = tmp_path, 110
    tree = verified(city)
    for number in range(days):
        keep(
            data,
            tree
            | {"from": str(MONDAY + timedelta(days=number)), "to": str(MONDAY + timedelta(days=number)), "targets": []},
        )
    assert len(list((data / "verdicts").iterdir())) == 100
    found = Verdicts(data).get()
    assert found is not None
    assert found.last == MONDAY + timedelta(days=days - 1)


def test_a_spoilt_verification_is_named_and_the_roster_goes_on(city: City, tmp_path: Path) -> None:
    """Half a file: verdicts cannot be read now, 503 in a line; how far devices are is told without it."""
    data = tmp_path / "data"
    shutil.copytree(city.data, data)
    for file in (data / "verdicts").glob("*.json"):
        file.write_bytes(file.read_bytes()[:100])
    store = open_store(f"sqlite://{data / 'santong.sqlite'}", create=False)
    centre, gate = LiveCentre(data, store, lambda: NOW_NS), Gate(data, Listener())
    with page_of(application(centre, gate), gate, Listener()) as url:
        answer = ask(url, f"/api/v1/verdicts?from={MONDAY}&to={TUESDAY}")
        assert (answer.status, "verdicts: cannot be read now" in answer.json["error"]) == (503, True)
        assert ask(url, "/api/v1/roster").status == 200
    centre.close()
    store.close()
