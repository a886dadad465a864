"""Nothing of the original is left in a recording, in whatever form it stands, and what was joined still is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.profiles.redact import Redactor
from agent.profiles.redact_json import cleaned
from agent.profiles.stand_ins import StandIns, eui64
from agent.profiles.words import Words

MAC = bytes.fromhex("001cbfd3e4a5")
macs = st.binary(min_size=6, max_size=6).filter(lambda mac: sum(octet >= 16 for octet in mac) >= 2 and not mac[0] & 1)


def forms(mac: bytes) -> dict[str, str]:
    """Return every way in which a MAC address is written, by name."""
    digits, pairs = mac.hex(), mac.hex(":")
    return {
        "colons": pairs,
        "capitals": pairs.upper(),
        "hyphens": mac.hex("-"),
        "hyphens in capitals": mac.hex("-").upper(),
        "Cisco": f"{digits[:4]}.{digits[4:8]}.{digits[8:]}",
        "H3C, Huawei": f"{digits[:4]}-{digits[4:8]}-{digits[8:]}",
        "bare": digits,
        "bare in capitals": digits.upper(),
        "halves": f"{digits[:6]}-{digits[6:]}",
        "underscores": mac.hex("_"),
        "short": ":".join(f"{octet:x}" for octet in mac),
        "in a URL": "%3A".join(f"{octet:02X}" for octet in mac),
        "interface": f"wlx{digits}",
        "after a word": f"mac:{pairs},",
        "EUI-64": eui64(mac).hex(":"),
        "IPv6": f"fe80::{eui64(mac)[:2].hex()}:{eui64(mac)[2:4].hex()}:{eui64(mac)[4:6].hex()}:{eui64(mac)[6:].hex()}",
    }


def is_in(mac: bytes, text: str) -> bool:
    """Tell whether an address is in a text, read by another way than the product's: all digits in a row."""
    digits = re.sub("[^0-9a-f]", "", text.lower().replace("%3a", ""))
    short = ":".join(f"{octet:x}" for octet in mac)
    return mac.hex() in digits or eui64(mac).hex() in digits or short in text.lower()


@pytest.mark.parametrize("form", forms(MAC))
def test_an_address_is_found_in_each_form_without_being_known(form: str) -> None:
    """A text alone is enough: nobody has to say that there is an address in it."""
    redactor = Redactor()
    text = f"port {forms(MAC)[form]} up"
    made = redactor.text(text)
    assert made != text
    assert not is_in(MAC, made)
    assert redactor.given.macs == {MAC: bytes.fromhex("00005e005300")}


@given(macs)
def test_no_form_of_any_address_survives(mac: bytes) -> None:
    """Whatever the address, none of its forms is left, and all of them have the same stand-in."""
    redactor = Redactor()
    texts = list(forms(mac).values())
    for _ in range(2):
        made = [redactor.text(text) for text in texts]
        octets = [redactor.octets(value) for value in (b"\x01\x02" + mac + b"\x00", eui64(mac) + b"\xff")]
        arcs = redactor.arcs((1, 3, 6, 1, 4, 1, 2011, 6, 139, 16, 1, 2, 1, 25, *mac, 1))
        redactor.given.mac(mac)
    assert not [text for text in made if is_in(mac, text)]
    assert not [value for value in octets if mac in value or eui64(mac) in value]
    assert bytes(arcs[14:20]) == redactor.given.macs[mac]
    assert not redactor.survives(arcs)
    assert not any(map(redactor.survives, made))
    assert not any(map(redactor.survives, octets))


@given(st.lists(macs, max_size=600, unique=True))
def test_addresses_stay_different(many: list[bytes]) -> None:
    """A join by address finds the same rows as before: no two addresses become one."""
    given_ = StandIns()
    assert len({given_.mac(mac) for mac in many}) == len(many)
    assert [given_.mac(mac) for mac in many] == [given_.macs[mac] for mac in many]


@pytest.mark.parametrize("text", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:0e", "192.168.1.7", "::1"])
def test_what_belongs_to_nobody_stays(text: str) -> None:
    """Addresses of protocols and of private networks are needed to understand a recording."""
    assert Redactor().text(text) == text


def test_public_addresses_become_documentation_ones() -> None:
    """Nobody can tell where the device is; an address keeps its stand-in."""
    redactor = Redactor()
    text = "gw 119.29.29.29, dns 119.29.29.29 and 240e:97c:1::53, own 10.1.2.3"
    assert redactor.text(text) == "gw 192.0.2.1, dns 192.0.2.1 and 2001:db8::1, own 10.1.2.3"


@pytest.mark.parametrize(
    "text",
    [
        "Version 7.1.0.70",
        "V200R019C00SPC500",
        "RouterOS 6.49.7",
        "Linux 5.10.0.21-generic",
        "firmware: 3.14.15.92",
        "12:30:45",
        "2026-11-28T10:00:00",
        "std::string",
        "1.3.6.1.4.1.2011.6.139.13.3.3.1.4",
    ],
)
def test_versions_and_times_stay(text: str) -> None:
    """What a profile reads is not damaged: versions, times, names of objects."""
    redactor = Redactor()
    redactor.given.mac(MAC)
    assert redactor.text(text) == text


def test_a_text_that_is_to_be_kept_is_kept() -> None:
    """Where a version is taken for an address, the operator says so."""
    assert Redactor(["119.1.0.4"]).text("119.1.0.4") == "119.1.0.4"


def test_counters_in_files_are_no_addresses() -> None:
    """In /proc a number of twelve digits is a counter, unless the address is known."""
    assert Redactor(numbers=True).text("eth0: 100200300400 5") == "eth0: 100200300400 5"
    assert Redactor().text("100200300400") != "100200300400"


@pytest.mark.parametrize("where", ["{}", "SN: {}", "<{}>", "x{}y", "{}\n"])
def test_a_serial_number_is_replaced_wherever_it_stands(where: str) -> None:
    """It has one stand-in of the same shape, in capitals or not, within other text too."""
    redactor = Redactor()
    made = redactor.learn("2102351BTU10K8000123")
    assert re.fullmatch("[0-9]{7}[A-Z]{3}[0-9]{2}[A-Z][0-9]{7}", made)
    for serial in ("2102351BTU10K8000123", "2102351btu10k8000123"):
        text = redactor.text(where.format(serial))
        assert serial.lower() not in text.lower()
        assert made in text
    assert redactor.octets(b"\x00\x01" + b"2102351BTU10K8000123" + b"\xff") == b"\x00\x01" + made.encode() + b"\xff"


def test_what_is_labelled_as_secret_is_learned() -> None:
    """A password in one text is gone from all others too."""
    redactor = Redactor()
    for _ in range(2):
        made = [redactor.text("psk=Sommer2026! S/N: AB12CD34"), redactor.text("key Sommer2026! of AB12CD34")]
    assert not [text for text in made if "Sommer2026" in text or "AB12CD34" in text]


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("SSID: Wang-Home, key wangkey123", ("Wang-Home", "wangkey123")),
        ('ssid "Wang Home"; psk: abcd', ("Wang Home", "abcd")),
        ("WPA key=wangkey", ("wangkey",)),
        ("S/N CNB1234567 up", ("CNB1234567",)),
        ("serial 2102351BTU10K8000123", ("2102351BTU10K8000123",)),
        ("Serial No. AB12CD34", ("AB12CD34",)),
        ("IMEI 864123049876543", ("864123049876543",)),
        ("password hunter22", ("hunter22",)),
    ],
)
def test_labels_without_a_mark_are_known(text: str, private: tuple[str, ...]) -> None:
    """In running text a colon is often missing: what follows is gone all the same, and in other texts too."""
    redactor = Redactor()
    for _ in range(2):
        made = [redactor.text(text), redactor.text(f"of {' '.join(private)}.")]
    assert not [word for word in private for one in made if word in one]


@pytest.mark.parametrize(
    "text",
    [
        "serial port RS-232",
        "key exchange failed",
        "password wrong",
        "SSID",
        "4 SSIDs",
        "SSID broadcast on",
        "hotkey F12",
    ],
)
def test_a_label_alone_replaces_nothing(text: str) -> None:
    """What only speaks of serial lines, keys and passwords is as it was."""
    assert Redactor().text(text) == text


def test_short_and_common_words_are_replaced_in_their_own_place_alone() -> None:
    """A device that is called `ap` or `switch` does not lose these letters everywhere."""
    redactor = Redactor()
    assert redactor.learn("ap") != "ap"
    assert redactor.learn("Switch") != "Switch"
    assert redactor.text("tap changed, switch mode: ap") == "tap changed, switch mode: ap"


def test_a_name_in_chinese_keeps_its_shape() -> None:
    """As many characters, and as many bytes: what cuts a text at a length cuts the same."""
    made = Redactor().learn("三楼东侧-1")
    assert made != "三楼东侧-1"
    assert len(made.encode()) == len("三楼东侧-1".encode())


def test_a_word_in_an_index_is_replaced() -> None:
    """The name of a user or an access point may be the index of a table, letter by letter."""
    redactor = Redactor()
    redactor.learn("classroom-7")
    name = (1, 3, 6, 1, 4, 1, 2011, 5, 1, 2, 11, *b"classroom-7", 3)
    made = redactor.arcs(name)
    assert bytes(made[11:22]) != b"classroom-7"
    assert (*made[:11], made[22]) == (*name[:11], 3)


def test_json_is_judged_by_its_keys_too() -> None:
    """Names, numbers and secrets have no form of their own, but keys that tell; addresses may be keys."""
    tree = {
        "hostname": "ap-3-101",
        "wifi": {"ssid": "Schule", "key": "geheim99", "encryption": "psk2"},
        "serialNumber": 12345678,
        "clients": {"00:1c:bf:d3:e4:a5": {"signal": -60}},
        "note": "ap-3-101 on 00-1C-BF-D3-E4-A5",
        "rx_bytes": 100200300400,
    }
    redactor = Redactor()
    cleaned(tree, redactor)
    made = cleaned(tree, redactor)
    text = str(made)
    assert not [word for word in ("ap-3-101", "Schule", "geheim99", "12345678") if word in text]
    assert made["clients"] == {"00:00:5e:00:53:00": {"signal": -60}}
    assert made["note"] == f"{made['hostname']} on 00-00-5E-00-53-00"
    assert (made["wifi"]["encryption"], made["rx_bytes"]) == ("psk2", 100200300400)


KEYS = (
    *("apikey", "api_key", "accesstoken", "accessToken", "authtoken", "session", "sessionid", "sid", "cookie", "pwd"),
    *("passcode", "psk2", "auth", "credentials", "jwt", "fingerprint", "account", "admin", "uid", "gps", "domain"),
    *("deviceName", "devicename", "ap_name", "apname", "name", "alias", "description", "network", "users", "PIN"),
)


@pytest.mark.parametrize("key", KEYS)
def test_a_telling_key_is_known_with_and_without_marks(key: str) -> None:
    """Secrets, people and places: the value is gone in its place, in a list, and wherever else it stands."""
    redactor = Redactor()
    for _ in range(2):
        made = cleaned({key: "Wang-7733", "list": [{key: ["Wang-7733"]}], "note": "of Wang-7733"}, redactor)
    assert "Wang" not in str(made)
    assert list(made) == [key, "list", "note"]


@pytest.mark.parametrize(
    "key", ["encryption", "model", "version", "signal", "keyboard", "passed", "authorized", "type"]
)
def test_other_keys_tell_nothing(key: str) -> None:
    """What a profile reads stays as it is."""
    assert cleaned({key: "WPA2-7733"}, Redactor()) == {key: "WPA2-7733"}


def test_names_that_are_keys_are_replaced() -> None:
    """A table of hosts by their names: a name is the same there and in other values; its columns stay."""
    tree = {
        "hosts": {"zhang-pc.lan": {"rx_bytes": 5}, "192.168.1.7": {"rx_bytes": 6}},
        "clients": {"total": 5, "2g": {"count": 3}},
        "last": "zhang-pc.lan",
    }
    redactor = Redactor()
    for _ in range(2):
        made = cleaned(tree, redactor)
    assert "zhang" not in str(made)
    assert made["hosts"] == {made["last"]: {"rx_bytes": 5}, "192.168.1.7": {"rx_bytes": 6}}
    assert made["clients"] == tree["clients"]


def test_columns_of_a_table_are_no_names() -> None:
    """In a list of clients the keys are columns: the name of one is replaced, the keys stay."""
    made = cleaned({"clients": [{"name": "zhang phone", "ip": "10.0.0.4", "radio": {"channel": 6}}]}, Redactor())
    assert list(made["clients"][0]) == ["name", "ip", "radio"]
    assert "zhang" not in str(made)


def test_where_a_device_stands_is_replaced_and_numbers_of_its_own_too() -> None:
    """Coordinates become 0, a PIN another number; what is counted stays."""
    tree = {"lat": 31.2304, "lon": 121, "gps": {"x": "31.2304N"}, "pin": 123, "uid": 50123, "users": 1500, "auth": True}
    made = cleaned(tree, Redactor())
    assert (made["lat"], made["lon"], made["users"], made["auth"]) == (0, 0, 1500, True)
    assert not [word for word in ("31.23", "121", "123,", "50123") if word in str(made)]


@pytest.mark.parametrize("name", ["eth0", "br-lan", "phy0-ap0", "GigabitEthernet0/0/1", "CPU temperature", "Fan 2"])
def test_what_a_device_calls_its_parts_stays(name: str) -> None:
    """Ports and sensors are what a profile reads by their name."""
    assert cleaned({"name": name}, Redactor()) == {"name": name}


def test_a_name_that_is_to_be_kept_is_kept() -> None:
    """A model under `name` is none of people's: the operator says so."""
    assert cleaned({"name": "AP4050DN"}, Redactor(["AP4050DN"])) == {"name": "AP4050DN"}


def test_a_token_is_known_by_its_form() -> None:
    """A JSON Web Token (RFC 7519) in any text."""
    assert "eyJ" not in Redactor().text("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN")


def test_words_are_found_in_time_that_does_not_depend_on_how_many_there_are() -> None:
    """The longest word counts, and a short one only where it stands alone."""
    words = Words()
    for word in ("room", "room 12", "serial-number-1"):
        words.add(word)
    text = "Room 12, classroom, xSERIAL-NUMBER-1x"
    assert [text[start:end] for start, end in words.found(text)] == ["Room 12", "SERIAL-NUMBER-1"]
