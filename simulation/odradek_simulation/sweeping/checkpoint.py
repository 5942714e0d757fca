"""The file in which a sweep notes what it has done, so that an interrupted one can go on.

JSON Lines: first what the sweep is, then one line for each chunk of runs. A line that a crash or a full disk has cut
off is dropped, and its runs are made again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from odradek_simulation.errors import CheckpointUnusable
from odradek_simulation.sweeping.outcome import SeedOutcome

__all__ = ["Checkpoint", "SweepPlan"]


class SweepPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep runs. A checkpoint of another plan, or of other code, is not continued."""

    format: int = 1
    target: str
    faults: str
    strategies: tuple[str, ...]
    code: str


class Checkpoint:
    """A file of outcomes; without a path, nothing is kept."""

    def __init__(self, path: Path | None, plan: SweepPlan) -> None:
        self.done: list[SeedOutcome] = []
        self._path = path
        if path is None:
            return
        try:
            if path.exists() and path.stat().st_size:
                self._continue(path, plan)
            else:
                path.write_bytes(msgspec.json.encode(plan) + b"\n")
        except OSError as error:
            raise CheckpointUnusable(str(path), error.strerror or str(error)) from error

    def add(self, outcomes: Sequence[SeedOutcome]) -> None:
        """Note a chunk of outcomes durably; CheckpointUnusable if the disk is full."""
        self.done.extend(outcomes)
        if self._path is None:
            return
        try:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(outcomes) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            reason = f"{error.strerror or error}; {len(self.done)} runs are done"
            raise CheckpointUnusable(str(self._path), reason) from error

    def _continue(self, path: Path, plan: SweepPlan) -> None:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines()
        try:
            before = msgspec.json.decode(lines[0] if lines else b"", type=SweepPlan)
            for line in lines[1:]:
                self.done.extend(msgspec.json.decode(line, type=list[SeedOutcome]))
        except msgspec.DecodeError:
            raise CheckpointUnusable(str(path), "it is not the checkpoint of a sweep, or is damaged") from None
        if before != plan:
            differing = [name for name in plan.__struct_fields__ if getattr(plan, name) != getattr(before, name)]
            raise CheckpointUnusable(str(path), f"it belongs to a sweep with another {' and '.join(differing)}")
        if len(whole) < len(content):
            with path.open("r+b") as file:
                file.truncate(len(whole))
