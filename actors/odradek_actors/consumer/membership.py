"""The consumer's side of the group protocol: joins, syncs, sends heartbeats, releases partitions, handles fencing.

As in Kafka's clients, a rebalance takes place in `poll`: a caller that polls again has processed the messages of the
previous poll, so its partitions can be revoked. A Notice announces the revocation, and the next poll acknowledges it.
Joining and syncing then continue without a poll, and heartbeats are sent in the background. A member that does not poll
for max_poll_interval leaves.

    out --poll--> joining --all joined--> syncing --share--> member --rebalance--> (revokes) --> joining
     ^               |                       |                  |
     +---------------+---- lost, fenced, left, unsubscribed ----+

The group's answers can arrive at any time. `_settle` acts on them once the actor is ready, based on the state at that
moment. An answer to an earlier membership is dropped by its number (`_life`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from odradek_actors.base.actor import ActorContext
from odradek_actors.consumer.session import ConsumerSession
from odradek_actors.errors import ActorStopped, AnswerLost
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
    """A consumer's actor as a member of a group. The subclass serves polls."""

    def __init__(self, context: ActorContext, stream: str) -> None:
        super().__init__(context, stream)
        self.handlers[RebalanceBegun] = self._rebalance_begun

    def start_volatile(self) -> None:
        """Set the state that survives a recovery in place."""
        super().start_volatile()
        self._stage = "out"
        self._life = 0
        self._next_beat = 0  # the number of the heartbeat's timer
        self._must_rejoin = ""  # the reason; empty if it need not rejoin
        self._joined_for: tuple[tuple[str, ...], str | None] = ((), None)  # topics and pattern of its last join
        self._ended_generation = -1  # the last generation that the group has ended
        self._had = Claim()  # its last assignment
        self._share: SyncResult | None = None  # an assignment that is not recorded yet
        self._notices: deque[Notice] = deque()
        self._noticed = 0  # the number of the newest notice
        self._announced: tuple[TopicPartition, ...] = ()  # the assignment that the caller knows
        self._to_release: tuple[TopicPartition, ...] = ()  # revoked, acknowledged by the caller, not recorded yet
        self._is_held = False  # an append was refused: wait for the timer
        self._fencing: FencedInstanceId | None = None
        self._unreported: Exception | None = None  # a failed join that no poll has reported yet
        self._polled_at = 0.0

    def _open(self, command: Command, wanted: OpenConsumer) -> None:
        if self._handle is None:
            self._end_membership()
            self._fencing, self._announced = None, ()
            self._polled_at = self.runtime.monotonic()
        super()._open(command, wanted)

    @property
    def _has_joined(self) -> bool:
        """Whether the group knows this member, or a join is on its way."""
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
        """Take the next possible step for the current poll."""

    def _refuse_poll(self, error: Exception) -> None:
        """Fail the current poll, if any, with an error."""

    def _keep_of_delivery(self, is_wanted: Callable[[MessageProduced], bool]) -> None:
        """Drop unwanted messages from an unacknowledged delivery."""

    def _drop_fetches(self) -> None:
        """Ignore the answers to the fetches sent so far."""

    @property
    def _is_group_managed(self) -> bool:
        return self.state.group_id is not None and not self.state.is_manual

    # -- steps --------------------------------------------------------------------------------------------------------

    def _settle(self) -> bool:
        """Record the consequences of the group's answers; return whether an append for them is now in progress.

        It compares the recorded state with the known one, because an append of unknown outcome may have recorded them.
        """
        owned = self.state.assignment or ()
        if self._is_group_managed and self._handle is not None and not self._has_joined:
            if owned:
                self._release(owned, is_lost=True)
                return True
            if self._announced:
                self._notify("lost", self._announced)
                self._announced = ()
        gone = tuple(place for place in self._to_release if place in self.state.assigned)
        if gone:
            self._release(gone)
            return True
        self._to_release = ()
        return self._share is not None and self._take(self._share)

    def _release(self, partitions: tuple[TopicPartition, ...], *, is_lost: bool = False) -> None:
        """Record that the consumer no longer reads these partitions. A refused append is retried."""
        self._drop_fetches()
        self._paused.difference_update(partitions)
        self._forget_seeks(partitions)
        going = frozenset(partitions)
        self._keep_of_delivery(lambda message: (message.topic, message.partition) not in going)
        events = self.state.release(partitions, self.runtime.now(), self._generation, is_lost=is_lost)
        self.persist(events, (), lambda _: None)

    def _take(self, share: SyncResult) -> bool:
        """Start to read the partitions that an assignment adds; revoke those that it removes, then rejoin."""
        shared = frozenset(share.partitions)
        added = tuple(place for place in share.partitions if place not in self.state.assigned)
        gone = tuple(place for place in self.state.assignment or () if place not in shared)
        life = self._life

        def taken(_: object) -> None:
            if life != self._life:  # it has left in the meantime; `_settle` releases the partitions
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
        """Record that the caller has handled the notices up to this number."""
        while self._notices and self._notices[0].number <= noticed:
            notice = self._notices.popleft()
            if notice.kind == "revoked":
                gone = frozenset(notice.partitions)
                self._announced = tuple(place for place in self._announced if place not in gone)
                self._to_release = notice.partitions
                self._must_rejoin = self._must_rejoin or f"{self.id} released partitions"

    def _join_if_needed(self, poll: Command) -> None:
        """Join on behalf of a poll, whose caller has processed all its messages. An eager member first revokes all."""
        if self._stage == "member" and self._joined_for != (self.state.subscriptions, self.state.pattern):
            self._must_rejoin = self._must_rejoin or f"{self.id} changed its subscription"
        if self._stage in ("joining", "syncing") or (self._stage == "member" and not self._must_rejoin):
            return
        refusal, self._unreported = self._fencing or self._unreported, None
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
        life = self._life

        def joined(answer: Any) -> None:
            if life == self._life:
                self._joined(answer, poll)
            elif isinstance(answer, JoinResult) and answer.member_id != self._member_id and not member.instance_id:
                self._tell_group(LeaveGroup(answer.member_id, "it joined too late"))

        self._ask_group(body, joined, poll, self._while_alive())
        self._stage = "joining"

    def _while_alive(self) -> Callable[[], bool]:
        """Return a predicate that says whether this membership still lasts.

        A join sent after its membership has ended would make the group fence the membership that followed.
        """
        life = self._life
        return lambda: life == self._life

    def _joined(self, answer: Any, poll: Command) -> None:
        if not isinstance(answer, JoinResult):
            self._not_joined(answer)
            return
        self._member_id, self._generation = answer.member_id, answer.generation
        life = self._life

        def synced(result: Any) -> None:
            if life == self._life:
                self._synced(result)

        sync = SyncGroup(self._member_id, self._generation, self._member.instance_id)
        self._ask_group(sync, synced, poll, self._while_alive())
        self._stage = "syncing"

    def _synced(self, answer: Any) -> None:
        if isinstance(answer, SyncResult):
            self._share = answer
            self._go_on_polling()
        else:
            self._not_joined(answer)

    def _not_joined(self, error: Any) -> None:
        """Rejoin after a failed join or sync. An error that a retry would repeat is reported to the caller first."""
        may_retry = isinstance(error, ActorStopped | AnswerLost | OutcomeUnknown)
        self._stage = "out"
        if isinstance(error, FencedInstanceId):
            self._fencing = error
        if isinstance(error, _LOST):
            self._end_membership()
        elif not may_retry and not isinstance(error, RebalanceInProgress):
            self._unreported = None if self._is_polling else error
            self._refuse_poll(error)
        if may_retry:  # after retry_backoff, and not reported
            self.tick(self.settings.retry_backoff, Tick("rejoin"))
        else:
            self._go_on_polling()

    def _end_membership(self) -> None:
        """End the membership. `_settle` then records assigned partitions as lost, unless they are released first."""
        self._life = self.runtime.new_number()
        self._next_beat = 0
        self._stage, self._must_rejoin = "out", ""
        self._member_id, self._generation, self._ended_generation = "", -1, -1
        self._had = Claim()
        self._share = self._unreported = None
        self._to_release = ()
        self._notices.clear()

    def _rebalance_begun(self, message: RebalanceBegun) -> None:
        """Rejoin. An assignment that is not recorded yet is recorded first, although it is outdated."""
        self._ended_generation = message.generation
        if self._stage == "member" and message.generation == self._generation:
            self._must_rejoin = self._must_rejoin or "the group rebalances"
            self._go_on_polling()

    def _leave_at_once(self, reason: str) -> None:
        """Leave without waiting for an answer. A static member does not leave: its session must expire."""
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
        self._next_beat = self.runtime.new_number()
        self.tick(delay, Tick("heartbeat", self._next_beat))

    def _beat(self, tick: Tick) -> None:
        """Leave if the caller has not polled for max_poll_interval; otherwise send a heartbeat."""
        if tick.number != self._next_beat:
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
                return  # the answer is for an earlier generation
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
