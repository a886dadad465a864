"""
Signing with the agent's TLS key, through the program `openssl`: an agent carries no library for that.

RSA and ECDSA sign the SHA-256 of a message (`openssl dgst`), Ed25519 the message itself (`openssl pkeyutl -rawin`,
OpenSSL 3). What would make the centre refuse the signature is told here, where somebody stands beside the device.
"""

import re
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from contract.broker import BrokerSettings
from contract.errors import SantongError

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_PUBLIC_KEY = re.compile(r"-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----")
_ED25519 = "MCowBQYDK2VwAyEA"  # how its public keys begin, RFC 8410
_TIMEOUT_S = 60
_WAY_OUT = "or export with --unsigned, and the centre must vouch for the file"


class SigningError(SantongError):
    """A file cannot be signed; the message says what to do."""


class Signer(NamedTuple):
    """An agent's key and certificate. `certificate` is PEM, with those that follow it in its file."""

    key: Path
    certificate: str
    is_ed25519: bool

    def sign(self, message: bytes) -> bytes:
        """Return the signature."""
        if not self.is_ed25519:
            return _openssl("dgst", "-sha256", "-sign", str(self.key), "-passin", "pass:", message=message)
        with tempfile.TemporaryDirectory() as folder:  # openssl wants to know its size first
            file = Path(folder) / "message"
            file.write_bytes(message)
            return _openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(self.key), "-passin", "pass:", "-in", str(file))


def signer(settings: BrokerSettings, agent: str) -> Signer:
    """Return what signs for `agent`; SigningError when key and certificate are not there, not its own or not valid."""
    if settings.certificate is None:
        raise SigningError(f"broker.certificate is not set: set it and broker.key, {_WAY_OUT}")
    key = settings.key or settings.certificate
    try:
        text = settings.certificate.read_text(encoding="utf-8")
        # Nothing but certificates: a key may stand in the same file.
        blocks = [ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(block)) for block in _BLOCK.findall(text)]
    except OSError as error:
        raise SigningError(f"{settings.certificate}: {error.strerror}") from None
    except ValueError:
        blocks = []
    if not blocks:
        raise SigningError(f"{settings.certificate}: has no certificate in PEM")
    public = _public_key(_openssl("pkey", "-in", str(key), "-pubout", "-passin", "pass:"))
    asked = ("-pubkey", "-dates", "-subject", "-nameopt", "RFC2253,sep_multiline", "-ext", "subjectAltName")
    facts = _openssl("x509", "-in", str(settings.certificate), "-noout", *asked).decode(errors="replace")
    if _public_key(facts.encode()) != public:
        raise SigningError(f"{key} is not the key of {settings.certificate}")
    _check_facts(facts, settings.certificate, agent)
    return Signer(key, "".join(blocks), _ED25519 in public)


def _public_key(text: bytes) -> str:
    found = _PUBLIC_KEY.search(text.decode(errors="replace"))
    return "".join(found[0].split()) if found else ""


def _check_facts(facts: str, file: Path, agent: str) -> None:
    """Check what `openssl x509` says of a certificate: for whom it is, and when."""
    if not re.search(rf"(?:^ *CN=|DNS:){re.escape(agent)} *(?:,|$)", facts, re.MULTILINE):
        raise SigningError(f"{file} is not the certificate of {agent}: its common name is another one")
    first, last = (re.search(rf"{key}=(.*)", facts) for key in ("notBefore", "notAfter"))
    if first and last:
        begin, end = (ssl.cert_time_to_seconds(found[1]) for found in (first, last))
        if not begin <= time.time() <= end:
            raise SigningError(
                f"{file} is valid from {first[1]} to {last[1]}: set this machine's clock, or renew it, {_WAY_OUT}"
            )


def _openssl(*arguments: str, message: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["openssl", *arguments], input=message, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise SigningError(f"the program openssl is not installed: install it, {_WAY_OUT}") from None
    except subprocess.TimeoutExpired:
        raise SigningError(f"openssl {arguments[0]} did not end within {_TIMEOUT_S} s") from None
    if done.returncode or not done.stdout:
        words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise SigningError(f"openssl {arguments[0]}: {words[0]}")
    return done.stdout
