"""A command whose module is imported when it runs; its name and its line of help are known before that."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["LazyCommand"]


class LazyCommand(TyperCommand):
    """Represents a function, or a group of commands, in the list of commands; imports it to run or complete it.

    `place` is `module:name` in `odradek.cli.commands`. `help` is the first sentence of the docstring there; a test
    compares the two. The types are those of Typer's own copy of Click.
    """

    def __init__(self, name: str, place: str, help: str, context_settings: dict[str, Any] | None = None) -> None:
        super().__init__(name, help=help, rich_markup_mode=None)
        self._place = place
        self._context_settings = context_settings

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return a context of the imported command, which Click then runs or completes instead of this one."""
        return self.imported.make_context(info_name, args, parent=parent, **extra)

    @cached_property
    def imported(self) -> Any:
        """The command as Typer builds it, imported on first use."""
        module, _, name = self._place.partition(":")
        found = getattr(import_module(f"odradek.cli.commands.{module}"), name)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(self.name, context_settings=self._context_settings)(found)
        return typer.main.get_command(single)
