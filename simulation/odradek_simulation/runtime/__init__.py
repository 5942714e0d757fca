"""The seeded runtime: the ports of actors and handles on one thread, in virtual time, from one seed.

In order of their layers, where each imports only those before it:

    tasks           what takes steps: actors, clients, and the timers
    switchers       what carries clients: pooled threads, or greenlets
    guards          forbid real time, randomness, sockets and threads in a world
    trace           what happened in each step
    scheduler       the loop over steps, and how clients wait
    seeded          SeededRuntime: the ports themselves

Every send is a step of its own: see `tasks`. Start reading at `scheduler`.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_simulation.runtime.guards import GuardedGrowth, guarded
    from odradek_simulation.runtime.scheduler import NS
    from odradek_simulation.runtime.seeded import SeededRuntime
    from odradek_simulation.runtime.switchers import GreenletSwitcher, Switcher, ThreadSwitcher, run_on_pooled_thread
    from odradek_simulation.runtime.tasks import ActorTask, Client, Task, TimerTask
    from odradek_simulation.runtime.trace import Observer, Trace, TracedStep
else:
    __getattr__, __dir__ = lazy_names(__name__, "seeded", "tasks", "switchers", "guards", "trace", "scheduler")

__all__ = [
    "NS",
    "ActorTask",
    "Client",
    "GreenletSwitcher",
    "GuardedGrowth",
    "Observer",
    "SeededRuntime",
    "Switcher",
    "Task",
    "ThreadSwitcher",
    "TimerTask",
    "Trace",
    "TracedStep",
    "guarded",
    "run_on_pooled_thread",
]
