"""The client-side producer: checks and normalises messages, limits the bytes in flight, returns promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from odradek_actors.client.topics import TopicCalls
from odradek_actors.errors import ActorStopped, BufferFull, SystemClosed, WaitOnActorThread
from odradek_actors.logs import get_logger
from odradek_actors.messages.core import Command
from odradek_actors.messages.producers import (
    CloseProducer,
    DescribeProducer,
    FlushProducer,
    OpenProducer,
    Receipt,
    Send,
)
from odradek_actors.runtime.promise import Promise
from odradek_actors.validation import (
    MAX_ID,
    awaits_answers,
    bytes_or_none,
    moment,
    seconds,
    text,
    time_limit,
    whole_number,
)
from odradek_domain.errors import MessageTooLarge
from odradek_domain.values.message import Headers, Message, checked_headers
from odradek_domain.values.names import ProducerId, TopicName
from odradek_events.validation import items

__all__ = ["Acks", "ProducerHandle", "Unacknowledged"]

Acks = Literal["all", "1", "0", "-1", 1, 0, -1]
"""When a send counts as done: once it is durable ("all", -1, 1), or once it is accepted (0)."""

_MESSAGE_OVERHEAD = 128  # bytes counted per message besides its contents, so that empty messages fill the buffer too

Data = str | bytes | None
_log = get_logger(actor="producer")
Entry = tuple[Data, Data] | tuple[Data, Data, Iterable[tuple[str, bytes | None]]] | Data


class Unacknowledged(msgspec.Struct, frozen=True):
    """A dead letter for `count` messages that were sent with `acks=0` and may not be stored.

    It does not hold the messages themselves, because a full disk can cause many such letters.
    """

    topic: str
    count: int
    error: BaseException


class ProducerHandle:
    """Sends messages. Get one from `ActorSystem.producer`. Handles with the same client id share one producer.

    Keys and values are bytes or str (sent as UTF-8); a value of None is a tombstone. Thread-safe.

    A producer's messages to one partition are stored in the order in which they were sent, each exactly once within a
    run of the system. A message whose promise failed with DeliveryTimedOut, OutcomeUnknown, ActorFailed or
    RequestTimedOut may or may not be stored; after any other error it is not stored.

    With `acks=0` the promise is fulfilled as soon as the handle accepts the message, and its Receipt has -1 for every
    unknown number. Later errors are not reported to the caller: a message that may not be stored is logged and counted
    in a dead letter.
    """

    def __init__(self, system: TopicCalls, client_id: str, *, linger_ms: int = 0, acks: Acks = "all") -> None:
        seconds("linger_ms / 1000", whole_number("linger_ms", linger_ms) / 1000)
        self.client_id = str(ProducerId(client_id))
        self._system = system
        self._stream = f"producer/{self.client_id}"
        self._linger_ms = linger_ms
        self._awaits_answers = awaits_answers(acks)
        self._limit = system.settings.max_message_bytes
        self._buffer = system.runtime.budget(system.settings.buffer_bytes)
        self._is_closed = False
        self._number = system.runtime.new_number()
        self._has_actor = False  # whether the producer's actor knows this handle

    def send(
        self,
        topic: str,
        value: Data = None,
        *,
        key: Data = None,
        headers: Iterable[tuple[str, bytes | None]] = (),
        partition: int | None = None,
        timestamp: datetime | None = None,
        correlation_id: str = "",
        causation_id: str = "",
    ) -> Promise[Receipt]:
        """Send one message; the promise gives its Receipt once it is durable (or at once, with `acks=0`).

        `partition` takes precedence over `key`; with neither, batches take the partitions in turn. `timestamp` is an
        aware datetime, by default now, and does not affect the order. `correlation_id` (default: a new id) is stored in
        the event's metadata; `causation_id` is the id of the event that caused this message, if any. Raises at once for
        an invalid name or value, for a message above the size limit (MessageTooLarge), and if the buffer stays full for
        max_block_ms (BufferFull). The promise reports all other errors, such as TopicNotFound and PartitionNotFound.
        """
        runtime = self._system.runtime
        message = Message(
            runtime.new_id(),
            bytes_or_none("key", key),
            bytes_or_none("value", value),
            runtime.now() if timestamp is None else moment("timestamp", timestamp),
            checked_headers(headers),
        )
        promise = runtime.promise(_only)
        self._send(topic, (message,), self._checked(message.size), partition, promise, correlation_id, causation_id)
        return promise if self._awaits_answers else self._kept(runtime.promise(_only), topic, (message,), partition)

    def send_batch(
        self,
        topic: str,
        entries: Iterable[Entry],
        *,
        partition: int | None = None,
        timestamp: datetime | None = None,
        correlation_id: str = "",
        causation_id: str = "",
    ) -> Promise[list[Receipt]]:
        """Send messages atomically, all in one commit or none; the promise gives a Receipt for each, in order.

        Each entry is a (key, value) pair, a (key, value, headers) triple, or a value without a key. Keyless messages of
        one batch go to the same partition. An empty batch sends nothing, and the promise gives an empty list. Raises
        like `send`.
        """
        runtime = self._system.runtime
        if isinstance(entries, str | bytes | Mapping):
            raise TypeError(
                f"send_batch takes a list of entries, not {type(entries).__name__}; use send for one message"
            )
        listed = items("entries", entries)
        now = runtime.now() if timestamp is None else moment("timestamp", timestamp)
        ids = runtime.new_ids(len(listed))
        messages, size = self._messages(ids, listed, now)
        promise: Promise[list[Receipt]] = runtime.promise()
        if not messages:
            TopicName(topic)
            self._require_open()
            promise.tell([])
            return promise
        self._send(topic, messages, size, partition, promise, correlation_id, causation_id)
        return promise if self._awaits_answers else self._kept(runtime.promise(), topic, messages, partition)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every earlier send is stored or has failed, with any `acks`.

        Raises RequestTimedOut after `timeout` seconds (default: 30). Failed sends raise only through their own promise.
        """
        limit = time_limit("timeout", timeout)
        self._require_open()
        self._system.runtime.refuse_to_wait()
        sent = self._buffer.holders()
        self._system.command(self._stream, FlushProducer()).result(limit)
        self._system.runtime.wait_for_all(sent, limit)

    @property
    def message_count(self) -> int:
        """The number of acknowledged messages of this client id, in this run and earlier ones."""
        count: int = self._system.query(self._stream, DescribeProducer()).result()
        return count

    def close(self, timeout: float | None = None) -> None:
        """Flush, record the number of acknowledged messages, and refuse further sends. Idempotent.

        Raises RequestTimedOut after `timeout` seconds (default: 30). Other handles with this client id stay open.
        """
        limit = time_limit("timeout", timeout)
        if self._is_closed:
            return
        if self._system.is_closed:
            self._is_closed = True
            return
        self._system.runtime.refuse_to_wait()
        closed = self._system.command(self._stream, CloseProducer(self._number))
        self._is_closed = True
        sent = self._buffer.holders()
        try:
            closed.result(limit)
            self._system.runtime.wait_for_all(sent, limit)
        except Exception:
            self._is_closed = False  # call it again
            raise
        self._system.forget(self._stream)

    def __repr__(self) -> str:
        return f"<ProducerHandle {self.client_id!r}{', closed' if self._is_closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _messages(self, ids: list[str], entries: list[Entry], now: datetime) -> tuple[tuple[Message, ...], int]:
        """Build the messages of a batch and sum their sizes in one loop, since this runs for every message."""
        limit, total = self._limit, 0
        messages = []
        for message_id, entry in zip(ids, entries, strict=True):
            key, value, headers = _parts(entry)
            if type(key) is not bytes:
                key = bytes_or_none("key", key)
            if type(value) is not bytes:
                value = bytes_or_none("value", value)
            size = (len(key) if key else 0) + (len(value) if value else 0)
            message = Message(message_id, key, value, now, headers) if headers else Message(message_id, key, value, now)
            if headers:
                size = message.size
            if size > limit:
                raise MessageTooLarge(size, limit)
            total += size
            messages.append(message)
        return tuple(messages), total

    def _checked(self, size: int) -> int:
        if size > self._limit:
            raise MessageTooLarge(size, self._limit)
        return size

    def _send(
        self,
        topic: str,
        messages: tuple[Message, ...],
        size: int,
        partition: int | None,
        promise: Promise[Any],
        correlation_id: str,
        causation_id: str,
    ) -> None:
        self._require_open()
        name = str(TopicName(topic))
        if partition is not None:
            whole_number("partition", partition)
        correlation_id = text("correlation_id", correlation_id, MAX_ID)
        causation_id = text("causation_id", causation_id, MAX_ID)
        size += len(correlation_id) + len(causation_id)
        settings = self._system.settings
        room = size + _MESSAGE_OVERHEAD * len(messages)
        if not self._has_actor:
            self._open()
        send = Send(name, messages, size, partition, self._linger_ms, self._number)
        command = Command(send, promise, 0, correlation_id or self._system.runtime.new_id(), causation_id)
        promise.add_done_callback(partial(self._answered, send))
        try:
            if not self._buffer.acquire(promise, room, settings.max_block_ms / 1000):
                raise BufferFull(settings.buffer_bytes, settings.max_block_ms)
            self._system.tell(self._stream, command)
        except BaseException:  # after an interruption the message may be on its way; a second release does nothing
            self._buffer.release(promise)
            raise

    def _open(self) -> None:
        """Register this handle with the producer's actor, which then does not passivate: that could reorder sends."""
        opened = self._system.command(self._stream, OpenProducer(self._number))
        try:
            opened.result()
        except WaitOnActorThread:  # in a promise's callback, perhaps of this very actor, which is alive then
            return
        except ActorStopped:  # the next actor learns of the handle from its first send
            pass
        self._has_actor = True

    def _answered(self, send: Send, promise: Promise[Any]) -> None:
        self._buffer.release(promise)
        if not self._awaits_answers and (error := promise.exception()) is not None:
            lost = Unacknowledged(send.topic, len(send.messages), error)
            _log.warning("messages may not be stored", topic=lost.topic, count=lost.count, error=str(error))
            self._system.runtime.bury(f"topic/{send.topic}", lost)

    def _kept(
        self, promise: Promise[Any], topic: str, messages: tuple[Message, ...], partition: int | None
    ) -> Promise[Any]:
        """Fulfil the promise of messages sent with `acks=0`."""
        place = -1 if partition is None else partition
        promise.tell([Receipt(topic, place, -1, -1, message.timestamp) for message in messages])
        return promise

    def _require_open(self) -> None:
        if self._is_closed:
            raise SystemClosed(f"producer {self.client_id!r}")


def _only(receipts: Any) -> Receipt:
    """Return the only Receipt of a single send."""
    receipt: Receipt = receipts[0]
    return receipt


def _parts(entry: Entry) -> tuple[Data, Data, Headers]:
    if type(entry) is not tuple:
        return None, entry, ()  # type: ignore[return-value]  # a value; bytes_or_none refuses other types
    if len(entry) == 2:
        return entry[0], entry[1], ()
    if len(entry) == 3:
        return entry[0], entry[1], () if entry[2] is None else checked_headers(entry[2])
    raise ValueError(
        f"a batch entry is a value, a (key, value) pair or a (key, value, headers) triple, not a tuple of {len(entry)}"
    )
