"""The directory: starts and looks up actors, one per stream.

Pykka's global registry is not used, because the whole process shares it and every stop of an actor searches it.
"""

from __future__ import annotations

from typing import Any

import pykka

from odradek_actors.base.actor import ActorContext, OdradekActor
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.errors import SystemClosed
from odradek_actors.messages.core import Forward, LookUp, Passivated, Query, Stop
from odradek_actors.messages.groups import TopicChanged
from odradek_events.log.judging import split_stream

__all__ = ["DirectoryActor"]

ActorClass = type[EventSourcedActor[Any]]


class DirectoryActor(OdradekActor):
    """Knows the actor class of each stream type, and the running actor of each stream."""

    def __init__(self, context: ActorContext, classes: dict[str, ActorClass]) -> None:
        super().__init__(context)
        self._classes = classes
        self._running: dict[str, pykka.ActorRef[Any]] = {}
        self._closing = False
        self.handlers = {
            Query: self._answer,
            Forward: self._forward,
            Passivated: self._passivated,
            Stop: self._stop_orderly,
            TopicChanged: self._topic_changed,
        }

    def _answer(self, query: Query) -> None:
        body = query.body
        self.reply(query, self._look_up(body.stream) if isinstance(body, LookUp) else self._alive(body.kinds))

    def _look_up(self, stream: str) -> pykka.ActorRef[Any] | Exception:
        ref = self._running.get(stream)
        if ref is not None and ref.is_alive():
            return ref
        if self._closing:
            return SystemClosed()
        kind, identifier = split_stream(stream)
        actor_class = self._classes.get(kind)
        if actor_class is None:
            return LookupError(f"no actor class is registered for streams of type {kind!r}; pass it as actors={{...}}")
        successor = self._running[stream] = self.runtime.start(actor_class, self.context, stream)
        if ref is not None and kind == "topic":  # the former actor may have stopped before it announced its last change
            self.send(successor, TopicChanged(identifier))
        return successor

    def _forward(self, message: Forward) -> None:
        """Forward a request that reached an actor while it passivated."""
        ref = self._look_up(message.stream)
        if isinstance(ref, Exception):
            self.reply(message.request, ref)
        else:
            self.send(ref, message.request)

    def _passivated(self, message: Passivated) -> None:
        if self._running.get(message.stream) is message.ref:
            del self._running[message.stream]

    def _alive(self, kinds: tuple[str, ...]) -> tuple[tuple[str, pykka.ActorRef[Any]], ...]:
        return tuple(
            (stream, ref)
            for stream, ref in sorted(self._running.items())
            if ref.is_alive() and (not kinds or stream.partition("/")[0] in kinds)
        )

    def _topic_changed(self, message: TopicChanged) -> None:
        """Forward it to every group and consumer; each one checks whether it reads the topic."""
        for stream, ref in self._running.items():
            if stream.startswith(("group/", "consumer/")) and ref.is_alive():
                self.send(ref, message)

    def on_stop(self) -> None:
        """Stop all running actors at once, because nothing could find them without the directory."""
        self._closing = True
        for _, ref in self._alive(()):
            self.runtime.stop(ref)
        super().on_stop()

    def _stop_orderly(self, _: Stop) -> None:
        """Start no further actors; stop if no actor is alive, otherwise wait for the next Stop."""
        self._closing = True
        if not self._alive(()):
            self.stop()
