"""`santong sample`: 双随机抽查, classes and inspectors drawn by lot, and what was seen against the evidence."""

import json
import time
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from collector.commands.common import (
    DEFAULT_DATA,
    DEFAULT_ZONE,
    AsJson,
    Data,
    Lang,
    StoreOption,
    Zone,
    language_of,
    open_for_reading,
    zone_of,
)
from collector.roster.columns import day
from collector.roster.versions import BadVersion, Versions
from collector.sampling.draw import Draw, Inspector, Question, draw
from collector.sampling.filled import HEADINGS, Filled, read_filled
from collector.sampling.frame import IsWanted, frame_of
from collector.sampling.kept import OnRecord, Results, Samples, corrected, latest
from collector.sampling.sheets import rows_of
from collector.sampling.tickets import new_seed, seed_of
from collector.screen import console
from collector.whoami import operator
from collector.words import Language
from contract.command_line import fail, one_line_errors
from contract.meant import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collector.roster.findings import Finding
    from collector.roster.schema import Roster
    from collector.sampling.agreement import Agreement
    from collector.targets.schema import Target

# YAML is imported by the commands that need it.
app = typer.Typer(no_args_is_help=True, help="双随机抽查: classes drawn by lot, and looked at on site.")

Rosters = Annotated[
    list[Path] | None, typer.Option("--roster", help="CSV or XLSX, instead of the versions in DATA; can be repeated.")
]
Targets = Annotated[Path | None, typer.Option("--targets", help="File of targets; else the shipped one.")]
Folder = Annotated[Path | None, typer.Option("--folder", help="Your own profiles, which targets may name.")]
FORM, TABLE, DRAW = "form.html", "results.csv", "draw.json"


@app.command("draw")
def draw_sample(
    size: Annotated[int, typer.Option("--size", min=1, help="How many classes.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the form, the table to fill, and the draw.")],
    seed: Annotated[str | None, typer.Option(help="From a public source, else drawn now; printed in any case.")] = None,
    inspectors: Annotated[Path | None, typer.Option(help="CSV or XLSX: who may go, and where each belongs.")] = None,
    people: Annotated[int | None, typer.Option(min=1, help="How many inspectors are drawn; else all go.")] = None,
    county: Annotated[str, typer.Option(help="Only classes of this county, by its code.")] = "",
    target: Annotated[str, typer.Option(help="Classes of this target.")] = "banbantong",
    on: Annotated[str | None, typer.Option("--day", help="Classes that count on this day, else today.")] = None,
    roster: Rosters = None,
    targets: Targets = None,
    folder: Folder = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """
    Draw classes and inspectors by lot, and write the form to print and the table to fill.

    The same roster, seed and size are the same sample on every machine. Exit code 1: the list of inspectors has
    mistakes; 2: nothing could be drawn.
    """
    language, wanted = language_of(lang), _day(on, zone_of(zone))
    with one_line_errors():
        found, sha256 = _roster(data, roster or [], wanted)
        if county and county not in (counties := {one.county for one in found.sites.values()}):
            fail(f"--county: {county!r} is not known{did_you_mean(county, counties)}")
        promised = _target(target, targets, folder)
        named = _inspectors(inspectors, found)
        if people is not None and not named:
            fail("--people: says how many of the inspectors are drawn: name them with --inspectors")
        question = Question(_seed(seed), size, f"{wanted}", sha256, target, _scope(promised), county, people)
        drawn = draw(question, frame_of(found, wanted, _in_scope(promised), county), named)
        _check_free(out)
        record = Samples(data).record(drawn, operator())
        _write(out, drawn, language)
    if as_json:
        typer.echo(_json({"id": drawn.id, **_record_json(record), **drawn.as_json()}))
    else:
        from collector.commands.sample_words import draw_screen  # noqa: PLC0415

        console().print(draw_screen(drawn, out, language))


@app.command()
def results(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The filled table, CSV or XLSX.", show_default=False)
    ] = None,
    sample: Annotated[str, typer.Option(help="Id of the sample; else what the file says, or the only one.")] = "",
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the interval.")] = 0.95,
    roster: Rosters = None,
    targets: Targets = None,
    folder: Folder = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """
    Store what inspectors saw, and compare it with the evidence of the same minutes.

    Without a file what is stored is compared again. Exit code 1: the file has mistakes, and nothing of it was stored.
    """
    language, place, now_ns = language_of(lang), zone_of(zone), time.time_ns()
    with one_line_errors():
        samples = Samples(data)
        record = _sample(samples, sample, file)
        promised = _target(record.draw.question.target, targets, folder)
        opened = open_for_reading(data, store)
        try:
            added = _stored(samples, record.draw, file, place, now_ns, as_json=as_json) if file else None
            kept = samples.results(record.draw)
            from collector.sampled import Measure, compare  # noqa: PLC0415

            by = Measure(promised, _Rosters(data, roster or []).on, place, now_ns)
            compared = compare(opened, record.draw, latest(kept), by)
        finally:
            opened.close()
        from collector.sampling.agreement import agreement  # noqa: PLC0415

        found = agreement(record.draw, compared, confidence)
    if as_json:
        typer.echo(_json(_results_json(record, kept, found, place)))
        return
    from collector.commands.sample_words import results_screen, stored_line  # noqa: PLC0415

    if file:
        console().print(stored_line(added, language))
    console().print(results_screen(record.draw, found, corrected(kept), language, place))


@app.command("list")
def list_samples(
    data: Data = DEFAULT_DATA, as_json: AsJson = False, lang: Lang = None, zone: Zone = DEFAULT_ZONE
) -> None:
    """List every sample that was ever drawn here: when, by whom, its seed and size, how many results it has."""
    language, place = language_of(lang), zone_of(zone)
    with one_line_errors():
        samples = Samples(data)
        found = [(record, len(samples.results(record.draw))) for record in samples.every()]
    if as_json:
        rows = [
            {"id": one.draw.id, **_record_json(one), "results": number, **one.draw.question._asdict()}
            for one, number in found
        ]
        typer.echo(_json(rows))
        return
    from collector.commands.sample_words import list_screen  # noqa: PLC0415

    console().print(list_screen(found, language, place))


# ---- what is asked for


def _day(text: str | None, zone: ZoneInfo) -> date:
    if text is None:
        return datetime.now(zone).date()
    try:
        return day(text)
    except ValueError as error:
        fail(f"--day: {error}")


def _seed(text: str | None) -> str:
    if text is None:
        return new_seed()
    try:
        return seed_of(text)
    except ValueError as error:
        fail(f"--seed: {error}")


def _roster(data: Path, files: list[Path], on: date) -> "tuple[Roster, str]":
    """Return the roster in force on a day with its SHA-256, or that of files."""
    from collector.roster.canonical import digest  # noqa: PLC0415

    found = _Rosters(data, files).on(on)
    return found, digest(found)


class _Rosters:
    """The rosters in force in DATA, or one of files for all days."""

    def __init__(self, data: Path, files: list[Path]) -> None:
        from collector.roster.read import read  # noqa: PLC0415

        self._versions = Versions(data)
        reading = read(files) if files else None
        if reading and reading.errors:
            fail("\n".join(map(str, reading.errors)))
        self._given = reading.roster if reading else None

    def on(self, on: date) -> "Roster":
        """Return the roster of a day; BadVersion when there is none."""
        if self._given:
            return self._given
        version = self._versions.in_force(on)
        if version is None:
            raise BadVersion(
                f"{self._versions.folder}: there is no roster: import one with `santong roster import`, "
                "or name it with --roster"
            )
        return self._versions.roster(version)


def _target(name: str, file: Path | None, folder: Path | None) -> "Target":
    from collector.targets.load import SHIPPED, load  # noqa: PLC0415
    from collector.titles import FOLDER  # noqa: PLC0415

    own = folder or FOLDER
    programme = load(file or SHIPPED, [own] if folder or own.is_dir() else [])
    known: dict[str, Target] = {one.id: one for one in programme.targets}
    by_minutes = {one for one, target in known.items() if target.unit == "class" and target.good_when}
    if name not in known:
        fail(f"--target: {name!r} is not known{did_you_mean(name, known)}")
    if name not in by_minutes:
        fail(f"--target: {name} does not count classes by their minutes; {', '.join(sorted(by_minutes))} does")
    return known[name]


def _scope(target: "Target") -> dict[str, list[str]]:
    return {name: sorted(map(str, some)) for name, some in target.scope._asdict().items() if some}


def _in_scope(target: "Target") -> IsWanted:
    from collector.verify.scope import in_scope  # noqa: PLC0415

    return lambda device, site: in_scope(target.scope, device, site)


def _inspectors(file: Path | None, roster: "Roster") -> tuple[Inspector, ...]:
    from collector.sampling.inspectors import read_inspectors  # noqa: PLC0415

    if file is None:
        return ()
    listed = read_inspectors(file, roster)
    _refuse(listed.findings)
    return listed.inspectors


def _refuse(findings: "Sequence[Finding]") -> None:
    if findings:
        fail("\n".join(map(str, findings)), 1)


def _check_free(folder: Path) -> None:
    """Fail where something would be written over: the table may be filled already."""
    for name in (DRAW, FORM, TABLE):
        if (folder / name).exists():
            fail(f"--out: {folder / name} is there already, and is not written over: name another folder")


def _write(folder: Path, drawn: Draw, language: Language) -> None:
    """Write form, table and draw, once the draw is on record: none is handed out that nobody knows of."""
    from collector.sampling.form import form, table  # noqa: PLC0415

    files = {DRAW: drawn.canonical(), FORM: form(drawn, language).encode(), TABLE: table(drawn, language)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        with (folder / name).open("xb") as opened:
            opened.write(body)


def _sample(samples: Samples, name: str, file: Path | None) -> OnRecord:
    """Return the sample of `--sample`, else the one that the file names, else the only one."""
    if not name and file:
        rows, _ = rows_of(str(file), file.read_bytes(), HEADINGS)
        name = next((row.of("sample") for row in rows if row.of("sample")), "")
    if name:
        return samples.get(name)
    every = samples.every()
    if len(every) != 1:
        known = ", ".join(one.draw.id for one in every[-10:]) or "none; `santong sample draw` draws one"
        fail(f"--sample: say which one; there are {known}" if every else f"--sample: there is {known}")
    return every[0]


def _stored(samples: Samples, drawn: Draw, file: Path, zone: ZoneInfo, now_ns: int, *, as_json: bool) -> Results | None:
    """Store what a file says; end with exit code 1 when it has mistakes."""
    content = file.read_bytes()
    filled: Filled = read_filled(str(file), content, drawn, zone, datetime.fromtimestamp(now_ns / 1e9, zone))
    if as_json and filled.findings:
        typer.echo(_json({"sample": drawn.id, "findings": [finding.as_json() for finding in filled.findings]}))
        raise typer.Exit(1)
    _refuse(filled.findings)
    return samples.add(drawn, file, content, filled.visits, operator())


# ---- JSON


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _record_json(record: OnRecord) -> dict[str, str]:
    return {"drawn_at": record.at.isoformat(), "drawn_by": record.by}


def _results_json(record: OnRecord, kept: list[Results], found: "Agreement", zone: ZoneInfo) -> dict[str, object]:
    from collector.sampling.agreement import as_json  # noqa: PLC0415

    return {
        "sample": record.draw.id,
        **_record_json(record),
        "question": record.draw.question._asdict(),
        "results": [one.in_short() for one in kept],
        **as_json(found, zone),
    }
