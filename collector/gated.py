"""
What the store says of agents that get a release: reads facts of a wave and of others, and asks the gate of `fleet`.

No more than the last two hours are looked at, and of many agents some, drawn by hash: two thousand of a wave, a
thousand others. So a wave that takes days, because its devices are switched off, costs as much as one that takes
minutes. Agents say their version once an hour.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from collector.fleet.agents import Agent
from collector.fleet.facts import NS, Facts, Seen, Sent
from collector.fleet.gate import judge
from collector.fleet.judgement import Judgement, Release, Rules
from collector.store.base import DAY_NS, Reads
from collector.titles import OWN

LOOK_NS = 2 * 3600 * NS
_BEFORE_NS = 65 * 60 * NS  # an hour, and what a clock may differ: each agent says its version in it
_FEW_OTHERS = 20
_MOST_OF_A_WAVE = 2000
_MOST_OTHERS = 1000  # more would not make the share of a minute more certain


class Group(NamedTuple):
    """
    A wave and who it is compared with: those that got nothing yet, and where these are few those of earlier waves too.

    `settled` are those of the wave that were found good before, `failing` those that were found bad.
    """

    wave: Sequence[Agent]
    untouched: Sequence[Agent]
    earlier: Sequence[Agent] = ()
    settled: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()


def seen_lately(store: Reads, agents: Collection[str], now_ns: int) -> frozenset[str]:
    """Return those of some agents that there is evidence of from the last day: who is fit to be a canary."""
    return frozenset(store.devices(now_ns - DAY_NS, now_ns, agents))


def gate(store: Reads, group: Group, release: Release, rules: Rules | None = None) -> Judgement:
    """Return what the evidence in a store says of a wave now; StoreError when the store fails."""
    release = release._replace(since_ns=max(release.since_ns, release.until_ns - LOOK_NS))
    wave = sorted(group.wave, key=_hash)[:_MOST_OF_A_WAVE]
    found = facts_of(store, [agent for agent in wave if agent.id not in group.settled], release)
    settled = [agent.id for agent in wave if agent.id in group.settled]
    versions = _versions(store, settled, release)
    found += [Facts(name, versions=versions.get(name, ())) for name in settled]
    # Of those that nobody touched a thousand are as good as all, and the same ones at each look.
    untouched = sorted(group.untouched, key=_hash)[:_MOST_OTHERS]
    if len(untouched) < _FEW_OTHERS:
        untouched += sorted(group.earlier, key=_hash)[: _MOST_OTHERS - len(untouched)]
    others = facts_of(store, untouched, release)
    # Who got it in an earlier wave has its faults, too.
    without = [one for one in others if not one.versions or one.versions[-1][1] != release.version]
    others = without if len(without) >= _FEW_OTHERS else others
    return judge(found, others, release, rules, group.settled, group.failing)


def facts_of(store: Reads, agents: Sequence[Agent], release: Release) -> list[Facts]:
    """Return the facts of some agents, in their order."""
    names = [agent.id for agent in agents]
    if not names:
        return []
    start_ns, end_ns = release.since_ns - _BEFORE_NS, release.until_ns + 1
    speaker = {other.id: agent.id for agent in agents for other in agent.observed} | {name: name for name in names}
    seen: dict[str, list[Seen]] = defaultdict(list)
    for track in store.tracks("presence", ["boot", "uptime_s", "asleep_s"], start_ns, end_ns, names):
        if track.source == track.device:
            seen[track.device] += [
                Seen(at, str(boot), float(uptime or 0), float(asleep or 0)) for at, boot, uptime, asleep in track.points
            ]
    sent: dict[str, list[Sent]] = defaultdict(list)
    lines: dict[str, list[tuple[int, int]]] = defaultdict(list)
    fields = ["epoch", "seq", "lines", "partial", "received"]
    numbers: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for track in store.tracks("delivery", fields, start_ns, end_ns, list(speaker)):
        if speaker[track.device] != track.source:
            continue
        for at, epoch, seq, count, refused, received in track.points:
            if at >= release.since_ns:
                numbers[track.source][str(epoch)].add(int(seq or 0))
            lines[track.source].append((at, int(count or 0)))
            if track.device == track.source:
                came = int(received or 0) * 1_000_000
                sent[track.source].append(Sent(at, str(epoch), int(count or 0), int(refused or 0), came))
    versions, faults = _versions(store, names, release), _faults(store, names, start_ns, end_ns)
    return [
        Facts(
            name,
            versions.get(name, ()),
            seen.get(name, ()),
            sent.get(name, ()),
            sorted(lines.get(name, ())),
            faults.get(name, ()),
            sum(max(some) - min(some) + 1 - len(some) for some in numbers[name].values()),
        )
        for name in names
    ]


def _versions(store: Reads, names: Sequence[str], release: Release) -> Mapping[str, list[tuple[int, str]]]:
    """Return which version each agent said that it runs, and when."""
    found: dict[str, list[tuple[int, str]]] = {}
    if names:
        start_ns, end_ns = release.since_ns - _BEFORE_NS, release.until_ns + 1
        for track in store.tracks("identity", ["version"], start_ns, end_ns, names):
            if track.source == track.device:
                found[track.device] = [(at, str(version)) for at, version in track.points if version]
    return found


def _faults(
    store: Reads, names: Sequence[str], start_ns: int, end_ns: int
) -> Mapping[str, list[tuple[int, str, bool]]]:
    """Return what agents report of themselves, not of the hardware: that is no release's fault."""
    found: dict[str, list[tuple[int, str, bool]]] = defaultdict(list)
    for track in store.tracks("fault", ["active"], start_ns, end_ns, names) if names else ():
        code = dict(track.tags).get("code", "")
        if track.source == track.device and code in OWN:
            found[track.device] += [(at, code, bool(active)) for at, active in track.points]
    return {name: sorted(some) for name, some in found.items()}


def _hash(agent: Agent) -> str:
    return hashlib.sha256(f"other {agent.id}".encode()).hexdigest()
