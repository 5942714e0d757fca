"""What actors and handles take from the world: time, ids, sending, promises, waiting, starting actors.

`port` defines the protocols that all code is typed on. `threads` implements them on real threads and real time, with
`timer_thread`, `dead_letters` and `forwarding` (for requests that reach an actor after it has passivated). Callers wait
on `promise` and `budget`, without a lock that an interrupted caller could leave held. `fork` detects a fork,
`actor_thread` a call that would make an actor wait. Imports errors and messages. Start reading at `port`.
"""

from odradek_actors.runtime.budget import Budget
from odradek_actors.runtime.dead_letters import DeadLetter, DeadLetters
from odradek_actors.runtime.forwarding import Forwarding
from odradek_actors.runtime.port import ByteBudget, Clock, Host, Ids, Mail, Promises, Runtime, checked_runtime
from odradek_actors.runtime.promise import Promise
from odradek_actors.runtime.threads import ThreadedRuntime

__all__ = [
    "Budget",
    "ByteBudget",
    "Clock",
    "DeadLetter",
    "DeadLetters",
    "Forwarding",
    "Host",
    "Ids",
    "Mail",
    "Promise",
    "Promises",
    "Runtime",
    "ThreadedRuntime",
    "checked_runtime",
]
