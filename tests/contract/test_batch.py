"""A batch's payload: what is read, what is refused, and how precisely the refusal names it."""

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contract.batch import GZIP_MAGIC, MAX_BATCH_BYTES, Batch, decode, encode
from contract.errors import BadBatch, Reason

HEADER = b"#santong/1 epoch=5f0c9a1e seq=412345 clock=synced\n"
LINE = b"presence lan=1i 1764000000000000000\n"
MANY = settings(max_examples=200, deadline=None)

EPOCHS = st.text("0123456789abcdef", min_size=8, max_size=16)
SEQS = st.integers(1, 10**15 - 1)
CLOCKS = st.sampled_from(["synced", "trusted", "unsynced"])
PREVIOUS = st.just("") | st.builds("{}:{}".format, EPOCHS, st.integers(0, 10**15 - 1))
WITH_LINES = st.builds(
    Batch,
    EPOCHS,
    SEQS,
    CLOCKS,
    st.binary(max_size=400).map(lambda body: body + b"\n"),
    PREVIOUS,
    st.just(0),
    st.just(0),
)
HEADER_ONLY = st.builds(
    Batch,
    EPOCHS,
    SEQS,
    CLOCKS,
    st.just(b""),
    PREVIOUS,
    st.integers(10**18, 10**19 - 1),
    st.integers(0, 10**15 - 1),
)


def _flaw(payload: bytes) -> BadBatch:
    with pytest.raises(BadBatch) as caught:
        decode(payload)
    return caught.value


@MANY
@given(batch=WITH_LINES | HEADER_ONLY, compress=st.booleans())
def test_what_is_encoded_is_decoded(batch: Batch, compress: bool) -> None:
    """Whatever an agent puts into a batch arrives unchanged, gzip or not."""
    assert decode(encode(batch, compress=compress)) == batch


@MANY
@given(batch=WITH_LINES)
def test_compression_never_makes_it_larger(batch: Batch) -> None:
    """Gzip is used only where it saves bytes, and the same batch always gives the same bytes."""
    packed = encode(batch)
    assert len(packed) <= len(encode(batch, compress=False))
    assert packed == encode(batch)


def test_gzip_is_what_gzip_reads() -> None:
    """Any gzip program opens a compressed batch: nobody needs our software to look into one."""
    batch = Batch("5f0c9a1e", 1, "synced", LINE * 50)
    packed = encode(batch)
    assert packed.startswith(GZIP_MAGIC)
    assert gzip.decompress(packed) == encode(batch, compress=False)


@MANY
@example(payload=GZIP_MAGIC)
@example(payload=b"\n")
@example(payload=b"#santong/1\n" + LINE)
@given(
    payload=st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda tail: GZIP_MAGIC + tail)
    | st.binary(max_size=300).map(gzip.compress)
    | st.binary(max_size=100).map(lambda tail: b"#santong/1 epoch=5f0c9a1e seq=" + tail)
    | st.from_regex(rb"#santong/\d+( [a-z]+=[0-9a-z:]*)*\n?", fullmatch=True)
)
def test_any_bytes_are_a_batch_or_refused_with_a_reason(payload: bytes) -> None:
    """Nothing that arrives under a batch's topic can do more than be refused with a reason."""
    try:
        batch = decode(payload)
    except BadBatch as flaw:
        assert flaw.reason in Reason
        assert (flaw.epoch is None) == (flaw.seq is None)
    else:
        assert batch.lines or batch.at_ns


@MANY
@given(data=st.data())
def test_a_damaged_batch_is_refused_or_names_itself(data: st.DataObject) -> None:
    """A batch whose bytes were damaged on the way never raises anything but a refusal."""
    payload = bytearray(encode(data.draw(WITH_LINES), compress=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(payload))
    except BadBatch as flaw:
        assert flaw.reason in Reason


def test_an_empty_payload_is_empty() -> None:
    """A payload of no bytes is refused as empty."""
    assert _flaw(b"").reason is Reason.EMPTY


def test_a_header_alone_needs_the_time_of_its_delivery() -> None:
    """A batch without lines and without a time says nothing; it is refused by name."""
    flaw = _flaw(HEADER)
    assert (flaw.reason, flaw.epoch, flaw.seq) == (Reason.EMPTY, "5f0c9a1e", 412345)


def test_a_header_without_its_line_feed_is_still_read() -> None:
    """A header-only batch may end with or without a line feed."""
    head = b"#santong/1 epoch=5f0c9a1e seq=3 clock=unsynced at=1764000000000000000 held=12"
    assert decode(head) == decode(head + b"\n") == Batch("5f0c9a1e", 3, "unsynced", b"", "", 1764000000000000000, 12)


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        (gzip.compress(HEADER + LINE)[:-1], "cut short"),
        (gzip.compress(HEADER + LINE)[:-8], "cut short"),
        (gzip.compress(HEADER + LINE) + b"x", "bytes after the end"),
        (gzip.compress(HEADER + LINE) + gzip.compress(LINE), "bytes after the end"),
    ],
    ids=["a_byte_short", "without_end", "a_byte_more", "two"],
)
def test_bad_gzip_that_shows_its_header_is_refused_by_name(payload: bytes, detail: str) -> None:
    """A compressed batch that is cut short or has bytes behind it is refused as bad gzip, by epoch and seq."""
    flaw = _flaw(payload)
    assert (flaw.reason, flaw.detail) == (Reason.BAD_GZIP, detail)
    assert (flaw.epoch, flaw.seq) == ("5f0c9a1e", 412345)


@pytest.mark.parametrize("tail", [b"", b"garbage after the magic", b"\x08" + b"\xff" * 40])
def test_gzip_magic_before_garbage_is_bad_gzip(tail: bytes) -> None:
    """A payload that only begins like gzip is refused as bad gzip, without a name."""
    flaw = _flaw(GZIP_MAGIC + tail)
    assert (flaw.reason, flaw.epoch, flaw.seq) == (Reason.BAD_GZIP, None, None)


def test_a_wrong_checksum_is_bad_gzip() -> None:
    """A compressed batch whose checksum does not match is refused: damaged evidence is no evidence."""
    packed = bytearray(gzip.compress(HEADER + LINE))
    packed[-8] ^= 1
    assert _flaw(bytes(packed)).reason is Reason.BAD_GZIP


def test_a_batch_cut_short_never_names_another_batch() -> None:
    """Wherever a compressed batch is cut, its refusal names this batch or none: seq 41 is not seq 412345."""
    packed = encode(Batch("5f0c9a1e", 412345, "synced", LINE * 200))
    named = set()
    for length in range(1, len(packed)):
        flaw = _flaw(packed[:length])
        assert flaw.reason is (Reason.BAD_GZIP if length > 1 else Reason.NO_HEADER)
        named.add((flaw.epoch, flaw.seq))
    assert named <= {(None, None), ("5f0c9a1e", 412345)}


def test_a_gzip_bomb_costs_little_memory() -> None:
    """100 MB packed into 100 kB are refused as too large, by name, and never unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packer.compress(HEADER) + b"".join(packer.compress(b"x" * (1 << 20)) for _ in range(100)) + packer.flush()
    assert len(bomb) < 200_000
    tracemalloc.start()
    try:
        flaw = _flaw(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (flaw.reason, flaw.epoch, flaw.seq) == (Reason.TOO_LARGE, "5f0c9a1e", 412345)
    assert peak < 8 * MAX_BATCH_BYTES


@pytest.mark.parametrize("compress", [True, False])
def test_the_limit_is_the_same_packed_or_not(compress: bool) -> None:
    """A batch of exactly the allowed size is read, one byte more is too large, gzip or not."""
    room = MAX_BATCH_BYTES - len(HEADER)
    fits = Batch("5f0c9a1e", 412345, "synced", b"x" * (room - 1) + b"\n")
    assert decode(encode(fits, compress=compress)) == fits
    flaw = _flaw(encode(fits._replace(lines=b"x" + fits.lines), compress=compress))
    assert (flaw.reason, flaw.epoch, flaw.seq) == (Reason.TOO_LARGE, "5f0c9a1e", 412345)


@pytest.mark.parametrize(
    "payload", [LINE, b"\n" + HEADER + LINE, b" " + HEADER, b"# a comment\n", b"{}", "三通".encode()]
)
def test_lines_without_a_header_are_no_batch(payload: bytes) -> None:
    """Line protocol without our header, or anything else, is refused as having no header."""
    flaw = _flaw(payload)
    assert (flaw.reason, flaw.epoch, flaw.seq) == (Reason.NO_HEADER, None, None)


@pytest.mark.parametrize(
    ("head", "detail"),
    [
        (b"#santong/1 epoch=5f0c9a1e seq=412345", "clock="),
        (b"#santong/1 epoch=5f0c9a1e seq=412345 clock=maybe", "clock=maybe"),
        (b"#santong/1 epoch=5f0c9a1e seq=412345 clock=synced previous=5f0c9a1e", "previous=5f0c9a1e"),
        (b"#santong/1 epoch=5f0c9a1e seq=412345 clock=unsynced at=176400000000 held=1", "at=176400000000"),
        (
            b"#santong/1 epoch=5f0c9a1e seq=412345 clock=unsynced at=0000000000000000000 held=x",
            "at=0000000000000000000, held=x",
        ),
    ],
)
def test_a_bad_header_with_a_name_is_refused_by_name(head: bytes, detail: str) -> None:
    """A header with a wrong key is refused by epoch and seq, and says which key."""
    flaw = _flaw(head + b"\n" + LINE)
    assert (flaw.reason, flaw.detail, flaw.epoch, flaw.seq) == (Reason.BAD_HEADER, detail, "5f0c9a1e", 412345)


@pytest.mark.parametrize(
    "head",
    [
        b"#santong/",
        b"#santong/1",
        b"#santong/x epoch=5f0c9a1e seq=1 clock=synced",
        b"#santong/1 seq=1 clock=synced",
        b"#santong/1 epoch=5f0c9a1e clock=synced",
        b"#santong/1 epoch=5f0c9a seq=1 clock=synced",
        b"#santong/1 epoch=5F0C9A1E seq=1 clock=synced",
        b"#santong/1 epoch=5f0c9a1e5f0c9a1e5 seq=1 clock=synced",
        b"#santong/1 epoch=5f0c9a1e seq=-1 clock=synced",
        b"#santong/1 epoch=5f0c9a1e seq=1234567890123456 clock=synced",
        b"#santong/1 epoch=5f0c9a1e seq=one clock=synced",
        b"#santong/1  epoch=5f0c9a1e seq=1 clock=synced",
        b"#santong/1 epoch=5f0c9a1e seq=1 clock=synced ",
        b"#santong/1 epoch=5f0c9a1e seq=1 clock=synced\r",
        b"#santong/1 epoch=5f0c9a1e seq= clock=synced",
        b'#santong/1 epoch="5f0c9a1e" seq=1 clock=synced',
    ],
)
def test_a_bad_header_without_a_name_is_refused(head: bytes) -> None:
    """A header in which epoch or seq cannot be read is refused as bad header, without a name."""
    flaw = _flaw(head + b"\n" + LINE)
    assert (flaw.reason, flaw.epoch, flaw.seq) == (Reason.BAD_HEADER, None, None)


def test_another_version_is_refused_by_name() -> None:
    """A batch of a later contract is refused by version, epoch and seq, so that its agent keeps it visible."""
    flaw = _flaw(b"#santong/2 epoch=5f0c9a1e seq=412345 clock=quantum\n" + LINE)
    assert (flaw.reason, flaw.epoch, flaw.seq) == (Reason.WRONG_VERSION, "5f0c9a1e", 412345)
    assert str(flaw) == "wrong_version: version 2, this is 1"


def test_unknown_keys_of_later_agents_are_ignored() -> None:
    """Later versions of the contract append keys to the header; today's reader passes over them."""
    head = b"#santong/1 epoch=5f0c9a1e seq=9 clock=synced zone=3 key=a:b\n"
    assert decode(head + LINE) == Batch("5f0c9a1e", 9, "synced", LINE)


def test_a_time_of_delivery_beside_lines_is_ignored() -> None:
    """`at` and `held` are of a batch without lines: beside lines they date nothing, whatever they say."""
    head = b"#santong/1 epoch=5f0c9a1e seq=9 clock=synced at=9999999999999999999 held=3\n"
    assert decode(head + LINE) == Batch("5f0c9a1e", 9, "synced", LINE)


def test_a_long_header_is_not_repeated_in_full() -> None:
    """A megabyte without a header, or with one long value, does not end up in a log."""
    assert len(str(_flaw(b"x" * (1 << 19)))) < 200
    assert len(str(_flaw(b"#santong/1 epoch=" + b"a" * (1 << 19) + b" seq=1 clock=synced\n" + LINE))) < 200
