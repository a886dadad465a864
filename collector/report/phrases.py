"""What reports say beside the words of screens, in Chinese and English; a test checks that each is used."""

from collector.words import WORDS, Language

PHRASES: dict[str, tuple[str, str]] = {
    "report_title": ("三通核验报告", "Verification report"),
    "report_subtitle": (
        "班班通与公共 WiFi · 依据逐分钟证据",
        "Classrooms and public WiFi, from evidence minute by minute",
    ),
    "number": ("报告编号", "Report number"),
    "scope": ("范围", "Scope"),
    "whole_roster": ("台账全部", "all of the roster"),
    "made_at": ("出具时间", "Made at"),
    "software": ("软件版本", "Software"),
    "fingerprint": ("指纹", "Fingerprint"),
    "contents": ("目录", "Contents"),
    "summary": ("结论总览", "Verdicts"),
    "in_short": (
        "台账涉及的 {total} 项实测目标中：{passed} 项达标，{failed} 项不达标，{unproven} 项证据不足。",
        "Of {total} measured targets that the roster is about, {passed} are met, {failed} are not, and of "
        "{unproven} the evidence is too little.",
    ),
    "definitions": ("口径", "Definitions"),
    "how_to_read": (
        "“已证实”为证据表明合格的单位，“不合格”为证据表明不合格的单位，“未证实”为证据不足以判定的单位；三者之和等于台账中的全部单位。"
        "比例以区间表示：先写已证实的，再写最多可能的。",
        "Proven units are good by the evidence, failing ones are not, and of unproven ones the evidence is too little; "
        "together they are all units of the roster. Rates are intervals: what is proven first, then what is "
        "possible at best.",
    ),
    "definition": ("本目标的口径", "Definition taken"),
    "source": ("依据", "Source"),
    "declared_targets": ("申报目标（非实测）", "Declared targets (not measured)"),
    "declared_note": (
        "以下数字由责任单位申报，没有设备可以测量，不作为实测证据。",
        "These figures are declared by whoever is responsible. No device can measure them: they are no evidence.",
    ),
    "and_not_declared": ("尚无人申报：", "Nobody has declared yet: "),
    "outside_note": (
        "台账中没有以下目标所指的对象，本报告不作结论：",
        "The roster has nothing that these targets are about; this report says nothing of them: ",
    ),
    "county": ("区县", "County"),
    "site": ("站点", "Site"),
    "all": ("合计", "All"),
    "rate": ("合格率（已证实–最多）", "Rate (proven – at best)"),
    "unit_rate": ("可用率（已证实–最多）", "Works (proven – at best)"),
    "by_county": ("按区县", "By county"),
    "by_site": ("按学校/地点", "By site"),
    "by_unit": ("逐个单位", "Unit by unit"),
    "causes": ("损失分钟的原因", "Causes of lost minutes"),
    "no_lost_minutes": ("没有损失的分钟。", "No minute was lost."),
    "counts_as": ("计为", "counts as"),
    "counted_bad": ("不合格", "not good"),
    "counted_unknown": ("未知", "unknown"),
    "counted_excluded": ("不计", "neither way"),
    "counted_good": ("合格", "good"),
    "by_day": ("逐日情况", "Day by day"),
    "by_day_minutes": ("每日服务分钟中已证实可用的比例", "Share of each day's service minutes that is proven good"),
    "by_day_units": ("每日各类单位数", "Units by kind of day"),
    "kind_good": ("正常使用", "worked"),
    "kind_bad": ("不可用", "did not work"),
    "kind_unknown": ("未知", "unknown"),
    "kind_never_on": ("从未开机", "never on"),
    "kind_none": ("无应计", "nothing owed"),
    "minutes_good": ("正常分钟", "good minutes"),
    "minutes_bad": ("不合格分钟", "bad minutes"),
    "minutes_unknown": ("未知分钟", "unknown minutes"),
    "minutes_excluded": ("不计分钟", "minutes not counted"),
    "strip": ("逐分钟", "Minute by minute"),
    "strips_note": (
        "每行是一台设备的一天，每一段是相同原因的连续分钟；颜色之外另有字母。右侧：正常分钟/计入分钟。",
        "Each row is a device's day, each piece minutes in a row with one cause; letters beside colours. On the "
        "right: good minutes of those that count.",
    ),
    "strips_left_out": (
        "本文件列出 {shown} 个单位的逐分钟情况（未合格者在前），其余 {rest} 个见 XLSX 或 JSON 文件。",
        "This file shows the minutes of {shown} units, those that are not proven first; of {rest} more they are "
        "in the XLSX or JSON file.",
    ),
    "units_left_out": (
        "本表列出 {shown} 个（未合格者在前），其余 {rest} 个见 XLSX 或 JSON 文件。",
        "This table lists {shown}, those that are not proven first; {rest} more are in the XLSX or JSON file.",
    ),
    "outages": ("最长的中断", "Longest outages"),
    "start": ("开始", "start"),
    "end": ("结束", "end"),
    "outage_minutes": ("计入分钟", "minutes that count"),
    "reliability": (
        "中断 {failures} 次，最长 {longest} 分钟；平均无故障 {mtbf} 分钟，平均恢复 {mttr} 分钟。",
        "{failures} outages, the longest {longest} minutes; mean time between failures {mtbf} minutes, to "
        "restoration {mttr} minutes.",
    ),
    "throughput": ("测速分布与门槛", "Throughput tests against the threshold"),
    "throughput_note": (
        "每次测速的 TCP 有效吞吐量（Mbit/s）。虚线为门槛；斜线为受设备自身或其他流量限制、不作结论的测速。",
        "TCP goodput of each test in Mbit/s. The dashed line is the threshold; hatched tests were limited by "
        "their own machine or other traffic and say nothing.",
    ),
    "tests": ("测速", "tests"),
    "tests_of": ("次有效测速", "tests that count"),
    "inconclusive": ("不作结论", "inconclusive"),
    "median": ("中位数", "median"),
    "lower": ("95% 下限", "95 % lower bound"),
    "upper": ("95% 上限", "95 % upper bound"),
    "threshold": ("门槛", "threshold"),
    "journey": ("热点入网各环节", "The way into hotspots, stage by stage"),
    "journey_note": (
        "{journeys} 次入网尝试，{done} 次走完全程（没有账号者以到达认证页面为止）。每一环节只统计通过了此前各环节"
        "的尝试。",
        "{journeys} journeys, {done} of which came through (for who has no account the login page is the end). "
        "Each stage counts those that had passed all before it.",
    ),
    "contracts": ("运营商履约", "Contracts by operator"),
    "contracts_note": (
        "站点测速中位数的 95% 下限达到签约速率的 80% 为履约；95% 上限低于此为违约。",
        "A contract is kept when the lower 95 % bound of the site's median test is at least 80 % of the "
        "contracted rate, broken when the upper bound is below that.",
    ),
    "other_rates": ("其他比率", "Further rates"),
    "findings": ("待核实的证据", "Evidence to be checked"),
    "findings_note": (
        "下列证据可能不来自它声称的位置；核实之前，有关设备这些时段的证据按未知处理。",
        "This evidence may not come from where it claims to. Until somebody has looked, it counts as unknown.",
    ),
    "findings_left_out": ("另有 {rest} 项见 JSON 文件。", "{rest} more are in the JSON file."),
    "findings_none": ("没有待核实的证据。", "There is nothing to be checked."),
    "kind": ("类别", "kind"),
    "devices_concerned": ("涉及设备", "devices"),
    "since": ("自", "since"),
    "until": ("至", "until"),
    "visits": ("走访清单", "Visit list"),
    "visits_note": (
        "只列使目标达标最少需要转为合格的单位；先打电话或远程处理，必要时再走访。只打印本清单：点击右侧链接后打印。",
        "Only the fewest units that must become good are listed. Try the desk and the telephone first. To print "
        "this list alone: follow the link, then print.",
    ),
    "visits_alone": ("只打印走访清单", "print the visit list alone"),
    "visits_none": ("所有实测目标均已达标，无须走访。", "All measured targets are met: nobody needs to be visited."),
    "minimal_none": ("已达标，无须整改。", "Met: nothing has to become good."),
    "minimal_all": (
        "{sites} 个站点的这 {units} 个单位转为合格，目标即达标。",
        "Units that must become good: {units} (sites: {sites}). With these the target is met.",
    ),
    "minimal_first": (
        "{sites} 个站点的这 {units} 个单位须转为合格。",
        "Units that must become good: {units} (sites: {sites}).",
    ),
    "minimal_missing": (
        "另缺 {missing} 个：台账中没有足够的单位，须先建成并登记。",
        "{missing} more are missing: the roster has too few; they must be built and entered first.",
    ),
    "minimal_only_missing": (
        "台账中的单位全部合格也不够：还缺 {missing} 个，须先建成并登记。",
        "All units of the roster are not enough: {missing} more must be built and entered first.",
    ),
    "to_pass": ("要达标", "To meet it"),
    "contact": ("联系人", "Contact"),
    "phone": ("电话", "Phone"),
    "address": ("地址", "Address"),
    "no_contact": ("台账未登记联系人", "no contact in the roster"),
    "party": ("责任方", "Responsible"),
    "party_operator": ("运营商", "operator"),
    "party_site": ("学校/场所", "site"),
    "party_us": ("核验方（我方）", "us, who verify"),
    "action": ("最省的措施", "Cheapest action"),
    "why": ("原因", "Reason"),
    "done": ("完成", "Done"),
    "effort": ("方式", "How"),
    "effort_0": ("远程", "from the desk"),
    "effort_1": ("电话", "a call"),
    "effort_2": ("报修", "an order"),
    "effort_3": ("上门", "a visit"),
    "of_minutes": ("{minutes} 分钟", "{minutes} min"),
    "action_mend_line": (
        "凭下列中断时段向运营商报修，无须上门",
        "order the line to be mended, with the outages listed here; no visit",
    ),
    "action_check_switch": (
        "请学校检查该室网线与交换机；多室同时中断则查总交换机",
        "have cable and switch of the room looked at; if several rooms fail together, the site's switch",
    ),
    "action_switch_on": ("请学校在上课时开机", "ask the school to switch it on in lessons"),
    "action_no_sleep": ("请学校关闭上课时段的休眠", "have sleep turned off for lessons"),
    "action_restart_agent": (
        "远程重启采集程序并查明停止原因",
        "restart the agent remotely and find out why it stopped",
    ),
    "action_install_agent": ("上门安装或修复采集程序", "install or mend the agent on site"),
    "action_complete_roster": (
        "请学校补报台账（随后安装采集程序），或更正申报班数",
        "have the school send the missing rows (then install agents), or correct the number it declared",
    ),
    "action_raise_rate": ("向运营商报修或提速，附测速记录", "have the operator mend or raise the rate, with the tests"),
    "action_more_tests": ("远程安排更多测速", "schedule more tests remotely"),
    "action_better_tester": (
        "换用不受网卡限制的设备测速",
        "test with a machine whose own network card is not the limit",
    ),
    "action_repair_hotspot": ("向运维方报修该环节", "order this stage to be mended by who runs the hotspot"),
    "action_repair_platform": ("安排维修该设备", "have the platform repaired"),
    "action_look_at_finding": (
        "与学校核对设备身份与位置（见“待核实的证据”），作出认定",
        "compare the device's identity and place with the school (see evidence to be checked), and decide",
    ),
    "action_set_up_reading": (
        "采集程序在线但没有此项读数：远程配置探测",
        "the agent lives and this is not read: set up the reading remotely",
    ),
    "action_look_at_gaps": (
        "远程查看：待传数据是否已补齐、采集程序为何缺数",
        "look from the desk: has waiting data come, and why are minutes missing",
    ),
    "action_find_silent": (
        "先电话确认已通电联网，再上门检查采集程序",
        "call first: is it powered and connected? then look at the agent on site",
    ),
    "reason_undelivered": ("已申报，台账未登记", "declared, not in the roster"),
    "reason_never_reported": ("从未上报", "never reported"),
    "reason_no_device": ("没有设备", "has no device"),
    "reason_throughput_fail": ("带宽不足", "too slow"),
    "reason_throughput_not_proven": ("测速结果未定", "tests do not decide"),
    "reason_too_few_tests": ("测速次数不足", "too few tests"),
    "reason_no_tests": ("没有测速", "no tests"),
    "reason_only_inconclusive": ("测速受设备自身限制", "tests limited by their own machine"),
    "reason_no_minutes": ("没有计入的时间", "no time that counts"),
    "reason_no_days": ("没有计入的上课日", "no school day that counts"),
    "signatures": ("签署", "Signatures"),
    "signed_statement": (
        "签署人确认：本报告的结论由上述证据按所列口径得出，内容以指纹为准。",
        "Who signs confirms that these verdicts follow from the evidence by the definitions above; the "
        "fingerprint tells which contents were signed.",
    ),
    "signed_made": ("编制人", "Made by"),
    "signed_checked": ("复核人", "Checked by"),
    "signed_head": ("单位负责人", "Head"),
    "signed_party": ("被核验单位", "For who was verified"),
    "seal": ("（盖章）", "(seal)"),
    "date_line": ("年　　月　　日", "date"),
    "glossary": ("术语", "Words"),
    "recompute": ("如何复算", "How to recompute"),
    "recompute_note": (
        "用同一台账、日历、目标和证据执行 santong report --from {first} --to {last} --out X.json，指纹应与本报告一致；"
        "JSON 文件中 report 部分的规范文本的 SHA-256 即为指纹（见 docs/report.md）。",
        "Run santong report --from {first} --to {last} --out X.json over the same roster, calendars, targets and "
        "evidence: the fingerprint must be the same. It is the SHA-256 of the canonical text of `report` in that file "
        "(docs/report.md).",
    ),
    "list_and": ("、", ", "),
    "full_stop": ("。", "."),
    "kind_mark_good": ("蓝色", "blue:"),
    "kind_mark_unknown": ("斜线 ?", "hatched ?:"),
    "kind_mark_bad": ("橙红 ×", "orange-red ×:"),
    "kind_mark_never_on": ("灰色 P", "grey P:"),
    "journey_times": (
        "右侧：通过/到达、✘ 失败次数、用时（半数不超过/95% 不超过）。",
        "On the right: passed / asked, ✘ failed, time taken (half within / 95 % within).",
    ),
    "page_of": ("第 {page} 页 / 共 {pages} 页", "page {page} of {pages}"),
    "of_period": ("{first} 至 {last}", "{first} to {last}"),
    "not_read": ("未读取（用 --rates 读取）", "not read (--rates asks for it)"),
    "sheet_days": ("逐日", "Days"),
    "sheet_units": ("单位", "Units"),
    "sheet_targets": ("目标", "Targets"),
    "sheet_tests": ("测速", "Tests"),
    "proven_at_least": ("已证实比例", "proven rate"),
    "possible_at_most": ("最多可能", "rate at best"),
    "sentence": ("说明", "in a sentence"),
    "runs": ("逐段（当日第几分钟+分钟数+原因）", "runs (minute of the day + minutes + cause)"),
    "counted_minutes": ("计入分钟", "minutes counted"),
    "goodput": ("吞吐量 Mbit/s", "goodput Mbit/s"),
    "limited_by": ("受限于", "limited by"),
    "item": ("项目", "item"),
    "value": ("内容", "value"),
    "days_good": ("正常使用日", "days that worked"),
    "days_counted": ("应计上课日", "school days that count"),
    "days_never_on": ("从未开机日", "days never on"),
    "back": ("返回", "back"),
    "letters": ("图例", "Key"),
    "number_in_list": ("序号", "no."),
    "unit_id": ("编号", "id"),
}


def phrase(key: str, language: Language, **values: object) -> str:
    """Return what a report says, from its own phrases or from the words of screens; KeyError for an unknown key."""
    text = (PHRASES.get(key) or WORDS[key])[0 if language == "zh" else 1]
    return text.format(**values) if values else text
