"""What stands on the top of every page: what could not be read, and that watch does not look."""

from markupsafe import Markup

from collector.board.draw import H, join, why_text
from collector.board.view import View


def notices(view: View) -> Markup:
    """Return a line for each, none where all is well."""
    eyes, watched = view.eyes, view.picture.watched
    said = [("trouble", view.picture.trouble)]
    if watched.ended_ns:
        text = eyes.say("watch_stands_still").format(time=eyes.clock(watched.ended_ns))
        said.append(("watch-trouble", text))
    if watched.centre:
        why, at = why_text(watched.centre, eyes), eyes.clock(watched.judged_ns)
        said.append(("centre-trouble", eyes.say("centre_fails").format(why=why, time=at)))
    return join(H('<p class="trouble" id="{}">{}</p>').format(name, text) for name, text in said if text)
