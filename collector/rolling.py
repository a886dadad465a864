"""
Rolls a version out to the agents that pull: joins the state machine of `fleet` with roster, store, authority and depot.

    DATA/rollouts ──▶ plan ──signed──▶ depot/plan.signed
         ▲                               agents fetch it, and their release
         ╰── gate ◀── evidence

What is decided is kept first and published then. Each command publishes anew what is not as it was decided: whatever
was killed between the two is made good by the next run.
"""

import time
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path
from typing import NamedTuple

from collector.authority.signing import sign
from collector.durable import write_whole
from collector.enlisted import enlisted
from collector.fleet import rollout as steps
from collector.fleet.agents import Agent
from collector.fleet.depot import has_release
from collector.fleet.judgement import Judgement, Release, Rules
from collector.fleet.kept import Kept, remove_left
from collector.fleet.plan import FILE, default_of, encode, number_of
from collector.fleet.rollout import Moment, Rollout, RolloutError, Status
from collector.fleet.signed import next_number
from collector.fleet.waves import waves
from collector.gated import Group, gate, seen_lately
from collector.roster.schema import Reach
from collector.store.base import Reads
from collector.whoami import operator

Step = Callable[[Rollout, Moment], Rollout]


class Places(NamedTuple):
    """Where things are: the centre's data, the depot that devices fetch from, and the authority that signs."""

    data: Path
    depot: Path
    authority: Path


class Rolling:
    """The rollout of a data folder; every call holds it against others."""

    def __init__(self, places: Places, today: date, clock: Callable[[], float] = time.time) -> None:
        self._places = places
        self._today = today
        self._clock = clock
        self._kept = Kept(places.data)

    def current(self) -> Rollout | None:
        """Return how the rollout stands; None before the first one."""
        return self._kept.current()

    def start(self, version: str, previous: str | None, store: Reads | None) -> Rollout:
        """
        Begin to roll out a version; `previous` is what all others keep, by default what the plan has now.

        With a store canaries are agents that there is evidence of.
        """
        with self._kept.alone():
            before = self._kept.current()
            published = self._published()
            previous = previous or default_of(published)
            if not previous:
                raise RolloutError("there is no plan yet: say with --previous which version devices have now")
            for name in (version, previous):
                if not has_release(self._places.depot, name):
                    raise RolloutError(f"{name} is not in the depot: put it there with `santong depot publish`")
            pulling = [agent for agent in self._agents() if agent.reach is Reach.PULL]
            moment = self._moment()
            names = [agent.id for agent in pulling]
            proven: Collection[str] = seen_lately(store, names, moment.at_ms * 1_000_000) if store else ()
            number = next_number(max(before.number if before else 0, number_of(published)), moment.at_ms)
            return self._decide(steps.start(before, version, previous, waves(pulling, proven), number, moment))

    def again(self) -> bool:
        """Have the depot's plan be the one that was decided last, and decide nothing; tell whether it was another."""
        with self._kept.alone():
            before = self._published()
            self._publish(self._running())
            return self._published() != before

    def take(self, step: Step) -> Rollout:
        """Take a step of a person: stop, resume, rollback."""
        with self._kept.alone():
            return self._decide(step(self._publish(self._running()), self._moment()))

    def advance(self, store: Reads | None, rules: Rules | None = None) -> tuple[Rollout, Judgement | None]:
        """Look at the current wave and do what follows; None: there was nothing to look at, or no store to ask."""
        with self._kept.alone():
            rollout = self._publish(self._running())
            if rollout.status is not Status.RUNNING or store is None:
                return rollout, None
            judgement = self._look(rollout, store, rules)
            after = steps.advance(rollout, judgement, self._moment())
            return (self._decide(after) if after != rollout else rollout), judgement

    def look(self, rollout: Rollout, store: Reads, rules: Rules | None = None) -> Judgement:
        """Return what the evidence says of the current wave, and change nothing."""
        return self._look(rollout, store, rules)

    # ---- pieces

    def _running(self) -> Rollout:
        rollout = self._kept.current()
        if rollout is None:
            raise RolloutError(f"{self._kept.folder}: there is no rollout: begin one with `santong rollout start`")
        return rollout

    def _look(self, rollout: Rollout, store: Reads, rules: Rules | None) -> Judgement:
        agents = {agent.id: agent for agent in self._agents()}
        # Who is in the roster no more need not be waited for.
        wave = [agents[name] for name in rollout.current.agents if name in agents]
        had = {name for earlier in rollout.waves[: rollout.wave] for name in earlier.agents}
        group = Group(
            wave,
            [agent for name, agent in agents.items() if name not in had and name not in rollout.current.agents],
            [agents[name] for name in sorted(had & agents.keys())],
            frozenset(rollout.settled),
            frozenset(rollout.failing),
        )
        release = Release(rollout.version, rollout.since_ms * 1_000_000, int(self._clock() * 1e9))
        return gate(store, group, release, rules)

    def _agents(self) -> list[Agent]:
        return enlisted(self._places.data, self._today)[0]

    def _moment(self) -> Moment:
        return Moment(int(self._clock() * 1000), operator())

    def _decide(self, rollout: Rollout) -> Rollout:
        self._encoded(rollout)  # without a key nothing is decided
        self._kept.keep(rollout)
        return self._publish(rollout)

    def _publish(self, rollout: Rollout) -> Rollout:
        """Have the depot's plan be the one that was decided; RolloutError where the depot is not there."""
        published = self._published()
        content = self._encoded(rollout)
        if content == published:
            return rollout
        known = number_of(published)
        if known >= rollout.number or not known:
            # DATA came from a backup, or the depot is new: devices may have seen this number with another plan.
            rollout = steps.renumbered(rollout, next_number(max(known, rollout.number), self._moment().at_ms))
            self._kept.keep(rollout)
            content = self._encoded(rollout)
        remove_left(self._places.depot, FILE)
        write_whole(self._places.depot / FILE, content)
        return rollout

    def _encoded(self, rollout: Rollout) -> bytes:
        return encode(rollout.plan(), lambda line: sign(self._places.authority, line))

    def _published(self) -> bytes:
        if not self._places.depot.is_dir():
            raise RolloutError(f"{self._places.depot}: there is no depot: --depot names its folder")
        file = self._places.depot / FILE
        return file.read_bytes() if file.is_file() else b""
