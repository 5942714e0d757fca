"""Odradek: an event-sourced actor system with Kafka's domain model, in one process.

`ActorSystem` runs it and `open_log` opens what it wrote. `SystemState.replay` rebuilds the state at any position,
`verify` checks a log, `backup` copies it, `salvage` copies the sound part of a damaged one, `export_log` and
`import_log` exchange it with other programs, `trace` shows what a command led to, and a `ProjectionRunner` keeps views
up to date. For models of your own: `event` registers event types, `Upcaster` reads their older versions, `Aggregate`
folds them, `aggregate` registers it for states and checks of a log, `EventSourcedActor` owns an aggregate,
`ActorSystem.actor` sends it messages, and a `Policy` reacts to events with commands.

`odradek.errors` has every error class and draws the three trees: `DomainError` (a rule refused the request), `LogError`
(the log failed) and `ActorError` (no answer, or none in time). Each error has a stable `code`, and `retriable` says
whether the same request may succeed later. Wrong arguments raise ValueError or TypeError at once.

`odradek.testing` tests aggregates and actors of your own, `odradek.simulation` runs concurrent producers and consumers
and checks what must hold, and `odradek.boundaries` measures what consistency boundaries cost. `odradek.__version__` is
the version of this package.

Three numbers that are never mixed: a *position* is a place in the whole log, a *version* a place in its stream, an
*offset* a place in a partition. All begin at 0 and have no gaps.

A name is imported when it is first used, so that `import odradek` costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from odradek import boundaries, errors, simulation, testing
    from odradek.logging_setup import configure_logging
    from odradek_actors.base.decision_model import DecisionModel
    from odradek_actors.base.event_sourced import EventSourcedActor
    from odradek_actors.base.policy import Policy, Reaction
    from odradek_actors.client.consumer import ConsumerHandle
    from odradek_actors.client.producer import ProducerHandle
    from odradek_actors.client.rebalance_listener import RebalanceListener
    from odradek_actors.client.replay_check import ReplayCheck
    from odradek_actors.client.system import ActorHandle, ActorSystem
    from odradek_actors.errors import ActorError, SnapshotWarning
    from odradek_actors.messages.consumers import ConsumerRecord
    from odradek_actors.messages.producers import Receipt
    from odradek_actors.messages.recovery import SnapshotSchema
    from odradek_actors.messages.topics import TopicDescription
    from odradek_actors.runtime.promise import Promise
    from odradek_actors.settings import Settings
    from odradek_actors.verification import verify
    from odradek_domain.aggregate import Aggregate
    from odradek_domain.errors import DomainError
    from odradek_domain.group.assignors.kafka import Assignor, MemberSubscription
    from odradek_domain.group.member import GroupMember, GroupSnapshot, GroupState
    from odradek_domain.group.offset_reset import PlannedReset, ShiftBy
    from odradek_domain.policy.progress import PolicySnapshot
    from odradek_domain.registry import aggregate
    from odradek_domain.replay.lag import MemberLag
    from odradek_domain.replay.message_trace import follow_messages
    from odradek_domain.replay.system_state import SystemState
    from odradek_domain.values.positions import TopicPartition
    from odradek_events.errors import LogError
    from odradek_events.exchange.data_frame import to_pandas
    from odradek_events.exchange.jsonl import export_log, import_log
    from odradek_events.exchange.parquet import export_parquet
    from odradek_events.log.memory import MemoryLog
    from odradek_events.log.port import EventLog, LogStore
    from odradek_events.maintenance.backup import backup
    from odradek_events.maintenance.salvage import salvage
    from odradek_events.opening import open_log
    from odradek_events.projections.runner import Projection, ProjectionLag, ProjectionRunner
    from odradek_events.projections.view_file import open_views
    from odradek_events.record import Append, Appended, Condition, Decision, Query, QueryItem, Recorded
    from odradek_events.schema.registry import OffsetTag, event
    from odradek_events.schema.upcasters import Upcaster
    from odradek_events.sqlite.log import SqliteLog
    from odradek_events.trace import trace

__version__ = "0.1.0"

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
    "Decision",
    "DecisionModel",
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
    "Policy",
    "PolicySnapshot",
    "ProducerHandle",
    "Projection",
    "ProjectionLag",
    "ProjectionRunner",
    "Promise",
    "Query",
    "QueryItem",
    "Reaction",
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
    "aggregate",
    "backup",
    "boundaries",
    "configure_logging",
    "errors",
    "event",
    "export_log",
    "export_parquet",
    "follow_messages",
    "import_log",
    "open_log",
    "open_views",
    "salvage",
    "simulation",
    "testing",
    "to_pandas",
    "trace",
    "verify",
]

# Where each name lives. The imports above tell type checkers the same; a test compares the two and `__all__`.
_NAMES_IN = {
    "odradek": ("boundaries", "errors", "simulation", "testing"),
    "odradek.logging_setup": ("configure_logging",),
    "odradek_actors.base.decision_model": ("DecisionModel",),
    "odradek_actors.base.event_sourced": ("EventSourcedActor",),
    "odradek_actors.base.policy": ("Policy", "Reaction"),
    "odradek_actors.client.consumer": ("ConsumerHandle",),
    "odradek_actors.client.producer": ("ProducerHandle",),
    "odradek_actors.client.rebalance_listener": ("RebalanceListener",),
    "odradek_actors.client.replay_check": ("ReplayCheck",),
    "odradek_actors.client.system": ("ActorHandle", "ActorSystem"),
    "odradek_actors.errors": ("ActorError", "SnapshotWarning"),
    "odradek_actors.messages.consumers": ("ConsumerRecord",),
    "odradek_actors.messages.producers": ("Receipt",),
    "odradek_actors.messages.recovery": ("SnapshotSchema",),
    "odradek_actors.messages.topics": ("TopicDescription",),
    "odradek_actors.runtime.promise": ("Promise",),
    "odradek_actors.settings": ("Settings",),
    "odradek_actors.verification": ("verify",),
    "odradek_domain.aggregate": ("Aggregate",),
    "odradek_domain.errors": ("DomainError",),
    "odradek_domain.group.assignors.kafka": ("Assignor", "MemberSubscription"),
    "odradek_domain.group.member": ("GroupMember", "GroupSnapshot", "GroupState"),
    "odradek_domain.group.offset_reset": ("PlannedReset", "ShiftBy"),
    "odradek_domain.policy.progress": ("PolicySnapshot",),
    "odradek_domain.registry": ("aggregate",),
    "odradek_domain.replay.lag": ("MemberLag",),
    "odradek_domain.replay.message_trace": ("follow_messages",),
    "odradek_domain.replay.system_state": ("SystemState",),
    "odradek_domain.values.positions": ("TopicPartition",),
    "odradek_events.errors": ("LogError",),
    "odradek_events.exchange.data_frame": ("to_pandas",),
    "odradek_events.exchange.jsonl": ("export_log", "import_log"),
    "odradek_events.exchange.parquet": ("export_parquet",),
    "odradek_events.log.memory": ("MemoryLog",),
    "odradek_events.log.port": ("EventLog", "LogStore"),
    "odradek_events.maintenance.backup": ("backup",),
    "odradek_events.maintenance.salvage": ("salvage",),
    "odradek_events.opening": ("open_log",),
    "odradek_events.projections.runner": ("Projection", "ProjectionLag", "ProjectionRunner"),
    "odradek_events.projections.view_file": ("open_views",),
    "odradek_events.record": ("Append", "Appended", "Condition", "Decision", "Query", "QueryItem", "Recorded"),
    "odradek_events.schema.registry": ("OffsetTag", "event"),
    "odradek_events.schema.upcasters": ("Upcaster",),
    "odradek_events.sqlite.log": ("SqliteLog",),
    "odradek_events.trace": ("trace",),
}
_MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names}

if not TYPE_CHECKING:  # a type checker that saw it would take every name

    def __getattr__(name: str) -> Any:
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module 'odradek' has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        if module == __name__:
            return import_module(f"{module}.{name}")
        value = globals()[name] = getattr(import_module(module), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
