"""Profiles of computers: which machine gets which, and what their readings make of what a computer tells."""

from collections.abc import Mapping

import pytest

from agent.mapping import Mapper
from agent.outcome import Row
from contract.sample import Value
from firmware_profiles.library import Library
from firmware_profiles.match import best, fits

LIBRARY = Library()
COMPUTERS = (
    "generic-linux",
    "raspberry-pi",
    "raspberry-pi-3",
    "raspberry-pi-4",
    "raspberry-pi-5",
    "raspberry-pi-zero-2",
)


def _mapped(profile: str, entry: str, *rows: Mapping[str, Value], mapper: Mapper | None = None) -> dict[str, Value]:
    """Return the values of an entry's samples, by their tag `name` or else their field."""
    readings = LIBRARY.get(profile).collect[entry].read
    given = [Row(str(number), values) for number, values in enumerate(rows)]
    samples = (mapper or Mapper()).samples(entry, readings, given, 0)
    return {sample.tags.get("name", field): value for sample in samples for field, value in sample.fields.items()}


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        ("Raspberry Pi Model B Rev 2", "raspberry-pi"),
        ("Raspberry Pi 2 Model B Rev 1.1", "raspberry-pi"),
        ("Raspberry Pi Zero W Rev 1.1", "raspberry-pi"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "raspberry-pi-zero-2"),
        ("Raspberry Pi 3 Model B Rev 1.2", "raspberry-pi-3"),
        ("Raspberry Pi 3 Model A Plus Rev 1.0", "raspberry-pi-3"),
        ("Raspberry Pi Compute Module 3 Plus Rev 1.0", "raspberry-pi-3"),
        ("Raspberry Pi 4 Model B Rev 1.4", "raspberry-pi-4"),
        ("Raspberry Pi 400 Rev 1.0", "raspberry-pi-4"),
        ("Raspberry Pi Compute Module 4 Rev 1.1", "raspberry-pi-4"),
        ("Raspberry Pi 5 Model B Rev 1.0", "raspberry-pi-5"),
        ("Raspberry Pi 500 Rev 1.0", "raspberry-pi-5"),
        ("Raspberry Pi Compute Module 5 Lite Rev 1.0", "raspberry-pi-5"),
        ("Radxa ROCK 5B", "generic-linux"),
        ("", "generic-linux"),
    ],
)
def test_a_board_gets_its_own_profile(model: str, profile: str) -> None:
    """A model that has a profile gets that one, another Raspberry Pi the common one, any other board Linux's."""
    profiles = [LIBRARY.get(name) for name in LIBRARY.ids()]
    found = best(fits(profiles, {"system": "linux", "device_tree": model}))
    assert [fit.id for fit in found] == [profile]


@pytest.mark.parametrize("model", ["", "TP-Link Archer C7 v2", "Raspberry Pi 4 Model B Rev 1.5"])
@pytest.mark.parametrize(("os_id", "os_like"), [("openwrt", "lede openwrt"), ("immortalwrt", "lede openwrt")])
def test_openwrt_is_told_by_the_system_whatever_the_board(model: str, os_id: str, os_like: str) -> None:
    """What can be asked of a machine with OpenWrt, or with what was made from it, is OpenWrt's bus."""
    profiles = [LIBRARY.get(name) for name in LIBRARY.ids()]
    facts = {"system": "linux", "os_id": os_id, "os_like": os_like, "device_tree": model}
    assert [fit.id for fit in best(fits(profiles, facts))] == ["openwrt"]


def test_a_windows_computer_gets_its_own_profile() -> None:
    """A computer with Windows is recognised by that."""
    profiles = [LIBRARY.get(name) for name in LIBRARY.ids()]
    assert [fit.id for fit in best(fits(profiles, {"system": "windows"}))] == ["windows-classroom-pc"]


@pytest.mark.parametrize("name", [*COMPUTERS, "windows-classroom-pc"])
def test_nothing_is_said_to_be_verified(name: str) -> None:
    """Nobody has tried these on the hardware, and they say so in words, too."""
    profile = LIBRARY.get(name)
    assert not profile.verified
    assert "never run" in profile.notes.lower()


@pytest.mark.parametrize(
    ("line", "is_read_only"),
    [
        ("28 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw", 0.0),
        ("28 1 179:2 / / rw,noatime - ext4 /dev/root rw,errors=remount-ro", 0.0),
        ("28 1 179:2 / / ro,noatime shared:1 - ext4 /dev/root rw,errors=remount-ro", 0.0),  # an agent's sandbox
        ("28 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root ro,errors=remount-ro", 1.0),
        ("28 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw,errors=remount-ro,emergency_ro", 1.0),
        ("28 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw,emergency_ro", 1.0),
        ("28 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw,emergency_ro,stripe=8", 1.0),
        ("28 1 0:25 /@ / rw shared:1 - btrfs /dev/sda2 rw,space_cache=v2,subvol=/@", 0.0),
        ("28 1 0:25 /@ / rw shared:1 - btrfs /dev/sda2 ro,space_cache=v2,subvol=/@", 1.0),
        ("28 1 8:2 / / rw - f2fs /dev/sda2 ro,lazytime", 1.0),
        ("28 1 0:30 / / rw - overlay overlay rw,lowerdir=/ro,upperdir=/rw", 0.0),
        ("28 1 0:30 / / ro - overlay composefs ro,lowerdir=/ro", None),
        ("28 1 31:2 / / ro - squashfs /dev/root ro,errors=continue", None),
        ("28 1 253:0 / / ro - erofs /dev/mapper/root ro", None),
        ("28 1 8:2 / / rw - ext4 /dev/sda2 rw,rootcontext=system_u:object_r:root_t:s0", 0.0),
        ("28 1 8:2 / /boot rw - ext4 /dev/sda1 ro", None),
    ],
)
def test_a_root_that_became_read_only(line: str, is_read_only: float | None) -> None:
    """
    What counts is the root file system itself, not how this process sees it or what is mounted below.

    Of images that are never written to nothing is said.
    """
    mounts = f"21 28 0:20 / /sys ro - sysfs sysfs ro\n{line}\n31 28 0:24 / /run ro - tmpfs tmpfs ro,size=1k"
    expected = {} if is_read_only is None else {"root_read_only": is_read_only}
    assert _mapped("generic-linux", "root", {"mounts": mounts}) == expected


@pytest.mark.parametrize(
    ("release", "version"),
    [('NAME="Ubuntu"\nVERSION_ID="24.04"\n', "24.04"), ("VERSION_ID=12\n", "12"), ("VERSION_ID='20'", "20")],
)
def test_the_version_of_a_distribution(release: str, version: str) -> None:
    """The version is that of os-release(5), with or without its quotes."""
    assert _mapped("generic-linux", "firmware", {"release": release}) == {"version": version}
    assert _mapped("generic-linux", "firmware", {"release": "NAME=rolling\nBUILD_ID=rolling"}) == {}


@pytest.mark.parametrize(
    ("life", "end", "expected"),
    [
        ("0x01 0x03", "0x01", {"emmc_a_used_percent": 10.0, "emmc_b_used_percent": 30.0, "emmc_end_of_life": 1.0}),
        ("0x0a 0x0b", "0x03", {"emmc_a_used_percent": 100.0, "emmc_b_used_percent": 110.0, "emmc_end_of_life": 3.0}),
        ("0x00 0x02", "0x00", {"emmc_b_used_percent": 20.0}),
        ("0x00 0x00", "0x00", {}),
    ],
)
def test_the_wear_of_an_emmc(life: str, end: str, expected: dict[str, Value]) -> None:
    """Wear is in tenths of the life, rounded up; a chip that does not tell (0) is absent, never new."""
    assert _mapped("generic-linux", "emmc", {"life": life, "end": end}) == expected


def test_what_the_firmware_says_of_now_and_what_was() -> None:
    """Each bit is a sensor of its own; what was once so stays so until the next boot, whoever clears it."""
    mapper = Mapper()
    assert _mapped("raspberry-pi", "power", {"throttled": "0x50002"}) == {
        "frequency_capped": 1.0, "throttled": 0.0, "soft_temperature_limit": 0.0,
    }  # fmt: skip
    was = {f"{name}_since_boot": 0.0 for name in ("frequency_capped", "soft_temperature_limit")}
    was |= {"under_voltage_since_boot": 1.0, "throttled_since_boot": 1.0}
    assert _mapped("raspberry-pi", "power-history", {"throttled": "0x50000"}, mapper=mapper) == was
    assert _mapped("raspberry-pi", "power-history", {"throttled": "0x0"}, mapper=mapper) == was
    was["soft_temperature_limit_since_boot"] = 1.0
    assert _mapped("raspberry-pi", "power-history", {"throttled": "0x8"}, mapper=mapper) == was


def test_a_firmware_that_does_not_know_the_command() -> None:
    """An answer that is no value (old firmware) is absent."""
    assert _mapped("raspberry-pi", "power", {"error": '1 error_msg="Command not registered"'}) == {}


@pytest.mark.parametrize(("types", "has_card"), [(("SD", "SDIO"), 1.0), (("MMC", "SDIO"), 0.0), (("SDIO",), None)])
def test_a_card_is_told_from_an_emmc(types: tuple[str, ...], has_card: float | None) -> None:
    """The wireless chip hangs on the same bus as a card, and is none."""
    expected = {} if has_card is None else {"sd_card": has_card}
    assert _mapped("raspberry-pi", "card", *({"type": kind} for kind in types)) == expected
