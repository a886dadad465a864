"""
Certificates and lists of revoked ones, made from what is asked for: nothing here reads a file or keeps anything.

Keys are ECDSA on P-256, which every device's openssl has; profiles follow RFC 5280.
"""

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from collector.authority.files import AuthorityError
from collector.authority.identity import Identity, Kind, is_address

PublicKey = ec.EllipticCurvePublicKey
ROOT_YEARS = 20
# For clocks that are a little behind the authority's.
EARLIER = timedelta(days=1)
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)


class Root(NamedTuple):
    """The key of the authority and its own certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class Revoked(NamedTuple):
    """A certificate that must not be let in any more."""

    serial: int
    at: datetime
    reason: x509.ReasonFlags


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a new private key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key in PEM, PKCS #8, without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key(content: bytes, what: str) -> ec.EllipticCurvePrivateKey:
    """Return the private key in a PEM; AuthorityError names `what`, and has nothing of it."""
    try:
        key = load_pem_private_key(content, None)
    except UNREADABLE:
        raise AuthorityError(f"{what}: is no private key in PEM without a password") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise AuthorityError(f"{what}: is no ECDSA key on P-256")
    return key


def requested_key(request: bytes, name: str) -> ec.EllipticCurvePublicKey:
    """
    Return the public key of a request (PKCS #10, PEM) for `name`; AuthorityError.

    Nothing else of it counts: a request that names somebody else is refused, whatever more it wishes is not read.
    """
    try:
        asked = x509.load_pem_x509_csr(request)
        key = asked.public_key()
        names = [str(one.value) for one in asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        is_signed = asked.is_signature_valid
    except UNREADABLE:
        raise AuthorityError("the request is no certificate request in PEM (PKCS #10)") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise AuthorityError("the key of the request is none of ECDSA on P-256")
    if not is_signed:
        raise AuthorityError("the request is not signed with its own key")
    if names not in ([], [name]):
        raise AuthorityError(f"the request is for {', '.join(names)[:200]!r}, not for {name!r}")
    return key


def root(key: ec.EllipticCurvePrivateKey, name: str, now: datetime) -> x509.Certificate:
    """Return the certificate of an authority by itself."""
    subject = _subject(name)
    end = now + timedelta(days=365.25 * ROOT_YEARS)
    usage = x509.BasicConstraints(ca=True, path_length=0)
    builder = _builder(subject, subject, key.public_key()).not_valid_before(now - EARLIER).not_valid_after(end)
    builder = builder.add_extension(usage, critical=True).add_extension(_usage("key_cert_sign", "crl_sign"), True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256())


def certificate(by: Root, who: Identity, key: ec.EllipticCurvePublicKey, now: datetime, days: int) -> x509.Certificate:
    """
    Return a certificate, which never outlives its authority.

    A server's is valid since its authority is: a device without a battery for its clock may believe in last summer
    until it has asked the time, and could not connect.
    """
    is_server = who.kind is Kind.SERVER
    begin = by.certificate.not_valid_before_utc if is_server else now - EARLIER
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_subject(who.name), by.certificate.subject, key)
        .not_valid_before(max(begin, by.certificate.not_valid_before_utc))
        .not_valid_after(min(now + timedelta(days=days), by.certificate.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
    )
    if is_server:
        others = [
            x509.IPAddress(ipaddress.ip_address(one)) if is_address(one) else x509.DNSName(one) for one in who.names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
    return builder.sign(by.key, hashes.SHA256())


def revocations(
    by: Root, revoked: Iterable[Revoked], now: datetime, before: x509.CertificateRevocationList | None
) -> bytes:
    """
    Return the list of revoked certificates in PEM; `before` is the one that it takes the place of.

    It holds as long as the authority: mosquitto lets nobody in with a list that has expired, and each new one is
    brought to it, so that a date would stop nobody but all. Of two lists openssl takes the younger one, so each is
    younger than the one before, though never of the future, in which nobody would be let in either.
    """
    last, number = now - timedelta(hours=1), int(now.timestamp())
    if before is not None:
        last = min(max(last, before.last_update_utc + timedelta(seconds=1)), now)
        number = max(number, _number(before) + 1)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(min(last, by.certificate.not_valid_after_utc - timedelta(hours=1)))
        .next_update(by.certificate.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial).revocation_date(one.at)
        builder = builder.add_revoked_certificate(
            entry.add_extension(x509.CRLReason(one.reason), critical=False).build()
        )
    return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def read_revocations(content: bytes, by: Root) -> x509.CertificateRevocationList | None:
    """Return the list in a PEM, None when it is none that this authority signed."""
    try:
        found = x509.load_pem_x509_crl(content)
        return found if found.is_signature_valid(by.key.public_key()) else None
    except UNREADABLE:
        return None


def reasons(crl: x509.CertificateRevocationList) -> dict[int, x509.ReasonFlags | None]:
    """Return what a list says of each serial number that it has."""
    found: dict[int, x509.ReasonFlags | None] = {}
    for one in crl:
        try:
            found[one.serial_number] = one.extensions.get_extension_for_class(x509.CRLReason).value.reason
        except x509.ExtensionNotFound:
            found[one.serial_number] = None
    return found


def pem(made: x509.Certificate) -> str:
    """Return a certificate in PEM."""
    return made.public_bytes(Encoding.PEM).decode()


def utc_now() -> datetime:
    """Return the time to the second, as certificates have it."""
    return datetime.now(UTC).replace(microsecond=0)


# ---- inside


def _number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number())


def _usage(*allowed: str) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in allowed for name in every})
