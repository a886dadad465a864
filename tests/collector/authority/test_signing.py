"""The key that releases are signed with, checked by the program that devices check with."""

import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.authority import files, signing
from collector.authority.files import AuthorityError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a pair of keys."""
    place = tmp_path_factory.mktemp("signing") / "authority"
    files.make(place)
    assert signing.create(place)
    return place


def openssl_says(folder: Path, file: Path) -> bool:
    """Check a file's signature as a device does."""
    line = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(folder / "signing.pub"), "-rawin"]
    done = subprocess.run(
        [*line, "-in", str(file), "-sigfile", f"{file}.sig"], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode == 0 and "Signature Verified Successfully" in done.stdout


def test_openssl_verifies_what_was_signed_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    """A device that has nothing but openssl and the public key tells a release from one that was touched."""
    file = tmp_path / "release.json"
    file.write_bytes(b'{"version":"1.2.3"}\n')
    assert signing.sign_file(folder, file)
    assert len((tmp_path / "release.json.sig").read_bytes()) == 64
    assert openssl_says(folder, file)
    assert not signing.sign_file(folder, file), "the same once more is no change"
    file.write_bytes(b'{"version":"1.2.4"}\n')
    assert not openssl_says(folder, file)


@given(content=st.binary(max_size=2000), at=st.integers(0, 511))
def test_what_was_touched_does_not_verify(folder: Path, content: bytes, at: int) -> None:
    """A signature verifies its content; with a bit of either changed it does not."""
    public, signature = signing.public_key(folder), signing.sign(folder, content)
    assert signing.verify(public, content, signature)
    touched = bytearray(signature)
    touched[at // 8] ^= 1 << at % 8
    assert not signing.verify(public, content, bytes(touched))
    assert not signing.verify(public, content + b"\n", signature)
    assert not signing.verify(public, content, signature[:-1])


def test_the_private_half_is_for_its_owner_alone(folder: Path) -> None:
    """Folder 0700, key 0600; a key that others can read is not used, and no message has any of it."""
    key = folder / "signing.key"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o640)
    try:
        with pytest.raises(AuthorityError, match="others can read this key") as caught:
            signing.sign(folder, b"")
    finally:
        key.chmod(0o600)
    assert key.read_text().splitlines()[1] not in str(caught.value)


def test_made_once_and_mended(tmp_path: Path) -> None:
    """Made again nothing changes; a lost public half is made of the private one; a lost private half is said."""
    files.make(tmp_path / "a")
    place = tmp_path / "a"
    signing.create(place)
    kept = (place / "signing.key").read_bytes(), (place / "signing.pub").read_bytes()
    assert not signing.create(place)
    (place / "signing.pub").unlink()
    assert signing.create(place)
    assert kept == ((place / "signing.key").read_bytes(), (place / "signing.pub").read_bytes())
    (place / "signing.key").unlink()
    with pytest.raises(AuthorityError, match=r"its private half .* is missing"):
        signing.create(place)
    with pytest.raises(AuthorityError, match="there is no key: make one with `santong ca init`"):
        signing.sign(place, b"")


def test_what_is_no_key(tmp_path: Path) -> None:
    """A file that is none is said in a line."""
    files.make(tmp_path / "a")
    files.write_secret(tmp_path / "a/signing.key", b"nonsense")
    with pytest.raises(AuthorityError, match="is no private key in PEM"):
        signing.sign(tmp_path / "a", b"")
    with pytest.raises(AuthorityError, match="is no public key in PEM"):
        signing.verify(b"nonsense", b"", b"")
