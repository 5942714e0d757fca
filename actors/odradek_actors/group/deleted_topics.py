"""Which incarnations of topics are gone, so that a group forgets what it committed for them.

A topic's actor tells running groups of a deletion. A group whose actor was not running then finds out before it lists
its offsets: it asks the log which topics there are. Topic ids are never used again, so what is gone stays gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from odradek_actors.base.actor import OdradekActor
from odradek_actors.messages.log import TopicIds
from odradek_domain.values.committed_offsets import CommittedOffset

__all__ = ["DeletedTopics"]


class DeletedTopics:
    """The ids of deleted topics that one group knows of. Volatile, but it survives the actor's recovery in place.

    `must_look_up` says that the log has to be asked which topics there are.
    """

    def __init__(self, actor: OdradekActor) -> None:
        self.ids: set[str] = set()
        self.new_ids: set[str] = set()  # of those, the ones whose commits are still to be forgotten
        self.must_look_up = True
        self._actor = actor
        self._is_looking_up = False

    @property
    def are_in_doubt(self) -> bool:
        """Whether some of what is committed may be for topics that are gone."""
        return self.must_look_up or self._is_looking_up

    def note_change(self, ended_id: str | None) -> None:
        """Note that a topic has changed, and which of its incarnations has ended: "" for none, None if not known."""
        if ended_id:
            self._add({ended_id})
        self.must_look_up |= ended_id is None

    def _add(self, ids: set[str]) -> None:
        self.ids |= ids
        self.new_ids |= ids

    def look_up(self, committed: Iterable[CommittedOffset], then: Callable[[bool], None]) -> None:
        """Compare commits with the topics in the log, unless that is under way; then say whether that succeeded."""
        if self._is_looking_up:
            return
        known = {(item.topic, item.topic_id) for item in committed}
        self.must_look_up = False
        if not known:
            return
        self._is_looking_up = True

        def found(ids: Any) -> None:
            self._is_looking_up = False
            self.must_look_up |= isinstance(ids, Exception)
            if not isinstance(ids, Exception):
                self._add({topic_id for topic, topic_id in known if ids.get(topic) != topic_id})
            then(not isinstance(ids, Exception))

        self._actor.request(self._actor.context.log_reader, TopicIds(), found)
