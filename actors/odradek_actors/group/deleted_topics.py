"""Finds out which topics were deleted, so that a group can delete their committed offsets.

A topic's actor notifies running groups of its deletion. A group whose actor was not running finds out before it lists
its offsets: it asks the log for the existing topics. Topic ids are never reused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from odradek_actors.base.actor import OdradekActor
from odradek_actors.messages.log import TopicIds
from odradek_domain.values.committed_offsets import CommittedOffset

__all__ = ["DeletedTopics"]


class DeletedTopics:
    """The ids of deleted topics that one group knows. Volatile, but it survives the actor's recovery in place.

    `must_look_up` means that the log must be asked for the existing topics.
    """

    def __init__(self, actor: OdradekActor) -> None:
        self.ids: set[str] = set()
        self.new_ids: set[str] = set()  # a subset: ids whose committed offsets are not deleted yet
        self.must_look_up = True
        self._actor = actor
        self._is_looking_up = False

    @property
    def are_in_doubt(self) -> bool:
        """Whether some committed offsets may belong to deleted topics."""
        return self.must_look_up or self._is_looking_up

    def note_change(self, ended_id: str | None) -> None:
        """Record that a topic has changed, with the id of its deleted incarnation: "" for none, None if unknown."""
        if ended_id:
            self._add({ended_id})
        self.must_look_up |= ended_id is None

    def _add(self, ids: set[str]) -> None:
        self.ids |= ids
        self.new_ids |= ids

    def look_up(self, committed: Iterable[CommittedOffset], then: Callable[[bool], None]) -> None:
        """Compare commits with the topics in the log, then call `then` with whether that succeeded.

        Does nothing while a look-up is in progress.
        """
        if self._is_looking_up:
            return
        known = {(item.topic, item.topic_id) for item in committed}
        if not known:
            self.must_look_up = False
            return

        def found(ids: Any) -> None:
            self._is_looking_up = False
            self.must_look_up |= isinstance(ids, Exception)
            if not isinstance(ids, Exception):
                self._add({topic_id for topic, topic_id in known if ids.get(topic) != topic_id})
            then(not isinstance(ids, Exception))

        self._actor.request(self._actor.context.log_reader, TopicIds(), found)
        self.must_look_up, self._is_looking_up = False, True
