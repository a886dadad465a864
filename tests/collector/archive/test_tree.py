"""The tree of hashes, against the definition of RFC 6962 §2.1 and values that others computed."""

import hashlib

import pytest

from collector.archive.tree import Leaf, Tree

# Of the test vectors that implementations of Certificate Transparency share: the leaves, and the root of the first n.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def root_of(leaves: list[bytes]) -> bytes:
    """Return the root as the RFC defines it: split at the largest power of two below n."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(leaves[:middle]) + root_of(leaves[middle:])).digest()


def tree_of(leaves: list[bytes]) -> Tree:
    """Return a tree of leaves that came one by one."""
    tree = Tree()
    for data in leaves:
        leaf = Leaf()
        for byte in data:
            leaf.update(bytes([byte]))
        tree.add(leaf.digest())
    return tree


@pytest.mark.parametrize("number", ROOTS)
def test_roots_are_those_that_others_compute(number: int) -> None:
    """The root of known leaves is the known one."""
    assert tree_of(LEAVES[:number]).root().hex() == ROOTS[number]


@pytest.mark.parametrize("number", range(70))
def test_taking_leaves_one_by_one_gives_the_root_of_the_definition(number: int) -> None:
    """However many leaves there are, the root is that of the recursive definition, and holds what log2 asks for."""
    leaves = [number.to_bytes(2, "big") for number in range(number)]
    tree = tree_of(leaves)
    assert tree.root() == root_of(leaves)
    assert tree.leaves == number
