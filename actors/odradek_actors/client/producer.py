"""A producer as people hold it: normalises what they send, keeps the bytes in flight bounded, waits on promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from odradek_actors.client.topics import TopicCalls
from odradek_actors.errors import ActorStopped, BufferFull, SystemClosed
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
from odradek_actors.validation import awaits_answers, bytes_or_none, moment, seconds, text, time_limit, whole_number
from odradek_domain.errors import MessageTooLarge
from odradek_domain.values.message import Message, checked_headers
from odradek_domain.values.names import ProducerId, TopicName

__all__ = ["Acks", "ProducerHandle", "Unacknowledged"]

Acks = Literal["all", "1", "0", "-1", 1, 0, -1]
"""When a send counts as done: once it is durable ("all", -1, 1), or once it is accepted (0)."""

_MESSAGE_OVERHEAD = 128  # bytes that a message takes beside its contents: a flood of empty ones must find a limit too

Data = str | bytes | None
_log = get_logger(actor="producer")
Entry = tuple[Data, Data] | tuple[Data, Data, Iterable[tuple[str, bytes]]] | Data


class Unacknowledged(msgspec.Struct, frozen=True):
    """A dead letter for so many messages that were sent with `acks=0` and are not stored for certain.

    Without the messages themselves: while a disk is full there are many.
    """

    topic: str
    count: int
    error: BaseException


class ProducerHandle:
    """Sends messages. Get one from `ActorSystem.producer`; two handles with one client id are one producer.

    Keys and values are bytes or str (sent as UTF-8); a value of None is a tombstone. Usable from several threads.

    Messages of one producer to one partition are stored in the order in which they were sent, each once within a run of
    the system. A message whose promise failed with DeliveryTimedOut, OutcomeUnknown, ActorFailed or RequestTimedOut may
    or may not be stored; after any other error it is not.

    With `acks=0` a promise is kept as soon as the message is accepted: its Receipt has -1 for what is not known yet.
    Nobody is told what becomes of the message; where it is not stored for certain, it is logged and a dead letter.
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
        self._has_actor = False  # it knows of this handle

    def send(
        self,
        topic: str,
        value: Data = None,
        *,
        key: Data = None,
        headers: Iterable[tuple[str, bytes]] = (),
        partition: int | None = None,
        timestamp: datetime | None = None,
        correlation_id: str = "",
        causation_id: str = "",
    ) -> Promise[Receipt]:
        """Send one message; the promise gives its Receipt once it is durable (or at once, with `acks=0`).

        `partition` wins over `key`, which wins over turns. `timestamp` (aware) is the message's own and orders nothing;
        the default is now. `correlation_id` goes into the log's metadata and names the conversation; the default is a
        new id; `causation_id` is the id of the event that made you send this, if one did. Raises at once for a bad
        name, a bad value, a message above the size limit (MessageTooLarge), or a full buffer (BufferFull, after
        max_block_ms). TopicNotFound, PartitionNotFound and the like come through the promise.
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
        """Send messages that become durable together, all or none; the promise gives a Receipt for each, in order.

        Each entry is a (key, value) pair, a (key, value, headers) triple, or a value without a key. Keyless messages of
        one batch share a partition. No entries: nothing is sent, and the promise gives an empty list. Raises as `send`
        does.
        """
        runtime = self._system.runtime
        if isinstance(entries, str | bytes | Mapping):
            raise TypeError(
                f"send_batch takes a list of entries, not {type(entries).__name__}; use send for one message"
            )
        items = list(entries)
        now = runtime.now() if timestamp is None else moment("timestamp", timestamp)
        ids = runtime.new_ids(len(items))
        messages, size = self._messages(ids, items, now)
        promise: Promise[list[Receipt]] = runtime.promise()
        if not messages:
            TopicName(topic)
            self._require_open()
            promise.tell([])
            return promise
        self._send(topic, messages, size, partition, promise, correlation_id, causation_id)
        return promise if self._awaits_answers else self._kept(runtime.promise(), topic, messages, partition)

    def flush(self, timeout: float | None = None) -> None:
        """Wait, 30 s or `timeout` seconds, until everything sent so far is stored or has failed, whatever `acks` is.

        Raises RequestTimedOut, and nothing for a send that failed: its own promise says so.
        """
        limit = time_limit("timeout", timeout)
        self._require_open()
        sent = self._buffer.holders()
        self._system.command(self._stream, FlushProducer()).result(limit)
        self._system.runtime.wait_for_all(sent, limit)

    @property
    def message_count(self) -> int:
        """How many messages this client id has had acknowledged, in this run and earlier ones."""
        count: int = self._system.query(self._stream, DescribeProducer()).result()
        return count

    def close(self, timeout: float | None = None) -> None:
        """Flush, record the progress, and take no more messages; closing twice is fine.

        Waits 30 s or `timeout` seconds. Other handles with this client id stay open.
        """
        limit = time_limit("timeout", timeout)
        if self._is_closed:
            return
        if self._system.is_closed:
            self._is_closed = True
            return
        closed = self._system.command(self._stream, CloseProducer(self._number))
        self._is_closed = True
        sent = self._buffer.holders()
        closed.result(limit)
        self._system.runtime.wait_for_all(sent, limit)
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
        """Make the messages of a batch, and add up their bytes. One loop: this is paid for every message."""
        limit, total = self._limit, 0
        messages = []
        for message_id, entry in zip(ids, entries, strict=True):
            key, value, headers = _parts(entry)
            if type(key) is not bytes:
                key = bytes_or_none("key", key)
            if type(value) is not bytes:
                value = bytes_or_none("value", value)
            size = (len(key) if key else 0) + (len(value) if value else 0)
            message = (
                Message(message_id, key, value, now, checked_headers(headers))
                if headers
                else Message(message_id, key, value, now)
            )
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
        correlation_id = text("correlation_id", correlation_id)
        causation_id = text("causation_id", causation_id)
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
        except BaseException:  # interrupted, it may be on its way: then its answer releases nothing more
            self._buffer.release(promise)
            raise

    def _open(self) -> None:
        """Make the producer's actor stay: were it ending just now, sends could overtake each other on their way."""
        with suppress(ActorStopped):  # killed, and another one will learn of the handle by its first send
            self._system.command(self._stream, OpenProducer(self._number)).result()
        self._has_actor = True

    def _answered(self, send: Send, promise: Promise[Any]) -> None:
        self._buffer.release(promise)
        if not self._awaits_answers and (error := promise.exception()) is not None:
            lost = Unacknowledged(send.topic, len(send.messages), error)
            _log.warning("not stored for certain", topic=lost.topic, count=lost.count, error=str(error))
            self._system.runtime.bury(f"topic/{send.topic}", lost)

    def _kept(
        self, promise: Promise[Any], topic: str, messages: tuple[Message, ...], partition: int | None
    ) -> Promise[Any]:
        """Keep the promise for messages whose answer nobody waits for."""
        place = -1 if partition is None else partition
        promise.tell([Receipt(topic, place, -1, -1, message.timestamp) for message in messages])
        return promise

    def _require_open(self) -> None:
        if self._is_closed:
            raise SystemClosed(f"producer {self.client_id!r}")


def _only(receipts: Any) -> Receipt:
    """Return the one Receipt that a single send is answered with."""
    receipt: Receipt = receipts[0]
    return receipt


def _parts(entry: Entry) -> tuple[Data, Data, Iterable[tuple[str, bytes]]]:
    if type(entry) is not tuple:
        return None, entry, ()  # type: ignore[return-value]  # a value; bytes_or_none refuses what is none
    if len(entry) == 2:
        return entry[0], entry[1], ()
    if len(entry) == 3:
        return entry
    raise ValueError("a batch entry is a value, a (key, value) pair, or a (key, value, headers) triple")
