"""`santong simulate`: a city of pretend agents whose truth is known, into a store, a broker or files."""

import json
import shutil
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple
from zoneinfo import ZoneInfo

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from collector.commands.common import AsJson, Lang, language_of
from collector.screen import console
from collector.words import Language, word
from contract.command_line import fail, one_line_errors
from contract.errors import SantongError
from contract.measurements import RETENTION_DAYS, Retention

if TYPE_CHECKING:
    from simulator.city import Told

_CHUNK_LINES = 40_000  # nobody waits for an answer here, so more go into one write
_ZONE = ZoneInfo("Asia/Shanghai")


class _Plan(NamedTuple):
    devices: int
    days: int
    seed: int
    start: date
    fault_rate: float
    lean: bool
    rounds_a_batch: int


class _Done(NamedTuple):
    """What was made: `points` with those of delivery."""

    devices: int
    days: int
    seed: int
    batches: int
    points: int
    refused: int
    seconds: float


def simulate(
    devices: Annotated[int, typer.Option(min=1, help="How many devices the roster has.")] = 100,
    days: Annotated[int, typer.Option(min=1, max=1100, help="How many days.")] = 7,
    seed: Annotated[int, typer.Option(help="The same seed gives the same city and the same evidence.")] = 1,
    start: Annotated[
        str, typer.Option("--from", help="First day, 2026-03-02; else so that yesterday is the last.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder of store, truth, roster and calendars.")] = Path(
        "santong-simulated"
    ),
    to_store: Annotated[str, typer.Option(help="URL of a store; else a SQLite file in OUT.")] = "",
    broker: Annotated[str, typer.Option(help="URL of a broker with a collector behind it, instead of a store.")] = "",
    to_files: Annotated[bool, typer.Option("--to-files", help="Write files for santong import instead.")] = False,
    fault_rate: Annotated[float, typer.Option(min=0, max=100, help="Times the usual number of faults.")] = 1.0,
    lean: Annotated[bool, typer.Option("--lean", help="Evidence only, no telemetry.")] = False,
    publish_every: Annotated[int, typer.Option(min=1, max=60, help="Minutes between the sendings of an agent.")] = 1,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Make a city of pretend agents with known faults, and its evidence; the truth is written apart.

    Exit code 1: some of the evidence was refused, which never should be.
    """
    language = language_of(lang)
    if sum(map(bool, (to_store, broker, to_files))) > 1:
        fail("--to-store, --broker, --to-files: one of them")
    plan = _Plan(devices, days, seed, _first_day(start, days), fault_rate, lean, publish_every)
    began = time.monotonic()
    with one_line_errors():
        out.mkdir(parents=True, exist_ok=True)
        _refuse_another_city(plan, out)
        sink = _sink(plan, out, to_store, broker, is_file=to_files)
        _make(plan, out, sink, language)
        _import_roster(plan, out)
        sink.tell_roster(plan, out)
        sink.close()
    done = _Done(devices, days, seed, sink.batches, sink.points, sink.refused, round(time.monotonic() - began, 1))
    _tell(done, out, language, as_json=as_json)
    raise typer.Exit(1 if done.refused else 0)


def _first_day(text: str, days: int) -> date:
    today = datetime.now(_ZONE).date()
    if not text:
        return today - timedelta(days=days)
    try:
        first = date.fromisoformat(text)
    except ValueError:
        fail(f"--from: {text!r} is not a date such as 2026-03-02")
    if first + timedelta(days=days) > today:
        fail(f"--from: {days} days from {first} end in the future: evidence from there would be refused")
    if first < today - timedelta(days=RETENTION_DAYS[Retention.EVIDENCE] - 1):
        fail(f"--from: {first} is longer ago than evidence is kept")
    return first


def _refuse_another_city(plan: _Plan, out: Path) -> None:
    """Fail when the folder holds a city that is not this one: two in one store would be neither."""
    from simulator.truth import FILE, facts  # noqa: PLC0415

    if (out / FILE).exists():
        known = facts(out / FILE)
        wanted = {"seed": plan.seed, "devices": plan.devices, "days": plan.days, "start": plan.start.isoformat()}
        wanted |= {"fault_rate": plan.fault_rate}
        if {name: known.get(name) for name in wanted} != wanted:
            fail(f"--out: {out} holds another city: name a new folder, or remove that one")


def _import_roster(plan: _Plan, out: Path) -> None:
    """Make the city's roster the version in force from its first day, as `santong roster import` does."""
    from collector.roster.read import read  # noqa: PLC0415
    from collector.roster.versions import Versions  # noqa: PLC0415

    reading = read([out / "sites.csv", out / "devices.csv"])
    if reading.errors:
        raise SantongError("\n".join(map(str, reading.errors)))
    Versions(out).add(reading, plan.start, "santong simulate")


def _make(plan: _Plan, out: Path, sink: "_Sink", language: Language) -> None:
    from simulator.city import City, make  # noqa: PLC0415  other commands need none of it
    from simulator.rates import Rates  # noqa: PLC0415
    from simulator.world import World  # noqa: PLC0415

    world = World(plan.seed, plan.devices, plan.start, plan.days, Rates().scaled(plan.fault_rate))
    facts: dict[str, int | float | str] = {
        "devices": plan.devices,
        "start": plan.start.isoformat(),
        "fault_rate": plan.fault_rate,
    }
    city = City(world, lean=plan.lean, rounds_a_batch=plan.rounds_a_batch)
    screen = console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(word("simulated_devices", language), total=plan.devices)
        for more in make(city, out, facts, lambda _site, told: sink.take(told)):
            bar.advance(task, more)


def _tell(done: _Done, out: Path, language: Language, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done._asdict() | {"out": str(out)}))
        return
    title, points = word("simulated", language), word("points", language)
    made = f"{done.devices:,} × {done.days} d, {done.points:,} {points}, {done.seconds:.0f} s"
    typer.echo(f"{title}: {made} → {out}")
    if done.refused:
        refused = word("refused", language)
        typer.echo(f"{refused}: {done.refused:,}", err=True)


# ---- where batches go


class _Sink:
    """Takes what agents say. `points` counts lines, and a delivery point a batch."""

    def __init__(self) -> None:
        self.batches = self.points = self.refused = 0

    def take(self, told: "Told") -> None:
        """Take all of one agent."""
        raise NotImplementedError

    def tell_roster(self, plan: _Plan, out: Path) -> None:
        """Write what a centre writes each day of its roster, where there is none that will."""

    def close(self) -> None:
        """Finish."""

    def _count(self, payload: bytes) -> None:
        self.batches += 1
        self.points += payload.count(b"\n")  # the header's line stands for the delivery point


def _sink(plan: _Plan, out: Path, store: str, broker: str, *, is_file: bool) -> _Sink:
    if is_file:
        return _Files(out, plan)
    if broker:
        return _Broker(broker)
    oldest = datetime.now(_ZONE).date() - timedelta(days=RETENTION_DAYS[Retention.TELEMETRY] - 1)
    if not plan.lean and plan.start < oldest:
        fail(f"--from: telemetry from before {oldest} is not kept any more; --lean makes none")
    return _Store(store, out)


class _Store(_Sink):
    """Checks and stores as the collector does, with the simulated time of reception."""

    def __init__(self, url: str, out: Path) -> None:
        from collector.chunk import Chunk  # noqa: PLC0415
        from collector.store.open import open_store  # noqa: PLC0415
        from collector.up import store_url  # noqa: PLC0415

        super().__init__()
        self._new: Callable[[], Chunk] = Chunk
        self._chunk = Chunk()
        self._store = open_store(url or store_url(out))
        self._store.prepare()

    def take(self, told: "Told") -> None:
        from collector.wire import Arrival  # noqa: PLC0415
        from contract import topics  # noqa: PLC0415

        for received, device, payload in told.arrived:
            self._chunk.add(Arrival(topics.batch(told.agent, device), payload, received * 1_000_000))
            self._count(payload)
            if self._chunk.lines >= _CHUNK_LINES:
                self._write()

    def tell_roster(self, plan: _Plan, out: Path) -> None:
        from collector.roster.versions import Versions  # noqa: PLC0415
        from collector.roster_points import write_roster  # noqa: PLC0415

        roster = Versions(out).on(plan.start)
        for more in range(plan.days):
            write_roster(self._store, roster, plan.start + timedelta(days=more), _ZONE)

    def close(self) -> None:
        self._write()
        self._store.close()

    def _write(self) -> None:
        self._chunk.store(self._store.write)
        self.refused += len(self._chunk.refused) + len(self._chunk.quarantined)
        self._chunk = self._new()


class _Broker(_Sink):
    """Publishes as agents do; they are received when they are."""

    def __init__(self, url: str) -> None:
        from contract.broker import BrokerSettings, BrokerUrl  # noqa: PLC0415
        from simulator.publisher import Publisher  # noqa: PLC0415

        super().__init__()
        try:
            settings = BrokerSettings(BrokerUrl.parse(url))
        except ValueError as error:
            raise SantongError(f"--broker: {error}") from None
        self._publisher = Publisher(settings)

    def take(self, told: "Told") -> None:
        for _, device, payload in told.arrived:
            self._publisher.send(told.agent, device, payload)
            self._count(payload)

    def close(self) -> None:
        self._publisher.finish()
        self._publisher.close()
        self.refused = len(self._publisher.refused)


class _Files(_Sink):
    """Writes a file an agent; one of an earlier run is removed."""

    def __init__(self, out: Path, plan: _Plan) -> None:
        from simulator.files import FOLDER  # noqa: PLC0415

        super().__init__()
        self._folder = out / FOLDER
        shutil.rmtree(self._folder, ignore_errors=True)
        end = plan.start + timedelta(days=plan.days)
        self._exported_ms = int(datetime(end.year, end.month, end.day, tzinfo=_ZONE).timestamp() * 1000)

    def take(self, told: "Told") -> None:
        from simulator.files import write  # noqa: PLC0415

        arrived = list(told.arrived)
        for one in arrived:
            self._count(one.payload)
        write(self._folder, told.agent, self._exported_ms, arrived)
