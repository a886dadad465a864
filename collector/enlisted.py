"""Which agents the rosters of a data folder have today, and which they had: joins the versions with `fleet`."""

from datetime import date
from pathlib import Path

from collector.fleet.agents import Agent, agents_on, ever, retired
from collector.roster.versions import Versions


def enlisted(data: Path, today: date) -> tuple[list[Agent], list[Agent]]:
    """
    Return the agents of the roster in force today, and those that are none any more, each by id.

    An agent is retired when its last day is over, when another one speaks for its device, or when a later version has
    no row of it: then it is as it was last. BadVersion: there is no roster, or one that was changed.
    """
    versions = Versions(data)
    roster = versions.on(today)
    now = agents_on(roster, today)
    earlier = ever(roster, today)
    known = {device.id for device in roster.devices.values() if device.speaker == device.id}
    begun = [version for version in versions.every() if version.effective <= today]
    for version in sorted(begun, key=lambda version: (version.effective, version.number), reverse=True):
        # A version is read as a whole only where it has somebody who is in no later one.
        speakers = versions.own_speakers(version)
        if not speakers <= known:
            earlier += ever(versions.roster(version), today)
            known |= speakers
    return now, retired(earlier, now)
