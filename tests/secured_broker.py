"""The broker as the role `broker` sets it up: real mosquitto, the role's templates, certificates of our authority."""

import os
import re
import shlex
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from collector.authority import certify, handout, identity, work
from contract.broker import BrokerSettings, BrokerUrl
from tests.processes import wait_until
from tests.services import HOST, Service, ServiceError, free_port

ROLE = Path(__file__).parents[1] / "deploy/ansible/roles/broker"
SERVICES = ("santong-collector", "santong-watch", "santong-ask")
DOORS = ("mqtts", "wss")
WAIT_S = 20.0


class Files(NamedTuple):
    """A key and its certificate, as files."""

    certificate: Path
    key: Path


class Authority:
    """An authority of a test, and the keys and certificates of those that it knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "authority"
        self.tls = folder / "tls"
        work.init(self.folder)
        handout.write_changed(self.ca, work.authority_pem(self.folder))

    @property
    def ca(self) -> Path:
        """The authority's own certificate."""
        return self.tls / "ca.crt"

    def issue(self, who: identity.Identity, place: str = "", **how: Any) -> Files:
        """Issue a certificate for the key in a folder, by default that of all."""
        folder = self.tls / place
        key, _ = handout.key_in(folder, who.name)
        handout.write_certificate(folder, work.issue(self.folder, who, key, **how).entry)
        return Files(folder / f"{who.name}.crt", folder / f"{who.name}.key")

    def client(self, name: str, place: str = "", **how: Any) -> Files:
        """Issue a certificate for an agent or a service."""
        return self.issue(identity.client(name), place, **how)

    def expired(self, name: str) -> Files:
        """Return a certificate of this very authority that ended some days ago."""
        folder = self.tls / "expired"
        key, _ = handout.key_in(folder, name)
        root = work._root(self.folder)
        old = root.certificate.not_valid_before_utc
        made = certify.certificate(root, identity.client(name), key, old, 0)
        handout.write_changed(folder / f"{name}.crt", certify.pem(made))
        return Files(folder / f"{name}.crt", folder / f"{name}.key")


class SecuredBroker(Service):
    """mosquitto with the role's templates, started by the command of its unit; the log is what the journal has."""

    program = "mosquitto"
    package = "mosquitto"

    def __init__(self, directory: Path, authority: Authority, **variables: Any) -> None:
        super().__init__(directory)
        self.authority = authority
        self.websocket_port = free_port()
        server = authority.issue(identity.server(HOST, ("localhost",)), "broker")
        handout.write_changed(directory / "ca.crt", work.authority_pem(authority.folder))
        handout.write_changed(directory / "broker.crt", server.certificate.read_text())
        (directory / "broker.key").write_bytes(server.key.read_bytes())
        self.variables = {
            "broker_user": "root" if os.geteuid() == 0 else "mosquitto",
            "broker_address": HOST,
            "broker_websocket": True,
            "broker_mqtt_port": self.port,
            "broker_websocket_port": self.websocket_port,
            "broker_tls": str(directory),
            "broker_config": str(directory / "mosquitto.conf"),
            "broker_acl": str(directory / "acl"),
            "broker_acl_websocket": str(directory / "acl-websocket"),
            "broker_log_dropped": str(ROLE / "files/log-dropped"),
            "broker_log_refusals": True,
            "broker_max_packet_bytes": 2 << 20,
            "broker_max_queued_messages": 20_000,
            "broker_max_queued_bytes": 64 << 20,
            "broker_memory_limit_bytes": 1 << 30,
            "broker_max_keepalive_s": 600,
            "broker_max_connections": 1000,
            **variables,
        }

    def command(self) -> list[str]:
        """Write all that the role writes, with the authority's list as it is now, and return the unit's command."""
        refused = work.refused_over_websocket(self.authority.folder)
        (self.directory / "crl.pem").write_text(work.crl_pem(self.authority.folder))
        known = self.variables | {"broker_websocket_refused": refused}
        for name, file in (
            ("mosquitto.conf", "mosquitto.conf"), ("acl", "acl"), ("acl_websocket", "acl-websocket"),
            ("santong.conf", "santong.conf"),
        ):  # fmt: skip
            (self.directory / file).write_text(rendered(name, known))
        _, command = re.findall(r"^ExecStart=(.*)$", (self.directory / "santong.conf").read_text(), re.MULTILINE)
        program, *rest = shlex.split(command)
        if Path(program).name != "bash":
            raise ServiceError(f"the unit starts {program}")
        return ["-c", *rest[1:]]

    def start(self) -> None:
        """Start it and wait until it listens at both doors."""
        self.program = "bash"  # which becomes mosquitto, as the unit has it
        super().start()
        doors = {self.port, self.websocket_port} if self.variables["broker_websocket"] else {self.port}
        wait_until(lambda: self.listening() == doors, why=self.said)

    def restart(self) -> None:
        """Do what the role does when a list or a certificate changed."""
        self.stop()
        self.start()

    def listening(self) -> set[int]:
        """Return every port that this process listens on, of any address."""
        inodes = {str(entry.readlink()) for entry in Path(f"/proc/{self.pid}/fd").iterdir() if entry.is_symlink()}
        rows = [
            row.split()
            for table in ("tcp", "tcp6")
            for row in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        ]
        return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}

    def said(self) -> str:
        """Return the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for_line(self, pattern: str, since: int = 0) -> None:
        """Return when the log has a line, after so many characters."""
        wait_until(lambda: re.search(pattern, self.said()[since:], re.MULTILINE), WAIT_S, lambda: self.said()[-3000:])

    def door(self, scheme: str) -> int:
        """Return the port of mqtts or wss."""
        return self.port if scheme == "mqtts" else self.websocket_port

    def settings(self, files: Files, scheme: str = "mqtts") -> BrokerSettings:
        """Return the settings of somebody who connects here."""
        url = BrokerUrl.parse(f"{scheme}://{HOST}:{self.door(scheme)}")
        return BrokerSettings(url, ca=self.authority.ca, certificate=files.certificate, key=files.key)


def rendered(name: str, variables: dict[str, Any]) -> str:
    """Render a template of the role as Ansible does; a variable that nobody set is an error."""
    folder = jinja2.FileSystemLoader(ROLE / "templates")
    known = jinja2.Environment(  # noqa: S701  no HTML
        loader=folder, undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    return known.get_template(f"{name}.j2").render(variables)


def context(ca: Path, files: Files | None) -> ssl.SSLContext:
    """Return what a client of Python's needs."""
    made = ssl.create_default_context(cafile=str(ca))
    if files:
        made.load_cert_chain(files.certificate, files.key)
    return made


class Stranger:
    """An MQTT 5 client that does as it likes with a certificate, and remembers what came of it."""

    def __init__(
        self, broker: SecuredBroker, files: Files, scheme: str = "mqtts", client_id: str = "stranger", will: str = ""
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.answers: dict[int, str] = {}
        self.is_connected = threading.Event()
        self.is_gone = threading.Event()
        self._subscribed: dict[int, list[str]] = {}
        transport = "websockets" if scheme == "wss" else "tcp"
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, transport=transport,  # type: ignore[arg-type]
            reconnect_on_failure=False,
        )  # fmt: skip
        self.client.tls_set_context(context(broker.authority.ca, files))
        self.client.username_pw_set("somebody else", "x")
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda *_: self.is_gone.set()
        self.client.on_message = self._on_message
        self.client.on_publish = lambda _c, _d, mid, reason, _p: self.answers.update({mid: str(reason)})
        self.client.on_subscribe = lambda _c, _d, mid, reasons, _p: self._subscribed.update(
            {mid: list(map(str, reasons))}
        )
        if will:
            self.client.will_set(will, b"will", qos=1, retain=True)
        self.client.connect(HOST, broker.door(scheme))
        self.client.loop_start()

    def connected(self) -> "Stranger":
        """Return when the broker has accepted it."""
        assert self.is_connected.wait(WAIT_S), "it was not let in"
        return self

    def publish(self, topic: str, payload: bytes = b"x") -> str:
        """Publish, and return the broker's answer."""
        mid = self.client.publish(topic, payload, qos=1).mid
        wait_until(lambda: mid in self.answers, WAIT_S)
        return self.answers[mid]

    def subscribe(self, topic: str) -> list[str]:
        """Subscribe, and return the broker's answer."""
        _, mid = self.client.subscribe(topic, qos=1)
        assert mid is not None
        wait_until(lambda: mid in self._subscribed, WAIT_S)
        return self._subscribed[mid]

    def drop(self) -> None:
        """Go away without a word, as when the power fails."""
        link = self.client.socket()
        assert link is not None
        link.close()
        self.client.loop_stop()

    def close(self) -> None:
        """Go away."""
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, _client: Client, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if not reason.is_failure:
            self.is_connected.set()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))


def shake_hands(broker: SecuredBroker, files: Files | None, scheme: str) -> str:
    """Try a TLS handshake, and what follows it; return what was refused, nothing when the broker answered."""
    try:
        plain = socket.create_connection((HOST, broker.door(scheme)), WAIT_S)
        with plain, context(broker.authority.ca, files).wrap_socket(plain, server_hostname=HOST) as link:
            link.sendall(FIRST[scheme])
            return "" if link.recv(100) else "closed"
    except (ssl.SSLError, OSError) as error:
        return str(error)


def old_tls(broker: SecuredBroker, files: Files, scheme: str, version: str) -> subprocess.CompletedProcess[str]:
    """Try a handshake of an old version, with everything that openssl can be talked into."""
    where = ["-connect", f"{HOST}:{broker.door(scheme)}", "-CAfile", str(broker.authority.ca)]
    who = ["-cert", str(files.certificate), "-key", str(files.key)]
    line = ["openssl", "s_client", *where, *who, f"-{version}", "-cipher", "ALL:@SECLEVEL=0", "-brief"]
    return subprocess.run(line, input="", capture_output=True, text=True, timeout=WAIT_S, check=False)


_UPGRADE = (
    "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)
# An MQTT 5 CONNECT without user name: clean start, keep-alive 60 s, client id "abc".
CONNECT = bytes.fromhex("101000044d5154540502003c000003616263")
FIRST = {"mqtts": CONNECT, "wss": _UPGRADE.encode()}
