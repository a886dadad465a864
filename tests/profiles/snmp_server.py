"""
A device on 127.0.0.1 that answers SNMP as it was recorded in `snmp.snmprec`: Debian's snmpd, asking `snmp_replay.py`.

It knows the community `public`, and of version 3 the users of `USERS`. `real()` is snmpd as it comes, which tells of
this machine.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.profiles import snmp_replay
from tests.services import HOST, find_program

COMMUNITY = "public"
AUTH_PASSWORD, PRIVACY_PASSWORD = "sesame open", "open sesame"
_START_S = 20.0
# The little of snmpd that must be there; what it would tell of this machine is left out.
_ONLY = "usmConf,usmUser,vacm_conf,pass_persist,snmpEngine"


class User(NamedTuple):
    """A user of version 3, in the words of our settings."""

    auth: str
    privacy: str


USERS = {
    f"{auth}-{privacy}": User(auth, privacy)
    for auth, privacy in (
        ("none", "none"),
        ("md5", "des"),
        ("sha", "aes"),
        ("sha224", "none"),
        ("sha256", "aes256"),
        ("sha384", "aes192"),
        ("sha512", "aes"),
    )
}


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Be the recorded device; yield its port."""
    # The same Python, without what it would import for us: it starts with every device.
    replay = f"{sys.executable} -ISE {snmp_replay.__file__} {folder / 'snmp.snmprec'}"
    with _snmpd(f"pass_persist .1.3.6.1 {replay}", "-I", _ONLY) as port:
        yield port


@contextmanager
def real(configuration: str = "") -> Iterator[int]:
    """Run snmpd as it comes; yield its port."""
    with _snmpd(configuration) as port:
        yield port


@contextmanager
def _snmpd(configuration: str, *arguments: str) -> Iterator[int]:
    with tempfile.TemporaryDirectory(prefix="snmpd-") as place:
        folder = Path(place)
        file = folder / "snmpd.conf"
        file.write_text("\n".join([f"rocommunity {COMMUNITY} {HOST}", *_users(), configuration, ""]))
        port = _free_port()
        command = [find_program("snmpd", "snmpd"), "-f", "-Lo", "-C", "-c", str(file), *arguments]
        environment = os.environ | {"MIBS": "", "SNMP_PERSISTENT_DIR": str(folder), "SNMPCONFPATH": str(folder)}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, f"udp:{HOST}:{port}"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            _wait(process, folder / "log")
            yield port
        finally:
            process.send_signal(signal.SIGKILL)  # in good order it would first write down what nobody reads
            process.wait(_START_S)


def _users() -> Iterator[str]:
    for name, user in USERS.items():
        auth = (
            f'{user.auth.upper().replace("SHA", "SHA-").rstrip("-")} "{AUTH_PASSWORD}"' if user.auth != "none" else ""
        )
        privacy = f'{user.privacy.upper()} "{PRIVACY_PASSWORD}"' if user.privacy != "none" else ""
        yield f"createUser {name} {auth} {privacy}"
        yield f"rouser {name} {'priv' if privacy else 'auth' if auth else 'noauth'}"


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when snmpd has opened its socket, which it says then."""
    until = time.monotonic() + _START_S
    while "NET-SNMP version" not in (words := log.read_text(errors="replace")):
        assert process.poll() is None and time.monotonic() < until, f"snmpd does not start:\n{words}"
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
