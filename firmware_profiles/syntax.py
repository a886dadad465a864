r"""
What the parser says of a file that is no YAML, and what to do about it.

    explained(text, "found character …", 6, 6) → (6, "is not YAML: found …; a tab stands before …")

The parser's own words stay; what it was most likely is guessed from the lines that it names.
"""

import re
from collections.abc import Sequence

_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|(?:^|\s)#.*""")
_FULL_WIDTH = {
    "：": "':' and a blank", "，": "','", "“": '"', "”": '"', "‘": "'", "’": "'", "｛": "'{'", "｝": "'}'", "【": "'['",
    "】": "']'", "［": "'['", "］": "']'", "－": "'-' and a blank", "\u3000": "blanks", "\u00a0": "a blank",
}  # fmt: skip
_NAMES = {"\u3000": "a full-width blank", "\u00a0": "a blank of another kind (U+00A0)"}
_GLUED = re.compile(r"""\s*(?:- )?[{]?\s*["']?[\w.-]+["']?:[^\s]""")
_NO_COLON = "could not find expected ':'"
_INDENT = "is it indented as the lines above that belong with it?"
_HINTS = {  # words of the parser: what it most likely is
    r"'\t'": "a tab stands before the text: indent by blanks",
    "escape character": r"write patterns in single quotes, in which a backslash is itself: '(\d+)'",
    _NO_COLON: "a line is `name: value`, or `- value` in a list",
    "expected ',' or '}', but got ':'": "a comma may be missing before; a text with ': ' in it needs quotes",
    "expected <block end>": _INDENT,
    "mapping values are not allowed": f"{_INDENT} A text with ': ' in it needs quotes",
}


def explained(text: str, said: str, at: int, begins: int) -> tuple[int, str]:
    """
    Return the line of a mistake, and what is said of it; lines are counted from 0.

    `said` is the parser's word for the line `at`; what it was reading then begins in the line `begins`.
    """
    lines = text.split("\n")
    if said == _NO_COLON:  # which the parser misses only after the line
        at = begins
    hint = _hint(lines, said, at, begins) or _open_quote(lines[: at + 1])
    return at, f"is not YAML: {said}{hint and '; '}{hint}"


def _hint(lines: Sequence[str], said: str, at: int, begins: int) -> str:
    """Return what to do, "" where nothing is known."""
    is_tab = r"'\t'" in said
    if not is_tab and (wide := _full_width(lines, at, begins)):
        return wide
    if said == _NO_COLON and _GLUED.match(lines[at]):
        return "write a blank after the ':'"
    return next((hint for words, hint in _HINTS.items() if words in said), "")


def _full_width(lines: Sequence[str], at: int, begins: int) -> str:
    """Return which letter of Chinese punctuation stands where one of YAML should, "" for none."""
    for number in (at, begins, at - 1):
        line = _QUOTED.sub("", lines[number]) if 0 <= number < len(lines) else ""
        if number == at - 1 != begins:
            line = line[: len(line) - len(line.lstrip())]  # how the line above is indented
        if wide := next((letter for letter in line if letter in _FULL_WIDTH), ""):
            name = _NAMES.get(wide, f"the full-width {wide}")
            return (
                f"{name} in line {number + 1} is no punctuation of YAML: write {_FULL_WIDTH[wide]}, or quote the text"
            )
    return ""


def _open_quote(lines: Sequence[str]) -> str:
    """Return where a quote begins that has no end in its line."""
    for number, line in enumerate(lines, 1):
        if '"' in (rest := _QUOTED.sub("", line)):
            return f"a quote in line {number} has no end" if rest.count('"') == 1 else ""
    return ""
