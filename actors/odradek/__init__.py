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
from odradek_actors.base.actor import Settings
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.producer import ProducerHandle
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.client.replay_check import ReplayCheck
from odradek_actors.client.system import ActorHandle, ActorSystem
from odradek_actors.errors import ActorError, SnapshotWarning
from odradek_actors.messages.consumers import ConsumerRecord
from odradek_actors.messages.core import Receipt, TopicDescription
from odradek_actors.messages.recovery import SnapshotSchema
from odradek_actors.runtime.threads import Promise
from odradek_domain.aggregate import Aggregate
from odradek_domain.errors import DomainError
from odradek_domain.group.assignors.kafka import Assignor, MemberSubscription
from odradek_domain.group.member import GroupMember, GroupSnapshot, GroupState
from odradek_domain.group.offset_reset import PlannedReset, ShiftBy
from odradek_domain.replay.lag import MemberLag
from odradek_domain.replay.message_trace import follow_messages
from odradek_domain.replay.system_state import SystemState
from odradek_domain.values.positions import TopicPartition
from odradek_events.errors import LogError
from odradek_events.exchange.jsonl import export_log, import_log
from odradek_events.exchange.parquet import export_parquet
from odradek_events.log.memory import MemoryLog
from odradek_events.log.port import EventLog, LogStore
from odradek_events.maintenance.backup import backup
from odradek_events.maintenance.salvage import salvage
from odradek_events.maintenance.verify import verify
from odradek_events.opening import open_log
from odradek_events.projections.runner import Projection, ProjectionLag, ProjectionRunner
from odradek_events.projections.view_file import open_views
from odradek_events.record import Append, Appended, Condition, Query, QueryItem, Recorded
from odradek_events.schema.registry import OffsetTag, event
from odradek_events.schema.upcasters import Upcaster
from odradek_events.sqlite.log import SqliteLog
from odradek_events.trace import trace

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
