"""
A profile: how one model of hardware or firmware is recognised, read and judged.

NamedTuples that `contract.settings` checks; `load.py` makes them of YAML, `check.py` looks whether they make sense.
`docs/profiles.md` explains them with examples. Light: the agent's loop loads this, never YAML.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

from contract.settings import OneOf, Seconds
from firmware_profiles.sources import SOURCES, FieldName, Scalar, Source


class Slug(str):
    """A name in a-z, 0-9 and '-'."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name; ValueError says the rule."""
        if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", text):
            raise ValueError(f"{text!r} is not a name in a-z, 0-9 and '-', of at most 64 characters")
        return cls(text)


class Title(NamedTuple):
    """A title in both languages."""

    zh: str
    en: str


class Match(NamedTuple):
    """
    One way to recognise the model: shell patterns, all of which must fit.

    Of this machine: device tree model, DMI vendor and product, operating system (`linux`, `windows`), os-release ID
    and ID_LIKE. Of a device on the network: SNMP sysObjectID and sysDescr, PJLink INF1 (manufacturer), INF2 (model).
    """

    device_tree: str = ""
    dmi_vendor: str = ""
    dmi_product: str = ""
    system: str = ""
    os_id: str = ""
    os_like: str = ""
    sys_object_id: str = ""
    sys_descr: str = ""
    pjlink_manufacturer: str = ""
    pjlink_model: str = ""


class Parameter(NamedTuple):
    """A text that the agent's settings give for each device, `{name}` in the profile; needed without a default."""

    title: Title
    default: str | None = None


class Fault(NamedTuple):
    """
    A reading that means trouble: `fault` active=1 once `field` has been so for `hold`, active=0 once it is clear.

    It is clear when the condition does not hold any more, or, with `clear`, only beyond that value (hysteresis), for
    `clear_hold`. `tags` choose among samples of one measurement (`{name: cpu}`); of several one is enough.
    """

    code: Slug
    title: Title
    field: FieldName
    operator: Literal["above", "at_least", "below", "at_most", "is", "is_not"]
    value: Scalar
    severity: Literal["info", "warning", "critical"] = "warning"
    tags: Mapping[str, str] = {}
    clear: float | None = None
    hold: Seconds = Seconds(0)
    clear_hold: Seconds = Seconds(0)


class Firmware(NamedTuple):
    """Which versions are good; the version is what is read into `firmware.version`."""

    minimum: str = ""
    known_bad: tuple[str, ...] = ()


class Profile(NamedTuple):
    """
    One model. `verified` says whether it was tried on the hardware itself, `verified_on` where and when.

    `observes` says whom the evidence of a device with this profile is about. `itself`: an agent runs on the very
    platform that pupils use, so that its presence is the platform's. `remote`: somebody asks the device over the
    network, it never is an agent. `beside`: an agent runs on a machine of its own beside what it observes, and its
    presence proves that machine alone. Targets for classes take presence from the first only, probes from two.
    """

    id: Slug
    title: Title
    role: Literal["classroom", "access-point", "projector", "gateway", "switch", "controller", "other"]
    verified: bool
    verified_on: str = ""
    observes: Literal["itself", "beside", "remote"] = "beside"
    extends: str = ""
    notes: str = ""
    match: tuple[Match, ...] = ()
    parameters: Mapping[str, Parameter] = {}
    collect: Mapping[str, Annotated[Source, OneOf("source", SOURCES)]] = {}
    firmware: Firmware = Firmware()
    faults: tuple[Fault, ...] = ()
    probes: Mapping[str, tuple[Mapping[str, Any], ...]] = {}
