"""The base of every actor: dispatch by message type, sends through one helper, nothing lost at stop.

Pykka stops an actor silently after a failing `tell` and drops pending tells at stop. Here an exception in a handler is
logged and answered, and whatever is left in the inbox at stop is bounced to its senders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pykka

from odradek_actors.errors import ActorStopped, NotUnderstood, as_error
from odradek_actors.logs import get_logger
from odradek_actors.messages.core import Command, GetStatus, Query, Recipient, Reply, Status, Tick
from odradek_actors.runtime.forwarding import Forwarding
from odradek_actors.runtime.port import Runtime
from odradek_actors.settings import Settings
from odradek_domain.group.assignors.kafka import BUILT_IN, Assignor

__all__ = ["ActorContext", "OdradekActor"]


class ActorContext:
    """Where an actor finds the others, and the world. Refs may be handed on; nothing else crosses a mailbox."""

    __slots__ = ("assignors", "directory", "journal", "log_reader", "run_id", "runtime", "settings", "snapshots")

    def __init__(self, runtime: Runtime, settings: Settings, assignors: Mapping[str, Assignor] = BUILT_IN) -> None:
        self.runtime = runtime
        self.settings = settings
        self.assignors = assignors
        self.run_id = runtime.new_id()  # of this run of the system, from open to close
        self.journal: Recipient
        self.log_reader: Recipient
        self.directory: Recipient
        self.snapshots: Recipient


class OdradekActor(pykka.ThreadingActor):
    """An actor whose `handlers` map message types to methods. A runtime binds it, overriding Pykka's hooks."""

    forwarding: Forwarding | None = None
    """The way to this actor's successor, once it has passivated."""

    cause = ""
    """The id of the event that what is being done now follows from, if it follows from one."""

    def __init__(self, context: ActorContext) -> None:
        super().__init__()
        self.context = context
        self.runtime = context.runtime
        self.settings = context.settings
        self.handled = 0
        self.handlers: dict[type[Any], Callable[[Any], None]] = {}
        self._continuations: dict[int, Callable[[Any], object]] = {}
        self.log = get_logger(actor=type(self).__name__)

    def on_receive(self, message: object) -> None:
        """Dispatch; an exception is answered to who asked, and ends neither the actor nor the process."""
        kind = type(message)
        if kind is Query and type(message.body) is GetStatus:  # type: ignore[attr-defined]  # narrowed by type() above
            self.reply(message, Status(self.handled, self.is_busy()))  # type: ignore[arg-type]  # as above
            return
        self.handled += 1
        try:
            if kind is Reply:
                self._continue(message)  # type: ignore[arg-type]  # narrowed by type() above
            else:
                handler = self.handlers.get(kind)
                if handler is None:
                    raise NotUnderstood(type(self).__name__, kind.__name__)
                handler(message)
        except BaseException as raised:  # SystemExit or pytest.fail too: Pykka would stop every actor in the process
            self._survive(message, as_error(raised))

    def _survive(self, message: object, error: Exception) -> None:
        """Deal with what a handler raised; stop this actor, and no other, if that fails too."""
        try:
            self.handler_failed(message, error)
        except BaseException as raised:
            self.log.error("actor stops", message=type(message).__name__, error=repr(raised), exc_info=raised)
            if isinstance(message, Command | Query):
                self.reply(message, as_error(raised))
            self.stop()

    def handler_failed(self, message: object, error: Exception) -> None:
        """Log what a handler raised, and answer who asked."""
        self.log.error("handler failed", message=type(message).__name__, error=repr(error), exc_info=error)
        if isinstance(message, Command | Query):
            self.reply(message, error)

    def is_busy(self) -> bool:
        """Say whether something is under way that will change state without a further message from outside."""
        return False

    def send(self, recipient: Recipient, message: object) -> None:
        """Tell somebody something."""
        self.runtime.send(recipient, message)

    def reply(self, request: Command | Query, value: object) -> None:
        """Answer a request; an exception as value is a failure."""
        self.runtime.send(request.reply_to, Reply(request.request_id, value))

    def request(
        self, recipient: Recipient, body: object, then: Callable[[Any], object], *, command: Command | None = None
    ) -> int:
        """Ask another actor; `then` is called with the answer, or with the exception that is the answer.

        Returns the request's number, by which `withdraw` makes its answer be ignored.

        A body is asked as a Command on behalf of `command` if there is one, else as a Query. It keeps the correlation
        id. Its causation id is that of the event just stored; failing that, of what caused `command`; failing that, of
        `command` itself, which then began the conversation and is known by the correlation id.
        """
        number = self.runtime.new_number()
        self._continuations[number] = partial(self._follow, self.cause, then) if self.cause else then
        if command is None:
            self.send(recipient, Query(body, self.actor_ref, number))
        else:
            cause = self.cause or command.causation_id or command.correlation_id
            self.send(recipient, Command(body, self.actor_ref, number, command.correlation_id, cause))
        return number

    def withdraw(self, number: int) -> None:
        """Ignore the answer to a request, if it is still to come."""
        self._continuations.pop(number, None)

    def tick(self, delay: float, purpose: Tick) -> None:
        """Have a Tick sent to this actor after `delay` seconds."""
        self.runtime.later(delay, self.actor_ref, purpose)

    def on_stop(self) -> None:
        """Let nobody wait: those whose request waits for another actor's answer, and those still in the inbox."""
        stopped = ActorStopped(type(self).__name__)
        while self._continuations:
            _, then = self._continuations.popitem()
            try:
                then(stopped)
            except BaseException as error:  # the remaining ones must get their answer too
                self.log.error("continuation failed", error=repr(error), exc_info=error)
        self.runtime.drain(self.actor_ref)

    def _actor_loop_teardown(self) -> None:
        """Bounce what came in after `on_stop`, which Pykka would drop, and after a failure, when it is not called."""
        self.runtime.drain(self.actor_ref)

    def _follow(self, cause: str, then: Callable[[Any], object], value: Any) -> None:
        """Do what follows from the event `cause`, and let it be the cause of what is asked meanwhile."""
        before, self.cause = self.cause, cause
        try:
            then(value)
        finally:
            self.cause = before

    def _continue(self, message: Reply) -> None:
        then = self._continuations.pop(message.request_id, None)
        if then is not None:
            then(message.value)
