"""ActorSystem: the public entry point to topics, producers, consumers, groups and user-defined actors."""

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
    """Sends commands and queries to a user-defined actor. Get one from `ActorSystem.actor`."""

    def __init__(self, system: ActorSystem, stream: str) -> None:
        self._system = system
        self.stream = stream

    def __repr__(self) -> str:
        return f"<ActorHandle {self.stream!r}>"

    def ask(self, command: object, *, correlation_id: str = "", causation_id: str = "") -> Promise[Any]:
        """Send a command; the promise gives the actor's response once its events are durable, or the error it raised.

        If an event caused this command, pass the `correlation_id` of its metadata, and its event id as `causation_id`.
        """
        return self._system.command(self.stream, command, correlation_id=correlation_id, causation_id=causation_id)

    def query(self, query: object) -> Promise[Any]:
        """Send a query; the promise gives the answer, which reflects only durable events."""
        return self._system.query(self.stream, query)


class ActorSystem(GroupCalls):
    """An event-sourced actor system on one log. Also a context manager, which closes the system in order.

    Thread-safe. A method that waits raises RequestTimedOut after 30 s. After `close`, methods raise SystemClosed.
    """

    # -- producers, consumers, user-defined actors --------------------------------------------------------------------

    def producer(self, client_id: str = "producer", *, linger_ms: int = 0, acks: Acks = "all") -> ProducerHandle:
        """Return a producer. The client id identifies it: a second handle with the same id shares the producer.

        `linger_ms` is how long a send may wait for further sends to form a batch; with 0, sends are batched only while
        earlier batches are in flight. `acks` says when a send is complete: with "all" (-1 and 1 mean the same) once the
        message is durable; with 0 as soon as the handle accepts it, whether or not it is stored later.
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
        """Open a consumer. With a `group` it joins it; without one it resumes at offsets that it committed itself.

        `auto_offset_reset` says where to start in a partition whose committed offset is missing or out of range:
        "earliest" (Kafka's default is "latest"; here messages are usually produced before the consumer starts),
        "latest", or "none", which makes `poll` raise. All other defaults are Kafka's, except that auto-commit is off.
        Times are in seconds:

        group_instance_id    static membership: a consumer that rejoins with this id gets its partitions back without a
                             rebalance; it leaves the group only when its session expires
        assignors            assignors that this consumer supports, in order of preference: "range", "roundrobin",
                             "sticky", "cooperative-sticky", or one passed to `open`. If all of them are cooperative,
                             the consumer keeps reading its retained partitions during a rebalance
        session_timeout      the group removes a member after this time without a heartbeat; the consumer sends one
                             every heartbeat_interval in the background
        max_poll_interval    a member that does not poll for this long leaves; also the member's rebalance timeout
        max_poll_records     maximum number of messages that `poll` returns
        enable_auto_commit   commit the returned messages every auto_commit_interval, within `poll`, and before
                             partitions are revoked

        Raises ConsumerAlreadyOpen if the id is in use.
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
        """Return a handle to the actor of a stream `<type>/<id>`; the type must be a key of `open(actors=...)`."""
        self._ref(text("stream", stream))
        return ActorHandle(self, stream)
