"""
The store in InfluxDB, through the one path that 1.6 to 1.12, 2.4+ and 3 Core share: line protocol in, InfluxQL out.

    POST /write?db=…&rp=…&precision=ns     204 is durable; anything else is one of the fates below
    GET  /query?db=…&rp=…&q=…&epoch=ns     chunked: a line of JSON at a time, however long the answer

`WriteApi`, `health()` and `/api/v2/*` do not exist on Debian's 1.6.7, and the client's batching mode loses points on
errors; what is used of `influxdb_client` is its transport, and on 2.x its call that creates a bucket.

Run against 1.6.7. The parts for 2.x (`_create_buckets`) and 3 (nothing to create) follow their documentation and were
not run against those servers.
"""

import json
import re
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from enum import Enum
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.rest import ApiException

from collector.store import influxql
from collector.store.base import Poison, StoreMisconfigured, StoreUnavailable
from collector.store.influx_reads import InfluxReads
from contract.measurements import Retention

MAX_LINES = 5000
CONNECT_TIMEOUT_MS = 5_000
WRITE_TIMEOUT_MS = 30_000
READ_TIMEOUT_MS = 300_000  # a count over years says nothing until it is done
POOL_SIZE = 16

# ---- the fates of a request


class _Refused(Exception):
    """The body is not taken as it is: a line in it is bad, or it is too large."""

    def __init__(self, message: str, *, too_large: bool) -> None:
        super().__init__(message)
        self.message = message
        self.too_large = too_large


class _NoAccess(StoreMisconfigured):
    """The database or a retention policy does not exist, or is not ours to use."""


class _Rule(NamedTuple):
    """Which answers need an operator, and what the operator is to do."""

    statuses: Container[int]
    words: re.Pattern[str]
    fate: type[StoreMisconfigured]
    advice: str


# Words of 1.x, 2.x and 3 Core about lines. A 400 in other words is about the request: unknown, so nothing is poison.
_ABOUT_LINES = re.compile(r"partial write|unable to parse|parsing failed|field type conflict|beyond retention")
_LIMIT = re.compile(r"(partial write: )?max-\S+ limit exceeded")
_ANY_WORDS = re.compile("")
_BAD_LINES = (400, 422)
_START_AGAIN = "start the collector again, it creates what is missing"
_FREE_SPACE = "free space on its disk, stop this collector, restart influxd twice, start this collector"
_RULES = (
    _Rule(_BAD_LINES, _LIMIT, StoreMisconfigured, "raise this limit in influxd's configuration, then restart influxd"),
    _Rule((401,), _ANY_WORDS, StoreMisconfigured, "the user or password in the URL of the store is wrong"),
    _Rule((403,), _ANY_WORDS, _NoAccess, "the user of the store lacks a right"),
    _Rule((404,), _ANY_WORDS, _NoAccess, _START_AGAIN),
    _Rule((200, 500), re.compile("(database|retention policy) not found"), _NoAccess, _START_AGAIN),
    # influxd 1.x goes on with this answer when there is space again, until it is restarted. That start cuts a torn
    # entry off its log but goes on writing behind the gap, and the next start cuts off all that was written there: two
    # starts without a write between them lose nothing.
    _Rule((500,), re.compile(".*no space left"), StoreMisconfigured, _FREE_SPACE),
)


def _fate(server: str, status: int, message: str, retry_after: str = "") -> Exception:
    """Return what an answer other than success means; a failure that is not known means: keep, and try again."""
    about_lines = status in _BAD_LINES and _ABOUT_LINES.search(message) and not _LIMIT.match(message)
    if about_lines or status == 413:
        return _Refused(message, too_large=status == 413)
    words = f"{server}: {message} ({status})"
    for rule in _RULES:
        if status in rule.statuses and rule.words.match(message):
            return rule.fate(f"{words}: {rule.advice}")
    return StoreUnavailable(words, float(retry_after) if retry_after.isdecimal() else None)


def _words(body: bytes | str, reason: str) -> str:
    """Return the server's own words of an error, on one line: 1.x says `error`, 2.x `message`, 3 adds `data`."""
    text = body if isinstance(body, str) else body.decode(errors="replace")
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and "data" not in answer:
        text = str(answer.get("error") or answer.get("message") or text)
    return " ".join((text or reason).split())[:500]


# ---- the wire


class _Generation(Enum):
    """What a server can be asked to create."""

    STATEMENTS = "1.x, and engines that speak like it: CREATE DATABASE, CREATE RETENTION POLICY"
    BUCKETS = "2.x: buckets, through its own API"
    NOTHING = "3: a database appears with its first write"


class _Wire:
    """HTTP to one server; the only place that calls `influxdb_client`, which has no types."""

    def __init__(self, server: str, login: str | None) -> None:
        basic: dict[str, Any] = {} if login is None else {"token": login, "auth_basic": True}
        self.server = server
        self._login = login
        self._client: Any = InfluxDBClient(server, connection_pool_maxsize=POOL_SIZE, **basic)
        self._rest: Any = self._client.api_client.rest_client
        self._headers: dict[str, str] = self._client.api_client.default_headers
        self._compress = not _is_loopback(urlsplit(server).hostname or "")

    def write(self, params: dict[str, str], body: bytes) -> None:
        """Send lines; return when they are durable."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._compress:
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)  # 31: a gzip wrapper
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = "gzip"
        answer = self._request("POST", "/write", params, headers=headers, body=body, timeout_ms=WRITE_TIMEOUT_MS)
        with self._explained():
            answer.read()
        if answer.status != 204:  # 200 comes from something that is no InfluxDB, and stored nothing
            raise StoreUnavailable(f"{self.server}: answered {answer.status} to a write, not 204")

    def query(self, params: dict[str, str], method: str = "GET") -> Iterator[influxql.Series]:
        """Yield the series of an InfluxQL query as they arrive; one series may come in several pieces."""
        answer = self._request(method, "/query", {**params, "epoch": "ns", "chunked": "true"})
        unfinished = False
        try:
            for line in self._lines(answer):
                for result in self._results(line):
                    unfinished = result.get("partial", False)
                    yield from result.get("series", ())
        finally:
            answer.close()
        if unfinished:
            raise StoreUnavailable(f"{self.server}: the answer was cut short")

    def generation(self) -> _Generation:
        """Ask the server what it is."""
        answer = self._request("GET", "/ping", {})
        answer.close()
        version = answer.headers.get("X-Influxdb-Version", "").lstrip("v")
        return {"2": _Generation.BUCKETS, "3": _Generation.NOTHING}.get(version[:1], _Generation.STATEMENTS)

    def create_bucket(self, name: str, seconds: int) -> None:
        """Create a bucket in the token's organisation (2.x only)."""
        token = (self._login or "").partition(":")[2]
        with self._explained(), InfluxDBClient(self.server, token=token) as client:
            apis: Any = client
            organisation = apis.organizations_api().find_organizations()[0].id
            rules: Any = BucketRetentionRules(type="expire", every_seconds=seconds)
            apis.buckets_api().create_bucket(bucket_name=name, org=organisation, retention_rules=rules)

    def close(self) -> None:
        """Close the pool of connections."""
        self._rest.pool_manager.clear()

    def _request(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        timeout_ms: int = READ_TIMEOUT_MS,
    ) -> Any:
        """Return the answer, its body not yet read."""
        with self._explained():
            return self._rest.request(
                method,
                self.server + path,
                query_params=params,
                body=body,
                _preload_content=False,
                headers={"Content-Type": "text/plain", **self._headers, **(headers or {})},
                _request_timeout=(CONNECT_TIMEOUT_MS, timeout_ms),
            )

    def _lines(self, answer: Any) -> Iterator[bytes]:
        rest = b""
        with self._explained():
            for part in answer.stream(1 << 20):
                *whole, rest = (rest + part).split(b"\n")
                yield from whole
        yield rest

    def _results(self, line: bytes) -> list[dict[str, Any]]:
        """Return the results of one line of an answer; raise what an error in it means."""
        try:
            answer = json.loads(line) if line.strip() else {"results": []}
            results = [answer] if "error" in answer else list(answer["results"])
        except (ValueError, KeyError, TypeError):
            raise StoreUnavailable(f"{self.server}: no answer to a query: {line[:200]!r}") from None
        for result in results:
            if "error" in result:
                raise _fate(self.server, 200, result["error"])
        return results

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the transport into the fates of a request."""
        try:
            yield
        except ApiException as error:
            headers: Any = error.headers or {}
            words = _words(error.body or b"", error.reason or "")
            raise _fate(self.server, error.status or 0, words, headers.get("Retry-After", "")) from None
        except urllib3.exceptions.HTTPError as error:
            raise StoreUnavailable(f"{self.server}: {error}") from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# ---- the store


class InfluxStore(InfluxReads):
    """
    A store in one database of an InfluxDB server (`http://host:8086`), in two retention policies.

    `login` is `user:password`, for 2.4+ and 3 `any:TOKEN`. Use from any number of threads: each request takes a
    connection of the pool.
    """

    def __init__(self, server: str, database: str, login: str | None = None) -> None:
        self.server = server
        self.database = database
        self.login = login
        self._wire = _Wire(server, login)

    def prepare(self) -> None:
        """
        Create the database and the retention policies (1.x) or the buckets (2.x) that are missing.

        A policy that keeps data for longer than is asked stays as it is, a shorter one is lengthened: never is data
        deleted here. Where all is in place no right to create is needed; where it is lacking, StoreMisconfigured
        gives the statements for an administrator.
        """
        generation = self._wire.generation()
        if generation is _Generation.NOTHING:
            return
        try:
            policies = self._policies()
        except _NoAccess:
            policies = {}
        if generation is _Generation.BUCKETS:
            self._create_buckets([kind for kind in Retention if kind not in policies])
        else:
            self._create_policies(policies)

    def ready(self) -> None:
        """Return when the server answers and has what `prepare` creates; raise StoreError when not."""
        if self._wire.generation() is _Generation.NOTHING:
            return
        if missing := [kind for kind in Retention if kind not in self._policies()]:
            raise _fate(self.server, 404, f"retention policy {missing[0]} of {self.database} not found")

    def write(self, retention: Retention, lines: bytes) -> list[Poison]:
        """Store lines, durable when it returns; return those that the server refuses, with its words."""
        if lines.count(b"\n") <= MAX_LINES:
            return self._write(retention, [lines])
        single = [line + b"\n" for line in lines.split(b"\n") if line]
        pieces = (single[at : at + MAX_LINES] for at in range(0, len(single), MAX_LINES))
        return [poison for piece in pieces for poison in self._write(retention, piece)]

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._wire.close()

    def _query(self, retention: Retention, text: str) -> Iterator[influxql.Series]:
        return self._wire.query({"db": self.database, "rp": retention, "q": text})

    def _write(self, retention: Retention, lines: list[bytes]) -> list[Poison]:
        """
        Send lines in one request, and by halves when the server refuses them.

        On 1.x the good lines of a refused write are stored already, 2.x and 3 may have stored none: sending again is
        right on both. The server names only the first bad line, and its `dropped=N` is not to be trusted.
        """
        try:
            self._wire.write({"db": self.database, "rp": retention, "precision": "ns"}, b"".join(lines))
        except _Refused as refused:
            lines = [line + b"\n" for line in b"".join(lines).split(b"\n") if line]
            if len(lines) > 1:
                half = len(lines) // 2
                return self._write(retention, lines[:half]) + self._write(retention, lines[half:])
            if refused.too_large:
                raise StoreMisconfigured(f"{refused.message}: one line alone is too large for this server") from None
            return [Poison(line.removesuffix(b"\n"), refused.message) for line in lines]
        return []

    def _policies(self) -> dict[str, str]:
        """Return the duration of each retention policy, or on 2.x of each bucket of the database."""
        text = f"SHOW RETENTION POLICIES ON {influxql.name(self.database)}"
        pieces = self._wire.query({"db": self.database, "q": text})
        return {values[0]: values[1] for piece in pieces for values in piece.get("values", ())}

    def _create_policies(self, policies: dict[str, str]) -> None:
        database = influxql.name(self.database)
        statements = [] if policies else [f"CREATE DATABASE {database}"]
        for kind in Retention:
            policy = (
                f"RETENTION POLICY {influxql.name(kind)} ON {database} DURATION {influxql.seconds_kept(kind) // 3600}h"
            )
            if kind not in policies:
                default = " DEFAULT" if kind is Retention.EVIDENCE else ""
                statements.append(f"CREATE {policy} REPLICATION 1{default}")
            elif influxql.seconds(policies[kind]) < influxql.seconds_kept(kind):
                statements.append(f"ALTER {policy}")
        try:
            for statement in statements:
                list(self._wire.query({"q": statement}, "POST"))
        except _NoAccess as error:
            if self.login:
                statements.append(f"GRANT ALL ON {database} TO {influxql.name(self.login.partition(':')[0])}")
            raise StoreMisconfigured(f"{error}; an administrator runs: {'; '.join(statements)}") from None

    def _create_buckets(self, kinds: list[Retention]) -> None:
        wanted = {f"{self.database}/{kind}": influxql.seconds_kept(kind) for kind in kinds}
        try:
            for name, seconds in wanted.items():
                self._wire.create_bucket(name, seconds)
        except (StoreMisconfigured, _Refused, IndexError) as error:
            commands = [f"influx bucket create --name {name} --retention {s // 3600}h" for name, s in wanted.items()]
            raise StoreMisconfigured(f"{error}; an administrator runs: {'; '.join(commands)}") from None
