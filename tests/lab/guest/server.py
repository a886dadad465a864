"""
The command server in the guest: a JSON line in, a JSON line out, on a virtio serial port; commands run side by side.

    {"id": 1, "run": ["iw", "dev"], "timeout": 20}       -> {"id": 1, "status": 0, "stdout": "…", "stderr": "…"}
    {"id": 2, "start": ["hostapd", "f"], "log": "/…"}    -> {"id": 2, "pid": 123}
    {"id": 3, "poll": 123}                               -> {"id": 3, "status": null}
    {"id": 4, "signal": 123, "number": 15}               -> {"id": 4}
    {"id": 5, "read": "/proc/123/net/tcp"}               -> {"id": 5, "text": "…"}
    {"id": 6, "probe": "dns", "target": "www.lab", "given": ["type=A"]}  -> {"id": 6, "found": {…}}

A probe is run by the product's own worker, which stays: starting Python and scapy anew takes ten seconds in here.
A command that took too long has `"timeout": true`, one that could not be run an `"error"`. The first line, unasked, is
{"id": 0}: it is ready.
"""

import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

Message = dict[str, Any]


class Prober:
    """Runs probes one after the other, in a worker that stays."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Any = None

    def find(self, kind: str, target: str, given: list[str]) -> Message:
        """Return what `santong-agent probe --json` would print."""
        from agent.probe.ask import ask_of  # noqa: PLC0415  the first probe pays for it, not the boot
        from agent.probe.client import Client  # noqa: PLC0415
        from agent.probe.show import as_json  # noqa: PLC0415

        with self._lock:
            self._client = self._client or Client(with_details=True)
            ask = ask_of(kind, target, given)
            number = self._client.ask(kind, ask)
            while True:
                for answer in self._client.answers(1.0):
                    if answer.id == number:
                        return as_json(kind, ask.target, answer.outcome)


class Server:
    """Answers what comes in at the port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._programs: dict[int, subprocess.Popen[bytes]] = {}
        self._prober = Prober()

    def serve(self) -> None:
        """Answer until the other end is closed for good."""
        self._send({"id": 0})
        rest = b""
        while True:
            got = os.read(self._port, 65536)
            if not got:  # nobody holds the other end
                time.sleep(0.05)
                continue
            *lines, rest = (rest + got).split(b"\n")
            for line in lines:
                threading.Thread(target=self._answer, args=(json.loads(line),), daemon=True).start()

    def _send(self, message: Message) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._port, data) :]

    def _answer(self, wish: Message) -> None:
        try:
            answer = self._do(wish)
        except subprocess.TimeoutExpired:
            answer = {"timeout": True}
        except Exception as error:  # noqa: BLE001  whoever asked must be told
            answer = {"error": f"{type(error).__name__}: {error}"}
        self._send({"id": wish["id"], **answer})

    def _do(self, wish: Message) -> Message:
        if "run" in wish:
            done = subprocess.run(
                wish["run"], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=wish["timeout"]
            )
            words = [text.decode(errors="replace") for text in (done.stdout, done.stderr)]
            return {"status": done.returncode, "stdout": words[0], "stderr": words[1]}
        if "start" in wish:
            with Path(wish["log"]).open("ab") as log:
                program = subprocess.Popen(wish["start"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self._programs[program.pid] = program
            return {"pid": program.pid}
        if "probe" in wish:
            return {"found": self._prober.find(wish["probe"], wish["target"], wish["given"])}
        if "read" in wish:
            return {"text": Path(wish["read"]).read_text(errors="replace")}
        if "poll" in wish:
            return {"status": self._programs[wish["poll"]].poll()}
        self._programs[wish["signal"]].send_signal(wish["number"])
        return {}


if __name__ == "__main__":
    while not (ports := list(Path("/dev").glob("vport*"))):
        time.sleep(0.02)
    Server(os.open(ports[0], os.O_RDWR)).serve()
