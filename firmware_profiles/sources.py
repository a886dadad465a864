"""
What a profile can read from: the parameters of each source, and the names of the raw values that it gives.

Every source gives rows of raw values (`agent.outcome.Row`); `read` maps them to fields of measurements. Some sources
always give the same names (`GIVES`), the others those that the profile chose for its OIDs, files and paths. Light: the
agent's loop loads this. Parameters of a profile stand in braces in any text: `{address}`, `{ap_name}`.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, NamedTuple, Self

from contract.measurements import TABLE
from contract.settings import POSITIVE, Pattern, Seconds

Scalar = Any  # of YAML: text, a whole number, a number, true or false


class FieldName(str):
    """A field of the contract's table, `interface.rx_bytes`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name; ValueError says what there is."""
        measurement, dot, field = text.partition(".")
        if not dot or measurement not in TABLE or not TABLE[measurement].from_agent:
            known = ", ".join(name for name, row in TABLE.items() if row.from_agent)
            raise ValueError(f"{text!r} is not measurement.field; measurements are {known}")
        if TABLE[measurement].kind_of(field) is None:
            known = ", ".join(f.name for f in TABLE[measurement].fields)
            raise ValueError(f"{text!r}: {measurement} has no such field; there are {known}")
        return cls(text)

    @property
    def measurement(self) -> str:
        """The measurement's name."""
        return self.partition(".")[0]

    @property
    def field(self) -> str:
        """The field's name."""
        return self.partition(".")[2]


class Oid(str):
    """An SNMP object identifier as numbers, `1.3.6.1.2.1.1.1.0`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the identifier without a leading dot; ValueError says what is wrong."""
        text = text.removeprefix(".")
        if not re.fullmatch(r"[0-2](\.[0-9]{1,10}){1,127}", text):
            raise ValueError(f"{text!r} is not an object identifier in numbers such as 1.3.6.1.2.1.1.1.0")
        return cls(text)


class Reading(NamedTuple):
    """
    How one raw value becomes one field.

    In this order: `pattern` (its first group is taken), `base` of a text that is a whole number (0: by its prefix),
    `mask` (1 when any of these bits is set), `per` (increase of `raw` ÷ increase of the raw value `per`, between two
    reads), `enum` (what is not in it is absent), `scale` and `offset` (value × scale + offset). `unit` is that of the
    result, and must be the field's. `absent` are raw values by which the device says that it has none.

    Of several rows `each` is a sample of its own, told apart by `tags` (which may hold `{key}` and `{raw names}`); or
    they are one: `sum`, `max`, `min`, `any` (1 when one is not 0), `count` (of those that are not 0). `sticky` (of a
    whole number): what was once set stays set until the device's next boot.
    """

    raw: str
    field: FieldName
    tags: Mapping[str, str] = {}
    pattern: Pattern | None = None
    base: int = 10
    mask: int | None = None
    per: str = ""
    enum: Mapping[str, Scalar] = {}
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    absent: tuple[Scalar, ...] = ()
    rows: Literal["each", "sum", "max", "min", "any", "count"] = "each"
    sticky: bool = False


_Positive = Annotated[Seconds, POSITIVE]
_MINUTE, _PATIENCE = Seconds(60), Seconds(5)


class File(NamedTuple):
    """
    Files of /sys and /proc, by name. A path with one `*` gives a row for each match; `key` is what `*` stood for.

    What paths without `*` hold is in each of these rows. `where` (name of a file, or `key` → text) leaves only the rows
    that have this value. Text is stripped of blanks and of the NUL that ends strings of the device tree. A file that is
    not there, cannot be read, or is larger than 64 KiB, is absent.
    """

    files: Mapping[str, str]
    read: tuple[Reading, ...]
    source: Literal["file"] = "file"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE
    where: Mapping[str, str] = {}


class Command(NamedTuple):
    """
    A program's output; `argv` is fixed, without shell.

    `json`: `values` are paths in it (`a.b.0`), `rows` the path of a list.

    `pairs`: lines of name, `separator`, value. `regex`: named groups of `pattern`; with `rows: each`, a row a match.
    `text`: all of it, by the name `text`.
    """

    argv: tuple[str, ...]
    read: tuple[Reading, ...]
    source: Literal["command"] = "command"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE
    format: Literal["json", "pairs", "regex", "text"] = "text"
    values: Mapping[str, str] = {}
    rows: str = ""
    separator: str = "="
    pattern: Pattern | None = None


class HttpJson(NamedTuple):
    """
    JSON over HTTP, from the device's address. `values` are paths (`a.b.0`), `rows` the path of a list or table of rows.

    `login` is how the credentials are shown: HTTP Basic or Digest (RFC 7617, RFC 7616), or the password as a bearer
    token (RFC 6750). Over https `verify` asks for a certificate that is believed: by the system's authorities, or by
    those in the file `ca` (`"{ca}"` where every place has its own).
    """

    path: str
    values: Mapping[str, str]
    read: tuple[Reading, ...]
    source: Literal["http_json"] = "http_json"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE
    scheme: Literal["http", "https"] = "http"
    port: int = 0
    rows: str = ""
    login: Literal["none", "basic", "digest", "bearer"] = "none"
    verify: bool = True
    ca: str = ""


class Ubus(NamedTuple):
    """
    OpenWrt's bus: the local program, or JSON-RPC over HTTP (rpcd) where the device has an address of its own.

    `object` may hold one `*` (`hostapd.*`): a row for each object that matches, `key` is what `*` stood for. So may the
    argument `device` of `iwinfo`: a row for each of its devices. `values` and `rows` as of `http_json`; beside them
    stands what is worked out of the answer (`UBUS_DERIVED`). Without a username nobody logs in (session 0).
    """

    object: str
    method: str
    values: Mapping[str, str]
    read: tuple[Reading, ...]
    source: Literal["ubus"] = "ubus"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE
    arguments: Mapping[str, Scalar] = {}
    rows: str = ""
    scheme: Literal["http", "https"] = "http"
    port: int = 0
    path: str = "/ubus"
    verify: bool = True


class Snmp(NamedTuple):
    """
    SNMP v2c or v3, as the credentials say. `get`: scalars with their instance (`….1.0`), by name.

    `columns`: columns of tables, by name; rows of one index belong together, and `key` is the index. `where` (name of a
    column, or `key` → text) leaves only the rows that have this value; a `key` may be numbers, a MAC address or a text.
    Tables whose index begins with that of the one row found belong to it (radios of an access point): their rows come
    with it, and `key` is the rest of their index.
    """

    read: tuple[Reading, ...]
    source: Literal["snmp"] = "snmp"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE
    get: Mapping[str, Oid] = {}
    columns: Mapping[str, Oid] = {}
    where: Mapping[str, str] = {}
    port: int = 161


class Pjlink(NamedTuple):
    """
    A projector or panel by PJLink (class 1; class 2 where it answers). What `read` names is asked for, nothing else.

    `power`, `input`: as the device says (POWR, INPT). `fan` to `other`: 0 fine, 1 warning, 2 error (ERST). `failure`: 1
    where any answer was ERR4. `lamp_hours`: of the lamp that has the most, `lamp_on`: whether one is lit; 0 hours also
    where the device does not count them. `muted` is the picture, `sound_muted` the sound. `name`, by which people call
    the device, is for the profiles that ask for it. Without `read` everything but the name is asked.
    """

    read: tuple[Reading, ...]
    source: Literal["pjlink"] = "pjlink"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE
    port: int = 4352


class Iw(NamedTuple):
    """Radios of this device, by `iw`: a row for each interface; no station's address leaves it."""

    read: tuple[Reading, ...]
    source: Literal["iw"] = "iw"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE
    interface: str = "*"


class Hostapd(NamedTuple):
    """Access points of this device, by hostapd's control socket: a row an interface; no station's address leaves it."""

    read: tuple[Reading, ...]
    source: Literal["hostapd"] = "hostapd"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE
    interface: str = "*"
    control: str = "/run/hostapd"


class Session(NamedTuple):
    """
    Is somebody using this computer? Booleans and seconds; no names, no titles, no content.

    A session without input for `unused_after` is not in use; one of which nobody knows that is.
    """

    read: tuple[Reading, ...]
    source: Literal["session"] = "session"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE
    unused_after: _Positive = Seconds(15 * 60)


class Screen(NamedTuple):
    """The connectors of this computer's graphics (DRM): is a screen connected, and is it on."""

    read: tuple[Reading, ...]
    source: Literal["screen"] = "screen"
    every: _Positive = _MINUTE
    timeout: _Positive = _PATIENCE


Source = File | Command | HttpJson | Ubus | Snmp | Pjlink | Iw | Hostapd | Session | Screen
SOURCES: dict[str, type[Source]] = {
    "file": File,
    "command": Command,
    "http_json": HttpJson,
    "ubus": Ubus,
    "snmp": Snmp,
    "pjlink": Pjlink,
    "iw": Iw,
    "hostapd": Hostapd,
    "session": Session,
    "screen": Screen,
}
# Those that ask another device: every read is also a `probe` of that kind, with success, stage and round trip.
REMOTE = frozenset({"http_json", "ubus", "snmp", "pjlink"})
_RADIO = ("channel", "frequency_mhz", "noise_dbm", "stations", "rssi_p50_dbm", "rssi_p10_dbm", "ssid", "interface")
# The raw names of the sources that always give the same; a device that has not all of them leaves some out.
GIVES: dict[str, tuple[str, ...]] = {
    "pjlink": (
        "power", "input", "muted", "sound_muted", "failure", "fan", "lamp", "temperature", "cover", "filter", "other",
        "lamp_hours", "lamp_on", "filter_hours", "manufacturer", "model", "information", "name", "class", "serial",
        "version",
    ),
    "iw": (*_RADIO, "active_ms", "busy_ms", "receive_ms", "transmit_ms", "txpower_dbm", "signal_dbm", "type", "on_air"),
    "hostapd": (*_RADIO, "state", "utilization_percent"),
    "session": ("session_active", "idle_s", "sessions"),
    "screen": ("connected", "display_on", "connector"),
}  # fmt: skip
_STATIONS = ("stations", "rssi_p50_dbm", "rssi_p10_dbm")
# What `ubus` works out of an answer, by object (a shell pattern) and method: raw names beside those of `values`.
UBUS_DERIVED: dict[tuple[str, str], tuple[str, ...]] = {
    ("hostapd.*", "get_clients"): _STATIONS,
    ("iwinfo", "assoclist"): _STATIONS,
    ("system", "info"): ("memory_used_percent",),
    ("network.wireless", "status"): ("down", "access_points"),
}


def derived_names(what: Ubus) -> tuple[str, ...]:
    """Return the raw names that `ubus` works out of this answer."""
    found = (
        names
        for (pattern, method), names in UBUS_DERIVED.items()
        if method == what.method and fnmatchcase(what.object, pattern)
    )
    return next(found, ())
