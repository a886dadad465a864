"""
What people agreed on, applied to a day that was judged without it: the same as if it had been judged with it.

    480+240w            judged from evidence alone
    excluded 09:00–10:00, evidence that does not count 10:00–10:30
    480+60w 540+60x 600+30u 630+90w
"""

from collections.abc import Iterable, Iterator, Sequence

from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.evidence import DayRecord
from collector.verify.steps import Steps, together

Times = Sequence[tuple[int, int]]  # [since, until), unix ns; they may overlap


def applied(record: DayRecord, excluded: Times = (), doubted: Times = ()) -> DayRecord:
    """
    Return a record as `day.judge` gives it when the schedule excludes these times too, and these are in doubt too.

    Every minute that a time touches is meant. Excluded goes before doubted (`unknown`), doubted before all else; no
    minute is added or lost, and `is_open` stays what it is.
    """
    if not excluded and not doubted:
        return record
    return record._replace(runs=tuple(_joined(_cut(record.runs, excluded, doubted))))


def _cut(runs: Iterable[Run], excluded: Times, doubted: Times) -> Iterator[Run]:
    steps = [Steps.within(times, outside=False, inside=True) for times in (excluded, doubted)]
    for run in runs:
        for since_ns, until_ns, (is_excluded, is_doubted) in together(run.start_ns, run.end_ns, steps):
            minutes = (until_ns - since_ns) // MINUTE_NS
            if is_excluded or run.cause is Cause.EXCLUDED:
                yield Run(since_ns, minutes, Cause.EXCLUDED)
            elif is_doubted:
                yield Run(since_ns, minutes, Cause.UNKNOWN)
            else:
                yield run._replace(start_ns=since_ns, minutes=minutes)


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """Join runs that follow each other with one cause; time between them ends a run."""
    last: Run | None = None
    for run in runs:
        if last and last.end_ns == run.start_ns and (last.cause, last.stage) == (run.cause, run.stage):
            last = last._replace(minutes=last.minutes + run.minutes)
            continue
        if last:
            yield last
        last = run
    if last:
        yield last
