"""Versions of the roster: which one is in force, the same again, and imports that are cut short at any step."""

import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collector.durable import sync
from collector.roster import canonical, versions
from collector.roster.read import Reading, Source, read
from collector.roster.schema import Device, Roster, Site
from collector.roster.versions import BadVersion, Span, Version, Versions
from tests.collector.roster.tables import SITE

SEPTEMBER, OCTOBER, NOVEMBER = date(2025, 9, 1), date(2025, 10, 1), date(2025, 11, 1)


def reading(*places: str, name: str = "示例小学") -> Reading:
    """Return what a file with these devices would give."""
    devices = {f"{SITE}.{place}": Device(f"{SITE}.{place}", "classroom") for place in places}
    roster = Roster({SITE: Site(SITE, name)}, devices)
    return Reading(roster, (), (Source(Path("here/台账.csv"), canonical.table(roster)),))


def add(data: Path, effective: date, *places: str) -> Version | None:
    """Import a roster with these devices."""
    return Versions(data).add(reading(*places), effective, "operator")


def places(data: Path, day: date) -> list[str]:
    """Return the devices of the roster in force on a day."""
    return [device.removeprefix(f"{SITE}.") for device in Versions(data).on(day).devices]


def test_the_version_in_force_is_the_latest_that_has_begun(tmp_path: Path) -> None:
    """By effective date, not by import; days before the first have the first; of a tie the last one counts."""
    add(tmp_path, OCTOBER, "c1")
    add(tmp_path, NOVEMBER, "c1", "c2")
    add(tmp_path, SEPTEMBER, "c3")
    assert places(tmp_path, SEPTEMBER - timedelta(1)) == ["c3"]
    assert places(tmp_path, OCTOBER - timedelta(1)) == ["c3"]
    assert places(tmp_path, OCTOBER) == ["c1"]
    assert places(tmp_path, date(2026, 1, 1)) == ["c1", "c2"]
    add(tmp_path, OCTOBER, "c4")
    assert places(tmp_path, OCTOBER) == ["c4"]
    add(tmp_path, SEPTEMBER, "c5")
    assert places(tmp_path, date(2000, 1, 1)) == ["c5"]


def test_a_version_tells_what_was_imported(tmp_path: Path) -> None:
    """Who, when, from when, how much, the hash; the file lies beside it as it came, with its own hash."""
    before = datetime.now(UTC).replace(microsecond=0)
    version = add(tmp_path, SEPTEMBER, "c1")
    assert version is not None
    assert Versions(tmp_path).every() == [version]
    assert (version.number, version.effective, version.imported_by) == (1, SEPTEMBER, "operator")
    assert before <= version.imported_at <= datetime.now(UTC)
    assert (version.sites, version.devices) == (1, 1)
    assert version.sha256 == canonical.digest(reading("c1").roster)
    (original,) = version.originals
    kept = (tmp_path / "roster/000001/originals" / original.name).read_bytes()
    assert (original.name, kept) == ("台账.csv", reading("c1").sources[0].content)
    assert version.as_json()["effective"] == "2025-09-01"


def test_two_files_of_one_name_are_both_kept(tmp_path: Path) -> None:
    """From two folders may come two files called the same."""
    twice = reading("c1")._replace(sources=(Source(Path("a/x.csv"), b"1"), Source(Path("b/x.csv"), b"2")))
    version = Versions(tmp_path).add(twice, SEPTEMBER, "operator")
    assert version is not None
    assert [original.name for original in version.originals] == ["x.csv", "2-x.csv"]


def test_the_same_again_is_no_new_version(tmp_path: Path) -> None:
    """Nothing is written; back to an earlier roster is a new one."""
    add(tmp_path, SEPTEMBER, "c1")
    assert add(tmp_path, SEPTEMBER, "c1") is None
    assert add(tmp_path, OCTOBER, "c1") is None
    assert add(tmp_path, OCTOBER, "c2") is not None
    assert add(tmp_path, SEPTEMBER, "c1") is None
    assert add(tmp_path, NOVEMBER, "c1") is not None
    assert [version.number for version in Versions(tmp_path).every()] == [1, 2, 3]


def test_without_any_version_it_says_so(tmp_path: Path) -> None:
    """There is none in force, and asking for one says what to do."""
    assert Versions(tmp_path).every() == []
    assert Versions(tmp_path).in_force(SEPTEMBER) is None
    with pytest.raises(BadVersion, match="there is no roster yet: import one with `santong roster import`"):
        Versions(tmp_path).on(SEPTEMBER)
    with pytest.raises(BadVersion, match="there is no version 7; `santong roster list` names them"):
        Versions(tmp_path).get(7)


def _spoil(what: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        if what == "no devices":
            (folder / canonical.DEVICES).unlink()
        elif what == "record":
            (folder / versions.RECORD).write_text("{")
        elif what == "no record":
            (folder / versions.RECORD).unlink()
        elif what == "lesser record":
            (folder / versions.RECORD).write_text("{}")
        else:
            (folder / canonical.SITES).write_text((folder / canonical.SITES).read_text().replace("示例", "某"))

    return change


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no devices", "No such file"),
        ("record", "version.json: is not what was written"),
        ("lesser record", "version.json: is not what was written: 'number'"),
        ("no record", "version.json: No such file"),
        ("a name", "was changed since it was imported: its SHA-256 is another one"),
    ],
)
def test_a_version_that_was_changed_by_hand_is_refused(tmp_path: Path, what: str, message: str) -> None:
    """What was promised on a day cannot be altered unseen."""
    add(tmp_path, SEPTEMBER, "c1")
    _spoil(what)(tmp_path / "roster/000001")
    with pytest.raises(BadVersion, match=message):
        Versions(tmp_path).on(SEPTEMBER)


# ---- an import that is cut short


class Cut(BaseException):
    """The machine lost its power, as far as this process can tell."""


def _count(steps: list[str], cut_at: int) -> Callable[[Callable[..., Any], str], Callable[..., Any]]:
    def wrap(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            if len(steps) == cut_at:
                raise Cut
            steps.append(name)
            return real(*arguments, **options)

        return step

    return wrap


def _import_cut_at(data: Path, step: int) -> list[str]:
    """Import a second version, cut before the given step; return the steps that were taken."""
    steps: list[str] = []
    wrap = _count(steps, step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "_write", wrap(versions._write, "write"))
        patch.setattr(versions, "sync", wrap(sync, "sync"))
        patch.setattr(Path, "rename", wrap(Path.rename, "rename"))
        patch.setattr(Path, "mkdir", wrap(Path.mkdir, "mkdir"))
        try:
            add(data, OCTOBER, "c1", "c2")
        except Cut:
            return steps
    return [*steps, "done"]


def test_an_import_cut_short_at_any_step_leaves_the_old_roster_or_the_new_one(tmp_path: Path) -> None:
    """Never half of one: the version appears with its name, at once; the next import removes what was left."""
    step, seen = 0, []
    while True:
        data = tmp_path / str(step)
        add(data, SEPTEMBER, "c1")
        steps = _import_cut_at(data, step)
        there = places(data, OCTOBER)
        assert there == (["c1", "c2"] if "rename" in steps else ["c1"]), steps
        assert places(data, SEPTEMBER) == ["c1"]
        if steps[-1:] == ["done"]:
            break
        is_new = add(data, OCTOBER, "c1", "c2") is not None
        assert is_new == ("rename" not in steps)
        assert places(data, OCTOBER) == ["c1", "c2"]
        assert sorted(entry.name for entry in (data / "roster").iterdir()) == ["000001", "000002"]
        seen, step = steps, step + 1
    assert step > 6
    assert seen[-1] == "rename"  # everything is on disk before it, and only the folder's entry after it


def test_everything_is_on_disk_before_a_version_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is synced, then the folders, then the name is given, then that is synced."""
    order: list[str] = []
    real_sync, real_rename = os.fsync, Path.rename

    def sync(descriptor: int) -> None:
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real_sync(descriptor)

    def rename(old: Path, new: Path) -> Path:
        order.append("named")
        return real_rename(old, new)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    add(tmp_path, SEPTEMBER, "c1")
    assert order[-2:] == ["named", "roster"]
    assert sorted(order[:-3]) == sorted(["台账.csv", "originals", canonical.SITES, canonical.DEVICES, versions.RECORD])


def test_a_full_disk_leaves_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error reaches whoever imports."""
    add(tmp_path, SEPTEMBER, "c1")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        add(tmp_path, OCTOBER, "c2")
    assert places(tmp_path, OCTOBER) == ["c1"]


def test_imports_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    """Two people at two terminals: one waits for the other, and each gets a number."""
    threads = [
        threading.Thread(target=add, args=(tmp_path, OCTOBER + timedelta(n), f"c{n}"), name=f"import{n}")
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Versions(tmp_path).every()
    assert [version.number for version in found] == list(range(1, 9))
    assert {version.effective for version in found} == {OCTOBER + timedelta(n) for n in range(8)}


# ---- which days an import would change


@pytest.mark.parametrize(
    ("effective", "span", "past"),
    [
        (date(2025, 10, 20), Span(date(2025, 10, 20), None), None),
        (date(2025, 10, 25), Span(date(2025, 10, 25), None), None),
        (date(2025, 10, 19), Span(date(2025, 10, 19), None), Span(date(2025, 10, 19), date(2025, 10, 19))),
        (date(2025, 9, 2), Span(date(2025, 9, 2), date(2025, 9, 30)), Span(date(2025, 9, 2), date(2025, 9, 30))),
        (SEPTEMBER, Span(None, date(2025, 9, 30)), Span(None, date(2025, 9, 30))),
        (OCTOBER, Span(OCTOBER, None), Span(OCTOBER, date(2025, 10, 19))),
        (date(2025, 8, 1), Span(None, date(2025, 8, 31)), Span(None, date(2025, 8, 31))),
    ],
)
def test_the_days_that_an_import_changes_are_told(
    tmp_path: Path, effective: date, span: Span, past: Span | None
) -> None:
    """Until the next version begins; those before the first version change with it; past ones end yesterday."""
    add(tmp_path, SEPTEMBER, "c1")
    add(tmp_path, OCTOBER, "c2")
    found = Versions(tmp_path).span(effective)
    assert (found, found.past(date(2025, 10, 20))) == (span, past)


def test_what_is_kept_reads_as_a_roster_of_its_own(tmp_path: Path) -> None:
    """The two files of a version can be checked and imported anywhere."""
    add(tmp_path, SEPTEMBER, "c1")
    folder = tmp_path / "roster/000001"
    assert read([folder / canonical.SITES, folder / canonical.DEVICES]).roster == reading("c1").roster
    assert json.loads((folder / versions.RECORD).read_text())["number"] == 1
