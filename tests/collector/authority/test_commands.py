"""`santong ca`, as technicians and Ansible run it."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from collector.authority.certify import utc_now
from collector.signature import Signed, check_owner, check_signature, read_authorities
from tests.collector.authority.requests import made_by_openssl
from tests.processes import BIN

AGENT = "441802-3144001234.c0703"


def ca(folder: Path, *words: object, code: int = 0, typed: bytes = b"") -> tuple[str, str]:
    """Run `santong ca …`; no private key is ever in what it says."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("SANTONG_")}
    known |= {"LANG": "C.UTF-8", "SANTONG_AUTHORITY": str(folder)}
    line = [str(BIN / "santong"), "ca", *map(str, words)]
    done = subprocess.run(line, input=typed, capture_output=True, timeout=60, check=False, env=known)
    said = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == code, said
    assert "Traceback" not in said[1] and "PRIVATE KEY" not in "".join(said)
    return said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of an authority that the command made."""
    place = tmp_path / "authority"
    assert json.loads(ca(place, "init", "--json")[0])["changed"] is True
    return place


def openssl_verifies(folder: Path, certificate: Path, purpose: str) -> str:
    """Return what openssl says of a certificate, with the list of revoked ones."""
    trust = ["-x509_strict", "-crl_check", "-CAfile", str(folder / "ca.crt"), "-CRLfile", str(folder / "crl.pem")]
    line = ["openssl", "verify", *trust, "-purpose", purpose, str(certificate)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def test_an_agent_from_its_request_to_its_theft(folder: Path, tmp_path: Path) -> None:
    """What Ansible and a technician do in the life of a Pi; openssl agrees at each step."""
    request = made_by_openssl(tmp_path / "device", AGENT)
    first = json.loads(ca(folder, "issue", AGENT, "--csr", "-", "--json", typed=request.read_bytes())[0])
    assert (first["changed"], first["name"], first["kind"]) == (True, AGENT, "agent")
    assert first["authority"] == (folder / "ca.crt").read_text()
    again = json.loads(ca(folder, "issue", AGENT, "--csr", request, "--json")[0])
    assert again == {**first, "changed": False}
    certificate = tmp_path / "agent.crt"
    certificate.write_text(first["certificate"])
    assert openssl_verifies(folder, certificate, "sslclient").strip() == f"{certificate}: OK"
    assert "OK" not in openssl_verifies(folder, certificate, "sslserver")
    assert json.loads(ca(folder, "renew", "--json")[0]) == {"changed": False, "renewed": []}
    (row,) = json.loads(ca(folder, "list", "--json", "--expiring", "800")[0])
    assert (row["name"], row["revoked"], row["days_left"]) == (AGENT, None, 729)
    assert "1 renewed" in ca(folder, "renew", AGENT, "--out", tmp_path / "new")[0]
    renewed = tmp_path / f"new/{AGENT}.crt"
    assert renewed.read_text() != first["certificate"]
    assert "2 revoked (stolen)" in ca(folder, "revoke", AGENT)[0]
    for one in (certificate, renewed):
        assert "certificate revoked" in openssl_verifies(folder, one, "sslclient")
    assert "was revoked already" in ca(folder, "revoke", AGENT)[0]
    told = json.loads(ca(folder, "crl", "--json")[0])
    assert told == {"changed": False, "crl": (folder / "crl.pem").read_text(), "websocket_refused": [AGENT]}
    assert ca(folder, "issue", AGENT, "--csr", request, code=2)[1].endswith("(stolen): make a new one\n")
    assert "revoked on" in ca(folder, "list")[0]
    assert "被盗" in ca(folder, "list", "--revoked", "--lang", "zh")[0]


def test_services_and_servers_get_key_and_certificate(folder: Path, tmp_path: Path) -> None:
    """On the centre keys are made where they are used, 0600, once; each run after it changes nothing."""
    out = tmp_path / "tls"
    for words in (("santong-collector",), ("mqtt.example.org", "--server", "--alt", "127.0.0.1")):
        assert json.loads(ca(folder, "issue", *words, "--out", out, "--json")[0])["changed"] is True
        key = (out / f"{words[0]}.key").read_bytes()
        assert json.loads(ca(folder, "issue", *words, "--out", out, "--json")[0])["changed"] is False
        assert key == (out / f"{words[0]}.key").read_bytes()
        assert stat.S_IMODE((out / f"{words[0]}.key").stat().st_mode) == 0o600
    assert "OK" in openssl_verifies(folder, out / "santong-collector.crt", "sslclient")
    assert "OK" in openssl_verifies(folder, out / "mqtt.example.org.crt", "sslserver")
    assert "OK" not in openssl_verifies(folder, out / "mqtt.example.org.crt", "sslclient")
    (out / "santong-collector.crt").unlink()
    again = ca(folder, "issue", "santong-collector", "--out", out)[0]
    assert "valid to" in again and (out / "santong-collector.crt").exists()


def test_files_are_signed_for_openssl(folder: Path, tmp_path: Path) -> None:
    """The line of the documentation verifies what the command has signed."""
    file = tmp_path / "plan.json"
    file.write_text("{}")
    assert ca(folder, "sign", file)[0] == f"{file}.sig\n"
    assert json.loads(ca(folder, "sign", file, "--json")[0])["changed"] is False
    line = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{folder}/signing.pub", "-rawin", "-in", str(file)]
    subprocess.run([*line, "-sigfile", f"{file}.sig"], check=True, capture_output=True, timeout=30)


def test_what_is_wrong_is_one_line(folder: Path, tmp_path: Path) -> None:
    """Exit code 2, what is wrong and what to do; nothing is issued."""
    request = made_by_openssl(tmp_path / "device", AGENT)
    other = made_by_openssl(tmp_path / "device", "441802-3144001234.c0704")
    for words, said in (
        (("issue", AGENT), "say --csr for a request, or --out for a key that is made here\n"),
        (("issue", AGENT, "--csr", other), f"not for '{AGENT}'\n"),
        (("issue", "441802-3144001234.+", "--csr", request), "is not a device id"),
        (("issue", AGENT, "--csr", tmp_path / "none"), "none: No such file or directory\n"),
        (("issue", AGENT, "--csr", request, "--alt", "x"), "--alt: only a server has further names"),
        (("issue", AGENT, "--server", "--out", tmp_path / "o"), "is a name that agents and services have"),
        (("revoke", AGENT), f"{AGENT}: has no certificate\n"),
        (("revoke", AGENT, "--reason", "stollen"), "--reason: 'stollen' is not known, did you mean stolen"),
        (("renew", AGENT), f"{AGENT}: has no certificate\n"),
        (("sign", tmp_path / "none"), "none: No such file or directory\n"),
        (("list", "--folder", tmp_path / "none"), "there is no authority: make one with `santong ca init`\n"),
    ):
        error = ca(folder, *words, code=2)[1]
        assert said in error and error.count("\n") == 1, error
    assert ca(folder, "list")[0] == "no certificates\n"


def test_a_certificate_is_its_device_for_files_that_come_by_hand(folder: Path, tmp_path: Path) -> None:
    """What an agent signs with its key `santong import` takes as that agent's: one identity for both ways."""
    request = made_by_openssl(tmp_path / "device", AGENT)
    certificate = json.loads(ca(folder, "issue", AGENT, "--csr", request, "--json")[0])["certificate"]
    line = ["openssl", "dgst", "-sha256", "-sign", str(tmp_path / f"device/{AGENT}.key")]
    signature = subprocess.run(line, input=b"evidence", capture_output=True, check=True, timeout=30).stdout
    chain = check_signature(Signed(b"evidence", signature, certificate))
    check_owner(chain, AGENT, read_authorities(folder / "ca.crt"), utc_now())
