"""Which word stands for what: reasons, probes, stages, uplinks."""

from collections.abc import Mapping

from collector.watch.types import State

# Causes of minutes, stages of probes, and what the board says itself of a state.
WHYS: Mapping[str, str] = {
    "never_reported": "why_never_reported",
    "not_heard": "why_state_not_heard",
    "unreachable": "why_unreachable",
    "no_evidence": "why_no_evidence",
    "out_of_hours": "why_state_no_service",
    "everyone_gone": "why_everyone_gone",
    "broker_down": "why_broker_down",
    "store_down": "why_store_down",
    "collector_down": "why_collector_down",
    "observer": "why_state_observer",
    "no_answer": "why_state_no_answer",
    "standby": "why_state_standby",
    "closed": "why_state_closed",
    "excluded": "why_state_excluded",
    "no_service": "why_state_no_service",
    "working": "cause_working",
    "service_down": "cause_service_down",
    "wan_down": "cause_wan_down",
    "lan_down": "cause_lan_down",
    "power_off": "cause_power_off",
    "asleep": "cause_asleep",
    "agent_down": "cause_agent_down",
    "unknown": "cause_unknown",
    "scan": "stage_scan",
    "signal": "stage_signal",
    "associate": "stage_associate",
    "dhcp": "stage_dhcp",
    "dns": "stage_dns",
    "portal": "stage_portal",
    "http": "stage_http",
    "connect": "stage_connect",
    "request": "stage_request",
    "status": "stage_status",
    "resolve": "stage_resolve",
    "proxy": "stage_proxy",
    "tls": "stage_tls",
    "redirect": "stage_redirect",
    "body": "stage_body",
    "certificate": "stage_certificate",
    "threshold": "stage_threshold",
    "login_page": "stage_login_page",
    "expected": "stage_expected",
    "send": "stage_send",
    "reply": "stage_reply",
}
# What watch says of an incident.
KINDS: Mapping[str, str] = {
    "device": "incident_device",
    "site": "incident_site",
    "operator": "incident_operator",
    "fault": "incident_fault",
    "silent": "incident_silent",
    "centre": "incident_centre",
}
PROBES: Mapping[str, str] = {
    "icmp": "probe_icmp",
    "tcp": "probe_tcp",
    "arp": "probe_arp",
    "dns": "stage_dns",
    "dhcp": "stage_dhcp",
    "http": "stage_http",
    "portal": "stage_portal",
    "wifi_join": "probe_wifi_join",
    "wifi_scan": "stage_scan",
    "pjlink": "probe_pjlink",
}
UPLINKS: Mapping[State, str] = {
    State.WORKING: "uplink_up",
    State.FAILING: "uplink_down",
    State.UNKNOWN: "uplink_unknown",
}
THEMES: Mapping[str, str] = {"dark": "dark", "light": "light"}
LANGUAGES: Mapping[str, str] = {"zh": "中文", "en": "English"}  # as they are called by those who speak them
