"""What the store says of agents that get a release: joins it with `fleet`."""

from collections.abc import Collection

from collector.store.base import DAY_NS, Reads


def seen_lately(store: Reads, agents: Collection[str], now_ns: int) -> frozenset[str]:
    """Return those of some agents that there is evidence of from the last day: who is fit to be a canary."""
    return frozenset(store.devices(now_ns - DAY_NS, now_ns, agents))
