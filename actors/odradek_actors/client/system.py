"""ActorSystem: the way in from outside, to topics, producers, consumers, groups and actors of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.consumer_commits import AutoOffsetReset
from odradek_actors.client.groups import GroupCalls
from odradek_actors.client.member_settings import member_settings
from odradek_actors.client.producer import Acks, ProducerHandle
from odradek_actors.runtime.promise import Promise
from odradek_actors.validation import names, seconds, text

__all__ = ["ActorHandle", "ActorSystem"]


class ActorHandle:
    """The way to an actor of your own: see `ActorSystem.actor`."""

    def __init__(self, system: ActorSystem, stream: str) -> None:
        self._system = system
        self.stream = stream

    def __repr__(self) -> str:
        return f"<ActorHandle {self.stream!r}>"

    def ask(self, command: object, *, correlation_id: str = "", causation_id: str = "") -> Promise[Any]:
        """Send a command; the promise gives what the actor responds once its events are durable, or its refusal.

        What follows from an event passes its metadata's correlation id on, and its event id as `causation_id`.
        """
        return self._system.command(self.stream, command, correlation_id=correlation_id, causation_id=causation_id)

    def query(self, query: object) -> Promise[Any]:
        """Ask a question; the promise gives the answer, from durable state."""
        return self._system.query(self.stream, query)


class ActorSystem(GroupCalls):
    """An event-sourced actor system on one log. A context manager; closing is orderly.

    Usable from several threads. Methods that wait do so for 30 s and then raise RequestTimedOut; SystemClosed after
    `close`.
    """

    # -- producers, consumers, groups, actors of one's own ------------------------------------------------------------

    def producer(self, client_id: str = "producer", *, linger_ms: int = 0, acks: Acks = "all") -> ProducerHandle:
        """Return a producer. The client id is its identity: a second handle with it shares the producer.

        `linger_ms` is how long a single send may wait for others to travel with; without it they gather only behind
        batches in flight. `acks` says when a send is done: "all" (or -1, or 1, which is the same here) once it is
        durable, 0 as soon as it is accepted, whatever becomes of it.
        """
        self._require_open()
        return ProducerHandle(self, client_id, linger_ms=linger_ms, acks=acks)

    def consumer(
        self,
        consumer_id: str,
        group: str | None = None,
        *,
        auto_offset_reset: AutoOffsetReset = "earliest",
        group_instance_id: str | None = None,
        assignors: Iterable[str] = ("range", "cooperative-sticky"),
        session_timeout: float = 45.0,
        heartbeat_interval: float = 3.0,
        max_poll_interval: float = 300.0,
        max_poll_records: int = 500,
        enable_auto_commit: bool = False,
        auto_commit_interval: float = 5.0,
    ) -> ConsumerHandle:
        """Open a consumer. Alone it goes on at its own committed offsets; in a `group` it gets a share of partitions.

        `auto_offset_reset` says where to begin in a partition without a committed offset, or with one out of range:
        "earliest" (the default, where Kafka's clients say "latest", since here the messages are usually sent first),
        "latest", or "none", which makes `poll` raise. Defaults are Kafka's otherwise, except that auto-commit is off.
        Times are in seconds:

        group_instance_id    static membership: a consumer that comes back under this id has what it had, and nobody
                             rebalances; it leaves when its session ends
        assignors            how it can live with partitions being shared out, the preferred way first: "range",
                             "roundrobin", "sticky", "cooperative-sticky", or one passed to `open`. A consumer all of
                             whose assignors are cooperative goes on reading what stays its own during a rebalance
        session_timeout      a member not heard of for so long is dismissed; heartbeats go out by themselves, each
                             heartbeat_interval
        max_poll_interval    a member that does not poll for so long leaves, and a rebalance waits so long for it
        max_poll_records     what `poll` returns at most
        enable_auto_commit   commit what was handed out each auto_commit_interval, within `poll`, and before partitions
                             are given back

        ConsumerAlreadyOpen if the id is in use.
        """
        self._require_open()
        member = member_settings(
            self._context.assignors,
            names("assignors", assignors),
            session_timeout,
            heartbeat_interval,
            max_poll_interval,
            group_instance_id,
        )
        seconds("auto_commit_interval", auto_commit_interval)
        return ConsumerHandle(
            self,
            consumer_id,
            group,
            auto_offset_reset=auto_offset_reset,
            member=member,
            max_poll_records=max_poll_records,
            auto_commit_interval=auto_commit_interval if enable_auto_commit else None,
        )

    def actor(self, stream: str) -> ActorHandle:
        """Return the way to the actor of a stream, `<type>/<id>`, whose type was passed as `actors={type: class}`."""
        self._ref(text("stream", stream))
        return ActorHandle(self, stream)
