"""Requests for certificates as devices make them: with openssl, from a key of their own."""

import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


def made_by_openssl(folder: Path, name: str) -> Path:
    """Make a key and a request beside it, with the line that the role of agents uses; return the request's file."""
    folder.mkdir(parents=True, exist_ok=True)
    key, request = folder / f"{name}.key", folder / f"{name}.csr"
    how = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-batch", "-subj", f"/CN={name}"]
    line = ["openssl", "req", "-new", *how, "-keyout", str(key), "-out", str(request)]
    subprocess.run(line, check=True, capture_output=True, timeout=30)
    return request


def request(name: str | None, key: ec.EllipticCurvePrivateKey, *more: x509.ExtensionType) -> bytes:
    """Return a request in PEM, for nobody when `name` is None, with further wishes."""
    names = [] if name is None else [x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    for one in more:
        builder = builder.add_extension(one, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
