"""The words of those who look at what is so now: the board, messages of watch, dashboards."""

from collector.term import Term

PRESENT: dict[str, Term] = {
    # ---- states of a device
    "state": Term(
        "状态", "state",
        "一台设备目前如何：正常、有故障、未开机、离线、连续无数据、无证据、无须服务，七者之一。",
        "How a device is now, one of seven: working, failing, off, offline, silent, no evidence, no service due.",
    ),
    "failing_now": Term(
        "有故障", "failing now",
        "设备在运行，但内网、外网或服务不可用；原因说明在哪一环节失败。",
        "The device runs, and its LAN, the Internet or its service is down; the reason says at which stage.",
    ),
    "state_offline": Term(
        "离线", "offline",
        "设备应当在线，却没有任何通知就失去联系：线路或供电中断。",
        "The device is gone without a word while it should be there: its line or its power.",
        ("掉线",),
    ),
    "state_silent": Term(
        "连续无数据", "silent",
        "连续两个服务日没有收到这台设备的任何数据。",
        "Nothing was heard of the device on two days of service or more.",
    ),
    "state_quiet": Term(
        "无须服务", "no service due",
        "此刻不在服务时间内，或处于停用、维护期间，设备不必可用，也不告警。",
        "The device need not work now: outside its service hours, closed, or in maintenance. Nobody is alerted.",
    ),
    # ---- who is told
    "incident": Term(
        "事件", "incident",
        "值守程序发现的一处异常，有编号；从告警开始，到恢复或关闭为止，同一对象同时只有一个。",
        "Something that watch found wrong, with a number. It lasts from the alert until it has recovered or is closed, "
        "and one thing has one at a time.",
    ),
    "watch": Term(
        "值守程序", "watch",
        "持续查看全部设备、发现异常并通知有关人员的程序。",
        "The program that looks at all devices all the time, finds what is wrong, and tells people of it.",
    ),
    "stage": Term(
        "环节", "stage",
        "一次探测或入网中依次通过的步骤；在哪一步失败，就说明该查哪里。",
        "A step of a probe or a journey. The one at which it fails tells where to look.",
    ),
    # ---- pages of the board
    "whole_city": Term(
        "全市", "the whole city",
        "台账中的全部站点；只管辖一部分的人看到的是自己的部分。",
        "All sites of the roster; whoever looks after a part of them sees that part.",
    ),
    "board": Term(
        "看板", "board",
        "显示目前哪些设备可用、哪些需要处理的网页。",
        "The pages that show what works now and what needs a look.",
    ),
    "rollout": Term(
        "推进进度", "rollout",
        "台账上的设备有多少已安装、正在上报、本周已证实可用。",
        "How many devices of the roster are installed, report, and are proven to work this week.",
    ),
    "hotspot": Term(
        "热点", "hotspot",
        "公共场所的一处免费无线网络接入点，任何人都可以入网。",
        "An access point of the free wireless network in a public place, which anybody may use.",
    ),
    "uplink": Term(
        "出口线路", "uplink",
        "站点通往互联网的线路，由运营商提供。",
        "The line by which a site reaches the Internet; an operator provides it.",
    ),
    "classes_that_worked": Term(
        "班班通率", "classes that worked",
        "一个上课日内，可用时间达到要求的教室平台所占比例；全天未开机的不计。",
        "The share of classroom platforms that worked for long enough on a school day; those that were off all day are "
        "left out.",
    ),
}  # fmt: skip
