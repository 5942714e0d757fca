"""The base class of every actor: dispatches by message type, and answers every request even when it fails or stops.

Pykka silently stops an actor after a failing `tell`, and drops the messages left in its inbox. Here messages left in
the inbox at stop are bounced to their senders, and an exception in a handler, whichever it is, leaves nothing waiting
(`handler_failed`):

    the handler of a request         its sender gets the error, unless the actor still holds the request
    the continuation of a request    is called again, with AnswerLost as the answer
    the handler of another message   gets the message again after retry_backoff

So the path that an actor takes after a failed answer also resets what the failed continuation should have reset. Two
rules make that work. A flag that says "under way" is set after the request was sent, and reset first of all when the
answer arrives. A message without an answer may arrive twice, so a timer that is set again gets a new number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import pykka

from odradek_actors.base.policy import Policy
from odradek_actors.errors import ActorStopped, AnswerLost, NotUnderstood, as_error
from odradek_actors.logs import get_logger
from odradek_actors.messages.core import (
    Answerable,
    Command,
    Forward,
    GetStatus,
    Nobody,
    Query,
    Recipient,
    Reply,
    Status,
    Tick,
)
from odradek_actors.runtime.forwarding import Forwarding
from odradek_actors.runtime.port import Runtime
from odradek_actors.settings import Settings
from odradek_domain.group.assignors.kafka import BUILT_IN, Assignor

__all__ = ["ActorContext", "OdradekActor"]

T = TypeVar("T")


class ActorContext:
    """An actor's references to the runtime, the settings and the infrastructure actors.

    Messages may carry the references; the context itself never crosses a mailbox.
    """

    __slots__ = (
        "assignors",
        "directory",
        "journal",
        "log_reader",
        "policies",
        "run_id",
        "runtime",
        "settings",
        "snapshots",
    )

    def __init__(
        self,
        runtime: Runtime,
        settings: Settings,
        assignors: Mapping[str, Assignor] = BUILT_IN,
        policies: Mapping[str, Policy] = MappingProxyType({}),
    ) -> None:
        self.runtime = runtime
        self.settings = settings
        self.assignors = assignors
        self.policies = policies
        self.run_id = runtime.new_id()  # identifies this run of the system, from open to close
        self.journal: Recipient
        self.log_reader: Recipient
        self.directory: Recipient
        self.snapshots: Recipient


class OdradekActor(pykka.ThreadingActor):
    """An actor whose `handlers` map message types to methods. A runtime adapts it by overriding Pykka's hooks."""

    forwarding: Forwarding | None = None
    """Where requests go after this actor has passivated."""

    cause = ""
    """The id of the event that caused the current step; empty if no event did. In `decide`: the command's cause."""

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
        """Handle a message. An exception stops neither the actor nor the process."""
        try:
            self.handle_message(message)
        except BaseException as raised:  # SystemExit or pytest.fail too: Pykka would stop every actor in the process
            self._survive(message, as_error(raised))

    def handle_message(self, message: object) -> None:
        """Pass a message to its handler, or an answer to its continuation."""
        kind = type(message)
        if kind is Query and type(message.body) is GetStatus:  # type: ignore[attr-defined]  # narrowed by type() above
            self.reply(message, Status(self.handled, self.is_busy()))  # type: ignore[arg-type]  # as above
            return
        self.handled += 1
        if kind is Reply:
            self._continue(message)  # type: ignore[arg-type]  # narrowed by type() above
            return
        handler = self.handlers.get(kind)
        if handler is None:
            raise NotUnderstood(type(self).__name__, kind.__name__)
        handler(message)

    def _survive(self, message: object, error: Exception) -> None:
        """Call `handler_failed`; if that raises too, stop this actor and no other."""
        try:
            self.handler_failed(message, error)
        except BaseException as raised:
            self.log.error("actor stops", message=type(message).__name__, error=repr(raised), exc_info=raised)
            if isinstance(message, Answerable):
                self.send(*message.bounce(as_error(raised)))
            self.stop()

    def answer_of(self, hook: str, raised: BaseException) -> Exception:
        """Return what a hook raised as an answer. An abort is logged too: unlike an Exception, it is not a refusal."""
        error = as_error(raised)
        if error is not raised:
            self.log.error(f"{hook} aborted", error=repr(error), exc_info=error)
        return error

    def handler_failed(self, message: object, error: Exception) -> None:
        """Log a handler's exception, and answer or repeat the message, so that nothing waits for what was not done."""
        self.log.error("handler failed", message=type(message).__name__, error=repr(error), exc_info=error)
        if isinstance(message, Reply):
            then = self._continuations.pop(message.request_id, None)
            if then is not None:
                self.lose_answer(then, error)
        elif isinstance(message, Answerable) and self.holds(message):
            return
        elif isinstance(message, Answerable) and not isinstance(message.bounce(error)[0], Nobody):
            self.send(*message.bounce(error))
        elif not isinstance(error, NotUnderstood):
            self.runtime.later(self.settings.retry_backoff, self.actor_ref, message)

    def pass_on(self, then: Callable[[Any], object], answer: Any) -> None:
        """Call one of several continuations that wait for the same answer, so that it fails alone."""
        try:
            then(answer)
        except BaseException as raised:
            self.lose_answer(then, self.report_failure("continuation", raised))

    def lose_answer(self, then: Callable[[Any], object], error: Exception) -> None:
        """Call a continuation that has failed again, with AnswerLost."""
        then(AnswerLost(type(self).__name__, error))

    def report_failure(self, what: str, raised: BaseException) -> Exception:
        """Log what something other than a whole handler raised, and return it as an error."""
        error = as_error(raised)
        self.log.error(f"{what} failed", error=repr(error), exc_info=error)
        return error

    def holds(self, request: object) -> bool:
        """Return whether the actor will still answer a request whose handler failed."""
        return False

    def is_busy(self) -> bool:
        """Return whether work in progress will change the state without a further message from outside."""
        return False

    def send(self, recipient: Recipient, message: object) -> None:
        """Send a message through the runtime."""
        self.runtime.send(recipient, message)

    def reply(self, request: Command | Query, value: object) -> None:
        """Answer a request; an exception as the value reports a failure."""
        self.runtime.send(request.reply_to, Reply(request.request_id, value))

    def request(
        self,
        recipient: Recipient,
        body: object,
        then: Callable[[Any], object],
        *,
        command: Command | None = None,
        forward_to: str | None = None,
    ) -> int:
        """Send a request to another actor; `then` is called with the answer, which is an exception if it failed.

        If `then` raises an exception, it is called again, with AnswerLost. Returns the request's number, which
        `withdraw` takes.

        With `command`, the body is sent as a Command on its behalf and keeps its correlation id; otherwise it is sent
        as a Query. The causation id is, in this order: the id of the event just stored; the causation id of `command`;
        the correlation id of `command`, which then started the conversation. With `forward_to`, the recipient is the
        directory, and forwards the request to the actor of that stream.
        """
        number = self.runtime.new_number()
        request: Query | Command = Query(body, self.actor_ref, number)
        if command is not None:
            cause = self.cause or command.causation_id or command.correlation_id
            request = Command(body, self.actor_ref, number, command.correlation_id, cause)
        self.send(recipient, request if forward_to is None else Forward(forward_to, request))
        self._continuations[number] = partial(self._follow, self.cause, then) if self.cause else then
        return number

    def withdraw(self, number: int) -> None:
        """Ignore the answer to a request, if it has not arrived yet."""
        self._continuations.pop(number, None)

    def tick(self, delay: float, purpose: Tick) -> None:
        """Schedule a Tick to this actor in `delay` seconds."""
        self.runtime.later(delay, self.actor_ref, purpose)

    def on_stop(self) -> None:
        """Fail the requests that wait for another actor's answer, and bounce the messages left in the inbox."""
        stopped = ActorStopped(type(self).__name__)
        while self._continuations:
            _, then = self._continuations.popitem()
            try:
                then(stopped)
            except BaseException as error:  # the remaining requests must be answered too
                self.log.error("continuation failed", error=repr(error), exc_info=error)
        self.runtime.drain(self.actor_ref)

    def _actor_loop_teardown(self) -> None:
        """Bounce messages that Pykka would drop: those after `on_stop`, and after a failure, which skips `on_stop`."""
        self.runtime.drain(self.actor_ref)

    def _follow(self, cause: str, then: Callable[..., T], *values: Any) -> T:
        """Call `then` with `cause` as the causation id of the requests that it sends, and return what it returns."""
        before, self.cause = self.cause, cause
        try:
            return then(*values)
        finally:
            self.cause = before

    def _continue(self, message: Reply) -> None:
        then = self._continuations.get(message.request_id)
        if then is not None:
            then(message.value)
            self._continuations.pop(message.request_id, None)  # only now: `handler_failed` calls it again
