"""Anything in any order: what an authority has said stays true."""

import hashlib
import shutil
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from collector.authority import certify, identity, work
from collector.authority.files import AuthorityError

NAMES = [f"441802-1.c{place}" for place in range(3)]
KEYS = [certify.new_key() for _ in range(5)]
PRINTS = [
    hashlib.sha256(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    for key in KEYS
]


class Authority(RuleBasedStateMachine):
    """Issue, renew and revoke, beside a plain account of who holds which key."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.folder = self.place / "authority"
        work.init(self.folder)
        self.holds: dict[str, int] = {}
        self.owner: dict[int, str] = {}
        self.dead: set[int] = set()
        self.milder: set[str] = set()  # who has something that was revoked, and not as stolen

    @rule(name=st.sampled_from(NAMES), key=st.sampled_from(range(5)), replace=st.booleans())
    def issue(self, name: str, key: int, replace: bool) -> None:
        """Somebody asks with a key."""
        is_free = self.owner.get(key, name) == name and key not in self.dead
        may = is_free and (replace or self.holds.get(name, key) == key)
        is_same = self.holds.get(name) == key
        try:
            done = work.issue(self.folder, identity.client(name), KEYS[key].public_key(), replace=replace)
        except AuthorityError:
            assert not may
            return
        assert may and done.changed == (not is_same)
        if name in self.holds and not is_same:
            self.dead.add(self.holds[name])
            self.milder.add(name)
        self.holds[name], self.owner[key] = key, name

    @rule(name=st.sampled_from(NAMES))
    def renew(self, name: str) -> None:
        """One is renewed."""
        try:
            (made,) = work.renew(self.folder, [name])
        except AuthorityError:
            assert name not in self.holds
            return
        assert (
            x509.load_pem_x509_certificate(made.certificate.encode()).public_key()
            == KEYS[self.holds[name]].public_key()
        )

    @rule(name=st.sampled_from(NAMES), reason=st.sampled_from(list(work.REASONS)))
    def revoke(self, name: str, reason: str) -> None:
        """One is revoked."""
        try:
            revoked = work.revoke(self.folder, name, reason)
        except AuthorityError:
            assert name not in self.owner.values()
            return
        is_stolen = reason == work.STOLEN
        assert bool(revoked) == (name in self.holds or (is_stolen and name in self.milder))
        if name in self.holds:
            self.dead.add(self.holds.pop(name))
            self.milder.add(name)
        if is_stolen:
            self.milder.discard(name)

    @invariant()
    def one_live_key_each_and_the_list_has_the_rest(self) -> None:
        """See that valid are the certificates of the keys that are held, and the list has every other one."""
        every = work.entries(self.folder, current=False)
        listed = x509.load_pem_x509_crl(work.crl_pem(self.folder).encode())
        serials = {f"{one.serial_number:x}" for one in listed}
        assert serials == {one.serial for one in every if one.revoked}
        live = {(one.who.name, one.key) for one in every if not one.revoked}
        assert live == {(name, PRINTS[key]) for name, key in self.holds.items()}

    def teardown(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.place)


TestAuthority = Authority.TestCase
TestAuthority.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
