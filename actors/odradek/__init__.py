"""Odradek: an event-sourced actor system with Kafka's domain model, in one process.

`ActorSystem` runs it, `open_log` opens what it wrote, `SystemState.replay` rebuilds any moment of it. For a model of your own:
`event` registers event types, `Aggregate` folds them, `EventSourcedActor` owns the aggregate.
"""

from odradek_actors.actor import Settings
from odradek_actors.consumer_handle import ConsumerHandle
from odradek_actors.errors import ActorError
from odradek_actors.event_sourced import EventSourcedActor
from odradek_actors.producer_handle import ProducerHandle
from odradek_actors.protocol import ConsumerRecord, Receipt, TopicDescription
from odradek_actors.runtime import Promise
from odradek_actors.system import ActorHandle, ActorSystem, ReplayCheck
from odradek_domain.aggregate import Aggregate
from odradek_domain.errors import DomainError
from odradek_domain.positions import TopicPartition
from odradek_domain.system_state import SystemState
from odradek_events.errors import LogError
from odradek_events.integrity import verify
from odradek_events.log import EventLog
from odradek_events.memory import MemoryLog
from odradek_events.opening import open_log
from odradek_events.record import Append, Appended, Recorded
from odradek_events.registry import OffsetTag, event, upcast
from odradek_events.sqlite import SqliteLog
from odradek_events.transfer import backup

__all__ = [
    "ActorError",
    "ActorHandle",
    "ActorSystem",
    "Aggregate",
    "Append",
    "Appended",
    "ConsumerHandle",
    "ConsumerRecord",
    "DomainError",
    "EventLog",
    "EventSourcedActor",
    "LogError",
    "MemoryLog",
    "OffsetTag",
    "ProducerHandle",
    "Promise",
    "Receipt",
    "Recorded",
    "ReplayCheck",
    "Settings",
    "SqliteLog",
    "SystemState",
    "TopicDescription",
    "TopicPartition",
    "backup",
    "event",
    "open_log",
    "upcast",
    "verify",
]
