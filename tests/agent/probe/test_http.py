"""The probe http tells a page that works from every way in which one can fail, in time."""

import errno
import gzip
import socket
import ssl
import time
from datetime import timedelta
from pathlib import Path

import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.outcome import Failed, Outcome
from agent.probe import http, tls
from agent.probe.base import Via
from agent.probe.settings import Http
from agent.probe.values import HostPort, Url
from agent.worker.kinds import perform
from contract.measurements import TABLE
from contract.settings import Pattern, Seconds
from tests.agent.probe.name_server_double import NameServerDouble, zone
from tests.agent.probe.servers import (
    CHUNKED,
    Script,
    Tls,
    answer,
    answers,
    asked,
    drips,
    endless,
    linger,
    pages,
    redirect,
    resets,
    serving,
    silent,
    tls_files,
)
from tests.certificates import DAY, NOW, Identity, Wish, authority, issue

OK = answer(200, b"welcome")


def run(script: Script, secured: Tls | None = None, path: str = "/", **wishes: object) -> Outcome:
    """Probe a server that follows the script."""
    with serving(script, secured) as server:
        ask = Http(server.url(path), timeout=Seconds(5))._replace(**wishes)  # type: ignore[arg-type]
        outcome = perform("http", ask)
    known = {field.name for field in TABLE["probe"].fields}
    assert set(outcome.fields) <= known
    return outcome


@pytest.fixture(scope="module")
def root() -> Identity:
    """Give a private authority."""
    return authority()


def test_a_page_that_works_has_every_time() -> None:
    """Round trip, connect, first byte and the whole are there; there is no TLS and no certificate."""
    outcome = run(answers(OK))
    assert (outcome.success, outcome.stage, outcome.code) == (True, "done", 200)
    assert set(outcome.fields) == {"rtt_ms", "connect_ms", "first_byte_ms", "duration_ms"}
    assert outcome.fields["rtt_ms"] == outcome.fields["connect_ms"]


def test_first_byte_is_timed_from_the_request(root: Identity) -> None:
    """A server that thinks for 0.5 s is seen in first_byte_ms, not in connect_ms; a threshold makes it a failure."""

    def slow(sock: socket.socket) -> None:
        asked(sock)
        time.sleep(0.5)  # what is measured
        sock.sendall(OK)

    outcome = run(slow, max_first_byte=Seconds(0.1))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "threshold", 200)
    assert float(outcome.fields["first_byte_ms"]) >= 500
    assert float(outcome.fields["connect_ms"]) < 500
    assert run(slow, max_first_byte=Seconds(5)).success


@pytest.mark.parametrize("status", [300, 304, 404, 500, 599])
def test_a_bad_status_fails_with_its_number(status: int) -> None:
    """Stage `status`, the status is the code."""
    outcome = run(answers(answer(status)))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "status", status)
    assert "due is 200 to 299" in outcome.reason
    assert run(answers(answer(status)), status=(status,)).success


def test_a_redirect_is_followed_to_the_page() -> None:
    """Relative and absolute ones; the hops are told. With `status` or no redirects allowed it is itself the answer."""
    site = pages({"/": redirect("/a/b"), "/a/b": redirect("../c?d=1"), "/c?d=1": OK})
    outcome = run(site)
    assert outcome.success
    assert [str(hop).rpartition(":")[2].partition("/")[2] for hop in _hops(outcome)] == ["", "a/b", "c?d=1"]
    outcome = run(site, status=(302,))
    assert (outcome.success, outcome.code) == (True, 302)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_that_is_not_followed_is_no_page(status: int) -> None:
    """Without Location it fails at `redirect`; with `max_redirects` 0 at `status`, unless that status is due."""
    outcome = run(answers(answer(status)))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "redirect", status)
    assert "no Location" in outcome.reason
    outcome = run(answers(redirect("/x", status)), max_redirects=0)
    assert (outcome.success, outcome.stage, outcome.code) == (False, "status", status)
    assert run(answers(answer(status)), status=(status,)).success


def _hops(outcome: Outcome) -> list[object]:
    hops = outcome.details["redirects"]
    assert isinstance(hops, list)
    return hops


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ("/", "circle"),
        ("ftp://127.0.0.1/", "cannot go"),
        ("http://user:secret@127.0.0.1/", "cannot go"),
        ("http://[::1/", "cannot go"),
    ],
)
def test_redirects_that_lead_nowhere(there: str, words: str) -> None:
    """A circle and addresses that are none fail at `redirect`; no password is shown."""
    outcome = run(answers(redirect(there)))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "redirect", 302)
    assert words in outcome.reason
    assert "secret" not in outcome.reason


PRIVATE = "userip=10.9.8.7&mac=aa:bb:cc:dd:ee:ff&user=zhang&token=s3cr3t"


@pytest.mark.parametrize("there", ["/?{}", "ftp://p.lab/x?{}", "http://[::1/?{}", "http://p.lab:99999/;{}", "/;{}"])
def test_a_reason_names_no_query_of_a_redirect(there: str) -> None:
    """What is kept for years has scheme, host and path; the whole address is for who stands at the device."""
    outcome = run(answers(redirect(there.format(PRIVATE)), redirect(there.format(PRIVATE))), path=f"/?{PRIVATE}")
    assert outcome.success is False
    assert not [part for part in ("s3cr3t", "zhang", "aa:bb", "10.9.8.7") if part in outcome.reason], outcome.reason
    assert len(outcome.reason) < 200
    assert "s3cr3t" in str(outcome.details)


def test_a_reason_names_no_query_of_a_servers_words() -> None:
    """Neither where what comes is no HTTP, nor where a proxy refuses."""
    outcome = run(answers(f"HTTP/1.1 x http://p.lab/?{PRIVATE}\r\n\r\n".encode()))
    assert outcome.stage == "request"
    assert not [part for part in ("s3cr3t", "zhang", "aa:bb", "10.9.8.7") if part in outcome.reason], outcome.reason
    with serving(answers(f"HTTP/1.1 403 http://p.lab/?{PRIVATE}{'x' * 500}\r\n\r\n".encode())) as proxy:
        ask = Http(Url("https://inner.invalid/"), proxy=HostPort(f"127.0.0.1:{proxy.port}"))
        outcome = perform("http", ask)
    assert (outcome.stage, outcome.code) == ("proxy", 403)
    assert "10.9.8.7" not in outcome.reason
    assert len(outcome.reason) < 200


def test_endless_redirects_end() -> None:
    """Each leads further: after `max_redirects` it is enough."""

    def further(sock: socket.socket) -> None:
        while request := asked(sock):
            sock.sendall(redirect(request.split()[1] + "x"))

    outcome = run(further, max_redirects=3)
    assert (outcome.stage, outcome.code) == ("redirect", 302)
    assert len(_hops(outcome)) == 4


def test_a_redirect_may_lead_to_bytes_beyond_ascii() -> None:
    """Servers write UTF-8 into Location: it is asked for as %XX."""
    place = "/首页".encode().decode("latin-1")
    outcome = run(pages({"/": redirect(place), "/%E9%A6%96%E9%A1%B5": OK}))
    assert outcome.success


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("清远市".encode("gbk"), ("Content-Type: text/html; charset=GBK",)),
        ("<meta charset='gb2312'>清远市".encode("gb18030"), ("Content-Type: text/html",)),
        ("清远市".encode(), ()),
        ("清远市".encode(), ("Content-Type: text/html; charset=no-such",)),
        (gzip.compress("清远市".encode(), mtime=0), ("Content-Encoding: gzip",)),
    ],
)
def test_a_text_is_found_in_its_charset(body: bytes, headers: tuple[str, ...]) -> None:
    """Charset of the header, else of the page, else UTF-8; gzip that nobody asked for is unpacked."""
    outcome = run(answers(answer(200, body, *headers)), body=Pattern("清远.$"))
    assert outcome.success
    outcome = run(answers(answer(200, body, *headers)), body=Pattern("英德"))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "body", 200)


def test_only_a_mebibyte_is_read() -> None:
    """A huge body ends there: what stands behind is not found, and the connection is not read on."""
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    outcome = run(answers(head + b"x" * (1 << 20) + b"END"), body=Pattern("END"))
    assert (outcome.stage, "first 1048576 bytes" in outcome.reason) == ("body", True)
    bomb = gzip.compress(b"x" * (1 << 26))
    outcome = run(answers(answer(200, bomb, "Content-Encoding: gzip")), body=Pattern("END"))
    assert (outcome.stage, "first 1048576 bytes" in outcome.reason) == ("body", True)


def test_without_a_pattern_the_body_is_not_waited_for() -> None:
    """The header says whether the page works; data is saved."""

    def half(sock: socket.socket) -> None:
        asked(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx")
        silent(sock)

    assert run(half).success


def test_a_chunked_body_is_put_together() -> None:
    """RFC 9112 §7.1."""
    text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwelc\r\n3\r\nome\r\n0\r\n\r\n"
    assert run(answers(text), body=Pattern("^welcome$")).success


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        (answers(b"SSH-2.0-OpenSSH_9.2\r\n"), None, "no answer of HTTP"),
        (answers(b"\0" * 70_000), None, "more than 64 KiB of header"),
        (answers(b""), errno.ECONNRESET, "closed without an answer"),
        (resets(), errno.ECONNRESET, "reset"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwelc"), None, "breaks off"),
        (answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), None, "breaks off"),
        (answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n"), None, ""),
        (answers(b"HTTP/1.1 200 OK\r\n" + b"X-Header: 1\r\n" * 5000), None, "more than 100 headers"),
        (answers(b"HTTP/1.1 200 OK\r\nX: " + b"1" * 100_000), None, "more than 64 KiB of header"),
        (answers(answer(200, b"not gzip", "Content-Encoding: gzip")), None, "gzip"),
    ],
)
def test_what_is_no_answer_fails_at_request(script: Script, code: int | None, words: str) -> None:
    """Garbage, resets, endless headers, bodies that break off: stage `request`, a reason, the time to connect."""
    outcome = run(script, body=Pattern("welcome"))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "request", code)
    assert words in outcome.reason
    assert "connect_ms" in outcome.fields


@pytest.mark.parametrize(
    "script",
    [
        silent,
        drips(b"HTTP/1.1 200 OK\r\nX-Slow: 1\r\n", 0.05),
        drips(b"HTTP/1.1 100 Continue\r\n\r\n", 0.0),
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nx", 0.01),
    ],
)
def test_no_server_holds_it_longer_than_its_timeout(script: Script) -> None:
    """Silence, slow drips and endless interim answers end with the timeout."""
    begun = time.monotonic()
    outcome = run(script, timeout=Seconds(0.6), body=Pattern("welcome"))
    assert time.monotonic() - begun < 10
    assert (outcome.success, outcome.stage) == (False, "request")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "more than 64 KiB of header and interim answers"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X: " + b"1" * 9_000 + b"\r\n"), "more than 64 KiB of header"),
        (endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: 1\r\n"), "of chunks and trailers"),
        (endless(CHUNKED, b"1;" + b"x" * 9_000 + b"\r\nx\r\n"), "of chunks and trailers"),
    ],
)
def test_an_answer_without_end_is_cut_off(script: Script, words: str) -> None:
    """64 KiB are enough for a header with all interim answers; what stands around a body is limited too."""
    begun = time.monotonic()
    outcome = run(script, timeout=Seconds(20), body=Pattern("welcome"))
    assert time.monotonic() - begun < 10
    assert (outcome.success, outcome.stage, outcome.code) == (False, "request", None)
    assert words in outcome.reason


def test_a_large_header_and_small_chunks_pass() -> None:
    """What servers really send is far from the limits, also where all of it comes at once with the body."""
    head = b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"1" * 600 + b"\r\n") * 90
    body = b"x" * 300_000 + b"END"
    assert run(answers(head + b"\r\n" + body), body=Pattern("END$")).success
    chunks = b"".join(b"10\r\n" + body[at : at + 16] + b"\r\n" for at in range(0, 299_984, 16))
    assert run(answers(CHUNKED + chunks + b"3\r\nEND\r\n0\r\n\r\n"), body=Pattern("END$")).success


def test_a_proxy_without_end_is_cut_off() -> None:
    """It fails at `proxy`."""
    with serving(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")) as proxy:
        ask = Http(Url("https://inner.invalid/"), proxy=HostPort(f"127.0.0.1:{proxy.port}"), timeout=Seconds(20))
        outcome = perform("http", ask)
    assert (outcome.success, outcome.stage) == (False, "proxy")
    assert "more than 64 KiB of header" in outcome.reason
    assert float(outcome.fields["duration_ms"]) < 10_000


def test_a_closed_port_and_an_unknown_name() -> None:
    """They fail at `connect` with the errno, and at `resolve`."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    outcome = perform("http", Http(Url(f"http://127.0.0.1:{port}/")))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "connect", errno.ECONNREFUSED)
    outcome = perform("http", Http(Url("http://no-such-name.invalid/")))
    assert (outcome.success, outcome.stage) == (False, "resolve")


def test_names_are_resolved_by_the_name_servers_of_the_way(tmp_path: Path, root: Identity) -> None:
    """A joined network's own name server knows the page, the system's does not; also after a redirect and over TLS."""
    files = tls_files(tmp_path, Wish("page", dns="page.lab"), root)
    with (
        NameServerDouble(zone(page="127.0.0.1", old="127.0.0.1")) as names,
        serving(answers(OK), files) as page,
        serving(answers(redirect(f"https://page.lab:{page.port}/"))) as old,
    ):
        way = Via(resolvers=(names.address,))
        ask = Http(Url(f"http://old.lab:{old.port}/"), timeout=Seconds(5), ca=str(files.ca))
        outcome = http.probe(ask, way)
        assert (outcome.success, outcome.code, outcome.details["address"]) == (True, 200, "127.0.0.1")
        assert names.asked == ["old.lab.", "page.lab."]
        assert f"Host: page.lab:{page.port}\r\n" in page.requests[0]
        with pytest.raises(Failed) as gone:
            http.probe(ask._replace(target=Url("http://gone.lab/")), way)
    assert (gone.value.stage, gone.value.code) == ("resolve", dns.rcode.NXDOMAIN)


def test_a_silent_name_server_of_the_way_ends_in_time() -> None:
    """Stage `resolve`, within the timeout of the page; the system's name servers are not asked instead."""
    with NameServerDouble(lambda _: []) as names, serving(answers(OK)) as server:
        begun = time.monotonic()
        with pytest.raises(Failed) as silent_one:
            http.probe(
                Http(Url(f"http://localhost:{server.port}/"), timeout=Seconds(0.6)), Via(resolvers=(names.address,))
            )
        assert time.monotonic() - begun < 4, "less than a resolver waits by itself"
        assert not server.requests
    assert silent_one.value.stage == "resolve"


# ---- TLS


def test_a_page_over_tls(tmp_path: Path, root: Identity) -> None:
    """The handshake is timed and the certificate's days are counted; too few are a failure of their own."""
    files = tls_files(tmp_path, Wish("here", end=NOW + 30 * DAY), root)
    outcome = run(answers(OK), files, ca=str(files.ca))
    assert outcome.success
    assert float(outcome.fields["certificate_days"]) == pytest.approx(30, abs=0.1)
    assert float(outcome.fields["tls_ms"]) > 0
    outcome = run(answers(OK), files, ca=str(files.ca), min_certificate_days=31.0)
    assert (outcome.success, outcome.stage) == (False, "certificate")


@pytest.mark.parametrize(
    ("wish", "code", "words", "days"),
    [
        (Wish("here", begin=NOW - 9 * DAY, end=NOW - DAY), 10, f"expired on {NOW - DAY:%Y-%m-%d}", -1),
        (Wish("here", begin=NOW + DAY, end=NOW + 9 * DAY), 9, "clock here says", 9),
        (Wish("there", dns="there.example"), 64, "IP address mismatch", 365),
    ],
)
def test_certificates_that_are_not_believed(
    tmp_path: Path, root: Identity, wish: Wish, code: int, words: str, days: int
) -> None:
    """Stage `tls`, OpenSSL's verify code, the days that are left all the same; with verify off the page works."""
    files = tls_files(tmp_path, wish, root)
    outcome = run(answers(OK), files, ca=str(files.ca))
    assert (outcome.success, outcome.stage, outcome.code) == (False, "tls", code)
    assert words in outcome.reason
    assert float(outcome.fields["certificate_days"]) == pytest.approx(days, abs=0.1)
    assert run(answers(OK), files, verify=False).success


def test_an_unknown_authority(tmp_path: Path, root: Identity) -> None:
    """Codes 20 and 18 of OpenSSL: the issuer is not known, or the certificate is its own."""
    assert run(answers(OK), tls_files(tmp_path, Wish("here"), root)).code == 20
    own = issue(Wish("own")).save(tmp_path, "own")
    assert run(answers(OK), Tls(*own, tmp_path)).code == 18


def test_no_tls_where_it_is_due() -> None:
    """A server that speaks plain HTTP, garbage, resets or nothing fails at `tls`, in time."""
    for script, code in ((_plain, None), (_hangs_up, errno.ECONNRESET), (silent, errno.ETIMEDOUT)):
        with serving(script) as server:
            url = Url(server.url().replace("http:", "https:"))
            outcome = perform("http", Http(url, timeout=Seconds(0.5)))
        assert (outcome.success, outcome.stage) == (False, "tls")
        assert outcome.code == code
        assert outcome.reason


def _plain(sock: socket.socket) -> None:
    sock.recv(1)
    sock.sendall(OK)
    silent(sock)


def _hangs_up(sock: socket.socket) -> None:
    sock.recv(1)
    linger(sock)


def test_a_missing_file_of_authorities_is_our_own_trouble(tmp_path: Path) -> None:
    """It says nothing of the server."""
    outcome = perform("http", Http(Url("https://127.0.0.1:1/"), ca=str(tmp_path / "none")))
    assert outcome.success is None
    assert str(tmp_path / "none") in outcome.reason


# ---- a proxy


def test_a_proxy_is_asked_for_the_whole_address() -> None:
    """RFC 9112 §3.2.2: the request line has it, and the server's name need not be resolved here."""
    with serving(answers(OK)) as proxy:
        ask = Http(Url("http://inner.invalid/a?b"), proxy=HostPort(f"127.0.0.1:{proxy.port}"))
        assert perform("http", ask).success
        assert proxy.requests[0].startswith("GET http://inner.invalid/a?b HTTP/1.1\r\nHost: inner.invalid\r\n")


def test_a_proxy_lets_tls_through(tmp_path: Path, root: Identity) -> None:
    """CONNECT, then TLS to the server behind; a refusal fails at `proxy` with its status."""
    files = tls_files(tmp_path, Wish("here"), root)
    with serving(answers(OK), files) as server, serving(_forwards) as proxy:
        ask = Http(server.url(), ca=str(files.ca), proxy=HostPort(f"127.0.0.1:{proxy.port}"))
        outcome = perform("http", ask)
        assert outcome.success, outcome
        assert "tls_ms" in outcome.fields
        assert proxy.requests[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n")
    with serving(answers(answer(407))) as proxy:
        outcome = perform("http", ask._replace(proxy=HostPort(f"127.0.0.1:{proxy.port}")))
        assert (outcome.success, outcome.stage, outcome.code) == (False, "proxy", 407)


def _forwards(sock: socket.socket) -> None:
    """Be a proxy for one exchange."""
    host, _, port = asked(sock).split()[1].rpartition(":")
    with socket.create_connection((host, int(port))) as there:
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        sock.setblocking(False)
        there.settimeout(0.01)
        while True:
            for near, far in ((sock, there), (there, sock)):
                try:
                    piece = near.recv(65536)
                except (BlockingIOError, TimeoutError):
                    continue
                if not piece:
                    return
                far.sendall(piece)


# ---- anything


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.binary(max_size=300), st.builds(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest, st.binary(max_size=300)))
)
def test_any_bytes_give_a_named_outcome(text: bytes) -> None:
    """Whatever a server sends, the probe says works or fails, and never that it is itself broken."""
    outcome = run(answers(text), timeout=Seconds(2), body=Pattern("x"))
    assert outcome.success is not None, outcome.reason
    assert outcome.success or outcome.reason


DER = ssl.PEM_cert_to_DER_cert(issue(Wish("here", begin=NOW, end=NOW + 30 * DAY)).pem)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate_are_refused(der: bytes) -> None:
    """With ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        tls.parse(der)


def test_a_certificate_that_is_cut_off_is_refused() -> None:
    """Wherever it ends, also behind its dates."""
    for size in range(len(DER)):
        with pytest.raises(ValueError, match=r"."):
            tls.parse(DER[:size])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_validity_has_two_dates(count: int) -> None:
    """RFC 5280 §4.1.2.5: from when and until when."""

    def element(tag: int, content: bytes) -> bytes:
        return bytes([tag, len(content)]) + content

    def certificate(dates: int) -> bytes:
        validity = element(0x30, element(0x17, b"260101000000Z") * dates)
        return element(0x30, element(0x30, element(0x02, b"\1") + element(0x30, b"") * 2 + validity))

    assert tls.parse(certificate(2)).begins.year == 2026
    with pytest.raises(ValueError, match="validity"):
        tls.parse(certificate(count))


@pytest.mark.parametrize("day", [b" 1", b"1 ", b"\xb2\xb2", b"00", b"32"])
def test_a_date_is_digits(day: bytes) -> None:
    """What Python would take for a day, but no other reader of certificates does, is refused."""
    date = f"{NOW:%y%m%d%H%M%SZ}".encode()
    assert date in DER
    with pytest.raises(ValueError, match=r"."):
        tls.parse(DER.replace(date, date[:4] + day + date[6:]))


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(0, len(DER) - 1), st.integers(0, 255)), max_size=4))
def test_a_damaged_certificate_has_its_dates_or_is_refused(damage: list[tuple[int, int]]) -> None:
    """What is not the validity may be anything; the dates themselves are read as they stand, or not at all."""
    der = bytearray(DER)
    for at, byte in damage:
        der[at] = byte
    try:
        found = tls.parse(bytes(der))
    except ValueError:
        assert bytes(der) != DER
        return
    for date, was in ((found.begins, NOW), (found.ends, NOW + 30 * DAY)):
        written = [form.encode() for form in (f"{date:%y%m%d%H%M%SZ}", f"{date:%Y%m%d%H%M%SZ}")]
        assert date == was or any(text in der for text in written), date
    assert isinstance(found.days, float)


@pytest.mark.parametrize("year", [1990, 2049, 2050, 9999])
def test_the_dates_of_a_certificate(root: Identity, year: int) -> None:
    """Years to 2049 are written with two digits, later ones with four (RFC 5280 §4.1.2.5)."""
    end = NOW.replace(year=year, month=6, day=1)
    made = issue(Wish("long", begin=end - timedelta(days=400), end=end), root)
    found = tls.parse(ssl.PEM_cert_to_DER_cert(made.pem))
    assert (found.begins, found.ends) == (end - timedelta(days=400), end)
