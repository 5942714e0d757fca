"""Knows which threads run actors: a call that waits there could wait for its own thread.

Callbacks of promises run on actors' threads. In Kafka, too, a callback may send but not flush (KIP-1118).
"""

from __future__ import annotations

import threading

from odradek_actors.errors import WaitOnActorThread

__all__ = ["actor_thread"]


class _ActorThread(threading.local):
    """`is_current`: whether the current thread runs an actor."""

    is_current = False

    def refuse_to_wait(self) -> None:
        """Raise WaitOnActorThread on a thread that runs an actor."""
        if self.is_current:
            raise WaitOnActorThread()


actor_thread = _ActorThread()
