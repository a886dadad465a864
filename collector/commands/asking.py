"""What `santong verify` and `santong report` ask: which days, of which roster, by which calendars and targets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from collector.commands.common import calendars_of, days_asked, known_key, open_for_reading
from collector.screen import console
from collector.words import Language, word
from contract.command_line import fail
from contract.errors import ConfigError
from contract.meant import did_you_mean
from contract.measurements import RETENTION_DAYS, Retention

if TYPE_CHECKING:
    from collector.archive.read import Archive
    from collector.asked import Promise
    from collector.basis import Inputs
    from collector.calendars.calendar import Calendars
    from collector.disputed import Taken
    from collector.roster.schema import Roster
    from collector.store.base import Store
    from collector.targets.schema import Target
    from collector.verification import Verified

_STEPS = {
    "loading": "step_loading",
    "identity": "step_identity",
    "judging": "step_judging",
    "summing": "step_summing",
    "rates": "step_rates",
    "hashing": "step_hashing",
    "archiving": "step_archiving",
    "comparing": "step_comparing",
}

Show = Callable[[int, int, str], None]


class Question(NamedTuple):
    """The options of a command that verifies, as they were given."""

    first: str | None
    last: str | None
    county: str
    site: str
    target: str
    roster: tuple[Path, ...]
    calendars: Path | None
    targets: Path | None
    folder: Path | None
    data: Path


class Way(NamedTuple):
    """How to verify: whether all is judged again, with which disputes, whether every point counts (None: if few)."""

    recompute: bool
    taken: "Taken"
    rates: bool | None = None


class Source(NamedTuple):
    """
    Where a verification reads from, and with what was known when.

    Of an archive store, targets and profiles are given, and its days are all that there is.
    """

    data: Path
    now_ns: int
    store: "Store | None" = None
    targets: Path | None = None
    profiles: "Sequence[Path] | None" = None
    archive: "Archive | None" = None

    @property
    def first(self) -> date | None:
        """The first day of an archive."""
        return self.archive.manifest.first if self.archive else None

    @property
    def last(self) -> date | None:
        """The last day of an archive."""
        return self.archive.manifest.last if self.archive else None


class Posed(NamedTuple):
    """A question with what was promised, the calendars, and the files and versions that these come from."""

    promise: "Promise"
    calendars: "Calendars"
    inputs: "Inputs"


@contextmanager
def archived(file: Path, key: Path | None, data: Path, store: str | None, language: Language) -> Iterator[Source]:
    """Open an archive, and say on stderr what of it was not compared with anything."""
    from collector import evidence  # noqa: PLC0415

    if store:
        fail("--store: with --evidence everything is read from the archive; leave one of them out")
    public = known_key(data, key)
    with ExitStack() as parts:
        with progress(language) as show:
            loaded = evidence.opened(file, public, lambda done, total, _: show(done, total, "loading"))
            opened = parts.enter_context(loaded)
        manifest = opened.manifest
        if public is None:
            said = f"{file}: signed by the key {manifest.key}, which was not compared: name the key with --key"
            typer.echo(said, err=True)
        if opened.is_of_other_rules:
            said = f"{file}: made under other rules of judging ({dict(manifest.software)}): verdicts may differ"
            typer.echo(said, err=True)
        yield Source(opened.data, manifest.made_ns, opened.store, opened.targets, opened.profiles, opened.archive)


def taken_from(data: Path, *, is_counted: bool) -> "tuple[Taken, str]":
    """
    Return the disputes of a data folder, and the hash of their newest record; empty while there is none.

    Without them only what was decided about findings is of use, so that stored days hold; a broken file is passed over.
    """
    from collector.disputed import Taken  # noqa: PLC0415
    from collector.disputes.ledger import Ledger  # noqa: PLC0415

    found = Ledger(data).read() if is_counted else Ledger(data).examine()
    known = () if found.problems else tuple(found.disputes.values())
    return Taken(known, is_counted), found.head.sha256 if found.hashes else ""


def pose(question: Question, source: Source) -> Posed:
    """Return what was promised for the days asked about; what is wrong ends the command."""
    from collector.basis import Inputs  # noqa: PLC0415
    from collector.targets.load import SHIPPED  # noqa: PLC0415
    from collector.titles import FOLDER  # noqa: PLC0415
    from collector.verification import last_whole_day  # noqa: PLC0415  YAML and holidays take their time

    for file in (question.calendars, question.targets):
        if file and not file.exists():
            fail(f"{file}: no such file")
    days = calendars_of(question.calendars, source.data)
    over = source.last or last_whole_day(source.now_ns, days.zone)
    period = _days(question.first, question.last, over, source.first)
    own = [FOLDER] if FOLDER.is_dir() else []
    folders = [question.folder] if question.folder else own if source.profiles is None else source.profiles
    file = question.targets or source.targets or SHIPPED
    inputs = Inputs(_rosters(source.data, list(question.roster), period), days.file, file, folders)
    promise = _promise(period, days, inputs.rosters, _targets(file, folders, question.target))
    return Posed(_only(promise, question.county, question.site), days, inputs)


@contextmanager
def reading(source: Source, store: str | None) -> "Iterator[Store]":
    """Open the store for what follows; Ctrl-C ends it in one line."""
    opened = source.store or open_for_reading(source.data, store)
    try:
        yield opened
    except KeyboardInterrupt:
        kept = "" if source.store else ": what was judged is kept, the next run goes on from there"
        fail(f"interrupted{kept}")
    finally:
        opened.close()


def verified(store: "Store", promise: "Promise", now_ns: int, way: Way, language: Language) -> "Verified":
    """Return what verification finds with what is known now, with a progress bar."""
    from collector.rates import AT_ONCE, device_days  # noqa: PLC0415
    from collector.verification import verify  # noqa: PLC0415

    all_points = device_days(promise) <= AT_ONCE if way.rates is None else way.rates
    with progress(language) as show:
        return verify(store, promise, now_ns, show, recompute=way.recompute, taken=way.taken, all_points=all_points)


def _days(first: str | None, last: str | None, over: date, begin: date | None = None) -> tuple[date, date]:
    """Return the days asked about: of a store no further back than evidence is kept."""
    start, end = days_asked(first, last, over, begin)
    kept = RETENTION_DAYS[Retention.EVIDENCE]
    oldest = over - timedelta(days=kept - 2)  # the first day whose midnight is still within that
    if start < oldest and not begin:
        fail(f"--from: {start} is too long ago: evidence is kept for {kept:,} days, all of a day from {oldest} on")
    return start, end


def _targets(file: Path, folders: "Sequence[Path]", only: str) -> "tuple[Target, ...]":
    from collector.targets.load import load  # noqa: PLC0415

    found = load(file, folders).targets
    if only and only not in [one.id for one in found]:
        _unknown("--target", only, [one.id for one in found])
    return tuple(one for one in found if only in ("", one.id))


def _rosters(data: Path, files: list[Path], period: tuple[date, date]) -> "list[tuple[date, Roster]]":
    """Return the rosters in force in a period, each with its first day."""
    from collector.asked import days_between  # noqa: PLC0415
    from collector.roster.read import read  # noqa: PLC0415
    from collector.roster.versions import Versions  # noqa: PLC0415

    if files:
        reading = read(files)
        if reading.errors:
            fail("\n".join(map(str, reading.errors)))
        return [(period[0], reading.roster)]
    versions = Versions(data)
    in_force = {day: versions.in_force(day) for day in days_between(*period)}
    if None in in_force.values():
        fail(
            f"{versions.folder}: there is no roster: import one with `santong roster import`, or name it with --roster"
        )
    return [(version.effective, versions.roster(version)) for version in dict.fromkeys(in_force.values()) if version]


def _promise(
    period: tuple[date, date],
    calendars: "Calendars",
    rosters: "Sequence[tuple[date, Roster]]",
    targets: "Iterable[Target]",
) -> "Promise":
    from collector.verification import promise_of  # noqa: PLC0415
    from collector.verify.conclude import Period  # noqa: PLC0415

    return promise_of(Period(*period, list(rosters)), calendars.zone, calendars.day, targets)


def advise(promise: "Promise", calendars: "Calendars", source: Source, language: Language) -> None:
    """Say on stderr what follows from `_advice`."""
    for line in _advice(promise, calendars, source, language):
        typer.echo(line, err=True)


def advise_example(calendars: Path | None, data: Path, language: Language) -> None:
    """Say on stderr what to do where the calendars of a period are the example."""
    from collector.calendars.load import FILE, SHIPPED, file_in  # noqa: PLC0415

    if (calendars or file_in(data)) == SHIPPED:
        typer.echo(word("advice_example", language).format(file=SHIPPED, own=data / FILE), err=True)


def _advice(promise: "Promise", calendars: "Calendars", source: Source, language: Language) -> Iterator[str]:
    """Yield what to do where the calendars are the example, and where they have no school day in the period."""
    from collector.asked import is_without_school_days  # noqa: PLC0415
    from collector.calendars.load import FILE, SHIPPED  # noqa: PLC0415

    if calendars.file == SHIPPED:
        yield word("advice_example", language).format(file=SHIPPED, own=source.data / FILE)
    try:
        is_without = is_without_school_days(promise)
    except ConfigError:  # of days that no target asks about
        return
    if is_without:
        period = promise.period
        # That of an archive has no place on this machine.
        file = FILE if source.store and calendars.file.parent == source.data else calendars.file
        yield word("advice_no_school_day", language).format(first=period.first, last=period.last, file=file)


def _only(promise: "Promise", county: str, site: str) -> "Promise":
    from collector.verification import only  # noqa: PLC0415

    known = {one.id: one.county for roster in promise.period.in_force for one in roster.sites.values()}
    if county and county not in known.values():
        _unknown("--county", county, sorted(set(known.values())))
    if site and site not in known:
        _unknown("--site", site, sorted(known))
    if county and site and known[site] != county:
        fail(f"--site: {site} is in the county {known[site]}, not in {county}")
    if not county and not site:
        return promise
    # A number that the whole programme owes is no promise of a part of it.
    targets = tuple(one._replace(at_least=None) for one in promise.targets if one.at_least is None or one.share)
    if not targets:
        names = ", ".join(one.id for one in promise.targets)
        fail(f"{names}: a number that the whole programme owes is no promise of a county or a site: leave these out")
    period = promise.period._replace(rosters=only(promise.period.rosters, county, site))
    return promise._replace(period=period, targets=targets)


def _unknown(option: str, name: str, known: list[str]) -> NoReturn:
    some = f"{', '.join(known[:10])}{' …' if len(known) > 10 else ''}"
    fail(f"{option}: {name!r} is not known{did_you_mean(name, known, f'; there are {some}')}")


@contextmanager
def progress(language: Language) -> Iterator[Show]:
    """Show how far it is on stderr, where that is a terminal."""
    screen = console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("…", total=None)
        yield lambda done, total, what: bar.update(
            task, completed=done, total=total, description=word(_STEPS[what], language)
        )
