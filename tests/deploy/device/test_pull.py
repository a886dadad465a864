"""Devices that fetch by themselves: what they do with plans, orders and releases, good ones and bad ones."""

import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from collector.authority import signing
from collector.fleet import depot
from deploy.device import pull
from tests.certificates import DAY, NOW, authority
from tests.deploy.device.depot import AGENT, MACHINE, PLAYBOOK, Centre
from tests.deploy.device.material import PROGRAM, bundle, wheel
from tests.processes import wait_until


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    """Return a centre whose plan is 1.0, with a device that has nothing yet but Ansible."""
    with Centre(tmp_path) as made:
        made.release("1.0")
        made.plan(1, "1.0")
        made.order(1)
        made.with_ansible("1.0")
        yield made


def test_a_device_is_brought_to_what_was_ordered(centre: Centre) -> None:
    """The release of the plan is there, whole, and its roles ran with the variables of the order."""
    assert centre.look() == (0, "1.0 as ordered\n")
    assert centre.current == "1.0"
    assert (centre.home / "bundles/1.0/wheels/ballast.bin").stat().st_size == 300_000
    (played,) = centre.played
    told = played["vars"]
    assert told["agent_pull_order"] == {"certificate": "its certificate", "authority": "the authority's"}
    assert (told["santong_agent"], told["santong_version"], told["agent_keep"]) == (AGENT, "1.0", 3)
    assert told["agent_bundle"] == str(centre.home / "bundles/1.0")
    assert played["words"][-1] == str(centre.home / "bundles/1.0/ansible/pull.yml")
    assert list(centre.state.glob("*.tar.gz")) == []


def test_the_last_look_is_told(centre: Centre) -> None:
    """last.json says when it was, in UTC, its code and what came of it; in good times and in bad."""
    centre.look()
    last = centre.last
    assert (last["code"], last["outcome"]) == (0, "1.0 as ordered")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(last["time"])).total_seconds()) < 60
    (centre.depot / "plan.signed").unlink()
    code, said = centre.look()
    assert code == 3
    assert "plan.signed: 404" in said
    assert centre.last["code"] == 3
    assert "404" in centre.last["outcome"]


def test_nothing_new_is_nothing_to_do(centre: Centre) -> None:
    """A second look fetches two small files and runs nothing."""
    centre.look()
    centre.server.requests.clear()
    assert centre.look() == (0, "nothing new: 1.0\n")
    assert len(centre.played) == 1
    assert [path for path, _ in centre.server.requests] == ["plan.signed", f"agents/{AGENT}/order.signed"]


def test_a_new_version_is_fetched_and_the_old_ansible_goes(centre: Centre) -> None:
    """The plan names another version, for everybody or for this device."""
    centre.look()
    for number, (version, agents) in enumerate((("1.1", {}), ("1.0", {AGENT: "1.2"})), 2):
        new = agents.get(AGENT, version)
        centre.release(new)
        centre.with_ansible(new)
        centre.plan(number, version, **agents)
        assert centre.look() == (0, f"{new} as ordered\n")
        assert centre.current == new
        assert [path.name for path in (centre.home / "ansible").iterdir()] == [new]


def test_a_new_order_is_done_with_the_release_that_is_there(centre: Centre) -> None:
    """New settings or a renewed certificate: the release is not fetched again."""
    centre.look()
    centre.server.requests.clear()
    centre.order(2, certificate="the renewed one")
    assert centre.look() == (0, "1.0 as ordered\n")
    assert centre.played[-1]["vars"]["agent_pull_order"]["certificate"] == "the renewed one"
    assert not [path for path, _ in centre.server.requests if path.endswith(".tar.gz")]


def test_the_release_installs_its_own_ansible(tmp_path: Path, pip_made: Path) -> None:
    """Nothing but Python is on the device: ansible-playbook comes out of the release, by its own program and pip."""
    with Centre(tmp_path) as centre:
        folder = tmp_path / "folder"
        stand_in = {"ansible_stand_in.py": PLAYBOOK}
        wheel(folder / "wheels", "ansible_core", "2.0", stand_in, scripts="ansible-playbook = ansible_stand_in:main")
        releases = Path(pull.__file__).with_name("releases.py").read_text(encoding="utf-8")
        bundle(folder, "1.0", pip_made, others={"ansible/pull.yml": "---\n", "device/releases.py": releases})
        centre.release("1.0", folder)
        centre.plan(1, "1.0")
        centre.order(1)
        assert centre.look() == (0, "1.0 as ordered\n")
        assert (centre.home / "ansible/1.0/.complete").exists()
        assert len(centre.played) == 1


# ---- what is not to be trusted


def spoil(centre: Centre, how: str) -> str:
    """Have the depot offer something bad; return what is to be said of it."""
    plan, order = centre.depot / "plan.signed", centre.depot / f"agents/{AGENT}/order.signed"
    said = plan.read_bytes()
    contents = {
        "altered": (plan, said.replace(b'"number":2', b'"number":9'), "plan.signed: its signature is not the centre's"),
        "unsigned": (plan, said.splitlines(keepends=True)[0], "plan.signed: it is no signed document"),
        "no JSON": (plan, b"<html>Log in to the hotel's network</html>\n", "plan.signed: it is no signed document"),
        "too large": (plan, b"x" * (pull.LARGEST_DOCUMENT + 1), "plan.signed: it is too large"),
        "a plan as an order": (order, said, "order.signed: it is no santong-order/1"),
        "an order as a plan": (plan, order.read_bytes(), "plan.signed: it is no santong-plan/1"),
    }
    if how not in contents:
        return spoil_signed(centre, how, json.loads(said.splitlines()[0]))
    file, content, reason = contents[how]
    file.write_bytes(content)
    return reason


def spoil_signed(centre: Centre, how: str, tree: dict[str, Any]) -> str:
    """Have the depot offer something signed that is bad; return what is to be said of it."""
    if how == "another key":
        centre.publish("plan.signed", tree, centre.new_key("other"))
        return "plan.signed: its signature is not the centre's"
    if how == "an older plan":
        centre.plan(1, "1.0")
        return "plan.signed: 1 is older than 2, which this device saw before"
    orders: dict[str, tuple[int, dict[str, Any], str]] = {
        "of another agent": (3, {"agent": "x"}, f"the order is for x, this is {AGENT}"),
        "an older order": (1, {}, "order.signed: 1 is older than 2, which this device saw before"),
        "half an order": (3, {"authority": None}, "the order has no vars, certificate or authority"),
    }
    if how in orders:
        number, wrong, reason = orders[how]
        centre.order(number, **wrong)
        return reason
    contents: dict[str, dict[str, Any]] = {
        "without a number": {"number": None},
        "a yes for a number": {"number": True},
        "no version": {"default": "", "agents": {}},
        "a path for a version": {"default": "../../etc"},
        "a list of agents": {"agents": [AGENT], "default": None},
    }
    changes = contents[how]
    centre.publish("plan.signed", tree | {"number": 3} | changes)
    return "plan.signed: has no number" if "number" in changes else f"plan.signed names no version for {AGENT}"


@pytest.mark.parametrize(
    "how",
    [
        *("another key", "altered", "unsigned", "no JSON", "too large", "a plan as an order", "an order as a plan"),
        *("of another agent", "an older plan", "an older order", "half an order", "without a number"),
        *("a yes for a number", "no version", "a path for a version", "a list of agents"),
    ],
)
def test_what_is_not_to_be_trusted_changes_nothing(centre: Centre, how: str) -> None:
    """Code 4 and the reason; nothing is run, and the true documents are obeyed afterwards."""
    centre.plan(2, "1.0")
    centre.order(2)
    centre.look()
    reason = spoil(centre, how)
    code, said = centre.look()
    assert code == 4
    assert reason in said
    assert len(centre.played) == 1
    centre.plan(4, "1.0")
    centre.order(4)
    assert centre.look() == (0, "1.0 as ordered\n")


def test_an_old_plan_is_refused_though_the_newer_one_could_not_be_done(centre: Centre) -> None:
    """What was seen counts, not what succeeded: a playbook that fails opens no door to old plans."""
    centre.look()
    centre.release("1.1")
    centre.with_ansible("1.1")
    centre.plan(5, "1.1")
    centre.order(2, vars={"stand_in": "fails"})
    assert centre.look()[0] == 1
    centre.plan(4, "1.0")
    assert centre.look()[0] == 4


def release_of(*members: tuple[tarfile.TarInfo, bytes], version: str = "1.1") -> bytes:
    """Return an archive of a release with these members besides."""
    raw = io.BytesIO()
    said = json.dumps({"version": version}).encode()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for info, content in ((tarfile.TarInfo("x/release.json"), said), *members):
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info, b"evil" if kind == tarfile.REGTYPE else b""


@pytest.mark.parametrize(
    "members",
    [
        (member("x/../../../evil"),),
        (member("/evil"),),
        (member("evil"),),
        (member("x/link", tarfile.SYMTYPE, "/"), member("x/link/evil")),
        (member("x/hard", tarfile.LNKTYPE, "../evil"),),
        (member("x/pipe", tarfile.FIFOTYPE),),
        (member("x/disk", tarfile.BLKTYPE),),
    ],
    ids=["upwards", "absolute", "outside", "through a link", "hard link", "pipe", "device"],
)
def test_a_release_with_a_hostile_member_is_not_unpacked(
    centre: Centre, members: tuple[tuple[tarfile.TarInfo, bytes], ...]
) -> None:
    """Only files and folders below its own folder are taken; of such an archive nothing stays."""
    centre.archive("1.1", release_of(*members))
    centre.plan(2, "1.1")
    code, said = centre.look()
    assert code == 4
    assert "is nothing that a release has" in said
    assert [path.name for path in (centre.home / "bundles").iterdir()] == []
    assert not list(centre.folder.rglob("evil"))
    assert centre.played == []


@pytest.mark.parametrize("how", ["no archive", "half an archive", "another version", "no release"])
def test_an_archive_that_is_no_release_of_that_version_is_not_taken(centre: Centre, how: str) -> None:
    """The centre signed something wrong: the device says so and goes on as it is."""
    whole = release_of(member("x/file"), version="1.0" if how == "another version" else "1.1")
    content = {"no archive": b"hello", "half an archive": whole[: len(whole) // 2], "no release": b""}.get(how, whole)
    if how == "no release":
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w:gz"):
            pass
        content = raw.getvalue()
    centre.archive("1.1", content)
    centre.plan(2, "1.1")
    code, said = centre.look()
    assert code == 4
    assert "1.1.tar.gz: " in said
    assert list((centre.home / "bundles").iterdir()) == []


@pytest.mark.parametrize(
    "facts",
    [{"version": "1.2"}, {"machine": "s390x"}, {"size": 0}, {"size": "many"}, {"size": 1 << 40}, {"sha256": "../x"}],
    ids=str,
)
def test_facts_that_do_not_describe_the_release_are_refused(centre: Centre, facts: dict[str, Any]) -> None:
    """A signed file of another version or machine, or without a size or digest, has nothing fetched."""
    centre.release("1.1", facts=facts)
    centre.plan(2, "1.1")
    code, said = centre.look()
    assert code == 4
    assert f"does not describe 1.1 for {MACHINE}" in said
    assert not [path for path, _ in centre.server.requests if path.endswith(".tar.gz")]


# ---- bad lines


def test_a_fetch_that_was_cut_goes_on_where_it_was(centre: Centre) -> None:
    """A school's line is cut twice: each look brings more, and nothing is fetched twice."""
    name = f"releases/santong-agent-1.0-{MACHINE}.tar.gz"
    size = (centre.depot / name).stat().st_size
    centre.server.cut[name] = 100_000
    code, said = centre.look()
    assert code == 3
    assert f"the connection ended after 100000 of {size} bytes" in said
    centre.server.cut[name] = 50_000
    assert centre.look()[0] == 3
    assert centre.look() == (0, "1.0 as ordered\n")
    asked = [wanted for path, wanted in centre.server.requests if path == name]
    assert asked == ["", "bytes=100000-", "bytes=150000-"]


def test_a_server_without_ranges_gives_it_whole(centre: Centre) -> None:
    """What was there is written over, not appended to."""
    name = f"releases/santong-agent-1.0-{MACHINE}.tar.gz"
    centre.server.cut[name] = 100_000
    centre.server.has_ranges = False
    assert centre.look()[0] == 3
    assert centre.look() == (0, "1.0 as ordered\n")


def test_a_download_that_is_not_what_was_signed_is_thrown_away(centre: Centre) -> None:
    """Code 4; what was fetched goes, and the next look begins at the beginning."""
    name = f"releases/santong-agent-1.0-{MACHINE}.tar.gz"
    good = (centre.depot / name).read_bytes()
    (centre.depot / name).write_bytes(good[:-1] + b"x")
    code, said = centre.look()
    assert code == 4
    assert "is not what the centre signed" in said
    assert list(centre.state.glob("*.tar.gz")) == []
    (centre.depot / name).write_bytes(good)
    assert centre.look()[0] == 0


def test_a_beginning_of_another_archive_is_not_gone_on_with_for_ever(centre: Centre) -> None:
    """The release was built anew under its version while half of it was here: two looks later it is whole."""
    name = f"releases/santong-agent-1.0-{MACHINE}.tar.gz"
    centre.server.cut[name] = 200_000
    assert centre.look()[0] == 3
    (archive,) = centre.state.glob("*.tar.gz")
    program = (tarfile.TarInfo("x/device/releases.py"), PROGRAM.read_bytes())
    small = release_of(program, version="1.0")
    for content in (release_of(program, (tarfile.TarInfo("x/f"), os.urandom(300_000)), version="1.0"), small):
        archive.write_bytes(bytes(200_000))
        centre.archive("1.0", content)
        shutil.rmtree(centre.home / "bundles", ignore_errors=True)
        (centre.state / "applied.json").unlink(missing_ok=True)
        said = [centre.look() for _ in range(2)]
        assert said[-1][0] == 0, said


def test_a_document_that_was_cut_is_no_forgery(centre: Centre) -> None:
    """Code 3: the line was bad, nobody lied."""
    centre.server.cut["plan.signed"] = 30
    code, said = centre.look()
    assert code == 3
    assert "plan.signed: the connection ended after 30 of " in said


def test_only_one_half_fetched_archive_is_kept(centre: Centre) -> None:
    """The plan changed while a release was half here: what it left makes room."""
    centre.server.cut[f"releases/santong-agent-1.0-{MACHINE}.tar.gz"] = 100_000
    centre.look()
    centre.release("1.1")
    centre.plan(2, "1.1")
    centre.server.cut[f"releases/santong-agent-1.1-{MACHINE}.tar.gz"] = 100_000
    centre.look()
    assert [path.name for path in centre.state.glob("*.tar.gz")] == ["1.1.tar.gz"]


@pytest.mark.parametrize(
    "target", ["http://localhost:1/plan.signed", "https://localhost:1/plan.signed", "file:///etc/hosts"]
)
def test_nobody_sends_a_device_elsewhere(centre: Centre, target: str) -> None:
    """A redirect is an answer like any other that is not the file."""
    centre.server.redirects["plan.signed"] = target
    code, said = centre.look()
    assert code == 3
    assert "plan.signed: 302 Found" in said


@pytest.mark.parametrize(
    ("how", "code", "reason"),
    [
        ("expired", 3, "certificate has expired; here it is 20"),
        ("not yet valid", 3, "certificate is not yet valid; here it is 20"),
        ("another authority", 4, "unable to get local issuer certificate"),
        ("another name", 4, "Hostname mismatch"),
    ],
)
def test_a_server_that_is_not_the_centres_is_not_spoken_to(centre: Centre, how: str, code: int, reason: str) -> None:
    """Nothing is asked of it; where the clock may be wrong instead, the message says to compare it."""
    wishes: dict[str, dict[str, Any]] = {
        "expired": {"begin": NOW - 9 * DAY, "end": NOW - DAY},
        "not yet valid": {"begin": NOW + DAY},
        "another authority": {"issuer": authority("another")},
        "another name": {"dns": "elsewhere.example"},
    }
    with centre.serve(centre.certificate(**wishes[how])) as server:
        found, said = centre.look()
        assert server.requests == []
    assert (found, reason in said) == (code, True), said
    assert ("compare the clock" in said) == (code == 3)


def test_a_centre_that_is_not_there_is_no_failure_of_the_release(centre: Centre) -> None:
    """Code 3, now and at the next look; what runs goes on."""
    centre.look()
    centre.point("https://localhost:1")
    code, said = centre.look()
    assert code == 3
    assert "refused" in said
    assert centre.current == "1.0"


def test_a_server_with_old_tls_is_refused(centre: Centre) -> None:
    """TLS 1.2 is the least."""
    with centre.serve(centre.certificate()) as server:
        server._tls.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning):
            server._tls.maximum_version = ssl.TLSVersion.TLSv1_1
        server._tls.set_ciphers("ALL:@SECLEVEL=0")
        assert centre.look()[0] == 3
        assert server.requests == []


# ---- releases that do not work here


def test_a_playbook_that_fails_is_told_and_tried_again(centre: Centre) -> None:
    """Code 1 and a line for the journal; the next look tries again, since only the release is remembered as bad."""
    centre.order(2, vars={"stand_in": "fails"})
    code, said = centre.look()
    assert code == 1
    assert "1.0: the playbook failed: what it said stands above" in said
    assert (centre.last["code"], centre.last["outcome"]) == (1, said.removeprefix("santong-pull: ").strip())
    assert centre.look()[0] == 1
    centre.order(3)
    assert centre.look() == (0, "1.0 as ordered\n")


def test_a_release_that_failed_here_is_not_tried_again(centre: Centre) -> None:
    """The device goes on with the one before, and obeys orders with it, until the plan names another one."""
    centre.look()
    for version in ("1.1", "1.2"):
        centre.release(version)
    centre.with_ansible("1.1")
    centre.plan(2, "1.1")
    centre.order(2, vars={"stand_in_ill": "1.1"})
    code, said = centre.look()
    assert code == 1
    assert "1.1: it was ill" in said
    centre.with_ansible("1.0")
    assert centre.look() == (0, "1.0 as ordered; 1.1 did not work here: it was ill\n")
    assert centre.look() == (0, "nothing new: 1.0; 1.1 did not work here: it was ill\n")
    centre.order(3)
    assert centre.look()[1].startswith("1.0 as ordered")
    assert [one["version"] for one in centre.played] == ["1.0", "1.1", "1.0", "1.0"]
    centre.plan(3, "1.2")
    centre.with_ansible("1.2")
    assert centre.look() == (0, "1.2 as ordered\n")


def test_an_order_can_have_it_tried_again_once(centre: Centre) -> None:
    """`again` names the version; when it fails again, it is left in peace until another order."""
    centre.look()
    centre.release("1.1")
    centre.plan(2, "1.1")
    centre.order(2, vars={"stand_in_ill": "1.1"})
    centre.with_ansible("1.1")
    assert centre.look()[0] == 1
    centre.order(3, vars={"stand_in_ill": "1.1"}, again="1.1")
    assert centre.look()[0] == 1
    centre.with_ansible("1.0")
    assert centre.look()[1].startswith("1.0 as ordered; 1.1 did not work here")
    centre.order(4, again="1.1")
    centre.with_ansible("1.1")
    assert centre.look() == (0, "1.1 as ordered\n")


def test_a_trial_is_waited_for(centre: Centre) -> None:
    """What is ordered meanwhile comes after it; a timer that does not run is started again."""
    for version in ("0.8", "0.9"):
        centre.place.put(version)
    centre.place.does("use", "0.8")
    centre.place.does("use", "0.9")
    (centre.place.systemd / "looking").unlink()
    assert centre.look() == (0, "0.9 is on trial: what is ordered comes after it\n")
    assert centre.played == []
    assert centre.place.looks()
    centre.place.does("use", "0.9", "--at-once")
    assert centre.look()[0] == 0
    assert len(centre.played) == 1


def test_what_only_looks_like_a_trial_is_not_waited_for(centre: Centre) -> None:
    """A release that is gone, or a file that was torn, must not keep a device from its orders for ever."""
    for version in ("0.8", "0.9"):
        centre.place.put(version)
    centre.place.does("use", "0.8")
    centre.place.does("use", "0.9")
    (centre.home / "current").unlink()
    (centre.home / "current").symlink_to("releases/0.8")
    assert centre.look() == (0, "1.0 as ordered\n")
    centre.order(2)
    (centre.home / "trial.json").write_text("{")
    assert centre.look() == (0, "1.0 as ordered\n")


def test_it_waits_for_whoever_changes_the_device(centre: Centre) -> None:
    """A person or Ansible holds the lock of santong-release: a release is not unpacked under their hands."""
    with pull.alone(centre.home / ".lock"):
        look = subprocess.Popen(
            [sys.executable, pull.__file__, *centre.words], env=centre.environment, stdout=subprocess.PIPE
        )
        wait_until(lambda: list(centre.state.glob("*.tar.gz")))
        with pytest.raises(subprocess.TimeoutExpired):
            look.wait(0.5)
        assert not (centre.home / "bundles").exists()
    assert look.communicate(timeout=60)[0] == b"1.0 as ordered\n"
    assert look.returncode == 0


def test_a_device_obeys_what_the_centre_writes(centre: Centre, tmp_path: Path) -> None:
    """Release, plan and order as the centre's own programs put them into the depot, signed by its authority's key."""
    folder = tmp_path / "authority"
    folder.mkdir(mode=0o700)
    signing.create(folder)
    (centre.folder / "signing.pub").write_bytes(signing.public_key(folder))
    for file in sorted(centre.depot.rglob("*.signed")):
        file.unlink()
    release = tmp_path / "santong-1.0"
    (release / "agent").mkdir(parents=True)
    name = f"santong-agent-1.0-{MACHINE}.tar.gz"
    (centre.depot / "releases" / name).rename(release / "agent" / name)
    sign = partial(signing.sign, folder)
    depot.publish(release, centre.depot, sign, 1)
    depot.order(centre.depot, AGENT, {"agent_keep": 2}, depot.Papers("its certificate", "the authority's"), sign, 1)
    assert centre.look() == (0, "1.0 as ordered\n")
    assert centre.played[0]["vars"]["agent_keep"] == 2
    depot.order(centre.depot, AGENT, {"agent_keep": 4}, depot.Papers("renewed", "the authority's"), sign, 1)
    assert centre.look() == (0, "1.0 as ordered\n")
    assert centre.played[1]["vars"]["agent_pull_order"]["certificate"] == "renewed"


def test_two_looks_at_once_are_one(centre: Centre) -> None:
    """A person runs it while the timer does: the second says so and leaves the first one's note alone."""
    centre.look()
    with pull.alone(centre.state / ".lock"):
        code, said = centre.look()
    assert (code, said) == (3, "santong-pull: another look is under way\n")
    assert centre.last["code"] == 0


def test_a_release_that_a_person_brought_is_not_fetched(centre: Centre) -> None:
    """Ansible or a technician put it there: only the roles run."""
    (centre.home / "bundles").mkdir()
    shutil.copytree(centre.folder / "made/1.0", centre.home / "bundles/1.0")
    assert centre.look() == (0, "1.0 as ordered\n")
    assert not [path for path, _ in centre.server.requests if path.endswith(".tar.gz")]


def test_a_torn_release_on_the_device_is_fetched_anew(centre: Centre) -> None:
    """Without its release.json it is none; and one that santong-release found torn it has removed."""
    (centre.home / "bundles/1.0/wheels").mkdir(parents=True)
    assert centre.look() == (0, "1.0 as ordered\n")
    assert (centre.home / "bundles/1.0/ansible/pull.yml").exists()


def test_a_release_whose_ansible_cannot_be_installed_is_not_for_ever(centre: Centre) -> None:
    """Its bundle is found torn and removed: code 3, and the next look fetches it."""
    shutil.rmtree(centre.home / "ansible/1.0")
    code, said = centre.look()
    assert code == 3
    assert "1.0: Ansible cannot be installed" in said
    assert not (centre.home / "bundles/1.0").exists()


@pytest.mark.parametrize("name", ["agent", "url", "ca", "key", "all", "http"])
def test_wrong_settings_are_named(centre: Centre, name: str) -> None:
    """Code 2: nothing is asked of anybody until somebody has written them."""
    told = json.loads(centre.settings.read_text())
    if name == "http":
        told["url"] = "http://localhost"
    elif name in ("ca", "key"):
        told[name] = f"/nowhere/{name}"
    else:
        told.pop(name, None)
    centre.settings.write_text("" if name == "all" else json.dumps(told))
    code, said = centre.look()
    assert code == 2
    assert {"http": "does not start with https://", "all": "agent, url, ca, key"}.get(name, name) in said
    assert centre.server.requests == []


def test_it_is_a_program_that_needs_nothing_installed(centre: Centre) -> None:
    """Copied to where programs lie, it runs with the Python of the system and its standard library alone."""
    program = centre.folder / "santong-pull"
    shutil.copy2(pull.__file__, program)
    command = [sys.executable, "-I", "-S", str(program), *centre.words]
    done = subprocess.run(command, env=centre.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1.0 as ordered\n", "")
