"""Certificates for tests: a private authority, those it issues, and what can be wrong with them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)


def new_key(kind: str = "ec", *, bits: int = 2048) -> Key:
    """Return a new private key: rsa, ec or ed25519."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, bits)
    return ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else ed25519.Ed25519PrivateKey.generate()


class Identity(NamedTuple):
    """A key and its certificate."""

    key: Key
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The key in PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def save(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write `<name>.crt` and `<name>.key`; return both."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_text(self.pem)
        key.write_text(self.key_pem)
        return certificate, key


class Wish(NamedTuple):
    """What a certificate shall be like; without `ca` it is one of a device."""

    name: str
    ca: bool = False
    path_length: int | None = None
    dns: str = ""
    begin: datetime = NOW - DAY
    end: datetime = NOW + 365 * DAY
    digital_signature: bool | None = None  # None: nothing is said of what the key is for
    more: tuple[x509.ExtensionType, ...] = ()  # critical ones


def issue(wish: Wish, issuer: Identity | None = None, key: Key | None = None) -> Identity:
    """Return a certificate by `issuer`, or by itself."""
    key = key or new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wish.name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wish.begin)
        .not_valid_after(wish.end)
    )
    if wish.ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=wish.path_length), critical=True)
    if wish.dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(wish.dns)]), critical=False)
    if wish.digital_signature is not None:
        rest = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign")
        usage = dict.fromkeys((*rest, "crl_sign", "encipher_only", "decipher_only"), False)
        builder = builder.add_extension(x509.KeyUsage(digital_signature=wish.digital_signature, **usage), critical=True)
    for extension in wish.more:
        builder = builder.add_extension(extension, critical=True)
    signer = issuer.key if issuer else key
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Identity(key, builder.sign(signer, digest))


def authority(name: str = "authority", key: Key | None = None) -> Identity:
    """Return a private authority."""
    return issue(Wish(name, ca=True), key=key)
