"""Worlds: simulated runs with clients, faults and checks.

    result          what a run gives: the log, the failure, the token
    checks          what must always hold, what must become true, what should be reached sometimes
    course          checkpoints, and whether a replay meets them
    watchdog        runs a world on a thread of its own, interruptibly, and notices a step that does not end
    run             a run in progress: its phases, and what happens between two steps
    target          a function that starts worlds, with their options, found by name
    world           World: how users describe a run, and repeat one from its token

Imports the seeded runtime, choices and faults. Start reading at `world`.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_simulation.world.result import Failure, Result
    from odradek_simulation.world.target import Target, load_target, options_of, simulated, target_of
    from odradek_simulation.world.world import Start, World
else:
    __getattr__, __dir__ = lazy_names(__name__, "result", "world", "target")

__all__ = [
    "Failure",
    "Result",
    "Start",
    "Target",
    "World",
    "load_target",
    "options_of",
    "simulated",
    "target_of",
]
