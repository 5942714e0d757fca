"""A group of commands that lists when it is given a log and nothing else: `odradek groups orders.db`."""

from __future__ import annotations

import os
from typing import Any

from typer.core import TyperGroup

__all__ = ["ListingGroup"]


class ListingGroup(TyperGroup):
    """Takes what is no command, and is a file or is called like one, as the log of `list`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is meant, and its arguments. The types are those of Typer's own copy of Click."""
        if args and args[0] not in self.commands and _is_file(args[0]):
            args = ["list", *args]
        return super().resolve_command(ctx, args)


def _is_file(argument: str) -> bool:
    return not argument.startswith("-") and (
        os.path.lexists(argument) or "." in argument or os.sep in argument  # no command's name has these
    )
