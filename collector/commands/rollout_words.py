"""What `santong rollout` says, in people's words."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import typer

from collector.fleet.judgement import Judgement, State
from collector.fleet.rollout import Rollout, Status
from collector.words import Language, word

_MOST_SHOWN = 20


def show(rollout: Rollout, judgement: Judgement | None, language: Language, zone: ZoneInfo, *, as_json: bool) -> None:
    """Print where a rollout stands, what is said of its wave, and its journal."""
    if as_json:
        tree = rollout.as_json() | {"judgement": judgement.as_json() if judgement else None}
        typer.echo(json.dumps(tree, ensure_ascii=False, indent=2))
        return
    at = word(f"upgrade_{rollout.status}", language)
    typer.echo(f"{rollout.previous} → {rollout.version}  {at}  ({word('upgrade_plan', language)} {rollout.number})")
    for index, wave in enumerate(rollout.waves):
        mark = ">" if index == rollout.wave and rollout.status in (Status.RUNNING, Status.STOPPED) else " "
        typer.echo(f"{mark} {word('wave', language)} {word(f'wave_{wave.name}', language)}: {len(wave.agents):,}")
    if rollout.is_withdrawn and rollout.status is Status.STOPPED:
        typer.echo(word("upgrade_withdrawn", language))
    if judgement:
        typer.echo(judgement_text(judgement, language))
    for step in rollout.journal:
        clock = datetime.fromtimestamp(step.at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")
        wave_name = word(f"wave_{step.wave}", language) if step.wave else ""
        parts = (clock, step.by, word(f"step_{step.what}", language), wave_name, step.detail)
        typer.echo("  " + "  ".join(part for part in parts if part))


def judgement_text(found: Judgement, language: Language) -> str:
    """Return what the gate says: the outcome and why, the figures, and who is not good."""

    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.0%}"

    lines = [word(f"gate_{found.outcome}", language)]
    lines += [f"  {word(f'gate_why_{code}', language).format(detail=detail)}" for code, detail in found.reasons]
    lines += [
        f"  {word(f'agent_state_{state}', language)}: {count:,}" for state, count in found.counts.items() if count
    ]
    figures = (
        ("gate_completeness", found.completeness, found.usual),
        ("gate_volume", found.volume, found.usual_volume),
    )
    lines += [
        f"  {word(key, language).format(own=share(own), usual=share(usual))}"
        for key, own, usual in figures
        if own is not None
    ]
    lines.append(f"  {word('gate_others', language).format(count=f'{found.others:,}')}")
    lines += _exceptions(found, language)
    return "\n".join(lines)


def _exceptions(found: Judgement, language: Language) -> list[str]:
    """Return a line for each agent that is not good, the bad ones first, and how many more there are."""
    others = [told for told in found.agents if told.state is not State.GOOD]
    others.sort(key=lambda told: told.state is not State.BAD)
    lines = []
    for told in others[:_MOST_SHOWN]:
        why = word(f"why_bad_{told.why}", language).format(detail=told.detail) if told.why else ""
        lines.append(f"  {told.agent}  {why or word(f'agent_state_{told.state}', language)}")
    if len(others) > _MOST_SHOWN:
        lines.append(f"  … {len(others) - _MOST_SHOWN:,} {word('more', language)}")
    return lines
