"""The base of every actor: dispatch by message type, sends through one helper, nothing lost at stop.

Pykka stops an actor silently after a failing `tell` and drops pending tells at stop. Here an exception in a handler is
logged and answered, and whatever is left in the inbox at stop is bounced to its senders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
import pykka

from odradek_actors.errors import ActorStopped, NotUnderstood
from odradek_actors.logs import get_logger
from odradek_actors.messages.core import Command, GetStatus, Query, Recipient, Reply, Status, Tick
from odradek_actors.runtime.threads import ThreadedRuntime
from odradek_actors.validation import seconds, whole_number
from odradek_domain.group.assignors.kafka import BUILT_IN, Assignor
from odradek_domain.topic.partition import REMEMBERED_BATCHES

__all__ = ["ActorContext", "OdradekActor", "Settings"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a system can be set to. Times in seconds, in milliseconds where the name ends in `_ms`; sizes in bytes.

    auto_create_topics     a send to a missing topic creates it, with `default_partitions`; otherwise TopicNotFound
    max_message_bytes      the limit for key, value and headers of one message together; above it MessageTooLarge
    buffer_bytes           what one producer handle may have unacknowledged; then `send` blocks
    max_block_ms           for how long it blocks before BufferFull
    batch_messages, batch_bytes     the most that travels as one append; a single larger `send_batch` still goes, alone
    max_in_flight          batches that may be unanswered for each producer and topic, 1 to 5: what a topic remembers
    delivery_timeout       after this a send fails with DeliveryTimedOut, its outcome unknown
    retry_backoff          the wait before a batch is sent again, and before an actor recovers again
    tail_messages, tail_bytes       the newest messages each partition keeps in memory; older ones are read from the log
    read_cache_bytes       the commits read from the log last that are kept in memory, in bytes as stored, and
                           the last two in any case; 0: none
    fetch_bytes            the most bytes of one delivery to a consumer, but always one message
    progress_interval      how often a producer records how many messages were acknowledged
    retention_check_interval        how often a topic with limits lets go what is beyond them
    snapshot_interval      events between two snapshots of an aggregate, more where snapshots are large; 0: no snapshots
    offsets_retention      a group that has been without members and commits for so long loses its offsets; None: never
    """

    auto_create_topics: bool = True
    default_partitions: int = 1
    max_message_bytes: int = 1 << 20
    buffer_bytes: int = 32 << 20
    max_block_ms: int = 30_000
    batch_messages: int = 5000
    batch_bytes: int = 8 << 20
    max_in_flight: int = 5
    delivery_timeout: float = 30.0
    retry_backoff: float = 0.05
    tail_messages: int = 4096
    tail_bytes: int = 8 << 20
    read_cache_bytes: int = 16 << 20
    fetch_bytes: int = 16 << 20
    progress_interval: float = 1.0
    retention_check_interval: float = 300.0
    snapshot_interval: int = 10_000
    offsets_retention: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that no system could work with."""
        if type(self.auto_create_topics) is not bool:
            raise TypeError(f"auto_create_topics is True or False, not {self.auto_create_topics!r}")
        for name in ("max_block_ms", "tail_messages", "tail_bytes", "read_cache_bytes", "snapshot_interval"):
            whole_number(name, getattr(self, name))
        for name in _AT_LEAST_ONE:
            whole_number(name, getattr(self, name), 1)
        if self.max_in_flight > REMEMBERED_BATCHES:
            raise ValueError(
                f"max_in_flight must be {REMEMBERED_BATCHES} or less, not {self.max_in_flight}: "
                "of batches further back a topic does not know that they are repeats"
            )
        for name in ("delivery_timeout", "retry_backoff", "progress_interval", "retention_check_interval"):
            seconds(name, getattr(self, name))
        seconds("max_block_ms / 1000", self.max_block_ms / 1000)
        if not self.retention_check_interval:
            raise ValueError("retention_check_interval must be more than 0 seconds, or topics would do nothing else")
        if self.offsets_retention is not None:
            seconds("offsets_retention", self.offsets_retention)


_AT_LEAST_ONE = (
    "default_partitions",
    "max_message_bytes",
    "buffer_bytes",
    "batch_messages",
    "batch_bytes",
    "max_in_flight",
    "fetch_bytes",
)


class ActorContext:
    """Where an actor finds the others, and the world. Refs may be handed on; nothing else crosses a mailbox."""

    __slots__ = ("assignors", "directory", "journal", "log_reader", "run_id", "runtime", "settings", "snapshots")

    def __init__(
        self, runtime: ThreadedRuntime, settings: Settings, assignors: Mapping[str, Assignor] = BUILT_IN
    ) -> None:
        self.runtime = runtime
        self.settings = settings
        self.assignors = assignors
        self.run_id = runtime.new_id()  # of this run of the system, from open to close
        self.journal: Recipient
        self.log_reader: Recipient
        self.directory: Recipient
        self.snapshots: Recipient


class OdradekActor(pykka.ThreadingActor):
    """An actor whose `handlers` map message types to methods. A runtime binds it, overriding Pykka's hooks."""

    cause = ""
    """The id of the event that what is being done now follows from, if it follows from one."""

    def __init__(self, context: ActorContext) -> None:
        super().__init__()
        self.context = context
        self.runtime = context.runtime
        self.settings = context.settings
        self.handled = 0
        self.handlers: dict[type[Any], Callable[[Any], None]] = {}
        self._continuations: dict[int, Callable[[Any], None]] = {}
        self.log = get_logger(actor=type(self).__name__)

    def on_receive(self, message: object) -> None:
        """Dispatch; an exception is answered to who asked, and ends neither the actor nor the process."""
        kind = type(message)
        if kind is Query and type(message.body) is GetStatus:  # type: ignore[attr-defined]  # narrowed by type() above
            self.reply(message, Status(self.handled, self.is_busy()))  # type: ignore[arg-type]  # as above
            return
        self.handled += 1
        try:
            if kind is Reply:
                self._continue(message)  # type: ignore[arg-type]  # narrowed by type() above
            else:
                handler = self.handlers.get(kind)
                if handler is None:
                    raise NotUnderstood(type(self).__name__, kind.__name__)
                handler(message)
        except Exception as error:
            self.handler_failed(message, error)

    def handler_failed(self, message: object, error: Exception) -> None:
        """Log what a handler raised, and answer who asked."""
        self.log.error("handler failed", message=type(message).__name__, error=repr(error), exc_info=error)
        if isinstance(message, Command | Query):
            self.reply(message, error)

    def is_busy(self) -> bool:
        """Say whether something is under way that will change state without a further message from outside."""
        return False

    def send(self, recipient: Recipient, message: object) -> None:
        """Tell somebody something."""
        self.runtime.send(recipient, message)

    def reply(self, request: Command | Query, value: object) -> None:
        """Answer a request; an exception as value is a failure."""
        self.runtime.send(request.reply_to, Reply(request.request_id, value))

    def request(
        self, recipient: Recipient, body: object, then: Callable[[Any], None], *, command: Command | None = None
    ) -> None:
        """Ask another actor; `then` is called with the answer, or with the exception that is the answer.

        A body is asked as a Command on behalf of `command` if there is one, else as a Query. It keeps the correlation
        id. Its causation id is that of the event just stored; failing that, of what caused `command`; failing that, of
        `command` itself, which then began the conversation and is known by the correlation id.
        """
        number = self.runtime.new_number()
        self._continuations[number] = partial(self._follow, self.cause, then) if self.cause else then
        if command is None:
            self.send(recipient, Query(body, self.actor_ref, number))
        else:
            cause = self.cause or command.causation_id or command.correlation_id
            self.send(recipient, Command(body, self.actor_ref, number, command.correlation_id, cause))

    def tick(self, delay: float, purpose: Tick) -> None:
        """Have a Tick sent to this actor after `delay` seconds."""
        self.runtime.later(delay, self.actor_ref, purpose)

    def on_stop(self) -> None:
        """Let nobody wait: those whose request waits for another actor's answer, and those still in the inbox."""
        stopped = ActorStopped(type(self).__name__)
        while self._continuations:
            _, then = self._continuations.popitem()
            try:
                then(stopped)
            except Exception as error:  # the others are to be told too
                self.log.error("continuation failed", error=repr(error), exc_info=error)
        self.runtime.drain(self.actor_ref)

    def _actor_loop_teardown(self) -> None:
        """Bounce what came in after `on_stop`, which Pykka would drop, and after a failure, when it is not called."""
        self.runtime.drain(self.actor_ref)

    def _follow(self, cause: str, then: Callable[[Any], None], value: Any) -> None:
        """Do what follows from the event `cause`, and let it be the cause of what is asked meanwhile."""
        before, self.cause = self.cause, cause
        try:
            then(value)
        finally:
            self.cause = before

    def _continue(self, message: Reply) -> None:
        then = self._continuations.pop(message.request_id, None)
        if then is not None:
            then(message.value)
