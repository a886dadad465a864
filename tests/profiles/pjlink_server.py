"""
A projector on 127.0.0.1 that answers as it was recorded in `pjlink.txt`, with as many clients at a time as it likes.

    # password JBMIAProjectorLink
    PJLINK 1 498e4a67
    %1POWR=1

The first line is its greeting, the others are its answers; what is not there it answers with ERR1.
"""

import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

Script = Callable[[socket.socket], None]
PATIENCE_S = 20.0


class Recording(NamedTuple):
    """A greeting, the answers by `%1POWR`, and the password, empty for none."""

    greeting: str
    answers: dict[str, str]
    password: str = ""


def recorded(folder: Path) -> Recording:
    """Read `pjlink.txt` of a folder."""
    lines = (folder / "pjlink.txt").read_text(encoding="utf-8").splitlines()
    password = next((line.removeprefix("# password ") for line in lines if line.startswith("# password ")), "")
    greeting, *answers = [line for line in lines if line and not line.startswith("#")]
    return Recording(greeting, {line.partition("=")[0]: line for line in answers}, password)


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Be the recorded projector; yield its port."""
    with playing(projector(recorded(folder))) as port:
        yield port


def projector(recording: Recording) -> Script:
    """Return how a projector talks on one connection."""
    is_locked = recording.greeting.startswith("PJLINK 1")
    token = recording.greeting.rpartition(" ")[2]
    proof = hashlib.md5((token + recording.password).encode(), usedforsecurity=False).hexdigest() if is_locked else ""

    def script(sock: socket.socket) -> None:
        say(sock, recording.greeting)
        is_trusted = not is_locked
        for line in heard(sock):
            if not is_trusted and not line.startswith(proof):
                say(sock, "PJLINK ERRA")
                return
            command = line if is_trusted else line.removeprefix(proof)
            is_trusted = True
            question = re.fullmatch(r"(%[12][A-Z0-9]{4}) \?", command)
            assert question, f"is no question of PJLink: {line!r}"
            say(sock, recording.answers.get(question[1], f"{question[1]}=ERR1"))

    return script


def say(sock: socket.socket, text: str) -> None:
    """Send a line."""
    sock.sendall(text.encode() + b"\r")


def heard(sock: socket.socket) -> Iterator[str]:
    """Yield the lines that come, until the client goes."""
    received = b""
    while piece := sock.recv(4096):
        received += piece
        while b"\r" in received:
            line, _, received = received.partition(b"\r")
            yield line.decode()


@contextmanager
def playing(*scripts: Script, at: tuple[str, int] = ("127.0.0.1", 0)) -> Iterator[int]:
    """
    Run a script for each connection, the last of them for all that follow; each in a thread of its own.

    `at` is the address and port, 0 for a free one.

    A connection is closed after its script. Yield the port.
    """
    listener = socket.create_server(at)
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def talk(script: Script, sock: socket.socket) -> None:
        with suppress(OSError), sock:
            script(sock)

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.settimeout(PATIENCE_S)
                script = scripts[min(len(opened), len(scripts) - 1)]
                opened.append(sock)
                threads.append(threading.Thread(target=talk, args=(script, sock), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        listener.close()
        for sock in opened:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
