"""Signing with the agent's own key: what `openssl` verifies, and what is said when it cannot be."""

import subprocess
from pathlib import Path

import pytest

from agent.sign import SigningError, signer
from contract.broker import BrokerSettings, BrokerUrl
from tests.certificates import DAY, NOW, Identity, Wish, authority, issue, new_key

AGENT = "441802-3144001234.gw1"
TEXT = b"santong-batches/1 sha256=00\n"


def settings(certificate: Path | None, key: Path | None = None) -> BrokerSettings:
    """Return the section `[broker]` with a key and certificate."""
    return BrokerSettings(BrokerUrl("mqtts://127.0.0.1"), certificate=certificate, key=key)


def refusal(certificate: Path | None, key: Path | None = None) -> str:
    """Return the one line that says why nothing can be signed."""
    with pytest.raises(SigningError) as caught:
        signer(settings(certificate, key), AGENT)
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed25519"])
def test_openssl_verifies_what_was_signed(tmp_path: Path, kind: str) -> None:
    """The signature of each kind of key is one that the program openssl finds good, by the certificate alone."""
    paths = issue(Wish(AGENT), authority(), new_key(kind)).save(tmp_path, "agent")
    made = signer(settings(*paths), AGENT)
    (tmp_path / "text").write_bytes(TEXT)
    (tmp_path / "signature").write_bytes(made.sign(TEXT))
    (tmp_path / "pem").write_text(made.certificate)

    def run(*words: str) -> bytes:
        return subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True).stdout

    (tmp_path / "public").write_bytes(run("x509", "-in", "pem", "-noout", "-pubkey"))
    if kind == "ed25519":
        said = run("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public", "-sigfile", "signature", "-in", "text")
    else:
        said = run("dgst", "-sha256", "-verify", "public", "-signature", "signature", "text")
    assert b"Verified" in said


def test_a_key_never_leaves_with_its_certificate(tmp_path: Path) -> None:
    """Where key and certificates stand in one file, only the certificates are taken out of it, in their order."""
    middle = issue(Wish("county", ca=True), authority())
    agent = issue(Wish(AGENT), middle)
    for parts in ([agent.pem, agent.key_pem, middle.pem], [agent.key_pem, "# 证书\r\n", agent.pem, middle.pem]):
        file = tmp_path / "both.pem"
        file.write_text("".join(parts))
        made = signer(settings(file), AGENT)
        assert made.certificate == agent.pem + middle.pem
        assert "PRIVATE" not in made.certificate
        assert made.sign(TEXT)


def test_names_where_the_centre_looks_for_them(tmp_path: Path) -> None:
    """The agent's id as common name, or as DNS name among others, is its certificate."""
    for number, wish in enumerate((Wish(AGENT), Wish("x", dns=AGENT), Wish(AGENT, dns="x.example.org"))):
        signer(settings(*issue(wish, authority()).save(tmp_path, str(number))), AGENT)


@pytest.mark.parametrize("name", ["441802-3144001234.gw2", AGENT + "0", "x" + AGENT, "441802-3144001234xgw1", ""])
def test_the_certificate_of_another_agent(tmp_path: Path, name: str) -> None:
    """Whoever exports learns beside the device, not at the centre, that its certificate is another one's."""
    certificate, key = issue(Wish(name or " "), authority()).save(tmp_path, "agent")
    assert refusal(certificate, key).startswith(f"{certificate} is not the certificate of {AGENT}: ")


def test_no_certificate(tmp_path: Path) -> None:
    """Without a certificate the way out is named."""
    line = refusal(None)
    assert line.startswith("broker.certificate is not set")
    assert "--unsigned" in line
    assert refusal(tmp_path / "none.crt") == f"{tmp_path}/none.crt: No such file or directory"
    file = tmp_path / "agent.crt"
    for content in ("", "x", "-----BEGIN CERTIFICATE-----\n"):
        file.write_text(content)
        assert refusal(file) == f"{file}: has no certificate in PEM"


def test_keys_that_do_not_fit(tmp_path: Path) -> None:
    """Another key, one that is not there, and one behind a password: each is one line that names it."""
    agent = issue(Wish(AGENT), authority())
    certificate, key = agent.save(tmp_path, "agent")
    _, other = Identity(new_key(), agent.certificate).save(tmp_path, "other")
    certificate.write_text(agent.pem)
    assert refusal(certificate, other) == f"{other} is not the key of {certificate}"
    assert "none.key" in refusal(certificate, tmp_path / "none.key")
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", str(key), "-aes128", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    assert "locked.key" in refusal(certificate, locked)
    certificate.write_text(agent.pem.replace("M", "N", 1))
    assert refusal(certificate, key).startswith("openssl x509: ")


def test_a_certificate_out_of_its_time(tmp_path: Path) -> None:
    """An expired certificate, or a clock that is years behind, is told where it can be helped."""
    for begin, end in ((-2, -1), (1, 2)):
        wish = Wish(AGENT, begin=NOW + begin * DAY, end=NOW + end * DAY)
        certificate, key = issue(wish, authority()).save(tmp_path, "agent")
        line = refusal(certificate, key)
        assert line.startswith(f"{certificate} is valid from ")
        assert f"{wish.begin.day} {wish.begin:%H:%M:%S %Y} GMT" in line
        assert "set this machine's clock" in line


def test_no_openssl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device without the program says what to install and what else can be done."""
    certificate, key = issue(Wish(AGENT), authority()).save(tmp_path, "agent")
    monkeypatch.setenv("PATH", str(tmp_path))
    line = refusal(certificate, key)
    assert line.startswith("the program openssl is not installed: install it")
    assert "--unsigned" in line
