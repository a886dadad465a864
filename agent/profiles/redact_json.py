"""JSON in which nothing private is left: what stands under a telling key is a name or a secret."""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent.profiles.redact import Redactor

_TELLING = re.compile(
    r"(?i)(?:^|[^a-z])(?:e?ssid|serial|sn|host_?name|user|login|owner|contact|location|address_?text|e?mail|phone|psk|sae"
    r"|pass(?:word|phrase|wd)?|secret|token|community|imei|imsi|iccid|auth_key|(?:wpa|wep|private|pre_?shared)?_?key\d?)"
    r"(?:_?(?:name|no|nr|num|number|id|file))?$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def cleaned(value: Any, redactor: Redactor, key: str = "") -> Any:
    """Return a value with stand-ins; numbers stay, but for those under a telling key."""
    if isinstance(value, Mapping):
        return {redactor.text(name): cleaned(inner, redactor, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [cleaned(inner, redactor, key) for inner in value]
    if isinstance(value, str):
        return redactor.learn(value) if is_telling(key) else redactor.text(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return int(redactor.learn(str(value))) if is_number and value >= 1000 and is_telling(key) else value


def as_bytes(value: Any) -> bytes:
    """Return JSON as it stands in a recording."""
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def is_telling(key: str) -> bool:
    """Tell whether what has this name is a name, a number of its own or a secret."""
    return _TELLING.search(_CAMEL.sub("_", key)) is not None
