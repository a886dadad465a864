"""
What was answered becomes what is measured: for this device and for every other that the agent speaks for.

    (question, answer) ──mapper of the device──▶ samples ──watch of the device──▶ faults
                                                    └── firmware: compliant?  identity: which profile?

One thread, the pipeline's, uses it. What must outlive a restart (faults, bits that were once set) is `state`, which the
pipeline keeps in the spool.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from agent.gather.read import Read
from agent.mapping import Mapper
from agent.questions import Device, Question, samples_of
from agent.watch import Watch
from agent.worker.client import Answer
from contract.sample import Sample
from firmware_profiles.version import is_compliant

log = logging.getLogger("santong.agent")

_HOUR_NS = 3_600_000_000_000


class Observing:
    """
    Maps and judges what was answered. `own` is the agent's own device; `state` what `state()` once returned.

    `questions` and `round_s` tell how often each field is read.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        own: str,
        boot: str,
        state: Mapping[str, Any] | None = None,
        questions: Sequence[Question] = (),
        round_s: float = 60.0,
    ) -> None:
        self._own = own
        self._boot = boot
        self._devices = {device.id: device for device in devices}
        state = state or {}
        is_same = state.get("boot") == boot
        sticky = _table(state, "sticky") if is_same else {}
        known = _table(state, "faults")
        self._sticky = {id_: _bits(_table(sticky, id_)) for id_ in self._devices}
        self._mappers = {id_: Mapper(self._sticky[id_]) for id_ in self._devices}
        self._watches = {
            id_: Watch(
                device.profile.faults,
                _table(known, id_),
                is_same_boot=is_same,
                every_s=_rhythm([question for question in questions if question.device == id_], round_s),
            )
            for id_, device in self._devices.items()
        }
        self._identifying = {id_ for id_, device in self._devices.items() if _reads_identity(device)}
        self._identified_ns: dict[str, int] = {}
        self._troubles: dict[tuple[str, str], str] = {}

    def found(self, answered: Iterable[tuple[Question, Answer]]) -> Iterator[tuple[str, Sample]]:
        """Yield the samples of answers, each with its device."""
        for question, answer in answered:
            try:
                for sample in self._samples(question, answer):
                    yield question.device, sample
            except Exception as error:  # noqa: BLE001  one strange answer must not cost those of the others
                self._say(question, f"{type(error).__name__}: {error}")

    def judged(self, samples: Iterable[tuple[str, Sample]]) -> list[tuple[str, Sample]]:
        """Return the faults that follow from samples; of one that changes twice at one instant the last counts."""
        found: dict[tuple[str, str, int], tuple[str, Sample]] = {}
        for device, sample in samples:
            if device not in self._watches:
                continue
            try:
                for fault in self._watches[device].see([sample]):
                    at = (device, fault.tags["code"], fault.at_ns)
                    found.pop(at, None)
                    found[at] = (device, fault)
            except Exception as error:  # noqa: BLE001  a rule that cannot judge must not cost the evidence
                log.warning("faults of %s by %s: %s: %s", device, sample.measurement, type(error).__name__, error)
        return list(found.values())

    def state(self) -> dict[str, Any]:
        """Return what must outlive a restart, as JSON can hold it; empty where there is nothing to keep."""
        faults = {id_: known for id_, watch in self._watches.items() if (known := watch.state())}
        sticky = {id_: kept for id_, kept in self._sticky.items() if kept}
        return {"boot": self._boot, "sticky": sticky, "faults": faults} if faults or sticky else {}

    def _samples(self, question: Question, answer: Answer) -> Iterator[Sample]:
        outcome = answer.outcome
        if question.is_remote:
            yield from samples_of(question, answer)
        elif outcome.success is not True:
            self._say(question, outcome.reason)
        device = self._devices.get(question.device)
        if device is None or outcome.success is not True:
            return
        if outcome.rows:
            readings = device.profile.collect[question.tag].read
            for sample in self._mappers[device.id].samples(question.tag, readings, outcome.rows, answer.at_ns):
                yield self._completed(device, sample)
        self._troubles.pop((question.device, question.tag), None)
        if question.is_remote and device.id != self._own:
            yield from self._identity(device, answer.at_ns)

    def _completed(self, device: Device, sample: Sample) -> Sample:
        """Add what the profile knows: whether a version is good, and the profile itself."""
        if sample.measurement == "firmware" and isinstance(version := sample.fields.get("version"), str):
            compliant = is_compliant(version, device.profile.firmware)
            if compliant is not None:
                return sample._replace(fields={**sample.fields, "compliant": int(compliant)})
        if sample.measurement == "identity":
            self._identified_ns[device.id] = sample.at_ns
            return sample._replace(fields={**sample.fields, "profile": device.profile.id})
        return sample

    def _identity(self, device: Device, at_ns: int) -> Iterator[Sample]:
        """Yield, once an hour, which profile a device answers to where its identity cannot be read."""
        if device.id in self._identifying:
            self._identified_ns.setdefault(device.id, at_ns)
        last_ns = self._identified_ns.get(device.id)
        if last_ns is None or at_ns - last_ns >= _HOUR_NS:
            self._identified_ns[device.id] = at_ns
            yield Sample("identity", {"profile": str(device.profile.id)}, at_ns)

    def _say(self, question: Question, reason: str) -> None:
        """Log what is wrong with a reading, once until it changes."""
        at = (question.device, question.tag)
        if self._troubles.get(at) != reason:
            log.warning("%s of %s: %s", question.tag, question.device, reason)
        self._troubles[at] = reason


def _reads_identity(device: Device) -> bool:
    """Tell whether the profile says how the device's identity is read."""
    readings = (reading for what in device.profile.collect.values() for reading in what.read)
    return any(reading.field.measurement == "identity" for reading in readings)


def recalled(text: str | None) -> Mapping[str, Any]:
    """Return what was kept of `state()`; nothing where it cannot be read: it must not cost what is measured now."""
    try:
        kept = json.loads(text or "{}")
    except ValueError:
        kept = None
    if isinstance(kept, Mapping):
        return kept
    log.warning("what was known of faults cannot be read, and is forgotten")
    return {}


def _table(kept: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of what was kept, an empty one where something else stands there."""
    found = kept.get(name)
    return found if isinstance(found, Mapping) else {}


def _bits(kept: Mapping[str, Any]) -> dict[str, int]:
    return {name: bits for name, bits in kept.items() if isinstance(bits, int)}


def _rhythm(questions: Iterable[Question], round_s: float) -> Callable[[str], float]:
    """Return what tells how often a field of a device is read, in seconds: the slowest of its questions counts."""
    every: dict[str, float] = {}
    for question in questions:
        readings = question.ask.what.read if isinstance(question.ask, Read) else ()
        fields = [str(reading.field) for reading in readings]
        for name in fields or ["throughput" if question.kind == "throughput" else "probe"]:
            every[name] = max(every.get(name, 0.0), question.every_s)
    every["firmware.compliant"] = every.get("firmware.version", round_s)
    return lambda field: every.get(field, every.get(field.partition(".")[0], round_s))
