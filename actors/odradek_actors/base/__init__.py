"""The base classes of actors: dispatch by message type, and the command loop of an event-sourced actor.

`actor` dispatches messages and answers pending requests when it stops; `event_sourced` decides, appends, applies and
replies; `behaviour` holds the methods that a user-defined actor overrides; `decision_model` keeps the facts beyond the
stream that commands are decided on; `policy` declares what a policy reacts to, and how; `snapshot_schedule` says when a
snapshot is due; `deadline_timer` serves many deadlines with one timer. Imports the runtime's ports and
messages. Start reading at `event_sourced`.
"""

from odradek_actors.base.actor import ActorContext, OdradekActor
from odradek_actors.base.behaviour import RESTORING, TAKING
from odradek_actors.base.deadline_timer import DeadlineTimer
from odradek_actors.base.decision_model import DecisionModel
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.base.policy import Policy, Reaction

__all__ = [
    "RESTORING",
    "TAKING",
    "ActorContext",
    "DeadlineTimer",
    "DecisionModel",
    "EventSourcedActor",
    "OdradekActor",
    "Policy",
    "Reaction",
]
