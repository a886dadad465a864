"""One probe as a command line asks for it."""

from collections.abc import Iterable

from agent.probe.sense import problems
from agent.probe.settings import KINDS, Ask
from contract.errors import ConfigError, Problem
from contract.settings import section


def ask_of(kind: str, target: str, given: Iterable[str]) -> Ask:
    """Return what is asked, from `name=value` texts; ConfigError lists every mistake."""
    if kind not in KINDS:
        raise ConfigError(f"probe {kind}", [Problem("", f"there is no such kind; there are {', '.join(KINDS)}")])
    texts: dict[str, str] = {}
    strange = []
    for text in given:
        name, equals, value = text.partition("=")
        texts[name.replace("-", "_")] = value
        if not equals:
            strange.append(Problem(text, "is not NAME=VALUE"))
    if strange:
        raise ConfigError(f"probe {kind}", strange)
    if target or "target" not in KINDS[kind]._field_defaults:
        texts["target"] = target
    ask = section(KINDS[kind], texts, f"probe {kind}")
    if mistakes := problems(ask, is_repeated=False):
        raise ConfigError(f"probe {kind}", mistakes)
    return ask


def kinds_as_text() -> str:
    """Return every kind with its settings and their defaults."""
    lines = []
    for kind, asked in KINDS.items():
        lines.append(f"{kind:<12}{(asked.__doc__ or '').strip().splitlines()[0]}")
        defaults = asked._field_defaults
        lines += [
            f"    {name:<22}{_shown(defaults[name]) if name in defaults else 'needed'}"
            for name in asked._fields
            if name != "target"
        ]
    return "\n".join(lines)


def _shown(value: object) -> str:
    if value is None or value in ("", ()):
        return "-"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
