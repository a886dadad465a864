"""The probe throughput measures what really comes through, and names what went wrong."""

import errno
import itertools
import re
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.outcome import Outcome
from agent.probe.settings import Throughput
from agent.probe.values import Url
from agent.worker.kinds import perform
from contract.measurements import TABLE
from contract.settings import Seconds, Size
from tests.agent.probe.servers import (
    CHUNKED,
    Script,
    Tls,
    answer,
    answers,
    asked,
    endless,
    redirect,
    resets,
    serving,
    silent,
    tls_files,
)
from tests.certificates import Wish, authority

KIB = 1024
PIECE = b"\xa5" * 64 * KIB


def measure(script: Script, path: str = "/", secured: Tls | None = None, **wishes: object) -> Outcome:
    """Measure a server that follows the script, for half a second each direction."""
    with serving(script, secured) as server:
        ask = Throughput(
            server.url(path), streams=2, seconds=Seconds(0.5), warm_up=Seconds(0.1), timeout=Seconds(8)
        )._replace(**wishes)  # type: ignore[arg-type]
        outcome = perform("throughput", ask)
    for measurement, tags, fields in outcome.extra:
        row = TABLE[measurement]
        assert set(tags) == set(row.tags)
        assert set(fields) <= {field.name for field in row.fields}
    assert not [thread for thread in threading.enumerate() if "run" in thread.name]
    return outcome


def sample(outcome: Outcome, direction: str) -> dict[str, float]:
    """Return the numbers of a direction."""
    found = [fields for _, tags, fields in outcome.extra if tags["direction"] == direction]
    assert len(found) == 1, outcome
    return {name: float(value) for name, value in found[0].items() if not isinstance(value, str)}


def row(outcome: Outcome, direction: str) -> dict[str, object]:
    """Return the details of a direction."""
    found = outcome.details[direction]
    assert isinstance(found, dict)
    return found


def pours(sock: socket.socket, pause_s: float = 0.001) -> None:
    """Send a body of any length, a piece at a time."""
    stop = threading.Event()
    sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 40}\r\n\r\n".encode())
    while True:
        sock.sendall(PIECE)
        stop.wait(pause_s)  # a slow line is what is asked for


def drinks(sock: socket.socket, request: str, pause_s: float = 0.001) -> int:
    """Take the body of a request; return how much came until it was whole or the client broke it off."""
    left = size = int(request.lower().split("content-length: ")[1].split()[0])
    stop = threading.Event()
    with suppress(ConnectionResetError):
        while left and (piece := sock.recv(64 * KIB)):
            left -= len(piece)
            stop.wait(pause_s)
    return size - left


def librespeed(sock: socket.socket) -> None:
    """Be a LibreSpeed backend."""
    while request := asked(sock):
        if request.startswith("GET /garbage.php?ckSize="):
            pours(sock)
        elif request.startswith("POST /empty.php?r="):
            drinks(sock, request)
            sock.sendall(answer(200))
        else:
            sock.sendall(answer(404))


def file(sock: socket.socket) -> None:
    """Be a server with a very large file."""
    asked(sock)
    pours(sock)


def test_both_directions_of_a_librespeed_backend() -> None:
    """One sample each: goodput is bytes × 8 ÷ seconds of the time that was measured; the total has the rest too."""
    outcome = measure(librespeed)
    assert (outcome.success, outcome.stage) == (True, "done")
    assert float(outcome.fields["rtt_ms"]) > 0
    for direction in ("download", "upload"):
        found = sample(outcome, direction)
        assert found["goodput_mbps"] == pytest.approx(found["bytes"] * 8 / found["seconds"] / 1e6, rel=0.01)
        assert 0.3 <= found["seconds"] < 5, "half a second is asked for; a busy machine takes longer"
        assert 0 < found["rtt_min_ms"] < 1000
        assert row(outcome, direction)["streams"] == 2
    assert {tags["server"] for _, tags, _ in outcome.extra} == {"127.0.0.1"}
    total = outcome.details["total_bytes"]
    assert isinstance(total, int)
    assert total > sample(outcome, "download")["bytes"] + sample(outcome, "upload")["bytes"]


def test_upload_can_be_left_out() -> None:
    """With `upload` off, and where the address is a file."""
    assert len(measure(librespeed, upload=False).extra) == 1
    assert len(measure(file, "/file.iso").extra) == 1


@pytest.mark.parametrize("header", ["", "Connection: close\r\n"])
def test_a_file_is_asked_for_again_when_it_ends(header: str) -> None:
    """Over the same connection where the server keeps it, else over a new one."""
    body = b"x" * 300 * KIB
    text = f"HTTP/1.1 200 OK\r\n{header}Content-Length: {len(body)}\r\n\r\n".encode() + body
    outcome = measure(answers(*[text] * (1 if header else 100_000)), "/file")
    assert outcome.success, outcome.reason
    assert sample(outcome, "download")["bytes"] > 3 * len(body)


def test_a_chunked_body_and_one_without_end_count_their_payload() -> None:
    """PHP sends chunks; an old server closes at the end."""
    chunk = f"{len(PIECE):x}\r\n".encode() + PIECE + b"\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3 + b"0\r\n\r\n"
    assert measure(answers(*[chunked] * 100_000), "/file").success
    assert measure(answers(b"HTTP/1.0 200 OK\r\n\r\n" + PIECE), "/file").success


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        (answers(answer(404)), 404, "answers 404"),
        (answers(redirect("https://elsewhere.example/")), 302, "elsewhere.example"),
        (answers(answer(200)), 200, "nothing in it"),
        (answers(answer(200, b"x")[:-1]), None, "breaks off"),
        (answers(b"SSH-2.0-x\r\n"), None, "no answer of HTTP"),
        (resets(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), errno.ECONNRESET, "reset"),
    ],
)
def test_a_download_that_fails(script: Script, code: int | None, words: str) -> None:
    """Stage `download` with the status or the errno, and a reason; nothing is measured."""
    outcome = measure(script, "/file")
    assert (outcome.success, outcome.stage, outcome.code) == (False, "download", code)
    assert words in outcome.reason
    assert not outcome.extra
    assert "rtt_ms" in outcome.fields


@pytest.mark.parametrize("there", ["http://p.lab/x?mac=aa:bb:cc:dd:ee:ff", "/x?mac=aa:bb:cc:dd:ee:ff"])
def test_a_reason_names_no_query_of_a_redirect(there: str) -> None:
    """Behind a portal the address has a MAC in it: that is for the details alone."""
    outcome = measure(answers(redirect(there)), "/file")
    assert (outcome.stage, outcome.code) == ("download", 302)
    assert there.partition("?")[0] in outcome.reason
    assert "mac=" not in outcome.reason
    assert outcome.details["location"] == there


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + PIECE])
def test_a_stall_is_named_in_time(before: bytes) -> None:
    """No byte at all, or none while it is measured: no answer (ETIMEDOUT), within the timeout."""

    def stalls(sock: socket.socket) -> None:
        asked(sock)
        sock.sendall(before)
        silent(sock)

    begun = time.monotonic()
    outcome = measure(stalls, "/file", timeout=Seconds(3))
    assert time.monotonic() - begun < 10
    assert (outcome.success, outcome.stage, outcome.code) == (False, "download", errno.ETIMEDOUT)


def test_drips_do_not_hold_it() -> None:
    """A header that comes a byte at a time is no download."""

    def drips(sock: socket.socket) -> None:
        stop = threading.Event()
        for _ in range(10_000):
            sock.sendall(b"H")
            stop.wait(0.01)

    begun = time.monotonic()
    assert measure(drips, "/file", timeout=Seconds(3)).stage == "download"
    assert time.monotonic() - begun < 10


def test_an_upload_that_is_refused_leaves_the_download() -> None:
    """Whether the server reads the body before it refuses or not; the download's sample stays."""

    def refuses(sock: socket.socket) -> None:
        while request := asked(sock):
            if request.startswith("GET"):
                pours(sock)
            drinks(sock, request)
            sock.sendall(answer(405))

    def early(sock: socket.socket) -> None:
        while request := asked(sock):
            if request.startswith("GET"):
                pours(sock)
            if "Content-Length: 0\r\n" in request:
                sock.sendall(answer(200))
            else:
                sock.sendall(answer(413))
                silent(sock)

    for script, code in ((refuses, 405), (early, 413)):
        outcome = measure(script)
        assert (outcome.success, outcome.stage, outcome.code) == (False, "upload", code)
        assert sample(outcome, "download")["bytes"] > 0


def test_an_upload_counts_what_was_taken() -> None:
    """Bytes in our own buffers were not transferred: a server that takes little sees as much as we report."""
    taken = []

    def slow(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * KIB)
        while request := asked(sock):
            if request.startswith("GET"):
                pours(sock)
            taken.append(drinks(sock, request, 0.02))
            sock.sendall(answer(200))

    outcome = measure(slow, streams=1, seconds=Seconds(1.5))
    found = sample(outcome, "upload")
    assert found["bytes"] <= sum(taken) + 64 * KIB
    assert found["goodput_mbps"] < 60  # at most 64 KiB every 20 ms, 26 Mbit/s; the buffers alone would be far more


def test_a_server_that_takes_nothing_is_no_upload() -> None:
    """What fits into buffers on the way is over after the warm-up."""

    def deaf(sock: socket.socket) -> None:
        request = asked(sock)
        if request.startswith("GET"):
            pours(sock)
        if "Content-Length: 0\r\n" in request:
            sock.sendall(answer(200))
            asked(sock)
        threading.Event().wait(2.5)  # takes nothing

    outcome = measure(deaf)
    assert (outcome.success, outcome.stage, outcome.code) == (False, "upload", errno.ETIMEDOUT)


def test_one_stream_that_fails_is_told() -> None:
    """The others still measure."""
    numbers = itertools.count()

    def second_fails(sock: socket.socket) -> None:
        number = next(numbers)
        asked(sock)
        if number:
            sock.sendall(answer(503))
        else:
            pours(sock)

    outcome = measure(second_fails, "/file", streams=3)
    assert outcome.success
    assert row(outcome, "download")["failed_streams"] == 2
    assert "503" in str(row(outcome, "download")["reason"])


def test_the_limit_of_bytes_ends_it() -> None:
    """Before a second is measured nothing is said of the target (stage `budget`), after it the figure stands."""
    outcome = measure(file, "/file", max_bytes=Size(1_000_000))
    assert (outcome.success, outcome.stage, outcome.code) == (None, "budget", None)
    assert not outcome.extra
    spent = outcome.details["total_bytes"]
    assert isinstance(spent, int)
    assert spent >= 1_000_000

    def slow(sock: socket.socket) -> None:
        asked(sock)
        pours(sock, 0.01)

    outcome = measure(slow, "/file", max_bytes=Size(20_000_000), seconds=Seconds(6), timeout=Seconds(12))
    assert outcome.success, outcome.reason
    assert row(outcome, "download")["ended_by"] == "max_bytes"
    assert 1 <= sample(outcome, "download")["seconds"] < 6
    total = outcome.details["total_bytes"]
    assert isinstance(total, int)
    assert 20_000_000 <= total < 30_000_000


def slow_then_fast(sock: socket.socket) -> None:
    """Be a LibreSpeed backend whose upload is far faster than its download."""
    while request := asked(sock):
        if request.startswith("GET"):
            pours(sock, 0.02)
        drinks(sock, request, 0)
        sock.sendall(answer(200))


@pytest.mark.parametrize(
    ("script", "path", "most", "warm_s", "words"),
    [
        (file, "/file", 100_000, 0.1, "the 100000 bytes that download may move (max_bytes = 100000) were used up"),
        (file, "/file", 100_000, 2.0, "before the warm-up ended"),
        (file, "/file", 8_000_000, 0.01, "1 s is needed"),
        (librespeed, "/", 300_000, 0.1, "the 150000 bytes that download may move (max_bytes = 300000)"),
    ],
)
def test_the_reason_of_a_spent_limit_is_true(script: Script, path: str, most: int, warm_s: float, words: str) -> None:
    """Half of `max_bytes` is the download's where there is an upload: the reason names what was really allowed."""
    limits = {"max_bytes": Size(most), "warm_up": Seconds(warm_s), "seconds": Seconds(3)}
    outcome = measure(script, path, None, timeout=Seconds(14), **limits)
    assert (outcome.success, outcome.stage) == (None, "budget")
    assert words in outcome.reason


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "more than 64 KiB of header and interim answers"),
        (endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: 1\r\n"), "of chunks and trailers"),
    ],
)
def test_what_is_no_payload_is_limited(script: Script, words: str) -> None:
    """Interim answers and trailers without end are a failure of the download, after a few hundred kilobytes."""
    outcome = measure(script, "/file", seconds=Seconds(4), timeout=Seconds(15), max_bytes=Size(50_000_000))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "download", None)
    assert words in outcome.reason
    moved = outcome.details["total_bytes"]
    assert isinstance(moved, int)
    assert moved < 20_000_000  # what the kernel takes ahead of us is in it


@pytest.mark.parametrize(
    "again",
    [
        b"1;" + b"x" * 60_000 + b"\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: " + b"x" * 60_000 + b"\r\n\r\nx",
    ],
)
def test_what_is_no_payload_counts_for_the_limit(again: bytes) -> None:
    """`max_bytes` is of all that comes: huge headers and chunk lines around single bytes use it up, too."""

    def script(sock: socket.socket) -> None:
        asked(sock)
        if again.startswith(b"1;"):
            sock.sendall(CHUNKED)
        while True:
            sock.sendall(again)
            if not again.startswith(b"1;"):
                asked(sock)

    wishes = {"seconds": Seconds(3), "timeout": Seconds(15), "max_bytes": Size(5_000_000)}
    outcome = measure(script, "/file", None, **wishes)
    moved = outcome.details["total_bytes"]
    assert isinstance(moved, int)
    assert 5_000_000 <= moved < 25_000_000
    assert "max_bytes" in outcome.reason or row(outcome, "download")["ended_by"] == "max_bytes"


def test_an_upload_sends_nothing_after_its_end() -> None:
    """What still waits in our buffers is thrown away: the server gets no more than the total says."""
    taken: list[int] = []
    ended = threading.Semaphore(0)

    def slow(sock: socket.socket) -> None:
        while request := asked(sock):
            if request.startswith("GET"):
                pours(sock, 0.02)
            if "Content-Length: 0\r\n" in request:
                sock.sendall(answer(200))
                continue
            try:
                while piece := sock.recv(64 * KIB):
                    taken.append(len(piece))
                    time.sleep(0.005)  # slow is what is asked for
            finally:
                ended.release()

    with serving(slow) as server:
        ask = Throughput(server.url(), streams=2, seconds=Seconds(0.5), warm_up=Seconds(0.1), timeout=Seconds(8))
        outcome = perform("throughput", ask)
        for _ in range(2):
            assert ended.acquire(timeout=10)
    assert outcome.success, outcome
    total = outcome.details["total_bytes"]
    assert isinstance(total, int)
    assert sum(taken) <= total - sample(outcome, "download")["bytes"]


def test_a_limit_that_is_spent_in_the_upload_leaves_the_download() -> None:
    """Its sample stays, and the reason names what the download has left over."""
    outcome = measure(slow_then_fast, max_bytes=Size(20_000_000), seconds=Seconds(1.5), warm_up=Seconds(0.01))
    assert (outcome.success, outcome.stage) == (None, "budget"), outcome
    found, total = sample(outcome, "download"), outcome.details["total_bytes"]
    assert isinstance(total, int)
    allowed = re.search(r"the (\d+) bytes that upload may move \(max_bytes = 20000000\)", outcome.reason)
    assert allowed
    assert 10_000_000 <= int(allowed[1]) < 20_000_000 - found["bytes"]
    assert total > found["bytes"]


def test_a_timeout_that_is_too_short_is_our_own_trouble() -> None:
    """It says which one would do."""
    outcome = measure(librespeed, timeout=Seconds(5), seconds=Seconds(3))
    assert outcome.success is None
    assert "set 10.2 s" in outcome.reason


def test_over_tls(tmp_path: Path) -> None:
    """Both directions; a certificate that is not believed fails at `tls`."""
    files = tls_files(tmp_path, Wish("here"), authority())
    outcome = measure(librespeed, secured=files, ca=str(files.ca))
    assert outcome.success, outcome.reason
    assert sample(outcome, "download")["bytes"] > 0
    assert sample(outcome, "upload")["bytes"] > 0
    outcome = measure(librespeed, secured=files)
    assert (outcome.success, outcome.stage, outcome.code) == (False, "tls", 20)


def test_a_closed_port() -> None:
    """Stage `connect`, the errno."""
    outcome = perform("throughput", Throughput(Url("http://127.0.0.1:1/")))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "connect", errno.ECONNREFUSED)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.builds(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest, st.binary(max_size=200)))
def test_any_bytes_give_a_named_outcome(text: bytes) -> None:
    """Whatever a server sends, it is measured or named."""
    outcome = measure(answers(text), "/file", seconds=Seconds(0.1), warm_up=Seconds(0.05), timeout=Seconds(3))
    assert outcome.success is not None, outcome.reason
    assert outcome.success or outcome.reason


def test_a_worker_with_little_memory_uses_fewer_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that cannot be started are left out; without any it is our own trouble."""
    room = [0]

    class Cramped(threading.Thread):
        def start(self) -> None:
            if not room[0]:
                raise RuntimeError("can't start new thread")
            room[0] -= 1
            super().start()

    ours = SimpleNamespace(Thread=Cramped, Event=threading.Event, Lock=threading.Lock)
    monkeypatch.setattr("agent.probe.streams.threading", ours)
    with serving(file) as server:
        ask = Throughput(server.url("/file"), seconds=Seconds(0.2), warm_up=Seconds(0.1), timeout=Seconds(8))
        assert perform("throughput", ask).success is None
        room[0] = 2
        outcome = perform("throughput", ask)
    assert outcome.success, outcome
    assert row(outcome, "download")["streams"] == 2
