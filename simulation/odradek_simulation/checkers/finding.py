"""What a checker found."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Finding"]


class Finding(msgspec.Struct, frozen=True):
    """Something that must hold, and did not.

    checker   the name of the check, such as "lost-write"; runs that fail in the same way have it in common
    problem   what happened, in one sentence
    evidence  the facts by name: partitions, offsets, positions, clients
    """

    checker: str
    problem: str
    evidence: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.checker}: {self.problem}"
