"""
Words of the dashboards, in Chinese and English; terms of the programme, and words of screens, come from there.

People who read these never see slot, spool, epoch, batch.
"""

from collector.report.phrases import PHRASES
from collector.terms import GLOSSARY
from collector.words import WORDS, Language

LANGUAGES: tuple[Language, ...] = ("zh", "en")

TEXTS: dict[str, tuple[str, str]] = {
    # ---- dashboards, and what they are for
    "city_title": ("全市总览", "City overview"),
    "city_about": (
        "班班通与热点：按日的结果、各区县、最差的学校、损失分钟",
        "Classes and hotspots: by day, by county, the worst schools, lost minutes",
    ),
    "school_title": ("学校", "School"),
    "school_about": (
        "一所学校：各班级、网络、测速与签约速率",
        "One school: its classrooms, its network, throughput against the contract",
    ),
    "device_title": ("设备", "Device"),
    "device_about": (
        "一台设备：状态、运行、接口、探测、故障、待传数据",
        "One device: state, running, interfaces, probes, faults, waiting data",
    ),
    "hotspots_title": ("热点", "Hotspots"),
    "hotspots_about": (
        "公共热点：入网环节、在线人数、信道占用",
        "Public hotspots: journeys by stage, stations, use of channels",
    ),
    "centre_title": ("中心", "Centre"),
    "centre_about": (
        "数据中心自身：接收、延迟、隔离、待传数据、处理器",
        "The centre itself: what it takes, lag, quarantine, waiting data, processor",
    ),
    "folder": ("三通", "Santong"),
    "other_language": ("English", "中文"),
    "evidence_source": ("证据数据源", "evidence from"),
    "telemetry_source": ("运行数据源", "telemetry from"),
    "classes_criterion": ("班班通判据", "criterion of classes"),
    "hotspots_criterion": ("热点判据", "criterion of hotspots"),
    # ---- names of panels
    "class_rate": ("班班通率（最近一个上课日）", "Classes that worked (last school day)"),
    "class_rate_by_day": ("班班通率（按日）", "Classes that worked, by day"),
    "class_rate_means": (
        "当日课时内被证实工作 {minutes} 分钟以上的教室平台，占当日计入的平台的比例。整日未开机的平台不计。下"
        "限是已证实的，"
        "上限假定无证据的都正常；虚线是目标 {share}。已申报而台账没有登记的班级不在其中，报告中有。",
        "The share of classroom platforms that were proven working for {minutes} minutes of lessons, among "
        "those that count "
        "that day; who was off all day does not. The lower line is proven, the upper one takes what is "
        "unknown for good; "
        "the dashed line is the target, {share}. Classes that are declared and not in the roster are in reports "
        "alone.",
    ),
    "proven_rate": ("已证实", "proven"),
    "possible_rate": ("最多可能", "at best"),
    "platforms": ("教室平台（台账）", "Classroom platforms (roster)"),
    "hotspots_in_roster": ("热点（台账）", "Hotspots (roster)"),
    "hotspots_up": ("可入网的热点", "Hotspots that work"),
    "hotspots_up_means": (
        "所选时段的最后 15 分钟内，最近一次入网或到达认证页面成功的热点数。",
        "Hotspots whose last journey, or login page, succeeded within the last 15 minutes of the period.",
    ),
    "devices_up": ("正在上报的设备", "Devices that report"),
    "devices_up_means": (
        "所选时段的最后 15 分钟内有数据送达的设备，包括由网关代为观测的设备；未开机的不在其中。",
        "Devices of which something came within the last 15 minutes of the period, those seen by a gateway "
        "among them; who "
        "is off is not.",
    ),
    "by_county": ("各区县", "By county"),
    "worst_schools": ("各学校（最差的在前）", "Schools, the worst first"),
    "works_means": (
        "可用率：课时内已证实正常的分钟，占计入的分钟的比例；未开机与休眠不计，无证据计入分母。无证据多的站点因此"
        "也在前列。",
        "The share of lesson minutes that are proven good, among those that count; off and asleep do not, "
        "what is unknown "
        "does. So a site without evidence is among the worst, too.",
    ),
    "lost_by_cause": ("损失分钟（按原因）", "Lost minutes by cause"),
    "lost_means": (
        "各平台课时内的损失分钟之和；未开机与休眠不是故障，不在其中。",
        "Lesson minutes of all platforms that were lost; off and asleep are no faults and not among them.",
    ),
    "hotspots_by_day": ("热点可用率（按日）", "Hotspots, by day"),
    "hotspots_by_day_means": (
        "全部热点的服务分钟中已证实正常的比例；虚线是目标 {share}。",
        "The share of all hotspots' service minutes that are proven good; the dashed line is the target, {share}.",
    ),
    "school_facts": ("学校", "School"),
    "contracted": ("签约速率", "contracted rate"),
    "classroom_grid": ("各班级每日正常的课时分钟", "Lesson minutes that worked, by classroom and day"),
    "grid_means": (
        "一行一个平台，一格一个上课日；数字是已证实正常的课时分钟，{minutes} 分钟以上为合格。无证据的日子是 0。",
        "A row a platform, a cell a school day; the number is lesson minutes proven good, {minutes} make the "
        "day good. "
        "Without evidence it is 0.",
    ),
    "classes": ("班级", "Classes"),
    "classes_means": (
        "所选时段内各设备的课时分钟；点设备编号看该设备。",
        "Lesson minutes of each device in the period; its id leads to the device.",
    ),
    "site_network": ("站点网络", "The site's network"),
    "site_network_means": (
        "正在运行的采集程序中，网关（内网）与互联网（外网）可达的比例，按时间。没有采集程序运行时没有数值：未开机"
        "不是外网中断。",
        "The share of running agents that reach the gateway (LAN) and the Internet. Where none runs there is "
        "no value: off "
        "is not an outage.",
    ),
    "throughput_panel": ("测速与签约速率", "Throughput against the contract"),
    "throughput_means": (
        "每日下行测速的中位数，不含受设备自身或其他流量限制的测速；横线是签约速率及其 {share}（履约的下限）。",
        "The median of each day's tests of the download, without those that the machine or other traffic "
        "limited; the lines "
        "are the contracted rate and {share} of it, the least that keeps the contract.",
    ),
    "median_rate": ("下行中位数", "median download"),
    "least_rate": ("履约下限", "least that keeps it"),
    "state_strip": ("状态", "State"),
    "state_means": (
        "每分钟的在线记录所说；时间较长时一格是其中最差的一分钟。空白是没有在线记录：未开机、休眠、采集程序停"
        "止，或数据尚未送达。"
        "核验的结论见下面的判定日。",
        "What presences say, minute by minute; in a long period a cell is its worst minute. Blank is no "
        "presence: off, asleep, "
        "our agent stopped, or waiting data. What verification made of it stands below.",
    ),
    "internet_works": ("✔ 正常", "✔ working"),
    "no_presence": ("? 无在线记录", "? no presence"),
    "judged_days": ("判定日（分钟，按原因）", "Judged days: minutes by cause"),
    "display_strip": ("屏幕", "Display"),
    "display_means": (
        "设备自己报告的开机状态（大屏、投影机）；只有被这样观测的设备才有。",
        "What a panel or projector says of itself; only devices that are observed so have it.",
    ),
    "on": ("✔ 开机", "✔ on"),
    "standby": ("Z 休眠", "Z asleep"),
    "warming": ("↑ 预热", "↑ warming"),
    "cooling": ("↓ 冷却", "↓ cooling"),
    "off": ("P 未开机", "P off"),
    "running": ("已运行", "Up for"),
    "starts": ("启动次数（按日）", "Starts by day"),
    "starts_means": ("每天的在线记录中有几次启动的编号。", "How many starts the presences of a day tell of."),
    "ends": ("采集程序的结束", "Ends of the agent"),
    "interface_rates": ("接口速率", "Interface rates"),
    "rates_means": (
        "由计数器求得，重启后重新计数不算负值；接收为正，发送为负。",
        "From counters; a counter that begins anew gives nothing. In is above the axis, out below.",
    ),
    "received": ("接收", "in"),
    "sent": ("发送", "out"),
    "interface_errors": ("接口错误", "Interface errors"),
    "probe_success": ("探测成功率", "Probes that succeed"),
    "probe_rtt": ("探测往返时间", "Round trips of probes"),
    "sensors": ("传感器", "Sensors"),
    "machine": ("机器", "Machine"),
    "temperature": ("温度", "Temperature"),
    "faults": ("故障", "Faults"),
    "faults_means": (
        "1 为有，0 为已消除；由型号档案定义。",
        "1: it is there, 0: it is over. Profiles say what they are.",
    ),
    "waiting_data": ("待传数据", "Waiting data"),
    "waiting_means": (
        "保存在设备上、尚未送达中心的数据的份数。",
        "What is kept on the device and has not come to the centre yet, in pieces as they are sent.",
    ),
    "lost_on_devices": ("被拒收与被丢弃", "Refused, and given up"),
    "refused_by_centre": ("被中心拒收", "refused by the centre"),
    "given_up": ("因存满而丢弃", "given up for want of room"),
    "identity": ("设备信息", "What it says it is"),
    "fault_event": ("故障", "fault"),
    "end_event": ("采集程序结束", "agent ended"),
    "uplink_event": ("外网中断", "Internet down"),
    "trouble_event": ("中心不入库", "the centre stores nothing"),
    "journeys_rate": ("入网成功率", "Journeys that came through"),
    "journeys_rate_means": (
        "所选时段内走完全程的入网次数，占全部能询问的次数的比例；到达登录页面即为成功。",
        "Journeys that came through, among all that could be asked; a login page that is reached is a success.",
    ),
    "journeys_by_time": ("入网成功率（按时间）", "Journeys that came through, by time"),
    "journeys_by_stage": ("入网到达各环节的次数", "Journeys by the stage that they passed"),
    "stages_means": (
        "通过该环节的次数；逐环节减少的就是在那里失败的。到达登录页面而没有账号的，在网页环节没有次数。",
        "How many passed each stage; what is missing from one to the next failed there. Who reached the "
        "login page without "
        "an account has no page.",
    ),
    "journeys": ("入网次数", "journeys"),
    "failed_by_stage": ("失败的环节（按时间）", "Failures by stage, by time"),
    "failed_means": (
        "失败的入网中，最先没有通过的环节。信号过弱算在关联环节。",
        "Of journeys that failed, the first stage that they did not pass. Too weak a signal counts as associate.",
    ),
    "stations": ("在线人数（会话）", "Stations"),
    "stations_means": (
        "全部热点同时连接的连接会话之和，不识别个人。",
        "All sessions at a time; nobody is told from anybody else.",
    ),
    "utilization": ("信道占用", "Use of channels"),
    "utilization_means": (
        "各热点信道占用的中位数与 95%。",
        "Half of all radios are below the lower line, 95 % below the upper one.",
    ),
    "half": ("半数不超过", "half within"),
    "most": ("95% 不超过", "95 % within"),
    "hotspot_list": ("各热点", "Each hotspot"),
    "signal_dbm": ("信号", "signal"),
    "points_a_second": ("入库数据点（每秒）", "Points stored a second"),
    "points_means": ("由收集程序的计数求得，每分钟一次。", "From the collector's own counts, once a minute."),
    "lag": ("延迟", "Lag"),
    "lag_means": (
        "最新测量值到中心收到的时间，半数与 99% 不超过。网络恢复后补传的数据也在其中：它们的延迟是中断的时长。",
        "From the newest measurement of a delivery to its reception; half, and 99 %, are within. What came "
        "late after an "
        "outage is among them: its lag is the length of the outage.",
    ),
    "quarantined": ("隔离（每段时间新增）", "Quarantine: new entries"),
    "buffer": ("收集程序内存中等待的数据", "Waiting in the collector's memory"),
    "buffer_means": (
        "收到而尚未入库的份数；满则丢弃，由采集程序重发。",
        "Received and not stored yet; when it is full more is dropped, and agents send it again.",
    ),
    "dropped": ("丢弃（将重发）", "dropped (comes again)"),
    "collector_cpu": ("收集程序处理器占用", "The collector's processor"),
    "collector_memory": ("收集程序内存", "The collector's memory"),
    "backlog": ("各设备待传数据之和", "Waiting data of all devices"),
    "backlog_list": ("待传数据最多的设备", "Devices with the most waiting data"),
    "agents_refused": ("各设备被拒收与丢弃（新增）", "Refused and given up on devices: new"),
    "agents_refused_means": (
        "设备自己的累计数的增加。没有线条就是没有新增；一台设备有史以来的第一次不在其中，被拒收的见隔离。",
        "By how much the devices' own counts grew. Nothing drawn: nothing new. The very first of a device is not "
        "among them; what is refused shows in quarantine.",
    ),
    "trouble_strip": ("入库是否正常", "Does it store"),
    "trouble_means": (
        "数据库不接收时不确认任何数据，设备自行保存。数据库不可用期间没有这里的数据点，是空白。",
        "While the store takes nothing, nothing is acknowledged and devices keep it. While it is away there "
        "are no points "
        "here either: blank.",
    ),
    "stores": ("✔ 正常入库", "✔ stores"),
    "stores_nothing": ("✘ 不入库", "✘ stores nothing"),
    "late_marks": ("补传的设备（每段时间）", "Devices that came late"),
    "centre_note": (
        "本页只说数据中心自身。处理器、内存、隔离、计数由收集程序每分钟写入一次（`centre`）；"
        "`santong collect --metrics` 以同样的数字供 Prometheus 使用。学校与设备的告警由 santong watch 发出，不在这里。",
        "This page is about the centre alone. Processor, memory, quarantine and counts are written by the "
        "collector once a minute (`centre`); `santong collect --metrics` has the same for Prometheus. Alerts about "
        "schools and devices come from santong watch, not from here.",
    ),
    "city_note": (
        "结果来自每晚判定的日（`availability`）；当天的要到次日才有。名称来自台账。正式结论以报告为准：`santong re"
        "port`。",
        "Results come from days as they were judged each night (`availability`): today's are there tomorrow. "
        "Names come from "
        "the roster. What counts is the report: `santong report`.",
    ),
    "lan": ("内网", "LAN"),
    "wan": ("外网", "Internet"),
    "place": ("站点名称", "name of the site"),
    "county_title": ("所在区县", "in county"),
    "minutes_all": ("计入的分钟", "minutes that count"),
    "class": ("班级", "class"),
    "role": ("用途", "role"),
    "serial": ("序列号", "serial number"),
    "minutes_unit": ("分钟", "min"),
    "cpu": ("处理器", "processor"),
    "memory": ("内存", "memory"),
    "disk": ("磁盘", "disk"),
    # ---- alerts about the centre itself
    "alert_group": ("中心自身", "The centre itself"),
    "alert_silent": ("中心没有入库任何数据", "The centre stores nothing"),
    "alert_silent_do": (
        "查看 santong collect 是否在运行、消息服务与数据库是否可达；设备保存数据，不会丢失。",
        "See whether santong collect runs and reaches the broker and the store. Devices keep their data: nothing "
        "is lost.",
    ),
    "alert_trouble": ("数据库不接收数据", "The store takes nothing"),
    "alert_trouble_do": (
        "收集程序的日志写明了原因与办法：磁盘、密码、权限、保留策略。",
        "The collector's log says why and what to do: disk, password, rights, retention.",
    ),
    "alert_lag": ("半数数据的延迟超过 {seconds} 秒", "Half of what comes is more than {seconds} s late"),
    "alert_lag_do": (
        "全市中断之后补传时会出现，随补传结束；平时出现则是中心或网络跟不上。",
        "After an outage of the whole city this is its waiting data, and ends with it; else the centre or its "
        "network is too slow.",
    ),
    "alert_quarantine": (
        "15 分钟内新隔离超过 {number} 条",
        "More than {number} new entries in quarantine within 15 minutes",
    ),
    "alert_quarantine_do": ("用 santong quarantine 查看原因。", "`santong quarantine` has the reasons."),
    "alert_dropped": ("收集程序内存已满，正在丢弃", "The collector's memory is full: it drops"),
    "alert_dropped_do": (
        "数据库太慢或不可用；丢弃的由设备重发，不会丢失。",
        "The store is too slow, or away. What is dropped is sent again by the devices: nothing is lost.",
    ),
    "alert_cpu": ("收集程序处理器占用超过 {percent}", "The collector's processor is above {percent}"),
    "alert_cpu_do": (
        "接近单核极限：见 docs/performance.md。",
        "That is near the limit of a core: docs/performance.md.",
    ),
}


def text(key: str, language: Language, **values: object) -> str:
    """Return a text, `values` filled in; of terms, screens and reports where it is not the dashboards' own."""
    for words in (TEXTS, WORDS, PHRASES):
        if key in words:
            found = words[key][LANGUAGES.index(language)]
            return found.format(**values) if values else found
    return GLOSSARY[key].name(language)
