"""The topics of a group: asks each how many partitions it has, so that they can be shared out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pykka

from odradek_actors.actor import OdradekActor
from odradek_actors.protocol import DescribeTopic, ListTopics, LookUp, TopicDescription
from odradek_domain.errors import TopicNotFound
from odradek_domain.group import ConsumerGroup

__all__ = ["GroupTopics"]

Then = Callable[[Mapping[str, int], bool], None]


class GroupTopics:
    """Gathers partition counts on behalf of a group's actor, one round at a time."""

    def __init__(self, actor: OdradekActor) -> None:
        self._actor = actor
        self._refs: dict[str, pykka.ActorRef[Any]] = {}
        self._counts: dict[str, int] = {}
        self._round = 0

    def gather(self, group: ConsumerGroup, then: Then) -> None:
        """Ask all topics that `group` reads; call `then` with (partition counts, whether all have answered).

        A topic that does not exist is not among them. One that cannot answer now counts as it did last time.
        """
        self._round = self._actor.runtime.new_number()
        number = self._round
        if not group.has_patterns:
            self._ask_all(group.topics, number, then)
            return

        def listed(answer: Any) -> None:
            if number == self._round:
                is_known = not isinstance(answer, Exception)
                matching = [topic for topic in (answer if is_known else self._counts) if group.reads(topic)]
                self._ask_all(tuple(sorted({*group.topics, *matching})), number, then, is_complete=is_known)

        self._actor.request(self._actor.context.log_reader, ListTopics(), listed)

    def _ask_all(self, topics: tuple[str, ...], number: int, then: Then, *, is_complete: bool = True) -> None:
        waiting = set(topics)
        counts: dict[str, int] = {}

        def answered(topic: str, answer: Any) -> None:
            nonlocal is_complete
            if number != self._round:
                return
            if isinstance(answer, TopicDescription):
                counts[topic] = len(answer.partitions)
            elif not isinstance(answer, TopicNotFound):
                self._refs.pop(topic, None)
                is_complete = False
                if topic in self._counts:
                    counts[topic] = self._counts[topic]
            waiting.discard(topic)
            if not waiting:
                finish()

        def finish() -> None:
            self._counts = dict(sorted(counts.items()))
            then(self._counts, is_complete)

        if not topics:
            finish()
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
        if ref is None:
            self._actor.request(self._actor.context.directory, LookUp(f"topic/{topic}"), found)
        else:
            found(ref)
