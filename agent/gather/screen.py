"""
Screens of this computer, by what the kernel's graphics drivers tell: the source `screen` of a profile.

    /sys/class/drm/card1-HDMI-A-1/status     connected | disconnected | unknown
                                  enabled    whether a picture is sent there (drivers/gpu/drm/drm_sysfs.c)
                                  dpms       On, or a state of saving power (Standby, Suspend, Off)

Reading these does not ask the screen itself: the kernel says what it last noticed. A projector in standby may still be
connected: whether it shines is its own evidence (PJLink). A small read in the agent's own loop.
"""

from agent.gather.file import content, matches
from agent.gather.read import Read
from agent.outcome import Outcome, Row
from contract.sample import Value

_CONNECTED = {"connected": 1, "disconnected": 0}
_SENDS, _SHOWS = {"enabled": True, "disabled": False}, {"On": True, "Standby": False, "Suspend": False, "Off": False}


def read(ask: Read) -> Outcome:
    """Return a row a connector, plugged or not; a machine without graphics has none."""
    rows = []
    for card, file in matches(ask.way.root, "/sys/class/drm/card*/status"):
        number, dash, connector = (card or "").partition("-")
        if dash and number.isdecimal() and not connector.startswith("Writeback"):  # that one copies into memory
            rows.append(Row(f"card{card}", values(file.removesuffix("/status"), connector)))
    return Outcome(True, rows=tuple(rows))


def values(folder: str, connector: str) -> dict[str, Value]:
    """
    Return `connector`, `connected` (0 or 1) and `display_on`: connected, sent a picture, and not saving power.

    What the driver does not know is absent.
    """
    found: dict[str, Value] = {"connector": connector}
    connected = _CONNECTED.get(_text(f"{folder}/status"))
    if connected is None:
        return found
    found["connected"] = connected
    sends, shows = _SENDS.get(_text(f"{folder}/enabled")), _SHOWS.get(_text(f"{folder}/dpms"))
    if not connected or sends is False or shows is False:
        found["display_on"] = 0
    elif sends is not None or shows is not None:
        found["display_on"] = 1
    return found


def _text(file: str) -> str:
    try:
        return content(file)
    except (OSError, ValueError):
        return ""
