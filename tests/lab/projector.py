"""
A projector on a machine of the lab, on its standard port: `python -m tests.lab.projector FOLDER`.

It answers each connection as `pjlink.txt` in that folder says just then, as in tests/profiles/pjlink_server.py: a test
breaks its lamp by writing a file.
"""

import signal
import socket
import sys
from pathlib import Path

from tests.profiles.pjlink_server import playing, projector, recorded

PORT = 4352


def main(folder: Path) -> None:
    """Be a projector until ended."""

    def script(sock: socket.socket) -> None:
        projector(recorded(folder))(sock)

    with playing(script, at=("", PORT)):
        signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
