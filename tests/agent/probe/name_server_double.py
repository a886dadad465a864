"""A double of a name server on 127.0.0.1, UDP and TCP, which does what a test says, lies and nonsense included."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Reply = Callable[[dns.message.Message], list[bytes]]


def records(query: dns.message.Message, *texts: str) -> dns.message.Message:
    """Return an answer with records such as `www.lab. A 192.0.2.1`."""
    response = dns.message.make_response(query)
    for text in texts:
        name, kind, value = text.split()
        response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, value))
    return response


def zone(**names: str) -> Reply:
    """Answer A questions for hosts below .lab (`www="192.0.2.1"`); any other name does not exist."""

    def reply(query: dns.message.Message) -> list[bytes]:
        asked = query.question[0].name.to_text()
        host = asked.removesuffix(".lab.")
        return [records(query, f"{asked} A {names[host]}").to_wire() if host in names else nothing(query)]

    return reply


def nothing(query: dns.message.Message, rcode: int = dns.rcode.NXDOMAIN) -> bytes:
    """Return the answer that there is nothing."""
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.Rcode.make(rcode))
    return response.to_wire()


def everything(address: str) -> Reply:
    """Answer every name with the same address, as a captive portal does."""
    return lambda query: [records(query, f"{query.question[0].name} A {address}").to_wire()]


def _one_port() -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a listening TCP socket on the same free port; a port may be free for one of them alone."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()


class NameServerDouble:
    """
    The server; `address` is where it listens, `asked` what it was asked, in order.

    `by_udp` and `by_tcp` give the datagrams or messages that are sent back; none is silence. `from_elsewhere`: the
    datagrams are sent from another port, as by somebody who guesses.
    """

    def __init__(self, by_udp: Reply, by_tcp: Reply | None = None, *, from_elsewhere: bool = False) -> None:
        self._by_udp = by_udp
        self._by_tcp = by_tcp
        self._udp, self._tcp = _one_port()
        self._answering = socket.socket(socket.AF_INET, socket.SOCK_DGRAM) if from_elsewhere else self._udp
        self.address = "{}:{}".format(*self._udp.getsockname())
        self.asked: list[str] = []
        self._threads = [threading.Thread(target=serve, daemon=True) for serve in (self._serve_udp, self._serve_tcp)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._udp.sendto(b"", self._udp.getsockname())
        self._tcp.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        for sock in (self._udp, self._answering, self._tcp):
            sock.close()

    def _serve_udp(self) -> None:
        while True:
            wire, peer = self._udp.recvfrom(4096)
            if not wire:
                return
            query = dns.message.from_wire(wire)
            self.asked.append(query.question[0].name.to_text())
            for datagram in self._by_udp(query):
                self._answering.sendto(datagram, peer)

    def _serve_tcp(self) -> None:
        while True:
            try:
                peer, _ = self._tcp.accept()
            except OSError:
                return
            with peer:
                query = dns.message.from_wire(peer.recv(4096)[2:])
                self.asked.append(f"tcp {query.question[0].name}")
                for message in self._by_tcp(query) if self._by_tcp else []:
                    peer.sendall(len(message).to_bytes(2, "big") + message)
