"""
Whether a signature proves who wrote something: the key's certificate, its chain to an authority, its owner, its time.

The rules of RFC 5280 that agents' certificates meet in practice, and nothing looser: certificates of private
authorities, with and without extensions (version 1), RSA from 2,048 bits, ECDSA and Ed25519.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from contract.errors import SantongError

MAX_CERTIFICATES = 8
MIN_RSA_BITS = 2048
_HASHES = (SHA256, SHA384, SHA512)
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


Authorities = Sequence[x509.Certificate]
Revocations = Sequence[x509.CertificateRevocationList]
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


class Untrusted(SantongError):
    """Something that a signature does not prove; the message says why not."""


class Signed(NamedTuple):
    """A text, its signature, and the PEM of the certificate of the key, with those that follow it in a chain."""

    text: bytes
    signature: bytes
    certificate: str


def read_authorities(file: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file; Untrusted when there are none, OSError when it cannot be read."""
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except _UNREADABLE:
        raise Untrusted(f"{file}: has no certificate in PEM") from None


def read_revocations(file: Path, authorities: Authorities) -> list[x509.CertificateRevocationList]:
    """Return the list of revoked certificates in a PEM file; Untrusted when none of the authorities has signed it."""
    try:
        found = x509.load_pem_x509_crl(file.read_bytes())
        is_signed = any(_issued_list(one, found) for one in authorities)
    except _UNREADABLE:
        raise Untrusted(f"{file}: has no list of revoked certificates in PEM") from None
    if not is_signed:
        raise Untrusted(f"{file}: is no list of the authority given with --ca")
    return [found]


def check_signature(signed: Signed) -> list[x509.Certificate]:
    """Return the certificates, the signer's first, when the signature is by the signer's key."""
    try:
        chain = x509.load_pem_x509_certificates(signed.certificate.encode())
        is_plain = "".join(one.public_bytes(Encoding.PEM).decode() for one in chain) == signed.certificate
    except _UNREADABLE:
        raise Untrusted("its certificate cannot be read") from None
    if not is_plain or len(chain) > MAX_CERTIFICATES:
        raise Untrusted("its certificate is not as it was written")
    key = _public_key(chain[0])
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signed.signature, signed.text, PKCS1v15(), SHA256())
        elif isinstance(key, EllipticCurvePublicKey):
            key.verify(signed.signature, signed.text, ECDSA(SHA256()))
        else:
            key.verify(signed.signature, signed.text)
    except InvalidSignature:
        raise Untrusted("its signature is wrong: it was changed after it was written") from None
    return chain


def check_owner(chain: Sequence[x509.Certificate], owner: str, authorities: Authorities, at: datetime) -> None:
    """Return when `chain` leads from the certificate of `owner` to one of `authorities`, all valid at `at`."""
    signer, *others = chain
    try:
        if owner not in _names(signer):
            raise Untrusted(f"it is signed by {describe(signer)}, not by {owner}")
        _check_chain(signer, others, authorities, at)
    except _UNREADABLE as error:
        raise Untrusted(f"its certificate cannot be read: {error}") from None


def check_not_revoked(chain: Sequence[x509.Certificate], revocations: Revocations, at: datetime) -> None:
    """
    Return when no list has the signer's certificate; Untrusted.

    One that was only retired or replaced had proven what it signed before that; of a stolen key no time is believed.
    """
    signer = chain[0]
    for one in revocations:
        entry = one.get_revoked_certificate_by_serial_number(signer.serial_number)
        if one.issuer != signer.issuer or entry is None:
            continue
        if _was_stolen(entry) or at >= entry.revocation_date_utc:
            day = f"{entry.revocation_date_utc:%Y-%m-%d}"
            raise Untrusted(f"the certificate of {describe(signer)} was revoked on {day}")


def describe(certificate: x509.Certificate) -> str:
    """Return subject and serial number, for people."""
    subject = certificate.subject.rfc4514_string()[:200]
    plain = "".join(character if character.isprintable() else "?" for character in subject)
    return f"{plain} (serial {certificate.serial_number:x})"


# ---- inside


def _public_key(certificate: x509.Certificate) -> RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey:
    try:
        key = certificate.public_key()
    except _UNREADABLE:
        key = None
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise Untrusted(f"its RSA key has {key.key_size} bits, {MIN_RSA_BITS} are needed")
    if isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey):
        return key
    raise Untrusted("its key is none of RSA, ECDSA, Ed25519")


def _names(certificate: x509.Certificate) -> set[str]:
    """Return the common name and the DNS names."""
    names = {str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    extension = _extension(certificate, x509.SubjectAlternativeName)
    return names | set(extension.get_values_for_type(x509.DNSName) if extension else ())


def _check_chain(
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    authorities: Authorities,
    at: datetime,
) -> None:
    """Go up from the signer, each certificate of the file used once at most."""
    current, left, depth = signer, list(others), 0
    _check_certificate(current, at)
    if not _may(signer, "digital_signature"):
        raise Untrusted(f"the certificate of {describe(signer)} is not for signatures")
    while current not in authorities:
        issuers = [one for one in (*authorities, *left) if _issued(one, current)]
        # An authority that was renewed with its old key is there twice.
        issuer = next((one for one in issuers if _is_valid(one, at)), issuers[0] if issuers else None)
        if issuer is None:
            raise Untrusted(f"the authority of {describe(current)} is not one of those given with --ca")
        _check_certificate(issuer, at)
        _check_authority(issuer, depth)
        if issuer in authorities:
            return
        left.remove(issuer)
        current, depth = issuer, depth + 1


def _issued_list(issuer: x509.Certificate, revocations: x509.CertificateRevocationList) -> bool:
    return revocations.issuer == issuer.subject and revocations.is_signature_valid(_public_key(issuer))


def _was_stolen(entry: x509.RevokedCertificate) -> bool:
    """Tell whether the key may be in other hands; where nothing is said of it, it may."""
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return True
    return reason not in (x509.ReasonFlags.superseded, x509.ReasonFlags.cessation_of_operation)


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


def _check_certificate(certificate: x509.Certificate, at: datetime) -> None:
    """Check what holds for each certificate of a chain."""
    _public_key(certificate)
    if not _is_valid(certificate, at):
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        raise Untrusted(
            f"the certificate of {describe(certificate)} is valid from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
            f" UTC, not at {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, when it was signed"
        )
    digest = certificate.signature_hash_algorithm
    if digest is not None and not isinstance(digest, _HASHES):
        raise Untrusted(f"the certificate of {describe(certificate)} is signed with {digest.name}, which is too weak")
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise Untrusted(
                f"the certificate of {describe(certificate)} has a critical extension {extension.oid.dotted_string}"
            )


def _is_valid(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _check_authority(certificate: x509.Certificate, depth: int) -> None:
    """Check that a certificate may issue others, with `depth` authorities between it and the signer."""
    limits = _extension(certificate, x509.BasicConstraints)
    if limits is None or not limits.ca or not _may(certificate, "key_cert_sign"):
        raise Untrusted(f"{describe(certificate)} is no authority")
    if limits.path_length is not None and depth > limits.path_length:
        raise Untrusted(f"{describe(certificate)} may not have so many authorities below it")


def _may(certificate: x509.Certificate, what: str) -> bool:
    """Tell whether the key may be used so: where a certificate does not say for what it is, for everything."""
    usage = _extension(certificate, x509.KeyUsage)
    return usage is None or bool(getattr(usage, what))


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
