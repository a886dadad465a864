"""Who is told of what, and who of nothing: `santong watch`, a real broker, a real store, real receivers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.channels.service import address_of
from collector.disputes.ledger import Ledger
from collector.disputes.schema import Claim, Entry, Happened, Kind, Reason, Scope
from collector.listen import Listener, Subscribed, Word
from collector.watch.journal import Journal, JournalError
from collector.watch.types import Now, State
from contract.broker import BrokerSettings, BrokerUrl
from contract.measurements import Retention
from tests.collector.channels.receivers import Web, web
from tests.collector.commands import run
from tests.collector.watch.district import (
    CALENDARS,
    SETTINGS,
    District,
    WatchProcess,
    fault,
    presence,
)
from tests.collector.watch.test_watching import lines, watched
from tests.processes import wait_until
from tests.services import Mosquitto

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def receiver() -> Iterator[Web]:
    """Run somebody who gets messages."""
    with web() as server:
        yield server


def now_of(district: District) -> dict[str, Now]:
    """Return how watch sees all devices; nothing before it has begun."""
    try:
        return Journal(district.data).now()
    except JournalError:
        return {}


def states(district: District, *sites: str) -> set[State]:
    """Return how the devices of sites are."""
    now = now_of(district)
    return {now[agent].state if agent in now else State.UNKNOWN for agent in district.of(*sites)}


@contextmanager
def running(district: District) -> Iterator[WatchProcess]:
    """Let a district live, with a watch over it."""
    watch = WatchProcess(district)
    with district.living():
        watch.start()
        try:
            yield watch
        finally:
            watch.stop()
    assert "Traceback" not in watch.words()


def record_closure(data: Path, site: str) -> None:
    """Record that a site is closed today."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    claim = Claim(
        Kind.CLOSURE, Scope("site", site), now - timedelta(hours=1), now + timedelta(hours=9), Reason.BUILDING_WORKS
    )
    Ledger(data).add(lambda _: Entry(Happened.PROPOSED, 1, "somebody", "login", now, "roof", claim))


def test_nobody_is_told_out_of_hours_in_a_closure_or_in_maintenance(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """Five schools are cut off at the same time: the one that owes service is told, by itself."""
    district = District(tmp_path, mosquitto, schools=5, counties=("441802", "441881"))
    owing, out, works, also_out, closed = district.sites
    local = datetime.now(ZONE)
    other_hours = "20:00-22:00" if local.hour < 12 else "01:00-03:00"
    period = [f"{local + timedelta(hours=hours):%Y-%m-%d %H:%M}" for hours in (-1, 9)]
    (tmp_path / "calendars.yaml").write_text(
        CALENDARS.replace("default: always", "default: always\ncounties: {'441881': elsewhen}")
        + f"  elsewhen: {{title: {{zh: 别时, en: elsewhen}}, service: '{other_hours}', every_day: true,"
        + " follows_holidays: false}\n"
        + f"closures:\n  - {{where: {works}, from: {period[0]}, to: {period[1]}, kind: maintenance,"
        + " title: {zh: 割接, en: works}}\n",
        encoding="utf-8",
    )
    record_closure(tmp_path, closed)
    district.notify(f"json://127.0.0.1:{receiver.port}/")
    with running(district) as watch:
        wait_until(lambda: states(district, owing) == {State.WORKING}, why=watch.words)
        assert states(district, out, works, also_out, closed) == {State.QUIET}
        assert Journal(tmp_path).trouble() == ""
        assert time.time_ns() - Journal(tmp_path).looked_ns() < 10 * 10**9
        district.cut(*district.sites)
        wait_until(lambda: receiver.got, why=watch.words)
        time.sleep(3)  # nothing more may come
        assert states(district, out, works, also_out, closed) == {State.QUIET}
    (told,) = lines(receiver)
    assert told.startswith(f"[1] site cut off: School 0 {owing}, 2 devices")
    assert len(Journal(tmp_path).incidents()) == 1


def test_a_class_is_told_when_it_fails_while_powered_and_not_when_it_is_off(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """Two classes: one runs and is without Internet, the other is switched off."""
    district = District(tmp_path, mosquitto, schools=2)
    failing, off = (f"{site}.c1" for site in district.sites)
    with watched(district, receiver) as watch:
        district.cut_off.add(off)
        district.say("offline", [off])
        district.no_internet.add(failing)
        wait_until(lambda: receiver.got, why=watch.words)
        time.sleep(3)  # nothing more may come
        assert now_of(district)[off].state is State.OFF
        district.no_internet.clear()
        wait_until(lambda: len(receiver.got) == 2, why=watch.words)
    opened, recovered = lines(receiver)
    assert opened.startswith(f"[1] device failing: School 0 {district.sites[0]} Class 1 c1, Internet down, since ")
    assert recovered.startswith(
        f"[1] recovered: device failing, School 0 {district.sites[0]} Class 1 c1, Internet down"
    )
    assert " service minutes lost" in recovered


def test_a_class_that_was_silent_for_two_school_days_is_told_once(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """Heard four days ago and never since: one message for its school, and none at the next look or the next day's."""
    district = District(tmp_path, mosquitto, schools=2)
    district.notify(f"json://127.0.0.1:{receiver.port}/")
    silent = f"{district.sites[0]}.c1"
    for agent in district.agents:
        line = presence(agent, ago_s=4 * 86_400 if agent == silent else 0)
        district.store.write(Retention.EVIDENCE, line)
    district.store.close()
    for _ in range(2):
        run("watch", "--data", tmp_path, "--once", code=1)
    (told,) = lines(receiver)
    assert told.startswith(f"[1] silent: School 0 {district.sites[0]} Class 1 c1, ")
    assert now_of(district)[silent].state is State.SILENT


def test_a_fault_of_a_profile_is_told_by_its_title(tmp_path: Path, mosquitto: Mosquitto, receiver: Web) -> None:
    """What the profile calls critical, in the words of the profile, once; and that it is over."""
    settings = SETTINGS.replace("[rules]", '[rules]\nfault = "1s"')
    district = District(tmp_path, mosquitto, schools=1, settings=settings)
    device = f"{district.sites[0]}.c1"
    with watched(district, receiver) as watch:
        district.write(fault(device, "root-read-only", is_active=True))
        wait_until(lambda: receiver.got, why=watch.words)
        district.write(fault(device, "root-read-only", is_active=False))
        wait_until(lambda: len(receiver.got) == 2, why=watch.words)
    opened, recovered = lines(receiver)
    assert opened.startswith("[1] fault: School 0 ")
    assert "The system's file system has become read-only" in opened
    assert recovered.startswith("[1] recovered: fault, School 0 ")


def test_each_is_told_of_what_is_theirs_and_others_of_what_nobody_acknowledges(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web
) -> None:
    """By county and by operator; after a while whoever a route names for it, but not where somebody said "mine"."""
    with web() as other:
        urls = [f"json://127.0.0.1:{one.port}/" for one in (receiver, other)]
        first, second = (address_of(url).name for url in urls)
        settings = (
            SETTINGS.replace("[rules]", '[rules]\nescalate = "4s"')
            + f'[[route]]\nto = ["{first}"]\ncounty = ["441802"]\nescalate_to = ["{second}"]\n'
            + f'[[route]]\nto = ["{second}"]\noperator = ["operator-b"]\n'
        )
        district = District(tmp_path, mosquitto, settings=settings, counties=("441802", "441881"))
        district.notify(*urls)
        with running(district) as watch:
            wait_until(lambda: states(district, *district.sites) == {State.WORKING}, why=watch.words)
            district.cut(district.sites[0])
            wait_until(lambda: other.got, why=watch.words)
            assert [line[:20] for line in lines(receiver)] == ["[1] site cut off: Sc"]
            assert [line[:35] for line in lines(other)] == ["[1] nobody acknowledged: site cut o"]
            district.cut(*district.sites[1:])
            wait_until(lambda: len(lines(receiver)) == 2 and len(lines(other)) == 2, why=watch.words)
            for one in Journal(tmp_path).incidents(open_only=True):
                Journal(tmp_path).acknowledge(one.id, "On Call")
            time.sleep(6)  # nothing more may come
    both = [one for one in lines(other) if "School 2" in one]
    assert [line.split(", ")[0] for line in lines(receiver)[1:]] == [line.split(", ")[0] for line in both]
    assert len(lines(receiver)) == 2
    assert len(lines(other)) == 2
    assert len(Journal(tmp_path).incidents()) == 3


@pytest.mark.parametrize(("hours", "messages"), [(-1, 1), (-4, 0), (1, 0)])
def test_a_digest_that_was_missed_for_hours_is_left_out(
    tmp_path: Path, mosquitto: Mosquitto, receiver: Web, hours: int, messages: int
) -> None:
    """An hour late it comes, four hours late it does not; nor before its time."""
    at = datetime.now(ZONE) + timedelta(hours=hours)
    if at.date() != datetime.now(ZONE).date():  # of another day: it is not due either way
        messages = 0
    settings = SETTINGS.replace('at = ""', f'at = "{at:%H:%M}"')
    district = District(tmp_path, mosquitto, schools=1, settings=settings)
    district.notify(f"json://127.0.0.1:{receiver.port}/")
    with district.living():
        run("watch", "--data", tmp_path, "--broker", mosquitto.url, "--once")
    assert len(receiver.got) == messages


def test_what_is_retained_is_told_from_what_happens(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Words that were there when watch subscribed are marked; those that come afterwards are not."""
    district = District(tmp_path, mosquitto, schools=2)
    gone, here = f"{district.sites[0]}.c1", f"{district.sites[1]}.c1"
    with district.living():
        district.say("offline", [gone])
        listener = Listener(BrokerSettings(BrokerUrl(mosquitto.url)))
        listener.start()
        heard: list[Word | Subscribed] = []
        try:
            wait_until(lambda: listener.is_settled)
            heard += listener.heard()
            assert heard[0] == Subscribed(None)
            words = {one.agent: one for one in heard if isinstance(one, Word)}
            assert words.keys() == set(district.agents)
            assert all(one.is_retained for one in words.values())
            assert (words[gone].word, words[here].word) == ("offline", "online")
            district.say("offline", [here])
            live: list[Word | Subscribed] = []

            def has_come() -> bool:
                live.extend(listener.heard())
                return bool(live)

            wait_until(has_come)
        finally:
            listener.stop()
    (one,) = live
    assert isinstance(one, Word)
    assert (one.agent, one.word, one.is_retained) == (here, "offline", False)
