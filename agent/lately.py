"""The last warnings and errors of the agent's log, for whoever asks from afar how it is."""

import logging
import time
from collections import deque
from collections.abc import Iterable

_MOST_ERRORS = 20
_LONGEST_TEXT = 300


class Lately(logging.Handler):
    """Keeps the last warnings and errors of the log; what is said there has no secrets in it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._kept: deque[tuple[float, str, str]] = deque(maxlen=_MOST_ERRORS)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of a record, without its traceback."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  as of any handler: a record that cannot be written ends nothing
            return
        self._kept.append((time.monotonic(), record.levelname, text))

    def shown(self, secrets: Iterable[str] = ()) -> list[dict[str, object]]:
        """Return what was kept, the newest first; what is a secret after all is taken out."""
        now, found = time.monotonic(), []
        hidden = [secret for secret in secrets if secret]
        for at, level, text in reversed(self._kept.copy()):
            for secret in hidden:
                text = text.replace(secret, "***")  # noqa: PLW2901  step by step
            found.append({"seconds_ago": round(now - at, 1), "level": level, "text": short(text)})
        return found


def short(text: str) -> str:
    """Return a text that fits into an answer."""
    return text[:_LONGEST_TEXT].encode(errors="replace").decode()
