"""
A double of hostapd: its control sockets in a folder of their own, which answer as it was recorded.

    hostapd.txt   == wlan0 STATUS          interface and command
                  state=ENABLED            the reply, up to the next heading
                  == wlan0 STA-FIRST
                  02:00:00:00:01:00 …

A command that was not recorded gets `UNKNOWN COMMAND`; a reply of `(silence)` is none.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_END = b"END OF THE DOUBLE"


def parse(text: str) -> dict[str, dict[str, str]]:
    """Return the replies of each interface, by command."""
    found: dict[str, dict[str, str]] = {}
    for block in text.removeprefix("== ").split("\n== "):
        heading, _, reply = block.partition("\n")
        interface, _, command = heading.partition(" ")
        found.setdefault(interface, {})[command] = reply
    return found


@contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """Be the hostapd of `hostapd.txt`; yield the root in which run/hostapd is."""
    with TemporaryDirectory(prefix="hostapd") as root, ExitStack() as stack:
        sockets = Path(root, "run/hostapd")
        sockets.mkdir(parents=True)
        for interface, replies in parse((folder / "hostapd.txt").read_text(encoding="utf-8")).items():
            stack.enter_context(answering(sockets / interface, replies))
        yield Path(root)


@contextmanager
def answering(path: Path, replies: dict[str, str]) -> Iterator[list[str]]:
    """Answer at one socket; yield the commands that it was given."""
    commands: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        thread = threading.Thread(target=_serve, args=(server, replies, commands))
        thread.start()
        try:
            yield commands
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(_END, str(path))
            thread.join()


def _serve(server: socket.socket, replies: dict[str, str], commands: list[str]) -> None:
    while True:
        data, peer = server.recvfrom(65_536)
        if data == _END:
            return
        commands.append(data.decode())
        reply = replies.get(commands[-1], "UNKNOWN COMMAND\n")
        if reply != "(silence)\n":
            server.sendto(reply.encode(), peer)
