"""A depot for tests: a real HTTPS server with Range, documents signed by openssl, and a device that looks at it."""

import base64
import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import tarfile
import threading
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from deploy.device import pull
from tests.certificates import Identity, Wish, authority, issue
from tests.deploy.device.material import PROGRAM, Place
from tests.services import HOST, free_port

AGENT = "441802-3144001234.c0703"
MACHINE = platform.machine()

# It notes what it was called with, and does what the order's variable `stand_in` says.
PLAYBOOK = '''\
"""Stands in for ansible-playbook: notes its variables, and switches to the release, or fails."""
import json, os, pathlib, sys
def main():
    told = json.loads(pathlib.Path(sys.argv[sys.argv.index("-e") + 1][1:]).read_text())
    home = pathlib.Path(os.environ["SANTONG_HOME"])
    version = told["santong_version"]
    with (home / "played").open("a") as out:
        print(json.dumps({"version": version, "vars": told, "words": sys.argv[1:]}), file=out)
    if told.get("stand_in") == "fails":
        sys.exit("stand-in: a task failed")
    if version == told.get("stand_in_ill"):
        (home / "failed.json").write_text(json.dumps({version: "it was ill"}))
        sys.exit("stand-in: it was taken back")
    (home / "current.new").unlink(missing_ok=True)
    (home / "current.new").symlink_to(f"releases/{version}")
    (home / "current.new").rename(home / "current")
if __name__ == "__main__":
    main()
'''


class _Handler(BaseHTTPRequestHandler):
    """Serves files as the depot's nginx does, or as a bad line and a bad server do."""

    server: "Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request."""
        server, path = self.server, self.path.lstrip("/")
        server.requests.append((path, self.headers.get("Range", "")))
        self.close_connection = True
        if target := server.redirects.get(path):
            self.send_response(302)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        file = server.folder / path
        if not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        wanted = self.headers.get("Range", "")
        if wanted and server.has_ranges:
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
            if begin >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            content = content[begin:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(OSError):  # who asked may be gone
            self.wfile.write(content[: server.cut.pop(path, len(content))])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """The depot's HTTPS server over a folder."""

    daemon_threads = True

    def __init__(self, folder: Path, identity: Identity, keep: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, str]] = []
        self.redirects: dict[str, str] = {}
        self.cut: dict[str, int] = {}  # path: bytes after which the connection ends, once
        self.has_ranges = True
        super().__init__((HOST, free_port()), _Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*identity.save(keep, "server"))
        self._tls = tls

    def get_request(self) -> Any:
        """Take a connection; its handshake is its own thread's business."""
        connection, address = super().get_request()
        connection.settimeout(20)
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that refuse the certificate are what is tried."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class Centre:
    """Authority, signing key and depot; and the device AGENT that looks at it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.depot = folder / "depot"
        self.depot.mkdir(parents=True)
        self.authority = authority()
        self.key = self.new_key("signing")
        self.place = Place(folder / "device")
        self.home, self.state = self.place.home, folder / "state"
        self.settings = folder / "pull.json"
        (folder / "ca.crt").write_text(self.authority.pem)
        self.server = self.serve(self.certificate())

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    # ---- the centre

    def certificate(self, issuer: Identity | None = None, **wish: Any) -> Identity:
        """Return a certificate for the server."""
        return issue(Wish("depot", **{"dns": "localhost"} | wish), issuer or self.authority)

    def serve(self, identity: Identity) -> Server:
        """Return a server, not started, that the device looks at from now on."""
        server = Server(self.depot, identity, self.folder)
        self.point(f"https://localhost:{server.server_port}")
        return server

    def point(self, url: str, ca: Path | None = None) -> None:
        """Write the device's settings."""
        key = self.folder / "signing.pub"
        told = {"agent": AGENT, "url": url, "ca": str(ca or self.folder / "ca.crt"), "key": str(key)}
        self.settings.write_text(json.dumps(told))

    def new_key(self, name: str) -> Path:
        """Make an Ed25519 pair by openssl; return the private half."""
        key = self.folder / f"{name}.key"
        public = self.folder / f"{name}.pub"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
        return key

    def publish(self, path: str, tree: Mapping[str, Any], key: Path | None = None) -> Path:
        """Put a signed document into the depot."""
        line = json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()
        (self.folder / "line").write_bytes(line)
        words = ["pkeyutl", "-sign", "-rawin", "-inkey", str(key or self.key), "-in", str(self.folder / "line")]
        signature = subprocess.run(["openssl", *words], capture_output=True, check=True).stdout
        file = self.depot / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(line + b"\n" + base64.b64encode(signature) + b"\n")
        return file

    def plan(self, number: int, default: str, **agents: str) -> Path:
        """Publish the plan."""
        tree = {"format": "santong-plan/1", "number": number, "default": default, "agents": agents}
        return self.publish("plan.signed", tree)

    def order(self, number: int, **more: Any) -> Path:
        """Publish the device's order."""
        tree = {"format": "santong-order/1", "number": number, "agent": AGENT, "vars": {"agent_keep": 3}}
        tree |= {"certificate": "its certificate", "authority": "the authority's"} | more
        return self.publish(f"agents/{AGENT}/order.signed", tree)

    def release(self, version: str, folder: Path | None = None, facts: Mapping[str, Any] | None = None) -> Path:
        """Publish a release, from a folder or of the least that one has; return its archive."""
        name = f"santong-agent-{version}-{MACHINE}"
        if folder is None:
            folder = self.folder / "made" / version
            shutil.rmtree(folder, ignore_errors=True)
            for file in ("ansible/pull.yml", "device/releases.py", "wheels/ballast.bin"):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(os.urandom(300_000) if file.endswith(".bin") else b"---\n")
            shutil.copy2(PROGRAM, folder / "device/releases.py")
            (folder / "release.json").write_text(json.dumps({"version": version}))
        raw = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            tar.add(folder, name)
        return self.archive(version, raw.getvalue(), facts or {})

    def archive(self, version: str, content: bytes, facts: Mapping[str, Any] | None = None) -> Path:
        """Publish these bytes as a release."""
        name = f"releases/santong-agent-{version}-{MACHINE}"
        tree = {"format": "santong-release/1", "version": version, "machine": MACHINE, "size": len(content)}
        tree |= {"sha256": hashlib.sha256(content).hexdigest()} | dict(facts or {})
        self.publish(f"{name}.signed", tree)
        file = self.depot / f"{name}.tar.gz"
        file.write_bytes(content)
        return file

    # ---- the device

    def with_ansible(self, *versions: str) -> None:
        """Have the stand-in for Ansible of these releases installed."""
        for version in versions:
            program = self.home / f"ansible/{version}/bin/ansible-playbook"
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(f"#!{sys.executable}\n{PLAYBOOK}", encoding="utf-8")
            program.chmod(0o755)
            (program.parents[1] / ".complete").touch()

    @property
    def environment(self) -> dict[str, str]:
        """The device's environment, in which nobody is asked for a way out."""
        return self.place.environment | {"no_proxy": "*"}

    @property
    def words(self) -> list[str]:
        """The arguments of the program."""
        return ["--settings", str(self.settings), "--home", str(self.home), "--state", str(self.state)]

    def look(self) -> tuple[int, str]:
        """Look once; return exit code and what was said."""
        out, errors = io.StringIO(), io.StringIO()
        with patch.dict(os.environ, self.environment), redirect_stdout(out), redirect_stderr(errors):
            code = pull.main(self.words)
        assert (errors if code else out).getvalue()
        return code, out.getvalue() + errors.getvalue()

    @property
    def current(self) -> str:
        """The release that the device runs."""
        link = self.home / "current"
        return link.readlink().name if link.is_symlink() else ""

    @property
    def played(self) -> list[dict[str, Any]]:
        """What Ansible was called for."""
        file = self.home / "played"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def last(self) -> dict[str, Any]:
        """What the device notes of its last look."""
        found: dict[str, Any] = json.loads((self.state / "last.json").read_text())
        return found
