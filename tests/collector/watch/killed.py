"""
`santong watch` that kills itself with -9 at a certain point: run by the tests, with the point as its first argument.

    before_commit   what it saw is not written down          before_send   a message is begun, nobody has it
    after_commit    news are on disk, no message is made     after_send    somebody has it, that is not written down
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from collector.channels.service import Address
from collector.cli import main
from collector.watch.journal import Journal

POINTS = ("before_commit", "after_commit", "before_send", "after_send")


def dying(original: Callable[..., Any], *, is_after: bool, counts: Callable[..., bool]) -> Callable[..., Any]:
    """Return a function that is the end of this process, before it has done its work or after."""

    def run(*words: Any, **options: Any) -> Any:
        is_the_one = counts(*words, **options)
        if is_the_one and not is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        done = original(*words, **options)
        if is_the_one:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return run


def has_news(_journal: Journal, _memory: object, entries: Any = (), remember: object = None) -> bool:
    """Tell whether a commit tells somebody something."""
    return bool(entries)


if __name__ == "__main__":
    point = sys.argv.pop(1)
    is_after = point.startswith("after")
    if point.endswith("commit"):
        Journal.commit = dying(Journal.commit, is_after=is_after, counts=has_news)  # type: ignore[method-assign]
    else:
        Address.send = dying(Address.send, is_after=is_after, counts=lambda *_: True)  # type: ignore[method-assign]
    main()
