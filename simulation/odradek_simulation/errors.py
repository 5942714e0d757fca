"""Errors of simulations.

SimulationError
├── ForbiddenInWorld    code in a world used real time, randomness, sockets or threads
├── StepLimitReached    a world did not end within its limit of steps
├── WorldStalled        one step takes longer than the limit in real time
├── InvalidToken        a token that cannot be read, or that another version made
├── ReplayDiverged      a replayed run took another course than the recorded one
├── TargetNotFound      a target that cannot be imported
├── CheckpointUnusable  the file of a sweep that cannot be continued or written
├── MissingExtra        a library that is not installed
└── SimulationFailed    `Result.check` of a run that failed

ClientEnded is a BaseException: it ends a client whose process has crashed or whose world is over.
"""

from __future__ import annotations

from odradek_events.errors import reduce_error

__all__ = [
    "CheckpointUnusable",
    "ClientEnded",
    "ForbiddenInWorld",
    "InvalidToken",
    "MissingExtra",
    "ReplayDiverged",
    "SimulationError",
    "SimulationFailed",
    "StepLimitReached",
    "TargetNotFound",
    "WorldStalled",
]


class SimulationError(Exception):
    """Base class of this package's errors."""

    code = "simulation_error"
    retriable = False
    __reduce__ = reduce_error


class ForbiddenInWorld(SimulationError):
    """Code in a world used something that a seed does not determine."""

    code = "forbidden_in_world"

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"{what} was used inside a simulated world, where it would make runs differ; {instead}")


class StepLimitReached(SimulationError):
    """A world did not end."""

    code = "step_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the world did not end within {limit} steps; end its clients, or raise step_limit if it needs more"
        )


class WorldStalled(SimulationError):
    """One step does not end."""

    code = "world_stalled"

    def __init__(self, step: int, task: str, seconds: float) -> None:
        super().__init__(
            f"step {step} of {task!r} has not ended after {seconds:g} s of real time; "
            "handlers and clients must not block on locks, queues or I/O, only on promises and the runtime's sleep"
        )


class InvalidToken(SimulationError):
    """A token that cannot be used."""

    code = "invalid_token"

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}; pass a token as a run printed it, complete and unchanged")


class ReplayDiverged(SimulationError):
    """A replayed run took another course."""

    code = "replay_diverged"

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"the replay differs from the recorded run: {what}; {advice}")


class TargetNotFound(SimulationError):
    """A target that cannot be imported."""

    code = "target_not_found"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the target {name!r} cannot be used: {why}; name a function start(system, world)")


class CheckpointUnusable(SimulationError):
    """The file of a sweep cannot be continued or written."""

    code = "checkpoint_unusable"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"the checkpoint {path} cannot be used: {why}; repeat the sweep to continue, or name another file"
        )


class MissingExtra(SimulationError, ImportError):
    """A library that is not installed."""

    code = "missing_extra"

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__(f"{what} needs {library}; install odradek[{extra}]")


class SimulationFailed(SimulationError, AssertionError):
    """A run failed."""

    code = "simulation_failed"

    def __init__(self, report: str) -> None:
        super().__init__(report)


class ClientEnded(BaseException):
    """Ends a client: its process has crashed, or its world is over. Let it pass."""
