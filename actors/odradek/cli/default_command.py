"""A group of commands whose default command is `list`: `odradek groups orders.db` lists the groups."""

from __future__ import annotations

import os
from typing import Any

from typer.core import TyperGroup

__all__ = ["ListingGroup"]


class ListingGroup(TyperGroup):
    """Runs `list` if its first argument is not a command, but a file or the name of one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command to run, and its arguments. The types are those of Typer's own copy of Click."""
        if args and args[0] not in self.commands and _is_file(args[0]):
            args = ["list", *args]
        return super().resolve_command(ctx, args)


def _is_file(argument: str) -> bool:
    return not argument.startswith("-") and (
        os.path.lexists(argument) or "." in argument or os.sep in argument  # no command's name has these
    )
