"""
The columns of a roster: what they are called, in English and Chinese, and how a cell of each is read.

A cell is text as people type it; what cannot be read is a ValueError that says how it is written, or what was meant.
"""

import difflib
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from collector.roster.schema import Area, Reach, SiteKind
from contract.meant import did_you_mean

# The counties of Qingyuan 清远市 441800, by their codes of GB/T 2260.
COUNTIES: Mapping[str, str] = {
    "441802": "清城区",
    "441803": "清新区",
    "441821": "佛冈县",
    "441823": "阳山县",
    "441825": "连山壮族瑶族自治县",
    "441826": "连南瑶族自治县",
    "441881": "英德市",
    "441882": "连州市",
}

# Codes: 统计上划分城乡的规定, 国函〔2008〕60号: 1xx is 城镇, 2xx 乡村.
AREAS: Mapping[str, Area] = {
    **dict.fromkeys(("urban", "城市", "城镇", "城区", "市区", "111", "112", "121", "122", "123"), Area.URBAN),
    **dict.fromkeys(("主城区", "城乡结合区", "镇中心区", "镇乡结合区", "特殊区域"), Area.URBAN),
    **dict.fromkeys(("rural", "农村", "乡村", "210", "220", "乡中心区", "村庄"), Area.RURAL),
}

KINDS: Mapping[str, SiteKind] = {
    **dict.fromkeys(("school", "学校", "中小学", "小学", "初中", "高中", "中学", "教学点"), SiteKind.SCHOOL),
    **dict.fromkeys(("public", "公共场所", "公共场地", "热点", "公共热点"), SiteKind.PUBLIC),
    **dict.fromkeys(("village", "村", "自然村", "行政村"), SiteKind.VILLAGE),
    **dict.fromkeys(("office", "办公", "机关", "单位", "办公场所"), SiteKind.OFFICE),
    **dict.fromkeys(("other", "其他", "其它"), SiteKind.OTHER),
}

# The roles of profiles: a device is looked up by the same words.
ROLES: Mapping[str, str] = {
    **dict.fromkeys(("classroom", "教室", "班班通", "教学平台", "教室终端", "一体机", "教学一体机"), "classroom"),
    **dict.fromkeys(("access-point", "接入点", "无线接入点", "ap", "无线ap"), "access-point"),
    **dict.fromkeys(("projector", "投影机", "投影仪"), "projector"),
    **dict.fromkeys(("gateway", "网关", "路由器"), "gateway"),
    **dict.fromkeys(("switch", "交换机"), "switch"),
    **dict.fromkeys(("controller", "控制器", "无线控制器", "ac"), "controller"),
    **dict.fromkeys(("other", "其他", "其它"), "other"),
}

# How an agent is administered.
REACHES: Mapping[str, Reach] = {
    **dict.fromkeys(("ssh", "远程", "远程登录"), Reach.SSH),
    **dict.fromkeys(("pull", "自取", "自动拉取", "主动拉取"), Reach.PULL),
    **dict.fromkeys(("none", "无", "不管理"), Reach.NONE),
}

MOST_MBPS = 1_000_000.0
_MBPS = re.compile(r"(-?\d+(?:\.\d+)?)(m|mbps|mbit/s|mb/s|兆|g|gbps|gbit/s)?", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})(?:-(\d\d?)-(\d\d?)|/(\d\d?)/(\d\d?)|\.(\d\d?)\.(\d\d?)|年(\d\d?)月(\d\d?)日|(\d\d)(\d\d))")
_YEARS = range(1990, 2100)
_EXCEL_EPOCH = date(1899, 12, 30)  # day 0 of Excel's dates, from March 1900 on
_MADE_A_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d\d?月\d\d?日|\d\d?-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d\d?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OWN_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_MOST_NAME = 253  # RFC 1035 section 2.3.4, as text without the final dot
_SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+\d+")
_WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
# Zero width, or marks of direction: people cannot see them, and they come along when text is copied.
_UNSEEN = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF])
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−_", "-") | {"。": ".", "，": "."})


# ---- cells


@lru_cache(1 << 16)
def tidy(text: str) -> str:
    """Return text of people's language: half-width digits and letters, single blanks, nothing that cannot be seen."""
    if not text.isascii():
        text = text.translate(_WIDE).translate(_UNSEEN)
    return " ".join(text.split())


@lru_cache(1 << 16)
def tidy_code(text: str) -> str:
    """Return a code, number or date: whatever is full-width becomes half-width, nothing around it."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_UNSEEN)
    return text.strip()


def plain(text: str) -> str:
    """Return a text; ValueError when it has characters that no one can see or print."""
    made = tidy(text)
    if not made.isprintable():
        raise ValueError(f"{made!r} has a character that cannot be printed")
    return made


def named(text: str) -> str:
    """Return the name of a class or room; ValueError when a spreadsheet made a date of it."""
    made = plain(text)
    if _MADE_A_DATE.fullmatch(made):
        raise ValueError(f"{made!r} is a date, which spreadsheets make of 7-3: make the column text, type it again")
    return made


def code(text: str) -> str:
    """Return a code; ValueError when a spreadsheet rounded it."""
    made = tidy_code(text)
    if _SCIENTIFIC.fullmatch(made):
        raise ValueError(f"{made!r} was rounded by a spreadsheet: make the column text, type it again")
    if not made.isprintable():
        raise ValueError(f"{made!r} has a character that cannot be printed")
    return made


def phone(text: str) -> str:
    """Return a phone number, as it is written."""
    return " ".join(code(text).split())


def meant_id(wrong: str) -> str:
    """Return an id with what people often write wrong put right: capitals, dashes, blanks."""
    return re.sub(r"\s+", "", wrong).translate(_DASHES).lower()


def day(text: str) -> date:
    """Return a date: 2025-09-01, 2025/9/1, 2025.9.1, 2025年9月1日, 20250901."""
    made = tidy_code(text).removesuffix(" 00:00:00").removesuffix(" 0:00:00").removesuffix(" 0:00")
    match = _DATE.fullmatch(made.replace(" ", ""))
    try:
        if match is None:
            raise ValueError
        year, month, number = (int(part) for part in match.groups() if part)
        found = date(year, month, number)
    except ValueError:
        raise ValueError(f"{made!r} is not a date such as 2025-09-01{_meant_day(made)}") from None
    if found.year not in _YEARS:
        raise ValueError(f"{found} is not between {_YEARS.start} and {_YEARS.stop - 1}")
    return found


def _meant_day(text: str) -> str:
    """Return the date that Excel's number of a day means."""
    if re.fullmatch(r"[34]\d{4}", text):
        return f", did you mean {_EXCEL_EPOCH + timedelta(int(text))}: make the column a date"
    return ""


def mbps(text: str) -> float:
    """Return a bandwidth, Mbit/s: 100, 100M, 1G."""
    made = tidy_code(text).replace(" ", "").replace(",", "")
    match = _MBPS.fullmatch(made)
    if match is None:
        raise ValueError(f"{made!r} is not a bandwidth in Mbit/s such as 100")
    found = float(match[1]) * (1000 if (match[2] or "").lower().startswith("g") else 1)
    if found <= 0:
        raise ValueError(f"{made} is not above 0")
    if found > MOST_MBPS:
        raise ValueError(f"{made} is more than any line has: it is in Mbit/s")
    return found


def host(text: str) -> str:
    """
    Return an IP address or a DNS name, as SSH is given it: names in small letters, addresses in their short form.

    ValueError for what is neither (RFC 1123 section 2.1), and for addresses that lead to no other machine. A zone is
    refused, too (RFC 4007 section 11): it names a line of another machine, and any text at all may stand in it, which
    Ansible would read as a template.
    """
    made = code(text).lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(made)
    except ValueError:
        return _name(made)
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ValueError(f"{made[:80]!r} has a zone (%), which is no part of a host's address here")
        address = address.ipv4_mapped or address
    if address.is_loopback or address.is_multicast or address.is_unspecified or made == "255.255.255.255":
        raise ValueError(f"{address} leads to no other machine")
    return str(address)


def _name(made: str) -> str:
    """Return a DNS name; ValueError says what it is instead."""
    labels = made.split(".")
    if made in _OWN_NAMES:
        raise ValueError(f"{made} leads to no other machine")
    if all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit() and len(made) <= _MOST_NAME:
        return made
    hint = ", without scheme, user, port and prefix" if re.search(r"[/:@\[]", made) else ""
    raise ValueError(f"{made[:80]!r} is neither an IP address nor a DNS name{hint}")


def count(text: str) -> int:
    """Return a number of things."""
    made = tidy_code(text).removesuffix("个").removesuffix("班")
    if not re.fullmatch(r"\d{1,6}", made):
        raise ValueError(f"{made!r} is not a number such as 12")
    return int(made)


def county(text: str) -> str:
    """Return the code of a county, or of one whose name is known."""
    made = code(text)
    return next((known for known, name in COUNTIES.items() if name == made), made.lower())


def _one_of(known: Mapping[str, object], what: str) -> Callable[[str], object]:
    def read(text: str) -> object:
        made = tidy_code(text).lower()
        if made not in known:
            kinds = ", ".join(dict.fromkeys(str(value) for value in known.values()))
            hint = "" if made.isdigit() else did_you_mean(made, known)  # codes near each other mean other things
            raise ValueError(f"{made!r} is not {what}{hint or f': one of {kinds}'}")
        return known[made]

    return read


# ---- headers


class Column(NamedTuple):
    """A column: its name (the schema's field, or `site`, `county`, `device`), other headers, how a cell is read."""

    name: str
    headers: tuple[str, ...]
    read: Callable[[str], object] = plain


SITE_COLUMNS = (
    Column(
        "site", ("site_id", "学校代码", "单位编号", "学校编号", "学校标识码", "单位代码", "站点编号", "场所编号"), code
    ),
    Column("county", ("区县代码", "行政区划代码", "区县", "县区", "县区代码", "行政区划"), county),
    Column("name", ("学校名称", "单位名称", "站点名称", "场所名称", "学校", "名称", "site_name"), plain),
    Column("area", ("城乡", "城乡分类", "城乡类型", "城乡属性", "城乡代码", "城乡分类代码"), _one_of(AREAS, "an area")),
    Column("kind", ("单位类型", "单位类别", "学校类型", "场所类型", "站点类型", "site_kind"), _one_of(KINDS, "a kind")),
    Column("operator", ("运营商", "宽带运营商", "接入运营商", "isp"), plain),
    Column("contracted_mbps", ("签约带宽", "合同带宽", "带宽", "接入带宽", "bandwidth"), mbps),
    Column("calendar", ("校历", "日历"), code),
    Column("contact", ("联系人", "负责人", "责任人"), plain),
    Column("phone", ("电话", "联系电话", "手机", "手机号"), phone),
    Column("address", ("地址", "学校地址", "单位地址", "详细地址"), plain),
    Column("declared_classes", ("班级数", "上报班级数", "申报班级数", "教学班数"), count),
    Column("declared_source", ("班级数来源", "上报来源", "数据来源", "申报来源"), plain),
)
DEVICE_COLUMNS = (
    Column("device", ("device_id", "设备编号", "设备代码", "设备标识", "终端编号"), code),
    Column("role", ("设备类型", "设备类别", "设备角色", "角色", "用途"), _one_of(ROLES, "a role")),
    Column("room_id", ("room", "教室编号", "房间编号", "班级编号", "教室代码", "位置编号"), named),
    Column("class_name", ("class", "班级", "班级名称", "教室名称", "安装位置", "位置", "点位名称"), named),
    Column("profile", ("设备型号", "型号", "档案", "设备档案"), code),
    Column("agent", ("代理", "代理设备", "采集设备", "采集终端", "上报设备"), code),
    Column("valid_from", ("生效日期", "起始日期", "开始日期", "列入日期"), day),
    Column("valid_to", ("失效日期", "终止日期", "结束日期", "停用日期", "退役日期"), day),
    Column("commissioned_on", ("启用日期", "验收日期", "投用日期", "开通日期", "投入使用日期"), day),
    Column("successor", ("接替设备", "后继设备", "替换设备", "新设备编号"), code),
    Column("host", ("管理地址", "管理IP", "SSH地址"), host),
    # Not 接入方式, which tables have for how a school's line comes in: 光纤, ADSL.
    Column("reach", ("管理方式", "远程管理方式"), _one_of(REACHES, "a way to reach it")),
)
# Columns that many tables have, and a roster does without.
IGNORED = frozenset(
    ("序号", "备注", "说明", "no", "no.", "remark", "remarks", "note", "notes", "comment", "物理地址", "mac地址", "mac")
)


def header_key(text: str) -> str:
    """Return what a header is compared by: no blanks, no unit in brackets, no star of a mandatory column."""
    made = re.sub(r"\s+", "", tidy_code(text)).lower()
    made = re.sub(r"[(\[【][^)\]】]*[)\]】]", "", made)
    return made.strip("*:_#").replace("-", "_")


SITE_HEADERS = {header_key(text): column for column in SITE_COLUMNS for text in (column.name, *column.headers)}
DEVICE_HEADERS = {header_key(text): column for column in DEVICE_COLUMNS for text in (column.name, *column.headers)}
HEADERS: Mapping[str, Column] = {**SITE_HEADERS, **DEVICE_HEADERS}
_BARE_ID = frozenset(("id", "编号", "代码"))


def recognised(headers: Iterable[str]) -> list[Column | None]:
    """Return the column of each header of a table, None for one that is unknown."""
    keys = [header_key(text) for text in headers]
    found = [HEADERS.get(key) for key in keys]
    # `id` alone is the device's, or the site's: the other columns tell.
    is_of_devices = any(key in DEVICE_HEADERS for key in keys)
    own = DEVICE_HEADERS["device"] if is_of_devices else SITE_HEADERS["site"]
    return [own if key in _BARE_ID and own not in found else column for key, column in zip(keys, found, strict=True)]


def near_header(text: str) -> str:
    """Return the header that was meant by an unknown one, or nothing."""
    near = difflib.get_close_matches(header_key(text), HEADERS, 1, 0.7)
    return near[0] if near else ""
