"""A command that is imported when it is run: its name and its line in the list of commands are known before."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["LazyCommand"]


class LazyCommand(TyperCommand):
    """Stands in the list of commands for a function or a group of commands, and hands over when it is run or asked.

    `place` is `module:name` in `odradek.cli.commands`; `help` is the first sentence of the docstring there, which a
    test compares. The types are those of Typer's own copy of Click.
    """

    def __init__(self, name: str, place: str, help: str, context_settings: dict[str, Any] | None = None) -> None:
        super().__init__(name, help=help, rich_markup_mode=None)
        self._place = place
        self._context_settings = context_settings

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the command that this one stands for, which then runs or completes it."""
        return self.load().make_context(info_name, args, parent=parent, **extra)

    def load(self) -> Any:
        """Import the command and return it as Click has it."""
        module, _, name = self._place.partition(":")
        found = getattr(import_module(f"odradek.cli.commands.{module}"), name)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(self.name, context_settings=self._context_settings)(found)
        return typer.main.get_command(single)
