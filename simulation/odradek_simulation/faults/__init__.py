"""Faults: what goes wrong in a world, when, and how it is repeated.

    snapshots       a snapshot store that loses, ages and spoils what it holds
    site            what faults can reach, and the form of a fault
    tasks           actors and clients die, recover, stand still, hang, slow down, or raise
    timers          timers are late or fire twice, the wall clock jumps
    storage         appends fail cleanly or with unknown outcome, the log is away, snapshots are bad
    process         the process crashes, commands are repeated, groups rebalance again and again
    injector        when faults strike: as the seed says, or as recorded

Each kind draws what to strike from random numbers, and strikes what it is given. So a drawn fault can be recorded and
injected again. Mailboxes lose and reorder nothing, as threads do not. Start reading at `tasks`.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_simulation.faults.injector import (
        SMALL_CONSTANTS,
        DrawnFaults,
        Injector,
        RecordedFaults,
        fault_names,
        shortened,
        small_constants,
    )
    from odradek_simulation.faults.process import LOST_TAIL
    from odradek_simulation.faults.site import Fault, Site
    from odradek_simulation.faults.snapshots import FaultySnapshots
else:
    __getattr__, __dir__ = lazy_names(__name__, "snapshots", "site", "process", "injector")

__all__ = [
    "LOST_TAIL",
    "SMALL_CONSTANTS",
    "DrawnFaults",
    "Fault",
    "FaultySnapshots",
    "Injector",
    "RecordedFaults",
    "Site",
    "fault_names",
    "shortened",
    "small_constants",
]
