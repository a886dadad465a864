"""What an authority issues, renews and revokes, and what it refuses."""

import stat
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from collector.authority import certify, identity, work
from collector.authority.files import AuthorityError
from collector.authority.index import Entry
from contract.errors import BadName
from tests.collector.authority.requests import request

A, B = "441802-3144001234.c0703", "441802-3144001234.c0704"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a new authority."""
    place = tmp_path / "authority"
    assert work.init(place)
    return place


def issued(folder: Path, name: str, key: ec.EllipticCurvePrivateKey | None = None, **how: object) -> Entry:
    """Issue a certificate for a key, a new one unless told."""
    key = key or certify.new_key()
    return work.issue(folder, identity.client(name), key.public_key(), **how).entry  # type: ignore[arg-type]


def listed(folder: Path) -> set[str]:
    """Return the serial numbers in the list of revoked certificates."""
    return {f"{one.serial_number:x}" for one in x509.load_pem_x509_crl(work.crl_pem(folder).encode())}


def loaded(entry: Entry) -> x509.Certificate:
    """Return the certificate of an entry."""
    return x509.load_pem_x509_certificate(entry.certificate.encode())


def test_made_once(folder: Path) -> None:
    """Making it again changes nothing: agents trust this very root for twenty years; its key is for its owner alone."""
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert not work.init(folder)
    assert kept == {file.name: file.read_bytes() for file in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {name for name in kept if stat.S_IMODE((folder / name).stat().st_mode) == 0o600} == {"ca.key", "signing.key"}
    root = x509.load_pem_x509_certificate(kept["ca.crt"])
    limits = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert limits.critical and limits.value.ca and limits.value.path_length == 0
    assert timedelta(days=7300) < root.not_valid_after_utc - certify.utc_now() < timedelta(days=7310)


def test_a_certificate_says_who_and_what_for_and_nothing_else(folder: Path) -> None:
    """An agent's is for clients, for signatures, for two years; what else its request wishes is not in it."""
    key = certify.new_key()
    wish = request(
        A, key, x509.BasicConstraints(ca=True, path_length=None), x509.SubjectAlternativeName([x509.DNSName(B)])
    )
    entry = work.issue(folder, identity.client(A), certify.requested_key(wish, A)).entry
    made = loaded(entry)
    assert made.public_key() == key.public_key()
    assert [one.value for one in made.subject] == [A]
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(work.authority_pem(folder).encode()))
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert ExtensionOID.SUBJECT_ALTERNATIVE_NAME not in {one.oid for one in made.extensions}
    assert timedelta(days=729) < entry.end - certify.utc_now() <= timedelta(days=730)
    assert made.serial_number.bit_length() > 64


def test_the_same_key_gets_the_same_certificate(folder: Path) -> None:
    """Ansible asks each time: nothing changes until 60 days before the end, then it is renewed for the same key."""
    key = certify.new_key()
    first = work.issue(folder, identity.client(A), key.public_key())
    again = work.issue(folder, identity.client(A), key.public_key())
    assert (first.changed, again.changed) == (True, False)
    assert again.entry == first.entry
    short = work.issue(folder, identity.client(B), (other := certify.new_key()).public_key(), days=60)
    longer = work.issue(folder, identity.client(B), other.public_key())
    assert longer.changed and longer.entry.end > short.entry.end + timedelta(days=600)
    assert listed(folder) == set()


def test_another_key_needs_replace_and_ends_the_one_before(folder: Path) -> None:
    """Nobody takes an agent's place by asking; when its hardware was replaced, the key before is refused at once."""
    first = issued(folder, A)
    with pytest.raises(AuthorityError, match=f"{A}: its certificate is for another key .*: --replace, or "):
        issued(folder, A)
    second = issued(folder, A, replace=True)
    assert listed(folder) == {first.serial}
    assert [one.serial for one in work.entries(folder)] == [second.serial]
    assert work.refused_over_websocket(folder) == []


def test_one_key_is_one_agent(folder: Path) -> None:
    """A copied card does not become a second device, and a stolen key never comes back, whatever asks for it."""
    key = certify.new_key()
    issued(folder, A, key)
    with pytest.raises(AuthorityError, match=f"{B}: its key is that of {A}"):
        issued(folder, B, key)
    work.revoke(folder, A, "stolen")
    for how in ({}, {"replace": True}):
        with pytest.raises(AuthorityError, match=r"its key was revoked on \d{4}-\d\d-\d\d \(stolen\): make a new one"):
            issued(folder, A, key, **how)
    assert issued(folder, A).revoked is None, "its next hardware needs no --replace"


def test_revoked_is_every_certificate_of_a_key_that_was_renewed(folder: Path) -> None:
    """The one before the renewal would let a thief in as well."""
    key = certify.new_key()
    first = issued(folder, A, key)
    (second,) = work.renew(folder, [A])
    assert loaded(second).public_key() == loaded(first).public_key()
    assert {one.serial for one in work.revoke(folder, A, "stolen")} == {first.serial, second.serial} == listed(folder)
    assert work.revoke(folder, A, "retired") == []
    with pytest.raises(AuthorityError, match=rf"{A}: was revoked \(stolen\): issue a certificate for a new key"):
        work.renew(folder, [A])
    assert work.renew(folder, within_days=9999) == []


def test_renewed_is_what_expires_soon_or_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that slept through the summer gets a new certificate for the key that it has; others keep theirs."""
    later = datetime.fromisoformat("2100-01-01T00:00:00+00:00")
    issued(folder, A, days=61)
    issued(folder, B, days=59)
    assert [one.who.name for one in work.renew(folder)] == [B]
    assert work.renew(folder) == []
    root_end = x509.load_pem_x509_certificate(work.authority_pem(folder).encode()).not_valid_after_utc
    later_still = certify.utc_now() + timedelta(days=4000)
    monkeypatch.setattr(work, "utc_now", lambda: later_still)
    expired = [one for one in work.entries(folder) if one.end < later_still]
    assert {one.who.name for one in expired} == {A, B}
    assert {one.who.name for one in work.renew(folder)} == {A, B}
    monkeypatch.setattr(work, "utc_now", lambda: root_end - timedelta(days=30))
    assert all(one.end == root_end < later for one in work.renew(folder)), "none outlives the authority"


def test_a_list_of_the_future_is_written_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker with a list that is not valid yet lets nobody in: the next run with the right clock mends it."""
    issued(folder, A)
    now = certify.utc_now()
    monkeypatch.setattr(work, "utc_now", lambda: now + timedelta(days=3))
    work.revoke(folder, A, "stolen")
    monkeypatch.setattr(work, "utc_now", lambda: now)
    assert x509.load_pem_x509_crl(work.crl_pem(folder).encode()).last_update_utc > now
    assert work.refresh(folder)
    assert x509.load_pem_x509_crl(work.crl_pem(folder).encode()).last_update_utc <= now
    assert not work.refresh(folder)


def test_who_is_refused_over_websocket(folder: Path) -> None:
    """Whoever has lost a key to somebody, or has no certificate any more, until what was revoked expires by itself."""
    issued(folder, A)
    issued(folder, B)
    work.revoke(folder, A, "stolen")
    work.revoke(folder, B, "retired")
    assert work.refused_over_websocket(folder) == [A, B]
    issued(folder, A)
    issued(folder, B)
    assert work.refused_over_websocket(folder) == [A, B], "the keys before may still be tried"
    other = "441802-3144001234.c0705"
    issued(folder, other)
    issued(folder, other, replace=True)
    assert work.refused_over_websocket(folder) == [A, B], "hardware that died lost its key to nobody"


@pytest.mark.parametrize(
    "name", ["+", "#", "441802-3144001234.+", "441802-3144001234.#", "441802-3144001234.c0703/x", "$SYS", "", "a\nb",
             "santong-collector2", "441802-3144001234.C0703", "441802-3144001234", "x" * 65, "broker.example.org"],
)  # fmt: skip
def test_names_that_no_client_can_have(name: str) -> None:
    """Wildcards, levels and anything that is no device id cannot be certified: a broker puts the name into topics."""
    with pytest.raises(BadName):
        identity.client(name)


@pytest.mark.parametrize(
    "name", [A, "santong-ask", "*.example.org", "a b", "-x", "", "x" * 254, "a..b", "a/b", "x" * 65]
)
def test_names_that_no_server_can_have(name: str) -> None:
    """A server is never taken for an agent or a service, and certificates are for names as they stand."""
    with pytest.raises(AuthorityError):
        identity.server(name)
    assert identity.server("Broker.example.org", ("127.0.0.1", "::1", "broker.example.org")).names == (
        "broker.example.org", "127.0.0.1", "::1",
    )  # fmt: skip


def test_a_server_has_its_names_and_can_be_no_client(folder: Path) -> None:
    """Its certificate is for servers, with all names, and valid since the authority is, for clocks that are behind."""
    key = certify.new_key().public_key()
    done = work.issue(folder, identity.server("broker.example.org", ("10.1.2.3",)), key)
    made = loaded(done.entry)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.example.org"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.1.2.3"]
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    root = x509.load_pem_x509_certificate(work.authority_pem(folder).encode())
    assert made.not_valid_before_utc == root.not_valid_before_utc
    assert not work.issue(folder, done.entry.who, key).changed
    moved = work.issue(folder, identity.server("broker.example.org", ("10.9.9.9",)), key)
    assert moved.changed and moved.entry.who.names[1] == "10.9.9.9"
    assert (
        loaded(work.renew(folder, ["broker.example.org"])[0])
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value
        == loaded(moved.entry).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    )


def test_requests_that_are_refused() -> None:
    """For another name, with another kind of key, not signed with it, or no request at all: a line says which."""
    key = certify.new_key()
    assert certify.requested_key(request(None, key), A) == key.public_key()
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, A)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(named)
    weak = builder.sign(rsa.generate_private_key(65537, 2048), hashes.SHA256()).public_bytes(Encoding.PEM)
    other = builder.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256()).public_bytes(Encoding.PEM)
    der = bytearray(x509.load_pem_x509_csr(request(A, key)).public_bytes(Encoding.DER))
    der[-1] ^= 1
    touched = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    for content, said in (
        (request(B, key), f"the request is for '{B}', not for '{A}'"),
        (request("+", key), "the request is for"),
        (weak, "the key of the request is none of ECDSA on P-256"),
        (other, "the key of the request is none of ECDSA on P-256"),
        (touched, "the request is not signed with its own key"),
        (b"nonsense", "is no certificate request in PEM"),
        (b"", "is no certificate request in PEM"),
    ):
        with pytest.raises(AuthorityError, match=said):
            certify.requested_key(content, A)


def test_each_list_is_younger_than_the_one_before(folder: Path) -> None:
    """A broker that still knows the old list takes the new one, even of the same second; none is of the future."""
    lists = [x509.load_pem_x509_crl(work.crl_pem(folder).encode())]
    for place in range(5):
        issued(folder, name := f"441802-1.c{place}")
        work.revoke(folder, name, "stolen")
        lists.append(x509.load_pem_x509_crl(work.crl_pem(folder).encode()))
    times = [one.last_update_utc for one in lists]
    assert times == sorted(set(times)) and times[-1] <= certify.utc_now()
    root = x509.load_pem_x509_certificate(work.authority_pem(folder).encode())
    assert all(one.next_update_utc == root.not_valid_after_utc for one in lists)


def test_a_list_that_is_behind_or_damaged_is_written_anew(folder: Path) -> None:
    """After a power cut between the index and the list, and where somebody touched it, the next command mends it."""
    before = (folder / "crl.pem").read_bytes()
    entry = issued(folder, A)
    work.revoke(folder, A, "stolen")
    assert not work.refresh(folder)
    for content in (before, b"", b"nonsense"):
        (folder / "crl.pem").write_bytes(content)
        assert work.refresh(folder)
        assert listed(folder) == {entry.serial}
    (folder / "crl.pem").unlink()
    issued(folder, B)
    assert listed(folder) == {entry.serial}


def test_two_writers_wait_for_each_other(folder: Path) -> None:
    """Ansible asks for many at once: each gets its own, and two that want the same name do not both get it."""
    results: list[str] = []

    def ask(name: str) -> None:
        try:
            results.append(issued(folder, name).who.name)
        except AuthorityError:
            results.append("refused")

    names = [f"441802-1.c{place}" for place in range(6)] + [A, A]
    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(results) == sorted([*names[:-1], "refused"])
    assert len(work.entries(folder, current=False)) == 7


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    """A lost or foreign key, no authority, a folder that others can read: said in a line; nothing takes its place."""
    with pytest.raises(AuthorityError, match="there is no authority: make one with `santong ca init`"):
        issued(tmp_path / "none", A)
    key = (folder / "ca.key").read_bytes()
    (folder / "ca.key").unlink()
    with pytest.raises(AuthorityError, match="the authority's key is missing: restore it from a backup"):
        work.init(folder)
    other = tmp_path / "other"
    work.init(other)
    (folder / "ca.key").write_bytes((other / "ca.key").read_bytes())
    (folder / "ca.key").chmod(0o600)
    with pytest.raises(AuthorityError, match="is not the key of"):
        issued(folder, A)
    (folder / "ca.key").write_bytes(key)
    (folder / "ca.key").chmod(0o644)
    with pytest.raises(AuthorityError, match="others can read this key"):
        issued(folder, A)
    folder.chmod(0o755)
    with pytest.raises(AuthorityError, match="others can look into it"):
        work.init(folder)
    with pytest.raises(AuthorityError, match=f"{B}: has no certificate"):
        work.revoke(folder, B, "stolen")


@pytest.mark.parametrize("year", [1970, 2020, 2099])
def test_a_clock_that_is_wrong_by_years_issues_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, year: int
) -> None:
    """A machine without a battery for its clock says so, instead of certificates that let nobody in."""
    key = certify.new_key()
    held = issued(folder, A, key)
    monkeypatch.setattr(work, "utc_now", lambda: certify.utc_now().replace(year=year))
    for step in (lambda: issued(folder, B), lambda: issued(folder, A, key), lambda: work.renew(folder, [A])):
        with pytest.raises(AuthorityError, match=f"this machine's clock says {year}-.*: set the clock"):
            step()
    work.revoke(folder, A, "stolen")
    assert listed(folder) == {held.serial}, "a thief is kept out whatever the clock says"


def test_what_was_issued_by_a_clock_that_was_ahead_is_issued_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the clock is right, asking again gives a certificate that lets its device in."""
    key, now = certify.new_key(), certify.utc_now()
    monkeypatch.setattr(work, "utc_now", lambda: now + timedelta(days=1500))
    issued(folder, A, key)
    issued(folder, B)
    monkeypatch.setattr(work, "utc_now", lambda: now)
    assert issued(folder, A, key).begin <= now
    assert [one.who.name for one in work.renew(folder)] == [B]


def test_what_was_replaced_and_turns_out_to_be_stolen_is_stolen(folder: Path) -> None:
    """The list says so: files that the old key signs, dated back to when it counted, are not believed any more."""
    old = issued(folder, A)
    new = issued(folder, A, replace=True)
    told = x509.load_pem_x509_crl(work.crl_pem(folder).encode())
    assert certify.reasons(told) == {int(old.serial, 16): x509.ReasonFlags.superseded}
    assert [one.serial for one in work.revoke(folder, A, "stolen")] == [old.serial, new.serial]
    told = x509.load_pem_x509_crl(work.crl_pem(folder).encode())
    assert set(certify.reasons(told).values()) == {x509.ReasonFlags.key_compromise}
    assert work.revoke(folder, A, "stolen") == []
    assert work.revoke(folder, A, "retired") == [], "never milder again"


def test_the_certificate_that_counts_is_found_by_name(folder: Path) -> None:
    """The newest one that was not revoked, expired or not; nothing of a name that has none."""
    assert work.held(folder, A) is None
    key = certify.new_key()
    issued(folder, A, key, days=1)
    newest = issued(folder, A, key)
    assert work.held(folder, A) == newest
    work.revoke(folder, A, "stolen")
    assert work.held(folder, A) is None
