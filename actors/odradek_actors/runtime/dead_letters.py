"""Dead letters: messages that no actor handled, counted all and remembered up to a limit."""

from __future__ import annotations

import itertools
from typing import Any

from odradek_actors.errors import ActorStopped
from odradek_actors.logs import get_logger
from odradek_actors.messages.core import Recipient

__all__ = ["DeadLetter", "DeadLetters"]

_REMEMBERED = 1000
_log = get_logger(actor="runtime")


class DeadLetter(Exception):
    """Never raised: an undeliverable message and its recipient."""

    def __init__(self, recipient: str, message: object) -> None:
        super().__init__(f"{type(message).__name__} for {recipient}")
        self.recipient, self.message = recipient, message


class DeadLetters:
    """Takes dead letters from any thread, without a lock."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self._numbers = itertools.count(1)
        self._count = 0

    @property
    def count(self) -> int:
        """How many there were."""
        return self._count

    def take(self, recipient: str, message: object) -> tuple[Recipient, Any] | None:
        """Record a message, and return the answer that its sender waits for, with its recipient, if there is one."""
        number = next(self._numbers)
        self._count = max(self._count, number)
        if number <= _REMEMBERED:
            self.letters.append(DeadLetter(recipient, message))
        _log.debug("dead letter", recipient=recipient, message=type(message).__name__)
        bounce = getattr(message, "bounce", None)
        return None if bounce is None else bounce(ActorStopped("the recipient"))
