"""One bad file for each rule, with exactly what is said of it."""

from datetime import date
from pathlib import Path

import pytest

from collector.roster.findings import Known
from collector.roster.read import Reading, read
from collector.roster.schema import Area, Device, Reach, Site, SiteKind
from tests.collector.roster.tables import DEVICE, SITE, SITES_CSV, as_csv, save, sites

KNOWN = Known(profiles=frozenset(("windows-classroom-pc", "openwrt")), calendars=frozenset(("qingcheng", "yangshan")))
HEAD = "device,role,room_id,class_name,profile,agent,valid_from,valid_to,commissioned_on,successor\n"
GOOD = HEAD + f"{DEVICE},classroom,101,一(1)班,,,,,,\n"
OTHER = "441802-9990000002"


def said(reading: Reading) -> list[str]:
    """Return the findings without the folder."""
    return [str(finding).rpartition("/")[2] for finding in reading.findings]


def lines(folder: Path, devices: str, of_sites: str = SITES_CSV) -> list[str]:
    """Return what is said of two files."""
    reading = read([sites(folder, of_sites), save(folder, devices)], KNOWN)
    return [str(finding).removeprefix(f"{folder}/") for finding in reading.findings]


HOSTS_HEAD = "device,role,agent,valid_to,valid_from,管理地址,管理方式\n"
HOSTS = {
    "no address and no name": (
        f"{DEVICE},classroom,,,,10.20.7,",
        "devices.csv:2: 管理地址: '10.20.7' is neither an IP address nor a DNS name",
    ),
    "a URL": (
        f"{DEVICE},classroom,,,,http://pi.example,",
        "devices.csv:2: 管理地址: 'http://pi.example' is neither an IP address nor a DNS name, "
        "without scheme, user, port and prefix",
    ),
    "an address with a port": (
        f"{DEVICE},classroom,,,,10.20.7.3:22,",
        "devices.csv:2: 管理地址: '10.20.7.3:22' is neither an IP address nor a DNS name, "
        "without scheme, user, port and prefix",
    ),
    "the centre itself": (
        f"{DEVICE},classroom,,,,127.0.0.1,",
        "devices.csv:2: 管理地址: 127.0.0.1 leads to no other machine",
    ),
    "the centre by its name": (
        f"{DEVICE},classroom,,,,localhost,",
        "devices.csv:2: 管理地址: localhost leads to no other machine",
    ),
    "the centre by its name with the dot of the root": (
        f"{DEVICE},classroom,,,,LocalHost.,",
        "devices.csv:2: 管理地址: localhost leads to no other machine",
    ),
    "the centre by an address within another one": (
        f"{DEVICE},classroom,,,,::ffff:127.0.0.1,",
        "devices.csv:2: 管理地址: 127.0.0.1 leads to no other machine",
    ),
    "a zone, in which Ansible would run a program at the centre": (
        f"{DEVICE},classroom,,,,\"fe80::1%{{{{lookup('pipe','id')}}}}\",",
        "devices.csv:2: 管理地址: \"fe80::1%{{lookup('pipe','id')}}\" has a zone (%), which is no part of a host's "
        "address here",
    ),
    "two agents on one machine": (
        f"{DEVICE},classroom,,,,10.20.7.3,\n{SITE}.c2,classroom,,,,１０.20.7.3,",
        f"devices.csv:3: 管理地址: 10.20.7.3 is the host of {DEVICE}, row 2, too: one agent runs on a machine",
    ),
    "a host that nothing of ours runs on": (
        f"{DEVICE},classroom,gw1,,,10.20.7.3,\n{SITE}.gw1,gateway,,,,,",
        f"devices.csv:2: 管理地址: warning: {SITE}.gw1 speaks for the device: nothing of ours runs on it to be reached",
    ),
    "a way that there is not": (
        f"{DEVICE},classroom,,,,,telnet",
        "devices.csv:2: 管理方式: 'telnet' is not a way to reach it: one of ssh, pull, none",
    ),
    "ssh to nowhere": (
        f"{DEVICE},classroom,,,,,远程",
        "devices.csv:2: 管理方式: ssh, and there is no host to reach it at",
    ),
}
DEVICES = {
    "no device id": (
        "441802,classroom,,,,,,,,",
        "devices.csv:2: device: '441802' is not a device id: "
        "<county>-<school code>.<place>, in a-z, 0-9 and '-', at most 64 characters",
    ),
    "capitals in an id": (
        f"{SITE}.C0101,classroom,,,,,,,,",
        f"devices.csv:2: device: '{SITE}.C0101' is not a device id, did you mean {DEVICE}",
    ),
    "an underscore and a long dash in an id": (
        "441802—9990000001.c_1,classroom,,,,,,,,",
        f"devices.csv:2: device: '441802—9990000001.c_1' is not a device id, did you mean {SITE}.c-1",
    ),
    "no id": (",classroom,,,,,,,,", "devices.csv:2: device: is empty"),
    "no role": (f"{DEVICE},,,,,,,,,", "devices.csv:2: role: is empty"),
    "an unknown role": (
        f"{DEVICE},clasroom,,,,,,,,",
        "devices.csv:2: role: 'clasroom' is not a role, did you mean classroom",
    ),
    "a role of nowhere": (
        f"{DEVICE},幕布,,,,,,,,",
        "devices.csv:2: role: '幕布' is not a role: "
        "one of classroom, access-point, projector, gateway, switch, controller, other",
    ),
    "a device twice": (
        f"{DEVICE},classroom,,,,,,,,\n\n{DEVICE},classroom,,,,,,,,",
        f"devices.csv:4: device: {DEVICE} stands in row 2 already",
    ),
    "no such site": (
        "441802-9990000003.c1,classroom,,,,,,,,",
        "devices.csv:2: device: there is no site 441802-9990000003, did you mean 441802-9990000002",
    ),
    "an end before the beginning": (
        f"{DEVICE},classroom,,,,,2025-09-01,2025/8/31,,",
        "devices.csv:2: valid_to: 2025-08-31 is before valid_from 2025-09-01",
    ),
    "commissioned too early": (
        f"{DEVICE},classroom,,,,,2025-09-01,,2025-08-31,",
        "devices.csv:2: commissioned_on: 2025-08-31 is before valid_from 2025-09-01",
    ),
    "commissioned too late": (
        f"{DEVICE},classroom,,,,,,2025-09-01,2025-09-02,",
        "devices.csv:2: commissioned_on: 2025-09-02 is after valid_to 2025-09-01",
    ),
    "no date": (
        f"{DEVICE},classroom,,,,,2025-13-01,,,",
        "devices.csv:2: valid_from: '2025-13-01' is not a date such as 2025-09-01",
    ),
    "an unknown successor": (
        f"{DEVICE},classroom,,,,,,2025-09-01,,c0103\nX.c0102,classroom,,,,,,,,".replace("X", SITE),
        f"devices.csv:2: successor: there is no device {SITE}.c0103, did you mean {SITE}.c0102",
    ),
    "a successor on another site": (
        f"{DEVICE},classroom,,,,,,2025-09-01,,{OTHER}.c1\n{OTHER}.c1,classroom,,,,,,,,",
        f"devices.csv:2: successor: {OTHER}.c1 is on another site: a move is an end there and a beginning here",
    ),
    "a circle of successors": (
        f"{DEVICE},classroom,,,,,,2025-09-01,,c2\n{SITE}.c2,classroom,,,,,,2025-09-01,,c0101",
        f"devices.csv:2: successor: goes round in a circle: {DEVICE} → {SITE}.c2 → {DEVICE}",
    ),
    "its own successor": (
        f"{DEVICE},classroom,,,,,,,,c0101",
        f"devices.csv:2: successor: goes round in a circle: {DEVICE} → {DEVICE}",
    ),
    "a successor without an end": (
        f"{DEVICE},classroom,,,,,,,,c2\n{SITE}.c2,classroom,,,,,,,,",
        "devices.csv:2: successor: warning: the device has no valid_to: both count from then on",
    ),
    "an unknown agent": (
        f"{DEVICE},classroom,,,,gw2,,,,\n{SITE}.gw1,gateway,,,,,,,,",
        f"devices.csv:2: agent: there is no device {SITE}.gw2, did you mean {SITE}.gw1",
    ),
    "an agent on another site": (
        f"{DEVICE},classroom,,,,{OTHER}.gw1,,,,\n{OTHER}.gw1,gateway,,,,,,,,",
        f"devices.csv:2: agent: {OTHER}.gw1 is on another site: an agent speaks for devices of its own",
    ),
    "an agent of an agent": (
        f"{DEVICE},classroom,,,,c2,,,,\n{SITE}.c2,classroom,,,,c3,,,,\n{SITE}.c3,classroom,,,,,,,,",
        f"devices.csv:2: agent: warning: {SITE}.c3 speaks for {SITE}.c2, which then speaks for nobody",
    ),
    "an agent that ends first": (
        f"{DEVICE},classroom,,,,gw1,,,,\n{SITE}.gw1,gateway,,,,,,2026-01-31,,",
        f"devices.csv:2: agent: warning: {SITE}.gw1 ends on 2026-01-31, before the device: nobody speaks for it then",
    ),
    "a room with two names": (
        f"{DEVICE},classroom,101,一(1)班,,,,,,\n{SITE}.c2,projector,101,一(2)班,,,,,,",
        f"devices.csv:3: class_name: 一(2)班 contradicts 一(1)班 of {DEVICE}, row 2: the same room",
    ),
    "a class that is a date": (
        f"{DEVICE},classroom,101,7月3日,,,,,,",
        "devices.csv:2: class_name: '7月3日' is a date, which spreadsheets make of 7-3: "
        "make the column text, type it again",
    ),
    "an unknown profile": (
        f"{DEVICE},classroom,,,windows-clasroom-pc,,,,,",
        "devices.csv:2: profile: there is no profile windows-clasroom-pc, did you mean windows-classroom-pc",
    ),
    "a profile of nowhere": (
        f"{DEVICE},classroom,,,x9,,,,,",
        "devices.csv:2: profile: there is no profile x9; `santong profiles list` names them",
    ),
    "a character that cannot be printed": (
        f"{DEVICE},classroom,,一\x07班,,,,,,",
        "devices.csv:2: class_name: '一\\x07班' has a character that cannot be printed",
    ),
}


@pytest.mark.parametrize("name", DEVICES)
def test_each_mistake_of_a_device_is_said(tmp_path: Path, name: str) -> None:
    """File, row, column, what is wrong and what was meant: nothing else."""
    rows, message = DEVICES[name]
    assert lines(tmp_path, HEAD + rows + "\n") == [message]


OF_SITES = {
    "no site id": ("4418_02,x", "sites.csv:4: site: '4418_02' is not a site id, did you mean 4418-02"),
    "an id of nothing": (
        "、,x",
        "sites.csv:4: site: '、' is not a site id: <county>-<school code>, in a-z, 0-9 and '-'",
    ),
    "a school's code alone": (
        "9990000003,x",
        "sites.csv:4: site: '9990000003' is a school's code alone: "
        "write <county>-<code>, or add a column county 区县代码",
    ),
    "an empty id": (",x", "sites.csv:4: site: is empty"),
    "a site twice": (f"{SITE},示例小学", f"sites.csv:4: site: {SITE} stands in row 2 already"),
    "an area of nowhere": ("441802-3,x,130", "sites.csv:4: area: '130' is not an area: one of urban, rural"),
    "an unknown kind": ("441802-3,x,,scool", "sites.csv:4: kind: 'scool' is not a kind, did you mean school"),
    "a kind of nowhere": (
        "441802-3,x,,z",
        "sites.csv:4: kind: 'z' is not a kind: one of school, public, village, office, other",
    ),
    "a negative bandwidth": ("441802-3,x,,,-100", "sites.csv:4: contracted_mbps: -100 is not above 0"),
    "no bandwidth": (
        "441802-3,x,,,nan",
        "sites.csv:4: contracted_mbps: 'nan' is not a bandwidth in Mbit/s such as 100",
    ),
    "too much bandwidth": (
        "441802-3,x,,,100000000",
        "sites.csv:4: contracted_mbps: 100000000 is more than any line has: it is in Mbit/s",
    ),
    "no number": ("441802-3,x,,,,-3", "sites.csv:4: declared_classes: '-3' is not a number such as 12"),
    "an unknown calendar": (
        "441802-3,x,,,,,qingchen",
        "sites.csv:4: calendar: there is no calendar qingchen, did you mean qingcheng",
    ),
    "an unknown county": (
        "441812-3,x",
        "sites.csv:4: site: warning: the county 441812 is not known, did you mean 441882",
    ),
    "a rounded code": (
        "441802-3,x,,,,,,1.38E+10",
        "sites.csv:4: phone: '1.38E+10' was rounded by a spreadsheet: make the column text, type it again",
    ),
}


@pytest.mark.parametrize("name", OF_SITES)
def test_each_mistake_of_a_site_is_said(tmp_path: Path, name: str) -> None:
    """As of devices."""
    row, message = OF_SITES[name]
    head = "site,name,area,kind,contracted_mbps,declared_classes,calendar,phone\n"
    table = f"{head}{SITE},示例小学\n{OTHER},示例中学\n{row}\n"
    assert lines(tmp_path, GOOD, table) == [message]


OF_HEADERS = {
    "a header nearly right": (
        GOOD.replace("valid_to", "valid_too"),
        "devices.csv:1: valid_too: is not a column of the roster, did you mean valid_to",
    ),
    "an unknown header": (
        GOOD.replace("valid_to", "颜色"),
        "devices.csv:1: 颜色: warning: is not a column of the roster, and not read",
    ),
    "a column twice": (
        GOOD.replace("room_id,class_name", "class,班级"),
        "devices.csv:1: 班级: is the column class_name again: class is it already",
    ),
    "no role": (f"device,class_name\n{DEVICE},一(1)班\n", "devices.csv:1: there is no column role 设备类型"),
    "no id": (
        "设备编好,role\n1,classroom\n",
        "devices.csv: has no column site 学校代码 or device 设备编号; "
        "its first ones are 设备编好, role, did you mean 设备编号",
    ),
}


@pytest.mark.parametrize("name", OF_HEADERS)
def test_each_mistake_of_headers_is_said(tmp_path: Path, name: str) -> None:
    """A misspelt column never goes unread in silence; a foreign one is noted."""
    table, message = OF_HEADERS[name]
    assert lines(tmp_path, table) == [message]


def test_ignored_columns_are_not_mentioned(tmp_path: Path) -> None:
    """Many tables have numbers and remarks."""
    assert lines(tmp_path, f"序号,device,role,备注\n1,{DEVICE},classroom,新\n") == []


def test_all_mistakes_come_at_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    """File by file, row by row, column by column, whichever rule found them."""
    rows = f"{DEVICE},x9,,,y9,,2025-1,,,\n{OTHER}.c1,classroom,,,,,2025-09-02,2025-09-01,,c9\n"
    assert [line.split(": ")[0:2] for line in lines(tmp_path, HEAD + rows, SITES_CSV + "bad id,x,y\n")] == [
        ["sites.csv:4", "site"],
        ["sites.csv:4", "area"],
        ["devices.csv:2", "role"],
        ["devices.csv:2", "profile"],
        ["devices.csv:2", "valid_from"],
        ["devices.csv:3", "valid_to"],
        ["devices.csv:3", "successor"],
    ]


def test_a_column_that_is_wrong_from_top_to_bottom_is_said_row_by_row(tmp_path: Path) -> None:
    """Every row has its line; what was meant is said for the first hundred, since thousands would take minutes."""
    table = "site,name\n" + "".join(f"441802-{n:04},x\n" for n in range(300))
    rows = "".join(f"441803-{n:04}.c1,classroom,,,,c2,,,,\n" for n in range(300))
    found = lines(tmp_path, HEAD + rows, table)
    assert len(found) == 600
    assert sum("did you mean" in line for line in found) == 100
    assert found[0].startswith("devices.csv:2: device: there is no site 441803-0000, did you mean 441802-0000")


def test_devices_without_any_file_of_sites_are_one_mistake(tmp_path: Path) -> None:
    """Who forgot the second file reads one line, not one for each device."""
    reading = read([save(tmp_path, GOOD + f"{OTHER}.c1,classroom,,,,,,,,\n")])
    assert [str(finding).removeprefix(f"{tmp_path}/") for finding in reading.findings] == [
        "devices.csv: has devices, and no file has their sites: give that too, or columns such as name 学校名称"
    ]


def test_a_flat_table_gives_devices_and_their_sites(tmp_path: Path) -> None:
    """County and code in columns of their own make the id, the device's place the rest; a row alone is a site."""
    table = as_csv(
        [
            [
                "区县",
                "学校代码",
                "学校名称",
                "城乡代码",
                "类型",
                "运营商",
                "设备编号",
                "设备类型",
                "采集设备",
                "启用日期",
            ],
            ["清城区", "9990000001", "示例小学", "220", "", "示例运营商", "c0101", "教室", "gw1", "2025年9月1日"],
            ["441802", SITE, "示例小学", "农村", "", "", "gw1", "网关", "", ""],
            ["441802", "9990000002", "示例中学", "111", "", "", "", "", "", ""],
        ]
    )
    reading = read([save(tmp_path, table.replace("类型,运营商", "单位类型,运营商"))])
    assert reading.findings == ()
    assert reading.roster.sites == {
        SITE: Site(SITE, "示例小学", Area.RURAL, SiteKind.SCHOOL, "示例运营商"),
        OTHER: Site(OTHER, "示例中学", Area.URBAN),
    }
    assert reading.roster.devices == {
        DEVICE: Device(DEVICE, "classroom", agent=f"{SITE}.gw1", commissioned_on=date(2025, 9, 1)),
        f"{SITE}.gw1": Device(f"{SITE}.gw1", "gateway"),
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"{SITE},示例中学,c2,classroom", f"name: 示例中学 contradicts 示例小学 in row 2: both are of {SITE}"),
        (f"{SITE},,,classroom", "device: is empty"),
        (f"{OTHER},,{SITE}.c2,classroom", f"site: is {OTHER}, and by its id {SITE}.c2 stands on {SITE}"),
    ],
)
def test_mistakes_of_a_flat_table_are_said(tmp_path: Path, row: str, message: str) -> None:
    """Rows of one site say the same of it, or nothing."""
    reading = read([save(tmp_path, f"site,name,device,role\n{SITE},示例小学,c1,classroom\n{row}\n")])
    assert [str(finding).removeprefix(f"{tmp_path}/") for finding in reading.findings] == [f"devices.csv:3: {message}"]


def test_a_county_that_contradicts_the_id_is_a_mistake(tmp_path: Path) -> None:
    """Two columns that say the same must."""
    reading = read([save(tmp_path, f"county,site\n441803,{SITE}\n")])
    assert said(reading) == [f"devices.csv:2: site: {SITE} is not in the county 441803 of the same row"]


def test_a_class_may_change_its_room_s_name_in_time(tmp_path: Path) -> None:
    """One device ends, the next one in the room is of another class: no contradiction."""
    rows = f"{DEVICE},classroom,101,初一(1)班,,,,2026-07-11,,\n{SITE}.c2,classroom,101,初二(1)班,,,2026-09-01,,,\n"
    assert lines(tmp_path, HEAD + rows) == []


def test_an_unknown_county_is_warned_of_once(tmp_path: Path) -> None:
    """Another city's roster is read all the same; the counties that exist can be given."""
    table = "site,name\n310101-1,甲\n310101-2,乙\n"
    reading = read([sites(tmp_path, table)])
    assert [finding.is_warning for finding in reading.findings] == [True]
    assert (len(reading.errors), len(reading.warnings)) == (0, 1)
    assert read([tmp_path / "sites.csv"], Known(counties=frozenset(("310101",)))).findings == ()


def test_a_warning_stops_nothing_and_json_tells_both_apart(tmp_path: Path) -> None:
    """What scripts get has the same places as people's lines."""
    reading = read([sites(tmp_path, "site,name,area\n310101-1,甲,x\n")])
    place = {"file": str(tmp_path / "sites.csv"), "sheet": None, "row": 2}
    county, area = "the county 310101 is not known", "'x' is not an area: one of urban, rural"
    assert [finding.as_json() for finding in reading.findings] == [
        {**place, "column": "site", "message": county, "level": "warning"},
        {**place, "column": "area", "message": area, "level": "error"},
    ]


@pytest.mark.parametrize(("rows", "message"), HOSTS.values(), ids=HOSTS)
def test_hosts_that_lead_nowhere_or_twice_to_one_machine_are_told(tmp_path: Path, rows: str, message: str) -> None:
    """A slip in an address would install an agent on the wrong machine: it is said with row and column."""
    assert lines(tmp_path, HOSTS_HEAD + rows + "\n") == [message]


def test_a_host_that_was_another_agents_before_is_none_twice(tmp_path: Path) -> None:
    """The machine of a device that ended may be given to the next one."""
    rows = f"{DEVICE},classroom,,2025-08-31,,10.20.7.3,\n{SITE}.c2,classroom,,,2025-09-01,10.20.7.3,\n"
    assert lines(tmp_path, HOSTS_HEAD + rows) == []


def test_hosts_and_ways_are_read(tmp_path: Path) -> None:
    """Names in small letters, addresses in their short form, ways in Chinese and English."""
    rows = [
        f"{SITE}.c1,classroom,,,,Pi7.School.example,",
        f"{SITE}.c2,classroom,,,,2001:DB8:0:0::7,pull",
        f"{SITE}.c3,classroom,,,,,自取",
        f"{SITE}.c4,classroom,,,,,",
        f"{SITE}.c5,classroom,,,,,不管理",
    ]
    devices = read([sites(tmp_path), save(tmp_path, HOSTS_HEAD + "\n".join(rows) + "\n")], KNOWN).roster.devices
    assert [(device.host, device.reach) for device in devices.values()] == [
        ("pi7.school.example", None),
        ("2001:db8::7", Reach.PULL),
        ("", Reach.PULL),
        ("", None),
        ("", Reach.NONE),
    ]


def test_a_column_of_hardware_addresses_stays_passed_over(tmp_path: Path) -> None:
    """物理地址 is no slip for 管理地址."""
    assert lines(tmp_path, f"device,role,物理地址,MAC地址\n{DEVICE},classroom,b8:27:eb:00:00:01,x\n") == []
