"""Odradek: an event-sourced actor system with Kafka's domain model, in one process.

`ActorSystem` runs it, `open_log` opens what it wrote, `SystemState.replay` rebuilds any moment of it, `verify` checks
it, `backup` copies it, `salvage` what is sound of it, `export_log` and `import_log` exchange it, `trace` tells what
came of what, a `ProjectionRunner` keeps views of it. For a model of your own: `event` registers event types, `Upcaster`
says how their older versions are read, `Aggregate` folds them, `EventSourcedActor` owns the aggregate,
`ActorSystem.actor` asks it.

Errors come in three trees, each drawn where it is defined: `DomainError` (a rule refused: odradek_domain.errors),
`LogError` (the log: odradek_events.errors), `ActorError` (no answer, or not in time: odradek_actors.errors). Each error
has a stable `code`, and `retriable` says whether the same request may succeed later. Wrong arguments raise ValueError
or TypeError at once.

Three numbers that are never mixed: a *position* is a place in the whole log, a *version* one in its stream, an *offset*
one in a partition. All begin at 0 and have no gaps.
"""

from odradek.logging_setup import configure_logging
from odradek_actors.actor import Settings
from odradek_actors.consumer_handle import ConsumerHandle
from odradek_actors.consumer_protocol import ConsumerRecord
from odradek_actors.errors import ActorError, SnapshotWarning
from odradek_actors.event_sourced import EventSourcedActor
from odradek_actors.live_state import ReplayCheck
from odradek_actors.producer_handle import ProducerHandle
from odradek_actors.protocol import Receipt, TopicDescription
from odradek_actors.rebalance_listener import RebalanceListener
from odradek_actors.recovery_protocol import SnapshotSchema
from odradek_actors.runtime import Promise
from odradek_actors.system import ActorHandle, ActorSystem
from odradek_domain.aggregate import Aggregate
from odradek_domain.assignors import Assignor, MemberSubscription
from odradek_domain.errors import DomainError
from odradek_domain.group_member import GroupMember, GroupSnapshot, GroupState
from odradek_domain.lag import MemberLag
from odradek_domain.message_trace import follow_messages
from odradek_domain.offset_reset import PlannedReset, ShiftBy
from odradek_domain.positions import TopicPartition
from odradek_domain.system_state import SystemState
from odradek_events.errors import LogError
from odradek_events.exchange import export_log, import_log
from odradek_events.integrity import verify
from odradek_events.log import EventLog, LogStore
from odradek_events.memory import MemoryLog
from odradek_events.opening import open_log
from odradek_events.parquet import export_parquet
from odradek_events.projection import Projection, ProjectionLag, ProjectionRunner
from odradek_events.projection_store import open_views
from odradek_events.record import Append, Appended, Condition, Query, QueryItem, Recorded
from odradek_events.registry import OffsetTag, event
from odradek_events.salvage import salvage
from odradek_events.sqlite import SqliteLog
from odradek_events.trace import trace
from odradek_events.transfer import backup
from odradek_events.upcasters import Upcaster

__all__ = [
    "ActorError",
    "ActorHandle",
    "ActorSystem",
    "Aggregate",
    "Append",
    "Appended",
    "Assignor",
    "Condition",
    "ConsumerHandle",
    "ConsumerRecord",
    "DomainError",
    "EventLog",
    "EventSourcedActor",
    "GroupMember",
    "GroupSnapshot",
    "GroupState",
    "LogError",
    "LogStore",
    "MemberLag",
    "MemberSubscription",
    "MemoryLog",
    "OffsetTag",
    "PlannedReset",
    "ProducerHandle",
    "Projection",
    "ProjectionLag",
    "ProjectionRunner",
    "Promise",
    "Query",
    "QueryItem",
    "RebalanceListener",
    "Receipt",
    "Recorded",
    "ReplayCheck",
    "Settings",
    "ShiftBy",
    "SnapshotSchema",
    "SnapshotWarning",
    "SqliteLog",
    "SystemState",
    "TopicDescription",
    "TopicPartition",
    "Upcaster",
    "backup",
    "configure_logging",
    "event",
    "export_log",
    "export_parquet",
    "follow_messages",
    "import_log",
    "open_log",
    "open_views",
    "salvage",
    "trace",
    "verify",
]
