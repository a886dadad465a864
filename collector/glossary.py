"""
The words of the programme: what each means, in Chinese and English.

People never see slot, spool, epoch, batch; this is what they see, and every report explains it on its last page.
"""

from typing import NamedTuple

from collector.words import Language


class Term(NamedTuple):
    """A word, and what it means, in both languages."""

    zh: str
    en: str
    means_zh: str
    means_en: str

    def name(self, language: Language) -> str:
        """Return the word."""
        return self.zh if language == "zh" else self.en

    def meaning(self, language: Language) -> str:
        """Return what it means, as a sentence."""
        return self.means_zh if language == "zh" else self.means_en


GLOSSARY: dict[str, Term] = {
    "site": Term("站点", "site", "学校或公共场所。", "A school or a public place."),
    "room": Term("班级/位置", "room", "站点内的一个班级或一处位置。", "A class or a spot of a site."),
    "device": Term(
        "设备",
        "device",
        "被观测的对象，按所在位置命名；更换硬件后仍是同一设备，历史保留。",
        "A thing that is observed, named by its place. When the hardware is replaced the device and its history stay.",
    ),
    "agent": Term(
        "采集程序",
        "agent",
        "在设备上或设备旁进行观测的程序；只能证明它实际观测到的对象。",
        "The program that observes, on the device or beside it. It proves what it has observed, and nothing else.",
    ),
    "roster": Term(
        "台账",
        "roster",
        "应当存在的站点、班级和设备及其起止日期。它是所有比例的分母：从未上报的班级是没有证据的班级，不会被剔除。",
        "The sites, rooms and devices that should exist, with their dates. It is the denominator: a class that never "
        "reported is a class without evidence, never one left out.",
    ),
    "sample": Term("测量值", "measurement", "某一时刻的一次测量。", "What was measured at one instant."),
    "waiting": Term(
        "待传数据",
        "waiting data",
        "网络中断时保存在设备上、尚未送达中心的数据；恢复后补传，不会丢失。",
        "What is kept on the device while the network is down, and comes late; nothing of it is lost.",
    ),
    "presence": Term(
        "在线记录",
        "presence",
        "采集程序每分钟关于自身的记录：机器在运行、未休眠、网络是否可用。",
        "What an agent says of itself each minute: that the machine ran, was awake, and whether the network was there.",
    ),
    "minute": Term(
        "服务分钟",
        "service minute",
        "一台设备应提供服务的一分钟。整分钟都在运行、且所要求的功能被问到时可用，才算正常。",
        "One minute of one device in the hours that count. It is good when the device ran all through it and what is "
        "asked for worked when it was asked.",
    ),
    "cause": Term("原因", "cause", "一分钟未计为正常的缘由。", "What a minute that is not good is due to."),
    "interval": Term(
        "区间",
        "interval",
        "下限是已证实的比例，上限假定所有未知分钟都正常。先看下限。",
        "The lower bound is what is proven, the upper one what would be so if all that is unknown had been good.",
    ),
    "verdict": Term(
        "结论",
        "verdict",
        "达标：已证实的足够多，其余无论如何都不改变结论。不达标：已证实不合格的太多，其余无论如何都不改变结论。"
        "证据不足：未知部分决定结论。",
        "PASS: enough is proven, whatever the rest is. FAIL: too much is proven not to be good, whatever the rest is. "
        "NOT PROVEN: what is unknown decides.",
    ),
    "unit": Term(
        "单位",
        "unit",
        "目标逐个清点的对象：学校、班级或设备。已证实、不合格、未证实三者之和等于全部。",
        "What a target counts: sites, classes or devices. Proven, failing and unproven are all of them.",
    ),
    "target": Term(
        "目标",
        "target",
        "规划中的一项承诺：门槛、范围、期限。",
        "A promise of the programme: a threshold, a scope, a deadline.",
    ),
    "profile": Term("型号档案", "profile", "对一种硬件或固件的描述。", "The description of one model of hardware."),
    "minimal": Term(
        "最小整改集",
        "minimal failing set",
        "要使目标达标，最少需要转为合格的单位；先求数量最少，再求涉及站点最少，再求措施最省。",
        "The fewest units that must become good for the target to be met; at the fewest sites; by the cheapest "
        "actions.",
    ),
    "visits": Term(
        "走访清单",
        "visit list",
        "按站点列出最小整改集：原因、责任方、联系人、最省的措施。",
        "The minimal failing sets site by site: reason, responsible party, contact, cheapest action.",
    ),
    "fingerprint": Term(
        "指纹",
        "fingerprint",
        "本报告全部内容的 SHA-256 值，与语言、文件格式和出具时间无关：内容相同，指纹相同。",
        "The SHA-256 of all that the report says. It does not depend on language, kind of file or the time of making: "
        "same contents, same fingerprint.",
    ),
}


def term(key: str, language: Language) -> str:
    """Return a word of the glossary; KeyError for one that is not in it."""
    return GLOSSARY[key].name(language)
