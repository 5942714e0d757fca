"""The GroupActor: owns a group's membership, its generations and its committed offsets.

`_advance` derives the next step from the state alone, each time the actor becomes ready. It removes members of an
earlier run and members past a deadline, starts a generation once all members have joined, and assigns partitions once
the leader has sent SyncGroup. So the steps are the same after a recovery in place, and none depends on a message that
might be lost.

Volatile: MemberSessions, DeletedTopics, and one timer for all deadlines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from odradek_actors.base.actor import ActorContext
from odradek_actors.base.deadline_timer import DeadlineTimer
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.errors import ActorStopped
from odradek_actors.group.deleted_topics import DeletedTopics
from odradek_actors.group.member_sessions import NEVER, MemberSessions
from odradek_actors.group.partition_counts import PartitionCounts
from odradek_actors.messages.core import Command, Query, Tick
from odradek_actors.messages.groups import (
    CommitGroupOffsets,
    DeleteGroup,
    DeleteGroupOffsets,
    DescribeGroup,
    GetCommitted,
    Heartbeat,
    JoinGroup,
    JoinResult,
    LeaveGroup,
    RebalanceBegun,
    ResetGroupOffsets,
    SyncGroup,
    SyncResult,
    TopicChanged,
)
from odradek_actors.messages.recovery import SnapshotSchema
from odradek_domain.errors import DomainError
from odradek_domain.group.errors import FencedInstanceId, RebalanceInProgress, UnknownAssignor, UnknownMember
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.group.member import Claim, GroupSnapshot, GroupState
from odradek_domain.values.positions import TopicPartition
from odradek_events.errors import AppendError, WrongExpectedVersion
from odradek_events.types import MemberJoined, OffsetCommitted, StaticMemberReplaced

__all__ = ["GroupActor"]


class GroupActor(EventSourcedActor[ConsumerGroup]):
    """Owns one ConsumerGroup aggregate."""

    snapshot_schema = SnapshotSchema("group", 2, GroupSnapshot)

    def __init__(self, context: ActorContext, stream: str) -> None:
        super().__init__(context, stream)
        self.handlers[TopicChanged] = self._topic_changed

    def start_volatile(self) -> None:
        """Set the state that survives a recovery in place."""
        super().start_volatile()
        self._live = MemberSessions(self.runtime.monotonic, self.reply)
        self._phase_of_group: tuple[GroupState, int] | None = None  # the current state and generation
        self._phase_ends = NEVER
        self._sync_deadline: tuple[int, float] = -1, NEVER  # a generation, and the deadline for its members to sync
        self._notified: set[str] = set()  # members that were notified of the current rebalance
        self._topics = PartitionCounts(self)
        self._deleted_topics = DeletedTopics(self)
        self._held_queries: list[Query] = []  # waiting until the deleted topics are known
        self._is_held = False  # an append was refused, or a topic cannot answer: wait for the timer
        self._deadline_timer = DeadlineTimer(self, "group")

    def initial_state(self) -> ConsumerGroup:
        """Return a group that was never joined."""
        self._is_due = True  # the state has changed, so a step may be due
        self._is_back = True  # heartbeats were not received during the recovery: restart all deadlines
        return ConsumerGroup(self.id)

    # -- commands -----------------------------------------------------------------------------------------------------

    def handle_command(self, command: Command) -> None:
        """Handle joins and syncs; the aggregate decides the other commands."""
        try:
            match command.body:
                case JoinGroup():
                    self._join(command, command.body)
                case SyncGroup():
                    self._sync(command, command.body)
                case CommitGroupOffsets() if not command.body.is_current and self._doubtful(command.body):
                    self._topics.keep_current(command, self._doubtful(command.body), self.take_up)
                case _:
                    super().handle_command(command)
        except DomainError as error:
            self.reply(command, error)
            self._is_due = True  # a generation may have waited for this member to join
        if self.is_ready and self._is_due:
            self._advance()

    def _doubtful(self, body: CommitGroupOffsets) -> tuple[str, ...]:
        return self.state.committed.in_doubt(body.offsets)

    def decide(self, command: Any) -> Sequence[Any]:
        """Decide leaves, commits, resets and deletions."""
        group, now = self.state, self.runtime.now()
        match command:
            case CommitGroupOffsets(consumer_id, offsets, member_id, generation, instance_id):
                group.require_commit(member_id, generation, instance_id)
                wanted = [offset for offset in offsets if offset.topic_id not in self._deleted_topics.ids]
                return group.commit_offsets(wanted, now, consumer_id)
            case LeaveGroup(member_id, reason, consumer_id):
                return group.leave([member_id] if member_id else group.members_of(consumer_id), reason, now)
            case ResetGroupOffsets(offsets, reason):
                return group.reset_offsets(offsets, now, reason)
            case DeleteGroupOffsets(partitions):
                return group.delete_offsets(partitions, now)
            case DeleteGroup():
                return [group.delete(now)]
            case _:
                raise LookupError(f"a group has no command {type(command).__name__}")

    def respond(self, command: Any, events: Sequence[Any]) -> object:
        """Answer None. As in Kafka, a commit restarts its member's session."""
        if isinstance(command, CommitGroupOffsets):
            member = self.state.members.get(command.member_id)
            if member is not None:
                self._live.hear(member)
        return None

    def handle_query(self, query: Query) -> None:
        """Handle a heartbeat, or answer once the deleted topics are known."""
        if type(query.body) is Heartbeat:
            self._heartbeat(query, query.body)
        elif isinstance(query.body, GetCommitted | DescribeGroup):
            self._held_queries.append(query)
            self._look_up_deleted_topics()
            self._answer_held_queries()
        else:
            super().handle_query(query)

    def answer(self, query: Any) -> object:
        """Return the committed offsets, or describe the group."""
        match query:
            case GetCommitted():
                return self.state.committed.all()
            case DescribeGroup():
                return self.state.snapshot()
            case _:
                return super().answer(query)

    def append_failed(self, commands: Sequence[Command], error: Exception) -> None:
        """Fail the commands, and retry the group's own decisions after retry_backoff.

        If the log refused such a decision, waiting members get the error at once, because the log may refuse for long,
        for example on a full disk. They rejoin with their next poll.
        """
        super().append_failed(commands, error)
        if not commands and isinstance(error, AppendError) and not isinstance(error, WrongExpectedVersion):
            self._answer_waiting(error)
        self._answer_held_queries(is_known=False)
        self._deadline_timer.wake_in(self.settings.retry_backoff)
        self._is_held = True

    def resume_later(self, error: Exception) -> None:
        """Look for a due step again, because the failed handler may have been about to take one."""
        super().resume_later(error)
        self._is_due = True

    def holds(self, request: object) -> bool:
        """Return whether a request is stashed or being appended, or a join, sync or query is held."""
        live = self._live
        held = (*self._held_queries, *live.joining.values(), *live.syncing.values())
        return any(waiting is request for waiting in held) or super().holds(request)

    # -- joining ------------------------------------------------------------------------------------------------------

    def _join(self, command: Command, body: JoinGroup) -> None:
        for name in body.assignors:
            if name not in self.context.assignors:
                raise UnknownAssignor(name, self.context.assignors)
        if body.member_id:
            self.state.require_member(body.member_id, None, body.instance_id)
        wanted = self._wanted(body)
        events = self.state.join(wanted, body.reason, has_new_claim=self._has_new_claim(body))
        self.persist(events, (command,), lambda _: self._joined(command, body, wanted.member_id, events))

    def _has_new_claim(self, body: JoinGroup) -> bool:
        """Return whether a cooperative member's partitions have changed since its last join: some may be free now."""
        before = self._live.claims.get(body.member_id)
        return body.claim.is_held and (before is None or set(before.partitions) != set(body.claim.partitions))

    def _wanted(self, body: JoinGroup) -> MemberJoined:
        name = body.consumer_id if body.instance_id is None else body.instance_id
        return MemberJoined(
            self.id,
            body.member_id or f"{name}-{self.runtime.new_id()}",
            body.consumer_id,
            body.topics,
            body.assignors,
            body.session_timeout_ms,
            body.rebalance_timeout_ms,
            self.context.run_id,
            self.runtime.now(),
            body.pattern,
            body.instance_id,
        )

    def _joined(self, command: Command, body: JoinGroup, member_id: str, events: Sequence[Any]) -> None:
        for event in events:
            if isinstance(event, StaticMemberReplaced):
                fenced = FencedInstanceId(self.id, event.instance_id, event.old_member_id)
                self._live.forget(event.old_member_id, fenced)
        before = self._live.joining.get(member_id)
        if before is not None:
            self.reply(before, RebalanceInProgress(self.id))  # replaced by the newer join
        self._live.joined(self.state.members[member_id], command, body.claim)
        if self.state.state is GroupState.COMPLETING_REBALANCE:
            self._live.unsynced.add(member_id)
        self._is_due = True

    # -- assigning ----------------------------------------------------------------------------------------------------

    def _sync(self, command: Command, body: SyncGroup) -> None:
        member = self.state.require_member(body.member_id, body.generation, body.instance_id)
        self._live.hear(member, command.reply_to)
        self._live.unsynced.discard(body.member_id)
        before = self._live.syncing.get(body.member_id)
        if before is not None:
            self.reply(before, RebalanceInProgress(self.id))
        self._live.syncing[body.member_id] = command
        self._is_due = True

    def _answer_joined(self) -> None:
        group = self.state
        for member_id, command in self._live.drain_joining():
            self._live.hear(group.members[member_id])
            result = JoinResult(
                member_id, group.generation, str(group.assignor), str(group.leader), tuple(group.members)
            )
            self.reply(command, result)

    def _answer_synced(self) -> None:
        group = self.state
        for member_id, command in self._live.drain_syncing():
            member = group.members[member_id]
            self._live.hear(member)
            partitions = tuple(TopicPartition(*pair) for pair in member.partitions)
            committed = (group.committed.get(place) for place in partitions)
            known = tuple(item for item in committed if item is not None and self._topics.is_current(item))
            self.reply(command, SyncResult(group.generation, partitions, member.opaque, known))

    def _assign(self, leaders: SyncGroup, counts: Mapping[str, int]) -> None:
        now = self.runtime.now()
        try:
            if leaders.assignments:
                event = self.state.assign_opaque(dict(leaders.assignments), now)
            else:
                assignor = self.context.assignors[str(self.state.assignor)]
                event = self.state.assign(assignor, self._live.claims, counts, now)
        except BaseException as raised:  # raised by a custom assignor: fail the syncs, so that members may retry
            error = self.answer_of("assign", raised)
            for _, command in self._live.drain_syncing():
                self.reply(command, error)
            return
        self.persist([event], (), lambda _: None)

    # -- the group's own steps ----------------------------------------------------------------------------------------

    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        """Mark a step as due, except after members' commits, which are frequent and never cause a step."""
        self._is_due |= not self.state.members or any(type(event) is not OffsetCommitted for event in events)

    def on_ready(self) -> None:
        """Take the next step, if one may be due."""
        if self._is_due:
            self._advance()

    def _advance(self) -> None:
        """Take the next due step. Each step ends with an append, after which `on_ready` takes the following one."""
        if self._is_held:
            return
        self._is_due = False
        group, live = self.state, self._live
        if self._forget_deleted_topics():
            return
        for member_id in live.departed(group.members):
            live.forget(member_id, UnknownMember(self.id, member_id))
        if self._is_back:
            self._is_back, self._phase_of_group = False, None
            self._sync_deadline = self._sync_deadline[0], self.runtime.monotonic() + group.rebalance_timeout
            live.hear_all(group.members.values())
        if (group.state, group.generation) != self._phase_of_group:
            self._begin_phase()
        if self._remove(group.ghosts(self.context.run_id), "it is of an earlier run"):
            return
        for member in group.members.values():
            live.expect(member)
        if self._remove(live.silent(group.members), "its session timed out"):
            return
        if self._remove(self._overdue(), "it did not sync in time"):
            return
        match group.state:
            case GroupState.PREPARING_REBALANCE:
                self._prepare()
            case GroupState.COMPLETING_REBALANCE:
                self._answer_joined()
                self._complete()
            case GroupState.STABLE:
                self._answer_joined()  # a static member rejoined
                self._answer_synced()
                self._look_at_topics()
            case GroupState.EMPTY | GroupState.DEAD:
                self._expire_offsets()
        if self.is_ready:
            self._set_timer()

    def _overdue(self) -> list[str]:
        """Return the members that joined the current generation and have not sent SyncGroup before the deadline."""
        generation, due = self._sync_deadline
        is_over = generation == self.state.generation and self.runtime.monotonic() >= due
        return sorted(self._live.unsynced) if is_over and self._is_begun else []

    @property
    def _is_begun(self) -> bool:
        """Whether the current generation has started, and no rebalance for the next one."""
        return self.state.state in (GroupState.COMPLETING_REBALANCE, GroupState.STABLE)

    def _begin_phase(self) -> None:
        group = self.state
        self._phase_of_group = group.state, group.generation
        ends = self.runtime.monotonic() + group.rebalance_timeout
        self._phase_ends = ends if group.state is GroupState.PREPARING_REBALANCE else NEVER
        self._notified.clear()
        if group.state is GroupState.COMPLETING_REBALANCE and self._sync_deadline[0] != group.generation:
            self._live.unsynced = set(
                self._live.joining or group.members
            )  # all, if an earlier actor answered their joins
            self._sync_deadline = group.generation, ends

    def _remove(self, members: Iterable[str], reason: str) -> bool:
        """Remove members; return whether there were any."""
        self.persist(self.state.leave(members, reason, self.runtime.now()), (), lambda _: None)
        return not self.is_ready

    def _prepare(self) -> None:
        """Start the next generation once all members have joined or the rebalance timeout is over.

        After the timeout, missing dynamic members are removed. Missing static members keep their membership and their
        partitions until their session expires (KIP-345).
        """
        live = self._live
        for _, command in live.drain_syncing():
            self.reply(command, RebalanceInProgress(self.id))
        group = self.state
        missing = [member for member in group.members.values() if member.member_id not in live.joining]
        dynamic = [member.member_id for member in missing if member.instance_id is None]
        if missing and self.runtime.monotonic() < self._phase_ends:
            self._notify_of_rebalance([member.member_id for member in missing])
        elif dynamic:
            self._remove(dynamic, "it did not rejoin in time")
        elif missing and not live.joining:  # no leader: wait until a member rejoins, or the sessions expire
            self._phase_ends = self.runtime.monotonic() + group.rebalance_timeout
        elif not self._has_stashed_join():
            for member in missing:  # it has stopped delivering messages, so its claim need not withhold partitions
                places = tuple(TopicPartition(*pair) for pair in member.partitions)
                live.claims[member.member_id] = Claim(places, group.generation)
            self.persist([group.begin_generation(self.runtime.now(), live.joining)], (), lambda _: None)

    def _has_stashed_join(self) -> bool:
        """Whether a join is stashed: members that join at the same time should join the same generation."""
        return any(isinstance(waiting, Command) and isinstance(waiting.body, JoinGroup) for waiting in self.stash)

    def _notify_of_rebalance(self, members: Iterable[str]) -> None:
        begun = RebalanceBegun(self.id, self.state.generation)
        for member_id in members:
            ref = self._live.ref(member_id)
            if ref is not None and member_id not in self._notified:  # the others learn of it from their heartbeats
                self._notified.add(member_id)
                self.send(ref, begun)

    def _complete(self) -> None:
        """Assign partitions once the leader has sent SyncGroup and the partition counts are known."""
        leader = self._live.syncing.get(str(self.state.leader))
        if leader is None:
            return
        counts = self._topics.counts_for(self.state.generation)
        if counts is None:
            self._gather()
        else:
            self._assign(leader.body, counts)

    def _look_at_topics(self) -> None:
        """Rebalance if the partition counts of the topics have changed since the last assignment."""
        changed = self._topics.compare(self.state)
        if self._topics.are_stale:
            self._gather()
        elif changed:
            reason = f"partitions changed: {', '.join(changed)}"
            self.persist(self.state.rebalance(reason, self.runtime.now()), (), lambda _: None)

    def _gather(self) -> None:
        def gathered() -> None:
            self._is_due = True
            if self._topics.are_stale and self.state.state is GroupState.STABLE:  # ask again after retry_backoff
                self._deadline_timer.wake_in(self.settings.retry_backoff)
                self._is_held = True
            elif self.is_ready:
                self._advance()

        self._topics.gather(self.state, gathered)

    # -- deleted topics -----------------------------------------------------------------------------------------------

    def _forget_deleted_topics(self) -> bool:
        """Delete the committed offsets of deleted topics; return whether an append for that is in progress.

        Kafka's brokers do the same when a topic is deleted (GroupCoordinator.handleDeletedPartitions).
        """
        deleted = self._deleted_topics
        ids = frozenset(deleted.new_ids)
        if ids:
            events = self.state.forget_topics(ids, self.runtime.now())
            self.persist(events, (), lambda _: deleted.new_ids.difference_update(ids))
        self._look_up_deleted_topics()
        self._answer_held_queries()
        return not self.is_ready

    def _look_up_deleted_topics(self) -> None:
        if self._deleted_topics.must_look_up and self._held_queries:
            self._deleted_topics.look_up(self.state.committed.all(), self._deleted_topics_found)

    def _deleted_topics_found(self, has_succeeded: bool) -> None:
        self._is_due = True
        self._answer_held_queries(is_known=has_succeeded)
        if self.is_ready:
            self._advance()

    def _answer_held_queries(self, *, is_known: bool = True) -> None:
        """Answer the held queries once the offsets of deleted topics are deleted.

        With `is_known` False, answer at once, although the log could not be read or refused to record the deletion; the
        next query tries again.
        """
        if self._phase == "recovering":
            return  # there is no state to answer from; on_ready calls this again
        deleted = self._deleted_topics
        if is_known and (deleted.are_in_doubt or self.state.forget_topics(deleted.new_ids, self.runtime.now())):
            return
        while self._held_queries:
            super().handle_query(self._held_queries[0])
            del self._held_queries[0]

    def _topic_changed(self, message: TopicChanged) -> None:
        self._deleted_topics.note_change(message.ended_id)
        if message.ended_id:
            self._is_due = True
        is_known = self._phase != "recovering"  # whether the group's subscriptions are known
        self._is_due |= self._topics.note_change(message.topic, self.state if is_known else None)
        if self._is_due and self.is_ready:
            self._advance()

    def _expire_offsets(self) -> None:
        retention = self.settings.offsets_retention
        if retention is not None:
            events = self.state.expire_offsets(timedelta(seconds=retention), self.runtime.now())
            self.persist(events, (), lambda _: None)

    # -- time ---------------------------------------------------------------------------------------------------------

    def _heartbeat(self, query: Query, beat: Heartbeat) -> None:
        try:
            member = self.state.require_member(beat.member_id, beat.generation, beat.instance_id)
            self._live.hear(member, query.reply_to)
            self.state.require_stable(beat.member_id, beat.generation, beat.instance_id)
        except DomainError as error:
            self.reply(query, error)
            return
        self.reply(query, None)

    def _set_timer(self) -> None:
        """Set the timer to the earliest deadline, or to retry_backoff if that has passed without effect."""
        sync_due = self._sync_deadline[1] if self._live.unsynced and self._is_begun else NEVER
        due = min(self._phase_ends, sync_due, self._offsets_expire_at(), self._live.next_session_end())
        if due != NEVER:
            left = due - self.runtime.monotonic()
            self._deadline_timer.wake_in(left if left > 0 else self.settings.retry_backoff)

    def _offsets_expire_at(self) -> float:
        retention, idle_since = self.settings.offsets_retention, self.state.idle_since
        if retention is None or idle_since is None or not self.state.committed.all():
            return NEVER
        left = retention - (self.runtime.now() - idle_since).total_seconds()
        return self.runtime.monotonic() + max(self.settings.retry_backoff, left)

    def on_tick(self, tick: Tick) -> None:
        """Take the next step, if one is due."""
        if not self._deadline_timer.is_fired_by(tick):
            return
        self._is_held = False
        self._is_due = True
        if self.is_ready:
            self._advance()

    # -- stopping -----------------------------------------------------------------------------------------------------

    def on_stopping(self) -> bool:
        """Answer waiting members and callers with ActorStopped, so that they retry with the group's next actor."""
        self.on_giving_up(ActorStopped(self.stream))
        return True

    def on_giving_up(self, error: Exception) -> None:
        """Answer waiting members with ActorStopped, so that they rejoin, and held queries with the error."""
        self._answer_waiting(ActorStopped(self.stream))
        held, self._held_queries = self._held_queries, []
        for query in held:
            self.reply(query, error)

    def _answer_waiting(self, error: Exception) -> None:
        """Fail the pending joins and syncs."""
        for _, command in (*self._live.drain_joining(), *self._live.drain_syncing()):
            self.reply(command, error)
