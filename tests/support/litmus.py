"""The actors of litmus tests: senders, and inboxes that note in which order they received."""

from __future__ import annotations

from typing import Any

import pykka

__all__ = ["Inbox", "Sender"]


class Inbox(pykka.ThreadingActor):
    """Notes who sent to it."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    def on_receive(self, message: Any) -> None:
        self.log.append(message)


class Sender(pykka.ThreadingActor):
    """On a message, sends its name to its recipients in order."""

    def __init__(self, name: str, recipients: list[pykka.ActorRef[Inbox]]) -> None:
        super().__init__()
        self.name, self.recipients = name, recipients

    def on_receive(self, message: Any) -> None:
        for recipient in self.recipients:
            recipient.tell(self.name)
