"""Addresses of what is asked."""

import pytest

from agent.deadline import Deadline
from agent.gather.http_json import read
from agent.gather.read import Read, Way
from agent.outcome import Unable
from agent.sockets import addresses_of
from firmware_profiles.sources import HttpJson


@pytest.mark.parametrize("address", ["fe80::1", "FE80::1:2"])
def test_an_address_of_one_link_needs_its_interface(address: str) -> None:
    """The reason says what to write, where the system only says `Invalid argument`."""
    with pytest.raises(Unable, match=rf"^{address} is an address of one link: .* as {address}%eth0$"):
        read(Read(HttpJson("/", {}, ()), Way(address=address), 5))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "2001:db8::1", "fe80::1%lo"])
def test_other_addresses_are_their_own(address: str) -> None:
    """Nothing is asked for them; an interface becomes its number."""
    ((_, found),) = addresses_of(address, Deadline(5))
    assert found.partition("%")[0] == address.partition("%")[0]
    assert ("%" in found) == ("%" in address)
