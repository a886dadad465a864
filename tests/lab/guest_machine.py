"""
A machine of its own in QEMU, with four simulated WiFi radios, booted once for many tests.

    with Guest(build(), folder) as guest:
        guest.run(["iw", "dev"])

It runs the Debian of tree.py without changing it, emulated (KVM is often missing inside a VM): a program takes about
ten times as long to start as outside. `folder` is in the guest under the same path, this project under /code.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab.background import ROOT, Background, LabError, Program
from tests.lab.namespace import Done, Space
from tests.lab.tree import Tree
from tests.services import find_program

BOOT_S = 60.0
ANSWER_S = 30.0  # for what the command server does at once
END_S = 10.0
MEMORY_MIB = 768
Message = dict[str, Any]


class Line:
    """The line to the guest's command server: questions side by side, each with its answer."""

    def __init__(self, listener: socket.socket) -> None:
        self._socket, _ = listener.accept()
        self._changed = threading.Condition()
        self._answers: dict[int, Message] = {}
        self._asked = 0
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, timeout_s: float = ANSWER_S, **wish: object) -> Message:
        """Send a question and return its answer; LabError when none comes in time."""
        with self._changed:
            self._asked += 1
            number = self._asked
            self._socket.sendall(json.dumps({"id": number, **wish}).encode() + b"\n")
        answer = self.wait(number, timeout_s)
        if "error" in answer:
            raise LabError(f"guest: {wish}: {answer['error']}")
        return answer

    def wait(self, number: int, timeout_s: float) -> Message:
        """Return the answer of this number."""
        with self._changed:
            if not self._changed.wait_for(lambda: number in self._answers, timeout_s):
                raise LabError(f"the guest gave no answer within {timeout_s:.0f} s")
            return self._answers.pop(number)

    def close(self) -> None:
        """Close the line."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self) -> None:
        with suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                answer = json.loads(line)
                with self._changed:
                    self._answers[answer["id"]] = answer
                    self._changed.notify_all()


class GuestProgram(Program):
    """A program that runs in the guest; its log is in the shared folder."""

    def __init__(self, line: Line, argv: Sequence[str], log: Path) -> None:
        super().__init__(argv, log)
        self._line = line
        self.pid = int(line.ask(start=list(argv), log=str(log))["pid"])

    def is_running(self) -> bool:
        """Tell whether it runs."""
        return self._line.ask(poll=self.pid)["status"] is None

    def sockets(self, protocol: str) -> str:
        """Return the sockets of its network."""
        with suppress(LabError):  # it has ended
            return "".join(
                self._line.ask(read=f"/proc/{self.pid}/net/{name}")["text"] for name in (protocol, f"{protocol}6")
            )
        return ""

    def stop(self) -> None:
        """End it in good order, with force after 10 s; nothing happens when it has ended."""
        self._end(signal.SIGTERM)
        deadline = time.monotonic() + END_S
        while self.is_running():
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(0.02)

    def kill(self) -> None:
        """End it with kill -9."""
        self._end(signal.SIGKILL)
        while self.is_running():
            time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        self._line.ask(signal=self.pid, number=int(how))


class GuestSpace(Space):
    """Programs in the guest; with `namespace` in a network namespace there, which is made."""

    def __init__(self, line: Line, name: str, folder: Path, namespace: str = "") -> None:
        super().__init__(name, folder)
        self.line = line
        self._inside = ["ip", "netns", "exec", namespace] if namespace else []
        self._started: list[GuestProgram] = []

    def _run(self, argv: list[str], timeout: float) -> Done:
        answer = self.line.ask(timeout + ANSWER_S, run=[*self._inside, *argv], timeout=timeout)
        if "timeout" in answer:
            raise subprocess.TimeoutExpired(argv, timeout)
        return Done(argv, answer["status"], answer["stdout"], answer["stderr"])

    def start(self, argv: Sequence[str | Path]) -> GuestProgram:
        """Start a program that runs until it is stopped or the guest ends."""
        words = [*self._inside, *map(str, argv)]
        program = GuestProgram(self.line, words, self.new_log(Path(argv[0]).name))
        self._started.append(program)
        return program

    def end_all_but(self, *programs: Program) -> None:
        """Stop what was started in here, except these."""
        for program in self._started:
            if program not in programs and program.is_running():
                program.stop()
        self._started = [program for program in self._started if program in programs]


class Guest(GuestSpace):
    """The guest itself; as a space, everything outside the namespaces of access points."""

    def __init__(self, tree: Tree, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._console = folder / "console.log"
        with tempfile.TemporaryDirectory(prefix="lab") as short, socket.socket(socket.AF_UNIX) as listener:
            port = Path(short) / "port"  # a socket's path must be short
            listener.bind(str(port))
            listener.listen()
            listener.settimeout(ANSWER_S)
            self._machine = Background(_qemu(tree, folder, port, self._console), folder / "qemu.log")
            try:
                line = Line(listener)
                self._machine.wait_until(lambda: _is_up(line), BOOT_S)
            except (LabError, TimeoutError) as error:
                self._machine.kill()
                words = self._console.read_text(errors="replace")[-3000:] if self._console.exists() else ""
                raise LabError(f"{error}\n{self._machine.words()}{words}") from error
        super().__init__(line, "guest", folder / "client")

    def probe(self, kind: str, target: str, given: Sequence[str], timeout: float = 120) -> dict[str, Any]:
        """Run a probe in the product's worker, which stays; return what `santong-agent probe --json` prints."""
        answer = self.line.ask(timeout, probe=kind, target=target, given=list(given))
        found: dict[str, Any] = answer["found"]
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._machine.kill()  # it has nothing to keep
        self.line.close()


def _is_up(line: Line) -> bool:
    with suppress(LabError):
        return bool(line.wait(0, 0.1))
    return False


def _qemu(tree: Tree, folder: Path, port: Path, console: Path) -> list[str]:
    words = f"console=ttyS0 loglevel=4 panic=-1 mitigations=off no_timer_check random.trust_cpu=on share={folder} -"
    machine = ("-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", str(MEMORY_MIB), "-nodefaults", "-no-user-config")
    screen = ("-display", "none", "-no-reboot", "-net", "none", "-serial", f"file:{console}")
    kernel = ("-kernel", str(tree.kernel), "-initrd", str(tree.initrd), "-append", words)
    shares = [("tree", tree.root, ",readonly=on"), ("code", ROOT, ",readonly=on"), ("site", tree.site, ",readonly=on")]
    folders: list[str] = []
    for tag, path, more in (*shares, ("share", folder, "")):
        folders += ["-virtfs", f"local,path={os.path.realpath(path)},mount_tag={tag},security_model=none{more}"]
    control = ("-device", "virtio-serial-pci", "-chardev", f"socket,path={port},id=port")
    program = find_program("qemu-system-x86_64", "qemu-system-x86")
    return [program, *machine, *screen, *kernel, *folders, *control, "-device", "virtserialport,chardev=port,name=lab"]
