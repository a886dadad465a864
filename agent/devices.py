"""
The devices that an agent speaks for, from its settings: itself with its own profile, and those it observes.

    [profile], [[observe]], [[credentials]] ──profiles (resolved.py)──▶ Device ──▶ questions
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agent.config import Credentials, Settings
from agent.gather.read import Way, secret
from agent.outcome import Unable
from agent.questions import Device, Question, probes_of, questions_of
from contract.errors import ConfigError, Problem
from contract.names import may_speak
from firmware_profiles.schema import Profile
from firmware_profiles.sources import REMOTE

_SECRETS = {
    "password_file": "password",
    "community_file": "community",
    "auth_file": "authentication password",
    "privacy_file": "privacy password",
}


class Wanted(NamedTuple):
    """A profile that is needed: its id (or `auto`), what fills its placeholders, and which setting asks for it."""

    id: str
    parameters: dict[str, str]
    where: str


Resolve = Callable[[Path, Sequence[Wanted]], list[Profile]]


def devices_of(settings: Settings, resolve: Resolve) -> list[Device]:
    """
    Return every device that the agent speaks for and has a profile, its own first; ConfigError lists every mistake.

    `resolve` returns the profiles that are wanted, in their order, and raises ConfigError.
    """
    if problems := list(_problems(settings)):
        raise ConfigError("settings", problems)
    ways = {given.name: _way(given) for given in settings.credentials}
    own = settings.profile
    built_in = {"device": str(settings.agent), "address": ""}
    wanted = [] if own.id == "none" else [Wanted(own.id, {**own.parameters, **built_in}, "profile")]
    found = [(str(settings.agent), ways.get(own.credentials, Way()))] if wanted else []
    for number, other in enumerate(settings.observe):
        words = {**other.parameters, "device": str(other.device), "address": str(other.address)}
        wanted.append(Wanted(other.profile, words, f"observe[{number}]"))
        found.append((str(other.device), ways.get(other.credentials, Way())._replace(address=str(other.address))))
    profiles = resolve(settings.profile.folder, wanted) if wanted else []
    devices = [Device(id_, profile, way) for (id_, way), profile in zip(found, profiles, strict=True)]
    ports = {str(other.device): other.port for other in settings.observe if other.port}
    devices = [d._replace(profile=at_port(d.profile, ports[d.id])) if d.id in ports else d for d in devices]
    if problems := [problem for device in devices for problem in _misfits(device, str(settings.agent))]:
        raise ConfigError("settings", problems)
    return devices


def those_that_work(settings: Settings, resolve: Resolve) -> tuple[list[Device], list[Problem]]:
    """
    Return the devices whose profiles can be used, and what is wrong with the others, which are left out.

    ConfigError where the settings themselves are wrong. A profile is a file of its own that may have been spoilt since
    the agent last began: presence, and all that has nothing to do with it, must not be lost for that.
    """
    if problems := list(_problems(settings)):
        raise ConfigError("settings", problems)
    probes_of(settings.probe, str(settings.agent))
    wrong: list[Problem] = []
    for _ in range(2):
        try:
            devices = devices_of(settings, resolve)
            all_questions(settings, devices)
        except ConfigError as error:
            wrong += error.problems
            settings = _without(settings, error.problems)
        else:
            return devices, wrong
    return [], wrong


def _without(settings: Settings, problems: Sequence[Problem]) -> Settings:
    """Return the settings without the devices that are named; without all where none is."""
    named = {match[0] for problem in problems if (match := re.match(r"profile\b|observe(\[\d+\]| \S+)", problem.path))}
    own = settings.profile if named and "profile" not in named else settings.profile._replace(id="none")
    others = [
        other
        for number, other in enumerate(settings.observe)
        if named and not named & {f"observe[{number}]", f"observe {other.device}"}
    ]
    return settings._replace(profile=own, observe=tuple(others))


def all_questions(settings: Settings, devices: Sequence[Device]) -> list[Question]:
    """Return everything that the agent asks again and again; ConfigError lists what cannot work."""
    own = str(settings.agent)
    found = probes_of(settings.probe, own)
    if devices and devices[0].id == own:
        found = questions_of(devices[0], found)
    return found + [question for device in devices if device.id != own for question in questions_of(device)]


def _problems(settings: Settings) -> Iterator[Problem]:
    names = [given.name for given in settings.credentials]
    for number, given in enumerate(settings.credentials):
        if given.name in names[:number]:
            yield Problem(f"credentials[{number}].name", f"{given.name!r} is there twice")
    seen = {str(settings.agent)}
    for number, other in enumerate(settings.observe):
        at = f"observe[{number}]"
        if other.device in seen:
            whose = "is the agent itself" if other.device == settings.agent else "is there twice"
            yield Problem(f"{at}.device", f"{other.device} {whose}")
        elif not may_speak(settings.agent, other.device):
            yield Problem(f"{at}.device", f"{other.device} is not of this agent's site: no agent speaks for another's")
        seen.add(str(other.device))
        if other.port is not None and not 1 <= other.port <= 65535:
            yield Problem(f"{at}.port", f"{other.port} is not a port: 1 to 65535")
        if other.profile in ("auto", "none"):
            yield Problem(f"{at}.profile", f"{other.profile!r} is for the machine itself: name a profile")
    asked = [("profile", settings.profile.credentials)]
    asked += [(f"observe[{number}]", other.credentials) for number, other in enumerate(settings.observe)]
    for at, name in asked:
        if name and name not in names:
            there = f"there are {', '.join(names)}" if names else "there is no [[credentials]]"
            yield Problem(f"{at}.credentials", f"{name!r} is not known; {there}")


def problems_of_credentials(settings: Settings, devices: Sequence[Device]) -> Iterator[Problem]:
    """Yield what is missing to ask a device now; a running agent goes on, and says of it that it cannot be asked."""
    for device in devices:
        sources = {what.source for what in device.profile.collect.values()}
        if "snmp" in sources and not (device.way.community_file or device.way.username):
            needs = "needs [[credentials]] with community_file (SNMP v2c) or username (v3)"
            yield Problem(f"observe {device.id}", f"{device.profile.id} {needs}")
    for number, given in enumerate(settings.credentials):
        for name, what in _SECRETS.items():
            if file := getattr(given, name):
                try:
                    secret(file, what)
                except Unable as error:
                    yield Problem(f"credentials[{number}].{name}", str(error))


def _misfits(device: Device, own: str) -> Iterator[Problem]:
    """Yield what a profile asks that this device cannot answer."""
    for name, what in device.profile.collect.items():
        if device.id == own and what.source in REMOTE - {"ubus"}:
            yield Problem("profile.id", f"{device.profile.id} asks another device ({what.source}): use [[observe]]")
        if device.id != own and what.source not in REMOTE:
            reason = f"{device.profile.id} reads the machine itself ({name}): it needs an agent of its own"
            yield Problem(f"observe {device.id}", reason)
    if device.id != own and "throughput" in device.profile.probes:
        yield Problem(f"observe {device.id}", f"{device.profile.id} has a throughput test, which tests our own line")


def _way(given: Credentials) -> Way:
    return Way(**{name: value for name, value in given._asdict().items() if name != "name"})


def at_port(profile: Profile, port: int) -> Profile:
    """Return the profile with another port, for devices behind a forwarded one."""
    collect: dict[str, Any] = {
        name: what._replace(port=port) if hasattr(what, "port") else what  # type: ignore[call-arg]
        for name, what in profile.collect.items()
    }
    return profile._replace(collect=collect)
