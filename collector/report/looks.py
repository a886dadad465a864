"""
How causes and verdicts look: a colour, a letter and a hatch each, so that nothing rests on colour alone.

Colours of Okabe and Ito, Color Universal Design (2008), which people with any colour vision tell apart, and greys.
"""

from typing import NamedTuple

from collector.verify.causes import Cause
from collector.verify.results import Verdict

GOOD, BAD, UNKNOWN, OFF = "#5aa9d6", "#d55e00", "#ffffff", "#c9c9c9"
INK, DIM, LINE, FAINT = "#1a1a1a", "#5f5f5f", "#8a8a8a", "#e6e6e6"


class Look(NamedTuple):
    """A fill, the letter on it and its colour; `hatch` names a pattern over the fill, empty: none."""

    fill: str
    letter: str
    ink: str = INK
    hatch: str = ""


CAUSES = {
    Cause.WORKING: Look(GOOD, ""),
    Cause.SERVICE_DOWN: Look("#d55e00", "S", "#ffffff"),
    Cause.WAN_DOWN: Look("#e69f00", "N"),
    Cause.LAN_DOWN: Look("#cc79a7", "L"),
    Cause.POWER_OFF: Look("#b5b5b5", "P"),
    Cause.ASLEEP: Look("#dcdcdc", "Z"),
    Cause.AGENT_DOWN: Look("#f0e442", "A"),
    Cause.UNKNOWN: Look("#ffffff", "?", INK, "hatch"),
    Cause.EXCLUDED: Look("#f4f4f4", "×", LINE),
}
KINDS = {
    "good": Look(GOOD, ""),
    "bad": Look(BAD, "×", "#ffffff"),
    "unknown": Look(UNKNOWN, "?", INK, "hatch"),
    "never_on": Look("#b5b5b5", "P"),
    "none": Look("#f4f4f4", "–", LINE),
}
VERDICTS = {Verdict.PASS: "✔", Verdict.FAIL: "✘", Verdict.NOT_PROVEN: "?"}
