"""How a consumer is a member of its group: it joins, syncs, sends heartbeats, gives up partitions, and may be fenced.

As with Kafka's clients, a rebalance takes place in `poll`: a caller that polls has processed what it was given, so
partitions can be given up. A Notice announces that, and the next poll acknowledges it. Joining and syncing then need no
poll, and heartbeats never do. A member that is not polled for max_poll_interval leaves.

    out --poll--> joining --all joined--> syncing --share--> member --rebalance--> (gives up) --> joining
     ^               |                       |                  |
     +---------------+---- lost, fenced, left, unsubscribed ----+

Answers come at any time. What follows from them waits until nothing is under way (`_settle`) and is decided from what
is known then. An answer that belongs to an earlier membership is dropped by its number (`_life`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from odradek_actors.base.actor import ActorContext
from odradek_actors.consumer.session import ConsumerSession
from odradek_actors.errors import ActorStopped
from odradek_actors.messages.consumers import Notice, OpenConsumer
from odradek_actors.messages.core import Command, Nobody, Tick
from odradek_actors.messages.groups import (
    Heartbeat,
    JoinGroup,
    JoinResult,
    LeaveGroup,
    RebalanceBegun,
    SyncGroup,
    SyncResult,
)
from odradek_domain.group.errors import FencedInstanceId, IllegalGeneration, RebalanceInProgress, UnknownMember
from odradek_domain.group.member import Claim
from odradek_domain.values.positions import TopicPartition
from odradek_events.errors import OutcomeUnknown
from odradek_events.types import MessageProduced

__all__ = ["GroupMembership"]

_LOST = (UnknownMember, IllegalGeneration, FencedInstanceId)


class GroupMembership(ConsumerSession):
    """A consumer's actor as a member of a group. The subclass polls and answers polls."""

    def __init__(self, context: ActorContext, stream: str) -> None:
        super().__init__(context, stream)
        self.handlers[RebalanceBegun] = self._rebalance_begun

    def start_volatile(self) -> None:
        """Set the state that survives a recovery in place."""
        super().start_volatile()
        self._stage = "out"
        self._life = 0
        self._must_rejoin = ""  # why
        self._joined_for: tuple[tuple[str, ...], str | None] = ((), None)  # topics and pattern of its last join
        self._ended_generation = -1  # the last that the group said is over
        self._had = Claim()  # its last share
        self._share: SyncResult | None = None  # to be taken
        self._notices: deque[Notice] = deque()
        self._noticed = 0  # the number of the newest notice
        self._announced: tuple[TopicPartition, ...] = ()  # what the caller knows to be assigned
        self._to_let_go: tuple[TopicPartition, ...] = ()
        self._is_held = False  # an append was refused: wait for the timer
        self._fencing: FencedInstanceId | None = None
        self._untold: Exception | None = None  # why it could not join, while nobody polled
        self._polled_at = 0.0

    def _open(self, command: Command, wanted: OpenConsumer) -> None:
        if self._handle is None:
            self._end_membership()
            self._fencing, self._announced = None, ()
            self._polled_at = self.runtime.monotonic()
        super()._open(command, wanted)

    @property
    def _has_joined(self) -> bool:
        """Whether the group knows of it, or soon will."""
        return bool(self._member_id) or self._stage != "out"

    @property
    def _is_rebalancing(self) -> bool:
        return self._stage in ("joining", "syncing")

    # -- for the subclass ---------------------------------------------------------------------------------------------

    @property
    def _is_polling(self) -> bool:
        """Whether a poll waits for an answer."""
        raise NotImplementedError

    def _go_on_polling(self) -> None:
        """Do what can be done for the poll under way now."""

    def _refuse_poll(self, error: Exception) -> None:
        """Answer the poll under way, if there is one, with an error."""

    def _keep_of_delivery(self, is_wanted: Callable[[MessageProduced], bool]) -> None:
        """Drop the rest from an unconfirmed delivery."""

    def _drop_fetches(self) -> None:
        """Ignore the answers to the fetches sent so far."""

    @property
    def _is_group_managed(self) -> bool:
        return self.state.group_id is not None and not self.state.is_manual

    # -- steps --------------------------------------------------------------------------------------------------------

    def _settle(self) -> bool:
        """Record what the group's answers led to; return whether that is under way now.

        What is to be done is found by comparing what is recorded with what is known here: an append without a clear
        answer may have recorded it.
        """
        owned = self.state.assignment or ()
        if self._is_group_managed and self._handle is not None and not self._has_joined:
            if owned:
                self._let_go(owned, is_lost=True)
                return True
            if self._announced:
                self._notify("lost", self._announced)
                self._announced = ()
        gone = tuple(place for place in self._to_let_go if place in self.state.assigned)
        if gone:
            self._let_go(gone)
            return True
        self._to_let_go = ()
        return self._share is not None and self._take(self._share)

    def _let_go(self, partitions: tuple[TopicPartition, ...], *, is_lost: bool = False) -> None:
        """Record that these are no longer read. A refused append is tried again: there is no way back."""
        self._drop_fetches()
        self._paused.difference_update(partitions)
        self._forget_seeks(partitions)
        going = frozenset(partitions)
        self._keep_of_delivery(lambda message: (message.topic, message.partition) not in going)
        events = self.state.let_go(partitions, self.runtime.now(), self._generation, is_lost=is_lost)
        self.persist(events, (), lambda _: None)

    def _take(self, share: SyncResult) -> bool:
        """Read what a share adds; have what it lacks given up, and then join again."""
        shared = frozenset(share.partitions)
        added = tuple(place for place in share.partitions if place not in self.state.assigned)
        gone = tuple(place for place in self.state.assignment or () if place not in shared)
        life = self._life

        def taken(_: object) -> None:
            if life != self._life:  # it has left meanwhile, and gives up what it took
                return
            self._share = None
            is_over = share.generation == self._ended_generation
            self._stage, self._must_rejoin = "member", "the group rebalances" if is_over else ""
            self._had = Claim(share.partitions, share.generation)
            if gone:
                self._notify("revoked", gone)
            announced = frozenset(self._announced)
            self._notify("assigned", (place for place in share.partitions if place not in announced))

        if not added and self.state.assignment is not None:
            taken(None)
            return False
        self._drop_fetches()
        now = self.runtime.now()
        event = self.state.take(added, share.committed, now, self._member_id, share.generation)
        self.persist([event], (), taken)
        return True

    def _notify(self, kind: str, partitions: Iterable[TopicPartition]) -> None:
        self._noticed += 1
        self._notices.append(Notice(self._noticed, kind, tuple(partitions)))

    def _next_notice(self) -> Notice:
        notice = self._notices[0]
        if notice.kind == "assigned":
            self._announced = tuple(sorted({*self._announced, *notice.partitions}))
        return notice

    def _acknowledge(self, noticed: int) -> None:
        """Note that the caller has done what the notices up to this number asked for."""
        while self._notices and self._notices[0].number <= noticed:
            notice = self._notices.popleft()
            if notice.kind == "revoked":
                gone = frozenset(notice.partitions)
                self._announced = tuple(place for place in self._announced if place not in gone)
                self._to_let_go = notice.partitions
                self._must_rejoin = self._must_rejoin or f"{self.id} has let go of partitions"

    def _join_if_needed(self, poll: Command) -> None:
        """Join on behalf of a poll, whose caller has processed what it was given. Eager members first give up all."""
        if self._stage == "member" and self._joined_for != (self.state.subscriptions, self.state.pattern):
            self._must_rejoin = self._must_rejoin or f"{self.id} subscribed to something else"
        if self._stage in ("joining", "syncing") or (self._stage == "member" and not self._must_rejoin):
            return
        refusal, self._untold = self._fencing or self._untold, None
        if refusal is not None:
            self._refuse_poll(refusal)
            return
        owned = self.state.assignment or ()
        if owned and not self._member.is_cooperative:
            self._notify("revoked", owned)
        else:
            self._join(owned, poll)

    def _join(self, owned: tuple[TopicPartition, ...], poll: Command) -> None:
        state, member = self.state, self._member
        self._joined_for = (state.subscriptions, state.pattern)
        claim = Claim(owned, self._had.generation, True) if member.is_cooperative else self._had
        body = JoinGroup(
            self.id,
            self._member_id,
            () if state.pattern is not None else state.subscriptions,
            state.pattern,
            member.assignors,
            _milliseconds(member.session_timeout),
            _milliseconds(member.max_poll_interval),
            member.instance_id,
            claim,
            self._must_rejoin,
        )
        if self._stage == "out" and not self._member_id:
            self._life = self.runtime.new_number()
            self._beat_later()
        self._stage = "joining"
        life = self._life

        def joined(answer: Any) -> None:
            if life == self._life:
                self._joined(answer, poll)
            elif isinstance(answer, JoinResult) and answer.member_id != self._member_id and not member.instance_id:
                self._tell_group(LeaveGroup(answer.member_id, "it joined too late"))

        self._ask_group(body, joined, poll, self._while_alive())

    def _while_alive(self) -> Callable[[], bool]:
        """Return whether this membership goes on, to be asked later.

        A join that is sent after its membership has ended would make the group fence the member that came after it.
        """
        life = self._life
        return lambda: life == self._life

    def _joined(self, answer: Any, poll: Command) -> None:
        if not isinstance(answer, JoinResult):
            self._not_joined(answer)
            return
        self._member_id, self._generation = answer.member_id, answer.generation
        self._stage = "syncing"
        life = self._life

        def synced(result: Any) -> None:
            if life == self._life:
                self._synced(result)

        sync = SyncGroup(self._member_id, self._generation, self._member.instance_id)
        self._ask_group(sync, synced, poll, self._while_alive())

    def _synced(self, answer: Any) -> None:
        if isinstance(answer, SyncResult):
            self._share = answer
            self._go_on_polling()
        else:
            self._not_joined(answer)

    def _not_joined(self, error: Any) -> None:
        """Try again; if another try would end the same way, the caller hears of it first."""
        self._stage = "out"
        if isinstance(error, FencedInstanceId):
            self._fencing = error
        if isinstance(error, _LOST):
            self._end_membership()
        elif not isinstance(error, RebalanceInProgress | OutcomeUnknown | ActorStopped):
            self._untold = None if self._is_polling else error
            self._refuse_poll(error)
        if isinstance(error, ActorStopped | OutcomeUnknown):  # the caller is not told: it is tried again in a moment
            self.tick(self.settings.retry_backoff, Tick("rejoin"))
        else:
            self._go_on_polling()

    def _end_membership(self) -> None:
        """End the membership. What is assigned is lost (`_settle`), unless it is given up first."""
        self._life = self.runtime.new_number()
        self._stage, self._must_rejoin = "out", ""
        self._member_id, self._generation, self._ended_generation = "", -1, -1
        self._had = Claim()
        self._share = self._untold = None
        self._to_let_go = ()
        self._notices.clear()

    def _rebalance_begun(self, message: RebalanceBegun) -> None:
        """Join again; a share that is still to be taken is taken first, and is outdated then."""
        self._ended_generation = message.generation
        if self._stage == "member" and message.generation == self._generation:
            self._must_rejoin = self._must_rejoin or "the group rebalances"
            self._go_on_polling()

    def _leave_at_once(self, reason: str) -> None:
        """Tell the group without waiting for an answer; a static member's place is kept until its session ends."""
        if self._has_joined and self._member.instance_id is None:
            self._tell_group(LeaveGroup(self._member_id, reason, self.id))

    def _tell_group(self, body: LeaveGroup) -> None:
        if self._group_ref is not None:
            self.send(self._group_ref, Command(body, Nobody()))

    # -- heartbeats ---------------------------------------------------------------------------------------------------

    def _beat_later(self) -> None:
        idle_until = self._polled_at + self._member.max_poll_interval
        until_idle = max(0.001, idle_until - self.runtime.monotonic())
        delay = (
            self._member.heartbeat_interval if self._is_polling else min(self._member.heartbeat_interval, until_idle)
        )
        self.tick(delay, Tick("heartbeat", self._life))

    def _beat(self, tick: Tick) -> None:
        """Leave if the consumer was not polled for too long; otherwise send a heartbeat."""
        if tick.number != self._life:
            return
        idle = self.runtime.monotonic() - self._polled_at
        if not self._is_polling and idle >= self._member.max_poll_interval:
            self._leave_at_once(f"it did not poll for {self._member.max_poll_interval:g} s")
            self._end_membership()
            self._go_on_polling()
            return
        if self._member_id and self._stage != "joining":
            self._send_heartbeat()
        self._beat_later()

    def _send_heartbeat(self) -> None:
        spoken = (self._life, self._generation)

        def answered(answer: Any) -> None:
            if spoken != (self._life, self._generation) or self._stage in ("joining", "syncing"):
                return  # of a generation that is over
            if isinstance(answer, _LOST):
                if isinstance(answer, FencedInstanceId):
                    self._fencing = answer
                self._end_membership()
            elif isinstance(answer, RebalanceInProgress):
                self._must_rejoin = self._must_rejoin or "the group rebalances"
            self._go_on_polling()

        beat = Heartbeat(self._member_id, self._generation, self._member.instance_id)
        self._ask_group(beat, answered, None, self._while_alive())


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
