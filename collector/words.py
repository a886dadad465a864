"""
The glossary: every word of every screen and report, in Chinese and English.

People never see slot, spool, epoch, batch; this is what they see instead.
"""

import os
from typing import Literal

Language = Literal["zh", "en"]

WORDS: dict[str, tuple[str, str]] = {
    "device": ("设备", "device"),
    "last_seen": ("最近在线", "last seen"),
    "uptime": ("已运行", "up for"),
    "minutes": ("在线分钟数", "minutes proven"),
    "lan_wan": ("内网/外网", "LAN/Internet"),
    "probes": ("探测通过", "probes passed"),
    "fails_at": ("失败于", "fails at"),
    "could_not_ask": ("无法探测", "could not be asked"),
    "info": ("提示", "notice"),
    "warning": ("警告", "warning"),
    "critical": ("严重", "critical"),
    "rate": ("接收/发送 kbit/s", "in/out kbit/s"),
    "waiting": ("待传数据", "waiting"),
    "stored": ("已入库", "stored"),
    "missing": ("缺失", "missing"),
    "late": ("补传", "came late"),
    "lag": ("实时延迟 p50/p99", "live lag p50/p99"),
    "yes": ("通", "yes"),
    "no": ("断", "no"),
    "unknown": ("—", "–"),
    "waiting_for_first": ("等待第一批数据……", "waiting for the first data …"),
    "no_devices": ("该时段内没有设备上报", "no device reported in this period"),
    "refused": ("已隔离", "refused"),
    "broker": ("消息服务", "broker"),
    "data": ("数据目录", "data"),
    "trouble": ("故障", "trouble"),
    "ended": ("已结束", "ended"),
    "time": ("时间", "time"),
    "reason": ("原因", "reason"),
    "line": ("行", "line"),
    "content": ("内容", "content"),
    "file": ("文件", "file"),
    "exported": ("导出时间", "exported"),
    "signature": ("签名", "signature"),
    "verified": ("有效", "valid"),
    "vouched": ("未验证", "not verified"),
    "lines": ("行数", "lines"),
    "day": ("日期", "date"),
    "weekday": ("星期", "weekday"),
    "monday": ("周一", "Mon"),
    "tuesday": ("周二", "Tue"),
    "wednesday": ("周三", "Wed"),
    "thursday": ("周四", "Thu"),
    "friday": ("周五", "Fri"),
    "saturday": ("周六", "Sat"),
    "sunday": ("周日", "Sun"),
    "day_kind": ("类型", "kind"),
    "day_workday": ("工作日", "workday"),
    "day_weekend": ("周末", "weekend"),
    "day_holiday": ("节假日", "holiday"),
    "day_break": ("假期", "break"),
    "day_closed": ("停课/停用", "closed"),
    "service_hours": ("服务时间", "service hours"),
    "lessons": ("课时", "lessons"),
    "exclusions": ("约定中断", "agreed interruptions"),
    "all_day": ("全天", "all day"),
    "target": ("目标", "target"),
    "project": ("项目", "project"),
    "deadline": ("期限", "deadline"),
    "evidence": ("证据", "evidence"),
    "measured": ("实测", "measured"),
    "declared": ("申报", "declared"),
    "not_declared": ("尚未申报", "not declared yet"),
    "unit": ("单位", "unit"),
    "unit_site": ("学校/地点", "site"),
    "unit_class": ("班级", "class"),
    "unit_device": ("设备", "device"),
    "good_unit": ("合格条件", "a unit is good"),
    "needed": ("要求", "needed"),
    "title": ("名称", "title"),
    "works": ("可用率", "works"),
    "school_days": ("上课日", "of school days"),
    "lesson_minutes": ("课时分钟", "min of lessons"),
    "download": ("下行", "download"),
    "upload": ("上行", "upload"),
    "reports": ("有数据送达", "reports"),
    "and": ("，", ", "),
    "nothing_quarantined": ("没有被隔离的数据", "nothing was refused"),
}


def word(key: str, language: Language) -> str:
    """Return the word of the glossary; KeyError for one that is not in it."""
    return WORDS[key][0 if language == "zh" else 1]


def default_language(environment: "os._Environ[str] | dict[str, str]" = os.environ) -> Language:
    """Return `SANTONG_LANG`, else the language of the terminal."""
    name = environment.get("SANTONG_LANG") or environment.get("LC_ALL") or environment.get("LANG") or ""
    return "zh" if name.lower().startswith("zh") else "en"
