"""
The centre as the roles set it up, on a factory Debian: what runs, who reaches it, who may do what in it.

It is the centre of the estate that the rollout's tests use; where these come first, or alone, they set it up.
"""

import json
import re
from collections.abc import Iterable, Iterator

import pytest

from tests.lab.estate import NAME, Estate
from tests.lab.hosts import Host
from tests.processes import wait_until

SERVICES = ("mosquitto", "influxdb", "santong-collect", "santong-watch", "santong-board", "santong-depot")
NIGHTLY = ("santong-verify", "santong-roots", "santong-backup", "santong-renew", "santong-rollout")
SSH, WEBSOCKET, DEPOT, BOARD, MQTT = 22, 443, 8443, 8444, 8883
MOST_EXPOSED = 3.0  # of the 10 of systemd-analyze security
TLS = "/etc/santong/tls"
SITES = "id,name,kind,area\n441802-3144001234,第一小学,school,urban\n"
DEVICES = "id,role,class_name,reach\n441802-3144001234.c0701,classroom,初一(1)班,none\n"
USERS = ("santong", "santong-reader", "grafana")


@pytest.fixture(scope="module")
def centre(estate: Estate) -> Iterator[Host]:
    """Give the centre's host with everything on it, evidence of its own included."""
    host = estate.centre
    if host.run(["systemctl", "cat", "santong-collect.service"], check=False).returncode:
        estate.variables(f"---\nsantong_centre_name: {NAME}\n")
        host.write("/root/sites.csv", SITES)
        host.write("/root/devices.csv", DEVICES)
        imports = ("santong", "roster", "import", "/root/sites.csv", "/root/devices.csv", "--yes")
        host.run(["env", "LC_ALL=C.UTF-8", "SANTONG_DATA=/var/lib/santong", *imports], 60)
        done = estate.play("centre.yml")
        print(f"centre.yml: {done.seconds:.0f} s, {done.changed} changed")
        again = estate.play("centre.yml")
        print(f"again: {again.seconds:.0f} s")
        assert (again.changed, again.failed) == (0, {}), again.tasks("changed")
        rehearsal = estate.play("centre.yml", "--check")
        assert (rehearsal.changed, rehearsal.failed) == (0, {}), rehearsal.tasks("changed")
    host.run(["apt-get", "-qq", "install", "-y", "curl"], 120)
    yield host


def curl(host: Host, url: str, *options: str) -> tuple[int, str]:
    """Return status and body; the status is 0 where there is no answer."""
    words = ("curl", "-sS", "--cacert", f"{TLS}/ca.crt", "-w", "\n%{http_code}", "--max-time", "20", *options, url)
    body, _, status = host.run(list(words), 30, check=False).stdout.rpartition("\n")
    return int(status or 0), body


def secret(host: Host, name: str) -> str:
    """Return a password that the roles made."""
    return host.run(["cat", f"/etc/santong/secrets/{name}"]).stdout.strip()


def query(host: Host, user: str, text: str) -> tuple[int, str]:
    """Ask InfluxDB something as a user, or as nobody."""
    login = ("-u", f"{user}:{secret(host, f'influxdb-{user}')}") if user else ()
    return curl(host, "http://127.0.0.1:8086/query", *login, "--data-urlencode", f"q={text}")


def properties(host: Host, unit: str, *names: str) -> dict[str, str]:
    """Return properties of a unit."""
    words = host.run(["systemctl", "show", unit, *(f"--property={name}" for name in names)]).stdout
    return dict(line.split("=", 1) for line in words.splitlines())


# ---- what runs


def test_everything_runs(centre: Host) -> None:
    """All services are there, now and at the next boot, none started again and again; nothing has failed."""
    for unit in SERVICES:
        assert centre.run(["systemctl", "is-active", unit], check=False).stdout == "active\n", unit
        assert centre.run(["systemctl", "is-enabled", unit], check=False).stdout == "enabled\n", unit
        assert properties(centre, unit, "SubState", "Result") == {"SubState": "running", "Result": "success"}, unit
    for unit in NIGHTLY:
        assert centre.run(["systemctl", "is-active", f"{unit}.timer"], check=False).stdout == "active\n", unit
    assert centre.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout == ""
    assert "receiving from mqtts://" in centre.run(["journalctl", "-u", "santong-collect", "-o", "cat"]).stdout


def test_only_these_ports_are_open_outside(centre: Host) -> None:
    """From outside SSH, MQTT, WebSocket, depot and board are reached, and nothing else; there is no plain 1883."""
    rows = [row.split() for row in centre.run(["ss", "-Hltn"]).stdout.splitlines()]
    addresses = {row[3].rpartition(":")[::2] for row in rows}
    outside = {int(port) for address, port in addresses if not re.match(r"127\.|\[::1\]", address)}
    assert outside == {SSH, WEBSOCKET, DEPOT, BOARD, MQTT}


def test_units_are_hardened(centre: Host) -> None:
    """What each unit leaves open is little: 3.0 or less of systemd's 10."""
    figures = dict(exposures(centre, (*SERVICES, *NIGHTLY)))
    print("\n".join(f"{unit}: {figure}" for unit, figure in figures.items()))
    assert all(figure <= MOST_EXPOSED for figure in figures.values()), figures


def test_systemd_understands_every_unit(centre: Host) -> None:
    """No line of a unit is passed over because it cannot be read."""
    files = [f"/etc/systemd/system/{unit}.{kind}" for unit in NIGHTLY for kind in ("service", "timer")]
    units = [f"/etc/systemd/system/{unit}.service" for unit in SERVICES if unit.startswith("santong")]
    done = centre.run(
        ["systemd-analyze", "--man=no", "verify", *files, *units, "mosquitto.service", "influxdb.service"],
        60,
        check=False,
    )
    said = centre.run(["journalctl", "-b", "-o", "cat", "_PID=1", "--grep", "ignoring"], check=False).stdout
    assert not re.findall(r".*(?:santong|mosquitto|influxdb).*", done.stderr + said)


def exposures(host: Host, units: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Yield what `systemd-analyze security` says of units."""
    for unit in units:
        words = host.run(["systemd-analyze", "security", "--no-pager", f"{unit}.service"]).stdout
        yield unit, float(words.rpartition("Overall exposure level for")[2].split()[1])


@pytest.mark.parametrize("unit", NIGHTLY)
def test_what_is_done_each_night_can_be_done(centre: Host, unit: str) -> None:
    """Under its limits each program reaches all that it needs: store, data, authority."""
    done = centre.run(["systemctl", "start", f"{unit}.service"], 180, check=False)
    said = centre.run(["journalctl", "-u", f"{unit}.service", "-o", "cat", "-n", "20"]).stdout
    assert done.returncode == 0, said
    assert properties(centre, f"{unit}.service", "Result") == {"Result": "success"}, said


def test_a_backup_of_the_night_is_complete(centre: Host) -> None:
    """It has authority, settings, data and the store."""
    centre.run(["systemctl", "start", "santong-backup.service"], 180)
    newest = centre.run(["sh", "-c", "ls -t /var/backups/santong/* | head -n 1"]).stdout.strip()
    words = ("/opt/santong/centre/current/bin/santong", "backup", "check", newest, "--json")
    found = json.loads(centre.run(["env", "LC_ALL=C.UTF-8", *words], 60).stdout)
    assert {"authority", "config/1", "data"} <= found["places"].keys(), found
    assert found["store"]["kind"] == "lines" and sum(found["store"]["points"].values()), found


# ---- who may do what


def test_nobody_reads_the_store_without_a_password(centre: Host) -> None:
    """InfluxDB answers nobody; passwords are root's alone, and each user has no more rights than it needs."""
    assert query(centre, "", "SHOW DATABASES")[0] == 401
    modes = centre.run(["sh", "-c", "stat -c '%a %U' /etc/santong/secrets/* /etc/santong/*.env"]).stdout.splitlines()
    assert set(modes) == {"600 root"}
    for user in USERS:
        assert query(centre, user, "SELECT * FROM santong.evidence.presence LIMIT 1")[0] == 200
        for statement in ("CREATE DATABASE other", "DROP DATABASE santong", 'DROP USER "grafana"'):
            assert query(centre, user, statement)[0] == 403, (user, statement)
    line = ("--data-binary", "presence,device=x value=1")
    where = "http://127.0.0.1:8086/write?db=santong"
    for user in ("santong-reader", "grafana"):
        assert curl(centre, where, "-u", f"{user}:{secret(centre, f'influxdb-{user}')}", *line)[0] == 403


def test_the_collector_stores_evidence(centre: Host) -> None:
    """What the collector counts of itself is in the store within two minutes, where the reader finds it."""

    def stored() -> bool:
        answer = json.loads(query(centre, "santong-reader", "SELECT last(received) FROM santong.telemetry.centre")[1])
        return bool(answer["results"][0].get("series"))

    wait_until(stored, 120)


def test_the_board_asks_for_a_login(centre: Host) -> None:
    """Over TLS, with a certificate of the authority: nothing without a login, all with that of the first user."""
    url = f"https://{NAME}:{BOARD}"
    assert curl(centre, f"{url}/api/v1/roster")[0] == 401
    login = ("-u", f"admin:{secret(centre, 'board-admin')}")
    assert curl(centre, f"{url}/api/v1/roster", *login)[0] == 200
    assert curl(centre, f"http://{NAME}:{BOARD}/")[0] == 400, "no plain HTTP"
    assert curl(centre, "http://127.0.0.1:8080/api/v1/roster")[0] in {401, 403}, "not even here"


def test_the_depot_gives_files_and_nothing_else(centre: Host) -> None:
    """A file is fetched; a folder, what is hidden or half-written, and whatever is no GET, are refused."""
    url = f"https://{NAME}:{DEPOT}"
    for name in ("try.json", "part.json.new", ".hidden"):
        centre.write(f"/var/lib/santong-depot/{name}", "{}")
    assert curl(centre, f"{url}/try.json") == (200, "{}")
    for path in ("/", "/part.json.new", "/.hidden", "/../etc/passwd", "/none"):
        assert curl(centre, f"{url}{path}", "--path-as-is")[0] in {400, 404}, path
    assert curl(centre, f"{url}/try.json", "-X", "PUT", "-d", "x")[0] in {403, 405}
    assert curl(centre, f"{url}/try.json", "--tls-max", "1.1")[0] == 0
    centre.run(
        ["sh", "-c", "rm /var/lib/santong-depot/try.json /var/lib/santong-depot/*.new /var/lib/santong-depot/.hidden"]
    )


def test_a_certificate_that_soon_expires_is_renewed(centre: Host) -> None:
    """Each night's look brings the new one to whoever shows it, and the broker lets it in."""
    file = f"{TLS}/santong-collector.crt"
    before = centre.run(["cat", file]).stdout
    key = centre.run(["sha256sum", f"{TLS}/santong-collector.key"]).stdout
    started = properties(centre, "santong-collect", "ExecMainStartTimestampMonotonic")
    centre.run(["santong", "ca", "renew", "santong-collector"], 60)
    centre.run(["systemctl", "start", "santong-renew.service"], 120)
    assert centre.run(["cat", file]).stdout != before
    assert centre.run(["sha256sum", f"{TLS}/santong-collector.key"]).stdout == key
    assert centre.run(["stat", "-c", "%a %U %G", file]).stdout == "640 root santong\n"
    assert properties(centre, "santong-collect", "ExecMainStartTimestampMonotonic") != started
    pid = properties(centre, "santong-collect", "MainPID")["MainPID"]
    said = ["journalctl", f"_PID={pid}", "-o", "cat"]
    wait_until(lambda: "receiving from" in centre.run(said).stdout, 30, lambda: centre.run(said).stdout)
