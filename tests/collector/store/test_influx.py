"""
What only InfluxDB has: passwords, policies, faults of configuration, fates of a request, kill -9.

Against a real influxd, except where `double` stands in for answers that it does not give on demand.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.store.base import Row, Store, StoreError, StoreMisconfigured, StoreUnavailable
from collector.store.open import open_store
from contract.measurements import Retention
from tests.collector.store.double import Answer, Asked, double, error, results
from tests.collector.store.points import ALL, BASE_NS, DAY_NS, DEVICE, MINUTE_NS, body, line, presence
from tests.services import Influxd

MANY = body("presence", presence(range(100)))
ONE = body("presence", presence([0]))


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open a store for the length of a `with` block."""
    with closing(open_store(url)) as store:
        yield store


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Influxd]:
    """Run an influxd that asks for a password."""
    server = Influxd(tmp_path / "guarded", auth=True)
    server.start()
    yield server
    server.stop()


# ---- passwords and rights


def test_a_password_with_reserved_characters_opens_the_store(guarded: Influxd) -> None:
    """A percent-encoded password reaches the server as it was meant."""
    with opened(guarded.url("santong")) as store:
        store.prepare()
        store.ready()
        assert store.write(*MANY) == []
        assert len(list(store.select("presence", *ALL))) == 100


@pytest.mark.parametrize("login", [None, ("admin", "wrong-secret"), ("nobody", "wrong-secret")])
def test_a_wrong_password_is_the_operators_business(guarded: Influxd, login: tuple[str, str] | None) -> None:
    """A wrong or missing password keeps the data and says so without showing what was tried."""
    guarded.query("CREATE DATABASE santong")
    url = guarded.url("santong", *login) if login else f"influxdb://127.0.0.1:{guarded.port}/santong"
    with opened(url) as store:
        for attempt in _everything(store):
            with pytest.raises(StoreMisconfigured, match="user or password") as caught:
                attempt()
            assert "wrong-secret" not in str(caught.value)


def _everything(store: Store) -> list[Callable[[], object]]:
    """Return every call that reaches the server."""
    return [
        store.prepare,
        store.ready,
        lambda: store.write(*ONE),
        lambda: store.devices(*ALL),
        lambda: list(store.select("presence", *ALL)),
        lambda: list(store.latest("presence", *ALL)),
        lambda: list(store.summarise("presence", *ALL)),
        lambda: list(store.tracks("presence", ["lan"], *ALL)),
        lambda: list(store.tracks("presence", ["lan"], *ALL, [DEVICE])),
        lambda: list(store.last_before("presence", ["lan"], BASE_NS)),
        lambda: list(store.first_from("presence", ["lan"], BASE_NS, [DEVICE])),
        lambda: list(store.presences(*ALL, [DEVICE])),
        lambda: list(store.readings("display", "power", *ALL)),
        lambda: list(store.late(*ALL)),
    ]


def test_without_the_right_to_create_the_statements_are_given(guarded: Influxd) -> None:
    """The message has what an administrator must run; once that is done, no such right is needed."""
    guarded.query("CREATE USER santong WITH PASSWORD 'pw'")
    with opened(guarded.url("evidence db", "santong", "pw")) as store:
        with pytest.raises(StoreMisconfigured, match="an administrator runs: ") as caught:
            store.prepare()
        statements = str(caught.value).partition("an administrator runs: ")[2].split("; ")
        assert [statement.split(" ")[0] for statement in statements] == ["CREATE", "CREATE", "CREATE", "GRANT"]
        for statement in statements:
            guarded.query(statement)
        store.prepare()
        store.ready()
        assert store.write(*MANY) == []


def test_a_user_of_another_database_is_refused(guarded: Influxd) -> None:
    """A user without any right here is told so, and the data is kept."""
    guarded.query("CREATE DATABASE santong")
    guarded.query("CREATE USER stranger WITH PASSWORD 'pw'")
    with opened(guarded.url("santong", "stranger", "pw")) as store:
        for attempt in _everything(store):
            with pytest.raises(StoreMisconfigured, match="lacks a right"):
                attempt()


# ---- what prepare creates, and what is missing without it


def _policies(server: Influxd, database: str) -> dict[str, tuple[str, bool]]:
    (shown,) = server.query(f'SHOW RETENTION POLICIES ON "{database}"')
    return {name: (duration, default) for name, duration, _, _, default in shown["values"]}


def test_prepare_creates_both_policies(influxd: Influxd) -> None:
    """Evidence is kept three years and telemetry 35 days; a Grafana query without a policy reads evidence."""
    with opened(influxd.url("santong")) as store:
        store.prepare()
    found = _policies(influxd, "santong")
    assert found["evidence"] == ("26304h0m0s", True)
    assert found["telemetry"] == ("840h0m0s", False)


def test_prepare_lengthens_a_policy_and_never_shortens_one(influxd: Influxd) -> None:
    """A policy that would delete too early is lengthened; what an operator keeps for longer stays."""
    influxd.query("CREATE DATABASE santong")
    influxd.query("CREATE RETENTION POLICY evidence ON santong DURATION 52w REPLICATION 1")
    influxd.query("CREATE RETENTION POLICY telemetry ON santong DURATION INF REPLICATION 1")
    with opened(influxd.url("santong")) as store:
        store.prepare()
    found = _policies(influxd, "santong")
    assert found["evidence"] == ("26304h0m0s", False)
    assert found["telemetry"] == ("0s", False)


@pytest.mark.parametrize("drop", ["DATABASE santong", "RETENTION POLICY evidence ON santong"])
def test_what_is_missing_is_named_and_nothing_lost(influxd: Influxd, drop: str) -> None:
    """A database or policy dropped under a running collector pauses it; `prepare` puts it right."""
    with opened(influxd.url("santong")) as store:
        store.prepare()
        influxd.query(f"DROP {drop}")
        for attempt in _everything(store)[1:]:
            with pytest.raises(StoreMisconfigured, match=r"not found.*start the collector again"):
                attempt()
        store.prepare()
        assert store.write(*MANY) == []


def test_a_limit_of_the_server_is_no_fault_of_the_lines(tmp_path: Path) -> None:
    """At its limit of series influxd refuses good lines: they are kept, and the operator told which limit."""
    server = Influxd(tmp_path / "small", data=("max-series-per-database = 3",))
    server.start()
    try:
        with opened(server.url("santong")) as store:
            store.prepare()
            points = [point for at in range(5) for point in presence([0], f"441802-1.c{at}")]
            with pytest.raises(StoreMisconfigured, match=r"max-series-per-database.*raise this limit"):
                store.write(*body("presence", points))
    finally:
        server.stop()


# ---- a server that goes and comes back


def test_a_stopped_server_is_unavailable_and_forgotten_when_back(influxd: Influxd) -> None:
    """While the server is away everything says so; when it is back the same store goes on."""
    with opened(influxd.url("santong")) as store:
        store.prepare()
        store.write(*MANY)
        influxd.stop()
        for attempt in _everything(store):
            with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{influxd.port}"):
                attempt()
        influxd.start()
        store.ready()
        assert store.write(*ONE) == []
        assert len(list(store.select("presence", *ALL))) == 100


def test_what_was_accepted_survives_kill_9(influxd: Influxd) -> None:
    """Whenever influxd is killed, every body that `write` returned for is there afterwards, once."""
    bodies = [presence(range(at, at + 50)) for at in range(-50_000, 0, 50)]
    accepted: list[list[Row]] = []
    with opened(influxd.url("santong")) as store:
        store.prepare()
        for _ in range(3):
            killer = threading.Timer(0.15, influxd.kill)
            killer.start()
            for points in bodies[len(accepted) :]:
                try:
                    assert store.write(*body("presence", points)) == []
                except StoreUnavailable:
                    break
                accepted.append(points)
            killer.join()
            influxd.start()
        assert accepted
        wanted = {point.time_ns for points in accepted for point in points}
        found = [row.time_ns for row in store.select("presence", BASE_NS - 50 * DAY_NS, BASE_NS)]
    assert wanted <= set(found)
    assert len(found) == len(set(found))


def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    """A server that cannot be reached is no reason to give data up."""
    with opened("influxdb://santong.invalid/db") as store, pytest.raises(StoreUnavailable, match=r"santong\.invalid"):
        store.write(*ONE)


# ---- lines


def test_poison_is_named_in_the_servers_own_words(influxd: Influxd) -> None:
    """Each refused line has the reason that influxd gives for this very line."""
    with opened(influxd.url("santong")) as store:
        store.prepare()
        store.write(*ONE)
        lines = [line("presence", point) for point in presence(range(1, 1000))]
        lines[10] = lines[10].replace(b"lan=1i", b'lan="up"')
        lines[500] = lines[500][:-20] + b"1064000000000000000\n"
        lines[501] = lines[501].replace(b"lan=1i", b"lan=oops")
        poison = store.write(Retention.EVIDENCE, b"".join(lines))
        assert [item.line + b"\n" for item in poison] == [lines[10], lines[500], lines[501]]
        assert "field type conflict" in poison[0].message
        assert "beyond retention policy" in poison[1].message
        assert "invalid boolean" in poison[2].message
        assert len(list(store.select("presence", *ALL))) == 1000 - 3


def test_bodies_are_packed_across_a_network(influxd: Influxd) -> None:
    """To a server that is not this machine lines go as gzip, which a real influxd unpacks."""
    # 0.0.0.0 is no loopback address by name, yet never leaves this machine.
    with opened(f"influxdb://0.0.0.0:{influxd.port}/santong") as store:
        store.prepare()
        assert store.write(*MANY) == []
        assert len(list(store.select("presence", *ALL))) == 100


def test_series_of_strangers_are_read_as_one(influxd: Influxd) -> None:
    """Points that differ in other tags than identity and own tags are one point: each instant is seen once."""
    with opened(influxd.url("santong")) as store:
        store.prepare()
        at = BASE_NS + MINUTE_NS
        store.write(
            Retention.EVIDENCE,
            f"presence,device={DEVICE},site=elsewhere lan=1i {BASE_NS}\n"
            f"presence,device={DEVICE},agent={DEVICE} wan=1i {BASE_NS}\n"
            f"presence,device={DEVICE} wan=0i {at}\n".encode(),
        )
        rows = list(store.select("presence", *ALL))
        assert [(row.source, row.time_ns, row.fields) for row in rows] == [
            (DEVICE, BASE_NS, {"lan": 1, "wan": 1}),
            (DEVICE, at, {"wan": 0}),
        ]
        assert list(store.latest("presence", *ALL)) == rows[1:]


# ---- answers on demand: from here on the server is a double, no InfluxDB


def _says(answer: Answer) -> Callable[[Asked], Answer]:
    return lambda _: answer


NO_SPACE = "engine: error writing WAL entry: write /var/lib/influxdb/wal/_00002.wal: no space left on device"


@pytest.mark.parametrize(
    ("answer", "fate", "says", "wait_s"),
    [
        (error(503, "overloaded", ("Retry-After", "7")), StoreUnavailable, "overloaded", 7.0),
        (Answer(503), StoreUnavailable, "Service Unavailable", None),
        (error(429, "slow down", ("Retry-After", "30")), StoreUnavailable, "slow down", 30.0),
        (
            error(429, "slow down", ("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")),
            StoreUnavailable,
            "slow down",
            None,
        ),
        (error(408, "timeout"), StoreUnavailable, "timeout", None),
        (error(500, "timeout"), StoreUnavailable, "timeout", None),
        (error(500, NO_SPACE), StoreMisconfigured, "free space .* restart influxd twice", None),
        (Answer(502, b"<html>\n<h1>Bad \xff Gateway</h1>"), StoreUnavailable, "Gateway", None),
        (Answer(302, b"", (("Location", "http://127.0.0.1:9/login"),)), StoreUnavailable, "302", None),
        (Answer(200, b"<html>log in</html>"), StoreUnavailable, "200 to a write", None),
        (error(400, "database is required"), StoreUnavailable, "database is required", None),
        (Answer(404, b"404 page not found"), StoreMisconfigured, "page not found", None),
    ],
)
def test_answers_that_keep_the_data(answer: Answer, fate: type[StoreError], says: str, wait_s: float | None) -> None:
    """An answer that does not name a bad line never makes a line poison: it is kept, once, for later."""
    with double(_says(answer)) as server, opened(server.url) as store:
        with pytest.raises(fate, match=says) as caught:
            store.write(*MANY)
        assert getattr(caught.value, "retry_after_s", None) == wait_s
        assert "\n" not in str(caught.value)
        assert "TOKEN" not in str(caught.value)
        assert len(server.asked) == 1


def test_a_body_that_is_too_large_is_halved() -> None:
    """413 is answered with halves, until all lines are through."""
    _, lines = MANY
    with double(lambda asked: Answer(413 if len(asked.body) > 5000 else 204)) as server, opened(server.url) as store:
        assert store.write(*MANY) == []
        assert b"".join(asked.body for asked in server.asked if len(asked.body) <= 5000) == lines


def test_one_line_that_is_too_large_is_the_operators_business() -> None:
    """A line within our limits is no poison because a proxy takes less."""
    with (
        double(_says(Answer(413))) as server,
        opened(server.url) as store,
        pytest.raises(StoreMisconfigured, match="one line alone"),
    ):
        store.write(*ONE)


def test_a_server_that_stores_nothing_of_a_bad_body_gets_the_rest_again() -> None:
    """2.x and 3 refuse a whole body for one line: the good lines are sent again, the bad one is named."""
    _, lines = MANY
    good = lines.splitlines(keepends=True)
    bad = good[42].replace(b"lan=1i", b"lan=0.5")
    words = b'{"code":"unprocessable entity","message":"failure writing points to database: field type conflict"}'

    def answer(asked: Asked) -> Answer:
        return Answer(422, words) if bad in asked.body else Answer(204)

    with double(answer) as server, opened(server.url) as store:
        poison = store.write(Retention.EVIDENCE, b"".join([*good[:42], bad, *good[43:]]))
        assert [(item.line, "field type conflict" in item.message) for item in poison] == [(bad[:-1], True)]
        through = b"".join(asked.body for asked in server.asked if bad not in asked.body)
        assert through == b"".join([*good[:42], *good[43:]])


def test_a_request_says_what_influxdb_needs_to_know() -> None:
    """Database, policy, precision and login are in every write; at most 5,000 lines, not packed on loopback."""
    with double(_says(Answer(204))) as server, opened(server.url) as store:
        store.write(*body("presence", presence(range(5001))))
        assert [asked.body.count(b"\n") for asked in server.asked] == [5000, 1]
        for asked in server.asked:
            assert (asked.method, asked.path) == ("POST", "/write")
            assert asked.params == {"db": "santong", "rp": "evidence", "precision": "ns"}
            assert asked.headers["Authorization"] == "Basic YW55OlRPS0VO"
            assert "Content-Encoding" not in asked.headers


SERIES = {
    "name": "presence",
    "tags": {"device": DEVICE},
    "columns": ["time"],
    "values": [[BASE_NS, "b", 1, 0, 1, 1, 1, None]],
}


@pytest.mark.parametrize(
    "answer",
    [
        results({"series": [SERIES], "partial": True}),
        results({"series": [SERIES], "partial": True}, {"error": "query-timeout limit exceeded"}),
        results({"series": [SERIES]}, {"series": [{**SERIES, "tags": {"device": "441802-1.c1"}}]}),
        results({"series": [SERIES]})._replace(cut=True),
        Answer(200, b"<html>log in</html>"),
        Answer(200, b'{"results": null}\n'),
        Answer(200, b'{"error": "query interrupted"}\n'),
        Answer(503),
    ],
    ids=["partial", "error", "disorder", "cut", "html", "null", "interrupted", "away"],
)
def test_half_an_answer_is_never_taken_for_a_whole_one(answer: Answer) -> None:
    """An answer that ends early, in error or out of order is an error: missing rows would be a false verdict."""
    with double(_says(answer)) as server, opened(server.url) as store, pytest.raises(StoreUnavailable):
        list(store.select("presence", *ALL))


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "tracks": lambda store: list(store.tracks("presence", ["lan"], *ALL, [DEVICE])),
    "tracks of all": lambda store: list(store.tracks("presence", ["lan"], *ALL)),
    "last before": lambda store: list(store.last_before("presence", ["lan"], BASE_NS, [DEVICE])),
    "presences": lambda store: list(store.presences(*ALL, [DEVICE])),
    "readings": lambda store: list(store.readings("display", "power", *ALL, devices=[DEVICE])),
    "late": lambda store: list(store.late(*ALL)),
}
LEAN = {**SERIES, "values": [[BASE_NS, 1, 1]]}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize(
    "answer",
    [
        results({"series": [LEAN], "partial": True}),
        results({"series": [LEAN]}, {"error": "query-timeout limit exceeded"}),
        results({"series": [LEAN]})._replace(cut=True),
        Answer(503),
    ],
    ids=["partial", "error", "cut", "away"],
)
def test_half_an_answer_is_no_answer_to_verification(answer: Answer, question: Callable[[Store], object]) -> None:
    """Evidence that the server did not send is never taken for a gap: the question fails as a whole."""
    with double(_says(answer)) as server, opened(server.url) as store, pytest.raises(StoreUnavailable):
        question(store)


def _second_generation(*, may_create: bool) -> Callable[[Asked], Answer]:
    """Answer as the documentation of InfluxDB 2.7 says; it was not available to run."""
    buckets: dict[str, Any] = {}

    def answer(asked: Asked) -> Answer:
        if asked.path == "/ping":
            return Answer(204, headers=(("X-Influxdb-Version", "v2.7.1"),))
        if asked.path == "/query":
            names = [name.partition("/")[2] for name in buckets]
            return results({"series": [{"values": [[name, "0s"] for name in names]}]})
        if asked.path == "/api/v2/orgs":
            return Answer(200, b'{"orgs":[{"id":"0123456789abcdef","name":"county"}]}')
        if asked.path == "/api/v2/buckets" and may_create:
            bucket = json.loads(asked.body)
            buckets[bucket["name"]] = bucket
            return Answer(201, asked.body)
        return Answer(403, b'{"code":"forbidden","message":"insufficient permissions"}')

    return answer


def test_buckets_are_created_on_2x() -> None:
    """On 2.x `prepare` creates two buckets by their retention, through the API and with the token."""
    with double(_second_generation(may_create=True)) as server, opened(server.url) as store:
        store.prepare()
        store.ready()
        created = [asked for asked in server.asked if asked.path == "/api/v2/buckets"]
        assert [json.loads(asked.body)["name"] for asked in created] == ["santong/evidence", "santong/telemetry"]
        assert {asked.headers["Authorization"] for asked in created} == {"Token TOKEN"}
        store.prepare()
        assert len([asked for asked in server.asked if asked.path == "/api/v2/buckets"]) == 2


def test_the_commands_are_given_where_buckets_may_not_be_created() -> None:
    """With a token that may not create, the message has the two commands for an administrator."""
    with double(_second_generation(may_create=False)) as server, opened(server.url) as store:
        with pytest.raises(StoreMisconfigured) as caught:
            store.prepare()
        for name, hours in (("evidence", 26304), ("telemetry", 840)):
            assert f"influx bucket create --name santong/{name} --retention {hours}h" in str(caught.value)


def test_nothing_is_created_on_3() -> None:
    """On 3 databases appear with the first write: `prepare` and `ready` only ask what the server is."""
    with double(_says(Answer(200, headers=(("X-Influxdb-Version", "3.1.0"),)))) as server, opened(server.url) as store:
        store.prepare()
        store.ready()
        assert {asked.path for asked in server.asked} == {"/ping"}
