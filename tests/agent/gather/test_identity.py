"""Which hardware this is, from trees of several models."""

from pathlib import Path

import pytest

from agent.gather.identity import HOUR_NS, Identity, model, serial
from contract import __version__

HOSTS = Path(__file__).parents[2] / "fixtures/hosts"


@pytest.mark.parametrize(
    ("host", "number", "name"),
    [
        ("raspberry-pi-4/root", "10000000abcdef01", "Raspberry Pi 4 Model B Rev 1.4"),
        ("classroom-pc", "machine-id:fedcba987654", "OPS-H110"),
        ("virtual-machine", "unknown", "QEMU Standard PC (Q35 + ICH9, 2009)"),
    ],
)
def test_serial_and_model_of_a_machine(host: str, number: str, name: str) -> None:
    """A machine is known by its vendor's number, else by that of its installation; a placeholder is none."""
    assert (serial(HOSTS / host), model(HOSTS / host)) == (number, name)


@pytest.mark.parametrize(
    "placeholder",
    [
        "To be filled by O.E.M.",
        "To Be Filled By O.E.M.",
        "Default string",
        "System Serial Number",
        "None",
        "0",
        "",
        " \n",
    ],
)
def test_a_placeholder_is_no_serial_number(tmp_path: Path, placeholder: str) -> None:
    """What a vendor never filled in is passed over, for the board's number if that is real."""
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    (folder / "product_serial").write_text(placeholder)
    assert serial(tmp_path) == "unknown"
    (folder / "board_serial").write_text("M80-1234\n")
    assert serial(tmp_path) == "M80-1234"


def test_identity_says_where_the_machine_hangs() -> None:
    """The identity names serial, model, version, and the subnet of the default gateway."""
    fields = Identity(HOSTS / "raspberry-pi-4/root").read()
    fields.pop("gateway_mac", None)  # of this machine's neighbours, should one have the fixture's address
    assert fields == {
        "serial": "10000000abcdef01",
        "model": "Raspberry Pi 4 Model B Rev 1.4",
        "version": __version__,
        "subnet": "192.0.2.0/24",
    }


def test_what_is_not_there_is_absent() -> None:
    """A machine without a network says nothing about one."""
    assert Identity(HOSTS / "virtual-machine").read().keys() == {"serial", "model", "version"}


def test_identity_is_told_at_start_hourly_and_on_change(tmp_path: Path) -> None:
    """Identity is sent with the first round, every hour, and at once when something changes."""
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    (folder / "product_serial").write_text("one\n")
    source = Identity(tmp_path)
    minute_ns = HOUR_NS // 60
    told = [at for at in range(125) if list(source.gather(at * minute_ns))]
    assert told == [0, 60, 120]
    (folder / "product_serial").write_text("two\n")
    (sample,) = source.gather(126 * minute_ns)
    assert (sample.fields["serial"], sample.at_ns, sample.tags) == ("two", 126 * minute_ns, {})
    assert list(source.gather(127 * minute_ns)) == []


def test_what_is_not_seen_for_a_moment_has_not_changed(tmp_path: Path) -> None:
    """A reading that fails once is no change of identity; and nothing is claimed that was not seen."""
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    (folder / "product_name").write_text("OPS-H110\n")
    source = Identity(tmp_path)
    (first,) = source.gather(0)
    (folder / "product_name").unlink()
    assert list(source.gather(1)) == []
    (again,) = source.gather(HOUR_NS)
    assert again.fields == {name: value for name, value in first.fields.items() if name != "model"}
