"""
A machine and its network, second by second: what really was, and what an agent there would say of it.

Written from docs/contract.md and the agent's documents, not from the verifier: `truth` counts a minute as good when the
machine ran and was awake all through it, and the network worked at the instant at which the agent asks.
"""

from typing import NamedTuple

from collector.verify.evidence import Presence, Stop

START_S = 1_790_000_040  # a whole minute
STARTS_AFTER_S = 25  # from the boot to the agent


class Fault(NamedTuple):
    """`kind` of power, shutdown, sleep, kill, lan, wan: from `start`, `length` seconds long."""

    kind: str
    start: int
    length: int


class World:
    """`minutes` of life, the agent asking `offset` seconds into each."""

    def __init__(self, minutes: int, offset: int, faults: list[Fault]) -> None:
        self.minutes, self.offset = minutes, offset
        self.seconds = minutes * 60 + 180
        self.on = self._without(faults, "power", "shutdown")
        self.awake = self._without(faults, "sleep")
        self.agent = self._without(faults, "kill")
        self.lan = self._without(faults, "lan")
        self.wan = self._without(faults, "wan", "lan")
        self._faults = faults
        self._booted = self._boots()

    def _without(self, faults: list[Fault], *kinds: str) -> list[bool]:
        state = [True] * self.seconds
        for kind, start, length in faults:
            if kind in kinds:
                state[start : start + length] = [False] * len(state[start : start + length])
        return state

    def _boots(self) -> list[int]:
        """Return for each second when the machine booted; it had run for ten minutes when the world began."""
        boots, boot = [], -600
        for second in range(self.seconds):
            if second and self.on[second] and not self.on[second - 1]:
                boot = second
            boots.append(boot)
        return boots

    def _asleep(self, boot: int, second: int) -> int:
        return sum(not self.awake[at] for at in range(max(boot, 0), second))

    def _runs(self, second: int) -> bool:
        since = second - self._booted[second]
        return self.on[second] and self.awake[second] and self.agent[second] and since >= STARTS_AFTER_S

    def presence(self) -> list[Presence]:
        """Return what the agent says each minute, labelled with the minute's boundary before it asks."""
        found = []
        for label in range(0, self.minutes * 60 + 120, 60):
            asked = label + self.offset
            boot = self._booted[asked]
            if self._runs(asked) and boot < label:
                asleep = float(self._asleep(boot, asked))
                lan, wan = int(self.lan[asked]), int(self.wan[asked])
                time_ns = (START_S + label) * 10**9
                found.append(Presence(time_ns, f"boot{boot}", float(label - boot), asleep, lan, wan))
        return found

    def stops(self) -> list[Stop]:
        """Return the marks of agents that ended while the machine went on, or was shut down in good order."""
        found = []
        for kind, start, _ in self._faults:
            ran = start > 0 and self._runs(start - 1)
            if kind in ("kill", "shutdown") and ran and (kind == "shutdown" or (self.on[start] and self.awake[start])):
                reason = "shutdown exit 0" if kind == "shutdown" else "signal killed KILL"
                found.append(Stop((START_S + start) * 10**9, f"boot{self._booted[start - 1]}", reason))
        return sorted(found)

    def truth(self, *, asks: str = "wan") -> list[bool]:
        """Return for each minute whether it was good."""
        network = self.wan if asks == "wan" else self.lan
        good = []
        for minute in range(self.minutes):
            seconds = range(minute * 60, minute * 60 + 60)
            ran = all(self.on[at] and self.awake[at] for at in seconds)
            ran = ran and self._booted[seconds[0]] == self._booted[seconds[-1]]
            good.append(ran and network[minute * 60 + 60 + self.offset])
        return good
