"""
Whether a wave's release is good: its agents' evidence since they came up with it, beside that of all others.

    facts of each agent ──▶ State: good, bad, or not judged, and why ─┐
    facts of the untouched ──▶ what is usual in the same minutes ─────┴──▶ PASSED, FAILED, OPEN, and why

Nothing is held against a release that befalls the others too: a minute counts as missing only as far as it is there for
others, and a share of bad agents only beyond that of the others. A device that was switched off is not judged.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from collector.fleet.facts import MINUTE_NS, NS, Facts, by_minute, since_of, went_back
from collector.fleet.judgement import Judgement, Outcome, Release, Rules, State, Told
from contract.names import site_of


class _One(NamedTuple):
    """An agent with what is said of it, and the figures of those that are judged."""

    facts: Facts
    told: Told
    minutes: Sequence[tuple[int, bool]] = ()
    volume: float | None = None
    is_silent: bool = False


class _Beside(NamedTuple):
    """
    What an agent is compared with: how many others there are in each minute, and how many of them have it.

    `volume` is that of the others, `bad` their share of bad ones, `restarted` of those that began anew.
    """

    release: Release
    rules: Rules
    minutes: Mapping[int, tuple[int, int]]
    volume: float | None = None
    bad: float = 0.0
    restarted: float = 0.0

    @property
    def settled_ns(self) -> int:
        """Until when evidence must be there by now."""
        return self.release.until_ns - int(self.rules.settle_s * NS)

    @property
    def silent_before_ns(self) -> int:
        """Before which instant the last sign of life of an agent is that has fallen silent."""
        return self.release.until_ns - int((self.rules.settle_s + _SILENT_S) * NS)


def judge(
    wave: Sequence[Facts],
    others: Sequence[Facts],
    release: Release,
    rules: Rules | None = None,
    settled: Collection[str] = (),
    failing: Collection[str] = (),
) -> Judgement:
    """
    Return what the evidence says of a wave beside the others.

    `settled` are agents of it that were found good before, and need not be looked at again unless they went back;
    `failing` are those that the release did not do well by, and which are bad until they are found good.
    """
    rules = rules or Rules()
    end_ns = release.until_ns - int(rules.settle_s * NS)
    beside = _Beside(release, rules, by_minute(others, _first_label(release.since_ns), end_ns))
    # Each of the others is judged as if it had got something: what is bad there is no release's fault.
    compared = [_judged(facts, release.since_ns, beside) for facts in others]
    told = [one for one in compared if one.told.state is not State.EARLY]
    volumes = [one.volume for one in compared if one.volume is not None]
    usual = median(volumes) if volumes else None
    bad = sum(one.told.state is State.BAD or _is_thin(one.volume, usual, rules) for one in told)
    beside = beside._replace(
        volume=usual,
        bad=bad / len(told) if told else 0.0,
        restarted=sum(one.facts.restarts(release.since_ns) > 0 for one in told) / len(told) if told else 0.0,
    )
    ones = [_one(facts, beside, is_settled=facts.agent in settled) for facts in wave]
    ones = [_still_bad(one) if one.facts.agent in failing else one for one in ones]
    return _conclude(ones, compared, beside)


# ---- one agent


def _first_label(at_ns: int) -> int:
    """Return the first label whose minute begins after an instant; the minute of a restart is lost to it."""
    return (at_ns // MINUTE_NS + 2) * MINUTE_NS


def _one(facts: Facts, beside: _Beside, *, is_settled: bool) -> _One:
    """Judge an agent of a wave, from when it came up with the version on."""
    release = beside.release
    since_ns = since_of(facts.versions, release.version, release.since_ns)
    if since_ns is not None and not is_settled:
        return _judged(facts, since_ns, beside)
    running = facts.versions[-1][1] if facts.versions else ""
    is_there = facts.alive_in(release.since_ns, release.until_ns + MINUTE_NS)
    if went_back(facts.versions, release.version, release.since_ns):
        told = Told(facts.agent, State.BAD, "went_back", running)
    elif is_settled:
        told = Told(facts.agent, State.GOOD)
    elif not is_there:
        told = Told(facts.agent, State.OFF)
    elif running and facts.restarts(release.since_ns):
        told = Told(facts.agent, State.BAD, "came_back", running)
    else:
        told = Told(facts.agent, State.BEHIND, "", running)
    return _One(facts, told, is_silent=facts.last_ns < beside.silent_before_ns)


def _still_bad(one: _One) -> _One:
    """Return an agent that was bad before, and of which nothing better is known: it is off, or on another version."""
    if one.told.state in (State.GOOD, State.BAD):
        return one
    return one._replace(told=Told(one.facts.agent, State.BAD, "before", one.told.detail))


def _judged(facts: Facts, since_ns: int, beside: _Beside) -> _One:
    """Judge an agent from an instant on."""
    rules = beside.rules
    first_ns = _first_label(since_ns)
    minutes = list(facts.minutes(first_ns, beside.settled_ns))
    volume = _volume(facts, first_ns, beside)
    is_silent = facts.last_ns < beside.silent_before_ns
    bad = _bad(facts, since_ns, minutes, beside)
    if bad and bad[0] == "missing" and facts.holes and since_ns > beside.release.until_ns - _BACKLOG_NS:
        # Cut off for a while, it sends what is fresh first: what is missing may be on its way.
        return _One(facts, Told(facts.agent, State.EARLY), is_silent=is_silent)
    if len(minutes) < rules.minutes and (not bad or bad[0] == "missing"):
        return _One(facts, Told(facts.agent, State.SILENT if is_silent else State.EARLY), is_silent=is_silent)
    if not bad and volume is not None and _is_thin(volume, beside.volume, rules):
        bad = ("volume", f"{volume:.0%}")
    told = Told(facts.agent, State.BAD, *bad) if bad else Told(facts.agent, State.GOOD)
    return _One(facts, told, minutes, volume, is_silent)


def _bad(facts: Facts, since_ns: int, minutes: Sequence[tuple[int, bool]], beside: _Beside) -> tuple[str, str] | None:
    """Return what is bad about an agent, and how much."""
    if (restarts := facts.restarts(since_ns + MINUTE_NS)) >= _RESTARTS:
        return "restarts", str(restarts)
    if refused := facts.refused(since_ns):
        return "refused", str(refused)
    if faults := facts.new_faults(since_ns - 2 * MINUTE_NS):  # said before the version is
        return "fault", ", ".join(faults)
    there, expected = _completeness([minutes], beside)
    if minutes and there < expected - beside.rules.most_missing:
        return "missing", f"{1 - there:.0%}"
    return None


_BACKLOG_NS = 30 * MINUTE_NS  # for so long after its restart
_RESTARTS = 2  # one more than the release's own may be a person's
_SILENT_S = 180.0  # beyond `settle_s`: two minutes and a re-send


def _volume(facts: Facts, first_ns: int, beside: _Beside) -> float | None:
    """Return lines a minute since a restart as a share of those before; None where either is too short."""
    release, rules = beside.release, beside.rules
    before = facts.rate(release.since_ns - int(rules.back_s * NS), release.since_ns, rules.minutes)
    since = facts.rate(first_ns, release.until_ns - int(rules.settle_s * NS), rules.minutes)
    return since / before if before and since is not None else None


def _is_thin(volume: float | None, usual: float | None, rules: Rules) -> bool:
    """Tell an agent that sends much less than before, beside what is usual."""
    return volume is not None and usual is not None and volume < rules.least_volume_one * usual


def _completeness(some: Sequence[Sequence[tuple[int, bool]]], beside: _Beside) -> tuple[float, float]:
    """Return the share of minutes that are there, and that of the others in the same minutes; 1 where nobody is."""
    told = there = 0
    expected = 0.0
    for minutes in some:
        for at, is_there in minutes:
            of, have = beside.minutes.get(at, (0, 0))
            told += 1
            there += is_there
            expected += have / of if of >= _FEW else 1.0
    return (there / told, expected / told) if told else (1.0, 1.0)


_FEW = 3  # fewer others say nothing of a minute


# ---- the wave


def _conclude(ones: Sequence[_One], compared: Sequence[_One], beside: _Beside) -> Judgement:
    agents = tuple(one.told for one in ones)
    judged = [told for told in agents if told.state in (State.GOOD, State.BAD)]
    there, expected = _completeness([one.minutes for one in ones], beside)
    has_minutes = any(one.minutes for one in ones)
    volumes = [one.volume for one in ones if one.volume is not None]
    volume = median(volumes) if volumes else None
    rules = beside.rules
    open_why = _too_few(ones, judged, rules)
    failures = [
        _too_many_bad(judged, len(judged) if not open_why else len(ones), beside),
        _fell_silent(ones, compared, beside),
    ]
    if not open_why:
        failures.append(_incomplete(ones, there, expected, rules))
        if volume is not None and volume < rules.least_volume * (beside.volume or 1.0):
            failures.append(("wave_volume", f"{volume:.0%}"))
    failed = tuple(failure for failure in failures if failure)
    return Judgement(
        Outcome.FAILED if failed else Outcome.OPEN if open_why else Outcome.PASSED,
        failed or ((open_why,) if open_why else ()),
        agents,
        there if has_minutes else None,
        expected if has_minutes and compared else None,
        volume,
        beside.volume,
        len(compared),
    )


def _too_few(ones: Sequence[_One], judged: Sequence[Told], rules: Rules) -> tuple[str, str] | None:
    """Return why it cannot be told yet: too few of the wave, or of those that are there, can be judged."""
    if len(judged) < min(len(ones), max(1, math.ceil(rules.least * len(ones)))):
        return "too_few", f"{len(judged)}/{len(ones)}"
    waited_for = sum(one.told.state in (State.BEHIND, State.EARLY) for one in ones)
    if len(judged) < math.ceil(rules.least_alive * (len(judged) + waited_for)):
        return "too_few_alive", f"{len(judged)}/{len(judged) + waited_for}"
    return None


def _too_many_bad(judged: Sequence[Told], size: int, beside: _Beside) -> tuple[str, str] | None:
    """
    Return that too large a share of `size` agents is bad.

    That is how many were judged; before enough are, all of the wave: then one bad agent of two says nothing of fifty.
    One that began anew on the old version may have been restarted by somebody, as some of the others were.
    """
    bad = [told.why for told in judged if told.state is State.BAD]
    most = (beside.rules.most_bad + beside.bad) * size
    restarted = min(bad.count("came_back"), beside.restarted * size)
    return ("too_many_bad", f"{len(bad)}/{len(judged)}") if bad and len(bad) - restarted > most else None


def _incomplete(ones: Sequence[_One], there: float, expected: float, rules: Rules) -> tuple[str, str] | None:
    """Return that the wave as a whole misses minutes; a few single ones are chance, however few there are in all."""
    told = sum(len(one.minutes) for one in ones)
    if there < expected - rules.margin and (expected - there) * told >= _CHANCE_MINUTES:
        return "incomplete", f"{there:.1%} < {expected:.1%}"
    return None


_CHANCE_MINUTES = 3.0


def _fell_silent(ones: Sequence[_One], compared: Sequence[_One], beside: _Beside) -> tuple[str, str] | None:
    """Return that more agents fell silent than chance would have it, were they as the others; of two sites at least."""
    release, rules = beside.release, beside.rules
    start_ns = release.since_ns - int(rules.settle_s * NS) - 2 * MINUTE_NS
    some, rest = (
        [one for one in group if one.facts.alive_in(start_ns, release.until_ns)] for group in (ones, compared)
    )
    silent = [one for one in some if one.is_silent]
    silent_rest = sum(one.is_silent for one in rest)
    if len({site_of(one.facts.agent) for one in silent}) < _SITES or not rest:
        return None
    if _tail(len(silent), len(some), silent_rest, len(rest)) < rules.chance:
        return "fell_silent", f"{len(silent)}/{len(some)}, {silent_rest}/{len(rest)}"
    return None


_SITES = 2  # one site may be without power


def _tail(hits: int, of: int, hits_rest: int, of_rest: int) -> float:
    """Return the probability of so many hits or more in a group, were both alike (Fisher's exact test, one-sided)."""
    total, marked = of + of_rest, hits + hits_rest

    def choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    whole = choose(total, of)
    return sum(
        math.exp(choose(marked, k) + choose(total - marked, of - k) - whole)
        for k in range(hits, min(of, marked) + 1)
        if of - k <= total - marked
    )
