"""
The Windows Time service's word, in several languages.

The English text is as published outputs of `w32tm` are; the others are its lines with labels translated here, not
captured. The program itself never ran here.
"""

import pytest

from agent import w32time
from agent.w32time import NOBODY, Status, TimeService, parse

ENGLISH = """Leap Indicator: 0(no warning)
Stratum: 4 (secondary reference - syncd by (S)NTP)
Precision: -23 (119.209ns per tick)
Root Delay: 0.0154902s
Root Dispersion: 7.7773722s
ReferenceId: 0xC0000209 (source IP:  192.0.2.9)
Last Successful Sync Time: 11/18/2026 2:32:05 PM
Source: ntp.example,0x9
Poll Interval: 10 (1024s)

Phase Offset: -0.0038147s
ClockRate: 0.0156250s
State Machine: 2 (Sync)
Time Source Flags: 0 (None)
Server Role: 0 (None)
Last Sync Error: 0 (The command completed successfully.)
Time since Last Good Sync Time: 339.9333552s
"""
CHINESE = """Leap 指示符: 0(无警告)
层次: 4 (次引用 - 与(S)NTP 同步)
精度: -23 (每刻度 119.209ns)
根延迟: 0.0154902s
根分散: 7.7773722s
引用 ID: 0xC0000209 (源 IP:  192.0.2.9)
上次成功同步时间: 2026/11/18 14:32:05
源: ntp.example,0x9
轮询间隔: 10 (1024s)

相位偏移: -0.0038147s
时钟速率: 0.0156250s
状态机: 2 (同步)
时间源标志: 0 (无)
服务器角色: 0 (无)
上次同步错误: 0 (成功地执行了命令。)
自上次成功同步以来的时间: 339.9333552s
"""
GERMAN = ENGLISH.replace("339.9333552s", "339,9333552s").replace("Leap Indicator", "Sprungindikator")
UNSYNCED = ENGLISH.replace("0(no warning)", "3(not synchronized)").replace(": 4 (sec", ": 0 (sec")
OWN_CLOCK = ENGLISH.replace("0xC0000209", "0x4C4F434C")
HOST = ENGLISH.replace("0xC0000209", "0x00000000")


@pytest.mark.parametrize(
    ("output", "status"),
    [
        (ENGLISH.encode("ascii"), Status("kernel", 339)),
        (ENGLISH.replace("\n", "\r\n").encode("ascii"), Status("kernel", 339)),
        (CHINESE.encode("gbk"), Status("kernel", 339)),
        (CHINESE.encode(), Status("kernel", 339)),
        (CHINESE.replace(": ", "：").encode("gbk"), Status("kernel", 339)),
        (GERMAN.encode("cp850"), Status("kernel", 339)),
        (HOST.encode("ascii"), Status("hypervisor", 339)),
        (UNSYNCED.encode("ascii"), NOBODY),
        (OWN_CLOCK.encode("ascii"), NOBODY),
        (ENGLISH.replace("Stratum: 4 ", "Stratum: 16 ").encode("ascii"), NOBODY),
        ("发生下列错误: 服务尚未启动。 (0x80070426)\r\n".encode("gbk"), NOBODY),
        (b"", NOBODY),
        (b"\xff\xfe(((\n(", NOBODY),
    ],
)
def test_what_the_service_says(output: bytes, status: Status) -> None:
    """The word is read from numbers alone, in any language and code page; anything odd vouches for nothing."""
    assert parse(output) == status


class Service:
    """A test double of the service: its word, and when it last synchronised, in s of boot time."""

    def __init__(self) -> None:
        self.word = "kernel"
        self.synced_s = 0
        self.now_s = 0
        self.asked = 0

    def ask(self) -> Status:
        """Answer as the program would."""
        self.asked += 1
        return Status(self.word, self.now_s - self.synced_s)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """Stand in for the program."""
    double = Service()
    monkeypatch.setattr(w32time, "ask", double.ask)
    return double


def _look(time: TimeService, service: Service, at_s: int, stepped_s: int = 0) -> str:
    service.now_s = at_s
    return time.voucher(at_s * 10**9, (1_795_000_000 + at_s + stepped_s) * 10**9)


def test_a_service_that_is_believed_is_asked_every_ten_minutes(service: Service) -> None:
    """Starting a program costs more than a reading: once the clock is right, it is asked seldom."""
    time = TimeService()
    assert [_look(time, service, at) for at in range(0, 1200, 60)] == ["kernel"] * 20
    assert service.asked == 2


def test_a_service_that_is_not_yet_synchronised_is_asked_each_minute(service: Service) -> None:
    """A clock that becomes right is believed within a minute."""
    time = TimeService()
    service.word = ""
    assert [_look(time, service, at) for at in (0, 60, 120)] == ["", "", ""]
    service.word = "kernel"
    assert _look(time, service, 180) == "kernel"


def test_a_step_by_hand_costs_the_word_until_the_next_synchronisation(service: Service) -> None:
    """Somebody sets the clock: nothing is dated by it before the service has synchronised again."""
    time = TimeService()
    assert _look(time, service, 60) == "kernel"
    assert [_look(time, service, at, stepped_s=-3600) for at in (120, 180)] == ["", ""]
    service.synced_s = 200
    assert _look(time, service, 240, stepped_s=0) == "kernel"


def test_a_step_by_the_service_itself_is_believed(service: Service) -> None:
    """The service's own correction comes with a synchronisation, and is believed at once."""
    time = TimeService()
    service.word = ""
    _look(time, service, 60)
    service.word, service.synced_s = "kernel", 90
    assert _look(time, service, 120, stepped_s=86_400) == "kernel"


def test_a_step_when_the_age_is_not_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the time since the last synchronisation a step is never believed."""
    time = TimeService()
    _look(time, service, 60)
    monkeypatch.setattr(w32time, "ask", lambda: Status("kernel", None))
    assert _look(time, service, 120, stepped_s=5) == ""
    assert _look(time, service, 5000, stepped_s=5) == ""


def test_a_program_that_is_not_there_vouches_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the program cannot be started, as here, nobody vouches and nothing is raised."""
    monkeypatch.setenv("SYSTEMROOT", "/no/such/folder")
    assert w32time.ask() == NOBODY
