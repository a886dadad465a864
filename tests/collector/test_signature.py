"""Whose word a signature is: certificates as private authorities issue them, and those that prove nothing."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from collector.signature import (
    Signed,
    Untrusted,
    check_not_revoked,
    check_owner,
    check_signature,
    describe,
    read_authorities,
    read_revocations,
)
from tests.certificates import DAY, NOW, Identity, Wish, authority, issue, new_key

AGENT = "441802-3144001234.gw1"
OTHER = "441802-3144001234.gw2"
TEXT = b"santong-batches/1 sha256=00\n"


def sign(who: Identity, text: bytes = TEXT) -> bytes:
    """Return a signature as `openssl` makes it."""
    if isinstance(who.key, rsa.RSAPrivateKey):
        return who.key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(who.key, ec.EllipticCurvePrivateKey):
        return who.key.sign(text, ec.ECDSA(hashes.SHA256()))
    return who.key.sign(text)


def check(who: Identity, *others: Identity, ca: list[Identity], owner: str = AGENT, after: timedelta = DAY * 0) -> None:
    """Check a signature by `who`, whose file has also the certificates of `others`."""
    pem = "".join(one.pem for one in (who, *others))
    chain = check_signature(Signed(TEXT, sign(who), pem))
    check_owner(chain, owner, [one.certificate for one in ca], NOW + after)


def refusal(*arguments: Identity, ca: list[Identity], owner: str = AGENT, after: timedelta = DAY * 0) -> str:
    """Return why a signature proves nothing."""
    with pytest.raises(Untrusted) as caught:
        check(*arguments, ca=ca, owner=owner, after=after)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def ca() -> Identity:
    """Return a private authority."""
    return authority()


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed25519"])
def test_every_kind_of_key_is_believed(kind: str) -> None:
    """RSA, ECDSA and Ed25519, of the agent and of the authority, in any pair."""
    for other in ("rsa", "ec", "ed25519"):
        ca = authority(key=new_key(other))
        check(issue(Wish(AGENT), ca, new_key(kind)), ca=[ca])


def test_the_agent_may_stand_among_the_dns_names(ca: Identity) -> None:
    """Some authorities write the name into the alternative names; then the common name may be another."""
    check(issue(Wish("教室 7-3", dns=AGENT), ca), ca=[ca])


def test_chains(ca: Identity) -> None:
    """An authority between the root and the agent may stand in the agent's file or in the one with the root."""
    middle = issue(Wish("county", ca=True, path_length=0), ca)
    agent = issue(Wish(AGENT, digital_signature=True), middle)
    check(agent, middle, ca=[ca])
    check(agent, ca=[ca, middle])
    check(agent, ca=[middle])
    check(agent, middle, ca, ca=[ca])
    assert "the authority of CN=" + AGENT in refusal(agent, ca=[ca])


def test_a_certificate_that_is_trusted_by_itself() -> None:
    """Without an authority each agent's own certificate can be listed: it speaks for itself and for nobody else."""
    one = issue(Wish(AGENT))
    check(one, ca=[one])
    issued = issue(Wish(OTHER), one)
    assert "is no authority" in refusal(issued, ca=[one], owner=OTHER)
    assert "the authority of" in refusal(issue(Wish(AGENT)), ca=[one])


def test_a_certificate_of_version_1(tmp_path: Path) -> None:
    """`openssl x509 -req` issues certificates without any extension: they are believed, but are no authorities."""
    ca = authority()
    ca.save(tmp_path, "ca")
    agent = issue(Wish(AGENT))
    agent.save(tmp_path, "agent")

    for line in (
        f"req -new -key agent.key -subj /CN={AGENT} -out agent.csr",
        "x509 -req -in agent.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out agent.crt",
    ):
        subprocess.run(["openssl", *line.split()], cwd=tmp_path, check=True, capture_output=True)
    plain = Identity(agent.key, x509.load_pem_x509_certificate((tmp_path / "agent.crt").read_bytes()))
    check(plain, ca=[ca], after=DAY / 2)
    assert "is no authority" in refusal(issue(Wish(OTHER), plain), plain, ca=[ca], owner=OTHER, after=DAY / 2)


def test_a_renewed_authority_of_the_same_key(ca: Identity) -> None:
    """The old and the new certificate of an authority stand in one file: the valid one counts."""
    old = issue(Wish("authority", ca=True, begin=NOW - 9 * DAY, end=NOW - DAY), key=ca.key)
    check(issue(Wish(AGENT), ca), ca=[old, ca])
    assert "CN=authority" in refusal(issue(Wish(AGENT), ca), ca=[old])


def test_another_authority(ca: Identity) -> None:
    """Whoever makes an authority of the same name gains nothing."""
    theirs = authority()
    for others in ((), (theirs,), (ca,), (theirs, ca)):
        message = refusal(issue(Wish(AGENT), theirs), *others, ca=[ca])
        assert "is not one of those given with --ca" in message


def test_another_agents_certificate(ca: Identity) -> None:
    """A certificate of the same authority speaks for the agent it names, and for no other."""
    agent = issue(Wish(OTHER), ca)
    check(agent, ca=[ca], owner=OTHER)
    assert f"it is signed by CN={OTHER}" in refusal(agent, ca=[ca])
    assert "not by " + AGENT in refusal(issue(Wish(AGENT + "0", dns="x" + AGENT), ca), ca=[ca])


@pytest.mark.parametrize(("begin", "end"), [(-30, -1), (1, 30)], ids=["expired before", "valid only later"])
def test_a_certificate_out_of_its_time(ca: Identity, begin: int, end: int) -> None:
    """A certificate counts within its time, to the second; it is said when that is."""
    wish = Wish(AGENT, begin=NOW + begin * DAY, end=NOW + end * DAY)
    message = refusal(issue(wish, ca), ca=[ca])
    assert f"is valid from {wish.begin:%Y-%m-%d %H:%M} to {wish.end:%Y-%m-%d %H:%M} UTC" in message
    second = timedelta(seconds=1)
    check(issue(wish, ca), ca=[ca], after=wish.end - NOW) if end < 0 else None
    refusal(issue(wish, ca), ca=[ca], after=wish.end - NOW + second)
    refusal(issue(wish, ca), ca=[ca], after=wish.begin - NOW - second)


def test_an_authority_out_of_its_time() -> None:
    """An agent's certificate does not outlive its authority."""
    ca = issue(Wish("authority", ca=True, end=NOW - DAY))
    assert "the certificate of CN=authority" in refusal(issue(Wish(AGENT), ca), ca=[ca])


def test_keys_that_are_not_for_this(ca: Identity) -> None:
    """What a certificate says of its key is heeded: not for signatures, no authority, not so many below it."""
    assert "is not for signatures" in refusal(issue(Wish(AGENT, digital_signature=False), ca), ca=[ca])
    agent = issue(Wish(OTHER), ca)
    assert f"CN={OTHER}" in refusal(issue(Wish(AGENT), agent), agent, ca=[ca])
    no_certificates = issue(Wish("county", ca=True, digital_signature=True), ca)
    assert "is no authority" in refusal(issue(Wish(AGENT), no_certificates), no_certificates, ca=[ca])
    first = issue(Wish("county", ca=True, path_length=0), ca)
    second = issue(Wish("school", ca=True), first)
    message = refusal(issue(Wish(AGENT), second), second, first, ca=[ca])
    assert "CN=county" in message
    assert "so many authorities" in message


def test_an_extension_that_must_be_understood(ca: Identity) -> None:
    """A critical extension that is not understood here makes a certificate worth nothing (RFC 5280, 4.2)."""
    limits = x509.NameConstraints([x509.DNSName("example.org")], None)
    county = issue(Wish("county", ca=True, more=(limits,)), ca)
    assert "critical extension 2.5.29.30" in refusal(issue(Wish(AGENT), county), county, ca=[ca])


def test_weak_keys_and_digests(ca: Identity) -> None:
    """RSA below 2,048 bits and SHA-1 are refused."""
    assert "1024 bits" in refusal(issue(Wish(AGENT), ca, new_key("rsa", bits=1024)), ca=[ca])
    theirs = authority(key=new_key("rsa", bits=1024))
    assert "1024 bits" in refusal(issue(Wish(AGENT), theirs), ca=[theirs])


def test_a_digest_that_is_too_weak(tmp_path: Path) -> None:
    """A certificate that is signed with SHA-1 is refused."""
    authority(key=new_key("rsa")).save(tmp_path, "ca")
    agent = issue(Wish(AGENT))
    agent.save(tmp_path, "agent")
    for line in (
        f"req -new -key agent.key -subj /CN={AGENT} -out agent.csr",
        "x509 -req -sha1 -in agent.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out agent.crt",
    ):
        subprocess.run(["openssl", *line.split()], cwd=tmp_path, check=True, capture_output=True)
    weak, ca = (x509.load_pem_x509_certificate((tmp_path / f"{name}.crt").read_bytes()) for name in ("agent", "ca"))
    with pytest.raises(Untrusted, match="is signed with sha1"):
        check_owner([weak], AGENT, [ca], NOW + DAY / 2)


def test_a_wrong_signature(ca: Identity) -> None:
    """Another text, another key, a cut or empty signature: all the same, it was changed."""
    for kind in ("rsa", "ec", "ed25519"):
        agent, other = (issue(Wish(AGENT), ca, new_key(kind)) for _ in range(2))
        good = sign(agent)
        assert check_signature(Signed(TEXT, good, agent.pem)) == [agent.certificate]
        for text, signature in ((TEXT + b"x", good), (TEXT, sign(other)), (TEXT, good[:-1]), (TEXT, b""), (b"", good)):
            with pytest.raises(Untrusted, match="its signature is wrong"):
                check_signature(Signed(text, signature, agent.pem))


def changes(pem: str) -> list[str]:
    """Return what is not quite the PEM of a certificate."""
    return [
        "",
        "x",
        "\ud800",
        pem + pem.replace("M", "N"),
        pem + "\n",
        " " + pem,
        pem.replace("\n", "\r\n"),
        pem[:-30],
        pem * 9,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        *(pem[:at] + ("A" if pem[at] != "A" else "B") + pem[at + 1 :] for at in range(0, len(pem), 7)),
    ]


def test_certificates_that_cannot_be_read(ca: Identity) -> None:
    """Whatever stands in the place of a certificate is refused, in one line."""
    agent = issue(Wish(AGENT), ca)
    signature = sign(agent)
    for pem in changes(agent.pem):
        with pytest.raises(Untrusted) as caught:
            check_owner(check_signature(Signed(TEXT, signature, pem)), AGENT, [ca.certificate], NOW)
        assert "\n" not in str(caught.value)


def test_a_key_of_another_kind(ca: Identity) -> None:
    """A key that no agent has is refused, whoever certified it."""
    key = dsa.generate_private_key(2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AGENT)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(ca.certificate.subject)
    builder = builder.public_key(key.public_key()).serial_number(7).not_valid_before(NOW - DAY)
    assert isinstance(ca.key, ec.EllipticCurvePrivateKey)
    certificate = builder.not_valid_after(NOW + DAY).sign(ca.key, hashes.SHA256())
    pem = certificate.public_bytes(Encoding.PEM).decode()
    with pytest.raises(Untrusted, match="is none of RSA, ECDSA, Ed25519"):
        check_signature(Signed(TEXT, key.sign(TEXT, hashes.SHA256()), pem))


def test_authorities(tmp_path: Path, ca: Identity) -> None:
    """A file may hold several authorities; one without any is one clear line."""
    file = tmp_path / "ca.pem"
    file.write_text("# ours\n" + ca.pem + authority("second").pem)
    assert [describe(one).split(" ")[0] for one in read_authorities(file)] == ["CN=authority", "CN=second"]
    for content in ("", "x", ca.key_pem, ca.pem.replace("M", "N")):
        file.write_text(content)
        with pytest.raises(Untrusted, match="has no certificate in PEM"):
            read_authorities(file)


def test_a_name_is_shown_in_plain_characters(ca: Identity) -> None:
    """Control characters of a certificate's name never reach a terminal."""
    assert describe(issue(Wish("教室"), ca).certificate).startswith("CN=教室 (serial ")
    assert describe(issue(Wish("a\x1b[31mb\u202e"), ca).certificate).startswith("CN=a?[31mb? (serial ")


def revocations(folder: Path, by: Identity, revoked: Identity, reason: x509.ReasonFlags | None) -> Path:
    """Write the list of an authority that revokes one certificate, a day ago."""
    entry = x509.RevokedCertificateBuilder().serial_number(revoked.certificate.serial_number).revocation_date(NOW - DAY)
    if reason is not None:
        entry = entry.add_extension(x509.CRLReason(reason), critical=False)
    builder = x509.CertificateRevocationListBuilder().issuer_name(by.certificate.subject).last_update(NOW - DAY)
    assert isinstance(by.key, ec.EllipticCurvePrivateKey)
    made = builder.next_update(NOW + DAY).add_revoked_certificate(entry.build()).sign(by.key, hashes.SHA256())
    file = folder / "crl.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM))
    return file


@pytest.mark.parametrize("reason", [x509.ReasonFlags.key_compromise, None])
def test_what_a_stolen_key_signed_proves_nothing(tmp_path: Path, ca: Identity, reason: x509.ReasonFlags | None) -> None:
    """Of whatever day it says to be; another device of the same authority is believed as before."""
    stolen, other = issue(Wish(AGENT), ca), issue(Wish(OTHER), ca)
    found = read_revocations(revocations(tmp_path, ca, stolen, reason), [ca.certificate])
    for at in (NOW, NOW - 5 * DAY):
        with pytest.raises(Untrusted, match=rf"the certificate of CN={AGENT} \(serial .*\) was revoked on "):
            check_not_revoked([stolen.certificate], found, at)
    check_not_revoked([other.certificate], found, NOW)


def test_what_was_signed_before_a_device_was_retired_is_believed(tmp_path: Path, ca: Identity) -> None:
    """Replaced or retired hardware had its key to itself until then."""
    old = issue(Wish(AGENT), ca)
    for reason in (x509.ReasonFlags.superseded, x509.ReasonFlags.cessation_of_operation):
        found = read_revocations(revocations(tmp_path, ca, old, reason), [ca.certificate])
        check_not_revoked([old.certificate], found, NOW - 2 * DAY)
        with pytest.raises(Untrusted, match="was revoked on"):
            check_not_revoked([old.certificate], found, NOW)


def test_a_list_of_somebody_else_is_none(tmp_path: Path, ca: Identity) -> None:
    """A list revokes and spares nobody when the authority has not signed it, and a file without one is said."""
    other = authority("another")
    file = revocations(tmp_path, other, issue(Wish(AGENT), other), None)
    with pytest.raises(Untrusted, match="is no list of the authority given with --ca"):
        read_revocations(file, [ca.certificate])
    file.write_text(ca.pem)
    with pytest.raises(Untrusted, match="has no list of revoked certificates in PEM"):
        read_revocations(file, [ca.certificate])
