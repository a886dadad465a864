"""Sheets of what stands beside figures: disputes and closures, samples and their classes, evidence to be checked."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from collector.report import agreed, sampled
from collector.report.cells import COUNT, DAY, PERCENT, RATE, TIME, Cell, Column
from collector.report.views import View


def dispute_columns(view: View) -> list[Column]:
    """Return the columns of disputes and closures."""
    return [
        Column(view.text("record_number"), 8, COUNT), Column(view.text("kind"), 8), Column(view.text("scope"), 28),
        Column(view.text("scope_id"), 28), Column(view.text("since"), 18, TIME), Column(view.text("until"), 18, TIME),
        Column(view.text("why"), 36), Column(view.text("sentence"), 50), Column(view.text("attachments"), 60),
        Column(view.text("proposed_by"), 24), Column(view.text("proposed"), 18, DAY),
        Column(view.text("approved_by"), 24), Column(view.text("approved"), 18, DAY),
    ]  # fmt: skip


def disputes(view: View) -> Iterator[Sequence[Any]]:
    """Yield a row for each; the end of its period is the first instant after it."""
    told = agreed.rows(view)
    for one, row in zip(view.report.agreed.disputes, told, strict=True):
        files = "\n".join(f"{file.name} SHA-256 {file.sha256}" for file in row.attachments)
        yield (
            row.number, row.kind, row.scope, row.scope_id, _local(one.claim.since, view), _local(one.claim.until, view),
            Cell(row.reason, wrap=True), Cell(row.text, wrap=True), Cell(files, wrap=True),
            row.proposed_by, _local(one.proposed.at, view).date(),
            row.approved_by, _local(one.approved.at, view).date() if one.approved else None,
        )  # fmt: skip


def sample_columns(view: View) -> list[Column]:
    """Return the columns of samples."""
    counts = ("classes", "drawn", "compared", "agreed")
    table = (
        ("evidence_working", "seen_was_usable"), ("evidence_working", "seen_not_usable"),
        ("evidence_not_working", "seen_was_usable"), ("evidence_not_working", "seen_not_usable"),
    )  # fmt: skip
    return [
        Column(view.text("sample"), 16), Column(view.text("target"), 36), Column(view.text("seed"), 20),
        Column(view.text("sample_size"), 8, COUNT), Column(view.text("sample_day"), 12, DAY),
        Column(view.text("drawn_on"), 18, TIME), Column(view.text("stratum"), 26),
        *(Column(view.text(key), 9, COUNT) for key in counts),
        *(Column(view.text(key), 10, PERCENT) for key in ("share_agreeing", "share_low", "share_high")),
        *(Column(f"{view.text(one)}{view.text('list_and')}{view.text(other)}", 14, COUNT) for one, other in table),
        Column(view.text("kappa"), 12, RATE),
        *(Column(view.text(key), 10, COUNT) for key in ("evidence_unknown", "seen_not_accessible", "not_visited")),
        Column(view.text("file_hash"), 68),
    ]  # fmt: skip


def samples(view: View) -> Iterator[Sequence[Any]]:
    """Yield of each sample a row of all its classes, then one of each stratum."""
    for one in view.report.samples:
        found, question = one.found, one.question
        day = datetime.fromisoformat(question.day)
        who = (one.id, sampled.target_of(one, view), question.seed, question.size, day, _local(one.at, view))
        known = found.estimate
        figures = (known.share, known.low, known.high) if known else (None, None, None)
        sums = (
            sum(row.classes for row in found.strata), sum(row.drawn for row in found.strata),
            found.table.total, found.table.agreed,
        )  # fmt: skip
        left = (sum(found.unknown.values()), found.not_accessible, found.not_visited)
        kappa = found.table.kappa if known else None
        yield (*who, view.text("all"), *sums, *figures, *found.table, kappa, *left, one.sha256 or None)
        for row in found.strata:
            yield (*who, view.stratum(row.name), row.classes, row.drawn, row.compared, row.agreed)


def class_columns(view: View) -> list[Column]:
    """Return the columns of classes that were drawn."""
    return [
        Column(view.text("sample"), 16), Column(view.text("site"), 24), Column(view.text("unit_class"), 20),
        Column(view.text("unit_id"), 28), Column(view.text("stratum"), 26), Column(view.text("inspector"), 16),
        Column(view.text("seen"), 14), Column(view.text("seen_at"), 18, TIME), Column(view.text("evidence"), 20),
        Column(view.text("agrees"), 10), Column(view.text("remarks"), 40),
    ]  # fmt: skip


def classes(view: View) -> Iterator[Sequence[Any]]:
    """Yield a row for each class of each sample."""
    for sample in view.report.samples:
        for one in sample.found.compared:
            visit, drawn = one.visit, one.drawn.one
            at = None if visit is None or visit.time_ns is None else _at(visit.time_ns, view)
            agrees = None if one.agrees is None else view.text("yes" if one.agrees else "no")
            yield (
                sample.id, drawn.site_name, drawn.title, drawn.room, view.stratum(drawn.stratum),
                visit.inspector if visit else one.drawn.inspector, sampled.seen(one, view), at,
                sampled.evident(one, view) if at else None, agrees, Cell(visit.remarks if visit else "", wrap=True),
            )  # fmt: skip


def finding_columns(view: View) -> list[Column]:
    """Return the columns of evidence to be checked."""
    return [
        Column(view.text("kind"), 24), Column(view.text("since"), 18, TIME), Column(view.text("until"), 18, TIME),
        Column(view.text("devices_concerned"), 90), Column(view.text("state"), 24),
    ]  # fmt: skip


def findings(view: View) -> Iterator[Sequence[Any]]:
    """Yield what is to be checked, then what was decided."""
    decided = ((one, view.text("findings_decided")) for one in view.report.agreed.decided)
    for one, state in (*((one, view.text("finding_open")) for one in view.report.findings), *decided):
        until = None if one.until_ns is None else _at(one.until_ns, view)
        devices = Cell(", ".join(one.devices), wrap=True)
        yield view.text(f"finding_{one.kind}"), _at(one.since_ns, view), until, devices, state


def _local(at: datetime, view: View) -> datetime:
    """Return an instant as the programme's local time; a sheet knows no zones."""
    return at.astimezone(view.zone).replace(tzinfo=None)


def _at(time_ns: int, view: View) -> datetime:
    return datetime.fromtimestamp(time_ns // 10**9, view.zone).replace(tzinfo=None)
