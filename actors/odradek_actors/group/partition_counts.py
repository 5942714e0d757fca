"""Asks the topics of a group for their numbers of partitions, so that the partitions can be assigned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pykka

from odradek_actors.base.actor import OdradekActor
from odradek_actors.messages.core import Command, LookUp
from odradek_actors.messages.groups import CommitGroupOffsets
from odradek_actors.messages.log import ListTopics
from odradek_actors.messages.topics import DescribeTopic, TopicDescription
from odradek_domain.errors import TopicNotFound
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.values.committed_offsets import CommittedOffset

__all__ = ["PartitionCounts"]


class PartitionCounts:
    """The gathered partition counts of a group, and those of its last assignment. Gathers one round at a time.

    `are_stale` means that a topic has changed since, or did not answer.
    """

    def __init__(self, actor: OdradekActor) -> None:
        self.are_stale = False
        self._actor = actor
        self._refs: dict[str, pykka.ActorRef[Any]] = {}
        self._ids: dict[str, str] = {}  # the topic ids of the last round
        self._is_gathering = False
        self._gathered: tuple[int, Mapping[str, int]] | None = None  # the generation, and its counts
        self._assigned: tuple[int, Mapping[str, int]] | None = None

    def counts_for(self, generation: int) -> Mapping[str, int] | None:
        """Return the partition counts gathered in a generation; None if there are none yet."""
        return self._gathered[1] if self._gathered is not None and self._gathered[0] == generation else None

    def is_current(self, committed: CommittedOffset) -> bool:
        """Return whether a commit is for the topic's current incarnation; True if that is not known."""
        known = None if self.are_stale else self._ids.get(committed.topic)
        return known in (None, committed.topic_id)

    def compare(self, group: ConsumerGroup) -> list[str]:
        """Return the topics of a stable group whose partition counts differ from those of the last assignment.

        If an earlier actor made the assignment, its counts are derived from the members' partitions, and the current
        counts must be gathered first.
        """
        if self._assigned is None or self._assigned[0] != group.generation:
            counts = self.counts_for(group.generation)
            self.are_stale |= counts is None
            self._assigned = group.generation, group.assigned_counts() if counts is None else counts
        gathered = self.counts_for(group.generation)
        return [] if gathered is None else sorted(dict(gathered.items() ^ self._assigned[1].items()))

    def note_change(self, topic: str, group: ConsumerGroup | None) -> bool:
        """Record that a topic has changed; return whether the group reads it, or may read it (`group` is None)."""
        is_assigned = self._assigned is not None and topic in self._assigned[1]
        if group is not None and not group.reads(topic) and not is_assigned:
            return False
        self.are_stale = True
        return True

    def gather(self, group: ConsumerGroup, then: Callable[[], None]) -> None:
        """Ask all topics that `group` reads, then call `then`. Does nothing while a round is in progress.

        A missing topic has no count. A topic that cannot answer keeps its previous count.
        """
        if self._is_gathering:
            return
        generation = group.generation
        known: Mapping[str, int] = {} if self._gathered is None else self._gathered[1]

        def described(answers: Mapping[str, Any]) -> None:
            self._is_gathering = False
            counts: dict[str, int] = {}
            for topic, answer in sorted(answers.items()):
                if isinstance(answer, TopicDescription):
                    counts[topic] = len(answer.partitions)
                elif not isinstance(answer, TopicNotFound):
                    self.are_stale = True
                    if topic in known:
                        counts[topic] = known[topic]
            self._gathered = generation, counts
            self._ids = {
                topic: answer.topic_id for topic, answer in answers.items() if isinstance(answer, TopicDescription)
            }
            then()

        def listed(topics: Any) -> None:
            if isinstance(topics, Exception):
                self.are_stale = True
                topics = known
            self._ask_all(sorted({*group.topics, *filter(group.reads, topics)}), described)

        for pattern, problem in group.pattern_problems().items():
            self._actor.log.warning("pattern matches no topic", pattern=pattern, reason=problem)
        self._is_gathering, self.are_stale = True, False
        try:
            if group.has_patterns:
                self._actor.request(self._actor.context.log_reader, ListTopics(), listed)
            else:
                listed(())
        except BaseException:
            self._is_gathering, self.are_stale = False, True
            raise

    def keep_current(self, command: Command, doubtful: Sequence[str], then: Callable[[Command], None]) -> None:
        """Remove offsets for earlier incarnations of these topics from a commit, and pass it to `then`.

        If one of the topics cannot be asked for its incarnation, the commit fails.
        """
        body: CommitGroupOffsets = command.body

        def described(answers: Mapping[str, Any]) -> None:
            ids: dict[str, str | None] = {}
            for topic, answer in answers.items():
                if isinstance(answer, Exception) and not isinstance(answer, TopicNotFound):
                    self._actor.reply(command, answer)
                    return
                ids[topic] = answer.topic_id if isinstance(answer, TopicDescription) else None
            offsets = tuple(
                wanted for wanted in body.offsets if ids.get(wanted.topic, wanted.topic_id) == wanted.topic_id
            )
            current = msgspec.structs.replace(body, offsets=offsets, is_current=True)
            then(msgspec.structs.replace(command, body=current))

        self._ask_all(doubtful, described)

    def _ask_all(self, topics: Sequence[str], then: Callable[[Mapping[str, Any]], None]) -> None:
        """Call `then` with the answer of each topic: its description or an error."""
        answers: dict[str, Any] = {}

        def answered(topic: str, answer: Any) -> None:
            if isinstance(answer, Exception) and not isinstance(answer, TopicNotFound):
                self._refs.pop(topic, None)
            answers[topic] = answer
            if len(answers) == len(topics):
                then(answers)

        if not topics:
            then(answers)
        for topic in topics:
            self._describe(topic, answered)

    def _describe(self, topic: str, then: Callable[[str, Any], None]) -> None:
        def found(ref: Any) -> None:
            if isinstance(ref, Exception):
                then(topic, ref)
                return
            self._refs[topic] = ref
            self._actor.request(ref, DescribeTopic(), lambda answer: then(topic, answer))

        ref = self._refs.get(topic)
        if ref is None or not ref.is_alive():
            self._actor.request(self._actor.context.directory, LookUp(f"topic/{topic}"), found)
        else:
            found(ref)
