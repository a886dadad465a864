"""
The usual lab: a school's network, its gateway, and a piece of the Internet behind it.

    client 10.77.0.10 ── switch ── 10.77.0.1 gateway 203.0.113.1 ── 203.0.113.2 internet
                                   DNS, DHCP                        www.lab, the vendors' names, throughput.lab
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from tests import certificates
from tests.lab import services
from tests.lab.namespaces import Lab

WWW, THROUGHPUT = "www.lab", "throughput.lab"


class School:
    """
    Machines `client`, `gateway` and `internet`, with their servers.

    `dns` and `dhcp` on the gateway and `web` on `internet` are running programs, to be stopped as a fault; `portal` is
    open at first. `ca` is the file of the authority whose certificate www.lab has.
    """

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(folder)

    def __enter__(self) -> Self:
        self.lab.__enter__()
        try:
            self._build()
        except BaseException:
            self.lab.__exit__(None, None, None)
            raise
        return self

    def _build(self) -> None:
        self.client, self.gateway, self.internet = (
            self.lab.machine(name, number) for name, number in (("client", 10), ("gateway", 1), ("internet", 80))
        )
        self.internet.unplug()  # it is reached through the gateway only
        _, self.www = self.lab.cable(self.gateway, self.internet, "203.0.113")
        self.internet.ip("route", "add", "default", "via", "203.0.113.1")
        self.gateway.forward()
        self.client.route(self.gateway.address)
        self.client.resolver(self.gateway.address)
        names = [WWW, THROUGHPUT, *(host for host, *_ in services.VENDORS)]
        self.dns = services.name_server(self.gateway, dict.fromkeys(names, self.www))
        self.leases = services.Leases("10.77.0.50", "10.77.0.99", self.gateway.address, self.gateway.address)
        self.dhcp = services.dhcp_server(self.gateway, self.leases, "interface=eth0", "bind-interfaces")
        authority = certificates.authority()
        self.ca, _ = authority.save(self.lab.folder, "authority")
        self.web = services.web(self.internet, WWW, authority, services.vendors())
        self.portal = services.Portal(self.gateway, self.gateway.address)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.lab.__exit__(kind, error, where)
