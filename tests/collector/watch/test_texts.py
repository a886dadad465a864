"""What people read, in both languages."""

import pytest

from collector.watch.memory import AGREED, BY_HAND, ENDED, ESCALATED, OPENED, RECOVERED, RETIRED, Case, News
from collector.watch.rules import ns
from collector.watch.texts import Names, Voice
from collector.watch.types import Now, State

T0 = 1_772_416_800 * 10**9  # 2026-03-02 10:00 in China
SITE = "441802-3144001234"
NAMES = Names(
    {SITE: "清城一小"},
    {f"{SITE}.c0703": "七(3)班"},
    {SITE: "值班 000"},
    lambda _d, code, _l: f"title of {code}",
)
ZH, EN = Voice("zh", NAMES), Voice("en", NAMES)


def case(kind: str, *devices: str, why: str = "wan_down", **more: object) -> Case:
    """Return an incident that began at ten."""
    found = Case("12", kind, "", "441802", SITE, "运营商甲", devices or (f"{SITE}.gw",), why, T0, T0 + ns(180))
    return found._replace(**more)  # type: ignore[arg-type]


def test_an_incident_is_a_line_with_its_number_first() -> None:
    """Number, kind, where, why, since when, whose line, whom to call."""
    two = case("site", f"{SITE}.gw", f"{SITE}.c0703")
    assert ZH.line(News(OPENED, two, T0 + ns(180))) == (
        "〔12〕站点中断：清城一小 441802-3144001234，2 台设备，外网中断，自 10:00，运营商 运营商甲，联系人 值班 000"
    )
    assert EN.line(News(OPENED, two, T0 + ns(180))) == (
        "[12] site cut off: 清城一小 441802-3144001234, 2 devices, Internet down, since 10:00, operator 运营商甲, "
        "contact 值班 000"
    )


def test_a_device_is_called_by_its_class() -> None:
    """People know 七(3)班, not c0703; both are said."""
    line = ZH.line(News(OPENED, case("device", f"{SITE}.c0703", why="dns"), T0))
    assert line.startswith("〔12〕设备故障：清城一小 441802-3144001234 七(3)班 c0703，“域名解析”环节失败，自 10:00")


@pytest.mark.parametrize(
    ("why", "zh", "en"),
    [
        ("associate", "“关联”环节失败", "fails at associate"),
        ("portal", "“认证页面”环节失败", "fails at login page"),
        ("tls", "“证书或加密连接”环节失败", "fails at certificate or TLS"),
        ("certificate", "证书将到期", "certificate about to expire"),
        ("threshold", "超过时限", "too slow"),
        ("login_page", "认证页面打不开", "login page does not load"),
        ("wan_down", "外网中断", "Internet down"),
        ("unreachable", "无法联系（线路或供电）", "nothing is heard (line or power)"),
        ("a-stage-of-tomorrow", "a-stage-of-tomorrow", "a-stage-of-tomorrow"),
    ],
)
def test_a_stage_is_told_as_what_fails(why: str, zh: str, en: str) -> None:
    """Nobody is to read "associated since 23:13" for what did not; what says itself what is wrong stands as it is."""
    assert (ZH.why(why), EN.why(why)) == (zh, en)
    assert f"，{zh}，自 10:00" in ZH.line(News(OPENED, case("device", why=why), T0))
    assert f", {en}, since 10:00" in EN.line(News(OPENED, case("device", why=why), T0))


def test_a_recovery_has_cause_minutes_and_what_it_includes() -> None:
    """Who was told of an incident that was taken up finds its number here."""
    over = case(
        "site", closed_ns=T0 + ns(3600), clear_ns=T0 + ns(3000), minutes=50, includes=("9", "10"), ended=RECOVERED
    )
    assert EN.line(News(RECOVERED, over, T0 + ns(3600))) == (
        "[12] recovered: site cut off, 清城一小 441802-3144001234 gw, Internet down, 10:00 to 10:50, "
        "50 service minutes lost, with incidents 9, 10, operator 运营商甲"
    )
    two = over._replace(devices=(f"{SITE}.c1", f"{SITE}.gw"), minutes=100)
    assert "100 service minutes lost by all devices together, with" in EN.line(News(RECOVERED, two, T0 + ns(3600)))
    assert "10:00 至 10:50，各设备合计损失 100 服务分钟，含事件" in ZH.line(News(RECOVERED, two, T0 + ns(3600)))
    by_hand = over._replace(ended="by_hand")
    assert EN.line(News(RECOVERED, by_hand, T0 + ns(3600))).startswith("[12] ended (closed by hand): site cut off")


def test_an_operators_cut_is_counted_and_a_fault_has_its_title() -> None:
    """How many sites and devices; what the profile calls the fault."""
    cut = case("operator", *(f"441802-{number}.gw" for number in range(30)), site="441802-0")
    assert "运营商 运营商甲，30 个站点，30 台设备" in ZH.line(News(OPENED, cut, T0))
    assert "title of lamp-failed" in EN.line(News(OPENED, case("fault", why="lamp-failed"), T0))
    assert EN.line(News(ESCALATED, cut, T0)).startswith("[12] nobody acknowledged: operator's cut")


def test_yesterday_has_its_date() -> None:
    """An hour alone is one of today."""
    assert "自 03-02 10:00" in ZH.line(News(OPENED, case("site"), T0 + ns(86_400)))


def test_the_digest_counts_by_county_and_names_what_is_open() -> None:
    """How many, what is open since when, who is silent; of a county of which no device is told of no word."""
    now = {
        f"{SITE}.gw": Now(f"{SITE}.gw", State.OFFLINE, T0),
        f"{SITE}.c1": Now(f"{SITE}.c1", State.SILENT, T0),
        "441881-1.gw": Now("441881-1.gw", State.WORKING, T0),
    }
    lines = EN.digest([case("site")], now, T0 + ns(86_400))
    assert lines[0] == "3 devices: 1 working, 1 incidents open, 1 silent"
    assert lines[1] == "441802: 1 incidents, 1 silent"
    assert lines[2].startswith("[12] site cut off")
    assert EN.digest([], {"441881-1.gw": now["441881-1.gw"]}, T0) == [
        "1 devices: 1 working, 0 incidents open, 0 silent",
        "no incident is open",
    ]
    two = case("operator", f"{SITE}.gw", "441881-1.gw")
    assert not any(line.startswith("441802") for line in EN.digest([two], {"441881-1.gw": now["441881-1.gw"]}, T0))


def test_a_title_says_how_many_of_each() -> None:
    """New, recovered, ended otherwise, not acknowledged."""
    assert EN.title([OPENED, OPENED, RECOVERED]) == "Santong: 2 new, 1 recovered"
    assert ZH.title([ESCALATED]) == "三通：无人确认 1"
    assert ZH.title([RECOVERED, ENDED, ENDED]) == "三通：恢复 1，结束 2"
    assert EN.title([ENDED]) == "Santong: 1 ended"


@pytest.mark.parametrize(
    ("ended", "told"), [(RECOVERED, RECOVERED), (BY_HAND, ENDED), (AGREED, ENDED), (RETIRED, ENDED)]
)
def test_what_ended_otherwise_is_no_recovery(ended: str, told: str) -> None:
    """Closed by hand, by a closure, or gone from the roster: nobody is to read of a recovery while it is still dark."""
    over = case("site", closed_ns=T0 + ns(600), ended=ended)
    assert News(RECOVERED, over, T0 + ns(600)).told_as == told
    assert [News(what, over, T0).told_as for what in (OPENED, ESCALATED)] == [OPENED, ESCALATED]


def test_no_line_is_endless() -> None:
    """A name of a thousand letters does not push everything else out of a message."""
    long = Voice("en", NAMES._replace(sites={SITE: "x" * 1000}))
    assert len(long.line(News(OPENED, case("site"), T0))) == 300


def test_an_incident_links_to_the_board_where_one_is_known() -> None:
    """Whoever gets it acknowledges, notes and closes with a click; without a board's address there is no link."""
    there = EN._replace(board="https://board.example.org/santong")
    for what in (OPENED, ESCALATED, RECOVERED):
        news = News(what, case("site"), T0)
        assert there.linked(news).split("\n") == [EN.line(news), "https://board.example.org/santong/incident/12"]
        assert EN.linked(news) == EN.line(news)
    (found,) = [line for line in there.digest([case("site")], {}, T0) if line.startswith("[12]")]
    assert found.endswith(" https://board.example.org/santong/incident/12")


def test_a_link_is_whole_however_long_the_line_is() -> None:
    """The line is cut short, the address below it is not."""
    long = Voice("en", NAMES._replace(sites={SITE: "x" * 1000}), board="https://board.example.org")
    line, _, link = long.linked(News(OPENED, case("site"), T0)).partition("\n")
    assert (len(line), link) == (300, "https://board.example.org/incident/12")
