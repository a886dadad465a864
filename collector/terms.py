"""
The words of the programme: what each is called and means, and how it is not to be called.

`never_zh` and `never_en` are other names of the same thing. A test looks for them in every text that people read.
"""

from collector.present_terms import PRESENT
from collector.term import Language, Term

__all__ = ["GLOSSARY", "IN_REPORTS", "Language", "Term"]

# What every report explains on its last page.
IN_REPORTS: dict[str, Term] = {
    # ---- what is looked at, and by whom
    "site": Term(
        "站点", "site", "学校或公共场所。", "A school or a public place.",
        ("地点", "点位", "校点"), ("venue", "premises"),
    ),
    "room": Term(
        "班级/位置", "room", "站点内的一个班级或一处位置。", "A class or a spot of a site.",
        ("房间",),
    ),
    "device": Term(
        "设备", "device",
        "被观测的对象，按所在位置命名；更换硬件后仍是同一设备，历史保留。",
        "A thing that is observed, named by its place. When the hardware is replaced the device and its history stay.",
        ("终端",), ("appliance",),
    ),
    "agent": Term(
        "采集程序", "agent",
        "在设备上或设备旁进行观测的程序；只能证明它实际观测到的对象。",
        "The program that observes, on the device or beside it. It proves what it has observed, and nothing else.",
        ("代理", "探针", "采集器", "采集端"), ("daemon", "sensor"),
    ),
    "roster": Term(
        "台账", "roster",
        "应当存在的站点、班级和设备及其起止日期。它是所有比例的分母：从未上报的班级是没有证据的班级，不会被剔除。",
        "The sites, rooms and devices that should exist, with their dates. It is the denominator: a class that never "
        "reported is a class without evidence, never one left out.",
        ("名册", "花名册", "清册"), ("inventory", "asset list"),
    ),
    "profile": Term(
        "型号档案", "profile", "对一种硬件或固件的描述。", "The description of one model of hardware.",
        ("配置档",),
    ),
    "operator": Term(
        "运营商", "operator",
        "向站点提供网络线路的电信企业；签约速率是它承诺的速率。",
        "The company whose line a site uses; the contracted rate is what it promised.",
        ("服务商", "供应商"), ("carrier", "ISP"),
    ),
    # ---- evidence
    "evidence": Term(
        "证据", "evidence",
        "采集程序测得并送达中心的数据；没有数据即没有证据，不作任何推定。",
        "What agents measured and what came to the centre. Where nothing came there is none, and nothing is assumed.",
        ("佐证",),
    ),
    "sample": Term("测量值", "measurement", "某一时刻的一次测量。", "What was measured at one instant.", ("采样值",)),
    "waiting": Term(
        "待传数据", "waiting data",
        "网络中断时保存在设备上、尚未送达中心的数据；恢复后补传，不会丢失。",
        "What is kept on the device while the network is down, and comes late; nothing of it is lost.",
        ("缓存", "队列", "积压"), ("backlog", "queue", "buffered"),
    ),
    "presence": Term(
        "在线记录", "presence",
        "采集程序每分钟关于自身的记录：机器在运行、未休眠、网络是否可用。",
        "What an agent says of itself each minute: that the machine ran, was awake, and whether the network was there.",
        ("心跳",), ("heartbeat",),
    ),
    "reporting": Term(
        "上报", "reporting",
        "一台设备的数据送达中心。",
        "Evidence of a device comes to the centre.",
        (), ("phoning home",),
    ),
    "declared": Term(
        "申报", "declared",
        "由责任单位填报的数字；没有设备测量，不作为实测证据。",
        "A figure that whoever is responsible stated. No device measured it.",
        ("自报",), ("self-reported",),
    ),
    "measured": Term("实测", "measured", "由设备逐分钟测得。", "What devices measured, minute by minute."),
    "late": Term(
        "补传", "came late",
        "较新的数据送达之后、或归档之后才送达的数据；证据有效，不是改动。",
        "What came after something newer, or after an archive was made. It is evidence like any other, not altered.",
        ("迟到",), ("tardy",),
    ),
    "evidence_altered": Term(
        "被改动", "altered",
        "同一条数据，数据库与归档中的值不同。",
        "The same row has another value in the store than in the archive.",
        ("篡改", "被修改"), ("tampered",),
    ),
    "quarantine": Term(
        "隔离", "quarantine",
        "中心收到但拒绝入库的数据，连同原因一并保存。",
        "What came to the centre and was refused; it is kept with the reason.",
        ("拒收区",), ("rejects",),
    ),
    "throughput": Term(
        "测速", "throughput test",
        "实际传输数据所得的速率（TCP 有效吞吐量，Mbit/s）；受设备自身或其他流量限制的测速不作结论。",
        "The rate at which data was really carried (TCP goodput, Mbit/s). A test that its own machine or other traffic "
        "limited says nothing.",
        ("速度测试", "测网速"), ("speed test",),
    ),
    "journey": Term(
        "入网", "journey",
        "像一位没有账号的市民那样连接热点，从扫描到打开网页，逐个环节记录。",
        "The way of somebody without an account into a hotspot, stage by stage, from the scan to a page.",
    ),
    # ---- what is counted
    "minute": Term(
        "服务分钟", "service minute",
        "一台设备应提供服务的一分钟。整分钟都在运行、且所要求的功能被问到时可用，才算正常。",
        "One minute of one device in the hours that count. It is good when the device ran all through it and what is "
        "asked for worked when it was asked.",
        ("时隙", "时间片"), ("time slot",),
    ),
    "minutes_lost": Term(
        "损失分钟", "lost minutes",
        "计入而不正常或未知的服务分钟。",
        "Service minutes that count and were not good, or of which nothing is known.",
        ("丢失分钟",), ("downtime",),
    ),
    "works": Term(
        "可用率", "works",
        "正常分钟占计入分钟的比例；未知的另计。",
        "The share of the minutes that count in which a unit worked; what is unknown is told apart.",
        ("在线率", "完好率"), ("uptime rate",),
    ),
    "interval": Term(
        "区间", "interval",
        "下限是已证实的比例，上限假定所有未知分钟都正常。先看下限。",
        "The lower bound is what is proven, the upper one what would be so if all that is unknown had been good.",
    ),
    "target": Term(
        "目标", "target",
        "规划中的一项承诺：门槛、范围、期限。",
        "A promise of the programme: a threshold, a scope, a deadline.",
        ("指标",), ("KPI",),
    ),
    "threshold": Term(
        "门槛", "threshold", "一个单位合格至少要达到的数值。", "What a unit must reach at least to be good.",
        ("阈值",), ("cutoff",),
    ),
    "deadline": Term(
        "期限", "deadline", "目标应当实现的日期。", "The day by which a target was to be met.",
        ("截止日期",), ("due date",),
    ),
    "unit": Term(
        "单位", "unit",
        "目标逐个清点的对象：站点、班级或设备。已证实、不合格、未证实三者之和等于全部。",
        "What a target counts: sites, classes or devices. Proven, failing and unproven are all of them.",
    ),
    "proven": Term("已证实", "proven", "证据表明合格的单位。", "Units that are good by the evidence.", ("已验证",)),
    "failing": Term(
        "不合格", "failing", "证据表明不合格的单位。", "Units that are not good by the evidence.", ("未达标",),
    ),
    "unproven": Term(
        "未证实", "unproven",
        "证据不足以判定的单位；不等于不合格，也不能算作合格。",
        "Units of which the evidence is too little. They are not bad, and they do not count as good.",
        (), ("undetermined",),
    ),
    "outage": Term(
        "中断", "outage",
        "计入时间内连续的不正常分钟。平均无故障时间为正常分钟除以中断次数，平均恢复时间为不正常分钟除以中断次数。",
        "Minutes in a row that count and were not good. The mean time between failures is good minutes, the mean time "
        "to restoration bad ones, divided by outages.",
        ("宕机",),
    ),
    # ---- what a minute is due to
    "cause": Term("原因", "cause", "一分钟未计为正常的缘由。", "What a minute that is not good is due to."),
    "cause_working": Term(
        "正常", "working",
        "整分钟都在运行，所要求的功能可用。",
        "The device ran all through the minute, and what is asked for worked.",
    ),
    "cause_service_down": Term(
        "服务故障", "service down",
        "网络可用，但所要求的服务在某一环节失败。",
        "The network was there, and the service that is asked for failed at some stage.",
    ),
    "cause_wan_down": Term(
        "外网中断", "Internet down",
        "站点内的网络可用，但到不了互联网。",
        "The network within the site was there, the Internet was not.",
        ("断网", "广域网"), ("WAN down",),
    ),
    "cause_lan_down": Term(
        "内网中断", "LAN down",
        "设备到不了站点自己的网关：网线、交换机或无线故障。",
        "The device did not reach the site's own gateway: a cable, a switch, the radio.",
        ("局域网中断",),
    ),
    "cause_power_off": Term("未开机", "off", "机器没有运行。", "The machine did not run.", ("关机", "掉电")),
    "cause_asleep": Term("休眠", "asleep", "机器已开机但处于休眠。", "The machine was on, and suspended.", ("待机",)),
    "cause_agent_down": Term(
        "采集程序停止（我方责任）", "our agent stopped",
        "机器在运行，但采集程序没有运行：责任在核验方，不在学校。",
        "The machine ran and our program did not: the fault is ours, not the school's.",
    ),
    "cause_unknown": Term(
        "无证据", "no evidence",
        "没有任何数据说明这一分钟；不推定为正常，也不推定为故障。",
        "Nothing says what was so in this minute. It is taken neither for good nor for bad.",
    ),
    "cause_excluded": Term(
        "约定中断", "agreed interruption",
        "事先约定的维护或停用，或已批准的异议：不计为正常，也不计为损失。",
        "Maintenance or a closure that was agreed on, or an approved dispute: it counts neither way.",
        ("计划停机",), ("planned outage",),
    ),
    # ---- what it comes to
    "verdict": Term(
        "结论", "verdict",
        "一个目标的核验结果，只有三种：达标、不达标、证据不足。",
        "What verification says of a target, one of three: PASS, FAIL, NOT PROVEN.",
        ("评定", "裁决"), ("ruling",),
    ),
    "verdict_pass": Term(
        "达标", "PASS",
        "已证实的足够多，其余无论如何都不改变结论。",
        "Enough is proven, whatever the rest is.",
        ("及格",),
    ),
    "verdict_fail": Term(
        "不达标", "FAIL",
        "已证实不合格的太多，其余无论如何都不改变结论。",
        "Too much is proven not to be good, whatever the rest is.",
        ("不及格",),
    ),
    "verdict_not_proven": Term(
        "证据不足", "NOT PROVEN",
        "未知部分决定结论：现有证据既不能证明达标，也不能证明不达标。",
        "What is unknown decides: the evidence shows neither that the target is met nor that it is missed.",
        ("证据不全", "待定"), ("inconclusive verdict",),
    ),
    "minimal": Term(
        "最小整改集", "minimal failing set",
        "要使目标达标，最少需要转为合格的单位；先求数量最少，再求涉及站点最少，再求措施最省。",
        "The fewest units that must become good for the target to be met; at the fewest sites; by the cheapest "
        "actions.",
        ("最小失败集",),
    ),
    "visits": Term(
        "走访清单", "visit list",
        "按站点列出最小整改集：原因、责任方、联系人、最省的措施。",
        "The minimal failing sets site by site: reason, responsible party, contact, cheapest action.",
        ("巡检清单", "走访表"), ("to-do list",),
    ),
    # ---- evidence that somebody must look at
    "to_check": Term(
        "待核实", "to be checked",
        "可能不来自它所称位置的证据；核实之前按未知处理。",
        "Evidence that may not come from where it claims to. It counts as unknown until somebody has looked.",
        ("存疑",), ("suspicious",),
    ),
    "finding_number_clash": Term(
        "编号重复待核实", "number clash",
        "同一编号被两台机器轮流使用，例如复制了存储卡。",
        "Two machines use one number by turns, for instance because a card was copied.",
        ("编号冲突", "重号"), ("duplicate id",),
    ),
    "finding_place": Term(
        "位置待核实", "place to check",
        "设备出现在另一个网关之后，而站点的其他设备仍在原网关之后：可能已被搬走。",
        "The device is behind another gateway while others of its site stay behind the old one: it may have moved.",
        ("位置变动", "位置异常"),
    ),
    "finding_shared_gateway": Term(
        "共用网关待核实", "shared gateway",
        "不同站点的设备同时处于同一网关之后：它们不可能都在各自的位置。",
        "Devices of several sites are behind one gateway at a time: they cannot all be where they claim to be.",
        ("网关冲突",),
    ),
    # ---- what people agree on
    "dispute": Term(
        "异议", "dispute",
        "请求对某一范围、某一时段的分钟另作认定的记录；由另一人批准后计入，不计入的数字仍一并列出。",
        "A record that asks for minutes of a scope and a period to be judged otherwise. It counts once another person "
        "approved it; the figure without it stays beside it.",
        ("申诉", "争议"), ("appeal", "objection"),
    ),
    "closure": Term(
        "停用", "closure",
        "一处位置在某一时段不提供服务的记录，例如施工；提出后立即停止告警，批准后这些分钟不计。",
        "A record that a place is closed for a period, such as for works. Alerts stop when it is proposed; its minutes "
        "count neither way once it is approved.",
        ("停运", "关停", "报停"), ("shutdown",),
    ),
    "adjudication": Term(
        "裁定", "decision",
        "由两人作出的、待核实证据是否有效的决定。",
        "What two people decided on evidence to be checked: whether it counts.",
        ("仲裁", "作出认定"), ("ruling on",),
    ),
    # ---- inspection on site
    "inspection": Term(
        "双随机抽查", "random inspection",
        "随机抽取班级、随机选派检查人员，到现场察看，并与同一分钟的证据对照。",
        "Classes and inspectors are drawn by lot; what is seen on site is compared with the evidence of that minute.",
        ("抽检", "抽样检查", "突击检查"), ("spot check",),
    ),
    "seed": Term(
        "随机种子", "seed",
        "决定抽签结果的一段文字；知道它，任何人都能重新抽出同一批班级。",
        "The text that decides the lots: whoever knows it can draw the same classes again.",
    ),
    "stratum": Term(
        "分层（区县/城乡）", "stratum",
        "按区县和城乡划分的班级，各层按数量分配抽查名额。",
        "Classes by county and urban or rural; each such part gets its share of the sample.",
    ),
    "agreement": Term(
        "一致率", "agreement",
        "证据与现场所见相同的班级所占比例，附置信区间：抽查的班级越多，区间越窄。",
        "The share of classes where the evidence says what was seen, with a confidence interval: the more classes "
        "were compared, the narrower.",
        ("吻合率", "符合率"), ("concordance",),
    ),
    "kappa": Term(
        "卡帕系数（扣除偶然一致）", "kappa (agreement beyond chance)",
        "扣除偶然相同之后的一致程度：1 为完全一致，0 为与偶然无异。",
        "Agreement beyond what chance gives: 1 is complete, 0 is no better than chance.",
        ("Kappa",),
    ),
    # ---- what is filed
    "archive": Term(
        "证据归档", "archive of evidence",
        "一个时段的全部证据及核验所需的其他内容，合为一个签名的文件；无须服务器即可复算。",
        "All evidence of a period and all else that verification reads, in one signed file: figures are computed again "
        "from it without any server.",
        ("存档", "证据包"), (),
    ),
    "hash": Term(
        "校验值", "SHA-256",
        "由内容算出的一串字符；内容有任何改动，它就不同。",
        "Digits computed from contents. Any change of the contents makes them others.",
        ("哈希", "散列", "摘要值"), ("checksum", "digest"),
    ),
    "root": Term(
        "总校验值", "root",
        "由全部设备日的校验值逐级算出的一个校验值：任何一处改动都会使它不同。",
        "The one SHA-256 over those of all device-days: a change anywhere makes it another one.",
        ("总根", "根哈希", "默克尔"), ("Merkle",),
    ),
    "fingerprint": Term(
        "指纹", "fingerprint",
        "报告全部内容的 SHA-256 值，与语言、文件格式和出具时间无关：内容相同，指纹相同。",
        "The SHA-256 of all that a report says. It does not depend on language, kind of file or the time of making: "
        "same contents, same fingerprint.",
    ),
    "corrected": Term(
        "更正", "corrected",
        "后来的版本取代先前的版本；两者都保留，并列出差异。",
        "A later version takes the place of an earlier one; both are kept, and what differs is named.",
        ("勘误", "订正", "修订"), ("amended", "erratum"),
    ),
}  # fmt: skip
GLOSSARY = IN_REPORTS | PRESENT
