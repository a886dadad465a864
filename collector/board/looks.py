"""
How states look: a colour, a shape and a word each, so that nothing rests on colour alone.

Colours are those of reports (Okabe and Ito); on a dark ground the same, with lighter ink around them.
"""

from markupsafe import Markup

from collector.watch.types import State

# On 16 × 16. `b` is the line around a shape that has no fill: the colour of text, whatever the ground.
_SHAPES = {
    State.WORKING: '<circle cx="8" cy="8" r="6.5" fill="#5aa9d6"/>',
    State.FAILING: '<path d="M8 1 15.5 14.5H.5z" fill="#d55e00"/>',
    State.OFFLINE: '<path d="M8 .5 15.5 8 8 15.5 .5 8z" fill="#e69f00"/>',
    State.SILENT: '<path d="M.5 2h15L8 15.5z" fill="#cc79a7"/>',
    State.OFF: '<rect x="2" y="2" width="12" height="12" fill="#9a9a9a"/>',
    State.UNKNOWN: '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.8" '
    'stroke-dasharray="2.6 2.1"/>',
    State.QUIET: '<rect x="1" y="5.5" width="14" height="5" rx="2.5" fill="none" stroke="currentColor" '
    'stroke-width="1.6"/>',
}
# Empty: hatched.
FILLS = {
    State.WORKING: "#5aa9d6",
    State.FAILING: "#d55e00",
    State.OFFLINE: "#e69f00",
    State.SILENT: "#cc79a7",
    State.OFF: "#9a9a9a",
    State.UNKNOWN: "",
    State.QUIET: "#d9d9d9",
}


def shape(state: State) -> Markup:
    """Return the shape of a state."""
    return Markup(  # noqa: S704  our own
        f'<svg class="shape" viewBox="0 0 16 16" aria-hidden="true">{_SHAPES[state]}</svg>'
    )
