"""The commands of `santong --help`, by what somebody wants to do, and in the order in which they come to it."""

from collections.abc import Mapping
from typing import Any

from typer.core import TyperGroup

PANELS: Mapping[str, tuple[str, ...]] = {
    "Begin": ("up", "simulate"),
    "The centre": ("collect", "watch", "board", "api", "status", "user"),
    "Sites and what was promised": ("roster", "calendar", "targets", "profiles"),
    "Evidence": ("import", "quarantine", "evidence", "migrate"),
    "Verdicts": ("verify", "report", "close", "form", "sample", "dispute", "glossary"),
    "What is wrong now": ("incident", "notify", "ask"),
    "Agents, their certificates and releases": ("ca", "inventory", "rollout", "depot"),
    "When the centre is lost": ("backup", "restore"),
}
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}


class ByPanel(TyperGroup):
    """A group whose help has a panel for each subject."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands: those of panels in their order, then any other."""
        names = super().list_commands(ctx)
        return [*(name for name in _PANEL_OF if name in names), *(name for name in names if name not in _PANEL_OF)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, which knows its panel."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and cmd_name in _PANEL_OF:
            command.rich_help_panel = _PANEL_OF[cmd_name]  # type: ignore[attr-defined]
        return command
