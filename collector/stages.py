"""
Stages of probes as reasons: what a message, a list or a page says of a device that fails at one.

A stage is the name of a step, and says nothing of how it went: "login page". So a step is told as what fails; what says
itself what is wrong, such as a certificate that is about to expire, is told as it is.
"""

from collector.words import WORDS, Language, word

STEPS = frozenset({
    "scan", "signal", "associate", "dhcp", "dns", "portal", "http", "resolve", "proxy", "connect", "tls", "redirect",
    "request", "status", "body",
})  # fmt: skip


def stage_as_reason(stage: str, language: Language) -> str:
    """Return a stage as the reason of a failure; "" for what is no stage that has words."""
    key = f"stage_{stage}"
    if key not in WORDS:
        return ""
    return word("fails_at_step", language).format(step=word(key, language)) if stage in STEPS else word(key, language)
