"""
Questions: everything that an agent asks again and again, probes and readings of profiles, of itself and of others.

    [[probe.dns]] ──▶ Question(kind "dns", its tag, what is asked)                        of this device
    profile's probes, collect ──▶ Question(kind "snmp", the entry's name, Read, device)   of any device it speaks for
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agent.gather.read import Read, Way
from agent.probe.sense import problems
from agent.probe.settings import KINDS, ProbeSettings
from agent.worker.client import Answer
from contract.errors import ConfigError, Problem
from contract.lines import clean_tag
from contract.sample import Sample, Value
from contract.settings import checked
from firmware_profiles.schema import Profile
from firmware_profiles.sources import REMOTE

MOST_TAG_BYTES = 200


class Device(NamedTuple):
    """A device that this agent speaks for: itself or another one, its profile, and the way to it."""

    id: str
    profile: Profile
    way: Way = Way()


class Question(NamedTuple):
    """
    One probe or reading: its kind, its tag, what is asked, and of which device.

    `tag` is the tag `target` of its points; of a reading it is the name of its entry in `collect`.
    """

    kind: str
    tag: str
    ask: Any
    device: str

    @property
    def every_s(self) -> float:
        """How often it is asked."""
        return float(self.ask.what.every if isinstance(self.ask, Read) else self.ask.every)

    @property
    def is_remote(self) -> bool:
        """Tell whether another device is asked, so that its answer is evidence by itself."""
        return not isinstance(self.ask, Read) or (self.kind in REMOTE and bool(self.ask.way.address))


def probes_of(settings: ProbeSettings, device: str) -> list[Question]:
    """Return every probe of the settings; ConfigError lists each that cannot work, or would write another's points."""
    found: dict[tuple[str, str], Question] = {}
    mistakes = []
    for kind, asks in settings._asdict().items():
        for number, ask in enumerate(asks):
            mistakes += [
                Problem(f"probe.{kind}[{number}].{path}", message) for path, message in _added(found, kind, ask, device)
            ]
    if mistakes:
        raise ConfigError("settings", mistakes)
    return list(found.values())


def _added(found: dict[tuple[str, str], Question], kind: str, ask: Any, device: str) -> list[Problem]:
    """Add a probe to those found, and return what is wrong with it."""
    tag = str(ask.name or ask.target)
    reasons = [*problems(ask, is_repeated=True), *_problems_of_tag(tag)]
    if (kind, clean_tag(tag)) in found:
        reasons.append(Problem("name", f"{tag!r} is there twice: give one a name"))
    found[kind, clean_tag(tag)] = Question(kind, tag, ask, device)
    return reasons


def questions_of(device: Device, probes: Sequence[Question] = ()) -> list[Question]:
    """
    Return what a device's profile asks, after the probes of the settings, which stand above a profile's of one name.

    ConfigError lists what is wrong.
    """
    found = {(question.kind, clean_tag(question.tag)): question for question in probes}
    mistakes = []
    for kind, asks in device.profile.probes.items():
        for number, given in enumerate(asks):
            ask, reasons = probe_of(kind, given)
            if ask is not None and (kind, clean_tag(str(ask.name or ask.target))) not in found:
                reasons += _added(found, kind, ask, device.id)
            mistakes += [Problem(f"probes.{kind}[{number}].{path}".rstrip("."), message) for path, message in reasons]
    for name, what in device.profile.collect.items():
        found[f"read {what.source}", name] = Question(
            what.source, name, Read(what, device.way, what.timeout), device.id
        )
    if mistakes:
        raise ConfigError(f"profile {device.profile.id}", mistakes)
    return list(found.values())


def probe_of(kind: str, given: Mapping[str, Any]) -> tuple[Any, list[Problem]]:
    """Return one probe of a profile in its own types, or None with what is wrong."""
    if kind not in KINDS:
        return None, [Problem("", f"there is no kind of probe {kind}; there are {', '.join(KINDS)}")]
    try:
        return checked(KINDS[kind], given, "profile"), []
    except ConfigError as error:
        return None, list(error.problems)


def _problems_of_tag(tag: str) -> Iterator[Problem]:
    if not clean_tag(tag):
        yield Problem("name", f"{tag!r} has nothing that a tag can hold: give it a name with letters")
    elif len(tag.encode(errors="replace")) > MOST_TAG_BYTES:
        yield Problem("name", f"{tag[:40]!r}… is longer than {MOST_TAG_BYTES} bytes: give it a shorter name")


def samples_of(question: Question, answer: Answer) -> Iterator[Sample]:
    """Yield the samples of an answer: that of `probe`, and those of other measurements."""
    outcome = answer.outcome
    fields: dict[str, Value] = {**outcome.fields, "stage": outcome.stage}
    if outcome.success is not None:
        fields["success"] = int(outcome.success)
    if outcome.code is not None:
        fields["code"] = outcome.code
    if outcome.reason:
        fields["reason"] = outcome.reason
    yield Sample("probe", fields, answer.at_ns, {"kind": question.kind, "target": question.tag})
    for measurement, tags, values in outcome.extra:
        yield Sample(measurement, values, answer.at_ns, tags)
