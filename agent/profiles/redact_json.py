"""JSON in which nothing private is left: what stands under a telling key is a name or a secret."""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent.profiles.redact import Redactor

_BEFORE = (
    "api|access|refresh|auth|csrf|client|device|dev|ap|host|user|admin|login|wifi|wlan|wpa[23]?|wep|sys|system|web"
)
_TELLING = re.compile(
    rf"(?i)(?:^|[^a-z])(?:(?:{_BEFORE}|private|pre_?shared|router|site|room|station|full|display|friendly|nick|group)_?)*"
    r"(?:e?ssid|serial|sn|host_?name|user|login|owner|contact|location|address_?text|e?mail|phone|psk\d?|sae|jwt"
    r"|pass(?:word|phrase|wd|code)?|pwd|pin|secret|token|session|sid|cookie|auth|credential|fingerprint|community"
    r"|imei|imsi|iccid|key\d?|account|admin|uid|lat|latitude|lon|lng|longitude|gps|domain|name|alias|descr|description"
    r"|network)(?:_?(?:name|no|nr|num|number|id|file|hash))?(?:e?s)?$"
)
_SECRET = re.compile(r"(?i)(?:^|_)(?:pin|pwd|pass(?:word|phrase|wd|code)?)$")  # of which a short number is one too
_PLACE = re.compile(r"(?i)(?:^|_)(?:lat|lon|lng|gps|latitude|longitude)$")
_ALL_BELOW = re.compile(r"(?i)(?:^|_)(?:credential|cookie|secret|token|gps|location|contact|owner)s?$")
_NAMES_AS_KEYS = re.compile(
    r"(?i)(?:(?:connected|active|known|dhcp|static)_)?(?:(?:host|client|station|user|account|lease|member|owner|room|neighbou?r)s|hostnames?)"
)
# What a device calls its own parts, and what it measures: no name that people gave.
_PARTS = re.compile(
    r"""(?ix) (?: (?: \d | (?:
          (?:(?:ten|twentyfive|hundred)?gigabit|fast)?ethernet | v?eth | w?lan | wan | br | phy\d*-ap | phy | radio | lo
        | loopback | bond | vlan | en[ops] | wl | port | usb | tun | ppp | ath | ra | gi | te | fa | x?ge | mesh | mgmt
        | management | sta | dhcp | dns | ntp | ssh | https? | snmp | total | count | list | all | items | data | wired
        | wireless | online | offline | active | guest | cpu | mem | memory | fan | temp | temperature | humidity
        | voltage | current | power | battery | disk | load | uptime | status | state | signal | noise | channel | lamp
        | brightness | volume | input | output | slot | sensor | rx | tx | bytes | packets | errors | hdmi | version
        | g | ghz
        ) (?![a-z]) ) [-_./:\ ]* )+"""
)
_OF_PARTS = re.compile(  # under which such names stand beside those that people gave
    r"(?i)(?:(?:if|interface|port|sensor|fan|display|full)_?)?(?:name|alias|descr|description|network|domain)s?"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def cleaned(value: Any, redactor: Redactor, key: str = "") -> Any:
    """Return a value with stand-ins; numbers stay, but for those under a telling key."""
    if isinstance(value, Mapping):
        are_names = _NAMES_AS_KEYS.fullmatch(_split(key)) is not None
        return {
            _key(
                name,
                redactor,
                is_name=are_names and (isinstance(inner, Mapping) or re.search("[.-]", name) is not None),
            ): cleaned(inner, redactor, name if is_telling(name) or not _ALL_BELOW.search(_split(key)) else key)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        is_table = _NAMES_AS_KEYS.fullmatch(_split(key)) is not None  # the keys of its rows are columns
        return [cleaned(inner, redactor, "" if is_table and isinstance(inner, Mapping) else key) for inner in value]
    if isinstance(value, str):
        is_part = _OF_PARTS.fullmatch(_split(key)) and _PARTS.fullmatch(value)
        return redactor.learn(value) if is_telling(key) and not is_part else redactor.text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, redactor, key)
    return value


def _key(name: str, redactor: Redactor, *, is_name: bool) -> str:
    made = redactor.text(name)
    is_column = is_telling(name) or _NAMES_AS_KEYS.fullmatch(_split(name)) or _PARTS.fullmatch(name)
    return redactor.learn(name) if is_name and made == name and not is_column else made


def _number(value: float, redactor: Redactor, key: str) -> float:
    """Return a number's stand-in: where somebody is becomes 0, a count under a plural stays."""
    words = _split(key)
    if _PLACE.search(words):
        redactor.learn(str(value))
        return type(value)(0)
    is_own = isinstance(value, int) and value >= 1000 and is_telling(key) and not words.endswith("s")
    return int(redactor.learn(str(value))) if is_own or (_SECRET.search(words) and isinstance(value, int)) else value


def as_bytes(value: Any) -> bytes:
    """Return JSON as it stands in a recording."""
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def is_telling(key: str) -> bool:
    """Tell whether what has this name is a name, a number of its own or a secret."""
    return _TELLING.search(_split(key)) is not None


def _split(key: str) -> str:
    """Return a key with a mark between its words."""
    return re.sub("[^0-9A-Za-z]+", "_", _CAMEL.sub("_", key))
