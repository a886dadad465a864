"""
Prints what wpa_supplicant says on its control socket: `events.py INTERFACE`, one raw message a line, until killed.

A client binds a socket of its own, sends ATTACH, and gets each event as one datagram.
"""

import os
import socket
import sys
from pathlib import Path


def main(interface: str) -> None:
    """Print events for ever."""
    control = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    mine = Path(f"/tmp/events-{os.getpid()}")  # noqa: S108  in the guest nobody else is there
    control.bind(str(mine))
    control.connect(f"/run/wpa_supplicant/{interface}")
    control.send(b"ATTACH")
    while True:
        sys.stdout.write(control.recv(65536).decode(errors="replace").rstrip("\n") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
