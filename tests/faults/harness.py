"""
A run: faults by a printed seed, then quiet, then the comparison.

    plan (seed) ──▶ fault, fault, fault … ──▶ drain ──▶ compare ──▶ lost L doubled D altered A
"""

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.faults import faults, spool_faults  # noqa: F401  they fill the table of kinds
from tests.faults.city import SITE, City, Happening
from tests.faults.kinds import KINDS, plan
from tests.faults.ledger import Offence, Verdict, compare

DRAIN_S = 240.0
_PROGRESS_EVERY = 20
_NEAR_NS = 5_000_000_000
_COUNTERS = ("damaged_total", "refused_total", "dropped_total")


class Result(NamedTuple):
    """What a run gave: faults that happened and those that did not take hold, by kind; and the comparison."""

    happened: Counter[str]
    missed: Counter[str]
    verdict: Verdict
    counters: dict[str, int]
    mended: int
    meddled: Counter[str]
    complaints: list[str]
    folder: Path
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing is lost, doubled or altered, and nothing else is to be complained of."""
        return self.verdict.is_clean and not self.complaints


def run(number: int, seed: int, only: list[str], say: Callable[[str], None]) -> Result:
    """Run so many faults; the folder with all logs and ledgers stays, unless nothing is to be complained of."""
    began = time.monotonic()
    chance = random.Random(seed)
    order = plan(number, only, chance)
    folder = Path(tempfile.mkdtemp(prefix="santong-faults-"))
    say(f"seed {seed}, {len(order)} faults, in {folder}")
    happened: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    with City(folder, chance) as city:
        for at, name in enumerate(order, start=1):
            (happened if _inject(city, at, name) else missed)[name] += 1
            if at % _PROGRESS_EVERY == 0:
                say(f"{at:5} faults  {time.monotonic() - began:5.0f} s")
        result = _finish(city, say)
    result = result._replace(happened=happened, missed=missed, seconds=time.monotonic() - began)
    if result.is_clean:
        shutil.rmtree(folder)
    return result


def _inject(city: City, number: int, name: str) -> bool:
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    city.details.clear()
    did_happen = KINDS[name].act(city)
    ended = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    happening = Happening(number, name, began, ended, ", ".join(city.details))
    city.happenings.append(happening)
    with (city.folder / "faults.log").open("a", encoding="utf-8") as log:
        print(*happening, "" if did_happen else "DID NOT TAKE HOLD", sep="\t", file=log)
    city.supervise()
    return did_happen


def _finish(city: City, say: Callable[[str], None]) -> Result:
    if not city.drain(DRAIN_S):
        city.complaints.append(f"not everything had arrived after {DRAIN_S:.0f} s")
    say("drained; comparing")
    stored = list(city.stored())
    verdict = compare(city.produced(), stored, city.marks, city.exempt)
    told = {row.device for row in stored if row.measurement == "agent" and row.fields.get("damaged_total", 0)}
    for device in verdict.damaged.keys() - told:
        city.complaints.append(f"{device} lost {verdict.damaged[device]} samples to its disk and never said so")
    statuses = {agent.device: agent.status() for agent in city.agents}
    counters = {name: sum(int(status.get(name, 0)) for status in statuses.values()) for name in _COUNTERS}
    words = city.words()
    if "Traceback" in words:
        city.complaints.append("a traceback in a log")
    for name in ("refused_total", "dropped_total"):
        if counters[name]:
            city.complaints.append(f"{name} is {counters[name]}: no line of an agent is to be refused or dropped")
    for offence in verdict.offences:
        say(_explain(offence, city.happenings))
    for complaint in city.complaints:
        say(f"complaint: {complaint}")
    mended = words.count("spool damaged:")
    meddled = city.mqtt.counts + city.http.counts
    return Result(Counter(), Counter(), verdict, counters, mended, meddled, city.complaints, city.folder, 0.0)


def _explain(offence: Offence, happenings: list[Happening]) -> str:
    """Return an offence with the faults of about then; those of another agent have nothing to do with it."""
    near = [
        f"\n    fault {h.number} {h.kind} {h.detail}"
        for h in happenings
        if h.began_ns - _NEAR_NS <= offence.at_ns <= h.ended_ns + _NEAR_NS
        and (SITE not in h.detail or offence.device in h.detail)
    ]
    return f"{offence.kind} {offence.device} at {offence.at_ns}: {offence.what}{''.join(near)}"
