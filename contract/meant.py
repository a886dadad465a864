"""What somebody who mistyped a word may have meant."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return `, did you mean …` where something known is near, else `otherwise`."""
    import difflib  # noqa: PLC0415  an agent needs it only where something is wrong

    near = difflib.get_close_matches(word, list(known), 1)
    return f", did you mean {near[0]}" if near else otherwise
