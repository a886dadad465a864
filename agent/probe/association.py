"""
Joining a network as wpa_supplicant's events tell it: authentication, association, key handshake; nothing else.

    SME: Trying to authenticate with 02:00:00:00:00:00 (SSID='testbed' freq=2437 MHz)
    Trying to associate with 02:00:00:00:00:00 (SSID='testbed' freq=2437 MHz)
    Associated with 02:00:00:00:00:00
    WPA: Key negotiation completed with 02:00:00:00:00:00 [PTK=CCMP GTK=CCMP]
    CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:00:00 completed [id=0 id_str=…]

or CTRL-EVENT-AUTH-REJECT, -ASSOC-REJECT (status codes, IEEE 802.11 Table 9-50), -DISCONNECTED (reason codes,
Table 9-49), and -SSID-TEMP-DISABLED once the supplicant gives up: after one handshake with a wrong key, after some
other failures in a row. Drivers that authenticate by themselves leave the first line out.
"""

import re
from typing import NamedTuple

from agent.control_socket import Event

STATUS = {
    1: "refused without a reason",
    12: "refused for a reason outside the standard",
    13: "it does not know the authentication algorithm",
    15: "the challenge failed: the passphrase is probably wrong",
    16: "the exchange took too long",
    17: "the access point is full",
    30: "come again later",
    31: "protected management frames are demanded",
    34: "the channel is too bad",
    43: "it does not know the key management",
    53: "an invalid pairwise master key",
    77: "it does not know the group of SAE",
    82: "it sends us to another access point",
}
REASON = {
    1: "no reason given",
    2: "the authentication is no longer valid",
    3: "the access point leaves the network",
    4: "inactive or out of reach",
    5: "the access point has too many stations",
    6: "not authenticated",
    7: "not associated",
    8: "put out of the network",
    14: "message integrity check failed",
    15: "the 4-way handshake was not completed",
    16: "the group key handshake was not completed",
    23: "IEEE 802.1X authentication failed",
    34: "too many frames were not acknowledged",
}
_SAE = 3  # auth_type of AUTH-REJECT
_UNSPECIFIED, _CHALLENGE = 1, 15  # how access points refuse a wrong SAE password


class Times(NamedTuple):
    """
    Seconds of a connection; parts that were not told are None.

    `total_s` begins with the first attempt, the parts are those of the attempt that came to its end.
    """

    total_s: float
    authentication_s: float | None
    association_s: float | None
    handshake_s: float | None


class Association:
    """
    An attempt to join. It is told the events in their order; it ends `is_connected` or `has_failed`.

    `code` is the last status or reason code, `reason` one line for people. Afterwards it also knows whether the
    connection was `lost`, and whether it came back.
    """

    def __init__(self) -> None:
        self.is_connected = False
        self.has_failed = False
        self.code: int | None = None
        self.reason = ""
        self.times: Times | None = None
        self.times_lost = 0
        self._first_at: float | None = None
        self._parts: dict[str, float] = {}

    def hear(self, event: Event) -> None:
        """Take in one event; those that say nothing of the matter are passed over."""
        text, values = event.text, dict(re.findall(r"(\w+)=(-?\d+|[A-Z_]+)", event.text))
        if text.startswith(("SME: Trying to authenticate", "Trying to associate")):
            self._try(event)
        elif text.startswith("Associated with"):
            self._parts["associated"] = event.at_s
        elif text.startswith("CTRL-EVENT-CONNECTED"):
            self._connect(event.at_s)
        elif text.startswith(("CTRL-EVENT-AUTH-REJECT", "CTRL-EVENT-ASSOC-REJECT")):
            self._reject(text, values)
        elif text.startswith("CTRL-EVENT-DISCONNECTED"):
            self._disconnect(values)
        elif text.startswith("CTRL-EVENT-SCAN-STARTED"):
            self._parts.clear()  # the attempt before came to nothing: there is no event for silence
        elif text.startswith("CTRL-EVENT-SSID-TEMP-DISABLED"):
            self._give_up(values.get("reason", ""))

    def why_not(self) -> str:
        """Return why there is no connection although the supplicant has not given up."""
        if self.reason:
            return self.reason
        if self._first_at is None:
            return "the supplicant finds no access point that fits"
        return "the access point does not answer"

    def _try(self, event: Event) -> None:
        self._first_at = event.at_s if self._first_at is None else self._first_at
        part = "associate" if event.text.startswith("Trying") else "authenticate"
        self._parts.setdefault(part, event.at_s)

    def _connect(self, at_s: float) -> None:
        if not self.times:
            parts = self._parts
            authenticate, associate, associated = (
                parts.get(name) for name in ("authenticate", "associate", "associated")
            )
            first = at_s if self._first_at is None else self._first_at
            self.times = Times(
                at_s - first,
                _between(authenticate, associate),
                _between(associate, associated),
                _between(associated, at_s),
            )
        self.is_connected = True

    def _reject(self, text: str, values: dict[str, str]) -> None:
        self._parts.clear()
        self.code = _number(values.get("status_code", ""))
        step = "authentication" if "AUTH-" in text else "association"
        meaning = STATUS.get(self.code or 0, "")
        if values.get("auth_type") == str(_SAE) and self.code in (_UNSPECIFIED, _CHALLENGE):
            meaning = "the passphrase is probably wrong"
        self.reason = f"{step} refused, status {self.code}{': ' if meaning else ''}{meaning}"

    def _disconnect(self, values: dict[str, str]) -> None:
        self.times_lost += int(self.is_connected)
        self.is_connected = False
        self._parts.clear()
        self.code = _number(values.get("reason", ""))
        meaning = REASON.get(self.code or 0, "")
        self.reason = f"disconnected, reason {self.code}{': ' if meaning else ''}{meaning}"

    def _give_up(self, why: str) -> None:
        self.has_failed = True
        if why == "WRONG_KEY":
            self.reason = f"the passphrase is wrong (WRONG_KEY{'' if self.code is None else f', reason {self.code}'})"
        elif not self.reason:
            self.reason = f"the supplicant gives up: {why}"


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _number(text: str) -> int | None:
    return abs(int(text)) if re.fullmatch(r"-?\d{1,9}", text) else None
