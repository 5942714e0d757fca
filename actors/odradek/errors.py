"""Every error that Odradek raises on purpose, in five trees.

Each class has a stable, machine-readable `code`; `retriable` says whether the same request may succeed later. Wrong
arguments raise ValueError or TypeError instead, at once.

    LogError                            the event log
    ├── AppendError                     an append was refused; nothing of it was written
    │   ├── WrongExpectedVersion        the stream is not at the version that the writer expected
    │   ├── ConditionNotMet             an event matches the condition, which allows none
    │   ├── ConditionBeyondHead         the condition starts after a position that does not exist yet
    │   ├── CommitIdReused              the commit id belongs to a commit with other content
    │   ├── LogFull                     no space left on the disk
    │   ├── EventNotSerializable        a value that JSON cannot hold, or an unregistered type
    │   └── InvalidStream               a stream name that is not <type>/<id>
    ├── OutcomeUnknown                  the append may or may not have been written; reopen the log and read
    ├── LogUnavailable                  the log is closed or cannot be used at the moment
    ├── OpenError                       the log cannot be opened
    │   ├── LogNotFound · NotALog · LogTooNew · LogLocked
    │   └── LogNotReadable · LogNotWritable
    ├── PositionBeyondHead              the log has no such position
    ├── PositionNotReached              the log did not reach the position in time; also a TimeoutError
    ├── CorrelationNotFound             no event has this correlation id or event id
    ├── CorrelationIsAmbiguous          several correlation ids start with this text
    ├── EventNotReadable                a stored event cannot be read with the registered types; the log is sound
    │   ├── UnknownEventType            its type, or that version of it, is not registered
    │   ├── SchemaMismatch              it does not fit the class of its type and version
    │   └── UpcasterFailed              an upcaster does not fit it
    ├── DamagedCommit                   a stored commit cannot be decoded or does not fit its neighbours
    ├── SnapshotsUnavailable            the file of snapshots cannot be used; the log itself can
    ├── NothingToSalvage                a damaged log has no sound commit
    ├── RegistrationError               an event type or an aggregate was declared wrongly
    ├── ExchangeError                   exporting or importing a log
    │   ├── NotAnExport                 the file is something else
    │   ├── ExportTooNew                a newer Odradek wrote the export
    │   ├── DamagedExport               a line of the export is damaged
    │   └── LibraryMissing              the format needs a library that is not installed
    └── ProjectionError                 projections and their views
        ├── ProjectionFailed            the projection raised an exception
        ├── ProjectionOutdated          another version of the projection built the view
        ├── ViewsOfAnotherLog           the view was built from another log
        ├── NotViews                    the file is something else
        └── ViewsUnavailable            the file of views cannot be read or written at the moment

    DomainError                         a rule refused the request
    ├── ValidationError                 a value that is never valid; also a ValueError
    │   ├── InvalidTopicName · InvalidIdentifier · InvalidMessageId · InvalidOffset · InvalidPartitionCount
    │   ├── InvalidMessage · InvalidHeader · InvalidPattern · MessageTooLarge · InvalidRetention
    │   ├── OffsetAlreadyAssigned
    │   └── InvalidAppend               the partitions or sequence numbers do not fit the messages
    ├── TopicNotFound · TopicAlreadyExists · UnknownTopicId · PartitionNotFound · PartitionCountMustGrow
    ├── OffsetNotFound                  the offset is out of range
    ├── MessagesNotHeld                 the messages are no longer in memory; read them from the log
    ├── NoCommittedOffset               no committed offset, and auto_offset_reset is none
    ├── OutOfOrderSequence · ProducerFenced · ProducerNotRegistered
    ├── ConsumerNotSubscribed · ConsumerNotPositioned · ConsumerAlreadyOpen · ConsumerClosed
    ├── PositionWouldGoBackwards · CommitWouldGoBackwards · OffsetMetadataTooLarge
    ├── UnknownMember · IllegalGeneration · RebalanceInProgress · FencedInstanceId
    ├── UnknownAssignor · InconsistentAssignors
    ├── InvalidAssignment               the answer of an assignor of your own
    ├── GroupNotFound · GroupNotEmpty · NothingToShift
    ├── ConsumerNotAssigned · SubscriptionConflict
    ├── NoApplier                       a mistake in an aggregate: it decided an event that it does not apply
    ├── AggregateFailed                 an aggregate of your own could not be folded
    └── RepositoryError                 a repository could not load or store

    ActorError                          no answer, or none in time
    ├── ActorStopped                    the actor has stopped; the next request starts a new one
    ├── AnswerLost                      an actor failed at the answer to its request, so the outcome is unknown
    ├── ActorFailed                     the actor gave up after repeated failures
    ├── DecisionContended               the facts that a decision was based on kept changing while it was stored
    ├── RequestTimedOut                 no answer in time, so the outcome is unknown; also a TimeoutError
    ├── DeliveryTimedOut                the producer gave up on a batch, so the outcome is unknown
    ├── BufferFull                      the producer's buffer stayed full for max_block_ms
    ├── SystemClosed                    the system is closed
    ├── NotUnderstood                   the actor has no handler for the message
    ├── HandlerAborted                  an actor's code raised SystemExit or the like
    ├── ForkedProcess                   the system belongs to the parent process
    └── WaitOnActorThread               a promise callback made a call that waits

    SimulationError                     simulated worlds
    ├── ForbiddenInWorld                real time, randomness, a socket or a thread was used in a world
    ├── StepLimitReached                a world did not end within its limit of steps
    ├── WorldStalled                    one step takes too long in real time
    ├── InvalidToken                    a token that cannot be read
    ├── ReplayDiverged                  a replayed run took another course than the recorded one
    ├── TargetNotFound                  a target of a simulation cannot be imported
    ├── CheckpointUnusable              the file of a sweep cannot be continued or written
    ├── MissingExtra                    a library is not installed; also an ImportError
    └── SimulationFailed                a run failed; also an AssertionError

    LabError                            studies of consistency boundaries; also a ValueError
    ├── InvalidReadSet                  a read-set names what does not exist, or what no tag finds
    ├── InvalidModel                    a boundary, an invariant or a command does not fit the model
    ├── InvalidWorkload                 the workload measures nothing, or contradicts itself
    ├── DecisionFailed                  a decider raised an error that is not a refusal
    ├── DecisionNotPure                 a decider decided differently on the same facts
    ├── MatplotlibMissing               matplotlib is not installed; also an ImportError
    └── NotAReport                      the file is not a report of this version

`SnapshotWarning` is a UserWarning, not an error: an actor of your own failed to save or to load its snapshot.
"""

from __future__ import annotations

from odradek_actors.errors import (
    ActorError,
    ActorFailed,
    ActorStopped,
    AnswerLost,
    BufferFull,
    DecisionContended,
    DeliveryTimedOut,
    ForkedProcess,
    HandlerAborted,
    NotUnderstood,
    RequestTimedOut,
    SnapshotWarning,
    SystemClosed,
    WaitOnActorThread,
)
from odradek_boundaries.errors import (
    DecisionFailed,
    DecisionNotPure,
    InvalidModel,
    InvalidReadSet,
    InvalidWorkload,
    LabError,
    MatplotlibMissing,
    NotAReport,
)
from odradek_domain.errors import (
    AggregateFailed,
    CommitWouldGoBackwards,
    ConsumerAlreadyOpen,
    ConsumerClosed,
    ConsumerNotPositioned,
    ConsumerNotSubscribed,
    DomainError,
    InvalidAppend,
    InvalidHeader,
    InvalidIdentifier,
    InvalidMessage,
    InvalidMessageId,
    InvalidOffset,
    InvalidPartitionCount,
    InvalidPattern,
    InvalidTopicName,
    MessagesNotHeld,
    MessageTooLarge,
    NoApplier,
    NoCommittedOffset,
    OffsetAlreadyAssigned,
    OffsetMetadataTooLarge,
    OffsetNotFound,
    OutOfOrderSequence,
    PartitionCountMustGrow,
    PartitionNotFound,
    PositionWouldGoBackwards,
    ProducerFenced,
    ProducerNotRegistered,
    RepositoryError,
    TopicAlreadyExists,
    TopicNotFound,
    UnknownTopicId,
    ValidationError,
)
from odradek_domain.group.assignors.kafka import (
    InvalidAssignment,
)
from odradek_domain.group.errors import (
    ConsumerNotAssigned,
    FencedInstanceId,
    GroupNotEmpty,
    GroupNotFound,
    IllegalGeneration,
    InconsistentAssignors,
    NothingToShift,
    RebalanceInProgress,
    SubscriptionConflict,
    UnknownAssignor,
    UnknownMember,
)
from odradek_domain.topic.retention import (
    InvalidRetention,
)
from odradek_events.errors import (
    AppendError,
    CommitIdReused,
    ConditionBeyondHead,
    ConditionNotMet,
    CorrelationIsAmbiguous,
    CorrelationNotFound,
    DamagedCommit,
    EventNotReadable,
    EventNotSerializable,
    InvalidStream,
    LogError,
    LogFull,
    LogLocked,
    LogNotFound,
    LogNotReadable,
    LogNotWritable,
    LogTooNew,
    LogUnavailable,
    NotALog,
    NothingToSalvage,
    OpenError,
    OutcomeUnknown,
    PositionBeyondHead,
    PositionNotReached,
    RegistrationError,
    SchemaMismatch,
    SnapshotsUnavailable,
    UnknownEventType,
    UpcasterFailed,
    WrongExpectedVersion,
)
from odradek_events.exchange.errors import (
    DamagedExport,
    ExchangeError,
    ExportTooNew,
    LibraryMissing,
    NotAnExport,
)
from odradek_events.projections.errors import (
    NotViews,
    ProjectionError,
    ProjectionFailed,
    ProjectionOutdated,
    ViewsOfAnotherLog,
    ViewsUnavailable,
)
from odradek_simulation.errors import (
    CheckpointUnusable,
    ForbiddenInWorld,
    InvalidToken,
    MissingExtra,
    ReplayDiverged,
    SimulationError,
    SimulationFailed,
    StepLimitReached,
    TargetNotFound,
    WorldStalled,
)

__all__ = [
    "ActorError",
    "ActorFailed",
    "ActorStopped",
    "AggregateFailed",
    "AnswerLost",
    "AppendError",
    "BufferFull",
    "CheckpointUnusable",
    "CommitIdReused",
    "CommitWouldGoBackwards",
    "ConditionBeyondHead",
    "ConditionNotMet",
    "ConsumerAlreadyOpen",
    "ConsumerClosed",
    "ConsumerNotAssigned",
    "ConsumerNotPositioned",
    "ConsumerNotSubscribed",
    "CorrelationIsAmbiguous",
    "CorrelationNotFound",
    "DamagedCommit",
    "DamagedExport",
    "DecisionContended",
    "DecisionFailed",
    "DecisionNotPure",
    "DeliveryTimedOut",
    "DomainError",
    "EventNotReadable",
    "EventNotSerializable",
    "ExchangeError",
    "ExportTooNew",
    "FencedInstanceId",
    "ForbiddenInWorld",
    "ForkedProcess",
    "GroupNotEmpty",
    "GroupNotFound",
    "HandlerAborted",
    "IllegalGeneration",
    "InconsistentAssignors",
    "InvalidAppend",
    "InvalidAssignment",
    "InvalidHeader",
    "InvalidIdentifier",
    "InvalidMessage",
    "InvalidMessageId",
    "InvalidModel",
    "InvalidOffset",
    "InvalidPartitionCount",
    "InvalidPattern",
    "InvalidReadSet",
    "InvalidRetention",
    "InvalidStream",
    "InvalidToken",
    "InvalidTopicName",
    "InvalidWorkload",
    "LabError",
    "LibraryMissing",
    "LogError",
    "LogFull",
    "LogLocked",
    "LogNotFound",
    "LogNotReadable",
    "LogNotWritable",
    "LogTooNew",
    "LogUnavailable",
    "MatplotlibMissing",
    "MessageTooLarge",
    "MessagesNotHeld",
    "MissingExtra",
    "NoApplier",
    "NoCommittedOffset",
    "NotALog",
    "NotAReport",
    "NotAnExport",
    "NotUnderstood",
    "NotViews",
    "NothingToSalvage",
    "NothingToShift",
    "OffsetAlreadyAssigned",
    "OffsetMetadataTooLarge",
    "OffsetNotFound",
    "OpenError",
    "OutOfOrderSequence",
    "OutcomeUnknown",
    "PartitionCountMustGrow",
    "PartitionNotFound",
    "PositionBeyondHead",
    "PositionNotReached",
    "PositionWouldGoBackwards",
    "ProducerFenced",
    "ProducerNotRegistered",
    "ProjectionError",
    "ProjectionFailed",
    "ProjectionOutdated",
    "RebalanceInProgress",
    "RegistrationError",
    "ReplayDiverged",
    "RepositoryError",
    "RequestTimedOut",
    "SchemaMismatch",
    "SimulationError",
    "SimulationFailed",
    "SnapshotWarning",
    "SnapshotsUnavailable",
    "StepLimitReached",
    "SubscriptionConflict",
    "SystemClosed",
    "TargetNotFound",
    "TopicAlreadyExists",
    "TopicNotFound",
    "UnknownAssignor",
    "UnknownEventType",
    "UnknownMember",
    "UnknownTopicId",
    "UpcasterFailed",
    "ValidationError",
    "ViewsOfAnotherLog",
    "ViewsUnavailable",
    "WaitOnActorThread",
    "WorldStalled",
    "WrongExpectedVersion",
]
