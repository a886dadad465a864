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
import queue
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

Message = dict[str, Any]


class Prober:
    """Runs probes in a worker that stays, side by side; one thread owns its client."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[tuple[Message, queue.SimpleQueue[Message]]] = queue.SimpleQueue()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def find(self, wish: Message) -> Message:
        """Return what `santong-agent probe --json` would print."""
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        answer: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._questions.put((wish, answer))
        return answer.get()

    def _run(self) -> None:
        from agent.probe.ask import ask_of  # noqa: PLC0415  the first probe pays for it, not the boot
        from agent.probe.show import as_json  # noqa: PLC0415
        from agent.worker.client import Client  # noqa: PLC0415

        client = Client(with_details=True)
        asked: dict[int, Any] = {}
        while True:
            while not asked or not self._questions.empty():
                wish, answer_to = self._questions.get()
                ask = ask_of(wish["probe"], wish["target"], wish["given"])
                asked[client.ask(wish["probe"], ask)] = (wish["probe"], ask, answer_to)
            for answer in client.answers(0.2):
                kind, ask, answer_to = asked.pop(answer.id)
                answer_to.put(as_json(kind, ask.target, answer.outcome))


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
            return {"found": self._prober.find(wish)}
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
