"""The agent as a service manager starts it: the real process, a socket as systemd's."""

import os
import socket
import struct
from contextlib import ExitStack
from pathlib import Path

from tests.processes import AgentProcess
from tests.services import HOST, free_port

DEVICE = "441802-3144001234.c0703"


class NotifyingAgent(AgentProcess):
    """`santong-agent run` of a unit of Type=notify, WatchdogSec=2."""

    def __init__(self, folder: Path, broker_url: str, address: str) -> None:
        super().__init__(folder, DEVICE, broker_url)
        self._address = address

    def command(self) -> list[str]:
        """Return a command line by which WATCHDOG_PID= is the agent's, as systemd sets it."""
        return ["sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh", *super().command()]

    def environment(self) -> dict[str, str]:
        """Return the environment with what systemd adds to it."""
        return super().environment() | {"NOTIFY_SOCKET": self._address, "WATCHDOG_USEC": "2000000"}


def test_the_agent_of_a_notify_unit(tmp_path: Path, parts: ExitStack) -> None:
    """
    READY=1, WATCHDOG=1 again and again, STOPPING=1: each from the unit's main process, which NotifyAccess=main wants.

    That process becomes the loop, so its id stays the same.
    """
    manager = parts.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(60)
    agent = NotifyingAgent(tmp_path, f"mqtt://{HOST}:{free_port()}", str(tmp_path / "notify"))
    agent.start()
    parts.callback(agent.kill)
    pid = agent.pid
    said: list[str] = []
    senders: set[int] = set()

    def hear() -> None:
        datagram, passed, _, _ = manager.recvmsg(4096, socket.CMSG_SPACE(12))
        said.extend(datagram.decode().split("\n"))
        senders.add(struct.unpack("=iII", passed[0][2])[0])

    while said.count("WATCHDOG=1") < 4:
        hear()
    assert said.index("READY=1") < said.index("WATCHDOG=1")
    os.kill(pid, 15)
    while "STOPPING=1" not in said:
        hear()
    assert senders == {pid}
