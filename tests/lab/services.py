"""
Ordinary servers on the machines of a lab: dnsmasq, nginx, iperf3.

Each function starts one on a machine and returns when it answers. It runs until it is stopped or the lab ends.
"""

import os
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.certificates import Identity, Wish, issue
from tests.lab.background import ROOT, Program
from tests.lab.namespace import Space
from tests.services import find_program

DNS, DHCP, HTTP, HTTPS, IPERF = 53, 67, 80, 443, 5201
PORTAL = 8080  # where a gateway redirects web requests to
CAPPORT_OPTION = 114  # RFC 8910: the URL of the captive portal's API
MIB = 1 << 20
THROUGHPUT = ROOT / "deploy/throughput/nginx.conf"
GARBAGE_MIB = (1, 4, 10, 20, 25, 50, 100)

# What phones and computers ask to find out whether a captive portal holds them, and what is answered where there is
# none: host, path, status, body.
VENDORS = (
    ("connect.rom.miui.com", "/generate_204", 204, ""),
    ("connectivitycheck.platform.hicloud.com", "/generate_204", 204, ""),
    ("conn1.oppomobile.com", "/generate_204", 204, ""),
    ("wifi.vivo.com.cn", "/generate_204", 204, ""),
    ("captive.apple.com", "/hotspot-detect.html", 200, "<HTML><BODY>Success</BODY></HTML>"),
    ("www.msftconnecttest.com", "/connecttest.txt", 200, "Microsoft Connect Test"),
    ("detectportal.firefox.com", "/success.txt", 200, "success\n"),
)


# ---- dnsmasq


def dnsmasq(machine: Space, *options: str) -> Program:
    """Start dnsmasq with nothing but these options (without their dashes); the caller waits for its ports."""
    common = ("keep-in-foreground", "conf-file=/dev/null", "user=root", "no-resolv", "no-hosts", "no-ping")
    files = (f"dhcp-leasefile={machine.new_log('leases')}", "log-facility=-", "log-queries", "log-dhcp")
    program = find_program("dnsmasq", "dnsmasq-base")
    return machine.start([program, *(f"--{option}" for option in (*common, *files, *options))])


def name_server(machine: Space, names: Mapping[str, str], *options: str) -> Program:
    """Start a name server that knows `names` with their addresses; any other name does not exist (NXDOMAIN)."""
    records = [f"host-record={name},{address}" for name, address in names.items()]
    return dnsmasq(machine, "local=/#/", *records, *options).wait_until_listening(DNS, protocol="udp")


def hijacker(machine: Space, address: str, *options: str) -> Program:
    """Start a name server that answers every name with `address`, also those that do not exist."""
    return dnsmasq(machine, f"address=/#/{address}", *options).wait_until_listening(DNS, protocol="udp")


class Leases(NamedTuple):
    """
    What a DHCP server gives: addresses from `first` to `last`, router, resolver, and for how long.

    An empty `router` or `resolver` is not given at all. `portal_api` is the URL of option 114.
    """

    first: str
    last: str
    router: str = ""
    resolver: str = ""
    seconds: int = 600
    portal_api: str = ""

    def options(self) -> list[str]:
        """Return dnsmasq's options."""
        lines = [f"dhcp-range={self.first},{self.last},{self.seconds}", "dhcp-authoritative", "dhcp-sequential-ip"]
        lines += [f"dhcp-option=option:router{self.router and ','}{self.router}"]
        lines += [f"dhcp-option=option:dns-server{self.resolver and ','}{self.resolver}"]
        if self.portal_api:
            lines += [f"dhcp-option-force={CAPPORT_OPTION},{self.portal_api}"]
        return lines


def dhcp_server(machine: Space, leases: Leases, *options: str) -> Program:
    """Start a DHCP server without DNS; a second one on another machine is a rogue one."""
    return dnsmasq(machine, "port=0", *leases.options(), *options).wait_until_listening(DHCP, protocol="udp")


# ---- nginx


def nginx(machine: Space, http: str, *ports: int) -> Program:
    """Start nginx with `http` in its block http, and wait for `ports`."""
    folder = machine.new_log("nginx")
    folder.mkdir()
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in temporary)
    (folder / "nginx.conf").write_text(
        f"daemon off;\nuser root;\nworker_processes 1;\npid {folder}/pid;\nerror_log stderr;\n"
        "events { worker_connections 512; }\n"
        f"http {{\n{paths}access_log {folder}/access.log;\ndefault_type text/plain;\n{http}\n}}\n",
        encoding="utf-8",
    )
    program = find_program("nginx", "nginx-light")
    server = machine.start([program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"])
    return server.wait_until_listening(*ports)


def location(path: str, status: int, body: str = "") -> str:
    """Return nginx's words for a path with a fixed answer."""
    return (
        f"location = {path} {{ return {status} '{body}'; }}\n"
        if body
        else f"location = {path} {{ return {status}; }}\n"
    )


def vendors() -> str:
    """Return nginx's words for the servers that phones ask whether they are in a captive portal."""
    return "".join(
        f"server {{ listen {HTTP}; server_name {host}; {location(path, status, body)} }}\n"
        for host, path, status, body in VENDORS
    )


def web(machine: Space, name: str, authority: Identity, more: str = "") -> Program:
    """
    Start an ordinary web server: `welcome` at / over HTTP and HTTPS, with a certificate for `name` by `authority`.

    Also /moved (302 to /), /missing (404), /broken (500), and `more` server blocks.
    """
    certificate, key = issue(Wish(name, dns=name), authority).save(machine.folder, name)
    pages = location("/", 200, "welcome") + location("/broken", 500) + "location = /moved { return 302 /; }\n"
    listen = f"listen {HTTP} default_server; listen {HTTPS} ssl default_server;"
    tls = f"ssl_certificate {certificate}; ssl_certificate_key {key};"
    rest = "location / { return 404; }\n"
    return nginx(machine, f"server {{ {listen} {tls}\n{pages}{rest} }}\n{more}", HTTP, HTTPS)


def throughput_server(machine: Space, port: int = HTTP, sizes_mib: Iterable[int] = (1, 4, 100)) -> Program:
    """Start the server of deploy/throughput/nginx.conf, with the files of step 1 of these sizes."""
    folder = machine.folder / "garbage"
    folder.mkdir(exist_ok=True)
    random_mib = os.urandom(MIB)
    for size in sizes_mib:
        (folder / str(size)).write_bytes(random_mib * size)
    text = THROUGHPUT.read_text(encoding="utf-8").replace("/var/www/throughput", str(folder))
    return nginx(machine, re.sub(r"\b80;", f"{port};", text), port)


class Portal:
    """
    A captive portal on a gateway: it answers web requests of those who have not logged in with its login page.

    Requests to port 80 through the gateway get a 302 to `login`; HTTPS is refused. `api` is the URL of RFC 8908's API.
    """

    def __init__(self, gateway: Space, address: str) -> None:
        self._gateway = gateway
        base = f"http://{address}:{PORTAL}"
        self.login = f"{base}/login"
        self.api = f"{base}/api"
        answer = f'{{"captive":true,"user-portal-url":"{self.login}"}}'
        self.server = nginx(
            gateway,
            f"server {{ listen {PORTAL} default_server;\n"
            f"location = /api {{ default_type application/captive+json; return 200 '{answer}'; }}\n"
            f"{location('/login', 200, 'please log in')}"
            f"location / {{ return 302 {self.login}; }} }}",
            PORTAL,
        )

    def close(self, card: str = "eth0") -> None:
        """Hold up everything that comes in at `card`, as a portal does before the login."""
        redirect = f"iifname {card} tcp dport {HTTP} redirect to :{PORTAL}"
        refuse = f"iifname {card} tcp dport {HTTPS} reject with tcp reset"
        self._gateway.run(
            [
                "nft",
                "table ip portal { "
                f"chain nat {{ type nat hook prerouting priority -100; {redirect}; }}; "
                f"chain pass {{ type filter hook forward priority 0; {refuse}; }}; }}",
            ]
        )

    def open(self) -> None:
        """Let everything through, as after a login."""
        self._gateway.run(["nft", "add table ip portal; delete table ip portal"])


# ---- iperf3


def iperf(machine: Space) -> Program:
    """Start an iperf3 server."""
    return machine.start([find_program("iperf3", "iperf3"), "-s"]).wait_until_listening(IPERF)
