"""A double of wpa_supplicant's control socket in a temporary folder: it keeps networks and tells a recorded story."""

import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

FIXTURES = Path(__file__).parents[2] / "fixtures"


def recorded(name: str) -> list[tuple[float, str]]:
    """Return the events of a journey that was recorded, each with its second."""
    rows = (FIXTURES / "wifi_kinds" / f"{name}.events").read_text(encoding="utf-8").splitlines()
    return [(float(at), text) for at, _, text in (row.partition(" ") for row in rows)]


def recorded_bss() -> list[str]:
    """Return the recorded answers for each access point."""
    text = (FIXTURES / "wifi_kinds/bss.txt").read_text(encoding="utf-8")
    return [block for block in text.replace("####", "====").split("====\n") if block]


class SupplicantDouble:
    """
    The socket `folder/wlan1`, and what it was told (`commands`).

    `bss` are the access points that a scan finds, `story` the events after SELECT_NETWORK. `replies` stand above what
    it would answer: command or its first word → reply, None is silence. A SCAN is busy `busy` times.
    """

    def __init__(
        self,
        folder: Path,
        bss: Sequence[str] = (),
        story: Sequence[str] = (),
        replies: dict[str, str | None] | None = None,
        busy: int = 0,
    ) -> None:
        self.folder = folder
        self.commands: list[str] = []
        self.networks: dict[str, dict[str, str]] = {}
        self.bss = list(bss)
        self.busy = busy
        self._story = list(story)
        self._replies = replies or {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._monitors: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._socket.bind(str(self.folder / "wlan1"))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.connect(str(self.folder / "wlan1"))
            last.send(b"END")
        self._thread.join(5)
        self._socket.close()

    def tell(self, *events: str) -> None:
        """Tell events to all who are attached."""
        for monitor in self._monitors:
            for event in events:
                self._socket.sendto(event.encode(), monitor)

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(65536)
            command = data.decode()
            if command == "END":
                return
            self.commands.append(command)
            word = command.partition(" ")[0]
            reply = self._replies.get(command, self._replies.get(word, self._answer(command, peer)))
            if reply is not None:
                self._socket.sendto(reply.encode(), peer)
            if word == "SELECT_NETWORK":
                self.tell(*self._story)
            elif word == "SCAN" and reply in ("OK\n", "FAIL-BUSY\n"):
                self.tell("<3>CTRL-EVENT-SCAN-STARTED ", "<3>CTRL-EVENT-SCAN-RESULTS ")

    def _answer(self, command: str, peer: str) -> str:
        word, _, rest = command.partition(" ")
        if word == "ATTACH":
            self._monitors.append(peer)
        elif word == "DETACH":
            self._monitors.remove(peer)
        elif word == "SCAN" and self.busy:
            self.busy -= 1
            return "FAIL-BUSY\n"
        elif word == "STATUS":
            return "wpa_state=INACTIVE\n"
        elif word == "BSS":
            number = 0 if rest.startswith("FIRST") else int(rest.split()[0].removeprefix("NEXT-")) + 1
            return self.bss[number] if number < len(self.bss) else ""
        elif "NETWORK" in word:
            return self._answer_of_networks(word, rest)
        return "OK\n"

    def _answer_of_networks(self, word: str, rest: str) -> str:
        number, _, setting = rest.partition(" ")
        if word == "LIST_NETWORKS":
            return "network id / ssid / bssid / flags\n" + "".join(f"{n}\tx\tany\t\n" for n in self.networks)
        if word == "ADD_NETWORK":
            self.networks[str(len(self.networks))] = {}
            return f"{len(self.networks) - 1}\n"
        if word == "GET_NETWORK":
            return self.networks[number].get(setting, "FAIL\n")
        if word == "SET_NETWORK":
            name, _, value = setting.partition(" ")
            self.networks[number][name] = value
        elif word == "REMOVE_NETWORK":
            self.networks.pop(number, None)
        return "OK\n"
