"""Files of batches: what is read is what was written, whole, or nothing."""

import base64
import hashlib
import io
import json
import re
import subprocess
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.batchfile import MAX_LINE_BYTES, BadFile, Carried, Head, Writer, carried, read, signed_text

GOLDEN = Path(__file__).parent / "golden/v1"
CONTRACT = Path(__file__).parents[2] / "docs/contract.md"
AGENT, DEVICE = "441802-3144001234.gw1", "441802-3144001234.c0703"
HEAD = Head(AGENT, datetime(2025, 11, 24, 16, 2, 2, tzinfo=UTC), "0.1.0")
BATCHES = [
    Carried(DEVICE, (GOLDEN / "batch-plain.bin").read_bytes()),
    Carried(DEVICE, (GOLDEN / "batch-gzip.bin").read_bytes()),
    Carried(AGENT, (GOLDEN / "batch-first.bin").read_bytes()),
]


def written(*batches: Carried, sign: Callable[[bytes], bytes] | None = None) -> bytes:
    """Return a file of batches."""
    file = io.BytesIO()
    writer = Writer(file, HEAD)
    for device, payload in batches:
        writer.add(device, payload)
    writer.seal("PEM" if sign else "", sign)
    return file.getvalue()


def read_all(content: bytes) -> list[Carried]:
    """Return the batches of a file that is as it should be."""
    copy = io.BytesIO()
    read(io.BytesIO(content), copy)
    return list(carried(copy))


def resealed(lines: list[bytes]) -> bytes:
    """Return lines with a right last line behind them."""
    body = b"".join(lines)
    seal = {"batches": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(seal, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("name", ["batches-signed.jsonl", "batches-unsigned.jsonl"])
def test_a_file_of_v1_is_read_for_ever(name: str) -> None:
    """A file that was written when the format was young has the same batches for every later version."""
    copy = io.BytesIO()
    head, seal = read(io.BytesIO((GOLDEN / name).read_bytes()), copy)
    assert head == HEAD
    assert list(carried(copy)) == BATCHES
    assert (seal.batches, bool(seal.certificate), bool(seal.signature)) == (
        3,
        "unsigned" not in name,
        "uns" not in name,
    )


def test_a_file_is_written_in_the_same_bytes() -> None:
    """An agent of today writes exactly the bytes that an agent of the first day wrote."""
    assert written(*BATCHES) == (GOLDEN / "batches-unsigned.jsonl").read_bytes()


def test_what_is_signed_is_the_digest_of_all_lines_but_the_last() -> None:
    """The signature is over a short text with the SHA-256 that any tool computes from the lines before the last."""
    signed: list[bytes] = []
    content = written(*BATCHES, sign=lambda text: signed.append(text) or b"signature")  # type: ignore[func-returns-value]
    body = b"".join(content.splitlines(keepends=True)[:-1])
    digest = hashlib.sha256(body).hexdigest()
    assert signed == [signed_text(digest)] == [f"santong-batches/1 sha256={digest}\n".encode()]
    assert json.loads(content.splitlines()[-1]) == {
        "batches": 3,
        "sha256": digest,
        "certificate": "PEM",
        "signature": base64.b64encode(b"signature").decode(),
    }


@given(st.lists(st.tuples(st.sampled_from([AGENT, DEVICE]), st.binary(max_size=300)), max_size=5))
def test_whatever_was_put_in_comes_out(batches: list[tuple[str, bytes]]) -> None:
    """Any payloads, none of them among them, come back as they were and in their order."""
    assert read_all(written(*(Carried(*one) for one in batches))) == batches


def test_what_a_later_version_adds_to_a_line_is_ignored() -> None:
    """Keys that this version does not know, in the first line or in that of a batch, change nothing."""
    lines = written(*BATCHES).splitlines(keepends=True)[:-1]
    more = [json.dumps(json.loads(line) | {"later": {"x": [1]}}).encode() + b"\n" for line in lines]
    assert read_all(resealed(more)) == BATCHES


def test_any_program_can_check_a_file(tmp_path: Path) -> None:
    """The commands of docs/contract.md find the signed file good, and a changed one bad."""
    blocks = re.findall(r"```sh\n(.*?)```", CONTRACT.read_text(encoding="utf-8"), re.DOTALL)
    (script,) = [block for block in blocks if "file.jsonl" in block]
    content = (GOLDEN / "batches-signed.jsonl").read_bytes()
    (tmp_path / "ca.pem").write_bytes((GOLDEN / "batches-ca.pem").read_bytes())
    for changed, code in ((content, 0), (content.replace(b"0.1.0", b"0.1.1"), 1)):
        (tmp_path / "file.jsonl").write_bytes(changed)
        done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done
    (tmp_path / "file.jsonl").write_bytes(content)
    said = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.replace(" = ", "=").splitlines() == ["Verified OK", "agent.pem: OK", f"subject=CN={AGENT}"]


@pytest.mark.parametrize("sign", [None, lambda _: b"signature"], ids=["unsigned", "signed"])
def test_no_byte_can_change(sign: Callable[[bytes], bytes] | None) -> None:
    """
    Any bit of any byte that flips is noticed.

    Of a signed file only the signature itself, and the certificate, are left to who verifies them.
    """
    content = written(*BATCHES, sign=sign)
    *_, last = content.splitlines(keepends=True)
    proof = range(content.index(b'"PEM"') + 1, content.index(b'"PEM"') + 4) if sign else range(0)
    signature = range(content.rindex(b":") + 2, len(content) - 3) if sign else range(0)
    for at in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[at] ^= 1 << bit
            try:
                read(io.BytesIO(changed), io.BytesIO())
            except BadFile:
                continue
            assert at in proof or at in signature, (at, bit, last)


def test_no_file_is_cut_short_unnoticed() -> None:
    """However much of the end is missing, the file is refused; so is one with something behind its end."""
    content = written(*BATCHES)
    for size in range(len(content)):
        with pytest.raises(BadFile):
            read(io.BytesIO(content[:size]), io.BytesIO())
    for more in (b"\n", b"x", b"{}\n", content):
        with pytest.raises(BadFile):
            read(io.BytesIO(content + more), io.BytesIO())


LINES = written(*BATCHES).splitlines(keepends=True)
WRONG: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is no file of batches"),
    "something else": (b"%PDF-1.7\n", "is no file of batches"),
    "other JSON": (b'["santong-batches"]\n', "is no file of batches"),
    "not UTF-8": (b'{"format":"\xff"}\n', "is no file of batches"),
    "a bottomless nest": (b"[" * 1_000_000 + b"\n", "is no file of batches"),
    "a number without end": (b'{"version":' + b"9" * 100_000 + b"}\n", "is no file of batches"),
    "another version": (
        LINES[0].replace(b'"version":1', b'"version":2'),
        "is of version 2, this santong reads version 1",
    ),
    "nobody's": (LINES[0].replace(AGENT.encode(), b"x"), "line 1 names no agent"),
    "of no time": (LINES[0].replace(b"-11-24T", b"-13-24T"), "line 1 does not say when"),
    "only its head": (LINES[0], "is cut short: the last line"),
    "no end": (b"".join(LINES[:-1]), "is cut short: the last line"),
    "an end without its line feed": (b"".join(LINES)[:-1], "is cut short: line 5 has no end"),
    "batches of another agent": (resealed([LINES[0], LINES[1].replace(AGENT.encode(), DEVICE.encode(), 1)]), "line 2"),
    "no device": (resealed([LINES[0], LINES[1].replace(DEVICE.encode(), b"../../etc")]), "line 2 has no device"),
    "no base64": (resealed([*LINES[:2], LINES[2].replace(b'"H4sI', b'"!4sI')]), "line 3 has no device, or no payload"),
    "a line too few": (b"".join([*LINES[:2], *LINES[3:]]), "was changed"),
    "a line too many": (b"".join([*LINES[:2], *LINES[1:]]), "was changed"),
    "lines in another order": (b"".join([LINES[0], LINES[2], LINES[1], *LINES[3:]]), "was changed"),
    "a blank line": (resealed([*LINES[:2], b"\n", LINES[2]]), "line 3 is no batch"),
    "a last line of numbers": (
        b"".join(LINES[:-1]) + b'{"batches":"3","sha256":3}\n',
        "was changed after it was written: its last line",
    ),
    "half a character": (
        b"".join(LINES[:-1]) + LINES[-1].replace(b"}", b',"certificate":"\\ud800","signature":"\xc3"}'),
        "was changed after it was written: its last line",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_file_of_batches_is_one_clear_line(case: str) -> None:
    """A file that is wrong is refused with one short line that says what is wrong with it."""
    content, message = WRONG[case]
    with pytest.raises(BadFile) as caught:
        read(io.BytesIO(content), io.BytesIO())
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


class Endless:
    """A file without end, or of one line without end."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self.lines = 0

    def readline(self, size: int) -> bytes:
        """Return the next line, or as much of it as is asked for."""
        self.lines += 1
        return LINES[0] if self.lines == 1 else (self._line * (size // len(self._line) + 1))[:size]


class Nowhere:
    """Where bytes go and leave nothing."""

    def write(self, data: bytes) -> int:
        """Take bytes."""
        return len(data)


def test_a_line_without_end_fills_no_memory() -> None:
    """Of a line that never ends no more is read than the longest one that may be."""
    tracemalloc.start()
    try:
        with pytest.raises(BadFile, match="line 2 is longer than"):
            read(cast(BinaryIO, Endless(b"x")), cast(BinaryIO, Nowhere()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_LINE_BYTES


def test_a_file_of_any_size_is_read_in_little_memory(tmp_path: Path) -> None:
    """Sixty megabytes of batches pass through a few."""
    file = tmp_path / "big.jsonl"
    with file.open("wb") as opened:
        writer = Writer(opened, HEAD)
        for number in range(180):
            writer.add(DEVICE, number.to_bytes(4) * 65536)
        writer.seal()
    assert file.stat().st_size > 60_000_000
    tracemalloc.start()
    try:
        with file.open("rb") as source, (tmp_path / "copy").open("w+b") as copy:
            read(source, copy)
            sizes = [len(payload) for _, payload in carried(copy)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sizes == [262_144] * 180
    assert peak < 8 << 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
KEYS = [
    "format",
    "version",
    "agent",
    "device",
    "payload",
    "batches",
    "sha256",
    "certificate",
    "signature",
    "exported_at",
]
HOSTILE = st.binary(max_size=40) | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6).map(
    lambda content: json.dumps(content).encode()
)


@given(st.lists(st.sampled_from(LINES) | HOSTILE, max_size=6), st.booleans())
def test_no_file_makes_the_reader_fail(lines: list[bytes], is_sealed: bool) -> None:
    """Whatever stands in a file, it is read or refused; nothing else happens."""
    lines = [line if line.endswith(b"\n") else line + b"\n" for line in lines]
    try:
        read_all(resealed(lines) if is_sealed else b"".join(lines))
    except BadFile as flaw:
        assert "\n" not in str(flaw)
