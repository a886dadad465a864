"""
The tree of hashes of RFC 6962 §2.1 ("Merkle Hash Trees"): SHA-256, with other prefixes before leaves than before nodes.

    leaf   SHA-256(0x00 ‖ data)            node   SHA-256(0x01 ‖ left ‖ right)

Of n leaves the left half are the first 2^k, the largest power of two below n. Without a leaf the root is SHA-256 of
nothing. Leaves are taken one by one; what is held are the roots of complete trees, one a bit of n.
"""

import hashlib
from collections.abc import Iterable, Iterator

_LEAF, _NODE = b"\x00", b"\x01"


class Leaf:
    """The hash of one leaf, whose data comes in pieces."""

    __slots__ = ("_hash",)

    def __init__(self) -> None:
        self._hash = hashlib.sha256(_LEAF)

    def update(self, data: bytes) -> None:
        """Take in a piece."""
        self._hash.update(data)

    def digest(self) -> bytes:
        """Return the hash of the pieces so far."""
        return self._hash.digest()


class Leaves:
    """The leaves of devices whose lines come in any order of devices; iterating yields device and hash, sorted."""

    def __init__(self) -> None:
        self._leaves: dict[str, Leaf] = {}

    def add(self, device: str, line: bytes) -> None:
        """Take in a line of a device."""
        leaf = self._leaves.get(device)
        if leaf is None:
            leaf = self._leaves[device] = Leaf()
        leaf.update(line)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for device in sorted(self._leaves):
            yield device, self._leaves[device].digest()


class Tree:
    """Takes hashes of leaves in order, and tells the root."""

    def __init__(self) -> None:
        self.leaves = 0
        self._complete: list[bytes] = []  # roots of complete trees, the largest first

    def add(self, leaf: bytes) -> None:
        """Take in the hash of the next leaf."""
        self._complete.append(leaf)
        self.leaves += 1
        number = self.leaves
        while number % 2 == 0:
            right = self._complete.pop()
            self._complete.append(_node(self._complete.pop(), right))
            number //= 2

    def root(self) -> bytes:
        """Return the root over the leaves so far."""
        if not self._complete:
            return hashlib.sha256().digest()
        *others, found = self._complete
        for left in reversed(others):
            found = _node(left, found)
        return found


def tree_of(leaves: Iterable[bytes]) -> Tree:
    """Return the tree over hashes of leaves."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
