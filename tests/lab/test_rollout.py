"""
The life of an estate, on real hosts: a centre and three classrooms, from nothing to a retired device.

Everything is done as a technician does it: a roster, one file of variables, playbooks on the control node. The tests
build on each other and stand in their order; the hosts are those of the whole file.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from contract import __version__
from tests.lab.estate import NAME, Estate, Play
from tests.lab.hosts import Host
from tests.lab.variants import CRASHES, SOUND, Breakage, variant

SITE = "441802-3144001234"
DEVICES = {name: f"{SITE}.c070{number}" for number, name in enumerate(("a1", "a2", "a3"), 1)}
SITES = f"id,name,kind,area\n{SITE},第一小学,school,urban\n"
# Seconds instead of minutes: rounds, the trial's looks, and the pull devices' looks.
VARIABLES = f"""\
---
santong_centre_name: {NAME}
agent_references: ["icmp://{{centre}}"]
agent_settings:
  clock: {{{{trust: always}}}}
  round: {{{{every: 1s}}}}
  publish: {{{{every: 1s}}}}
  presence: {{{{gateway: "{{centre}}"}}}}
agent_trial_looks: 12
agent_trial_every_s: 2
agent_pull_every: 5s
santong_gate_wait: 4m
santong_gate_options: ["--minutes", "1", "--settle", "10s"]
"""

# InfluxDB is asked itself, on the centre, where alone it listens.
ASK_INFLUXDB = """
import base64, pathlib, sys, urllib.parse, urllib.request
password = pathlib.Path("/etc/santong/secrets/influxdb-admin").read_text().strip()
request = urllib.request.Request("http://127.0.0.1:8086/query?" + urllib.parse.urlencode({"q": sys.argv[1]}))
request.add_header("Authorization", "Basic " + base64.b64encode(f"admin:{password}".encode()).decode())
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""

REFUSED = "certificate verify failed"
# What the authority itself never makes: a certificate that is over. Issued with its key, and not in its index.
EXPIRED = """
import pathlib, sys
from datetime import UTC, datetime, timedelta
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
folder = pathlib.Path("/etc/santong/authority")
key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
root = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
asked = x509.load_pem_x509_csr(pathlib.Path(sys.argv[1]).read_bytes())
now = datetime.now(UTC)
made = x509.CertificateBuilder().subject_name(asked.subject).issuer_name(root.subject).public_key(asked.public_key())
made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=90))
made = made.not_valid_after(now - timedelta(hours=3)).sign(key, SHA256())
print(made.public_bytes(Encoding.PEM).decode(), end="")
"""


class Programme:
    """The estate with its roster, and what is asked of it."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.hosts = {name: estate.agent(name) for name in DEVICES}
        self.reach = dict.fromkeys(DEVICES, "ssh")
        estate.variables(VARIABLES.format(centre=estate.centre.address))
        self.enter_roster(*DEVICES)

    def enter_roster(self, *names: str) -> None:
        """Import the roster with these devices."""
        rows = [f"{DEVICES[name]},classroom,初一({DEVICES[name][-1]})班,{name},{self.reach[name]}" for name in names]
        self.estate.centre.write("/root/sites.csv", SITES)
        self.estate.centre.write("/root/devices.csv", "\n".join(["id,role,class_name,host,reach", *rows]) + "\n")
        self.santong("roster", "import", "/root/sites.csv", "/root/devices.csv", "--yes")

    def santong(self, *words: str, check: bool = True) -> Any:
        """Run `santong` on the centre, as its user would."""
        around = ["env", "LC_ALL=C.UTF-8", "SANTONG_DATA=/var/lib/santong"]
        return self.estate.centre.run([*around, "/opt/santong/control/bin/santong", *words], 120, check=check)

    def presences(self, name: str, since: float = 0.0) -> list[dict[str, Any]]:
        """Return the minutes of presence that InfluxDB has of a device, with their version-independent fields."""
        return self.rows("presence", name, since)

    def rows(self, measurement: str, name: str, since: float = 0.0, kept: str = "evidence") -> list[dict[str, Any]]:
        """Return what InfluxDB itself has of a device since then, in the order of time."""
        query = (
            f"SELECT * FROM santong.{kept}.{measurement} "
            f"WHERE device = '{DEVICES[name]}' AND time >= {round(since * 1e9)}"
        )
        words = ["/opt/santong/control/bin/python", "-c", ASK_INFLUXDB, query]
        answer = json.loads(self.estate.centre.run(words).stdout)["results"][0]
        series = answer.get("series", [{"columns": [], "values": []}])[0]
        return [dict(zip(series["columns"], values, strict=True)) for values in series["values"]]

    def rounds(self, name: str, since: float) -> list[float]:
        """Return when a device measured itself since then, unix seconds."""
        rows = self.rows("host", name, since, "telemetry")
        return [datetime.fromisoformat(row["time"]).timestamp() for row in rows]

    def versions(self, name: str, since: float = 0.0) -> list[str]:
        """Return the versions that the centre saw of an agent since then."""
        return [str(row["version"]) for row in self.rows("identity", name, since)]

    def wait(self, is_so: Any, what: str, seconds: float = 90) -> None:
        """Return when something is so."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, what
            time.sleep(0.5)

    def status(self, name: str) -> dict[str, Any]:
        """Return what a device says of its releases."""
        found: dict[str, Any] = json.loads(self.hosts[name].run(["santong-release", "status"]).stdout)
        return found

    def depot(self, *words: str) -> Any:
        """Run `santong depot`, as root, whose authority it is."""
        return self.estate.centre.run(["santong", "depot", *words], 60)

    def broker_said(self, name: str) -> str:
        """Return the broker's last lines about connections from a device's address."""
        log = self.estate.centre.run(["journalctl", "-u", "mosquitto", "-o", "cat", "-n", "200"]).stdout.splitlines()
        near = [n for n, line in enumerate(log) if self.hosts[name].address in line]
        # What OpenSSL found stands in the line of the connection or in the one after it: docs/security.md.
        return "\n".join(log[n] for n in sorted({m for n in near for m in (n, n + 1)}) if n < len(log))

    def expire(self, name: str) -> None:
        """Give a device a certificate for its key that ran out this morning, as after a summer without power."""
        request = self.hosts[name].run(["cat", "/etc/santong/tls/agent.csr"]).stdout
        self.estate.centre.write("/root/expired.csr", request)
        made = self.estate.centre.run(["/opt/santong/control/bin/python", "-c", EXPIRED, "/root/expired.csr"]).stdout
        self.hosts[name].write("/etc/santong/tls/agent.crt", made)

    def bring(self, version: str, breakage: Breakage) -> str:
        """Have another release on the control node, as it is carried there; return its folder of playbooks."""
        made = variant(self.estate.centre.disk / self.estate.release.lstrip("/"), version, breakage)
        return f"/root/{made.name}"


@pytest.fixture(scope="module")
def programme(estate: Estate) -> Programme:
    """Give the estate with three classrooms in its roster; nothing is deployed yet."""
    return Programme(estate)


def play(programme: Programme, playbook: str, *arguments: str, check: bool = True, release: str = "") -> Play:
    """Run a playbook of a release, of the first one if none is given."""
    estate = programme.estate
    before, estate.release = estate.release, release or estate.release
    try:
        return estate.play(playbook, *arguments, check=check)
    finally:
        estate.release = before


def test_from_nothing(programme: Programme) -> None:
    """One run of site.yml brings up the centre and every classroom of the roster; InfluxDB has the evidence of each."""
    done = play(programme, "site.yml")
    assert not done.failed, done.output[-4000:]
    for name in DEVICES:
        programme.wait(lambda name=name: programme.presences(name), f"evidence of {name}")
        assert set(programme.versions(name)) == {__version__}


def test_a_rehearsal_finds_nothing_to_do(programme: Programme) -> None:
    """With --check everything is as it should be: a run would change nothing (test_site_deploy.py makes one)."""
    rehearsal = play(programme, "site.yml", "--check")
    assert (rehearsal.changed, rehearsal.failed) == (0, {}), rehearsal.tasks("changed")


def test_units_are_hardened(programme: Programme) -> None:
    """What the device's units leave open is little: 3.0 or less of systemd's 10."""
    for unit in ("santong-agent.service", "santong-trial.service"):
        exposure = exposure_of(programme.hosts["a1"], unit)
        print(f"{unit}: {exposure}")
        assert exposure <= 3.0


def exposure_of(host: Host, unit: str) -> float:
    """Return what `systemd-analyze security` says of a unit."""
    words = host.run(["systemd-analyze", "security", "--no-pager", unit]).stdout
    return float(words.rpartition("Overall exposure level for")[2].split()[1])


def test_the_centre_asks_a_device(programme: Programme) -> None:
    """A classroom answers over its own connection: how it is, and whether something answers it."""
    for words in (("diagnose",), ("probe", "icmp", programme.estate.centre.address)):
        done = programme.estate.centre.run(["santong-centre", "ask", DEVICES["a1"], *words, "--json"], 60)
        assert json.loads(done.stdout), done.stdout
    journal = programme.hosts["a1"].run(["journalctl", "-u", "santong-agent", "-o", "cat"]).stdout
    assert "santong-ask" in journal or "diagnose" in journal, "the device's log has who asked what"


def test_keys_stay_on_their_device(programme: Programme) -> None:
    """A device's key can be read by its agent alone, and never came to the control node."""
    host = programme.hosts["a1"]
    facts = host.run(["stat", "-c", "%a %U", "/etc/santong/tls/agent.key"]).stdout.split()
    assert facts == ["600", "santong-agent"]
    # The first line of a key on P-256 begins like that of every other.
    secret = host.run(["cat", "/etc/santong/tls/agent.key"]).stdout.splitlines()[2]
    found = programme.estate.centre.run(
        ["grep", "-rls", secret, "/etc", "/root", "/var", "/opt/santong"], 60, check=False
    )
    assert found.stdout == ""


def test_a_reboot_and_a_partition_lose_nothing(programme: Programme) -> None:
    """After a reboot and a cut network every round is in the store that the agent ran, and it is one boot more."""
    host = programme.hosts["a1"]
    began = time.time()
    host.reboot()
    up = time.time()
    host.nft("tcp dport { 443, 8883 } drop", "output")
    time.sleep(12)  # rounds are a second apart: a dozen of them without a network is what is asked about
    host.mend()
    mended = time.time()
    programme.wait(lambda: programme.rounds("a1", mended), "live again", 120)
    programme.wait(lambda: len(programme.rounds("a1", up)) >= mended - up - 3, "what was measured meanwhile")
    rounds = programme.rounds("a1", up)
    assert max(later - earlier for earlier, later in pairwise(rounds)) < 3, "no round is missing"
    assert len({row["boot"] for row in programme.rows("stop", "a1", began)}) <= 1


def test_an_upgrade_goes_in_waves(programme: Programme) -> None:
    """A new release comes to one canary first and then to the others; who is off is passed over, and nobody waits."""
    release = programme.bring("0.2.0", SOUND)
    programme.hosts["a3"].kill()
    done = play(programme, "upgrade.yml", "--tags", "agents", "--timeout", "5", release=release)
    assert done.output.count("TASK [Ask the evidence]") >= 2, "each wave was asked about"
    for name in ("a1", "a2"):
        status = programme.status(name)
        assert (status["current"], status["trial"]) == ("0.2.0", None)
        assert set(status["installed"]) == {__version__, "0.2.0"}
        programme.wait(lambda name=name: "0.2.0" in programme.versions(name), f"{name} says that it runs it")


def test_who_was_off_is_picked_up_though_its_power_fails_again(programme: Programme) -> None:
    """The next run upgrades it; power that is cut in the middle of the trial only delays its end to the next boot."""
    host = programme.hosts["a3"]
    host.boot()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            play, programme, "upgrade.yml", "--tags", "agents", "--limit", DEVICES["a3"], "--timeout", "5",
            check=False, release="/root/santong-0.2.0",
        )  # fmt: skip
        link = host.disk / "opt/santong/current"
        programme.wait(lambda: link.readlink().name == "0.2.0", "it was switched", 120)
        host.kill()
        running.result()
    host.boot()
    programme.wait(lambda: programme.status("a3")["trial"] is None, "the trial is over")
    assert programme.status("a3")["current"] == "0.2.0"
    assert host.run(["systemctl", "is-active", "santong-agent"]).stdout.strip() == "active"


def test_a_release_that_does_not_run_is_taken_back(programme: Programme) -> None:
    """The canary goes back by itself, the rollout ends with its name, and nobody else was touched."""
    release = programme.bring("0.4.0", CRASHES)
    began = time.time()
    before = {name: programme.status(name)["current"] for name in DEVICES}
    done = play(programme, "upgrade.yml", "--tags", "agents", check=False, release=release)
    assert done.status
    assert "0.4.0 is not rolled out any further: it did not work on" in done.output
    after = {name: programme.status(name) for name in DEVICES}
    assert {name: status["current"] for name, status in after.items()} == before
    canaries = [name for name, status in after.items() if "0.4.0" in status["failed"]]
    assert len(canaries) == 1
    assert sum("0.4.0" in status["installed"] for status in after.values()) == 1
    for name in DEVICES:
        programme.wait(lambda name=name: programme.rounds(name, began), f"{name} goes on")


def test_rollback(programme: Programme) -> None:
    """One classroom goes back to a release that it still has, at once."""
    play(programme, "rollback.yml", "--limit", DEVICES["a2"], "-e", f"santong_to={__version__}")
    assert programme.status("a2")["current"] == __version__
    assert programme.status("a2")["trial"] is None


# ---- a classroom that nobody reaches


def test_a_device_behind_nat_upgrades_itself(programme: Programme) -> None:
    """
    Set up once where SSH reaches it, it fetches its release and its settings itself, signed, over its own connection.

    The rollout's waves and gate are the centre's; the device shows that it has the version by its evidence.
    """
    host = programme.hosts["a3"]
    programme.reach["a3"] = "pull"
    programme.enter_roster(*DEVICES)
    play(programme, "enrol.yml", "--limit", DEVICES["a3"], release="/root/santong-0.2.0")
    play(programme, "orders.yml", release="/root/santong-0.2.0")
    exposure = exposure_of(host, "santong-pull.service")
    print(f"santong-pull.service: {exposure}")
    assert exposure <= 3.0
    host.nft("ct state new tcp dport 22 drop")
    release = programme.bring("0.6.0", SOUND)
    programme.depot("publish", release)
    began = time.time()
    centre = programme.estate.centre
    words = "set -a; . /etc/santong/store-to-read.env; SANTONG_DATA=/var/lib/santong; santong rollout start 0.6.0"
    centre.run(["sh", "-ec", words], 60)
    programme.wait(lambda: programme.status("a3")["current"] == "0.6.0", "it fetched the release", 180)
    programme.wait(lambda: "0.6.0" in programme.versions("a3", began), "and says so to the centre")
    programme.wait(lambda: programme.status("a3")["trial"] is None, "the trial is over")


def test_a_summer_without_power(programme: Programme) -> None:
    """A certificate that ran out keeps a device from the broker; its next look at the depot brings it back."""
    host = programme.hosts["a3"]
    host.run(["systemctl", "stop", "santong-pull.timer"])
    programme.expire("a3")
    host.run(["systemctl", "restart", "santong-agent"])
    programme.wait(lambda: REFUSED in programme.broker_said("a3"), "the broker does not let it in, and says so")
    began = time.time()
    programme.santong("ca", "renew", DEVICES["a3"])
    programme.depot("refresh")
    host.run(["systemctl", "start", "santong-pull.timer"])
    programme.wait(lambda: programme.rounds("a3", began), "it is back", 180)


# ---- one that is not to be trusted any more


def test_who_is_stolen_or_retired_is_locked_out(programme: Programme) -> None:
    """
    A retired device stops, and leaves neither key nor certificate behind; its waiting data stays.

    The broker refuses a stolen one from then on, and says so; the others go on.
    """
    host = programme.hosts["a2"]
    programme.santong("ca", "revoke", DEVICES["a1"], "--reason", "stolen")
    play(programme, "retire.yml", "--limit", f"{DEVICES['a2']}:centre")
    assert host.run(["systemctl", "is-enabled", "santong-agent"], check=False).stdout.strip() == "disabled"
    assert host.run(["ls", "/etc/santong/tls"], check=False).returncode
    assert host.run(["ls", "/var/lib/santong-agent"]).stdout
    listed = json.loads(programme.santong("ca", "list", "--revoked", "--json").stdout)
    assert {one["name"]: one["reason"] for one in listed} == {DEVICES["a1"]: "stolen", DEVICES["a2"]: "retired"}
    programme.wait(lambda: REFUSED in programme.broker_said("a1"), "the broker refuses it, and says so")
    began = time.time()
    programme.wait(lambda: programme.rounds("a3", began), "the others go on")
    assert not programme.rounds("a1", began)
