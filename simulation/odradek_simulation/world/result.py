"""What a run of a world gives."""

from __future__ import annotations

import traceback
from typing import Literal

import msgspec

from odradek_events.log.port import LogStore
from odradek_simulation.choices.streams import Recipe
from odradek_simulation.errors import SimulationFailed
from odradek_simulation.faults.site import Fault
from odradek_simulation.runtime.trace import Trace

__all__ = ["Failure", "FailureKind", "Result"]

FailureKind = Literal[
    "always",
    "eventually",
    "end",
    "client",
    "handler",
    "replay",
    "history",
    "invariant",
    "stuck",
    "step limit",
    "world",
]


class Failure(msgspec.Struct, frozen=True):
    """Why a run failed.

    kind     always, eventually, end: a check; client: an exception in a client; handler: an exception in an actor's
             handler that no fault explains; replay: live state and replayed state differ; history: what clients were
             told is contradictory or incomplete; invariant: the log is wrong (for both see `checkers`); stuck:
             something does not end after the faults have ended; step limit; world: an error of the simulation
    what     the name of the check, client or actor
    message  what happened, in a sentence
    step     the step after which it was noticed
    error    the exception, if there is one
    """

    kind: FailureKind
    what: str
    message: str
    step: int
    error: BaseException | None = None

    @property
    def signature(self) -> str:
        """What makes two failures the same: kind, name, and the type of the exception."""
        return f"{self.kind}: {self.what}" + ("" if self.error is None else f" ({type(self.error).__name__})")

    def __str__(self) -> str:
        return f"{self.kind} {self.what!r} failed after step {self.step}: {self.message}"


class Result(msgspec.Struct, frozen=True):
    """A finished run.

    token     one line from which the run can be repeated
    recording the recipe of the run, with all choices written down
    log       the log as the run left it, still open
    failure   None if all went well
    steps     how many steps were taken, `seconds` how much virtual time passed
    digest    of the picks: equal for equal runs; `trace.digest()` covers everything that happened
    faults    the faults that were injected
    clients   the names of the clients that were spawned
    reached   the goals of `World.sometimes` that were reached, `missed` the others
    crashes   how often the process crashed
    tolerated the clients that ended with an error because of faults, each with its error
    trace     the steps, if they were recorded
    """

    token: str
    recording: Recipe
    log: LogStore
    failure: Failure | None
    steps: int
    seconds: float
    digest: str
    faults: tuple[Fault, ...]
    clients: tuple[str, ...]
    reached: tuple[str, ...]
    missed: tuple[str, ...]
    crashes: int
    choices: int
    tolerated: tuple[tuple[str, BaseException], ...] = ()
    trace: Trace | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing failed."""
        return self.failure is None

    def check(self) -> Result:
        """Return this result; SimulationFailed, with the failure and the token, if the run failed."""
        if self.failure is None:
            return self
        raise SimulationFailed(self.describe()) from self.failure.error

    def describe(self) -> str:
        """Return the failure, the faults before it, the clients that they ended, and the token, as a few lines."""
        lines = [f"passed in {self.steps} steps" if self.failure is None else str(self.failure)]
        if self.failure is not None and self.failure.error is not None:
            frames = traceback.extract_tb(self.failure.error.__traceback__)
            lines += [f"  at {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-1:]]
        lines += [f"  fault after step {fault.step}: {fault}" for fault in self.faults]
        lines += [f"  client {name!r} ended: {type(error).__name__}: {error}" for name, error in self.tolerated]
        lines.append(f"  to repeat it: {self.token}")
        return "\n".join(lines)
